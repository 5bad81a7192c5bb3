"""A model that guesses ahead for the one that is served (``--speculative-config``), by its place on the data disk.

Where vLLM runs no hub is asked, so what the flag names by its id at a hub is fetched beside the model, and the flag
names its folder. vLLM 0.32.0 tells some methods by the model's name (config/speculative.py): a folder's has it too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from itertools import pairwise

from pulumi_llm._flags import long

CONFIG = "--speculative-config"
MODEL = (f"{CONFIG}.model", "--spec-model")
"""Flags that stand for the key ``model`` of the configuration."""
ID = re.compile(r"[\w-][\w.-]*/[\w.-]+")
"""An id at a hub; a folder's path begins with a slash."""


def by_folder(arguments: Iterable[str], folders: Mapping[str, str]) -> list[str]:
    """The arguments, in which models that guess ahead are named by their folders. ``folders``: by ids at the hubs."""
    found: list[str] = []
    for before, argument in pairwise(("", *arguments)):
        flag, equals, value = argument.partition("=")
        if argument.startswith("-") and equals:
            found.append(f"{flag}={_value(long(flag), value, folders)}")
        else:
            found.append(_value(long(before), argument, folders))
    return found


def _value(flag: str, value: str, folders: Mapping[str, str]) -> str:
    if flag in MODEL:
        return folders.get(value, value)
    if flag != CONFIG:
        return value
    try:
        given = json.loads(value)
    except (ValueError, RecursionError):
        return value
    name = given.get("model") if isinstance(given, dict) else None
    if not isinstance(name, str) or name not in folders:
        return value
    return json.dumps({**given, "model": folders[name]}, ensure_ascii=False)
