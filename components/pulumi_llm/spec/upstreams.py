"""Upstreams: vendors' and other servers' models that a gateway calls with keys of its own."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection, Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    Field,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from pulumi_llm import catalog
from pulumi_llm._addresses import host_of, without_secrets
from pulumi_llm._texts import _, listed
from pulumi_llm.errors import among
from pulumi_llm.spec.fields import Flag, Number, Part, Text, invalid
from pulumi_llm.spec.vendors import KINDS, NAME, RESERVED, VENDORS

ADDRESS = re.compile(r"https?://[A-Za-z0-9.-]+(:\d{1,5})?(/[\w./-]*)?")
PRIVATE = tuple(map(ipaddress.IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")))
"""What nobody has on the internet (RFC 1918). Not 100.64.0.0/10: clouds have services of their own there."""
METADATA = frozenset(
    {
        *("100.100.100.200", "metadata.tencentyun.com"),
        *("instance-data", "instance-data.ec2.internal", "metadata.google.internal"),
    }
)
"""Where a cloud tells a machine about itself, besides 169.254.0.0/16: Aliyun, Tencent Cloud, AWS and Google."""


CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----\n([A-Za-z0-9+/=\n]+)\n-----END CERTIFICATE-----")


def _pem(value: str) -> str:
    text = value.strip().replace("\r\n", "\n")
    bodies = CERTIFICATE.findall(text)
    # A certificate is a SEQUENCE with a length of two bytes, so its first byte is 0x30 and its second 0x82.
    if not bodies or CERTIFICATE.sub("", text).strip() or not all(each.startswith("MII") for each in bodies):
        raise invalid(
            "spec.bad-authority",
            _("it is no certificate in PEM, or there is something else with it"),
            "-----BEGIN CERTIFICATE----- …",
        )
    return text + "\n"


Pem = Annotated[str, AfterValidator(_pem), Field(max_length=32768)]
"""One certificate or several, as text."""


class PriceSpec(Part):
    """What a model's vendor charges, USD per million tokens."""

    input: Annotated[Number, Field(ge=0)]
    """USD per million tokens of prompts."""
    output: Annotated[Number, Field(ge=0)] | None = None
    """USD per million tokens of answers. Left out, it is not known: 0 for a model that answers with no text."""

    @model_serializer(mode="wrap")
    def _without_what_is_not_known(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {key: value for key, value in plain(self).items() if value is not None}


class UpstreamSpec(Part):
    """A vendor's or another server's models that a gateway may be asked for."""

    models: Annotated[tuple[Text, ...], Field(min_length=1)]
    """The vendor's model names, at least one, such as ``gpt-6-luna``."""
    vendor: Text | None = None
    """Whose server it is, where the upstream has a name of its own: {kinds}. Left out: the vendor of that name, or
    ``custom``, any server that speaks the OpenAI protocol."""
    base_url: Text | None = None
    """Where it answers, up to ``/v1``. Required where the vendor has no address of its own: ``custom``, ``vllm``,
    ``pai-eas``, ``hai``. ``http://`` for private addresses only."""
    served_names: dict[str, Text] = Field(default_factory=dict)
    """By model: what callers ask for, where that is another name, such as one that two vendors do not share."""
    certificate_authority: Pem | None = None
    """The authority (PEM) that signed its certificate, where that is one of its own: for another model server of yours,
    the output ``certificate_authority``."""
    keyless: Flag = False
    """It asks for no key. At private addresses only."""
    prices: dict[str, PriceSpec] = Field(default_factory=dict)
    """By model, where the catalogue has no price or you pay another one. Needed only for budgets in USD."""

    @field_validator("base_url")
    @classmethod
    def _is_an_address(cls, value: str | None) -> str | None:
        return address(value, "https://models.example.com/v1") if value is not None else None

    @model_validator(mode="after")
    def _names_are_of_its_models(self) -> Self:
        for model in self.prices:
            if model not in self.models:
                raise invalid(
                    "spec.price-of-unserved-model",
                    _("there is a price for {model!r}, which is not among this upstream's models", model=model),
                    among(model, self.models),
                )
        for model in self.served_names:
            if model not in self.models:
                raise invalid(
                    "spec.name-of-unserved-model",
                    _("there is a name for {model!r}, which is not among this upstream's models", model=model),
                    among(model, self.models),
                )
        return self

    @model_serializer(mode="wrap")
    def _without_what_nobody_asked(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # It is recorded among a component's inputs, and those of stacks that exist stay as they are.
        return {
            key: value
            for key, value in plain(self).items()
            if key not in ("vendor", "served_names", "certificate_authority", "keyless") or value
        }

    @property
    def served(self) -> dict[str, str]:
        """What callers ask for, and the vendor's own name of each."""
        return {self.served_names.get(model, model): model for model in self.models}


def vendor_of(name: str, upstream: UpstreamSpec) -> str:
    """The vendor of the upstream called ``name``: a row of the catalogue."""
    return name if name in VENDORS else upstream.vendor or "custom"


def url_of(name: str, upstream: UpstreamSpec, country: str) -> str:
    """Where an upstream answers callers in a country, up to where ``/v1`` does."""
    return upstream.base_url or catalog.load().upstreams[vendor_of(name, upstream)].url(country) or ""


def needs_key(upstream: object) -> bool:
    """Whether an upstream, raw or parsed, is asked with a key."""
    keyless = upstream.get("keyless") if isinstance(upstream, Mapping) else getattr(upstream, "keyless", False)
    return keyless is not True


def served_by(upstreams: Mapping[str, UpstreamSpec]) -> list[str]:
    """What callers may ask all of these for: one name a model, also where two are the same."""
    ordered = [upstreams[name] for name in sorted(upstreams)]
    return [each.served_names.get(model, model) for each in ordered for model in each.models]


def regions_serving(cloud: str, upstreams: Mapping[str, UpstreamSpec]) -> str:
    """The advice for upstreams that do not serve a region: the regions of the cloud that all of them serve."""
    wanted = {vendor_of(name, each) for name, each in upstreams.items()}
    regions = [row for row in catalog.load().regions.values() if row.cloud == cloud and wanted <= set(row.serves)]
    names = listed(sorted(row.name for row in regions)[:8])
    return _("a region that they serve: {names}", names=names) if regions else _("another cloud")


def unserved(cloud: str, region: str, upstreams: Mapping[str, UpstreamSpec]) -> list[str]:
    """The upstreams whose vendors do not serve callers in a region, or are not known to."""
    if not upstreams:
        return []
    serves = catalog.load().region(cloud, region).serves
    return sorted(name for name, each in upstreams.items() if vendor_of(name, each) not in serves)


def refuse_twice(names: Iterable[str], hint: str, further: Collection[str] = ()) -> None:
    """Refuse two models that callers would ask for by the same name; ``further``: those that have no other name."""
    names = list(names)
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        if twice[0] in further:
            hint = _("another name for it under models or adapters")
        raise invalid("spec.model-twice", _("two models are served by the name {twice!r}", twice=twice[0]), hint)


def _checked(upstreams: dict[str, UpstreamSpec]) -> dict[str, UpstreamSpec]:
    for name, each in upstreams.items():
        _check(name, each)
    refuse_twice(served_by(upstreams), "served_names")
    return upstreams


def _check(name: str, each: UpstreamSpec) -> None:
    if name in RESERVED or len(name) > 31 or not NAME.fullmatch(name):
        hint = _("small letters, digits and dashes, a letter first and behind each dash, at most 31 in all")
        if name in KINDS:
            hint = _("another name, and vendor: {vendor} below it", vendor=name)
        raise invalid("spec.bad-upstream-name", _("an upstream cannot be called {name!r}", name=name), hint)
    if name in VENDORS and each.vendor not in (None, name):
        raise invalid(
            "spec.bad-upstream-name",
            _("{name!r} is a vendor's name, and it is given the vendor {vendor!r}", name=name, vendor=each.vendor),
            _("another name, such as {name}", name=f"{each.vendor}-2"),
        )
    if name not in VENDORS and each.vendor is not None and each.vendor not in KINDS:
        raise invalid(
            "spec.unknown-vendor",
            _("there is no upstream vendor {vendor!r}", vendor=each.vendor),
            among(each.vendor, KINDS),
        )
    if name not in VENDORS and each.vendor is None and each.base_url is None:
        raise invalid(
            "spec.unknown-vendor",
            _("there is no upstream vendor {vendor!r}, and no base_url of a server of your own is given", vendor=name),
            among(name, VENDORS),
        )
    row = catalog.load().upstreams[vendor_of(name, each)]
    if each.base_url is None and not row.urls:
        raise invalid(
            "spec.upstream-without-url",
            _("the upstream {name!r} needs its address", name=name),
            "base_url: https://models.example.com/v1",
        )
    private = each.base_url is not None and _is_private(_host(each.base_url), row.private_hosts)
    if each.base_url is not None and is_in_the_open(each.base_url, row.private_hosts):
        raise invalid(
            "spec.bad-url",
            _("{value!r} is http:// on the open internet: prompts and the key could be read", value=each.base_url),
            f"https://{each.base_url.removeprefix('http://')}",
        )
    if each.certificate_authority is not None and not (each.base_url or "").startswith("https://"):
        raise invalid(
            "spec.bad-authority",
            _(
                "the upstream {name!r} has an authority, and no https:// address of its own to hold it against",
                name=name,
            ),
            "base_url: https://203.0.113.9/v1",
        )
    if each.keyless and not private:
        raise invalid(
            "spec.keyless-upstream",
            _("the upstream {name!r} is keyless, and its address is not a private one", name=name),
            _("a key; or an address such as http://10.0.0.8:8000/v1"),
        )


def address(value: str, example: str) -> str:
    """An address that a gateway may ask, as it is kept. Raises an error of the field for any other."""
    if not (ADDRESS.fullmatch(value) and host_of(value, "https", "http")):
        raise invalid(
            "spec.bad-url",
            _("{value!r} is not an https:// address without user, query or fragment", value=without_secrets(value)),
            example,
        )
    if _is_its_own(_host(value)):
        raise invalid(
            "spec.bad-url", _("{value!r} is the machine itself, or what its cloud tells it alone", value=value), example
        )
    return value.rstrip("/")


def is_in_the_open(value: str, patterns: Iterable[str] = ()) -> bool:
    """Whether what goes to an address can be read on the internet. ``patterns``: names within a cloud's network."""
    return value.startswith("http://") and not _is_private(_host(value), patterns)


def _host(url: str) -> str:
    return (urlsplit(url).hostname or "").rstrip(".").lower()


def _is_its_own(host: str) -> bool:
    """Whether a host is the machine itself or its cloud's metadata, where a request of its gateway has no business."""
    if host in METADATA or host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ipaddress.IPv4Address(host)
    except ValueError:
        # Numbers that are no address as it is usually written are one to those who look them up, and hide which.
        return bool(re.fullmatch(r"(0x[0-9a-f]+|\d+)(\.(0x[0-9a-f]+|\d+))*", host))
    return address.is_loopback or address.is_link_local or address.is_unspecified or address.is_multicast


def _is_private(host: str, patterns: Iterable[str]) -> bool:
    """Whether a host is reached within a private network only; a name is where its top level is, or its vendor says."""
    try:
        address = ipaddress.IPv4Address(host)
    except ValueError:
        return host.endswith(".internal") or any(fnmatchcase(host, pattern) for pattern in patterns)
    return any(address in network for network in PRIVATE)


Upstreams = Annotated[dict[str, UpstreamSpec], AfterValidator(_checked)]
"""Upstreams by name."""
