"""Tables, as lines for a terminal and as Markdown."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from unicodedata import combining, east_asian_width

from pulumi_llm._language import told

GAP = "  "


def width(text: str) -> int:
    """The columns that a terminal shows ``text`` in: two for a Chinese character, none for an accent of its own."""
    if text.isascii():
        return len(text)
    return sum(0 if combining(each) else 1 + (east_asian_width(each) in "WF") for each in text)


def padded(text: str, columns: int, *, right: bool = False) -> str:
    """``text`` in so many columns at least, at their left or their right."""
    blank = " " * (columns - width(text))
    return f"{blank}{text}" if right else f"{text}{blank}"


def aligned(rows: Sequence[Sequence[str]], right: Collection[int] = (), least: Sequence[int] = ()) -> list[str]:
    """The rows, each cell as wide as the widest of its column and as ``least`` says; ``right`` are the columns that are
    aligned so. Nothing stands behind the last word of a line. A heading that is a sentence of ours is told in the
    language that is spoken.
    """
    rows = [[told(cell) for cell in row] for row in rows]
    widths = [
        max([*(width(row[at]) for row in rows), *least[at : at + 1]]) for at in range(len(rows[0]) if rows else 0)
    ]
    return [
        GAP.join(
            padded(cell, columns, right=at in right) for at, (cell, columns) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]], right: Collection[int] = ()) -> list[str]:
    """The same as Markdown. What cells hold is Markdown already (see `review.markdown`)."""
    marks = ["---:" if at in right else "---" for at in range(len(head))]
    return [f"| {' | '.join(row)} |" for row in [head, marks, *rows]]
