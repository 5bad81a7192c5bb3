"""Aliyun: rules for ACK and its node pools, and what it answers of versions and credentials."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from pulumi_llm import clouds
from pulumi_llm._provider_facts.values import Props
from pulumi_llm._simcloud.rules.base import Call, CloudError
from pulumi_llm._simcloud.store import Record

from .common import RULES, SWITCH, error

if TYPE_CHECKING:
    from pulumi_llm._simcloud.simulator import Simulator

CLUSTER, POOL = "alicloud:cs/managedKubernetes:ManagedKubernetes", "alicloud:cs/nodePool:NodePool"
SCALING = "alicloud:cs/autoscalingConfig:AutoscalingConfig"
PATCH = "1-aliyun.1"
"""What stands behind a minor version here; which patches ACK has is nobody's to know without asking."""


def _switches(call: Call, ids: list[str], operation: str) -> list[Record]:
    """The vSwitches that are there. Those of a network that exists are not in the simulated account."""
    found = [row for each in ids if (row := call.find(SWITCH, each)) is not None]
    if found and len(found) < len(ids):
        raise error(call, operation, "VSwitchIdNotFound", "The specified vSwitch does not exist.", 404)
    return found


@RULES.on_create(CLUSTER)
def _cluster(call: Call) -> Props:
    given = call.inputs
    switches = _switches(call, given.get("vswitchIds") or [], "CreateCluster")
    versions = [each["version"] for each in versions_of("ManagedKubernetes")]
    if given.get("version") and given["version"] not in versions:
        message = f"The specified KubernetesVersion {given['version']} is not supported."
        raise error(call, "CreateCluster", "ErrorKubernetesVersion", message)
    named = {each.get("name") for each in given.get("addons") or ()}
    if given.get("podVswitchIds") and "terway-eniip" not in named:
        raise error(call, "CreateCluster", "ErrorClusterNetwork", "pod_vswitch_ids need the addon terway-eniip.")
    made: Props = {"connections": {"apiServerIntranet": "https://10.64.32.9:6443", "serviceDomain": f"*.{call.id}"}}
    if given.get("slbInternetEnabled", True):
        made["connections"]["apiServerInternet"] = "https://198.51.100.9:6443"
    if switches:
        made["vpcId"] = switches[0].get("vpcId")
    return made


@RULES.on_delete(CLUSTER)
def _delete_cluster(call: Call, record: Record) -> None:
    if record.get("deletionProtection"):
        raise error(call, "DeleteCluster", "DeletionProtection", "The cluster is protected from deletion.")


@RULES.on_create(POOL)
def _pool(call: Call) -> Props:
    given = call.inputs
    if call.find(CLUSTER, given["clusterId"]) is None:
        message = f"The cluster {given['clusterId']} does not exist."
        raise error(call, "CreateClusterNodePool", "ErrorClusterNotFound", message, 404)
    for switch in _switches(call, given.get("vswitchIds") or [], "CreateClusterNodePool"):
        zone = switch.get("zoneId")
        for name in given.get("instanceTypes") or ():
            if zone not in call.offers.zones_of(name, call.region):
                message = f"The instance type {name} is not available in the zone {zone}."
                raise error(call, "CreateClusterNodePool", "InvalidInstanceType.NotSupported", message)
    sizes = given.get("scalingConfig") or {}
    if sizes.get("enable") and given.get("desiredSize") is not None:
        raise CloudError("desired_size cannot be set where scaling_config is enabled")
    return {"nodePoolId": call.id.rsplit(":", 1)[-1]}


@RULES.on_create(SCALING)
def _scaling(call: Call) -> Props:
    if call.find(CLUSTER, call.inputs["clusterId"]) is None:
        raise error(call, "CreateAutoscalingConfig", "ErrorClusterNotFound", "The cluster does not exist.", 404)
    return {}


def versions_of(kind: str) -> list[Props]:
    """The versions that the simulated ACK lists: those that are known here, each with a made-up patch."""
    known = clouds.folders()["aliyun"].read("clusters.json")["versions"] if kind == "ManagedKubernetes" else []
    return [{"version": f"{each['version']}.{PATCH}", "runtimes": []} for each in known]


def get_kubernetes_version(args: Props, simulator: Simulator) -> Props:
    """The versions that can be bought."""
    wanted = args.get("kubernetesVersion")
    rows = [each for each in versions_of(args["clusterType"]) if wanted in (None, each["version"])]
    return {"id": "versions", "metadatas": rows}


def get_cluster_credential(args: Props, simulator: Simulator) -> Props:
    """A kubeconfig of a simulated cluster, which leads nowhere."""
    found = simulator.store.get(CLUSTER, str(args.get("clusterId")))
    if found is None:
        raise CloudError(f"The cluster {args.get('clusterId')} does not exist.")
    server = found.get("connections")["apiServerIntranet"]
    named = {"cluster": "simulated", "user": "simulated"}
    text = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "simulated",
        "contexts": [{"name": "simulated", "context": named}],
        "clusters": [{"name": "simulated", "cluster": {"server": server}}],
        "users": [{"name": "simulated", "user": {}}],
    }
    return {
        "id": found.id, "clusterName": found.get("name") or "", "kubeConfig": json.dumps(text),
        "certificateAuthority": {}, "certificateAuthorities": [], "expiration": "",
    }  # fmt: skip
