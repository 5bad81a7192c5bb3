"""Aliyun starts a machine when its hours begin: a function of Function Compute 3.0, its timer, and its role.

Its code goes inline. The provider sends new code only with another change (docstring of `fc.V3Function`, 4.0.0), so
the description tells the code's digest. Its retries cannot be set to none: `fc.V3AsyncInvokeConfig` sends no 0 at its
creation (resource_alicloud_fcv3_async_invoke_config.go at 23735b5f; read 2026-11-29), so the function never fails.
"""

# mypy: no-warn-return-any
# The SDK's types are not read when this is checked (see pyproject.toml), so what it gives is Any.
from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pulumi
import pulumi_alicloud as alicloud

from pulumi_llm.clouds import functions, support

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pulumi_llm.clouds.base import BareHost, MachineHandle, Scope
    from pulumi_llm.clouds.own_role import OwnRole
    from pulumi_llm.clouds.plans import StartPlan

NAME_LIMIT = 64
ENDPOINTS = {"cn-hangzhou": "ecs-cn-hangzhou.aliyuncs.com"}
"""Where ECS answers in regions that have no address of the usual form (alibabacloud-ecs20140526 7.11.8)."""
RUNTIME = "python3.10"
"""The newest whose context lends credentials: 3.12 has another one (help.aliyun.com, Context, read 2026-11-29)."""


def policy(region: str, *instances: str) -> str:
    """What lets a role start these instances, and nothing else."""
    statement = {
        "Effect": "Allow",
        "Action": ["ecs:StartInstance"],
        "Resource": [f"acs:ecs:{region}:*:instance/{each}" for each in instances],
    }
    return json.dumps({"Version": "1", "Statement": [statement]}, sort_keys=True)


def let_start(name: str, front: BareHost, others: Sequence[BareHost], scope: Scope) -> pulumi.Resource:
    """A policy for these instances, and the role attached to the first one."""
    assert front.role is not None  # noqa: S101 - it was ordered with one
    document = pulumi.Output.all(*(each.id for each in others)).apply(lambda ids: policy(scope.region, *ids))
    return grant(name, front.role, document, support.STARTS_ABOUT, front.id, scope)


def grant(
    name: str, role: OwnRole, document: pulumi.Output[str], about: str, machine: pulumi.Output[str], scope: Scope
) -> alicloud.ecs.RamRoleAttachment:
    """A policy of the role's own, and the role attached to a machine (`role_name` of the instance is deprecated)."""
    allowed = alicloud.ram.Policy(
        f"{name}-policy",
        policy_name=support.role_name(name, scope),
        policy_document=document,
        description=about,
        # An old version of the policy, left over from a machine before, would be in the way of its end.
        force=True,
        # Each machine that takes the place of another makes one more version. RAM keeps five, and refuses a sixth
        # unless it is told to let the oldest go (CreatePolicyVersion, RotateStrategy; read 2026-11-29).
        rotate_strategy="DeleteOldestNonDefaultVersionWhenLimitExceeded",
        opts=scope.options(),
    )
    granted = alicloud.ram.RolePolicyAttachment(
        f"{name}-grant", role_name=role.name, policy_name=allowed.id, policy_type="Custom", opts=scope.options()
    )
    return alicloud.ecs.RamRoleAttachment(
        f"{name}-attachment",
        instance_id=machine,
        ram_role_name=role.name,
        # An instance has one role at a time.
        opts=scope.options(depends_on=[granted], delete_before_replace=True),
    )


def trust() -> str:
    """Who may take the role on: Function Compute."""
    statement = {"Action": "sts:AssumeRole", "Effect": "Allow", "Principal": {"Service": ["fc.aliyuncs.com"]}}
    return json.dumps({"Version": "1", "Statement": [statement]}, sort_keys=True)


def timer(plans: Sequence[StartPlan]) -> str:
    """The timer's settings: six fields, from the second on, in UTC (help.aliyun.com/document_detail/171746.html)."""
    return json.dumps({"cronExpression": f"0 {functions.every_hour(plans)}", "enable": True, "payload": ""})


def start_machine(
    name: str, plans: Sequence[StartPlan], machine: MachineHandle, tags: Mapping[str, str], scope: Scope
) -> None:
    """One function, one timer, and a role that may start this machine."""
    role = alicloud.ram.Role(
        f"{name}-role",
        role_name=support.role_name(name, scope),
        assume_role_policy_document=trust(),
        description=functions.ROLE_ABOUT,
        tags=dict(tags),
        opts=scope.options(),
    )
    allowed = alicloud.ram.Policy(
        f"{name}-policy",
        policy_name=support.role_name(name, scope),
        policy_document=machine.id.apply(lambda instance: policy(scope.region, instance)),
        description=functions.ROLE_ABOUT,
        # As with the role of a machine: see `grant`.
        force=True,
        rotate_strategy="DeleteOldestNonDefaultVersionWhenLimitExceeded",
        opts=scope.options(),
    )
    granted = alicloud.ram.RolePolicyAttachment(
        f"{name}-grant", role_name=role.id, policy_name=allowed.id, policy_type="Custom", opts=scope.options()
    )
    host = ENDPOINTS.get(scope.region, f"ecs.{scope.region}.aliyuncs.com")
    function = alicloud.fc.V3Function(
        name,
        function_name=support.role_name(name, scope, NAME_LIMIT),
        description=f"{functions.ABOUT} ({functions.digest()})",
        runtime=RUNTIME,
        handler=functions.HANDLER,
        code=alicloud.fc.V3FunctionCodeArgs(zip_file=functions.code_text()),
        cpu=0.05,
        memory_size=functions.MEMORY_MIB,
        disk_size=512,
        timeout=functions.SECONDS,
        internet_access=True,
        role=role.arn,
        environment_variables={
            functions.VARIABLE: machine.id.apply(
                lambda instance: functions.settings("aliyun", scope.region, host, instance, plans)
            )
        },
        tags=dict(tags),
        opts=scope.options(depends_on=[granted]),
    )
    alicloud.fc.V3Trigger(
        f"{name}-timer",
        function_name=function.function_name,
        trigger_name="begins",
        trigger_type="timer",
        qualifier="LATEST",
        trigger_config=timer(plans),
        opts=scope.options(),
    )
