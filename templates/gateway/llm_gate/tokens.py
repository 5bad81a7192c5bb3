"""How many tokens a text may have, before anybody has counted them.

Deliberately on the high side: what is reserved before a call must not be less than what it takes. A byte-pair
tokeniser gives English about one token for four characters (OpenAI help centre, "What are tokens", 2026-11) and
Chinese at most one for each character; JSON and code run denser than prose, hence three and not four.
"""

from __future__ import annotations

from typing import Any

from llm_gate import texts

ASCII_PER_TOKEN = 3
PER_MESSAGE = 6
"""Tokens that a chat template puts around each message."""
PER_PICTURE = 1600
"""Tokens for a picture or a file: what a full-size one takes at Anthropic (docs: vision, 2026-11)."""


def of_text(text: str) -> int:
    """Tokens of a text, rather too many than too few."""
    size = len(text)
    if text.isascii():
        return -(-size // ASCII_PER_TOKEN)
    wide = size - len(text.encode("ascii", "ignore"))
    return wide + -(-(size - wide) // ASCII_PER_TOKEN)


def of_request(body: dict[str, Any]) -> int:
    """Tokens of all that a request puts before the model."""
    total = PER_MESSAGE
    for name in ("messages", "prompt", "input", "instructions", "system", "tools", "functions", "suffix"):
        if body.get(name) is not None:
            total += _of(body[name])
    for name in ("response_format", "text", "documents"):
        if isinstance(body.get(name), dict | list):
            total += _of(body[name])
    return total


def _of(value: Any) -> int:
    if isinstance(value, str):
        return of_text(value)
    if isinstance(value, dict):
        # Names of fields are text too where a tool's parameters are described.
        return PER_MESSAGE + sum(of_text(str(key)) + _of_field(value, key, each) for key, each in value.items())
    if isinstance(value, list):
        if value and all(isinstance(each, int) for each in value):
            return len(value)  # a prompt that is tokens already
        return sum(map(_of, value))
    return 1


def _of_field(holder: dict[str, Any], key: str, value: Any) -> int:
    if isinstance(value, str):
        fetched = key == "url" and value.startswith(("http:", "https:"))
        return PER_PICTURE if fetched or texts.is_bytes(holder, key, value) else of_text(value)
    return _of(value)
