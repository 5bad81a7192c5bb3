"""Refusals, in the form that the caller's own client library reads."""

from __future__ import annotations

import json
import re
import traceback
from pathlib import Path
from typing import Any


class Refused(Exception):  # noqa: N818 - it is a verdict, not a fault
    """A request that is not served. ``kind`` and ``code`` are OpenAI's words where OpenAI has one.

    ``headers`` go with the answer, such as ``Retry-After``. ``counted`` is the code in the metrics, where that of an
    upstream's choosing would make a row of its own for each. ``param``: the field that it is about.
    """

    def __init__(
        self,
        status: int,
        kind: str,
        code: str,
        message: str,
        headers: dict[str, str] | None = None,
        *,
        counted: str = "",
        param: str | None = None,
    ) -> None:
        super().__init__(message)
        self.counted = counted or code
        self.status, self.kind, self.code, self.message = status, kind, code, message
        self.headers, self.param = headers or {}, param


# Anthropic's own names for the same things (docs: API errors).
_ANTHROPIC = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
}


def form(target: str, *, anthropic: bool) -> str:
    """The path whose API's form an error has. ``anthropic``: the caller is a client of theirs, as its header says."""
    path = target.partition("?")[0]
    # Both APIs list models on the same path.
    return "/v1/messages" if anthropic and path.startswith("/v1/models") else path


def document(refused: Refused, endpoint: str) -> dict[str, Any]:
    """The error as an object: Anthropic's form for its endpoint, OpenAI's for all others."""
    if endpoint.startswith("/v1/messages"):
        kind = _ANTHROPIC.get(refused.status, "api_error")
        return {"type": "error", "error": {"type": kind, "message": refused.message}}
    return {"error": {"message": refused.message, "type": refused.kind, "param": refused.param, "code": refused.code}}


def event(refused: Refused, endpoint: str) -> bytes:
    """The error as the last event of a stream that has begun."""
    name = b"event: error\n" if endpoint in ("/v1/messages", "/v1/responses") else b""
    content = document(refused, endpoint)
    if endpoint == "/v1/responses":
        content = {"type": "error", "code": refused.code, "message": refused.message, "param": None}
    return name + b"data: " + json.dumps(content, ensure_ascii=False).encode() + b"\n\n"


def unauthorized() -> Refused:
    """The one answer to whoever has no valid key, whatever is wrong with it."""
    return Refused(
        401,
        "authentication_error",
        "invalid_api_key",
        "a valid key is needed: Authorization: Bearer KEY",
        {"WWW-Authenticate": "Bearer"},
    )


_TOO_LONG = re.compile(
    r"maximum (context|model|prompt) length|context[ _](length|window)|prompt is too long|input is too long"
    r"|too many tokens|max_prompt_tokens|range of input length",
    re.IGNORECASE,
)
"""How vendors and vLLM 0.32 (renderers/params.py, v1/engine/input_processor.py) say that a prompt does not fit."""
LONGEST_PATIENCE = 60
"""Seconds that a client is asked to wait by itself. Anthropic's client sleeps however long it is told, and OpenAI's up
to two minutes (anthropic 2.14, openai 3.57): a wait of hours would look like an answer that never comes."""


def passed_on(status: int, said: dict[str, Any], endpoint: str, headers: dict[str, str]) -> Refused:
    """An upstream's refusal of what the caller asked, with the code and words that clients look for."""
    error = said.get("error")
    inner: dict[str, Any] = error if isinstance(error, dict) else {}
    message = inner.get("message") if inner else error if isinstance(error, str) else None
    text = str(message or said.get("message") or said.get("detail") or f"the upstream answered {status}")[:2000]
    code, param = inner.get("code"), inner.get("param")
    if status == 404 and error is None and said.get("detail") == "Not Found":
        # vLLM 0.32 has only the paths that its model can serve, and its server says so of any other.
        return bad(f"this model is not served on {endpoint}", "endpoint_not_served", headers=headers)
    if status == 400 and "--tool-call-parser" in text:
        # vLLM 0.32 names its own flag, which is nothing that a caller can set.
        code, param, text = "tool_not_served", "tools", f"this model calls no tools here ({text})"
    if status == 404 and param == "model" and not isinstance(code, str):
        code = "model_not_found"  # vLLM writes the status there
    if status in (400, 413, 422) and _TOO_LONG.search(f"{code} {text}"):
        # Agents shorten the conversation when they read this, and give up on anything else.
        code = "context_length_exceeded"
        if endpoint.startswith("/v1/messages") and not text.startswith("prompt is too long"):
            text = f"prompt is too long: {text}"
    elif status == 413:
        code = "request_too_large"  # some say so with the code of a limit that would pass
    return Refused(
        status,
        "invalid_request_error",
        code if isinstance(code, str) else "upstream_refused",
        text,
        headers,
        counted="upstream_refused",
        param=param if isinstance(param, str) else None,
    )


_TOO_LARGE = re.compile(r"request (is )?too large", re.IGNORECASE)
"""How OpenAI and Groq say with 429 that one request has more tokens than the account may use in a minute."""
COUNTED = "x-llm-counted"
"""The header that says what counts beside the answer's own usage, as tokens in and out: upstreams that have not
answered, and may have worked."""


def too_large(said: dict[str, Any]) -> bool:
    """Whether an upstream that says it is busy means that this request can never be served."""
    error = said.get("error")
    return isinstance(error, dict) and _TOO_LARGE.search(str(error.get("message"))) is not None


def internal() -> Refused:
    """A fault of our own; the log has it."""
    return Refused(500, "api_error", "internal_error", "the gateway failed; it is logged")


def log_line(error: BaseException) -> str:
    """A fault of our own for the log. Its words may hold what somebody asked; where it happened does not."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"[gate.internal] {type(error).__name__} at {Path(place.filename).name}:{place.lineno}\n"


def upstream_busy(wait: float) -> Refused:
    """Every upstream asks to be left alone. ``wait``: the seconds that the first of them says."""
    seconds = max(1, round(wait))
    headers = {"Retry-After": str(seconds)}
    if seconds > LONGEST_PATIENCE:
        headers["x-should-retry"] = "false"
    message = f"the upstream is busy; try again in {seconds} s"
    return Refused(429, "rate_limit_error", "upstream_rate_limited", message, headers)


def asleep(model: str, seconds: int) -> Refused:
    """The model has no engine at the moment, and is about to get one."""
    minutes = -(-seconds // 60)
    message = f"no engine of {model!r} answers at the moment; one is started, about {minutes} minutes"
    # Clients wait as long as they are told, if that is a minute at most.
    return Refused(503, "api_error", "model_asleep", message, {"Retry-After": "30"})


CHANGED = 10
"""Seconds after which a caller may try again while a model is changed: another look costs next to nothing."""


def changing() -> Refused:
    """The model is being changed on every machine that is there."""
    message = "this server's model is being changed; try again"
    return Refused(503, "api_error", "model_changing", message, {"Retry-After": str(CHANGED)})


def no_model(model: str) -> Refused:
    """The answer to a model that is not served."""
    message = f"there is no model {model[:200]!r} here; GET /v1/models lists them"
    return Refused(404, "invalid_request_error", "model_not_found", message, param="model")


def bad(
    message: str, code: str = "invalid_request", *, param: str | None = None, headers: dict[str, str] | None = None
) -> Refused:
    """A request that is wrong in itself. ``param``: the field that is."""
    return Refused(400, "invalid_request_error", code, message, headers, param=param)
