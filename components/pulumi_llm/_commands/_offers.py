"""The catalogue's offers that answer a question, as a table or JSON: the body of `pulumi-llm offers`."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from datetime import UTC, date, datetime

from pulumi_llm import catalog
from pulumi_llm._commands import DONE
from pulumi_llm._dataclasses import dataclass
from pulumi_llm._language import tr
from pulumi_llm._tables import aligned
from pulumi_llm._texts import _, all_of
from pulumi_llm.catalog import Catalog, GuidePrice, Offer

HEAD = (_("price/h"), _("per GPU"), _("cloud"), _("type"), "GPUs", "vCPU", "GiB", _("region"), _("dated"))


@dataclass(frozen=True, slots=True)
class _Row:
    """An offer with its price per hour in the currency of the table (None: unknown)."""

    offer: Offer
    amount: float | None

    @property
    def per_gpu(self) -> float | None:
        return None if self.amount is None else self.amount / max(1, self.offer.instance.gpu_count)


def run(asked: Namespace) -> int:
    """Print the offers, as a table of one screen or all of them as JSON. Gives the exit code."""
    data = catalog.load()
    rows = _rows(data, asked)
    today = datetime.now(UTC).date()
    if asked.json:
        found = {
            "currency": asked.currency,
            "exchange_rate": {
                "cny_per_usd": data.exchange_rate.rate,
                "source": data.exchange_rate.source,
                "source_date": data.exchange_rate.source_date,
            },
            "offers": [_for_json(row, today) for row in rows],
            "guide_prices": [_guide_for_json(row) for row in _guides(data, asked)],
        }
        sys.stdout.write(json.dumps(found, indent=2, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write(_table(data, asked, rows, today))
    return DONE


def _rows(data: Catalog, asked: Namespace) -> list[_Row]:
    offers = data.offers(gpu=asked.gpu, gpu_count=asked.count, cloud=asked.cloud, region=asked.region, spot=asked.spot)
    if asked.model is not None:
        from pulumi_llm.preflight import suggest  # only this option needs the estimator
        from pulumi_llm.preflight.request import FitRequest

        model = data.model(asked.model)
        offers = list(suggest.fitting(FitRequest(model=model.id, gpu=""), offers, model))
    rows = [_Row(offer, _amount(data, offer, asked.currency)) for offer in offers]
    if asked.max_price is not None:
        rows = [row for row in rows if row.amount is not None and row.amount <= asked.max_price]
    return rows


def _amount(data: Catalog, offer: Offer, currency: str) -> float | None:
    if offer.price is None:
        return None
    return data.exchange_rate.convert(offer.price.amount, offer.price.currency, currency)


def _guides(data: Catalog, asked: Namespace) -> list[GuidePrice]:
    """The guide's prices for what is asked, where that is a GPU that it names."""
    if asked.gpu is None or asked.count not in (None, 1) or asked.spot:
        return []
    gpu = data.gpu(asked.gpu).name
    return [row for row in data.guide_prices if row.gpu == gpu and asked.cloud in (None, row.cloud)]


def _for_json(row: _Row, today: date) -> dict[str, object]:
    machine, price = row.offer.instance, row.offer.price
    return {
        "cloud": machine.cloud,
        "instance_type": machine.instance_type,
        "region": row.offer.region,
        "zones": list(row.offer.zones),
        "gpu": machine.gpu,
        "gpu_count": machine.gpu_count,
        "vcpu": machine.vcpu,
        "memory_gib": machine.memory_gib,
        "access": machine.access,
        "price_per_hour": None if row.amount is None else round(row.amount, 4),
        "price_per_gpu_hour": None if row.per_gpu is None else round(row.per_gpu, 4),
        "listed": None if price is None else {"amount": price.amount, "currency": price.currency},
        "spot": price.spot if price is not None else None,
        "derived": price.derived if price is not None else None,
        "source": None if price is None else price.source,
        "source_date": None if price is None else price.source_date,
        "old": None if price is None else price.stale(today),
    }


def _guide_for_json(row: GuidePrice) -> dict[str, object]:
    return {
        "cloud": row.cloud,
        "instance_type": row.instance_type,
        "gpu": row.gpu,
        "amount": row.amount,
        "currency": row.currency,
        "source": row.source,
        "source_date": row.source_date,
    }


def _table(data: Catalog, asked: Namespace, rows: list[_Row], today: date) -> str:
    if not rows:
        return tr("no offer in the catalogue fits{why_nothing}\n", why_nothing=_why_nothing(asked))
    if asked.spot and not asked.all and all(row.amount is None for row in rows):
        return _no_spot_price(rows)
    limit = len(rows) if asked.all else asked.limit
    lines = [HEAD, *(_cells(row, today) for row in rows[:limit])]
    shown = aligned(lines, right={0, 1, 5, 6})
    rate = data.exchange_rate
    notes = [
        tr(
            "{currency} per hour, {note}, without disks, addresses and traffic",
            currency=asked.currency,
            note=_("spot") if asked.spot else _("on demand"),
        )
    ]
    if any(row.offer.price is not None and row.offer.price.currency != asked.currency for row in rows[:limit]):
        notes.append(
            tr("other currencies at {rate:g} CNY per USD ({source_date})", rate=rate.rate, source_date=rate.source_date)
        )
    if any(row.offer.price is not None and row.offer.price.stale(today) for row in rows[:limit]):
        notes.append(tr("* dated more than a year ago"))
    if any(row.offer.price is not None and row.offer.price.derived for row in rows[:limit]):
        notes.append(tr("~ estimated from another region's price"))
    shown += ["", "; ".join(notes)]
    if len(rows) > limit:
        shown.append(tr("{count} more; --all shows them", count=len(rows) - limit))
    for guide in _guides(data, asked):
        amount = rate.convert(guide.amount, guide.currency, asked.currency)
        name = guide.instance_type or guide.cloud
        shown.append(
            tr(
                "the guide of {source_date} gave {amount:.2f} for {name} ({cloud}, 1 x {gpu})",
                source_date=guide.source_date,
                amount=amount,
                name=name,
                cloud=guide.cloud,
                gpu=guide.gpu,
            )
        )
    return "\n".join(shown) + "\n"


def _cells(row: _Row, today: date) -> tuple[str, ...]:
    machine, price = row.offer.instance, row.offer.price
    return (
        tr("unknown") if row.amount is None else f"{'~' if price and price.derived else ''}{row.amount:.2f}",
        "" if row.per_gpu is None else f"{row.per_gpu:.2f}",
        machine.cloud,
        machine.instance_type,
        f"{machine.gpu_count} x {machine.gpu}",
        f"{machine.vcpu:g}",
        f"{machine.memory_gib:g}",
        row.offer.region,
        "" if price is None else f"{price.source_date}{'*' if price.stale(today) else ''}",
    )


def _no_spot_price(rows: list[_Row]) -> str:
    clouds = all_of(sorted({row.offer.instance.cloud for row in rows}))
    count = (
        _("{number} offers that answer this", number=len(rows))
        if len(rows) > 1
        else _("the one offer that answers this")
    )
    return tr(
        "no spot price is known on {clouds}, for {count}\n    try: "
        "list prices, without --spot; or `pulumi-llm catalog refresh`, which asks the cloud "
        "with your credentials; --all shows the offers\n",
        clouds=clouds,
        count=count,
    )


def _why_nothing(asked: Namespace) -> str:
    if asked.max_price is not None:
        return _(
            ": nothing with a known price costs {max_price:g} {currency} per hour or less",
            max_price=asked.max_price,
            currency=asked.currency,
        )
    if asked.model is not None:
        return _(
            ": {model} fits on nothing of the kind (`pulumi-llm check {model} --gpu G` says why)", model=asked.model
        )
    return tr("; ask with fewer conditions")
