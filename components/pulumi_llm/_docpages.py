"""The troubleshooting guide as `pulumi-llm explain` reads it: groups of sections, each for one or more codes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from pulumi_llm._dataclasses import dataclass
from pulumi_llm._texts import _
from pulumi_llm.errors import Finding, Refusal

GUIDE = "troubleshooting.md"
WAITS = ("starting", "not-ready")
"""Codes of every service while it comes up."""


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
    """Every section of the guide, in its order; then what roles say of the codes that it leaves to them."""
    found = list(_read((folder() / GUIDE).read_text(encoding="utf-8")))
    written = {code for each in found for code in each.codes}
    return found + [each for each in of_roles() if written.isdisjoint(each.codes)]


def of_roles() -> Iterator[Section]:
    """What each service's role says of its codes: those that every service has, and its own hints."""
    from pulumi_llm.roles import registry  # only this asks for every package

    try:
        services = {name: each for name, each in registry.every().items() if each.manifest.service}
    except Refusal:  # of whoever asks for a role; a page can be read all the same
        services = {}
    for name, role in services.items():
        coming = _("{manifest} runs, and does not answer yet", manifest=role.manifest.title)
        waiting = {
            f"{name}.{kind}": _("wait; if it stays, sudo /opt/llm/bin/llm-node logs {name}", name=name)
            for kind in WAITS
        }
        for code, hint in {**waiting, **role.hints()}.items():
            what = coming if code in waiting else _("The service {manifest} on a node", manifest=role.manifest.title)
            yield Section(_("Services"), (code,), f"### `{code}`\n\n{what}.\n\n**Do**: {hint}")


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
