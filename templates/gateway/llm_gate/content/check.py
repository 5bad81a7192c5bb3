"""`Content`: everything together. The interface is described in the package's docstring."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, chain, islice, pairwise
from pathlib import Path
from typing import Any, Literal

from llm_gate.content import config as configs
from llm_gate.content import words
from llm_gate.content.config import Config, ContentError, ListConfig
from llm_gate.content.matcher import Match, Matcher, Rules
from llm_gate.content.moderators import Secret
from llm_gate.content.remote import KINDS, Batches, Outcome, Remote, UnfitError
from llm_gate.content.scan import STEP, Step, WordScan
from llm_gate.content.turns import Turns

Texts = Sequence[str | Sequence[str]]
Stamp = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Reason:
    """Why; holds nothing of the text. See the package."""

    source: str
    action: str
    rule: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to be done with whole texts."""

    action: Literal["pass", "log", "mask", "block"]
    texts: list[Any]
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True)
class Piece:
    """What may be released of a stream now."""

    text: str
    blocked: bool = False
    reasons: tuple[Reason, ...] = ()


@dataclass(slots=True)
class _Growing:
    """One growing text of a stream."""

    words: WordScan
    batches: Batches | None
    released: list[str] = field(default_factory=list)
    """Kept only where a moderator judges at the end."""


class Content:
    """The checks of one configuration. Make it with `from_policy`."""

    def __init__(self, config: Config, base: Path, remotes: list[Remote]) -> None:
        self._config, self._base, self._remotes = config, base, remotes
        self._read: dict[str, list[words.Word]] = {}
        self._stamps: dict[str, Stamp] = {}
        self._seen: dict[str, Stamp] = {}
        self._reloading = asyncio.Lock()
        self.problems: list[str] = []
        """What kept word files from being read again; the lists as they were go on to be used."""
        self.counts: Counter[tuple[str, str, str]] = Counter()
        """(direction, source, action) of each reason given so far."""
        self.matcher = Matcher([])
        self.turns = Turns()
        self.users = 0
        """Calls under way that use this; whoever replaces it closes it when there are none."""

    @classmethod
    def from_policy(cls, config: dict[str, Any], base: Path, *, secret: Secret | None = None) -> Content:
        """Read a configuration and its word files.

        Raises:
            ContentError: with everything that is wrong in the configuration; or, if that is right, in files and
            secrets.
        """
        parsed = configs.parse(config, tuple(KINDS))
        problems: list[str] = []
        remotes = []
        for each in parsed.moderators:
            try:
                remotes.append(Remote(each, secret or _from_environment))
            except UnfitError as error:
                problems.append(f"content moderator {each.name!r} {error}")
        made = cls(parsed, base, remotes)
        for row in parsed.lists:
            try:
                made._stamps[row.name], found, wrong = _load(row, base)
            except OSError as error:
                wrong = [f"cannot be read ({error.strerror})"]
            else:
                made._read[row.name] = found
            problems += [f"content list {row.name!r}: {each}" for each in _few(wrong)]
        if problems:
            raise ContentError(problems)
        made.matcher = made._build()
        return made

    def _build(self) -> Matcher:
        return Matcher(
            [
                (Rules(each.name, each.action, each.separators, each.leet), self._read[each.name])
                for each in self._config.lists
            ]
        )

    @property
    def sizes(self) -> dict[str, int]:
        """How many words each list has."""
        return {name: len(row) for name, row in self._read.items()}

    async def reload(self) -> bool:
        """Read word files again that changed; whether any did and is in force now.

        A file that was replaced (another inode) is read at once; one that was written in place, when it is the same on
        two calls. One that cannot be read, or has a line that cannot be a word, leaves its list as it was: see
        `problems`.
        """
        async with self._reloading:
            changed = [each for each in self._config.lists if each.file is not None and self._is_due(each)]
            if not changed:
                return False
            rows, problems = await asyncio.to_thread(self._load_again, changed)
            self.problems = problems
            if not rows:
                return False
            self._read |= rows
            self.matcher = await asyncio.to_thread(self._build)
            return True

    def _is_due(self, row: ListConfig) -> bool:
        try:
            now = _stamp(self._base / str(row.file))
        except OSError:
            now = (0, 0, 0)
        before, seen = self._stamps.get(row.name), self._seen.get(row.name)
        self._seen[row.name] = now
        if now == before:
            return False
        if before is not None and now[1] == before[1] and seen != now:
            return False
        self._stamps[row.name] = now  # not tried again until it changes again
        return True

    def _load_again(self, changed: list[ListConfig]) -> tuple[dict[str, list[words.Word]], list[str]]:
        rows, problems = {}, []
        for row in changed:
            try:
                stamp, found, wrong = _load(row, self._base)
            except OSError as error:
                wrong = [f"cannot be read ({error.strerror})"]
            else:
                self._stamps[row.name] = stamp
                if not wrong:
                    rows[row.name] = found
            problems += [f"content list {row.name!r}: {each}" for each in _few(wrong)]
        return rows, problems

    async def check_input(self, texts: Texts, *, key: str, model: str, ask: bool = True) -> Decision:
        """Check what is asked. ``ask``: moderators too, and not the word lists alone."""
        return await self._check(texts, "input", key, model, ask=ask)

    async def check_output(self, texts: Texts, *, key: str, model: str, ask: bool = True) -> Decision:
        """Check an answer that is not streamed."""
        return await self._check(texts, "output", key, model, ask=ask)

    def output(self, *, key: str, model: str) -> OutputScan:
        """Begin to check a streamed answer."""
        return OutputScan(self, key, model)

    async def close(self) -> None:
        """End connections."""
        await asyncio.gather(*(each.close() for each in self._remotes))

    def active(self, direction: str, key: str, model: str) -> frozenset[int]:
        """The lists that apply, by place."""
        rows = enumerate(self._config.lists)
        return frozenset(place for place, each in rows if each.scope.covers(direction, key, model))

    def remotes(self, direction: str, key: str, model: str) -> list[Remote]:
        """The moderators that apply."""
        return [each for each in self._remotes if each.config.scope.covers(direction, key, model)]

    def covers(self, direction: str, key: str, model: str) -> bool:
        """Whether anything at all applies."""
        return bool(self.active(direction, key, model) or self.remotes(direction, key, model))

    @property
    def mask(self) -> str:
        """What a masked character becomes."""
        return self._config.mask

    def reasons(self, direction: str, found: Sequence[Match | tuple[Remote, Outcome]]) -> tuple[Reason, ...]:
        """Findings as reasons, and counted."""
        made = []
        for each in found:
            if isinstance(each, Match):
                made.append(Reason(each.rules.name, each.rules.action, f"{each.word.line}:{each.word.digest}"))
            elif each[1].action != "pass":
                made.append(Reason(each[0].config.name, each[1].action, detail=each[1].detail))
        self.counts.update((direction, each.source, each.action) for each in made)
        return tuple(made)

    async def _check(self, texts: Texts, direction: str, key: str, model: str, *, ask: bool) -> Decision:
        length = sum(len(group) if isinstance(group, str) else sum(map(len, group)) for group in texts)
        async with self.turns.of(key, length) as paced:
            out, found, blocked = await self._look(texts, self.active(direction, key, model), paced=paced)
        if blocked:
            return Decision("block", [], self.reasons(direction, list(found.values())))
        whole = "\n".join(each if isinstance(each, str) else "".join(each) for each in out)
        remotes = self.remotes(direction, key, model) if ask else []
        outcomes = await asyncio.gather(*(each.judge(whole, direction) for each in remotes))
        reasons = self.reasons(direction, [*found.values(), *zip(remotes, outcomes, strict=True)])
        actions = {each.action for each in reasons}
        for action in ("block", "mask", "log"):
            if action in actions:
                return Decision(action, [] if action == "block" else out, reasons)
        return Decision("pass", out, reasons)

    async def _look(
        self, texts: Texts, active: frozenset[int], *, paced: bool
    ) -> tuple[list[Any], dict[tuple[str, int], Match], bool]:
        """The texts as the lists leave them, which words were found, and whether one of them blocks."""
        matcher = self.matcher
        out: list[Any] = []
        found: dict[tuple[str, int], Match] = {}
        for group in texts:
            parts = [group] if isinstance(group, str) else list(group)
            scan = WordScan(matcher, active, self.mask)
            pending, steps = chain.from_iterable(map(scan.steps, parts)), []
            while (step := await self.turns.next(pending, paced=paced)) is not None:
                steps.append(step)
            steps.append(scan.finish())
            for step in steps:
                found |= {(each.rules.name, each.word.line): each for each in step.matches}
            if scan.blocked:
                return [], found, True
            # Masking keeps the length, so the parts are cut where they were.
            masked, ends = "".join(step.text for step in steps), list(accumulate(map(len, parts), initial=0))
            cut = [masked[start:end] for start, end in pairwise(ends)]
            out.append(cut[0] if isinstance(group, str) else cut)
        return out, found, False


class OutputScan:
    """One streamed answer. Feed it one piece at a time."""

    def __init__(self, content: Content, key: str, model: str) -> None:
        self._content, self._matcher, self._key = content, content.matcher, key
        self._active = content.active("output", key, model)
        remotes = content.remotes("output", key, model)
        self._batched = [each for each in remotes if each.config.output == "batches" and each.config.action == "block"]
        self._at_end = [each for each in remotes if each not in self._batched]
        self._growing: dict[Hashable, _Growing] = {}
        self._said: set[Reason] = set()
        self.blocked = False

    async def feed(self, index: Hashable, text: str) -> Piece:
        """The next piece of a text, and what may be released of it now."""
        return await self._advance(index, text, ended=False)

    async def finish(self, index: Hashable) -> Piece:
        """The rest of a text that ends here."""
        return await self._advance(index, "", ended=True)

    async def _advance(self, index: Hashable, text: str, *, ended: bool) -> Piece:
        if self.blocked:
            return Piece("", blocked=True)
        growing = self._growing.get(index)
        if growing is None:
            least = min((each.config.batch_chars for each in self._batched), default=0)
            scan = WordScan(self._matcher, self._active, self._content.mask)
            growing = self._growing[index] = _Growing(scan, Batches(least) if self._batched else None)
        released: list[str] = []
        found: list[Match | tuple[Remote, Outcome]] = []
        stopped = False
        for step in await self._steps(growing.words, text, ended=ended):
            found += step.matches
            stopped = stopped or step.blocked
            if growing.batches is None:
                released.append(step.text)
                continue
            for shown, batch in growing.batches.take(step.text, ended=ended or step.blocked):
                outcomes = await self._judge(self._batched, shown)
                found += zip(self._batched, outcomes, strict=True)
                if any(each.action == "block" for each in outcomes):
                    return self._piece(index, released, found, stopped=True)
                released.append(batch)
        if self._at_end:
            growing.released += released
        if ended and not stopped and self._at_end:
            outcomes = await self._judge(self._at_end, "".join(growing.released))
            found += zip(self._at_end, outcomes, strict=True)
            if any(each.action == "block" for each in outcomes):
                return self._piece(index, [], found, stopped=True)
        if ended:
            self._growing.pop(index, None)
        return self._piece(index, released, found, stopped=stopped)

    async def _steps(self, scan: WordScan, text: str, *, ended: bool) -> list[Step]:
        pending, turns = scan.steps(text), self._content.turns
        steps = list(islice(pending, 1))
        if len(text) > STEP:  # hardly ever: a piece is a token or a few
            async with turns.of(self._key, len(text)) as paced:
                while (step := await turns.next(pending, paced=paced)) is not None:
                    steps.append(step)
        return [*steps, scan.finish()] if ended else steps

    async def _judge(self, remotes: list[Remote], text: str) -> list[Outcome]:
        return await asyncio.gather(*(each.judge(text, "output") for each in remotes))

    def _piece(
        self, index: Hashable, released: list[str], found: list[Match | tuple[Remote, Outcome]], *, stopped: bool
    ) -> Piece:
        if stopped:
            self.blocked = True
            self._growing.clear()
        new = tuple(each for each in self._content.reasons("output", found) if each not in self._said)
        self._said.update(new)
        return Piece("".join(released), stopped, new)


def _from_environment(name: str) -> str:
    return os.environ.get(name.upper(), "")


def _stamp(path: Path) -> Stamp:
    found = path.stat()
    return found.st_mtime_ns, found.st_ino, found.st_size


def _load(row: ListConfig, base: Path) -> tuple[Stamp, list[words.Word], list[str]]:
    if row.file is None:
        return (0, 0, 0), *words.gather(enumerate(row.words, 1), "word")
    path = base / row.file
    stamp = _stamp(path)
    return stamp, *words.read(path)


def _few(problems: list[str]) -> list[str]:
    return problems if len(problems) <= 20 else [*problems[:20], f"and {len(problems) - 20} more"]
