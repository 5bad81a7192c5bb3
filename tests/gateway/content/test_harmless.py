"""Ten thousand harmless sentences go through untouched."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

from llm_gate.content import Content

from tests.gateway.content import harmless

HERE = Path(__file__).parent


def test_ten_thousand_harmless_sentences_are_untouched() -> None:
    sentences = harmless.sentences()
    content = Content.from_policy({"lists": [{"name": "all", "file": "words.txt", "action": "mask"}]}, HERE)

    async def check() -> list[str]:
        decisions = [await content.check_input([each], key="k", model="m") for each in sentences]
        return [
            one for one, each in zip(sentences, decisions, strict=True) if each.action != "pass" or each.texts != [one]
        ]

    assert len(sentences) >= 10_000
    assert asyncio.run(check()) == []


def test_the_harmless_sentences_are_of_both_languages_and_thousands_would_fool_a_filter_of_substrings() -> None:
    sentences = harmless.sentences()
    chinese = [each for each in sentences if re.search("[\u4e00-\u9fff]{2}", each)]
    listed = (HERE / "words.txt").read_text(encoding="utf-8").splitlines()
    bare = [re.sub(r"\W", "", each).casefold() for each in sentences]
    fooled = [
        each for each in bare if any(re.sub(r"\W", "", word) in each for word in listed if not word.startswith("#"))
    ]
    assert len(chinese) >= 1500
    assert len(fooled) >= 3000
