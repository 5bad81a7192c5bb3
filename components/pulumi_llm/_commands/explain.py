"""`pulumi-llm explain [CODE]`: what a message's code means and what to do. Without a code: all codes, by group.

Exit 0: told. Exit 2: called wrongly, or there is no such code.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

from pulumi_llm._commands import DONE, EVERY, Command, option
from pulumi_llm._texts import _

if TYPE_CHECKING:
    from argparse import Namespace

    from pulumi_llm._docpages import Section

PROG = "pulumi-llm explain"


def _explain(asked: Namespace) -> int:
    from pulumi_llm import _docpages as docpages
    from pulumi_llm.errors import UnknownName

    sections = docpages.sections()
    if asked.code is None:
        sys.stdout.write(_listed(sections))
        return DONE
    by_code = {code: section for section in sections for code in section.codes}
    found = by_code.get(_meant(asked.code))
    if found is None:
        raise UnknownName(
            "explain.unknown-code", _("code"), asked.code, by_code, hint=_("{prog} alone lists all of them", prog=PROG)
        )
    sys.stdout.write(f"{_plain(found.text)}\n")
    return DONE


def _meant(text: str) -> str:
    """The code, also where it was copied with its brackets or from a link (``fit-too-big`` for ``fit.too-big``)."""
    code = text.strip().strip("[]`").rpartition("#")[2].lower()
    return code if "." in code else code.replace("-", ".", 1)


def _listed(sections: Iterable[Section]) -> str:
    lines: list[str] = []
    group = ""
    for section in sections:
        if section.group != group:
            group = section.group
            lines += ["", group] if lines else [group]
        lines += [f"  {code}" for code in section.codes]
    return "\n".join(lines) + "\n"


def _plain(text: str) -> str:
    """Markdown as a terminal shows it: links to other pages become the places where these lie."""
    from pulumi_llm import _docpages as docpages

    pages = docpages.folder()

    def place(link: re.Match[str]) -> str:
        words, target = link.groups()
        if target.startswith("#"):
            return f"{words} ({PROG} {target[1:].replace('-', '.', 1)})" if "`" in words or "." in words else words
        if "://" in target:
            return f"{words} ({target})"
        page, mark, part = target.partition("#")
        return f"{words} ({pages / page}{mark}{part})"

    return re.sub(r"\[([^\]]+)\]\(([^)\s]+)\)", place, text)


COMMAND = Command(
    name="explain",
    help="what a message's code means, and what to do",
    about=__doc__,
    options=(option("code", nargs="?", help="such as fit.weights-exceed-vram, as a message has it in brackets"),),
    body=_explain,
    wrong_call=EVERY,
)
