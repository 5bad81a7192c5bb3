"""A host made of single resources: disk, key, firewall, machine, address. What the clouds with a VPC have in common."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import pulumi
import pulumi_tls as tls

from pulumi_llm import catalog
from pulumi_llm._stopping import not_supported
from pulumi_llm.clouds import support
from pulumi_llm.clouds.base import (
    AddressHandle,
    BareHost,
    DiskHandle,
    DiskRequest,
    HostOrder,
    MachineHandle,
    MachineRequest,
    Parts,
    RecordRequest,
    Scope,
)
from pulumi_llm.clouds.capabilities import Capability
from pulumi_llm.clouds.own_role import OwnRole
from pulumi_llm.clouds.plans import SnapshotPlan, StartPlan, WayOut
from pulumi_llm.errors import Refusal
from pulumi_llm.preflight import capabilities


class FromParts(Parts):
    """An adapter that provisions a host from the resources that its other methods make."""

    address_at_launch = False
    disk_names_machine = False
    machine_names_disk = False

    def provision(self, order: HostOrder, scope: Scope) -> BareHost:
        """Make the machine and everything that belongs to it alone."""
        name, zone = order.name, order.network.zone
        # A disk from another snapshot is a resource of another name, and so is its machine: what was there before goes
        # last, once all that is new is there. Were they replaced, an `up` that fails would leave the old disk marked
        # for deletion, and the next one would delete it whatever the program then says.
        made = f"-{support.short_of(order.from_snapshot)}" if order.from_snapshot else ""
        wanted = DiskRequest(
            size_gib=order.data_disk_gib,
            zone=zone,
            instance_type=order.instance_type,
            tags=order.tags,
            protect=order.protect,
            snapshot=order.from_snapshot,
            copied=order.snapshots is not None,
        )
        disk = None if self.disk_names_machine else self.disk(f"{name}-disk{made}", wanted, scope)
        # The one change that is refused on sight, a smaller disk, is seen before anything else at the cloud is touched.
        # Where a disk names its machine, a preview sees it.
        if disk is not None:
            scope = dataclasses.replace(scope, after=(disk.resource,))
        # RSA, which every cloud takes: some take no other kind of key.
        key = tls.PrivateKey(f"{name}-ssh-{scope.region}", algorithm="RSA", rsa_bits=3072, opts=scope.child())
        # The region is in both names: a pair ignores another key, even where it is replaced. And a cloud may take no
        # public key twice, whatever the region.
        key_id = self.key_pair(
            f"{name}-key-{scope.region}", key.public_key_openssh, order.tags, scope, renew=order.renew
        )
        # A cloud of another package may know nothing of ways out, and is asked for none.
        out: dict[str, Sequence[WayOut]] = {} if order.out is None else {"out": order.out}
        firewall_id = self.firewall(f"{name}-firewall", order.network.vpc_id, order.rules, order.tags, scope, **out)
        role = None
        if order.stops_itself or order.starts_others:
            about = {} if order.stops_itself else {"about": support.STARTS_ABOUT}
            role = self.stop_role(f"{name}-role", order.tags, scope, **about)
        address = order.address
        if address is None and self.address_at_launch:
            address = self.address(support.address_name(name, self, order.instance_type), order.tags, scope)
        machine = self.machine(
            f"{name}-machine{made}",
            MachineRequest(
                instance_type=order.instance_type,
                zone=zone,
                image_id=self.image(order.instance_type, scope) if order.image_id is None else order.image_id,
                vpc_id=order.network.vpc_id,
                subnet_id=order.network.subnet_id,
                firewall_id=firewall_id,
                groups=order.groups,
                near=order.near,
                key_id=key_id,
                user_data=order.user_data,
                system_disk_gib=order.system_disk_gib,
                spot=order.spot,
                role=role.at_launch if role else None,
                renew=order.renew,
                address=address if self.address_at_launch else None,
                disk=disk if self.machine_names_disk else None,
                tags=order.tags,
            ),
            scope,
        )
        attached_disk: pulumi.Resource
        if disk is None:
            disk = self.disk(f"{name}-disk{made}", dataclasses.replace(wanted, holder=machine), scope)
            attached_disk = disk.resource
        elif self.machine_names_disk:
            attached_disk = machine.resource
        else:
            attached_disk = self.attach_disk(f"{name}-disk{made}-attachment", disk.id, machine, scope)
        after = [attached_disk]
        address = address or self.address(f"{name}-address", order.tags, scope)
        if not self.address_at_launch:
            after.append(self.attach_address(f"{name}-address-attachment", address, machine, scope))
        if order.snapshots is not None:
            # Aliyun takes such a plan only for a disk that is, or was, attached to a machine.
            attached = dataclasses.replace(scope, after=(*scope.after, attached_disk))
            self.copy_disk(f"{name}-snapshots{made}", order.snapshots, disk, order.tags, attached)
        if order.starts:
            self.start_machine(f"{name}-start", order.starts, machine, order.tags, scope)
        if role is not None and order.stops_itself:
            after.append(self.allow_stop(f"{name}-role", role, machine, scope))
        return BareHost(
            id=machine.id,
            address=pulumi.Output.from_input(address.ip),
            private_address=machine.private_ip,
            user=catalog.load().clouds[self.name].login_user,
            private_key=key.private_key_openssh,
            # A new machine, or a fresh system disk on the same one, has to be told everything again.
            told_anew_with=(machine.id, machine.image_id),
            after=tuple(after),
            machine=machine,
            role=role,
        )

    # What not every cloud has. It is refused before a program comes here, in the same words.

    def record(self, name: str, request: RecordRequest, scope: Scope) -> pulumi.Resource:
        """Only for a cloud that keeps names (`Capability.DNS`). Raises Refusal ``cloud.cannot`` otherwise."""
        raise Refusal(capabilities.lacking(self.name, [Capability.DNS]))

    def stop_role(self, name: str, tags: Mapping[str, str], scope: Scope, about: str = support.ROLE_ABOUT) -> OwnRole:
        """Only for a cloud whose `power.json` says how machines stop. Raises ``power.not-supported`` otherwise."""
        raise not_supported(self.name)

    def allow_stop(self, name: str, role: OwnRole, machine: MachineHandle, scope: Scope) -> pulumi.Resource:
        """Only where there is such a role. Raises ``power.not-supported`` otherwise."""
        raise not_supported(self.name)

    def let_start(self, name: str, front: BareHost, others: Sequence[BareHost], scope: Scope) -> pulumi.Resource:
        """Only for a cloud that can (`Capability.WAKES`). Raises Refusal ``cloud.cannot`` otherwise."""
        raise Refusal(capabilities.lacking(self.name, [Capability.WAKES]))

    def attach_address(
        self, name: str, address: AddressHandle, machine: MachineHandle, scope: Scope
    ) -> pulumi.Resource:
        """Nothing for a cloud whose machines have their addresses from their start: it is never asked there."""
        raise NotImplementedError

    def attach_disk(
        self, name: str, disk_id: pulumi.Input[str], machine: MachineHandle, scope: Scope
    ) -> pulumi.Resource:
        """Nothing for a cloud where one of the two names the other: it is never asked there."""
        raise NotImplementedError

    def copy_disk(
        self, name: str, plan: SnapshotPlan, disk: DiskHandle, tags: Mapping[str, str], scope: Scope
    ) -> pulumi.Resource:
        """Only for a cloud that can (`Capability.SNAPSHOTS`). Raises Refusal ``cloud.cannot`` otherwise."""
        raise Refusal(capabilities.lacking(self.name, [Capability.SNAPSHOTS]))

    def start_machine(
        self, name: str, plans: Sequence[StartPlan], machine: MachineHandle, tags: Mapping[str, str], scope: Scope
    ) -> None:
        """Only for a cloud that can (`Capability.STARTS`). Raises Refusal ``cloud.cannot`` otherwise."""
        raise Refusal(capabilities.lacking(self.name, [Capability.STARTS]))
