"""Run the program of another folder in this process, and leave nothing of it behind.

It saves the start of a second interpreter and a second import of the SDKs, which are most of a comparison's time. What
a program imports from its own folder would otherwise be found again by the next one under the same name.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from pulumi.runtime import rpc


@contextlib.contextmanager
def guest(folder: Path) -> Iterator[None]:
    """Whatever is imported from ``folder`` meanwhile is forgotten afterwards; path and environment are put back.

    What is printed goes nowhere.
    """
    modules, path, environment = set(sys.modules), list(sys.path), dict(os.environ)
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        sys.path[:] = path
        if dict(os.environ) != environment:
            os.environ.clear()
            os.environ.update(environment)
        roots = tuple(os.path.join(each, "") for each in (folder, folder.resolve()))  # noqa: PTH118 - with a slash
        _forget({name for name in set(sys.modules) - modules if _is_inside(name, roots)})


def _forget(names: set[str]) -> None:
    for name in names:
        del sys.modules[name]
    # An SDK that is part of the project would be refused when it registers its types once more.
    registers: list[dict[str, Any]] = [rpc._RESOURCE_PACKAGES, rpc._RESOURCE_MODULES]
    for register in registers:
        for key, entries in list(register.items()):
            kept = [each for each in entries if type(each).__module__ not in names]
            if kept:
                register[key] = kept
            else:
                del register[key]


def _is_inside(name: str, roots: tuple[str, ...]) -> bool:
    # Past the modules' own attribute access, which loads those whose import is put off.
    module = sys.modules[name]
    spec = object.__getattribute__(module, "__dict__").get("__spec__") if isinstance(module, ModuleType) else None
    places = (getattr(spec, "origin", None), *(getattr(spec, "submodule_search_locations", None) or ()))
    return any(isinstance(each, str) and each.startswith(roots) for each in places)
