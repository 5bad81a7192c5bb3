"""The real engine brings a network, an instance and an address up, changes them and takes them down, on each cloud."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from .conftest import Project

pytestmark = pytest.mark.engine

Make = Callable[[str], Project]

AWS = """
import pulumi
import pulumi_aws as aws
import pulumi_random as random

config = pulumi.Config()
kind = config.get("type") or "g4dn.xlarge"
cloud = aws.Provider("cloud", region=config.get("region") or "us-east-1")
by_cloud = pulumi.ResourceOptions(provider=cloud)
image = aws.ssm.get_parameter_output(
    name="/aws/service/canonical/ubuntu/server/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id",
    opts=pulumi.InvokeOutputOptions(provider=cloud),
)
vpc = aws.ec2.Vpc("net", cidr_block="10.0.0.0/16", opts=by_cloud)
subnet = aws.ec2.Subnet(
    "part", vpc_id=vpc.id, cidr_block="10.0.1.0/24", availability_zone=vpc.region.apply(lambda r: r + "a"),
    opts=by_cloud,
)
gateway = aws.ec2.InternetGateway("door", vpc_id=vpc.id, opts=by_cloud)
group = aws.ec2.SecurityGroup("rules", vpc_id=vpc.id, opts=by_cloud)
ignored = [] if config.get_bool("follow") else ["ami"]
host = aws.ec2.Instance(
    "host", ami=image.value, instance_type=kind, subnet_id=subnet.id, vpc_security_group_ids=[group.id],
    user_data=config.get("data") or "#cloud-config\\n",
    opts=pulumi.ResourceOptions(provider=cloud, ignore_changes=ignored),
)
address = aws.ec2.Eip("address", domain="vpc", opts=pulumi.ResourceOptions(provider=cloud, depends_on=[gateway]))
bound = aws.ec2.EipAssociation(
    "bound", allocation_id=address.id, instance_id=host.id,
    opts=pulumi.ResourceOptions(provider=cloud, delete_before_replace=True),
)
word = random.RandomPassword("word", length=20)
pulumi.export("address", address.public_ip)
pulumi.export("host", host.id)
"""

ALIYUN = """
import pulumi
import pulumi_alicloud as ali

config = pulumi.Config()
kind = config.get("type") or "ecs.gn6i-c4g1.xlarge"
region = config.get("region") or "cn-shanghai"
features = ali.ProviderFeaturesArgs(
    ecs_instance=ali.ProviderFeaturesEcsInstanceArgs(replace_on_image_update=config.get_bool("replace") or False)
)
cloud = ali.Provider("cloud", region=region, features=features)
by_cloud = pulumi.ResourceOptions(provider=cloud)
zones = ali.get_zones_output(
    available_instance_type="ecs.gn6i-c4g1.xlarge", opts=pulumi.InvokeOutputOptions(provider=cloud)
)
zone = zones.apply(lambda found: found.ids[0])
image = ali.ecs.get_images_output(
    owners="system", name_regex="^ubuntu_24_04_x64", most_recent=True, opts=pulumi.InvokeOutputOptions(provider=cloud)
)
vpc = ali.vpc.Network("net", vpc_name="net", cidr_block="10.0.0.0/16", opts=by_cloud)
switch = ali.vpc.Switch("part", vpc_id=vpc.id, cidr_block="10.0.1.0/24", zone_id=zone, opts=by_cloud)
group = ali.ecs.SecurityGroup("rules", vpc_id=vpc.id, opts=by_cloud)
ignored = [] if config.get_bool("follow") else ["imageId"]
host = ali.ecs.Instance(
    "host", image_id=image.apply(lambda found: found.images[0].id), instance_type=kind, security_groups=[group.id],
    vswitch_id=switch.id, system_disk_category="cloud_essd", user_data=config.get("data") or "#cloud-config\\n",
    opts=pulumi.ResourceOptions(provider=cloud, ignore_changes=ignored),
)
address = ali.ecs.EipAddress("address", internet_charge_type="PayByTraffic", opts=by_cloud)
bound = ali.ecs.EipAssociation(
    "bound", allocation_id=address.id, instance_id=host.id,
    opts=pulumi.ResourceOptions(provider=cloud, delete_before_replace=True),
)
pulumi.export("address", address.ip_address)
pulumi.export("host", host.id)
"""

TENCENT = """
import pulumi
import tencentcloud_iac_pulumi as tc

config = pulumi.Config()
kind = config.get("type") or "GN7.2XLARGE32"
zone = "ap-guangzhou-3"
cloud = tc.Provider("cloud", region=config.get("region") or "ap-guangzhou")
by_cloud = pulumi.ResourceOptions(provider=cloud)
image = tc.images.get_instance_output(
    image_types=["PUBLIC_IMAGE"], image_name_regex=r"^Ubuntu Server 24\\.04.*64",
    opts=pulumi.InvokeOutputOptions(provider=cloud),
)
vpc = tc.vpc.Instance("net", cidr_block="10.0.0.0/16", opts=by_cloud)
subnet = tc.subnet.Instance("part", vpc_id=vpc.id, cidr_block="10.0.1.0/24", availability_zone=zone, opts=by_cloud)
group = tc.security.Group("rules", opts=by_cloud)
ignored = [] if config.get_bool("follow") else ["imageId"]
host = tc.instance.Instance(
    "host", availability_zone=zone, image_id=image.apply(lambda found: found.images[0].image_id), instance_type=kind,
    vpc_id=vpc.id, subnet_id=subnet.id, orderly_security_groups=[group.id],
    user_data_raw=config.get("data") or "#cloud-config\\n",
    opts=pulumi.ResourceOptions(provider=cloud, ignore_changes=ignored),
)
address = tc.eip.Instance("address", opts=by_cloud)
bound = tc.eip.Association(
    "bound", eip_id=address.id, instance_id=host.id,
    opts=pulumi.ResourceOptions(provider=cloud, delete_before_replace=True),
)
pulumi.export("address", address.public_ip)
pulumi.export("host", host.id)
"""

DIGITALOCEAN = """
import pulumi
import pulumi_digitalocean as do

config = pulumi.Config()
region = config.get("region") or "sgp1"
cloud = do.Provider("cloud")
by_cloud = pulumi.ResourceOptions(provider=cloud)
image = do.get_image_output(slug="ubuntu-24-04-x64", opts=pulumi.InvokeOutputOptions(provider=cloud))
vpc = do.Vpc("net", region=region, ip_range="10.0.1.0/24", opts=by_cloud)
mark = do.Tag("mark", name="behind-the-wall", opts=by_cloud)
rule = do.FirewallOutboundRuleArgs(protocol="tcp", port_range="1-65535", destination_addresses=["0.0.0.0/0"])
wall = do.Firewall("wall", tags=[mark.id], outbound_rules=[rule], opts=by_cloud)
ignored = [] if config.get_bool("follow") else ["image"]
host = do.Droplet(
    "host", region=region, image=image.id.apply(str), size=config.get("type") or "s-2vcpu-4gb", vpc_uuid=vpc.id,
    tags=[mark.id], user_data=config.get("data") or "#cloud-config\\n",
    opts=pulumi.ResourceOptions(provider=cloud, ignore_changes=ignored, depends_on=[wall]),
)
address = do.ReservedIp("address", region=region, opts=by_cloud)
bound = do.ReservedIpAssignment(
    "bound", ip_address=address.ip_address, droplet_id=host.id.apply(int),
    opts=pulumi.ResourceOptions(provider=cloud, delete_before_replace=True),
)
pulumi.export("address", address.ip_address)
pulumi.export("host", host.id)
"""

VOLCENGINE = """
import pulumi
import pulumi_volcengine as volc

config = pulumi.Config()
zone = "cn-beijing-a"
cloud = volc.Provider("cloud", region=config.get("region") or "cn-beijing")
by_cloud = pulumi.ResourceOptions(provider=cloud)
image = volc.ecs.get_images_output(name_regex=r"^Ubuntu 24\\.04 64", opts=pulumi.InvokeOutputOptions(provider=cloud))
vpc = volc.vpc.Vpc("net", cidr_block="10.0.0.0/16", opts=by_cloud)
subnet = volc.vpc.Subnet("part", vpc_id=vpc.id, cidr_block="10.0.1.0/24", zone_id=zone, opts=by_cloud)
group = volc.vpc.SecurityGroup("rules", vpc_id=vpc.id, opts=by_cloud)
ignored = [] if config.get_bool("follow") else ["imageId"]
host = volc.ecs.Instance(
    "host", image_id=image.apply(lambda found: found.images[0].image_id), subnet_id=subnet.id, password="Chosen-1",
    instance_type=config.get("type") or "ecs.pni2.3xlarge", security_group_ids=[group.id],
    system_volume_type="ESSD_PL0", system_volume_size=40, user_data=config.get("data") or "#cloud-config\\n",
    opts=pulumi.ResourceOptions(provider=cloud, ignore_changes=ignored),
)
address = volc.eip.Address("address", billing_type="PostPaidByTraffic", opts=by_cloud)
bound = volc.eip.Associate(
    "bound", allocation_id=address.id, instance_id=host.id, instance_type="EcsInstance",
    opts=pulumi.ResourceOptions(provider=cloud, delete_before_replace=True),
)
pulumi.export("address", address.eip_address)
pulumi.export("host", host.id)
"""

PROGRAMS = {"aws": AWS, "aliyun": ALIYUN, "digitalocean": DIGITALOCEAN, "tencent": TENCENT, "volcengine": VOLCENGINE}
OTHER_TYPE = {
    "aws": "g4dn.2xlarge",
    "aliyun": "ecs.gn6i-c8g1.2xlarge",
    "digitalocean": "s-4vcpu-8gb",
    "tencent": "GN7.5XLARGE80",
    "volcengine": "ecs.pni2.7xlarge",
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_stack_comes_up_changes_and_goes_and_nothing_is_left(project: Make, name: str) -> None:
    stack = project(PROGRAMS[name])
    assert set(stack.preview().operations.values()) == {"create"}
    first = stack.up()
    assert first.code == 0, first.text
    before = stack.outputs()
    assert before["address"].startswith(("203.0.113.", "198.51.100.", "192.0.2."))

    assert stack.preview().operations == {}
    assert stack.up().operations == {}

    stack.configure(type=OTHER_TYPE[name])
    planned = stack.preview()
    done = stack.up()
    assert (planned.operations, done.code) == ({"host": "update"}, 0), done.text
    assert done.operations == planned.operations
    assert stack.outputs() == before

    gone = stack.destroy()
    assert gone.code == 0, gone.text
    assert stack.left_over() == []


def _after_a_newer_image(stack: Project) -> tuple[dict[str, str], dict[str, str], str]:
    assert stack.up().code == 0
    stack.faults = "image-date:20270101"
    assert stack.preview().operations == {}, "a newer image is ignored unless it is asked for"
    stack.configure(follow="true")
    planned, done = stack.preview(), stack.up()
    assert done.code == 0, done.text
    return planned.operations, done.operations, done.text


def test_a_newer_image_replaces_an_aws_instance_when_it_is_asked_for(project: Make) -> None:
    planned, done, _ = _after_a_newer_image(project(AWS))
    assert planned == done == {"host": "replace", "bound": "replace"}


def test_a_newer_image_replaces_a_droplet_when_it_is_asked_for(project: Make) -> None:
    planned, done, _ = _after_a_newer_image(project(DIGITALOCEAN))
    assert planned == done == {"host": "replace", "bound": "replace"}


def test_a_newer_image_rewrites_the_system_disk_of_an_aliyun_instance_in_place(project: Make) -> None:
    planned, done, _ = _after_a_newer_image(project(ALIYUN))
    assert planned == done == {"host": "update"}


def test_a_newer_image_replaces_an_aliyun_instance_where_the_provider_is_told_so(project: Make) -> None:
    stack = project(ALIYUN)
    stack.configure(replace="true")
    planned, done, _ = _after_a_newer_image(stack)
    assert planned == done == {"host": "replace", "bound": "replace"}


@pytest.mark.parametrize("name", ["tencent", "volcengine"])
def test_a_newer_image_reinstalls_an_instance_in_place_where_the_provider_does_so(project: Make, name: str) -> None:
    planned, done, _ = _after_a_newer_image(project(PROGRAMS[name]))
    assert planned == done == {"host": "update"}


def test_a_type_of_another_architecture_replaces_an_aws_instance_or_is_refused_with_the_old_image(
    project: Make,
) -> None:
    stack = project(AWS)
    assert stack.up().code == 0
    stack.configure(type="g5g.xlarge")
    assert stack.preview().operations["host"] == "replace"
    refused = stack.up()
    assert refused.code != 0
    assert "does not match the architecture" in refused.text


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("aws", "InsufficientInstanceCapacity: We currently do not have sufficient g4dn.xlarge capacity"),
        ("aliyun", "Code: OperationDenied.NoStock"),
        ("digitalocean", "The size s-2vcpu-4gb is not available in region sgp1"),
        ("tencent", "Code=ResourceInsufficient.SpecifiedInstanceType"),
        ("volcengine", "OperationDenied.NoStock: The specified instance type ecs.pni2.3xlarge is out of stock"),
    ],
)
def test_a_zone_without_stock_fails_in_the_clouds_words_and_a_second_up_finishes(
    project: Make, name: str, words: str
) -> None:
    stack = project(PROGRAMS[name])
    stack.faults = "no-stock:*"
    if name == "aliyun":  # the zone look-up leaves sold-out zones out, so let stock run out after it
        stack.faults = "no-stock:ecs.gn6i-c8g1.2xlarge"
        stack.configure(type="ecs.gn6i-c8g1.2xlarge")
    failed = stack.up()
    assert failed.code != 0
    assert words in failed.text
    stack.faults = ""
    again = stack.up()
    assert again.code == 0, again.text
    assert stack.destroy().code == 0
    assert stack.left_over() == []


def test_a_delete_that_fails_once_is_finished_by_a_second_destroy(project: Make) -> None:
    stack = project(AWS)
    assert stack.up().code == 0
    stack.faults = "fail-delete:instance:Instance:once"
    failed = stack.destroy()
    assert failed.code != 0
    assert "InternalError" in failed.text
    assert stack.destroy().code == 0
    assert stack.left_over() == []


def test_a_region_that_is_not_there_is_refused_at_preview(project: Make) -> None:
    stack = project(AWS)
    stack.configure(region="us-est-1")
    refused = stack.preview()
    assert refused.code != 0
    assert "invalid AWS Region: us-est-1 (did you mean" in refused.text
    assert "us-east-1" in refused.text


def test_wrong_inputs_are_refused_at_preview_all_at_once(project: Make) -> None:
    wrong = 'user_data="x" * 17000, root_block_device={"volume_type": "gp9"}'
    refused = project(AWS.replace('user_data=config.get("data") or "#cloud-config\\n"', wrong)).preview()
    assert refused.code != 0
    assert "expected volume_type to be one of" in refused.text
    assert "expected length of user_data to be in the range (0 - 16384)" in refused.text


def test_no_secret_reaches_the_file_of_the_simulated_clouds(project: Make) -> None:
    stack = project(AWS + 'pulumi.export("word", word.result)\n')
    assert stack.up().code == 0
    done = stack.run("stack", "output", "word", "--show-secrets", "-s", "dev")
    word = done.stdout.strip()
    assert len(word) == 20
    kept = b"".join(each.read_bytes() for each in stack.home.glob("clouds.sqlite*"))
    assert kept
    assert word.encode() not in kept
