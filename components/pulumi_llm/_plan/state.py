"""A stack's state, as `pulumi stack export` writes it: what is there, in the form of what a program registers.

Secrets stay as the engine encrypted them. Format: pulumi/pulumi, sdk/go/common/apitype (DeploymentV3), of 3.237.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pulumi_llm._plan.model import Plan
from pulumi_llm._plan.preview import resource_of
from pulumi_llm._texts import _
from pulumi_llm.errors import Finding, Refusal


def plan_of(exported: Mapping[str, Any], project: str, stack: str) -> Plan:
    """The resources of a state. What is to be deleted, and what is not there any more, is left out.

    Raises Refusal ``state.unreadable``.
    """
    plan = Plan(project, stack)
    try:
        for row in (exported.get("deployment") or {}).get("resources") or []:
            made = resource_of(row)
            if made is not None and not row.get("delete") and made.type != "pulumi:pulumi:Stack":
                plan.resources.append(made)
    except (KeyError, TypeError, AttributeError, ValueError) as wrong:
        message = _(
            "the state of {stack!r} is not as the engine writes it ({name}: {problem})",
            stack=stack,
            name=type(wrong).__name__,
            problem=wrong,
        )
        raise Refusal([Finding("state.unreadable", message, _("update pulumi-llm or Pulumi"))]) from None
    return plan
