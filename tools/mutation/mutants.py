"""The mutants of a module, and a sample of them that is the same each time."""

from __future__ import annotations

import ast
import difflib
import random
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator
from operators import OWN

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Equivalent:
    """A mutant that does what the program does."""

    module: str
    within: str
    """Function or class (``Class.method``); empty: none."""
    before: str
    after: str
    reason: str


@dataclass(frozen=True)
class Mutant:
    """A module with one mistake."""

    module: str
    operator: str
    within: str
    line: int
    code: str
    diff: str

    def is_(self, row: Equivalent) -> bool:
        """Whether it is the mutant that a row of equivalent.toml names."""
        changed = [line for line in self.diff.splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")]
        taken, put = (" ".join(line[1:].strip() for line in changed if line[0] == sign) for sign in "-+")
        return (self.module, self.within, taken, put) == (row.module, row.within, row.before, row.after)


@cache
def equivalents() -> list[Equivalent]:
    """The rows of equivalent.toml."""
    rows = tomllib.loads((HERE / "equivalent.toml").read_text(encoding="utf-8")).get("mutant", [])
    return [Equivalent(**row) for row in rows]


def sample(module: str, source: str, operators: list[str], seed: int, at_most: int) -> tuple[list[Mutant], int]:
    """Some of a module's mutants, in the order of its lines, and how many places there were to choose from."""
    places = _places(source, operators)
    random.Random(f"{seed} {module}").shuffle(places)
    known = [row for row in equivalents() if row.module == module]
    found: list[Mutant] = []
    for place in places:
        if len(found) == at_most:
            break
        mutant = _mutant(module, source, place)
        if mutant is not None and not any(mutant.is_(row) for row in known):
            found.append(mutant)
    return sorted(found, key=lambda each: each.line), len(places)


def _operator(name: str) -> Any:
    return OWN[name]() if name in OWN else get_operator(name)()


@dataclass(frozen=True)
class _Place:
    operator: str
    within: str
    line: int
    occurrence: int


def _places(source: str, operators: list[str]) -> list[_Place]:
    tree = get_ast(source)
    found = []
    for name in operators:
        operator = _operator(name)
        positions = ((node, place) for node in ast_nodes(tree) for place in operator.mutation_positions(node))
        for occurrence, (node, (start, _)) in enumerate(positions):
            if not _is_unseen(node) and not _is_figure(node):
                found.append(_Place(name, _within(node), start[0], occurrence))
    return found


def _within(node: Any) -> str:
    names = []
    while node.parent is not None:
        node = node.parent
        if node.type in ("funcdef", "classdef"):
            names.append(node.name.value)
    return ".".join(reversed(names))


def _is_unseen(node: Any) -> bool:
    """Whether the node stands where nothing is evaluated that a test could see: an annotation, a decorator."""
    if node.type == "if_stmt" and node.children[1].get_code().strip() == "TYPE_CHECKING":
        return True
    if node.type == "operator" and node.parent.type in ("parameters", "param"):
        return True  # the star before arguments that are named
    while node.parent is not None:
        above = node.parent
        if above.type == "decorator":
            return True
        if above.type == "annassign" and node is above.children[1]:
            return True
        if above.type == "tfpdef" and node is above.children[2]:
            return True
        if above.type == "funcdef" and above.annotation is node:
            return True
        node = above
    return False


def _is_figure(node: Any) -> bool:
    """Whether the node is a figure that somebody chose, a size or a time, and no place, count or bound.

    A test that notices 1599 for 1600 would only repeat the figure.
    """
    if node.type != "number":
        return False
    power = node.parent is not None and node.parent.type == "power"
    return power or node.value not in ("0", "1", "2")


def _mutant(module: str, source: str, place: _Place) -> Mutant | None:
    code = mutate_code(source, _operator(place.operator), place.occurrence)
    if code is None:
        return None
    try:
        if ast.dump(ast.parse(code)) == ast.dump(ast.parse(source)):
            return None
    except SyntaxError:
        return None
    lines = difflib.unified_diff(source.splitlines(), code.splitlines(), module, place.operator, lineterm="", n=1)
    return Mutant(module, place.operator, place.within, place.line, code, "\n".join(lines))
