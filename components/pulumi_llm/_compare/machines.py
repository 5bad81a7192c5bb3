"""A machine of one's own: on each cloud the cheapest that the model fits on, with the bill of a stack that has it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

from pulumi_llm import catalog
from pulumi_llm._compare.month import Month
from pulumi_llm._dataclasses import dataclass
from pulumi_llm._review.bill import Bill, Line, make_bill
from pulumi_llm._review.money import Amounts
from pulumi_llm._texts import _, listed
from pulumi_llm.catalog import Model, Offer
from pulumi_llm.errors import Finding, Refusal
from pulumi_llm.preflight import suggest
from pulumi_llm.preflight.request import FitRequest, context_of

NOBODY = "203.0.113.0/24"
"""Who may call the server that is planned for its bill: a network that is for documents alone (RFC 5737)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The model and what is asked of its server; ``context`` is in tokens (None: the default of a stack)."""

    model: Model
    context: int | None = None
    cloud: str | None = None
    region: str | None = None
    spot: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """The cheapest machine of a cloud that the model fits on (None: it fits on none), and what all of it costs."""

    cloud: str
    offer: Offer | None
    bill: Bill | None = None
    context: int | None = None
    refused: tuple[Finding, ...] = ()
    """Why such a stack cannot be planned here, such as an SDK that is not installed: then no price is told."""
    warnings: tuple[Finding, ...] = ()

    @property
    def name(self) -> str:
        """What a table calls it."""
        if self.offer is None:
            return self.cloud
        row = self.offer.instance
        return f"{self.cloud} {row.instance_type}, {row.gpu_count} x {row.gpu}, {self.offer.region}"

    @property
    def lines(self) -> tuple[Line, ...]:
        """What is paid for, the machine itself first."""
        return tuple(sorted(self.bill.lines, key=lambda line: line.kind != "machine")) if self.bill else ()

    @property
    def per_month(self) -> Amounts | None:
        """What is known of its price; None where that of the machine itself is not."""
        if self.bill is None or any(each.kind == "machine" and each.per_month is None for each in self.lines):
            return None
        return self.bill.per_month

    @property
    def at_least(self) -> bool:
        """Whether something beside the machine has no price that is known: then the price is a lower bound."""
        return self.bill is not None and self.bill.at_least

    @property
    def why_unknown(self) -> str | None:
        """Why there is no price; None where there is one."""
        if self.offer is None:
            return _(
                "it fits on none of the machines with up to {count} GPUs that the catalogue has of this cloud",
                count=suggest.MAX_GPUS,
            )
        if self.refused:
            return listed(each.message for each in self.refused)
        return next((each.unknown for each in self.lines if each.kind == "machine"), None)


def machines(wanted: Wanted, month: Month, today: date) -> Iterator[Machine]:
    """One for each cloud that sells machines with GPUs, by name.

    Raises UnknownName for a cloud or a region that is not known.
    """
    data = catalog.load()
    if wanted.cloud is not None:
        data.cloud(wanted.cloud)
        if wanted.region is not None:
            data.region(wanted.cloud, wanted.region)
    for cloud in sorted(data.clouds):
        if wanted.cloud not in (None, cloud):
            continue
        offers = suggest.buyable(cloud, wanted.region, spot=wanted.spot)
        if not offers:
            continue
        request = FitRequest(model=wanted.model.id, gpu="", max_model_len=wanted.context, spot=wanted.spot)
        offer = next(suggest.fitting(request, offers, wanted.model), None)
        yield Machine(cloud=cloud, offer=None) if offer is None else _planned(wanted, offer, month, today)


def _planned(wanted: Wanted, offer: Offer, month: Month, today: date) -> Machine:
    from pulumi_llm._plan import environment
    from pulumi_llm._plan.capture import capture

    row = offer.instance
    asked = {
        "cloud": row.cloud,
        "region": offer.region,
        "gpu": row.gpu,
        "gpu_count": row.gpu_count,
        "instance_type": row.instance_type,
        "model": wanted.model.id,
        "context_length": wanted.context,
        "spot": wanted.spot,
        "allowed_cidrs": [NOBODY],
    }
    arguments: Any = {name: value for name, value in asked.items() if value is not None}

    def program() -> None:
        from pulumi_llm import ModelServer

        ModelServer("server", arguments)

    context = context_of(wanted.context, wanted.model)
    try:
        with environment.bare():
            plan = capture(program, project="compare", stack_name=row.cloud)
    except Refusal as refusal:
        return Machine(cloud=row.cloud, offer=offer, context=context, refused=tuple(refusal.findings))
    return Machine(
        cloud=row.cloud,
        offer=offer,
        bill=make_bill(plan, catalog.load(), month.usage, today=today),
        context=context,
        warnings=tuple(each for each in plan.notes if each.severity == "warning" and each.code.startswith("fit.")),
    )
