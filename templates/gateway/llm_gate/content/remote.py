"""A moderator as the gateway asks it: in parts that it takes, for no longer than it may take, and with an answer
always."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from llm_gate.content.config import ModeratorConfig
from llm_gate.content.moderators import Moderator, ModeratorError, OpenAI, Options, Secret, UnfitError, Verdict, hook
from llm_gate.content.vendors import Aliyun, Baidu, Tencent, Yidun

KINDS: dict[str, Callable[[Options, Secret], Moderator]] = {
    "openai": OpenAI,
    "yidun": Yidun,
    "baidu": Baidu,
    "aliyun": Aliyun,
    "tencent": Tencent,
    "hook": hook,
}

AT_ONCE = 4
"""Parts of one text that are asked about at the same time."""

ENDS = frozenset("。！？；!?;\n")


@dataclass(frozen=True, slots=True)
class Outcome:
    """``action``: pass, log or block; ``detail``: labels, or ``error:<kind>``."""

    action: str
    detail: str


class Remote:
    """One configured moderator."""

    def __init__(self, config: ModeratorConfig, secret: Secret) -> None:
        """Raises `UnfitError`, without secrets, if it cannot work."""
        self.config = config
        self._moderator = KINDS[config.kind](Options(config), secret)

    async def judge(self, text: str, direction: str) -> Outcome:
        """What is to be done with a text. Never raises for what the moderator does; a cancellation goes through."""
        if not text.strip():
            return Outcome("pass", "")
        if len(text) > self.config.longest_chars:
            return self._failed("too-long")
        try:
            async with asyncio.timeout(self.config.timeout_seconds):
                verdicts = await self._ask(parts(text, self._moderator.limit), direction)
        except TimeoutError:
            return self._failed("timeout")
        except ModeratorError as error:
            return self._failed(error.kind)
        except Exception as error:  # a vendor's exception may hold the text: only its type goes on
            return self._failed(type(error).__name__)
        labels = ",".join(dict.fromkeys(label for each in verdicts for label in each.labels))
        outcomes = {each.outcome for each in verdicts}
        if "block" in outcomes:
            return Outcome(self.config.action, labels)
        if "review" in outcomes:
            return Outcome("log" if self.config.action == "log" else self.config.review, f"review:{labels}")
        return Outcome("pass", "")

    async def _ask(self, texts: list[str], direction: str) -> list[Verdict]:
        room = asyncio.Semaphore(AT_ONCE)

        async def ask(text: str) -> Verdict:
            async with room:
                return await self._moderator.judge(text, direction)

        tasks = [asyncio.ensure_future(ask(each)) for each in texts]
        try:
            return await asyncio.gather(*tasks)
        finally:
            for each in tasks:
                each.cancel()

    def _failed(self, kind: str) -> Outcome:
        return Outcome("block" if self.config.on_error == "block" else "log", f"error:{kind}")

    async def close(self) -> None:
        """End connections."""
        await self._moderator.close()


def ends_sentence(text: str, place: int) -> bool:
    """Whether a sentence ends with the character at a place; a full stop ends one only with a space after it."""
    return text[place] in ENDS or (text[place].isspace() and place > 0 and text[place - 1] == ".")


def parts(text: str, limit: int) -> list[str]:
    """A text in parts of at most ``limit`` characters, cut after a sentence where there is one in the second half."""
    found = []
    while len(text) > limit:
        cut = next((place + 1 for place in range(limit - 1, limit // 2, -1) if ends_sentence(text, place)), limit)
        found.append(text[:cut])
        text = text[cut:]
    return [*found, text]


class Batches:
    """Text that waits for a verdict: given out in batches whose ends depend on the text alone.

    A batch ends after the first end of a sentence that it has once ``least`` characters are there, or at four times
    that.
    """

    CONTEXT = 200
    """Characters before a batch that the moderator is shown again, so that it can make sense of it."""

    def __init__(self, least: int) -> None:
        self._least, self._waiting, self._before = least, "", ""

    def take(self, text: str, *, ended: bool) -> list[tuple[str, str]]:
        """The batches that are whole now: what to show, and what to release if it passes."""
        self._waiting += text
        found = []
        while (end := self._end()) or (ended and self._waiting):
            batch = self._waiting[: end or None]
            self._waiting = self._waiting[len(batch) :]
            found.append((self._before + batch, batch))
            self._before = (self._before + batch)[-self.CONTEXT :]
        return found

    def _end(self) -> int:
        for place in range(self._least - 1, min(len(self._waiting), 4 * self._least)):
            if ends_sentence(self._waiting, place) or place == 4 * self._least - 1:
                return place + 1
        return 0


__all__ = ["KINDS", "Batches", "Outcome", "Remote", "UnfitError"]
