"""Run a project's program as the language host of the engine does."""

from __future__ import annotations

import contextlib
import os
import runpy
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from pulumi_llm._texts import _
from pulumi_llm.errors import Finding, Refusal

_OF_THE_HOST = """
import argparse
import asyncio
import logging
import os
import runpy
import sys
import traceback
from concurrent.futures import ThreadPoolExecutor
from typing import Optional

import pulumi
import pulumi.runtime
"""
"""What ``pulumi-language-python-exec`` of Pulumi 3.259.0 imports (read 2026-11-29)."""


def run_main(main: Path) -> None:
    """Run the program: its folder is the working directory and first on the path."""
    target = main / "__main__.py" if main.is_dir() else main
    if not target.is_file():
        raise Refusal([Finding("project.no-program", _("there is no Python program at {target}", target=target))])
    with _inside(target.parent):
        runpy.run_path(str(target), run_name="__main__")


@contextlib.contextmanager
def as_the_host() -> Iterator[None]:
    """Meanwhile ``__main__`` is what it is to the engine once the program itself has ended: the host's own script.

    There the SDK looks up the names in an annotation that is a text (``from __future__ import annotations``), as it
    asks for the types of a component's outputs when they arrive. Raises :class:`Refusal` (``project.annotation``) for
    a name that is not there: `up` would end in the same place, halfway.
    """
    before, host = sys.modules.get("__main__"), ModuleType("__main__")
    exec(_OF_THE_HOST, host.__dict__)  # noqa: S102 - the text above
    sys.modules["__main__"] = host
    try:
        yield
    except NameError as unknown:
        if not _of_an_annotation(unknown):
            raise
        raise Refusal([_told(unknown.name or "")]) from unknown
    finally:
        if before is None:
            del sys.modules["__main__"]
        else:
            sys.modules["__main__"] = before


def _of_an_annotation(unknown: NameError) -> bool:
    """Whether the name stands in an annotation: it was evaluated from a text, and by nobody's program."""
    step = unknown.__traceback__
    while step is not None and step.tb_next is not None:
        step = step.tb_next
    return step is not None and step.tb_frame.f_code.co_filename == "<string>"


def _told(name: str) -> Finding:
    return Finding(
        "project.annotation",
        _("Pulumi cannot read the type of an output of a component in the program's own file: {name!r}", name=name),
        _("move the class into a module beside it, or leave out `from __future__ import annotations`"),
    )


@contextlib.contextmanager
def _inside(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        os.chdir(before)
