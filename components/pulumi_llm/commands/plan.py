"""`pulumi-llm plan -s STACK [--json]`: what a stack would make, without engine, account or network.

The program is run on this machine, with a few named variables and an empty home: it finds no
credentials by accident, but that is no sandbox.

Exit 0: done. Exit 1: the program refuses. Exit 2: called wrongly, or there is no such project or stack.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from pulumi_llm.commands import DONE, WRONG_CALL, Parser, guarded
from pulumi_llm.language import tr
from pulumi_llm.plan.capture import capture_stack
from pulumi_llm.plan.model import Plan

PROG = "pulumi-llm plan"


def run(argv: Sequence[str]) -> int:
    """Print the plan. See the module for the exit codes."""
    return guarded(PROG, lambda: _run(argv), WRONG_CALL)


def _run(argv: Sequence[str]) -> int:
    parser = Parser(PROG, __doc__)
    parser.add_argument("-s", "--stack", required=True)
    parser.add_argument("--project", type=Path, default=Path(), help="a folder in the project (default: this one)")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse(argv)
    plan = capture_stack(asked.project, asked.stack)
    if asked.json:
        sys.stdout.write(json.dumps(plan.to_json(), indent=2, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write(as_tree(plan))
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
