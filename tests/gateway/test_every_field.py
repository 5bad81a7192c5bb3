"""Whatever field of an answer a word comes in, and however it is cut, it is masked or stopped; or the docs say not.

The fields are those of the clients' own types (openai, anthropic): a field that they grow is looked at without a word
from us, or this test says so.
"""

import asyncio
import copy
import importlib
import json
import re
import types
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llm_gate.content import Content
from llm_gate.inspection import Blocked, Inspection
from pydantic import BaseModel

CHAT, RESPONSES, MESSAGES = "/v1/chat/completions", "/v1/responses", "/v1/messages"
COMPLETIONS, SPEECH = "/v1/completions", "/v1/audio/transcriptions"
WORD, SAID = "heron", "a heron!"
Path_ = tuple[str, ...]

WHOLE = {
    "openai.types.chat:ChatCompletion": CHAT,
    "openai.types:Completion": COMPLETIONS,
    "openai.types.responses:Response": RESPONSES,
    "openai.types.audio:Transcription": SPEECH,
    "openai.types.audio:TranscriptionVerbose": SPEECH,
    "openai.types.audio:TranscriptionDiarized": SPEECH,
    "anthropic.types:Message": MESSAGES,
    "anthropic.types.beta:BetaMessage": MESSAGES,
}
EVENTS = {
    "openai.types.chat:ChatCompletionChunk": CHAT,
    "openai.types:Completion": COMPLETIONS,
    "openai.types.responses:ResponseStreamEvent": RESPONSES,
    "anthropic.types:RawMessageStreamEvent": MESSAGES,
    "anthropic.types.beta:BetaRawMessageStreamEvent": MESSAGES,
}
NOT_LOOKED_AT = {
    "the protocol's own names": r"((message|response)\.)?(id|model|system_fingerprint|service_tier|created_at)"
    r"|(.*\.)?(stop_sequence|stop_reason)",
    "the vendor's account": r"((message|delta)\.)?(container|usage)\..*|response\.conversation\.id"
    r"|response\.input_transformations\..*",
    "what the caller said, told again": r"response\.(instructions|tools|tool_choice|metadata|text|prompt|reasoning|user"
    r"|safety_identifier|prompt_cache_key|prompt_cache_options|previous_response_id)\b.*|metadata\..*",
    "a caller's own description of a tool": r".*\b(input_schema|output_schema|parameters|definition|configs)\b.*\{key\}"
    r"|.*\bheaders\.\{key\}",
    "what a vendor fills an event up with": r"obfuscation",
    "names in a vendor's results": r".*\b(categories|category_scores|category_applied_input_types|attributes)\.\{key\}",
}
"""Ways to fields that are not looked at, by why: docs/content-safety.md says the same."""


def kind_of(where: str) -> Any:
    module, _, name = where.partition(":")
    return getattr(importlib.import_module(module), name)


def least(kind: Any) -> Any:
    """The smallest value of a type."""
    origin, inner = get_origin(kind), get_args(kind)
    if hasattr(kind, "__value__"):
        return least(kind.__value__)
    if origin is Annotated:
        return least(inner[0])
    if origin is Literal:
        return inner[0]
    if origin in (Union, types.UnionType):
        return None if type(None) in inner else least(inner[0])
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return {name: least(field.annotation) for name, field in kind.model_fields.items() if field.is_required()}
    simple: dict[Any, Any] = {int: 0, float: 0.0, bool: False, list: [], dict: {}}
    return copy.copy(simple.get(origin or kind, "x"))


def places(kind: Any, path: Path_ = (), within: tuple[Any, ...] = ()) -> Iterator[tuple[Path_, Any]]:
    """Every place of a type that holds a text, with a value that has ours there and nothing else."""
    origin, inner = get_origin(kind), get_args(kind)
    if hasattr(kind, "__value__"):
        yield from places(kind.__value__, path, within)
    elif kind in (str, object, Any):
        yield path, SAID
    elif origin is Annotated:
        yield from places(inner[0], path, within)
    elif origin in (Union, types.UnionType):
        for each in inner:
            yield from places(each, path, within)
    elif origin is list:
        yield from ((way, [value]) for way, value in places(inner[0], (*path, "[]"), within))
    elif origin is dict:
        yield from ((way, {"k": value}) for way, value in places(inner[1], (*path, "{}"), within))
        yield (*path, "{key}"), {SAID: least(inner[1])}
    elif isinstance(kind, type) and issubclass(kind, BaseModel) and kind not in within:
        smallest = least(kind)
        for name, field in kind.model_fields.items():
            if get_origin(field.annotation) is Literal:
                smallest.setdefault(name, get_args(field.annotation)[0])
        for name, field in kind.model_fields.items():
            key = field.alias or name
            found = places(field.annotation, (*path, key), (*within, kind))
            yield from ((way, {**smallest, key: value}) for way, value in found)


def inspection(endpoint: str, action: str) -> Inspection:
    rows = [{"name": "house", "words": [WORD], "action": action}]
    return Inspection(Content.from_policy({"lists": rows}, Path()), endpoint, "k", "m")


async def streamed(endpoint: str, events: list[Any], action: str) -> list[Any]:
    """What reaches the caller of these events."""
    check, sent = inspection(endpoint, action), []
    try:
        for each in events:
            sent += copy.deepcopy(await check.event(copy.deepcopy(each)))
        sent += await check.finish()
    except Blocked as blocked:
        sent += blocked.before
    return sent


async def at_once(endpoint: str, answer: Any, action: str) -> list[Any]:
    answer = copy.deepcopy(answer)
    try:
        await inspection(endpoint, action).answer(answer)
    except Blocked:
        return []
    return [answer]


def excused(path: Path_, where: str = "") -> bool:
    if where == "openai.types.responses:Response":
        path = ("response", *path)
    return any(re.fullmatch(pattern, ".".join(path)) for pattern in NOT_LOOKED_AT.values())


@pytest.mark.parametrize("action", ["block", "mask"])
@pytest.mark.parametrize("where", WHOLE)
def test_a_word_is_seen_in_every_field_of_a_whole_answer(where: str, action: str) -> None:
    async def run() -> set[str]:
        rows = [row for row in places(kind_of(where)) if not excused(row[0], where)]
        assert rows
        return {".".join(path) for path, value in rows if WORD in str(await at_once(WHOLE[where], value, action))}

    assert asyncio.run(run()) == set()


@pytest.mark.parametrize("action", ["block", "mask"])
@pytest.mark.parametrize("where", EVENTS)
def test_a_word_is_seen_in_every_field_of_an_event(where: str, action: str) -> None:
    async def run() -> set[str]:
        rows = [row for row in places(kind_of(where)) if not excused(row[0], where)]
        assert rows
        return {
            f"{value.get('type')} {'.'.join(path)}"
            for path, value in rows
            if WORD in str(await streamed(EVENTS[where], [value], action))
        }

    assert asyncio.run(run()) == set()


def test_every_way_that_is_excused_is_one_that_a_client_has() -> None:
    paths = {".".join(path) for where in (*WHOLE, *EVENTS) for path, _ in places(kind_of(where))}
    for why, pattern in NOT_LOOKED_AT.items():
        assert any(re.fullmatch(pattern, each) for each in paths), why


# -- cut at every place


def escaped(text: str, which: list[bool]) -> str:
    """JSON's text for a text, some characters as numbers."""
    inner = (f"\\u{ord(char):04x}" if flag else json.dumps(char)[1:-1] for char, flag in zip(text, which, strict=True))
    return "".join(inner)


def cut(text: str, places_: list[int]) -> list[str]:
    ends = [0, *sorted({each % (len(text) + 1) for each in places_}), len(text)]
    return [text[a:b] for a, b in pairwise(ends)]


def delta(choice: int, **more: Any) -> dict[str, Any]:
    return {"choices": [{"index": choice, "delta": more, "finish_reason": None}]}


def ends(choice: int) -> dict[str, Any]:
    return {"choices": [{"index": choice, "delta": {}, "finish_reason": "stop"}]}


def claude(index: int, field: str, piece: str) -> dict[str, Any]:
    kind = {"text": "text_delta", "thinking": "thinking_delta", "partial_json": "input_json_delta"}[field]
    return {"type": "content_block_delta", "index": index, "delta": {"type": kind, field: piece}}


def event(kind: str, item: str, piece: str) -> dict[str, Any]:
    return {"type": f"response.{kind}.delta", "item_id": item, "output_index": 0, "content_index": 0, "delta": piece}


PLAIN: dict[str, Any] = {
    "content": (CHAT, lambda who, piece: delta(who, content=piece)),
    "thinking": (CHAT, lambda who, piece: delta(who, reasoning_content=piece)),
    "completion": (COMPLETIONS, lambda who, piece: {"choices": [{"index": who, "text": piece, "finish_reason": None}]}),
    "Claude's text": (MESSAGES, lambda who, piece: claude(who, "text", piece)),
    "Claude's thinking": (MESSAGES, lambda who, piece: claude(who, "thinking", piece)),
    "a response's text": (RESPONSES, lambda who, piece: event("output_text", f"m{who}", piece)),
    "a response's thinking": (RESPONSES, lambda who, piece: event("reasoning_text", f"m{who}", piece)),
}
JSON: dict[str, Any] = {
    "a tool": (CHAT, lambda who, piece: delta(who, tool_calls=[{"index": 0, "function": {"arguments": piece}}])),
    "a function": (CHAT, lambda who, piece: delta(who, function_call={"arguments": piece})),
    "Claude's tool": (MESSAGES, lambda who, piece: claude(who, "partial_json", piece)),
    "a response's tool": (RESPONSES, lambda who, piece: event("function_call_arguments", f"m{who}", piece)),
}
AROUND = st.text('ab ,.{}[]"\\\n:é漢😀', max_size=12)


def told(endpoint: str, sent: list[Any], who: int) -> str:
    """What one of two texts is to its caller, put together as clients do."""

    def texts_of(value: Any) -> Iterator[str]:
        if isinstance(value, dict):
            for key, each in value.items():
                if isinstance(each, str) and key in NAMES:
                    yield each
                else:
                    yield from texts_of(each)
        elif isinstance(value, list):
            for each in value:
                yield from texts_of(each)

    mine = []
    for each in sent:
        if endpoint in (CHAT, COMPLETIONS):
            mine += [choice for choice in each["choices"] if choice["index"] == who]
        elif each.get("item_id", each.get("index")) in (who, f"m{who}"):
            mine.append(each)
    return "".join(texts_of(mine))


NAMES = frozenset({"content", "reasoning_content", "text", "thinking", "delta", "arguments", "partial_json"})


@settings(max_examples=60, deadline=None)
@given(data=st.data())
@pytest.mark.parametrize("place", PLAIN)
def test_a_word_is_masked_wherever_a_text_is_cut_and_nothing_else_is_changed(place: str, data: st.DataObject) -> None:
    endpoint, piece_of = PLAIN[place]
    before, after, other = data.draw(AROUND), data.draw(AROUND), data.draw(AROUND)
    texts = [f"{before} {WORD} {after}", other]
    queues = [cut(text, data.draw(st.lists(st.integers(0, 60), max_size=6))) for text in texts]
    sent = asyncio.run(streamed(endpoint, mixed(piece_of, queues, data), "mask"))
    assert told(endpoint, sent, 0) == f"{before} {'*' * len(WORD)} {after}"
    assert told(endpoint, sent, 1) == other


def mixed(piece_of: Any, queues: list[list[str]], data: st.DataObject) -> list[Any]:
    """The pieces of two texts, as they come in turns."""
    events = []
    queues = [list(each) for each in queues]
    while any(queues):
        who = data.draw(st.sampled_from([each for each in (0, 1) if queues[each]]))
        events.append(piece_of(who, queues[who].pop(0)))
    return events


@settings(max_examples=60, deadline=None)
@given(data=st.data())
@pytest.mark.parametrize("place", JSON)
def test_a_word_in_a_tools_arguments_is_masked_however_it_is_written_and_they_stay_json(
    place: str, data: st.DataObject
) -> None:
    endpoint, piece_of = JSON[place]
    before, after = data.draw(AROUND), data.draw(AROUND)
    value = f"{before} {WORD} {after}"
    flags = [data.draw(st.booleans()) and ord(char) < 0x10000 for char in value]
    text = f'{{"n": [1, true], "a": "{escaped(value, flags)}"}}'
    queues = [cut(text, data.draw(st.lists(st.integers(0, 200), max_size=8))), ['{"b": "', 'x"}']]
    sent = asyncio.run(streamed(endpoint, mixed(piece_of, queues, data), "mask"))
    assert json.loads(told(endpoint, sent, 0)) == {"n": [1, True], "a": f"{before} {'*' * len(WORD)} {after}"}
    assert json.loads(told(endpoint, sent, 1)) == {"b": "x"}


@settings(max_examples=60, deadline=None)
@given(data=st.data())
@pytest.mark.parametrize("place", [*PLAIN, *JSON])
def test_of_a_word_that_blocks_no_whole_one_goes_out_however_it_is_cut(place: str, data: st.DataObject) -> None:
    endpoint, piece_of = {**PLAIN, **JSON}[place]
    word = escaped(WORD, [data.draw(st.booleans()) for _ in WORD]) if place in JSON else WORD
    text = f'{{"a": "so a {word} stands"}}'
    queues = [cut(text, data.draw(st.lists(st.integers(0, 80), max_size=8))), ['{"b": "', 'x"}']]
    sent = asyncio.run(streamed(endpoint, mixed(piece_of, queues, data), "block"))
    said = told(endpoint, sent, 0)
    assert WORD not in re.sub(r"\\u([0-9a-f]{4})", lambda found: chr(int(found[1], 16)), said)
    assert '{"a": "so a '.startswith(said.removesuffix(" ")) or said.startswith('{"a": "so a')
    assert "stands" not in said
