"""`pulumi-llm outlook -s STACK`: what of a stack ends, and when; made for a job that runs once a week.

The models that vendors switch off, what is published against the things that nodes install, the end of support of
system, driver and Python, keys and exceptions with a last day, prices older than a year. All of it is read from the
program and from the package's own data, without an account or a network; how old that data is stands below.
`--deployed` reads the ends of certificates out of the stack's state (`pulumi stack export`), `--ask` asks the machines
themselves for theirs too. `--usage` asks the gateways over SSH which keys use up what a day or a month allows them.
`--json` prints ``{"stack", "today", "within", "ends": [{"code", "level", "name", "where", "message", "hint", "day",
"days_left", "source", "source_date", "accepted"}], "data": [{"what", "as_of", "days"}], "certificates":
"not looked at" | "state" | "machines", "quotas": "not looked at" | "gateways"}``, where a level is now, soon, later or
note.

Exit 0: nothing is at the level of `--fail-on`. Exit 1: something is, or the program refuses. Exit 2: called wrongly.
"""

from __future__ import annotations

from pulumi_llm._commands import WRONG_CALL, Command, option
from pulumi_llm._commands._options import JSON, PROJECT, SIMULATED, STACK
from pulumi_llm._commands._values import whole
from pulumi_llm._texts import _

COMMAND = Command(
    name="outlook",
    help="what of a stack ends: models, support, keys, certificates, advisories",
    about=_("What of a stack ends, and when."),
    options=(
        STACK,
        PROJECT,
        SIMULATED,
        option("--within", type=whole(0, 3650), default=90, metavar="DAYS", help="what counts as soon (default: 90)"),
        option(
            "--fail-on",
            choices=("now", "soon", "never"),
            default="soon",
            help="exit 1 at what has ended or is at fault (now), or also at what ends soon (the default), or never",
        ),
        option(
            "--accept",
            action="append",
            default=[],
            metavar="NAME",
            help="an advisory, a model, a key or a code that is known: told, and no reason to fail; may be repeated",
        ),
        option("--deployed", action="store_true", help="the certificates too, out of the stack's state"),
        option("--usage", action="store_true", help="what keys have used of their days and months, from the gateways"),
        option("--ask", action="store_true", help="the certificates too, from the state and from the machines"),
        JSON,
    ),
    wrong_call=WRONG_CALL,
    long=True,
)
