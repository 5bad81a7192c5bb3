"""KubeRay's operator, KEDA, the cluster-autoscaler in a cluster that is made: when, by which charts, in which order."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pulumi_llm._cluster import operators
from pulumi_llm._plan.model import Plan, PlannedResource
from pulumi_llm.errors import Refusal
from tests.cluster.fleets import FOLLOWING, WIDE, named, planned, policies_of, spec_of
from tests.cluster.managed import NODES, fleet

CHARTS = {
    "kuberay-operator": os.environ.get("PULUMI_LLM_KUBERAY_CHART"),
    "keda": os.environ.get("PULUMI_LLM_KEDA_CHART"),
    "cluster-autoscaler": os.environ.get("PULUMI_LLM_AUTOSCALER_CHART"),
}
RELEASE = "kubernetes:helm.sh/v3:Release"
WANTS: dict[str, dict[str, Any]] = {
    "keda": {"models": FOLLOWING["models"]},
    "kuberay-operator": {
        "engine": "kuberay",
        "models": {"large": {"model": "Qwen/Qwen2.5-7B-Instruct", "gpus": 1, "nodes": 2}},
    },
    "cluster-autoscaler": {"nodes": {**NODES["aws"], "min_count": 1}},
}
OF_ENGINES = ("keda", "kuberay-operator")
"""Those that look after the fleet's own objects; the third looks after the cluster's nodes."""
VERSIONS = {
    "keda": operators.KEDA_VERSION,
    "kuberay-operator": operators.KUBERAY_VERSION,
    "cluster-autoscaler": operators.SCALER_CHART,
}
SEES = {
    "autoscaling:DescribeAutoScalingGroups",
    "autoscaling:DescribeAutoScalingInstances",
    "autoscaling:DescribeLaunchConfigurations",
    "autoscaling:DescribeScalingActivities",
    "ec2:DescribeImages",
    "ec2:DescribeInstanceTypes",
    "ec2:DescribeLaunchTemplateVersions",
    "ec2:GetInstanceTypesFromInstanceRequirements",
    "eks:DescribeNodegroup",
}
SCALES = {"autoscaling:SetDesiredCapacity", "autoscaling:TerminateInstanceInAutoScalingGroup"}
"""The autoscaler's own "Full Cluster Autoscaler Features Policy": cloudprovider/aws/README.md of 1.36.1."""
REPOSITORIES = {
    "keda": "https://kedacore.github.io/charts",
    "kuberay-operator": "https://ray-project.github.io/kuberay-helm",
    "cluster-autoscaler": "https://kubernetes.github.io/autoscaler",
}


def asked(called: str, **managed: Any) -> dict[str, Any]:
    return {**fleet("aws", **managed), **WANTS[called]}


def charts(plan: Plan) -> dict[str, PlannedResource]:
    return {each.inputs["chart"]: each for each in plan.of_type(RELEASE)}


@pytest.mark.parametrize("called", WANTS)
def test_what_a_fleet_needs_is_installed_by_its_makers_chart(called: str) -> None:
    release = charts(planned(asked(called)))[called].inputs
    assert release["repositoryOpts"]["repo"] == REPOSITORIES[called]
    assert release["version"] == VERSIONS[called]
    (space,) = [each for each in planned(asked(called)).resources if each.name == f"x-{called}-namespace"]
    assert space.inputs["metadata"]["name"] == release["namespace"]
    assert space.inputs["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert release["values"]["nodeSelector"] == {"pulumi-llm/pool": "system"}
    # The policies let in whoever is in that namespace, and nobody else; the nodes' autoscaler asks no pod.
    assert (release["namespace"] in json.dumps(policies_of(planned(asked(called))))) is (called in OF_ENGINES)


@pytest.mark.parametrize("space", ["default", "kube-system"])
@pytest.mark.parametrize(("called", "key"), [("keda", "keda_namespace"), ("kuberay-operator", "operator_namespace")])
def test_it_is_not_installed_where_others_are(called: str, key: str, space: str) -> None:
    with pytest.raises(Refusal) as refused:
        spec_of({**asked(called), key: space})
    (found,) = refused.value.findings
    assert found.code == "fleet.namespace-of-others"
    assert found.hint == f"{key}: {called}"
    # Nor where the autoscaler is.
    with pytest.raises(Refusal) as refused:
        spec_of({**asked(called), **WANTS["cluster-autoscaler"], key: "cluster-autoscaler"})
    assert [each.code for each in refused.value.findings] == ["fleet.namespace-of-others"]
    # Whoever installs it himself says where, and so does a key that is of no use here.
    assert spec_of({**asked(called, operators=False), key: space})
    assert spec_of({**fleet("aws"), key: space})


@pytest.mark.parametrize("called", WANTS)
def test_it_comes_before_what_it_looks_after_and_goes_after_it(called: str) -> None:
    plan = planned(asked(called))
    by_urn, left, found = plan.by_urn(), [named(plan, "x-engines")], set()
    while left:
        for urn in left.pop().dependencies:
            if urn in by_urn and urn not in found:
                found.add(urn)
                left.append(by_urn[urn])
    assert charts(plan)[called].urn in found


@pytest.mark.parametrize("called", OF_ENGINES)
def test_its_rights_are_in_the_fleets_namespace_which_is_there_before_it(called: str) -> None:
    plan = planned(asked(called))
    release = charts(plan)[called]
    values = release.inputs["values"]
    assert values["watchNamespace"] == ("llm" if called == "keda" else ["llm"])
    assert called == "keda" or values["singleNamespaceInstall"] is True
    assert named(plan, "x-namespace").urn in release.dependencies


def test_only_what_is_needed_is_installed_and_nothing_where_the_owner_does_it_or_the_cluster_is_there() -> None:
    assert not {*charts(planned(fleet("aws")))} & {*WANTS}
    assert {*charts(planned(asked("keda")))} & {*WANTS} == {"keda"}
    assert {*charts(planned(asked("kuberay-operator")))} & {*WANTS} == {"kuberay-operator"}
    assert {*charts(planned(asked("cluster-autoscaler")))} & {*WANTS} == {"cluster-autoscaler"}
    for called in WANTS:
        assert not {*charts(planned(asked(called, operators=False)))} & {*WANTS}
    # ACK and TKE add nodes by themselves.
    for cloud in ("aliyun", "tencent"):
        assert not {*charts(planned(fleet(cloud, nodes={"min_count": 1})))} & {*WANTS}
    for there in (FOLLOWING, WIDE):
        assert not {*charts(planned(there))} & {*WANTS}


@pytest.mark.parametrize("called", WANTS)
def test_every_image_has_a_version_and_comes_from_the_registry_that_is_named(called: str) -> None:
    (plain,) = operators.releases(spec_of(asked(called)))
    (mirrored,) = operators.releases(spec_of({**asked(called), "registry": "registry.example.com/mirror"}))
    image = mirrored.values["image"]
    if called == "keda":
        assert mirrored.values["global"]["image"]["registry"] == "registry.example.com/mirror"
        assert {image[each]["tag"] for each in ("keda", "metricsApiServer", "webhooks")} == {operators.KEDA_VERSION}
        assert "global" not in plain.values
        assert plain.values["watchNamespace"] == "llm"
    elif called == "cluster-autoscaler":
        assert image["repository"] == "registry.example.com/mirror/autoscaling/cluster-autoscaler"
        assert plain.values["image"]["repository"] == "registry.k8s.io/autoscaling/cluster-autoscaler"
    else:
        assert image["repository"] == "registry.example.com/mirror/kuberay/operator"
        assert plain.values["image"]["repository"] == "quay.io/kuberay/operator"
        assert image["tag"] == f"v{operators.KUBERAY_VERSION}"


def paths_of(made: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    if isinstance(made, dict) and made:
        for key, value in made.items():
            yield from paths_of(value, (*path, key))
    else:
        yield path


FREE = ("nodeSelector", "resources", "podSecurityContext", "securityContext", "containerSecurityContext", "extraArgs")
"""What the charts hand on as it is."""


@pytest.mark.parametrize("called", WANTS)
def test_every_key_is_one_that_the_chart_knows(called: str) -> None:
    import yaml

    if CHARTS[called] is None:
        pytest.skip("PULUMI_LLM_KUBERAY_CHART, ..._KEDA_CHART or ..._AUTOSCALER_CHART names no chart, unpacked")
    folder = Path(str(CHARTS[called]))
    (release,) = operators.releases(spec_of({**asked(called), "registry": "registry.example.com/mirror"}))
    assert yaml.safe_load((folder / "Chart.yaml").read_text())["version"] == release.version
    known = yaml.safe_load((folder / "values.yaml").read_text())
    for path in paths_of(release.values):
        here: Any = known
        for key in path[:1] if path[0] in FREE else path:
            if (called, key) == ("kuberay-operator", "watchNamespace"):
                assert "\n# watchNamespace:\n" in (folder / "values.yaml").read_text()
                break
            assert key in here, path
            here = here[key]


def test_the_autoscaler_may_change_the_size_of_its_own_clusters_groups_and_of_no_others() -> None:
    plan = planned(asked("cluster-autoscaler"))
    (pod,) = plan.of_type("aws:eks/podIdentityAssociation:PodIdentityAssociation")
    release = charts(plan)["cluster-autoscaler"].inputs
    account = release["values"]["rbac"]["serviceAccount"]
    assert (pod.inputs["namespace"], pod.inputs["serviceAccount"]) == (release["namespace"], account["name"])
    (policy,) = (each for each in plan.of_type("aws:iam/rolePolicy:RolePolicy") if each.name == "x-scaler")
    sees, scales = json.loads(policy.inputs["policy"])["Statement"]
    assert ({*sees["Action"]}, {*scales["Action"]}) == (SEES, SCALES)
    (nodes,) = (each for each in plan.of_type("aws:eks/nodeGroup:NodeGroup") if each.name == "x-gpu")
    assert "k8s.amazonaws.com/accelerator" in nodes.inputs["labels"]
    # A change of the bounds sends the size of the beginning again: fewer would end machines at work.
    assert nodes.inputs["scalingConfig"]["desiredSize"] == nodes.inputs["scalingConfig"]["maxSize"]
    # It knows its cluster by the name that the cloud gives it, and so does the policy.
    cluster = release["values"]["autoDiscovery"]["clusterName"]
    assert pod.inputs["clusterName"] == cluster
    assert scales["Condition"] == {"StringEquals": {f"aws:ResourceTag/k8s.io/cluster-autoscaler/{cluster}": "owned"}}
    assert not list(planned(fleet("aws")).of_type("aws:eks/podIdentityAssociation:PodIdentityAssociation"))


@pytest.mark.parametrize(("version", "tag"), [("1.34", "v1.34."), ("1.35", "v1.35."), ("1.36", "v1.36.")])
def test_the_autoscaler_is_of_the_clusters_minor_version(version: str, tag: str) -> None:
    wanted = {**fleet("aws", version=version), **WANTS["cluster-autoscaler"]}
    assert charts(planned(wanted))["cluster-autoscaler"].inputs["values"]["image"]["tag"].startswith(tag)


def test_a_fleet_is_not_where_the_autoscaler_is() -> None:
    with pytest.raises(Refusal) as refused:
        spec_of({**asked("cluster-autoscaler"), "namespace": "cluster-autoscaler"})
    assert [each.code for each in refused.value.findings] == ["fleet.namespace-of-others"]
    assert spec_of({**fleet("aws"), "namespace": "cluster-autoscaler"})
