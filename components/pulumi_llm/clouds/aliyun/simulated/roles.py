"""Aliyun: rules for RAM roles, their policies, and the role of a machine.

What RAM refuses, with which code: its API reference (2015-05-01), and what the provider expects and waits out
(resource_alicloud_ram_*.go of terraform-provider-alicloud at 81c43b67); read 2026-11-29. RAM has no regions.
"""

from __future__ import annotations

from typing import Any

from pulumi_llm._provider_facts.values import Props
from pulumi_llm._simcloud.rules.base import Call
from pulumi_llm._simcloud.store import Record

from .common import GRANT, INSTANCE, POLICY, ROLE, ROLE_ATTACHMENT, RULES, error, need

VERSIONS = 5
"""How many versions a policy may have (RAM, limits of custom policies, 2026-11-29)."""
ROTATES = "DeleteOldestNonDefaultVersionWhenLimitExceeded"
"""The strategy by which an old version makes room for one more (CreatePolicyVersion, ``RotateStrategy``)."""


@RULES.on_create(ROLE)
def _role(call: Call) -> Props:
    name = str(call.inputs["roleName"])
    if call.store.get(ROLE, name):
        message = f"The role already exists : {name} ."
        raise error(call, "CreateRole", "EntityAlreadyExists.Role", message, 409)
    return {}


@RULES.on_delete(ROLE)
def _role_ends(call: Call, record: Record) -> None:
    message = "The role can not have policy attached while deleting."
    _ends(call, record, call.store.list(GRANT, roleName=record.id), "DeleteRole", message)


@RULES.on_create(POLICY)
def _policy(call: Call) -> Props:
    name = str(call.inputs["policyName"])
    if call.store.get(POLICY, name):
        message = f"The policy already exists : {name} ."
        raise error(call, "CreatePolicy", "EntityAlreadyExists.Policy", message, 409)
    return {"versionId": "v1"}


@RULES.on_update(POLICY)
def _other_policy(call: Call) -> Props:
    """Another document is another version; of the older ones none goes by itself."""
    if not call.changed("policyDocument"):
        return {}
    newest = int(str(call.state.get("defaultVersion") or "v1").removeprefix("v"))
    kept = call.state.get("versions")
    count = newest if kept is None else len(kept)
    if count >= VERSIONS and call.inputs.get("rotateStrategy") != ROTATES:
        message = f"The count of policy versions can not exceed {VERSIONS} ."
        raise error(call, "CreatePolicyVersion", "LimitExceeded.Policy.Version", message, 409)
    return {"defaultVersion": f"v{newest + 1}", "versionId": f"v{newest + 1}"}


@RULES.on_delete(POLICY)
def _policy_ends(call: Call, record: Record) -> None:
    message = "The policy can not be attached to any role while deleting."
    _ends(call, record, call.store.list(GRANT, policyName=record.id), "DeletePolicy", message)


def _ends(call: Call, record: Record, held: list[Record], operation: str, message: str) -> None:
    """End a role or a policy; one that is ``held`` by grants only where the provider detaches them itself."""
    if held and not record.get("force"):
        raise error(call, operation, "DeleteConflict.Role.Policy", message, 409)
    for each in held:
        call.store.remove(each)


@RULES.on_create(GRANT)
def _grant(call: Call) -> Props:
    operation = "AttachPolicyToRole"
    role, policy = str(call.inputs["roleName"]), str(call.inputs["policyName"])
    if call.store.get(ROLE, role) is None:
        raise error(call, operation, "EntityNotExist.Role", f"The role not exists : {role} .", 404)
    if call.inputs.get("policyType") == "Custom" and call.store.get(POLICY, policy) is None:
        raise error(call, operation, "EntityNotExist.Policy", f"The policy not exists : {policy} .", 404)
    if call.store.list(GRANT, roleName=role, policyName=policy, policyType=call.inputs.get("policyType")):
        message = "The policy is already attached to the role."
        raise error(call, operation, "EntityAlreadyExists.Role.Policy", message, 409)
    return {}


@RULES.on_create(ROLE_ATTACHMENT)
def _role_attachment(call: Call) -> Props:
    operation = "AttachInstanceRamRole"
    message = "The specified InstanceId does not exist."
    need(call, INSTANCE, call.inputs["instanceId"], operation, "InvalidInstanceId.NotFound", message)
    name: Any = call.inputs["ramRoleName"]
    if call.store.get(ROLE, name) is None:
        message = 'The specified parameter "RAMRoleName" does not exist.'
        raise error(call, operation, "InvalidRamRole.NotFound", message, 404)
    return {}
