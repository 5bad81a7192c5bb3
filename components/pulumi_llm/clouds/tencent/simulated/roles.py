"""Tencent Cloud: rules for CAM roles and their policies (2019-01-16; codes as listed in its SDK, cam 3.1.181)."""

from __future__ import annotations

from pulumi_llm._provider_facts.values import Props
from pulumi_llm._simcloud.rules.base import Call

from .common import GRANT, POLICY, ROLE, RULES, error


@RULES.on_create(ROLE)
def _role(call: Call) -> Props:
    name = call.inputs["name"]
    if call.store.list(ROLE, name=name):
        raise error("InvalidParameter.RoleNameInUse", f"The role name `{name}` is in use.")
    return {}


@RULES.on_create(POLICY)
def _policy(call: Call) -> Props:
    name = call.inputs["name"]
    if call.store.list(POLICY, name=name):
        raise error("FailedOperation.PolicyNameInUse", f"The policy name `{name}` is in use.")
    return {}


@RULES.on_create(GRANT)
def _grant(call: Call) -> Props:
    role, policy = str(call.inputs["roleId"]), str(call.inputs["policyId"])
    if call.store.get(ROLE, role) is None:
        raise error("InvalidParameter.RoleNotExist", f"The role `{role}` does not exist.")
    found = call.store.get(POLICY, policy)
    if found is None:
        raise error("InvalidParameter.PolicyIdNotExist", f"The policy `{policy}` does not exist.")
    return {"policyName": found.get("name")}
