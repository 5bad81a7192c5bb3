"""The part of a comment for callers: what breaks them, and what a change does to the room that they share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pulumi_llm._review.capacity import Room
from pulumi_llm._review.markdown import code, names
from pulumi_llm._review.stack_review import StackReview

if TYPE_CHECKING:
    from pulumi_llm._review.comment import Budget, Words


def for_callers(review: StackReview, words: Words, budget: Budget) -> list[str]:
    """What breaks a caller, one line each."""
    if not review.broken:
        return []
    others = str(words.content["and-others"])
    lines = [
        f"- 🟠 {code(each.node)}{words('colon')}"
        + words.of("callers", each.kind).format(
            what=names(each.what, budget.names, others), now=names(each.now, budget.names, others)
        )
        for each in review.broken[: budget.rows]
    ]
    rest = review.broken[budget.rows :]
    if rest:
        nodes = list(dict.fromkeys(each.node for each in rest))
        lines.append(f"- {words('more-rows', count=len(rest), names=names(nodes, budget.names, others))}")
    return [f"**{words('for-callers')}**", "", *lines, ""]


def room(review: StackReview, words: Words, budget: Budget) -> list[str]:
    """Requests at once and the longest context before and after, and what is downloaded again."""
    lines = []
    for each in review.capacities[: budget.rows]:
        told = []
        if each.before != each.after:
            told.append(f"{_room(each.before, words)} → {_room(each.after, words)}")
        if each.downloads:
            known = each.download_gib is not None
            told.append(words("download", gib=f"{each.download_gib:.1f}") if known else words("download-unknown"))
        lines.append(f"- {code(each.node)}{words('colon')}{'<br>'.join(told)}")
    return [f"**{words('room')}**", "", *lines, ""] if lines else []


def _room(found: Room | None, words: Words) -> str:
    if found is None:
        return words("room-unknown")
    return words("room-row", context=f"{found.context:,}", at_once=f"{found.at_once:g}", longest=f"{found.longest:,}")
