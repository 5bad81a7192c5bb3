"""One thing that is paid for, and how much the machines are used."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from pulumi_llm._dataclasses import dataclass
from pulumi_llm._review.money import HOURS_PER_MONTH
from pulumi_llm.catalog import Price

DEFAULT_TRAFFIC_GIB = 50
"""A guess, to be replaced by one's own: about 5 million tokens a day, streamed one by one at some 300 bytes each
(the JSON of a chunk and its framing), are 1.4 GiB a day and 42 GiB a month."""

ItemKind = Literal["machine", "disk", "address", "traffic", "snapshots", "storage", "other"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """How much the machines are used: ``running`` hours of a month of 730, and GiB a month out of each address."""

    running: Decimal = HOURS_PER_MONTH
    traffic_gib: Decimal = Decimal(DEFAULT_TRAFFIC_GIB)
    own_hours: bool = True
    """Whether a server that has hours of its own runs no longer than these."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One thing that is paid for.

    ``quantity`` is how much of the unit is bought at a time (1 machine, GiB of a disk), or GiB per month of
    traffic; ``hours`` is how long in a month. ``while_running`` is false for what is paid for only while the
    machines stand still. ``unknown`` says why it cannot be priced, where that is already clear.
    """

    urn: str
    type: str
    resource: str
    slot: str
    kind: ItemKind
    what: str
    cloud: str | None
    region: str | None
    name: str = ""
    quantity: Decimal = Decimal(1)
    hours: Decimal = HOURS_PER_MONTH
    while_running: bool = True
    spot: bool = False
    unknown: str | None = None
    note: str = ""
    fewest: Decimal | None = None
    """As ``quantity``, with as few nodes as a pool may have; None: there is one amount of it."""
    told: Price | None = None
    """The price per hour that the stack itself gives."""
    server: str = ""
    """The model server that it is of, by its URN; empty: it is of none."""
