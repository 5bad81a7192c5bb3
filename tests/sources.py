"""The program's modules as trees, each read once for all tests that look at one."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path


@cache
def tree(path: Path) -> ast.Module:
    """The module at a path, to be read and not changed."""
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    """Everything in the module at a path, from the outside inwards."""
    return tuple(ast.walk(tree(path)))
