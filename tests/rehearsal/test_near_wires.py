"""Groups of near machines at the wires of ECS, CVM and EC2, spoken to by the clouds' own SDKs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from pulumi_llm._rehearsal.server import serving
from pulumi_llm._simcloud.store import Store
from pulumi_llm.clouds.aliyun.wire import FACE as ALIYUN
from pulumi_llm.clouds.aliyun.wire import PROTOCOL as RPC
from pulumi_llm.clouds.tencent.wire import FACE as TENCENT
from pulumi_llm.clouds.tencent.wire import PROTOCOL as API

pytest.importorskip("alibabacloud_ecs20140526", reason="the wire is spoken to by Aliyun's own ECS client")
pytest.importorskip("tencentcloud.cvm", reason="the wire is spoken to by Tencent Cloud's own CVM client")

from alibabacloud_ecs20140526 import models as ecs

from tests.rehearsal import test_aliyun_wire, test_tencent_wire
from tests.rehearsal.test_aliyun_wire import refused

HCC, PLAIN = "HCCPNV6.96XLARGE2304", "PNV6.96XLARGE2304"
"""One that must be in a cluster, and one with the same GPUs that must not."""
ZONE, ELSEWHERE = f"{test_tencent_wire.REGION}-4", f"{test_tencent_wire.REGION}-2"
LOW_LATENCY = "ecs.gn8v.4xlarge"
"""Nobody says where it is sold, so any zone may."""


@pytest.fixture
def tencent() -> Iterator[test_tencent_wire.Cloud]:
    face = TENCENT(Store(None), pace=0)
    with serving(face, API) as port:
        yield test_tencent_wire.Cloud(port, face)


def _cluster(cloud: test_tencent_wire.Cloud, zone: str = ZONE, **more: Any) -> str:
    (made,) = cloud("cvm", "CreateHpcCluster", Zone=zone, Name="near", Remark="why", **more)["HpcClusterSet"]
    return str(made["HpcClusterId"])


def _node(cloud: test_tencent_wire.Cloud, kind: str, **more: Any) -> str:
    net = cloud("vpc", "CreateVpc", VpcName="net", CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    asked = {"VpcId": net, "SubnetName": "s", "CidrBlock": "10.0.1.0/24", "Zone": ZONE}
    subnet = cloud("vpc", "CreateSubnet", **asked)["Subnet"]["SubnetId"]
    group = cloud("vpc", "CreateSecurityGroup", GroupName="g", GroupDescription="d")["SecurityGroup"]
    image = cloud("cvm", "DescribeImages", InstanceType=kind)["ImageSet"][0]["ImageId"]
    made = {"Placement": {"Zone": ZONE}, "ImageId": image, "InstanceType": kind}
    made |= {"SecurityGroupIds": [group["SecurityGroupId"]], "InstanceChargeType": "POSTPAID_BY_HOUR"}
    made |= {"VirtualPrivateCloud": {"VpcId": net, "SubnetId": subnet}}
    return str(cloud("cvm", "RunInstances", **made, **more)["InstanceIdSet"][0])


def test_a_cluster_of_tencents_is_made_read_renamed_and_deleted(tencent: test_tencent_wire.Cloud) -> None:
    made, other = _cluster(tencent), _cluster(tencent, zone=ELSEWHERE)
    (row,) = tencent("cvm", "DescribeHpcClusters", HpcClusterIds=[made], Offset=0, Limit=20)["HpcClusterSet"]
    assert (row["Name"], row["Remark"], row["Zone"], row["CurrentNum"]) == ("near", "why", ZONE, 0)
    assert {each["HpcClusterId"] for each in tencent("cvm", "DescribeHpcClusters")["HpcClusterSet"]} == {made, other}
    tencent("cvm", "ModifyHpcClusterAttribute", HpcClusterId=made, Name="nearer", Remark="because")
    (row,) = tencent("cvm", "DescribeHpcClusters", HpcClusterIds=[made])["HpcClusterSet"]
    assert (row["Name"], row["Remark"]) == ("nearer", "because")
    tencent("cvm", "DeleteHpcClusters", HpcClusterIds=[made, other])
    assert tencent("cvm", "DescribeHpcClusters")["TotalCount"] == 0
    assert refused(lambda: tencent("cvm", "DeleteHpcClusters", HpcClusterIds=[made])) == "ResourceNotFound.HpcCluster"
    assert tencent.face.store.everything() == []


def test_tencents_machine_must_be_in_a_cluster_of_its_zone_or_may_not(tencent: test_tencent_wire.Cloud) -> None:
    code = "InvalidParameterValue."
    assert refused(lambda: _node(tencent, HCC)) == f"{code}InstanceTypeRequiredHpcCluster"
    assert refused(lambda: _node(tencent, HCC, HpcClusterId="hpc-none")) == "ResourceNotFound.HpcCluster"
    here, there = _cluster(tencent), _cluster(tencent, zone=ELSEWHERE)
    assert refused(lambda: _node(tencent, HCC, HpcClusterId=there)) == f"{code}HpcClusterIdZoneIdNotMatch"
    assert refused(lambda: _node(tencent, PLAIN, HpcClusterId=here)) == f"{code}InstanceTypeNotSupportHpcCluster"
    node = _node(tencent, HCC, HpcClusterId=here)
    assert tencent.row(node)["HpcClusterId"] == here
    (row,) = tencent("cvm", "DescribeHpcClusters", HpcClusterIds=[here])["HpcClusterSet"]
    assert (row["InstanceIds"], row["CurrentNum"]) == ([node], 1)
    assert refused(lambda: tencent("cvm", "DeleteHpcClusters", HpcClusterIds=[here])) == "ResourceInUse.HpcCluster"
    tencent("cvm", "TerminateInstances", InstanceIds=[node])
    tencent("cvm", "DeleteHpcClusters", HpcClusterIds=[here])


@pytest.fixture
def aliyun() -> Iterator[test_aliyun_wire.Cloud]:
    face = ALIYUN(Store(None), pace=0)
    with serving(face, RPC) as port:
        yield test_aliyun_wire.Cloud(port, face)


def _set(cloud: test_aliyun_wire.Cloud, **more: Any) -> str:
    asked = ecs.CreateDeploymentSetRequest(
        region_id=test_aliyun_wire.REGION, deployment_set_name="near", description="why", **more
    )
    return str(cloud.ecs.create_deployment_set(asked).body.deployment_set_id)


def _sets(cloud: test_aliyun_wire.Cloud, *named: str) -> list[Any]:
    wanted = json.dumps(list(named)) if named else None
    asked = ecs.DescribeDeploymentSetsRequest(region_id=test_aliyun_wire.REGION, deployment_set_ids=wanted)
    return list(cloud.ecs.describe_deployment_sets(asked).body.deployment_sets.deployment_set)


def _end(cloud: test_aliyun_wire.Cloud, made: str) -> None:
    asked = ecs.DeleteDeploymentSetRequest(region_id=test_aliyun_wire.REGION, deployment_set_id=made)
    cloud.ecs.delete_deployment_set(asked)


def test_a_deployment_set_of_aliyuns_is_made_read_renamed_and_deleted(aliyun: test_aliyun_wire.Cloud) -> None:
    made, usual = _set(aliyun, strategy="LowLatency"), _set(aliyun)
    (row,) = _sets(aliyun, made)
    # The answer has other names than the call.
    assert (row.deployment_strategy, row.deployment_set_description) == ("LowLatency", "why")
    assert (row.deployment_set_name, row.instance_amount) == ("near", 0)
    assert {each.deployment_set_id: each.deployment_strategy for each in _sets(aliyun)} == {
        made: "LowLatency",
        usual: "Availability",
    }
    changed = ecs.ModifyDeploymentSetAttributeRequest(
        region_id=test_aliyun_wire.REGION, deployment_set_id=made, deployment_set_name="nearer", description="because"
    )
    aliyun.ecs.modify_deployment_set_attribute(changed)
    (row,) = _sets(aliyun, made)
    assert (row.deployment_set_name, row.deployment_set_description) == ("nearer", "because")
    assert refused(lambda: _set(aliyun, strategy="Near")) == "InvalidParameter"
    _end(aliyun, made)
    assert [each.deployment_set_id for each in _sets(aliyun)] == [usual]
    assert refused(lambda: _end(aliyun, made)) == "InvalidParameter"


def _near(cloud: test_aliyun_wire.Cloud, made: str, kind: str = LOW_LATENCY) -> str:
    __, switch, group = cloud.network()
    return cloud.machine(switch, group, instance_type=kind, deployment_set_id=made)


def test_aliyuns_set_of_low_latency_takes_some_types_and_goes_after_its_machines(
    aliyun: test_aliyun_wire.Cloud,
) -> None:
    made = _set(aliyun, strategy="LowLatency")
    assert refused(lambda: _near(aliyun, made, test_aliyun_wire.TYPE)) == "InvalidParameter"
    assert refused(lambda: _near(aliyun, "ds-none")) == "InvalidParameter"
    # A set that spreads machines takes any.
    assert aliyun.row(_near(aliyun, _set(aliyun), test_aliyun_wire.TYPE)).status
    node = _near(aliyun, made)
    assert aliyun.row(node).deployment_set_id == made
    (row,) = _sets(aliyun, made)
    assert (row.instance_ids.instance_id, row.instance_amount) == ([node], 1)
    assert refused(lambda: _end(aliyun, made)) == "DependencyViolation.NotEmpty"
    asked = ecs.DeleteInstanceRequest(instance_id=node, force=True)
    aliyun.ecs.delete_instance(asked)
    _end(aliyun, made)
