"""Mars: how its resources make a host."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pulumi
import pulumi_mars as mars

from pulumi_llm.clouds import support
from pulumi_llm.clouds.base import (
    AddressHandle,
    DiskHandle,
    DiskRequest,
    MachineHandle,
    MachineRequest,
    NetworkHandle,
    NetworkRequest,
    Rule,
    Scope,
)
from pulumi_llm.clouds.parts import FromParts


class Mars(FromParts):
    name = "mars"
    package = "mars"

    def provider(self, name: str, region: str, parent: pulumi.Resource) -> pulumi.ProviderResource:
        return mars.Provider(name, region=region, opts=pulumi.ResourceOptions(parent=parent))

    def network(self, name: str, request: NetworkRequest, scope: Scope) -> NetworkHandle:
        net = mars.Net(f"{name}-net", cidr=request.cidr, site=request.zone, opts=scope.options())
        return NetworkHandle(vpc_id=net.id, subnet_id=net.id, zone=request.zone)

    def firewall(
        self,
        name: str,
        vpc_id: pulumi.Input[str],
        rules: Sequence[Rule],
        tags: Mapping[str, str],
        scope: Scope,
    ) -> pulumi.Output[str]:
        lets = [pulumi.Output.concat(cidr, ":", str(rule.port)) for _, rule, cidr in support.openings(rules)]
        return mars.Gate(name, net=vpc_id, lets=lets, opts=scope.options()).id

    def key_pair(
        self,
        name: str,
        public_key: pulumi.Input[str],
        tags: Mapping[str, str],
        scope: Scope,
        *,
        renew: bool = False,
    ) -> pulumi.Output[str]:
        ignored = () if renew else ["publicKey"]
        return mars.Key(name, public_key=public_key, opts=scope.options(ignore_changes=ignored)).id

    def image(self, instance_type: str, scope: Scope) -> pulumi.Output[str]:
        system = str(support.image_row(self.name, instance_type).arguments["system"])
        return mars.newest_image(system, opts=scope.invoke_options())

    def machine(self, name: str, request: MachineRequest, scope: Scope) -> MachineHandle:
        server = mars.Server(
            support.machine_name(name, request),
            size=request.instance_type,
            site=request.zone,
            net=request.subnet_id,
            gate=request.firewall_id,
            key=request.key_id,
            image=request.image_id,
            boot_script=request.user_data,
            disk_gib=support.sold_size(self.name, "system", request.system_disk_gib),
            labels=dict(request.tags),
            opts=scope.options(ignore_changes=support.launch_only(request.renew, "image", "bootScript", "key")),
        )
        return MachineHandle(resource=server, id=server.id, private_ip=server.inner_ip, image_id=server.image)

    def address(self, name: str, tags: Mapping[str, str], scope: Scope) -> AddressHandle:
        address = mars.Address(name, labels=dict(tags), opts=scope.options())
        return AddressHandle(id=address.id, ip=address.ip)

    def attach_address(
        self, name: str, address: AddressHandle, machine: MachineHandle, scope: Scope
    ) -> pulumi.Resource:
        return mars.Bind(name, address=address.id, server=machine.id, opts=scope.options(delete_before_replace=True))

    def disk(self, name: str, request: DiskRequest, scope: Scope) -> DiskHandle:
        size = support.sold_size(self.name, "data", request.size_gib)
        disk = mars.Disk(name, gib=size, site=request.zone, sealed=True, opts=scope.options(protect=request.protect))
        return DiskHandle(resource=disk, id=disk.id)

    def attach_disk(
        self, name: str, disk_id: pulumi.Input[str], machine: MachineHandle, scope: Scope
    ) -> pulumi.Resource:
        return mars.Plug(name, disk=disk_id, server=machine.id, opts=scope.options(delete_before_replace=True))


ADAPTER = Mars()
