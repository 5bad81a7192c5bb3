"""The protocol that every cloud's adapter follows, and the plain data that passes through it.

Nothing here names a cloud or imports a cloud's SDK. An adapter turns these requests into that cloud's
resources and sets every safe option explicitly; what differs between clouds in fact (limits, login user, disk
types) is data in the catalogue (:class:`pulumi_llm.catalog.CloudFacts`).
"""

from __future__ import annotations

from dataclasses import field, replace
from typing import TYPE_CHECKING, Any, Protocol, cast

import pulumi

from pulumi_llm._dataclasses import dataclass
from pulumi_llm.clouds.own_role import OwnRole

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pulumi_llm.clouds.plans import SnapshotPlan, StartPlan, WayOut


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Whose children are made, and with which provider (a provider fixes the account and the region)."""

    parent: pulumi.Resource
    provider: pulumi.ProviderResource
    region: str
    after: tuple[pulumi.Resource, ...] = ()
    """What every child is made or changed after."""
    checked: pulumi.Output[None] | None = None
    """What every child waits for besides: it fails where the provider turns out to be a wrong one."""

    @property
    def gates(self) -> list[pulumi.Input[pulumi.Resource]]:
        """``checked`` as an entry of `depends_on`: it names no resource, and is waited for all the same."""
        return [] if self.checked is None else [cast("pulumi.Output[pulumi.Resource]", self.checked)]

    def options(
        self,
        *,
        ignore_changes: Sequence[str] = (),
        replace_on_changes: Sequence[str] = (),
        depends_on: Sequence[pulumi.Resource] = (),
        delete_before_replace: bool | None = None,
        protect: bool = False,
        parent: pulumi.Resource | None = None,
        hooks: pulumi.ResourceHookBinding | None = None,
    ) -> pulumi.ResourceOptions:
        """Options for one child: parent and provider set, nothing else inherited by accident.

        Another region replaces the child: a provider of another region alone would leave it where it is, and look for
        it in the new place.
        """
        return pulumi.ResourceOptions(
            parent=parent or self.parent,
            provider=self.provider,
            replacement_trigger=self.region,
            ignore_changes=list(ignore_changes) or None,
            replace_on_changes=list(replace_on_changes) or None,
            depends_on=[*self.after, *depends_on, *self.gates] or None,
            delete_before_replace=delete_before_replace,
            protect=protect or None,
            hooks=hooks,
        )

    def child(
        self, *, depends_on: Sequence[pulumi.Resource] = (), minutes: int | None = None
    ) -> pulumi.ResourceOptions:
        """Options for a child of a package that has no region (tls, random, command): parent only."""
        timeouts = pulumi.CustomTimeouts(create=f"{minutes}m", update=f"{minutes}m") if minutes else None
        waits = [*depends_on, *self.gates]
        return pulumi.ResourceOptions(parent=self.parent, depends_on=waits or None, custom_timeouts=timeouts)

    def invoke_options(self) -> pulumi.InvokeOutputOptions:
        """Options for one look-up, so that it asks the same account and region."""
        return pulumi.InvokeOutputOptions(parent=self.parent, provider=self.provider)


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkRequest:
    """A network to make: one VPC with one subnet in one zone, and a way out to the internet."""

    cidr: str
    subnet_cidr: str
    zone: str
    more: Mapping[str, str] = field(default_factory=dict)
    """Ranges of further subnets by zone, for a cloud that can (`Capability.ZONES`)."""
    tags: Mapping[str, str] = field(default_factory=dict)
    subnet_tags: Mapping[str, str] = field(default_factory=dict)
    """What the subnets have besides, where something reads tags of subnets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkHandle:
    """A network that exists or is being made."""

    vpc_id: pulumi.Input[str]
    subnet_id: pulumi.Input[str]
    zone: str
    more: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    """The ids of further subnets, by their zones."""

    def within(self, zone: str) -> NetworkHandle:
        """The same network, for a machine in that zone."""
        return self if zone == self.zone else replace(self, subnet_id=self.more[zone], zone=zone)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One open port (TCP), and from where. There is no way to open all ports."""

    port: int
    cidrs: tuple[pulumi.Input[str], ...]
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineRequest:
    """A machine. Sizes in GiB. ``user_data`` is plain text of at most the cloud's limit, free of secrets."""

    instance_type: str
    zone: str
    image_id: pulumi.Input[str]
    vpc_id: pulumi.Input[str]
    subnet_id: pulumi.Input[str]
    firewall_id: pulumi.Input[str]
    groups: tuple[pulumi.Input[str], ...] = ()
    """Firewalls that it shares with other machines; they come before its own."""
    key_id: pulumi.Input[str]
    user_data: str
    system_disk_gib: int
    spot: bool = False
    near: pulumi.Input[str] | None = None  # what keeps it near others: see `pulumi_llm.clouds.near`
    role: pulumi.Input[str] | None = None  # the one that it has from its start; None: it has none
    renew: bool = False
    """Let a newer image and changed user data take effect on this machine: see ``renew`` in the spec."""
    address: AddressHandle | None = None
    """The public address that it is made with, where `Parts.address_at_launch`."""
    disk: DiskHandle | None = None  # the one that it names, where `Parts.machine_names_disk`
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineHandle:
    """A machine that is being made."""

    resource: pulumi.CustomResource
    id: pulumi.Output[str]
    private_ip: pulumi.Output[str]
    image_id: pulumi.Output[str]
    """The image that the system disk was made from, as the resource itself tells it."""
    spot: bool = False
    """Whether the cloud may take the machine back; some clouds cannot stop such a machine before a disk is
    detached.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskRequest:
    """An encrypted data disk that outlives its machine, whose ``instance_type`` may want another kind. Size in GiB."""

    size_gib: int
    zone: str
    instance_type: str
    protect: bool = False
    """Have the engine refuse whatever would delete or replace it."""
    snapshot: str | None = None
    """The snapshot that it is made from; None: it is empty."""
    copied: bool = False
    """Whether snapshots are made of it on a schedule: those outlive it."""
    holder: MachineHandle | None = None
    """The machine that it names, where `Parts.disk_names_machine`."""
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressHandle:
    """A public IPv4 address: its id at the cloud, and the address itself."""

    id: pulumi.Input[str]
    ip: pulumi.Input[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordRequest:
    """A name in DNS for an IPv4 address. ``zone`` is the domain that the cloud keeps, ``zone_id`` its id."""

    name: str
    zone: str
    zone_id: str | None
    address: pulumi.Input[str]

    @property
    def label(self) -> str:
        """The name within its zone; ``@`` is the zone's own."""
        return self.name.removesuffix(self.zone).removesuffix(".") or "@"


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskHandle:
    """A data disk that is being made."""

    resource: pulumi.CustomResource
    id: pulumi.Output[str]
    mark: str = ""
    """By what a schedule of snapshots knows it, where that cloud's schedules look for tags."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExistingHost:
    """A machine that exists, and what it is asked for before anything is done to it. Sizes in GiB."""

    address: str
    port: int
    user: str
    host_key: str
    """What it must show: one line of OpenSSH's form."""
    private_key: pulumi.Input[str] | None
    """Secret. None: an agent answers for it."""
    folder: str
    """Where ``/srv/llm`` leads to."""
    container: bool = False
    """It is a container without systemd, and root logs in."""
    wants: Mapping[str, Any] = field(default_factory=dict)
    """What has to be so on the machine: see `pulumi_llm.clouds.ssh.document`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostOrder:
    """A host to provision, whatever is to run on it. Sizes in GiB."""

    name: str
    network: NetworkHandle
    instance_type: str
    system_disk_gib: int
    data_disk_gib: int
    rules: tuple[Rule, ...]
    """What is let in; nothing else is."""
    out: tuple[WayOut, ...] | None = None  # what is let out, and nothing else; None: everything
    groups: tuple[pulumi.Input[str], ...] = ()  # firewalls that are shared: see `pulumi_llm.clouds.peers`
    near: pulumi.Input[str] | None = None  # what keeps it near others: see `pulumi_llm.clouds.near`
    user_data: str
    tags: Mapping[str, str] = field(default_factory=dict)
    spot: bool = False
    renew: bool = False
    protect: bool = False
    """Keep the data disk from being deleted or replaced."""
    image_id: pulumi.Input[str] | None = None
    """An image of the user's; default: the newest that the cloud lists."""
    address: AddressHandle | None = None  # default: one of the host's own
    stops_itself: bool = False
    """Give the machine a role that may stop this machine, and may do nothing else."""
    starts_others: bool = False
    """Give it a role that may start others, which `Cloud.let_start` names."""
    starts: tuple[StartPlan, ...] = ()
    """When the cloud starts the machine; empty: never."""
    snapshots: SnapshotPlan | None = None
    """When the cloud copies the data disk; None: never."""
    from_snapshot: str | None = None
    """The snapshot that the data disk is made from. Another one is another disk, and another machine."""
    existing: ExistingHost | None = None
    """A machine that exists: nothing is bought, and of the sizes above none is meant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BareHost:
    """A host that is being made, or that exists, with nothing of ours on it but its boot instructions.

    What comes after (certificate, settings, secrets, status) needs no more than this, wherever the host came from.
    """

    id: pulumi.Output[str]
    address: pulumi.Output[str]
    """Where it answers SSH and its callers."""
    private_address: pulumi.Output[str]
    user: str
    """Who logs in, and may become root."""
    private_key: pulumi.Output[str]
    """The key of that user: OpenSSH, secret; empty where an agent answers for it."""
    port: int | None = None
    """Where it answers SSH; None: 22."""
    host_key: str | None = None
    """What it must show; None: whatever it shows is taken, as the machine has just been made."""
    by_agent: bool = False
    """An agent answers for the key."""
    as_root: bool = False
    """The user is root, and there may be no sudo to become so by."""
    told_anew_with: tuple[pulumi.Output[str], ...] = ()
    """Where one of these changes, the host knows nothing any more: another machine, or another system disk."""
    after: tuple[pulumi.Resource, ...] = ()
    """What has to be there before the host is spoken to: its disk and its address are attached."""
    machine: MachineHandle | None = None
    """Of a cloud that sells the parts of a host one by one."""
    role: OwnRole | None = None


class Cloud(Protocol):
    """What the program asks of a cloud's adapter. :mod:`pulumi_llm.clouds.parts` makes a host of single resources.

    Every method makes resources, or looks one thing up; none calls out on import.
    """

    name: str
    """The catalogue's name of the cloud, which is that of its folder."""
    package: str  # the Pulumi package whose provider it uses

    def provider(self, name: str, region: str, parent: pulumi.Resource) -> pulumi.ProviderResource:
        """A provider for one region. Credentials come from the environment or the stack's provider config."""

    def network(self, name: str, request: NetworkRequest, scope: Scope) -> NetworkHandle:
        """A VPC, a subnet in the zone, and what that cloud needs for outbound traffic."""

    def provision(self, order: HostOrder, scope: Scope) -> BareHost:
        """The host, hardened: what is not let in by a rule of the order is closed."""

    def let_start(self, name: str, front: BareHost, others: Sequence[BareHost], scope: Scope) -> pulumi.Resource:
        """Let the first one start the others, by the role that it has. Asked where `Capability.WAKES`."""

    def record(self, name: str, request: RecordRequest, scope: Scope) -> pulumi.Resource:
        """A record of type A. Asked only of a cloud that can keep names (`Capability.DNS`)."""


class Parts(Protocol):
    """The resources of which a host is made on a cloud that sells them one by one."""

    name: str

    address_at_launch: bool  # a machine is made with its address, and none can be attached to it
    disk_names_machine: bool  # a data disk says itself which machine has it, and nothing else attaches it
    machine_names_disk: bool  # the other way round

    def firewall(
        self,
        name: str,
        vpc_id: pulumi.Input[str],
        rules: Sequence[Rule],
        tags: Mapping[str, str],
        scope: Scope,
        out: Sequence[WayOut] | None = None,
    ) -> pulumi.Output[str]:
        """A firewall. In: only ``rules``. Out: only ``out``, if the cloud can (`Capability.CLOSED`). Gives its id."""

    def key_pair(
        self,
        name: str,
        public_key: pulumi.Input[str],
        tags: Mapping[str, str],
        scope: Scope,
        *,
        renew: bool = False,
    ) -> pulumi.Output[str]:
        """The SSH public key as the cloud wants it at launch. Gives a machine its ``key_id``.

        A changed key replaces, reinstalls or restarts the machine, depending on the cloud, so it is taken only with
        ``renew``. Where the cloud allows it, its name is another one at each try, so that an interrupted ``up`` does
        not collide with what it left behind.
        """

    def image(self, instance_type: str, scope: Scope) -> pulumi.Output[str]:
        """The newest plain Ubuntu 24.04 image for the instance type's architecture: looked up, never a literal."""

    def machine(self, name: str, request: MachineRequest, scope: Scope) -> MachineHandle:
        """The machine, hardened. A later image or other user data does not touch it unless ``renew`` is set."""

    def address(self, name: str, tags: Mapping[str, str], scope: Scope) -> AddressHandle:
        """A public IPv4 address, paid by traffic."""

    def attach_address(
        self, name: str, address: AddressHandle, machine: MachineHandle, scope: Scope
    ) -> pulumi.Resource:
        """Give the address to the machine."""

    def disk(self, name: str, request: DiskRequest, scope: Scope) -> DiskHandle:
        """An encrypted data disk. A smaller size stops a preview or `up` at the disk."""

    def stop_role(self, name: str, tags: Mapping[str, str], scope: Scope, about: str = "") -> OwnRole:
        """A role that machines may take on, which may do nothing yet."""

    def allow_stop(self, name: str, role: OwnRole, machine: MachineHandle, scope: Scope) -> pulumi.Resource:
        """Let the role stop this machine, in the mode that ends its charge, and let the machine have the role."""

    def start_machine(
        self, name: str, plans: Sequence[StartPlan], machine: MachineHandle, tags: Mapping[str, str], scope: Scope
    ) -> None:
        """Have the cloud start the machine by those plans. Asked only of a cloud that can (`Capability.STARTS`)."""

    def attach_disk(
        self, name: str, disk_id: pulumi.Input[str], machine: MachineHandle, scope: Scope
    ) -> pulumi.Resource:
        """Attach the disk to the machine."""

    def copy_disk(
        self, name: str, plan: SnapshotPlan, disk: DiskHandle, tags: Mapping[str, str], scope: Scope
    ) -> pulumi.Resource:
        """Have the cloud make snapshots of the disk by that plan, where it can (`Capability.SNAPSHOTS`)."""
