"""What `stop` and `start` have in common: their options, and the way to their body."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pulumi_llm._commands import Option, option
from pulumi_llm._commands._options import PROJECT, SIMULATED, STACK
from pulumi_llm._commands._values import one_of, whole

if TYPE_CHECKING:
    from argparse import Namespace

    from pulumi_llm._power.act import Goal


def _places() -> Iterable[str]:
    from pulumi_llm._power.machines import EVERYWHERE, PLACES

    return (*PLACES.values(), EVERYWHERE)


def options_of(minutes: int) -> tuple[Option, ...]:
    """The options; ``minutes`` is how long is waited where nothing else is asked for."""
    return (
        STACK,
        SIMULATED,
        option(
            "--at",
            type=one_of("place", _places),
            default="server",
            help="server (default), proxy, vectors (a machine of their own) or all",
        ),
        PROJECT,
        option("-y", "--yes", action="store_true", help="do not ask"),
        option(
            "--timeout",
            type=whole(1, 240),
            default=minutes,
            metavar="MINUTES",
            help="how long to wait (default: %(default)s)",
        ),
    )


def run(goal: Goal, asked: Namespace) -> int:
    """Do it. Gives the exit code."""
    from pulumi_llm._commands import _power

    return _power.run(goal, asked)
