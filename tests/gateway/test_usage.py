"""What a call took is what its upstream says, where that can be believed, and else what was seen to come."""

import hashlib
import json
from typing import Any

import pytest
from llm_gate.usage import MOST, UNREAD, Count

CHAT = "/v1/chat/completions"


def event(text: str) -> bytes:
    document = {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"content": text}}]}
    return b"data: " + json.dumps(document).encode() + b"\n\n"


def test_an_answer_of_which_nothing_is_reported_counts_as_it_was_seen() -> None:
    count = Count(CHAT, estimated_in=11)
    assert (count.tokens_in, count.tokens_out) == (11, 0)
    for text in ("four", "", "words that were said"):
        count.hear(text)
    # One for each byte, as nobody knows better.
    assert count.tokens_out == count.heard_out == len("fourwords that were said")


def test_each_piece_is_a_token_at_least() -> None:
    count = Count(CHAT, estimated_in=0)
    for _ in range(5):
        count.hear("a")
    assert count.tokens_out == 5
    count.pieces = 7
    assert count.tokens_out == 7


def test_events_that_are_read_later_are_counted_once_and_all() -> None:
    count = Count(CHAT, estimated_in=0)
    for _ in range(3):
        count.later(event("abc"))
    assert count.pieces == 0
    assert count.tokens_out == count.tokens_out == 9
    # An event may come in two parts.
    whole = event("abc")
    count.later(whole[:20])
    count.later(whole[20:])
    assert count.tokens_out == 12


def test_no_more_events_are_kept_than_there_is_room_for() -> None:
    count = Count(CHAT, estimated_in=0)
    size = len(event("abc"))
    for _ in range(UNREAD // size):
        count.later(event("abc"))
    assert count.pieces == 0
    count.later(event("abc"))
    assert count.pieces == UNREAD // size + 1


@pytest.mark.parametrize("where", [None, "message", "response", "x_groq"])
@pytest.mark.parametrize(
    ("usage", "taken"),
    [
        ({"prompt_tokens": 5, "completion_tokens": 7}, (5, 7)),
        ({"input_tokens": 5, "output_tokens": 7}, (5, 7)),
        ({"input_tokens": 5, "cache_creation_input_tokens": 20, "cache_read_input_tokens": 300}, (325, 6)),
        ({"prompt_tokens": 0, "completion_tokens": 1}, (0, 1)),
        # Thinking that is in the total alone.
        ({"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 112}, (5, 107)),
        ({"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 3}, (5, 7)),
        ({"prompt_tokens": 5, "total_tokens": 5}, (5, 6)),
        ({"prompt_tokens": MOST, "completion_tokens": MOST}, (MOST, MOST)),
        # What cannot be a number of tokens is as if it was not said.
        ({"prompt_tokens": MOST + 1, "completion_tokens": -1}, (11, 6)),
        ({"prompt_tokens": True, "completion_tokens": "7"}, (11, 6)),
        ({"completion_tokens": 0}, (11, 6)),
        ([], (11, 6)),
    ],
)
def test_what_the_upstream_reports_is_taken_where_it_can_be(
    where: str | None, usage: Any, taken: tuple[int, int]
) -> None:
    count = Count(CHAT, estimated_in=11)
    count.hear("abcdef")
    count.report({"usage": usage} if where is None else {where: {"usage": usage}})
    assert (count.tokens_in, count.tokens_out) == taken


def test_of_several_reports_the_highest_answer_counts() -> None:
    count = Count(CHAT, estimated_in=0)
    for tokens in (3, 9, 4):
        count.report({"usage": {"output_tokens": tokens}})
    assert count.tokens_out == 9


def test_the_digest_is_of_every_byte_in_its_order() -> None:
    count = Count(CHAT, estimated_in=0)
    for content in (b"one", b"", b"two"):
        count.came(content)
    assert count.digest == hashlib.sha256(b"onetwo").hexdigest()
