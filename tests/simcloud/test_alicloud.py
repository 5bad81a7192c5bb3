"""What Aliyun refuses, in its words, and what it gives back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from pulumi_llm._simcloud.rules.base import CloudError
from pulumi_llm.clouds import functions

from .conftest import Cloud, Made, cloud
from .test_aws import PUBLIC_KEY

VPC, SWITCH = "alicloud:vpc/network:Network", "alicloud:vpc/switch:Switch"
GROUP, RULE = "alicloud:ecs/securityGroup:SecurityGroup", "alicloud:ecs/securityGroupRule:SecurityGroupRule"
KEY, INSTANCE = "alicloud:ecs/ecsKeyPair:EcsKeyPair", "alicloud:ecs/instance:Instance"
EIP, BOUND = "alicloud:ecs/eipAddress:EipAddress", "alicloud:ecs/eipAssociation:EipAssociation"
DISK, ATTACHED = "alicloud:ecs/ecsDisk:EcsDisk", "alicloud:ecs/ecsDiskAttachment:EcsDiskAttachment"
TYPE = "ecs.gn6i-c4g1.xlarge"


@dataclass
class Net:
    aliyun: Cloud
    zone: str
    vpc: Made
    switch: Made
    group: Made

    def host_inputs(self, **more: Any) -> dict[str, Any]:
        given = {"imageId": image(self.aliyun), "instanceType": TYPE, "securityGroups": [self.group.id]}
        return {**given, "vswitchId": self.switch.id, "systemDiskCategory": "cloud_essd", **more}

    def host(self, name: str = "host", **more: Any) -> Made:
        return self.aliyun.make(INSTANCE, name, **self.host_inputs(**more))


def image(aliyun: Cloud, pattern: str = "^ubuntu_24_04_x64") -> str:
    found = aliyun.ask("alicloud:ecs/getImages:getImages", owners="system", nameRegex=pattern, mostRecent=True)
    return str(found["ids"][0])


@pytest.fixture
def net(alicloud: Cloud) -> Net:
    zone = alicloud.ask("alicloud:index/getZones:getZones", availableInstanceType=TYPE)["ids"][0]
    vpc = alicloud.make(VPC, vpcName="net", cidrBlock="10.0.0.0/16")
    switch = alicloud.make(SWITCH, vpcId=vpc.id, cidrBlock="10.0.1.0/24", zoneId=zone)
    return Net(alicloud, zone, vpc, switch, alicloud.make(GROUP, vpcId=vpc.id))


def test_ids_and_addresses_look_like_those_of_aliyun(net: Net) -> None:
    host = net.host()
    assert host.id.startswith("i-")
    assert len(host.id) == 22
    assert host.outputs["privateIp"] == host.outputs["primaryIpAddress"] == "10.0.1.4"
    assert (host.outputs["publicIp"], host.outputs["status"]) == ("", "Running")
    assert (host.outputs["cpu"], host.outputs["memory"]) == (4, 15 * 1024)


def test_bandwidth_gives_a_public_address(net: Net) -> None:
    assert net.host(internetMaxBandwidthOut=10).outputs["publicIp"].startswith("203.0.113.")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"vswitchId": "vsw-0"}, "InvalidVSwitchId.NotFound"),
        ({"securityGroups": ["sg-0"]}, "InvalidSecurityGroupId.NotFound"),
        ({"keyName": "none"}, "InvalidKeyPairName.NotFound"),
        ({"imageId": "ubuntu_99_04_x64_20G_alibase_20260916.vhd"}, "InvalidImageId.NotFound"),
        ({"instanceType": "ecs.zz9.large"}, "InvalidInstanceType.ValueNotSupported"),
        ({"systemDiskSize": 10}, "InvalidSystemDiskSize.ValueNotSupported"),
        ({"userData": "#" + "x" * 33000}, "InvalidUserData.SizeExceeded"),
        ({"privateIp": "10.9.9.9"}, "InvalidPrivateIpAddress.Malformed"),
        ({"securityGroups": []}, "MissingParameter"),
        (
            {"systemDiskCategory": "cloud_ssd", "systemDiskPerformanceLevel": "PL1"},
            "InvalidParameter.SystemDiskPerformanceLevel",
        ),
    ],
)
def test_an_instance_that_cannot_be_made_is_refused(net: Net, change: dict[str, Any], code: str) -> None:
    refused = net.aliyun.refuses(INSTANCE, **net.host_inputs(**change))
    assert f"Code: {code}\n" in refused
    assert "Resource alicloud_instance RunInstances Failed!!! [SDK alibaba-cloud-sdk-go ERROR]" in refused


def test_a_type_of_another_region_is_refused(net: Net) -> None:
    offers = net.aliyun.simulator.offers
    name = next(each for each in offers.types if not offers.zones_of(each, "cn-shanghai"))
    assert "InvalidResourceType.NotSupported" in net.aliyun.refuses(INSTANCE, **net.host_inputs(instanceType=name))


def test_user_data_that_is_base64_counts_decoded(net: Net) -> None:
    import base64

    assert net.host(userData=base64.b64encode(b"#" * 32000).decode()).id


def test_an_instance_and_its_security_group_have_to_be_in_one_vpc(net: Net) -> None:
    other = net.aliyun.make(VPC, "other", cidrBlock="172.16.0.0/16")
    group = net.aliyun.make(GROUP, "others", vpcId=other.id)
    refused = net.aliyun.refuses(INSTANCE, **net.host_inputs(securityGroups=[group.id]))
    assert "InvalidSecurityGroupId.VPCMismatch" in refused


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"cidrBlock": "10.1.1.0/24"}, "InvalidCidrBlock.Malformed"),
        ({"cidrBlock": "10.0.1.128/25"}, "InvalidCidrBlock.Overlapped"),
        ({"cidrBlock": "10.0.1.7/24"}, "InvalidCidrBlock"),
        ({"cidrBlock": "10.0.2.0/24", "zoneId": "cn-shanghai-zz"}, "InvalidZoneId.NotFound"),
        ({"cidrBlock": "10.0.2.0/24", "vpcId": "vpc-0"}, "InvalidVpcId.NotFound"),
    ],
)
def test_a_switch_that_does_not_fit_is_refused(net: Net, given: dict[str, Any], code: str) -> None:
    given = {"vpcId": net.vpc.id, "zoneId": net.zone, **given}
    assert f"Code: {code}\n" in net.aliyun.refuses(SWITCH, "second", **given)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"ipProtocol": "tcp"}, "'tcp' and 'udp' can support port range: [1, 65535]"),
        ({"ipProtocol": "tcp", "portRange": "22"}, "'tcp' and 'udp' can support port range"),
        ({"ipProtocol": "all", "portRange": "1/22"}, "only support port range '-1/-1'"),
        ({"ipProtocol": "tcp", "portRange": "22/22", "nicType": "internet"}, "InvalidNicType.Mismatch"),
        ({"ipProtocol": "tcp", "portRange": "22/22", "securityGroupId": "sg-0"}, "InvalidSecurityGroupId.NotFound"),
        ({"ipProtocol": "tcp", "portRange": "22/22", "cidrIp": "ten"}, "InvalidSourceCidrIp.Malformed"),
    ],
)
def test_a_security_group_rule_that_cannot_be_made_is_refused(net: Net, given: dict[str, Any], words: str) -> None:
    given = {"type": "ingress", "securityGroupId": net.group.id, "cidrIp": "10.0.0.0/8", **given}
    assert words in net.aliyun.refuses(RULE, **given)


def test_a_key_s_name_is_unique(alicloud: Cloud) -> None:
    assert alicloud.make(KEY, keyPairName="mine", publicKey=PUBLIC_KEY).id == "mine"
    refused = alicloud.refuses(KEY, "second", keyPairName="mine", publicKey=PUBLIC_KEY)
    assert "Code: KeyPair.AlreadyExist" in refused


def test_an_address_is_bound_once(net: Net) -> None:
    one, two = net.host("one"), net.host("two")
    address, other = net.aliyun.make(EIP, "a"), net.aliyun.make(EIP, "b")
    bound = net.aliyun.make(BOUND, "first", allocationId=address.id, instanceId=one.id)
    again = net.aliyun.refuses(BOUND, "second", allocationId=address.id, instanceId=two.id)
    assert "IncorrectEipStatus" in again
    assert "Duplicated" in net.aliyun.refuses(BOUND, "third", allocationId=other.id, instanceId=one.id)
    with pytest.raises(CloudError, match="IncorrectEipStatus"):
        net.aliyun.delete(address)
    net.aliyun.delete(bound)
    net.aliyun.delete(address)


def test_an_instance_with_a_public_address_takes_no_other(net: Net) -> None:
    host, address = net.host(internetMaxBandwidthOut=10), net.aliyun.make(EIP)
    refused = net.aliyun.refuses(BOUND, allocationId=address.id, instanceId=host.id)
    assert "PublicIpAddressExist" in refused


def test_a_disk_is_attached_once_in_its_own_zone(net: Net) -> None:
    zones = net.aliyun.simulator.offers.regions["cn-shanghai"]
    far = next(each for each in zones if each != net.zone)
    given: dict[str, Any] = {"size": 100, "category": "cloud_essd", "encrypted": True}
    disk, away = net.aliyun.make(DISK, zoneId=net.zone, **given), net.aliyun.make(DISK, "far", zoneId=far, **given)
    one, two = net.host("one"), net.host("two")
    net.aliyun.make(ATTACHED, "a", diskId=disk.id, instanceId=one.id)
    assert "IncorrectDiskStatus" in net.aliyun.refuses(ATTACHED, "b", diskId=disk.id, instanceId=two.id)
    assert "ResourcesNotInSameZone" in net.aliyun.refuses(ATTACHED, "c", diskId=away.id, instanceId=two.id)
    with pytest.raises(CloudError, match="IncorrectDiskStatus"):
        net.aliyun.delete(disk)


@pytest.mark.parametrize(
    ("given", "works"),
    [
        ({"category": "cloud_essd", "size": 10}, False),
        ({"category": "cloud_essd", "performanceLevel": "PL0", "size": 10}, True),
        ({"category": "cloud_essd", "performanceLevel": "PL2", "size": 400}, False),
        ({"category": "cloud_efficiency", "size": 20}, True),
    ],
)
def test_each_kind_of_disk_has_a_least_size(net: Net, given: dict[str, Any], works: bool) -> None:
    if works:
        assert net.aliyun.make(DISK, zoneId=net.zone, **given).id
    else:
        assert "InvalidDiskSize.NotSupported" in net.aliyun.refuses(DISK, zoneId=net.zone, **given)


def test_another_image_gives_another_system_disk_and_keeps_the_instance(net: Net) -> None:
    host = net.host()
    moved = net.aliyun.change(host, **net.host_inputs(imageId=image(net.aliyun, "^ubuntu_22_04_x64")))
    assert moved.outputs["systemDiskId"] != host.outputs["systemDiskId"]
    assert moved.outputs["privateIp"] == host.outputs["privateIp"]


def test_what_is_in_use_cannot_be_deleted(net: Net) -> None:
    host = net.host()
    for made in (net.vpc, net.switch, net.group):
        with pytest.raises(CloudError, match="DependencyViolation"):
            net.aliyun.delete(made)
    for made in (host, net.group, net.switch, net.vpc):
        net.aliyun.delete(made)
    assert net.aliyun.store.everything() == []


def test_a_protected_or_prepaid_instance_cannot_be_deleted(net: Net) -> None:
    with pytest.raises(CloudError, match=r"InvalidOperation\.DeletionProtection"):
        net.aliyun.delete(net.host("one", deletionProtection=True))
    with pytest.raises(CloudError, match="convert 'PrePaid' instance"):
        net.aliyun.delete(net.host("two", instanceChargeType="PrePaid"))


@pytest.mark.parametrize(
    ("fault", "code"),
    [("no-stock:*", "OperationDenied.NoStock"), (f"quota:{TYPE}", "QuotaExceed.ElasticQuota")],
)
def test_faults_are_worded_as_aliyun_words_them(net: Net, fault: str, code: str) -> None:
    assert f"Code: {code}\n" in cloud("alicloud", net.aliyun.store, faults=fault).refuses(INSTANCE, **net.host_inputs())


ROLE, POLICY = "alicloud:ram/role:Role", "alicloud:ram/policy:Policy"
GRANT = "alicloud:ram/rolePolicyAttachment:RolePolicyAttachment"


def test_a_sixth_version_of_a_policy_is_refused_unless_the_oldest_may_go(alicloud: Cloud) -> None:
    made = {
        name: alicloud.make(POLICY, name, policyName=name, policyDocument="{}", **more)
        for name, more in {
            "kept": {},
            "rotated": {"rotateStrategy": "DeleteOldestNonDefaultVersionWhenLimitExceeded"},
        }.items()
    }

    def with_document(each: Made, number: int) -> Made:
        return alicloud.change(each, **{**each.inputs, "policyDocument": f'{{"n": {number}}}'})

    for number in range(2, 6):
        made = {name: with_document(each, number) for name, each in made.items()}
    made["rotated"] = with_document(made["rotated"], 6)
    assert made["rotated"].outputs["defaultVersion"] == "v6"
    with pytest.raises(CloudError, match=r"LimitExceeded\.Policy\.Version"):
        with_document(made["kept"], 6)


def test_a_role_that_has_a_policy_is_not_deleted(alicloud: Cloud) -> None:
    role = alicloud.make(ROLE, "stops", roleName="stops", assumeRolePolicyDocument="{}")
    policy = alicloud.make(POLICY, "stop", policyName="stop", policyDocument="{}", force=True)
    alicloud.make(GRANT, "grant", roleName="stops", policyName="stop", policyType="Custom")
    with pytest.raises(CloudError, match=r"DeleteConflict\.Role\.Policy"):
        alicloud.delete(role)
    alicloud.delete(policy)  # the provider takes it away from the role first, as `force` asks
    alicloud.delete(role)
    assert alicloud.store.everything() == []


def test_a_function_has_a_name_of_its_own(alicloud: Cloud) -> None:
    given = {"functionName": "starts", "handler": functions.HANDLER, "runtime": "python3.10"}
    given |= {"code": {"zipFile": functions.code_text()}}
    made = alicloud.make("alicloud:fc/v3Function:V3Function", **given)
    refused = alicloud.refuses(made.token, "other", **given)
    assert "FunctionAlreadyExists" in refused
    assert "CreateFunction" in refused
    assert alicloud.change(made, **{**given, "timeout": 60}).outputs["timeout"] == 60
