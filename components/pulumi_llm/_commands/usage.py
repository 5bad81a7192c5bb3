"""`pulumi-llm usage -s STACK`: what each key of a gateway has used, by key, model and day, as table, CSV or chart.

`--by` says what is told apart, and may be repeated: `--by key` (the default), `--by model`, `--by day`. Days are UTC's.
Days without use are rows of `--by day` alone only in the chart. Money is at the catalogue's prices. ``--json`` prints
``{"since", "by": […], "rows": [{…, "requests", "tokens_in", "tokens_out", "reserved", "cost_usd"}]}``.

Exit 0: done. Exit 1: the machine does not answer, or its gateway has not run yet. Exit 2: called wrongly.
"""

from __future__ import annotations

from pulumi_llm._commands import Command, OneOf, option
from pulumi_llm._commands._options import JSON, PROJECT, SIMULATED, STACK
from pulumi_llm._commands._values import one_of, places, whole
from pulumi_llm._texts import _

BY = ("key", "model", "day")
MEASURES = ("cost_usd", "tokens", "tokens_in", "tokens_out", "requests")

COMMAND = Command(
    name="usage",
    help="what each key of a gateway has used, by key, model and day",
    about=_("What each key of a gateway has used."),
    options=(
        STACK,
        SIMULATED,
        option("--at", type=one_of("machine", places), default="server", help="server or proxy"),
        PROJECT,
        option("--days", type=whole(1, 400), default=30, help="how many days back (default: 30)"),
        option(
            "--by",
            action="append",
            default=[],
            type=one_of("thing to tell apart", BY),
            metavar="WHAT",
            help="key (the default), model or day; may be repeated. Models are kept for 35 days",
        ),
        option("--by-day", action="store_true", help="the same as --by key --by day"),
        option("--audit", type=whole(1, 100_000), metavar="N", help="the last N calls instead, as JSON lines"),
        option(
            "--of",
            type=one_of("measure", MEASURES),
            metavar="M",
            help="of the chart: cost_usd, tokens, tokens_in, tokens_out or requests "
            "(default: cost_usd where anything cost money, else tokens)",
        ),
        OneOf(
            (
                JSON,
                option("--csv", action="store_true", help="as CSV"),
                option("--chart", action="store_true", help="as bars, each from 0 on and on one scale"),
            )
        ),
    ),
    of_machines="usage",
)
