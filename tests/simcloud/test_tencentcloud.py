"""What Tencent Cloud refuses, in its words, and what it gives back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pulumi_llm._simcloud.rules.base import CloudError
from pulumi_llm.clouds import functions
from pulumi_llm.clouds.tencent import starts

from .conftest import Cloud, Made, cloud
from .test_aws import PUBLIC_KEY

VPC, SUBNET = "tencentcloud:Vpc/instance:Instance", "tencentcloud:Subnet/instance:Instance"
GROUP, RULES = "tencentcloud:Security/group:Group", "tencentcloud:Security/groupRuleSet:GroupRuleSet"
KEY, INSTANCE = "tencentcloud:Key/pair:Pair", "tencentcloud:Instance/instance:Instance"
EIP, BOUND = "tencentcloud:Eip/instance:Instance", "tencentcloud:Eip/association:Association"
DISK, ATTACHED = "tencentcloud:Cbs/storage:Storage", "tencentcloud:Cbs/storageAttachment:StorageAttachment"
TYPE, ZONE = "GN7.2XLARGE32", "ap-guangzhou-3"


@dataclass
class Net:
    tencent: Cloud
    vpc: Made
    subnet: Made
    group: Made

    def host_inputs(self, **more: Any) -> dict[str, Any]:
        given = {"imageId": "img-mmytdhbn", "instanceType": TYPE, "availabilityZone": ZONE, "vpcId": self.vpc.id}
        return {**given, "subnetId": self.subnet.id, "orderlySecurityGroups": [self.group.id], **more}

    def host(self, name: str = "host", **more: Any) -> Made:
        return self.tencent.make(INSTANCE, name, **self.host_inputs(**more))


@pytest.fixture
def net(tencentcloud: Cloud) -> Net:
    vpc = tencentcloud.make(VPC, "net", cidrBlock="10.0.0.0/16")
    subnet = tencentcloud.make(SUBNET, "part", vpcId=vpc.id, cidrBlock="10.0.1.0/24", availabilityZone=ZONE)
    return Net(tencentcloud, vpc, subnet, tencentcloud.make(GROUP, "rules"))


def test_ids_and_addresses_look_like_those_of_tencent(net: Net) -> None:
    host = net.host()
    assert host.id.startswith("ins-")
    assert len(host.id) == 12
    assert host.outputs["privateIp"].startswith("10.0.1.")
    assert (host.outputs["publicIp"], host.outputs["instanceStatus"]) == ("", "RUNNING")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"subnetId": "subnet-0"}, "InvalidParameterValue.SubnetNotExist"),
        ({"vpcId": "vpc-0"}, "InvalidParameterValue.VpcIdNotExist"),
        ({"orderlySecurityGroups": ["sg-0"]}, "InvalidSecurityGroupId.NotFound"),
        ({"keyIds": ["skey-0"]}, "InvalidKeyPairId.NotFound"),
        ({"imageId": "img-00000000"}, "InvalidImageId.NotFound"),
        ({"instanceType": "ZZ9.LARGE1"}, "InvalidParameterValue.InstanceTypeNotFound"),
        ({"availabilityZone": "ap-guangzhou-99"}, "InvalidParameterValue.ZoneNotSupported"),
        ({"availabilityZone": "ap-guangzhou-4"}, "InvalidParameterValue.SubnetIdZoneIdNotMatch"),
        ({"userDataRaw": "#" * 12289}, "InvalidParameterValue.LimitExceeded"),
        ({"userData": "%"}, "InvalidUserDataFormat"),
        ({"systemDiskSize": 10}, "InvalidDiskSize"),
        ({"camRoleName": "none"}, "InvalidParameterValue.RoleNotExist"),
        ({"privateIp": "10.9.9.9"}, "VpcAddrNotInSubNet"),
    ],
)
def test_an_instance_that_cannot_be_made_is_refused(net: Net, change: dict[str, Any], code: str) -> None:
    refused = net.tencent.refuses(INSTANCE, **net.host_inputs(**change))
    assert f"[TencentCloudSDKError] Code={code}, Message=" in refused


def test_user_data_of_just_the_limit_is_accepted(net: Net) -> None:
    assert net.host(userDataRaw="#" * 12288).id


def test_a_spot_instance_needs_both_spot_options(net: Net) -> None:
    refused = net.tencent.refuses(INSTANCE, **net.host_inputs(instanceChargeType="SPOTPAID"))
    assert "spot_instance_type and spot_max_price are required" in refused
    spot = {"instanceChargeType": "SPOTPAID", "spotInstanceType": "ONE-TIME", "spotMaxPrice": "5"}
    assert net.host(**spot).id


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"cidrBlock": "10.1.1.0/24"}, "InvalidParameterValue.SubnetRange"),
        ({"cidrBlock": "10.0.1.128/25"}, "InvalidParameterValue.SubnetConflict"),
        ({"cidrBlock": "10.0.2.0/24", "availabilityZone": "ap-guangzhou-99"}, "InvalidParameterValue.InvalidZone"),
        ({"cidrBlock": "10.0.2.0/24", "vpcId": "vpc-0"}, "ResourceNotFound"),
    ],
)
def test_a_subnet_that_does_not_fit_is_refused(net: Net, given: dict[str, Any], code: str) -> None:
    given = {"vpcId": net.vpc.id, "availabilityZone": ZONE, **given}
    assert f"Code={code}," in net.tencent.refuses(SUBNET, "second", **given)


def test_a_vpc_is_of_private_addresses(tencentcloud: Cloud) -> None:
    assert "InvalidParameterValue" in tencentcloud.refuses(VPC, cidrBlock="8.8.0.0/16")


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({"protocol": "ALL", "port": "22", "cidrBlock": "10.0.0.0/8"}, "protocol ALL only supports port ALL"),
        ({"protocol": "TCP", "port": "99999", "cidrBlock": "10.0.0.0/8"}, "Invalid port"),
        ({"protocol": "TCPP", "port": "22", "cidrBlock": "10.0.0.0/8"}, "Invalid protocol"),
        ({"protocol": "TCP", "port": "22"}, "exactly one of cidrBlock"),
        ({"protocol": "TCP", "port": "22", "sourceSecurityId": "sg-0"}, "ResourceNotFound"),
    ],
)
def test_a_rule_that_cannot_be_made_is_refused(net: Net, rule: dict[str, Any], words: str) -> None:
    refused = net.tencent.refuses(RULES, securityGroupId=net.group.id, ingresses=[{"action": "ACCEPT", **rule}])
    assert words in refused


def test_rules_are_owned_by_one_set_and_changed_in_place(net: Net) -> None:
    rule = {"action": "ACCEPT", "protocol": "TCP", "port": "22,8000-9000", "cidrBlock": "10.0.0.0/8"}
    made = net.tencent.make(RULES, securityGroupId=net.group.id, ingresses=[rule])
    assert made.id == net.group.id
    again = net.tencent.refuses(RULES, "second", securityGroupId=net.group.id, ingresses=[rule])
    assert "managed by another rule set" in again
    changed = net.tencent.change(made, securityGroupId=net.group.id, ingresses=[{**rule, "port": "443"}])
    assert changed.outputs["version"] == "2"


def test_a_key_s_name_and_text_are_unique(tencentcloud: Cloud) -> None:
    tencentcloud.make(KEY, keyName="mine", publicKey=PUBLIC_KEY)
    refused = tencentcloud.refuses(KEY, "second", keyName="mine", publicKey=PUBLIC_KEY)
    assert "InvalidKeyPairName.Duplicate" in refused
    refused = tencentcloud.refuses(KEY, "third", keyName="other", publicKey=PUBLIC_KEY)
    assert "InvalidPublicKey.Duplicated" in refused


def test_an_address_is_bound_once(net: Net) -> None:
    one, two, address = net.host("one"), net.host("two"), net.tencent.make(EIP, "a")
    bound = net.tencent.make(BOUND, "first", eipId=address.id, instanceId=one.id)
    refused = net.tencent.refuses(BOUND, "second", eipId=address.id, instanceId=two.id)
    assert "InvalidAddressIdStatus.NotPermit" in refused
    with pytest.raises(CloudError, match="NotPermit"):
        net.tencent.delete(address)
    net.tencent.delete(bound)
    net.tencent.delete(address)


def test_a_disk_is_attached_once_in_its_own_zone(net: Net) -> None:
    given: dict[str, Any] = {"storageName": "disk", "storageType": "CLOUD_BSSD", "storageSize": 100, "encrypt": True}
    disk = net.tencent.make(DISK, availabilityZone=ZONE, **given)
    away = net.tencent.make(DISK, "far", availabilityZone="ap-guangzhou-4", **given)
    host = net.host()
    net.tencent.make(ATTACHED, "a", storageId=disk.id, instanceId=host.id)
    assert "ResourceUnavailable.Attached" in net.tencent.refuses(ATTACHED, "b", storageId=disk.id, instanceId=host.id)
    refused = net.tencent.refuses(ATTACHED, "c", storageId=away.id, instanceId=host.id)
    assert "ResourceUnavailable.ZoneNotMatch" in refused


def test_a_disk_comes_in_steps_and_does_not_shrink(tencentcloud: Cloud) -> None:
    given = {"availabilityZone": ZONE, "storageName": "disk", "storageType": "CLOUD_BSSD"}
    assert "in steps of 10" in tencentcloud.refuses(DISK, **given, storageSize=105)
    made = tencentcloud.make(DISK, **given, storageSize=100)
    with pytest.raises(CloudError, match="must be greater than current"):
        tencentcloud.change(made, **given, storageSize=50)


def test_what_the_provider_cannot_update_fails_at_update(tencentcloud: Cloud) -> None:
    made = tencentcloud.make(EIP, "a", bandwidthPackageId="bwp-1")
    with pytest.raises(CloudError, match="bandwidth_package_id is not support yet"):
        tencentcloud.change(made, bandwidthPackageId="bwp-2")


def test_another_image_keeps_the_instance(net: Net) -> None:
    host = net.host()
    moved = net.tencent.change(host, **net.host_inputs(imageId="img-487zeit5"))
    assert moved.outputs["osName"] == "Ubuntu Server 22.04 LTS 64bit"
    assert moved.outputs["privateIp"] == host.outputs["privateIp"]


def test_what_is_in_use_cannot_be_deleted(net: Net) -> None:
    host = net.host()
    for made in (net.vpc, net.subnet, net.group):
        with pytest.raises(CloudError, match="ResourceInUse"):
            net.tencent.delete(made)
    for made in (host, net.group, net.subnet, net.vpc):
        net.tencent.delete(made)
    assert net.tencent.store.everything() == []


def test_a_protected_instance_cannot_be_deleted(net: Net) -> None:
    with pytest.raises(CloudError, match="InstancesProtected"):
        net.tencent.delete(net.host(disableApiTermination=True))


@pytest.mark.parametrize(
    ("fault", "code"),
    [("no-stock:*", "ResourceInsufficient.SpecifiedInstanceType"), ("quota:*", "LimitExceeded.InstanceQuota")],
)
def test_faults_are_worded_as_tencent_words_them(net: Net, fault: str, code: str) -> None:
    refused = cloud("tencentcloud", net.tencent.store, faults=fault).refuses(INSTANCE, **net.host_inputs())
    assert f"Code={code}," in refused


def test_a_function_has_a_name_of_its_own_and_its_runtime_stays(tencentcloud: Cloud, tmp_path: Path) -> None:
    functions.write_code(tmp_path)
    role = tencentcloud.make("tencentcloud:Cam/role:Role", name="starter", document=starts.trust())
    given = {"name": "starts", "handler": functions.HANDLER, "runtime": starts.RUNTIME, "role": role.inputs["name"]}
    given |= {"zipFile": str(tmp_path / functions.code_path()), "enablePublicNet": True}
    made = tencentcloud.make("tencentcloud:Scf/function:Function", **given)
    assert "Code=ResourceInUse.FunctionName," in tencentcloud.refuses(made.token, "other", **given)
    assert tencentcloud.change(made, **{**given, "timeout": 60}).outputs["timeout"] == 60
    with pytest.raises(CloudError, match=r"Code=InvalidParameterValue\.Runtime,"):
        tencentcloud.change(made, **{**given, "runtime": "Python3.9"})
