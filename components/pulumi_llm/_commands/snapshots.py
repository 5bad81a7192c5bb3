"""`pulumi-llm snapshots list|restore -s STACK`: the snapshots of a stack's data disk, and a disk made from one.

It asks the cloud's own API, with your credentials. Which snapshots are made, and how long they are kept, is said in the
stack's file (`server.disk.snapshots`). With ``--sim`` it works on a stack of `pulumi-llm sim`.

Exit 0: done. Exit 1: refused, denied, failed, or not wanted. Exit 2: called wrongly.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pulumi_llm._commands import WRONG_CALL, Command, Option, Options, option
from pulumi_llm._commands._options import JSON, PROJECT, SIMULATED, STACK
from pulumi_llm._commands._values import one_of
from pulumi_llm._texts import _

if TYPE_CHECKING:
    from argparse import Namespace

DISK = option("--disk", metavar="ID", help="a disk of the server's region that is not in the stack (any more)")


def _at(default: str, *, every: bool) -> Option:
    def places() -> Iterable[str]:
        from pulumi_llm._power.machines import EVERYWHERE, PLACES

        return (*PLACES.values(), EVERYWHERE) if every else ("server", "vectors")

    shown = _("whose disk: server, proxy, vectors or all (default)") if every else _("server (default) or vectors")
    return option("--at", type=one_of("place", places), default=default, help=shown)


def _own(name: str, options: Options, line: str) -> Command:
    def body(asked: Namespace) -> int:
        from pulumi_llm._commands import _snapshots

        return _snapshots.ACTIONS[name](asked)

    wrong = (*WRONG_CALL, "power.not-confirmed")
    return Command(name=name, help=line, about=line, options=options, body=body, wrong_call=wrong, long=True,
                   of_machines="snapshots")  # fmt: skip


COMMAND = Command(
    name="snapshots",
    help="list the snapshots of a stack's data disk, make the disk anew from one",
    about=__doc__,
    commands=(
        _own("list", (STACK, SIMULATED, _at("all", every=True), DISK, PROJECT, JSON), _("the snapshots, newest first")),
        _own(
            "restore",
            (
                STACK,
                SIMULATED,
                _at("server", every=False),
                option("--snapshot", metavar="ID", help="which (default: the newest that is whole)"),
                PROJECT,
                option("-y", "--yes", action="store_true", help="do not ask"),
            ),
            _("write a snapshot into the stack's file, and make disk and machine anew from it"),
        ),
    ),
)
