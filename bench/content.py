"""What the word filter costs: with a hundred thousand words, against a thousand, and against looking for each word."""

from __future__ import annotations

import asyncio
import random
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench._ratio import alternately, report, timed
from pulumi_llm.roles.files import templates

if TYPE_CHECKING:
    from llm_gate.content import Content

LOAD_GOAL = 5.0
"""Seconds of CPU for reading a hundred thousand words and making them ready."""

SPEED_GOAL = 1.0
"""Seconds of CPU for a million characters (some 600,000 tokens of Chinese) on the way in."""

TOKEN_GOAL = 0.0005
"""Seconds of CPU for a token of a stream, with a hundred thousand words: a tenth of what the gateway may add."""

RUNS = 3
HAN = [chr(each) for each in range(0x4E00, 0x9FA5)]
LATIN = "etaoinshrdlucmfwypvbgkjqxz"


def words(count: int) -> list[str]:
    """Half Chinese words of 2 to 6 characters, half Latin ones of 5 to 12 letters; the same every time."""
    chance, found = random.Random(1), dict[str, None]()
    while len(found) < count:
        latin = len(found) % 2
        letters, length = (LATIN, chance.randint(5, 12)) if latin else (HAN, chance.randint(2, 6))
        found["".join(chance.choices(letters, k=length))] = None
    return list(found)


def text(length: int) -> str:
    """Chinese and English by turns, with punctuation: a listed word is there only by chance."""
    chance, parts = random.Random(2), list[str]()
    while sum(map(len, parts)) < length:
        parts.append("".join(chance.choices(HAN[:3000], k=400)) + "。")
        parts.append(" ".join("".join(chance.choices(LATIN[:12], k=chance.randint(2, 9))) for _ in range(80)) + ". ")
    return "".join(parts)[:length]


def main() -> None:
    sys.path.insert(0, str(templates() / "gateway"))
    from llm_gate.content import Content

    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        for count in (1_000, 100_000):
            (base / f"{count}.txt").write_text("\n".join(words(count)), encoding="utf-8")

        def made(count: int) -> Content:
            rows = [{"name": "all", "file": f"{count}.txt", "action": "log"}]
            return Content.from_policy({"lists": rows}, base)

        loaded = min(timed(lambda: made(100_000)).cpu for _ in range(RUNS))
        report(f"CPU of loading 100,000 words / {LOAD_GOAL:g} s", loaded / LOAD_GOAL, 1.0, f"{loaded:.2f} s")
        many, few = made(100_000), made(1_000)
    given = text(1_000_000)
    ours, small = alternately(lambda: whole(many, given), lambda: whole(few, given), RUNS)
    report("CPU of 1,000,000 characters, 100,000 words against 1,000", ours.cpu / small.cpu, 3.0, f"{ours.cpu:.2f} s")
    report(f"CPU of 1,000,000 characters, 100,000 words / {SPEED_GOAL:g} s", ours.cpu / SPEED_GOAL, 1.0)
    row = words(1_000)
    folded = given.casefold()
    naive = min(timed(lambda: [each for each in row if each in folded]).cpu for _ in range(RUNS))
    report("the same against a search for each word, were there 100,000 (x100 of 1,000)", ours.cpu / (naive * 100), 0.1)
    tokens = [given[at : at + 3] for at in range(0, 30_000, 3)]
    streamed = min(timed(lambda: stream(many, tokens)).cpu for _ in range(RUNS)) / len(tokens)
    report(f"CPU of a streamed token / {TOKEN_GOAL * 1e6:g} us", streamed / TOKEN_GOAL, 1.0, f"{streamed * 1e6:.0f} us")


def whole(content: Content, given: str) -> Any:
    return asyncio.run(content.check_input([given], key="k", model="m"))


def stream(content: Content, tokens: list[str]) -> None:
    async def go() -> None:
        scan = content.output(key="k", model="m")
        for each in tokens:
            await scan.feed(0, each)
        await scan.finish(0)

    asyncio.run(go())


if __name__ == "__main__":
    main()
