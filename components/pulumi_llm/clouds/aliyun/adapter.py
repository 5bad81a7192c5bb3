"""Aliyun (Alibaba Cloud): ECS instances in a VPC of their own, addressed by EIP.

Encryption uses the account's default KMS key; the account must have KMS switched on.
"""

# mypy: no-warn-return-any
# The SDK's types are not read when this is checked (see pyproject.toml), so what it gives is Any.
from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pulumi
import pulumi_alicloud as alicloud

from pulumi_llm import catalog
from pulumi_llm.clouds import lookups, support
from pulumi_llm.clouds.aliyun import starts, subnets, ways_out
from pulumi_llm.clouds.aliyun.near import group as near
from pulumi_llm.clouds.aliyun.peers import group
from pulumi_llm.clouds.base import AddressHandle, DiskHandle, MachineHandle, NetworkHandle
from pulumi_llm.clouds.own_role import OwnRole
from pulumi_llm.clouds.parts import FromParts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pulumi_llm.clouds.base import Cloud, DiskRequest, MachineRequest, NetworkRequest, RecordRequest, Rule, Scope
    from pulumi_llm.clouds.plans import SnapshotPlan, WayOut

ANYWHERE = "0.0.0.0/0"
RECORD_SECONDS = 600
"""How long others may keep a record; less than this Alidns and DNSPod take only with a paid plan."""
NAME_LIMIT = 128
KEY_PREFIX_LIMIT = 100
BANDWIDTH_MBPS = 100
"""A ceiling, not a purchase: what is paid for is the traffic.

An EIP paid by traffic takes 1 to 200 (SDK 4.0.0).
"""


def stop_policy(region: str, instance: str) -> str:
    """What lets a role stop one instance, and nothing else."""
    statement = {
        "Effect": "Allow",
        "Action": ["ecs:StopInstance"],
        "Resource": [f"acs:ecs:{region}:*:instance/{instance}"],
    }
    return json.dumps({"Version": "1", "Statement": [statement]}, sort_keys=True)


class Aliyun(FromParts):
    """The adapter for Alibaba Cloud."""

    name = "aliyun"
    package = "alicloud"
    peers = staticmethod(group)
    near = staticmethod(near)
    start_machine = staticmethod(starts.start_machine)
    let_start = staticmethod(starts.let_start)

    def provider(self, name: str, region: str, parent: pulumi.Resource) -> pulumi.ProviderResource:
        """A provider for one region; credentials come from the environment, a profile or a RAM role."""
        return alicloud.Provider(name, region=region, opts=pulumi.ResourceOptions(parent=parent))

    def network(self, name: str, request: NetworkRequest, scope: Scope) -> NetworkHandle:
        """A VPC with one vSwitch; an EIP needs neither gateway nor route.

        Another zone is another VPC, as the vSwitch's range is taken until the end.
        """
        name = f"{name}-{request.zone}"
        vpc = alicloud.vpc.Network(
            f"{name}-vpc",
            vpc_name=support.fitted(name, NAME_LIMIT),
            cidr_block=request.cidr,
            tags=dict(request.tags),
            opts=scope.options(),
        )
        switch = alicloud.vpc.Switch(
            f"{name}-subnet",
            vswitch_name=support.fitted(name, NAME_LIMIT),
            vpc_id=vpc.id,
            cidr_block=request.subnet_cidr,
            zone_id=request.zone,
            tags=dict(request.tags),
            opts=scope.options(),
        )
        more = subnets.further(name, vpc.id, request, scope)
        return NetworkHandle(vpc_id=vpc.id, subnet_id=switch.id, zone=request.zone, more=more)

    def firewall(
        self,
        name: str,
        vpc_id: pulumi.Input[str],
        rules: Sequence[Rule],
        tags: Mapping[str, str],
        scope: Scope,
        out: Sequence[WayOut] | None = None,
    ) -> pulumi.Output[str]:
        """A security group whose members do not reach each other either, unless a rule says so."""
        group = alicloud.ecs.SecurityGroup(
            name,
            security_group_name=support.fitted(name, NAME_LIMIT),
            # The other type, enterprise, closes the way out and cannot be had together with normal groups.
            security_group_type="normal",
            inner_access_policy="Drop",
            vpc_id=vpc_id,
            description="Machines of pulumi-llm",
            tags=dict(tags),
            opts=scope.options(),
        )
        made: list[pulumi.Resource] = [
            alicloud.ecs.SecurityGroupRule(
                f"{name}-in-{label}",
                security_group_id=group.id,
                type="ingress",
                policy="accept",
                priority=1,
                ip_protocol="tcp",
                port_range=f"{rule.port}/{rule.port}",
                cidr_ip=cidr,
                # In a VPC even what comes from the internet arrives at the intranet card.
                nic_type="intranet",
                description=rule.description[:512],
                opts=scope.options(),
            )
            for label, rule, cidr in support.openings(rules)
        ]
        made += ways_out.rules(name, group.id, out, scope)
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
        pair = alicloud.ecs.EcsKeyPair(
            name,
            key_name_prefix=f"{support.fitted(name, KEY_PREFIX_LIMIT - 1)}-",
            public_key=public_key,
            tags=dict(tags),
            opts=scope.options(
                ignore_changes=() if renew else ["public_key"],
                # The provider plans an update for another key and then sends nothing: only a new pair carries
                # it.
                replace_on_changes=["public_key"] if renew else (),
            ),
        )
        # The pair's id is its name, and unlike the name it is an output in every version of the provider.
        return pair.id

    def image(self, instance_type: str, scope: Scope) -> pulumi.Output[str]:
        """The newest of Aliyun's own images that the instance type can run and that has cloud-init."""
        row = support.image_row(self.name, instance_type)
        asked = row.arguments
        found = alicloud.ecs.get_images_output(
            owners=str(asked["owners"]),
            name_regex=str(asked["name_regex"]),
            architecture=str(asked["architecture"]),
            status=str(asked["status"]),
            is_support_cloud_init=True,
            most_recent=True,
            instance_type=instance_type,
            opts=scope.invoke_options(),
        )

        pattern = repr(asked["name_regex"])

        def first(ids: Sequence[str]) -> str:
            if not ids:
                raise lookups.no_image(self.name, instance_type, scope.region, pattern)
            return ids[0]

        return lookups.image_of(
            found.ids,
            cloud=self.name,
            region=scope.region,
            instance_type=instance_type,
            asked=pattern,
            action="ecs:DescribeImages",
        ).apply(first)

    def machine(self, name: str, request: MachineRequest, scope: Scope) -> MachineHandle:
        """An ECS instance.

        With ``renew`` a newer image, other boot instructions or another key replace the machine. In place the
        provider would stop it in the account's own stop mode, which may give the GPU up, would not say again who
        logs in, and cloud-init would run nothing. Spot is for accounts of the Chinese site; such a machine
        cannot change its type, and is replaced. How a stop is charged is said at each stop, not here: what the
        provider reads back of a machine that runs is `Not-applicable`, and any other value would differ for ever
        (terraform-provider-alicloud release/v2 at ace5bcf8, resource_alicloud_instance.go and its test, 2026-08-21).
        """
        replaced_on = ["image_id", "user_data", "key_name"] if request.renew else []
        if request.spot:
            replaced_on.append("instance_type")
        machine = alicloud.ecs.Instance(
            support.machine_name(name, request),
            instance_name=support.fitted(name, NAME_LIMIT),
            image_id=request.image_id,
            instance_type=request.instance_type,
            availability_zone=request.zone,
            vswitch_id=request.subnet_id,
            security_groups=[*request.groups, request.firewall_id],
            deployment_set_id=request.near,
            key_name=request.key_id,
            # Root does not log in: the key is given to ecs-user.
            image_options=alicloud.ecs.InstanceImageOptionsArgs(
                login_as_non_root=catalog.load().cloud(self.name).login_user != "root"
            ),
            # Plain: the provider would take text that happens to be valid base64 as encoded; ours starts with
            # `#`.
            user_data=request.user_data,
            instance_charge_type="PostPaid",
            spot_strategy="SpotAsPriceGo" if request.spot else "NoSpot",
            spot_interruption_behavior="Terminate" if request.spot else None,
            system_disk_category=catalog.load().cloud(self.name).system_disk.type,
            system_disk_performance_level="PL0",
            system_disk_size=support.sold_size(self.name, "system", request.system_disk_gib),
            system_disk_encrypted=True,
            # Token-only metadata needs cloud-init 23.1 or later, which Ubuntu 24.04 has: an older one would
            # not find its user data. The hop limit is left alone, as Aliyun says that it cannot be used yet.
            http_endpoint="enabled",
            http_tokens="required",
            instance_metadata_tags="disabled",
            # The public address is an EIP; bandwidth here would buy a second one, which cannot be kept.
            internet_charge_type="PayByTraffic",
            internet_max_bandwidth_out=0,
            security_enhancement_strategy="Active",
            deletion_protection=False,
            tags=dict(request.tags),
            opts=scope.options(
                hooks=support.never_smaller(name, scope, "systemDiskSize", system=True),
                ignore_changes=support.launch_only(request.renew, "image_id", "user_data", "key_name"),
                replace_on_changes=replaced_on,
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
        address = alicloud.ecs.EipAddress(
            name,
            address_name=support.fitted(name, NAME_LIMIT),
            payment_type="PayAsYouGo",
            # The default is by bandwidth, which is paid for by the hour whether it is used or not.
            internet_charge_type="PayByTraffic",
            bandwidth=str(BANDWIDTH_MBPS),
            isp="BGP",
            netmode="public",
            deletion_protection=False,
            tags=dict(tags),
            opts=scope.options(),
        )
        return AddressHandle(id=address.id, ip=address.ip_address)

    def record(self, name: str, request: RecordRequest, scope: Scope) -> pulumi.Resource:
        """A record in Alidns."""
        return alicloud.dns.AlidnsRecord(
            name,
            domain_name=request.zone,
            rr=request.label,
            type="A",
            value=request.address,
            ttl=RECORD_SECONDS,
            opts=scope.options(),
        )

    def attach_address(
        self, name: str, address: AddressHandle, machine: MachineHandle, scope: Scope
    ) -> pulumi.Resource:
        """Give the EIP to the machine, after it was taken from the one before."""
        return alicloud.ecs.EipAssociation(
            name,
            allocation_id=address.id,
            instance_id=machine.id,
            instance_type="EcsInstance",
            # An EIP has one holder at a time, and Aliyun does not move it by itself.
            opts=scope.options(delete_before_replace=True),
        )

    def stop_role(self, name: str, tags: Mapping[str, str], scope: Scope, about: str = support.ROLE_ABOUT) -> OwnRole:
        """A RAM role that ECS instances may take on."""
        trust = {
            "Version": "1",
            "Statement": [
                {"Action": "sts:AssumeRole", "Effect": "Allow", "Principal": {"Service": ["ecs.aliyuncs.com"]}}
            ],
        }
        role = alicloud.ram.Role(
            name,
            role_name=support.role_name(name, scope),
            assume_role_policy_document=json.dumps(trust, sort_keys=True),
            description=about,
            tags=dict(tags),
            opts=scope.options(),
        )
        return OwnRole(id=role.id, name=role.id)

    def allow_stop(self, name: str, role: OwnRole, machine: MachineHandle, scope: Scope) -> pulumi.Resource:
        """A policy for this one instance, and the role attached to it."""
        document = machine.id.apply(lambda instance: stop_policy(scope.region, instance))
        return starts.grant(name, role, document, support.ROLE_ABOUT, machine.id, scope)

    def disk(self, name: str, request: DiskRequest, scope: Scope) -> DiskHandle:
        """An ESSD that outlives the machine. Destroying it leaves no snapshot but those of a schedule."""
        disk = alicloud.ecs.EcsDisk(
            name,
            disk_name=support.fitted(name, NAME_LIMIT),
            zone_id=request.zone,
            size=support.sold_size(self.name, "data", request.size_gib),
            category=catalog.load().cloud(self.name).data_disk.type,
            performance_level="PL1",
            encrypted=True,
            payment_type="PayAsYouGo",
            delete_with_instance=False,
            # A copy that goes with what it is a copy of would be none.
            delete_auto_snapshot=not request.copied,
            snapshot_id=request.snapshot,
            # Grown while the machine runs; the default waits for a restart.
            type="online",
            tags=dict(request.tags),
            opts=scope.options(hooks=support.never_smaller(name, scope, "size"), protect=request.protect),
        )
        return DiskHandle(resource=disk, id=disk.id)

    def attach_disk(
        self, name: str, disk_id: pulumi.Input[str], machine: MachineHandle, scope: Scope
    ) -> pulumi.Resource:
        """Attach the disk."""
        return alicloud.ecs.EcsDiskAttachment(
            name,
            disk_id=disk_id,
            instance_id=machine.id,
            delete_with_instance=False,
            # A disk is attached once at a time.
            opts=scope.options(delete_before_replace=True),
        )

    def copy_disk(
        self, name: str, plan: SnapshotPlan, disk: DiskHandle, tags: Mapping[str, str], scope: Scope
    ) -> pulumi.Resource:
        """An automatic snapshot policy of this one disk. Its hours are of UTC+8, its days count from Monday as 1."""
        policy = alicloud.ecs.AutoSnapshotPolicy(
            name,
            auto_snapshot_policy_name=support.fitted(name, NAME_LIMIT),
            repeat_weekdays=[str(day + 1) for day in plan.days],
            time_points=[str(plan.hour)],
            retention_days=plan.keep_days,
            enable_cross_region_copy=False,
            tags=dict(tags),
            opts=scope.options(),
        )
        return alicloud.ecs.EcsAutoSnapshotPolicyAttachment(
            f"{name}-attachment", auto_snapshot_policy_id=policy.id, disk_id=disk.id, opts=scope.options()
        )


ADAPTER: Cloud = Aliyun()
