"""AWS: rules for EKS, its node groups, add-ons and access entries, and for what a cluster's network has besides."""

from __future__ import annotations

import base64

from pulumi_llm._provider_facts.values import Props
from pulumi_llm._simcloud.rules.base import Call, CloudError
from pulumi_llm._simcloud.store import Record

from .common import EIP, RULES, SUBNET, error, need

CLUSTER, POOL = "aws:eks/cluster:Cluster", "aws:eks/nodeGroup:NodeGroup"
ADDON, ENTRY = "aws:eks/addon:Addon", "aws:eks/accessEntry:AccessEntry"
GRANT, IDENTITY = (
    "aws:eks/accessPolicyAssociation:AccessPolicyAssociation",
    "aws:eks/podIdentityAssociation:PodIdentityAssociation",
)
TEMPLATE, NAT = "aws:ec2/launchTemplate:LaunchTemplate", "aws:ec2/natGateway:NatGateway"
LEAST_ZONES = 2


def refused(operation: str, code: str, message: str) -> CloudError:
    """An error of EKS as the provider prints it."""
    return error(f"{operation}", "EKS", operation, code, message)


def _subnets(call: Call, ids: list[str], operation: str) -> list[Record]:
    found = [call.find(SUBNET, each) for each in ids]
    missing = [each for each, row in zip(ids, found, strict=True) if row is None]
    if missing:
        message = f"The subnet ID '{missing[0]}' does not exist"
        raise refused(operation, "InvalidParameterException", message)
    return [each for each in found if each is not None]


@RULES.on_create(CLUSTER)
def _cluster(call: Call) -> Props:
    config = call.inputs["vpcConfig"]
    subnets = _subnets(call, config["subnetIds"], "CreateCluster")
    if len({each.get("availabilityZone") for each in subnets}) < LEAST_ZONES:
        message = "Subnets specified must be in at least two different AZs"
        raise refused("CreateCluster", "InvalidParameterException", message)
    if not config.get("endpointPublicAccess", True) and not config.get("endpointPrivateAccess"):
        message = "Private and public endpoint access cannot be false"
        raise refused("CreateCluster", "InvalidParameterException", message)
    told = {"clusterSecurityGroupId": f"sg-{call.id[-12:]}", "vpcId": subnets[0].get("vpcId")}
    made_up = base64.b64encode(b"the authority of a simulated cluster").decode()
    return {"certificateAuthority": {"data": made_up}, "vpcConfig": {**config, **told}}


@RULES.on_delete(CLUSTER)
def _delete_cluster(call: Call, record: Record) -> None:
    if call.list(POOL, clusterName=record.id):
        message = "Cluster has nodegroups attached"
        raise refused("DeleteCluster", "ResourceInUseException", message)


@RULES.on_create(POOL)
def _pool(call: Call) -> Props:
    given = call.inputs
    _of_a_cluster(call, "CreateNodegroup")
    sizes = given["scalingConfig"]
    if not sizes["minSize"] <= sizes["desiredSize"] <= sizes["maxSize"]:
        message = "desired size must be between min size and max size"
        raise refused("CreateNodegroup", "InvalidParameterException", message)
    if template := given.get("launchTemplate", {}).get("id"):
        need(call, TEMPLATE, template, "CreateNodegroup", "CreateNodegroup", "InvalidLaunchTemplateId.NotFound",
             "The specified launch template, with template ID {id}, does not exist.")  # fmt: skip
    for subnet in _subnets(call, given["subnetIds"], "CreateNodegroup"):
        zone = subnet.get("availabilityZone")
        for name in given.get("instanceTypes") or ():
            if zone not in call.offers.zones_of(name, call.region):
                message = f"The requested instance type ({name}) is not supported in the Availability Zone {zone}."
                raise refused("CreateNodegroup", "InvalidParameterException", message)
    return {}


@RULES.on_update(POOL)
def _sizes(call: Call) -> Props:
    sizes = call.inputs["scalingConfig"]
    if not sizes["minSize"] <= sizes["desiredSize"] <= sizes["maxSize"]:
        message = "desired size must be between min size and max size"
        raise refused("UpdateNodegroupConfig", "InvalidParameterException", message)
    return {}


@RULES.on_create(ADDON, ENTRY, GRANT, IDENTITY)
def _part(call: Call) -> Props:
    _of_a_cluster(call, "CreateAddon" if call.token == ADDON else "CreateAccessEntry")
    return {}


@RULES.on_create(NAT)
def _nat(call: Call) -> Props:
    given = call.inputs
    _subnets(call, [given["subnetId"]], "CreateNatGateway")
    address = need(call, EIP, given["allocationId"], "creating EC2 NAT Gateway", "CreateNatGateway",
                   "InvalidAllocationID.NotFound", "The allocation ID '{id}' does not exist")  # fmt: skip
    return {"publicIp": address.get("publicIp")}


def _of_a_cluster(call: Call, operation: str) -> Record:
    name = call.inputs["clusterName"]
    found = call.find(CLUSTER, name)
    if found is None:
        raise refused(operation, "ResourceNotFoundException", f"No cluster found for name: {name}.")
    return found
