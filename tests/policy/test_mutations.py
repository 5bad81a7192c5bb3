"""Each safe choice of an adapter, undone in the program, breaks the rule that asks for it, and no other."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from pulumi_llm import clouds
from pulumi_llm._review import policy
from tests.clouds.harness import SELL_SPOT
from tests.policy.samples import adapter_plan, codes

WORLD, WORLD_6 = "0.0.0.0/0", "::/0"
USER_DATA = "#cloud-config\n"


def packed(text: str) -> str:
    """User data as Azure wants it."""
    return base64.b64encode(text.encode()).decode()


UNDONE: dict[str, dict[str, list[tuple[str, str, Any]]]] = {
    "policy.open-to-world": {
        "azure": [
            ("SecurityRuleArgs", "source_address_prefix", WORLD),
            ("SecurityRuleArgs", "source_address_prefix", "*"),
            ("SecurityRuleArgs", "source_address_prefix", "Internet"),
        ],
        "aws": [
            ("vpc.SecurityGroupIngressRule", "cidr_ipv4", WORLD),
            ("vpc.SecurityGroupIngressRule", "cidr_ipv4", "::/0"),
        ],
        "aliyun": [
            ("ecs.SecurityGroupRule", "cidr_ip", WORLD),
        ],
        "digitalocean": [
            ("FirewallInboundRuleArgs", "source_addresses", [WORLD]),
            ("FirewallInboundRuleArgs", "source_addresses", [WORLD_6]),
        ],
        "gcp": [
            ("compute.Firewall", "source_ranges", [WORLD]),
            ("compute.Firewall", "source_ranges", [WORLD_6]),
        ],
        "tencent": [
            ("GroupRuleSetIngressArgs", "cidr_block", WORLD),
            ("GroupRuleSetIngressArgs", "action", "ACCEPT"),
        ],
        "volcengine": [
            ("vpc.SecurityGroupRule", "cidr_ip", WORLD),
            ("vpc.SecurityGroupRule", "direction", "ingress"),
        ],
        "vultr": [("vultr.FirewallRule", "subnet_size", 0), ("vultr.FirewallRule", "subnet_size", 1)],
    },
    "policy.no-firewall": {
        "azure": [("NetworkInterface", "network_security_group", None)],
        "aws": [("ec2.Instance", "vpc_security_group_ids", [])],
        "aliyun": [("ecs.Instance", "security_groups", [])],
        "digitalocean": [
            ("digitalocean.Droplet", "tags", ["team:search"]),
            ("digitalocean.Firewall", "tags", ["another"]),
        ],
        "gcp": [("compute.Instance", "tags", ["another"]), ("compute.Firewall", "target_tags", ["another"])],
        "tencent": [("instance.Instance", "orderly_security_groups", [])],
        "volcengine": [("ecs.Instance", "security_group_ids", [])],
        "vultr": [("vultr.Instance", "firewall_group_id", None)],
    },
    "policy.disk-not-encrypted": {
        "aws": [("InstanceRootBlockDeviceArgs", "encrypted", False), ("ebs.Volume", "encrypted", False)],
        "aliyun": [("ecs.Instance", "system_disk_encrypted", False), ("ecs.EcsDisk", "encrypted", False)],
        "tencent": [("cbs.Storage", "encrypt", False)],
    },
    "policy.metadata-without-token": {
        "aws": [("InstanceMetadataOptionsArgs", "http_tokens", "optional")],
        "aliyun": [("ecs.Instance", "http_tokens", "optional")],
    },
    "policy.shutdown-destroys": {
        "aws": [("ec2.Instance", "instance_initiated_shutdown_behavior", "terminate")],
    },
    "policy.disk-dies-with-machine": {
        "azure": [("DataDiskArgs", "delete_option", "Delete")],
        "aliyun": [
            ("ecs.EcsDisk", "delete_with_instance", True),
            ("ecs.EcsDiskAttachment", "delete_with_instance", True),
        ],
        "volcengine": [
            ("ebs.Volume", "delete_with_instance", True),
            ("ebs.VolumeAttach", "delete_with_instance", True),
        ],
    },
    "policy.plain-secret": {
        "azure": [("OSProfileArgs", "custom_data", packed(f"{USER_DATA}# hf_{'x' * 34}\n"))],
        "aws": [("ec2.Instance", "user_data", f"{USER_DATA}# hf_{'x' * 34}\n")],
        "aliyun": [("ecs.Instance", "user_data", f"{USER_DATA}# sk-{'x' * 40}\n")],
        "digitalocean": [("digitalocean.Droplet", "user_data", f"{USER_DATA}# hf_{'x' * 34}\n")],
        "gcp": [("compute.Instance", "metadata", {"user-data": f"{USER_DATA}# hf_{'x' * 34}\n"})],
        "tencent": [("instance.Instance", "user_data_raw", f"{USER_DATA}# AKID{'x' * 32}\n")],
        "volcengine": [("ecs.Instance", "user_data", f"{USER_DATA}# sk-{'x' * 40}\n")],
        "vultr": [("vultr.Instance", "user_data", f"{USER_DATA}# hf_{'x' * 34}\n")],
    },
    "policy.password-login": {
        "azure": [
            ("OSProfileArgs", "custom_data", packed(f"{USER_DATA}ssh_pwauth: true\n")),
            ("LinuxConfigurationArgs", "disable_password_authentication", False),
        ],
        "aws": [("ec2.Instance", "user_data", f"{USER_DATA}ssh_pwauth: true\n")],
        "aliyun": [("ecs.Instance", "user_data", f"{USER_DATA}ssh_pwauth: true\n")],
        "digitalocean": [("digitalocean.Droplet", "user_data", f"{USER_DATA}ssh_pwauth: true\n")],
        "gcp": [("compute.Instance", "metadata", {"user-data": f"{USER_DATA}ssh_pwauth: true\n"})],
        "tencent": [("instance.Instance", "user_data_raw", f"{USER_DATA}ssh_pwauth: yes\n")],
        "volcengine": [("ecs.Instance", "user_data", f"{USER_DATA}ssh_pwauth: true\n")],
        "vultr": [("vultr.Instance", "user_data", f"{USER_DATA}ssh_pwauth: true\n")],
    },
    "policy.image-not-pinned": {
        "aws": [("ec2.Instance", "ami", "resolve:ssm:/aws/service/canonical/ubuntu/server/24.04/stable/current")],
        "aliyun": [("ecs.Instance", "image_id", "ubuntu_24_04_x64")],
        "digitalocean": [("digitalocean.Droplet", "image", "ubuntu-24-04-x64")],
        "gcp": [("InstanceBootDiskInitializeParamsArgs", "image", "projects/a/global/images/family/ubuntu-2404-lts")],
        "tencent": [("instance.Instance", "image_id", "Ubuntu Server 24.04 LTS 64bit")],
        "volcengine": [("ecs.Instance", "image_id", "Ubuntu 24.04 64 bit")],
        "vultr": [("vultr.Instance", "os_id", "Ubuntu 24.04 LTS x64")],
    },
    "policy.missing-tag": {
        "azure": [("compute.Disk", "tags", None), ("compute.VirtualMachine", "tags", None)],
        "aws": [("ebs.Volume", "tags", None)],
        "aliyun": [("ecs.EcsDisk", "tags", None)],
        "digitalocean": [("digitalocean.Volume", "tags", None)],
        "gcp": [("compute.Disk", "labels", None), ("compute.Instance", "labels", None)],
        "tencent": [("cbs.Storage", "tags", None)],
        "volcengine": [("ebs.Volume", "tags", None)],
        "vultr": [("vultr.Instance", "tags", None)],
    },
    "policy.region-not-allowed": {
        "azure": [("VirtualMachine", "location", "westeurope"), ("PublicIPAddress", "location", "westeurope")],
        "aws": [("aws.Provider", "region", "us-east-1")],
        "aliyun": [("alicloud.Provider", "region", "cn-beijing")],
        "digitalocean": [("digitalocean.Droplet", "region", "nyc3"), ("digitalocean.ReservedIp", "region", "nyc3")],
        "gcp": [("gcp.Provider", "region", "europe-west1"), ("compute.Address", "region", "europe-west1")],
        "tencent": [("tencentcloud.Provider", "region", "ap-beijing")],
        "volcengine": [("volcengine.Provider", "region", "cn-shanghai")],
        "vultr": [("vultr.Instance", "region", "lhr"), ("vultr.ReservedIp", "region", "lhr")],
    },
    "policy.over-budget": {
        "aws": [("ec2.Instance", "instance_type", "p4d.24xlarge")],
        "aliyun": [("ecs.Instance", "instance_type", "ecs.gn7e-c16g1.16xlarge")],
        "gcp": [("compute.Instance", "machine_type", "a2-highgpu-8g")],
        "tencent": [("instance.Instance", "instance_type", "GN10Xp.20XLARGE320")],
    },
}
"""By rule and cloud: what the adapter says differently (the end of the class, the argument, the value)."""

NOTHING_TO_UNDO = {
    (
        "policy.image-not-pinned",
        "azure",
    ): "the newest version is found when a machine is made, and stays that machine's",
    ("policy.disk-not-encrypted", "azure"): "all managed disks are encrypted at rest, and nothing turns that off",
    ("policy.metadata-without-token", "azure"): "there is no token mode, which is told as policy.cannot-be-had",
    ("policy.shutdown-destroys", "azure"): "shutting down inside the machine always stops it",
    ("policy.over-budget", "azure"): "the dearest size that the catalogue has costs 224 USD a month",
    ("policy.metadata-without-token", "tencent"): "there is no token mode, which is told as policy.cannot-be-had",
    ("policy.shutdown-destroys", "aliyun"): "shutting down inside the machine always stops it",
    ("policy.shutdown-destroys", "tencent"): "shutting down inside the machine always stops it",
    ("policy.disk-dies-with-machine", "aws"): "a Volume of its own cannot go with the machine; lists are in test_rules",
    ("policy.disk-not-encrypted", "digitalocean"): "volumes always are, and droplets' own disks never: cannot-be-had",
    ("policy.metadata-without-token", "digitalocean"): "there is no token mode, which is told as policy.cannot-be-had",
    ("policy.shutdown-destroys", "digitalocean"): "shutting down inside the machine always stops it",
    ("policy.disk-dies-with-machine", "digitalocean"): "a Volume cannot go with the machine, as on AWS",
    ("policy.over-budget", "digitalocean"): "the dearest size that the catalogue has costs 104 USD a month",
    ("policy.disk-not-encrypted", "gcp"): "all disks are encrypted at rest, and nothing turns that off",
    ("policy.metadata-without-token", "gcp"): "there is no token mode, which is told as policy.cannot-be-had",
    ("policy.shutdown-destroys", "gcp"): "shutting down inside the machine always stops it",
    ("policy.disk-dies-with-machine", "gcp"): "a Disk of its own cannot go with the machine, as on AWS",
    ("policy.disk-not-encrypted", "volcengine"): "the SDK has no argument for any disk, which is told as cannot-be-had",
    ("policy.metadata-without-token", "volcengine"): "the SDK has no argument for it, which is told as cannot-be-had",
    ("policy.shutdown-destroys", "volcengine"): "shutting down inside the machine always stops it",
    ("policy.disk-not-encrypted", "vultr"): "the SDK has no argument for any disk, which is told as cannot-be-had",
    ("policy.metadata-without-token", "vultr"): "there is no token mode, which is told as policy.cannot-be-had",
    ("policy.shutdown-destroys", "vultr"): "shutting down inside the machine always stops it",
    ("policy.disk-dies-with-machine", "vultr"): "block storage cannot go with the machine, as on AWS",
    ("policy.over-budget", "vultr"): "the dearest plan that the catalogue has costs 1,750 USD a month",
    ("policy.over-budget", "volcengine"): "the catalogue has no price of its machines",
    ("policy.disk-dies-with-machine", "tencent"): "a Storage of its own cannot go with the machine, as on AWS",
}
ELSEWHERE = {
    "policy.image-moves": "an option, not an argument: below",
    "policy.disk-not-protected": "an option, not an argument: below",
    "policy.budget-undecided": "of the catalogue, not of the program: test_rules",
    "policy.cannot-be-had": "what no program can say: test_rules",
    "policy.public-load-balancer": "the adapters make none: test_rules",
    "policy.public-storage": "the adapters make none: test_rules",
}

CASES = [(code, cloud, each) for code, by_cloud in UNDONE.items() for cloud, rows in by_cloud.items() for each in rows]

DEMANDS = policy.Settings.model_validate(
    {
        "allowed_regions": {
            "aliyun": ["cn-hangzhou"],
            "aws": ["us-west-2"],
            "azure": ["southeastasia"],
            "digitalocean": ["sgp1"],
            "gcp": ["us-west1"],
            "tencent": ["ap-guangzhou"],
            "volcengine": ["cn-beijing"],
            "vultr": ["ewr"],
        },
        "required_tags": ["team"],
        "budget": {"per_month": 20_000},
        "exceptions": [{"rule": "policy.budget-undecided", "reason": "some disks have no known price"}],
    }
)


@pytest.mark.parametrize(
    ("cloud", "spot"),
    [(name, spot) for name in clouds.names() for spot in (False, True) if not spot or name in SELL_SPOT],
)
def test_what_an_adapter_makes_breaks_no_rule(cloud: str, spot: bool) -> None:
    assert codes(adapter_plan(cloud, spot=spot), DEMANDS) == set()


@pytest.mark.parametrize(
    ("code", "cloud", "undone"),
    CASES,
    ids=[f"{code}-{cloud}-{row[1]}-{str(row[2])[:12]}" for code, cloud, row in CASES],
)
def test_undoing_a_safe_choice_breaks_its_rule_and_no_other(
    code: str, cloud: str, undone: tuple[str, str, Any]
) -> None:
    assert codes(adapter_plan(cloud, undone), DEMANDS) == {code}


@pytest.mark.parametrize("cloud", [each for each in clouds.names() if each != "azure"])  # nothing is looked up
def test_a_machine_that_follows_its_image_is_told(cloud: str) -> None:
    assert codes(adapter_plan(cloud, renew=True), DEMANDS) == {"policy.image-moves"}


def test_each_rule_is_undone_on_each_cloud_or_there_is_a_reason_why_not() -> None:
    wanted = {(code, cloud) for code in policy.CODES.keys() - ELSEWHERE.keys() for cloud in clouds.names()}
    done = {(code, cloud) for code, cloud, _ in CASES}
    assert done | NOTHING_TO_UNDO.keys() == wanted
    assert not done & NOTHING_TO_UNDO.keys()


def test_there_is_a_function_behind_each_code_and_no_other() -> None:
    assert policy.RULES.keys() == policy.CODES.keys()
    assert all((rule.__doc__ or "").strip() for rule in policy.RULES.values())
