"""`pulumi-llm plan -s STACK [--json | --picture]`: what a stack would make, without engine, account or network.

`--picture` draws it as a Mermaid flow chart: machines in their regions, open ports, where requests go on to.

The program is run on this machine, with a few named variables and an empty home: it finds no
credentials by accident, but that is no sandbox.

Exit 0: done. Exit 1: the program refuses. Exit 2: called wrongly, or there is no such project or stack.
"""

from __future__ import annotations

import contextlib
import json
import sys
from typing import TYPE_CHECKING

from pulumi_llm._commands import DONE, WRONG_CALL, Command, OneOf, option
from pulumi_llm._commands._options import JSON, PROJECT, STACK
from pulumi_llm._language import current, tr

if TYPE_CHECKING:
    from argparse import Namespace
    from pathlib import Path

    from pulumi_llm._plan.model import Plan


def _plan(asked: Namespace) -> int:
    from pulumi_llm._plan.capture import capture_stack

    if asked.picture:
        return _draw(asked.project, asked.stack)
    with contextlib.redirect_stdout(sys.stderr):  # what the program itself prints is not part of the plan
        plan = capture_stack(asked.project, asked.stack)
    if asked.json:
        sys.stdout.write(json.dumps(plan.to_json(), indent=2, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write(as_tree(plan))
    return DONE


def _draw(folder: Path, stack: str) -> int:
    from pulumi_llm._review.portrait import portrait

    with contextlib.redirect_stdout(sys.stderr):
        drawn = portrait(folder, stack, current())
    sys.stdout.write(drawn)
    if not drawn:
        sys.stderr.write(tr("pulumi-llm plan: {stack} makes no machine: there is nothing to draw\n", stack=stack))
    return DONE


def as_tree(plan: Plan) -> str:
    """The plan as an indented tree of components and resources, then what is exported and what is to be noted."""
    children: dict[str, list[int]] = {}
    known = {each.urn for each in plan.resources}
    for index, each in enumerate(plan.resources):
        children.setdefault(each.parent if each.parent in known else "", []).append(index)
    lines = [f"{plan.project} / {plan.stack}: {sum(each.custom for each in plan.resources)} resources"]

    def show(parent: str, depth: int) -> None:
        for index in children.get(parent, ()):
            each = plan.resources[index]
            lines.append(f"{'  ' * depth}{each.name}  ({each.type})")
            show(each.urn, depth + 1)

    show("", 1)
    shown = plan.to_json()["outputs"]
    if shown:
        lines += ["outputs", *(f"  {key}: {_short(value)}" for key, value in shown.items())]
    lines += [tr("note: {note}", note=note.text()) for note in plan.notes]
    return "\n".join(lines) + "\n"


def _short(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    first = text.strip().split("\n", 1)[0]
    return first if len(first) <= 80 and first == text.strip() else f"{first[:77]}..."


COMMAND = Command(
    name="plan",
    help="what a stack would make, without engine, account or network",
    about=__doc__,
    options=(STACK, PROJECT, OneOf((JSON, option("--picture", action="store_true", help="a Mermaid flow chart")))),
    body=_plan,
    wrong_call=WRONG_CALL,
)
