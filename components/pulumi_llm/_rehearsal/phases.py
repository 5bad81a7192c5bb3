"""One run of the engine in a rehearsal: what it did to which resource, and what it said."""

from __future__ import annotations

import contextlib
import json
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pulumi_llm._dataclasses import dataclass
from pulumi_llm._rehearsal.calls import Record, Recorded
from pulumi_llm._simcloud.engine import Engine
from pulumi_llm._simcloud.invocation import cannot_start

ENDS = 10
"""Seconds that an engine has to end when it is asked to."""
MOST_ERROR = 1000
"""Characters of an error that are kept."""
QUIET = ("same", "read", "discard", "read-discard", "refresh")
"""What the engine does to a resource that does not change."""


@dataclass(frozen=True)
class Step:
    """What the engine does to a resource: ``create``, ``update``, ``replace``, ``delete`` and its like."""

    operation: str
    type: str
    name: str
    changed: tuple[str, ...] = ()
    """The inputs that differ, where the engine tells them."""


@dataclass(frozen=True)
class Phase:
    """One run of the engine: its steps that are no ``same``, the calls meanwhile, errors, and how long it took."""

    name: str
    steps: tuple[Step, ...]
    calls: tuple[Recorded, ...]
    errors: tuple[str, ...]
    seconds: float
    succeeded: bool


@dataclass(frozen=True)
class Runner:
    """Runs the engine on one stack, and takes the calls that come in meanwhile from the record."""

    engine: Engine
    environment: Mapping[str, str]
    folder: Path
    stack: str
    record: Record
    begins: Callable[[], object] = bool
    """Called before each run."""

    def run(self, name: str, command: str, *more: str) -> Phase:
        """Run a command of the engine. Raises ``Refusal`` where it does not start."""
        self.begins()
        before, start = len(self.record.calls), time.monotonic()
        arguments = [command, "--stack", self.stack, "--json", *more]
        if command != "preview":
            arguments += ["--yes", "--skip-preview"]
        try:
            running = subprocess.Popen(
                [str(self.engine.pulumi), "--non-interactive", *arguments],
                env=dict(self.environment),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        except OSError as error:
            raise cannot_start(self.engine, error) from error
        said, complained = _said(running)
        steps, errors = read(said)
        if running.returncode and not errors:
            errors = [line for line in complained.splitlines() if line.strip()][-3:]
        return Phase(
            name,
            tuple(steps),
            self.record.calls[before:],
            tuple(dict.fromkeys(errors)),
            time.monotonic() - start,
            running.returncode == 0,
        )


def _said(running: subprocess.Popen[str]) -> tuple[str, str]:
    """What an engine says until it ends. Where that is interrupted it is asked to end, as it ends what it started."""
    with running:
        try:
            return running.communicate()
        except BaseException:
            running.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                running.communicate(timeout=ENDS)
            running.kill()
            raise


def read(text: str) -> tuple[list[Step], list[str]]:
    """The steps and the errors in what `up --json` (a stream of events) or `preview --json` (one document) says."""
    steps: list[Step] = []
    errors: list[str] = []
    for said in documents(text):
        rows: Sequence[Any] = said.get("steps") or ()
        if "resourcePreEvent" in said:
            rows = [said["resourcePreEvent"].get("metadata") or {}]
        for row in rows:
            if row.get("op") not in QUIET and "::" in str(row.get("urn")):
                steps.append(_step(row))
        spoken = [said["diagnosticEvent"]] if "diagnosticEvent" in said else said.get("diagnostics") or ()
        errors += [_words(each.get("message", "")) for each in spoken if each.get("severity") == "error"]
    return [each for each in steps if each.type != "pulumi:pulumi:Stack"], [each for each in errors if each]


def documents(text: str) -> Iterator[dict[str, Any]]:
    """The JSON objects in a text that may have other lines between them."""
    decoder, at = json.JSONDecoder(), text.find("{")
    while at >= 0:
        try:
            found, end = decoder.raw_decode(text, at)
        except ValueError:
            at = text.find("\n{", at + 1)
            at = at + 1 if at >= 0 else at
            continue
        if isinstance(found, dict):
            yield found
        at = text.find("{", end)


def _step(row: Mapping[str, Any]) -> Step:
    kind, name = str(row["urn"]).split("::")[2:4]
    changed = row.get("diffReasons") or row.get("diffs") or (row.get("detailedDiff") or {}).keys()
    return Step(str(row["op"]), kind.rsplit("$", 1)[-1], name, tuple(sorted(changed or ())))


def _words(message: str) -> str:
    """An error in one line. Of a Python traceback what it says first, and its last line."""
    lines = [each.strip() for each in message.splitlines() if each.strip()]
    if any(each.startswith("Traceback (most recent call last)") for each in lines):
        lines = [lines[0], lines[-1]]
    return " ".join(lines)[:MOST_ERROR]
