"""The plans of a project as it was at a git revision.

The revision's files are put into a throw-away folder; neither the index nor the work tree is touched. Where the library
itself is part of the repository and was another one, the revision's own library plans it, in a process of its own, so
that a change of a template or of a pinned version is a change like any other. Otherwise it is planned in this process.
Other packages are those of this environment, or of ``python``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import field, replace
from pathlib import Path
from typing import Any

import pulumi_llm
from pulumi_llm import _json
from pulumi_llm import _system as system
from pulumi_llm._dataclasses import dataclass
from pulumi_llm._plan import environment, exchange
from pulumi_llm._plan import project as projects
from pulumi_llm._plan.guest import guest
from pulumi_llm._plan.model import Plan
from pulumi_llm._review import revision
from pulumi_llm._texts import _, listed
from pulumi_llm.errors import Finding, Refusal
from pulumi_llm.roles import files

DEPENDENCIES = ("requirements.txt", "pyproject.toml", "uv.lock", "poetry.lock")
_MODULE = "pulumi_llm._plan.exchange"


@dataclass(slots=True)
class Base:
    """What stands at a revision: each stack's plan; ``refused`` has the findings of those that its program refuses."""

    name: str
    commit: str
    plans: dict[str, Plan] = field(default_factory=dict)
    refused: dict[str, list[Finding]] = field(default_factory=dict)
    notes: list[Finding] = field(default_factory=list)
    stacks: list[str] = field(default_factory=list)


def plans_at(
    name: str,
    start: Path,
    stacks: Sequence[str],
    python: str | None = None,
    *,
    meanwhile: Callable[[], object] = lambda: None,
) -> Base:
    """The plans of ``stacks`` at the revision ``name`` of the project that ``start`` is in.

    A stack whose file is new since the revision is in none of the results; one that never had a file is planned.
    ``python`` is the interpreter of another environment to run the revision with; ``meanwhile`` is called
    while that goes on.
    Raises :class:`Refusal` where there is no such revision, or no project in it.
    """
    project = projects.find(start)
    found = revision.find(name, project.folder)
    library = None if python is None and _same_library(found) else _library_inside(found)
    with _files(found, library) as top:
        folder = top / found.prefix if library else top
        then = projects.at(folder)
        if then is None:
            place = found.prefix or _("its top folder")
            raise Refusal(
                [
                    Finding(
                        "bill.not-in-revision",
                        _("{name} has no Pulumi.yaml in {place}", name=name, place=place),
                        _("a revision in which the project is in the same folder"),
                    )
                ]
            )
        base = Base(name, found.commit, stacks=then.stacks())
        fileless = [each for each in stacks if each not in base.stacks and each not in project.stacks()]
        if python is None:
            base.notes += _other_dependencies(name, folder, project.folder)
        wanted = [each for each in stacks if each in base.stacks or each in fileless]
        if python is None and library is None:
            wanted = _here(base, folder, wanted)
        if wanted:
            _run(base, folder, wanted, python or sys.executable, top / library if library else None, meanwhile)
        return base


def _here(base: Base, folder: Path, stacks: Sequence[str]) -> list[str]:
    """Plan the stacks in this process, whose library and packages are the right ones. Gives those that are left.

    Left is what fails by itself: a process of its own then says whether it fails there too.
    """
    left = []
    for stack in stacks:
        servers: dict[str, Any] = {}
        with guest(folder):
            try:
                found = exchange.one(folder, stack, servers)
            except SystemExit:
                found = {}
        if "plan" in found:
            # As JSON has it, so that a plan is the same whichever way it came.
            base.plans[stack] = replace(exchange.from_wire(_json.plain(found["plan"])), servers=servers)
        elif found and not any(each["code"] == "diff.program-failed" for each in found["findings"]):
            base.refused[stack] = [exchange.finding(each) for each in found["findings"]]
        else:
            left.append(stack)
    return left


def _files(found: revision.Revision, library: str | None) -> AbstractContextManager[Path]:
    return revision.files_of(replace(found, prefix="") if library else found)


def _library_inside(found: revision.Revision) -> str | None:
    """The library's source folder, relative to the repository's top, if it is part of the revision."""
    folder = Path(pulumi_llm.__file__).resolve().parents[1]
    if not folder.is_relative_to(found.top.resolve()):
        return None
    inside = folder.relative_to(found.top.resolve()).as_posix()
    return inside if revision.has(found, f"{inside}/pulumi_llm/__init__.py") else None


def _same_library(found: revision.Revision) -> bool:
    """Whether the library, where it is part of the repository, is the same now as in the revision."""
    folders = [Path(pulumi_llm.__file__).resolve().parents[1]]
    templates = files.templates()
    folders += [templates.resolve()] if isinstance(templates, Path) else []
    inside = [each for each in folders if each.is_relative_to(found.top.resolve())]
    return revision.same(found, inside)


def _run(
    base: Base, folder: Path, stacks: Sequence[str], python: str, library: Path | None, meanwhile: Callable[[], object]
) -> None:
    command = [python, "-P", "-m", _MODULE, "--project", str(folder), *stacks]
    done = _started(command, library, meanwhile)
    if library is not None and done.returncode != 0 and "No module named" in done.stderr:
        base.notes.append(
            Finding(
                "diff.older-library",
                _(
                    "the library at {base} is too old to give its plans: the present one plans both revisions",
                    base=base.name,
                ),
                _("changes of the library itself, of its templates and of the versions that it pins are not shown"),
                severity="warning",
            )
        )
        done = _started(command, None)
    try:
        content = json.loads(done.stdout)
    except ValueError:
        said = done.stderr.strip().replace(str(folder), base.name).splitlines() or [_("it says nothing")]
        raise Refusal(
            [
                Finding(
                    "diff.base-failed",
                    _("{base} cannot be planned with {python}: {said}", base=base.name, python=python, said=said[-1]),
                    _("--base-python: the interpreter of an environment in which that revision runs"),
                )
            ]
        ) from None
    for stack, found in content["stacks"].items():
        if "plan" in found:
            base.plans[stack] = exchange.from_wire(found["plan"])
        else:
            base.refused[stack] = [exchange.finding(each) for each in found["findings"]]


def _started(
    command: Sequence[str], library: Path | None, meanwhile: Callable[[], object] = lambda: None
) -> subprocess.CompletedProcess[str]:
    given: dict[str, Any] = {"text": True, "errors": "replace", "stdin": subprocess.DEVNULL}
    try:
        # Into files, not pipes: nobody reads while we are busy, and a pipe holds 64 KiB.
        with (
            tempfile.TemporaryFile("w+", errors="replace") as out,
            tempfile.TemporaryFile("w+", errors="replace") as err,
            tempfile.TemporaryDirectory(prefix="pulumi-llm-home-") as home,
        ):
            variables = environment.of_program(home)
            if library is not None:
                before = variables.get("PYTHONPATH")
                variables["PYTHONPATH"] = os.pathsep.join([str(library), *([before] if before else [])])
            with subprocess.Popen(command, stdout=out, stderr=err, env=variables, **given) as running:
                meanwhile()
                code = running.wait()
            out.seek(0)
            err.seek(0)
            return subprocess.CompletedProcess(list(command), code, out.read(), err.read())
    except OSError as wrong:
        hint = _("--base-python: the path of a Python interpreter")
        finding = Finding(
            "diff.base-failed",
            _("{command} cannot be started: {problem}", command=command[0], problem=system.why(wrong)),
            hint,
        )
        raise Refusal([finding]) from None


def _other_dependencies(name: str, then: Path, now: Path) -> list[Finding]:
    """A note where the project asks for other packages than it did: both revisions are run with those installed."""
    changed = [each for each in DEPENDENCIES if _content(then / each) != _content(now / each)]
    if not changed:
        return []
    message = _(
        "{changed} differs from {name}, and both revisions are run with the packages installed now",
        changed=listed(changed),
        name=name,
    )
    hint = _("--base-python: the interpreter of an environment that has the other ones")
    return [Finding("diff.other-dependencies", message, hint, severity="warning")]


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None
