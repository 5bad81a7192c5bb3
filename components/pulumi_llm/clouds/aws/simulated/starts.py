"""AWS: rules for schedules of EventBridge Scheduler.

Codes and messages are those of the API reference (scheduler 2021-06-30) and of the user guide's page on its execution
role, from general knowledge, 2026-11-29.
"""

from __future__ import annotations

import json
import re
from zoneinfo import available_timezones

from pulumi_llm._provider_facts.values import Props
from pulumi_llm._simcloud.rules.base import Call

from .common import ROLE, RULES, START, error

_CRON = re.compile(r"cron\([0-9*/,-]+ [0-9*/,-]+ (?:\?|[0-9*/,LW-]+) [A-Z0-9*/,-]+ (?:\?|[A-Z0-9*/,L#-]+) [0-9*/,-]+\)")
_OTHERS = re.compile(r"rate\([1-9]\d* (?:minute|hour|day)s?\)|at\(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\)")


@RULES.on_create(START)
@RULES.on_update(START)
def _schedule(call: Call) -> Props:
    target, expression = call.inputs["target"], str(call.inputs["scheduleExpression"])
    role = call.store.get(ROLE, str(target["roleArn"]).rpartition("/")[2])
    if role is None or "scheduler.amazonaws.com" not in str(role.get("assumeRolePolicy")):
        raise _invalid("The execution role you provide must allow AWS EventBridge Scheduler to assume the role.")
    if not _CRON.fullmatch(expression) and not _OTHERS.fullmatch(expression):
        raise _invalid(f"Invalid Schedule Expression {expression}.")
    zone = call.inputs.get("scheduleExpressionTimezone")
    if zone and available_timezones() and zone not in available_timezones():
        raise _invalid(f"Invalid timezone {zone}.")
    if ":aws-sdk:" in str(target["arn"]):
        try:
            json.loads(target.get("input") or "")
        except ValueError:
            raise _invalid("Invalid JSON in target input.") from None
    return {}


def _invalid(message: str) -> Exception:
    return error(
        "creating EventBridge Scheduler Schedule", "Scheduler", "CreateSchedule", "ValidationException", message
    )
