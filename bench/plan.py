"""Previews and plans: ours against a bare program, in process against the engine, many hosts against few."""

from __future__ import annotations

import importlib
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pulumi import _types

from bench._ratio import alternately, report, timed
from pulumi_llm._plan.capture import capture, capture_stack
from pulumi_llm._plan.model import SIGNATURE, UNKNOWN, Plan, PlannedResource
from pulumi_llm._provider_facts import schema
from pulumi_llm._simcloud.engine import find_engine
from pulumi_llm._simcloud.invocation import prepare

ROOT = Path(__file__).parents[1]
STACK = "aliyun-t4"
RUNS = 5


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        ours, bare = _projects(Path(folder))
        preview, bare_preview = _prepared(ours), _prepared(bare)
        of_ours, of_bare = alternately(preview, bare_preview, RUNS)
        report(
            f"preview of {STACK} / preview of a bare program with the same resources",
            of_ours.wall / of_bare.wall,
            1.05,
            f"{of_ours.wall:.2f} s / {of_bare.wall:.2f} s wall; {of_ours.cpu:.2f} s / {of_bare.cpu:.2f} s CPU",
        )
        of_plan, of_preview = alternately(_plan_process, preview, RUNS)
        report(
            "in-process plan / preview",
            of_plan.wall / of_preview.wall,
            0.1,
            f"{of_plan.wall:.2f} s / {of_preview.wall:.2f} s wall, each with the start of its process",
        )
        capture_stack(ROOT, STACK)
        again, of_preview = alternately(lambda: capture_stack(ROOT, STACK), preview, 3)
        report(
            "in-process plan in a process that has made one before / preview",
            again.wall / of_preview.wall,
            0.1,
            f"{again.wall:.3f} s / {of_preview.wall:.2f} s wall",
        )
    timed(lambda: _hosts(20))
    few, many = alternately(lambda: _hosts(20), lambda: _hosts(200), 3)
    report("plan of 200 hosts / plan of 20", many.wall / few.wall, 10.5, f"{many.wall:.2f} s / {few.wall:.2f} s")


def _hosts(count: int) -> None:
    def program() -> None:
        import pulumi_llm as llm

        for number in range(count):
            llm.ModelServer(
                f"host{number}",
                {
                    "cloud": "aliyun",
                    "region": "cn-hangzhou",
                    "gpu": "T4",
                    "model": "01-ai/Yi-6B-Chat",
                    "context_length": 4096,
                    "allowed_cidrs": ["203.0.113.0/24"],
                },
            )

    capture(program)


def _plan_process() -> None:
    command = [sys.executable, "-m", "pulumi_llm.cli", "plan", "-s", STACK, "--json", "--project", str(ROOT)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def _prepared(project: Path) -> Callable[[], object]:
    """A preview by the engine itself, in the environment and the project copy that `pulumi-llm sim` makes."""
    home = project.parent / f"{project.name}-home"
    command = [sys.executable, "-m", "pulumi_llm.cli", "sim", "--home", str(home), "--project", str(project)]
    quiet: Any = {
        "check": True,
        "stdin": subprocess.DEVNULL,
        "stdout": subprocess.DEVNULL,
        "stderr": subprocess.DEVNULL,
    }
    subprocess.run([*command, "preview", "-s", STACK], **quiet)  # makes the stack, and compiles the bytecode
    engine = find_engine()
    environment = prepare(home, engine)
    preview = [str(engine.pulumi), "--non-interactive", "preview", "-s", STACK]
    return lambda: subprocess.run(preview, cwd=home / "project", env=environment, **quiet)


def _projects(folder: Path) -> tuple[Path, Path]:
    ours = folder / "ours"
    shutil.copytree(ROOT / "stacks", ours / "stacks")
    shutil.copy(ROOT / "Pulumi.yaml", ours)
    bare = folder / "bare"
    bare.mkdir()
    (bare / "Pulumi.yaml").write_text("name: bare\nruntime: python\n")
    (bare / f"Pulumi.{STACK}.yaml").write_text("config: {}\n")
    (bare / "__main__.py").write_text(bare_program(capture_stack(ROOT, STACK)))
    return ours, bare


def bare_program(plan: Plan) -> str:
    """A program without pulumi-llm: the same resources by the same SDK classes, and the same look-ups."""
    rows = [_row(each) for each in plan.resources]
    look_ups = [[each.token, dict(each.args), _urn(each.provider)] for each in plan.look_ups]
    return f"""import importlib
import json
import pulumi
ROWS = json.loads({json.dumps(json.dumps(rows))})
LOOK_UPS = json.loads({json.dumps(json.dumps(look_ups))})
made = {{}}
late = "unknown"
class Part(pulumi.ComponentResource):
    pass
def value(raw):
    if isinstance(raw, dict):
        if raw.get("{SIGNATURE}"):
            return pulumi.Output.secret(value(raw.get("value")))
        return {{key: value(each) for key, each in raw.items() if key != "__defaults"}}
    if isinstance(raw, list):
        return [value(each) for each in raw]
    return late if raw == "{UNKNOWN}" else raw
for row in ROWS:
    opts = pulumi.ResourceOptions(parent=made.get(row["parent"]), provider=made.get(row["provider"]))
    if not row["custom"]:
        made[row["urn"]] = Part(row["type"], row["name"], value(row["inputs"]), opts)
        continue
    cls = getattr(importlib.import_module(row["module"]), row["class"])
    made[row["urn"]] = cls(row["name"], opts=opts, **value(row["inputs"]))
    if row["type"].startswith("pulumi:providers:"):
        for token, args, provider in LOOK_UPS:
            if provider == row["urn"]:
                pulumi.runtime.invoke_output(token, args, pulumi.InvokeOptions(provider=made[provider]))
    else:
        late = made[row["urn"]].id
"""


def _row(each: PlannedResource) -> dict[str, Any]:
    row = {
        "urn": each.urn,
        "type": each.type,
        "name": each.name,
        "parent": each.parent,
        "custom": each.custom,
        "inputs": dict(each.inputs),
        "provider": _urn(each.provider),
    }
    if each.custom:
        row["module"], row["class"] = _class_of(each.type)
        # What a provider is given besides its region are its SDK's own defaults.
        own = each.type.startswith("pulumi:providers:")
        kept = {key: each.inputs[key] for key in each.inputs if key == "region" or not own}
        arguments = getattr(importlib.import_module(row["module"]), f"{row['class']}Args")
        python_names = {wire: name for name, wire in _types.input_type_py_to_pulumi_names(arguments).items()}
        row["inputs"] = {python_names[key]: value for key, value in kept.items() if not key.startswith("__")}
    return row


def _class_of(token: str) -> tuple[str, str]:
    return schema.tokens(schema.package_of(token))[token]


def _urn(provider: str) -> str:
    return provider.rsplit("::", 1)[0]
