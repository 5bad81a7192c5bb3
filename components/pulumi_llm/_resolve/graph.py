"""The resolved parts of a platform: plain, frozen data. Each fact was looked up or worked out once. Sizes are GiB.

Each part keeps its ``spec``, whose names are the catalogue's own. What the spec leaves open stands beside it, settled.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pulumi_llm import catalog
from pulumi_llm._dataclasses import dataclass
from pulumi_llm.preflight import apps, stores
from pulumi_llm.spec import served_by

if TYPE_CHECKING:
    from pulumi_llm._resolve.choices import Choice
    from pulumi_llm.catalog import CloudFacts, Model, Region
    from pulumi_llm.catalog.abilities import Abilities
    from pulumi_llm.errors import Finding
    from pulumi_llm.preflight.memory import Memory
    from pulumi_llm.preflight.placement import Placement
    from pulumi_llm.spec import (
        AccessSpec,
        KeySpec,
        ModelSpec,
        NetworkSpec,
        PlatformSpec,
        PriceSpec,
        ProxySpec,
        ServerSpec,
        VectorsSpec,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Where a machine stands: its cloud and region as the catalogue has them, its zone, type and price."""

    cloud: CloudFacts
    region: Region
    place: Placement


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedMachine:
    """What is settled of every machine, whatever runs on it. Disks are as the cloud sells them.

    ``network`` is made in the machine's own region, where its caller names none that exists.
    """

    site: Site
    access: AccessSpec
    network: NetworkSpec
    system_disk_gib: int
    data_disk_gib: int
    tags: Mapping[str, str]
    protect: bool

    @property
    def zones(self) -> tuple[str, ...]:
        """The zones of further such machines, where they are named."""
        return ()

    @property
    def count(self) -> int:
        """How many such machines there are."""
        return 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreign:
    """The models of an overseas proxy that a model server serves too. A model without a price is not in ``prices``."""

    models: tuple[str, ...]
    prices: Mapping[str, PriceSpec]


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedModel:
    """A further model on a model server's host, served by a vLLM of its own. ``spec`` has its share of a card.

    ``cards``: the GPUs that it uses, by their numbers on the machine; none: it is on the CPU. What is
    None is not known, as of a server.
    ``task``: what it is for, if not for chat (`pulumi_llm.catalog.pooling`).
    """

    name: str
    spec: ModelSpec
    model: Model | None
    abilities: Abilities
    task: str | None
    dtype: str
    context_length: int | None
    weights_gib: float | None
    cards: tuple[int, ...]
    memory: Memory | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedServer(ResolvedMachine):
    """A GPU host and the model on it.

    ``model`` is None where the catalogue does not know it. ``context_length`` is in tokens, ``dtype`` what vLLM is told
    and ``weights_gib`` what is downloaded; None: not known, and left to the model's files. ``vectors``: a store of them
    beside the model. ``warnings``: what the fit check says of it that does not refuse it, and ``memory`` its estimate,
    where there is one. ``max_num_seqs`` is what vLLM is told (None: its own number). ``prices`` are those of its
    upstreams' models, by what callers ask for; a model without a price is not in it.
    """

    spec: ServerSpec
    model: Model | None
    abilities: Abilities
    dtype: str
    context_length: int | None
    weights_gib: float | None
    port: int
    vectors: VectorsSpec | None
    foreign: Foreign | None
    warnings: tuple[Finding, ...]
    memory: Memory | None
    max_num_seqs: int | None
    prices: Mapping[str, PriceSpec]
    models: tuple[ResolvedModel, ...] = ()
    """Further models, in the order in which they start."""
    choices: tuple[Choice, ...] = ()
    """What may be made, where there are alternatives: the server as it is written first, then these in their order."""

    store: VectorsSpec | None = None
    """A vector store on a machine of its own that asks this server's gateway for vectors."""

    further: tuple[Placement, ...] = ()
    """Where the further machines stand, where their zones are named."""

    @property
    def zones(self) -> tuple[str, ...]:
        """The zones of the further machines, where they are named."""
        return tuple(each.zone for each in self.further)

    def place_of(self, number: int) -> Placement:
        """Where a machine stands; the first one is 1."""
        return self.further[number - 2] if self.further and number > 1 else self.site.place

    @property
    def count(self) -> int:
        """The machine with the gateway, and further ones with the same models or with more of the same one."""
        return max(self.spec.replicas, self.spec.nodes)

    @property
    def served(self) -> tuple[str, ...]:
        """The models that the gateway serves, the proxy's included; its routes are more names for them."""
        foreign = self.foreign.models if self.foreign else ()
        return (*self.spec.own_models, *served_by(self.spec.upstreams), *foreign)

    @property
    def keys(self) -> Mapping[str, KeySpec]:
        """The gateway's keys: those of the spec, and those of a chat page and a vector store, which nobody is told.

        A store on a machine of its own calls from there, which `_vectorizing.keys` has its key know.
        """
        chat = self.spec.apps.chat if self.spec.apps else None
        vectors = self.vectors or self.store
        vectorizer = vectors.vectorizer if vectors else None
        return {
            **self.spec.keys,
            **({apps.CHAT: chat.gateway_key} if chat else {}),
            **({stores.KEY: vectorizer.gateway_key} if vectorizer else {}),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedVectors(ResolvedMachine):
    """A vector store on a machine of its own. ``warnings``: what is said of it that does not refuse it."""

    spec: VectorsSpec
    warnings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedProxy(ResolvedMachine):
    """The overseas proxy. A model without a price is not in ``prices``."""

    spec: ProxySpec
    models: tuple[str, ...]
    prices: Mapping[str, PriceSpec]
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedPlatform:
    """A whole platform. ``vectors`` is None where a vector store runs beside the model, or nowhere."""

    spec: PlatformSpec
    server: ResolvedServer
    vectors: ResolvedVectors | None
    proxy: ResolvedProxy | None

    @property
    def machines(self) -> tuple[ResolvedMachine, ...]:
        """Every machine, the model server first."""
        return tuple(each for each in (self.server, self.vectors, self.proxy) if each is not None)

    @property
    def currency(self) -> str | None:
        """The currency of the model server's price; None where that is unknown."""
        price = self.server.site.place.price
        return price.currency if price is not None else None

    @property
    def hourly_price(self) -> float | None:
        """The list price of all machines per hour in ``currency``, without disks; None where one is unknown."""
        prices = [each.site.place.price for each in self.machines for _ in range(each.count)]
        known = [each for each in prices if each is not None]
        if self.currency is None or len(known) < len(prices):
            return None
        convert = catalog.load().exchange_rate.convert
        return round(sum(convert(each.amount, each.currency, self.currency) for each in known), 4)
