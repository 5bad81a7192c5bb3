"""The ``content`` part of the policy file, read and checked. Unknown keys are refused, and all mistakes are said at
once.

Keys of a list: ``name``; ``file`` (UTF-8, one word a line) or ``words``; ``action`` ``block`` | ``mask`` | ``log``;
``on`` (default ``["input", "output"]``); ``separators`` ``guarded`` (default) | ``any`` | ``none``, see `gaps`;
``leet`` (default false); ``keys``, ``models``: patterns of whom and what it is for (default ``["*"]``).

Keys of a moderator: ``name``; ``kind`` (``openai``, ``yidun``, ``baidu``, ``aliyun``, ``tencent``, ``hook``);
``action`` ``block`` | ``log``; ``on_error`` ``block`` | ``pass``, which has no default; ``timeout_seconds`` (default
5); ``on``, ``keys``, ``models`` as above; ``output`` ``batches`` (default) | ``end``; ``batch_chars`` (default 120);
``review`` ``block`` (default) | ``log``, what the vendor's verdict "look at it" means; ``longest_chars`` (default
100000), beyond which a text counts as an error; ``secret``, ``secret_id``: names of secrets; ``options``: what the
kind takes, see `vendors`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from llm_gate.content.words import is_mask

DIRECTIONS = ("input", "output")


class ContentError(Exception):
    """The configuration or a word file cannot be used. ``problems`` are sentences; none quotes a word or a secret."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


@dataclass(frozen=True, kw_only=True)
class Scope:
    """Whom and what something is for."""

    on: tuple[str, ...] = DIRECTIONS
    keys: tuple[str, ...] = ("*",)
    models: tuple[str, ...] = ("*",)

    def covers(self, direction: str, key: str, model: str) -> bool:
        """Whether it is for this direction, caller and model."""
        matches = any(fnmatchcase(key, each) for each in self.keys) and any(
            fnmatchcase(model, each) for each in self.models
        )
        return direction in self.on and matches


@dataclass(frozen=True, kw_only=True)
class ListConfig:
    """A word list."""

    name: str
    action: str
    scope: Scope
    file: str | None = None
    words: tuple[str, ...] = ()
    separators: str = "guarded"
    leet: bool = False


@dataclass(frozen=True, kw_only=True)
class ModeratorConfig:
    """A remote moderator."""

    name: str
    kind: str
    action: str
    on_error: str
    scope: Scope
    timeout_seconds: float = 5.0
    output: str = "batches"
    batch_chars: int = 120
    review: str = "block"
    longest_chars: int = 100_000
    secret: str | None = None
    secret_id: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Config:
    """All of it."""

    mask: str
    lists: tuple[ListConfig, ...]
    moderators: tuple[ModeratorConfig, ...]


class _Reader:
    """Takes values out of a mapping, and notes what is wrong with them."""

    def __init__(self, row: Any, where: str, problems: list[str]) -> None:
        self.where, self.problems = where, problems
        self.row: dict[str, Any] = dict(row) if isinstance(row, Mapping) else {}
        if not isinstance(row, Mapping):
            self.wrong("is not a mapping")

    def wrong(self, what: str) -> None:
        self.problems.append(f"{self.where} {what}")

    def text(self, key: str, default: str | None = None) -> str:
        value = self.row.pop(key, default)
        if not isinstance(value, str) or not value:
            self.wrong(f"needs {key!r}, a text")
            return ""
        return value

    def maybe(self, key: str) -> str | None:
        return self.text(key) if self.row.get(key) is not None else self.row.pop(key, None)

    def choice(self, key: str, choices: tuple[str, ...], default: str | None = None) -> str:
        value = self.row.pop(key, default)
        if value not in choices:
            self.wrong(f"needs {key!r}, one of {', '.join(choices)}")
            return choices[0]
        return str(value)

    def flag(self, key: str) -> bool:
        value = self.row.pop(key, False)
        if not isinstance(value, bool):
            self.wrong(f"has a {key!r} that is not true or false")
        return value is True

    def number(self, key: str, default: float, least: float, most: float) -> float:
        value = self.row.pop(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
            self.wrong(f"has a {key!r} that is not between {least:g} and {most:g}")
            return default
        return value

    def texts(self, key: str, default: tuple[str, ...]) -> tuple[str, ...]:
        value = self.row.pop(key, None)
        if value is None:
            return default
        if not isinstance(value, list | tuple) or not all(isinstance(each, str) and each for each in value):
            self.wrong(f"has a {key!r} that is not a list of texts")
            return default
        return tuple(value)

    def scope(self) -> Scope:
        on = self.texts("on", DIRECTIONS)
        if not on or not set(on) <= set(DIRECTIONS):
            self.wrong("has an 'on' that is not a list of input, output")
        return Scope(on=on, keys=self.texts("keys", ("*",)), models=self.texts("models", ("*",)))

    def end(self) -> None:
        if self.row:
            self.wrong(f"has unknown keys: {', '.join(sorted(map(str, self.row)))}")


def parse(document: Any, kinds: tuple[str, ...]) -> Config:
    """Read a configuration.

    Raises:
        ContentError: with all that is wrong.
    """
    problems: list[str] = []
    top = _Reader(document, "content", problems)
    mask = top.text("mask", "*")
    if not is_mask(mask):
        top.wrong("has a 'mask' that is not one sign, or means something in JSON")
    lists, moderators = top.row.pop("lists", []), top.row.pop("moderators", [])
    top.end()
    for name, rows in (("lists", lists), ("moderators", moderators)):
        if not isinstance(rows, list):
            top.wrong(f"has {name!r} that is not a list")
    found = Config(
        mask=mask,
        lists=tuple(_list(row, place, problems) for place, row in enumerate(lists if isinstance(lists, list) else [])),
        moderators=tuple(
            _moderator(row, place, problems, kinds)
            for place, row in enumerate(moderators if isinstance(moderators, list) else [])
        ),
    )
    names = [each.name for each in found.lists if each.name] + [each.name for each in found.moderators if each.name]
    problems += [f"content has two parts called {each!r}" for each in sorted({x for x in names if names.count(x) > 1})]
    if problems:
        raise ContentError(problems)
    return found


def _named(row: Any, what: str, place: int, problems: list[str]) -> tuple[_Reader, str]:
    reader = _Reader(row, f"content {what} {place + 1}", problems)
    name = reader.text("name")
    if name:
        reader.where = f"content {what} {name!r}"
    return reader, name


def _list(row: Any, place: int, problems: list[str]) -> ListConfig:
    reader, name = _named(row, "list", place, problems)
    file, words = reader.maybe("file"), reader.texts("words", ())
    if (file is None) == (not words):
        reader.wrong("needs either 'file' or 'words'")
    found = ListConfig(
        name=name,
        action=reader.choice("action", ("block", "mask", "log")),
        scope=reader.scope(),
        file=file,
        words=words,
        separators=reader.choice("separators", ("guarded", "any", "none"), "guarded"),
        leet=reader.flag("leet"),
    )
    reader.end()
    return found


def _moderator(row: Any, place: int, problems: list[str], kinds: tuple[str, ...]) -> ModeratorConfig:
    reader, name = _named(row, "moderator", place, problems)
    options = reader.row.pop("options", {})
    if not isinstance(options, Mapping):
        reader.wrong("has 'options' that is not a mapping")
        options = {}
    found = ModeratorConfig(
        name=name,
        kind=reader.choice("kind", kinds),
        action=reader.choice("action", ("block", "log")),
        on_error=reader.choice("on_error", ("block", "pass")),
        scope=reader.scope(),
        timeout_seconds=reader.number("timeout_seconds", 5.0, 0.05, 60),
        output=reader.choice("output", ("batches", "end"), "batches"),
        batch_chars=int(reader.number("batch_chars", 120, 1, 10_000)),
        review=reader.choice("review", ("block", "log"), "block"),
        longest_chars=int(reader.number("longest_chars", 100_000, 100, 10_000_000)),
        secret=reader.maybe("secret"),
        secret_id=reader.maybe("secret_id"),
        options=options,
    )
    reader.end()
    return found
