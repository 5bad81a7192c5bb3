"""`pulumi-llm sim`: any Pulumi command, run by the real engine against the simulated clouds."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pulumi_llm._commands import DONE, Command
from pulumi_llm._commands import USAGE as CALLED_WRONGLY
from pulumi_llm._language import told
from pulumi_llm._texts import _

if TYPE_CHECKING:
    from pulumi_llm._simcloud.arguments import Request

ABOUT = _(
    "usage: pulumi-llm sim [--home DIR] [--project DIR] [--fault SPEC]… [--boot] "
    "PULUMI-COMMAND [its arguments]\n\nRuns the real Pulumi engine against simulated "
    "clouds: no account, no network, nothing bought.\n\n  --home DIR      where the "
    "simulation keeps its state (default: .pulumi-sim beside Pulumi.yaml)\n  --project "
    "DIR   the Pulumi project (default: searched for from the current folder upwards)\n  "
    "--fault SPEC    make the simulated cloud fail, such as no-stock:cn-shanghai-b; may "
    "be given several times\n  --boot          instances become machines that really boot "
    "(in a checkout, as root on Linux: docs/boot-tests.md)\n\nexamples:\n  pulumi-llm sim "
    "preview -s aliyun-t4        what would be made\n  pulumi-llm sim up -s aliyun-t4     "
    "        make it\n  pulumi-llm sim stack output -s aliyun-t4   what came of it\n  "
    "pulumi-llm sim stop -s aliyun-t4           its machine stands still; `sim start` starts it\n  "
    "pulumi-llm sim destroy -s aliyun-t4        and away with it\n"
)


OURS = ("stop", "start", "recover", "snapshots")
"""Commands of ours that `sim` takes as it takes Pulumi's: `sim stop` is `stop --sim`."""


def _read(argv: Sequence[str]) -> Request:
    """Its own options come first; all that follows is Pulumi's, and read by nobody here."""
    from pulumi_llm._simcloud.arguments import parse

    return parse(argv)


def _sim(request: Request) -> int:
    if request.help or not request.arguments:
        (sys.stdout if request.help else sys.stderr).write(told(ABOUT))
        return DONE if request.help else CALLED_WRONGLY
    if request.command in OURS:
        return _ours(request)
    from pulumi_llm._simcloud.command import run

    return run(request)


def _ours(request: Request) -> int:
    """A command of ours on the simulated stack, with the simulation's own options."""
    import os

    from pulumi_llm._commands import find
    from pulumi_llm._simcloud import faults

    rest = list(request.arguments)
    rest.remove(request.command)
    project = ["--project", str(request.project)] if request.project else []
    before = dict(os.environ)
    wanted = [before.get(faults.VARIABLE), *request.faults]
    os.environ[faults.VARIABLE] = ";".join(filter(None, wanted))
    if request.home:
        os.environ["PULUMI_LLM_SIM_HOME"] = str(request.home.expanduser().resolve())
    try:
        command = find(request.command)
        first = [rest.pop(0)] if command.commands and rest else []
        return command.run([*first, "--sim", *project, *rest], "pulumi-llm sim")
    finally:
        os.environ.clear()
        os.environ.update(before)


COMMAND = Command(
    name="sim",
    help="run pulumi against the simulated clouds",
    about=ABOUT,
    reader=_read,
    body=_sim,
    long=True,
)
