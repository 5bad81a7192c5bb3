"""Markdown that holds whatever is put into it: code spans, table cells, fences and folds."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence

MOST_OF_A_VALUE = 80
"""Characters of a value in a table; the line diffs have the whole."""


def code(text: str, most: int = MOST_OF_A_VALUE) -> str:
    """``text`` as a code span of one line, also inside a table."""
    plain = re.sub(r"\s+", " ", text).strip()
    plain = plain if len(plain) <= most else f"{plain[: most - 1]}…"
    ticks = "`" * (max((len(each) for each in re.findall("`+", plain)), default=0) + 1)
    pad = " " if plain.startswith("`") or plain.endswith("`") else ""
    return f"{ticks}{pad}{plain}{pad}{ticks}".replace("|", "\\|") if plain else "``` ```"


def words(text: str) -> str:
    """``text`` as words: no markup of its own takes effect but ``code``, and nobody is called by an @."""
    parts = re.split(r"`([^`\n]+)`", text)
    return "".join(code(part, len(part)) if index % 2 else _inert(part) for index, part in enumerate(parts)).strip()


def _inert(text: str) -> str:
    plain = html.escape(re.sub(r"\s+", " ", text), quote=False)
    plain = re.sub(r"([\\`*_\[\]|~#])", r"\\\1", plain)
    return plain.replace("@", "@\u200b")


def table(head: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[int] = ()) -> list[str]:
    """A table; ``right`` are the columns that are aligned so."""
    marks = ["---:" if index in right else "---" for index in range(len(head))]
    return [f"| {' | '.join(row)} |" for row in [head, marks, *rows]]


def fenced(text: str, language: str) -> list[str]:
    """A block of code whose fence is longer than any in it."""
    longest = max((len(each) for each in re.findall(r"^\s*(`{3,})", text, re.MULTILINE)), default=2)
    fence = "`" * max(3, longest + 1)
    return [f"{fence}{language}", *text.rstrip("\n").splitlines(), fence]


def folded(summary: str, lines: Sequence[str], *, opened: bool = False) -> list[str]:
    """A fold with ``summary`` (Markdown of one line does not work there: it is HTML)."""
    start = "<details open>" if opened else "<details>"
    return [f"{start}<summary>{summary}</summary>", "", *lines, "", "</details>", ""]


def html_words(text: str) -> str:
    """``text`` inside HTML, such as a fold's summary."""
    return html.escape(re.sub(r"\s+", " ", text).strip()).replace("@", "@\u200b")


def html_code(text: str) -> str:
    """``text`` as code inside HTML."""
    return f"<code>{html_words(text)}</code>"


def names(all_names: Sequence[str], most: int, others: str) -> str:
    """The first names as code, and how many others there are (``others`` has ``{count}``)."""
    shown = ", ".join(code(each) for each in all_names[:most])
    rest = len(all_names) - most
    return shown if rest <= 0 else f"{shown} {others.format(count=rest)}".strip()
