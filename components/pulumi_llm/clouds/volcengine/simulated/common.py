"""Volcengine: the register of its rules, its resource types, and errors as its provider prints them.

The API answers a code and a sentence, which the provider prints behind what it was about. Codes are those that public
reports and tools name (2026-11-29); most sentences are worded after them, and were not seen as they are here.
"""

from __future__ import annotations

from typing import Any

from pulumi_llm._simcloud.rules.base import Call, CloudError, Rules, request_id
from pulumi_llm._simcloud.store import Record

RULES = Rules()

VPC, SUBNET = "volcengine:vpc/vpc:Vpc", "volcengine:vpc/subnet:Subnet"
GROUP = "volcengine:vpc/securityGroup:SecurityGroup"
GROUP_RULE = "volcengine:vpc/securityGroupRule:SecurityGroupRule"
KEY, INSTANCE = "volcengine:ecs/keyPair:KeyPair", "volcengine:ecs/instance:Instance"
EIP, EIP_ASSOCIATION = "volcengine:eip/address:Address", "volcengine:eip/associate:Associate"
VOLUME, ATTACHMENT = "volcengine:ebs/volume:Volume", "volcengine:ebs/volumeAttach:VolumeAttach"

ABOUT = {
    VPC: "vpc",
    SUBNET: "subnet",
    GROUP: "securityGroup",
    GROUP_RULE: "securityGroupRule",
    KEY: "ecs key pair",
    INSTANCE: "ecs instance ",
    EIP: "eip address",
    EIP_ASSOCIATION: "eip associate",
    VOLUME: "volume",
    ATTACHMENT: "volume attach",
}


def error(call: Call, doing: str, code: str, message: str, status: int = 400) -> CloudError:
    """An API error as the provider prints it; ``doing`` is creating, updating or deleting."""
    what = ABOUT.get(call.token, call.token)
    return CloudError(
        f'1 error occurred:\n\t* error on {doing} {what} "{call.id}", {code}: {message}\n\t'
        f"status code: {status}, request id: {request_id().replace('-', '').upper()}"
    )


RULES.failed_delete = lambda call: error(
    call, "deleting", "InternalError", "The request processing has failed due to some unknown error.", 500
)


def need(call: Call, type_: str, id_: Any, code: str, message: str) -> Record:
    """The resource that a call refers to. Raises :class:`CloudError`."""
    found = call.find(type_, id_)
    if found is None:
        raise error(call, "creating", code, message, 404)
    return found
