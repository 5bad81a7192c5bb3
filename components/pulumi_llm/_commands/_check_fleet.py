"""How many nodes so many requests at once take, and what an hour costs: what `pulumi-llm check --fleet N` adds."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator

from pulumi_llm import catalog
from pulumi_llm._dataclasses import dataclass
from pulumi_llm._language import tr
from pulumi_llm._tables import aligned
from pulumi_llm._texts import _
from pulumi_llm.catalog import Offer
from pulumi_llm.preflight import clusters
from pulumi_llm.preflight.report import Report
from pulumi_llm.spec.managed import ManagedSpec
from pulumi_llm.spec.scaling import MOST as MOST_ENGINES

HEAD = (
    _("per hour"), _("nodes"), _("GPUs each"), _("cloud"), _("type"), _("region"), _("dated"), _("cluster"),
)  # fmt: skip
LEAST = (_("at least"), _("nodes"))
"""Of copies that follow the load: what an hour with the fewest costs, and how many nodes that are."""


SYSTEM_NODES: int = ManagedSpec.model_fields["system_count"].default
"""Nodes without GPUs of a cluster that is made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """So many machines of an offer; what an hour of all of them costs (None: not known).

    ``beside``: what a cluster that is made for them costs besides, control plane and nodes without GPUs. None: that is
    not known, or nothing here makes one.
    """

    offer: Offer
    nodes: int
    amount: float | None
    beside: float | None = None
    fewest: int = 0
    """How many machines do at the lower end, where copies follow the load."""

    @property
    def least(self) -> float | None:
        """What an hour of the fewest costs."""
        return None if self.amount is None else self.amount / self.nodes * self.fewest

    def in_cny(self, rate: float) -> float:
        """To compare with others; what is not known comes last."""
        if self.amount is None or self.offer.price is None:
            return float("inf")
        return self.amount * (rate if self.offer.price.currency == "USD" else 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizing:
    """``wanted`` requests at once, of ``tokens`` each, and the machines for so many copies: each cloud's cheapest.

    ``each``: requests at once of one copy. ``least``: the fewest requests, where copies follow the load, and how many
    copies these take.
    """

    wanted: int
    tokens: int
    each: int
    copies: int
    gpus: int
    rows: tuple[Row, ...]
    least: tuple[int, int] | None = None

    def for_json(self) -> dict[str, object]:
        """The sizing as ``check --json`` prints it."""
        return {
            "requests": self.wanted,
            "tokens": self.tokens,
            "requests_per_copy": self.each,
            "copies": self.copies,
            "gpus": self.gpus,
            **({} if self.least is None else {"least": {"requests": self.least[0], "copies": self.least[1]}}),
            "nodes": [
                {
                    "cloud": row.offer.instance.cloud,
                    "region": row.offer.region,
                    "instance_type": row.offer.instance.instance_type,
                    "gpus": row.offer.instance.gpu_count,
                    "count": row.nodes,
                    "per_hour": row.amount,
                    **({} if self.least is None else {"fewest": row.fewest, "per_hour_at_least": row.least}),
                    "per_hour_of_a_made_cluster": row.beside,
                    "currency": row.offer.price.currency if row.offer.price else None,
                    "source_date": row.offer.price.source_date if row.offer.price else None,
                }
                for row in self.rows
            ],
        }

    def __str__(self) -> str:
        told = self._told()
        table: list[tuple[str, ...]] = [_cells(each) for each in self.rows]
        head: tuple[str, ...] = HEAD
        if self.least is not None:
            table = [
                (_amount(each, each.least), f"{each.fewest:,}", *cells)
                for each, cells in zip(self.rows, table, strict=True)
            ]
            head = (*LEAST, *HEAD)
        lines = list(
            aligned([head, *table], right=range(len(head) - 5))
            if table
            else [tr("no cloud of the catalogue sells such nodes")]
        )
        if any(row.beside is not None for row in self.rows):
            lines.append("")
            lines.append(
                tr("cluster: what a cluster that is made (cluster.managed) costs on top, control plane and nodes "
                   "without GPUs; neither disks nor a NAT gateway is in it")
            )  # fmt: skip
        if self.least is not None and self.copies <= MOST_ENGINES:
            lines += ["", tr("in the fleet's file: {key}", key=self._key())]
        return "\n".join(["", told, "", *(f"  {line}".rstrip() for line in lines)]) + "\n"

    def _key(self) -> str:
        least, most = (self.least or (0, 0))[1], self.copies
        return f"scaling: {{least: {least}, most: {most}}}" if least < most else f"copies: {most}"

    def _told(self) -> str:
        if self.least is not None:
            return tr(
                "{least:,} to {wanted:,} requests of {tokens:,} tokens at once: {fewest:,} to {copies:,} copies, of "
                "{each:,} each, on {gpus:,} GPUs at most",
                least=self.least[0], fewest=self.least[1], wanted=self.wanted, tokens=self.tokens, copies=self.copies,
                each=self.each, gpus=self.gpus,
            )  # fmt: skip
        return tr(
            "{wanted:,} requests of {tokens:,} tokens at once: {copies:,} copies, of {each:,} each, on {gpus:,} GPUs",
            wanted=self.wanted,
            tokens=self.tokens,
            copies=self.copies,
            each=self.each,
            gpus=self.gpus,
        )


def _amount(row: Row, amount: float | None) -> str:
    return f"{amount:,.2f} {row.offer.price.currency}" if amount is not None and row.offer.price else "-"


def _cells(row: Row) -> tuple[str, ...]:
    return (
        _amount(row, row.amount),
        f"{row.nodes:,}",
        str(row.offer.instance.gpu_count),
        row.offer.instance.cloud,
        row.offer.instance.instance_type,
        row.offer.region,
        row.offer.price.source_date if row.offer.price else "-",
        _amount(row, row.beside),
    )


def sizing(asked: Namespace, report: Report) -> Sizing | None:
    """The machines that are enough. None: how many requests one copy takes is not known, or it takes none."""
    memory = report.case.memory
    if memory is None or not report.ok:
        return None
    each = min(int(memory.max_concurrency), report.case.load.max_num_seqs)
    if each < 1:
        return None
    fewest, most = asked.fleet
    copies, least = -(-most // each), -(-fewest // each)
    size = report.case.request.gpu_count
    rate = catalog.load().exchange_rate.rate
    best: dict[str, Row] = {}
    for row in sorted(_rows(asked, report.case.gpu.name, size, copies, least), key=lambda row: row.in_cny(rate)):
        best.setdefault(row.offer.instance.cloud, row)
    return Sizing(
        wanted=most,
        tokens=report.case.max_model_len,
        each=each,
        copies=copies,
        gpus=copies * size,
        rows=tuple(best.values()),
        least=(fewest, least) if fewest < most else None,
    )


def _rows(asked: Namespace, gpu: str, size: int, copies: int, least: int) -> Iterator[Row]:
    for offer in catalog.load().offers(gpu=gpu, cloud=asked.cloud, region=asked.region):
        has, price = offer.instance.gpu_count, offer.price
        named = asked.instance_type in (None, offer.instance.instance_type)
        if has < size or not named or (offer.instance.bare_metal and asked.instance_type is None):
            continue
        nodes, fewest = -(-copies // (has // size)), -(-least // (has // size))
        amount = None if price is None else price.amount * nodes
        yield Row(offer=offer, nodes=nodes, amount=amount, beside=_beside(offer), fewest=fewest)


def _beside(offer: Offer) -> float | None:
    """An hour of a cluster's control plane and of its nodes without GPUs, in the currency of the offer's price."""
    service = clusters.service_of(offer.instance.cloud)
    if service is None or offer.price is None:
        return None
    plane = service.price(offer.region)
    system = catalog.load().price(offer.instance.cloud, service.system_type, offer.region)
    if plane is None or system is None or {plane.currency, system.currency} != {offer.price.currency}:
        return None
    return plane.amount + system.amount * SYSTEM_NODES
