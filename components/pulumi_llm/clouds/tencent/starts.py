"""Tencent Cloud starts a machine when its hours begin: a function of SCF with a timer, and its role.

Its provider reads the code from a path on the machine that it runs on, at an `up` alone (resource_tc_scf_function.go at
00559248; read 2026-11-29). The path holds the code's digest: another version of it is another path, which is what makes
the provider send it.
"""

# mypy: no-warn-return-any
# The SDK's types are not read when this is checked (see pyproject.toml), so what it gives is Any.
from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pulumi
import tencentcloud_iac_pulumi as tencentcloud

from pulumi_llm.clouds import functions, support

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pulumi_llm.clouds.base import BareHost, MachineHandle, Scope
    from pulumi_llm.clouds.own_role import OwnRole
    from pulumi_llm.clouds.plans import StartPlan

NAME_LIMIT = 60
ENDPOINT = "cvm.tencentcloudapi.com"
RUNTIME = "Python3.10"


def policy(region: str, *instances: str) -> str:
    """What lets a role start these instances, and nothing else. An empty owner is the account of whoever makes it."""
    resources = [f"qcs::cvm:{region}::instance/{each}" for each in instances]
    statement = {"effect": "allow", "action": ["cvm:StartInstances"], "resource": resources}
    return json.dumps({"version": "2.0", "statement": [statement]}, sort_keys=True)


def let_start(name: str, front: BareHost, others: Sequence[BareHost], scope: Scope) -> pulumi.Resource:
    """A policy for these instances; the first one has the role since its launch."""
    assert front.role is not None  # noqa: S101 - it was ordered with one
    document = pulumi.Output.all(*(each.id for each in others)).apply(lambda ids: policy(scope.region, *ids))
    return grant(name, front.role, document, support.STARTS_ABOUT, scope)


def grant(
    name: str, role: OwnRole, document: pulumi.Output[str], about: str, scope: Scope
) -> tencentcloud.cam.RolePolicyAttachment:
    """A policy of the role's own."""
    allowed = tencentcloud.cam.Policy(
        f"{name}-policy",
        name=support.role_name(name, scope),
        document=document,
        description=about,
        opts=scope.options(),
    )
    return tencentcloud.cam.RolePolicyAttachment(
        f"{name}-grant", role_id=role.id, policy_id=allowed.id, opts=scope.options()
    )


def trust() -> str:
    """Who may take the role on: Serverless Cloud Function."""
    statement = {"action": "name/sts:AssumeRole", "effect": "allow", "principal": {"service": ["scf.qcloud.com"]}}
    return json.dumps({"version": "2.0", "statement": [statement]}, sort_keys=True)


def timer(plans: Sequence[StartPlan]) -> str:
    """The timer's expression: seven fields, from the second to the year (cloud.tencent.com/document/product/583/9708).

    Its hours may be those of UTC or of UTC+8: it runs each hour, whichever that is.
    """
    return f"0 {functions.every_hour(plans)} *"


def start_machine(
    name: str, plans: Sequence[StartPlan], machine: MachineHandle, tags: Mapping[str, str], scope: Scope
) -> None:
    """One function with its timer, and a role that may start this machine."""
    if not pulumi.runtime.is_dry_run():
        functions.write_code()
    role = tencentcloud.cam.Role(
        f"{name}-role",
        name=support.role_name(name, scope),
        document=trust(),
        description=functions.ROLE_ABOUT,
        console_login=False,
        tags=dict(tags),
        opts=scope.options(),
    )
    allowed = tencentcloud.cam.Policy(
        f"{name}-policy",
        name=support.role_name(name, scope),
        document=machine.id.apply(lambda instance: policy(scope.region, instance)),
        description=functions.ROLE_ABOUT,
        opts=scope.options(),
    )
    granted = tencentcloud.cam.RolePolicyAttachment(
        f"{name}-grant", role_id=role.id, policy_id=allowed.id, opts=scope.options()
    )
    tencentcloud.scf.Function(
        name,
        name=support.role_name(name, scope, NAME_LIMIT),
        description=functions.ABOUT,
        runtime=RUNTIME,
        handler=functions.HANDLER,
        zip_file=functions.code_path(),
        mem_size=functions.MEMORY_MIB,
        timeout=functions.SECONDS,
        # Without a VPC of its own there is no other way out.
        enable_public_net=True,
        role=role.name,
        environment={
            functions.VARIABLE: machine.id.apply(
                lambda instance: functions.settings("tencent", scope.region, ENDPOINT, instance, plans)
            )
        },
        triggers=[tencentcloud.scf.FunctionTriggerArgs(name="begins", type="timer", trigger_desc=timer(plans))],
        tags=dict(tags),
        # The provider would change it in place, which SCF does not (tencentcloud-sdk-python-scf 3.1.100).
        opts=scope.options(depends_on=[granted], delete_before_replace=True, replace_on_changes=["runtime"]),
    )
