"""The rows of the catalogue: plain frozen data, each with the source and the date of what it says."""

from __future__ import annotations

import re
from dataclasses import field
from datetime import date
from functools import cache
from typing import TYPE_CHECKING, Literal

from pulumi_llm._dataclasses import dataclass
from pulumi_llm._texts import _
from pulumi_llm.clouds.capabilities import Capability

if TYPE_CHECKING:
    from collections.abc import Mapping

Currency = Literal["CNY", "USD"]
Role = Literal["gpu", "proxy"]

STALE_AFTER_DAYS = 365
"""A price older than this is shown as old: vendors change list prices about once a year."""


def source_day(source_date: str) -> date | None:
    """The first day that ``source_date`` (``2026``, ``2026-07``, ``2026-07-20``) can mean, or None.

    The first day, so that an age computed from it is never too young.
    """
    if not re.fullmatch(r"\d{4}(-\d\d(-\d\d)?)?", source_date):
        return None
    year, month, day = ([int(part) for part in source_date.split("-")] + [1, 1])[:3]
    try:
        return date(year, month, day)
    except ValueError:
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What every row carries: where it was found, the date of that source, and remarks."""

    source: str
    source_date: str
    notes: str = ""

    def age_days(self, today: date) -> int | None:
        """Days between the source's date and ``today``; None when the source is undated."""
        day = source_day(self.source_date)
        return None if day is None else (today - day).days

    def stale(self, today: date, limit_days: int = STALE_AFTER_DAYS) -> bool:
        """Whether the row is older than ``limit_days``; an undated row always is."""
        age = self.age_days(today)
        return age is None or age > limit_days


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """A kind of disk: sizes in GiB, in steps of ``step_gib``."""

    type: str
    min_gib: int
    step_gib: int
    max_gib: int

    def round_up(self, size_gib: float) -> int:
        """The smallest size in GiB that can be bought and holds ``size_gib``; it may exceed ``max_gib``."""
        steps = -(-max(size_gib, self.min_gib) // self.step_gib)
        return int(steps * self.step_gib)


@dataclass(frozen=True, slots=True, kw_only=True)
class NameRule:
    """What a cloud accepts as the name of a resource: length in characters and a full-match pattern."""

    max_length: int
    pattern: str

    def accepts(self, name: str) -> bool:
        """Whether the cloud takes ``name``."""
        return len(name) <= self.max_length and re.fullmatch(self.pattern, name) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudFacts(Row):
    """What is true of a whole cloud.

    ``user_data_limit`` is in bytes before any base64, and ``user_data_source`` says where that is known from;
    ``image_id``: the form of an image's id (a pattern).
    """

    name: str
    title: str
    pulumi_package: str
    user_data_limit: int
    user_data_source: str = ""
    login_user: str
    image_id: str
    metadata_url: str
    default_region: str
    system_disk: Disk
    data_disk: Disk
    encrypts_system_disk: bool
    can: frozenset[Capability]
    spot_notes: str
    token_metadata: bool
    metadata_notes: str
    name_rules: Mapping[str, NameRule]

    @property
    def spot(self) -> bool:
        """Whether it sells spot machines."""
        return Capability.SPOT in self.can

    def name_rule(self, kind: str) -> NameRule:
        """The rule for one kind of resource (``key-pair``), or the cloud's default rule."""
        return self.name_rules.get(kind) or self.name_rules["default"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Region(Row):
    """A region. ``country`` is ISO 3166-1 alpha-2; ``serves``: upstream vendors that serve callers from it."""

    cloud: str
    name: str
    title: str
    country: str
    partition: str
    zones: tuple[str, ...]
    serves: tuple[str, ...]

    @property
    def in_china(self) -> bool:
        """Whether it is in mainland China: mirrors, ICP filing and blocked upstreams follow from it."""
        return self.country == "CN"

    @property
    def in_hong_kong(self) -> bool:
        """Whether it is in Hong Kong: mainland rules do not hold there, but foreign upstream vendors refuse."""
        return self.country == "HK"


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamVendor(Row):
    """A vendor of models, or a kind of server that serves them, by the OpenAI protocol.

    ``endpoints`` are the paths that it answers; none where the gateway knows that kind of server itself. ``base_url``
    goes up to where ``/v1`` does (None: it has to be given), and ``base_urls`` has the addresses for callers in some
    countries. ``countries`` are those of this catalogue's regions that it serves; None: no list is known, and all but
    mainland China and Hong Kong are taken for served.
    Hosts of ``private_hosts`` (patterns with ``*``) are reached within the cloud's own network only.
    ``managed``: a cloud's platform that serves models of others too. ``sells`` is what is paid for: ``tokens``, the
    hours of ``machines`` on which a server runs, or ``nothing`` (a server of the user's own).
    """

    vendor: str
    title: str
    managed: bool = False
    sells: Literal["tokens", "machines", "nothing"] = "tokens"
    endpoints: tuple[str, ...] = ()
    base_url: str | None
    base_urls: Mapping[str, str] = field(default_factory=dict)
    countries: frozenset[str] | Literal["any"] | None
    private_hosts: tuple[str, ...] = ()

    def serves(self, country: str) -> bool:
        """Whether it serves callers in a country."""
        if self.countries is None:
            return country not in ("CN", "HK")
        return self.countries == "any" or country in self.countries

    def url(self, country: str) -> str | None:
        """Where it answers callers in a country; None: it has to be given."""
        return self.base_urls.get(country, self.base_url)

    @property
    def urls(self) -> tuple[str, ...]:
        """All its addresses."""
        return (*([self.base_url] if self.base_url is not None else []), *self.base_urls.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenPrice(Row):
    """What an upstream vendor charges, USD per million tokens; the highest tier where there are several."""

    vendor: str
    model: str
    input: float
    output: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending(Row):
    """The day on which a vendor switches a model off: ``ends`` (YYYY-MM-DD, the first day without it).

    ``instead`` is the model that the vendor names in its place; None: it names none that we know of.
    """

    vendor: str
    model: str
    ends: str
    instead: str | None = None

    @property
    def day(self) -> date:
        """``ends`` as a date."""
        return date.fromisoformat(self.ends)


@cache
def _numbers(capability: str) -> tuple[int, int]:
    if not capability:
        return 0, 0
    major, minor = capability.split(".")
    return int(major), int(minor)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpu(Row):
    """A GPU model.

    ``marketed_gib`` is the size on the box, ``memory_gib`` what the driver reports to a process (GiB).
    ``vllm`` says whether today's releases run on it (``legacy``: up to ``last_vllm``); ``min_driver`` is the
    driver branch that needs (580 for CUDA 13).
    ``maker``: Google's TPUs are sold and named like GPUs, and have neither a compute capability ("") nor a driver.
    """

    name: str
    marketed_gib: float
    memory_gib: float
    compute_capability: str
    dtypes: tuple[str, ...]
    vllm: Literal["current", "legacy", "never"]
    last_vllm: str | None
    min_driver: int | None
    open_kernel_modules: bool
    nvlink: str
    aliases: tuple[str, ...] = ()
    maker: Literal["nvidia", "google"] = "nvidia"

    @property
    def tpu(self) -> bool:
        """Whether it is a TPU: another build of vLLM, another arithmetic, and rules of its own."""
        return self.maker == "google"

    @property
    def capability(self) -> tuple[int, int]:
        """The compute capability as numbers that compare: ``(8, 9)`` for ``8.9``; ``(0, 0)`` of what has none."""
        return _numbers(self.compute_capability)


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance(Row):
    """An instance type. Memory in GiB; ``gpu_memory_gib`` is per GPU and as marketed, or the slice's size.

    ``regions`` maps a region to the zones that offer the type; when ``zones_per_type`` is false these are
    all zones of the region, and some of them may not have it. A region without zones is one in which no source tells
    the zone of a GPU type, and a host is in all of them; without any region, no source tells where it is sold.
    """

    cloud: str
    instance_type: str
    role: Role
    arch: str
    gpu: str | None
    gpu_count: int
    gpu_memory_gib: float | None
    vcpu: int
    memory_gib: float
    local_nvme_gib: float | None
    interconnect: str
    fractional: bool
    bare_metal: bool
    network_gbps: float | None
    access: Literal["self-service", "invite-only", "ticket", "contact-sales"]
    zones_per_type: bool
    regions: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Price(Row):
    """A list price per hour, Linux, without disks, addresses and traffic. ``derived`` marks an estimate."""

    cloud: str
    instance_type: str
    region: str
    amount: float
    currency: Currency
    spot: bool = False
    derived: bool = False
    suspect: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class GuidePrice(Row):
    """A price per hour from the deployment guide that the product grew from, shown beside today's."""

    cloud: str
    gpu: str
    vcpu: int
    memory_gib: float
    amount: float
    currency: Currency
    instance_type: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtraPrice(Row):
    """The price of what is not an instance. ``unit``: GiB-hour, GiB-month, GiB or hour. Region ``*``: all."""

    cloud: str
    kind: str
    item: str
    region: str
    amount: float
    currency: Currency
    unit: Literal["GiB-hour", "GiB-month", "GiB", "hour"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeRate(Row):
    """One unit of ``base`` costs ``rate`` units of ``quote``."""

    base: Currency
    quote: Currency
    rate: float

    def convert(self, amount: float, of: str, to: str) -> float:
        """``amount`` of currency ``of`` in currency ``to``; ValueError for a currency it does not hold."""
        if {of, to} - {self.base, self.quote}:
            raise ValueError(
                _(
                    "the exchange rate is for {base} and {quote}, not {of} to {to}",
                    base=self.base,
                    quote=self.quote,
                    of=of,
                    to=to,
                )
            )
        if of == to:
            return amount
        return amount * self.rate if of == self.base else amount / self.rate


@dataclass(frozen=True, slots=True, kw_only=True)
class Image(Row):
    """How to look an image up: ``lookup`` names the cloud's way (``ssm-parameter``, ``images``)."""

    cloud: str
    purpose: str
    lookup: Literal["ssm-parameter", "images"]
    arguments: Mapping[str, object]
    arch: str
    login_user: str
    has_driver: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """An instance type that a region offers. ``price`` is None when it is not known, never zero."""

    instance: Instance
    region: str
    zones: tuple[str, ...]
    price: Price | None


def lies_in(zone: str, region: str) -> bool:
    """Whether a zone's name is one of that region: every cloud writes the region first, and one region's name may begin
    as another's does (Google Cloud's ``europe-west1`` and ``europe-west10``)."""
    return zone.startswith(region) and not zone[len(region) :][:1].isdigit()
