"""Vultr: an instance in a VPC of its own, behind a firewall group, with a reserved IP and a block storage volume.

A region is one data centre, so that it is its own zone. The provider is for no region: each resource that has a place
names it. An instance's own disk comes with its plan. Nothing says that it is encrypted, nor that volumes are. The
metadata service has no mode with tokens. An instance is made with its reserved IP, which is then its main address, the
one by which it goes out too; and a volume names its instance: see `address_at_launch` and `disk_names_machine`.
"""

# mypy: no-warn-return-any
# The SDK's types are not read when this is checked (see pyproject.toml), so what it gives is Any.
from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING

import ediri_vultr as vultr
import pulumi

from pulumi_llm import catalog
from pulumi_llm.clouds import lookups, support
from pulumi_llm.clouds.base import AddressHandle, DiskHandle, MachineHandle, NetworkHandle
from pulumi_llm.clouds.parts import FromParts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pulumi_llm.clouds.base import Cloud, DiskRequest, MachineRequest, NetworkRequest, RecordRequest, Rule, Scope
    from pulumi_llm.clouds.plans import WayOut

RECORD_SECONDS = 600
"""How long others may keep a record."""
TAG_LIMIT = 255
OWN_DISKS = {"vc2-2c-2gb": 60, "vc2-2c-4gb": 74}
"""GiB of the disk that a plan brings along, where that is less than all other plans here have (`clouds.json`)."""
ABOUT = "Machines of pulumi-llm"


def labels(tags: Mapping[str, str]) -> list[str]:
    """Tags are mere words here: the key and the value become one of them."""
    return [
        support.shortened(re.sub(r"[^A-Za-z0-9:._-]", "-", text := f"{key}:{value}"), TAG_LIMIT, text)
        for key, value in tags.items()
    ]


def number(id_: pulumi.Output[str]) -> pulumi.Output[int | str]:
    """The id of an image as an instance wants it. In a unit test with bare mocks it is no number."""
    return id_.apply(lambda text: int(text) if str(text).isdigit() else text)


class Vultr(FromParts):
    """The adapter for Vultr."""

    name = "vultr"
    package = "vultr"
    address_at_launch = True
    disk_names_machine = True

    def provider(self, name: str, region: str, parent: pulumi.Resource) -> pulumi.ProviderResource:
        """A provider; its key comes from the environment (``VULTR_API_KEY``), its resources name ``region``.

        The SDK's own class would read the key here and put it into the state; the plugin reads it by itself.
        """
        opts = pulumi.ResourceOptions.merge(
            vultr._utilities.get_resource_opts_defaults(), pulumi.ResourceOptions(parent=parent)
        )
        return pulumi.ProviderResource(self.package, name, {}, opts)

    def network(self, name: str, request: NetworkRequest, scope: Scope) -> NetworkHandle:
        """A VPC, of one region and with one range. Its machines have public addresses, so it needs no way out."""
        range_ = ipaddress.ip_network(request.subnet_cidr)
        vpc = vultr.Vpc(
            f"{name}-{request.zone}-vpc",
            region=scope.region,
            v4_subnet=str(range_.network_address),
            v4_subnet_mask=range_.prefixlen,
            description=ABOUT,
            opts=scope.options(),
        )
        return NetworkHandle(vpc_id=vpc.id, subnet_id=vpc.id, zone=request.zone)

    def firewall(
        self,
        name: str,
        vpc_id: pulumi.Input[str],
        rules: Sequence[Rule],
        tags: Mapping[str, str],
        scope: Scope,
        out: Sequence[WayOut] | None = None,
    ) -> pulumi.Output[str]:
        """A firewall group with one rule for each port and range. It refuses what comes in by none, and lets all out.

        Its instances wait for the rules, so that none is in a group that is empty.
        """
        support.closes_nothing(self.name, out)
        group = vultr.FirewallGroup(name, description=ABOUT, opts=scope.options())
        walls = [
            vultr.FirewallRule(
                f"{name}-{label}",
                firewall_group_id=group.id,
                protocol="tcp",
                ip_type="v4",
                subnet=pulumi.Output.from_input(cidr).apply(lambda text: str(text).partition("/")[0]),
                subnet_size=pulumi.Output.from_input(cidr).apply(lambda text: int(str(text).partition("/")[2] or 32)),
                port=str(rule.port),
                notes=rule.description,
                opts=scope.options(),
            )
            for label, rule, cidr in support.openings(rules)
        ]
        return support.after(group.id, walls)

    def key_pair(
        self,
        name: str,
        public_key: pulumi.Input[str],
        tags: Mapping[str, str],
        scope: Scope,
        *,
        renew: bool = False,
    ) -> pulumi.Output[str]:
        """An SSH key of the account. Another one takes its place here, and counts on machines that are made after."""
        key = vultr.SSHKey(
            name,
            ssh_key=public_key,
            # Its own name is the engine's, another one at each try.
            opts=scope.options(
                ignore_changes=() if renew else ["sshKey"], replace_on_changes=["sshKey"] if renew else ()
            ),
        )
        return key.id

    def image(self, instance_type: str, scope: Scope) -> pulumi.Output[str]:
        """The number of plain Ubuntu: Vultr renews what is behind it, and the number stays."""
        row = support.image_row(self.name, instance_type)
        asked = str(row.arguments["name"])
        found = vultr.get_os_output(
            filters=[{"name": "name", "values": [asked]}],
            opts=scope.invoke_options(),
        )
        return lookups.image_of(
            found.id,
            cloud=self.name,
            region=scope.region,
            instance_type=instance_type,
            asked=repr(asked),
            action="GET /v2/os",
        )

    def machine(self, name: str, request: MachineRequest, scope: Scope) -> MachineHandle:
        """An instance. Its plan brings its disk along, which has to hold what is asked for.

        It is deleted before it is made anew: two cannot have the address at once. The provider goes on asking while the
        one before still lets go of it.
        """
        support.sold_size(self.name, "system", request.system_disk_gib, OWN_DISKS.get(request.instance_type))
        arch = catalog.load().instance(self.name, request.instance_type).arch
        machine = vultr.Instance(
            support.machine_name(name, request, arch),
            region=scope.region,
            plan=request.instance_type,
            os_id=number(pulumi.Output.from_input(request.image_id)),
            vpc_ids=[request.vpc_id],
            firewall_group_id=request.firewall_id,
            ssh_key_ids=[request.key_id],
            user_data=request.user_data,
            user_scheme="root",
            label=name,
            hostname=support.fitted(name, 63, r"[^A-Za-z0-9-]").lower(),
            tags=labels(request.tags),
            reserved_ip_id=None if request.address is None else request.address.id,
            enable_ipv6=False,
            # Backups copy the instance's own disk, on which nothing is kept.
            backups="disabled",
            ddos_protection=False,
            # It would tell the account's owner of each machine by mail.
            activation_email=False,
            opts=scope.options(
                ignore_changes=support.launch_only(request.renew, "osId", "userData", "sshKeyIds"),
                delete_before_replace=True,
            ),
        )
        return MachineHandle(
            resource=machine,
            id=machine.id,
            private_ip=machine.internal_ip,
            image_id=machine.os_id.apply(str),
        )

    def address(self, name: str, tags: Mapping[str, str], scope: Scope) -> AddressHandle:
        """A reserved IP, which takes no tags. Its ``instance_id`` stays unsaid: an instance takes it at its start."""
        address = vultr.ReservedIp(name, region=scope.region, ip_type="v4", label=ABOUT, opts=scope.options())
        return AddressHandle(id=address.id, ip=address.subnet)

    def record(self, name: str, request: RecordRequest, scope: Scope) -> pulumi.Resource:
        """A record of a domain that Vultr's DNS keeps. The domain's own name is the empty one."""
        return vultr.DnsRecord(
            name,
            domain=request.zone,
            name="" if request.label == "@" else request.label,
            type="A",
            data=request.address,
            ttl=RECORD_SECONDS,
            opts=scope.options(),
        )

    def disk(self, name: str, request: DiskRequest, scope: Scope) -> DiskHandle:
        """A volume on NVMe that outlives the instance it names.

        Its label has the instance in it, so that both change at once: where only the instance changes, the provider
        (v2.27.1) sends an empty change first, which Vultr refuses, and attaches nothing (dirien/pulumi-vultr#650;
        mended in the provider, for which there is no SDK yet: vultr/terraform-provider-vultr#675).
        """
        about = f"{pulumi.get_project()}-{pulumi.get_stack()}-{name}"
        held = None if request.holder is None else request.holder.id
        volume = vultr.BlockStorage(
            name,
            region=scope.region,
            size_gb=support.sold_size(self.name, "data", request.size_gib),
            block_type="high_perf",
            attached_to_instance=held,
            label=about if held is None else held.apply(lambda id_: f"{about} of {id_}"),
            # Without a restart of the instance.
            live=True,
            opts=scope.options(hooks=support.never_smaller(name, scope, "sizeGb"), protect=request.protect),
        )
        return DiskHandle(resource=volume, id=volume.id)


ADAPTER: Cloud = Vultr()
