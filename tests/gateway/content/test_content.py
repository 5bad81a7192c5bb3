"""Configuration, word files and their reloading, scopes, reasons."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest
from llm_gate.content import Content, ContentError, Decision
from llm_gate.content.check import _few


def checked(config: dict[str, Any], texts: list[Any], base: Path = Path(), **who: str) -> Decision:
    content = Content.from_policy(config, base)
    return asyncio.run(content.check_input(texts, **{"key": "k", "model": "m", **who}))


def words(name: str, action: str, *row: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "words": list(row), "action": action, **more}


def test_nothing_configured_passes_everything() -> None:
    assert checked({}, ["fuck", ["敏", "感词"]]) == Decision("pass", ["fuck", ["敏", "感词"]])


@pytest.mark.parametrize("action", ["block", "mask", "log"])
def test_each_action_is_what_the_decision_says(action: str) -> None:
    decision = checked({"lists": [words("all", action, "敏感词")]}, ["说敏 感 词了", "好"])
    assert decision.action == action
    assert decision.texts == {"block": [], "mask": ["说* * *了", "好"], "log": ["说敏 感 词了", "好"]}[action]


def test_the_strictest_of_several_lists_decides_and_all_are_given_as_reasons() -> None:
    config = {"lists": [words("a", "log", "甲乙"), words("b", "mask", "丙丁")]}
    decision = checked(config, ["甲乙丙丁"])
    assert (decision.action, decision.texts) == ("mask", ["甲乙**"])
    assert [(each.source, each.action) for each in decision.reasons] == [("a", "log"), ("b", "mask")]


def test_a_word_spread_over_the_parts_of_one_message_is_found_and_over_two_messages_is_not() -> None:
    config = {"lists": [words("a", "mask", "敏感词")]}
    assert checked(config, [["说敏", "感", "词了"]]).texts == [["说*", "*", "*了"]]
    assert checked(config, ["说敏", "感词了"]).action == "pass"


def test_reasons_name_the_word_by_line_and_digest_and_hold_nothing_of_text_or_word() -> None:
    decision = checked({"lists": [words("a", "block", "无关", "敏感词")]}, ["秘密计划里的敏感詞"])
    assert [each.rule.split(":")[0] for each in decision.reasons] == ["2"]
    assert len(decision.reasons[0].rule.split(":")[1]) == 12
    for each in ("敏", "感", "词", "詞", "秘密"):
        assert each not in repr(decision)


def test_a_masks_own_character_may_be_chosen() -> None:
    assert checked({"mask": "█", "lists": [words("a", "mask", "bad")]}, ["so bad!"]).texts == ["so ███!"]


@pytest.mark.parametrize(
    ("scope", "who", "hit"),
    [
        ({"keys": ["team-*"]}, {"key": "team-a"}, True),
        ({"keys": ["team-*"]}, {"key": "ops"}, False),
        ({"models": ["gpt-*", "m"]}, {"model": "gpt-4o"}, True),
        ({"models": ["gpt-*"]}, {"model": "qwen"}, False),
        ({"on": ["output"]}, {}, False),
        ({"on": ["input"]}, {}, True),
    ],
)
def test_a_list_is_for_the_callers_models_and_directions_that_it_names(
    scope: dict[str, Any], who: dict[str, str], hit: bool
) -> None:
    assert (checked({"lists": [words("a", "block", "bad", **scope)]}, ["bad"], **who).action == "block") == hit


def test_reasons_are_counted_by_direction_source_and_action() -> None:
    content = Content.from_policy({"lists": [words("a", "log", "bad")]}, Path())

    async def go() -> None:
        await content.check_input(["bad bad"], key="k", model="m")
        await content.check_output(["bad"], key="k", model="m")

    asyncio.run(go())
    assert dict(content.counts) == {("input", "a", "log"): 1, ("output", "a", "log"): 1}


def test_all_mistakes_of_a_configuration_are_said_at_once() -> None:
    moderator = {"name": "m", "kind": "openai", "action": "block", "surprise": 1}
    bad_lists = [{"name": "a", "action": "blok", "words": ["x"]}, {"name": "a", "action": "log"}, 7]
    with pytest.raises(ContentError) as caught:
        Content.from_policy({"mask": "**", "lists": bad_lists, "moderators": [moderator], "typo": 1}, Path())
    said = "\n".join(caught.value.problems)
    for each in (
        "'mask'",
        "typo",
        "'action'",
        "either 'file' or 'words'",
        "not a mapping",
        "'on_error'",
        "surprise",
        "two parts",
    ):
        assert each in said


def test_whether_a_failing_moderator_blocks_has_no_default() -> None:
    moderator = {"name": "m", "kind": "openai", "action": "block", "secret": "s"}
    with pytest.raises(ContentError, match="'on_error', one of block, pass"):
        Content.from_policy({"moderators": [moderator]}, Path(), secret=lambda _: "x")


def test_a_missing_secret_is_said_by_name_and_never_by_value() -> None:
    moderator = {"name": "m", "kind": "openai", "action": "block", "on_error": "pass", "secret": "openai_api_key"}

    def read(name: str) -> str:
        raise KeyError("sk-planted")

    with pytest.raises(ContentError, match="'openai_api_key', which is not there") as caught:
        Content.from_policy({"moderators": [moderator]}, Path(), secret=read)
    assert "sk-planted" not in repr(caught.value)


# Word files.


def listed(tmp_path: Path, text: str = "first\n") -> tuple[Path, dict[str, Any]]:
    path = tmp_path / "words.txt"
    path.write_text(text, encoding="utf-8")
    return path, {"lists": [{"name": "file", "file": "words.txt", "action": "block"}]}


def test_comments_blank_lines_and_a_byte_order_mark_are_no_words(tmp_path: Path) -> None:
    _, config = listed(tmp_path, "\ufeff# a comment\n\n  second  \n#\n#tag\n")
    content = Content.from_policy(config, tmp_path)
    assert content.sizes == {"file": 2}
    assert asyncio.run(content.check_input(["a comment"], key="k", model="m")).action == "pass"
    assert asyncio.run(content.check_input(["TAG"], key="k", model="m")).action == "block"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"good\n!!!\n", "line 2: a word needs"),
        (("x" * 65).encode(), "line 1: a word needs"),
        ("敏感".encode("gb18030"), "not UTF-8"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_with_its_line_and_without_its_words(
    tmp_path: Path, content: bytes, said: str
) -> None:
    _, config = listed(tmp_path)
    (tmp_path / "words.txt").write_bytes(content)
    with pytest.raises(ContentError, match=said):
        Content.from_policy(config, tmp_path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ContentError, match="cannot be read"):
        Content.from_policy(listed(tmp_path)[1], tmp_path / "elsewhere")


def test_hundreds_of_mistakes_in_one_file_are_said_in_a_few_lines() -> None:
    assert _few([str(each) for each in range(500)])[-1] == "and 480 more"


def action(content: Content, text: str) -> str:
    return asyncio.run(content.check_input([text], key="k", model="m")).action


def replace(path: Path, text: str) -> None:
    new = path.with_name("new")
    new.write_text(text, encoding="utf-8")
    new.replace(path)


def test_a_replaced_file_is_in_force_after_the_next_reload(tmp_path: Path) -> None:
    path, config = listed(tmp_path)
    content = Content.from_policy(config, tmp_path)
    assert asyncio.run(content.reload()) is False
    replace(path, "second\n")
    assert asyncio.run(content.reload()) is True
    assert (action(content, "first"), action(content, "second")) == ("pass", "block")
    assert asyncio.run(content.reload()) is False


def test_a_file_written_in_place_is_read_once_it_has_settled(tmp_path: Path) -> None:
    path, config = listed(tmp_path)
    content = Content.from_policy(config, tmp_path)
    path.write_text("sec", encoding="utf-8")
    os.utime(path, ns=(1, 1))
    assert asyncio.run(content.reload()) is False
    path.write_text("second\n", encoding="utf-8")
    assert asyncio.run(content.reload()) is False
    assert asyncio.run(content.reload()) is True
    assert (action(content, "sec"), action(content, "second")) == ("pass", "block")


@pytest.mark.parametrize("spoil", ["!!!\n", None])
def test_a_file_that_is_spoilt_or_gone_leaves_the_words_in_force_and_says_so(tmp_path: Path, spoil: str | None) -> None:
    path, config = listed(tmp_path)
    content = Content.from_policy(config, tmp_path)
    if spoil is None:
        path.unlink()
    else:
        replace(path, spoil)
    assert asyncio.run(content.reload()) is False
    assert asyncio.run(content.reload()) is False
    assert action(content, "first") == "block"
    assert len(content.problems) == 1
    replace(path, "second\n")
    assert asyncio.run(content.reload()) is True
    assert content.problems == []
    assert action(content, "second") == "block"


def test_a_stream_under_way_keeps_the_words_that_it_began_with(tmp_path: Path) -> None:
    path, config = listed(tmp_path, "敏感词\n")
    content = Content.from_policy(config, tmp_path)

    async def go() -> tuple[bool, bool]:
        old = content.output(key="k", model="m")
        await old.feed(0, "敏感")
        replace(path, "别的\n")
        assert await content.reload()
        new = content.output(key="k", model="m")
        return (await old.feed(0, "词。")).blocked, (await new.feed(0, "敏感词。")).blocked

    assert asyncio.run(go()) == (True, False)
