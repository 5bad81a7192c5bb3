"""Flags of a command line that lack their value, or have one that they do not take: vLLM ends at once for either."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pulumi_llm._texts import _
from pulumi_llm.errors import Finding


def wrong(arguments: Sequence[str], known: Mapping[str, Any]) -> Iterator[Finding]:
    """What argparse would end for; ``known`` is ``vllm/flags.json``.

    Flags that the release has not, and those that are refused whatever their value, are left aside.
    """
    flag, left, least = "", 0, 0
    for argument in arguments:
        if not is_flag(argument):
            if flag and not left:
                yield _more(flag, argument)
                flag = ""  # once is enough
            left, least = max(left - 1, 0), 0
            continue
        if least:
            yield _less(flag)
        name, equals, value = argument.partition("=")
        least, left = _values(name, known)
        flag = name if name.partition(".")[0] in known["flags"] and name not in known["reserved"] else ""
        if not flag:
            least, left = 0, 0
        elif equals and name in known["values"]["none"]:
            yield _more(name, value)
            left = 0
        elif equals:
            if not value and name in known["values"]["numbers"]:
                yield _less(name)
            least, left = 0, 0
    if least:
        yield _less(flag)


def is_flag(argument: str) -> bool:
    """Whether argparse takes it for a flag: no number below zero, and nothing with a blank in it."""
    return argument[:1] == "-" and argument.lstrip("-")[:1].isalpha() and " " not in argument.partition("=")[0]


def _values(name: str, known: Mapping[str, Any]) -> tuple[int, int]:
    """How many values a flag takes, at least and at most."""
    counts = known["values"]
    if name in counts["none"]:
        return 0, 0
    if name in counts["perhaps"]:
        return 0, 1
    return 1, 10_000 if name in counts["some"] else 1


def _less(flag: str) -> Finding:
    return Finding(
        "bootstrap.flag-without-value",
        _("{flag} has no value, and vLLM would not start", flag=flag),
        _("give its value after a blank or an equals sign, or leave the flag out"),
        where=f"extra_args {flag!r}",
    )


def _more(flag: str, value: str) -> Finding:
    return Finding(
        "bootstrap.flag-without-value",
        _("{flag} does not take {value!r}, and vLLM would not start", flag=flag, value=value[:60]),
        _("leave the value out"),
        where=f"extra_args {flag!r}",
    )
