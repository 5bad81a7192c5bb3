"""The overseas proxy, and the vendors behind it. Sizes are GiB."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, field_validator, model_validator

from pulumi_llm import catalog
from pulumi_llm._texts import _, listed
from pulumi_llm.roles import engines
from pulumi_llm.spec.content import ContentSpec, Word
from pulumi_llm.spec.domain import DomainSpec
from pulumi_llm.spec.fields import Count, Flag, Text, invalid, known
from pulumi_llm.spec.keys import Keys, KeySpec, Routes
from pulumi_llm.spec.network import NetworkSpec
from pulumi_llm.spec.origins import Origin
from pulumi_llm.spec.place import MachineSpec
from pulumi_llm.spec.traces import TracesSpec
from pulumi_llm.spec.upstreams import Upstreams, UpstreamSpec, regions_serving, unserved


class ProxySpec(MachineSpec):
    """The overseas proxy: a small machine in a region that the upstream vendors serve."""

    engine: Text = engines.NONE
    """What asks the vendors: ``llm-gate``, the gateway itself, or ``openai-forward`` behind it, for people who have it.
    Keys, limits and filters are the gateway's either way. See [proxy-engines.md](proxy-engines.md).

    zh: 由谁去访问各厂商：``llm-gate`` 即网关自己；``openai-forward`` 则放在网关之后，供已在使用它的人。
    密钥、限额和过滤都仍由网关负责，见 [proxy-engines.zh.md](proxy-engines.zh.md)。"""
    upstreams: Upstreams
    """The vendors and their models, by the vendor's name: {vendors}. A name of your own needs a ``vendor`` or a
    ``base_url``."""
    keys: Keys = Field(default_factory=lambda: {"default": KeySpec()})
    """The proxy's own keys. One more, ``server``, is made for the model server's gateway."""
    routes: Routes = Field(default_factory=dict)
    """More names that callers may ask for: aliases, weights, fallback."""
    cors_origins: tuple[Origin, ...] = ()
    """Web pages that may ask from a browser, such as ``https://chat.example.com``. Empty: none."""
    domain: DomainSpec | None = None
    """A name for the proxy's gateway, and a certificate for it: see ``domain``.

    zh: 代理网关的域名和证书，见 [``domain``](#domain)。"""
    traces: TracesSpec | None = None
    """Tell a collector of OpenTelemetry what each call was: see ``traces``. Left out: nobody is told.

    zh: 把每个请求的情况发给 OpenTelemetry 采集器，见 [``traces``](#traces)。不写则不发。"""
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

    @field_validator("engine")
    @classmethod
    def _engine_exists(cls, value: str) -> str:
        known(lambda: engines.check(value))
        return value

    @field_validator("traces")
    @classmethod
    def _has_no_engine(cls, value: TracesSpec | None) -> TracesSpec | None:
        if value is not None and value.engine:
            raise invalid(
                "spec.engine-traces", _("a proxy has no engine that could tell of its part"), _("leave engine out")
            )
        return value

    @field_validator("upstreams")
    @classmethod
    def _has_something_to_serve(cls, value: dict[str, UpstreamSpec]) -> dict[str, UpstreamSpec]:
        if not value:
            raise invalid(
                "spec.no-upstreams", _("a proxy without upstreams has nothing to serve"), _("openai, anthropic")
            )
        return value

    @model_validator(mode="after")
    def _region_is_served(self) -> Self:
        refused = unserved(self.cloud, self.region, self.upstreams)
        if refused:
            region = catalog.load().region(self.cloud, self.region)
            hint = regions_serving(self.cloud, self.upstreams)
            if region.in_china or region.in_hong_kong:
                where = _("mainland China") if region.in_china else _("Hong Kong")
                raise invalid(
                    "spec.proxy-region",
                    _(
                        "{region} is in {where}, which {unserved} do not serve (they check the address)",
                        region=self.region,
                        where=where,
                        unserved=listed(refused),
                    ),
                    hint,
                )
            raise invalid(
                "spec.proxy-region",
                _("{region} is not known to be served by {unserved}", region=self.region, unserved=listed(refused)),
                hint,
            )
        return self
