"""A server that does not answer, held against the hours in which it should run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pulumi_llm._commands._status_ask import Answer
from pulumi_llm._plan.model import Plan
from pulumi_llm._texts import _
from pulumi_llm.errors import Refusal
from pulumi_llm.spec.hours import windows_of

SERVER = "llm:index:ModelServer"
DAY, WEEK = 24 * 60, 7 * 24 * 60


def explained(answers: Sequence[Answer], plan: Plan, now: datetime | None = None) -> list[Answer]:
    """The same answers; those of a server that should be on, or is off by its hours, say so."""
    said = word(plan, now)
    if said is None:
        return list(answers)
    return [
        replace(each, problem=replace(each.problem, hint=_("{hint}; {more}", hint=said, more=each.problem.hint)))
        if each.target.name == "server" and each.problem is not None and each.problem.code == "status.unreachable"
        else each
        for each in answers
    ]


def word(plan: Plan, now: datetime | None = None) -> str | None:
    """What the server's hours say of its not answering; None where it has none."""
    server = next((each.inputs for each in plan.resources if each.type == SERVER), {})
    hours, by_cloud = server.get("hours"), server.get("started_by") == "cloud"
    if not isinstance(hours, str):
        return None
    try:
        on = inside(hours, now or datetime.now(UTC))
    except (Refusal, ValueError, ZoneInfoNotFoundError):  # of another version
        return None
    if not on:
        return _("its hours are over ({hours})", hours=hours)
    if by_cloud:
        return _(
            "its hours have begun ({hours}), and its cloud was to start it: it may have had none left. "
            "`pulumi-llm start -s STACK` says what it answers; docs/user-guide.md names the logs",
            hours=hours,
        )
    return _("its hours have begun ({hours}): has anybody started it? `pulumi-llm start -s STACK`", hours=hours)


def inside(hours: str, now: datetime) -> bool:
    """Whether a machine with these hours shall run at that time."""
    windows, zone = windows_of(hours)
    local = now.astimezone(ZoneInfo(zone))
    minute = local.weekday() * DAY + local.hour * 60 + local.minute
    return any(start <= each < end for start, end in windows for each in (minute, minute + WEEK))
