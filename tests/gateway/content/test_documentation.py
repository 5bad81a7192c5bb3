"""What the documentation shows of content safety is what the program does."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

import pytest
from llm_gate.content import Content
from llm_gate.content.config import parse
from llm_gate.content.remote import KINDS

from tests.gateway.content import harmless

DOCS = Path(__file__).parents[3] / "docs"
PAGES = [DOCS / "content-safety.md", DOCS / "content-safety.zh.md"]
TABLE = json.loads(Path(__file__).with_name("evasions.json").read_text(encoding="utf-8"))


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def test_the_two_pages_have_the_same_headings_and_the_same_code() -> None:
    english, chinese = (re.findall("^(#+) ", page.read_text(encoding="utf-8"), re.MULTILINE) for page in PAGES)
    assert english == chinese
    assert blocks(PAGES[0], r"\w*") == blocks(PAGES[1], r"\w*")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_policy_that_is_shown_is_one_and_every_kind_of_moderator_is_described(page: Path) -> None:
    for text in blocks(page, "json"):
        assert len(parse(json.loads(text), tuple(KINDS)).moderators) == 2
    described = re.findall(r"^\| `(\w+)` \|", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert set(KINDS) <= set(described)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_numbers_of_the_tables_are_those_of_the_tests(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    needing = sum("needs" in row for row in TABLE["caught"])
    for count in (len(TABLE["caught"]) - needing, needing, len(TABLE["beyond"])):
        assert str(count) in text
    assert len(harmless.sentences()) >= 10_000


def test_the_output_that_is_shown_is_what_comes_out() -> None:
    lists = [
        {"name": "secret-names", "words": ["project-x"], "action": "block"},
        {"name": "adverts", "words": ["代开发票", "加微信"], "action": "mask"},
    ]
    content = Content.from_policy({"lists": lists}, Path())
    prompts = ["在線代 開 發 票，➕加-微-信", "What is Project\u200b X?", "He projects x-rays. 再加。微信用良好"]

    async def go() -> str:
        said = ""
        for text in prompts:
            found = await content.check_input([text], key="team-a", model="qwen")
            said += f"{found.action} {found.texts} {[(each.source, each.rule) for each in found.reasons]}\n"
        scan = content.output(key="team-a", model="qwen")
        pieces = [(await scan.feed(0, each)).text for each in ["请", "代开", "发", "票吧", "。"]]
        return said + " ".join(map(repr, [*pieces, (await scan.finish(0)).text])) + "\n"

    assert blocks(PAGES[0], "text") == [asyncio.run(go())]
