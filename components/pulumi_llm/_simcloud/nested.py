"""What a provider computes within the blocks that it is given: a machine's address in its network interface."""

from __future__ import annotations

import copy
from itertools import zip_longest
from typing import Any

from pulumi_llm._provider_facts.table import TypeFacts
from pulumi_llm._provider_facts.values import SIGNATURE, UNKNOWN, Props


def with_computed(given: Props, facts: TypeFacts | None, state: Props) -> Props:
    """``given``, with what is computed and not said in its blocks as a preview has it: as it was, or unknown."""
    paths = [path for path, fact in facts.inputs.items() if fact.computed and "." in path] if facts else []
    if not paths:
        return given
    made = {key: copy.deepcopy(value) if isinstance(value, (dict, list)) else value for key, value in given.items()}
    for path in paths:
        _fill(made, path.split("."), state)
    return made


def _fill(here: Any, steps: list[str], was: Any) -> None:
    if not isinstance(here, dict) or SIGNATURE in here:
        return
    step, *rest = steps
    before = was.get(step.removesuffix("[]")) if isinstance(was, dict) else None
    if not rest:
        here.setdefault(step, UNKNOWN if before is None else before)
    elif step.endswith("[]"):
        listed, old = here.get(step.removesuffix("[]")), before if isinstance(before, list) else []
        for each, was_each in zip_longest(listed if isinstance(listed, list) else [], old):
            _fill(each, rest, was_each)
    else:
        _fill(here.get(step), rest, before)
