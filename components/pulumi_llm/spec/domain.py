"""A name for a gateway, and who signs the certificate for it."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, field_validator, model_validator

from pulumi_llm import catalog
from pulumi_llm._texts import _, either
from pulumi_llm.clouds.capabilities import Capability
from pulumi_llm.errors import Finding, among
from pulumi_llm.roles import role
from pulumi_llm.roles.caddy import CHALLENGE_PORTS
from pulumi_llm.spec.access import AccessSpec
from pulumi_llm.spec.fields import Email, Flag, Part, Text, invalid

_LABEL = r"(?!-)[a-z0-9-]{1,63}(?<!-)"
_NAME = re.compile(rf"(?:{_LABEL}\.)+(?!\d+$){_LABEL}")
"""A host's name as DNS has it (RFC 1123, section 2.1): letters, digits and dashes, and not an address."""
LONGEST = 253
"""Characters of a name (RFC 1035, section 2.3.4, less the length bytes at both ends)."""


def _dns_name(value: str) -> str:
    name = value.lower().removesuffix(".")
    if len(name) > LONGEST or not _NAME.fullmatch(name):
        raise invalid(
            "spec.bad-domain",
            _("{value!r} is not the name of a host", value=value),
            _("llm.example.com; one in other letters as DNS has it (xn--…); no scheme, port, path or asterisk"),
        )
    return name


DnsName = Annotated[Text, AfterValidator(_dns_name)]


class AcmeSpec(Part):
    """An authority that signs by itself, once it has seen that the name leads to the host (ACME, RFC 8555)."""

    email: Email
    """Whom the authority writes to about the certificate.

    zh: 签发机构就证书联系谁。"""
    directory: Text = "letsencrypt"
    """The authority: ``letsencrypt``, ``letsencrypt-staging`` (for trials: no browser trusts it), or the URL of the
    directory of another one.

    zh: 签发机构：``letsencrypt``、``letsencrypt-staging``（试用，浏览器不信任），或其他机构的目录 URL。"""
    challenge: Literal["http", "tls-alpn"] = "http"
    """How it sees that: ``http`` asks port 80, which is opened to the world for that alone; ``tls-alpn`` asks port 443,
    which has to be open to the world.

    zh: 验证方式：``http`` 访问 80 端口，该端口只为此向全网开放；``tls-alpn`` 访问 443 端口，它必须对全网开放。"""

    @field_validator("challenge", mode="before")
    @classmethod
    def _challenge_can_be_answered(cls, value: object) -> object:
        if value in ("dns", "dns-01"):
            raise invalid(
                "spec.challenge-dns",
                _(
                    "a challenge by DNS needs a Caddy with a module for the vendor of the DNS, and nodes run Ubuntu's "
                    "or Debian's Caddy 2.6, which has none"
                ),
                _(
                    "challenge: http, which opens port 80 for that alone; or leave acme out: our own authority signs "
                    "for the name"
                ),
            )
        return value

    @field_validator("directory")
    @classmethod
    def _directory_is_known(cls, value: str) -> str:
        known = directories()
        if value in known:
            return value
        url = urlsplit(value)
        if url.scheme != "https" or not url.hostname or url.username or not re.fullmatch(r"[!#-\[\]-_a-z|~]+", value):
            raise invalid(
                "spec.bad-acme-directory",
                _("{value!r} is neither an authority that is known here nor the https URL of a directory", value=value),
                among(value, sorted(known)),
            )
        return value

    @property
    def url(self) -> str:
        """The directory's URL."""
        return directories().get(self.directory, self.directory)

    @property
    def port(self) -> int:
        """The port at which the authority asks."""
        return CHALLENGE_PORTS[self.challenge]


class RecordSpec(Part):
    """The record in DNS that leads to the host, made and kept by Pulumi."""

    cloud: Text
    """Whose DNS: ``aliyun`` (Alidns), ``tencent`` (DNSPod), ``aws`` (Route 53), ``digitalocean`` or ``vultr``.
    It may be another cloud than the machine's.

    zh: 用谁的 DNS：``aliyun``（云解析）、``tencent``（DNSPod）、``aws``（Route 53）、``digitalocean`` 或 ``vultr``。
    可以和机器不在同一家云。"""
    zone: DnsName
    """The domain that is kept there, such as ``example.com``.

    zh: 在那里托管的域名，如 ``example.com``。"""
    zone_id: Text | None = None
    """The hosted zone's id, which Route 53 asks for.

    zh: 托管区域的 ID，Route 53 需要它。"""

    @field_validator("cloud")
    @classmethod
    def _cloud_keeps_names(cls, value: str) -> str:
        clouds = catalog.load().clouds
        able = sorted(name for name, each in clouds.items() if Capability.DNS in each.can)
        if value not in able:
            raise invalid("spec.no-dns", _("{value!r} keeps no names for us", value=value), either(able))
        return value

    @model_validator(mode="after")
    def _zone_is_found(self) -> Self:
        wants = self.cloud == "aws"
        if wants != (self.zone_id is not None):
            raise invalid(
                "spec.record-zone-id",
                _("a record at {cloud} needs the hosted zone's id", cloud=self.cloud)
                if wants
                else _("{cloud} knows a zone by its name, and has no zone_id", cloud=self.cloud),
                _("zone_id: Z0123456789ABCDEFGHIJ, as Route 53 shows it") if wants else _("leave zone_id out"),
            )
        return self


class DomainSpec(Part):
    """The name by which a gateway is called instead of its address."""

    name: DnsName
    """The name, such as ``llm.example.com``. The outputs use it.

    zh: 名字，如 ``llm.example.com``。输出里的地址用它。"""
    acme: AcmeSpec | None = None
    """Have the certificate signed by an authority that browsers trust, and renewed: see ``acme``. Left out: our own
    authority signs it, as it does for the address.

    zh: 由浏览器信任的机构签发并自动续期，见 [``acme``](#acme)。不写则由我们自己的机构签发，和按地址访问时一样。"""
    record: RecordSpec | None = None
    """Have Pulumi make the record in DNS: see ``record``. Left out: you make it, with the output ``address``.

    zh: 由 Pulumi 建立 DNS 记录，见 [``record``](#record)。不写则自己按输出 ``address`` 建立。"""
    filed: Flag = False
    """Say that the name has an ICP filing with the machine's cloud. Only mainland hosts need one.

    zh: 声明该域名已在机器所在的云完成 ICP 备案。只有中国大陆的主机需要。"""

    @model_validator(mode="after")
    def _name_is_in_the_zone(self) -> Self:
        zone = self.record.zone if self.record is not None else self.name
        if self.name != zone and not self.name.endswith(f".{zone}"):
            raise invalid(
                "spec.domain-not-in-zone",
                _("{name} is not in the zone {zone}", name=self.name, zone=zone),
                _("zone: {zone}", zone=self.name.partition(".")[2]),
            )
        return self


def directories() -> dict[str, str]:
    """The authorities that have a name here, with the URLs of their directories."""
    found = role("caddy").manifest.facts["directories"]
    return {name: str(row["url"]) for name, row in found.items()}


def domain_mistakes(domain: DomainSpec | None, cloud: str, region: str, access: AccessSpec) -> list[Finding]:
    """Why no authority could see that the name leads to a host of that region."""
    if domain is None or domain.acme is None:
        return []
    asked, in_china = domain.acme, catalog.load().region(cloud, region).in_china
    findings = []
    if in_china and not domain.filed:
        findings.append(
            Finding(
                "spec.domain-needs-filing",
                _(
                    "the authority asks {name} on port {port}, and a host in {region} may not answer there under a "
                    "name without an ICP filing",
                    name=domain.name,
                    port=asked.port,
                    region=region,
                ),
                _("filed: true, once it has one; or leave acme out: our own authority signs for the name"),
                where="domain.acme",
            )
        )
    if asked.challenge == "tls-alpn" and access.port(in_china=in_china) != asked.port:
        findings.append(
            Finding(
                "spec.challenge-port",
                _(
                    "the challenge tls-alpn is asked on port 443, and the gateway is on {port}",
                    port=access.port(in_china=in_china),
                ),
                _("https_port: 443, or challenge: http"),
                where="domain.acme.challenge",
            )
        )
    if asked.challenge == "tls-alpn" and not access.public:
        findings.append(
            Finding(
                "spec.challenge-closed",
                _("the authority asks from addresses that nobody knows beforehand, and port 443 is not public"),
                _("challenge: http, which opens port 80 for that alone"),
                where="domain.acme.challenge",
            )
        )
    if asked.challenge == "http" and access.https_port == asked.port:
        findings.append(
            Finding(
                "spec.challenge-port",
                _("the challenge http is asked on port 80, which is the gateway's"),
                _("leave https_port out"),
                where="domain.acme.challenge",
            )
        )
    return findings
