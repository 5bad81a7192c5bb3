"""The limits that a gateway's key can have, as the command line reads them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pulumi_llm._commands._values import number, whole

KINDS: Mapping[type, Callable[[str], float]] = {int: whole(1, 10**12), float: number(0, 10**8)}
"""How a limit of a kind is read; more than that is a slip of the finger."""


def limits() -> dict[str, Callable[[str], float]]:
    """A key's limits by name, each with what reads it."""
    from pulumi_llm import spec  # `pulumi-llm --help` needs none

    return {name: KINDS[kind] for name, kind in spec.key_limits().items()}
