"""`pulumi-llm diff --base REF [-s STACK…]`: what a change does to the machines, what it costs, which rule it breaks.

The programs of both revisions are run here, without engine, account or network: the one at REF in a throw-away folder,
the other as it is in the work tree. They get a few variables by name and an empty home
(`pulumi_llm._plan.environment`), which is no sandbox: a stranger's change is for a machine without secrets. One
Markdown comment for all stacks asked for (default: every stack of the project) goes to standard output or `--out`;
`--json` gives the same as data (see docs/review.md).

Exit 0: done. Exit 1: a gate of `--fail-on` is not passed, or a program refuses. Exit 2: called wrongly.
"""

from __future__ import annotations

from pulumi_llm._commands import EVERY, Command, option
from pulumi_llm._commands._options import PROJECT, REVIEW
from pulumi_llm._texts import _

COMMAND = Command(
    name="diff",
    help="what a change does to the machines, what it costs, which rule it breaks",
    about=_(
        "What a change does to the machines: one comment, made without credentials. The "
        "programs of both revisions are run on this machine, with a few named variables and "
        "an empty home; that is no sandbox."
    ),
    options=(
        option("--base", required=True, metavar="REF", help="the git revision to compare with, such as origin/main"),
        option(
            "-s", "--stack", nargs="+", action="extend", metavar="STACK", help="stacks (default: all of the project)"
        ),
        PROJECT,
        option("--base-python", metavar="PYTHON", help="the interpreter of another environment for the revision"),
        *REVIEW,
    ),
    wrong_call=EVERY,
)
