"""What ends, looked up and told: the body of `pulumi-llm outlook`."""

from __future__ import annotations

import contextlib
import json
import sys
from argparse import Namespace
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

from pulumi_llm import _outputs as outputs
from pulumi_llm import catalog
from pulumi_llm._commands import DONE, REFUSED
from pulumi_llm._commands import _outlook_certificates as certificates
from pulumi_llm._commands import _outlook_quotas as quotas
from pulumi_llm._commands import _outlook_text as text
from pulumi_llm._outlook import stack as outlook
from pulumi_llm._outlook.ends import End, order
from pulumi_llm._plan import project as projects
from pulumi_llm._plan import state
from pulumi_llm._plan.capture import capture_stack
from pulumi_llm._plan.model import Plan
from pulumi_llm._review import policy
from pulumi_llm._review.bill import make_bill
from pulumi_llm._review.item import Usage
from pulumi_llm._review.stack_review import default_regions
from pulumi_llm._texts import _, listed
from pulumi_llm.errors import Finding

FAILS = {"now": ("now",), "soon": ("now", "soon"), "never": ()}


def run(asked: Namespace) -> int:
    """Print what ends. Gives the exit code."""
    today = datetime.now(UTC).date()
    with contextlib.redirect_stdout(sys.stderr):  # what the program itself prints is not part of it
        plan = capture_stack(asked.project, asked.stack)
    ends = [
        *outlook.ends_of(plan, today),
        *outlook.exceptions(policy.of_stack(asked.project, asked.stack).exceptions),
        *old_prices(plan, today),
        *outlook.old_data(today),
        *(_certificates(asked, today) if asked.deployed or asked.ask else ()),
        *(quotas.of_gateways(asked, plan, today) if asked.usage else ()),
    ]
    ends.sort(key=lambda each: order(each, today, asked.within))
    failing = [
        each
        for each in ends
        if each.level(today, asked.within) in FAILS[asked.fail_on] and not each.accepted(asked.accept)
    ]
    if asked.json:
        sys.stdout.write(json.dumps(_as_json(asked, ends, today), indent=2, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write(text.page(asked, ends, outlook.known(), today))
    _complain_of_idle(asked.accept, ends)
    return REFUSED if failing else DONE


def old_prices(plan: Plan, today: date) -> list[End]:
    """The bill's own word about prices that are older than a year."""
    data = catalog.load()
    bill = make_bill(plan, data, Usage(), today=today, default_regions=default_regions(plan, data))
    lines = [each for each in bill.lines if each.price is not None and each.price.stale]
    return [
        End(
            code=each.code,
            name="old-price",
            message=each.message,
            hint=_("`pulumi-llm catalog refresh` asks the clouds for today's"),
            where=listed(dict.fromkeys(line.resource for line in lines)),
        )
        for each in bill.findings()
        if each.code == "bill.old-price"
    ]


def _certificates(asked: Namespace, today: date) -> list[End]:
    exported = outputs.state(asked.project, asked.stack, simulated=asked.sim)
    project = projects.find(asked.project)
    plan = state.plan_of(exported, project.name, asked.stack)
    found = certificates.in_state(plan)
    if asked.ask:
        told = outputs.read(asked.project, asked.stack, simulated=asked.sim)
        found += certificates.of_machines(told, plan, today)
    return found


def _complain_of_idle(names: Sequence[str], ends: Sequence[End]) -> None:
    idle = [name for name in names if not any(each.accepted([name]) for each in ends)]
    if idle:
        message = _("nothing here is called {names} (any more)", names=listed(idle))
        found = Finding("outlook.accepted-nothing", message, _("take it out of --accept"), severity="warning")
        sys.stderr.write(f"{found.text()}\n")


def _as_json(asked: Namespace, ends: Sequence[End], today: date) -> dict[str, Any]:
    return {
        "stack": asked.stack,
        "today": today.isoformat(),
        "within": asked.within,
        "ends": [{**each.to_json(today, asked.within), "accepted": each.accepted(asked.accept)} for each in ends],
        "data": [each.to_json(today) for each in outlook.known()],
        "certificates": "machines" if asked.ask else "state" if asked.deployed else "not looked at",
        "quotas": "gateways" if asked.usage else "not looked at",
    }
