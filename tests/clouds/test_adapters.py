"""The rules that all adapters follow."""

from __future__ import annotations

import base64
import dataclasses
import re
from typing import Any

import pulumi
import pytest

from pulumi_llm import catalog, clouds
from pulumi_llm.clouds.base import Cloud, MachineRequest, Rule
from pulumi_llm.clouds.support import has_tpu
from pulumi_llm.errors import Refusal, UnknownName
from tests.clouds import harness
from tests.clouds.harness import Made, Recording, everything, record

MACHINES = {
    "azure": "azure-native:compute:VirtualMachine",
    "aliyun": "alicloud:ecs/instance:Instance",
    "aws": "aws:ec2/instance:Instance",
    "digitalocean": "digitalocean:index/droplet:Droplet",
    "gcp": "gcp:compute/instance:Instance",
    "tencent": "tencentcloud:Instance/instance:Instance",
    "volcengine": "volcengine:ecs/instance:Instance",
    "vultr": "vultr:index/instance:Instance",
}
KEYS = {
    "aliyun": "alicloud:ecs/ecsKeyPair:EcsKeyPair",
    "aws": "aws:ec2/keyPair:KeyPair",
    "digitalocean": "digitalocean:index/sshKey:SshKey",
    "tencent": "tencentcloud:Key/pair:Pair",
    "volcengine": "volcengine:ecs/keyPair:KeyPair",
    "vultr": "vultr:index/sSHKey:SSHKey",
}
DISKS = {
    "azure": ("azure-native:compute:Disk", "diskSizeGB"),
    "aliyun": ("alicloud:ecs/ecsDisk:EcsDisk", "size"),
    "aws": ("aws:ebs/volume:Volume", "size"),
    "digitalocean": ("digitalocean:index/volume:Volume", "size"),
    "gcp": ("gcp:compute/disk:Disk", "size"),
    "tencent": ("tencentcloud:Cbs/storage:Storage", "storageSize"),
    "volcengine": ("volcengine:ebs/volume:Volume", "size"),
    "vultr": ("vultr:index/blockStorage:BlockStorage", "sizeGb"),
}
ATTACHMENTS: dict[str, tuple[str, ...]] = {
    # A machine names its disk, and its interface the address.
    "azure": ("azure-native:network:NetworkInterface",),
    "aliyun": ("alicloud:ecs/eipAssociation:EipAssociation", "alicloud:ecs/ecsDiskAttachment:EcsDiskAttachment"),
    "aws": ("aws:ec2/eipAssociation:EipAssociation", "aws:ec2/volumeAttachment:VolumeAttachment"),
    "digitalocean": (
        "digitalocean:index/reservedIpAssignment:ReservedIpAssignment",
        "digitalocean:index/volumeAttachment:VolumeAttachment",
    ),
    # A machine is made with its address.
    "gcp": ("gcp:compute/attachedDisk:AttachedDisk",),
    "tencent": (
        "tencentcloud:Eip/association:Association",
        "tencentcloud:Cbs/storageAttachment:StorageAttachment",
    ),
    "volcengine": ("volcengine:eip/associate:Associate", "volcengine:ebs/volumeAttach:VolumeAttach"),
    # So it is here, and a volume names its machine.
    "vultr": (),
}
LAUNCH_ONLY = {
    "azure": {
        "storageProfile.imageReference",
        "osProfile.customData",
        "osProfile.linuxConfiguration.ssh.publicKeys",
    },
    "aliyun": {"imageId", "userData", "keyName"},
    "aws": {"ami", "userData", "keyName"},
    "digitalocean": {"image", "userData", "sshKeys"},
    # The disk that a resource of its own attaches shows up there.
    "gcp": {
        "bootDisk.initializeParams.image",
        'metadata["user-data"]',
        'metadata["ssh-keys"]',
        "attachedDisks",
    },
    "tencent": {"imageId", "userDataRaw", "keyIds"},
    "volcengine": {"imageId", "userData", "keyPairName"},
    "vultr": {"osId", "userData", "sshKeyIds"},
}
RENEWED = {
    # Azure refuses all of them on a machine that is there, and another size of a system disk in use.
    "azure": {
        "storageProfile.imageReference",
        "osProfile.customData",
        "osProfile.linuxConfiguration.ssh.publicKeys",
        "storageProfile.osDisk.diskSizeGB",
    },
    "aliyun": {"imageId", "userData", "keyName"},
    "aws": set(),  # the provider itself replaces for all three
    "digitalocean": set(),  # so it does here
    "gcp": {'metadata["user-data"]', 'metadata["ssh-keys"]'},  # and here for the image
    "tencent": {"imageId", "keyIds"},
    "volcengine": {"imageId", "userData", "keyPairName"},
    "vultr": set(),  # the provider itself, for all three
}
UNTAGGED = {
    "azure-native:network:Subnet",
    "vultr:index/blockStorage:BlockStorage",
    "vultr:index/dnsRecord:DnsRecord",
    "vultr:index/firewallGroup:FirewallGroup",
    "vultr:index/firewallRule:FirewallRule",
    "vultr:index/reservedIp:ReservedIp",
    "vultr:index/sSHKey:SSHKey",
    "vultr:index/vpc:Vpc",
    "volcengine:vpc/securityGroupRule:SecurityGroupRule",
    "volcengine:eip/associate:Associate",
    "volcengine:ebs/volumeAttach:VolumeAttach",
    "alicloud:dns/alidnsRecord:AlidnsRecord",
    "aws:route53/record:Record",
    "tencentcloud:Dnspod/record:Record",
    "digitalocean:index/dnsRecord:DnsRecord",
    "digitalocean:index/reservedIp:ReservedIp",
    "digitalocean:index/reservedIpAssignment:ReservedIpAssignment",
    "digitalocean:index/sshKey:SshKey",
    "digitalocean:index/tag:Tag",
    "digitalocean:index/volumeAttachment:VolumeAttachment",
    "digitalocean:index/vpc:Vpc",
    # Its tags name the machines that are behind it.
    "digitalocean:index/firewall:Firewall",
    "gcp:compute/attachedDisk:AttachedDisk",
    "gcp:compute/firewall:Firewall",
    "gcp:compute/network:Network",
    "gcp:compute/subnetwork:Subnetwork",
    "alicloud:ecs/ecsDiskAttachment:EcsDiskAttachment",
    "alicloud:ecs/eipAssociation:EipAssociation",
    "alicloud:ecs/securityGroupRule:SecurityGroupRule",
    "aws:ec2/eipAssociation:EipAssociation",
    "aws:ec2/route:Route",
    "aws:ec2/routeTableAssociation:RouteTableAssociation",
    "aws:ec2/volumeAttachment:VolumeAttachment",
    "tencentcloud:Cbs/storageAttachment:StorageAttachment",
    "tencentcloud:Eip/association:Association",
    "tencentcloud:Security/groupRuleSet:GroupRuleSet",
}
"""Resources whose SDK class takes no tags."""


@pytest.fixture(params=clouds.names())
def cloud(request: pytest.FixtureRequest) -> Cloud:
    return clouds.get(request.param)


@pytest.fixture
def recording(cloud: Cloud) -> Recording:
    return record(everything(cloud))


def machine_of(cloud: Cloud, recording: Recording) -> Made:
    return recording.only(MACHINES[cloud.name])


def region_of_provider(cloud: Cloud) -> str | None:
    """What its provider is told; on DigitalOcean each resource names its region."""
    return harness.REGIONS[cloud.name] if clouds.folders()[cloud.name].provider_has_region else None


def address_at_launch(cloud: Cloud) -> bool:
    return bool(getattr(cloud, "address_at_launch", False))


def own(recording: Recording) -> list[Made]:
    return [each for each in recording.made if not each.type.startswith(("llm:", "pulumi:"))]


def test_a_child_is_made_after_what_its_scope_and_what_it_itself_waits_for() -> None:
    seen: list[Any] = []

    def program() -> None:
        first, second = (pulumi.ComponentResource("llm:index:Test", each) for each in ("first", "second"))
        scope = dataclasses.replace(harness.scope_of(clouds.get("aws")), after=(first,))
        seen.append(scope.options(depends_on=[second]).depends_on == [first, second])
        seen.append(scope.options().depends_on == [first])

    record(program)
    assert seen == [True, True]


def test_a_machine_is_on_demand_and_left_as_it_is_unless_something_else_is_asked_for() -> None:
    defaults = {each.name: each.default for each in dataclasses.fields(MachineRequest)}
    assert (defaults["spot"], defaults["renew"]) == (False, False)


def test_an_adapter_carries_the_names_of_the_catalogue(cloud: Cloud) -> None:
    facts = catalog.load().cloud(cloud.name)
    assert (cloud.name, cloud.package) == (facts.name, facts.pulumi_package)


def test_a_provider_says_its_region_and_no_credentials(cloud: Cloud, recording: Recording) -> None:
    provider = recording.only(f"pulumi:providers:{cloud.package}")
    assert provider.inputs.get("region") == region_of_provider(cloud)
    assert not [key for key in provider.inputs if re.search("key|secret|token|password", key, re.I)]


def test_everything_is_a_child_of_the_component_and_uses_the_given_provider(recording: Recording) -> None:
    for each in own(recording):
        assert each.parent.endswith("::parent"), each.name
        assert "::provider::" in each.provider, each.name


def test_what_takes_tags_has_them(cloud: Cloud, recording: Recording) -> None:
    for each in own(recording):
        tags = each.inputs.get("labels" if cloud.name == "gcp" else "tags") or {}
        named = "team" in tags or "team:search" in tags or {"key": "team", "value": "search"} in list(tags)
        assert named is (each.type not in UNTAGGED), each.name


def test_aws_shows_a_name_for_what_has_tags() -> None:
    recording = record(everything(clouds.get("aws")))
    rules = ("SecurityGroupIngressRule", "SecurityGroupEgressRule", "KeyPair")
    for each in own(recording):
        if each.type not in UNTAGGED and not each.type.endswith(rules):
            assert each.inputs["tags"]["Name"].startswith("qwen-"), each.name


WIRED = {
    "azure": {
        "hardwareProfile.vmSize": "Standard_B2s_v2",
        "location": "southeastasia",
        "networkProfile.networkInterfaces.0.id": "qwen-machine-southeastasia-nic-id",
        "storageProfile.dataDisks.0.managedDisk.id": "qwen-disk-id",
        "storageProfile.osDisk.diskSizeGB": 50,
        "storageProfile.imageReference": {
            "publisher": "Canonical",
            "offer": "ubuntu-24_04-lts",
            "sku": "server",
            "version": "latest",
        },
        "osProfile.adminUsername": "ubuntu",
        "osProfile.linuxConfiguration.ssh.publicKeys.0.keyData": harness.PUBLIC_KEY.rpartition(" ")[0],
    },
    "aliyun": {
        "instanceType": "ecs.gn6i-c4g1.xlarge",
        "availabilityZone": "cn-hangzhou-i",
        "vswitchId": "qwen-network-cn-hangzhou-i-subnet-id",
        "securityGroups": ["qwen-firewall-id"],
        "keyName": "qwen-key-id",
        "systemDiskSize": 50,
    },
    "aws": {
        "instanceType": "g4dn.xlarge",
        "availabilityZone": "us-west-2a",
        "subnetId": "qwen-network-us-west-2a-subnet-id",
        "vpcSecurityGroupIds": ["qwen-firewall-id"],
        "keyName": "qwen-key-key",
        "rootBlockDevice.volumeSize": 50,
    },
    "digitalocean": {
        "size": "s-2vcpu-4gb",
        "region": "sgp1",
        "vpcUuid": "qwen-network-sgp1-vpc-id",
        # The tag by which the firewall finds it.
        "tags": ["team:search", "llm:project-stack-qwen-firewall-sgp1"],
        "sshKeys": ["qwen-key-id"],
        # Its disk comes with its size.
        "systemDiskSize": None,
    },
    "gcp": {
        "machineType": "g2-standard-4",
        "guestAccelerators": [{"type": "nvidia-l4", "count": 1}],
        "zone": "us-west1-a",
        "networkInterfaces.0.subnetwork": "qwen-network-subnet-id",
        "networkInterfaces.0.accessConfigs.0.natIp": "192.0.2.1",
        # The tag by which the firewall's rules find it.
        "tags": ["llm-project-stack-qwen-firewall-us-west1"],
        "metadata.ssh-keys": f"ubuntu:{harness.PUBLIC_KEY.rpartition(' ')[0]}",
        "bootDisk.initializeParams.size": 50,
    },
    "tencent": {
        "instanceType": "GN7.2XLARGE32",
        "availabilityZone": "ap-guangzhou-3",
        "vpcId": "qwen-network-ap-guangzhou-3-vpc-id",
        "subnetId": "qwen-network-ap-guangzhou-3-subnet-id",
        "orderlySecurityGroups": ["qwen-firewall-id"],
        "keyIds": ["qwen-key-id"],
        "systemDiskSize": 50,
    },
    "volcengine": {
        "instanceType": "ecs.pni2.3xlarge",
        "zoneId": "cn-beijing-a",
        "subnetId": "qwen-network-cn-beijing-a-subnet-id",
        "securityGroupIds": ["qwen-firewall-id"],
        "systemVolumeSize": 50,
    },
    "vultr": {
        "plan": "vcg-a16-6c-64g-16vram",
        "region": "ewr",
        "vpcIds": ["qwen-network-ewr-vpc-id"],
        "firewallGroupId": "qwen-firewall-id",
        "sshKeyIds": ["qwen-key-id"],
        "reservedIpId": "qwen-address-id",
        "hostname": "qwen-machine",
    },
}


def test_the_machine_is_what_and_where_it_was_asked_for(cloud: Cloud, recording: Recording) -> None:
    machine = machine_of(cloud, recording)
    said = {path: harness.value_at(machine.inputs, path) for path in WIRED[cloud.name]}
    assert said == WIRED[cloud.name]


def test_address_and_disk_are_attached_to_the_machine(cloud: Cloud, recording: Recording) -> None:
    machine = f"{machine_of(cloud, recording).name}-id"
    attached = ATTACHMENTS[cloud.name] or (DISKS[cloud.name][0],)
    *addresses, disk = (recording.only(type_).inputs for type_ in attached)
    if cloud.name == "azure":  # the machine names the disk and its interface (`WIRED`)
        assert harness.value_at(disk, "ipConfigurations.0.publicIPAddress.id") == "qwen-address-id"
        return
    holders = {"digitalocean": "dropletId", "gcp": "instance", "vultr": "attachedToInstance"}
    holder = holders.get(cloud.name, "instanceId")
    assert [each[holder] for each in (*addresses, disk)] == [machine] * len(attached)
    assert len(addresses) == (not address_at_launch(cloud))
    # A reserved IP of DigitalOcean is its own id.
    assert all({"qwen-address-id", "192.0.2.1"} & set(each.values()) for each in addresses)
    # A volume of Vultr's names its machine itself, in its label too: the provider takes no other machine alone.
    assert "qwen-disk-id" in disk.values() or disk["label"] == f"project-stack-qwen-disk of {machine}"


def test_user_data_reaches_the_machine_as_plain_text(cloud: Cloud, recording: Recording) -> None:
    keys = {"azure": "osProfile.customData", "gcp": "metadata.user-data", "tencent": "userDataRaw"}
    told = harness.value_at(machine_of(cloud, recording).inputs, keys.get(cloud.name, "userData"))
    assert (base64.b64decode(told).decode() if cloud.name == "azure" else told) == harness.USER_DATA


def test_the_machine_waits_for_its_firewall_and_its_way_out(cloud: Cloud, recording: Recording) -> None:
    machine = machine_of(cloud, recording)
    # A machine of Azure's waits for its interface, which waits for the rest.
    cards = [each for each in recording.made if each.urn in machine.depends_on and "NetworkInterface" in each.type]
    waited = {urn.rsplit("::", 1)[-1] for each in (machine, *cards) for urn in each.depends_on}
    expected = [
        each.name
        for each in own(recording)
        if re.search(
            "SecurityGroup.*Rule|GroupRuleSet|:Route$|RouteTableAssociation|[sS]ubnet|Switch|irewall|NetworkSecurity",
            each.type,
        )
    ]
    assert expected
    assert set(expected) <= waited


def test_only_the_asked_ports_are_open_and_only_to_the_asked_ranges(cloud: Cloud, recording: Recording) -> None:
    asked = {(rule.port, cidr) for rule in harness.RULES for cidr in rule.cidrs}
    assert _opened(cloud.name, recording) == asked


def test_the_world_is_let_in_only_where_the_rules_say_so(cloud: Cloud) -> None:
    def program() -> None:
        scope = harness.scope_of(cloud)
        rule = Rule(port=443, cidrs=("0.0.0.0/0",), description="HTTPS")
        cloud.firewall("open", "vpc-1", [rule], {}, scope)

    assert _opened(cloud.name, record(program)) == {(443, "0.0.0.0/0")}


def test_a_range_that_is_asked_for_twice_is_opened_once(cloud: Cloud) -> None:
    def program() -> None:
        twice = Rule(port=443, cidrs=("203.0.113.0/24", "203.0.113.0/24"), description="HTTPS")
        cloud.firewall("wall", "vpc-1", [twice, twice], {}, harness.scope_of(cloud))

    assert len(_rules(cloud.name, record(program))) == 1


def test_taking_a_range_out_leaves_the_other_rules_alone(cloud: Cloud) -> None:
    def names(*cidrs: str) -> dict[str, Any]:
        def program() -> None:
            rule = Rule(port=443, cidrs=cidrs, description="HTTPS")
            cloud.firewall("wall", "vpc-1", [rule], {}, harness.scope_of(cloud))

        return {str(name): cidr for name, _, cidr in _rules(cloud.name, record(program))}

    before, after = names("192.0.2.0/24", "203.0.113.0/24"), names("203.0.113.0/24")
    if cloud.name in ("azure", "digitalocean", "gcp", "tencent"):
        # One resource holds all rules there, or all of a port.
        assert list(after.values()) == ["203.0.113.0/24"]
    else:
        assert after.items() <= before.items()


def test_a_range_may_be_known_only_later(cloud: Cloud) -> None:
    def program() -> None:
        proxy = pulumi.Output.from_input("192.0.2.9/32")
        rule = Rule(port=443, cidrs=("203.0.113.0/24", proxy), description="HTTPS")
        cloud.firewall("wall", "vpc-1", [rule], {}, harness.scope_of(cloud))

    assert _opened(cloud.name, record(program)) == {(443, "203.0.113.0/24"), (443, "192.0.2.9/32")}


def test_image_user_data_and_key_are_taken_at_launch_only(cloud: Cloud, recording: Recording) -> None:
    assert machine_of(cloud, recording).ignored == LAUNCH_ONLY[cloud.name]
    if cloud.name in KEYS:  # Google's machines have their keys themselves
        assert {"publicKey", "sshKey"} & recording.only(KEYS[cloud.name]).ignored


def test_renew_lets_image_user_data_and_key_take_effect(cloud: Cloud) -> None:
    recording = record(everything(cloud, renew=True))
    machine = machine_of(cloud, recording)
    assert machine.ignored == LAUNCH_ONLY[cloud.name] & {"attachedDisks"}
    # In place, Aliyun's provider would give the GPU up, and Tencent's would reinstall without boot instructions.
    assert machine.replaced_on == RENEWED[cloud.name]
    if cloud.name not in KEYS:
        return
    key = recording.only(KEYS[cloud.name])
    assert not key.ignored
    if cloud.name == "aliyun":
        assert key.replaced_on == {"publicKey"}
    elif cloud.name in ("aws", "tencent"):
        assert machine.inputs["userDataReplaceOnChange"] is True


@pytest.mark.parametrize("cloud", [each for each in harness.SELL_SPOT if each != "gcp"], indirect=True)
def test_a_spot_machine_is_replaced_when_its_type_changes(cloud: Cloud) -> None:
    assert machine_of(cloud, record(everything(cloud, spot=True))).replaced_on == {"instanceType"}


def test_a_spot_machine_of_googles_can_be_stopped_for_another_type() -> None:
    gcp = clouds.get("gcp")
    assert machine_of(gcp, record(everything(gcp, spot=True))).replaced_on == frozenset()


GOOGLES_CARDS = [
    ("e2-medium", "e2-medium", [], "MIGRATE"),
    ("n1-standard-8+nvidia-tesla-t4", "n1-standard-8", [{"type": "nvidia-tesla-t4", "count": 1}], "TERMINATE"),
    ("n1-standard-16+nvidia-tesla-t4x2", "n1-standard-16", [{"type": "nvidia-tesla-t4", "count": 2}], "TERMINATE"),
    ("g2-standard-48", "g2-standard-48", [{"type": "nvidia-l4", "count": 4}], "TERMINATE"),
    ("a2-highgpu-8g", "a2-highgpu-8g", [{"type": "nvidia-tesla-a100", "count": 8}], "TERMINATE"),
]


@pytest.mark.parametrize(("name", "type_", "cards", "moved"), GOOGLES_CARDS, ids=[each[0] for each in GOOGLES_CARDS])
def test_a_machine_of_googles_names_its_cards_and_is_not_moved_while_it_has_any(
    name: str, type_: str, cards: list[dict[str, Any]], moved: str
) -> None:
    gcp = clouds.get("gcp")
    inputs = machine_of(gcp, record(everything(gcp, instance_type=name))).inputs
    assert (inputs["machineType"], inputs["guestAccelerators"]) == (type_, cards)
    assert inputs["scheduling"]["onHostMaintenance"] == moved


def test_every_gpu_of_googles_has_a_name_there() -> None:
    gcp = clouds.get("gcp")
    for row in catalog.load().instances:
        if row.cloud == "gcp" and row.gpu and not has_tpu(row):
            (card,) = machine_of(gcp, record(everything(gcp, instance_type=row.instance_type))).inputs[
                "guestAccelerators"
            ]
            assert card["count"] == row.gpu_count, row.instance_type


def test_a_machine_is_not_replaced_for_its_type_otherwise(cloud: Cloud, recording: Recording) -> None:
    # Azure resizes no system disk that is in use.
    size = {"storageProfile.osDisk.diskSizeGB"} if cloud.name == "azure" else frozenset()
    assert machine_of(cloud, recording).replaced_on == size


@pytest.mark.parametrize("cloud", [each for each in harness.WITH_ZONES if each != "gcp"], indirect=True)
def test_another_zone_is_another_machine_in_another_network(cloud: Cloud, recording: Recording) -> None:
    zone = harness.ZONES[cloud.name][:-1] + ("4" if cloud.name == "tencent" else "b")
    moved = record(everything(cloud, zone=zone))
    pinned = re.compile(r"/[vV]pc:|/network:|[sS]ubnet|[sS]witch|Vpc/instance")
    pairs = [
        (before.name, after.name)
        for before, after in zip(own_sorted(recording), own_sorted(moved), strict=True)
        if pinned.search(before.type) or before.type == MACHINES[cloud.name]
    ]
    assert len(pairs) >= 3
    assert all(before != after for before, after in pairs)


def test_another_zone_of_google_is_the_same_machine_and_another_region_is_another() -> None:
    gcp = clouds.get("gcp")
    names = [machine_of(gcp, record(everything(gcp, zone=f"us-west1-{zone}"))).name for zone in "ab"]
    assert names == ["qwen-machine-us-west1"] * 2
    # It is deleted first, as no two machines can have the address.
    assert machine_of(gcp, record(everything(gcp))).delete_before_replace is True


def own_sorted(recording: Recording) -> list[Made]:
    return sorted(own(recording), key=lambda each: (each.type, each.name))


def test_another_architecture_is_another_machine_on_aws() -> None:
    aws = clouds.get("aws")
    intel = machine_of(aws, record(everything(aws, instance_type="g4dn.xlarge")))
    arm = machine_of(aws, record(everything(aws, instance_type="g5g.xlarge")))
    # A machine of another name is another machine: these must stay as they are from release to release.
    assert (intel.name, arm.name) == ("qwen-machine-us-west-2a", "qwen-machine-us-west-2a-arm64")


def test_an_arm_type_gets_an_arm_image_on_aws() -> None:
    recording = record(everything(clouds.get("aws"), instance_type="g5g.xlarge"))
    assert [args["name"] for _, args in recording.looked_up] == [
        "/aws/service/canonical/ubuntu/server/24.04/stable/current/arm64/hvm/ebs-gp3/ami-id"
    ]


def test_attachments_are_undone_before_they_are_made_anew(cloud: Cloud, recording: Recording) -> None:
    for type_ in ATTACHMENTS[cloud.name]:
        assert recording.only(type_).delete_before_replace is True


def test_nothing_else_is_deleted_before_its_successor_is_there(cloud: Cloud, recording: Recording) -> None:
    # Two machines cannot have one address at once, where a machine is made with it.
    first = {*ATTACHMENTS[cloud.name], *([MACHINES[cloud.name]] if address_at_launch(cloud) else [])}
    others = [each for each in own(recording) if each.type not in first]
    assert [each.name for each in others if each.delete_before_replace] == []


def test_tencent_does_not_delete_first_what_carries_a_name_of_ours() -> None:
    recording = record(everything(clouds.get("tencent")))
    for type_ in ("Vpc/instance:Instance", "Subnet/instance:Instance", "Security/group:Group"):
        assert recording.only(f"tencentcloud:{type_}").delete_before_replace is False


@pytest.mark.parametrize(
    ("asked", "sold"),
    [
        (1, {"aws": 1, "digitalocean": 1, "azure": 4, "gcp": 10, "volcengine": 10, "vultr": 10}),
        (20, {}),
        (101, {"tencent": 110}),
    ],
)
def test_a_disk_is_rounded_up_to_what_is_sold(cloud: Cloud, asked: int, sold: dict[str, int]) -> None:
    type_, key = DISKS[cloud.name]
    size = record(everything(cloud, data_disk_gib=asked)).only(type_).inputs[key]
    assert size == sold.get(cloud.name, max(asked, 20))


@pytest.mark.parametrize("disk", ["system_disk_gib", "data_disk_gib"])
def test_a_disk_that_is_not_sold_is_refused_with_the_largest_one(cloud: Cloud, disk: str) -> None:
    with pytest.raises(Refusal) as refused:
        record(everything(cloud, **{disk: 10**7}))
    (finding,) = refused.value.findings
    largest = getattr(catalog.load().cloud(cloud.name), disk.removesuffix("_gib")).max_gib
    assert finding.code == "cloud.disk-too-large"
    assert f"{largest} GiB" in finding.hint


@pytest.mark.parametrize(("plan", "largest"), [("vc2-2c-2gb", 60), ("vc2-2c-4gb", 74), ("vc2-4c-8gb", 149)])
def test_a_plan_of_vultr_holds_no_more_than_its_own_disk(plan: str, largest: int) -> None:
    vultr = clouds.get("vultr")
    record(everything(vultr, instance_type=plan, system_disk_gib=largest))
    with pytest.raises(Refusal) as refused:
        record(everything(vultr, instance_type=plan, system_disk_gib=largest + 1))
    assert [(each.code, f"{largest} GiB or less") for each in refused.value.findings] == [
        ("cloud.disk-too-large", refused.value.findings[0].hint)
    ]


@pytest.mark.parametrize("name", ["aliyun", "digitalocean", "tencent", "volcengine"])
def test_a_look_up_without_an_answer_is_refused_with_what_was_asked(name: str) -> None:
    cloud = clouds.get(name)
    nothing: dict[str, dict[str, Any]] = {
        "alicloud:ecs/getImages:getImages": {"ids": []},
        "digitalocean:index/getImages:getImages": {"images": []},
        "tencentcloud:Images/getInstance:getInstance": {"images": []},
        "volcengine:ecs/getImages:getImages": {"images": []},
    }
    with pytest.raises(Refusal) as refused:
        record(everything(cloud), images=nothing)
    assert [each.code for each in refused.value.findings] == ["cloud.no-image"]
    assert harness.TYPES[cloud.name] in str(refused.value)


CREDENTIALS = {
    "azure": ("ARM_CLIENT_ID", "ARM_CLIENT_SECRET", "ARM_OIDC_TOKEN", "ARM_CLIENT_CERTIFICATE_PASSWORD"),
    "aliyun": ("ALIBABA_CLOUD_ACCESS_KEY_ID", "ALIBABA_CLOUD_ACCESS_KEY_SECRET", "ALIBABA_CLOUD_SECURITY_TOKEN")
    + ("ALICLOUD_ACCESS_KEY", "ALICLOUD_SECRET_KEY", "ALICLOUD_SECURITY_TOKEN"),
    "aws": ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"),
    "gcp": ("GOOGLE_CREDENTIALS", "GOOGLE_CLOUD_KEYFILE_JSON", "GCLOUD_KEYFILE_JSON", "GOOGLE_OAUTH_ACCESS_TOKEN"),
    "digitalocean": (
        "DIGITALOCEAN_TOKEN",
        "DIGITALOCEAN_ACCESS_TOKEN",
        "SPACES_ACCESS_KEY_ID",
        "SPACES_SECRET_ACCESS_KEY",
    ),
    "tencent": ("TENCENTCLOUD_SECRET_ID", "TENCENTCLOUD_SECRET_KEY", "TENCENTCLOUD_SECURITY_TOKEN"),
    "volcengine": ("VOLCENGINE_ACCESS_KEY", "VOLCENGINE_SECRET_KEY", "VOLCENGINE_SESSION_TOKEN"),
    "vultr": ("VULTR_API_KEY",),
}
"""Where each cloud's provider looks for credentials."""


def test_credentials_of_the_environment_reach_no_resource(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in CREDENTIALS[cloud.name]:
        monkeypatch.setenv(name, f"planted-{name}")
    made = record(everything(cloud)).made
    (provider,) = [each for each in made if each.type == f"pulumi:providers:{cloud.package}"]
    assert provider.inputs.get("region") == region_of_provider(cloud)
    assert "planted-" not in str([each.inputs for each in made])


WORDS = {
    "Forbidden.RAM: User not authorized to operate on the specified resource": "cloud.lookup-denied",
    "api error AccessDeniedException: User is not authorized to perform: ssm:GetParameter": "cloud.lookup-denied",
    "Code=UnauthorizedOperation, Message=CAM": "cloud.lookup-denied",
    "no valid credential sources for Alicloud found": "cloud.no-credentials",
    "InvalidAccessKey: The request AccessKey is not found": "cloud.no-credentials",
    "Code=AuthFailure.SecretIdNotFound, Message=The SecretId is not found": "cloud.no-credentials",
    "api error UnrecognizedClientException: The security token is invalid": "cloud.no-credentials",
    "api error ParameterNotFound": "cloud.no-image",
    "googleapi: Error 403: Required 'compute.images.getFromFamily' permission, forbidden": "cloud.lookup-denied",
    "google: could not find default credentials": "cloud.no-credentials",
    "googleapi: Error 404: The resource 'projects/a/global/images/family/b' was not found, notFound": "cloud.no-image",
    "no results were found": "cloud.no-image",
    'error getting os list: {"error":"Invalid API token.","status":401}': "cloud.no-credentials",
    "dial tcp: i/o timeout": "cloud.lookup-failed",
}


@pytest.mark.parametrize("cloud", [each for each in clouds.names() if each != "azure"], indirect=True)
@pytest.mark.parametrize("words", WORDS)
def test_a_look_up_that_fails_ends_with_a_code_and_the_clouds_words(cloud: Cloud, words: str) -> None:
    with pytest.raises(Refusal) as refused:
        record(everything(cloud), images={token: RuntimeError(words) for token in harness.IMAGES})
    (finding,) = refused.value.findings
    assert finding.code == WORDS[words]
    assert words in finding.message or finding.code == "cloud.no-image"
    assert "image_id" in finding.hint or finding.code == "cloud.no-credentials"


LOOKED_UP = {
    "aliyun": (
        "alicloud:ecs/getImages:getImages",
        {
            "architecture": "x86_64",
            "instanceType": harness.TYPES["aliyun"],
            "isSupportCloudInit": True,
            # The provider sorts by the time of creation only where this is asked for.
            "mostRecent": True,
            "nameRegex": "^ubuntu_24_04_x64",
            "owners": "system",
            "status": "Available",
        },
    ),
    "aws": (
        "aws:ssm/getParameter:getParameter",
        # Canonical's own pointer to its newest image.
        {"name": "/aws/service/canonical/ubuntu/server/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id"},
    ),
    "digitalocean": (
        "digitalocean:index/getImages:getImages",
        {"filters": [{"key": "slug", "values": ["ubuntu-24-04-x64"]}]},
    ),
    "gcp": (
        "gcp:compute/getImage:getImage",
        {"family": "ubuntu-2404-lts-amd64", "project": "ubuntu-os-cloud"},
    ),
    "tencent": (
        "tencentcloud:Images/getInstance:getInstance",
        {
            "imageNameRegex": "^Ubuntu Server 24\\.04.*64",
            "imageTypes": ["PUBLIC_IMAGE"],
            "instanceType": harness.TYPES["tencent"],
        },
    ),
    "volcengine": (
        "volcengine:ecs/getImages:getImages",
        {
            "instanceTypeId": harness.TYPES["volcengine"],
            "isSupportCloudInit": True,
            "nameRegex": "^Ubuntu 24\\.04",
            "osType": "Linux",
            "visibility": "public",
        },
    ),
    "vultr": ("vultr:index/getOs:getOs", {"filters": [{"name": "name", "values": ["Ubuntu 24.04 LTS x64"]}]}),
}


def test_the_image_is_looked_up_as_the_newest_of_the_clouds_own(cloud: Cloud, recording: Recording) -> None:
    # The SDK of Azure looks up no images: a machine names the newest version, and Azure finds it.
    assert recording.looked_up == ([LOOKED_UP[cloud.name]] if cloud.name in LOOKED_UP else [])
    assert cloud.name in LOOKED_UP or cloud.name == "azure"


def test_aliyun_takes_the_first_of_the_images_which_is_the_newest() -> None:
    aliyun = clouds.get("aliyun")
    images = {**harness.IMAGES, "alicloud:ecs/getImages:getImages": {"ids": ["new.vhd", "older.vhd", "oldest.vhd"]}}
    assert machine_of(aliyun, record(everything(aliyun), images=images)).inputs["imageId"] == "new.vhd"


@pytest.mark.parametrize(("name", "newest"), [("tencent", "img-new"), ("volcengine", "image-new")])
def test_the_newest_of_the_plain_images_is_taken_where_others_carry_more_in_their_names(name: str, newest: str) -> None:
    cloud = clouds.get(name)
    assert machine_of(cloud, record(everything(cloud))).inputs["imageId"] == newest


def test_a_type_that_the_catalogue_does_not_know_is_refused(cloud: Cloud) -> None:
    with pytest.raises(UnknownName, match="instance-type"):
        record(everything(cloud, instance_type=harness.TYPES[cloud.name] + "x"))


@pytest.mark.parametrize("name", ["aliyun", "aws"])
def test_a_key_pair_has_a_name_that_the_provider_completes(name: str) -> None:
    key = record(everything(clouds.get(name))).only(KEYS[name]).inputs
    assert key["keyNamePrefix"] == "qwen-key-"
    assert not {"keyName", "keyPairName"} & set(key)


@pytest.mark.parametrize(("name", "argument"), [("tencent", "keyName"), ("volcengine", "keyPairName")])
def test_a_key_pair_without_a_free_name_is_named_after_the_key_as_the_cloud_accepts_it(
    name: str, argument: str
) -> None:
    first, second, other = (
        record(everything(clouds.get(name), public_key=key)).only(KEYS[name]).inputs[argument]
        for key in (harness.PUBLIC_KEY, f"{harness.PUBLIC_KEY}\n", harness.PUBLIC_KEY + "x")
    )
    assert first == second != other
    assert catalog.load().cloud(name).name_rule("key-pair").accepts(first)


@pytest.mark.parametrize("name", ["q" * 300, "7b_model", "通义-千问", "a.b/c d"])
def test_odd_names_become_names_that_the_cloud_takes(cloud: Cloud, name: str) -> None:
    facts = catalog.load().cloud(cloud.name)
    keys = {"vpcName", "vswitchName", "securityGroupName", "instanceName", "diskName", "addressName", "name"}
    keys |= {"storageName", "keyNamePrefix", "subnetName", "volumeName", "keyPairName", "hostname"}
    said = [
        (each.type, value)
        for each in own(record(everything(cloud, name=name)))
        for key, value in each.inputs.items()
        if key in keys
    ]
    if cloud.name in ("azure", "gcp"):  # named by the provider, after what they are called here
        said = [(each.type, f"{each.name}-1234567") for each in own(record(everything(cloud, name=name)))]
    assert said
    for type_, value in said:
        assert facts.name_rule("default").accepts(value), (type_, value)


def test_two_long_names_stay_two_names(cloud: Cloud) -> None:
    if cloud.name == "aws":
        long_names = [each.inputs["keyNamePrefix"] for each in _two_long(cloud, KEYS["aws"])]
    elif cloud.name == "digitalocean":  # droplets are named by the engine
        long_names = [each.inputs["name"] for each in _two_long(cloud, "digitalocean:index/tag:Tag")]
    elif cloud.name == "vultr":
        long_names = [each.inputs["hostname"] for each in _two_long(cloud, MACHINES[cloud.name])]
    elif cloud.name in ("azure", "gcp"):
        long_names = [each.name for each in _two_long(cloud, MACHINES[cloud.name])]
    else:
        long_names = [each.inputs["instanceName"] for each in _two_long(cloud, MACHINES[cloud.name])]
    assert len(set(long_names)) == 2


def _two_long(cloud: Cloud, type_: str) -> list[Made]:
    return [record(everything(cloud, name="q" * 300 + end)).only(type_) for end in ("1", "2")]


def test_a_preview_makes_the_same_resources_as_an_up(cloud: Cloud, recording: Recording) -> None:
    preview = record(everything(cloud), preview=True)
    assert sorted(each.urn for each in preview.made) == sorted(each.urn for each in recording.made)


def test_a_tencent_spot_machine_bids_the_on_demand_price_and_is_not_replaced_for_it() -> None:
    tencent = clouds.get("tencent")
    machine = machine_of(tencent, record(everything(tencent, spot=True)))
    data = catalog.load()
    price = data.price("tencent", harness.TYPES["tencent"], harness.REGIONS["tencent"])
    assert price is not None
    in_cny = data.exchange_rate.convert(price.amount, price.currency, "CNY")
    assert float(machine.inputs["spotMaxPrice"]) == pytest.approx(in_cny, abs=0.01)
    assert "spotMaxPrice" in machine.ignored


def test_a_tencent_spot_machine_without_a_known_price_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog.Catalog, "price", lambda *_, **__: None)
    with pytest.raises(Refusal) as refused:
        record(everything(clouds.get("tencent"), spot=True))
    assert [each.code for each in refused.value.findings] == ["cloud.spot-price-unknown"]
    # Outside of a component's constructor too, it ends the program without a traceback.
    assert isinstance(refused.value, pulumi.RunError)


def test_the_handle_tells_the_image_that_the_machine_has(cloud: Cloud) -> None:
    seen: list[str] = []
    build = everything(_Watched(cloud, seen))  # type: ignore[arg-type]
    record(build)
    paths = {"aws": "ami", "digitalocean": "image", "gcp": "bootDisk.initializeParams.image", "vultr": "osId"}
    path = paths.get(cloud.name, "imageId")
    if cloud.name == "azure":
        assert seen == ["Canonical:ubuntu-24_04-lts:server:latest"]
        return
    assert seen == [str(harness.value_at(machine_of(cloud, record(everything(cloud))).inputs, path))]


@dataclasses.dataclass
class _Watched:
    """A cloud whose machines' images are noted down."""

    cloud: Cloud
    seen: list[str]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.cloud, name)

    def machine(self, *arguments: Any) -> Any:
        handle = self.cloud.machine(*arguments)
        handle.image_id.apply(self.seen.append)
        return handle


def _rules(name: str, recording: Recording) -> list[tuple[str, str, str]]:
    """(logical name, port, range) of each rule that lets something in."""
    if name == "tencent":
        ruleset = recording.only("tencentcloud:Security/groupRuleSet:GroupRuleSet")
        accepted = [each for each in ruleset.inputs["ingresses"] if each["action"] == "ACCEPT"]
        return [(str(index), each["port"], each["cidrBlock"]) for index, each in enumerate(accepted)]
    if name == "aws":
        rules = recording.of("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule")
        assert all(each.inputs["fromPort"] == each.inputs["toPort"] for each in rules)
        return [(each.name, str(each.inputs["fromPort"]), each.inputs["cidrIpv4"]) for each in rules]
    if name == "digitalocean":
        inbound = recording.only("digitalocean:index/firewall:Firewall").inputs["inboundRules"]
        assert {each["protocol"] for each in inbound} == {"tcp"}
        assert len({each["portRange"] for each in inbound}) == len(inbound)
        return [
            (f"{each['portRange']} {cidr}", each["portRange"], cidr)
            for each in inbound
            for cidr in each["sourceAddresses"]
        ]
    if name == "gcp":
        walls = recording.of("gcp:compute/firewall:Firewall")
        assert {each.inputs["direction"] for each in walls} == {"INGRESS"}
        return [
            (f"{port} {cidr}", port, cidr)
            for each in walls
            for allowed in each.inputs["allows"]
            for port in allowed["ports"]
            for cidr in each.inputs["sourceRanges"]
        ]
    if name == "azure":
        rules = recording.only("azure-native:network:NetworkSecurityGroup").inputs["securityRules"]
        assert len({each["priority"] for each in rules}) == len(rules)
        assert [each["access"] for each in rules[-1:]] == ["Deny"]
        return [
            (each["name"], each["destinationPortRange"], each["sourceAddressPrefix"])
            for each in rules
            if each["access"] == "Allow"
        ]
    if name == "vultr":
        return [
            (each.name, each.inputs["port"], f"{each.inputs['subnet']}/{int(each.inputs['subnetSize'])}")
            for each in recording.of("vultr:index/firewallRule:FirewallRule")
        ]
    if name == "volcengine":
        rules = [
            each
            for each in recording.of("volcengine:vpc/securityGroupRule:SecurityGroupRule")
            if each.inputs["direction"] == "ingress"
        ]
        assert all(each.inputs["portStart"] == each.inputs["portEnd"] for each in rules)
        return [(each.name, str(each.inputs["portStart"]), each.inputs["cidrIp"]) for each in rules]
    rules = recording.of("alicloud:ecs/securityGroupRule:SecurityGroupRule")
    ingress = [each for each in rules if each.inputs["type"] == "ingress"]
    assert all(len(set(each.inputs["portRange"].split("/"))) == 1 for each in ingress)
    return [(each.name, each.inputs["portRange"].split("/")[0], each.inputs["cidrIp"]) for each in ingress]


def _opened(name: str, recording: Recording) -> set[tuple[int, str]]:
    return {(int(port), cidr) for _, port, cidr in _rules(name, recording)}
