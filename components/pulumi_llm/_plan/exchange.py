"""A plan as JSON between two of our own processes: complete and unmasked, so it goes into no file that has a name.

`python -m pulumi_llm._plan.exchange --project FOLDER STACK...` prints `{"format": 1, "stacks": {name: {"plan": …} |
{"findings": […]}}}`: each stack of the project as its `up` would leave it, or why there is none. Another version of
the library may run on the other side, so a reader takes what it knows and leaves the rest.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from pulumi_llm import _texts as texts
from pulumi_llm._plan.capture import capture_stack
from pulumi_llm._plan.forecast import Forecast
from pulumi_llm._plan.model import LookUp, Plan, PlannedResource
from pulumi_llm._texts import _
from pulumi_llm.errors import Finding, Refusal

FORMAT = 1
_TUPLES = ("dependencies", "ignore_changes", "replace_on_changes")


def main(argv: Sequence[str]) -> int:
    """Print the stacks asked for. Exit 0, whatever is found out about them."""
    parser = argparse.ArgumentParser(prog="python -m pulumi_llm._plan.exchange")
    parser.add_argument("--project", type=Path, required=True)
    parser.add_argument("stacks", nargs="*")
    asked = parser.parse_args(argv)
    found: dict[str, Any] = {}
    with contextlib.redirect_stdout(sys.stderr):  # what a program itself prints is not ours
        for stack in asked.stacks:
            found[stack] = one(asked.project, stack)
    sys.stdout.write(json.dumps({"format": FORMAT, "stacks": found}))
    return 0


def one(project: Path, stack: str, servers: dict[str, Any] | None = None) -> dict[str, Any]:
    """What the output holds for one stack; ``servers`` takes what the program resolved, which stays in this process."""
    try:
        plan = standing(project, stack)
        if servers is not None:
            servers.update(plan.servers)
        return {"plan": to_wire(plan)}
    except Refusal as refusal:
        return {"findings": [_finding(each) for each in refusal.findings]}
    except Exception as failed:  # the program's own mistake: told as what it is, by its last line
        code, message = (
            "diff.program-failed",
            _("the program fails with {name}: {failed}", name=type(failed).__name__, failed=failed),
        )
        return {"findings": [_finding(Finding(code, message, _("run it: `pulumi-llm plan -s` shows where")))]}


def standing(project: Path, stack: str) -> Plan:
    """A stack's plan as its `up` would leave it. Raises :class:`Refusal` as :func:`capture_stack` does."""
    forecast = Forecast()
    plan = capture_stack(project, stack, forecast)
    plan.stand_ins = forecast.labels
    return plan


def to_wire(plan: Plan) -> dict[str, Any]:
    """All of a plan as JSON-ready data, secrets and all."""
    return {
        "project": plan.project,
        "stack": plan.stack,
        "resources": [{key: _listed(getattr(each, key)) for key in _KEYS} for each in plan.resources],
        "outputs": plan.outputs,
        "look_ups": [{"token": each.token, "args": each.args, "provider": each.provider} for each in plan.look_ups],
        "notes": [_finding(each) for each in plan.notes],
        "config": plan.config,
        "stand_ins": plan.stand_ins,
    }


def from_wire(content: Mapping[str, Any]) -> Plan:
    """The plan that :func:`to_wire` wrote."""
    return Plan(
        project=content["project"],
        stack=content["stack"],
        resources=[_resource(row) for row in content["resources"]],
        outputs=dict(content["outputs"]),
        look_ups=[LookUp(row["token"], row["args"], row.get("provider", "")) for row in content["look_ups"]],
        notes=[finding(row) for row in content["notes"]],
        config=dict(content.get("config") or {}),
        stand_ins=dict(content.get("stand_ins") or {}),
    )


def finding(row: Mapping[str, Any]) -> Finding:
    """A finding from its JSON. An older library sends its English alone, and English it stays."""
    said = row.get("texts") or {}
    message, hint = (texts.from_wire(said.get(name), row.get(name, "")) for name in ("message", "hint"))
    return Finding(row["code"], message, hint, row.get("severity", "error"), row.get("where", ""))


def _finding(each: Finding) -> dict[str, Any]:
    keys = ("code", "message", "hint", "severity", "where")
    said = {name: texts.to_wire(getattr(each, name)) for name in ("message", "hint")}
    return {**{key: getattr(each, key) for key in keys}, "texts": said}


def _listed(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _resource(row: Mapping[str, Any]) -> PlannedResource:
    known: dict[str, Any] = {key: value for key, value in row.items() if key in _KEYS}
    known |= {key: tuple(known[key]) for key in _TUPLES if key in known}
    return PlannedResource(**known)


_KEYS = tuple(each.name for each in fields(PlannedResource))


if __name__ == "__main__":
    from pulumi_llm import _process

    gc.disable()  # it ends after seconds; see `pulumi_llm.cli`
    _process.end(main(sys.argv[1:]))
