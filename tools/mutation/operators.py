"""Operators beside cosmic-ray's own, for mistakes that it does not make."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import parso
from cosmic_ray.operators.operator import Example, Operator

Position = tuple[tuple[int, int], tuple[int, int]]


def _place(node: Any) -> Position:
    return node.start_pos, node.end_pos


def _code(text: str, prefix: str) -> Any:
    """A node of this text, to be put where another stood."""
    found = parso.parse(text).children[0]
    found.get_first_leaf().prefix = prefix
    return found


class EmptyUnpacking(Operator):
    """What is unpacked into a call or a display holds nothing: ``{**row, "a": 1}`` loses the row."""

    TYPES = ("argument", "star_expr", "dictorsetmaker", "testlist_comp", "arglist")

    def mutation_positions(self, node: Any) -> Iterator[Position]:
        for star, value in self._pairs(node):
            yield star.start_pos, value.end_pos

    def mutate(self, node: Any, index: int) -> Any:
        star, value = list(self._pairs(node))[index]
        node.children[node.children.index(value)] = _code("{}" if star.value == "**" else "()", "")
        return node

    def _pairs(self, node: Any) -> list[tuple[Any, Any]]:
        if node.type not in self.TYPES:
            return []
        pairs = zip(node.children, node.children[1:], strict=False)
        return [pair for pair in pairs if pair[0].type == "operator" and pair[0].value in ("*", "**")]

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (Example("{**a, 'b': 1}", "{**{}, 'b': 1}"), Example("f(*a)", "f(*())"), Example("[*a, 1]", "[*(), 1]"))


class LeaveOutCall(Operator):
    """A call that is a statement of its own is not made."""

    def mutation_positions(self, node: Any) -> Iterator[Position]:
        if self._is_call(node):
            yield _place(node)

    def mutate(self, node: Any, index: int) -> Any:
        return _code("None", node.get_first_leaf().prefix)

    @staticmethod
    def _is_call(node: Any) -> bool:
        if node.type not in ("atom_expr", "power") or node.parent is None or node.parent.type != "simple_stmt":
            return False
        last = node.children[-1]
        return bool(last.type == "trailer" and last.children[0].value == "(")

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (Example("a.b(1)\n", "None\n"),)


class SwapIn(Operator):
    """``in`` for ``not in``, and the other way round."""

    def mutation_positions(self, node: Any) -> Iterator[Position]:
        for each in self._tests(node):
            yield _place(each)

    def mutate(self, node: Any, index: int) -> Any:
        found = self._tests(node)[index]
        other = "in" if found.type == "comp_op" else "not in"
        node.children[node.children.index(found)] = parso.parse(f" {other}")
        return node

    @staticmethod
    def _tests(node: Any) -> list[Any]:
        if node.type != "comparison":
            return []
        return [each for each in node.children[1::2] if " ".join(each.get_code().split()) in ("in", "not in")]

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (Example("a in b", "a not in b"), Example("a not in b", "a in b"))


class SwapAugmented(Operator):
    """``+=`` for ``-=``, ``|=`` for ``&=``, and the other way round."""

    OTHER = {"+=": "-=", "-=": "+=", "|=": "&=", "&=": "|=", "*=": "/=", "//=": "*="}

    def mutation_positions(self, node: Any) -> Iterator[Position]:
        if node.type == "operator" and node.value in self.OTHER:
            yield _place(node)

    def mutate(self, node: Any, index: int) -> Any:
        node.value = self.OTHER[node.value]
        return node

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (Example("a += 1", "a -= 1"), Example("a |= b", "a &= b"))


OWN = {f"own/{each.__name__}": each for each in (EmptyUnpacking, LeaveOutCall, SwapIn, SwapAugmented)}
