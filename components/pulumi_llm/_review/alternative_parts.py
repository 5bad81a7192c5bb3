"""The part of a comment about what is taken where a server's machine is sold out: each with its price and its fit."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from pulumi_llm._review.bill import Alternative
from pulumi_llm._review.markdown import code, folded, html_words
from pulumi_llm._review.markdown import words as plain_words
from pulumi_llm._review.stack_review import StackReview
from pulumi_llm._tables import markdown

if TYPE_CHECKING:
    from pulumi_llm._review.comment import Budget, LeftOut, Words


def alternatives(review: StackReview, words: Words, budget: Budget, left_out: LeftOut) -> list[str]:
    """A table for each server that has any."""
    lines: list[str] = []
    for resource, group in groupby(review.bill.alternatives if review.bill else (), lambda each: each.line.resource):
        found = list(group)
        left_out.add("rows", len(found) - budget.rows)
        rows = [_row(each, words) for each in found[: budget.rows]]
        head = [words("number"), words("machine"), *(f"{each} {words('per-month')}" for each in ("CNY", "USD"))]
        title = html_words(words("alternatives", node=resource))
        lines += folded(title, markdown([*head, words("fits")], rows, right=(2, 3)))
    return lines


def _row(each: Alternative, words: Words) -> list[str]:
    line, room = each.line, each.offered.room
    fit = words("room-unknown")
    if room is not None:
        fit = words("room-row", context=f"{room.context:,}", at_once=f"{room.at_once:g}", longest=f"{room.longest:,}")
    what = plain_words(words.told(line.what))
    month = line.per_month
    cost = [f"{month.cny:,.2f}", f"{month.usd:,.2f}"] if month is not None else [words("unknown")] * 2
    number = code(str(each.offered.number))
    return [f"**{number}**" if each.offered.taken else number, what, *cost, fit]
