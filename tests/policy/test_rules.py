"""What each rule says of plain resources of foreign programs, on all three clouds."""

from __future__ import annotations

import base64
import gzip
import json
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulumi_llm._plan.model import UNKNOWN, LookUp, Plan, PlannedResource
from pulumi_llm._review import policy
from pulumi_llm._review.policy_network import WIDEST_PREFIX_6
from pulumi_llm.spec.fields import WIDEST_PREFIX
from tests.policy.samples import codes, plan_of, provider, resource, secret

AWS, ALIYUN, TENCENT = (
    "aws:ec2/instance:Instance",
    "alicloud:ecs/instance:Instance",
    "tencentcloud:Instance/instance:Instance",
)
GROUP = "aws:ec2/securityGroup:SecurityGroup"
RULE = "alicloud:ecs/securityGroupRule:SecurityGroupRule"
RULE_SET = "tencentcloud:Security/groupRuleSet:GroupRuleSet"
LIGHTHOUSE = "tencentcloud:Lighthouse/firewallRule:FirewallRule"
AZURE_RULE = "azure-native:network:SecurityRule"


def tcp(cidr: str, port: int = 8000, key: str = "cidrBlocks") -> dict[str, Any]:
    return {"protocol": "tcp", "fromPort": port, "toPort": port, key: [cidr]}


def azure_rule(**more: Any) -> dict[str, Any]:
    return {"access": "Allow", "direction": "Inbound", "protocol": "Tcp", "destinationPortRange": "22", **more}


OPEN: list[tuple[str, dict[str, Any]]] = [
    (GROUP, {"ingress": [tcp("0.0.0.0/0")]}),
    (GROUP, {"ingress": [tcp("203.0.113.0/24"), tcp("::/0", key="ipv6CidrBlocks")]}),
    (GROUP, {"ingress": [tcp("0.0.0.0/1"), tcp("128.0.0.0/1")]}),
    (GROUP, {"ingress": [{"protocol": "-1", "fromPort": 0, "toPort": 0, "cidrBlocks": ["0.0.0.0/0"]}]}),
    ("aws:ec2/defaultSecurityGroup:DefaultSecurityGroup", {"ingress": [tcp("0.0.0.0/0")]}),
    ("aws:ec2/securityGroupRule:SecurityGroupRule", {"type": "ingress", **tcp("0.0.0.0/0")}),
    ("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule", {"ipProtocol": "tcp", "cidrIpv4": "0.0.0.0/0"}),
    ("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule", {"ipProtocol": "tcp", "cidrIpv6": "::/0"}),
    ("aws:ec2/managedPrefixList:ManagedPrefixList", {"entries": [{"cidr": "10.0.0.0/8"}, {"cidr": "0.0.0.0/0"}]}),
    ("aws:ec2/managedPrefixListEntry:ManagedPrefixListEntry", {"cidr": "0.0.0.0/0"}),
    (RULE, {"type": "ingress", "ipProtocol": "tcp", "portRange": "22/22", "cidrIp": "0.0.0.0/0"}),
    (RULE, {"type": "ingress", "ipProtocol": "all", "policy": "accept", "ipv6CidrIp": "::/0"}),
    ("alicloud:ecs/ecsPrefixList:EcsPrefixList", {"entries": [{"cidr": "::/0"}]}),
    ("alicloud:simpleapplicationserver/firewallRule:FirewallRule", {"port": "8000", "ruleProtocol": "Tcp"}),
    (RULE_SET, {"ingresses": [{"action": "ACCEPT", "protocol": "TCP", "port": "22", "cidrBlock": "0.0.0.0/0"}]}),
    (RULE_SET, {"ingresses": [{"action": "ACCEPT", "protocol": "ALL", "port": "ALL", "ipv6CidrBlock": "::/0"}]}),
    (
        RULE_SET,
        {  # what is dropped before is IPv4 only
            "ingresses": [
                {"action": "DROP", "protocol": "ALL", "port": "ALL", "cidrBlock": "0.0.0.0/0"},
                {"action": "ACCEPT", "protocol": "TCP", "port": "22", "ipv6CidrBlock": "::/0"},
            ]
        },
    ),
    ("tencentcloud:Security/groupRule:GroupRule", {"type": "ingress", "policy": "ACCEPT", "cidrIp": "0.0.0.0/0"}),
    (LIGHTHOUSE, {"firewallRules": [{"protocol": "TCP", "port": "8000"}]}),
    (
        "tencentcloud:Lighthouse/firewallTemplate:FirewallTemplate",
        {"templateRules": [{"protocol": "TCP", "port": "80"}]},
    ),
    ("tencentcloud:Address/template:Template", {"addresses": ["203.0.113.7", "0.0.0.0/0"]}),
    *((AZURE_RULE, azure_rule(sourceAddressPrefix=each)) for each in ("*", "Internet", "0.0.0.0/0", "::/0")),
    (AZURE_RULE, azure_rule(sourceAddressPrefixes=["203.0.113.0/24", "0.0.0.0/0"])),
    (AZURE_RULE, azure_rule(sourceAddressPrefix="*", protocol="*", destinationPortRange="*")),
    ("azure-native:network:NetworkSecurityGroup", {"securityRules": [azure_rule(sourceAddressPrefix="*")]}),
]

CLOSED: list[tuple[str, dict[str, Any]]] = [
    (GROUP, {"ingress": [tcp("203.0.113.0/24"), tcp("10.0.0.0/8")], "egress": [tcp("0.0.0.0/0")]}),
    (GROUP, {"ingress": [{"protocol": "icmp", "fromPort": 8, "toPort": 0, "cidrBlocks": ["0.0.0.0/0"]}]}),
    (GROUP, {}),
    ("aws:ec2/defaultSecurityGroup:DefaultSecurityGroup", {"ingress": []}),
    ("aws:ec2/securityGroupRule:SecurityGroupRule", {"type": "egress", **tcp("0.0.0.0/0")}),
    ("aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule", {"ipProtocol": "-1", "cidrIpv4": "0.0.0.0/0"}),
    ("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule", {"referencedSecurityGroupId": "sg-1"}),
    ("aws:ec2/route:Route", {"destinationCidrBlock": "0.0.0.0/0"}),
    (RULE, {"type": "egress", "cidrIp": "0.0.0.0/0"}),
    (RULE, {"type": "ingress", "policy": "drop", "cidrIp": "0.0.0.0/0"}),
    (RULE, {"type": "ingress", "sourceSecurityGroupId": "sg-1", "portRange": "22/22"}),
    (
        RULE_SET,
        {  # the first rule that fits wins
            "ingresses": [
                {"action": "DROP", "protocol": "ALL", "port": "ALL", "cidrBlock": "0.0.0.0/0"},
                {"action": "ACCEPT", "protocol": "TCP", "port": "22", "cidrBlock": "0.0.0.0/0"},
            ],
            "egresses": [{"action": "ACCEPT", "protocol": "ALL", "port": "ALL", "cidrBlock": "0.0.0.0/0"}],
        },
    ),
    (LIGHTHOUSE, {"firewallRules": [{"protocol": "TCP", "port": "8000", "cidrBlock": "203.0.113.7"}]}),
    (LIGHTHOUSE, {"firewallRules": [{"protocol": "TCP", "port": "8000", "action": "DROP"}]}),
    (AZURE_RULE, azure_rule(sourceAddressPrefix="203.0.113.0/24")),
    (AZURE_RULE, azure_rule(sourceAddressPrefix="VirtualNetwork")),
    (AZURE_RULE, azure_rule(sourceAddressPrefix="*", access="Deny")),
    (AZURE_RULE, azure_rule(sourceAddressPrefix="*", direction="Outbound")),
    (AZURE_RULE, azure_rule(sourceAddressPrefix="*", protocol="Icmp")),
]


def ids(cases: list[tuple[str, Any]]) -> list[str]:
    return [f"{type_.rsplit(':', 1)[-1]}-{index}" for index, (type_, *_) in enumerate(cases)]


@pytest.mark.parametrize(("type_", "inputs"), OPEN, ids=ids(OPEN))
def test_what_is_open_to_the_world_is_told(type_: str, inputs: dict[str, Any]) -> None:
    assert codes(plan_of(resource(type_, inputs))) == {"policy.open-to-world"}


@pytest.mark.parametrize(("type_", "inputs"), CLOSED, ids=ids(CLOSED))
def test_what_is_closed_is_not(type_: str, inputs: dict[str, Any]) -> None:
    assert codes(plan_of(resource(type_, inputs))) == set()


@given(st.ip_addresses(), st.integers(0, 128))
def test_a_range_is_the_world_by_its_width_alone(address: Any, prefix: int) -> None:
    width = min(prefix, address.max_prefixlen)
    key = "cidrBlocks" if address.version == 4 else "ipv6CidrBlocks"
    widest = WIDEST_PREFIX if address.version == 4 else WIDEST_PREFIX_6
    plan = plan_of(resource(GROUP, {"ingress": [tcp(f"{address}/{width}", key=key)]}))
    assert bool(codes(plan)) == (width < widest)


def test_a_range_that_only_up_knows_is_told_as_not_decided() -> None:
    (found,) = policy.check(plan_of(resource(GROUP, {"ingress": [tcp(UNKNOWN, 22)]})))
    assert (found.severity, found.where) == ("info", "it.ingress[0].cidrBlocks[0]")
    assert "port 22" in found.message


def test_the_message_names_port_range_and_place() -> None:
    (found,) = policy.check(plan_of(resource(GROUP, {"ingress": [tcp("10.0.0.0/8"), tcp("0.0.0.0/0", 8000)]})))
    assert found.where == "it.ingress[1].cidrBlocks[0]"
    assert found.message == "port 8000 is open to the whole internet (0.0.0.0/0)"


GOOD_AWS = {
    "ami": "ami-0123456789abcdef0",
    "rootBlockDevice": {"encrypted": True},
    "metadataOptions": {"httpTokens": "required"},
    "vpcSecurityGroupIds": ["sg-1"],
}
GOOD_ALIYUN = {
    "imageId": "ubuntu_24_04_x64_20G_alibase_20260916.vhd",
    "systemDiskEncrypted": True,
    "httpTokens": "required",
    "securityGroups": ["sg-1"],
}
GOOD_TENCENT = {"imageId": "img-mmytdhbn", "orderlySecurityGroups": ["sg-1"]}
GOOD = {AWS: GOOD_AWS, ALIYUN: GOOD_ALIYUN, TENCENT: GOOD_TENCENT}

BAD_MACHINES: list[tuple[str, str, dict[str, Any]]] = [
    ("policy.disk-not-encrypted", AWS, {"rootBlockDevice": None}),
    ("policy.disk-not-encrypted", AWS, {"ebsBlockDevices": [{"deviceName": "/dev/sdf", "deleteOnTermination": False}]}),
    ("policy.disk-not-encrypted", ALIYUN, {"systemDiskEncrypted": None}),
    ("policy.disk-not-encrypted", ALIYUN, {"dataDisks": [{"size": 100, "deleteWithInstance": False}]}),
    ("policy.disk-not-encrypted", TENCENT, {"dataDisks": [{"dataDiskSize": 100, "deleteWithInstance": False}]}),
    ("policy.disk-dies-with-machine", AWS, {"ebsBlockDevices": [{"deviceName": "/dev/sdf", "encrypted": True}]}),
    ("policy.disk-dies-with-machine", ALIYUN, {"dataDisks": [{"size": 100, "encrypted": True}]}),
    ("policy.disk-dies-with-machine", TENCENT, {"dataDisks": [{"dataDiskSize": 100, "encrypt": True}]}),
    ("policy.metadata-without-token", AWS, {"metadataOptions": None}),
    ("policy.metadata-without-token", ALIYUN, {"httpTokens": None}),
    ("policy.shutdown-destroys", AWS, {"instanceInitiatedShutdownBehavior": "terminate"}),
    ("policy.password-login", ALIYUN, {"password": secret("Hidden-1")}),
    ("policy.password-login", TENCENT, {"password": secret(UNKNOWN)}),
    ("policy.password-login", AWS, {"userDataBase64": base64.b64encode(b"#cloud-config\nssh_pwauth: true\n").decode()}),
    ("policy.no-firewall", AWS, {"vpcSecurityGroupIds": None, "associatePublicIpAddress": True, "subnetId": "s"}),
    ("policy.no-firewall", AWS, {"vpcSecurityGroupIds": []}),  # the default subnets give public addresses
    ("policy.no-firewall", ALIYUN, {"securityGroups": [], "internetMaxBandwidthOut": 10}),
    ("policy.no-firewall", TENCENT, {"orderlySecurityGroups": None, "allocatePublicIp": True}),
    ("policy.image-not-pinned", AWS, {"ami": "resolve:ssm:/aws/service/canonical"}),
    ("policy.image-not-pinned", TENCENT, {"imageId": "Ubuntu"}),
    ("policy.image-not-pinned", ALIYUN, {"userData": "#!/bin/sh\ndocker run -d --gpus all vllm/vllm-openai:latest\n"}),
]


@pytest.mark.parametrize("type_", GOOD, ids=["aws", "aliyun", "tencent"])
def test_a_careful_machine_breaks_no_rule(type_: str) -> None:
    assert codes(plan_of(resource(type_, GOOD[type_]))) == set()


@pytest.mark.parametrize(
    ("code", "type_", "changed"), BAD_MACHINES, ids=[f"{row[0]}-{i}" for i, row in enumerate(BAD_MACHINES)]
)
def test_a_machine_with_one_fault_breaks_that_rule_alone(code: str, type_: str, changed: dict[str, Any]) -> None:
    inputs = {key: value for key, value in {**GOOD[type_], **changed}.items() if value is not None}
    assert codes(plan_of(resource(type_, inputs))) == {code}


OTHERS: list[tuple[str, str, dict[str, Any]]] = [
    ("policy.disk-not-encrypted", "aws:ebs/volume:Volume", {"size": 100}),
    ("policy.disk-not-encrypted", "alicloud:ecs/ecsDisk:EcsDisk", {"size": 100}),
    ("policy.disk-not-encrypted", "alicloud:ecs/disk:Disk", {"encrypted": False}),
    ("policy.disk-not-encrypted", "tencentcloud:Cbs/storage:Storage", {"storageSize": 100}),
    (
        "policy.disk-not-encrypted",
        "aws:ec2/launchTemplate:LaunchTemplate",
        {"metadataOptions": {"httpTokens": "required"}, "blockDeviceMappings": [{"ebs": {"encrypted": "false"}}]},
    ),
    ("policy.metadata-without-token", "aws:ec2/launchTemplate:LaunchTemplate", {"imageId": "ami-1"}),
    ("policy.disk-dies-with-machine", "alicloud:ecs/ecsDisk:EcsDisk", {"encrypted": True, "deleteWithInstance": True}),
    ("policy.public-load-balancer", "alicloud:nlb/loadBalancer:LoadBalancer", {"addressType": "Internet"}),
    ("policy.public-load-balancer", "alicloud:alb/loadBalancer:LoadBalancer", {"addressType": "Internet"}),
    (
        "policy.public-load-balancer",
        "alicloud:slb/applicationLoadBalancer:ApplicationLoadBalancer",
        {"addressType": "internet"},
    ),
    ("policy.public-load-balancer", "aws:lb/loadBalancer:LoadBalancer", {"loadBalancerType": "network"}),
    ("policy.public-load-balancer", "tencentcloud:Clb/instance:Instance", {"networkType": "OPEN"}),
    ("policy.public-storage", "aws:s3/bucketAcl:BucketAcl", {"acl": "public-read"}),
    (
        "policy.public-storage",
        "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
        {"restrictPublicBuckets": True},
    ),
    ("policy.public-storage", "alicloud:oss/bucketAcl:BucketAcl", {"acl": "public-read"}),
    ("policy.public-storage", "alicloud:oss/bucket:Bucket", {"acl": "public-read-write"}),
    ("policy.public-storage", "tencentcloud:Cos/bucket:Bucket", {"acl": "public-read"}),
]


@pytest.mark.parametrize(("code", "type_", "inputs"), OTHERS, ids=[f"{row[0]}-{i}" for i, row in enumerate(OTHERS)])
def test_other_resources_have_their_rules(code: str, type_: str, inputs: dict[str, Any]) -> None:
    assert codes(plan_of(resource(type_, inputs, protect=True))) == {code}


def test_a_load_balancer_behind_a_security_group_is_let_off() -> None:
    inputs = {"networkType": "OPEN", "securityGroups": ["sg-1"]}
    assert codes(plan_of(resource("tencentcloud:Clb/instance:Instance", inputs))) == set()


def test_what_a_launch_template_may_say_is_not_demanded_of_the_machine() -> None:
    inputs = {"launchTemplate": {"id": "lt-1"}}
    assert codes(plan_of(resource(AWS, inputs))) == set()
    assert codes(plan_of(resource(AWS, {**inputs, "rootBlockDevice": {"encrypted": False}}))) == {
        "policy.disk-not-encrypted"
    }


def test_metadata_that_is_switched_off_needs_no_token() -> None:
    inputs = {**GOOD_AWS, "metadataOptions": {"httpEndpoint": "disabled"}}
    assert codes(plan_of(resource(AWS, inputs))) == set()


def test_an_encryption_that_only_up_knows_is_told_as_not_decided() -> None:
    (found,) = policy.check(plan_of(resource("aws:ebs/volume:Volume", {"encrypted": UNKNOWN}, protect=True)))
    assert (found.code, found.severity) == ("policy.disk-not-encrypted", "info")


def test_what_tencent_cannot_do_is_told_and_never_stops_anything() -> None:
    found = policy.check(plan_of(resource(TENCENT, GOOD_TENCENT)))
    assert [(each.code, each.severity) for each in found] == [("policy.cannot-be-had", "info")] * 2
    assert {"system disk", "metadata service"} <= {
        word for each in found for word in ("system disk", "metadata service") if word in each.message
    }


@pytest.mark.parametrize(
    "type_", ["aws:ebs/volume:Volume", "alicloud:ecs/ecsDisk:EcsDisk", "tencentcloud:Cbs/storage:Storage"]
)
def test_a_data_disk_that_nothing_protects_is_told(type_: str) -> None:
    inputs = {"encrypted": True, "encrypt": True}
    assert codes(plan_of(resource(type_, inputs))) == {"policy.disk-not-protected"}
    assert codes(plan_of(resource(type_, inputs, protect=True))) == set()


def test_an_attached_public_address_needs_a_firewall_too() -> None:
    machine = resource(TENCENT, {**GOOD_TENCENT, "orderlySecurityGroups": []}, name="machine")
    address = resource("tencentcloud:Eip/instance:Instance", {}, name="address")
    attached = resource(
        "tencentcloud:Eip/association:Association", {}, name="a", dependencies=(machine.urn, address.urn)
    )
    assert codes(plan_of(machine, address)) == set()
    assert codes(plan_of(machine, address, attached)) == {"policy.no-firewall"}


LOOK_UPS = {
    AWS: LookUp("aws:ssm/getParameter:getParameter", {"name": "/aws/service/canonical/…/ami-id"}),
    ALIYUN: LookUp("alicloud:ecs/getImages:getImages", {}),
    TENCENT: LookUp("tencentcloud:Images/getInstance:getInstance", {}),
}


@pytest.mark.parametrize("type_", GOOD, ids=["aws", "aliyun", "tencent"])
def test_a_looked_up_image_has_to_be_ignored_later(type_: str) -> None:
    image = "ami" if type_ == AWS else "imageId"
    plan = plan_of(resource(type_, GOOD[type_]))
    assert codes(plan) == set()
    plan.look_ups.append(LOOK_UPS[type_])
    assert codes(plan) == {"policy.image-moves"}
    plan.resources = [resource(type_, GOOD[type_], ignore_changes=(image,))]
    assert codes(plan) == set()


def test_a_looked_up_parameter_that_is_no_image_moves_nothing() -> None:
    plan = plan_of(resource(AWS, GOOD_AWS))
    plan.look_ups.append(LookUp("aws:ssm/getParameter:getParameter", {"name": "/team/port"}))
    assert codes(plan) == set()


# Tags, regions, money.

TAGS = policy.Settings(required_tags=("team", "environment"))
DISK = {"encrypted": True, "size": 100, "type": "gp3"}


def disk(inputs: dict[str, Any], **options: Any) -> PlannedResource:
    return resource("aws:ebs/volume:Volume", {**DISK, **inputs}, protect=True, **options)


def test_what_costs_money_carries_the_required_tags() -> None:
    (found,) = policy.check(plan_of(disk({"tags": {"team": "search"}})), TAGS)
    assert found.code == "policy.missing-tag"
    assert "environment" in found.message
    assert codes(plan_of(disk({"tags": {"team": "a", "environment": "b"}})), TAGS) == set()
    assert codes(plan_of(disk({"tags": {"team": "a", "environment": ""}})), TAGS) == {"policy.missing-tag"}


@pytest.mark.parametrize("form", [dict, json.dumps], ids=["as an object", "as the engine sends it"])
def test_a_providers_default_tags_count(form: Any) -> None:
    tags = form({"tags": {"team": "search", "environment": "test"}})
    made_by = provider("aws", "us-west-2", defaultTags=tags)
    assert codes(plan_of(made_by, disk({}, provider=f"{made_by.urn}::id")), TAGS) == set()


@pytest.mark.parametrize(
    ("cloud", "region", "other", "type_"),
    [
        ("aws", "us-west-2", "us-east-1", "aws:ec2/vpc:Vpc"),
        ("aliyun", "cn-hangzhou", "cn-beijing", "alicloud:vpc/network:Network"),
        ("tencent", "ap-guangzhou", "ap-tokyo", "tencentcloud:Vpc/instance:Instance"),
    ],
)
def test_everything_is_in_an_allowed_region(cloud: str, region: str, other: str, type_: str) -> None:
    made_by = provider(type_.split(":")[0], region)
    plan = plan_of(made_by, resource(type_, provider=f"{made_by.urn}::id"))
    assert codes(plan, policy.Settings.model_validate({"allowed_regions": {cloud: [region, other]}})) == set()
    assert codes(plan, policy.Settings.model_validate({"allowed_regions": {cloud: [other]}})) == {
        "policy.region-not-allowed"
    }
    elsewhere = "aws" if cloud != "aws" else "aliyun"
    assert codes(plan, policy.Settings.model_validate({"allowed_regions": {elsewhere: [region]}})) == {
        "policy.region-not-allowed"
    }


@pytest.mark.parametrize("written", ["eastus", "East US", "EastUS"])
def test_azures_regions_are_the_same_however_they_are_written(written: str) -> None:
    group = resource("azure-native:resources:ResourceGroup", {"location": written})
    for allowed in ("eastus", "East US"):
        assert (
            policy.check(plan_of(group), policy.Settings.model_validate({"allowed_regions": {"azure": [allowed]}}))
            == []
        )
    (far,) = policy.check(plan_of(group), policy.Settings.model_validate({"allowed_regions": {"azure": ["East US 2"]}}))
    assert (far.code, far.hint) == ("policy.region-not-allowed", "allowed: eastus2")
    assert "azure eastus is none of the allowed regions" in far.message


def test_another_clouds_regions_are_as_it_writes_them() -> None:
    made_by = provider("aws", "US-West-2")
    plan = plan_of(made_by, resource("aws:ec2/vpc:Vpc", provider=f"{made_by.urn}::id"))
    settings = policy.Settings.model_validate({"allowed_regions": {"aws": ["us-west-2"]}})
    assert codes(plan, settings) == {"policy.region-not-allowed"}


def test_a_rule_of_its_own_on_azure_has_no_region_and_names_its_port() -> None:
    settings = policy.Settings.model_validate({"allowed_regions": {"azure": ["eastus"]}, "required_tags": ["team"]})
    (found,) = policy.check(plan_of(resource(AZURE_RULE, azure_rule(sourceAddressPrefix="*"))), settings)
    assert (found.code, found.where) == ("policy.open-to-world", "it.sourceAddressPrefix")
    assert found.message == "port 22 is open to the whole internet (0.0.0.0/0)"
    every = resource(AZURE_RULE, azure_rule(sourceAddressPrefix="*", destinationPortRange="*"))
    assert policy.check(plan_of(every), settings)[0].message == "every port is open to the whole internet (0.0.0.0/0)"


def test_a_region_can_come_from_the_stacks_configuration() -> None:
    plan = plan_of(resource("aws:ec2/vpc:Vpc"))
    settings = policy.Settings.model_validate({"allowed_regions": {"aws": ["us-west-2"]}})
    (undecided,) = policy.check(plan, settings)
    assert undecided.severity == "info"
    assert policy.check(plan, settings, default_regions={"aws": "us-west-2"}) == []
    assert [each.code for each in policy.check(plan, settings, default_regions={"aws": "us-east-1"})] == [
        "policy.region-not-allowed"
    ]


def test_a_budget_is_held_to_what_is_known_and_unknown_prices_are_told() -> None:
    made_by = provider("aws", "us-west-2")
    machine = resource(AWS, {**GOOD_AWS, "instanceType": "g4dn.xlarge", "subnetId": "s"}, provider=f"{made_by.urn}::id")
    plan = plan_of(made_by, machine)

    def with_budget(amount: float, **more: Any) -> set[str]:
        return codes(plan, policy.Settings.model_validate({"budget": {"per_month": amount, "currency": "USD", **more}}))

    assert with_budget(100) == {"policy.over-budget"}
    assert with_budget(100, running_hours=10) == {"policy.budget-undecided"}  # the system disk's size is not said
    assert with_budget(5000) == {"policy.budget-undecided"}


# Secrets.

FORMS = {
    "a private key": "-----BEGIN OPENSSH PRIVATE KEY-----",
    "an AWS access key": "AKIA" + "Q" * 16,
    "an Aliyun access key": "LTAI" + "5t" * 10,
    "a Tencent Cloud secret id": "AKID" + "z8" * 16,
    "a Google API key": "AIza" + "S" * 35,
    "a Hugging Face token": "hf_" + "x" * 34,
    "a GitHub token": "ghp_" + "a" * 36,
    "a GitLab token": "glpat-" + "a" * 20,
    "a Pulumi token": "pul-" + "0a" * 20,
    "an API key": "sk-proj-" + "a" * 24,
}


@pytest.mark.parametrize("planted", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("place", ["command", "user data", "base64", "gzip", "tag", "provider", "output", "nested"])
def test_a_planted_secret_is_found_and_never_shown(planted: str, place: str) -> None:
    script = f"#!/bin/sh\nset -eu\nrun --with {planted}\n"
    packed = base64.b64encode(gzip.compress(script.encode())).decode()
    outputs: dict[str, Any] = {}
    made = {
        "command": resource("command:remote:Command", {"create": script}),
        "user data": resource(ALIYUN, {**GOOD_ALIYUN, "userData": script}),
        "base64": resource(TENCENT, {**GOOD_TENCENT, "userData": base64.b64encode(script.encode()).decode()}),
        "gzip": resource(AWS, {**GOOD_AWS, "userDataBase64": packed}),
        "tag": resource("aws:ec2/vpc:Vpc", {"tags": {"note": planted}}),
        "provider": resource("pulumi:providers:aws", {"region": "us-west-2", "profile": planted}),
        "nested": resource("command:local:Command", {"environment": {"list": [{"deep": planted}]}}),
    }
    if place == "output":
        outputs["note"] = planted
    found = policy.check(Plan("shop", "dev", [made[place]] if place in made else [], outputs))
    assert {each.code for each in found if each.severity == "error"} == {"policy.plain-secret"}
    assert not any(planted[4:] in f"{each}" for each in found)


@pytest.mark.parametrize(
    "name", ["password", "dbPassword", "OPENAI_API_KEY", "secretKey", "auth_token", "secretString", "hubToken"]
)
def test_what_is_a_secret_by_its_name_has_to_be_marked(name: str) -> None:
    def command(value: Any) -> set[str]:
        return codes(plan_of(resource("command:local:Command", {"environment": {name: value}})))

    assert command("horse-staple") == {"policy.plain-secret"}
    assert command(secret("horse-staple")) == set()
    assert command(UNKNOWN) == set()


@pytest.mark.parametrize(
    "name", ["httpTokens", "tokens_per_minute", "keyName", "clientToken", "publicKey", "secretName"]
)
def test_a_name_that_only_sounds_like_a_secret_is_none(name: str) -> None:
    assert codes(plan_of(resource("command:local:Command", {"environment": {name: "required-by-all"}}))) == set()


@pytest.mark.parametrize("type_", GOOD, ids=["aws", "aliyun", "tencent"])
def test_no_secret_may_be_in_user_data_even_when_it_is_marked(type_: str) -> None:
    inputs = {**GOOD[type_], "userData": secret(UNKNOWN)}
    assert codes(plan_of(resource(type_, inputs))) == {"policy.plain-secret"}


@pytest.mark.parametrize(
    ("line", "is_one"),
    [
        ("export HF_TOKEN_PATH=/run/secrets/hub", False),
        ("WEAVIATE_API_KEY=horse-staple-battery", True),
        ("  api_key: horse-staple-battery", True),
        ('"auth_token": "horse-staple"', True),
        ("API_KEY=$(cat /run/key)", False),
        ("password: ${FROM_FILE}", False),
        ("ssh_pwauth: false", False),
        ("lock_passwd: true", False),
        ("# password: horse-staple in a comment", False),
        ("secret: <set over SSH>", False),
        ("passwd:\n  from_file_of_hashes: /run/x", False),
    ],
)
def test_an_assignment_in_user_data_is_told_by_its_line(line: str, is_one: bool) -> None:
    text = f"#cloud-config\nruncmd:\n{line}\n"
    found = policy.check(plan_of(resource(AWS, {**GOOD_AWS, "userData": text})))
    assert [each.code for each in found] == ["policy.plain-secret"] * is_one
    assert all("line 3" in each.message and "horse" not in str(each) for each in found)


def test_a_long_line_of_user_data_is_read_in_no_time() -> None:
    text = "#cloud-config\n" + "a.-" * 10_000 + "password" * 100
    assert codes(plan_of(resource(AWS, {**GOOD_AWS, "userData": text}))) == set()


def test_outputs_that_are_secrets_have_to_be_marked() -> None:
    assert codes(plan_of(api_keys={"default": secret(UNKNOWN)}, endpoint="https://…/v1")) == set()
    assert codes(plan_of(api_keys={"default": UNKNOWN})) == {"policy.plain-secret"}
    assert codes(plan_of(admin_password="horse-staple")) == {"policy.plain-secret"}


def test_a_plan_that_was_masked_when_it_was_written_counts_as_marked() -> None:
    made = resource("command:local:Command", {"environment": {"password": "[secret]"}})
    assert codes(plan_of(made, api_keys="[secret]")) == set()


def test_foreign_types_and_odd_inputs_break_nothing() -> None:
    odd: list[dict[str, Any]] = [
        {"ingress": None},
        {"ingress": "x"},
        {"ingress": [None, 7, "x"]},
        {"ingress": UNKNOWN},
        {"ingress": secret([])},
        {"dataDisks": {"a": 1}},
        {"rootBlockDevice": []},
        {"ami": 7},
        {"tags": [1]},
        {"userData": "=" * 9},
        {"cidrIp": ["x"]},
    ]
    types = [
        GROUP,
        RULE,
        RULE_SET,
        LIGHTHOUSE,
        AWS,
        ALIYUN,
        TENCENT,
        "gcp:compute/instance:Instance",
        "aws:ebs/volume:Volume",
    ]
    for type_ in types:
        for inputs in odd:
            policy.check(plan_of(resource(type_, inputs)), TAGS, today=date(2026, 11, 25))


DROPLET, FIREWALL = "digitalocean:index/droplet:Droplet", "digitalocean:index/firewall:Firewall"
OUT = {"outboundRules": [{"protocol": "icmp", "destinationAddresses": ["0.0.0.0/0"]}]}


def test_a_firewall_that_names_its_machines_is_looked_for_from_the_other_side() -> None:
    droplet = resource(DROPLET, {"image": "7", "tags": ["Web"]}, name="web")
    for wall in ({"tags": ["Web"]}, {"tags": ["other"]}, {}):
        plan = plan_of(droplet, resource(FIREWALL, {**wall, **OUT}, name="wall"))
        assert ("policy.no-firewall" in codes(plan)) is (wall != {"tags": ["Web"]}), wall
    by_id = resource(FIREWALL, {"dropletIds": [UNKNOWN], **OUT}, name="wall", dependencies=(droplet.urn,))
    assert "policy.no-firewall" not in codes(plan_of(droplet, by_id))
    without = resource(DROPLET, {"image": "7", "publicNetworking": False}, name="inside")
    assert "policy.no-firewall" not in codes(plan_of(without))


def test_a_droplets_rule_is_open_to_the_world_by_each_of_its_ranges() -> None:
    def opened(*ranges: str) -> bool:
        rule = {"protocol": "tcp", "portRange": "22", "sourceAddresses": list(ranges)}
        return "policy.open-to-world" in codes(plan_of(resource(FIREWALL, {"inboundRules": [rule]})))

    assert opened("203.0.113.0/24", "0.0.0.0/0")
    assert opened("::/0")
    assert not opened("203.0.113.0/24")
    closed = {"protocol": "tcp", "portRange": "22", "sourceAddresses": ["0.0.0.0/0"], "action": "deny"}
    assert "policy.open-to-world" not in codes(plan_of(resource(FIREWALL, {"inboundRules": [closed]})))


def test_what_has_no_region_and_takes_no_tags_is_asked_for_neither() -> None:
    settings = policy.Settings.model_validate(
        {"required_tags": ["team"], "allowed_regions": {"digitalocean": ["sgp1"]}}
    )
    everywhere = resource("digitalocean:index/sshKey:SshKey", {"publicKey": "ssh-rsa AAAA"})
    address = resource("digitalocean:index/reservedIp:ReservedIp", {"region": "sgp1"}, name="address")
    assert codes(plan_of(everywhere, address), settings) == set()
    far = resource("digitalocean:index/reservedIp:ReservedIp", {"region": "nyc3"}, name="far")
    volume = resource("digitalocean:index/volume:Volume", {"region": "sgp1", "size": 10, "tags": ["team"]}, name="disk")
    assert codes(plan_of(far), settings) == {"policy.region-not-allowed"}
    assert "policy.missing-tag" in codes(plan_of(volume), settings)
