"""User data, or a script for a notebook, as files: the body of `pulumi-llm render`."""

from __future__ import annotations

import sys
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from pulumi_llm import _system as system
from pulumi_llm._commands import DONE, UsageError
from pulumi_llm._language import told, tr
from pulumi_llm._texts import _

if TYPE_CHECKING:
    from pulumi_llm._notebook import Notebook
    from pulumi_llm.catalog.hub import Hub

OF_MODEL = ("gpu", "gpu_count", "max_model_len", "country")
"""What is told of a notebook where no stack says it."""
NAME = "notebook.sh"


def run(asked: Namespace) -> int:
    """Write the files. Gives the exit code."""
    if not asked.script:
        if asked.stack is None:
            raise UsageError(_("name the stack with -s or --stack"))
        _without_script(asked)
        return _user_data(asked)
    if (asked.stack is None) == (asked.model is None):
        raise UsageError(_("with --script, name either a model and its --gpu, or a stack with -s"))
    if asked.model is not None:
        if asked.gpu is None:
            raise UsageError(
                _("name the notebook's GPU with --gpu, such as T4; `pulumi-llm check` tells what fits on it")
            )
        _write_script(_of_model(asked), asked.out)
        return DONE
    if given := [name for name in OF_MODEL if getattr(asked, name) is not None]:
        raise UsageError(_("--{option} is for a model without a stack", option=given[0].replace("_", "-")))
    return _of_stack(asked)


def _without_script(asked: Namespace) -> None:
    if given := [name for name in ("model", "hub", *OF_MODEL) if getattr(asked, name) is not None]:
        what = asked.model if given[0] == "model" else f"--{given[0].replace('_', '-')}"
        raise UsageError(_("{what} is for --script alone", what=what))


def _user_data(asked: Namespace) -> int:
    from pulumi_llm._plan.capture import capture_stack

    for machine, text in sorted(capture_stack(asked.project, asked.stack).user_data().items()):
        _write(asked.out / machine / "user-data.yaml", text, below=asked.out)
    return DONE


def _of_model(asked: Namespace) -> Notebook:
    from pulumi_llm import _notebook

    server = {
        "model": asked.model,
        "gpu": asked.gpu,
        "gpu_count": asked.gpu_count,
        "context_length": asked.max_model_len,
    }
    wanted = {name: value for name, value in server.items() if value is not None}
    return _notebook.of_model(wanted, asked.country or "us", _hub(asked))


def _of_stack(asked: Namespace) -> int:
    from pulumi_llm import _notebook
    from pulumi_llm._plan.capture import capture_stack

    servers = capture_stack(asked.project, asked.stack).servers
    for urn, server in sorted(servers.items()):
        name = urn.rsplit("::", 1)[-1]
        _write_script(_notebook.of_server(server, _hub(asked)), asked.out / name / NAME, below=asked.out)
        if server.models:
            sys.stderr.write(
                tr("note: of {server} only {model} is in it, and no further model\n", server=name,
                   model=server.spec.model)
            )  # fmt: skip
    return DONE


def _hub(asked: Namespace) -> Hub | None:
    if asked.hub is None:
        return None
    from pulumi_llm._commands import _model

    return _model.hubs(Namespace(hub=[asked.hub]))[0]


def _write_script(notebook: Notebook, path: Path, *, below: Path | None = None) -> None:
    from pulumi_llm import _notebook

    text = _notebook.script(notebook, path.name)
    for each in notebook.server.warnings:
        sys.stderr.write(f"{told(each.text())}\n")
    _write(path, text, below=below)


def _write(path: Path, text: str, *, below: Path | None) -> None:
    from pulumi_llm import _files
    from pulumi_llm.errors import Finding, Refusal

    try:
        _files.write_text(path, text, below=below)
    except OSError as wrong:
        message = _("{path} cannot be written: {problem}", path=path, problem=system.why(wrong))
        raise Refusal([Finding("render.unwritable", message)]) from None
    sys.stdout.write(f"{path}  ({len(text.encode()):,} bytes)\n")
