"""`pulumi-llm stop -s STACK`: stops a stack's GPU machine so that it is not paid for; disks, address and keys stay.

It asks the cloud's own API, with your credentials, for the mode that ends the charge: StopCharging on Aliyun,
STOP_CHARGING on Tencent Cloud; on AWS every stop does. Before, it says what stops costing and what goes on, and asks.
With ``--sim`` it stops machines of `pulumi-llm sim`.

Exit 0: it stands still, or did already. Exit 1: refused, denied, not in time, or not wanted. Exit 2: called wrongly.
"""

from __future__ import annotations

from pulumi_llm._commands import WRONG_CALL, Command
from pulumi_llm._commands._power_options import options_of, run

COMMAND = Command(
    name="stop",
    help="stop a stack's GPU machine, so that it is not paid for",
    about=__doc__,
    options=options_of(minutes=10),
    body=lambda asked: run("stopped", asked),
    wrong_call=(*WRONG_CALL, "power.not-confirmed"),
    long=True,
    of_machines="stop",
)
