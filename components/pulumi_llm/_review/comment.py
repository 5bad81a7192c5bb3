"""A review as one Markdown comment: the summary first, then each stack; never longer than a comment may be.

GitHub takes 65,536 characters. What does not fit is folded in steps: fewer lines of each text, fewer texts, fewer rows,
no pictures, at last no details of some stacks. Whatever is left out is counted, and named as far as there is room.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field
from functools import cache
from pathlib import Path
from typing import Any

from pulumi_llm import _language as languages
from pulumi_llm._dataclasses import dataclass
from pulumi_llm._review import comment_parts as parts
from pulumi_llm._review.markdown import code, names
from pulumi_llm._review.stack_review import StackReview
from pulumi_llm.errors import Finding

LIMIT = 65_536
"""Characters of a comment's body at GitHub (GitLab takes 1,000,000)."""
ROOM = 65_000
"""What is used of it: CI may add a line of its own."""
Language = str
"""``en`` or ``zh``."""
DATA = Path(__file__).parent / "data" / "words.json"


@dataclass(frozen=True, slots=True)
class Budget:
    """How much of everything is shown: lines of a text, texts, rows, names in a list, findings; pictures; stacks."""

    lines: int
    files: int
    rows: int
    names: int
    findings: int
    pictures: bool = True
    stacks: int = 1000


LADDER = (
    Budget(lines=400, files=80, rows=200, names=200, findings=60),
    Budget(lines=150, files=40, rows=120, names=80, findings=40),
    Budget(lines=60, files=20, rows=80, names=40, findings=25),
    Budget(lines=25, files=10, rows=40, names=25, findings=12),
    Budget(lines=10, files=5, rows=25, names=20, findings=8),
    Budget(lines=0, files=0, rows=15, names=15, findings=6, pictures=False),
    Budget(lines=0, files=0, rows=5, names=10, findings=3, pictures=False),
    Budget(lines=0, files=0, rows=5, names=10, findings=3, pictures=False, stacks=8),
    Budget(lines=0, files=0, rows=3, names=5, findings=2, pictures=False, stacks=0),
)


@dataclass(slots=True)
class LeftOut:
    """What a rendering leaves out, by kind: lines, files, rows, pictures, stacks."""

    counts: dict[str, int] = field(default_factory=dict)

    def add(self, kind: str, count: int) -> None:
        """``count`` more of a kind."""
        if count > 0:
            self.counts[kind] = self.counts.get(kind, 0) + count


class Words:
    """The texts of one language."""

    def __init__(self, content: Mapping[str, Any], language: str) -> None:
        self.content = content
        self.language = language

    def __call__(self, key: str, /, **values: object) -> str:
        """A text with its values."""
        return str(self.content[key]).format(**values) if values else str(self.content[key])

    def of(self, group: str, key: str) -> str:
        """A text of a group, empty where there is none."""
        return str(self.content[group].get(key, ""))

    def told(self, text: str) -> str:
        """A sentence in this language."""
        return languages.told(text, self.language)

    def finding(self, found: Finding) -> Finding:
        """A finding in this language, as far as its texts are translated."""
        return found.told(self.language)


@cache
def words_of(language: Language) -> Words:
    """The package's own texts."""
    content = json.loads(DATA.read_text(encoding="utf-8"))
    for key, value in content.items():
        if isinstance(value, dict):
            content[key] = {name: languages.word(f"{key}.{name}", text, language) for name, text in value.items()}
        else:
            content[key] = languages.word(key, value, language)
    return Words(content, language)


def marker_line(name: str = "") -> str:
    """The line by which CI finds its one comment again; ``name`` tells several on one pull request apart."""
    safe = "".join(each if each.isalnum() or each in "._-" else "-" for each in name).replace("--", "-")
    return f"<!-- pulumi-llm:review{f' {safe}' if safe else ''} -->"


def render(
    reviews: Sequence[StackReview],
    language: Language = "en",
    *,
    marker: str = "",
    mask: Callable[[str], str] = lambda text: text,
    limit: int = ROOM,
) -> str:
    """The comment, of at most ``limit`` characters. ``mask`` goes over the whole once more."""
    words = words_of(language)
    text = ""
    for budget in LADDER:
        text = mask(_render(reviews, words, budget, marker))
        if len(text) <= limit:
            return text
    # Only a summary of more stacks than fit comes here: whole lines are cut, and it is said.
    end = f"\n\n{words('more-stacks', count=len(reviews), names='…')}\n"
    return text[: limit - len(end)].rsplit("\n", 1)[0] + end


def _render(reviews: Sequence[StackReview], words: Words, budget: Budget, marker: str) -> str:
    left_out = LeftOut()
    lines = [marker_line(marker), f"## {words('title')}", ""]
    lines += parts.summary(reviews, words)
    detailed = [each for each in reviews if each.changed or each.refused or each.errors]
    shown = detailed[: budget.stacks]
    for each in shown:
        lines += ["", *parts.stack(each, words, budget, left_out, opened=len(detailed) == 1)]
    rest = [each.stack for each in detailed[budget.stacks :]]
    if rest:
        left_out.add("stacks", len(rest))
        listed = names(rest, budget.names, words.content["and-others"])
        lines += ["", words("more-stacks", count=len(rest), names=listed)]
    what = ", ".join(words(f"folded-{kind}", count=count) for kind, count in left_out.counts.items())
    if what:
        lines += ["", words("folded", what=what)]
    lines += ["", *_foot(reviews, words)]
    return "\n".join(lines).rstrip() + "\n"


def _foot(reviews: Iterable[StackReview], words: Words) -> list[str]:
    sources = {each.source for each in reviews if not each.refused}
    said = [words(f"by-{each}") for each in ("program", "engine") if each in sources]
    return [f"<sub>{' '.join([*said, 'pulumi-llm'])}</sub>"]


__all__ = ["LADDER", "LIMIT", "Budget", "LeftOut", "Words", "code", "marker_line", "render", "words_of"]
