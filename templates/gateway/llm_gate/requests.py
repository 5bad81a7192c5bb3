"""What a caller may send: read once, checked whole, and written anew for the upstream, so that both read the same."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llm_gate import tokens
from llm_gate.errors import Refused, bad
from llm_gate.policy import Rules

_FIELDS = json.loads((Path(__file__).parent / "fields.json").read_text())
_PASS = {path: frozenset(names) for path, names in _FIELDS["endpoints"].items()}
_VLLM = {path: frozenset(names) for path, names in _FIELDS["vllm"].items()}

POSTS = tuple(_PASS)
"""The paths that take a body."""

LIMITS = {
    "/v1/chat/completions": ("max_completion_tokens", "max_tokens"),
    "/v1/completions": ("max_tokens",),
    "/v1/responses": ("max_output_tokens",),
    "/v1/messages": ("max_tokens",),
    "/v1/embeddings": (),
}
"""The field that bounds an answer, per endpoint; the first is the newer name."""

# Tools that the caller itself runs. All others run at the vendor, on the account of whoever owns the key.
_OWN_TOOLS = ("function", "custom", None)
_OWN_TOOLS_ANTHROPIC = ("bash_", "text_editor_", "computer_", "memory_")
_DEEPEST = 100
"""Levels of lists and objects in one another; no schema of a tool has a third of that."""
_MOST_VALUES, _MOST_BRACKETS, _MOST_PARTS = 1_000_000, 300_000, 100_000
"""Values, brackets (those within texts among them), lists and objects of a body: one of millions keeps everybody else
waiting for seconds."""
_MOST = 1_000_000
"""More tokens than any model answers with; a number above it is a mistake or an attack on the arithmetic."""


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


def parse(raw: bytes) -> dict[str, Any]:
    """The body as an object. Raises `Refused` for anything that two readers could read differently."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise ValueError("a name is there twice")
        return found

    def no_constant(name: str) -> Any:
        raise ValueError(f"{name} is not JSON")

    if raw.count(b",") > _MOST_VALUES or raw.count(b"[") + raw.count(b"{") > _MOST_BRACKETS:
        raise bad("the body has more values than any request needs", "invalid_json")
    try:
        body = json.loads(raw.decode("utf-8"), object_pairs_hook=unique, parse_constant=no_constant)
    except (ValueError, RecursionError):
        raise bad("the body is not a JSON object in UTF-8, each of its names once", "invalid_json") from None
    if not isinstance(body, dict):
        raise bad("the body is not a JSON object", "invalid_json")
    level: list[Any] = [body]
    parts = 0
    for _ in range(_DEEPEST):
        rows = (one.values() if isinstance(one, dict) else one for one in level)
        level = [each for row in rows for each in row if isinstance(each, dict | list)]
        parts += len(level)
        if not level:
            return body
        if parts > _MOST_PARTS:
            raise bad(f"the body has more than {_MOST_PARTS} lists and objects", "invalid_json")
    raise bad(f"the body has more than {_DEEPEST} lists and objects in one another", "invalid_json")


def check(endpoint: str, body: dict[str, Any], rules: Rules, *, vllm: bool, most_out: int) -> Call:
    """A parsed body as a call, or `Refused`.

    ``vllm``: every target of the model is a vLLM server, so its own fields pass too. ``most_out``: the bound that an
    answer gets where the key counts tokens or money and the caller sets none.
    """
    passing = _PASS[endpoint] | (_VLLM[endpoint] if vllm else frozenset())
    unknown = sorted(set(body) - passing)
    if unknown:
        raise bad(f"these fields are not accepted here: {', '.join(unknown)[:300]}", "unknown_fields")
    if body.get("store"):
        raise bad("store is not accepted: what callers say is kept nowhere", "unknown_fields")
    _tools(endpoint, body)
    _references(body, vllm=vllm)
    if not isinstance(body.get("stream", False), bool | None):
        raise bad("stream has to be true or false")
    stream = bool(body.get("stream")) and endpoint != "/v1/embeddings"
    options = body.get("stream_options")
    if options is not None and not isinstance(options, dict):
        raise bad("stream_options has to be an object")
    choices = max(_number(body, "n", 1), _number(body, "best_of", 1), 1)
    prompts = body.get("prompt")
    if isinstance(prompts, list) and prompts and all(isinstance(each, str | list) for each in prompts):
        choices *= len(prompts)
    if choices > 128:
        raise bad("more than 128 answers at once are not served")
    asked = [_number(body, name, 0) for name in LIMITS[endpoint] if body.get(name) is not None]
    if 0 in asked:
        # Some servers take it for "as many as you like".
        raise bad(f"{' and '.join(LIMITS[endpoint])} has to be at least 1")
    bound = None
    if not asked and LIMITS[endpoint] and rules.counts_tokens:
        bound = most_out
        for limit, __ in rules.token_limits:
            # Half of what there is, so that an answer without a bound can be admitted at all.
            bound = max(1, min(bound, limit // 2))
        asked = [bound]
    return Call(
        endpoint=endpoint,
        model=str(body["model"]),
        body=body,
        stream=stream,
        wants_usage=bool(options and options.get("include_usage")),
        tokens_in=tokens.of_request(body) * (choices if body.get("best_of") and not asked else 1),
        tokens_out=choices * max(asked, default=0),
        bound=bound,
    )


def model_of(body: dict[str, Any]) -> str:
    """The model that a body names, on every endpoint."""
    model = body.get("model")
    if not isinstance(model, str) or not model or len(model) > 200:
        raise bad("the body must name a model", "model_required")
    return model


def bound_fields(endpoint: str, kind: str) -> str | None:
    """The field that this kind of upstream reads the bound of an answer from."""
    names = LIMITS[endpoint]
    if not names:
        return None
    # OpenAI's newer models refuse the old name; not every other vendor knows the new one.
    return names[0] if kind == "openai" else names[-1]


def vllm_only(endpoint: str) -> frozenset[str]:
    """Fields that only vLLM knows."""
    return _VLLM[endpoint]


def _number(body: dict[str, Any], name: str, default: int) -> int:
    value = body.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _MOST:
        raise bad(f"{name} has to be a whole number from 0 to {_MOST}")
    return value


def _tools(endpoint: str, body: dict[str, Any]) -> None:
    tools = body.get("tools")
    if tools is None:
        return
    if not isinstance(tools, list) or not all(isinstance(each, dict) for each in tools):
        raise bad("tools has to be a list of objects")
    for each in tools:
        kind = each.get("type")
        own = kind in _OWN_TOOLS
        if endpoint == "/v1/messages" and isinstance(kind, str):
            own = own or kind.startswith(_OWN_TOOLS_ANTHROPIC)
        if not own:
            raise bad(
                f"the tool type {kind!r} runs at the vendor, and is not served here; 'function' is", "tool_not_served"
            )


def _references(body: dict[str, Any], *, vllm: bool) -> None:
    """Refuse what points at things of the account's owner, or has our own machine fetch an address."""
    pending: list[Any] = [body.get(name) for name in ("messages", "input", "system")]
    while pending:
        value = pending.pop()
        if isinstance(value, list):
            pending.extend(each for each in value if isinstance(each, dict | list))
        elif isinstance(value, dict):
            if value.get("type") == "item_reference" or isinstance(value.get("file_id"), str):
                raise bad("references to files or items of the vendor's account are not served", "reference_refused")
            if vllm:
                for name in ("url", "image_url", "audio_url", "video_url"):
                    link = value.get(name)
                    if isinstance(link, str) and not link.startswith("data:"):
                        raise bad("pictures are sent as data: URLs here; addresses are not fetched", "url_refused")
            pending.extend(each for each in value.values() if isinstance(each, dict | list))


def refuse_model(model: str, allowed: bool) -> Refused:
    """The answer to a model that is not served, or not to this key."""
    if allowed:
        return Refused(
            404,
            "invalid_request_error",
            "model_not_found",
            f"there is no model {model!r} here; GET /v1/models lists them",
        )
    return Refused(403, "permission_error", "model_not_allowed", f"this key may not use the model {model!r}")
