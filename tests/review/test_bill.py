"""What items cost: prices, currencies, hours and sums."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pulumi_llm._review import bill_file, difference
from pulumi_llm._review.bill_text import bill_text
from pulumi_llm._review.cloud_rows import whole
from pulumi_llm._review.item import Usage
from pulumi_llm._review.money import Amounts
from pulumi_llm._review.table import DATA as TABLE
from pulumi_llm._review.table import cost_table
from pulumi_llm.catalog import DATA, Catalog
from tests.review.samples import ADDRESS, DISK, INSTANCE, Program, catalogue

WORKDAYS = Usage(running=Decimal(176))
MACHINE = {"instanceType": "g4dn.xlarge", "associatePublicIpAddress": False}


def money(cny: str, usd: str) -> Amounts:
    return Amounts(Decimal(cny), Decimal(usd))


def test_a_machine_costs_its_price_per_hour_and_730_of_them_a_month(round_prices: Catalog) -> None:
    program = Program()
    program.in_region("aws", INSTANCE["aws"], "m", MACHINE)
    line = program.lines(round_prices)["m", "machine"]
    assert line.per_hour == money("4.0000", "0.5000")
    assert line.per_month == money("2920.00", "365.00")


def test_a_price_in_cny_is_told_in_usd_too(round_prices: Catalog) -> None:
    program = Program()
    program.in_region("aliyun", INSTANCE["aliyun"], "m", {"instanceType": "ecs.gn6i-c4g1.xlarge"})
    assert program.lines(round_prices)["m", "machine"].per_hour == money("8.0000", "1.0000")


def test_a_disk_by_the_month_and_a_disk_by_the_hour_are_both_counted_in_full(round_prices: Catalog) -> None:
    program = Program()
    program.in_region("aws", DISK["aws"], "monthly", {"size": 100, "type": "gp3"})
    program.in_region("aliyun", DISK["aliyun"], "hourly", {"size": 100, "category": "cloud_essd"})
    lines = program.lines(round_prices, WORKDAYS)
    assert lines["monthly", "disk"].per_month == money("58.40", "7.30")
    assert lines["monthly", "disk"].per_hour == money("0.0800", "0.0100")
    assert lines["hourly", "disk"].per_month == money("146.00", "18.25")


def test_a_system_disk_is_priced_beside_its_machine(round_prices: Catalog) -> None:
    program = Program()
    program.in_region(
        "aws", INSTANCE["aws"], "m", {**MACHINE, "rootBlockDevice": {"volumeSize": 50, "volumeType": "gp3"}}
    )
    assert program.lines(round_prices)["m", "system-disk"].per_month == money("29.20", "3.65")


@pytest.mark.parametrize(
    ("cloud", "inputs", "mode"),
    [
        ("aws", {"instanceType": "g4dn.xlarge"}, None),
        ("aliyun", {"instanceType": "ecs.gn6i-c4g1.xlarge"}, "StopCharging"),
        ("tencent", {"instanceType": "GN7.2XLARGE32"}, "STOP_CHARGING"),
    ],
)
def test_a_machine_that_is_stopped_costs_for_its_hours_and_the_line_says_what_each_stop_must_ask_for(
    round_prices: Catalog, cloud: str, inputs: dict[str, str], mode: str | None
) -> None:
    program = Program()
    program.in_region(cloud, INSTANCE[cloud], "m", inputs)
    line = program.lines(round_prices, WORKDAYS)["m", "machine"]
    assert line.per_hour is not None
    assert line.per_month is not None
    assert line.per_month.usd == line.per_hour.usd * 176
    assert line.note == (f"if each stop asks for {mode}, as `pulumi-llm stop` does" if mode else "")


def test_the_address_of_a_stopped_machine_is_idle_for_the_rest_of_the_month(round_prices: Catalog) -> None:
    program = Program()
    program.attached_address("tencent", {"internetChargeType": "TRAFFIC_POSTPAID_BY_HOUR"}, {})
    lines = program.lines(round_prices, WORKDAYS)
    assert lines["address", "address"].per_month == money("0.00", "0.00")
    assert lines["address", "address-idle"].per_month == money("221.60", "27.70")  # 554 hours at 0.05 USD
    assert lines["address", "address-idle"].per_hour == money("0", "0")


def test_traffic_is_the_same_in_a_month_whatever_the_hours(round_prices: Catalog) -> None:
    program = Program()
    program.attached_address("aws", {}, MACHINE)
    for usage in (Usage(traffic_gib=Decimal(100)), Usage(running=Decimal(100), traffic_gib=Decimal(100))):
        assert program.lines(round_prices, usage)["address", "traffic"].per_month == money("80.00", "10.00")


def test_a_spot_machine_has_the_spot_price(round_prices: Catalog) -> None:
    program = Program()
    program.in_region("aws", INSTANCE["aws"], "m", {**MACHINE, "instanceMarketOptions": {"marketType": "spot"}})
    assert program.lines(round_prices)["m", "machine"].per_hour == money("2.0000", "0.2500")


def test_a_spot_price_that_is_not_known_is_not_the_price_on_demand(round_prices: Catalog) -> None:
    program = Program()
    inputs = {"instanceType": "ecs.gn6i-c4g1.xlarge", "spotStrategy": "SpotAsPriceGo"}
    program.in_region("aliyun", INSTANCE["aliyun"], "m", inputs)
    line = program.lines(round_prices)["m", "machine"]
    assert line.per_hour is None
    assert "on demand it is 8 CNY per hour" in (line.unknown or "")


def test_an_unknown_price_is_never_nought_and_makes_the_total_a_lower_bound(round_prices: Catalog) -> None:
    program = Program()
    program.in_region("aws", INSTANCE["aws"], "m", MACHINE)
    program.in_region("aws", DISK["aws"], "d", {"size": 10, "type": "io2"})
    bill = program.bill(round_prices)
    disk = next(line for line in bill.lines if line.resource == "d")
    assert (disk.per_hour, disk.per_month, disk.price) == (None, None, None)
    assert bill.at_least
    assert "\nat least " in bill_text(bill, "CNY")
    assert [each.code for each in bill.findings()].count("bill.unknown-price") == len(bill.unknown)


def test_a_total_in_which_all_is_known_is_no_lower_bound(round_prices: Catalog) -> None:
    program = Program()
    program.in_region("aws", DISK["aws"], "d", {"size": 10, "type": "gp3"})
    bill = program.bill(round_prices)
    assert not bill.at_least
    assert "\ntotal " in bill_text(bill, "CNY")


def test_the_guides_price_is_named_where_there_is_no_other_and_is_not_counted(round_prices: Catalog) -> None:
    program = Program()
    program.in_region("tencent", INSTANCE["tencent"], "m", {"instanceType": "GT4.4XLARGE96"})
    line = program.lines(round_prices)["m", "machine"]
    assert line.per_hour is None
    assert "28.64 CNY per hour" in (line.unknown or "")


def test_a_misspelt_instance_type_gets_a_suggestion(round_prices: Catalog) -> None:
    program = Program()
    program.in_region("aws", INSTANCE["aws"], "m", {**MACHINE, "instanceType": "g4dn.xlarg"})
    assert "did you mean g4dn.xlarge" in (program.lines(round_prices)["m", "machine"].unknown or "")


def test_every_price_has_its_source_and_old_and_derived_ones_are_marked(round_prices: Catalog) -> None:
    program = Program()
    program.in_region("aliyun", INSTANCE["aliyun"], "old", {"instanceType": "ecs.gn6i-c4g1.xlarge"})
    program.in_region("aws", INSTANCE["aws"], "new", MACHINE)
    program.in_region("aws", INSTANCE["aws"], "derived", {**MACHINE, "region": "us-west-2"})
    lines = program.lines(round_prices)
    tags = {name: line.price for (name, slot), line in lines.items() if slot == "machine"}
    marks = {name: (tag.source_date, tag.stale, tag.derived) for name, tag in tags.items() if tag}
    assert marks == {
        "old": ("2024-01-01", True, False),
        "new": ("2026-06-01", False, False),
        "derived": ("2026-06-01", False, True),
    }
    assert "2024-01-01, old" in bill_text(program.bill(round_prices), "CNY")


def test_a_price_of_all_regions_does_not_reach_aws_china(round_prices: Catalog) -> None:
    program = Program()
    program.add(ADDRESS["aws"], "here", {"region": "us-west-2"})
    program.add(ADDRESS["aws"], "china", {"region": "cn-north-1"})
    lines = program.lines(round_prices)
    assert lines["here", "address-idle"].per_hour == money("0.0800", "0.0100")
    assert lines["china", "address-idle"].per_hour is None


def test_azures_location_is_the_same_however_it_is_written() -> None:
    def bill(written: str) -> list[tuple[str | None, object]]:
        size, disk = {"vmSize": "Standard_B2s_v2"}, {"osDisk": {"diskSizeGB": 30}}
        inputs = {"location": written, "hardwareProfile": size, "storageProfile": disk}
        program = Program()
        program.add("azure-native:compute:VirtualMachine", "it", inputs)
        return [(line.region, line.per_month) for line in program.bill(Catalog()).lines]

    assert bill("Southeast Asia") == bill("SoutheastAsia") == bill("southeastasia")
    assert bill("Southeast Asia")[0][1] is not None


def test_the_first_column_is_the_currency_that_was_asked_for(round_prices: Catalog) -> None:
    program = Program()
    program.in_region("aws", INSTANCE["aws"], "m", MACHINE)
    heads = [bill_text(program.bill(round_prices), each).splitlines()[4].split()[:2] for each in ("CNY", "USD")]
    assert heads == [["CNY", "USD"], ["USD", "CNY"]]


def test_every_type_in_the_table_has_a_source(round_prices: Catalog) -> None:
    content = whole(TABLE)
    types = [row["type"] for row in content["rows"]]
    assert len(set(types)) == len(types)
    assert all(rule.source and rule.source_date for rule in cost_table().rules.values())


SPREAD = st.lists(
    st.one_of(
        st.tuples(
            st.just("machine"),
            st.sampled_from(["aws", "aliyun", "tencent"]),
            st.sampled_from(["g4dn.xlarge", "g5.xlarge", "ecs.gn6i-c4g1.xlarge", "GN7.2XLARGE32", "none"]),
        ),
        st.tuples(st.just("disk"), st.sampled_from(["gp3", "io2", "gp2"]), st.integers(1, 16384)),
        st.tuples(st.just("address"), st.sampled_from(["aws", "aliyun", "tencent"]), st.none()),
    ),
    max_size=6,
)
USAGES = st.builds(
    Usage,
    running=st.decimals(Decimal("0.01"), Decimal(730), places=2),
    traffic_gib=st.decimals(0, 10**6, places=2),
)


def plan_of(parts: list[tuple[str, str, object]]) -> Program:
    program = Program()
    for number, (kind, first, second) in enumerate(parts):
        name = f"{kind}-{number}"
        if kind == "machine":
            program.in_region(
                first, INSTANCE[first], name, {"instanceType": second, "associatePublicIpAddress": number % 2 == 0}
            )
        elif kind == "disk":
            program.in_region("aws", DISK["aws"], name, {"type": first, "size": second})
        else:
            program.in_region(first, ADDRESS[first], name, {})
    return program


@pytest.fixture(scope="module")
def any_prices(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """Prices with fractions that do not divide: 1 USD is 6.7899 CNY."""
    folder = tmp_path_factory.mktemp("fractions") / "data"
    catalogue(folder)
    (folder / "exchange_rates.json").write_text((DATA / "exchange_rates.json").read_text(encoding="utf-8"))
    return Catalog(folder)


SLOW = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@SLOW
@given(parts=SPREAD, usage=USAGES)
def test_the_total_is_the_sum_of_the_lines_as_they_are_shown(
    any_prices: Catalog, parts: list[tuple[str, str, object]], usage: Usage
) -> None:
    bill = plan_of(parts).bill(any_prices, usage)
    content = bill_file.to_json(bill)
    for period, places in (("per_hour", 4), ("per_month", 2)):
        for currency in ("CNY", "USD"):
            shown = [line[period][currency] for line in content["lines"] if line[period] is not None]
            assert all(round(each, places) == each for each in shown)
            assert content["total"][period][currency] == float(sum(map(Decimal, map(str, shown)), Decimal(0)))
    assert content["total"]["at_least"] == any(line["unknown"] for line in content["lines"])


@SLOW
@given(parts=SPREAD, usage=USAGES)
def test_a_bill_that_went_through_json_is_the_same_bill(
    any_prices: Catalog, parts: list[tuple[str, str, object]], usage: Usage
) -> None:
    bill = plan_of(parts).bill(any_prices, usage)
    again = bill_file.parse(json.dumps(bill_file.to_json(bill)), "it")
    assert again.lines == bill.lines
    assert difference.compare(bill, again).changes == ()
    assert difference.compare(bill, again).same_assumptions


@SLOW
@given(before=SPREAD, after=SPREAD, usage=USAGES)
def test_a_difference_is_what_the_totals_differ_by_and_turns_its_sign_when_turned_round(
    any_prices: Catalog,
    before: list[tuple[str, str, object]],
    after: list[tuple[str, str, object]],
    usage: Usage,
) -> None:
    old, new = (plan_of(parts).bill(any_prices, usage) for parts in (before, after))
    there, back = difference.compare(old, new), difference.compare(new, old)
    assert there.per_month == Amounts(Decimal(0), Decimal(0)) - back.per_month
    assert there.complete == back.complete
    if there.complete:
        assert there.per_month == new.per_month - old.per_month
