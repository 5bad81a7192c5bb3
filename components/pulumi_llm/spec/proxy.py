"""The overseas proxy, and the vendors behind it. Sizes are GiB."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated, Self

from pydantic import Field, field_validator, model_validator

from pulumi_llm import catalog
from pulumi_llm._texts import _, listed
from pulumi_llm.errors import among
from pulumi_llm.spec.content import ContentSpec, Word
from pulumi_llm.spec.fields import Count, Flag, Number, Part, Text, invalid
from pulumi_llm.spec.keys import Keys, KeySpec, Routes
from pulumi_llm.spec.network import NetworkSpec
from pulumi_llm.spec.origins import Origin
from pulumi_llm.spec.place import MachineSpec
from pulumi_llm.spec.vendors import VENDOR_SECRETS


class PriceSpec(Part):
    """What a model's vendor charges, USD per million tokens."""

    input: Annotated[Number, Field(ge=0)]
    """USD per million tokens of prompts."""
    output: Annotated[Number, Field(ge=0)] = 0
    """USD per million tokens of answers."""


class UpstreamSpec(Part):
    """A vendor's models that the proxy may be asked for."""

    models: Annotated[tuple[Text, ...], Field(min_length=1)]
    """The vendor's model names, at least one, such as ``gpt-6-luna``."""
    base_url: Text | None = None
    """Where it answers, up to ``/v1``. Required for ``custom``, any server that speaks the OpenAI protocol."""
    prices: dict[str, PriceSpec] = Field(default_factory=dict)
    """By model, where the catalogue has no price or you pay another one. Needed only for budgets in USD."""

    @field_validator("base_url")
    @classmethod
    def _is_an_address(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"https://[A-Za-z0-9.-]+(:\d{1,5})?(/[\w./-]*)?", value):
            raise invalid(
                "spec.bad-url",
                _("{value!r} is not an https:// address without user, query or fragment", value=value),
                "https://models.example.com/v1",
            )
        return value.rstrip("/") if value else value

    @model_validator(mode="after")
    def _prices_are_of_its_models(self) -> Self:
        for model in self.prices:
            if model not in self.models:
                raise invalid(
                    "spec.price-of-unserved-model",
                    _("there is a price for {model!r}, which is not among this upstream's models", model=model),
                    among(model, self.models),
                )
        return self


class ProxySpec(MachineSpec):
    """The overseas proxy: a small machine in a region that the upstream vendors serve."""

    upstreams: dict[str, UpstreamSpec]
    """The vendors and their models, by the vendor's name: {vendors}."""
    keys: Keys = Field(default_factory=lambda: {"default": KeySpec()})
    """The proxy's own keys. One more, ``server``, is made for the model server's gateway."""
    routes: Routes = Field(default_factory=dict)
    """More names that callers may ask for: aliases, weights, fallback."""
    cors_origins: tuple[Origin, ...] = ()
    """Web pages that may ask from a browser, such as ``https://chat.example.com``. Empty: none."""
    blocked_words: tuple[Word, ...] = ()
    """Requests and answers that hold one of these are refused."""
    content: ContentSpec | None = None
    """Word lists and moderators: see ``content``."""
    network: NetworkSpec = Field(default_factory=lambda: NetworkSpec(cidr="10.61.0.0/16"))
    """The proxy's own network: the keys of ``network``."""
    instance_type: Text | None = None
    """Left out: the cheapest with 2 vCPU and 2 GiB."""
    system_disk_gib: Annotated[Count, Field(ge=40, le=500)] = 40
    """GiB. System and gateway."""
    disk_gib: Annotated[Count, Field(ge=10, le=1000)] = 20
    """GiB. The encrypted data disk, which holds the keys."""
    renew: Flag = False
    """As for the server: see ``renew``."""
    ready_timeout_minutes: Annotated[Count, Field(ge=5, le=480)] = 30
    """Minutes that ``up`` waits for the node."""

    @field_validator("upstreams")
    @classmethod
    def _vendors_areknown(cls, value: dict[str, UpstreamSpec]) -> dict[str, UpstreamSpec]:
        if not value:
            raise invalid(
                "spec.no-upstreams", _("a proxy without upstreams has nothing to serve"), _("openai, anthropic")
            )
        for vendor in value:
            if vendor not in VENDOR_SECRETS:
                raise invalid(
                    "spec.unknown-vendor",
                    _("there is no upstream vendor {vendor!r}", vendor=vendor),
                    among(vendor, VENDOR_SECRETS),
                )
        if "custom" in value and value["custom"].base_url is None:
            raise invalid(
                "spec.upstream-without-url",
                _("the upstream 'custom' needs its address"),
                "base_url: https://models.example.com/v1",
            )
        return value

    @model_validator(mode="after")
    def _region_is_served(self) -> Self:
        region = catalog.load().region(self.cloud, self.region)
        if region.in_china or region.in_hong_kong:
            where = _("mainland China") if region.in_china else _("Hong Kong")
            raise invalid(
                "spec.proxy-region",
                _(
                    "{region} is in {where}, which the upstream vendors do not serve (they check the address)",
                    region=self.region,
                    where=where,
                ),
                _regions_serving(self.cloud, self.upstreams),
            )
        unserved = sorted(vendor for vendor in self.upstreams if vendor not in region.serves)
        if unserved:
            raise invalid(
                "spec.proxy-region",
                _("{region} is not known to be served by {unserved}", region=self.region, unserved=listed(unserved)),
                _regions_serving(self.cloud, self.upstreams),
            )
        return self


def _regions_serving(cloud: str, vendors: Iterable[str]) -> str:
    wanted = set(vendors)
    names = [
        region.name
        for region in catalog.load().regions.values()
        if region.cloud == cloud and not region.in_china and not region.in_hong_kong and wanted <= set(region.serves)
    ]
    return _("a region that they serve: {names}", names=listed(sorted(names)[:8])) if names else _("another cloud")
