"""What a check costs grows as the text does, whatever the text; and long checks leave the loop to others."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from llm_gate.content import Content, fold
from llm_gate.content.scan import STEP
from llm_gate.content.turns import BURST, LONG, Turns

WORDS = ["bomb", "bombs", "project-x", "ab", "敏感词", "a b c d e f g h"]
TEXTS = {
    "prose": "The quick brown fox jumps over the lazy dog. 敏捷的狐狸。",
    "spelled, and going on": "b.o.m.",
    "spelled, two letters": "a.b.",
    "within a word": "bom",
    "a pair in a row": "ab",
    "clauses between": "敏。感词",
    "letters of other scripts": "b\u043em.b.\u043e.m.",
    "invisible between": "b" + "\u200b" * 250 + "o" + "\u200b" * 250 + "m" + "\u200b" * 250,
    "marks in a row": "b" + "\u0316\u0301" * 100 + "o",
    "letters that are many": "\ufdfa",
    "a phrase that never ends": "a b c d e f g. ",
}
MOST_CALLS = 24.0
"""Calls of functions, C's among them, for a character: some 20 for the worst of these texts, 0.1 for prose."""


def content(*words: str) -> Content:
    rows = [{"name": "all", "words": list(words or WORDS), "action": "log", "leet": True}]
    return Content.from_policy({"lists": rows}, Path())


def calls_of(checker: Content, text: str) -> int:
    """How many functions are called to check a text."""
    count = 0

    def seen(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    async def go() -> None:
        sys.setprofile(seen)
        try:
            await checker.check_input([text], key="k", model="m")
        finally:
            sys.setprofile(None)

    asyncio.run(go())
    return count


@pytest.mark.parametrize("name", TEXTS)
def test_a_check_takes_so_many_steps_for_a_character_and_no_more_for_one_of_a_longer_text(name: str) -> None:
    checker, piece = content(), TEXTS[name]
    short = piece * (4 * STEP // len(piece))
    calls_of(checker, short)  # what its characters count as is known from here on
    once, four_times = calls_of(checker, short), calls_of(checker, short * 4)
    assert four_times <= 5 * once
    assert four_times <= MOST_CALLS * len(short) * 4


@pytest.mark.parametrize("name", TEXTS)
def test_four_times_the_text_takes_no_more_than_some_four_times_the_cpu(name: str) -> None:
    checker, piece = content(), TEXTS[name]
    short = piece * (4 * STEP // len(piece))

    def cpu(text: str) -> float:
        began = time.process_time()
        asyncio.run(checker.check_input([text], key="k", model="m"))
        return time.process_time() - began

    cpu(short)
    # The square would be sixteen times as much.
    assert min(cpu(short * 4) for _ in range(3)) <= 10 * min(cpu(short) for _ in range(3)) + 0.01


def test_letters_of_all_of_unicode_are_learnt_once() -> None:
    """A text made to push the usual letters out would make everybody's texts slow."""
    letters = "".join(map(chr, [*range(0x20000, 0x2A6E0), *range(0xAC00, 0xD7A4), *range(0xF0000, 0xF8000)]))
    text = letters.translate(fold.PLAIN)
    assert len(text) == 0x2A6E0 - 0x20000 + sum(len(fold.PLAIN[each]) for each in range(0xAC00, 0xD7A4))
    checker = content()
    asyncio.run(checker.check_input([letters], key="k", model="m"))
    assert calls_of(checker, letters[:-0x8000]) <= len(letters)
    assert all(each in fold.PLAIN for each in (0x2A000, 0xAC01))
    assert 0xF0001 not in fold.PLAIN, "what can never be a letter is not kept"


def test_one_key_has_one_long_text_under_way_and_keys_take_turns() -> None:
    order: list[str] = []

    def steps(name: str, count: int) -> Iterator[str]:
        for _ in range(count):
            order.append(name)
            yield name

    async def check(turns: Turns, key: str, name: str) -> None:
        async with turns.of(key, LONG + 1) as paced:
            assert paced
            pending = steps(name, 5)
            while await turns.next(pending, paced=paced) is not None:
                pass

    async def go() -> None:
        turns = Turns()
        await asyncio.gather(check(turns, "a", "a1"), check(turns, "a", "a2"), check(turns, "b", "b1"))
        assert not turns._keys

    asyncio.run(go())
    assert [each for each in order if each[0] == "a"] == ["a1"] * 5 + ["a2"] * 5
    assert "".join(each[0] for each in order[:10]) in ("ab" * 5, "ba" * 5)


def test_a_long_check_leaves_the_loop_as_much_time_as_it_takes() -> None:
    now = 0.0
    slept: list[float] = []

    def slow() -> Iterator[int]:
        nonlocal now
        for place in range(5):
            now += BURST * 0.75
            yield place

    async def go(monkeypatch: pytest.MonkeyPatch) -> None:
        async def sleep(seconds: float) -> None:
            slept.append(seconds)

        monkeypatch.setattr("llm_gate.content.turns.asyncio.sleep", sleep)
        turns, pending = Turns(clock=lambda: now), slow()
        while await turns.next(pending, paced=True) is not None:
            pass

    with pytest.MonkeyPatch.context() as monkeypatch:
        asyncio.run(go(monkeypatch))
    assert slept == pytest.approx([0, BURST * 1.5, 0, BURST * 1.5, 0, 0])


def test_a_caller_that_hangs_up_gives_its_turn_back() -> None:
    async def go() -> None:
        checker, long = content(), "b.o.m." * 5_000
        async with asyncio.timeout(30):
            one = asyncio.create_task(checker.check_input([long], key="k", model="m"))
            await asyncio.sleep(0.01)
            one.cancel()
            decision = await checker.check_input([long], key="k", model="m")
        assert decision.action == "pass"
        assert not checker.turns._keys

    asyncio.run(go())


def test_a_long_piece_of_a_stream_is_looked_through_in_steps_too() -> None:
    async def go() -> list[float]:
        scan, waits = content().output(key="k", model="m"), []
        feeding = asyncio.create_task(scan.feed(0, "b.o.m." * 10_000))
        while not feeding.done():
            began = time.perf_counter()
            await asyncio.sleep(0)
            waits.append(time.perf_counter() - began)
        assert not (await feeding).blocked
        return waits

    assert len(asyncio.run(go())) > 60_000 // STEP
