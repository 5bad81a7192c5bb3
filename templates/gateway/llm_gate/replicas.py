"""Which of several machines with the same model a call goes to, and which of them are there at all.

A conversation goes where it was before, as the work that was done for its beginning is kept there (vLLM's prefix
cache), unless that machine has clearly more to do than another. Everything else goes where least is under way.

Where machines stop by themselves when nobody asks them (`Upstream.fill`), calls are gathered instead: the first machine
gets as many at once as are set, then the next one, so that those behind stand idle as long as they are not needed.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from typing import Any

from llm_gate.asking import Pool, Unreachable
from llm_gate.load import Load
from llm_gate.requests import Call
from llm_gate.routes import Target, Upstream
from llm_gate.watching import Watch

SLACK = 4
"""Calls that a conversation's own machine may have under way more than the one that has fewest, and a quarter more."""
REMEMBERED = 50_000
"""Conversations whose machines are remembered: some 10 MB. A machine that holds them all in its cache is not sold."""
PART = 2048
"""Characters at either end of a text by which one conversation is told from another."""
PREFIX = 256
"""Characters of a prompt of `/v1/completions` that stand for what it begins with: such a prompt grows at its end."""
AGAIN = (1.0, 2.0, 5.0)
"""Seconds between two tries to reach a machine that is away; the last one for good."""


class Replicas:
    """What one gateway knows of the machines that serve the same: calls under way, conversations, who is away."""

    def __init__(self, pool: Callable[[Upstream], Pool], key: Callable[[str], str | None] = lambda name: None) -> None:
        """``pool``: the connections to an upstream (`upstream.Pools.of`); ``key``: its key, by the secret's name."""
        self._pool, self._key = pool, key
        self.active: Counter[str] = Counter()
        """Calls under way by the upstream's name."""
        self.load = Load()
        """Of the models whose engines follow it."""
        self._homes: dict[bytes, str] = {}
        """Where a conversation was last; the one that was asked longest ago comes first."""
        self._turn = 0
        self._away: dict[Upstream, asyncio.Task[None]] = {}
        self._watched: dict[Upstream, Watch] = {}
        """Those that stop by themselves."""

    def arranged(self, targets: list[Target], call: Call, cooling: Callable[[Target], bool]) -> list[Target]:
        """The targets in the order in which to try them: of those that are replicas of one model the best one first.

        Nothing is awaited between this and `begin`, so that a thousand calls that come at once are spread too.
        """
        if not any(each.upstream.replica for each in targets):
            return targets
        groups: dict[str | int, list[Target]] = {}
        for place, each in enumerate(targets):
            groups.setdefault(each.model if each.upstream.replica else place, []).append(each)
        chosen: list[Target] = []
        for group in groups.values():
            chosen += self._chosen(group, call, cooling) if len(group) > 1 else group
        # Stable: whoever is ill or away comes last, also among those of several models.
        return sorted(chosen, key=lambda each: self.away(each.upstream) or cooling(each))

    def _chosen(self, group: list[Target], call: Call, cooling: Callable[[Target], bool]) -> list[Target]:
        self._turn += 1
        active = self.active
        # By turns where they have as much to do.
        rows = sorted(group, key=lambda each: each.upstream.name)
        fill = rows[0].upstream.fill
        if fill:
            rows = _gathered(rows, active, fill)
        else:
            start = self._turn % len(rows)
            rows = sorted(rows[start:] + rows[:start], key=lambda each: active[each.upstream.name])
        well = [each for each in rows if not self.away(each.upstream) and not cooling(each)]
        known = conversation(call) if well else None
        if known is None:
            return rows
        known = hashlib.blake2b(known, digest_size=16, person=call.model.encode()[:16]).digest()
        home, least = self._homes.pop(known, None), active[well[0].upstream.name]
        first = next((each for each in well if each.upstream.name == home), well[0])
        busy = active[first.upstream.name]
        if (busy >= fill > least or (not busy and least <= fill // 2)) if fill else busy > least + SLACK + least // 4:
            first = well[0]
        self._homes[known] = first.upstream.name
        if len(self._homes) > REMEMBERED:
            del self._homes[next(iter(self._homes))]
        return [first, *(each for each in rows if each is not first)]

    def begin(self, target: Target) -> None:
        """A call goes to a target."""
        if target.upstream.replica:
            self.active[target.upstream.name] += 1
        if target.wakes is not None:
            self.load.begin(target.model)

    def end(self, target: Target) -> None:
        """It has come to its end there."""
        if target.upstream.replica:
            self.active[target.upstream.name] -= 1
        if target.wakes is not None:
            self.load.end(target.model)

    def away(self, upstream: Upstream) -> bool:
        """Whether a machine could not be reached, or said that it takes no calls, and that has not changed since."""
        watch = self._watched.get(upstream)
        return upstream in self._away if watch is None else watch.away

    def serves(self, name: str) -> bool:
        """Whether a machine that stops by itself has said that it takes calls."""
        rows = [watch for each, watch in self._watched.items() if each.name == name]
        return any(each.looked and not each.away for each in rows)

    def gone(self) -> set[str]:
        """The names of those that are away."""
        return {each.name for each in self._away} | {each.name for each, watch in self._watched.items() if watch.away}

    def lost(self, upstream: Upstream) -> None:
        """A machine could not be reached: it is left out, and tried again until it can, which costs no caller time."""
        if (watch := self._watched.get(upstream)) is not None:
            watch.away = True
        elif upstream.replica and upstream not in self._away:
            self._away[upstream] = asyncio.get_running_loop().create_task(self._reach(upstream))

    async def _reach(self, upstream: Upstream) -> None:
        tries = iter(AGAIN)
        pause = next(tries)
        try:
            while True:
                await asyncio.sleep(pause)
                pause = next(tries, AGAIN[-1])
                try:
                    await self._pool(upstream).reach()
                except (Unreachable, ValueError, OSError):
                    continue
                return
        finally:
            self._away.pop(upstream, None)

    def keep(self, upstreams: Collection[Upstream]) -> None:
        """Forget whoever is not among these any more, and ask those that stop by themselves whether they are there."""
        wanted = {each for each in upstreams if each.fill and not each.here}
        for each in self._watched.keys() - wanted:
            self._watched.pop(each).stop()
        for each in wanted - self._watched.keys():
            self._watched[each] = Watch(each, self._pool, self._key)
        for each in [each for each in self._away if each not in upstreams]:
            self._away[each].cancel()
        names = {each.name for each in upstreams}
        self._homes = {known: name for known, name in self._homes.items() if name in names}

    async def close(self) -> None:
        """Try nobody any more."""
        tasks = list(self._away.values())
        for each in tasks:
            each.cancel()
        await asyncio.gather(*tasks, *(each.end() for each in self._watched.values()), return_exceptions=True)


def _gathered(rows: list[Target], active: Counter[str], fill: int) -> list[Target]:
    """The machine of the gateway itself and then those in their order as long as they have room, the full ones last."""
    ordered = sorted(rows, key=lambda each: not each.upstream.here)
    return sorted(ordered, key=lambda each: busy if (busy := active[each.upstream.name]) >= fill else -1)


def conversation(call: Call) -> bytes | None:
    """What all calls of one conversation have in common and those of others mostly not; None: the call is none.

    It is what the caller says it is (OpenAI's prompt_cache_key), or else the first thing that was said: a chat sends
    all of itself each time, and grows at its end. What the system says is not looked at: it is the same in many, and
    some clients write into it what changes with each call.
    """
    body, endpoint = call.body, call.endpoint
    named = body.get("prompt_cache_key")
    if isinstance(named, str) and named:
        return _bytes(("key", named))
    if endpoint in ("/v1/chat/completions", "/v1/messages"):
        return _bytes(_said(body.get("messages")))
    if endpoint == "/v1/responses":
        asked = body.get("input")
        return _bytes(_text(asked) if isinstance(asked, str) else _said(asked))
    if endpoint == "/v1/completions":
        prompt = body.get("prompt")
        return prompt[:PREFIX].encode("utf-8", "surrogatepass") if isinstance(prompt, str) else None
    return None


def _bytes(pieces: Iterable[str]) -> bytes | None:
    found = "\0".join(pieces)
    return found.encode("utf-8", "surrogatepass") if found else None


def _said(rows: Any) -> list[str]:
    """The first message of the user's."""
    if isinstance(rows, list):
        for row in rows:
            if isinstance(row, dict) and row.get("role") == "user":
                return _text(row.get("content"))
    return []


def _text(content: Any) -> list[str]:
    """A text, or the parts of one, so much of each as tells it from others. Of a picture it is the data's ends."""
    if isinstance(content, str):
        return [content[:PART], content[-PART:], str(len(content))] if len(content) > 2 * PART else [content]
    found: list[str] = []
    for part in content if isinstance(content, list) else ():
        value = part.get("text") or part.get("image_url") or part.get("source") if isinstance(part, dict) else part
        if isinstance(value, dict):
            value = value.get("url") or value.get("data")
        found += _text(value) if isinstance(value, str) else []
    return found
