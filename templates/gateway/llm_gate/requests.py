"""What a caller may send: read once, checked whole, and written anew for the upstream, so that both read the same."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

from llm_gate import forms, passing, tokens
from llm_gate.errors import Refused, bad, no_model
from llm_gate.policy import Rules
from llm_gate.routes import BY_THE_TOKENIZER

LIMITS = {
    "/v1/chat/completions": ("max_completion_tokens", "max_tokens"),
    "/v1/completions": ("max_tokens",),
    "/v1/responses": ("max_output_tokens",),
    "/v1/messages": ("max_tokens",),
}
"""The field that bounds an answer, where one has a length; the first is the newer name."""

FORMS = frozenset({"/v1/audio/transcriptions"})
"""Endpoints that take a form with a file, and no JSON."""

COMPARED = frozenset({"/v1/rerank", "/v1/score"})
"""Endpoints that hold texts or pictures against each other: fields of the one side, and of the other."""
_PAIRED = (("query", "queries", "text_1", "data_1"), ("documents", "items", "text_2", "data_2"))

_DEEPEST = 100
"""Levels of lists and objects in one another; no schema of a tool has a third of that."""
_MOST_VALUES, _MOST_BRACKETS, _MOST_PARTS = 1_000_000, 300_000, 100_000
"""Values, brackets (those within texts among them), lists and objects of a body: one of millions keeps everybody else
waiting for seconds."""
_MOST = 1_000_000
"""More tokens than any model answers with; a number above it is a mistake or an attack on the arithmetic."""


_SORTED = json.JSONEncoder(sort_keys=True, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Call:
    """A request that has been checked. Tokens are estimates on the high side until the upstream has counted."""

    endpoint: str
    model: str
    body: dict[str, Any]
    stream: bool
    wants_usage: bool
    """The caller asked for the usage of its stream; otherwise it is taken out again."""
    tokens_in: int
    tokens_out: int
    """The most that the answers may have, all choices together; 0 where the caller and the key leave it open."""
    bound: int | None
    """The bound of one answer that the gateway sets because the caller set none; None: nothing is set."""
    upload: forms.Upload | None = None
    """The file of a form; ``body`` says how long it is, and its SHA-256."""
    betas: tuple[str, ...] = ()
    """What the caller's anthropic-beta asks for, as far as it goes on."""
    notes: dict[str, str] = field(default_factory=dict)
    """Headers of the answer that say what was done to the request."""

    def digest(self) -> str:
        """SHA-256 of what was asked, for the audit record."""
        return hashlib.sha256(_SORTED.encode(self.body).encode()).hexdigest()


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name is there twice")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _finite(digits: str) -> float:
    # 1e999 is JSON, and is read as infinity, which cannot be written as JSON again.
    if math.isinf(found := float(digits)):
        raise ValueError(f"{digits[:20]} is too large")
    return found


PARTS = (dict, list)
"""What JSON nests. A tuple: ``dict | list`` would be made anew each time that something is looked at."""
_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_finite)


def parse(raw: bytes) -> dict[str, Any]:
    """The body as an object. Raises `Refused` for anything that two readers could read differently."""
    brackets = raw.count(b"[") + raw.count(b"{")
    if raw.count(b",") > _MOST_VALUES or brackets > _MOST_BRACKETS:
        raise bad("the body has more values than any request needs", "invalid_json")
    try:
        body = _DECODER.decode(raw.decode("utf-8"))
    except (ValueError, RecursionError):
        raise bad("the body is not a JSON object in UTF-8, each of its names once", "invalid_json") from None
    if not isinstance(body, dict):
        raise bad("the body is not a JSON object", "invalid_json")
    if brackets <= _DEEPEST:
        return body  # as every list and object has one, there are neither too many nor too deep ones
    level: list[Any] = [body]
    parts = 0
    for _ in range(_DEEPEST):
        rows = (one.values() if isinstance(one, dict) else one for one in level)
        level = [each for row in rows for each in row if isinstance(each, PARTS)]
        parts += len(level)
        if not level:
            return body
        if parts > _MOST_PARTS:
            raise bad(f"the body has more than {_MOST_PARTS} lists and objects", "invalid_json")
    raise bad(f"the body has more than {_DEEPEST} lists and objects in one another", "invalid_json")


def read(endpoint: str, raw: bytes, content_type: str) -> dict[str, Any]:
    """The body as an object: a form for speech, JSON for all else. Raises `Refused`."""
    return forms.read(raw, content_type) if endpoint in FORMS else parse(raw)


def check(
    endpoint: str,
    body: dict[str, Any],
    rules: Rules,
    *,
    kinds: Collection[str],
    most_out: int,
    window: int | None = None,
    betas: Iterable[str] = (),
) -> Call:
    """A parsed body as a call, or `Refused`. What goes to no target is taken out of ``body``.

    ``kinds``: the kinds of upstream that may answer. ``most_out``: the bound that an answer gets where the key counts
    tokens or money and the caller sets none. ``window``: no answer is longer, whatever is asked for.
    ``betas``: the caller's headers of that kind.
    """
    upload = body.pop("file") if endpoint in FORMS else None
    if upload is not None:
        _speech(body, upload)
    left_out = passing.choose(endpoint, body, kinds)
    left_out += passing.own_tools(endpoint, body)
    _references(endpoint, body, vllm="vllm" in kinds)
    if not isinstance(body.get("stream", False), bool | None):
        raise bad("stream has to be true or false", param="stream")
    stream = bool(body.get("stream")) and endpoint in LIMITS
    options = body.get("stream_options")
    if options is not None and not isinstance(options, dict):
        raise bad("stream_options has to be an object", param="stream_options")
    choices = max(_number(body, "n", 1), _number(body, "best_of", 1), 1)
    # Qwen counts it beside max_tokens.
    _number(body, "thinking_budget", 0)
    prompts = body.get("prompt")
    if isinstance(prompts, list) and prompts and all(isinstance(each, str | list) for each in prompts):
        choices *= len(prompts)
    if choices > 128:
        raise bad("more than 128 answers at once are not served")
    asked = [_number(body, name, 0, least=1) for name in LIMITS.get(endpoint, ()) if body.get(name) is not None]
    bound = None
    if not asked and endpoint in LIMITS and rules.counts_tokens:
        bound = most_out
        for limit, __ in rules.token_limits:
            # Half of what there is, so that an answer without a bound can be admitted at all.
            bound = max(1, min(bound, limit // 2))
        asked = [bound]
    if window is not None:
        asked = [min(each, window) for each in asked]
    return Call(
        endpoint=endpoint,
        model=str(body["model"]),
        body=body,
        stream=stream,
        wants_usage=bool(options and options.get("include_usage")),
        tokens_in=_tokens_in(endpoint, body) * (choices if body.get("best_of") and not asked else 1)
        + (upload.seconds * forms.TOKENS_PER_SECOND if upload else 0),
        tokens_out=choices * max(asked, default=0) + (upload.seconds * forms.SAID_PER_SECOND if upload else 0),
        bound=bound,
        upload=upload,
        betas=passing.betas(betas),
        notes={passing.LEFT_OUT: ", ".join(map(_safe, left_out))[:300]} if left_out else {},
    )


def model_of(body: dict[str, Any]) -> str:
    """The model that a body names, on every endpoint."""
    model = body.get("model")
    if not isinstance(model, str) or not model or len(model) > 200:
        raise bad("the body must name a model", "model_required", param="model")
    return model


def bound_fields(endpoint: str, kind: str) -> str | None:
    """The field that this kind of upstream reads the bound of an answer from."""
    names = LIMITS.get(endpoint)
    if not names:
        return None
    # OpenAI's newer models refuse the old name; not every other vendor knows the new one.
    return names[0] if kind == "openai" else names[-1]


def _speech(body: dict[str, Any], upload: forms.Upload) -> None:
    """What is asked of a sound, and the file's own marks in its place."""
    if body.get("response_format", "json") not in ("json", "verbose_json", "diarized_json"):
        raise bad("response_format has to be json, verbose_json or diarized_json", param="response_format")
    if body.pop("stream", False):
        raise bad("speech is answered in one piece here: leave stream out", param="stream")
    body["file"] = {"bytes": len(upload.content), "sha256": hashlib.sha256(upload.content).hexdigest()}


def _tokens_in(endpoint: str, body: dict[str, Any]) -> int:
    """Tokens of all that the model reads, on the high side."""
    if endpoint in BY_THE_TOKENIZER:
        # To count is no work for the model, and agents ask for it before each request.
        return 0
    if endpoint not in COMPARED:
        return tokens.of_request(body, endpoint=endpoint)
    # The one side is read again with each text of the other.
    left, right = (next((body[name] for name in side if body.get(name)), None) for side in _PAIRED)
    total = 0
    for side, other in ((left, right), (right, left)):
        again = len(other) if isinstance(other, list) and not (isinstance(side, list) and len(side) > 1) else 1
        total += again * tokens.of_request({"input": [body.get("instruction") or "", side]})
    return total


def _safe(name: str) -> str:
    """A field's name as a header may hold it: callers choose it."""
    return re.sub(r"[^A-Za-z0-9_.-]", "?", name)[:60]


def _number(body: dict[str, Any], name: str, default: int, *, least: int = 0) -> int:
    # No tokens at most: some servers take it for "as many as you like".
    value = body.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= _MOST:
        raise bad(f"{name} has to be a whole number from {least} to {_MOST}", param=name)
    return value


def _references(endpoint: str, body: dict[str, Any], *, vllm: bool) -> None:
    """Refuse what points at things of the account's owner, or has our own machine fetch an address."""
    pending: list[Any] = [body.get(name) for name in ("messages", "input", "system")]
    if endpoint in COMPARED:
        pending += [body.get(name) for side in _PAIRED for name in side]
    while pending:
        value = pending.pop()
        if isinstance(value, list):
            pending += [each for each in value if isinstance(each, PARTS)]
        elif isinstance(value, dict):
            if value.get("type") == "item_reference" or isinstance(value.get("file_id"), str):
                raise bad("references to files or items of the vendor's account are not served", "reference_refused")
            if vllm:
                for name in ("url", "image_url", "audio_url", "video_url"):
                    link = value.get(name)
                    if isinstance(link, str) and not link.startswith("data:"):
                        raise bad("pictures are sent as data: URLs here; addresses are not fetched", "url_refused")
            pending += [each for each in value.values() if isinstance(each, PARTS)]


def refuse_model(model: str, allowed: bool) -> Refused:
    """The answer to a model that is not served, or not to this key."""
    if allowed:
        return no_model(model)
    return Refused(403, "permission_error", "model_not_allowed", f"this key may not use the model {model!r}")
