"""What the gateway's own code says about content safety, asked before anything is made.

The code travels to the nodes from templates/gateway, and is no part of this package: it is loaded from there, so that a
word that a plan takes is one that the node takes too. Only what needs nothing but Python itself is loaded.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from functools import cache
from importlib import resources
from pathlib import Path
from types import ModuleType
from typing import Any


@cache
def _words() -> Any:
    """The gateway's module ``words``.

    Its package is not run, as that loads the server with aiohttp, which a machine that plans has no need of; an empty
    one stands in its place while the module is loaded, and another that is there already is put back.
    """
    top = resources.files("pulumi_llm") / "templates"
    folder = (Path(str(top)) if top.is_dir() else Path(__file__).parents[2] / "templates") / "gateway" / "llm_gate"
    before = {name: module for name, module in sys.modules.items() if name.partition(".")[0] == "llm_gate"}
    try:
        for name in before:
            del sys.modules[name]
        for name, place in (("llm_gate", folder), ("llm_gate.content", folder / "content")):
            package = ModuleType(name)
            package.__path__ = [str(place)]
            sys.modules[name] = package
        return importlib.import_module("llm_gate.content.words")
    finally:
        for name in [name for name in sys.modules if name.partition(".")[0] == "llm_gate"]:
            del sys.modules[name]
        sys.modules.update(before)


def longest_word() -> int:
    """How many letters and digits a word may have, once ligatures are taken apart and what is not seen is left out."""
    return int(_words().LONGEST)


def is_mask(text: str) -> bool:
    """Whether the gateway takes ``text`` for what the letters of a masked word become."""
    return bool(_words().is_mask(text))


def is_word(text: str) -> bool:
    """Whether the gateway can look for ``text``."""
    return _words().parse(text, 1) is not None


def lines_without_a_word(text: str) -> Iterator[int]:
    """The lines of a word file, from 1, that say something that the gateway cannot look for."""
    return (number for number, line in _words().in_lines(text.splitlines()) if not is_word(line))
