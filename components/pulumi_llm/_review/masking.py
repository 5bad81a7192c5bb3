"""Keeps secrets out of what is shown: by their value, by their form, and by the name that they are assigned to.

Values come from everything that is marked as a secret in a plan, and from environment variables that are secrets by
their names. A value is found as it is and in the ways in which programs write it: base64, URL-encoded, quoted in JSON.
"""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

from pulumi_llm import _json
from pulumi_llm._plan.model import SHOWN_SECRET, Plan, is_secret
from pulumi_llm._review.policy_secrets import is_secret_name
from pulumi_llm._review.policy_table import policy_table

SHORTEST = 6
"""Characters of a value that is looked for everywhere: a shorter one would be found in ordinary words."""
TELLING = 12
"""Characters from which on a text inside a secret object is taken for a secret, whatever its name."""
MOST_JSON = 1 << 20
_PLAIN = re.compile(r"[\d.:/]+|https?://[^@]*|/[\w./-]*")
"""Addresses, URLs and paths, which stand beside a secret and are none."""
_BLOCK = re.compile(r"-----BEGIN ([A-Z ]*PRIVATE KEY)-----.*?(?:-----END \1-----|\Z)", re.DOTALL)


class Masker:
    """Replaces secrets in texts by ``[secret]``."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        forms: set[str] = set()
        for value in values:
            if len(value) >= SHORTEST:
                forms |= _written(value)
        # The longest first: a value may be a part of another.
        self._values = sorted(forms, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, self._values))) if self._values else None

    def mask(self, text: str) -> str:
        """``text`` without secrets."""
        text = self.mask_values(text)
        text = _BLOCK.sub(SHOWN_SECRET, text)
        for form in policy_table().secrets["forms"].values():
            text = re.sub(form, SHOWN_SECRET, text)
        return re.sub(policy_table().secrets["assignment"], _assigned, text)

    def mask_values(self, text: str) -> str:
        """``text`` without the secrets whose values are known."""
        return self._known.sub(SHOWN_SECRET, text) if self._known is not None else text


def _assigned(match: re.Match[str]) -> str:
    start = match.start(1) - match.start(0)
    return match[0][:start] + SHOWN_SECRET


def secrets_in(plan: Plan, stand_ins: Mapping[str, str] | None = None) -> set[str]:
    """Every text that a plan marks as a secret. Stand-ins are none: they are nobody's."""
    found: set[str] = set()
    for each in plan.resources:
        _collect(each.inputs, found)
        _collect(each.outputs, found)
    _collect(plan.outputs, found)
    _collect(plan.config, found)
    for asked in plan.look_ups:
        _collect(asked.args, found)
    kept = stand_ins or {}
    return {text for text in found if text not in _NO_SECRETS and not any(each in text for each in kept if each)}


_NO_SECRETS = {"[encrypted]", "not-set", "04da6b54-80e4-46f7-96ec-b56ff0331ba9"}


def secrets_in_environment(environment: Mapping[str, str] | None = None) -> set[str]:
    """The values of environment variables that are secrets by their names."""
    have = os.environ if environment is None else environment
    return {value for name, value in have.items() if len(value) >= SHORTEST and is_secret_name(name)}


def _collect(value: Any, found: set[str]) -> None:
    if is_secret(value):
        found.update(_leaves(value.get("value")))
    elif isinstance(value, Mapping):
        for each in value.values():
            _collect(each, found)
    elif isinstance(value, (list, tuple)):
        for each in value:
            _collect(each, found)


def _leaves(value: Any, name: str | None = None) -> Iterable[str]:
    """The texts of a secret; of a secret object those that look like one: a login user's name beside a key is none."""
    if isinstance(value, str):
        if value[:1] in "{[" and len(value) < MOST_JSON:
            try:
                inside = _json.loads(value)
            except ValueError:
                inside = None
            if isinstance(inside, (dict, list)):
                yield from _leaves(inside, name or "")
        if name is None or is_secret_name(name) or (len(value) >= TELLING and not _PLAIN.fullmatch(value)):
            yield value
    elif is_secret(value):
        yield from _leaves(value.get("value"))
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield from _leaves(each, str(key))
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from _leaves(each, name or "")


def _written(value: str) -> set[str]:
    """The value in the ways in which it may be written."""
    found = {value, json.dumps(value)[1:-1], quote(value, safe=""), value.strip()}
    raw = value.encode()
    if len(raw) >= SHORTEST:
        for shift in range(3):
            encoded = base64.b64encode(b"\0" * shift + raw)
            # What the neighbours on both sides would change is left out.
            start, end = (0, 2, 3)[shift], -(-(len(raw) + shift) // 3) * 4
            core = encoded[start : end - (4 if (len(raw) + shift) % 3 else 0)].decode()
            if len(core) >= SHORTEST + 2:
                found |= {core, core.replace("+", "-").replace("/", "_")}
    return {each for each in found if len(each) >= SHORTEST}
