from __future__ import annotations

from typing import Any

import pytest

from pulumi_llm._provider_facts import diff
from pulumi_llm._provider_facts.diff import Difference
from pulumi_llm._provider_facts.values import UNKNOWN, secret
from pulumi_llm._simcloud.offers import of as offers_of

AWS = "aws:ec2/instance:Instance"
ALIYUN = "alicloud:ecs/instance:Instance"
TENCENT = "tencentcloud:Instance/instance:Instance"


def differ(token: str, old: dict[str, Any], new: dict[str, Any], **options: Any) -> Difference:
    state = options.pop("state", old)
    package = token.split(":")[0]
    return diff.diff(token, state, old, new, architecture=lambda name: offers_of(package).architecture(name), **options)


def verdict(found: Difference) -> str:
    if not found.changes:
        return "same"
    return "replace" if found.replaces else "update"


@pytest.mark.parametrize(
    ("token", "name", "old", "new", "expected"),
    [
        (AWS, "ami", "ami-1", "ami-2", "replace"),
        (AWS, "subnetId", "subnet-1", "subnet-2", "replace"),
        (AWS, "keyName", "a", "b", "replace"),
        (AWS, "instanceType", "g4dn.xlarge", "g4dn.2xlarge", "update"),
        (AWS, "instanceType", "g4dn.xlarge", "g5g.xlarge", "replace"),
        (AWS, "userData", "a", "b", "update"),
        (AWS, "tags", {"a": "b"}, {"a": "c"}, "update"),
        (AWS, "vpcSecurityGroupIds", ["sg-1"], ["sg-2"], "update"),
        (ALIYUN, "imageId", "a", "b", "update"),
        (ALIYUN, "userData", "a", "b", "update"),
        (ALIYUN, "instanceType", "ecs.gn6i-c4g1.xlarge", "ecs.gn6i-c8g1.2xlarge", "update"),
        (ALIYUN, "availabilityZone", "a", "b", "replace"),
        (ALIYUN, "keyName", "a", "b", "update"),
        (ALIYUN, "systemDiskEncrypted", False, True, "replace"),
        (TENCENT, "imageId", "a", "b", "update"),
        (TENCENT, "keyIds", ["a"], ["b"], "update"),
        (TENCENT, "userDataRaw", "a", "b", "update"),
        (TENCENT, "availabilityZone", "a", "b", "replace"),
        ("aws:ec2/vpc:Vpc", "cidrBlock", "10.0.0.0/16", "10.1.0.0/16", "replace"),
        ("alicloud:vpc/network:Network", "cidrBlock", "10.0.0.0/16", "10.1.0.0/16", "update"),
        ("tencentcloud:Vpc/instance:Instance", "cidrBlock", "10.0.0.0/16", "10.1.0.0/16", "replace"),
        ("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule", "cidrIpv4", "10.0.0.0/8", "11.0.0.0/8", "update"),
        ("alicloud:ecs/securityGroupRule:SecurityGroupRule", "cidrIp", "10.0.0.0/8", "11.0.0.0/8", "replace"),
        ("command:remote:Command", "create", "a", "b", "update"),
        ("command:remote:Command", "triggers", ["a"], ["b"], "replace"),
        ("random:index/randomPassword:RandomPassword", "length", 20, 21, "replace"),
        ("random:index/randomPassword:RandomPassword", "keepers", {"a": "1"}, {"a": "2"}, "replace"),
        ("tls:index/privateKey:PrivateKey", "algorithm", "RSA", "ED25519", "replace"),
    ],
)
def test_what_a_change_does(token: str, name: str, old: Any, new: Any, expected: str) -> None:
    found = differ(token, {name: old}, {name: new})
    assert verdict(found) == expected
    assert found.changed == [name]


@pytest.mark.parametrize(("token", "name"), [(AWS, "userData"), (TENCENT, "userDataRaw"), (TENCENT, "userData")])
def test_user_data_replaces_where_the_program_asks_for_it(token: str, name: str) -> None:
    found = differ(token, {name: "a", "userDataReplaceOnChange": True}, {name: "b", "userDataReplaceOnChange": True})
    assert found.replaces == [name]


def test_an_aliyun_image_replaces_where_the_provider_is_told_so() -> None:
    features = {"ecsInstance": {"replaceOnImageUpdate": True}}
    assert differ(ALIYUN, {"imageId": "a"}, {"imageId": "b"}, features=features).replaces == ["imageId"]


def test_an_unknown_aliyun_image_does_not_replace() -> None:
    features = {"ecsInstance": {"replaceOnImageUpdate": True}}
    assert verdict(differ(ALIYUN, {"imageId": "a"}, {"imageId": UNKNOWN}, features=features)) == "update"


def test_the_same_inputs_change_nothing_whatever_the_spelling_of_numbers_and_secrets() -> None:
    old = {"rootBlockDevice": {"volumeSize": 40}, "userData": "x", "__defaults": ["a"]}
    new = {"rootBlockDevice": {"volumeSize": 40.0}, "userData": secret("x"), "__defaults": []}
    assert verdict(differ(AWS, old, new)) == "same"


def test_an_unknown_value_of_a_replacing_input_previews_as_replace() -> None:
    assert differ(AWS, {"subnetId": "subnet-1"}, {"subnetId": UNKNOWN}).replaces == ["subnetId"]


def test_sets_ignore_order_and_lists_do_not() -> None:
    old, new = ["sg-1", "sg-2"], ["sg-2", "sg-1"]
    assert verdict(differ(AWS, {"vpcSecurityGroupIds": old}, {"vpcSecurityGroupIds": new})) == "same"
    assert verdict(differ(TENCENT, {"orderlySecurityGroups": old}, {"orderlySecurityGroups": new})) == "update"


def test_dropping_an_input_that_the_cloud_computes_changes_nothing() -> None:
    assert verdict(differ(AWS, {"availabilityZone": "us-east-1a"}, {})) == "same"


def test_naming_what_the_cloud_computed_already_changes_nothing() -> None:
    state = {"availabilityZone": "us-east-1a"}
    assert verdict(differ(AWS, {}, {"availabilityZone": "us-east-1a"}, state=state)) == "same"
    assert verdict(differ(AWS, {}, {"availabilityZone": "us-east-1b"}, state=state)) == "replace"


def test_a_nested_input_is_named_by_its_path_and_replaces_by_its_own_rule() -> None:
    old = {"rootBlockDevice": {"volumeSize": 40, "encrypted": False}}
    grown = differ(AWS, old, {"rootBlockDevice": {"volumeSize": 80, "encrypted": False}})
    assert (set(grown.changes), verdict(grown)) == ({"rootBlockDevice.volumeSize"}, "update")
    encrypted = differ(AWS, old, {"rootBlockDevice": {"volumeSize": 40, "encrypted": True}})
    assert (set(encrypted.changes), encrypted.replaces) == ({"rootBlockDevice.encrypted"}, ["rootBlockDevice"])


def test_one_more_data_disk_replaces_an_aliyun_instance() -> None:
    disks = [{"size": 100, "category": "cloud_essd"}]
    assert differ(ALIYUN, {"dataDisks": disks}, {"dataDisks": disks * 2}).replaces == ["dataDisks"]


def test_a_tencent_data_disk_grows_in_place_and_one_more_replaces() -> None:
    disk = {"dataDiskType": "CLOUD_BSSD", "dataDiskSize": 100}
    grown = {"dataDiskType": "CLOUD_BSSD", "dataDiskSize": 200}
    assert verdict(differ(TENCENT, {"dataDisks": [disk]}, {"dataDisks": [grown]})) == "update"
    assert differ(TENCENT, {"dataDisks": [disk]}, {"dataDisks": [disk, grown]}).replaces == ["dataDisks"]


def test_another_kind_of_source_replaces_a_security_group_rule() -> None:
    token = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
    found = differ(token, {"cidrIpv4": "10.0.0.0/8"}, {"referencedSecurityGroupId": "sg-1"})
    assert verdict(found) == "replace"


def test_a_disabled_option_that_was_absent_changes_nothing() -> None:
    assert verdict(differ(AWS, {}, {"userDataReplaceOnChange": False})) == "same"


@pytest.mark.parametrize("ignore", ["userData", "rootBlockDevice", "rootBlockDevice.volumeSize"])
def test_ignored_changes_are_ignored(ignore: str) -> None:
    old = {"userData": "a", "rootBlockDevice": {"volumeSize": 40}}
    new = {"userData": "b", "rootBlockDevice": {"volumeSize": 80}}
    found = differ(AWS, old, new, ignore=[ignore])
    assert set(found.changes) == {"userData", "rootBlockDevice.volumeSize"} - (
        {"userData"} if ignore == "userData" else {"rootBlockDevice.volumeSize"}
    )


def test_a_replaced_resource_with_a_name_of_its_own_is_deleted_first() -> None:
    token = "aws:ec2/securityGroup:SecurityGroup"
    named = differ(token, {"name": "n", "vpcId": "a"}, {"name": "n", "vpcId": "b"})
    automatic = differ(token, {"name": "n-1", "vpcId": "a"}, {"name": "n-1", "vpcId": "b", "__defaults": ["name"]})
    assert (named.delete_before_replace, automatic.delete_before_replace) == (True, False)


def test_an_aws_resource_is_replaced_when_its_region_changes() -> None:
    state = {"cidrBlock": "10.0.0.0/16", "region": "us-east-1"}
    given = {"cidrBlock": "10.0.0.0/16"}
    assert differ("aws:ec2/vpc:Vpc", given, given, state=state, region="eu-west-1").replaces == ["region"]
    assert verdict(differ("aws:ec2/vpc:Vpc", given, given, state=state, region="us-east-1")) == "same"


def test_a_certificate_replaces_itself_when_it_is_due(make_cloud: Any) -> None:
    simulator = make_cloud("tls").simulator
    token = "tls:index/selfSignedCert:SelfSignedCert"
    given = {"validityPeriodHours": 10, "earlyRenewalHours": 5, "allowedUses": ["server_auth"]}
    due = {**given, "validityEndTime": "2020-01-01T00:00:00Z"}
    later = {**given, "validityEndTime": "2999-01-01T00:00:00Z"}
    assert simulator.diff(token, due, given, given).replaces == ["readyForRenewal"]
    assert simulator.diff(token, later, given, given).changes == {}


RULE = "alicloud:ecs/securityGroupRule:SecurityGroupRule"


@pytest.mark.parametrize(
    ("token", "name", "old", "new", "beside", "expected"),
    [
        (ALIYUN, "period", 1, 2, {}, "same"),
        (ALIYUN, "period", 1, 2, {"instanceChargeType": "PrePaid"}, "update"),
        (ALIYUN, "spotPriceLimit", 1, 2, {"instanceChargeType": "PrePaid"}, "same"),
        (ALIYUN, "systemDiskPerformanceLevel", "PL0", "PL1", {"systemDiskCategory": "cloud_efficiency"}, "same"),
        (ALIYUN, "systemDiskPerformanceLevel", "PL0", "PL1", {"systemDiskCategory": "cloud_essd"}, "update"),
        (ALIYUN, "internetMaxBandwidthIn", 5, 10, {}, "same"),
        (ALIYUN, "internetMaxBandwidthIn", 5, 10, {"internetMaxBandwidthOut": 5}, "update"),
        (RULE, "portRange", "1/1", "-1/-1", {"ipProtocol": "tcp"}, "same"),
        (RULE, "portRange", "1/1", "2/2", {"ipProtocol": "tcp"}, "replace"),
        ("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule", "ipProtocol", "6", "tcp", {}, "same"),
        ("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule", "ipProtocol", "6", "udp", {}, "update"),
    ],
)
def test_a_difference_that_the_provider_overlooks_is_none_where_it_overlooks_it(
    token: str, name: str, old: Any, new: Any, beside: dict[str, Any], expected: str
) -> None:
    assert verdict(differ(token, {name: old, **beside}, {name: new, **beside})) == expected
