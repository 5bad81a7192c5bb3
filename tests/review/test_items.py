"""What of a plan is paid for, and how much of it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from pulumi_llm._plan.model import SECRET, SIGNATURE, UNKNOWN
from pulumi_llm._review.item import Usage
from pulumi_llm.catalog import Catalog
from tests.review.samples import ADDRESS, ASSOCIATION, DISK, INSTANCE, Program

GUEST = {"instanceType": "g4dn.xlarge", "associatePublicIpAddress": False}


def reasons(program: Program, catalog: Catalog, **more: Any) -> dict[tuple[str, str], str]:
    return {key: line.unknown or "" for key, line in program.lines(catalog, **more).items() if line.unknown}


def test_components_and_what_lives_in_the_state_alone_cost_nothing(round_prices: Catalog) -> None:
    program = Program()
    program.add("llm:index:Platform", "llm", {}, custom=False)
    program.add("random:index/randomPassword:RandomPassword", "key", {})
    program.add("command:remote:Command", "apply", {})
    program.in_region("aws", "aws:ec2/vpc:Vpc", "vpc", {})
    assert program.bill(round_prices).lines == []


def test_a_type_that_is_not_in_the_table_is_named_as_unknown(round_prices: Catalog) -> None:
    program = Program()
    program.in_region("aws", "aws:ec2/natGateway:NatGateway", "nat", {})
    program.add("venus:compute/instance:Instance", "elsewhere", {})
    found = reasons(program, round_prices)
    assert "NatGateway" in found["nat", "resource"]
    assert "'venus'" in found["elsewhere", "resource"]


def test_an_aws_machine_without_a_root_block_device_has_a_disk_of_unknown_size(round_prices: Catalog) -> None:
    program = Program()
    program.in_region("aws", INSTANCE["aws"], "m", GUEST)
    assert "volumeSize" in reasons(program, round_prices)["m", "system-disk"]


@pytest.mark.parametrize(
    ("cloud", "inputs", "slots"),
    [
        ("aws", {"ebsBlockDevices": [{"volumeSize": 10, "volumeType": "gp3"}, {"volumeSize": 20}]}, 2),
        ("aliyun", {"dataDisks": [{"size": 40, "category": "cloud_essd"}]}, 1),
        ("tencent", {"dataDisks": [{"dataDiskSize": 40, "dataDiskType": "CLOUD_SSD"}]}, 1),
    ],
)
def test_disks_that_a_machine_brings_along_are_lines_of_their_own(
    round_prices: Catalog, cloud: str, inputs: dict[str, Any], slots: int
) -> None:
    program = Program()
    program.in_region(cloud, INSTANCE[cloud], "m", inputs)
    found = [slot for _, slot in program.lines(round_prices) if slot.startswith("data-disk-")]
    assert found == [f"data-disk-{number}" for number in range(1, slots + 1)]


def test_performance_levels_of_an_essd_are_different_things(round_prices: Catalog) -> None:
    program = Program()
    program.in_region(
        "aliyun", DISK["aliyun"], "slow", {"size": 100, "category": "cloud_essd", "performanceLevel": "PL0"}
    )
    program.in_region("aliyun", DISK["aliyun"], "default", {"size": 100, "category": "cloud_essd"})
    lines = program.lines(round_prices)
    assert lines["slow", "disk"].what == "data disk, 100 GiB cloud_essd-PL0"
    assert lines["default", "disk"].what == "data disk, 100 GiB cloud_essd-PL1"


@pytest.mark.parametrize(
    ("cloud", "inputs"),
    [
        ("aws", {"size": 10, "type": "gp3", "iops": 6000}),
        ("aws", {"size": 10, "type": "gp3", "throughput": 500}),
        ("aliyun", {"size": 10, "category": "cloud_auto", "provisionedIops": 100}),
        ("tencent", {"storageSize": 10, "storageType": "CLOUD_HSSD", "throughputPerformance": 100}),
    ],
)
def test_provisioned_performance_is_named_as_an_unknown_price(
    round_prices: Catalog, cloud: str, inputs: dict[str, Any]
) -> None:
    program = Program()
    program.in_region(cloud, DISK[cloud], "d", inputs)
    assert any(line.what.startswith("provisioned") for line in program.bill(round_prices).unknown)


def test_the_performance_that_a_gp3_disk_includes_costs_nothing_extra(round_prices: Catalog) -> None:
    program = Program()
    program.in_region("aws", DISK["aws"], "d", {"size": 10, "type": "gp3", "iops": 3000, "throughput": 125})
    assert [line.slot for line in program.bill(round_prices).lines] == ["disk"]


@pytest.mark.parametrize(
    ("cloud", "type_", "inputs"),
    [
        ("aws", INSTANCE["aws"], {**GUEST, "tenancy": "dedicated"}),
        ("aliyun", INSTANCE["aliyun"], {"instanceType": "ecs.gn6i-c4g1.xlarge", "instanceChargeType": "PrePaid"}),
        ("tencent", INSTANCE["tencent"], {"instanceType": "GN7.2XLARGE32", "instanceChargeType": "PREPAID"}),
        ("aliyun", DISK["aliyun"], {"size": 20, "category": "cloud_essd", "paymentType": "Subscription"}),
        ("tencent", DISK["tencent"], {"storageSize": 20, "storageType": "CLOUD_SSD", "chargeType": "PREPAID"}),
    ],
)
def test_what_is_not_paid_by_the_hour_is_not_priced_by_the_hour(
    round_prices: Catalog, cloud: str, type_: str, inputs: dict[str, Any]
) -> None:
    program = Program()
    program.in_region(cloud, type_, "it", inputs)
    first = program.bill(round_prices).lines[0]
    assert first.price is None
    assert first.unknown


@pytest.mark.parametrize("value", [UNKNOWN, {SIGNATURE: SECRET, "value": "g4dn.xlarge"}])
def test_a_type_that_the_plan_does_not_know_is_unknown(round_prices: Catalog, value: object) -> None:
    program = Program()
    program.in_region("aws", INSTANCE["aws"], "m", {**GUEST, "instanceType": value})
    assert "instanceType" in reasons(program, round_prices)["m", "machine"]


def test_an_unknown_size_is_unknown(round_prices: Catalog) -> None:
    program = Program()
    program.in_region("aws", DISK["aws"], "d", {"size": UNKNOWN, "type": "gp3"})
    assert "size" in reasons(program, round_prices)["d", "disk"]


def test_the_region_is_the_resources_own_before_the_providers_the_zones_and_the_stacks(round_prices: Catalog) -> None:
    program = Program()
    west = program.provider("aws", "us-west-2")
    program.add(INSTANCE["aws"], "own", {**GUEST, "region": "us-east-1"}, provider=west)
    program.add(INSTANCE["aws"], "provider", {**GUEST, "availabilityZone": "us-east-1a"}, provider=west)
    program.add(INSTANCE["aws"], "zone", {**GUEST, "availabilityZone": "us-east-1a"})
    program.add(INSTANCE["aws"], "stack", GUEST)
    lines = program.lines(round_prices, default_regions={"aws": "cn-north-1"})
    regions = {name: line.region for (name, slot), line in lines.items() if slot == "machine"}
    assert regions == {"own": "us-east-1", "provider": "us-west-2", "zone": "us-east-1", "stack": "cn-north-1"}


def test_without_any_region_the_price_is_unknown(round_prices: Catalog) -> None:
    program = Program()
    program.add(INSTANCE["aws"], "m", GUEST)
    assert "region" in reasons(program, round_prices)["m", "machine"]


@pytest.mark.parametrize("cloud", ["aws", "aliyun", "tencent"])
def test_an_address_on_no_machine_is_idle_and_carries_no_traffic(round_prices: Catalog, cloud: str) -> None:
    program = Program()
    program.in_region(cloud, ADDRESS[cloud], "address", {})
    assert [line.slot for line in program.bill(round_prices).lines] == ["address-idle"]


@pytest.mark.parametrize(
    ("cloud", "inputs"),
    [
        ("aws", {}),
        ("aliyun", {"internetChargeType": "PayByTraffic"}),
        ("tencent", {"internetChargeType": "TRAFFIC_POSTPAID_BY_HOUR"}),
    ],
)
def test_an_attached_address_is_in_use_and_carries_the_assumed_traffic(
    round_prices: Catalog, cloud: str, inputs: dict[str, Any]
) -> None:
    program = Program()
    program.attached_address(cloud, inputs, {})
    lines = program.lines(round_prices, Usage(traffic_gib=Decimal(7)))
    assert {slot for name, slot in lines if name == "address"} == {"address", "traffic"}
    assert lines["address", "traffic"].quantity == 7
    assert lines["address", "traffic"].estimate


@pytest.mark.parametrize("gib", ["50", "50.00", "5E+1"])
def test_the_same_traffic_is_called_the_same_however_it_was_written(round_prices: Catalog, gib: str) -> None:
    program = Program()
    program.attached_address("aws", {}, {})
    line = program.lines(round_prices, Usage(traffic_gib=Decimal(gib)))["address", "traffic"]
    assert line.what == "traffic out, 50 GiB a month (estimate)"


@pytest.mark.parametrize(
    ("cloud", "inputs"), [("aliyun", {}), ("tencent", {"internetChargeType": "BANDWIDTH_POSTPAID_BY_HOUR"})]
)
def test_an_address_paid_by_bandwidth_is_not_estimated_by_traffic(
    round_prices: Catalog, cloud: str, inputs: dict[str, Any]
) -> None:
    program = Program()
    program.attached_address(cloud, inputs, {})
    lines = program.lines(round_prices)
    assert ("address", "traffic") not in lines
    assert "bandwidth" in (lines["address", "bandwidth"].unknown or "")


def test_an_attached_address_replaces_the_one_that_a_machine_asks_for(round_prices: Catalog) -> None:
    program = Program()
    program.attached_address("aws", {}, {**GUEST, "associatePublicIpAddress": True})
    assert [name for name, slot in program.lines(round_prices) if slot == "address"] == ["address"]


@pytest.mark.parametrize(
    ("cloud", "inputs"),
    [
        ("aws", {"associatePublicIpAddress": True}),
        ("aliyun", {"internetMaxBandwidthOut": 5, "internetChargeType": "PayByTraffic"}),
        ("tencent", {"allocatePublicIp": True, "internetChargeType": "TRAFFIC_POSTPAID_BY_HOUR"}),
    ],
)
def test_a_machine_that_asks_for_a_public_address_pays_for_one(
    round_prices: Catalog, cloud: str, inputs: dict[str, Any]
) -> None:
    program = Program()
    program.in_region(cloud, INSTANCE[cloud], "m", inputs)
    assert {("m", "address"), ("m", "traffic")} <= set(program.lines(round_prices))


@pytest.mark.parametrize(("gives", "slots"), [(True, {"address", "traffic"}), (False, set())])
def test_a_machine_gets_an_address_where_its_subnet_gives_them(
    round_prices: Catalog, gives: bool, slots: set[str]
) -> None:
    program = Program()
    subnet = program.in_region("aws", "aws:ec2/subnet:Subnet", "subnet", {"mapPublicIpOnLaunch": gives})
    program.in_region(
        "aws", INSTANCE["aws"], "m", {"instanceType": "g4dn.xlarge", "subnetId": UNKNOWN}, needs=(subnet,)
    )
    found = {slot for name, slot in program.lines(round_prices) if name == "m"} - {"machine", "system-disk"}
    assert found == slots


def test_whether_a_foreign_subnet_gives_an_address_is_not_guessed(round_prices: Catalog) -> None:
    program = Program()
    program.in_region("aws", INSTANCE["aws"], "m", {"instanceType": "g4dn.xlarge", "subnetId": "subnet-1"})
    assert "subnet" in reasons(program, round_prices)["m", "address"]


def test_an_elastic_ip_that_names_its_machine_is_in_use(round_prices: Catalog) -> None:
    program = Program()
    machine = program.in_region("aws", INSTANCE["aws"], "m", {"instanceType": "g4dn.xlarge"})
    program.in_region("aws", ADDRESS["aws"], "address", {"instance": UNKNOWN}, needs=(machine,))
    lines = program.lines(round_prices)
    assert ("address", "address") in lines
    assert ("m", "address") not in lines


def test_an_association_holds_only_the_address_that_it_names(round_prices: Catalog) -> None:
    program = Program()
    held = program.in_region("tencent", ADDRESS["tencent"], "held", {})
    program.in_region("tencent", ADDRESS["tencent"], "free", {})
    program.in_region("tencent", ASSOCIATION["tencent"], "attachment", {}, (held,))
    lines = program.lines(round_prices)
    assert ("held", "address") in lines
    assert ("free", "address-idle") in lines
