"""Observations are laid over the package's data: which rows change, which stay, and which prices are not believed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pulumi_llm._refresh.merge import JUMP, believed, changes, merged
from pulumi_llm._refresh.observed import BadQuote, Observation, Quote, quote
from pulumi_llm.catalog import Catalog
from tests.refresh.samples import ALIYUN_T4, AWS_T4, SHIPPED, cny, codes, seen


def over(path: Path, *observations: Observation) -> Catalog:
    """The package's catalogue with the observations laid over it."""
    SHIPPED.copy_to(path)
    for name, content in merged(SHIPPED, observations).items():
        (path / name).write_text(json.dumps(content), encoding="utf-8")
    return Catalog(path)


def test_without_observations_nothing_changes(tmp_path: Path) -> None:
    made = over(tmp_path)
    assert (made.prices, made.instances, made.regions) == (SHIPPED.prices, SHIPPED.instances, SHIPPED.regions)


def test_a_price_takes_the_place_of_the_old_one_with_its_source_and_date(tmp_path: Path) -> None:
    made = over(tmp_path, seen(price=cny(12.02)))
    (row,) = [
        each
        for each in made.prices
        if (each.cloud, each.instance_type, each.region, each.spot) == ("aliyun", ALIYUN_T4, "cn-hangzhou", False)
    ]
    assert (row.amount, row.currency) == (12.02, "CNY")
    assert (row.source, row.source_date) == ("aliyun DescribePrice on 2026-11-24", "2026-11-24")


def test_prices_of_other_types_and_regions_stay(tmp_path: Path) -> None:
    made = over(tmp_path, seen(price=cny(12.02)))
    same = [each for each in made.prices if each in SHIPPED.prices]
    assert len(same) == len(SHIPPED.prices) - 1


def test_without_a_price_the_old_one_stays(tmp_path: Path) -> None:
    assert over(tmp_path, seen()).prices == SHIPPED.prices


def test_a_spot_price_is_a_row_of_its_own(tmp_path: Path) -> None:
    made = over(tmp_path, seen(spot=cny(1.85)))
    spot, full = (made.price("aliyun", ALIYUN_T4, "cn-hangzhou", spot=each) for each in (True, False))
    assert spot is not None
    assert full is not None
    assert (spot.amount, full.amount) == (1.85, 11.63)


def test_an_old_spot_price_above_the_new_list_price_is_dropped(tmp_path: Path) -> None:
    usual = {"cloud": "aws", "instance_type": AWS_T4, "region": "us-east-1", "zones": {"us-east-1a": "offered"}}
    made = over(tmp_path, seen(price=Quote(amount=0.15, currency="USD", api="GetProducts"), **usual))
    assert SHIPPED.price("aws", AWS_T4, "us-east-1", spot=True) is not None
    assert made.price("aws", AWS_T4, "us-east-1", spot=True) is None


def test_a_newer_row_of_the_package_wins_over_an_older_answer(tmp_path: Path) -> None:
    made = over(tmp_path, seen(price=cny(12.02, day="2020-01-01")))
    assert made.prices == SHIPPED.prices


def test_zones_that_were_known_keep_their_order_so_that_no_stack_moves(tmp_path: Path) -> None:
    zones = {"cn-hangzhou-b": "sold-out", "cn-hangzhou-i": "available", "cn-hangzhou-h": "available"}
    before = SHIPPED.instance("aliyun", ALIYUN_T4).regions["cn-hangzhou"]
    after = over(tmp_path, seen(zones=zones)).instance("aliyun", ALIYUN_T4).regions["cn-hangzhou"]
    order = before or SHIPPED.regions["aliyun", "cn-hangzhou"].zones
    assert list(after) == [zone for zone in order if zone in zones]


def test_a_sold_out_zone_stays_offered(tmp_path: Path) -> None:
    made = over(tmp_path, seen(zones={"cn-hangzhou-h": "sold-out"}))
    assert made.instance("aliyun", ALIYUN_T4).regions["cn-hangzhou"] == ("cn-hangzhou-h",)


def test_a_type_without_zones_is_not_offered_in_the_region_any_more(tmp_path: Path) -> None:
    made = over(tmp_path, seen(zones={}))
    assert "cn-hangzhou" not in made.instance("aliyun", ALIYUN_T4).regions
    assert "cn-beijing" in made.instance("aliyun", ALIYUN_T4).regions


def test_a_zone_that_the_catalogue_did_not_know_is_known_then(tmp_path: Path) -> None:
    made = over(tmp_path, seen(zones={"cn-hangzhou-z": "available"}))
    assert made.regions["aliyun", "cn-hangzhou"].zones[-1] == "cn-hangzhou-z"
    assert "DescribeAvailableResource" in made.regions["aliyun", "cn-hangzhou"].source
    assert made.problems() == []


def test_zones_are_the_type_s_own_only_when_all_its_regions_were_answered(tmp_path: Path) -> None:
    one = over(tmp_path, seen()).instance("aliyun", ALIYUN_T4)
    assert one.zones_per_type is False
    regions = SHIPPED.instance("aliyun", ALIYUN_T4).regions
    every = [seen(region=name, zones={SHIPPED.regions["aliyun", name].zones[0]: "available"}) for name in regions]
    assert over(tmp_path, *every).instance("aliyun", ALIYUN_T4).zones_per_type is True


def test_an_instance_type_s_source_names_where_its_zones_are_from(tmp_path: Path) -> None:
    row = over(tmp_path, seen()).instance("aliyun", ALIYUN_T4)
    assert row.source.startswith(SHIPPED.instance("aliyun", ALIYUN_T4).source)
    assert row.source.endswith("aliyun DescribeAvailableResource on 2026-11-24")


@pytest.mark.parametrize(
    ("amount", "said"),
    [
        (11.63 * (JUMP + 0.1), "4.1 times"),
        (11.63 / (JUMP + 0.1), "0.244 times"),
        (4000.0, "out of all proportion"),
        (0.01, "out of all proportion"),
    ],
)
def test_a_list_price_far_from_what_was_known_is_held_back(amount: float, said: str) -> None:
    kept, findings = believed(SHIPPED, [seen(price=cny(amount))])
    assert kept[0].price is None
    assert codes(findings) == ["refresh.held-back"]
    assert said in findings[0].message


def test_a_price_in_the_wrong_currency_is_held_back() -> None:
    dollars = Quote(amount=11.63, currency="USD", api="DescribePrice")
    kept, findings = believed(SHIPPED, [seen(price=dollars)])
    assert kept[0].price is None
    assert codes(findings) == ["refresh.held-back"]


def test_a_jump_that_is_accepted_is_taken_but_not_beyond_all_proportion() -> None:
    kept, _ = believed(SHIPPED, [seen(price=cny(60.0)), seen(price=cny(4000.0))], accept_jumps=True)
    assert [each.price and each.price.amount for each in kept] == [60.0, None]


@pytest.mark.parametrize("price", [None, cny(12.0)])
def test_a_spot_price_above_the_list_price_is_held_back(price: Quote | None) -> None:
    kept, findings = believed(SHIPPED, [seen(price=price, spot=cny(12.5))])
    assert kept[0].spot is None
    assert kept[0].price == (price and seen(price=price).price)
    assert codes(findings) == ["refresh.held-back"]


def test_a_price_of_a_type_that_had_none_is_taken() -> None:
    row = next(
        (each, region)
        for each in SHIPPED.instances
        for region in each.regions
        if each.cloud == "tencent" and each.gpu == "T4" and SHIPPED.price("tencent", each.instance_type, region) is None
    )
    usual = {"cloud": "tencent", "instance_type": row[0].instance_type, "region": row[1], "zones": {}}
    kept, findings = believed(SHIPPED, [seen(price=cny(9.0 * row[0].gpu_count), **usual)])
    assert kept[0].price is not None
    assert findings == []


def test_changes_tell_before_and_after(tmp_path: Path) -> None:
    told = [seen(price=cny(12.211), spot=cny(1.85), zones={"cn-hangzhou-h": "available"})]
    found = {each.kind: each for each in changes(SHIPPED, over(tmp_path, *told), told)}
    assert (found["price"].before, found["price"].after) == ("11.63 CNY", "12.211 CNY")
    assert found["price"].factor == pytest.approx(1.05, abs=0.001)
    assert (found["spot"].before, found["spot"].after) == ("unknown", "1.85 CNY")
    assert found["zones"].after == "cn-hangzhou-h"


def test_what_is_as_it_was_is_no_change(tmp_path: Path) -> None:
    zones = SHIPPED.instance("aliyun", ALIYUN_T4).regions["cn-hangzhou"]
    told = [seen(price=cny(11.63), zones=dict.fromkeys(zones, "available"))]
    found = [each.kind for each in changes(SHIPPED, over(tmp_path, *told), told)]
    assert found == []


@pytest.mark.parametrize("amount", [0, -1, "0.0000", "free", None, True, float("nan"), float("inf"), [1]])
def test_what_is_no_price_is_never_a_quote(amount: Any) -> None:
    with pytest.raises(BadQuote):
        quote(amount, "CNY", "DescribePrice")


@pytest.mark.parametrize("currency", ["EUR", "", None, "cny"])
def test_a_currency_that_is_not_known_is_never_taken_for_another(currency: Any) -> None:
    with pytest.raises(BadQuote):
        quote(1.0, currency, "DescribePrice")


def test_a_refresh_of_every_type_in_every_region_is_a_sound_catalogue(tmp_path: Path) -> None:
    told = [
        Observation(
            cloud=row.cloud,
            instance_type=row.instance_type,
            region=region,
            zones=dict.fromkeys(SHIPPED.regions[row.cloud, region].zones[:2] or (f"{region}-1",), "available"),
            price=known and Quote(amount=known.amount * 1.03, currency=known.currency, api="Price"),
            spot=known and Quote(amount=known.amount * 0.3, currency=known.currency, api="Spot"),
            source=f"{row.cloud} Zones on 2026-11-24",
            source_date="2026-11-24",
        ).dated()
        for row in SHIPPED.instances
        if row.cloud in SHIPPED.clouds
        for region in row.regions
        for known in [SHIPPED.price(row.cloud, row.instance_type, region)]
    ]
    kept, findings = believed(SHIPPED, told)
    made = over(tmp_path, *kept)
    assert made.problems() == []
    assert findings == []
    assert sum(row.source_date == "2026-11-24" for row in made.prices) == 2 * sum(
        each.price is not None for each in kept
    )


def test_a_cloud_that_withdraws_everything_leaves_a_sound_catalogue(tmp_path: Path) -> None:
    told = [
        seen(cloud="aws", instance_type=row.instance_type, region=region, zones={})
        for row in SHIPPED.instances
        if row.cloud == "aws"
        for region in row.regions
    ]
    made = over(tmp_path, *told)
    assert made.problems() == []
    assert made.offers(cloud="aws") == []
