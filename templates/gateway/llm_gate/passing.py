"""What of a request goes on to an upstream: fields by name and kind, the caller's own tools, a few headers.

Names stand in ``fields.json``. What is on no list is left out and named in the answer, as clients grow fields by the
month and most of them do nothing elsewhere; what would be another request without it is refused.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from llm_gate.errors import bad

_FIELDS: dict[str, Any] = json.loads((Path(__file__).parent / "fields.json").read_text())
_REFUSED: dict[str, dict[str, str]] = _FIELDS["refused"]

LEFT_OUT = "x-llm-left-out"
"""The answer's header that names what did not go on."""

_RUN_BY_CALLERS = frozenset(
    {"function", "custom", None, "local_shell", "apply_patch", "computer", "computer_use_preview"}
)
_RUN_BY_CALLERS_ANTHROPIC = ("bash_", "text_editor_", "computer_", "memory_")
_RUN_AT_VENDORS_AT_WILL = ("web_search", "web_fetch", "image_generation")
"""Tools that agents declare beside their own in case the vendor has them. They would run on the account of whoever owns
the key, so they are left out, and the agent goes on with its own."""


@cache
def fields(endpoint: str, kind: str) -> frozenset[str]:
    """The fields of a body that this kind of upstream is sent on this endpoint."""
    if kind == "gateway":
        # It asks the same of its own upstreams.
        return frozenset[str]().union(*(_of(endpoint, each) for each in ("", *_FIELDS["kinds"])))
    return _of(endpoint, kind) - frozenset(_FIELDS["without"].get(kind, {}).get(endpoint, ()))


@cache
def _taken(endpoint: str, kinds: frozenset[str]) -> tuple[frozenset[str], frozenset[str]]:
    """The fields that some of these kinds of upstream are sent, and those that all are."""
    taken = [fields(endpoint, kind) for kind in kinds]
    return frozenset[str]().union(*taken), frozenset[str].intersection(*taken)


def _of(endpoint: str, kind: str) -> frozenset[str]:
    return frozenset(_FIELDS["endpoints"][endpoint]) | frozenset(_FIELDS["kinds"].get(kind, {}).get(endpoint, ()))


def choose(endpoint: str, body: dict[str, Any], kinds: Iterable[str]) -> list[str]:
    """Take out of ``body`` what no target of these kinds is sent; the names of it. Raises `Refused`."""
    some, every = _taken(endpoint, frozenset(kinds))
    left_out: list[str] = []
    for name in [name for name in body if name not in every or name == "store"]:
        # These ask for nothing; an empty object may ask for something as it comes.
        if body[name] in (None, False, [], ""):
            if name not in some or name == "store":
                del body[name]
            continue
        why = _REFUSED.get(endpoint, {}).get(name) or _REFUSED["*"].get(name)
        if why is not None:
            raise bad(f"{name} is not accepted here: {why}", "field_refused", param=name)
        if name in _FIELDS["needed"].get(endpoint, ()):
            raise bad(f"{name} is not served by this model on this endpoint", "field_not_served", param=name)
        if name not in some:
            del body[name]
            left_out.append(name)
    return left_out


def own_tools(endpoint: str, body: dict[str, Any]) -> list[str]:
    """Leave the tools that callers run themselves; the types of those that were taken out. Raises `Refused`."""
    tools = body.get("tools")
    if tools is None:
        return []
    if not isinstance(tools, list) or not all(isinstance(each, dict) for each in tools):
        raise bad("tools has to be a list of objects", param="tools")
    if not tools:
        # No tools, as Claude Code says with `--tools ""`. vLLM takes it for tools, and OpenAI for a mistake.
        del body["tools"]
        choice = body.get("tool_choice")
        if (choice.get("type") if isinstance(choice, dict) else choice) in ("auto", "none"):
            del body["tool_choice"]
        return []
    own, others = [], []
    for each in tools:
        kind = each.get("type")
        if _is_own(endpoint, each):
            own.append(each)
        elif isinstance(kind, str) and kind.startswith(_RUN_AT_VENDORS_AT_WILL):
            others.append(each)
        else:
            raise _not_served(kind)
    if others:
        chosen = json.dumps(body.get("tool_choice"))
        asked_for = any(
            json.dumps(each.get(name)) in chosen for each in others for name in ("type", "name") if name in each
        )
        if not own or asked_for:
            raise _not_served(others[0]["type"])
        body["tools"] = own
    return list(dict.fromkeys(str(each["type"]) for each in others))


def _is_own(endpoint: str, tool: dict[str, Any]) -> bool:
    kind = tool.get("type")
    if kind == "namespace":
        inner = tool.get("tools")
        return isinstance(inner, list) and all(isinstance(each, dict) and _is_own(endpoint, each) for each in inner)
    if kind == "tool_search":
        return tool.get("execution") == "client"
    if kind is None or isinstance(kind, str):
        anthropic = endpoint.startswith("/v1/messages") and str(kind).startswith(_RUN_BY_CALLERS_ANTHROPIC)
        return kind in _RUN_BY_CALLERS or anthropic
    return False


def _not_served(kind: Any) -> Exception:
    return bad(
        f"the tool type {str(kind)[:100]!r} runs at the vendor, and is not served here; 'function' is",
        "tool_not_served",
        param="tools",
    )


def betas(given: Iterable[str]) -> tuple[str, ...]:
    """The values of the header anthropic-beta that go on."""
    asked = [each.strip() for row in given for each in row.split(",")]
    return tuple(dict.fromkeys(each for each in asked if each in _FIELDS["betas"]))
