"""What the tiny model says: a chain of tokens for each text, in which every token is followed by one other.

A model whose layers add nothing and whose last matrix knows for each token the one that comes next says the same text
every time, at any temperature that people use, and it is vLLM itself that samples, parses and streams it.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

SAYS: dict[str, Any] = json.loads((Path(__file__).parent / "data/says.json").read_text(encoding="utf-8"))
END = "</s>"


@dataclass(frozen=True)
class Script:
    """``starts``: the special tokens that a prompt may end with. ``follows``: for a token, the one after it."""

    starts: tuple[str, ...]
    follows: dict[str, str]

    @property
    def tokens(self) -> tuple[str, ...]:
        """Every token that is said or that starts something, but for the end."""
        return tuple(dict.fromkeys([*self.follows, *self.follows.values()]))


def start_of(name: str) -> str:
    """The special token that a text starts after."""
    return f"<|{name}|>"


@cache
def script() -> Script:
    """All that can be said."""
    follows: dict[str, str] = {}
    texts = {"answer": SAYS["answer"], "endless": SAYS["endless"]}
    for tool, arguments in SAYS["calls"].items():
        call = json.dumps({"name": tool, "arguments": arguments})
        texts[f"call:{tool}"] = f"<tool_call>\n{call}\n</tool_call>"
    for name, text in texts.items():
        # The last word of what has no end leads back to the first but one.
        _chain(follows, start_of(name), text, "" if name == "endless" else END)
    for name in texts:
        _chain(follows, start_of(f"thinking:{name}"), SAYS["thinking"].format(name), follows[start_of(name)])
    return Script(tuple(start_of(f"{one}{name}") for one in ("", "thinking:") for name in texts), follows)


def _chain(follows: dict[str, str], start: str, text: str, end: str) -> None:
    """Cut a text into tokens of which none is followed by two others, and say what follows which."""
    pieces = re.findall(r"\s*(?:\w+|[^\w\s])|\s+", text)
    taken = {*follows, *follows.values()}

    def cut(place: int, own: tuple[str, ...]) -> tuple[str, ...] | None:
        if place == len(pieces):
            return (*own, end or own[1])
        for size in range(1, len(pieces) - place + 1):
            piece, rest = "".join(pieces[place : place + size]), "".join(pieces[place + size :])
            if end == END and own and _said(follows, piece) == rest:
                return (*own, piece)
            if piece not in taken and piece not in own and (found := cut(place + size, (*own, piece))):
                return found
        return None

    found = cut(0, ())
    if found is None:
        raise ValueError(f"{text!r} has no tokens of its own")
    follows.update(pairwise((start, *found)))


def _said(follows: dict[str, str], token: str) -> str | None:
    """What is said after a token, up to the end; None where there is none."""
    found = ""
    while token in follows and len(found) < 10_000:
        token = follows[token]
        if token == END:
            return found
        found += token
    return None
