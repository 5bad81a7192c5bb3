"""What a host gets once it is there, wherever it came from: certificate, settings and secrets, over SSH."""

import datetime
import json
import re
from collections.abc import Mapping
from dataclasses import field

import pulumi
import pulumi_command as command
import pulumi_random as random
import pulumi_tls as tls

from pulumi_llm import _bootstrap as bootstrap
from pulumi_llm import _json, catalog, clouds
from pulumi_llm._bootstrap import NodeRequest
from pulumi_llm._dataclasses import dataclass
from pulumi_llm._refusal import ending
from pulumi_llm._snapshots.schedule import plan_of
from pulumi_llm._texts import _
from pulumi_llm.clouds.base import (
    AddressHandle,
    BareHost,
    Cloud,
    ExistingHost,
    HostOrder,
    NetworkHandle,
    RecordRequest,
    Rule,
    Scope,
)
from pulumi_llm.clouds.capabilities import Capability
from pulumi_llm.clouds.plans import StartPlan, WayOut
from pulumi_llm.clouds.support import shortened
from pulumi_llm.errors import Finding
from pulumi_llm.preflight import capabilities
from pulumi_llm.preflight.placement import Placement
from pulumi_llm.roles.caddy import challenge_ports
from pulumi_llm.spec import AccessSpec, DiskSpec, DomainSpec, KeySpec, RecordSpec

COMMON_NAME_LIMIT = 64
"""Characters of a certificate's common name (ub-common-name, RFC 5280, appendix A.1)."""
CA_HOURS = 10 * 365 * 24
CERTIFICATE_HOURS = 2 * 365 * 24
RENEW_EARLY_HOURS = 90 * 24
"""A certificate is replaced by the first `up` within 90 days of its end."""


@dataclass(frozen=True, kw_only=True)
class HostRequest:
    """What one host needs, whatever runs on it. Sizes in GiB."""

    name: str
    cloud: Cloud
    network: NetworkHandle
    place: Placement
    system_disk_gib: int
    access: AccessSpec
    ports: Mapping[int, str]
    """Open port to description."""
    clients: tuple[pulumi.Input[str], ...] = ()
    """CIDRs besides ``access.allowed_cidrs`` that may call the ports, such as another machine's address."""
    callers: Mapping[int, tuple[pulumi.Input[str], ...]] = field(default_factory=dict)
    """CIDRs that may call one port besides, by its private address, for which its certificate then is too."""
    within: bool = False
    """Nobody but ``clients`` calls it, by its private address, for which its certificate is."""
    in_turn: bool = False
    """It is changed in turn with others. What takes long at first and needs no secret begins before its turn."""
    after: tuple[pulumi.Resource, ...] = ()
    """What the node is told its secrets after, and begins to serve after."""
    node: NodeRequest
    settings: pulumi.Input[str] | None = None
    """The settings document, where it holds values that are known only later; default: that of ``node``."""
    secrets: Mapping[str, pulumi.Input[str]]
    tags: Mapping[str, str]
    ready_timeout_minutes: int
    spot: bool = False
    renew: bool = False
    protect: bool = False
    """Keep the data disk from being deleted or replaced."""
    image_id: pulumi.Input[str] | None = None
    """An image of the user's; default: the newest that the cloud lists."""
    address: AddressHandle | None = None
    existing: ExistingHost | None = None
    """A machine that exists."""
    domain: DomainSpec | None = None
    """The name by which it is called, and who signs for that."""
    stops_itself: bool = False
    """Give the machine a role that may stop this machine, and may do nothing else."""
    starts_others: bool = False
    """Give it a role that may start others, which `Cloud.let_start` names."""
    starts: tuple[StartPlan, ...] = ()
    """When the cloud starts it; empty: never."""
    disk: DiskSpec | None = None
    """Copies of the data disk."""
    groups: tuple[pulumi.Input[str], ...] = ()
    """Firewalls that it shares with other machines."""
    near: pulumi.Input[str] | None = None
    """What keeps it near other machines."""
    out: tuple[WayOut, ...] | None = None
    """What it may call; None: everybody."""


@dataclass(frozen=True, kw_only=True)
class Host:
    """A host that is being made, with what runs on it."""

    bare: BareHost
    certificate_authority: pulumi.Output[str]
    ready: pulumi.Output[str]
    """What the node's last apply said; known when the node answers a completion through its gateway."""
    applied: pulumi.Resource
    """What makes it so; whoever is to come after it depends on this."""
    domain: str | None = None
    """The name by which it is called; None: by its address."""
    by_acme: bool = False
    """Another authority signs for that name, which only Caddy has the certificate of."""

    @property
    def address(self) -> pulumi.Output[str]:
        """Where it answers, known before it is ready."""
        return self.bare.address

    def url(self, port: int, path: str = "") -> pulumi.Output[str]:
        """``https://address:port`` and the path, known only when the node is ready: whoever uses it waits for that."""
        return pulumi.Output.concat("https://", self.authority(port), path)

    def authority(self, port: int, *, own_tls: bool = False) -> pulumi.Output[str]:
        """``address:port``, or ``name:port`` where it has a name, known only when the node is ready.

        ``own_tls``: no Caddy is in front of what answers there, which has our own authority's certificate.
        """
        called = self.address if self.domain is None or (own_tls and self.by_acme) else self.domain
        ready_address = pulumi.Output.all(called, self.ready).apply(lambda both: str(both[0]))
        return pulumi.Output.concat(ready_address, f":{port}")

    def outputs(self, place: Placement) -> dict[str, object]:
        """What every component with a host of its own tells about it."""
        return {
            "address": self.address,
            "private_address": self.bare.private_address,
            "certificate_authority": self.certificate_authority,
            "instance_id": self.bare.id,
            "instance_type": pulumi.Output.from_input(place.instance_type),
            "hourly_price": pulumi.Output.from_input(place.price.amount if place.price else None),
            "currency": pulumi.Output.from_input(place.price.currency if place.price else None),
            "ssh_private_key": self.bare.private_key,
        }


def make_host(request: HostRequest, scope: Scope) -> Host:
    """Provision the host, and tell it what to run. Raises what refuses it (``cloud.cannot``)."""
    return tell(request, provision(request, scope), scope)


def provision(request: HostRequest, scope: Scope) -> BareHost:
    """The host with nothing on it yet. Raises what refuses it (``cloud.cannot``)."""
    if request.image_id is None and request.existing is None:
        findings = capabilities.lacking(request.cloud.name, [Capability.IMAGE])
        if findings:
            raise ending(each.placed(request.name) for each in findings)
    return request.cloud.provision(_order(request), scope)


def tell(request: HostRequest, host: BareHost, scope: Scope) -> Host:
    """Tell a host what to run, and wait until it does."""
    name, domain = request.name, request.domain
    # A name that another authority signs for is not in our certificate: Caddy would take that one for it.
    ours = domain.name if domain is not None and domain.acme is None else None
    called_at = [host.private_address if request.within else host.address]
    if request.callers:
        called_at.append(host.private_address)
    # A container is called through a tunnel too.
    loopback = ["127.0.0.1"] if host.as_root else []
    authority, certificate, key = _certificate(name, [*called_at, *loopback], scope, ours)
    if domain is not None and domain.record is not None:
        _record(name, domain.name, domain.record, host.address, request.cloud, scope)
    connection = connection_to(host)
    triggers = list(host.told_anew_with)
    stage_command = bootstrap.stage_command(begin=request.in_turn, as_root=host.as_root)
    staged = command.remote.Command(
        f"{name}-settings",
        connection=connection,
        create=stage_command,
        update=stage_command,
        stdin=request.settings if request.settings is not None else settings_document(request.node),
        triggers=triggers,
        add_previous_output_in_env=False,
        opts=scope.child(depends_on=host.after),
    )
    # A minute less than Pulumi waits: what ends it is the node's own code and hint, not a time-out.
    apply_command = bootstrap.apply_command(request.ready_timeout_minutes - 1, as_root=host.as_root)
    applied = command.remote.Command(
        f"{name}-apply",
        connection=connection,
        create=apply_command,
        update=apply_command,
        stdin=_secrets_document(
            staged.stdin, {**request.secrets, "tls_certificate": certificate, "tls_private_key": key}
        ),
        triggers=triggers,
        add_previous_output_in_env=False,
        opts=scope.child(depends_on=[staged, *request.after], minutes=request.ready_timeout_minutes),
    )
    called = domain.name if domain is not None else None
    return Host(
        bare=host,
        certificate_authority=authority,
        ready=applied.stdout,
        applied=applied,
        domain=called,
        by_acme=domain is not None and domain.acme is not None,
    )


def connection_to(host: BareHost) -> command.remote.ConnectionArgs:
    """How the command package reaches a host."""
    return command.remote.ConnectionArgs(
        host=host.address,
        user=host.user,
        private_key=None if host.by_agent else host.private_key,
        # A machine answers SSH some 30 s to 3 min after it was made; 10 tries, the default, are too few.
        dial_error_limit=60,
        per_dial_timeout=15,
        port=host.port,
        host_key=host.host_key,
    )


def _record(
    name: str, called: str, record: RecordSpec, address: pulumi.Output[str], cloud: Cloud, scope: Scope
) -> pulumi.Resource:
    """The record that leads to the host, with the cloud that keeps the zone: the host's own, or another."""
    if record.cloud != cloud.name:
        cloud = clouds.get(record.cloud)
        region = catalog.load().cloud(record.cloud).default_region  # names belong to no region
        provider = cloud.provider(f"{name}-{cloud.name}-names", region, scope.parent)
        scope = Scope(parent=scope.parent, provider=provider, region=region)
    request = RecordRequest(name=called, zone=record.zone, zone_id=record.zone_id, address=address)
    return cloud.record(f"{name}-name", request, scope)


def _order(request: HostRequest) -> HostOrder:
    disk = request.disk
    return HostOrder(
        name=request.name,
        network=request.network,
        instance_type=request.place.instance_type,
        system_disk_gib=request.system_disk_gib,
        data_disk_gib=request.node.data_disk_gib,
        rules=tuple(_rules(request)),
        out=request.out,
        groups=request.groups,
        near=request.near,
        user_data=bootstrap.user_data(request.node),
        tags=request.tags,
        spot=request.spot,
        renew=request.renew,
        protect=request.protect,
        image_id=request.image_id,
        address=request.address,
        stops_itself=request.stops_itself,
        starts_others=request.starts_others,
        starts=request.starts,
        snapshots=plan_of(disk.snapshots, request.cloud.name) if disk is not None and disk.snapshots else None,
        from_snapshot=disk.from_snapshot if disk is not None else None,
        existing=request.existing,
    )


def gateway_keys(
    name: str, keys: Mapping[str, KeySpec], child: pulumi.ResourceOptions
) -> dict[str, pulumi.Output[str]]:
    """A random key for each name, made anew when its ``generation`` is raised. ``child``: the options of each."""
    made: dict[str, pulumi.Output[str]] = {}
    for key, spec in sorted(keys.items()):
        password = random.RandomPassword(
            f"{name}-key-{key}",
            length=40,
            special=False,
            keepers={"generation": str(spec.generation)},
            opts=child,
        )
        made[key] = password.result.apply(lambda text: f"sk-{text}")
    return made


def expired(keys: Mapping[str, KeySpec], today: datetime.date | None = None) -> list[Finding]:
    """A warning for each key whose last day (UTC) is over. Not a refusal: days pass, and a stack must stay usable."""
    today = today or datetime.datetime.now(datetime.UTC).date()
    return [
        Finding(
            "spec.key-expired",
            _("the key {name!r} has stopped working: its last day was {expires}", name=name, expires=key.expires),
            _("another day for expires, or leave the key out"),
            severity="warning",
            where=f"keys.{name}.expires",
        )
        for name, key in sorted(keys.items())
        if key.expires is not None and datetime.date.fromisoformat(key.expires) < today
    ]


def random_key(name: str, scope: Scope) -> pulumi.Output[str]:
    """A random secret of 40 letters and digits."""
    password = random.RandomPassword(name, length=40, special=False, opts=scope.child())
    return password.result


def backup_key(name: str, scope: Scope) -> tuple[pulumi.Output[str], pulumi.Output[str]]:
    """A pair of keys for backups in the form of OpenSSH, which age takes: whom they are for, and who reads them."""
    key = tls.PrivateKey(f"{name}-backup-key", algorithm="ED25519", opts=scope.child())
    return key.public_key_openssh, pulumi.Output.secret(key.private_key_openssh)


def settings_document(node: NodeRequest) -> str:
    """The settings of ``node`` as the text that travels over SSH."""
    return _json.dumps(bootstrap.settings(node), sort_keys=True, ensure_ascii=False, indent=1)


_DIGEST = re.compile(r'\n "digest": "([0-9a-f]{64})",?\n')


def digest_in(document: str) -> str:
    """The digest in what `settings_document` wrote: at the start of a line of its own, as no text in JSON is.

    To read the whole document, which holds a node's code, would take a hundred times as long.
    """
    place = document.find('\n "digest": "')
    found = _DIGEST.match(document, place) if place >= 0 and document.find('\n "digest": ', place + 1) < 0 else None
    return str(found[1] if found else json.loads(document)["digest"])


def _rules(request: HostRequest) -> list[Rule]:
    callers = request.clients if request.within else (*request.access.allowed_cidrs, *request.clients)
    rules = [
        Rule(port=port, cidrs=(*callers, *request.callers.get(port, ())), description=text)
        for port, text in request.ports.items()
    ]
    rules += [
        Rule(port=port, cidrs=("0.0.0.0/0",), description="ACME: the authority asks whether the name leads here")
        for port in challenge_ports(request.node)
        if port not in request.ports
    ]
    return [*rules, Rule(port=22, cidrs=request.access.ssh(), description="SSH, for settings and secrets")]


def _secrets_document(
    settings: pulumi.Output[str | None], secrets: Mapping[str, pulumi.Input[str]]
) -> pulumi.Output[str]:
    digest = settings.apply(lambda text: digest_in(text) if text else "")
    return pulumi.Output.secret(
        pulumi.Output.json_dumps({"settings_digest": digest, "secrets": dict(secrets)}, sort_keys=True)
    )


def _certificate(
    name: str, addresses: list[pulumi.Input[str]], scope: Scope, domain: str | None
) -> tuple[pulumi.Output[str], pulumi.Output[str], pulumi.Output[str]]:
    """Our own authority, and a certificate by it for the addresses, and for the name where one is given.

    PEM: (authority, certificate, private key).
    """
    ca_key = tls.PrivateKey(f"{name}-ca-key", algorithm="ECDSA", ecdsa_curve="P256", opts=scope.child())
    ca = tls.SelfSignedCert(
        f"{name}-ca",
        private_key_pem=ca_key.private_key_pem,
        is_ca_certificate=True,
        validity_period_hours=CA_HOURS,
        early_renewal_hours=RENEW_EARLY_HOURS,
        allowed_uses=["cert_signing", "crl_signing", "digital_signature"],
        subject=tls.SelfSignedCertSubjectArgs(
            common_name=f"{shortened(name, COMMON_NAME_LIMIT - len(' authority'))} authority", organization="pulumi-llm"
        ),
        set_subject_key_id=True,
        opts=scope.child(),
    )
    key = tls.PrivateKey(f"{name}-tls-key", algorithm="ECDSA", ecdsa_curve="P256", opts=scope.child())
    asked = tls.CertRequest(
        f"{name}-certificate-request",
        private_key_pem=key.private_key_pem,
        ip_addresses=addresses,
        dns_names=[domain] if domain is not None else None,
        subject=tls.CertRequestSubjectArgs(common_name=shortened(name, COMMON_NAME_LIMIT)),
        opts=scope.child(),
    )
    signed = tls.LocallySignedCert(
        f"{name}-certificate",
        cert_request_pem=asked.cert_request_pem,
        ca_private_key_pem=ca_key.private_key_pem,
        ca_cert_pem=ca.cert_pem,
        validity_period_hours=CERTIFICATE_HOURS,
        early_renewal_hours=RENEW_EARLY_HOURS,
        allowed_uses=["digital_signature", "key_encipherment", "server_auth"],
        opts=scope.child(),
    )
    return ca.cert_pem, signed.cert_pem, key.private_key_pem
