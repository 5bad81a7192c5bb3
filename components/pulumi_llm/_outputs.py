"""The outputs and the state of a stack, as Pulumi itself tells them.

The outputs come with their secrets in the clear, so they go no further than they must; the state with its encrypted.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from pulumi_llm import _json
from pulumi_llm._plan import project as projects
from pulumi_llm._texts import _
from pulumi_llm.errors import Finding, Refusal, UnknownName

SECONDS = 120.0
"""How long Pulumi may take to tell them; a backend that is far away takes some seconds."""


def read(project: Path, stack: str, *, simulated: bool = False) -> dict[str, Any]:
    """What ``pulumi stack output`` tells in that folder; with ``simulated`` what `pulumi-llm sim` does.

    Raises:
        Refusal: ``outputs.no-pulumi`` where the program is not there, ``outputs.unreadable`` where it tells nothing.
    """
    return _told(project, stack, ["output", "--json", "--show-secrets"], simulated=simulated)


def state(project: Path, stack: str, *, simulated: bool = False) -> dict[str, Any]:
    """What ``pulumi stack export`` tells in that folder.

    Raises as :func:`read` does, and UnknownName ``stack.unknown`` where there is no such stack.
    """
    return _told(project, stack, ["export"], simulated=simulated)


def _told(project: Path, stack: str, words: list[str], *, simulated: bool) -> dict[str, Any]:
    options = ["stack", *words, "--stack", stack]
    if simulated:
        command = [sys.executable, "-P", "-m", "pulumi_llm.cli", "sim", "--project", str(project), *options]
    else:
        pulumi = shutil.which("pulumi")
        if pulumi is None:
            hint = _("install Pulumi; `pulumi-llm status` can do without: --endpoint URL --key-env NAME --ca FILE")
            raise Refusal([Finding("outputs.no-pulumi", _("the program `pulumi` is not on PATH"), hint)])
        command = [pulumi, "--non-interactive", *options]
    try:
        done = subprocess.run(
            command,
            cwd=project,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise _unreadable(stack, words[0], _("no answer within {seconds:.0f} seconds", seconds=SECONDS)) from None
    except OSError as error:
        raise _unreadable(stack, words[0], error.strerror or type(error).__name__) from None
    try:
        found = _json.loads(done.stdout) if done.returncode == 0 else None
    except ValueError:
        found = None
    if not isinstance(found, dict):
        said = " ".join((done.stderr or done.stdout).split())
        if words[0] == "export" and "no stack named" in said:  # pulumi/pulumi, pkg/backend/backenderr, of 3.237
            raise UnknownName("stack.unknown", _("stack"), stack, projects.find(project).stacks())
        raise _unreadable(stack, words[0], said[-600:] or _("it said nothing"))
    return found


def _unreadable(stack: str, word: str, why: str) -> Refusal:
    shown = "".join(each if each.isprintable() else "?" for each in why)
    message = (
        _("`pulumi stack output` did not show the outputs of {stack!r}: {shown}", stack=stack, shown=shown)
        if word == "output"
        else _("`pulumi stack export` did not show the state of {stack!r}: {shown}", stack=stack, shown=shown)
    )
    hint = _("`pulumi stack ls` lists the stacks; is it logged in? A simulated stack needs --sim")
    return Refusal([Finding("outputs.unreadable", message, hint)])
