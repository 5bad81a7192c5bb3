"""Tencent Cloud: CVM instances in a VPC of their own, addressed by EIP.

The Pulumi package (0.2.3) cannot encrypt a system disk: it has no such argument, though the API does. Data
disks are encrypted, so weights, keys and vectors belong there. It has no metadata options either.
"""

# mypy: no-warn-return-any
# The SDK's types are not read when this is checked (see pyproject.toml), so what it gives is Any.
from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import pulumi
import tencentcloud_iac_pulumi as tencentcloud

from pulumi_llm import catalog
from pulumi_llm.clouds import lookups, support
from pulumi_llm.clouds.base import AddressHandle, DiskHandle, MachineHandle, NetworkHandle
from pulumi_llm.clouds.own_role import OwnRole
from pulumi_llm.clouds.parts import FromParts
from pulumi_llm.clouds.tencent import starts, subnets, ways_out
from pulumi_llm.clouds.tencent.bids import highest_bid
from pulumi_llm.clouds.tencent.near import group as near
from pulumi_llm.clouds.tencent.peers import group

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pulumi_llm.clouds.base import Cloud, DiskRequest, MachineRequest, NetworkRequest, RecordRequest, Rule, Scope
    from pulumi_llm.clouds.plans import SnapshotPlan, WayOut

ANYWHERE = "0.0.0.0/0"
RECORD_SECONDS = 600
"""How long others may keep a record; less than this Alidns and DNSPod take only with a paid plan."""
NAME_LIMIT = 60
BANDWIDTH_MBPS = 100
"""A ceiling, not a purchase: what is paid for is the traffic."""
CREDENTIALS = ("secret_id", "secret_key", "security_token")


def without_credentials(
    args: pulumi.ResourceTransformationArgs,
) -> pulumi.ResourceTransformationResult | None:
    """The provider's inputs without the credentials that the SDK copies into them from the environment.

    They would stand in the state, the id in plain text, and later runs would go on with those of the first. Left out,
    the provider takes those of the environment itself (tencentcloud-iac-pulumi 0.2.3, provider.py).
    """
    props = {key: value for key, value in args.props.items() if key not in CREDENTIALS}
    return pulumi.ResourceTransformationResult(props=props, opts=args.opts)


def stop_policy(region: str, instance: str) -> str:
    """What lets a role stop one instance, and nothing else.

    An empty owner is the account of whoever makes the policy (www.tencentcloud.com/document/product/598/10606).
    """
    resource = f"qcs::cvm:{region}::instance/{instance}"
    statement = {"effect": "allow", "action": ["cvm:StopInstances"], "resource": [resource]}
    return json.dumps({"version": "2.0", "statement": [statement]}, sort_keys=True)


class Tencent(FromParts):
    """The adapter for Tencent Cloud."""

    name = "tencent"
    package = "tencentcloud"
    peers = staticmethod(group)
    near = staticmethod(near)
    start_machine = staticmethod(starts.start_machine)
    let_start = staticmethod(starts.let_start)

    def provider(self, name: str, region: str, parent: pulumi.Resource) -> pulumi.ProviderResource:
        """A provider for one region; credentials come from the environment, a profile or a CAM role."""
        options = pulumi.ResourceOptions(parent=parent, transformations=[without_credentials])
        return tencentcloud.Provider(name, region=region, opts=options)

    def network(self, name: str, request: NetworkRequest, scope: Scope) -> NetworkHandle:
        """A VPC with one subnet; an EIP needs neither gateway nor route.

        Another zone is another VPC, as the subnet's range is taken until the end.
        """
        name = f"{name}-{request.zone}"
        # Named by us, since the engine's own names exceed the limit; it would then delete before it makes the
        # new one, and nothing can be deleted that a machine is in.
        options = scope.options(delete_before_replace=False)
        vpc = tencentcloud.vpc.Instance(
            f"{name}-vpc",
            name=support.fitted(name, NAME_LIMIT),
            cidr_block=request.cidr,
            is_multicast=False,
            tags=dict(request.tags),
            opts=options,
        )
        subnet = tencentcloud.subnet.Instance(
            f"{name}-subnet",
            name=support.fitted(name, NAME_LIMIT),
            vpc_id=vpc.id,
            cidr_block=request.subnet_cidr,
            availability_zone=request.zone,
            is_multicast=False,
            tags=dict(request.tags),
            opts=options,
        )
        more = subnets.further(name, vpc.id, request, scope)
        return NetworkHandle(vpc_id=vpc.id, subnet_id=subnet.id, zone=request.zone, more=more)

    def firewall(
        self,
        name: str,
        vpc_id: pulumi.Input[str],
        rules: Sequence[Rule],
        tags: Mapping[str, str],
        scope: Scope,
        out: Sequence[WayOut] | None = None,
    ) -> pulumi.Output[str]:
        """A security group with one ordered set of rules, which owns all of them.

        Groups belong to no VPC here.
        """
        group = tencentcloud.security.Group(
            name,
            name=support.fitted(name, NAME_LIMIT),
            description="Machines of pulumi-llm",
            tags=dict(tags),
            opts=scope.options(delete_before_replace=False),
        )
        accepted = [
            tencentcloud.security.GroupRuleSetIngressArgs(
                action="ACCEPT",
                protocol="TCP",
                port=str(rule.port),
                cidr_block=cidr,
                description=rule.description[:100],
            )
            for __, rule, cidr in support.openings(rules)
        ]
        ruleset = tencentcloud.security.GroupRuleSet(
            f"{name}-rules",
            security_group_id=group.id,
            # The first rule that fits wins, so what refuses everything else comes last.
            ingresses=[
                *accepted,
                tencentcloud.security.GroupRuleSetIngressArgs(
                    action="DROP",
                    protocol="ALL",
                    port="ALL",
                    cidr_block=ANYWHERE,
                    description="Nothing else in",
                ),
            ],
            egresses=ways_out.rules(out),
            opts=scope.options(),
        )
        return support.after(group.id, [ruleset])

    def key_pair(
        self,
        name: str,
        public_key: pulumi.Input[str],
        tags: Mapping[str, str],
        scope: Scope,
        *,
        renew: bool = False,
    ) -> pulumi.Output[str]:
        """A key pair, named after the key.

        Tencent Cloud takes neither a name nor a public key twice, so no other name would help an ``up`` that was
        interrupted between making the pair and noting it down: the pair must then be imported, or deleted by hand.
        With ``renew`` another key makes a new pair before the old one goes, for the provider unbinds what it deletes.
        """
        # The provider takes the line's end off what it compares with, but not off what the API answers: a key that is
        # sent with one could look like another key later (provider v1.82.42, resource_tc_key_pair.go).
        line = pulumi.Output.from_input(public_key).apply(lambda key: key.strip() if key else key)
        pair = tencentcloud.key.Pair(
            name,
            # At most 25 letters, digits and underscores. In a unit test with bare mocks there is no key.
            key_name=line.apply(lambda key: f"llm_{hashlib.sha256((key or '').encode()).hexdigest()[:16]}"),
            public_key=line,
            tags=dict(tags),
            opts=scope.options(ignore_changes=() if renew else ["key_name", "public_key"]),
        )
        return pair.id

    def image(self, instance_type: str, scope: Scope) -> pulumi.Output[str]:
        """The newest public image of the plain kind (the shortest name) that the instance type can run."""
        row = support.image_row(self.name, instance_type)
        pattern = str(row.arguments["image_name_regex"])
        found = tencentcloud.images.get_instance_output(
            image_types=["PUBLIC_IMAGE"],
            image_name_regex=pattern,
            instance_type=instance_type,
            opts=scope.invoke_options(),
        )

        def plainest(images: Sequence[tencentcloud.images.outputs.GetInstanceImageResult]) -> str:
            if not images:
                raise lookups.no_image(self.name, instance_type, scope.region, repr(pattern))
            newest_first = sorted(images, key=lambda each: each.created_time, reverse=True)
            return str(min(newest_first, key=lambda each: len(each.image_name)).image_id)

        return lookups.image_of(
            found.images,
            cloud=self.name,
            region=scope.region,
            instance_type=instance_type,
            asked=repr(pattern),
            action="cvm:DescribeImages",
        ).apply(plainest)

    def machine(self, name: str, request: MachineRequest, scope: Scope) -> MachineHandle:
        """A CVM instance. Its system disk is not encrypted: see the module.

        With ``renew`` a newer image, other boot instructions or another key replace the machine. In place the
        provider would reinstall it without its boot instructions (ResetInstance without UserData: provider
        v1.82.42, 2026-11-28). How a stop is charged is said at each stop, not here.
        Spot is for accounts of the Chinese site: the international one has none. Raises a refusal
        (``cloud.spot-price-unknown``) where the catalogue knows no price to bid.
        """
        # The price may change in a later catalogue, and that must not replace a running machine.
        ignored = [
            *support.launch_only(request.renew, "image_id", "user_data_raw", "key_ids"),
            *(["spot_max_price"] if request.spot else []),
        ]
        machine = tencentcloud.instance.Instance(
            support.machine_name(name, request),
            instance_name=support.fitted(name, NAME_LIMIT),
            image_id=request.image_id,
            instance_type=request.instance_type,
            availability_zone=request.zone,
            vpc_id=request.vpc_id,
            subnet_id=request.subnet_id,
            orderly_security_groups=[*request.groups, request.firewall_id],
            hpc_cluster_id=request.near,
            # Another key may reinstall the system (SDK 0.2.3), so it is taken at launch only.
            key_ids=[request.key_id],
            cam_role_name=request.role,
            user_data_raw=request.user_data,
            user_data_replace_on_change=request.renew,
            instance_charge_type="SPOTPAID" if request.spot else "POSTPAID_BY_HOUR",
            spot_instance_type="ONE-TIME" if request.spot else None,
            spot_max_price=highest_bid(self.name, request, scope) if request.spot else None,
            stop_type="SOFT_FIRST",
            running_flag=True,
            system_disk_type=catalog.load().cloud(self.name).system_disk.type,
            system_disk_size=support.sold_size(self.name, "system", request.system_disk_gib),
            # Otherwise a larger system disk forces a stop.
            system_disk_resize_online=True,
            # The public address is an EIP.
            allocate_public_ip=False,
            # Constants: a change of any of these three reinstalls the system.
            disable_security_service=False,
            disable_monitor_service=False,
            disable_automation_service=False,
            disable_api_termination=False,
            tags=dict(request.tags),
            opts=scope.options(
                hooks=support.never_smaller(name, scope, "systemDiskSize", system=True),
                ignore_changes=ignored,
                replace_on_changes=[
                    *(["image_id", "key_ids"] if request.renew else []),
                    *(["instance_type"] if request.spot else []),
                ],
            ),
        )
        return MachineHandle(
            resource=machine,
            id=machine.id,
            private_ip=machine.private_ip,
            image_id=machine.image_id,
            spot=request.spot,
        )

    def address(self, name: str, tags: Mapping[str, str], scope: Scope) -> AddressHandle:
        """An EIP."""
        address = tencentcloud.eip.Instance(
            name,
            name=support.fitted(name, NAME_LIMIT),
            type="EIP",
            internet_charge_type="TRAFFIC_POSTPAID_BY_HOUR",
            internet_max_bandwidth_out=BANDWIDTH_MBPS,
            tags=dict(tags),
            opts=scope.options(),
        )
        return AddressHandle(id=address.id, ip=address.public_ip)

    def record(self, name: str, request: RecordRequest, scope: Scope) -> pulumi.Resource:
        """A record in DNSPod."""
        return tencentcloud.dnspod.Record(
            name,
            domain=request.zone,
            sub_domain=request.label,
            record_type="A",
            # DNSPod's own word for all callers.
            record_line="默认",
            value=request.address,
            ttl=RECORD_SECONDS,
            opts=scope.options(),
        )

    def attach_address(
        self, name: str, address: AddressHandle, machine: MachineHandle, scope: Scope
    ) -> pulumi.Resource:
        """Give the EIP to the machine, after it was taken from the one before."""
        return tencentcloud.eip.Association(
            name,
            eip_id=address.id,
            instance_id=machine.id,
            # An EIP has one holder at a time.
            opts=scope.options(delete_before_replace=True),
        )

    def stop_role(self, name: str, tags: Mapping[str, str], scope: Scope, about: str = support.ROLE_ABOUT) -> OwnRole:
        """A CAM role that CVM instances may take on. Its name is what a machine is given."""
        trust = {
            "version": "2.0",
            "statement": [
                {"action": "name/sts:AssumeRole", "effect": "allow", "principal": {"service": ["cvm.qcloud.com"]}}
            ],
        }
        role = tencentcloud.cam.Role(
            name,
            name=support.role_name(name, scope),
            document=json.dumps(trust, sort_keys=True),
            description=about,
            console_login=False,
            tags=dict(tags),
            opts=scope.options(),
        )
        return OwnRole(id=role.id, name=role.name, at_launch=role.name)

    def allow_stop(self, name: str, role: OwnRole, machine: MachineHandle, scope: Scope) -> pulumi.Resource:
        """A policy for this one instance; it has the role since its launch."""
        document = machine.id.apply(lambda instance: stop_policy(scope.region, instance))
        return starts.grant(name, role, document, support.ROLE_ABOUT, scope)

    def disk(self, name: str, request: DiskRequest, scope: Scope) -> DiskHandle:
        """A cloud disk that outlives the machine, encrypted with the account's default key."""
        storage = tencentcloud.cbs.Storage(
            name,
            storage_name=support.fitted(name, NAME_LIMIT),
            storage_type=catalog.load().cloud(self.name).data_disk.type,
            storage_size=support.sold_size(self.name, "data", request.size_gib),
            availability_zone=request.zone,
            encrypt=True,
            charge_type="POSTPAID_BY_HOUR",
            snapshot_id=request.snapshot,
            # Destroying leaves nothing in the recycle bin.
            force_delete=True,
            tags=dict(request.tags),
            opts=scope.options(hooks=support.never_smaller(name, scope, "storageSize"), protect=request.protect),
        )
        return DiskHandle(resource=storage, id=storage.id)

    def attach_disk(
        self, name: str, disk_id: pulumi.Input[str], machine: MachineHandle, scope: Scope
    ) -> pulumi.Resource:
        """Attach the disk."""
        return tencentcloud.cbs.StorageAttachment(
            name,
            storage_id=disk_id,
            instance_id=machine.id,
            # A disk is attached once at a time.
            opts=scope.options(delete_before_replace=True),
        )

    def copy_disk(
        self, name: str, plan: SnapshotPlan, disk: DiskHandle, tags: Mapping[str, str], scope: Scope
    ) -> pulumi.Resource:
        """A snapshot policy of this one disk. Its days count from Sunday as 0, and it takes no tags (SDK 0.2.3)."""
        policy = tencentcloud.cbs.SnapshotPolicy(
            name,
            snapshot_policy_name=support.fitted(name, NAME_LIMIT),
            repeat_weekdays=sorted((day + 1) % 7 for day in plan.days),
            repeat_hours=[plan.hour],
            retention_days=plan.keep_days,
            opts=scope.options(),
        )
        return tencentcloud.cbs.SnapshotPolicyAttachment(
            f"{name}-attachment", snapshot_policy_id=policy.id, storage_id=disk.id, opts=scope.options()
        )


ADAPTER: Cloud = Tencent()
