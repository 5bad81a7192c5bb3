"""The answer filter sees what reaches the caller, wherever it stands and however it is written; JSON stays JSON."""

import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llm_gate import sse
from llm_gate.arguments import Arguments
from llm_gate.content import Content, ContentError
from llm_gate.inspection import Blocked, Inspection

CHAT, RESPONSES, MESSAGES = "/v1/chat/completions", "/v1/responses", "/v1/messages"


def inspection(endpoint: str, action: str, *words: str) -> Inspection:
    rows = [{"name": "house", "words": list(words or ["heron", "敏感词"]), "action": action}]
    return Inspection(Content.from_policy({"lists": rows}, Path()), endpoint, "k", "m")


def delta(**more: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": more, "finish_reason": None}]}


def call(**more: Any) -> dict[str, Any]:
    return delta(tool_calls=[{"index": 0, **more}])


END = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
STREAMS: dict[str, tuple[str, list[dict[str, Any]]]] = {
    "content": (CHAT, [delta(content="a he"), delta(content="ron!"), END]),
    "thinking": (CHAT, [delta(reasoning_content="a he"), delta(reasoning_content="ron!"), END]),
    "details of thinking": (CHAT, [delta(reasoning_details=[{"type": "reasoning.text", "text": "heron!"}]), END]),
    "a summary of thinking": (CHAT, [delta(reasoning_details=[{"type": "x", "summary": "heron!"}]), END]),
    "what is spoken": (CHAT, [delta(audio={"transcript": "he"}), delta(audio={"transcript": "ron!"}), END]),
    "a function's name": (CHAT, [delta(function_call={"name": "heron", "arguments": ""}), END]),
    "a function's arguments": (CHAT, [delta(function_call={"arguments": '{"a": "heron"}'}), END]),
    "a tool's name": (CHAT, [call(function={"name": "heron"}), END]),
    "a tool's arguments": (CHAT, [call(function={"arguments": each}) for each in ('{"a": "he', 'ron"}')] + [END]),
    "a tool's arguments, escaped": (CHAT, [call(function={"arguments": '{"a": "\\u0068ero\\u006E"}'}), END]),
    "the same in pieces": (
        CHAT,
        [call(function={"arguments": each}) for each in ('{"a": "\\u65', "4f", "\\u611", "f\\u8bcd", '"}')] + [END],
    ),
    "a name in a tool's arguments": (CHAT, [call(function={"arguments": '{"her\\u006fn": 1}'}), END]),
    "a custom tool's input": (CHAT, [call(custom={"name": "f", "input": "he"}), call(custom={"input": "ron "}), END]),
    "a field of tomorrow": (CHAT, [delta(later={"new": [{"words": "heron!"}]}), END]),
    "Claude's text": (
        MESSAGES,
        [
            {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": "a he"}},
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "ron"}},
            {"type": "content_block_stop", "index": 0},
        ],
    ),
    "a tool that Claude begins to use": (
        MESSAGES,
        [{"type": "content_block_start", "index": 1, "content_block": {"type": "tool_use", "id": "t", "name": "heron"}},
         {"type": "content_block_stop", "index": 1}],
    ),
    "what that tool is given at once": (
        MESSAGES,
        [{"type": "content_block_start", "index": 1,
          "content_block": {"type": "tool_use", "id": "t", "name": "f", "input": {"a": ["heron"]}}},
         {"type": "content_block_stop", "index": 1}],
    ),
    "a name in that": (
        MESSAGES,
        [{"type": "content_block_start", "index": 1,
          "content_block": {"type": "tool_use", "id": "t", "name": "f", "input": {"heron": {}}}}],
    ),
    "what that tool is given in pieces": (
        MESSAGES,
        [{"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": each}}
         for each in ('{"a": "\\u0068', 'eron"}')] + [{"type": "content_block_stop", "index": 1}],
    ),
    "what Claude cites": (
        MESSAGES,
        [{"type": "content_block_delta", "index": 0,
          "delta": {"type": "citations_delta", "citation": {"type": "x", "cited_text": "heron!"}}},
         {"type": "content_block_stop", "index": 0}],
    ),
    "a message that begins with text": (
        MESSAGES, [{"type": "message_start", "message": {"content": [{"type": "text", "text": "heron"}]}}],
    ),
    "a custom tool's input, whole": (RESPONSES, [{"type": "response.custom_tool_call_input.done", "input": "heron"}]),
    "a custom tool's input, in pieces": (
        RESPONSES,
        [{"type": "response.custom_tool_call_input.delta", "item_id": "i", "delta": each} for each in ("he", "ron ")],
    ),
    "a function's arguments, in pieces": (
        RESPONSES,
        [{"type": "response.function_call_arguments.delta", "item_id": "i", "delta": each}
         for each in ('{"a": "\\u', '0068eron"}')],
    ),
    "the same, whole": (
        RESPONSES, [{"type": "response.function_call_arguments.done", "arguments": '{"a": "\\u0068eron"}'}],
    ),
    "an item": (
        RESPONSES, [{"type": "response.output_item.done", "item": {"type": "custom_tool_call", "input": "heron"}}],
    ),
    "what is spoken, whole": (RESPONSES, [{"type": "response.audio.transcript.done", "transcript": "heron"}]),
    "a note": (RESPONSES, [{"type": "response.output_text.annotation.added", "annotation": {"title": "heron"}}]),
    "code": (RESPONSES, [{"type": "response.code_interpreter_call_code.done", "code": "heron"}]),
}  # fmt: skip


@pytest.mark.parametrize("place", STREAMS)
async def test_a_blocked_word_ends_the_stream_wherever_it_stands(place: str) -> None:
    endpoint, events = STREAMS[place]
    look, sent = inspection(endpoint, "block"), []
    with pytest.raises(Blocked) as caught:
        await through(look, events, sent)
    # A name in what a tool is given cannot be taken out: nothing of that event is sent.
    assert "ron" not in json.dumps([*sent, *caught.value.before])


async def through(look: Inspection, events: list[dict[str, Any]], sent: list[dict[str, Any]]) -> None:
    """Send a stream through; what goes on of it is added to ``sent``."""
    for event in events:
        sent += await look.event(json.loads(json.dumps(event)))
    sent += await look.finish()


@pytest.mark.parametrize("place", STREAMS)
async def test_what_nothing_is_found_in_says_the_same(place: str) -> None:
    endpoint, events = STREAMS[place]
    look, sent = inspection(endpoint, "block", "nightingale"), []
    await through(look, events, sent)
    assert said(sent) == said(events)


def said(events: list[dict[str, Any]]) -> str:
    """All strings of a stream, in their order, as they will be read."""
    found: list[str] = []

    def walk(value: Any) -> None:
        for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
            if isinstance(each, str):
                found.append(each)
            else:
                walk(each)

    walk([{key: row[key] for key in row if key not in ("type", "item_id")} for row in events])
    text = "".join(each for each in found if each not in ("stop", "x", "tool_use", "text", "text_delta", "t"))
    text = text.replace("input_json_delta", "").replace("citations_delta", "")
    return re.sub(r"\\u([0-9a-fA-F]{4})", lambda found: chr(int(found[1], 16)), text)


WHOLE: dict[str, tuple[str, dict[str, Any]]] = {
    "a custom tool's input": (CHAT, {"choices": [{"message": {"tool_calls": [{"custom": {"input": "heron"}}]}}]}),
    "details of thinking": (CHAT, {"choices": [{"message": {"reasoning_details": [{"text": "heron"}]}}]}),
    "what is spoken": (CHAT, {"choices": [{"message": {"audio": {"id": "a", "transcript": "heron"}}}]}),
    "a function's name": (CHAT, {"choices": [{"message": {"function_call": {"name": "heron"}}}]}),
    "escaped arguments": (
        CHAT, {"choices": [{"message": {"tool_calls": [{"function": {"arguments": '{"a": "\\u0068eron"}'}}]}}]},
    ),
    "what Claude gives a tool": (MESSAGES, {"content": [{"type": "tool_use", "name": "f", "input": {"a": "heron"}}]}),
    "a name in that": (MESSAGES, {"content": [{"type": "tool_use", "name": "f", "input": {"heron": 1}}]}),
    "an item": (RESPONSES, {"output": [{"type": "custom_tool_call", "input": "heron"}]}),
    "what was heard": ("/v1/audio/transcriptions", {"text": "heron", "segments": [{"tokens": [1, 2], "text": "x"}]}),
}  # fmt: skip


@pytest.mark.parametrize("place", WHOLE)
async def test_a_blocked_word_in_a_whole_answer_is_found_wherever_it_stands(place: str) -> None:
    endpoint, answer = WHOLE[place]
    with pytest.raises(Blocked):
        await inspection(endpoint, "block").answer(answer)
    assert not await inspection(endpoint, "block", "nightingale").answer(answer)


async def test_a_masked_word_in_arguments_leaves_them_json_and_all_else_as_it_was() -> None:
    given = {"bird": 'a heron\n"quoted" \\ \u0001', "敏感词": ["🪿", 7, None], "x": {"heron": True}}
    for ensure_ascii in (True, False):
        arguments = json.dumps(given, ensure_ascii=ensure_ascii)
        expected = json.loads(json.dumps(given, ensure_ascii=False).replace("heron", "*****").replace("敏感词", "***"))
        answer = {"choices": [{"message": {"tool_calls": [{"function": {"name": "f", "arguments": arguments}}]}}]}
        assert await inspection(CHAT, "mask").answer(answer)
        assert json.loads(answer["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"]) == expected
        for size in (1, 2, 3, 7, 1000):
            look, sent = inspection(CHAT, "mask"), []
            for place in range(0, len(arguments), size):
                sent += await look.event(call(function={"arguments": arguments[place : place + size]}))
            sent += await look.event(json.loads(json.dumps(END)))
            pieces = [row["choices"][0]["delta"].get("tool_calls") for row in sent]
            whole = "".join(each[0]["function"]["arguments"] for each in pieces if each)
            assert json.loads(whole) == expected


async def test_a_mask_that_would_break_json_is_refused() -> None:
    arguments = '{"heron":true,"ok":1}'
    for words in (["true"], ["ok 1"]):
        message = {"tool_calls": [{"function": {"name": "f", "arguments": arguments}}]}
        with pytest.raises(Blocked):
            await inspection(CHAT, "mask", *words).answer({"choices": [{"message": message}]})
        look = inspection(CHAT, "mask", *words)
        with pytest.raises(Blocked):
            await through(look, [call(function={"arguments": char}) for char in arguments], [])
    names = {"content": [{"type": "tool_use", "name": "f", "input": {"heron": 1}}]}
    with pytest.raises(Blocked):
        await inspection(MESSAGES, "mask").answer(names)


@pytest.mark.parametrize("mask", ["", "**", '"', "\\", "7", "e", " ", "\n", "-", ","])
def test_a_mask_that_means_something_in_json_cannot_be_configured(mask: str) -> None:
    with pytest.raises(ContentError, match="'mask'"):
        Content.from_policy({"mask": mask, "lists": []}, Path())


@pytest.mark.parametrize(
    "asked",
    [
        {"response_format": {"type": "json_object"}},
        {"text": {"format": {"type": "json_schema"}}},
        {"output_format": {"type": "json_schema"}},
        {"output_config": {"format": {"type": "json_schema"}}},
        {"structured_outputs": {"json": {}}},
    ],
)
async def test_an_answer_that_is_to_be_json_is_read_as_json(asked: dict[str, Any]) -> None:
    for asks, blocked in ((asked, True), ({"response_format": {"type": "text"}, "text": {}}, False)):
        look = inspection(CHAT, "block")
        await look.request(asks)
        sent: list[Any] = []
        try:
            for piece in ('{"a": "\\u00', '68eron"}'):
                sent += await look.event(delta(content=piece))
            await look.finish()
        except Blocked:
            assert blocked
        else:
            assert not blocked


async def test_what_an_assistant_said_before_is_read_as_it_was_said() -> None:
    calls = [{"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"a": "\\u0068eron"}'}}]
    body = {"messages": [{"role": "assistant", "content": None, "tool_calls": calls}]}
    with pytest.raises(Blocked):
        await inspection(CHAT, "block").request(body)


@given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
), st.lists(st.integers(0, 300), max_size=9), st.booleans())  # fmt: skip
def test_arguments_are_the_same_json_in_whatever_pieces_they_come(
    value: Any, cuts: list[int], ascii_only: bool
) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only)
    places = sorted({0, len(text), *(each for each in cuts if each < len(text))})
    arguments, out = Arguments("*"), []
    for start, end in pairwise(places):
        out.append(arguments.written(arguments.read(text[start:end]).replace("*", "x")))
    out.append(arguments.written(arguments.read("", ended=True).replace("*", "x")))
    assert json.loads("".join(out)) == json.loads(text.replace("*", "x"))


async def test_an_answer_of_numbers_is_not_walked_through() -> None:
    vectors = {"data": [{"embedding": [0.5] * 100_000, "index": 0, "object": "embedding"}]}
    assert not await inspection("/v1/embeddings", "block").answer(vectors)
    assert sse.document_of(json.dumps(vectors).encode()) == vectors
