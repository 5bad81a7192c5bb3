"""A main model that is changed beside the one that runs: both must find room on the GPU at once.

vLLM asks for its share of the whole card, whatever lies on it (see `sharing`), and what CUDA holds for each process is
on top. Each of the two gets the same share, since the one that comes is the one that stays.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pulumi_llm import catalog
from pulumi_llm._texts import _, any_of
from pulumi_llm.errors import Finding
from pulumi_llm.preflight.engine import engine
from pulumi_llm.preflight.request import Case, FitRequest

if TYPE_CHECKING:
    from pulumi_llm.spec import ServerSpec

WHOLE = 0.9
"""The share of a card that nobody else is on, where nobody says; as `ServerSpec` has it."""
RESTART = "model_change: restart"


def half(card_gib: float) -> float:
    """The largest share that two may have of a card of so many GiB at once, with two decimals."""
    return math.floor((0.5 - engine().spending.reserved_gib / card_gib) * 100 + 1e-9) / 100


def settled(server: ServerSpec) -> ServerSpec:
    """The same with its share told, if it is to leave room for another one and nobody said how much."""
    if server.model_change != "beside" or "gpu_memory_utilization" in server.model_fields_set:
        return server
    own = server.host.gpu_memory_gib if server.host is not None else None
    return server.model_copy(update={"gpu_memory_utilization": half(own or catalog.load().gpu(server.gpu).memory_gib)})


def share_too_large(request: FitRequest, card_gib: float, outside_gib: float = 0.0) -> Iterator[Finding]:
    """Two of that share are more than the card. ``outside_gib``: what each takes besides its share and CUDA."""
    if not request.changes_beside:
        return
    share, kept = request.gpu_memory_utilization, engine().spending.reserved_gib + outside_gib
    asked = 2 * (share * card_gib + kept)
    if asked > card_gib + 0.01:  # a share has two decimals
        yield Finding(
            "fit.no-room-beside",
            _(
                "while the model is changed two of them are on the GPU, each with {share:g} of {card:.2f} GiB and "
                "about {kept:.2f} GiB besides: {asked:.2f} GiB",
                share=share,
                card=card_gib,
                kept=kept,
                asked=asked,
            ),
            any_of([_("gpu_memory_utilization: {share:.2f}", share=half(card_gib)), RESTART]),
            where="gpu_memory_utilization",
        )


def no_room_beside(case: Case) -> Iterator[Finding]:
    """The share that leaves room for another one is too small for this model, or it leaves none."""
    found, spending = case.memory, case.engine.spending
    outside = found.graphs_gib if found is not None and not spending.graphs_in_budget else 0.0
    told = list(share_too_large(case.request, case.gpu.memory_gib, outside))
    yield from told
    if told or found is None or not case.request.changes_beside or 0 < found.kv_gib >= found.need_gib:
        return
    need = found.weights_gib + found.overhead_gib + found.need_gib
    if need <= WHOLE * found.gpu_gib:  # else it would not find room alone either, and other rules say so
        yield Finding(
            "fit.no-room-beside",
            _(
                "{model} needs {need:.2f} GiB per GPU, and {share:g} of {card:.2f} GiB, which leaves room for another "
                "one beside it, is {gib:.2f}",
                model=case.model.id,
                need=need,
                share=case.load.utilization,
                card=found.gpu_gib,
                gib=found.budget_gib,
            ),
            _("{restart}, a GPU with more memory, or a smaller model", restart=RESTART),
            where="model_change",
        )
