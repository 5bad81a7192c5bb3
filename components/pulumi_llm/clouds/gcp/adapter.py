"""Google Cloud: a Compute Engine machine in a network of its own, with a static address and a persistent disk.

All disks are encrypted at rest by default: there is nothing to ask for (a key of the user's own would be another
matter). A network lets nothing in that no rule allows, so that a machine is closed from its first moment.
A machine is given its address when it is made, and nothing hands one over later: see `address_at_launch`.
"""

# mypy: no-warn-return-any
# The SDK's types are not read when this is checked (see pyproject.toml), so what it gives is Any.
from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pulumi
import pulumi_gcp as gcp

from pulumi_llm import catalog
from pulumi_llm.clouds import cards, lookups, support
from pulumi_llm.clouds.base import AddressHandle, DiskHandle, MachineHandle, NetworkHandle
from pulumi_llm.clouds.parts import FromParts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pulumi_llm.clouds.base import Cloud, DiskRequest, MachineRequest, NetworkRequest, Rule, Scope
    from pulumi_llm.clouds.plans import WayOut

ABOUT = "Machines of pulumi-llm"
NAME_LIMIT = 55
"""Names have at most 63 letters, of which the provider adds eight."""
WORD_LIMIT = 63
"""Of labels and of network tags."""
DATA_DEVICE = "llm-data"
KEYS, USER_DATA = 'metadata["ssh-keys"]', 'metadata["user-data"]'
ACCELERATORS = {
    "L4": "nvidia-l4",
    "A100-40GB": "nvidia-tesla-a100",
    "A100-80GB": "nvidia-a100-80gb",
    "H100-80GB": "nvidia-h100-80gb",
}
"""What Google calls the cards that come with a machine type (dstackai/gpuhunt @ 35841515, providers/gcp.py)."""
IMAGE = "bootDisk.initializeParams.image"
OF_TPUS = "hyperdisk-balanced"
"""The disks of a machine with a TPU v6e, which takes no pd-balanced: https://cloud.google.com/tpu/docs/setup-persistent-disk
(2026)."""


def fit(name: str) -> str:
    """A resource's name from which the provider makes one that Google takes: a letter, letters, digits, dashes."""
    return support.fitted(name.lower(), NAME_LIMIT, r"[^a-z0-9-]").lower()


def word(text: str) -> str:
    """``text`` as the key or the value of a label: lower-case letters, digits, dashes and underscores."""
    return support.shortened(re.sub(r"[^a-z0-9_-]", "-", text.lower()), WORD_LIMIT, text)


def labels(tags: Mapping[str, str]) -> dict[str, str]:
    """Tags are labels here, in lower case."""
    return {word(key): word(value) for key, value in tags.items()}


def disk_type(row: catalog.Instance, usual: str) -> str:
    """The kind of disk for a machine."""
    return OF_TPUS if support.has_tpu(row) else usual


def accelerators(row: catalog.Instance) -> list[gcp.compute.InstanceGuestAcceleratorArgs]:
    """The cards of a machine, in Google's words, whether they are beside its type or come with it."""
    if row.gpu is None or support.has_tpu(row):
        return []
    type_, count = cards.parted(row.instance_type)[1] or (ACCELERATORS[row.gpu], row.gpu_count)
    return [gcp.compute.InstanceGuestAcceleratorArgs(type=type_, count=count)]


class Gcp(FromParts):
    """The adapter for Google Cloud."""

    name = "gcp"
    package = "gcp"
    address_at_launch = True

    def provider(self, name: str, region: str, parent: pulumi.Resource) -> pulumi.ProviderResource:
        """A provider for one region. The project is that of the stack's `gcp:project`, else of the environment."""
        return gcp.Provider(
            name,
            project=pulumi.Config("gcp").get("project"),
            region=region,
            opts=pulumi.ResourceOptions(parent=parent),
        )

    def network(self, name: str, request: NetworkRequest, scope: Scope) -> NetworkHandle:
        """A network, which is of no region, with one subnet, which is of a region and of all its zones.

        The way out is there from the start: a route to the internet for whatever has a public address.
        """
        network = gcp.compute.Network(
            fit(f"{name}-net"),
            # Otherwise it has a subnet in each region of the world.
            auto_create_subnetworks=False,
            delete_default_routes_on_create=False,
            routing_mode="REGIONAL",
            description=ABOUT,
            opts=scope.options(),
        )
        subnet = gcp.compute.Subnetwork(
            fit(f"{name}-subnet"),
            network=network.id,
            region=scope.region,
            ip_cidr_range=request.subnet_cidr,
            stack_type="IPV4_ONLY",
            description=ABOUT,
            opts=scope.options(),
        )
        return NetworkHandle(vpc_id=network.id, subnet_id=subnet.id, zone=request.zone)

    def firewall(
        self,
        name: str,
        vpc_id: pulumi.Input[str],
        rules: Sequence[Rule],
        tags: Mapping[str, str],
        scope: Scope,
        out: Sequence[WayOut] | None = None,
    ) -> pulumi.Output[str]:
        """One rule a port, for the machines that carry a network tag of their own. Gives that tag.

        All that no rule lets in is refused, and all is let out: that is what a network does by itself. Others may have
        rules in the same network, hence the tag's long name.
        """
        support.closes_nothing(self.name, out)
        mark = word(f"llm-{pulumi.get_project()}-{pulumi.get_stack()}-{name}-{scope.region}").replace("_", "-")
        sources: dict[int, list[pulumi.Input[str]]] = {}
        about: dict[int, str] = {}
        for __, rule, cidr in support.openings(rules):
            sources.setdefault(rule.port, []).append(cidr)
            about.setdefault(rule.port, rule.description)
        walls = [
            gcp.compute.Firewall(
                fit(f"{name}-{port}"),
                network=vpc_id,
                direction="INGRESS",
                allows=[gcp.compute.FirewallAllowArgs(protocol="tcp", ports=[str(port)])],
                source_ranges=cidrs,
                target_tags=[mark],
                description=about[port],
                opts=scope.options(),
            )
            for port, cidrs in sources.items()
        ]
        return support.after(pulumi.Output.from_input(mark), walls)

    def key_pair(
        self,
        name: str,
        public_key: pulumi.Input[str],
        tags: Mapping[str, str],
        scope: Scope,
        *,
        renew: bool = False,
    ) -> pulumi.Output[str]:
        """The line of the machine's metadata that lets the key in. Google keeps keys on the machine, not beside it."""
        user = catalog.load().cloud(self.name).login_user
        # The third word of a line is a remark, which the agent on the machine would take for more.
        return pulumi.Output.from_input(public_key).apply(lambda key: f"{user}:{' '.join(key.split()[:2])}")

    def image(self, instance_type: str, scope: Scope) -> pulumi.Output[str]:
        """The newest image of the family of plain Ubuntu, or of that for TPUs. Images are of all regions."""
        row = support.image_row(self.name, instance_type)
        family, project = str(row.arguments["family"]), str(row.arguments["project"])
        found = gcp.compute.get_image_output(family=family, project=project, opts=scope.invoke_options())
        return lookups.image_of(
            found.self_link,
            cloud=self.name,
            region=scope.region,
            instance_type=instance_type,
            asked=f"{project}/{family}",
            action="compute.images.getFromFamily",
        )

    def machine(self, name: str, request: MachineRequest, scope: Scope) -> MachineHandle:
        """A Compute Engine instance, without a service account: whoever is on it has no rights in the project.

        It is the same resource in another zone of the region, where it is deleted before it is made anew: two cannot
        have the address at once. It then has the newest image and its own boot instructions, which are ignored
        otherwise. Other cards are another machine too, within a family and beyond it: they are named beside the type
        even where they come with it, and the provider replaces for them. One that starts from another image is another
        resource, with an address of its own: see `machine_name` of :mod:`..support`.
        """
        row = catalog.load().instance(self.name, request.instance_type)
        machine_type = cards.parted(request.instance_type)[0]
        machine = gcp.compute.Instance(
            fit(f"{name}-{scope.region}{support.of_another_image(row)}"),
            zone=request.zone,
            machine_type=machine_type,
            guest_accelerators=accelerators(row),
            boot_disk=gcp.compute.InstanceBootDiskArgs(
                auto_delete=True,
                initialize_params=gcp.compute.InstanceBootDiskInitializeParamsArgs(
                    image=request.image_id,
                    size=support.sold_size(self.name, "system", request.system_disk_gib),
                    type=disk_type(row, catalog.load().cloud(self.name).system_disk.type),
                ),
            ),
            network_interfaces=[
                gcp.compute.InstanceNetworkInterfaceArgs(
                    subnetwork=request.subnet_id,
                    stack_type="IPV4_ONLY",
                    access_configs=[]
                    if request.address is None
                    else [
                        gcp.compute.InstanceNetworkInterfaceAccessConfigArgs(
                            nat_ip=request.address.ip, network_tier="PREMIUM"
                        )
                    ],
                )
            ],
            # By these the rules find it.
            tags=[request.firewall_id],
            labels=labels(request.tags),
            metadata={
                "user-data": request.user_data,
                "ssh-keys": request.key_id,
                # Otherwise whoever has a key in the project's metadata gets in.
                "block-project-ssh-keys": "TRUE",
                # Otherwise a project may turn it on, and ssh-keys is not read.
                "enable-oslogin": "FALSE",
                "serial-port-enable": "FALSE",
            },
            scheduling=gcp.compute.InstanceSchedulingArgs(
                provisioning_model="SPOT" if request.spot else "STANDARD",
                preemptible=request.spot,
                automatic_restart=not request.spot,
                # A machine with a GPU is not moved while it runs, and neither is one on spot.
                on_host_maintenance="TERMINATE" if row.gpu or request.spot else "MIGRATE",
                # Its system disk stays with it, and the engine knows it.
                instance_termination_action="STOP" if request.spot else None,
            ),
            # Secure Boot takes the driver's modules too: those that the driver's stage installs first are Canonical's,
            # signed. Of a TPU nobody tells whether its library gets to the chips with it: samples of TPU machines are
            # made without.
            shielded_instance_config=gcp.compute.InstanceShieldedInstanceConfigArgs(
                enable_secure_boot=not support.has_tpu(row), enable_vtpm=True, enable_integrity_monitoring=True
            ),
            # Google stops a spot machine when it takes it back: `pulumi up --refresh` sees that, and starts it.
            desired_status="RUNNING" if request.spot else None,
            can_ip_forward=False,
            deletion_protection=False,
            # Another type needs a stop.
            allow_stopping_for_update=True,
            opts=scope.options(
                hooks=support.never_smaller(name, scope, "bootDisk.initializeParams.size", system=True),
                # The data disk is attached by a resource of its own, which shows up here.
                ignore_changes=[*support.launch_only(request.renew, IMAGE, USER_DATA, KEYS), "attachedDisks"],
                replace_on_changes=[USER_DATA, KEYS] if request.renew else (),
                delete_before_replace=True,
            ),
        )
        return MachineHandle(
            resource=machine,
            id=machine.id,
            private_ip=machine.network_interfaces[0].network_ip,
            image_id=machine.boot_disk.initialize_params.image,
            spot=request.spot,
        )

    def address(self, name: str, tags: Mapping[str, str], scope: Scope) -> AddressHandle:
        """A static address of the region, in Google's own network up to the caller's (the premium tier)."""
        address = gcp.compute.Address(
            fit(name),
            region=scope.region,
            address_type="EXTERNAL",
            network_tier="PREMIUM",
            description=ABOUT,
            labels=labels(tags),
            opts=scope.options(),
        )
        return AddressHandle(id=address.id, ip=address.address)

    def disk(self, name: str, request: DiskRequest, scope: Scope) -> DiskHandle:
        """A persistent disk that outlives the machine, encrypted at rest as all are.

        A smaller size is another disk to the provider, so that no hook of an update sees it; a review says what is
        lost, and ``protect`` has the engine refuse it.
        """
        disk = gcp.compute.Disk(
            fit(name),
            zone=request.zone,
            size=support.sold_size(self.name, "data", request.size_gib),
            type=disk_type(
                catalog.load().instance(self.name, request.instance_type),
                catalog.load().cloud(self.name).data_disk.type,
            ),
            description=ABOUT,
            snapshot=request.snapshot,
            labels=labels(request.tags),
            opts=scope.options(protect=request.protect),
        )
        return DiskHandle(resource=disk, id=disk.id)

    def attach_disk(
        self, name: str, disk_id: pulumi.Input[str], machine: MachineHandle, scope: Scope
    ) -> pulumi.Resource:
        """Attach the disk."""
        return gcp.compute.AttachedDisk(
            fit(name),
            disk=disk_id,
            instance=machine.id,
            device_name=DATA_DEVICE,
            mode="READ_WRITE",
            # A disk that is written to is attached once at a time.
            opts=scope.options(delete_before_replace=True),
        )


ADAPTER: Cloud = Gcp()
