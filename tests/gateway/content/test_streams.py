"""A stream gives what the whole text gives, whatever the pieces; and masking touches words only."""

from __future__ import annotations

import asyncio
import os
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llm_gate.content import Content, Piece
from llm_gate.content.gaps import FAR
from llm_gate.content.matcher import Matcher, Rules
from llm_gate.content.scan import Step, WordScan
from llm_gate.content.words import LONGEST, gather

EXAMPLES = int(os.environ.get("CONTENT_EXAMPLES", "200"))
"""More of them, once in a while, find more."""

WORDS = {
    "block": ["ab", "abcab", "敏感词", "c d", "赌博", "ass"],
    "mask": ["bca", "感词汇", "b敏", "a-b c", "shit", "词"],
    "log": ["ca", "cab敏", "博a"],
}
ALPHABET = "abcABCdhist1$aｂⓒасçb\u0336 敏感詞词汇赌賭博 \u200b\u0301\ufe0f.,-*。，\n😀"
TEXTS = st.lists(
    st.one_of(
        st.sampled_from([word for row in WORDS.values() for word in row]),
        st.text(ALPHABET, max_size=6),
        st.sampled_from([" " * 17, "\u200b" * 300, "a b c a b", "a-b-c", "c\nd", "敏 感 词", "x" * FAR]),
    ),
    max_size=8,
).map("".join)
CUTS = st.lists(st.integers(0, 400), max_size=12)


def matcher(separators: str, *actions: str) -> Matcher:
    return Matcher(
        [
            (Rules(action, action, separators, leet=action == "mask"), gather(enumerate(WORDS[action], 1), "word")[0])
            for action in actions
        ]
    )


MATCHERS = {
    (separators, kinds): matcher(separators, *kinds)
    for separators in ("guarded", "any", "none")
    for kinds in (("mask", "log"), ("block", "mask", "log"))
}
CHOICES = st.sampled_from(sorted(MATCHERS))


def cut(text: str, cuts: list[int]) -> list[str]:
    places = sorted({0, len(text), *(each for each in cuts if each < len(text))})
    return [text[one:other] for one, other in pairwise(places)]


def run(searched: Matcher, pieces: list[str]) -> tuple[str, bool, list[tuple[str, int]]]:
    """What is released, whether it was blocked, and which words were found, in order."""
    scan = WordScan(searched, frozenset(range(len(searched.rules))), "*")
    steps: list[Step] = []
    for piece in pieces:
        steps += scan.steps(piece)
    steps.append(scan.finish())
    found = [(each.rules.name, each.word.line) for step in steps for each in step.matches]
    return "".join(each.text for each in steps), scan.blocked, found


@settings(max_examples=EXAMPLES, deadline=None)
@given(CHOICES, TEXTS, CUTS)
def test_pieces_change_neither_what_is_released_nor_what_is_blocked_nor_what_is_found(
    choice: tuple[str, tuple[str, ...]], text: str, cuts: list[int]
) -> None:
    whole = run(MATCHERS[choice], [text])
    assert run(MATCHERS[choice], cut(text, cuts)) == whole
    assert run(MATCHERS[choice], list(text)) == whole


@settings(max_examples=EXAMPLES, deadline=None)
@given(CHOICES, TEXTS)
def test_what_is_released_is_the_text_from_its_beginning_with_nothing_changed_but_letters_of_words_to_mask(
    choice: tuple[str, tuple[str, ...]], text: str
) -> None:
    searched = MATCHERS[choice]
    released, blocked, _ = run(searched, [text])
    assert blocked or len(released) == len(text)
    assert len(released) <= len(text)
    everything = frozenset(range(len(searched.rules)))
    matches = searched.search(text, 0, everything, ended=True).matches
    letters = {place for each in matches if each.rules.action == "mask" for place in each.letters}
    for place, (one, other) in enumerate(zip(released, text, strict=False)):
        assert one == other or (one == "*" and place in letters)
        assert blocked or (place not in letters) or one == "*"
    if blocked:
        assert len(released) <= min(each.start for each in matches if each.rules.action == "block")


@settings(max_examples=100, deadline=None)
@given(st.text(st.characters(exclude_categories=[]), max_size=200), CUTS)
def test_any_text_without_a_listed_word_goes_through_untouched(text: str, cuts: list[int]) -> None:
    searched = Matcher([(Rules("rare", "mask"), gather([(1, "龘龖齉"), (2, "qzxqzx")], "word")[0])])
    assert run(searched, cut(text, cuts)) == (text, False, [])


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(["bitch", "敏感词", "сука"]),
    st.lists(st.sampled_from(["\u200b", "\u00ad", "\u0336", "\ufe0f", "\u202e", "\U000e0041"]), min_size=8, max_size=8),
    st.text("xyz 甲乙。", max_size=5),
    CUTS,
)
def test_a_word_is_masked_through_any_invisible_characters_and_they_stay(
    word: str, hidden: list[str], around: str, cuts: list[int]
) -> None:
    searched = Matcher([(Rules("all", "mask"), gather([(1, "bitch"), (2, "敏感词"), (3, "сука")], "word")[0])])
    spread = "".join(letter + each for letter, each in zip(word, hidden, strict=False))
    masked = "".join("*" + each for _, each in zip(word, hidden, strict=False))
    released, _, found = run(searched, cut(f"{around} {spread} {around}", cuts))
    assert released == f"{around} {masked} {around}"
    assert len(found) == 1


def released_early(words: list[str], text: str) -> list[str]:
    searched = Matcher([(Rules("all", "block"), gather(enumerate(words, 1), "word")[0])])
    scan = WordScan(searched, frozenset({0}), "*")
    return ["".join(step.text for step in scan.steps(each)) for each in text]


def test_text_in_which_no_word_begins_is_released_at_once() -> None:
    assert released_early(["fuck", "敏感词"], "你好, 世界 hello") == list("你好, 世界 hello")


def test_only_the_beginning_of_a_word_is_held_back_and_only_as_long_as_it_may_be_one() -> None:
    assert released_early(["敏感词"], "很敏感的") == ["很", "", "", "敏感的"]


def test_a_block_lets_nothing_out_of_a_longer_word_that_may_still_come() -> None:
    rows = [(Rules("b", "block"), ["敏感"]), (Rules("m", "mask"), ["很敏感人们"])]
    searched = Matcher([(rules, gather(enumerate(row, 1), "word")[0]) for rules, row in rows])
    assert run(searched, ["我很敏感人"])[:2] == ("我", True)


def test_a_letter_inside_a_word_does_not_make_a_stream_wait() -> None:
    assert released_early(["ass"], "class a") == ["c", "l", "a", "s", "s", " ", ""]


def test_a_gap_that_no_word_spans_ends_the_waiting() -> None:
    pieces = released_early(["敏感词"], "敏" + " " * 20)
    assert "".join(pieces[:-3]).startswith("敏")


@settings(max_examples=40, deadline=None)
@given(TEXTS)
def test_what_is_held_back_is_bounded_by_the_longest_word_and_its_gaps(text: str) -> None:
    searched = MATCHERS["guarded", ("mask", "log")]
    scan = WordScan(searched, frozenset({0, 1}), "*")
    released = 0
    for fed, each in enumerate(text, 1):
        released += sum(len(step.text) for step in scan.steps(each))
        assert fed - released <= LONGEST * 256 + FAR


LISTS = {"lists": [{"name": action, "words": row, "action": action} for action, row in WORDS.items()]}


async def streamed(content: Content, pieces: list[str]) -> tuple[str, bool, set[str]]:
    scan = content.output(key="k", model="m")
    got: list[Piece] = [await scan.feed(0, each) for each in pieces]
    got.append(await scan.finish(0))
    return "".join(each.text for each in got), got[-1].blocked, {str(x) for each in got for x in each.reasons}


@settings(max_examples=100, deadline=None)
@given(TEXTS, CUTS)
def test_a_streamed_answer_gets_the_same_decision_as_a_whole_one(text: str, cuts: list[int]) -> None:
    content = Content.from_policy(LISTS, Path())

    async def both() -> None:
        whole = await content.check_output([text], key="k", model="m")
        released, blocked, _ = await streamed(content, cut(text, cuts))
        assert blocked == (whole.action == "block")
        assert blocked or whole.texts == [released]

    asyncio.run(both())


def test_the_texts_of_a_stream_are_apart_and_a_block_in_one_ends_all() -> None:
    content = Content.from_policy({"lists": [{"name": "x", "words": ["敏感词"], "action": "block"}]}, Path())

    async def go() -> list[Piece]:
        scan = content.output(key="k", model="m")
        return [
            await scan.feed((0, "content"), "敏感"),
            await scan.feed((1, "content"), "词"),
            await scan.finish((1, "content")),
            await scan.feed((0, "content"), "词"),
            await scan.feed((0, "content"), "。"),
            await scan.feed((1, "content"), "more"),
        ]

    pieces = asyncio.run(go())
    assert [(each.text, each.blocked) for each in pieces] == [
        ("", False),
        ("词", False),
        ("", False),
        ("", False),
        ("", True),
        ("", True),
    ]


@pytest.mark.parametrize("separators", ["guarded", "any", "none"])
def test_a_word_across_the_steps_of_a_long_text_is_found(separators: str) -> None:
    rows = [{"name": "x", "words": ["敏感词"], "action": "mask", "separators": separators}]
    content = Content.from_policy({"lists": rows}, Path())
    text = "好" * 8191 + "敏感词" + "好" * 8190 + "敏感词" + "好"
    decision = asyncio.run(content.check_input([text], key="k", model="m"))
    assert decision.texts == [text.replace("敏感词", "***")]
