"""What AWS is told of a schedule that starts a machine: when, what it calls, and what its role may do. Pure.

EventBridge Scheduler calls the EC2 API itself: a universal target needs no function and no machine
(docs.aws.amazon.com/scheduler/latest/UserGuide/managing-targets-universal.html, read 2026-11-29).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pulumi_llm import catalog

if TYPE_CHECKING:
    from pulumi_llm.clouds.plans import StartPlan

ABOUT = "Lets EventBridge Scheduler start one machine of pulumi-llm, and nothing else"
DAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
TRIED_SECONDS = 3600
"""How long a start is tried again that EC2 did not take, because it had none left, say. The default is a day."""


def trust(machine: str | None) -> str:
    """Who may take the role on: the scheduler, for schedules of the account of that machine (its ARN) alone."""
    # In a unit test with bare mocks there is none, and a comparison of plans has a mere word in its place.
    parts = machine.split(":") if machine else []
    account = parts[4] if len(parts) > 4 else ""
    statement = {
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"aws:SourceAccount": account}},
        "Effect": "Allow",
        "Principal": {"Service": "scheduler.amazonaws.com"},
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]}, sort_keys=True)


def policy(*machines: str) -> str:
    """What lets a role start these instances (their ARNs), and nothing else."""
    statement = {"Effect": "Allow", "Action": ["ec2:StartInstances"], "Resource": [*machines]}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]}, sort_keys=True)


def target(region: str) -> str:
    """The call, as the scheduler names it."""
    return f"arn:{catalog.load().region('aws', region).partition}:scheduler:::aws-sdk:ec2:startInstances"


def asked(instance: str) -> str:
    """What the call is given."""
    return json.dumps({"InstanceIds": [instance]})


def schedule(plan: StartPlan, call: str, role: Any, given: Any) -> dict[str, Any]:
    """A schedule's arguments; ``role`` and ``given`` (what the call is given) are known once they are made."""
    return {
        "description": "Starts a machine of pulumi-llm when its hours begin",
        "schedule_expression": begins(plan),
        "schedule_expression_timezone": plan.zone,
        "flexible_time_window": {"mode": "OFF"},
        "state": "ENABLED",
        "target": {
            "arn": call,
            "role_arn": role,
            "input": given,
            "retry_policy": {"maximum_event_age_in_seconds": TRIED_SECONDS},
        },
    }


def begins(plan: StartPlan) -> str:
    """When, as a cron expression in the plan's own time zone, whose summer time counts."""
    days = ",".join(DAYS[each] for each in plan.days) if len(plan.days) < len(DAYS) else "*"
    return f"cron({plan.minute} {plan.hour} ? * {days} *)"
