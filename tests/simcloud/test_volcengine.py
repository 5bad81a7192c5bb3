"""The simulated Volcengine: what it gives, what it refuses, and what its provider overlooks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from pulumi_llm._simcloud.rules.base import CloudError
from tests.simcloud.conftest import Cloud, Made, cloud

VPC, SUBNET = "volcengine:vpc/vpc:Vpc", "volcengine:vpc/subnet:Subnet"
GROUP, RULE = "volcengine:vpc/securityGroup:SecurityGroup", "volcengine:vpc/securityGroupRule:SecurityGroupRule"
KEY, MACHINE = "volcengine:ecs/keyPair:KeyPair", "volcengine:ecs/instance:Instance"
EIP, BOUND = "volcengine:eip/address:Address", "volcengine:eip/associate:Associate"
DISK, ATTACHED = "volcengine:ebs/volume:Volume", "volcengine:ebs/volumeAttach:VolumeAttach"
IMAGES = "volcengine:ecs/getImages:getImages"
IMAGE, KIND, ZONE = "image-ydf193g9cqb6uoeqqqj8", "ecs.pni2.3xlarge", "cn-beijing-a"
PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ5wbMs1yZ3v8Gq3o3cJdSxw3vQdF6aYCmcWc2f7v1dE"


@dataclass
class Net:
    volc: Cloud
    vpc: Made
    subnet: Made
    group: Made

    def host_inputs(self, **more: Any) -> dict[str, Any]:
        given = {
            "imageId": IMAGE,
            "instanceType": KIND,
            "subnetId": self.subnet.id,
            "securityGroupIds": [self.group.id],
            "systemVolumeType": "ESSD_PL0",
            "systemVolumeSize": 40,
            "password": "Chosen-1",
            **more,
        }
        return {key: value for key, value in given.items() if value is not None}

    def host(self, name: str = "host", **more: Any) -> Made:
        return self.volc.make(MACHINE, name, **self.host_inputs(**more))

    def disk(self, called: str = "disk", /, **more: Any) -> Made:
        given = {"volumeName": called, "kind": "data", "volumeType": "ESSD_PL0", "size": 20, "zoneId": ZONE}
        return self.volc.make(DISK, called, **{**given, **more})

    def address(self, name: str = "address") -> Made:
        return self.volc.make(EIP, name, billingType="PostPaidByTraffic", bandwidth=100)

    def rule(self, **more: Any) -> dict[str, Any]:
        given = {"securityGroupId": self.group.id, "direction": "ingress", "protocol": "tcp"}
        return {**given, "portStart": 22, "portEnd": 22, "cidrIp": "192.0.2.0/24", **more}


@pytest.fixture
def net(volcengine: Cloud) -> Net:
    vpc = volcengine.make(VPC, "net", cidrBlock="10.0.0.0/16")
    subnet = volcengine.make(SUBNET, "part", vpcId=vpc.id, cidrBlock="10.0.1.0/24", zoneId=ZONE)
    return Net(volcengine, vpc, subnet, volcengine.make(GROUP, "wall", vpcId=vpc.id))


def test_ids_and_addresses_look_like_those_of_volcengine(net: Net) -> None:
    host, address = net.host(), net.address()
    assert (host.id[:2], net.vpc.id[:4], net.subnet.id[:7], address.id[:4]) == ("i-", "vpc-", "subnet-", "eip-")
    assert host.outputs["primaryIpAddress"].startswith("10.0.1.")
    assert host.outputs["primaryIpAddress"] != net.host("second").outputs["primaryIpAddress"]
    assert (host.outputs["cpus"], host.outputs["memorySize"], host.outputs["isGpu"]) == (14, 245 * 1024, True)
    assert host.outputs["zoneId"] == ZONE
    bound = net.volc.make(BOUND, allocationId=address.id, instanceId=host.id, instanceType="EcsInstance")
    assert bound.id == f"{address.id}:{host.id}"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"subnetId": "subnet-none"}, "InvalidSubnet.NotFound"),
        ({"zoneId": "cn-beijing-b"}, "InvalidSubnet.ZoneMismatch"),
        ({"securityGroupIds": ["sg-none"]}, "InvalidSecurityGroup.NotFound"),
        ({"password": None}, "MissingParameter.KeyPairName"),
        ({"keyPairName": "none"}, "InvalidKeyPairName.NotFound"),
        ({"imageId": "image-none"}, "InvalidImage.NotFound"),
        ({"imageId": "image-aaaaaaaaaaaaaaaaaaaa"}, "InvalidImage.NotFound"),
        ({"instanceType": "ecs.none.large"}, "InvalidInstanceType.NotFound"),
        ({"systemVolumeSize": 19}, "InvalidVolumeSize.Malformed"),
        ({"systemVolumeSize": 2049}, "InvalidVolumeSize.Malformed"),
        ({"userData": "#" * 16385}, "InvalidUserData.TooLong"),
        ({"primaryIpAddress": "10.9.9.9"}, "InvalidPrivateIp.Malformed"),
    ],
)
def test_a_machine_that_cannot_be_made_is_refused(net: Net, change: dict[str, Any], words: str) -> None:
    assert words in net.volc.refuses(MACHINE, **net.host_inputs(**change))


def test_user_data_of_just_the_limit_is_accepted(net: Net) -> None:
    assert net.host(userData="#" * 16384).id


def test_a_machine_and_its_group_are_of_one_vpc(net: Net) -> None:
    other = net.volc.make(VPC, "other", cidrBlock="10.1.0.0/16")
    group = net.volc.make(GROUP, "far", vpcId=other.id)
    refused = net.volc.refuses(MACHINE, **net.host_inputs(securityGroupIds=[group.id]))
    assert "InvalidSecurityGroup.VpcMismatch" in refused


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("no-stock:*", "OperationDenied.NoStock"),
        (f"no-stock:{KIND}", "OperationDenied.NoStock"),
        (f"no-stock:{ZONE}", "OperationDenied.NoStock"),
        (f"quota:{KIND}", "QuotaExceeded.InstanceType"),
    ],
)
def test_a_fault_is_told_in_the_clouds_words(net: Net, fault: str, words: str) -> None:
    faulty = cloud("volcengine", net.volc.store, faults=fault)
    assert words in faulty.refuses(MACHINE, **net.host_inputs())


def test_addresses_end_with_their_quota() -> None:
    faulty = cloud("volcengine", faults="quota:eip")
    assert "QuotaExceeded.Eip" in faulty.refuses(EIP, billingType="PostPaidByTraffic")


@pytest.mark.parametrize(
    ("token", "given", "words"),
    [
        (VPC, {"cidrBlock": "8.8.0.0/16"}, "InvalidCidrBlock.Malformed"),
        (SUBNET, {"vpcId": "vpc-none"}, "InvalidVpc.NotFound"),
        (SUBNET, {"zoneId": "cn-beijing-z"}, "InvalidZone.NotFound"),
        (SUBNET, {"cidrBlock": "10.9.0.0/24"}, "InvalidCidrBlock.NotInVpc"),
        (SUBNET, {"cidrBlock": "10.0.1.128/25"}, "InvalidCidrBlock.Conflict"),
        (GROUP, {"vpcId": "vpc-none"}, "InvalidVpc.NotFound"),
        (EIP, {"billingType": "PostPaidByTraffic", "bandwidth": 201}, "InvalidBandwidth.Malformed"),
        (KEY, {"keyPairName": "mine", "publicKey": "nonsense"}, "InvalidPublicKey.Malformed"),
        (DISK, {"size": 9}, "InvalidVolumeSize.Malformed"),
        (DISK, {"size": 32769}, "InvalidVolumeSize.Malformed"),
        (DISK, {"zoneId": "cn-beijing-z"}, "InvalidZone.NotFound"),
    ],
)
def test_what_does_not_fit_is_refused(net: Net, token: str, given: dict[str, Any], words: str) -> None:
    sound: dict[str, dict[str, Any]] = {
        SUBNET: {"vpcId": net.vpc.id, "cidrBlock": "10.0.2.0/24", "zoneId": ZONE},
        DISK: {"volumeName": "disk", "kind": "data", "volumeType": "ESSD_PL0", "size": 20, "zoneId": ZONE},
    }
    assert words in net.volc.refuses(token, "second", **{**sound.get(token, {}), **given})


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"portStart": 0}, "InvalidPort.Malformed"),
        ({"portStart": 23}, "InvalidPort.Malformed"),
        ({"protocol": "all"}, "takes no ports but -1"),
        ({"securityGroupId": "sg-none"}, "InvalidSecurityGroup.NotFound"),
        ({"cidrIp": "here"}, "InvalidCidrIp.Malformed"),
        ({"cidrIp": ""}, "MissingParameter.CidrIp"),
    ],
)
def test_a_rule_that_cannot_be_made_is_refused(net: Net, given: dict[str, Any], words: str) -> None:
    assert words in net.volc.refuses(RULE, **net.rule(**given))


def test_a_rule_is_there_once(net: Net) -> None:
    net.volc.make(RULE, "first", **net.rule())
    assert "InvalidSecurityRule.Conflict" in net.volc.refuses(RULE, "second", **net.rule())


def test_a_name_is_taken_by_one_key_pair(net: Net) -> None:
    made = net.volc.make(KEY, "mine", keyPairName="mine", publicKey=PUBLIC_KEY)
    assert made.id == "mine"
    assert "InvalidKeyPairName.Duplicate" in net.volc.refuses(KEY, "second", keyPairName="mine", publicKey=PUBLIC_KEY)
    assert net.volc.check(KEY, keyPairName="m")


def test_a_disk_and_an_address_have_one_holder_and_outlive_it(net: Net) -> None:
    host, second = net.host(), net.host("second")
    disk, address = net.disk(), net.address()
    attached = net.volc.make(ATTACHED, volumeId=disk.id, instanceId=host.id)
    bound = net.volc.make(BOUND, allocationId=address.id, instanceId=host.id, instanceType="EcsInstance")
    assert "InvalidVolume.InvalidStatus" in net.volc.refuses(ATTACHED, "2", volumeId=disk.id, instanceId=second.id)
    again = {"allocationId": address.id, "instanceId": second.id, "instanceType": "EcsInstance"}
    assert "InvalidEip.InvalidStatus" in net.volc.refuses(BOUND, "2", **again)
    more = {"allocationId": net.address("more").id, "instanceId": host.id, "instanceType": "EcsInstance"}
    assert "AssociateEipLimitExceed" in net.volc.refuses(BOUND, "3", **more)
    with pytest.raises(CloudError, match="Only volume with a status of `available` can be deleted"):
        net.volc.delete(disk)
    with pytest.raises(CloudError, match=r"InvalidEip\.InvalidStatus"):
        net.volc.delete(address)
    for each in (attached, bound, host):
        net.volc.delete(each)
    assert net.volc.store.get(DISK, disk.id)
    assert net.volc.store.get(EIP, address.id)
    net.volc.delete(disk)
    net.volc.delete(address)


def test_a_disk_is_attached_in_its_own_zone_alone(net: Net) -> None:
    far = net.disk("far", zoneId="cn-beijing-b")
    refused = net.volc.refuses(ATTACHED, volumeId=far.id, instanceId=net.host().id)
    assert "InvalidVolume.ZoneMismatch" in refused


def test_what_is_in_use_is_not_deleted(net: Net) -> None:
    net.host()
    for made, words in ((net.vpc, "InvalidVpc"), (net.subnet, "InvalidSubnet"), (net.group, "InvalidSecurityGroup")):
        with pytest.raises(CloudError, match=f"{words}.InUse"):
            net.volc.delete(made)


def test_disks_grow_and_never_shrink(net: Net) -> None:
    host, disk = net.host(), net.disk()
    assert net.volc.diff(disk, **{**disk.inputs, "size": 30}).replaces == []
    larger = net.volc.change(disk, **{**disk.inputs, "size": 30})
    assert larger.id == disk.id
    with pytest.raises(CloudError, match=r"InvalidVolumeSize\.TooSmall"):
        net.volc.change(larger, **{**larger.inputs, "size": 20})
    with pytest.raises(CloudError, match=r"InvalidVolumeSize\.TooSmall"):
        net.volc.change(host, **net.host_inputs(systemVolumeSize=30))


def test_a_newer_image_keeps_the_machine_and_gives_it_another_system_disk(net: Net) -> None:
    host = net.host()
    newer = cloud("volcengine", net.volc.store, faults="image-date:20271231")
    (image,) = newer.ask(IMAGES, nameRegex="^Ubuntu 24\\.04 64")["images"]
    assert newer.diff(host, **net.host_inputs(imageId=image["imageId"])).replaces == []
    changed = newer.change(host, **net.host_inputs(imageId=image["imageId"]))
    assert changed.id == host.id
    assert changed.outputs["systemVolumeId"] != host.outputs["systemVolumeId"]


def test_another_key_is_overlooked_unless_the_image_changes_too(net: Net) -> None:
    for name in ("one", "two"):
        net.volc.make(KEY, name, keyPairName=name, publicKey=PUBLIC_KEY)
    host = net.host(keyPairName="one")
    assert net.volc.diff(host, **net.host_inputs(keyPairName="two")).changed == []
    both = net.host_inputs(keyPairName="two", imageId="image-aaf193g9cqb6uoeqqq22")
    assert net.volc.diff(host, **both).changed == ["imageId", "keyPairName"]


def test_what_is_asked_for_at_launch_alone_is_overlooked_later(net: Net) -> None:
    host = net.host()
    assert net.volc.diff(host, **net.host_inputs(installRunCommandAgent=True)).changed == []
    assert net.volc.diff(host, **net.host_inputs(autoRenewPeriod=6)).changed == []


@pytest.mark.parametrize(
    "change", [{"subnetId": "subnet-other"}, {"systemVolumeType": "ESSD_PL1"}, {"spotStrategy": "SpotAsPriceGo"}]
)
def test_what_the_provider_cannot_change_replaces_the_machine(net: Net, change: dict[str, Any]) -> None:
    assert net.volc.diff(net.host(), **net.host_inputs(**change)).replaces == list(change)


def test_images_zones_and_regions_are_found(volcengine: Cloud) -> None:
    plain = volcengine.ask(IMAGES, nameRegex="^Ubuntu 24\\.04", instanceTypeId=KIND, visibility="public")
    assert [each["imageName"] for each in plain["images"]] == [
        "Ubuntu 24.04 64 bit",
        "Ubuntu 24.04 with GPU Driver 570.86.15 64 bit",
    ]
    assert volcengine.ask(IMAGES, instanceTypeId="ecs.none.large")["images"] == []
    assert volcengine.ask(IMAGES, visibility="private")["images"] == []
    assert [each["id"] for each in volcengine.ask("volcengine:ecs/getZones:getZones")["zones"]][:2] == [
        "cn-beijing-a",
        "cn-beijing-b",
    ]
    regions = volcengine.ask("volcengine:ecs/getRegions:getRegions", ids=["ap-southeast-1"])["regions"]
    assert [each["id"] for each in regions] == ["ap-southeast-1"]
