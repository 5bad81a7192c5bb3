"""AWS: EC2 instances in a VPC of their own, addressed by Elastic IP."""

# mypy: no-warn-return-any
# The SDK's types are not read when this is checked (see pyproject.toml), so what it gives is Any.
from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pulumi
import pulumi_aws as aws

from pulumi_llm import catalog
from pulumi_llm.clouds import lookups, support
from pulumi_llm.clouds.aws import copies, starts, subnets, ways_out
from pulumi_llm.clouds.aws.near import group as near
from pulumi_llm.clouds.aws.peers import group
from pulumi_llm.clouds.base import AddressHandle, DiskHandle, MachineHandle, NetworkHandle
from pulumi_llm.clouds.own_role import OwnRole
from pulumi_llm.clouds.parts import FromParts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pulumi_llm.clouds.base import (
        BareHost,
        Cloud,
        DiskRequest,
        MachineRequest,
        NetworkRequest,
        RecordRequest,
        Rule,
        Scope,
    )
    from pulumi_llm.clouds.plans import SnapshotPlan, StartPlan, WayOut

ANYWHERE = "0.0.0.0/0"
RECORD_SECONDS = 600
"""How long others may keep a record; less than this Alidns and DNSPod take only with a paid plan."""
NOT_IN_DESCRIPTION = r"[^0-9A-Za-z_ .:/()#,@\[\]+=&;{}!$*-]"
"""EC2 refuses other characters in a rule's description."""
KEY_PREFIX_LIMIT = 229
DATA_DEVICE = "/dev/sdf"
"""The first name that EC2 recommends for data volumes. On Nitro machines it shows up as an NVMe device."""


def stop_policy(arn: str) -> str:
    """What lets a role stop one instance, and nothing else."""
    statement = {"Effect": "Allow", "Action": ["ec2:StopInstances"], "Resource": [arn]}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]}, sort_keys=True)


class Aws(FromParts):
    """The adapter for Amazon Web Services."""

    name = "aws"
    package = "aws"
    peers = staticmethod(group)
    near = staticmethod(near)

    def provider(self, name: str, region: str, parent: pulumi.Resource) -> pulumi.ProviderResource:
        """A provider for one region; credentials come from the environment, a profile or a role."""
        return aws.Provider(name, region=region, opts=pulumi.ResourceOptions(parent=parent))

    def network(self, name: str, request: NetworkRequest, scope: Scope) -> NetworkHandle:
        """A VPC with one public subnet, and one more in each further zone.

        Another zone is another VPC, as the subnet's range is taken until the end.
        """
        name = f"{name}-{request.zone}"
        tags = {**request.tags, "Name": name}
        vpc = aws.ec2.Vpc(
            f"{name}-vpc",
            cidr_block=request.cidr,
            enable_dns_support=True,
            enable_dns_hostnames=True,
            tags=tags,
            opts=scope.options(),
        )
        gateway = aws.ec2.InternetGateway(f"{name}-gateway", vpc_id=vpc.id, tags=tags, opts=scope.options())
        table = aws.ec2.RouteTable(f"{name}-routes", vpc_id=vpc.id, tags=tags, opts=scope.options())
        route = aws.ec2.Route(
            f"{name}-route-out",
            route_table_id=table.id,
            destination_cidr_block=ANYWHERE,
            gateway_id=gateway.id,
            opts=scope.options(),
        )
        ids = dict(subnets.made(name, vpc.id, (table, route), request, scope))
        return NetworkHandle(vpc_id=vpc.id, subnet_id=ids.pop(request.zone), zone=request.zone, more=ids)

    def firewall(
        self,
        name: str,
        vpc_id: pulumi.Input[str],
        rules: Sequence[Rule],
        tags: Mapping[str, str],
        scope: Scope,
        out: Sequence[WayOut] | None = None,
    ) -> pulumi.Output[str]:
        """A security group.

        Its rules are resources of their own: inline ones and these would undo each other.
        """
        group = aws.ec2.SecurityGroup(
            name,
            vpc_id=vpc_id,
            # Fixed for ever: another description replaces the group.
            description="Machines of pulumi-llm",
            tags={**tags, "Name": name},
            opts=scope.options(),
        )
        made: list[pulumi.Resource] = [
            aws.vpc.SecurityGroupIngressRule(
                f"{name}-in-{label}",
                security_group_id=group.id,
                ip_protocol="tcp",
                from_port=rule.port,
                to_port=rule.port,
                cidr_ipv4=cidr,
                description=re.sub(NOT_IN_DESCRIPTION, " ", rule.description)[:255],
                tags=dict(tags),
                opts=scope.options(),
            )
            for label, rule, cidr in support.openings(rules)
        ]
        made += ways_out.rules(name, group.id, out, tags, scope)
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
        """A key pair whose name the provider makes from a prefix, anew at each try."""
        pair = aws.ec2.KeyPair(
            name,
            key_name_prefix=f"{support.fitted(name, KEY_PREFIX_LIMIT - 1)}-",
            public_key=public_key,
            tags=dict(tags),
            opts=scope.options(ignore_changes=() if renew else ["public_key"]),
        )
        return pair.key_name

    def image(self, instance_type: str, scope: Scope) -> pulumi.Output[str]:
        """The AMI that Canonical names as its newest in a public SSM parameter."""
        row = support.image_row(self.name, instance_type)
        found = aws.ssm.get_parameter_output(name=str(row.arguments["name"]), opts=scope.invoke_options())
        # Not `value`: the SDK marks that as a secret, and an image id that nobody can read helps nobody.
        return lookups.image_of(
            found.insecure_value,
            cloud=self.name,
            region=scope.region,
            instance_type=instance_type,
            asked=repr(str(row.arguments["name"])),
            action="ssm:GetParameter",
        )

    def machine(self, name: str, request: MachineRequest, scope: Scope) -> MachineHandle:
        """An EC2 instance.

        A spot machine is asked for once: a standing request could start a machine that no stack knows about.
        EC2 cannot stop such a machine, so a change of type replaces it.
        """
        tags = {**request.tags, "Name": name}
        machine = aws.ec2.Instance(
            support.machine_name(name, request, catalog.load().instance(self.name, request.instance_type).arch),
            ami=request.image_id,
            instance_type=request.instance_type,
            availability_zone=request.zone,
            subnet_id=request.subnet_id,
            vpc_security_group_ids=[*request.groups, request.firewall_id],
            placement_group=request.near,
            key_name=request.key_id,
            # Attaching an Elastic IP turns this to true, and true cannot become false without a new machine.
            associate_public_ip_address=True,
            iam_instance_profile=request.role,
            user_data=request.user_data,
            user_data_replace_on_change=request.renew,
            root_block_device=aws.ec2.InstanceRootBlockDeviceArgs(
                volume_type=catalog.load().cloud(self.name).system_disk.type,
                volume_size=support.sold_size(self.name, "system", request.system_disk_gib),
                encrypted=True,
                delete_on_termination=True,
                tags=tags,
            ),
            metadata_options=aws.ec2.InstanceMetadataOptionsArgs(
                http_endpoint="enabled",
                http_tokens="required",
                # One hop: a container behind a bridge does not reach the metadata.
                http_put_response_hop_limit=1,
                http_protocol_ipv6="disabled",
                instance_metadata_tags="disabled",
            ),
            instance_market_options=_spot() if request.spot else None,
            instance_initiated_shutdown_behavior="stop",
            disable_api_termination=False,
            disable_api_stop=False,
            source_dest_check=True,
            # Metrics by the minute are charged for; the node has its own.
            monitoring=False,
            tags=tags,
            opts=scope.options(
                hooks=support.never_smaller(name, scope, "rootBlockDevice.volumeSize", system=True),
                ignore_changes=support.launch_only(request.renew, "ami", "user_data", "key_name"),
                replace_on_changes=["instance_type"] if request.spot else (),
            ),
        )
        return MachineHandle(
            resource=machine,
            id=machine.id,
            private_ip=machine.private_ip,
            image_id=machine.ami,
            spot=request.spot,
        )

    def address(self, name: str, tags: Mapping[str, str], scope: Scope) -> AddressHandle:
        """An Elastic IP."""
        address = aws.ec2.Eip(name, domain="vpc", tags={**tags, "Name": name}, opts=scope.options())
        return AddressHandle(id=address.id, ip=address.public_ip)

    def record(self, name: str, request: RecordRequest, scope: Scope) -> pulumi.Resource:
        """A record in Route 53. One that is there already is not overwritten."""
        return aws.route53.Record(
            name,
            zone_id=request.zone_id,
            name=request.name,
            type="A",
            ttl=RECORD_SECONDS,
            records=[request.address],
            opts=scope.options(),
        )

    def attach_address(
        self, name: str, address: AddressHandle, machine: MachineHandle, scope: Scope
    ) -> pulumi.Resource:
        """Give the Elastic IP to the machine, after it was taken from the one before."""
        return aws.ec2.EipAssociation(
            name,
            allocation_id=address.id,
            instance_id=machine.id,
            # An address that serves somewhere else is not taken away from there.
            allow_reassociation=False,
            opts=scope.options(delete_before_replace=True),
        )

    def stop_role(self, name: str, tags: Mapping[str, str], scope: Scope, about: str = support.ROLE_ABOUT) -> OwnRole:
        """An IAM role that EC2 instances may take on, and the instance profile by which they do."""
        called = support.role_name(name, scope)
        role = aws.iam.Role(
            name,
            name=called,
            assume_role_policy=copies.trust("ec2.amazonaws.com"),
            description=about,
            tags=dict(tags),
            opts=scope.options(),
        )
        profile = aws.iam.InstanceProfile(
            f"{name}-profile", name=called, role=role.name, tags=dict(tags), opts=scope.options()
        )
        return OwnRole(id=role.name, name=role.name, at_launch=profile.name)

    def allow_stop(self, name: str, role: OwnRole, machine: MachineHandle, scope: Scope) -> pulumi.Resource:
        """A policy for this one instance; it has the role since its launch."""
        assert isinstance(machine.resource, aws.ec2.Instance)  # noqa: S101 - `machine` made it
        return aws.iam.RolePolicy(
            f"{name}-policy",
            name="stop-itself",
            role=role.id,
            policy=machine.resource.arn.apply(stop_policy),
            opts=scope.options(),
        )

    def let_start(self, name: str, front: BareHost, others: Sequence[BareHost], scope: Scope) -> pulumi.Resource:
        """A policy for these instances; the first one has the role since its launch."""
        assert front.role is not None  # noqa: S101 - it was ordered with one
        arns = [each.machine.resource.arn for each in others if each.machine is not None]  # type: ignore[attr-defined]
        return aws.iam.RolePolicy(
            f"{name}-policy",
            name="start-others",
            role=front.role.id,
            policy=pulumi.Output.all(*arns).apply(lambda known: starts.policy(*known)),
            opts=scope.options(),
        )

    def start_machine(
        self, name: str, plans: Sequence[StartPlan], machine: MachineHandle, tags: Mapping[str, str], scope: Scope
    ) -> None:
        """A schedule for each time of day, and one role for them all. A schedule has no tags."""
        assert isinstance(machine.resource, aws.ec2.Instance)  # noqa: S101 - `machine` made it
        arn = machine.resource.arn
        role = aws.iam.Role(
            f"{name}-role",
            name=support.role_name(name, scope),
            assume_role_policy=arn.apply(starts.trust),
            description=starts.ABOUT,
            tags=dict(tags),
            opts=scope.options(),
        )
        granted = aws.iam.RolePolicy(
            f"{name}-policy",
            name="start-the-machine",
            role=role.name,
            policy=arn.apply(starts.policy),
            opts=scope.options(),
        )
        for plan in plans:
            called = f"{name}-{plan.hour:02}{plan.minute:02}"
            aws.scheduler.Schedule(
                called,
                name=support.role_name(called, scope),
                **starts.schedule(plan, starts.target(scope.region), role.arn, machine.id.apply(starts.asked)),
                opts=scope.options(depends_on=[granted]),
            )

    def disk(self, name: str, request: DiskRequest, scope: Scope) -> DiskHandle:
        """An EBS volume, encrypted with the account's default key. Destroying it makes no snapshot."""
        mark = support.role_name(name, scope, copies.MARK_LIMIT) if request.copied else ""
        volume = aws.ebs.Volume(
            name,
            availability_zone=request.zone,
            size=support.sold_size(self.name, "data", request.size_gib),
            type=catalog.load().cloud(self.name).data_disk.type,
            encrypted=True,
            final_snapshot=False,
            snapshot_id=request.snapshot,
            tags={**request.tags, "Name": name, **({copies.MARK: mark} if mark else {})},
            opts=scope.options(hooks=support.never_smaller(name, scope, "size"), protect=request.protect),
        )
        return DiskHandle(resource=volume, id=volume.id, mark=mark)

    def attach_disk(
        self, name: str, disk_id: pulumi.Input[str], machine: MachineHandle, scope: Scope
    ) -> pulumi.Resource:
        """Attach the volume. It is let go only by a stopped machine, as one in use would not come off."""
        return aws.ec2.VolumeAttachment(
            name,
            device_name=DATA_DEVICE,
            instance_id=machine.id,
            volume_id=disk_id,
            stop_instance_before_detaching=not machine.spot,
            # A machine that is asked for once cannot be stopped: for the file system this is a power cut.
            force_detach=machine.spot,
            skip_destroy=False,
            # A volume is attached once at a time.
            opts=scope.options(delete_before_replace=True),
        )

    def copy_disk(
        self, name: str, plan: SnapshotPlan, disk: DiskHandle, tags: Mapping[str, str], scope: Scope
    ) -> pulumi.Resource:
        """A lifecycle policy for what has this disk's mark, with a role that may copy this disk and end its copies.

        A policy looks for tags and names no volume. A snapshot gets the tags of its volume, the mark among them.
        """
        assert isinstance(disk.resource, aws.ebs.Volume)  # noqa: S101 - `disk` made it
        role = aws.iam.Role(
            f"{name}-role",
            name=support.role_name(name, scope),
            assume_role_policy=copies.trust(),
            description=copies.ABOUT,
            tags=dict(tags),
            opts=scope.options(),
        )
        granted = aws.iam.RolePolicy(
            f"{name}-policy",
            name="copy-the-disk",
            role=role.name,
            policy=disk.resource.arn.apply(lambda arn: copies.policy(arn, disk.mark, scope.region)),
            opts=scope.options(),
        )
        return aws.dlm.LifecyclePolicy(
            name,
            description="Snapshots of a data disk of pulumi-llm",
            execution_role_arn=role.arn,
            state="ENABLED",
            policy_details=copies.details(plan, disk.mark),
            tags={**tags, "Name": name},
            opts=scope.options(depends_on=[granted]),
        )


def _spot() -> aws.ec2.InstanceInstanceMarketOptionsArgs:
    # Without max_price the bid is the on-demand price, and what is paid is the market's.
    return aws.ec2.InstanceInstanceMarketOptionsArgs(
        market_type="spot",
        spot_options=aws.ec2.InstanceInstanceMarketOptionsSpotOptionsArgs(
            spot_instance_type="one-time", instance_interruption_behavior="terminate"
        ),
    )


ADAPTER: Cloud = Aws()
