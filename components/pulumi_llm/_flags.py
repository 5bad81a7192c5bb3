"""The flags of a command line that a user wrote, as argparse takes them: the last one counts."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise


def flags_of(arguments: Iterable[str]) -> dict[str, str]:
    """The flags, each with the value that it has in the end, whether that follows after a blank or an equals sign."""
    found: dict[str, str] = {}
    for argument, following in pairwise((*arguments, "")):
        if argument.startswith("--"):
            name, equals, value = argument.partition("=")
            found[name] = value if equals else following
    return found
