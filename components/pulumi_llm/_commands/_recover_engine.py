"""Pulumi, run for `pulumi-llm recover`: its commands, and what it says went wrong with which resource.

The form of the diagnostics is that of pulumi/pulumi, pkg/backend/display/progress.go (printDiagnostics), of 3.237: a
line with the type and the name in brackets, and its messages below, further in.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from pulumi_llm._dataclasses import dataclass
from pulumi_llm._texts import _
from pulumi_llm.errors import Finding, Refusal

_BEGIN = "Diagnostics:"
_RESOURCE = re.compile(r"  (?P<type>[\w-]+:[^\s()]+) \((?P<name>[^()]*)\):")
_CODE = re.compile(r"[A-Za-z][\w.]*")
_STACK = "pulumi:pulumi:Stack"


@dataclass(frozen=True, slots=True)
class Run:
    """How a command of Pulumi's ended, and what it wrote."""

    code: int
    text: str


@dataclass(frozen=True, slots=True)
class Pulumi:
    """Pulumi for one stack: the real one, or that of `pulumi-llm sim`."""

    project: Path
    stack: str
    simulated: bool

    def run(self, *words: str, shown: bool = True) -> Run:
        """Run it and keep what it writes; ``shown``: as it goes. Raises Refusal ``recover.no-pulumi``."""
        process = subprocess.Popen(
            self._command([*words, "--stack", self.stack]),
            cwd=self.project,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        lines = []
        assert process.stdout is not None  # noqa: S101 - a pipe was asked for
        for line in process.stdout:
            lines.append(line)
            if shown:
                sys.stdout.write(line)
                sys.stdout.flush()
        return Run(process.wait(), "".join(lines))

    def _command(self, words: Sequence[str]) -> list[str]:
        if self.simulated:
            return [sys.executable, "-P", "-m", "pulumi_llm.cli", "sim", "--project", str(self.project), *words]
        pulumi = shutil.which("pulumi")
        if pulumi is None:
            raise Refusal([Finding("recover.no-pulumi", _("the program `pulumi` is not on PATH"), _("install Pulumi"))])
        return [pulumi, "--non-interactive", "--color", "never", *words]


def failures_of(text: str) -> Mapping[tuple[str, str], str]:
    """What went wrong, by type and name of the resource, from what the engine wrote. The stack itself is left out."""
    found: dict[tuple[str, str], str] = {}
    at: tuple[str, str] | None = None
    __, begin, rest = text.rpartition(f"\n{_BEGIN}\n")  # that of the preview comes before
    for line in rest.splitlines() if begin else ():
        if line and not line.startswith(" "):
            break  # the next section: outputs, resources, duration
        if told := _RESOURCE.fullmatch(line.rstrip()):
            at = told["type"], told["name"]
        elif at is not None:
            found[at] = found.get(at, "") + line + "\n"
    return {at: said for at, said in found.items() if at[0] != _STACK and re.search(r"^\s+error: ", said, re.MULTILINE)}


def sold_out(failures: Mapping[tuple[str, str], str], type_: str, pattern: str) -> str:
    """The cloud's code that says that such a machine is not in stock; empty where anything else is wrong (too).

    ``type_`` is the machine's type as the program names it, ``pattern`` that of the cloud's `power.json`. The proxy's
    or the vector store's machine is none of the server's, even where it is of the same type: see ``failures``' names.
    """
    package, __, rest = type_.partition(":")
    # The engine shows a type without the module's part that the name repeats: ecs/instance:Instance as ecs:Instance.
    shown = f"{package}:{rest.partition('/')[0]}:{rest.rpartition(':')[2]}"
    codes = []
    for (kind, name), said in failures.items():
        found = [each for each in _CODE.findall(said) if re.search(pattern, each)]
        # Google's provider shows the words and not the code.
        found = found or [each[0] for each in re.finditer(pattern, said)]
        if kind != shown or SERVER not in name or not found:
            return ""
        codes.append(found[0].rstrip("."))
    return codes[0] if codes else ""


SERVER = "-server-machine"
"""Part of the name of a platform's model server's machine (`Platform` calls its server ``NAME-server``)."""
