"""What the keys of a stack's gateways have used of their days and months, asked of the gateways over SSH."""

from __future__ import annotations

from argparse import Namespace
from datetime import date

from pulumi_llm import _channel as channel
from pulumi_llm._commands._status_hours import word
from pulumi_llm._outlook import quotas
from pulumi_llm._outlook.ends import End
from pulumi_llm._plan.model import Plan
from pulumi_llm._texts import _
from pulumi_llm.errors import Refusal

NOT_ANSWERED = ("channel.no-machine", "channel.unreachable", "usage.no-ledger")
"""What one gateway may have instead of an answer. Whatever else is in the way is in the way of asking any of them."""
PLACES = {"llm:index:ModelServer": "server", "llm:index:OverseasProxy": "proxy"}


def of_gateways(asked: Namespace, plan: Plan, today: date) -> list[End]:
    """What ends there; a gateway that does not answer is a note.

    Raises Refusal where none can be asked: without Pulumi or SSH here, or the stack's outputs.
    """
    found: list[End] = []
    for type_, place in PLACES.items():
        if not plan.of_type(type_):
            continue
        try:
            machine = channel.machine_of(asked.project, asked.stack, place, simulated=asked.sim)
            keys = channel.ask(machine, "list", {})["keys"]
            used = channel.ask(machine, "usage", {"days": quotas.DAYS_ASKED})["days"]
        except Refusal as refusal:
            first = refusal.findings[0]
            if first.code not in NOT_ANSWERED:
                raise
            off = word(plan) if place == "server" else None
            hint = _("{hint}; {more}", hint=off, more=first.hint) if off else first.hint
            found.append(quotas.not_seen(place, first.message, hint))
            continue
        found += quotas.quotas(keys, used, today, place)
    return found
