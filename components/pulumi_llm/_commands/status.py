"""`pulumi-llm status -s STACK`: what a stack's nodes are at, whether they are ready, and what is in the way.

The nodes are found in the stack's outputs (``pulumi stack output --json --show-secrets``; with ``--sim`` those of the
simulation), or one is named by ``--endpoint``. Each is asked for its status document over verified TLS, with one of its
gateway keys; a vector store's own machine with that one's key. The document is described by
templates/node/status.schema.json. ``--json`` prints
``{"ready": bool, "nodes": [{"name", "endpoint", "document": {…} | null, "problem": {…} | null}]}``, where a problem has
``code``, ``message`` and ``hint``; with ``--watch`` one such line for each change.

Exit 0: all are ready. Exit 1: one is not, or has failed, or cannot be asked; its code and hint are printed. Exit 2:
called wrongly.
"""

from __future__ import annotations

from pathlib import Path

from pulumi_llm._commands import Command, OneOf, option
from pulumi_llm._commands._values import folder, unfit
from pulumi_llm._language import tr
from pulumi_llm._texts import _


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        raise unfit(tr("{text!r} is not a number", text=text)) from None
    if not 0 < seconds <= 3600:
        raise unfit(tr("{text} is not between 0 and 3600", text=text))
    return seconds


COMMAND = Command(
    name="status",
    help="what a stack's nodes are at, and what is in the way",
    about=_("What a stack's nodes are at, and what is in the way."),
    options=(
        OneOf(
            (
                option("-s", "--stack", help="the nodes of a stack, by its outputs"),
                option("--endpoint", metavar="URL", help="one node, such as https://203.0.113.7:18443"),
            ),
            required=True,
        ),
        option("--key-env", metavar="NAME", help="with --endpoint: the variable that holds a gateway key"),
        option("--ca", type=Path, metavar="FILE", help="with --endpoint: the node's certificate authority (PEM)"),
        option("--sim", action="store_true", help="with -s: the stack of `pulumi-llm sim`"),
        option("--project", type=folder, default=Path(), help="a folder in the project (default: this one)"),
        option("--watch", action="store_true", help="until all are ready or one has failed"),
        option("--interval", type=_seconds, default=3.0, metavar="S", help="seconds between looks (default: 3)"),
        option("--json", action="store_true", help="as JSON"),
    ),
    wrong_call=("status.no-key-variable", "status.no-authority-file", "status.bad-endpoint"),
    long=True,
    of_machines="status",
)
