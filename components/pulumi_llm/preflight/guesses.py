"""What a command line says of guessing ahead (``--speculative-config``), read as vLLM reads it.

vllm 0.32.0, utils/argparse_utils.py, engine/arg_utils.py and the numbers that pydantic takes for config/speculative.py,
each seen on that release's CPU build (2026-11-29).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping

from pulumi_llm._flags import number_of

CONFIG = "--speculative-config"
SHORT = {"--spec-method": "method", "--spec-model": "model", "--spec-tokens": "num_speculative_tokens"}
"""Flags that stand for one key of the configuration."""
COUNT = "num_speculative_tokens"
WHOLE = re.compile(r"[+-]?\d{1,19}(\.0+)?", re.ASCII)


def given(flags: Mapping[str, str]) -> dict[str, object] | str | None:
    """The settings of a command line; the text of a configuration that is no JSON object; None where none is asked for.

    Keys behind dots make a configuration of their own, which stands in for one in JSON: that is dropped by vLLM.
    """
    dotted = {
        name.removeprefix(f"{CONFIG}."): _behind_dot(value)
        for name, value in flags.items()
        if name.startswith(f"{CONFIG}.")
    }
    text = None if dotted else flags.get(CONFIG)
    settings: object = dotted or None
    if text not in (None, "", "None"):
        try:
            settings = json.loads(str(text))
        except (ValueError, RecursionError):
            return str(text)
    if settings is not None and not isinstance(settings, dict):
        return str(text)
    short = {key: _of_flag(key, flags[flag]) for flag, key in SHORT.items() if flags.get(flag)}
    if settings is None and not short:
        return None
    return {**{str(key).replace("-", "_"): value for key, value in (settings or {}).items()}, **short}


def twice(flags: Mapping[str, str]) -> str | None:
    """A flag for a key that the configuration has too: vLLM takes one of both alone."""
    config = given({name: value for name, value in flags.items() if name not in SHORT})
    if not isinstance(config, dict):
        return None
    return next((flag for flag, key in SHORT.items() if flags.get(flag) and key in config), None)


def whole(value: object) -> int | None:
    """A whole number as pydantic takes it: ``true`` is 1, ``2.0`` and ``"2"`` are 2. None: it is none."""
    if isinstance(value, str):
        text = value.lstrip().replace("_", "")
        if not WHOLE.fullmatch(text):
            return None
        return int(text.partition(".")[0])
    if isinstance(value, float):
        return int(value) if math.isfinite(value) and value.is_integer() else None
    return int(value) if isinstance(value, int) else None


def _of_flag(key: str, text: str) -> object:
    """A flag's own number is read by Python, which takes no fraction."""
    return f"{text} " if key == COUNT and "." in text else text


def _behind_dot(text: str) -> object:
    """A value behind a dot is JSON, a number with a letter for thousands, or a text."""
    try:
        value: object = json.loads(text)
    except (ValueError, RecursionError):
        number = number_of(text)
        return text if number is None else number
    return value
