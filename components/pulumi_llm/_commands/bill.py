"""`pulumi-llm bill -s STACK`: what a stack costs per hour and per month, and what a change to it costs.

Read from the plan, without engine, account or network: the program of `stacks/` is run, without the
caller's variables and home (see docs/review.md). `--against REF` plans the project as it was at that git
revision, with the library that is installed now, and tells the difference; `--against FILE` takes a bill that `--json`
wrote. The JSON is described in `pulumi_llm._review.bill_file` and `pulumi_llm._review.difference`; the command adds
`"against": {"name", "commit" | null} | null`, `"difference": {…} | null` and
`"budget": {"amount", "currency", "verdict": "within" | "over" | "undecided"} | null`.

Exit 0: done. Exit 1: over budget, undecided because of unknown prices, or the program refuses. Exit 2: called wrongly.
"""

from __future__ import annotations

from collections.abc import Sequence

from pulumi_llm._commands import WRONG_CALL, Command, Option, option
from pulumi_llm._commands._options import JSON, PROJECT, STACK
from pulumi_llm._commands._values import amount, currency
from pulumi_llm._texts import _


def _options() -> Sequence[Option]:
    from decimal import Decimal

    from pulumi_llm._review.item import DEFAULT_TRAFFIC_GIB
    from pulumi_llm._review.money import HOURS_PER_MONTH

    return (
        STACK,
        PROJECT,
        option(
            "--hours",
            type=amount(int(HOURS_PER_MONTH), zero=False),
            metavar="H",
            help="hours a month in which the machines run (default: 730); not with the two below",
        ),
        option(
            "--hours-per-day", type=amount(24, zero=False), metavar="H", help="the machines run that long (default: 24)"
        ),
        option("--days", type=amount(31, zero=False), metavar="D", help="on that many days a month (default: all)"),
        option(
            "--traffic-gib",
            type=amount(10**7),
            default=Decimal(DEFAULT_TRAFFIC_GIB),
            metavar="N",
            help="GiB a month out of each public address, an assumption (default: %(default)s)",
        ),
        option("--against", metavar="REF|FILE", help="a git revision, or a file that --json wrote"),
        option("--budget", type=amount(10**12), metavar="N", help="per month; exit 1 where it is exceeded"),
        option(
            "--currency",
            type=currency,
            default="CNY",
            help="of the budget: CNY (default) or USD",
        ),
        JSON,
    )


COMMAND = Command(
    name="bill",
    help="what a stack costs, line by line, and against another revision",
    about=_("What a stack costs, per hour and per month, in CNY and USD."),
    options=_options,
    wrong_call=(*WRONG_CALL, "bill.bad-file", "bill.no-git", "bill.no-such-revision", "bill.not-in-revision"),
)
