"""A cluster and the objects in it, simulated: what is refused, and a whole fleet by the real engine on each cloud."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from pulumi_llm._provider_facts import OBJECTS
from pulumi_llm._simcloud.objects import Objects
from pulumi_llm._simcloud.rules.base import CloudError
from pulumi_llm._simcloud.store import Store
from tests.a_day import LINES
from tests.cluster.managed import NODES, fleet
from tests.simcloud.conftest import Cloud, Project

SPACE, MAP = "kubernetes:core/v1:Namespace", "kubernetes:core/v1:ConfigMap"
SECRET, SERVICE = "kubernetes:core/v1:Secret", "kubernetes:core/v1:Service"
RAY = "kubernetes:ray.io/v1:RayService"


@pytest.fixture
def objects() -> Cloud:
    return Cloud(Objects("kubernetes", Store(None)))


def test_an_object_wants_its_namespace_and_goes_with_it(objects: Cloud) -> None:
    inside = {"metadata": {"name": "a", "namespace": "llm"}, "data": {"k": "v"}}
    with pytest.raises(CloudError, match='namespaces "llm" not found'):
        objects.make(MAP, "a", **inside)
    space = objects.make(SPACE, "s", metadata={"name": "llm"})
    made = objects.make(MAP, "a", **inside)
    assert (space.id, made.id) == ("llm", "llm/a")
    with pytest.raises(CloudError, match="already exists"):
        objects.make(MAP, "b", **inside)
    objects.simulator.delete(SPACE, "urn", "llm", {})
    assert objects.store.everything() == []


def test_a_misspelt_word_is_refused_by_the_sdks_own_types(objects: Cloud) -> None:
    wrong = {"metadata": {"name": "x"}, "spec": {"ports": [{"port": 443, "targetPrt": "https"}]}}
    assert [each.path for each in objects.check(SERVICE, "x", **wrong)] == ["spec.ports[0].targetPrt"]
    good = {"metadata": {"name": "x"}, "spec": {"ports": [{"port": 443, "targetPort": "https"}]}}
    assert objects.check(SERVICE, "x", **good) == []
    assert [each.path for each in objects.check(MAP, "x", metadata={"name": "A b"})] == ["metadata.name"]
    assert [each.path for each in objects.check(RAY, "x", metadata={"name": "x"}, spc={})] == ["spc"]


def test_what_a_secret_holds_is_hidden_and_what_cannot_change_is_made_anew(objects: Cloud) -> None:
    objects.make(SPACE, "s", metadata={"name": "llm"})
    meta = {"name": "k", "namespace": "llm"}
    made = objects.make(SECRET, "k", metadata=meta, type="Opaque", stringData={"key": "planted"})
    assert "planted" not in json.dumps(objects.store.get(SECRET, made.id).properties)  # type: ignore[union-attr]
    same = objects.diff(made, metadata=meta, type="Opaque", stringData={"key": "other"})
    assert (same.changed, same.replaces) == (["stringData"], [])
    other = objects.diff(made, metadata=meta, type="kubernetes.io/tls", stringData={"key": "planted"})
    assert other.replaces == ["type"]
    assert other.delete_before_replace
    assert objects.diff(made, metadata={**meta, "namespace": "b"}, type="Opaque").replaces == ["metadata"]


def test_a_clusters_nodes_stand_where_their_machine_is_sold_and_go_before_it(aws: Cloud) -> None:
    vpc = aws.make("aws:ec2/vpc:Vpc", "v", cidrBlock="10.64.0.0/16")
    ids = [
        aws.make("aws:ec2/subnet:Subnet", zone, vpcId=vpc.id, cidrBlock=f"10.64.{number}.0/24",
                 availabilityZone=zone).id
        for number, zone in enumerate(("us-east-1a", "us-east-1b"))
    ]  # fmt: skip
    one = {"roleArn": "arn:aws:iam::1:role/x", "vpcConfig": {"subnetIds": ids[:1]}}
    with pytest.raises(CloudError, match="two different AZs"):
        aws.make("aws:eks/cluster:Cluster", "c", name="c", **one)
    made = aws.make("aws:eks/cluster:Cluster", "c", name="c", **{**one, "vpcConfig": {"subnetIds": ids}})
    assert made.outputs["endpoint"].endswith(".eks.amazonaws.com")
    pool = {"clusterName": "c", "nodeRoleArn": "arn:aws:iam::1:role/n", "subnetIds": ids, "nodeGroupName": "gpu"}
    sizes = {"minSize": 0, "desiredSize": 1, "maxSize": 2}
    with pytest.raises(CloudError, match="not supported"):
        aws.make("aws:eks/nodeGroup:NodeGroup", "p", **pool, scalingConfig=sizes, instanceTypes=["p9.large"])
    aws.make("aws:eks/nodeGroup:NodeGroup", "p", **pool, scalingConfig=sizes, instanceTypes=["g4dn.xlarge"])
    with pytest.raises(CloudError, match="nodegroups attached"):
        aws.simulator.delete("aws:eks/cluster:Cluster", "urn", made.id, made.outputs)
    with pytest.raises(CloudError, match="No cluster found"):
        aws.make("aws:eks/addon:Addon", "a", clusterName="other", addonName="coredns")


@pytest.mark.parametrize("cloud", sorted(NODES))
def test_a_fleet_with_its_cluster_is_made_and_gone_by_the_real_engine(
    cloud: str, project: Callable[[str], Project]
) -> None:
    made = project(f"{LINES}import pulumi_llm as llm\nllm.Fleet('f', {fleet(cloud)!r})\n")
    first = made.up()
    assert first.code == 0, first.text
    assert {"f-gpu", "f-system", "f-cluster", "f-llm-gateway-deployment"} <= first.operations.keys()
    second = made.preview()
    assert (second.code, second.operations) == (0, {}), second.text
    assert made.destroy().code == 0
    assert made.left_over() == []


@pytest.mark.parametrize("cloud", ["aliyun", "aws", "tencent"])
def test_a_pool_with_two_bounds_stays_as_it_is_and_is_changed_in_place(
    cloud: str, project: Callable[[str], Project]
) -> None:
    wanted = fleet(cloud, nodes={"min_count": 1})
    made = project(f"{LINES}import pulumi_llm as llm\nllm.Fleet('f', {wanted!r})\n")
    first = made.up()
    assert first.code == 0, first.text
    second = made.preview()
    assert (second.code, second.operations) == (0, {}), second.text
    wanted["nodes"] |= {"min_count": 0}
    made.program.write_text(f"{LINES}import pulumi_llm as llm\nllm.Fleet('f', {wanted!r})\n")
    assert made.preview().operations == {"f": "update", "f-gpu": "update"}, "the pool alone, in place"


def test_the_plugin_of_a_cluster_is_there_for_every_simulation() -> None:
    assert set(OBJECTS) == {"kubernetes"}
