"""Arguments of tools: JSON within a text, read as a caller will read it, and written so that it stays JSON.

A word may stand in it as ``\\uXXXX``, in pieces at that. What is looked at has these as the characters that they are;
what is sent on has them so too, which is the same JSON. A mask goes into strings only: elsewhere it would break it.
"""

from __future__ import annotations

import re

_ESCAPE = re.compile(r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|[^u])", re.DOTALL)
_BEGUN = re.compile(r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}(?:\\(?:u[0-9a-fA-F]{0,3})?)?|u[0-9a-fA-F]{0,3})?\Z")
"""An escape that may go on in the next piece."""
_CONTROLS = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", "/": "/"}
_ESCAPED = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f"}


class BrokenError(Exception):
    """A mask would stand where only JSON's own words and numbers may."""


class Arguments:
    """One text of arguments, as it grows. ``mask``: the character that masked ones become."""

    def __init__(self, mask: str) -> None:
        self._mask = mask
        self._begun = ""
        self._in_string = self._after_backslash = False

    def read(self, piece: str, *, ended: bool = False) -> str:
        """The piece as it is to be looked at; a half escape waits for its end."""
        text, self._begun = self._begun + piece, ""
        if "\\" not in text:
            return text
        if not ended:
            begun = _BEGUN.search(text, max(0, len(text) - 12))
            if begun is not None and not _is_escaped(text, begun.start()):
                text, self._begun = text[: begun.start()], text[begun.start() :]
        return _ESCAPE.sub(_character, text)

    def written(self, text: str) -> str:
        """What was looked at, as JSON again. Raises `BrokenError`."""
        out: list[str] = []
        for char in text:
            if self._after_backslash:
                self._after_backslash = False
            elif char == "\\" and self._in_string:
                self._after_backslash = True
            elif char == '"':
                self._in_string = not self._in_string
            elif not self._in_string:
                if char == self._mask:
                    raise BrokenError
            elif char < " ":
                char = _ESCAPED.get(char) or f"\\u{ord(char):04x}"
            out.append(char)
        return "".join(out)


def _is_escaped(text: str, place: int) -> bool:
    """Whether the backslash at a place is the second of a pair."""
    before = place
    while before and text[before - 1] == "\\":
        before -= 1
    return (place - before) % 2 == 1


def _character(found: re.Match[str]) -> str:
    escape = found[0]
    kind = escape[1]
    if kind != "u":
        return _CONTROLS.get(kind, escape)
    units = [int(each, 16) for each in escape.split("\\u")[1:]]
    if len(units) == 2:
        return chr(0x10000 + ((units[0] & 0x3FF) << 10) + (units[1] & 0x3FF))
    char = chr(units[0])
    # Quotation marks and backslashes stay escaped, and so does half a character.
    return f"\\{char}" if char in '"\\' else escape if 0xD800 <= units[0] < 0xE000 else char
