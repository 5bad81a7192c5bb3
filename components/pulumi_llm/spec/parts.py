"""The parts of a platform, as pydantic models. Sizes are GiB."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, ValidationInfo, field_validator, model_validator

from pulumi_llm import catalog
from pulumi_llm.errors import Refusal, UnknownName, among, nearest
from pulumi_llm.spec.content import ContentSpec
from pulumi_llm.spec.fields import (
    Cidr,
    Count,
    Day,
    Flag,
    Number,
    Part,
    Text,
    at_least_one,
    covers_world,
    invalid,
    known,
)
from pulumi_llm.texts import _, either, listed

VENDOR_SECRETS: Mapping[str, str] = {
    "openai": "openaiApiKey",
    "anthropic": "anthropicApiKey",
    "gemini": "geminiApiKey",
    "groq": "groqApiKey",
    "deepseek": "deepseekApiKey",
    "qwen": "qwenApiKey",
    "custom": "customApiKey",
}
"""The foreign vendors that the overseas proxy can serve, and the secret config key that holds each one's API key."""

HUB_SECRET = "hfToken"  # noqa: S105 - the name of a config key, not a secret
"""The secret config key that holds the model hub's token, needed for gated models only."""

FILED_PORTS = frozenset({80, 443, 8080, 8443})
"""Ports that a mainland host may not answer on without an ICP filing (commonly 8080 and 8443 too)."""

VECTORS_HTTPS_PORT = 18444
VECTORS_GRPC_PORT = 18445
"""Where Weaviate answers (REST, then gRPC), in the mainland and elsewhere: high ports that nobody filters."""


class KeySpec(Part):
    """What one gateway key may do. A limit that is left out does not exist."""

    models: tuple[Text, ...] = ()
    """Served models that the key may ask, by name or by a pattern with ``*``; empty means all of that gateway."""
    endpoints: tuple[Text, ...] = ()
    """Paths that the key may use, such as ``/v1/chat/completions``; empty means all."""
    requests_per_minute: Annotated[Count, Field(ge=1)] | None = 60
    tokens_per_minute: Annotated[Count, Field(ge=1)] | None = None
    max_concurrency: Annotated[Count, Field(ge=1)] | None = 8
    daily_budget_usd: Annotated[Number, Field(gt=0)] | None = None
    """USD per UTC day, at the upstream vendors' prices; models of one's own cost nothing here."""
    monthly_budget_usd: Annotated[Number, Field(gt=0)] | None = None
    daily_tokens: Annotated[Count, Field(ge=1)] | None = None
    monthly_tokens: Annotated[Count, Field(ge=1)] | None = None
    expires: Day | None = None
    """The last day (UTC) on which the key works."""
    source_cidrs: tuple[Cidr, ...] = ()
    """Where the key may be used from, within ``access.allowed_cidrs``; empty means all of them."""
    generation: Annotated[Count, Field(ge=1)] = 1
    """Raise it to have a new key made; the old one stays valid for 15 minutes after the change has been applied."""


def _key_names(keys: Mapping[str, KeySpec]) -> Mapping[str, KeySpec]:
    for name in keys:
        if not re.fullmatch(r"[a-z][a-z0-9-]{0,30}", name):
            raise invalid(
                "spec.bad-key-name",
                _("a gateway key cannot be called {name!r}", name=name),
                _("1 to 31 lower-case letters, digits and dashes, a letter first"),
            )
    if not keys:
        raise invalid("spec.no-keys", _("a gateway without keys would answer nobody"), "keys: {default: {}}")
    return keys


Keys = Annotated[dict[str, KeySpec], AfterValidator(_key_names)]


class NetworkSpec(Part):
    """The network: made with ``cidr``, or one that exists, by its ids."""

    cidr: Cidr = "10.60.0.0/16"
    vpc_id: Text | None = None
    subnet_id: Text | None = None

    @model_validator(mode="after")
    def _whole_or_none(self) -> Self:
        if (self.vpc_id is None) != (self.subnet_id is None):
            raise invalid(
                "spec.half-a-network",
                _("an existing network needs both vpc_id and subnet_id, and only one is given"),
                _("give both, or neither to have a network made"),
            )
        if self.vpc_id is None:
            network = ipaddress.IPv4Network(self.cidr)
            if not network.is_private or not 16 <= network.prefixlen <= 24:
                raise invalid(
                    "spec.bad-network-cidr",
                    _(
                        "a new network cannot be {cidr}: it must be a private range between /16 and /24",
                        cidr=self.cidr,
                    ),
                    "10.60.0.0/16",
                )
        return self

    @property
    def exists(self) -> bool:
        """Whether an existing network is named."""
        return self.vpc_id is not None

    @property
    def subnet_cidr(self) -> str:
        """The first /24 of the network."""
        return str(next(ipaddress.IPv4Network(self.cidr).subnets(new_prefix=24)))


class AccessSpec(Part):
    """Who may reach the machines. Nothing is open to the world unless ``public: true`` is written out, SSH never."""

    allowed_cidrs: Annotated[tuple[Cidr, ...], AfterValidator(at_least_one)]
    public: Flag = False
    ssh_cidrs: tuple[Cidr, ...] | None = None
    """From where SSH is allowed (the machine that runs Pulumi must be among them); default: ``allowed_cidrs``."""
    https_port: Annotated[Count, Field(ge=1, le=65535)] | None = None
    """Default: 443; 18443 in mainland China, where 80, 443 and 8080 need an ICP filing."""

    @field_validator("https_port")
    @classmethod
    def _port_is_free(cls, value: int | None) -> int | None:
        taken = {22: "SSH", VECTORS_HTTPS_PORT: "Weaviate", VECTORS_GRPC_PORT: "Weaviate"}
        if value in taken:
            raise invalid(
                "spec.port-taken",
                _("port {value} is {taken}'s", value=value, taken=taken[value]),
                _("443, or 18443 in the mainland"),
            )
        return value

    @model_validator(mode="after")
    def _closed_by_default(self) -> Self:
        world = covers_world(self.allowed_cidrs)
        if world and not self.public:
            raise invalid(
                "spec.open-to-world",
                _("allowed_cidrs covers {world}, which is as good as the whole internet", world=world),
                _("your own ranges; or `public: true` beside it, if it is meant to be public"),
            )
        ssh_world = covers_world(self.ssh())
        if ssh_world:
            raise invalid(
                "spec.ssh-open-to-world",
                _(
                    "SSH would be open to {ssh_world}; that is always refused, with or without `public`",
                    ssh_world=ssh_world,
                ),
                _("ssh_cidrs: [the address of the machine that runs Pulumi, as a /32]"),
            )
        return self

    def ssh(self) -> tuple[str, ...]:
        """The ranges that SSH is open to."""
        return self.allowed_cidrs if self.ssh_cidrs is None else self.ssh_cidrs

    def port(self, *, in_china: bool) -> int:
        """The gateway's HTTPS port for a host in mainland China, or elsewhere."""
        return self.https_port or (18443 if in_china else 443)


class PlaceSpec(Part):
    """One region of one cloud, and perhaps a zone of it."""

    cloud: Text
    region: Text
    zone: Text | None = None

    @field_validator("cloud")
    @classmethod
    def _cloud_exists(cls, value: str) -> str:
        clouds = catalog.load().clouds
        if value not in clouds:
            hint = among(value, sorted(clouds))
            raise invalid("spec.unknown-cloud", _("there is no cloud called {value!r}", value=value), hint)
        return value

    @field_validator("region")
    @classmethod
    def _region_exists(cls, value: str, info: ValidationInfo) -> str:
        cloud = info.data.get("cloud")
        if cloud is not None:
            known(lambda: catalog.load().region(cloud, value))
        return value

    @field_validator("zone")
    @classmethod
    def _zone_is_of_the_region(cls, value: str | None, info: ValidationInfo) -> str | None:
        region = info.data.get("region")
        if value is not None and region is not None and not value.startswith(region):
            raise invalid(
                "spec.zone-of-other-region", _("zone {value!r} is not in region {region!r}", value=value, region=region)
            )
        return value


def _image_of(cloud: str | None, image_id: str | None) -> None:
    """Refuse an image id that is none of that cloud's: a name, say, or the id of another cloud."""
    facts = catalog.load().clouds.get(cloud or "")
    if facts is not None and image_id is not None and not re.fullmatch(facts.image_id, image_id):
        raise invalid(
            "spec.bad-image-id",
            _("{image_id!r} is not the id of an image on {title}", image_id=image_id, title=facts.title),
            _("an id of the form {image_id}, of an Ubuntu 24.04 with cloud-init", image_id=facts.image_id),
        )


class MachineSpec(PlaceSpec):
    """A machine's place, and what it starts from."""

    image_id: Text | None = None
    """An image of one's own (Ubuntu 24.04 with cloud-init); default: the cloud's newest. As every image it is taken at
    launch, and by a machine that runs with ``renew`` only."""

    @field_validator("image_id")
    @classmethod
    def _image_is_an_id(cls, value: str | None, info: ValidationInfo) -> str | None:
        _image_of(info.data.get("cloud"), value)
        return value


class RouteSpec(Part):
    """A name that callers may ask for, and the served models that answer for it."""

    models: Annotated[dict[str, Annotated[Number, Field(gt=0)]], Field(min_length=1)]
    """Served model to its share of the requests."""
    fallback: tuple[Text, ...] = ()
    """Served models to ask, in order, where none of those begins to answer."""

    @property
    def all(self) -> tuple[str, ...]:
        """Every model that the route names."""
        return (*self.models, *self.fallback)


Routes = dict[str, RouteSpec]


class ServerSpec(MachineSpec):
    """The GPU host and the model on it."""

    gpu: Text
    gpu_count: Annotated[Count, Field(ge=1, le=8)] = 1
    instance_type: Text | None = None
    """Only to choose among several types with the same GPU; by default the cheapest one is taken."""
    model: Text
    """By its id at Hugging Face or ModelScope; of a model that the catalogue has, in any case, or by its last part."""
    modelscope_id: Text | None = None
    revision: Text | None = None
    served_name: Text | None = None
    quantization: Literal["awq", "gptq", "fp8", "mxfp4"] | None = None
    dtype: Literal["auto", "half", "bfloat16"] = "auto"
    context_length: Annotated[Count, Field(ge=128)] | None = None
    """Tokens of prompt and answer together; default: what the model was trained for, capped at 8192."""
    gpu_memory_utilization: Annotated[Number, Field(gt=0.1, le=0.98)] = 0.9
    max_num_seqs: Annotated[Count, Field(ge=1, le=4096)] | None = None
    kv_cache_dtype: Literal["auto", "fp8"] = "auto"
    trust_remote_code: Flag = False
    extra_args: tuple[Text, ...] = ()
    """More flags for ``vllm serve``, as they are."""
    system_disk_gib: Annotated[Count, Field(ge=40, le=500)] = 80
    model_disk_gib: Annotated[Count, Field(ge=20, le=16000)] | None = None
    """The encrypted data disk for weights, keys and vectors; default: by the size of the weights."""
    spot: Flag = False
    renew: Flag = False
    """Take the newest image and the newest boot instructions at the next ``up``. A newer image replaces the machine on
    AWS and reinstalls its system disk on Aliyun and Tencent Cloud; other boot instructions replace the machine on all
    three. The model disk stays. Set it back to false afterwards."""
    keys: Keys = Field(default_factory=lambda: {"default": KeySpec()})
    routes: Routes = Field(default_factory=dict)
    blocked_words: tuple[Text, ...] = ()
    content: ContentSpec | None = None
    ready_timeout_minutes: Annotated[Count, Field(ge=5, le=480)] = 90
    override: tuple[Text, ...] = ()
    """Codes of the fit check's findings to go on in spite of; each is still shown, as a warning."""

    @field_validator("gpu")
    @classmethod
    def _gpu_exists(cls, value: str) -> str:
        known(lambda: catalog.load().gpu(value))
        return catalog.load().gpu(value).name

    @field_validator("model")
    @classmethod
    def _model_is_an_id(cls, value: str) -> str:
        """The catalogue's own id of the model, however it was written: nothing after this looks a name up again."""
        data = catalog.load()
        try:
            return data.model(value).id
        except UnknownName:
            pass  # another model, which the fit check has something to say about
        except Refusal:
            known(lambda: data.model(value))
        # The id is written into files on the node, so it may hold nothing but what hub ids hold.
        if not re.fullmatch(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", value):
            near = nearest(value, data.models)
            hint = (
                _("did you mean {names}?", names=either(near)) if near else _("an id such as Qwen/Qwen2.5-7B-Instruct")
            )
            raise invalid("spec.bad-model-id", _("{value!r} is not a model id (organisation/name)", value=value), hint)
        return value

    @property
    def name_served(self) -> str:
        """What clients call the model."""
        return self.served_name or self.model.rsplit("/", 1)[-1]


class VectorsSpec(Part):
    """Weaviate: on the model server's host, or on a machine of its own."""

    placement: Literal["server", "own"] = "server"
    memory_gib: Annotated[Count, Field(ge=1, le=512)] = 4
    disk_gib: Annotated[Count, Field(ge=10, le=16000)] = 40
    """Room for vectors on the model server's data disk; with a machine of its own, that machine's data disk."""
    instance_type: Text | None = None
    """Only with ``placement: own``, as are all keys after it; default: the cheapest type with memory enough."""
    system_disk_gib: Annotated[Count, Field(ge=40, le=500)] = 40
    renew: Flag = False
    """As the model server's ``renew``, for Weaviate's own machine."""
    ready_timeout_minutes: Annotated[Count, Field(ge=5, le=480)] = 30

    image_id: Text | None = None
    """As the server's, for that machine."""

    @model_validator(mode="after")
    def _has_a_machine_of_its_own(self) -> Self:
        alone = ("instance_type", "system_disk_gib", "renew", "ready_timeout_minutes", "image_id")
        given = [name for name in alone if name in self.model_fields_set]
        if self.placement == "server" and given:
            raise invalid(
                "spec.vectors-on-the-server",
                _(
                    "{given}: for Weaviate on a machine of its own, and it is to run on the model server's",
                    given=listed(given),
                ),
                _("placement: own, or the same key under `server`"),
            )
        return self


class PriceSpec(Part):
    """What a model's vendor charges, USD per million tokens."""

    input: Annotated[Number, Field(ge=0)]
    output: Annotated[Number, Field(ge=0)] = 0


class UpstreamSpec(Part):
    """A vendor's models that the proxy may be asked for."""

    models: Annotated[tuple[Text, ...], Field(min_length=1)]
    base_url: Text | None = None
    """Where it answers, up to ``/v1``. Required for ``custom``; for a vendor only where it is another than usual."""
    prices: dict[str, PriceSpec] = Field(default_factory=dict)
    """Prices by model, for budgets in USD: what the catalogue does not know, or what you pay instead."""

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
    keys: Keys = Field(default_factory=lambda: {"default": KeySpec()})
    routes: Routes = Field(default_factory=dict)
    blocked_words: tuple[Text, ...] = ()
    content: ContentSpec | None = None
    network: NetworkSpec = Field(default_factory=lambda: NetworkSpec(cidr="10.61.0.0/16"))
    instance_type: Text | None = None
    system_disk_gib: Annotated[Count, Field(ge=40, le=500)] = 40
    disk_gib: Annotated[Count, Field(ge=10, le=1000)] = 20
    renew: Flag = False
    ready_timeout_minutes: Annotated[Count, Field(ge=5, le=480)] = 30

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


def _tag_names(tags: Mapping[str, str]) -> Mapping[str, str]:
    for key, value in tags.items():
        if not re.fullmatch(r"[A-Za-z][\w.:/-]{0,62}", key) or not re.fullmatch(r"[\w .:/=+@-]{0,120}", value):
            raise invalid(
                "spec.bad-tag",
                _("the tag {key!r}: {value!r} is not one that all three clouds accept", key=key, value=value),
                _("letters, digits and . : / - _ ; a letter first"),
            )
        if key.lower().startswith(("aws:", "acs:", "aliyun", "qcs:", "project")) or "http" in key.lower():
            raise invalid("spec.bad-tag", _("the tag key {key!r} is reserved by a cloud", key=key), _("another key"))
    return tags


Tags = Annotated[dict[str, str], AfterValidator(_tag_names)]


class TagsSpec(Part):
    """The tags of a component: for everything at the cloud that takes some."""

    tags: Tags = Field(default_factory=dict)


class PlatformSpec(Part):
    """A whole platform: what ``stacks/Pulumi.<stack>.yaml`` holds under ``platform``."""

    server: ServerSpec
    access: AccessSpec
    vectors: VectorsSpec | None = None
    proxy: ProxySpec | None = None
    network: NetworkSpec = Field(default_factory=NetworkSpec)
    protect: Flag | None = None
    """Whether the data disks are kept from whatever would delete or replace them; None: not decided, so not."""
    tags: Tags = Field(default_factory=dict)

    @model_validator(mode="after")
    def _image_is_of_the_cloud(self) -> Self:
        if self.vectors is not None and self.vectors.image_id is not None:
            _image_of(self.server.cloud, self.vectors.image_id)
        return self

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        for place in (self.server, self.proxy):
            if place is None or self.access.https_port is None:
                continue
            if catalog.load().region(place.cloud, place.region).in_china and self.access.https_port in FILED_PORTS:
                raise invalid(
                    "spec.port-needs-filing",
                    _(
                        "port {https_port} needs an ICP filing on a host in {region}",
                        https_port=self.access.https_port,
                        region=place.region,
                    ),
                    _("leave https_port out (18443 is taken), or a high port"),
                )
        ours = [self.server.name_served]
        theirs = [model for each in (self.proxy.upstreams.values() if self.proxy else ()) for model in each.models]
        twice = {model for model in [*ours, *theirs] if [*ours, *theirs].count(model) > 1}
        if twice:
            raise invalid(
                "spec.model-twice",
                _("two models are served by the name {twice!r}", twice=sorted(twice)[0]),
                "served_name",
            )
        for where, keys, routes, models in (
            ("server", self.server.keys, self.server.routes, [*ours, *theirs]),
            ("proxy", self._proxy_keys(), self.proxy.routes if self.proxy else {}, theirs),
        ):
            for name, route in routes.items():
                for model in route.all:
                    if model not in models:
                        raise invalid(
                            "spec.route-to-unserved-model",
                            _(
                                "the {where}'s route {name!r} names {model!r}, which that gateway does not serve",
                                where=where,
                                name=name,
                                model=model,
                            ),
                            among(model, models),
                        )
            served = [*models, *routes]
            for name, key in keys.items():
                for model in key.models:
                    if not any(fnmatchcase(each, model) for each in served):
                        raise invalid(
                            "spec.key-of-unserved-model",
                            _(
                                "the {where}'s key {name!r} names {model!r}, which that gateway does not serve",
                                where=where,
                                name=name,
                                model=model,
                            ),
                            among(model, served),
                        )
        return self

    def _proxy_keys(self) -> Mapping[str, KeySpec]:
        return self.proxy.keys if self.proxy else {}
