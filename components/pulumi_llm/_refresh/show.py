"""What a catalogue holds: how much of each kind, how old it is, and the guide's prices beside today's."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

from pulumi_llm import __version__
from pulumi_llm._language import tr
from pulumi_llm._refresh import store
from pulumi_llm._tables import aligned
from pulumi_llm._texts import _
from pulumi_llm.catalog import STALE_AFTER_DAYS, Catalog, GuidePrice, Price
from pulumi_llm.catalog.rows import Row, source_day

HEAD = (_("kind"), _("rows"), _("oldest"), _("newest"), _("old"))


def as_json(data: Catalog, today: date) -> dict[str, Any]:
    """Counts and dates per kind, and the guide's prices (per hour) each with today's."""
    return {
        "directory": str(data.directory),
        "made_with": store.made_with(data.directory),
        "installed": __version__,
        "stale_after_days": STALE_AFTER_DAYS,
        "kinds": [_kind(name, rows, today) for name, rows in _kinds(data)],
        "clouds": _clouds(data),
        "sold_out": sum(
            stock == "sold-out" for each in store.observations_in(data.directory) for stock in each.zones.values()
        ),
        "own_models": None if data.own_models is None else str(data.own_models),
        "own_rows_that_take_over": [each.message for each in data.taken_over()],
        "guide_prices": [_guide(data, row, today) for row in data.guide_prices],
    }


def as_text(data: Catalog, today: date) -> str:
    """The same as two tables."""
    shown = as_json(data, today)
    lines = [tr("the catalogue in {directory}", directory=shown["directory"])]
    if shown["made_with"] is not None:
        lines[0] += tr(", refreshed over the data of pulumi-llm {made_with}", made_with=shown["made_with"])
        if shown["made_with"] != __version__:
            lines.append(
                tr(
                    "note: {version} is installed, and its data is not in it; `catalog refresh` takes it in",
                    version=__version__,
                )
            )
        if shown["sold_out"]:
            lines.append(
                tr("{sold_out} times a type was sold out in a zone when it was asked", sold_out=shown["sold_out"])
            )
    cells = [HEAD]
    for kind in shown["kinds"]:
        cells.append((kind["kind"], str(kind["rows"]), kind["oldest"] or "", kind["newest"] or "", str(kind["old"])))
    lines += ["", *aligned(cells, right={1, 4}), ""]
    lines.append(
        tr("old: dated more than {stale_after_days} days ago, or not dated", stale_after_days=STALE_AFTER_DAYS)
    )
    for name, counts in shown["clouds"].items():
        lines.append(
            tr(
                "{name}: {types} types, {prices} list prices, {spot} spot prices",
                name=name,
                types=counts["types"],
                prices=counts["prices"],
                spot=counts["spot"],
            )
        )
    if shown["own_models"] is not None:
        lines.append(tr("models of your own in {path}", path=shown["own_models"]))
        lines += [tr("note: {note}", note=each.message) for each in data.taken_over()]
    lines += ["", tr("the guide's prices beside today's, one GPU, per hour")]
    lines += aligned([_guide_cells(each) for each in shown["guide_prices"]], right={2})
    return "\n".join(lines) + "\n"


def _kinds(data: Catalog) -> list[tuple[str, Sequence[Row]]]:
    return [
        (_("clouds"), list(data.clouds.values())),
        (_("regions"), list(data.regions.values())),
        (_("GPUs"), list(data.gpus.values())),
        (_("instance types"), data.instances),
        (_("prices"), data.prices),
        (_("disks, addresses, traffic"), data.extras),
        (_("models"), list(data.models.values())),
        (_("images"), data.images),
        (_("mirrors"), data.mirrors),
        (_("exchange rate"), [data.exchange_rate]),
        (_("guide prices"), data.guide_prices),
    ]


def _kind(name: str, rows: Iterable[Row], today: date) -> dict[str, Any]:
    found = list(rows)
    dated = sorted(
        ((day, row.source_date) for row in found if (day := source_day(row.source_date)) is not None),
    )
    return {
        "kind": name,
        "rows": len(found),
        "oldest": dated[0][1] if dated else None,
        "newest": dated[-1][1] if dated else None,
        "old": sum(row.stale(today) for row in found),
    }


def _clouds(data: Catalog) -> dict[str, dict[str, int]]:
    return {
        name: {
            "types": sum(row.cloud == name for row in data.instances),
            "prices": sum(row.cloud == name and not row.spot for row in data.prices),
            "spot": sum(row.cloud == name and row.spot for row in data.prices),
        }
        for name in sorted({row.cloud for row in data.instances})
    }


def _guide(data: Catalog, row: GuidePrice, today: date) -> dict[str, Any]:
    """The guide's price and the list price of the same type in the cloud's default region, else in the cheapest
    one of mainland China, where the guide looked."""
    now = _today(data, row)
    return {
        "cloud": row.cloud,
        "gpu": row.gpu,
        "instance_type": row.instance_type,
        "guide": {"amount": row.amount, "currency": row.currency, "source_date": row.source_date},
        "today": None
        if now is None
        else {
            "amount": now.amount,
            "currency": now.currency,
            "cny": round(data.exchange_rate.convert(now.amount, now.currency, "CNY"), 4),
            "region": now.region,
            "source": now.source,
            "source_date": now.source_date,
            "old": now.stale(today),
        },
    }


def _today(data: Catalog, row: GuidePrice) -> Price | None:
    if row.instance_type is None:
        return None
    usual = data.clouds[row.cloud].default_region
    mainland = [name for (cloud, name), region in data.regions.items() if cloud == row.cloud and region.in_china]
    found = [data.price(row.cloud, row.instance_type, name) for name in mainland]
    rate = data.exchange_rate
    return min(
        (price for price in found if price is not None),
        key=lambda price: (price.region != usual, rate.convert(price.amount, price.currency, "CNY"), price.region),
        default=None,
    )


def _guide_cells(each: dict[str, Any]) -> tuple[str, ...]:
    guide, now = each["guide"], each["today"]
    if now is None:
        today = tr("today unknown")
    else:
        native = "" if now["currency"] == "CNY" else f" ({now['amount']:g} {now['currency']})"
        today = tr(
            "today from {cny:.2f} CNY{native} in {region}, dated {source_date}",
            cny=now["cny"],
            native=native,
            region=now["region"],
            source_date=now["source_date"],
        )
    what = each["instance_type"] or tr("(type not named)")
    return f"{each['cloud']} {each['gpu']}", what, f"{guide['amount']:.2f} {guide['currency']}", today
