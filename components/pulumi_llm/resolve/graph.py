"""The resolved parts of a platform: plain, frozen data. Each fact was looked up or worked out once. Sizes are GiB.

Each part keeps its ``spec``, whose names are the catalogue's own. What the spec leaves open stands beside it, settled.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pulumi_llm.catalog import CloudFacts, Region
    from pulumi_llm.catalog.abilities import Abilities
    from pulumi_llm.catalog.models import Model
    from pulumi_llm.preflight.placement import Placement
    from pulumi_llm.spec import PriceSpec, ProxySpec, ServerSpec, VectorsSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Where a machine stands: its cloud and region as the catalogue has them, its zone, type and price."""

    cloud: CloudFacts
    region: Region
    place: Placement


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreign:
    """The models of an overseas proxy that a model server serves too. A model without a price is not in ``prices``."""

    models: tuple[str, ...]
    prices: Mapping[str, PriceSpec]


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedServer:
    """A GPU host and the model on it.

    ``model`` is None where the catalogue does not know it; then ``context_length`` (tokens) and ``weights_gib`` may be
    None too. ``dtype`` is what vLLM is told. ``vectors``: Weaviate beside the model.
    """

    spec: ServerSpec
    site: Site
    model: Model | None
    abilities: Abilities
    dtype: str
    context_length: int | None
    weights_gib: float | None
    data_disk_gib: int
    port: int
    vectors: VectorsSpec | None
    foreign: Foreign | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedVectors:
    """Weaviate on a machine of its own."""

    spec: VectorsSpec
    site: Site
    data_disk_gib: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedProxy:
    """The overseas proxy. A model without a price is not in ``prices``."""

    spec: ProxySpec
    site: Site
    prices: Mapping[str, PriceSpec]
    data_disk_gib: int
    port: int
