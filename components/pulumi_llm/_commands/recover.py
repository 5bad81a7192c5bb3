"""`pulumi-llm recover -s STACK`: makes a model server's machine that is missing, or an alternative to it.

A machine is missing where its zone was sold out, or where a spot machine was taken. The server as it is written is
tried first, then each of `server.alternatives`, once each; what is taken is written into the stack's file
(`server.alternative`). Data disk, address, keys and limits stay. With ``--sim`` it works on a stack of
`pulumi-llm sim`.

Exit 0: the machine is there. Exit 1: refused, all sold out, failed, or not wanted. Exit 2: called wrongly.
"""

from __future__ import annotations

from pulumi_llm._commands import WRONG_CALL, Command, option
from pulumi_llm._commands._options import PROJECT, SIMULATED, STACK
from pulumi_llm._commands._values import amount

COMMAND = Command(
    name="recover",
    help="make a machine again that is missing, or an alternative to it",
    about=__doc__,
    options=(
        STACK,
        SIMULATED,
        PROJECT,
        option("-y", "--yes", action="store_true", help="do not ask"),
        option(
            "--snapshot",
            metavar="ID",
            help="in another zone, make the data disk from this snapshot, or from the `newest`; what is newer is lost",
        ),
        option(
            "--most",
            type=amount(100_000, zero=False),
            metavar="AMOUNT",
            help="leave out what costs more an hour, or has no known price (in the price list's currency)",
        ),
    ),
    wrong_call=(*WRONG_CALL, "power.not-confirmed"),
    long=True,
    of_machines="recover",
)
