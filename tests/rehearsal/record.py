"""Records what the official plugins did: ``python -m tests.rehearsal.record [STACK…]``, where they are installed.

It rehearses each stack with the edits of ``changes`` and writes tests/golden/rehearsals/STACK.json. With
``--additions`` it takes what a stack can have besides, and writes additions/STACK.json or additions/STACK-NAME.json
there; that name may stand in place of STACK. Nothing but what was seen goes in: steps, calls, codes of refusals,
versions, the day.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from pulumi_llm._rehearsal import report
from pulumi_llm._rehearsal.rehearsal import Asked, Rehearsal, rehearse
from tests.rehearsal.changes import (
    ADDITIONS,
    NEWER_IMAGE,
    ON_AWS,
    ROOT,
    SIMULATED,
    STACKS,
    Addition,
    edits,
    written,
)

GOLDEN = ROOT / "tests" / "golden" / "rehearsals"
ADDED = GOLDEN / "additions"

SOURCES = {
    "alicloud": "aliyun/terraform-provider-alicloud, release/v2 at ace5bcf877, and pulumi-terraform-bridge v3.118.0",
    "aws": "pulumi-aws as Pulumi distributes it",
    "tencentcloud": "tencentcloudstack/pulumi-tencentcloud v0.2.3 with terraform-provider-tencentcloud v1.82.42",
}
"""Where the plugins came from. Those of Aliyun and Tencent Cloud were put together by hand, and AWS's was not
to be had: see docs/decisions/rehearsal.md."""


def run(stack: str, simulated: Sequence[str]) -> Rehearsal:
    """Rehearse a stack with all its edits."""
    with tempfile.TemporaryDirectory() as folder:
        files = written(stack, Path(folder), edits(stack))
        return rehearse(Asked(ROOT, stack, files, tuple(simulated), newer_image=NEWER_IMAGE))


def run_with(addition: Addition, simulated: Sequence[str]) -> Rehearsal:
    """Rehearse a stack with what is added to it."""
    with tempfile.TemporaryDirectory() as folder:
        files = written(addition.stack, Path(folder), addition.edits)
        return rehearse(Asked(ROOT, addition.stack, files, tuple(simulated)))


def kept(rehearsal: Rehearsal) -> dict[str, Any]:
    """What is kept of a rehearsal."""
    said = report.data(rehearsal)
    for phase in said["phases"]:
        del phase["seconds"]
    sources = {name: SOURCES[name] for name in said["plugins"]}
    return {"recorded": datetime.now(UTC).date().isoformat(), "sources": sources, **said}


def as_text(content: dict[str, Any]) -> str:
    """JSON with a line for each step and each call."""
    phases = []
    for phase in content["phases"]:
        rows = {key: [json.dumps(each, ensure_ascii=False) for each in phase[key]] for key in ("steps", "calls")}
        inner = {key: json.dumps(value, ensure_ascii=False) for key, value in phase.items() if key not in rows}
        inner |= {key: "[\n" + ",\n".join(f"    {each}" for each in lines) + "\n   ]" for key, lines in rows.items()}
        phases.append("  {" + ", ".join(f'"{key}": {value}' for key, value in inner.items()) + "}")
    rest = {key: value for key, value in content.items() if key != "phases"}
    head = ",\n".join(f" {json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}" for key, value in rest.items())
    return "{\n" + head + ',\n "phases": [\n' + ",\n".join(phases) + "\n ]\n}\n"


def main(stacks: Sequence[str]) -> int:
    """Record; 1 where one did not go as it should, which is then not written."""
    wanted = [each for each in stacks if each != "--additions"]
    jobs: dict[Path, Callable[[], Rehearsal]] = {}
    if "--additions" in stacks:
        for each in ADDITIONS:
            if not wanted or {each.stack, each.file} & {*wanted}:
                jobs[ADDED / f"{each.file}.json"] = partial(run_with, each, SIMULATED)
    else:
        for stack in wanted or STACKS:
            jobs[GOLDEN / f"{stack}.json"] = partial(run, stack, () if stack in ON_AWS else SIMULATED)
    failed = 0
    for file, job in jobs.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        done = job()
        wrong = report.findings(done)
        for found in wrong:
            sys.stderr.write(f"{file.stem}: {found}\n")
        if wrong:
            failed = 1
            continue
        file.write_text(as_text(kept(done)), encoding="utf-8")
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
