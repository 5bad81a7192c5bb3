"""The part of a comment about a step up: what stays, what moves, and what is left to do by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pulumi_llm._review.growth import Growth, Told
from pulumi_llm._review.markdown import code, names
from pulumi_llm._review.stack_review import StackReview

if TYPE_CHECKING:
    from pulumi_llm._review.comment import Budget, Words


def step_up(review: StackReview, words: Words, budget: Budget) -> list[str]:
    """A list for each server that becomes several machines, or a fleet."""
    if not review.growths:
        return []
    lines = [f"**{words('step-up')}**", ""]
    for each in review.growths[: budget.rows]:
        lines.append(f"- {code(each.node)}{words('colon')}{_head(each, words)}")
        for part, told in (("stays", each.stays), ("moves", each.moves), ("by-hand", each.by_hand)):
            said = [_said(one, words, budget) for one in told] or ([words("nothing")] if part != "moves" else [])
            lines += [f"  - {words(part)}{words('colon')}{one}" for one in said]
    return [*lines, ""]


def _head(each: Growth, words: Words) -> str:
    return words.of("growth", each.kind).format(before=each.before, after=each.after)


def _said(told: Told, words: Words, budget: Budget) -> str:
    listed = names(told.names, budget.names, str(words.content["and-others"]))
    return words.of("growth", told.what).format(names=listed, stack=told.names[0] if told.names else "")
