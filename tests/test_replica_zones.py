"""A model on machines in several zones: where each stands, what is made for it, and what moves no machine."""

from __future__ import annotations

import ipaddress
from typing import Any

import pulumi
import pytest

import pulumi_llm as llm
from pulumi_llm._plan.capture import capture
from pulumi_llm._plan.model import Plan, PlannedResource
from pulumi_llm.errors import Refusal
from pulumi_llm.spec import NetworkSpec
from tests.test_replicas import MACHINES, named, needs, server

ZONES = {
    "aws": ("ap-northeast-1a", "ap-northeast-1c", "ap-northeast-1d"),
    "aliyun": ("cn-hangzhou-i", "cn-hangzhou-j", "cn-hangzhou-h"),
    "tencent": ("ap-guangzhou-3", "ap-guangzhou-4", "ap-guangzhou-6"),
}
SUBNETS = ("aws:ec2/subnet:Subnet", "alicloud:vpc/switch:Switch", "tencentcloud:Subnet/instance:Instance")
NETWORKS = ("aws:ec2/vpc:Vpc", "alicloud:vpc/network:Network", "tencentcloud:Vpc/instance:Instance")
DISKS = ("aws:ebs/volume:Volume", "alicloud:ecs/ecsDisk:EcsDisk", "tencentcloud:Cbs/storage:Storage")


def spread(cloud: str, *further: int, **more: Any) -> dict[str, Any]:
    zones = ZONES[cloud]
    named_for = [zones[each] for each in further]
    return server(cloud, zone=zones[0], replicas=len(further) + 1, replica_zones=named_for, **more)


def plan_of(args: dict[str, Any]) -> Plan:
    return capture(lambda: llm.ModelServer("x", args))  # type: ignore[arg-type,return-value]


def zone_of(resource: PlannedResource) -> str:
    keys = ("availabilityZone", "zoneId")
    return next(str(resource.inputs[key]) for key in keys if resource.inputs.get(key) is not None)


def cidr(resource: PlannedResource) -> str:
    return str(resource.inputs["cidrBlock"])


@pytest.mark.parametrize("cloud", ZONES)
def test_each_machine_its_disk_and_its_subnet_are_in_the_zone_that_is_named_for_it(cloud: str) -> None:
    zones = ZONES[cloud]
    plan = plan_of(spread(cloud, 1, 0, 2))
    assert len(list(plan.of_type(*NETWORKS))) == 1
    subnets = {zone_of(each): each for each in plan.of_type(*SUBNETS)}
    assert set(subnets) == set(zones)
    ranges = [ipaddress.ip_network(cidr(each)) for each in subnets.values()]
    assert not [one for one in ranges for other in ranges if one is not other and one.overlaps(other)]
    assert all(each.subnet_of(ipaddress.ip_network("10.60.0.0/16")) for each in ranges)
    for name, zone in zip(
        ("x", "x-replica-2", "x-replica-3", "x-replica-4"), (zones[0], zones[1], *zones[::2]), strict=True
    ):
        (machine,) = [each for each in plan.of_type(*MACHINES) if each.name.startswith(f"{name}-machine")]
        assert zone_of(machine) == zone
        assert {each.name for each in subnets.values()} & needs(plan, machine) >= {subnets[zone].name}
        (disk,) = [each for each in plan.of_type(*DISKS) if each.name == f"{name}-disk"]
        assert zone_of(disk) == zone


@pytest.mark.parametrize("cloud", ZONES)
def test_another_machine_and_its_zone_change_nothing_of_those_that_run(cloud: str) -> None:
    before, after = plan_of(spread(cloud, 1)), plan_of(spread(cloud, 1, 2))
    later = {each.urn: each for each in after.resources}
    cloudly = [each for each in before.resources if each.type in (*MACHINES, *SUBNETS, *NETWORKS, *DISKS)]
    assert len(cloudly) == 2 + 2 + 1 + 2
    for each in cloudly:
        assert later[each.urn].inputs == each.inputs


def test_a_subnet_keeps_its_range_whichever_zones_there_are_besides() -> None:
    network = NetworkSpec()
    assert [network.subnet_in(each) for each in ZONES["aws"]] == ["10.60.1.0/24", "10.60.3.0/24", "10.60.4.0/24"]
    assert network.subnet_in("ap-guangzhou-6") == "10.60.6.0/24"
    assert network.subnet_cidr == "10.60.0.0/24"


def test_without_zones_named_nothing_is_as_it_was_not() -> None:
    plan = plan_of(server("aws"))
    assert [each.name for each in plan.of_type(*SUBNETS)] == ["x-network-ap-northeast-1a-subnet"]
    assert "zones" not in named(plan, "x-network").inputs


def test_on_aws_each_subnet_has_its_way_out() -> None:
    plan = plan_of(spread("aws", 1, 2))
    routed = list(plan.of_type("aws:ec2/routeTableAssociation:RouteTableAssociation"))
    assert len(routed) == 3
    machine = next(each for each in plan.of_type(*MACHINES) if "replica-3" in each.name)
    assert {"x-network-ap-northeast-1a-routes-subnet-ap-northeast-1d"} <= needs(plan, machine)


def test_that_calls_go_between_zones_is_said_and_not_where_they_do_not() -> None:
    def codes(args: dict[str, Any]) -> list[str]:
        (found,) = plan_of(args).servers.values()
        return [each.code for each in found.warnings if each.code.startswith("placement.zones")]

    assert codes(spread("aws", 1)) == ["placement.zones-apart"]
    assert codes(spread("aws", 0)) == []


def test_the_platform_makes_the_subnets_in_its_own_network_and_takes_those_of_one_that_exists() -> None:
    own = {"cloud": "aws", "region": "ap-northeast-1", "zone": "ap-northeast-1a", "gpu": "T4", "replicas": 2}
    own |= {"model": "01-ai/Yi-6B-Chat", "context_length": 4096, "replica_zones": ["ap-northeast-1c"]}
    access = {"allowed_cidrs": ["203.0.113.0/24"]}
    plan = capture(lambda: llm.Platform("p", {"server": own, "access": access}))  # type: ignore[arg-type,return-value]
    assert {zone_of(each) for each in plan.of_type(*SUBNETS)} == {"ap-northeast-1a", "ap-northeast-1c"}

    there = {"vpc_id": "vpc-1", "subnet_id": "subnet-a", "subnets": {"ap-northeast-1c": "subnet-c"}}

    def program() -> None:
        llm.Platform("p", {"server": own, "access": access, "network": there})  # type: ignore[typeddict-item]

    plan = capture(program)
    assert not list(plan.of_type(*SUBNETS))
    told = {each.name: each.inputs["subnetId"] for each in plan.of_type(*MACHINES)}
    assert sorted(told.values()) == ["subnet-a", "subnet-c"]


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"replica_zones": ["ap-northeast-1c"]}, "spec.replica-zones"),
        ({"replica_zones": ["ap-northeast-1c"] * 3}, "spec.replica-zones"),
        ({"replicas": 1, "replica_zones": ["ap-northeast-1c"]}, "spec.replica-zones"),
        ({"replica_zones": ["us-east-1a"] * 2}, "spec.zone-of-other-region"),
        ({"replica_zones": ["ap-northeast-1c", "ap-northeast-1x"]}, "placement.zone-not-offered"),
        ({"replica_zones": ["ap-northeast-1c"] * 2, "alternatives": [{"spot": True}]}, "spec.replica-zones"),
        ({"replica_zones": ["ap-northeast-1c"] * 2, "network_cidr": "10.0.0.0/23"}, "spec.bad-network-cidr"),
        (
            {"replica_zones": ["ap-northeast-1c"] * 2, "vpc_id": "v", "subnet_id": "s", "zone": "ap-northeast-1a"},
            "spec.replica-zones",
        ),
        (
            {"replica_zones": ["ap-northeast-1c"] * 2, "vpc_id": "v", "subnet_id": "s", "zone": "ap-northeast-1a",
             "subnet_ids": {"ap-northeast-1d": "t"}},
            "spec.replica-zones",
        ),
    ],
)  # fmt: skip
def test_what_leaves_open_where_a_machine_stands_is_refused(more: dict[str, Any], code: str) -> None:
    with pytest.raises(Refusal) as refused:
        plan_of(server("aws", **more))
    assert [each.code for each in refused.value.findings] == [code]


def test_subnets_that_are_known_only_later_are_taken() -> None:
    def program() -> None:
        ids = pulumi.Output.from_input({"ap-northeast-1c": "subnet-c", "ap-northeast-1d": "subnet-d"})
        args = spread("aws", 1, 2, vpc_id="v", subnet_id="s", subnet_ids=ids)
        llm.ModelServer("x", args)  # type: ignore[arg-type]

    told = {each.name: each.inputs["subnetId"] for each in capture(program).of_type(*MACHINES)}
    assert sorted(told.values()) == ["s", "subnet-c", "subnet-d"]


def test_a_cloud_that_makes_one_subnet_is_refused_with_what_can() -> None:
    args = server("aws", gpu="A30", replicas=2, replica_zones=["cn-beijing-a"])
    args |= {"cloud": "volcengine", "region": "cn-beijing"}
    with pytest.raises(Refusal) as refused:
        plan_of(args)
    assert "cloud.cannot" in [each.code for each in refused.value.findings]
