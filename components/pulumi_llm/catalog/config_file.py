"""Reads a config.json, and takes numbers and texts out of it or says what is wrong with them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field
from pathlib import Path
from typing import NoReturn

from pulumi_llm import _json
from pulumi_llm import _system as system
from pulumi_llm._dataclasses import dataclass
from pulumi_llm._texts import _, either
from pulumi_llm.errors import Finding, Refusal

MAX_BYTES = 16 * 2**20
"""Real files hold a few KiB, and up to 3 MiB where every quantized layer is listed."""

MAX_TEXT = 1_000
"""Letters of a name, which may be the path that a model had where it was made."""

PER_LAYER = frozenset({"moe_intermediate_size", "moe_topk", "num_experts", "num_shared_expert"})
"""What Hunyuan lists once a layer; a list of one number repeated is that number."""


@dataclass(slots=True)
class Reader:
    """Takes numbers out of a config and gathers what is wrong with them."""

    path: Path
    values: Mapping[str, object]
    findings: list[Finding] = field(default_factory=list)
    defaults: Mapping[str, object] = field(default_factory=dict)
    """What the class takes for what the file leaves out."""

    def refuse(self, code: str, message: str, hint: str) -> None:
        """Add a finding, ``catalog.bad-config-`` and the end of its code."""
        self.findings.append(Finding(f"catalog.bad-config-{code}", message, hint, where=str(self.path)))

    def refuse_kind(self, message: str, hint: str) -> None:
        """Add a finding: this is no model of the kind that the estimate is for."""
        self.refuse("kind", message, hint)

    def number(self, *names: str, low: int = 1, high: int, needed: bool = True) -> int | None:
        """The first of ``names`` that the file gives, an integer between ``low`` and ``high``."""
        for name, value in (*_pairs(names, self.values), *_pairs(names, self.defaults)):
            if isinstance(value, list) and value and name in PER_LAYER and all(each == value[0] for each in value):
                value = value[0]
            if isinstance(value, bool) or not isinstance(value, int):
                self.refuse(
                    "type",
                    _("{name} must be a whole number, not {value}", name=name, value=shown(value)),
                    _("correct the file"),
                )
            elif not low <= value <= high:
                message = _(
                    "{name} is {value}, and a model has from {low:,} to {high:,}",
                    name=name,
                    value=shown(value),
                    low=low,
                    high=high,
                )
                self.refuse("range", message, _("use the config.json that came with the weights"))
            else:
                return value
            return None
        if needed:
            hint = _("use the config.json of a text generation model as Hugging Face or ModelScope serve it")
            self.refuse("missing", _("{names} is not given", names=either(names)), hint)
        return None

    def text(self, name: str) -> str | None:
        """A short text that can be shown."""
        value = self.values.get(name)
        if value is None:
            return None
        if isinstance(value, str):
            if value.isprintable() and len(value) <= MAX_TEXT:
                return value or None
            message = _("{name} must be a short text that can be shown, not {value}", name=name, value=shown(value))
            self.refuse("range", message, _("use the config.json that came with the weights"))
            return None
        self.refuse("type", _("{name} must be text, not {value}", name=name, value=shown(value)), _("correct the file"))
        return None


def _pairs(names: Iterable[str], values: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    return ((name, values[name]) for name in names if values.get(name) is not None)


def read(file: Path) -> dict[str, object]:
    """The object that a file holds. Raises Refusal ``catalog.bad-config-unreadable`` or ``-json``."""
    try:
        with file.open("rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            content = stream.read(MAX_BYTES + 1) if size <= MAX_BYTES else b""
        size = max(size, len(content))  # what is no plain file, such as a device, has a size of 0
    except OSError as error:
        _refuse(
            "unreadable",
            file,
            _("it cannot be read: {problem}", problem=system.why(error)),
            _("give the path of a config.json or its folder"),
        )
    except ValueError as error:
        _refuse(
            "unreadable",
            file,
            _("it cannot be read: {problem}", problem=error),
            _("give the path of a config.json or its folder"),
        )
    if size > MAX_BYTES:
        _refuse(
            "unreadable",
            file,
            _("it has {size:,} bytes, and a config.json at most {max_bytes:,}", size=size, max_bytes=MAX_BYTES),
            _("check the path"),
        )
    try:
        # Nemotron's time_step_limit ends in Infinity: no JSON, and what transformers writes and reads.
        value = _json.loads(content, parse_constant=float)
    except (ValueError, RecursionError) as error:
        _refuse(
            "json",
            file,
            _("it is not JSON: {problem}", problem=str(error)[:200]),
            _("give the model's config.json, not another file"),
        )
    if not isinstance(value, dict):
        _refuse(
            "json", file, _("it holds {value}, not an object", value=shown(value)), _("give the model's config.json")
        )
    return value


def _refuse(code: str, file: Path, message: str, hint: str) -> NoReturn:
    raise Refusal([Finding(f"catalog.bad-config-{code}", message, hint, where=str(file))])


def shown(value: object) -> str:
    """A value as a message can show it: short, and safe for integers too long to print."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10**15:
        return _("a number of more than 15 digits")
    text = json.dumps(value, default=str)
    return text if len(text) <= 60 else f"{text[:57]}…"
