"""Services that are paid for by the token: managed ones, and vendors' APIs that have the same model or are named."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date

from pulumi_llm import catalog
from pulumi_llm._compare.month import Month
from pulumi_llm._dataclasses import dataclass
from pulumi_llm._review.money import PER_MONTH, Amounts, both, exact
from pulumi_llm._texts import _, either
from pulumi_llm.catalog import Catalog, Model
from pulumi_llm.catalog.rows import Ending, TokenPrice, UpstreamVendor
from pulumi_llm.errors import nearest


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A vendor's model, or a managed service that has none of that name, and what the month's tokens cost there.

    ``same`` says whether it goes by the name of the model that is compared; ``chosen``, whether the caller named it.
    ``why_unknown`` says why there is no price.
    """

    vendor: UpstreamVendor
    model: str | None
    same: bool
    chosen: bool = False
    price: TokenPrice | None = None
    ends: Ending | None = None
    per_month: Amounts | None = None
    why_unknown: str | None = None
    differs: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What a table calls it."""
        return f"{self.vendor.vendor} {self.model}" if self.model else self.vendor.title


def services(model: Model, month: Month, chosen: Iterable[tuple[str, str]], today: date) -> Iterator[Service]:
    """The managed services, then the vendors that have a model of that name, then what was ``chosen`` besides.

    ``chosen`` are pairs of a vendor of the catalogue and the name of one of its models.
    """
    data = catalog.load()
    asked = list(dict.fromkeys(chosen))
    sellers = [each for each in data.upstreams.values() if each.sells != "nothing"]
    for vendor in sorted(sellers, key=lambda each: not each.managed):
        names = _names_there(data, vendor.vendor, model)
        for name in names:
            picked = (vendor.vendor, name) in asked
            yield _service(data, vendor, name, month, today, model=model, same=True, chosen=picked)
        others = [name for each, name in asked if each == vendor.vendor and name not in names]
        for name in others:
            yield _service(data, vendor, name, month, today, model=model, same=False, chosen=True)
        if vendor.managed and not names and not others:
            yield Service(vendor=vendor, model=None, same=False, why_unknown=_nothing_there(vendor, model))


def _names_there(data: Catalog, vendor: str, model: Model) -> list[str]:
    """What the vendor calls the model: names that are spelt as its own or as its base model's, in any case."""
    known = dict.fromkeys(name for each, name in (*data.token_prices, *data.endings) if each == vendor)
    spelt = {*_spellings(model), *_spellings_of_base(model)}
    return [name for name in known if name.casefold() in spelt]


def _spellings(model: Model) -> set[str]:
    ids = [each for each in (model.id, model.modelscope_id) if each]
    return {each.casefold() for id_ in ids for each in (id_, id_.rpartition("/")[2])}


def _spellings_of_base(model: Model) -> set[str]:
    base = model.base_model
    return {base.casefold(), base.rpartition("/")[2].casefold()} if base else set()


def _nothing_there(vendor: UpstreamVendor, model: Model) -> str:
    if vendor.sells == "machines":
        return _("paid for by the hours of machines, of which the catalogue has no price")
    return _("the catalogue has no price of {model} there", model=model.id)


def _service(
    data: Catalog,
    vendor: UpstreamVendor,
    name: str,
    month: Month,
    today: date,
    *,
    model: Model,
    same: bool,
    chosen: bool,
) -> Service:
    price = data.token_prices.get((vendor.vendor, name))
    ends = data.endings.get((vendor.vendor, name))
    gone = ends is not None and ends.day <= today
    unknown = None
    if gone and ends is not None:
        unknown = _("the vendor has switched it off on {day}", day=ends.ends)
    elif price is None and vendor.sells == "machines":
        unknown = _nothing_there(vendor, model)
    elif price is None:
        unknown = _no_price(data, vendor.vendor, name)
    amounts = None
    if price is not None and not gone:
        sum_usd = month.price(exact(price.input), exact(price.output))
        amounts = both(sum_usd, "USD", data.exchange_rate, PER_MONTH)
    return Service(
        vendor=vendor,
        model=name,
        same=same,
        chosen=chosen,
        price=price,
        ends=ends,
        per_month=amounts,
        why_unknown=unknown,
        differs=tuple(_differences(vendor, name, model, ends, same=same, gone=gone)),
    )


def _no_price(data: Catalog, vendor: str, name: str) -> str:
    near = nearest(name, [each for owner, each in data.token_prices if owner == vendor])
    hint = _("; did you mean {names}?", names=either(near)) if near else ""
    return _("the catalogue has no price of {vendor}/{model}{hint}", vendor=vendor, model=name, hint=hint)


def _differences(
    vendor: UpstreamVendor, name: str, model: Model, ends: Ending | None, *, same: bool, gone: bool
) -> Iterator[str]:
    if not same:
        yield _("another model, which is comparable by your choice alone")
    elif name.casefold() not in _spellings(model):
        yield _(
            "of {base}, of which {model} is a copy in {quantization}",
            base=model.base_model,
            model=model.id,
            quantization=model.quantization,
        )
    else:
        yield _("by its name the same weights; in which precision and with which context it is served is not known")
    if not vendor.serves("CN"):
        yield _("not for callers in mainland China")
    if ends is not None and not gone:
        yield _("the vendor switches it off on {day}", day=ends.ends)
