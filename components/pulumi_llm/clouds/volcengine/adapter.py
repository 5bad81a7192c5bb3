"""Volcengine: ECS instances in a VPC of their own, addressed by EIP.

The Pulumi package is the bridge of terraform-provider-volcengine, as only there a disk and an address are attached by
resources of their own (docs/decisions/volcengine.md). It has no argument that encrypts a disk, system or data, and none
that asks for tokens at the metadata service.
"""

# mypy: no-warn-return-any
# The SDK's types are not read when this is checked (see pyproject.toml), so what it gives is Any.
from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pulumi
import pulumi_volcengine as volcengine

from pulumi_llm import catalog
from pulumi_llm.clouds import lookups, support
from pulumi_llm.clouds.base import AddressHandle, DiskHandle, MachineHandle, NetworkHandle
from pulumi_llm.clouds.parts import FromParts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pulumi_llm.clouds.base import Cloud, DiskRequest, MachineRequest, NetworkRequest, Rule, Scope
    from pulumi_llm.clouds.plans import WayOut

ANYWHERE = "0.0.0.0/0"
NAME_LIMIT = 128
KEY_NAME_LIMIT = 64
RULE_TEXT_LIMIT = 255
BANDWIDTH_MBPS = 100
"""A ceiling, not a purchase: what is paid for is the traffic."""
ANY_PORT = -1
ABOUT = "Machines of pulumi-llm"
CREDENTIALS = ("access_key", "secret_key", "session_token")


def without_credentials(
    args: pulumi.ResourceTransformationArgs,
) -> pulumi.ResourceTransformationResult | None:
    """The provider's inputs without the credentials that the SDK copies into them from the environment.

    They would stand in the state, the key's id in plain text, and later runs would go on with those of the first. Left
    out, the provider takes those of the environment itself (pulumi-volcengine 0.0.47, provider.py).
    """
    props = {key: value for key, value in args.props.items() if key not in CREDENTIALS}
    return pulumi.ResourceTransformationResult(props=props, opts=args.opts)


class Volcengine(FromParts):
    """The adapter for Volcengine."""

    name = "volcengine"
    package = "volcengine"

    def provider(self, name: str, region: str, parent: pulumi.Resource) -> pulumi.ProviderResource:
        """A provider for one region; credentials come from the environment (``VOLCENGINE_ACCESS_KEY`` and others)."""
        options = pulumi.ResourceOptions(parent=parent, transformations=[without_credentials])
        return volcengine.Provider(name, region=region, opts=options)

    def network(self, name: str, request: NetworkRequest, scope: Scope) -> NetworkHandle:
        """A VPC with one subnet; an EIP needs neither gateway nor route.

        Another zone is another VPC, as the subnet's range is taken until the end.
        """
        name = f"{name}-{request.zone}"
        vpc = volcengine.vpc.Vpc(
            f"{name}-vpc",
            vpc_name=support.fitted(name, NAME_LIMIT),
            cidr_block=request.cidr,
            enable_ipv6=False,
            tags=[volcengine.vpc.VpcTagArgs(key=key, value=value) for key, value in request.tags.items()],
            opts=scope.options(),
        )
        subnet = volcengine.vpc.Subnet(
            f"{name}-subnet",
            subnet_name=support.fitted(name, NAME_LIMIT),
            vpc_id=vpc.id,
            cidr_block=request.subnet_cidr,
            zone_id=request.zone,
            tags=[volcengine.vpc.SubnetTagArgs(key=key, value=value) for key, value in request.tags.items()],
            opts=scope.options(),
        )
        return NetworkHandle(vpc_id=vpc.id, subnet_id=subnet.id, zone=request.zone)

    def firewall(
        self,
        name: str,
        vpc_id: pulumi.Input[str],
        rules: Sequence[Rule],
        tags: Mapping[str, str],
        scope: Scope,
        out: Sequence[WayOut] | None = None,
    ) -> pulumi.Output[str]:
        """A security group; what no rule lets in is refused."""
        support.closes_nothing(self.name, out)
        group = volcengine.vpc.SecurityGroup(
            name,
            security_group_name=support.fitted(name, NAME_LIMIT),
            vpc_id=vpc_id,
            description=ABOUT,
            tags=[volcengine.vpc.SecurityGroupTagArgs(key=key, value=value) for key, value in tags.items()],
            opts=scope.options(),
        )
        made: list[pulumi.Resource] = [
            volcengine.vpc.SecurityGroupRule(
                f"{name}-in-{label}",
                security_group_id=group.id,
                direction="ingress",
                policy="accept",
                priority=1,
                protocol="tcp",
                port_start=rule.port,
                port_end=rule.port,
                cidr_ip=cidr,
                description=rule.description[:RULE_TEXT_LIMIT],
                opts=scope.options(),
            )
            for label, rule, cidr in support.openings(rules)
        ]
        made.append(
            volcengine.vpc.SecurityGroupRule(
                # A new group lets everything out by itself, as far as public configurations show; this says so.
                f"{name}-out",
                security_group_id=group.id,
                direction="egress",
                policy="accept",
                priority=1,
                protocol="all",
                port_start=ANY_PORT,
                port_end=ANY_PORT,
                cidr_ip=ANYWHERE,
                description="Everything out",
                opts=scope.options(),
            )
        )
        return support.after(group.id, made)

    def key_pair(
        self,
        name: str,
        public_key: pulumi.Input[str],
        tags: Mapping[str, str],
        scope: Scope,
        *,
        renew: bool = False,
    ) -> pulumi.Output[str]:
        """A key pair, named after the key, as an account and region have one by each name.

        With ``renew`` another key makes a new pair before the old one goes.
        """
        # In a unit test with bare mocks there is no key.
        line = pulumi.Output.from_input(public_key).apply(lambda key: key.strip() if key else key)
        mark = line.apply(lambda key: hashlib.sha256((key or "").encode()).hexdigest()[:12])
        stem = support.fitted(name, KEY_NAME_LIMIT - 13)
        pair = volcengine.ecs.KeyPair(
            name,
            key_pair_name=mark.apply(lambda text: f"{stem}-{text}"),
            public_key=line,
            description=ABOUT,
            tags=[volcengine.ecs.KeyPairTagArgs(key=key, value=value) for key, value in tags.items()],
            opts=scope.options(
                ignore_changes=() if renew else ["key_pair_name", "public_key"],
                # Named by us, with another name for another key: nothing has to be deleted first.
                delete_before_replace=False,
            ),
        )
        return pair.key_pair_name

    def image(self, instance_type: str, scope: Scope) -> pulumi.Output[str]:
        """The newest public image of the plain kind (the shortest name) that the instance type can run."""
        row = support.image_row(self.name, instance_type)
        pattern = str(row.arguments["name_regex"])
        found = volcengine.ecs.get_images_output(
            visibility="public",
            os_type="Linux",
            name_regex=pattern,
            instance_type_id=instance_type,
            is_support_cloud_init=True,
            opts=scope.invoke_options(),
        )

        def plainest(images: Sequence[volcengine.ecs.outputs.GetImagesImageResult]) -> str:
            if not images:
                raise lookups.no_image(self.name, instance_type, scope.region, repr(pattern))
            newest_first = sorted(images, key=lambda each: each.created_at, reverse=True)
            return str(min(newest_first, key=lambda each: len(each.image_name)).image_id)

        return lookups.image_of(
            found.images,
            cloud=self.name,
            region=scope.region,
            instance_type=instance_type,
            asked=repr(pattern),
            action="ecs:DescribeImages",
        ).apply(plainest)

    def machine(self, name: str, request: MachineRequest, scope: Scope) -> MachineHandle:
        """An ECS instance. Its system disk is not encrypted: see the module.

        With ``renew`` a newer image or other boot instructions replace the machine. In place the provider would stop
        it, give it a fresh system disk (ReplaceSystemVolume) and start it, and for user data alone it sends nothing at
        all. Another key it overlooks unless the image changes too, so that here the key replaces the machine as well
        only together with one of these (terraform-provider-volcengine v0.0.194, resource and service of ecs_instance).
        How a stop is charged the provider does not say, and it never asks for it.
        """
        machine = volcengine.ecs.Instance(
            support.machine_name(name, request),
            instance_name=support.fitted(name, NAME_LIMIT),
            description=ABOUT,
            image_id=request.image_id,
            instance_type=request.instance_type,
            zone_id=request.zone,
            subnet_id=request.subnet_id,
            security_group_ids=[request.firewall_id],
            key_pair_name=request.key_id,
            # Plain: the provider takes text that happens to be valid base64 as encoded; ours starts with `#`.
            user_data=request.user_data,
            instance_charge_type="PostPaid",
            spot_strategy="SpotAsPriceGo" if request.spot else "NoSpot",
            system_volume_type=catalog.load().cloud(self.name).system_disk.type,
            system_volume_size=support.sold_size(self.name, "system", request.system_disk_gib),
            security_enhancement_strategy="Active",
            # It lets the console run commands without a key.
            install_run_command_agent=False,
            tags=[volcengine.ecs.InstanceTagArgs(key=key, value=value) for key, value in request.tags.items()],
            opts=scope.options(
                hooks=support.never_smaller(name, scope, "systemVolumeSize", system=True),
                ignore_changes=support.launch_only(request.renew, "image_id", "user_data", "key_pair_name"),
                replace_on_changes=[
                    *(["image_id", "user_data", "key_pair_name"] if request.renew else []),
                    *(["instance_type"] if request.spot else []),
                ],
            ),
        )
        return MachineHandle(
            resource=machine,
            id=machine.id,
            private_ip=machine.primary_ip_address,
            image_id=machine.image_id,
            spot=request.spot,
        )

    def address(self, name: str, tags: Mapping[str, str], scope: Scope) -> AddressHandle:
        """An EIP."""
        address = volcengine.eip.Address(
            name,
            name=support.fitted(name, NAME_LIMIT),
            description=ABOUT,
            billing_type="PostPaidByTraffic",
            bandwidth=BANDWIDTH_MBPS,
            isp="BGP",
            tags=[volcengine.eip.AddressTagArgs(key=key, value=value) for key, value in tags.items()],
            # Named by us, and no name is taken: an address is never deleted before its successor is there.
            opts=scope.options(delete_before_replace=False),
        )
        return AddressHandle(id=address.id, ip=address.eip_address)

    def attach_address(
        self, name: str, address: AddressHandle, machine: MachineHandle, scope: Scope
    ) -> pulumi.Resource:
        """Give the EIP to the machine, after it was taken from the one before."""
        return volcengine.eip.Associate(
            name,
            allocation_id=address.id,
            instance_id=machine.id,
            instance_type="EcsInstance",
            # An EIP has one holder at a time.
            opts=scope.options(delete_before_replace=True),
        )

    def disk(self, name: str, request: DiskRequest, scope: Scope) -> DiskHandle:
        """A volume that outlives the machine. It is not encrypted: see the module."""
        volume = volcengine.ebs.Volume(
            name,
            volume_name=support.fitted(name, NAME_LIMIT),
            kind="data",
            volume_type=catalog.load().cloud(self.name).data_disk.type,
            size=support.sold_size(self.name, "data", request.size_gib),
            zone_id=request.zone,
            volume_charge_type="PostPaid",
            description=ABOUT,
            snapshot_id=request.snapshot,
            delete_with_instance=False,
            tags=[volcengine.ebs.VolumeTagArgs(key=key, value=value) for key, value in request.tags.items()],
            opts=scope.options(hooks=support.never_smaller(name, scope, "size"), protect=request.protect),
        )
        return DiskHandle(resource=volume, id=volume.id)

    def attach_disk(
        self, name: str, disk_id: pulumi.Input[str], machine: MachineHandle, scope: Scope
    ) -> pulumi.Resource:
        """Attach the volume, which the machine does not take with it."""
        return volcengine.ebs.VolumeAttach(
            name,
            volume_id=disk_id,
            instance_id=machine.id,
            delete_with_instance=False,
            # A volume is attached once at a time.
            opts=scope.options(delete_before_replace=True),
        )


ADAPTER: Cloud = Volcengine()
