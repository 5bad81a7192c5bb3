"""Models that take turns on one card: what those that sleep keep of it, and of the host's memory.

Read in vLLM 0.32.0 on 2026-11-29. A model that sleeps gives back its weights and its cache, which lie in a pool of
their own (device_allocator/cumem.py); whatever else its process has on the card is not in that pool. How much of that
PyTorch gives back is not known here, as nothing of it was run on a GPU, so that all of it, and the estimate's error,
is reckoned as kept. Others saw about as much: 7 GiB on each of eight cards with TP 8 (vllm#47654, 2026-07-20).

At level 1 the weights go to pinned memory of the host. PyTorch takes each block of that as the next power of two, at
most twice as much (torch 2.13: 1.78 times for 2.25 GiB, wtdcode/vllm-backport#67, 2026-09-09), and keeps the blocks for
the next time (vllm#16663; vllm#55206, open on 2026-09-03). So each has them for good, whichever sleeps.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pulumi_llm._texts import _
from pulumi_llm.errors import Finding
from pulumi_llm.preflight.engine import engine

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pulumi_llm.preflight.sharing import Seat

ROUNDED = 2
"""How many times its weights a model takes of the host's memory, at most."""
TAKES_TURNS = "turns"
"""The name of what sleeping models keep in the host's memory, among the services beside the model."""


def asleep_gib(seat: Seat) -> float:
    """What a model keeps of the card while it sleeps, besides what CUDA holds for it; 0 where nothing is known."""
    return seat.memory.overhead_gib + engine().spending.error_gib if seat.memory is not None else 0.0


def others_gib(seats: Iterable[Seat], awake: Seat) -> float:
    """What the others that take turns keep of the card while this one is awake."""
    return sum(asleep_gib(each) for each in seats if each.wish.turns and each.name != awake.name)


def asked_gib(sharing: Sequence[Seat], card: float) -> float:
    """What models ask of a card together: of those that take turns the largest, and what the others keep meanwhile."""
    always = sum(each.share * card for each in sharing if not each.wish.turns)
    turns = (each.share * card + others_gib(sharing, each) for each in sharing if each.wish.turns)
    return always + max(turns, default=0.0)


def least_gib(sharing: Sequence[Seat]) -> float | None:
    """The same with the least that each starts with; None where that is not known of one."""
    if any(each.least_gib is None for each in sharing):
        return None
    always = sum(each.least_gib or 0.0 for each in sharing if not each.wish.turns)
    turns = ((each.least_gib or 0.0) + others_gib(sharing, each) for each in sharing if each.wish.turns)
    return always + max(turns, default=0.0)


def host_gib(weights: Iterable[float]) -> int:
    """GiB of the host's memory for the weights of models that take turns, whichever of them sleeps."""
    return math.ceil(ROUNDED * sum(weights))


def not_run(seats: Iterable[Seat]) -> Iterable[Finding]:
    """Says that nobody has seen it on a GPU here."""
    names = [each.name for each in seats if each.wish.turns]
    if names:
        yield Finding(
            "fit.turns-not-run",
            _(
                "{names} take turns by vLLM's sleep mode, which was not run on a GPU here: what sleeping models keep "
                "of the card is reckoned, not measured",
                names=", ".join(names),
            ),
            _("try it before others rely on it: both models in turn, and nvidia-smi meanwhile"),
            severity="warning",
            where="turns",
        )
