"""How each chosen model runs on each chosen card, as `pulumi-llm check` and `pulumi-llm offers` say it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from pulumi_llm import catalog
from pulumi_llm.catalog.models import Model
from pulumi_llm.catalog.rows import Instance, Offer
from pulumi_llm.preflight import suggest
from pulumi_llm.preflight.report import NOT_KNOWN
from pulumi_llm.preflight.request import Case, FitRequest, case_of
from pulumi_llm.preflight.rules import findings_of, passes

FP8_CACHE = "fit.kv-cache-needs-capability"

COUNTS = (1, 2, 4, 8)
"""Cards in a machine, where no cloud has one with the card."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """What the page is about; ``sources`` by name, ``models`` with the name of the source that speaks for each."""

    models: dict[str, str]
    cards: tuple[str, ...]
    sources: dict[str, dict[str, str]]
    missing: tuple[str, ...]
    """Models that belong here, and that the catalogue has no row for."""


@dataclass(frozen=True, slots=True)
class Way:
    """A model, or a quantized version of it, on so many cards. ``context`` is the longest, in tokens.

    ``offer`` is the cheapest machine (None: no region is known that has one); ``sold`` tells whether any cloud of the
    catalogue has such a machine at all.
    """

    model: Model
    count: int
    context: int
    offer: Offer | None
    sold: bool
    cache: str = "auto"
    """What ``--kv-cache-dtype`` must say: the file's own wish for a cache in fp8 is not for every card."""

    @property
    def cny(self) -> float | None:
        """CNY per hour; None: not known."""
        return None if self.offer is None else hourly(self.offer)


@dataclass(frozen=True, slots=True)
class No:
    """The model runs on no machine with this card; ``codes`` are the objections on the largest one."""

    codes: tuple[str, ...]

    @property
    def known(self) -> bool:
        """Whether that is a verdict, and not just a figure that is missing."""
        return not set(self.codes) <= NOT_KNOWN


def chosen() -> Chosen:
    """The page's models and cards."""
    raw = json.loads(Path(__file__).with_name("chosen.json").read_text(encoding="utf-8"))
    return Chosen(
        models={each["id"]: each["source"] for each in raw["models"]},
        cards=tuple(raw["cards"]),
        sources=raw["sources"],
        missing=tuple(raw["missing"]),
    )


def hourly(offer: Offer) -> float | None:
    """An offer's list price in CNY; None: not known."""
    if offer.price is None:
        return None
    return catalog.load().exchange_rate.convert(offer.price.amount, offer.price.currency, "CNY")


def machines(card: str, count: int | None = None) -> list[Offer]:
    """What the regions offer with a card, cheapest first; bare metal is taken by its name only, so it is left out."""
    return [each for each in catalog.load().offers(gpu=card, gpu_count=count) if not each.instance.bare_metal]


def counts(card: str) -> tuple[int, ...]:
    """How many cards a machine of the catalogue has of this one; where there is none, what machines usually have."""
    rows = catalog.load().instances
    return tuple(sorted({row.gpu_count for row in rows if _with(row, card)} & {*COUNTS})) or COUNTS


def sold(card: str, count: int) -> list[Instance]:
    """Machines of the catalogue with so many of the card, those on request too."""
    return [row for row in catalog.load().instances if _with(row, card) and row.gpu_count == count]


def _with(row: Instance, card: str) -> bool:
    return row.gpu == card and not row.fractional and not row.bare_metal


def forms(model: str) -> tuple[Model, ...]:
    """The model itself, then its quantized versions, those with more bits first."""
    data = catalog.load()
    return data.model(model), *sorted(data.variants(model), key=lambda each: -(each.quantization_bits or 16))


def ways(model: str, card: str) -> Iterator[Way]:
    """Every form on every machine size that passes the fit check, at its defaults or with its cache in 16 bit."""
    for form in forms(model):
        for count in counts(card):
            case = case_of(FitRequest(model=form.id, gpu=card, gpu_count=count), form)
            if FP8_CACHE in codes(case):
                case = case_of(replace(case.request, kv_cache_dtype=case.plain_cache), form)
            if case.memory is None or not passes(case):
                continue
            asked = FitRequest(model=form.id, gpu="", kv_cache_dtype=case.request.kv_cache_dtype)
            fitting = next(suggest.fitting(asked, machines(card, count), form), None)
            yield Way(form, count, case.memory.max_model_len, fitting, bool(sold(card, count)), asked.kv_cache_dtype)


def best(model: str, card: str) -> Way | No:
    """The cheapest way; of those whose price is not known, or that cost the same, the one on fewest cards.

    Where that leaves several, the model itself goes before its quantized versions, and more bits before fewer.
    """
    found = list(ways(model, card))
    if found:
        return min(found, key=lambda each: (each.cny is None, each.cny or 0, not each.sold, each.count))
    form, most = forms(model)[-1], counts(card)[-1]
    found_on = codes(case_of(FitRequest(model=form.id, gpu=card, gpu_count=most), form))
    return No(tuple(each for each in found_on if each != FP8_CACHE) or found_on)


def codes(case: Case) -> tuple[str, ...]:
    """The objections to a case."""
    return tuple(each.code for each in findings_of(case) if each.severity == "error" and each.code.startswith("fit."))
