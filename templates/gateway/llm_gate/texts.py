"""Where text stands in requests, answers and events, so that it can be counted, looked at, and put back masked.

A slot is a container and a key in it: ``container[key]`` is a string.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator
from typing import Any

Slot = tuple[Any, Any]

_ROLES = frozenset({"system", "developer", "user", "assistant", "tool", "function"})
_PROTOCOL = frozenset(
    {"type", "id", "call_id", "tool_call_id", "tool_use_id", "status", "detail", "media_type", "format",
     "encoding_format", "index", "object", "model", "finish_reason", "item_id", "output_index"}
)  # fmt: skip
"""Fields that hold names of the protocol, if what they hold looks like one: a caller may put a sentence there, and a
chat template shows the model more than one would think."""
_NAME = re.compile(r"[A-Za-z0-9_./:+-]{1,64}")
_URLS = frozenset({"url", "image_url", "audio_url", "video_url", "file_url", "file_data"})
_DATA_URL = re.compile(r"data:[\w.+-]+/[\w.+-]+(?:;[\w=.+-]+)*;base64,[A-Za-z0-9+/=_-]*", re.ASCII)
_BYTES = frozenset({"data", "signature", "encrypted_content"})
_BASE64 = re.compile(r"[A-Za-z0-9+/=_\s-]*", re.ASCII)

_READ = ("messages", "input", "prompt", "system", "instructions", "suffix", "tools", "functions", "response_format",
         "text", "structured_outputs", "guided_json", "guided_choice", "guided_regex", "guided_grammar",
         "prediction", "chat_template_kwargs", "documents",
         "query", "queries", "items", "instruction", "text_1", "text_2", "data_1", "data_2", "hotwords",
         "output_format", "output_config")  # fmt: skip
"""Fields of a request that the model reads, or that tell it what to write."""


def get(slot: Slot) -> str:
    """The text in a slot."""
    return str(slot[0][slot[1]])


def put(slot: Slot, text: str) -> None:
    """Put another text there."""
    slot[0][slot[1]] = text


def is_bytes(holder: dict[str, Any], key: str, value: str) -> bool:
    """Whether a field holds a picture, a sound or a file, and no text: by its place and by how it looks."""
    if key in _URLS:
        return value.startswith("data:") and _DATA_URL.fullmatch(value) is not None
    return key in _BYTES and holder.get("type") != "text" and _BASE64.fullmatch(value) is not None


def _is_text(holder: dict[str, Any], key: str, value: str) -> bool:
    if key == "role":
        return value not in _ROLES
    if key in _PROTOCOL:
        return _NAME.fullmatch(value) is None
    return not is_bytes(holder, key, value)


def in_request(body: dict[str, Any]) -> list[list[Slot]]:
    """All that the model will read: the parts of one message together, everything else one by one."""
    found: list[list[Slot]] = []
    for name in _READ:
        value = body.get(name)
        if isinstance(value, str):
            found.append([(body, name)])
        elif isinstance(value, list):
            for place, each in enumerate(value):
                if isinstance(each, str):
                    found.append([(value, place)])
                elif isinstance(each, dict) and isinstance(each.get("content"), list):
                    found.append(list(_nested(each["content"])))
                    found += [[slot] for slot in _nested(each, without="content")]
                else:
                    found += [[slot] for slot in _nested(each)]
        elif value is not None:
            found += [[slot] for slot in _nested(value)]
    return [slots for slots in found if slots]


class Fixed(list[str]):
    """A name that can be refused and not be masked: it is no value of anything."""


def is_arguments(slot: Slot) -> bool:
    """Whether a text is a tool's arguments, which are JSON."""
    holder, key = slot
    if key == "delta" and isinstance(holder, dict):
        return "arguments" in str(holder.get("type", ""))
    return key in ("arguments", "partial_json")


def is_whole(index: tuple[Hashable, ...], slot: Slot) -> bool:
    """Whether a text of a stream comes in one event: a name, and what a block of Anthropic's begins with."""
    return isinstance(slot[0], Fixed) or index[-1] == "name" or "input" in index[1:-1]


def in_answer(endpoint: str, answer: dict[str, Any]) -> list[list[Slot]]:
    """All that a whole answer says, one list for each text."""
    if endpoint in ("/v1/embeddings", "/v1/rerank", "/v1/score"):
        return []  # numbers; a document that comes back with its rank is the caller's own
    if endpoint in ("/v1/chat/completions", "/v1/completions"):
        return [[slot] for choice in _dicts(answer.get("choices")) for _, slot in _said(choice, ())]
    if endpoint == "/v1/audio/transcriptions":
        return _transcribed(answer)
    names = {
        "/v1/responses": ("output", "error"),
        "/v1/messages": ("content",),
        "/tokenize": ("prompt", "token_strs"),
        "/detokenize": ("prompt", "token_strs"),
    }.get(endpoint, tuple(answer))
    return [[slot] for name in names for slot in _in_field(answer, name)]


def _transcribed(answer: dict[str, Any]) -> list[list[Slot]]:
    """The text whole, then as its segments and words say it again: each list of them is one text."""
    found: list[list[Slot]] = [[(answer, "text")]] if isinstance(answer.get("text"), str) else []
    for name, field in (("segments", "text"), ("words", "word")):
        again: list[Slot] = [(each, field) for each in _dicts(answer.get(name)) if isinstance(each.get(field), str)]
        if again:
            found.append(again)
    return found


def in_event(endpoint: str, event: dict[str, Any]) -> list[tuple[tuple[Hashable, ...], Slot]]:
    """The pieces of text in one event of a stream, each with the name of the text that it goes on with."""
    if endpoint in ("/v1/chat/completions", "/v1/completions"):
        found: list[tuple[tuple[Hashable, ...], Slot]] = []
        for choice in _dicts(event.get("choices")):
            delta = choice.get("delta")
            for field, slot in _said(delta if isinstance(delta, dict) else choice, ()):
                found.append(((choice.get("index", 0), *field), slot))
        return found
    delta = event.get("delta")
    if isinstance(delta, str) and str(event.get("type", "")).endswith(".delta"):
        return [((event.get("item_id", ""), event.get("content_index", 0), str(event["type"])), (event, "delta"))]
    # Anthropic's: a block begins, and goes on under the same names.
    name = {"content_block_delta": "delta", "content_block_start": "content_block"}.get(str(event.get("type")))
    block = event.get(name) if name else None
    if isinstance(block, dict):
        return [((event.get("index", 0), *field), slot) for field, slot in _said(block, ())]
    return []


def repeated_in_event(endpoint: str, event: dict[str, Any]) -> list[list[Slot]]:
    """Texts that an event says whole, once more, after their pieces (the Responses API does, and some servers)."""
    if endpoint == "/v1/chat/completions":
        # Some servers put the whole message into the last event, beside the delta or in its place.
        rows = [each for each in _dicts(event.get("choices")) if isinstance(each.get("message"), dict)]
        return [[slot] for row in rows if isinstance(row.get("delta"), dict) for _, slot in _said(row["message"], ())]
    if endpoint == "/v1/messages" and event.get("type") == "message_start":
        return [[slot] for slot in _nested(_of(event.get("message"), "content"))]
    if endpoint != "/v1/responses" or str(event.get("type", "")).endswith(".delta"):
        return []
    found = [[slot] for name in event if name != "response" for slot in _in_field(event, name)]
    answer = event.get("response")
    return found + [[slot] for name in ("output", "error") for slot in _nested(_of(answer, name))]


def _of(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else None


def _in_field(holder: dict[str, Any], name: str) -> Iterator[Slot]:
    value = holder.get(name)
    if isinstance(value, str):
        if _is_text(holder, name, value):
            yield holder, name
    else:
        yield from _nested(value)


def ended_by_event(endpoint: str, event: dict[str, Any]) -> Hashable | None:
    """Which texts end with this event: the first part of their names, True for all, None for none."""
    if endpoint in ("/v1/chat/completions", "/v1/completions"):
        ended = [each.get("index", 0) for each in _dicts(event.get("choices")) if each.get("finish_reason")]
        if len(ended) > 1:
            return True
        return ended[0] if ended else None
    kind = str(event.get("type", ""))
    if kind == "content_block_stop":
        index: Hashable = event.get("index", 0)
        return index
    return True if kind.endswith((".done", ".completed", ".incomplete")) or kind == "message_stop" else None


def without_the_end(event: dict[str, Any]) -> None:
    """Make an event that was sent already fit to be sent once more with other text."""
    event.pop("usage", None)
    for choice in _dicts(event.get("choices")):
        choice["finish_reason"] = None


_UNSAID = frozenset({"logprobs", "finish_reason", "stop_reason", "stop_sequence", "token_ids", "obfuscation"})
"""Fields of answers that are the protocol's, or the caller's own words; log probabilities are refused beforehand."""


def _said(value: dict[str, Any], path: tuple[Hashable, ...]) -> Iterator[tuple[tuple[Hashable, ...], Slot]]:
    """Every text in a message or a piece of one, whatever its field is called, with the way to it as its name."""
    for key, each in value.items():
        if key in _UNSAID:
            continue
        if isinstance(each, str):
            if _is_text(value, key, each):
                yield (*path, key), (value, key)
        elif isinstance(each, dict):
            if _is_given(value, key):
                yield from (((*path, key, place), slot) for place, slot in enumerate(_in_input(each)))
            else:
                yield from _said(each, (*path, key))
        elif isinstance(each, list):
            for place, part in enumerate(each):
                if isinstance(part, dict):
                    yield from _said(part, (*path, key, part.get("index", place)))
                elif isinstance(part, str):
                    yield (*path, key, place), (each, place)


def _is_given(holder: dict[str, Any], key: str) -> bool:
    """Whether a field is what a tool is given, and no parameter that is called so."""
    return key == "input" and str(holder.get("type", "")).endswith("tool_use")


def _in_input(value: Any) -> Iterator[Slot]:
    """What a tool is given, names and all: the model makes up both."""
    if isinstance(value, dict):
        for key, each in value.items():
            yield Fixed([key]), 0
            if isinstance(each, str):
                yield value, key
            else:
                yield from _in_input(each)
    elif isinstance(value, list):
        for place, each in enumerate(value):
            if isinstance(each, str):
                yield value, place
            else:
                yield from _in_input(each)


def _nested(value: Any, without: str = "") -> Iterator[Slot]:
    if isinstance(value, dict):
        for key, each in value.items():
            if isinstance(each, str):
                if key != without and _is_text(value, key, each):
                    yield value, key
            elif key not in ("logprobs", "token_ids", "obfuscation", without):
                if key == "properties" and isinstance(each, dict):
                    # A parameter's name is read too; it can be refused, and not masked.
                    yield from (([name], 0) for name in each)
                if _is_given(value, key):
                    yield from _in_input(each)
                else:
                    yield from _nested(each)
    elif isinstance(value, list) and not (value and isinstance(value[0], int | float)):
        for place, each in enumerate(value):
            if isinstance(each, str):
                yield value, place
            else:
                yield from _nested(each)


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
