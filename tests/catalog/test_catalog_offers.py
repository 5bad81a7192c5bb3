"""Offers and prices: cheapest first, unknown prices last and never zero, slices and doubtful prices left out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulumi_llm import catalog
from pulumi_llm.errors import Refusal

DATA = catalog.load()

GPU_NAMES = sorted({row.gpu for row in DATA.instances if row.gpu})
PLACES = sorted((cloud, region) for cloud, region in DATA.regions)


def cny(price: catalog.Price) -> float:
    return DATA.exchange_rate.convert(price.amount, price.currency, "CNY")


@given(
    gpu=st.none() | st.sampled_from(GPU_NAMES),
    gpu_count=st.none() | st.sampled_from([1, 2, 4, 8]),
    cloud=st.none() | st.sampled_from(sorted(DATA.clouds)),
    spot=st.booleans(),
    include_fractional=st.booleans(),
)
def test_offers_are_what_was_asked_for_cheapest_first_then_those_without_a_price(
    gpu: str | None, gpu_count: int | None, cloud: str | None, spot: bool, include_fractional: bool
) -> None:
    offers = DATA.offers(gpu=gpu, gpu_count=gpu_count, cloud=cloud, spot=spot, include_fractional=include_fractional)
    prices = [offer.price for offer in offers]
    known = [price for price in prices if price is not None]
    assert prices[: len(known)] == known
    amounts = [cny(price) for price in known]
    assert amounts == sorted(amounts)
    assert all(amount > 0 for amount in amounts)
    for offer in offers:
        row = offer.instance
        assert (gpu or row.gpu, gpu_count or row.gpu_count, cloud or row.cloud) == (row.gpu, row.gpu_count, row.cloud)
        assert row.gpu_count >= 1
        assert include_fractional or not row.fractional
        assert offer.price is None or (offer.price.spot is spot and not offer.price.suspect)


@given(place=st.sampled_from(PLACES), min_vcpu=st.integers(1, 16), min_memory_gib=st.integers(0, 80))
def test_hosts_are_large_enough_have_no_gpu_and_come_cheapest_first(
    place: tuple[str, str], min_vcpu: int, min_memory_gib: int
) -> None:
    cloud, region = place
    hosts = DATA.hosts(cloud=cloud, region=region, min_vcpu=min_vcpu, min_memory_gib=min_memory_gib)
    assert all(offer.instance.vcpu >= min_vcpu and offer.instance.memory_gib >= min_memory_gib for offer in hosts)
    assert all(offer.instance.gpu is None and offer.instance.arch == "x86_64" for offer in hosts)
    amounts = [cny(offer.price) for offer in hosts if offer.price is not None]
    assert amounts == sorted(amounts)


STORE_PLACES = [
    *(("aws", name) for name in ("us-east-1", "us-west-2", "ap-northeast-1", "ap-southeast-1", "eu-central-1")),
    *(("aliyun", name) for name in ("cn-hangzhou", "cn-beijing", "cn-shanghai", "cn-shenzhen", "ap-southeast-1")),
    *(("tencent", name) for name in ("ap-guangzhou", "ap-shanghai", "ap-beijing", "ap-singapore", "ap-tokyo")),
]


@pytest.mark.parametrize(("cloud", "region"), STORE_PLACES)
@pytest.mark.parametrize(("needed_gib", "at_most_gib"), [(6, 8), (10, 16), (18, 32), (34, 64)])
def test_a_store_on_a_machine_of_its_own_finds_the_next_size_with_a_price_and_a_zone(
    cloud: str, region: str, needed_gib: int, at_most_gib: int
) -> None:
    cheapest = DATA.hosts(cloud=cloud, region=region, min_vcpu=2, min_memory_gib=needed_gib)[0]
    assert needed_gib <= cheapest.instance.memory_gib <= at_most_gib
    assert cheapest.price is not None
    assert not cheapest.price.derived
    assert cheapest.zones


@pytest.mark.parametrize(("cloud", "region"), PLACES)
def test_who_asks_for_a_small_host_is_not_offered_a_large_one_first(cloud: str, region: str) -> None:
    sizes = [offer.instance.memory_gib for offer in DATA.hosts(cloud=cloud, region=region, min_memory_gib=2)]
    assert not sizes or sizes[0] <= 4


def test_a_region_narrows_the_offers_to_itself() -> None:
    offers = DATA.offers(gpu="T4", cloud="aliyun", region="cn-hangzhou")
    assert offers
    assert {offer.region for offer in offers} == {"cn-hangzhou"}


def test_no_aws_type_has_a_single_a100() -> None:
    counts = {offer.instance.gpu_count for offer in DATA.offers(cloud="aws") if "A100" in (offer.instance.gpu or "")}
    assert counts == {8}


def test_a_type_that_no_region_offers_is_not_an_offer_though_it_has_a_price() -> None:
    assert DATA.price("aws", "p3.2xlarge", "us-east-1") is not None
    assert not [offer for offer in DATA.offers(cloud="aws") if offer.instance.instance_type == "p3.2xlarge"]


def test_slices_of_a_gpu_are_offered_only_when_asked_for() -> None:
    whole = {offer.instance.instance_type for offer in DATA.offers(gpu="T4", cloud="tencent")}
    sliced = {offer.instance.instance_type for offer in DATA.offers(gpu="T4", cloud="tencent", include_fractional=True)}
    assert "GN7.LARGE20" in sliced - whole


def test_a_doubtful_price_is_kept_but_never_picked() -> None:
    doubtful = [price for price in DATA.prices if price.suspect]
    assert len(doubtful) == 2
    for price in doubtful:
        assert DATA.price(price.cloud, price.instance_type, price.region) is None


def test_an_unknown_price_is_none() -> None:
    assert DATA.price("aws", "g7.12xlarge", "us-west-2") is None
    assert DATA.price("aws", "p4d.24xlarge", "us-east-1", spot=False) is not None
    assert DATA.price("aliyun", "ecs.gn6i-c4g1.xlarge", "cn-hangzhou", spot=True) is None


@pytest.mark.parametrize(("region", "amount"), [("us-west-2", 21.95764), ("ap-northeast-1", 30.09784)])
def test_a_machine_with_eight_a100_has_a_list_price_outside_its_first_region(region: str, amount: float) -> None:
    price = DATA.price("aws", "p4d.24xlarge", region)
    assert price is not None
    assert (price.amount, price.currency, price.derived) == (amount, "USD", False)


def test_a_spot_price_is_below_its_list_price_and_dated_by_its_own_source() -> None:
    spot = DATA.price("aws", "g4dn.xlarge", "us-east-1", spot=True)
    listed = DATA.price("aws", "g4dn.xlarge", "us-east-1")
    assert spot is not None
    assert listed is not None
    assert spot.amount < listed.amount
    assert (spot.source_date, listed.source_date) == ("2025-11", "2026-07-20")


def test_the_newest_price_wins(tmp_path: Path) -> None:
    rows = [{"amount": 1.0, "source": "old"}, {"amount": 2.0, "source": "new"}]
    assert _price_of(tmp_path, *rows).amount == 2.0
    assert _price_of(tmp_path, *reversed(rows)).amount == 2.0
    assert _price_of(tmp_path, *rows, {"amount": 3.0, "source": "new", "suspect": True}).amount == 2.0


@pytest.mark.parametrize(
    ("row", "wrong"),
    [
        ({"amount": "2", "source": "new"}, r"row 2: amount must be a number, not '2'"),
        ({"source": "new"}, r"row 2: the key 'amount' is missing"),
        ({"amount": 2.0, "source": "new", "amuont": 2.0}, r"row 2: there is no key 'amuont'; did you mean amount"),
    ],
)
def test_a_price_that_cannot_be_is_refused_though_another_is_asked_for(
    tmp_path: Path, row: dict[str, object], wrong: str
) -> None:
    with pytest.raises(Refusal, match=wrong):
        _price_of(tmp_path, {"amount": 1.0, "source": "old"}, {"region": "elsewhere", **row})


def _price_of(folder: Path, *rows: dict[str, object]) -> catalog.Price:
    sources = {name: {"title": "list", "date": day} for name, day in (("old", "2025-11"), ("new", "2026-07-20"))}
    same = {"cloud": "aws", "instance_type": "t", "region": "r", "currency": "USD"}
    text = json.dumps({"sources": sources, "rows": [{**same, **row} for row in rows]})
    (folder / "prices.json").write_text(text, encoding="utf-8")
    found = catalog.Catalog(folder).price("aws", "t", "r")
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("cloud", "gpu", "amount"),
    [
        ("volcengine", "A100-80GB", 40.39),
        ("aliyun", "A100-80GB", 34.742),
        ("tencent", "A100-40GB", 28.64),
        ("aliyun", "T4", 11.63),
        ("volcengine", "T4", 11.28),
        ("tencent", "T4", 8.68),
    ],
)
def test_the_guide_is_kept_beside_todays_prices(cloud: str, gpu: str, amount: float) -> None:
    rows = [row for row in DATA.guide_prices if (row.cloud, row.gpu) == (cloud, gpu)]
    assert [(row.amount, row.currency) for row in rows] == [(amount, "CNY")]


@pytest.mark.parametrize(
    ("cloud", "kind", "item", "region", "amount", "unit"),
    [
        ("tencent", "disk", "CLOUD_BSSD", "ap-guangzhou", 0.00015, "GiB-hour"),
        ("tencent", "public-address", "in-use", "ap-singapore", 0, "hour"),
        ("aws", "public-address", "in-use", "eu-west-1", 0.005, "hour"),
        ("aws", "disk", "gp3", "us-east-1", 0.08, "GiB-month"),
        ("aws", "disk", "gp3", "us-west-2", 0.08, "GiB-month"),
        ("aws", "disk", "gp3", "ap-northeast-1", 0.096, "GiB-month"),
        ("aws", "disk", "gp3", "ap-southeast-1", 0.096, "GiB-month"),
        ("aliyun", "traffic-out", "internet", "cn-beijing", 0.8, "GiB"),
    ],
)
def test_disks_addresses_and_traffic_have_prices_in_their_units(
    cloud: str, kind: str, item: str, region: str, amount: float, unit: str
) -> None:
    price = DATA.extra_price(cloud, kind, item, region)
    assert price is not None
    assert (price.amount, price.unit) == (amount, unit)


def test_an_extra_price_of_another_region_is_not_taken_for_this_one() -> None:
    assert DATA.extra_price("aws", "disk", "gp3", "eu-central-1") is None


@given(amount=st.floats(0.001, 1e6))
def test_converting_there_and_back_changes_nothing(amount: float) -> None:
    rate = DATA.exchange_rate
    assert rate.convert(rate.convert(amount, "USD", "CNY"), "CNY", "USD") == pytest.approx(amount)
    assert rate.convert(amount, "CNY", "CNY") == amount


def test_a_currency_without_a_rate_is_refused() -> None:
    with pytest.raises(ValueError, match="EUR"):
        DATA.exchange_rate.convert(1, "EUR", "CNY")


def test_the_exchange_rate_is_dated() -> None:
    assert (DATA.exchange_rate.rate, DATA.exchange_rate.source_date) == (6.7899, "2026-07-30")
