"""The troubleshooting guide as `pulumi-llm explain` reads it: groups of sections, each for one or more codes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from pulumi_llm.errors import Finding, Refusal
from pulumi_llm.texts import _

GUIDE = "troubleshooting.md"


@dataclass(frozen=True, slots=True)
class Section:
    """What the guide says of ``codes`` (more than one where the same is true of them), in Markdown."""

    group: str
    codes: tuple[str, ...]
    text: str


def folder() -> Traversable:
    """Where the pages are: inside the installed package, or at the top of a checkout.

    Raises Refusal ``docs.no-pages`` where neither has them.
    """
    installed = resources.files("pulumi_llm") / "docs"
    if (installed / GUIDE).is_file():
        return installed
    checkout = Path(__file__).resolve().parents[2] / "docs"
    if (checkout / GUIDE).is_file():
        return checkout
    raise Refusal(
        [
            Finding(
                "docs.no-pages",
                _("no pages in {installed} nor in {checkout}", installed=installed, checkout=checkout),
                _("install the wheel again"),
            )
        ]
    )


def sections() -> list[Section]:
    """Every section of the guide, in its order."""
    return list(_read((folder() / GUIDE).read_text(encoding="utf-8")))


def _read(page: str) -> Iterator[Section]:
    group = ""
    codes: list[str] = []
    lines: list[str] = []
    for line in [*page.splitlines(), "## "]:
        anchor = re.fullmatch(r'<a id="([a-z0-9-]+)"></a>', line)
        if (anchor or line.startswith("## ")) and lines:
            yield Section(group, tuple(codes), "\n".join(lines).strip())
            codes, lines = [], []
        if line.startswith("## "):
            group, codes, lines = line[3:], [], []
        elif anchor:
            codes.append(anchor.group(1).replace("-", ".", 1))
        elif codes:
            lines.append(line)
