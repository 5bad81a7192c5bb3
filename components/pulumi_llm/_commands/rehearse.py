"""`pulumi-llm rehearse -s STACK`: the whole life of a stack with the clouds' official plugins, and no cloud.

The real engine runs `up`, a second preview and `destroy`, with the plugins that a real run would use; their calls are
answered by servers on this machine, over the rules of `pulumi-llm sim`. It tells each call in order, the least policy
that allows them, and whether the second preview is clean. State and servers are gone afterwards; no credentials are
used, and nothing leaves the machine (as root on Linux: it runs where there is no network but loopback).

A plugin has to be here in the version that the SDK asks for: `pulumi plugin install`, or --fetch. AWS's calls are
answered by moto, which the extra `rehearse` brings.

Exit 0: all of it went as it should. Exit 1: refused, or something is wrong. Exit 2: called wrongly.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pulumi_llm._commands import DONE, REFUSED, WRONG_CALL, Command, option
from pulumi_llm._commands._options import JSON, PROJECT, STACK

if TYPE_CHECKING:
    from argparse import Namespace


def _rehearse(asked: Namespace) -> int:
    import json

    from pulumi_llm._rehearsal import alone, report
    from pulumi_llm._rehearsal.rehearsal import Asked, prepared, rehearse

    wanted = Asked(
        asked.project,
        asked.stack,
        tuple(asked.change),
        tuple(asked.sim),
        ";".join(asked.fault),
        asked.port,
        asked.newer_image,
    )
    if not alone.is_alone():
        prepared(wanted, fetch=asked.fetch)
        if alone.can_be_alone():
            return alone.again(arguments(asked))
    with alone.interruptible():
        done = rehearse(wanted, alone=alone.is_alone())
    if asked.json:
        sys.stdout.write(json.dumps(report.data(done), indent=2, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write(report.text(done))
    found = report.findings(done)
    for each in found:
        sys.stderr.write(f"{each.text()}\n")
    return REFUSED if any(each.severity == "error" for each in found) else DONE


def arguments(asked: Namespace) -> list[str]:
    """The command line that asks for the same again."""
    line = ["rehearse", "--stack", asked.stack, "--project", str(asked.project), "--port", str(asked.port)]
    line += ["--newer-image", asked.newer_image] if asked.newer_image else []
    for name, values in (("--change", asked.change), ("--sim", asked.sim), ("--fault", asked.fault)):
        line += [part for each in values for part in (name, str(each))]
    return [*line, *(["--json"] if asked.json else [])]


COMMAND = Command(
    name="rehearse",
    help="run a stack with the clouds' official plugins, and no cloud",
    about=__doc__,
    options=(
        STACK,
        PROJECT,
        option(
            "--change", type=Path, action="append", default=[], metavar="FILE", help="then rehearse this stack file"
        ),
        option("--sim", action="append", default=[], metavar="PACKAGE", help="simulate this package's plugin"),
        option("--newer-image", default="", metavar="DATE", help="after `up`, images of this day appear (YYYYMMDD)"),
        option("--fault", action="append", default=[], metavar="SPEC", help="make the clouds fail, as of `sim`"),
        option("--fetch", action="store_true", help="have Pulumi install the plugins that are missing"),
        option("--port", type=int, default=0, metavar="N", help="the port of the proxy (default: a free one)"),
        JSON,
    ),
    body=_rehearse,
    wrong_call=(*WRONG_CALL, "rehearse.unknown-package", "sim.unknown-fault"),
    long=True,
)
