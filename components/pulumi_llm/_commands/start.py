"""`pulumi-llm start -s STACK`: starts what `pulumi-llm stop` stopped, and waits until its node is ready.

The cloud may have no such machine left: then it says which other types and zones there are, and what they cost.
With ``--sim`` it starts machines of `pulumi-llm sim`.

Exit 0: it runs, and is ready as far as it can be asked. Exit 1: refused, denied, sold out, failed, not in time, or not
wanted. Exit 2: called wrongly.
"""

from __future__ import annotations

from pulumi_llm._commands import WRONG_CALL, Command, option
from pulumi_llm._commands._power_options import options_of, run

COMMAND = Command(
    name="start",
    help="start what `stop` stopped, and wait until it is ready",
    about=__doc__,
    options=(
        *options_of(minutes=20),
        option("--no-wait", action="store_true", help="do not wait until the node is ready"),
    ),
    body=lambda asked: run("running", asked),
    wrong_call=(*WRONG_CALL, "power.not-confirmed"),
    long=True,
    of_machines="start",
)
