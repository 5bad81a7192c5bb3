"""How the catalogue names a machine whose GPUs a cloud sells beside it: ``n1-standard-16+nvidia-tesla-t4x2``.

Plain text that needs no Pulumi: machine type, cards, and how many where there are several.
"""

from __future__ import annotations

import re
from collections.abc import Iterable


def joined(machine_type: str, cards: Iterable[tuple[str, int]]) -> str:
    """The name in the catalogue of a machine with those cards beside it."""
    return "+".join([machine_type, *(f"{type_}x{count}" if count > 1 else type_ for type_, count in cards)])


def parted(name: str) -> tuple[str, tuple[str, int] | None]:
    """The machine type and the cards of a name; no cards for a machine that is sold with them, or has none."""
    machine_type, plus, cards = name.partition("+")
    if not plus:
        return name, None
    several = re.fullmatch(r"(.+)x(\d+)", cards)
    return machine_type, (several[1], int(several[2])) if several else (cards, 1)
