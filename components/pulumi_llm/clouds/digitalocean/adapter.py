"""DigitalOcean: a droplet in a VPC of its own, behind a firewall, with a reserved IP and a volume.

A region is one data centre, so that it is its own zone. The provider is for no region: each resource that has a place
names it. A droplet's own disk comes with its size and is not said to be encrypted; volumes are, always. The metadata
service has no mode with tokens.
"""

# mypy: no-warn-return-any
# The SDK's types are not read when this is checked (see pyproject.toml), so what it gives is Any.
from __future__ import annotations

import hashlib
import ipaddress
import re
from typing import TYPE_CHECKING

import pulumi
import pulumi_digitalocean as digitalocean

from pulumi_llm.clouds import lookups, support
from pulumi_llm.clouds.base import AddressHandle, DiskHandle, MachineHandle, NetworkHandle
from pulumi_llm.clouds.parts import FromParts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pulumi_llm.clouds.base import Cloud, DiskRequest, MachineRequest, NetworkRequest, RecordRequest, Rule, Scope
    from pulumi_llm.clouds.plans import WayOut

ANYWHERE = ["0.0.0.0/0", "::/0"]
RECORD_SECONDS = 600
"""How long others may keep a record."""
TAG_LIMIT = 255
ABOUT = "Machines of pulumi-llm"


def tag(text: str) -> str:
    """``text`` as a tag is spelt here: letters, digits, colons, dashes and underscores."""
    return support.shortened(re.sub(r"[^A-Za-z0-9:_-]", "-", text), TAG_LIMIT, text)


def labels(tags: Mapping[str, str]) -> list[str]:
    """Tags are mere words here: the key and the value become one of them."""
    return [tag(f"{key}:{value}") for key, value in tags.items()]


def own_part(request: NetworkRequest, region: str) -> str:
    """A part of the network's range, as large as its subnet, that is always the same one for a region."""
    whole, size = ipaddress.ip_network(request.cidr), ipaddress.ip_network(request.subnet_cidr).prefixlen
    chosen = int(hashlib.sha256(region.encode()).hexdigest(), 16) % 2 ** (size - whole.prefixlen)
    return f"{whole.network_address + chosen * 2 ** (32 - size)}/{size}"


def number(id_: pulumi.Output[str]) -> pulumi.Output[int | str]:
    """The id of a droplet as what attaches to it wants it. In a unit test with bare mocks it is no number."""
    return id_.apply(lambda text: int(text) if str(text).isdigit() else text)


class DigitalOcean(FromParts):
    """The adapter for DigitalOcean."""

    name = "digitalocean"
    package = "digitalocean"

    def provider(self, name: str, region: str, parent: pulumi.Resource) -> pulumi.ProviderResource:
        """A provider; its token comes from the environment (``DIGITALOCEAN_TOKEN``), its resources name ``region``."""
        return digitalocean.Provider(name, opts=pulumi.ResourceOptions(parent=parent))

    def network(self, name: str, request: NetworkRequest, scope: Scope) -> NetworkHandle:
        """A VPC, which is of one region and has no subnets. Its machines have public addresses, so it needs no way out.

        No two VPCs of an account may overlap, wherever they are, and a move to another region makes the new one first.
        So each region has its own part of the range that was asked for.
        """
        vpc = digitalocean.Vpc(
            f"{name}-{request.zone}-vpc",
            region=scope.region,
            ip_range=own_part(request, scope.region),
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
        """A firewall for all droplets that carry a tag of its own. Gives that tag.

        By the tag it is in force when a droplet appears; a list of droplets could be written only after that. A tag
        belongs to the whole account, hence its name. A firewall refuses whatever it has no rule for, both ways.
        """
        support.closes_nothing(self.name, out)
        whole = f"{pulumi.get_project()}-{pulumi.get_stack()}-{name}-{scope.region}"
        mark = digitalocean.Tag(f"{name}-tag", name=tag(f"llm:{whole}"), opts=scope.options())
        sources: dict[int, list[pulumi.Input[str]]] = {}
        for __, rule, cidr in support.openings(rules):
            sources.setdefault(rule.port, []).append(cidr)
        wall = digitalocean.Firewall(
            name,
            tags=[mark.name],
            # One rule a port: two of the same port may come back from the API as one.
            inbound_rules=[
                digitalocean.FirewallInboundRuleArgs(protocol="tcp", port_range=str(port), source_addresses=cidrs)
                for port, cidrs in sources.items()
            ],
            # Without a rule nothing would get out.
            outbound_rules=[
                digitalocean.FirewallOutboundRuleArgs(
                    protocol="tcp", port_range="1-65535", destination_addresses=ANYWHERE
                ),
                digitalocean.FirewallOutboundRuleArgs(
                    protocol="udp", port_range="1-65535", destination_addresses=ANYWHERE
                ),
                digitalocean.FirewallOutboundRuleArgs(protocol="icmp", destination_addresses=ANYWHERE),
            ],
            opts=scope.options(),
        )
        return support.after(mark.name, [wall])

    def key_pair(
        self,
        name: str,
        public_key: pulumi.Input[str],
        tags: Mapping[str, str],
        scope: Scope,
        *,
        renew: bool = False,
    ) -> pulumi.Output[str]:
        """An SSH key of the account. DigitalOcean takes no public key twice, under whatever name: an ``up`` that was
        interrupted between making it and noting it down has to be helped, by importing the key or deleting it.
        """
        key = digitalocean.SshKey(
            name,
            public_key=public_key,
            # Its own name is the engine's, another one at each try.
            opts=scope.options(ignore_changes=() if renew else ["public_key"]),
        )
        return key.id

    def image(self, instance_type: str, scope: Scope) -> pulumi.Output[str]:
        """The image that the slug of plain Ubuntu leads to today, by its own number."""
        row = support.image_row(self.name, instance_type)
        slug = str(row.arguments["slug"])
        found = digitalocean.get_images_output(
            filters=[{"key": "slug", "values": [slug]}],
            opts=scope.invoke_options(),
        )

        def newest(images: Sequence[digitalocean.outputs.GetImagesImageResult]) -> str:
            if not images:
                raise lookups.no_image(self.name, instance_type, scope.region, repr(slug))
            return str(max(images, key=lambda each: each.created).id)

        return lookups.image_of(
            found.images,
            cloud=self.name,
            region=scope.region,
            instance_type=instance_type,
            asked=repr(slug),
            action="image:read",
        ).apply(newest)

    def machine(self, name: str, request: MachineRequest, scope: Scope) -> MachineHandle:
        """A droplet. Its size brings its disk along, the smallest of which holds what is asked for (`clouds.json`).

        With ``renew`` the provider itself replaces it for a newer image, other boot instructions or another key.
        """
        support.sold_size(self.name, "system", request.system_disk_gib)
        droplet = digitalocean.Droplet(
            support.machine_name(name, request),
            region=scope.region,
            size=request.instance_type,
            image=request.image_id,
            vpc_uuid=request.vpc_id,
            ssh_keys=[request.key_id],
            user_data=request.user_data,
            # The last one puts it behind the firewall.
            tags=[*labels(request.tags), request.firewall_id],
            # With its disk it could never have a smaller size again.
            resize_disk=False,
            graceful_shutdown=True,
            ipv6=False,
            monitoring=False,
            # It lets the control panel in without a key.
            droplet_agent=False,
            # Backups copy the droplet's own disk, on which nothing is kept.
            backups=False,
            opts=scope.options(ignore_changes=support.launch_only(request.renew, "image", "user_data", "ssh_keys")),
        )
        return MachineHandle(
            resource=droplet, id=droplet.id, private_ip=droplet.ipv4_address_private, image_id=droplet.image
        )

    def address(self, name: str, tags: Mapping[str, str], scope: Scope) -> AddressHandle:
        """A reserved IP, which takes no tags. What the droplet itself sends leaves by the droplet's own address."""
        address = digitalocean.ReservedIp(name, region=scope.region, opts=scope.options())
        return AddressHandle(id=address.ip_address, ip=address.ip_address)

    def record(self, name: str, request: RecordRequest, scope: Scope) -> pulumi.Resource:
        """A record of a domain that DigitalOcean's DNS keeps."""
        return digitalocean.DnsRecord(
            name,
            domain=request.zone,
            name=request.label,
            type="A",
            value=request.address,
            ttl=RECORD_SECONDS,
            opts=scope.options(),
        )

    def attach_address(
        self, name: str, address: AddressHandle, machine: MachineHandle, scope: Scope
    ) -> pulumi.Resource:
        """Give the reserved IP to the droplet, after it was taken from the one before."""
        return digitalocean.ReservedIpAssignment(
            name,
            ip_address=address.id,
            droplet_id=number(machine.id),
            # A reserved IP has one holder at a time.
            opts=scope.options(delete_before_replace=True),
        )

    def disk(self, name: str, request: DiskRequest, scope: Scope) -> DiskHandle:
        """A volume that outlives the droplet. All volumes are encrypted at rest; there is nothing to ask for."""
        volume = digitalocean.Volume(
            name,
            region=scope.region,
            size=support.sold_size(self.name, "data", request.size_gib),
            description=ABOUT,
            snapshot_id=request.snapshot,
            tags=labels(request.tags),
            opts=scope.options(hooks=support.never_smaller(name, scope, "size"), protect=request.protect),
        )
        return DiskHandle(resource=volume, id=volume.id)

    def attach_disk(
        self, name: str, disk_id: pulumi.Input[str], machine: MachineHandle, scope: Scope
    ) -> pulumi.Resource:
        """Attach the volume."""
        return digitalocean.VolumeAttachment(
            name,
            volume_id=disk_id,
            droplet_id=number(machine.id),
            # A volume is attached once at a time.
            opts=scope.options(delete_before_replace=True),
        )


ADAPTER: Cloud = DigitalOcean()
