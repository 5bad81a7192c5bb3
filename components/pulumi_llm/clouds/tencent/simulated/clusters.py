"""Tencent Cloud: rules for TKE, its node pools, add-ons and endpoint, and for NAT gateways."""

from __future__ import annotations

import json

from pulumi_llm._provider_facts.values import Props
from pulumi_llm._simcloud.rules.base import Call
from pulumi_llm._simcloud.store import Record

from .common import GROUP, RULES, SUBNET, VPC, error, need

CLUSTER, POOL = "tencentcloud:Kubernetes/cluster:Cluster", "tencentcloud:Kubernetes/nodePool:NodePool"
ADDON, ENDPOINT = "tencentcloud:Kubernetes/addon:Addon", "tencentcloud:Kubernetes/clusterEndpoint:ClusterEndpoint"
SECRETS = "tencentcloud:Kubernetes/encryptionProtection:EncryptionProtection"
NAT = "tencentcloud:Nat/gateway:Gateway"
GONE = "The cluster `{id}` does not exist."


@RULES.on_create(CLUSTER)
def _cluster(call: Call) -> Props:
    given = call.inputs
    _network(call, given["vpcId"], given.get("eniSubnetIds") or [])
    if given.get("networkType") == "VPC-CNI" and not given.get("eniSubnetIds"):
        raise error("InvalidParameter.Param", "eni_subnet_ids must be set for VPC-CNI")
    if given.get("clusterInternet") and not given.get("clusterInternetSecurityGroup"):
        raise error("InvalidParameter", "cluster_internet_security_group must be set if cluster_internet is true")
    return {}


def _network(call: Call, vpc: str, subnets: list[str]) -> None:
    """A VPC that exists already is not in the simulated account, and nothing is known of its subnets."""
    if call.find(VPC, vpc) is not None:
        for each in subnets:
            need(call, SUBNET, each, "ResourceNotFound", "The subnet `{id}` does not exist.")


@RULES.on_delete(CLUSTER)
def _delete_cluster(call: Call, record: Record) -> None:
    if record.get("deletionProtection"):
        raise error("OperationDenied.ClusterInDeletionProtection", "The cluster is protected from deletion.")


@RULES.on_create(POOL)
def _pool(call: Call) -> Props:
    given = call.inputs
    need(call, CLUSTER, given["clusterId"], "ResourceNotFound.ClusterNotFound", GONE)
    _network(call, given["vpcId"], given.get("subnetIds") or [])
    wanted = given["autoScalingConfig"]["instanceType"]
    zones = {row.get("availabilityZone") for each in given.get("subnetIds") or () if (row := call.find(SUBNET, each))}
    if lacking := zones - set(call.offers.zones_of(wanted, call.region)):
        message = f"The instance type `{wanted}` is not sold in the zone `{sorted(lacking)[0]}`."
        raise error("InvalidParameterValue.InvalidInstanceType", message)
    if not given["minSize"] <= given["maxSize"]:
        raise error("InvalidParameterValue.Range", "min_size is larger than max_size")
    for each in given["autoScalingConfig"].get("orderlySecurityGroupIds") or ():
        need(call, GROUP, each, "ResourceNotFound", "The security group `{id}` cannot be found.")
    return {"nodeCount": given.get("desiredCapacity") or given["minSize"]}


@RULES.on_create(ADDON, SECRETS)
def _part(call: Call) -> Props:
    need(call, CLUSTER, call.inputs["clusterId"], "ResourceNotFound.ClusterNotFound", GONE)
    return {}


@RULES.on_create(ENDPOINT)
def _endpoint(call: Call) -> Props:
    given = call.inputs
    need(call, CLUSTER, given["clusterId"], "ResourceNotFound.ClusterNotFound", GONE)
    if given.get("clusterInternet") and not given.get("clusterInternetSecurityGroup"):
        raise error("InvalidParameter", "cluster_internet_security_group must be set if cluster_internet is true")
    if not call.list(POOL, clusterId=given["clusterId"]):
        raise error("FailedOperation.Param", "the cluster has no nodes for an endpoint to lead to")
    return {"kubeConfig": _kubeconfig("198.51.100.9"), "kubeConfigIntranet": _kubeconfig("10.64.32.9")}


def _kubeconfig(address: str) -> str:
    """The text of a kubeconfig that leads nowhere."""
    named = {"cluster": "simulated", "user": "simulated"}
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "simulated",
            "contexts": [{"name": "simulated", "context": named}],
            "clusters": [{"name": "simulated", "cluster": {"server": f"https://{address}"}}],
            "users": [{"name": "simulated", "user": {}}],
        }
    )


@RULES.on_create(NAT)
def _nat(call: Call) -> Props:
    need(call, VPC, call.inputs["vpcId"], "ResourceNotFound", "The VPC `{id}` does not exist.")
    return {}
