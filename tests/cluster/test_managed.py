"""A fleet makes its cluster: closed, encrypted, as large as its models want, and told of wholly in the bill."""

from __future__ import annotations

import ipaddress
import itertools
import json
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

import pulumi_llm as llm
from pulumi_llm import _day as day
from pulumi_llm import catalog, clouds, spec
from pulumi_llm._outlook import stack as outlook
from pulumi_llm._plan.model import SIGNATURE, Plan, PlannedResource
from pulumi_llm._resolve.managed import OF_IMAGES
from pulumi_llm._review.bill import make_bill
from pulumi_llm._review.item import Usage
from pulumi_llm._review.policy import check
from pulumi_llm.clouds.clusters import POOL, Makes
from pulumi_llm.errors import Refusal
from pulumi_llm.preflight import clusters
from pulumi_llm.spec.fleet import FleetSpec
from tests.a_day import DAY
from tests.cluster.fleets import FLEET, kubeconfig, named, planned, resolved
from tests.cluster.managed import CALLERS, MANAGED, NODES, fleet

CLOUDS = sorted(NODES)
PLANES = {
    "aliyun": "alicloud:cs/managedKubernetes:ManagedKubernetes",
    "aws": "aws:eks/cluster:Cluster",
    "tencent": "tencentcloud:Kubernetes/cluster:Cluster",
}


def codes(args: dict[str, Any]) -> list[str]:
    with pytest.raises(Refusal) as refused:
        resolved(args)
    return [each.code for each in refused.value.findings]


def only(plan: Plan, type_: str) -> PlannedResource:
    (found,) = plan.of_type(type_)
    return found


def test_the_clouds_with_facts_about_clusters_are_those_that_make_some() -> None:
    assert clusters.makers() == CLOUDS == sorted(MANAGED)
    for name, folder in clouds.folders().items():
        part = folder.part("cluster")
        assert (part is not None) == (name in CLOUDS)
        if part is not None:
            made: Makes = part
            assert callable(made.make)


@pytest.mark.parametrize("cloud", CLOUDS)
def test_each_fact_has_a_source_and_a_day_and_versions_are_newest_first(cloud: str) -> None:
    found = clouds.folders()[cloud].read(clusters.FILE)
    rows = [*found["versions"], *found["ended"], *found["control_plane"], found]
    for each in rows:
        source = found["sources"][each["source"]]
        assert source["title"]
        assert date.fromisoformat(source["date"]) <= date.today()
    numbers = [tuple(map(int, each["version"].split("."))) for each in (*found["versions"], *found["ended"])]
    assert numbers == sorted(numbers, reverse=True)
    assert all(date.fromisoformat(each["until"]) < date.today() for each in found["ended"])
    assert catalog.load().find_instance(cloud, found["system_type"]) is not None


@pytest.mark.parametrize("cloud", CLOUDS)
def test_every_input_of_a_clusters_resources_is_known_to_the_simulated_cloud(cloud: str) -> None:
    plan = planned(fleet(cloud))
    assert [each.code for each in plan.notes] == []
    assert only(plan, PLANES[cloud])


def test_on_aws_the_api_answers_those_who_are_named_and_disks_and_secrets_are_encrypted() -> None:
    plan = planned(fleet("aws"))
    given = only(plan, PLANES["aws"]).inputs
    assert given["vpcConfig"]["endpointPublicAccess"] is True
    assert given["vpcConfig"]["publicAccessCidrs"] == CALLERS
    assert given["vpcConfig"]["endpointPrivateAccess"] is True
    assert given["encryptionConfig"]["resources"] == ["secrets"]
    assert given["version"] == "1.35"
    for each in plan.of_type("aws:ec2/launchTemplate:LaunchTemplate"):
        assert [disk["ebs"]["encrypted"] for disk in each.inputs["blockDeviceMappings"]] == ["true", "true"]
        assert each.inputs["metadataOptions"]["httpTokens"] == "required"
        assert each.inputs["metadataOptions"]["httpPutResponseHopLimit"] == 1
    assert not any(each.inputs["mapPublicIpOnLaunch"] for each in plan.of_type("aws:ec2/subnet:Subnet"))
    (policies,) = [each for each in plan.of_type("aws:eks/addon:Addon") if each.inputs["addonName"] == "vpc-cni"]
    assert json.loads(policies.inputs["configurationValues"]) == {"enableNetworkPolicy": "true"}
    closed = planned(fleet("aws", api_cidrs=[], vpc_id="vpc-0", subnets={"us-west-2a": "s-1", "us-west-2b": "s-2"}))
    assert only(closed, PLANES["aws"]).inputs["vpcConfig"]["endpointPublicAccess"] is False
    assert not list(closed.of_type("aws:ec2/natGateway:NatGateway"))


def test_on_aws_a_load_balancer_finds_a_subnet_in_each_zone_that_the_gateway_may_stand_in() -> None:
    settled = resolved(fleet("aws"))
    assert settled.cluster is not None
    standing = set(settled.cluster.request.system.zones)
    assert len(standing) == 2
    plan = planned(fleet("aws"))
    rows = [each.inputs for each in plan.of_type("aws:ec2/subnet:Subnet")]
    found = {
        tag: [each["availabilityZone"] for each in rows if each["tags"].get(f"kubernetes.io/role/{tag}") == "1"]
        for tag in ("elb", "internal-elb")
    }
    assert standing <= set(found["elb"])
    assert sorted(found["internal-elb"]) == sorted(settled.cluster.request.subnets)
    assert len(rows) == len(found["elb"]) + len(found["internal-elb"]), "no subnet has both, and none has neither"
    ranges = [ipaddress.IPv4Network(each["cidrBlock"]) for each in rows]
    assert not any(one.overlaps(other) for one, other in itertools.combinations(ranges, 2))


def test_on_tencent_the_api_is_behind_a_group_of_those_who_are_named() -> None:
    plan = planned(fleet("tencent"))
    rules = named(plan, "x-api-rules").inputs["ingresses"]
    assert [(each["action"], each["cidrBlock"], each["port"]) for each in rules] == [
        ("ACCEPT", CALLERS[0], "443"), ("DROP", "0.0.0.0/0", "ALL"),
    ]  # fmt: skip
    endpoint = only(plan, "tencentcloud:Kubernetes/clusterEndpoint:ClusterEndpoint").inputs
    assert (endpoint["clusterInternet"], endpoint["clusterIntranet"]) == (True, False)
    given = only(plan, PLANES["tencent"]).inputs
    assert (given["clusterInternet"], given["clusterVersion"], given["networkType"]) == (False, "1.34.1", "VPC-CNI")
    for each in plan.of_type("tencentcloud:Kubernetes/nodePool:NodePool"):
        assert all(disk["encrypt"] for disk in each.inputs["autoScalingConfig"]["dataDisks"])
        assert each.inputs["autoScalingConfig"]["publicIpAssigned"] is False
    assert only(plan, "tencentcloud:Kubernetes/addon:Addon").inputs["addonName"] == "networkpolicy"
    assert only(plan, "tencentcloud:Kubernetes/encryptionProtection:EncryptionProtection")


def test_on_aliyun_the_api_answers_in_its_network_alone_and_policies_are_enforced() -> None:
    plan = planned(fleet("aliyun"))
    given = only(plan, PLANES["aliyun"]).inputs
    assert given["slbInternetEnabled"] is False
    assert given["version"].startswith("1.36.")
    assert (given["encryptionProviderKey"], given["disableEncryption"]) == ("key-hzz60000000000000000", False)
    (terway,) = [each for each in given["addons"] if each["name"] == "terway-eniip"]
    assert json.loads(terway["config"])["NetworkPolicy"] == "true"
    for each in plan.of_type("alicloud:cs/nodePool:NodePool"):
        assert each.inputs["systemDiskEncrypted"] is True
        assert each.inputs["instanceMetadataOptions"]["httpTokens"] == "required"
    assert given["newNatGateway"] is False
    assert sorted(given["vswitchIds"]) == sorted(MANAGED["aliyun"]["subnets"].values())


@pytest.mark.parametrize("cloud", CLOUDS)
def test_the_kubeconfig_is_a_secret_and_stands_in_no_text_of_the_plan(cloud: str) -> None:
    plan = planned(fleet(cloud))
    assert SIGNATURE in plan.outputs["kubeconfig"]
    (provider,) = plan.of_type("pulumi:providers:kubernetes")
    assert SIGNATURE in provider.inputs["kubeconfig"]


@pytest.mark.parametrize("cloud", CLOUDS)
def test_the_pool_is_as_large_as_the_fleet_says_and_its_disks_hold_the_weights(cloud: str) -> None:
    settled = resolved(fleet(cloud))
    assert settled.cluster is not None
    pool = settled.cluster.request.gpus
    assert (pool.first, pool.least, pool.most, pool.instance_type) == (2, 2, 2, NODES[cloud]["instance_type"])
    assert pool.disk_gib > OF_IMAGES + 15, "the model has 14.2 GiB of weights"
    sold = catalog.load().instance(cloud, pool.instance_type).regions[NODES[cloud]["region"]]
    assert set(pool.zones) <= set(sold)
    system = settled.cluster.request.system
    data, region = catalog.load(), NODES[cloud]["region"]
    # Where nobody says which zones of a region have a machine, any of them may.
    there = data.instance(cloud, system.instance_type).regions[region] or data.region(cloud, region).zones
    assert set(system.zones) <= set(there)
    assert {*system.zones, *pool.zones} <= settled.cluster.request.subnets.keys()
    grows = resolved(fleet(cloud, nodes={"min_count": 0}))
    assert grows.cluster is not None
    assert (grows.cluster.request.gpus.least, grows.cluster.request.gpus.grows) == (0, True)
    assert not grows.cluster.request.system.grows
    # Where the cloud adds nodes they come as pods do. Elsewhere all are there from the start.
    assert grows.cluster.request.gpus.first == (0 if grows.cluster.service.autoscaler else 2)
    assert grows.warnings == ()
    alone = resolved(fleet(cloud, nodes={"min_count": 0}, operators=False))
    assert alone.cluster is not None
    adds = alone.cluster.service.autoscaler
    assert alone.cluster.request.gpus.first == (0 if adds else 2)
    assert ("managed.no-autoscaler" in [each.code for each in alone.warnings]) is not adds


@pytest.mark.parametrize("cloud", [each for each in CLOUDS if each != "aws"])
def test_a_pool_that_grows_shrinks_again_though_weights_and_pods_of_the_cluster_are_on_its_nodes(cloud: str) -> None:
    plan = planned(fleet(cloud, nodes={"min_count": 0}))
    assert [each.code for each in plan.notes] == []
    if cloud == "aliyun":
        told = only(plan, "alicloud:cs/autoscalingConfig:AutoscalingConfig").inputs
        assert told["scaleUpFromZero"] is True
    else:
        # TKE takes no node away unless it is told to.
        (told,) = only(plan, PLANES[cloud]).inputs["nodePoolGlobalConfigs"]
        assert told["isScaleInEnabled"] is True
    assert (told["skipNodesWithLocalStorage"], told["skipNodesWithSystemPods"]) == (False, False)
    standing = planned(fleet(cloud))
    assert not list(standing.of_type("alicloud:cs/autoscalingConfig:AutoscalingConfig"))
    assert not only(standing, PLANES[cloud]).inputs.get("nodePoolGlobalConfigs")


@pytest.mark.parametrize("cloud", CLOUDS)
def test_the_gateways_claim_is_on_an_encrypted_disk_of_the_cloud(cloud: str) -> None:
    plan = planned(fleet(cloud))
    storage = only(plan, "kubernetes:storage.k8s.io/v1:StorageClass").inputs
    told = " ".join(str(each).lower() for each in storage["parameters"].values())
    assert "true" in told or "encrypt" in told
    claim = only(plan, "kubernetes:core/v1:PersistentVolumeClaim").inputs
    assert claim["spec"]["storageClassName"] == storage["metadata"]["name"]


@pytest.mark.parametrize("cloud", CLOUDS)
def test_the_bill_has_the_control_plane_and_all_nodes_and_says_what_it_does_not_know(cloud: str) -> None:
    plan = planned(fleet(cloud))
    regions = {facts.pulumi_package: facts.default_region for facts in catalog.load().clouds.values()}
    lines = make_bill(plan, catalog.load(), Usage(), today=date.today(), default_regions=regions).lines
    told = {each.slot: each for each in lines if each.type == "llm:index:Fleet"}
    assert {"nodes", "control-plane", "system"} <= told.keys()
    known = {"aws": Decimal("0.1"), "aliyun": Decimal("0.64")}.get(cloud)
    assert (told["control-plane"].price.amount if told["control-plane"].price else None) == known
    assert told["system"].quantity == 2
    unlisted = [each for each in lines if each.unknown and "whether" in str(each.unknown)]
    assert unlisted == [], "what a cluster is made of is told with its fleet"


@pytest.mark.parametrize("cloud", CLOUDS)
def test_no_policy_rule_has_anything_against_it(cloud: str) -> None:
    found = check(planned(fleet(cloud)), None, default_regions={}, today=date.today())
    assert [each for each in found if each.severity == "error"] == []


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (fleet("aws", version="1.33"), "managed.version-ended"),
        (fleet("aws", version="1.20"), "fleet.cluster-too-old"),
        (fleet("aliyun", version="1.34"), "managed.version-ended"),
        (fleet("aws", api_cidrs=[]), "managed.out-of-reach"),
        (fleet("aws", api_cidrs=["0.0.0.0/0"]), "spec.open-to-world"),
        (fleet("aliyun", api_cidrs=CALLERS), "managed.no-allow-list"),
        (fleet("aws", nodes={"region": "eu-north-1", "instance_type": "p4de.24xlarge"}), "managed.no-gpu-in-region"),
        (fleet("aws", zones=["us-west-2z"]), "managed.no-gpu-in-zone"),
        (fleet("aws", vpc_id="vpc-0", subnets={"us-west-2a": "subnet-1"}), "managed.too-few-zones"),
        (fleet("aws", vpc_id="vpc-0"), "spec.half-a-network"),
        (fleet("aws", gpu_driver="580.95.05"), "managed.driver-of-the-image"),
        (fleet("tencent", admins=["arn:aws:iam::1:role/x"]), "managed.no-admins"),
        (fleet("aws", system_type="g4dn.xlarge"), "managed.gpu-for-the-rest"),
        (fleet("aws", nodes={"count": 1}), "fleet.too-few-nodes"),
        (fleet("aws", nodes={"gpu_quota": 1}), "fleet.gpu-quota"),
        (fleet("aws", nodes={"min_count": 3}), "fleet.more-at-least-than-at-most"),
        (fleet("aws", cidr="10.64.0.0/20"), "spec.bad-network-cidr"),
    ],
)
def test_what_no_cloud_would_make_is_refused_before_anything_is(args: dict[str, Any], code: str) -> None:
    assert code in codes(args)


def test_a_cloud_without_managed_clusters_here_is_named_with_those_that_have_them() -> None:
    args = fleet("aws")
    args["nodes"] = {"count": 2, "cloud": "volcengine", "region": "cn-beijing", "instance_type": "ecs.pni2.14xlarge"}
    assert "managed.no-maker" in codes(args)


def test_a_version_that_is_newer_than_what_is_known_is_warned_of_and_taken() -> None:
    settled = resolved(fleet("aws", version="1.36"))
    assert [each.code for each in settled.warnings] == ["managed.version-not-known"]
    assert settled.cluster is not None
    assert settled.cluster.request.version == "1.36"


def test_a_cluster_is_made_or_there_and_not_both() -> None:
    with pytest.raises(Refusal) as refused:
        planned({**fleet("aws"), "kubeconfig": kubeconfig()})
    assert [each.code for each in refused.value.findings] == ["fleet.made-and-there"]
    both = fleet("aws")
    both["cluster"]["server"] = "https://203.0.113.7"
    assert codes(both) == ["fleet.made-and-there"]


def test_who_may_administer_is_said_by_an_access_entry_on_aws() -> None:
    plan = planned(fleet("aws", admins=["arn:aws:iam::123456789012:role/ops"]))
    grant = only(plan, "aws:eks/accessPolicyAssociation:AccessPolicyAssociation").inputs
    assert grant["principalArn"] == "arn:aws:iam::123456789012:role/ops"
    assert grant["policyArn"].endswith("AmazonEKSClusterAdminPolicy")


def test_protect_is_the_engines_and_the_clouds() -> None:
    for cloud in CLOUDS:
        plane = only(planned(fleet(cloud, protect=True)), PLANES[cloud])
        assert plane.protect
        assert plane.inputs["deletionProtection"] is True


def test_the_component_has_the_clusters_outputs() -> None:
    assert {"kubeconfig", "cluster_name"} <= set(llm.Fleet.__annotations__)


@pytest.mark.parametrize("cloud", CLOUDS)
def test_what_is_no_engine_stands_on_nodes_that_stay(cloud: str) -> None:
    plan = planned(fleet(cloud))
    pod = only(plan, "kubernetes:apps/v1:Deployment").inputs["spec"]["template"]["spec"]
    assert pod["nodeSelector"] == {POOL: "system"}
    router = only(plan, "kubernetes:helm.sh/v3:Release").inputs["values"]["routerSpec"]
    assert router["nodeSelectorTerms"] == [
        {"matchExpressions": [{"key": POOL, "operator": "In", "values": ["system"]}]}
    ]  # fmt: skip
    there = planned({**FLEET})
    assert "nodeSelector" not in only(there, "kubernetes:apps/v1:Deployment").inputs["spec"]["template"]["spec"]


@pytest.mark.parametrize("cloud", CLOUDS)
def test_tags_of_the_stack_are_on_all_that_takes_some(cloud: str) -> None:
    plan = planned(fleet(cloud, tags={"environment": "trial"}))
    tagged = [each for each in plan.resources if "tags" in each.inputs]
    assert tagged
    assert {each.inputs["tags"]["environment"] for each in tagged} == {"trial"}
    assert codes(fleet(cloud, tags={"aws:x": "y"})) == ["spec.bad-tag"]


@pytest.mark.parametrize("cloud", CLOUDS)
def test_the_version_that_nobody_named_is_the_one_that_lasts_longest(cloud: str) -> None:
    service = clusters.service_of(cloud)
    assert service is not None
    version, _whole = clusters.whole_version(service, None)
    known = {each.version: each.until for each in service.versions if each.until}
    assert not known or known[".".join(version.split(".")[:2])] == max(known.values())


def test_each_cloud_sells_the_version_that_nobody_names_on_the_day_of_the_tests_and_no_longer_after_its_last_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for cloud in CLOUDS:
        assert day.today() == DAY
        assert [each.code for each in resolved(fleet(cloud)).warnings] == []
        known = clusters.ending_of(cloud, None)
        if known is not None:
            last = date.fromisoformat(str(known[1].until))
            with monkeypatch.context() as later:
                later.setattr(day, "today", lambda last=last: last + timedelta(days=1))
                assert codes(fleet(cloud)) == ["managed.version-ended"]


def test_outside_of_the_tests_it_is_the_day_that_it_is() -> None:
    asked = "from pulumi_llm import _day; print(_day.today())"
    before = datetime.now(UTC).date()
    said = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True).stdout
    assert before <= date.fromisoformat(said.strip()) <= datetime.now(UTC).date()


def test_a_version_that_ends_within_weeks_is_warned_of() -> None:
    wanted = spec.parse(FleetSpec, fleet("aws", version="1.34"))
    assert wanted.cluster.managed is not None
    for when, code in (
        (date(2026, 9, 1), []), (date(2026, 11, 29), ["managed.version-ends-soon"]),
        (date(2026, 12, 3), ["managed.version-ended"]),
    ):  # fmt: skip
        assert [each.code for each in clusters.mistakes(wanted, wanted.cluster.managed, when)] == code
    standing = spec.parse(FleetSpec, fleet("aws"))
    assert standing.cluster.managed is not None
    assert list(clusters.mistakes(standing, standing.cluster.managed, date(2026, 11, 29))) == []


def test_an_outlook_has_the_day_on_which_the_version_ends() -> None:
    known = clusters.ending_of("aws", None)
    assert known is not None
    last = date.fromisoformat(str(known[1].until))
    day = last - timedelta(days=30)
    found = [each for each in outlook.ends_of(planned(fleet("aws")), day) if "cluster" in each.code]
    assert [(each.code, each.day, each.level(day)) for each in found] == [
        ("outlook.cluster-ends", last + timedelta(days=1), "soon")
    ]
    for args in (fleet("tencent"), FLEET):  # its days are not known; it is not made here
        assert [each for each in outlook.ends_of(planned(args), day) if "cluster" in each.code] == []


def test_the_address_of_the_nat_gateway_is_one_line_of_the_bill_and_named_as_such() -> None:
    lines = make_bill(planned(fleet("aws")), catalog.load(), Usage(), today=date.today(), default_regions={}).lines
    assert [str(each.what) for each in lines if each.kind == "address"] == ["public address of the NAT gateway"]
    assert not [each for each in lines if each.slot == "nat" and "address" in str(each.what)]
