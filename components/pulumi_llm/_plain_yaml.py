"""A reader of YAML as people and tools mostly write it, which leaves everything else to :mod:`_composed_yaml`.

Indented mappings and lists, words, numbers, quotes without a backslash, braces and brackets within a line, comments,
and texts after `|-`: no more. Of whatever looks otherwise in the least (an anchor, a tag, a tab, a text over several
lines, a key twice, a mistake) it says that it is not plain, and never guesses: tests hold both readers against each
other. Reading this way takes a tenth of the time, and no import of PyYAML: see docs/decisions/cheap-plans.md.
"""

from __future__ import annotations

import re
from typing import Any

from pulumi_llm._engine_scalars import resolved, shortened

DEEPEST = 40
"""Values in values in values. What is nested more deeply is left to the other reader."""

_WORD = r"[A-Za-z_][\w./-]*(?::[\w./-]+)*"
_KEY = re.compile(rf"({_WORD}|\"[^\"\\]*\"|'[^']*')(?<!:):(?: +(.*))?", re.ASCII)
_QUOTED = re.compile(r"(?:\"([^\"\\]*)\"|'([^']*)')")
_TEXT = re.compile(r"(?:[\w./~+<(=$^;]|-(?=[\w./-]))(?:[^:#]|:(?! |$)|(?<! )#)*")
_IN_FLOW = re.compile(r"(?:[\w./~+<(=$^;]|-(?=[\w.-]))(?:[^,\[\]{}:#?]|:(?=[\w./-]))*")
_FLOW_KEY = re.compile(rf" *({_WORD}|\"[^\"\\]*\"|'[^']*')(?<!:): +", re.ASCII)
_REST = re.compile(r" *(?: #.*)?")
_LONGEST_KEY = 200
"""Characters; YAML's own bound is 1024."""


class NotPlainError(Exception):
    """The text is not written plainly, or not YAML."""


def read(text: str) -> Any:
    """What a text holds, as the engine reads it. Raises :class:`NotPlainError`."""
    if not text.replace("\n", "").isprintable():  # a tab is not, nor are line breaks of other kinds
        raise NotPlainError
    lines = _Lines(text)
    if lines.indent < 0:
        return None
    value = lines.block(lines.indent, 0)
    if lines.indent >= 0:
        raise NotPlainError
    return value


class _Lines:
    """Goes from line to line; ``indent`` and ``content`` are those of the next that holds anything, -1 at the end."""

    def __init__(self, text: str) -> None:
        self.lines = text.split("\n")
        self.number = -1
        self.indent, self.content = 0, ""
        self.advance()

    def advance(self) -> None:
        for number in range(self.number + 1, len(self.lines)):
            content = self.lines[number].strip(" ")
            if content and content[0] != "#":
                line = self.lines[number]
                self.number, self.indent, self.content = number, len(line) - len(line.lstrip(" ")), content
                return
        self.number, self.indent, self.content = len(self.lines), -1, ""

    def block(self, indent: int, depth: int) -> Any:
        """The mapping or the list whose first line is the next."""
        if depth > DEEPEST:
            raise NotPlainError
        return self.items(indent, depth) if self.content.startswith("- ") else self.mapping(indent, depth)

    def mapping(self, indent: int, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while self.indent == indent:
            match = _KEY.fullmatch(self.content)
            if match is None:
                raise NotPlainError
            key = _key(match[1])
            if key in found:
                raise NotPlainError
            found[key] = self.value(match[2] or "", indent, depth)
        if self.indent > indent:
            raise NotPlainError
        return found

    def value(self, written: str, indent: int, depth: int) -> Any:
        """What stands after a key, on its line or below it."""
        if written == "|-":
            return self.literal(indent)
        self.advance()
        if written and written[0] != "#":
            return self.inline(written, indent)
        if self.indent > indent or (self.indent == indent and self.content.startswith("- ")):
            return self.block(self.indent, depth + 1)
        return None

    def items(self, indent: int, depth: int) -> list[Any]:
        found = []
        while self.indent == indent and self.content.startswith("- "):
            written = self.content[2:].lstrip(" ")
            if written[0] in "-#" and (written[0] == "#" or written[1:2] in ("", " ")):
                raise NotPlainError
            if _KEY.fullmatch(written):
                self.indent += len(self.content) - len(written)
                self.content = written
                found.append(self.mapping(self.indent, depth + 1))
            else:
                self.advance()
                found.append(self.inline(written, indent))
        if self.indent > indent:
            raise NotPlainError
        return found

    def inline(self, written: str, indent: int) -> Any:
        """A value that ends with its line: whatever is further in below would be more of it."""
        if self.indent > indent:
            raise NotPlainError
        if match := _TEXT.match(written):
            value, end = _scalar(match[0].rstrip(" ")), len(match[0].rstrip(" "))
        else:
            value, end = _flow(written, 0, 0)
        if not _REST.fullmatch(written, end):
            raise NotPlainError
        return value

    def literal(self, indent: int) -> str:
        """The lines below, as they are, without the line break at their end."""
        start = self.number + 1
        first = self.lines[start] if start < len(self.lines) else ""
        inner = len(first) - len(first.lstrip(" "))
        if inner <= indent or not first.strip(" "):
            raise NotPlainError
        end = start
        while end < len(self.lines) and (not self.lines[end] or self.lines[end].startswith(" " * (indent + 1))):
            if self.lines[end] and (not self.lines[end].strip(" ") or not self.lines[end].startswith(" " * inner)):
                raise NotPlainError
            end += 1
        self.number = end - 1
        self.advance()
        return "\n".join(each[inner:] for each in self.lines[start:end]).rstrip("\n")


def _flow(text: str, start: int, depth: int) -> tuple[Any, int]:
    """The value in braces, brackets or none that begins at ``start``, and where it ends."""
    if depth > DEEPEST:
        raise NotPlainError
    opened = text[start : start + 1]
    if opened not in ("[", "{"):
        if quoted := _QUOTED.match(text, start):
            return text[start + 1 : quoted.end() - 1], quoted.end()
        if match := _IN_FLOW.match(text, start):
            return _scalar(match[0].rstrip(" ")), match.end()
        raise NotPlainError
    closed = "]" if opened == "[" else "}"
    items: list[Any] = []
    rows: dict[str, Any] = {}
    at = _past_spaces(text, start + 1)
    while text[at : at + 1] != closed or items or rows:
        if opened == "{":
            match = _FLOW_KEY.match(text, at)
            if match is None or _key(match[1]) in rows:
                raise NotPlainError
            rows[_key(match[1])], at = _flow(text, match.end(), depth + 1)
        else:
            value, at = _flow(text, at, depth + 1)
            items.append(value)
        at = _past_spaces(text, at)
        if text[at : at + 1] == closed:
            break
        if text[at : at + 1] != ",":
            raise NotPlainError
        at = _past_spaces(text, at + 1)
    return (items if opened == "[" else rows), at + 1


def _past_spaces(text: str, at: int) -> int:
    while text[at : at + 1] == " ":
        at += 1
    return at


def _key(written: str) -> str:
    key = written[1:-1] if written[0] in "\"'" else written
    if key == "<<" or len(written) > _LONGEST_KEY or (key == written and resolved(key, dates=False)[0] != "str"):
        raise NotPlainError
    return key


def _scalar(text: str) -> Any:
    return shortened(*resolved(text, dates=True))
