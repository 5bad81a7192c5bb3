"""Markdown that holds whatever is put into it: code spans, table cells, fences and folds.

What a host makes of a comment is found in the *rendered* text: `\\#12` and `&#35;12` are `#12` there, and a link to an
issue that is told so. So what would call somebody, or link to something, is parted by a character that is not seen
(:func:`plain`), and not by Markdown's escapes. Inside of code nothing is looked for, on GitHub (html-pipeline's
MentionFilter: `pre`, `code` and `a` are left alone) and on GitLab (`Banzai::Filter::References`: the same and `style`).
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence

MOST_OF_A_VALUE = 80
"""Characters of a value in a table; the line diffs have the whole."""

JOINER = "\u2060"
"""A word joiner: it is not seen, and parts a mark from the name or number behind it."""

_CALLS = re.compile(
    r"@(?=\w)"  # somebody, or a group
    r"|[#!$%&^](?=\d)"  # an issue, a merge request, a snippet, a milestone, an epic, an alert
    r"|[~%](?=[\w\"])"  # a label, a milestone, by name
    r"|\b(?:GH|GL|gh|gl)-(?=\d)"
    r"|\[(?=(?:vulnerability|feature_flag|contact|cadence|issue|work_item|epic|wiki_page|design):)"
    r"|/(?:issues|pulls?|discussions|merge_requests|work_items|epics|commits?|compare)/(?=\w)"  # in an address
    r"|:(?=[a-z0-9_+-]+:)"  # a picture by name
)
_HASH = re.compile(r"(?<![0-9A-Za-z])(?=[a-f]*[0-9])[0-9a-f]{7,64}(?![0-9A-Za-z])")
"""What may be a commit: 7 to 40 hexadecimal digits at GitHub and GitLab, 64 where a repository has SHA-256."""


def plain(text: str) -> str:
    """``text`` that calls nobody and links to nothing where it is shown, though it looks the same."""
    parted = _CALLS.sub(lambda match: match[0] + JOINER, text)
    return _HASH.sub(lambda match: JOINER.join(re.findall(".{1,6}", match[0])), parted)


def code(text: str, most: int = MOST_OF_A_VALUE) -> str:
    """``text`` as a code span of one line, also inside a table."""
    short = re.sub(r"\s+", " ", text).strip()
    short = short if len(short) <= most else f"{short[: most - 1]}…"
    if "|" in short:  # it ends a table's cell, even in a code span; and where no table is, its escape would be seen
        return html_code(short)
    ticks = "`" * (max((len(each) for each in re.findall("`+", short)), default=0) + 1)
    pad = " " if short.startswith("`") or short.endswith("`") else ""
    return f"{ticks}{pad}{short}{pad}{ticks}" if short else "``` ```"


def words(text: str) -> str:
    """``text`` as words: no markup of its own takes effect but ``code``, and nobody is called."""
    parts = re.split(r"`([^`\n]+)`", text)
    return "".join(code(part, len(part)) if index % 2 else _inert(part) for index, part in enumerate(parts)).strip()


def _inert(text: str) -> str:
    escaped = html.escape(plain(re.sub(r"\s+", " ", text)), quote=False)
    return re.sub(r"([\\`*_\[\]|~#])", r"\\\1", escaped)


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
    return html.escape(plain(re.sub(r"\s+", " ", text).strip()))


def html_code(text: str) -> str:
    """``text`` as code inside HTML, or where a code span cannot be: its marks are entities, which Markdown leaves."""
    escaped = html.escape(re.sub(r"\s+", " ", text).strip())
    kept = re.sub(r"[\\`*_{}\[\]|~:@!$^]", lambda match: f"&#{ord(match[0])};", escaped)
    return f"<code>{kept}</code>"


def names(all_names: Sequence[str], most: int, others: str) -> str:
    """The first names as code, and how many others there are (``others`` has ``{count}``)."""
    shown = ", ".join(code(each) for each in all_names[:most])
    rest = len(all_names) - most
    return shown if rest <= 0 else f"{shown} {others.format(count=rest)}".strip()
