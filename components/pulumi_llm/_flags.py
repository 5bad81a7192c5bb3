"""The flags of a command line that a user wrote, as argparse takes them: the last one counts."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise

SHORT = {
    "-ac": "--attention-config",
    "-asc": "--api-server-count",
    "-cc": "--compilation-config",
    "-dc": "--diffusion-config",
    "-dcp": "--decode-context-parallel-size",
    "-ep": "--enable-expert-parallel",
    "-sc": "--speculative-config",
}
"""Short forms (vllm 0.32.0, engine/arg_utils.py) of flags that a caller may give."""


def flags_of(arguments: Iterable[str]) -> dict[str, str]:
    """The flags, each with the value that it has in the end, whether that follows after a blank or an equals sign.

    Short forms are told by their long names, also before a dot (``-sc.method``).
    """
    found: dict[str, str] = {}
    for argument, following in pairwise((*arguments, "")):
        name, equals, value = argument.partition("=")
        if (name := long(name)).startswith("--"):
            found[name] = value if equals else following
    return found


def long(name: str) -> str:
    """The long name of a flag that has a short form; any other as it is."""
    flag, dot, key = name.partition(".")
    return SHORT.get(flag, flag) + dot + key


def number_of(text: str) -> int | None:
    """A whole number that vLLM reads for a size, with a letter for thousands (``8k``) or without; None: it is none.

    Small letters count by 1000 and may follow a fraction, capitals by 1024 (0.32.0, utils/argparse_utils.py).
    """
    found = re.fullmatch(r"(\d{1,12})(\.\d{1,12})?([kmgtKMGT]?)", text.strip(), re.ASCII)
    if found is None:
        return None
    digits, fraction, letter = found.groups()
    if fraction and not letter.islower():
        return None
    factor = (1000 if letter.islower() else 1024) ** (1 + "kmgt".index(letter.lower())) if letter else 1
    return int(float(digits + fraction) * factor) if fraction else int(digits) * factor
