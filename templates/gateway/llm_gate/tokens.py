"""How many tokens a request may have at most, before anybody has counted them.

What is reserved before a call must not be less than what it takes. Estimates by characters are: against cl100k, a third
of the letters is 0.6 of what JSON takes, and one a character a third of what rare ideographs do. So this is a bound.
Every tokeniser in use goes down to bytes (byte-level BPE, or SentencePiece with bytes for what it does not know), and a
token is a byte at least; so a text has no more tokens than bytes, once it is normalised as some tokenisers do (NFC,
NFKC). What a model's template writes around it comes on top, and pictures by their size.

It is two to five times too many for prose, and is charged to nobody who can be told better: see `counting` and `usage`.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable
from typing import Any

from llm_gate import pictures, texts

PER_FIELD = 6
"""Braces, quotation marks and spaces around a field, where a template writes it out; a space that SentencePiece puts
before a text."""
PER_MESSAGE = 10
"""Tokens that a chat template puts around each message: five in ChatML and Llama 3, seven in Harmony."""
PER_REQUEST = 100
"""Tokens that a template says of its own accord. The longest of those that are known is gpt-oss's, of about 80
(openai-harmony's system message, 2026-11); Qwen 2.5 has 20, Llama 3.1 has 30."""
WITH_TOOLS = 600
"""Tokens that come with tools: up to 530 at Anthropic (docs: tool use, pricing and tokens, 2026-11), 130 in Qwen's
template."""

_READ = ("messages", "prompt", "input", "instructions", "system", "tools", "functions", "suffix")
_SCHEMAS = ("response_format", "text", "documents", "output_format", "output_config", "structured_outputs",
            "prediction", "chat_template_kwargs")  # fmt: skip


class _Extra(dict[int, str]):
    """Code point to as many letters as a normalised form has more bytes than the character; fit for `str.translate`."""

    def __missing__(self, point: int) -> str:
        char = chr(point)
        size = len(char.encode("utf-8", "surrogatepass"))
        forms = (unicodedata.normalize(form, char) for form in ("NFC", "NFKC"))
        found = "x" * max(0, *(len(each.encode("utf-8", "surrogatepass")) - size for each in forms))
        self[point] = found
        return found


_EXTRA = _Extra()
_PLAIN = re.compile(
    "[\u0000-\u009f\u3001-\u3029\u3400-\u9fff\uac00-\ud7a3\ue000-\uf8ff\uff01-\uff60\U00020000-\U0002f7ff"
    "\U0002fa20-\U0010ffff]+"
)
"""Stretches of characters no form of which is longer: all of ASCII, Han, Hangul, full-width signs, private ones. What
is left are so few that all of them are remembered: a text made of all of Unicode is no slower than another."""


def of_text(text: str) -> int:
    """The most tokens that a text can have."""
    size = len(text)
    if text.isascii():
        return size
    return len(text.encode("utf-8", "surrogatepass")) + len(_PLAIN.sub("", text).translate(_EXTRA))


def of_request(body: dict[str, Any], targets: Iterable[tuple[str, str]] = (), *, endpoint: str = "") -> int:
    """The most tokens that all has that a request puts before the model.

    ``endpoint``: completions and embeddings have no template. ``targets``: kind of upstream and model of each that may
    be asked; what a picture takes is theirs to say.
    """
    rows = pictures.rows(targets)
    total = PER_FIELD if endpoint in ("/v1/completions", "/v1/embeddings") else PER_REQUEST
    if body.get("tools") or body.get("functions"):
        total += WITH_TOOLS
    for name in _READ:
        if body.get(name) is not None:
            total += _of_numbers(body[name]) or _of(body[name], rows)
    for name in _SCHEMAS:
        if isinstance(body.get(name), dict | list):
            total += _of(body[name], rows)
    return total


def _of_numbers(value: Any) -> int:
    """The length of a prompt that is tokens already, or of several; 0 for anything else."""
    if not isinstance(value, list) or (value and isinstance(value[0], dict)):
        return 0  # nearly always
    rows = value if value and isinstance(value[0], list) else [value]
    if all(isinstance(row, list) and row and all(isinstance(each, int) for each in row) for row in rows):
        return sum(map(len, rows))
    return 0


def _of(value: Any, rows: list[pictures.Row]) -> int:
    if isinstance(value, str):
        return of_text(value)
    if isinstance(value, dict):
        # Names of fields are text too where a tool's parameters are described; braces, quotation marks and spaces with
        # them.
        total = PER_MESSAGE + PER_FIELD * len(value)
        for key, each in value.items():
            total += of_text(str(key)) + _of_field(value, key, each, rows)
        return total
    if isinstance(value, list):
        return PER_FIELD * len(value) + sum([_of(each, rows) for each in value])
    return len(json.dumps(value))


def _of_field(holder: dict[str, Any], key: str, value: Any, rows: list[pictures.Row]) -> int:
    if isinstance(value, str):
        if key == "url" and value.startswith(("http:", "https:")):
            return pictures.unseen(rows)
        if texts.is_bytes(holder, key, value):
            return pictures.of_bytes(value, rows)
        return max(of_text(value), _of_arguments(value) if key == "arguments" else 0)
    return _of(value, rows)


def _of_arguments(text: str) -> int:
    """The same for JSON that a server reads and its template writes anew, with a space behind each comma and colon (as
    vLLM and the templates of Qwen and Llama do): ``[1,1,1]`` is shorter than what the model is shown."""
    if not text.lstrip().startswith(("{", "[")):
        return 0
    try:
        return of_text(json.dumps(json.loads(text), ensure_ascii=False))
    except (ValueError, RecursionError):
        return 0
