"""AWS: the register of EC2's rules, its resource types, and errors as the provider prints them.

Error codes and texts are EC2's (API reference, common client and server errors), wrapped as the provider's SDK for
Go v2 prints them.
"""

from __future__ import annotations

from typing import Any

from pulumi_llm._simcloud.rules.base import Call, CloudError, Rules, request_id
from pulumi_llm._simcloud.store import Record

RULES = Rules()

VPC, SUBNET = "aws:ec2/vpc:Vpc", "aws:ec2/subnet:Subnet"
GATEWAY, TABLE, ROUTE = (
    "aws:ec2/internetGateway:InternetGateway",
    "aws:ec2/routeTable:RouteTable",
    "aws:ec2/route:Route",
)
ASSOCIATION = "aws:ec2/routeTableAssociation:RouteTableAssociation"
GROUP, KEY, INSTANCE = "aws:ec2/securityGroup:SecurityGroup", "aws:ec2/keyPair:KeyPair", "aws:ec2/instance:Instance"
INGRESS = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
EGRESS = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
EIP, EIP_ASSOCIATION = "aws:ec2/eip:Eip", "aws:ec2/eipAssociation:EipAssociation"
VOLUME, ATTACHMENT = "aws:ebs/volume:Volume", "aws:ec2/volumeAttachment:VolumeAttachment"
SCHEDULE, SNAPSHOT = "aws:dlm/lifecyclePolicy:LifecyclePolicy", "aws:ebs/snapshot:Snapshot"
GROUP_OF_MACHINES = "aws:ec2/placementGroup:PlacementGroup"
START = "aws:scheduler/schedule:Schedule"
ROLE, PROFILE = "aws:iam/role:Role", "aws:iam/instanceProfile:InstanceProfile"


def error(doing: str, service: str, operation: str, code: str, message: str, status: int = 400) -> CloudError:
    """An API error as the provider prints it."""
    return CloudError(
        f"1 error occurred:\n\t* {doing}: operation error {service}: {operation}, https response error "
        f"StatusCode: {status}, RequestID: {request_id()}, api error {code}: {message}"
    )


def ec2(doing: str, operation: str, code: str, message: str, status: int = 400) -> CloudError:
    """An error of EC2."""
    return error(doing, "EC2", operation, code, message, status)


RULES.failed_delete = lambda call: ec2(
    f"deleting {call.token}", "Delete", "InternalError", "An internal error has occurred", 500
)


def need(call: Call, type_: str, id_: Any, doing: str, operation: str, code: str, message: str) -> Record:
    """The resource that a call refers to; ``{id}`` in ``message`` is its id. Raises :class:`CloudError`."""
    found = call.find(type_, id_)
    if found is None:
        raise ec2(doing, operation, code, message.format(id=id_))
    return found
