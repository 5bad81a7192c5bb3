"""What commands say as they go, and the yes that they ask for before they change anything."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Callable

from pulumi_llm._language import told
from pulumi_llm._texts import _
from pulumi_llm.errors import Finding, Refusal


def say(line: str) -> None:
    """A line, at once."""
    sys.stdout.write(f"{told(line)}\n")
    sys.stdout.flush()


def confirm(asked: Namespace, question: str, first: Callable[[], object] = lambda: None) -> None:
    """Ask for a yes, unless ``--yes`` was given; ``first`` is done before somebody is asked.

    Raises Refusal ``power.not-confirmed`` where nobody can be asked, ``power.declined`` for a no.
    """
    if asked.yes:
        return
    if not sys.stdin.isatty():
        message = _("nobody can be asked here, and nothing was done")
        raise Refusal([Finding("power.not-confirmed", message, _("--yes, where you know what it does"))])
    first()
    sys.stdout.write(question)
    sys.stdout.flush()
    if sys.stdin.readline().strip().casefold() not in ("y", "yes", "是"):
        raise Refusal([Finding("power.declined", _("nothing was done"), _("answer y, or give --yes"))])
