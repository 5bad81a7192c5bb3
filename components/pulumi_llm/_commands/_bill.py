"""A stack's bill, and the one to compare it with: the body of `pulumi-llm bill`."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
from argparse import Namespace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from pulumi_llm import catalog
from pulumi_llm._commands import DONE, UsageError
from pulumi_llm._commands._values import STEP
from pulumi_llm._language import tr
from pulumi_llm._plan import environment
from pulumi_llm._plan import project as projects
from pulumi_llm._plan.capture import capture_stack
from pulumi_llm._review import bill_file, bill_text, difference, revision
from pulumi_llm._review.bill import Bill, make_bill
from pulumi_llm._review.item import Usage
from pulumi_llm._review.money import HOURS_PER_MONTH
from pulumi_llm._texts import _
from pulumi_llm.errors import Finding, Refusal


def run(asked: Namespace) -> int:
    """Print the bill. Gives the exit code."""
    usage = _usage(asked)
    before = against = None
    if asked.against is not None:
        before, against = _before(asked)
    now = _bill(asked.project, asked.stack, usage)
    change = difference.compare(before, now) if before is not None else None
    verdict = _verdict(now, asked.budget, asked.currency) if asked.budget is not None else None
    if asked.json:
        content = bill_file.to_json(now)
        content["against"] = against
        content["difference"] = change.to_json() if change is not None else None
        content["budget"] = (
            {"amount": float(asked.budget), "currency": asked.currency, "verdict": verdict} if verdict else None
        )
        sys.stdout.write(json.dumps(content, indent=2, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write(bill_text.bill_text(now, asked.currency))
        if change is not None and against is not None:
            sys.stdout.write(bill_text.difference_text(change, _named(against), asked.currency))
        if verdict is not None:
            sys.stdout.write(bill_text.budget_text(verdict, asked.budget, asked.currency, now))
    if verdict in ("over", "undecided"):
        raise Refusal([_over(verdict, now, asked.budget, asked.currency)])
    return DONE


def _bill(folder: Path, stack: str, usage: Usage) -> Bill:
    project = projects.find(folder)
    values = projects.read_stack(project, stack).values
    with contextlib.redirect_stdout(sys.stderr):  # what the program itself prints is not part of the bill
        plan = capture_stack(folder, stack)
    data = catalog.load()
    packages = [facts.pulumi_package for facts in data.clouds.values()]
    regions = {each: values[f"{each}:region"] for each in packages if values.get(f"{each}:region")}
    return make_bill(plan, data, usage, today=datetime.now(UTC).date(), default_regions=regions)


def _before(asked: Namespace) -> tuple[Bill, dict[str, Any]]:
    """The bill to compare with, and what it is called."""
    path = Path(asked.against)
    if path.is_file():
        return bill_file.read(path), {"name": asked.against, "commit": None}
    project = projects.find(asked.project)
    project.stack_file(asked.stack)
    found = revision.find(asked.against, project.folder)
    with revision.files_of(found) as folder:
        then = projects.at(folder)
        if then is None:
            raise Refusal(
                [
                    Finding(
                        "bill.not-in-revision",
                        _(
                            "{against} has no Pulumi.yaml in {prefix}",
                            against=asked.against,
                            prefix=found.prefix or _("its top folder"),
                        ),
                        _("a revision in which the project is in the same folder"),
                    )
                ]
            )
        named = {"name": asked.against, "commit": found.commit}
        if asked.stack in project.stacks() and asked.stack not in then.stacks():
            sys.stderr.write(
                tr("note: {against} has no stack {stack}: all of it is new\n", against=asked.against, stack=asked.stack)
            )
            return _nothing(asked), named
        return _planned(folder, asked), named


def _planned(folder: Path, asked: Namespace) -> Bill:
    """The bill of the project in ``folder``, from a process of its own: the program's modules are loaded once each."""
    command = [sys.executable, "-P", "-m", "pulumi_llm.cli", "bill", "--json"]
    command += ["--stack", asked.stack, "--project", str(folder), "--traffic-gib", str(asked.traffic_gib)]
    for option in ("hours", "hours-per-day", "days"):
        value = getattr(asked, option.replace("-", "_"))
        command += [f"--{option}", str(value)] if value is not None else []
    with tempfile.TemporaryDirectory(prefix="pulumi-llm-home-") as home:
        variables = environment.of_program(home)
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False, env=variables)
    if done.returncode != 0:
        said = done.stderr.strip().replace(str(folder), asked.against)
        if "Traceback (most recent call last)" in said:  # the program itself failed: its last line says how
            said = said.splitlines()[-1]
        stack = _("the stack {stack} as it was at {against}", stack=asked.stack, against=asked.against)
        raise Refusal(
            [
                Finding(
                    "bill.revision-refused",
                    _("{stack} cannot be planned with this version:\n{said}", stack=stack, said=said),
                    _("a later revision, or a file that `--json` wrote at the time"),
                )
            ]
        )
    return bill_file.parse(done.stdout, asked.against)


def _nothing(asked: Namespace) -> Bill:
    usage = _usage(asked)
    today = datetime.now(UTC).date()
    return Bill("", asked.stack, today, usage.running, usage.traffic_gib, catalog.load().exchange_rate)


def _verdict(bill: Bill, budget: Decimal, currency: str) -> str:
    if bill.per_month.of(currency) > budget:
        return "over"
    return "undecided" if bill.at_least else "within"


def _over(verdict: str, bill: Bill, budget: Decimal, currency: str) -> Finding:
    monthly = bill.per_month.of(currency)
    if verdict == "over":
        least = _("at least ") if bill.at_least else ""
        message = _(
            "the stack costs {least}{monthly:,.2f} {currency} a month, and the budget is {budget:,.2f}",
            least=least,
            monthly=monthly,
            currency=currency,
            budget=budget,
        )
        return Finding(
            "bill.over-budget", message, _("fewer hours, a smaller machine (`pulumi-llm offers`), or a new budget")
        )
    count = len(bill.unknown)
    message = _(
        "what is known costs {monthly:,.2f} {currency} of a budget of {budget:,.2f} a month, "
        "but {prices} unknown: the whole may or may not be within it",
        monthly=monthly,
        currency=currency,
        budget=budget,
        prices=_("{count} prices are", count=count) if count > 1 else _("1 price is"),
    )
    return Finding("bill.budget-undecided", message, _("look up the unknown prices and take them off the budget"))


def _usage(asked: Namespace) -> Usage:
    running = HOURS_PER_MONTH if asked.hours is None else asked.hours
    by_day = asked.hours_per_day is not None or asked.days is not None
    if asked.hours is not None and by_day:
        raise UsageError(_("--hours is the whole month's: leave it out, or --hours-per-day and --days"))
    if by_day:
        hours = asked.hours_per_day if asked.hours_per_day is not None else Decimal(24)
        # 24 hours on 31 days are more than the month of 730 hours that prices are multiplied by.
        asked_for = hours * asked.days if asked.days is not None else HOURS_PER_MONTH * hours / 24
        running = max(min(HOURS_PER_MONTH, asked_for).quantize(STEP), STEP)
    return Usage(running=running, traffic_gib=asked.traffic_gib)


def _named(against: dict[str, Any]) -> str:
    commit = against["commit"]
    return against["name"] if commit is None else f"{against['name']} ({commit[:10]})"
