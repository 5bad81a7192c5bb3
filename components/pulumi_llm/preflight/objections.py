"""Rules that object just where something holds: where only the verdict counts, nobody looks for words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import wraps

from pulumi_llm.errors import Finding
from pulumi_llm.preflight.request import Case

Rule = Callable[[Case], Iterable[Finding]]
Holds = Callable[[Case], bool]

_HOLDS: dict[Rule, Holds] = {}


def when(holds: Holds) -> Callable[[Callable[[Case], Iterator[Finding]]], Rule]:
    """Of a function that tells an error: it is asked where ``holds``, and always objects then."""

    def made(telling: Callable[[Case], Iterator[Finding]]) -> Rule:
        @wraps(telling)
        def rule(case: Case) -> Iterable[Finding]:
            return telling(case) if holds(case) else ()

        _HOLDS[rule] = holds
        return rule

    return made


def objects(rule: Rule) -> Holds:
    """Whether the rule tells an error of a case, found without words where the rule says how."""
    return _HOLDS.get(rule) or (lambda case: any(finding.severity == "error" for finding in rule(case)))
