"""Machines of one model near each other: which cloud's group takes which type, what is made, and what is said."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import Any

import pytest

from pulumi_llm import catalog, clouds
from pulumi_llm._plan.model import Plan, PlannedResource
from pulumi_llm.clouds import near
from pulumi_llm.errors import Finding, Refusal
from pulumi_llm.preflight.report import check
from pulumi_llm.preflight.request import FitRequest

from .test_nodes import MACHINES, needs, plan_of, server

HERE: dict[str, dict[str, Any]] = {
    "aws": {"nodes_near": True},
    "aliyun": {"nodes_near": True, "gpu": "H20", "instance_type": "ecs.gn8v.4xlarge", "region": "cn-hangzhou"},
    # Such a machine must be in a cluster, whether that is asked for or not.
    "tencent": {"gpu": "H20", "gpu_count": 8, "instance_type": "HCCPNV6.96XLARGE2304"},
}
GROUPS = {
    "aws": ("aws:ec2/placementGroup:PlacementGroup", "strategy", "cluster", "placementGroup"),
    "aliyun": ("alicloud:ecs/ecsDeploymentSet:EcsDeploymentSet", "strategy", "LowLatency", "deploymentSetId"),
    "tencent": ("tencentcloud:Cvm/hpcCluster:HpcCluster", "zone", None, "hpcClusterId"),
}


def placed(cloud: str, **more: Any) -> Plan:
    """The first region that sells the type: some are in no list of a region's zones."""
    asked = {**server(cloud), **HERE[cloud], **more}
    row = catalog.load().instances_of(cloud).get(asked.get("instance_type", ""))
    if row is not None and row.regions:
        asked["region"] = next(iter(row.regions))
    elif row is not None:
        asked["zone"] = f"{asked['region']}-6" if cloud == "tencent" else f"{asked['region']}-i"
    return plan_of(asked)


def grouped(plan: Plan, cloud: str) -> tuple[list[PlannedResource], list[PlannedResource]]:
    return list(plan.of_type(GROUPS[cloud][0])), list(plan.of_type(*MACHINES))


@pytest.mark.parametrize("cloud", GROUPS)
def test_all_machines_are_in_one_group_which_goes_after_them(cloud: str) -> None:
    plan = placed(cloud)
    (group,), machines = grouped(plan, cloud)
    __, key, value, names = GROUPS[cloud]
    zone = next(filter(None, (each.inputs.get("availabilityZone") for each in machines)))
    assert group.inputs[key] == (value or zone)
    # Another zone is another group: machines of one are in one zone, and a provider cannot move it.
    assert group.name == f"x-near-{zone}"
    assert len(machines) == 3
    for machine in machines:
        assert machine.inputs[names]
        assert group.name in needs(plan, machine)
        assert machine.name.endswith(f"{zone}-near")


@pytest.mark.parametrize("cloud", GROUPS)
def test_what_is_not_asked_for_is_not_made(cloud: str) -> None:
    if cloud != "tencent":
        groups, machines = grouped(placed(cloud, nodes_near=False), cloud)
        assert groups == []
        assert [each.inputs.get(GROUPS[cloud][3]) for each in machines] == [None] * 3
    groups, machines = grouped(plan_of(server(cloud)), cloud)
    assert groups == []
    assert not any("-near" in each.name for each in machines)


def told(cloud: str, type_: str, gpu: str, count: int = 1, **more: Any) -> dict[str, Finding]:
    row = catalog.load().instances_of(cloud)[type_]
    region, zones = next(iter(row.regions.items()), ("ap-guangzhou", ("ap-guangzhou-6",)))
    asked = FitRequest(
        model="01-ai/Yi-6B-Chat",
        gpu=gpu,
        gpu_count=count,
        nodes=2,
        cloud=cloud,
        region=region,
        zone=zones[0] if zones else None,
        instance_type=type_,
        max_model_len=4096,
        **more,
    )
    return {each.code: each for each in check(asked).findings}


def test_a_plan_says_how_fast_the_network_of_the_type_is_and_what_keeps_machines_near() -> None:
    plan = plan_of({**server("aws"), "nodes": 2})
    (between,) = (each for each in plan.notes if each.code == "fit.between-nodes")
    # 16 KiB a token, 8,192 of them, at the 5 Gbit/s of a g4dn.xlarge.
    assert "at 5 Gbit/s, which g4dn.xlarge has" in between.message
    assert f"{16 * 1024 * 8192 * 8 / 5e9:.2f} s" in between.message
    assert "nodes_near: true" in between.hint
    assert "fit.rdma-not-used" not in {each.code for each in plan.notes}
    (between,) = (each for each in placed("aws", nodes=2).notes if each.code == "fit.between-nodes")
    assert "nodes_near" not in between.hint


@pytest.mark.parametrize(
    ("cloud", "type_", "gpu", "count", "needs"),
    [
        ("aws", "p4d.24xlarge", "A100-40GB", 8, "EFA.*aws-ofi-nccl"),
        ("aws", "g6.8xlarge", "L4", 1, "EFA.*aws-ofi-nccl"),
        ("tencent", "HCCPNV6.96XLARGE2304", "H20", 8, "RDMA.*TCCL"),
        ("aliyun", "ecs.gn8is.2xlarge", "L20", 1, "eRDMA.*NCCL"),
    ],
)
def test_of_a_network_with_rdma_a_plan_says_that_it_is_not_used_and_no_figure(
    cloud: str, type_: str, gpu: str, count: int, needs: str
) -> None:
    row = catalog.load().instances_of(cloud)[type_]
    region, zones = next(iter(row.regions.items()), ("ap-guangzhou", ("ap-guangzhou-6",)))
    asked = {**server(cloud), "region": region, "zone": zones[0], "nodes": 2}
    plan = plan_of({**asked, "instance_type": type_, "gpu": gpu, "gpu_count": count})
    notes = {each.code: each for each in plan.notes}
    assert notes["fit.rdma-not-used"].severity == "warning"
    assert re.search(rf"has {needs}.*none of that is set up", notes["fit.rdma-not-used"].message)
    assert "at 10 Gbit/s, as an example," in notes["fit.between-nodes"].message
    assert not re.search(r"Gbit|Tbps", notes["fit.rdma-not-used"].message)


@pytest.mark.parametrize("more", [{}, {"replicas": 2}])
def test_what_must_be_in_a_group_is_refused_where_none_is_made(more: dict[str, Any]) -> None:
    with pytest.raises(Refusal) as refused:
        placed("tencent", nodes=1, **more)
    (found,) = refused.value.findings
    assert (found.code, found.severity) == ("fit.nodes-not-near", "error")
    assert "HCCPNV6.96XLARGE2304 in a high performance computing cluster alone" in found.message
    # One that stands by itself, with the same GPUs.
    placed("tencent", nodes=1, instance_type="PNV6.96XLARGE2304", **more)


@pytest.mark.parametrize(
    ("cloud", "type_", "gpu", "more", "why"),
    [
        ("aliyun", "ecs.gn6i-c4g1.xlarge", "T4", {}, "takes no ecs.gn6i-c4g1.xlarge into a deployment set"),
        ("aliyun", "ecs.gn6i-c4g1.xlarge", "T4", {"spot": True}, "takes no ecs.gn6i-c4g1.xlarge"),
        ("tencent", "GN7.2XLARGE32", "T4", {}, "takes no GN7.2XLARGE32 into a high performance"),
        ("aws", "g4dn.xlarge", "T4", {}, None),
        ("aws", "g4dn.xlarge", "T4", {"spot": True}, None),
    ],
)
def test_what_the_cloud_has_nothing_for_is_said_and_refuses_nothing(
    cloud: str, type_: str, gpu: str, more: dict[str, Any], why: str | None
) -> None:
    found = told(cloud, type_, gpu, nodes_near=True, **more).get("fit.nodes-not-near")
    assert (found is None) == (why is None)
    if found is not None and why is not None:
        assert found.severity == "warning"
        assert why in found.message


def test_a_plan_says_it_too_and_makes_no_group() -> None:
    plan = plan_of({**server("tencent"), "nodes_near": True})
    assert "fit.nodes-not-near" in {each.code for each in plan.notes}
    assert grouped(plan, "tencent")[0] == []


def test_spot_machines_are_in_no_deployment_set() -> None:
    assert near.wanted("aliyun", "ecs.gn8v.4xlarge", spot=False, asked=True)
    assert not near.wanted("aliyun", "ecs.gn8v.4xlarge", spot=True, asked=True)
    assert not near.wanted("aliyun", "ecs.gn8v-tee.4xlarge", spot=False, asked=True)
    assert near.wanted("aliyun", "ecs.gn8v-2x.8xlarge", spot=False, asked=True)
    assert near.group_of("gcp") is None
    assert near.rdma_of("gcp", "a3-highgpu-8g") is None


def test_one_machine_is_near_to_nobody() -> None:
    with pytest.raises(Refusal) as refused:
        plan_of({**server(), "nodes": 1, "nodes_near": True})
    assert [each.code for each in refused.value.findings] == ["spec.nodes-near"]


@pytest.mark.parametrize("cloud", GROUPS)
def test_facts_name_types_that_the_catalogue_has_and_their_sources(cloud: str) -> None:
    facts = clouds.folders()[cloud].read(near.FILE)
    rows = [facts["group"], *facts["rdma"]]
    for row in rows:
        assert re.fullmatch(r"20\d\d-\d\d-\d\d", facts["sources"][row["source"]]["date"])
        for pattern in row["types"]:
            assert any(fnmatchcase(each, pattern) for each in catalog.load().instances_of(cloud)), pattern
        assert "near" in vars(type(clouds.get(cloud)))
