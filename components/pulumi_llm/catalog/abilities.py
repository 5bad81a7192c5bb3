"""What a model is started with: vLLM's parsers of its tool calls and reasoning, a chat template, flags of its own."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

from pulumi_llm._dataclasses import dataclass

DATA = Path(__file__).parent / "data" / "abilities.json"


@dataclass(frozen=True, slots=True)
class Abilities:
    """Parsers by name, as ``--tool-call-parser`` and ``--reasoning-parser`` take them; None: none is known to fit.

    ``chat_template`` is a file of templates/vllm/chat/ that offers the tools which the model's own template leaves out
    (None: its own does). ``flags`` are flags of ``vllm serve``, each followed by its value. ``task`` is what a server
    must be for, for any of it to hold (`pooling.task_of`; None: chat).
    """

    tool_call_parser: str | None = None
    reasoning_parser: str | None = None
    chat_template: str | None = None
    flags: tuple[str, ...] = ()
    task: str | None = None

    def for_task(self, task: str | None) -> Abilities:
        """What of it holds for a server that is for ``task``: all or nothing."""
        return self if task == self.task else Abilities()


@dataclass(frozen=True, slots=True)
class _Table:
    rows: tuple[tuple[tuple[str, ...], Abilities], ...]
    by: frozenset[str]
    endings: re.Pattern[str]

    def found(self, name: str) -> Iterator[Abilities]:
        """Rows that fit an id, the best first: as it is, as its publisher's own in more bits, as somebody else's."""
        publisher, __, own = name.partition("/")
        plain = self.endings.sub("", own)
        yield from self._fitting(name)
        yield from self._fitting(f"{publisher}/{plain}")
        for each in (own, plain) if publisher in self.by else ():
            yield from self._fitting(each, whole=False)

    def _fitting(self, name: str, *, whole: bool = True) -> Iterator[Abilities]:
        """Rows with a pattern for an id; not ``whole``: for what stands after its publisher."""
        for patterns, abilities in self.rows:
            if any(_fits(name, each if whole else each.rpartition("/")[2]) for each in patterns):
                yield abilities


_WILD = re.compile(r"[*?\[]")


def _fits(name: str, pattern: str) -> bool:
    # Most patterns differ from a name before their first wildcard, and a pattern that is matched is compiled first.
    wild = _WILD.search(pattern)
    if wild is None:
        return name == pattern
    return name.startswith(pattern[: wild.start()]) and fnmatchcase(name, pattern)


def _row(raw: dict[str, Any]) -> Abilities:
    return Abilities(
        raw.get("tool_call_parser"),
        raw.get("reasoning_parser"),
        raw.get("chat_template"),
        tuple(raw.get("flags", ())),
        raw.get("task"),
    )


@cache
def _table() -> _Table:
    raw = json.loads(DATA.read_text(encoding="utf-8"))
    endings = "|".join(re.escape(each) for each in raw["quantized"]["endings"])
    return _Table(
        rows=tuple((tuple(each["models"]), _row(each)) for each in raw["rows"]),
        by=frozenset(raw["quantized"]["by"]),
        endings=re.compile(rf"(-({endings}))+$"),
    )


def abilities_of(model: str, base_model: str | None = None) -> Abilities:
    """What is known of the model with this id, in any case; of a quantized one, by the model it was made from.

    ``data/abilities.json`` says it, with sources; the first row that fits decides. Of a quantized model whose origin
    nobody names, and that comes from a publisher of such models, the id is read as the original's with an ending.
    """
    return next(_table().found((base_model or model).casefold()), Abilities())
