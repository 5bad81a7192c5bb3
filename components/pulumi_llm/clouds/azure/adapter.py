"""Azure: a virtual machine in a network and a resource group of its own, with a static address and a managed disk.

All managed disks are encrypted at rest by default, the system's too: there is nothing to ask for. The metadata service
has no mode with tokens. A machine is put into no zone: Azure chooses, and a region stands for its own zone. A machine
names its network interface, which names address and firewall, and it names its data disk: see `address_at_launch` and
`machine_names_disk`. The provider sends nearly every change in place, and Azure refuses many: what has to replace a
machine is said here.
"""

# mypy: no-warn-return-any
# The SDK's types are not read when this is checked (see pyproject.toml), so what it gives is Any.
from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import pulumi
import pulumi_azure_native as azure

from pulumi_llm import catalog
from pulumi_llm.clouds import support
from pulumi_llm.clouds.base import AddressHandle, DiskHandle, MachineHandle, NetworkHandle
from pulumi_llm.clouds.parts import FromParts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pulumi_llm.clouds.base import Cloud, DiskRequest, MachineRequest, NetworkRequest, Rule, Scope
    from pulumi_llm.clouds.plans import WayOut

NAME_LIMIT = 56
"""Names of machines and networks have at most 64 letters, of which the provider adds eight."""
FIRST_PRIORITY, LAST_PRIORITY = 100, 4096
SYSTEM_SIZE, CUSTOM_DATA = "storageProfile.osDisk.diskSizeGB", "osProfile.customData"
IMAGE, KEYS = "storageProfile.imageReference", "osProfile.linuxConfiguration.ssh.publicKeys"

_GROUPS: WeakKeyDictionary[pulumi.Resource, dict[str, azure.resources.ResourceGroup]] = WeakKeyDictionary()
"""For each component, its resource group by the region that it is in."""


def fit(name: str) -> str:
    """A resource's name from which the provider makes one that Azure takes: a letter, letters, digits, dashes."""
    return support.fitted(name, NAME_LIMIT, r"[^A-Za-z0-9-]")


def tagged(tags: Mapping[str, str]) -> dict[str, str]:
    """Tags, whose keys have no ``<>%&\\?/`` here."""
    return {re.sub(r"[<>%&\\?/]", "-", key)[:512]: value[:256] for key, value in tags.items()}


def group_of(scope: Scope, tags: Mapping[str, str]) -> pulumi.Output[str]:
    """The name of the resource group that a component's resources are in: each is in one, and it is theirs alone."""
    made = _GROUPS.setdefault(scope.parent, {})
    if scope.region not in made:
        name = f"{scope.parent.pulumi_resource_name}-{scope.region}-group"
        made[scope.region] = azure.resources.ResourceGroup(
            fit(name), location=scope.region, tags=tagged(tags), opts=scope.options()
        )
    return made[scope.region].name


def image_reference(image: str) -> dict[str, str]:
    """An image as a machine names it: the id of one's own, or publisher, offer, SKU and version of a listed one."""
    if image.startswith("/"):
        return {"id": image}
    return dict(zip(("publisher", "offer", "sku", "version"), image.split(":"), strict=False))


class Azure(FromParts):
    """The adapter for Azure."""

    name = "azure"
    package = "azure-native"
    address_at_launch = True
    machine_names_disk = True

    def provider(self, name: str, region: str, parent: pulumi.Resource) -> pulumi.ProviderResource:
        """A provider; its credentials come from the environment (``ARM_…``) or `az login`.

        Its resources name ``region``. The subscription is that of the stack's `azure-native:subscriptionId`, else of
        the environment.
        """
        return azure.Provider(
            name,
            subscription_id=pulumi.Config("azure-native").get("subscriptionId"),
            opts=pulumi.ResourceOptions(parent=parent),
        )

    def network(self, name: str, request: NetworkRequest, scope: Scope) -> NetworkHandle:
        """A network with one subnet, from which nothing gets out that has no public address of its own."""
        group = group_of(scope, request.tags)
        network = azure.network.VirtualNetwork(
            fit(f"{name}-net"),
            resource_group_name=group,
            location=scope.region,
            address_space=azure.network.AddressSpaceArgs(address_prefixes=[request.cidr]),
            tags=tagged(request.tags),
            # The subnet is a resource of its own, which shows up here.
            opts=scope.options(ignore_changes=["subnets"]),
        )
        subnet = azure.network.Subnet(
            fit(f"{name}-subnet"),
            resource_group_name=group,
            virtual_network_name=network.name,
            address_prefix=request.subnet_cidr,
            default_outbound_access=False,
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
        """A security group with a rule for each port and range, and with one last rule that refuses all else.

        By itself a group lets in whatever comes from the same network, or by a load balancer.
        """
        support.closes_nothing(self.name, out)
        allowed = [
            azure.network.SecurityRuleArgs(
                name=f"in-{label}",
                priority=FIRST_PRIORITY + number,
                direction="Inbound",
                access="Allow",
                protocol="Tcp",
                source_address_prefix=cidr,
                source_port_range="*",
                destination_address_prefix="*",
                destination_port_range=str(rule.port),
                description=rule.description,
            )
            for number, (label, rule, cidr) in enumerate(support.openings(rules))
        ]
        closed = azure.network.SecurityRuleArgs(
            name="closed",
            priority=LAST_PRIORITY,
            direction="Inbound",
            access="Deny",
            protocol="*",
            source_address_prefix="*",
            source_port_range="*",
            destination_address_prefix="*",
            destination_port_range="*",
            description="All else",
        )
        wall = azure.network.NetworkSecurityGroup(
            fit(name),
            resource_group_name=group_of(scope, tags),
            location=scope.region,
            security_rules=[*allowed, closed],
            tags=tagged(tags),
            opts=scope.options(),
        )
        return wall.id

    def key_pair(
        self,
        name: str,
        public_key: pulumi.Input[str],
        tags: Mapping[str, str],
        scope: Scope,
        *,
        renew: bool = False,
    ) -> pulumi.Output[str]:
        """The key itself: Azure keeps keys on the machine, not beside it."""
        return pulumi.Output.from_input(public_key).apply(lambda key: " ".join(key.split()[:2]))

    def image(self, instance_type: str, scope: Scope) -> pulumi.Output[str]:
        """The newest listed image of plain Ubuntu. The SDK looks up no images: Azure finds the version at the start."""
        row = support.image_row(self.name, instance_type)
        return pulumi.Output.from_input(str(row.arguments["urn"]))

    def machine(self, name: str, request: MachineRequest, scope: Scope) -> MachineHandle:
        """A virtual machine and its network interface, without an identity: whoever is on it has no rights.

        Its interface can be in one machine alone, so that it is deleted before it is made anew. Another image, other
        boot instructions and another key are refused on a machine that is there, and so is another size of its system
        disk while it runs: with ``renew``, and for that size always, another machine takes its place.
        """
        group = group_of(scope, request.tags)
        row = catalog.load().instance(self.name, request.instance_type)
        facts = catalog.load().cloud(self.name)
        named = support.machine_name(name, request, row.arch)
        interface = azure.network.NetworkInterface(
            fit(f"{named}-nic"),
            resource_group_name=group,
            location=scope.region,
            ip_configurations=[
                azure.network.NetworkInterfaceIPConfigurationArgs(
                    name="main",
                    primary=True,
                    subnet=azure.network.SubnetArgs(id=request.subnet_id),
                    private_ip_allocation_method="Dynamic",
                    private_ip_address_version="IPv4",
                    public_ip_address=None
                    if request.address is None
                    else azure.network.PublicIPAddressArgs(id=request.address.id),
                )
            ],
            network_security_group=azure.network.NetworkSecurityGroupArgs(id=request.firewall_id),
            enable_ip_forwarding=False,
            tags=tagged(request.tags),
            # An address is in one interface at a time.
            opts=scope.options(delete_before_replace=True),
        )
        address = "" if request.address is None else request.address.id
        machine = azure.compute.VirtualMachine(
            fit(named),
            resource_group_name=group,
            location=scope.region,
            hardware_profile=azure.compute.HardwareProfileArgs(vm_size=request.instance_type),
            storage_profile=azure.compute.StorageProfileArgs(
                image_reference=pulumi.Output.from_input(request.image_id).apply(image_reference),
                os_disk=azure.compute.OSDiskArgs(
                    create_option="FromImage",
                    delete_option="Delete",
                    caching="ReadWrite",
                    disk_size_gb=support.sold_size(self.name, "system", request.system_disk_gib),
                    managed_disk=azure.compute.ManagedDiskParametersArgs(storage_account_type=facts.system_disk.type),
                ),
                data_disks=[]
                if request.disk is None
                else [
                    azure.compute.DataDiskArgs(
                        lun=0,
                        create_option="Attach",
                        delete_option="Detach",
                        caching="None",
                        managed_disk=azure.compute.ManagedDiskParametersArgs(id=request.disk.id),
                    )
                ],
            ),
            os_profile=azure.compute.OSProfileArgs(
                computer_name=support.fitted(name, 63, r"[^A-Za-z0-9-]").lower(),
                admin_username=facts.login_user,
                custom_data=base64.b64encode(request.user_data.encode()).decode(),
                linux_configuration=azure.compute.LinuxConfigurationArgs(
                    disable_password_authentication=True,
                    provision_vm_agent=True,
                    ssh=azure.compute.SshConfigurationArgs(
                        public_keys=[
                            azure.compute.SshPublicKeyArgs(
                                key_data=request.key_id, path=f"/home/{facts.login_user}/.ssh/authorized_keys"
                            )
                        ]
                    ),
                ),
            ),
            network_profile=azure.compute.NetworkProfileArgs(
                network_interfaces=[
                    azure.compute.NetworkInterfaceReferenceArgs(
                        # Whoever reads a plan sees whose address it is: the machine's.
                        id=pulumi.Output.all(interface.id, address).apply(lambda ids: ids[0]),
                        primary=True,
                        delete_option="Detach",
                    )
                ]
            ),
            security_profile=azure.compute.SecurityProfileArgs(
                security_type="TrustedLaunch",
                uefi_settings=azure.compute.UefiSettingsArgs(secure_boot_enabled=True, v_tpm_enabled=True),
            ),
            diagnostics_profile=azure.compute.DiagnosticsProfileArgs(
                boot_diagnostics=azure.compute.BootDiagnosticsArgs(enabled=False)
            ),
            tags=tagged(request.tags),
            opts=scope.options(
                ignore_changes=support.launch_only(request.renew, IMAGE, CUSTOM_DATA, KEYS),
                replace_on_changes=[SYSTEM_SIZE, *([IMAGE, CUSTOM_DATA, KEYS] if request.renew else ())],
                delete_before_replace=True,
            ),
        )
        return MachineHandle(
            resource=machine,
            id=machine.id,
            private_ip=interface.ip_configurations[0].private_ip_address,
            image_id=machine.storage_profile.image_reference.apply(_image_of),
        )

    def address(self, name: str, tags: Mapping[str, str], scope: Scope) -> AddressHandle:
        """A static address of the region. Those of the other, older kind are sold no more."""
        address = azure.network.PublicIPAddress(
            fit(name),
            resource_group_name=group_of(scope, tags),
            location=scope.region,
            sku=azure.network.PublicIPAddressSkuArgs(name="Standard", tier="Regional"),
            public_ip_allocation_method="Static",
            public_ip_address_version="IPv4",
            tags=tagged(tags),
            opts=scope.options(),
        )
        return AddressHandle(id=address.id, ip=address.ip_address)

    def disk(self, name: str, request: DiskRequest, scope: Scope) -> DiskHandle:
        """A managed disk that outlives the machine, encrypted at rest as all are, and not to be reached over a link."""
        disk = azure.compute.Disk(
            fit(name),
            resource_group_name=group_of(scope, request.tags),
            location=scope.region,
            disk_size_gb=support.sold_size(self.name, "data", request.size_gib),
            sku=azure.compute.DiskSkuArgs(name=catalog.load().cloud(self.name).data_disk.type),
            creation_data=azure.compute.CreationDataArgs(create_option="Empty"),
            network_access_policy="DenyAll",
            public_network_access="Disabled",
            tags=tagged(request.tags),
            opts=scope.options(hooks=support.never_smaller(name, scope, "diskSizeGB"), protect=request.protect),
        )
        return DiskHandle(resource=disk, id=disk.id)


def _image_of(reference: azure.compute.outputs.ImageReferenceResponse | None) -> str:
    """What `image_reference` was made of."""
    if reference is None:
        return ""
    told = (getattr(reference, key, None) for key in ("publisher", "offer", "sku", "version"))
    return str(getattr(reference, "id", None) or ":".join(str(each or "") for each in told))


ADAPTER: Cloud = Azure()
