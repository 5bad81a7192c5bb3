"""`pulumi-llm sim`: any Pulumi command, run by the real engine against the simulated clouds."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pulumi_llm.commands import DONE, Command
from pulumi_llm.commands import USAGE as CALLED_WRONGLY

if TYPE_CHECKING:
    from pulumi_llm.simcloud.arguments import Request

ABOUT = """\
usage: pulumi-llm sim [--home DIR] [--project DIR] [--fault SPEC]… [--boot] PULUMI-COMMAND [its arguments]

Runs the real Pulumi engine against simulated clouds: no account, no network, nothing bought.

  --home DIR      where the simulation keeps its state (default: .pulumi-sim beside Pulumi.yaml)
  --project DIR   the Pulumi project (default: searched for from the current folder upwards)
  --fault SPEC    make the simulated cloud fail, such as no-stock:cn-shanghai-b; may be given several times
  --boot          instances become machines that really boot (in a checkout, as root on Linux: docs/boot-tests.md)

examples:
  pulumi-llm sim preview -s aliyun-t4        what would be made
  pulumi-llm sim up -s aliyun-t4             make it
  pulumi-llm sim stack output -s aliyun-t4   what came of it
  pulumi-llm sim destroy -s aliyun-t4        and away with it
"""


def _read(argv: Sequence[str]) -> Request:
    """Its own options come first; all that follows is Pulumi's, and read by nobody here."""
    from pulumi_llm.simcloud.arguments import parse

    return parse(argv)


def _sim(request: Request) -> int:
    if request.help or not request.arguments:
        (sys.stdout if request.help else sys.stderr).write(ABOUT)
        return DONE if request.help else CALLED_WRONGLY
    from pulumi_llm.simcloud.command import run

    return run(request)


COMMAND = Command(
    name="sim",
    help="run pulumi against the simulated clouds",
    about=ABOUT,
    reader=_read,
    body=_sim,
    long=True,
)
