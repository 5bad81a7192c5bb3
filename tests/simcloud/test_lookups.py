from __future__ import annotations

from typing import Any

import pytest

from pulumi_llm._simcloud.rules.base import CloudError
from pulumi_llm.clouds.aws.simulated import images as aws_images
from pulumi_llm.clouds.tencent.simulated import images as tencent_images

from .conftest import Cloud, cloud

AMI = "aws:ec2/getAmi:getAmi"
PARAMETER = "aws:ssm/getParameter:getParameter"
UBUNTU = "/aws/service/canonical/ubuntu/server/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id"
DRIVER = "/aws/service/deeplearning/ami/x86_64/base-oss-nvidia-driver-gpu-ubuntu-24.04/latest/ami-id"
ZONES = "aws:index/getAvailabilityZones:getAvailabilityZones"
OFFERINGS = "aws:ec2/getInstanceTypeOfferings:getInstanceTypeOfferings"
IMAGES = "alicloud:ecs/getImages:getImages"
TENCENT_IMAGES = "tencentcloud:Images/getInstance:getInstance"
TYPES = "tencentcloud:Instance/getTypes:getTypes"


def test_the_vendors_parameters_name_an_image_of_the_region(aws: Cloud) -> None:
    here = aws.ask(PARAMETER, name=UBUNTU)["value"]
    there = cloud("aws", region="eu-west-1").ask(PARAMETER, name=UBUNTU)["value"]
    found = aws_images.of_ami(here, "us-east-1")
    assert found is not None
    assert "ubuntu-noble-24.04-amd64" in found.name
    assert here != there
    assert aws_images.of_ami(here, "eu-west-1") is None
    assert aws.ask(PARAMETER, name=DRIVER)["value"] != here


def test_a_parameter_that_is_not_there_fails_in_the_providers_words(aws: Cloud) -> None:
    with pytest.raises(CloudError, match=r"reading SSM Parameter \(/none\): couldn't find resource"):
        aws.ask(PARAMETER, name="/none")


def test_images_are_the_same_every_time_until_a_newer_one_appears(aws: Cloud) -> None:
    first = aws.ask(PARAMETER, name=UBUNTU)["value"]
    assert aws.ask(PARAMETER, name=UBUNTU)["value"] == first
    newer = cloud("aws", faults="image-date:20270101").ask(PARAMETER, name=UBUNTU)["value"]
    assert newer != first
    found = aws_images.of_ami(newer, "us-east-1")
    assert found is not None
    assert found.date == "20270101"


def test_image_filters_really_filter(aws: Cloud) -> None:
    noble = {"name": "name", "values": ["ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-*"]}
    arm = {"name": "architecture", "values": ["arm64"]}
    found = aws.ask(AMI, owners=["099720109477"], filters=[noble, arm], mostRecent=True)
    assert (found["architecture"], found["ownerId"]) == ("arm64", "099720109477")
    assert found["imageId"] == found["id"]
    assert found["filters"] == [noble, arm]


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ({"owners": ["000000000000"], "mostRecent": True}, "Your query returned no results"),
        ({"owners": ["099720109477"]}, "Your query returned more than one result"),
        ({"mostRecent": True}, "Most Recent Image Not Filtered"),
        (
            {"owners": ["amazon"], "filters": [{"name": "nam", "values": ["x"]}]},
            "The filter 'nam' is invalid; did you mean name",
        ),
    ],
)
def test_an_image_query_that_cannot_be_answered_fails_in_the_providers_words(
    aws: Cloud, args: dict[str, Any], words: str
) -> None:
    with pytest.raises(CloudError, match=words):
        aws.ask(AMI, **args)


def test_zones_are_those_of_the_region_without_the_excluded_ones(aws: Cloud) -> None:
    found = aws.ask(ZONES, state="available", excludeNames=["us-east-1b"])
    assert found["names"][:2] == ["us-east-1a", "us-east-1c"]
    assert found["zoneIds"][0] == "use1-az1"
    assert aws.ask(ZONES, region="ap-southeast-1")["names"][0] == "ap-southeast-1a"


def test_offerings_name_the_zones_of_a_type(aws: Cloud) -> None:
    by_type = {"name": "instance-type", "values": ["g4dn.xlarge"]}
    found = aws.ask(OFFERINGS, locationType="availability-zone", filters=[by_type])
    assert set(found["instanceTypes"]) == {"g4dn.xlarge"}
    assert "us-east-1a" in found["locations"]
    assert "us-east-1e" not in found["locations"]
    assert len(found["locations"]) == len(found["instanceTypes"]) == len(found["locationTypes"])
    none = {"name": "instance-type", "values": ["zz.large"]}
    assert aws.ask(OFFERINGS, filters=[none])["instanceTypes"] == []


def test_a_type_tells_its_processors_memory_and_gpus(aws: Cloud) -> None:
    found = aws.ask("aws:ec2/getInstanceType:getInstanceType", instanceType="g4dn.xlarge")
    assert (found["defaultVcpus"], found["memorySize"], found["supportedArchitectures"]) == (4, 16384, ["x86_64"])
    assert found["gpuses"] == [{"count": 1, "manufacturer": "NVIDIA", "name": "T4", "memorySize": 16384}]
    with pytest.raises(CloudError, match="couldn't find resource"):
        aws.ask("aws:ec2/getInstanceType:getInstanceType", instanceType="zz.large")


def test_region_and_account_are_known(aws: Cloud) -> None:
    assert aws.ask("aws:index/getRegion:getRegion")["region"] == "us-east-1"
    assert aws.ask("aws:index/getCallerIdentity:getCallerIdentity")["accountId"] == "123456789012"


def test_a_network_that_was_made_can_be_looked_up(aws: Cloud) -> None:
    vpc = aws.make("aws:ec2/vpc:Vpc", cidrBlock="10.0.0.0/16", tags={"Name": "mine"})
    subnet = aws.make("aws:ec2/subnet:Subnet", vpcId=vpc.id, cidrBlock="10.0.1.0/24")
    assert aws.ask("aws:ec2/getVpc:getVpc", tags={"Name": "mine"})["id"] == vpc.id
    by_vpc = {"name": "vpc-id", "values": [vpc.id]}
    assert aws.ask("aws:ec2/getSubnets:getSubnets", filters=[by_vpc])["ids"] == [subnet.id]
    assert aws.ask("aws:ec2/getSubnet:getSubnet", id=subnet.id)["cidrBlock"] == "10.0.1.0/24"
    with pytest.raises(CloudError, match="no matching EC2 VPC found"):
        aws.ask("aws:ec2/getVpc:getVpc", tags={"Name": "yours"})


def test_a_policy_document_is_json_of_its_statements(aws: Cloud) -> None:
    import json

    statement = {
        "actions": ["sts:AssumeRole"],
        "principals": [{"type": "Service", "identifiers": ["ec2.amazonaws.com"]}],
        "conditions": [{"test": "StringEquals", "variable": "aws:x", "values": ["y"]}],
    }
    found = aws.ask("aws:iam/getPolicyDocument:getPolicyDocument", statements=[statement])
    assert json.loads(found["json"])["Statement"] == [
        {
            "Effect": "Allow",
            "Action": "sts:AssumeRole",
            "Principal": {"Service": "ec2.amazonaws.com"},
            "Condition": {"StringEquals": {"aws:x": "y"}},
        }
    ]


def test_aliyun_images_are_filtered_and_dated(alicloud: Cloud) -> None:
    found = alicloud.ask(IMAGES, owners="system", nameRegex="^ubuntu_24_04_x64", mostRecent=True)
    assert found["ids"] == ["ubuntu_24_04_x64_20G_alibase_20260916.vhd"]
    arm = alicloud.ask(IMAGES, owners="system", nameRegex="^ubuntu_24_04", architecture="arm64")
    assert [each["architecture"] for each in arm["images"]] == ["arm64"]
    assert alicloud.ask(IMAGES, owners="self", nameRegex="^ubuntu")["images"] == []
    with pytest.raises(CloudError, match="must be specified"):
        alicloud.ask(IMAGES)


def test_aliyun_zones_are_those_that_sell_a_type(alicloud: Cloud) -> None:
    kind = "ecs.gn6i-c4g1.xlarge"
    everywhere = alicloud.ask("alicloud:index/getZones:getZones", availableInstanceType=kind)["ids"]
    assert everywhere
    dry = cloud("alicloud", faults=f"no-stock:{everywhere[0]}")
    assert dry.ask("alicloud:index/getZones:getZones", availableInstanceType=kind)["ids"] == everywhere[1:]
    assert alicloud.ask("alicloud:index/getZones:getZones", availableInstanceType="ecs.zz.large")["ids"] == []


def test_aliyun_types_leave_out_what_is_sold_out(alicloud: Cloud) -> None:
    token, kind = "alicloud:ecs/getInstanceTypes:getInstanceTypes", "ecs.gn6i-c4g1.xlarge"
    found = alicloud.ask(token, instanceType=kind)
    assert [(each["id"], each["cpuCoreCount"]) for each in found["instanceTypes"]] == [(kind, 4)]
    assert cloud("alicloud", faults=f"no-stock:{kind}").ask(token, instanceType=kind)["ids"] == []
    gpus = alicloud.ask(token, gpuAmount=1, sortedBy="CPU")["instanceTypes"]
    assert [each["cpuCoreCount"] for each in gpus] == sorted(each["cpuCoreCount"] for each in gpus)


def test_aliyun_regions_and_account_are_known(alicloud: Cloud) -> None:
    assert alicloud.ask("alicloud:index/getRegions:getRegions", current=True)["ids"] == ["cn-shanghai"]
    assert alicloud.ask("alicloud:index/getAccount:getAccount")["id"] == "1234567890123456"


def test_tencent_images_are_filtered_and_a_newer_one_has_another_id(tencentcloud: Cloud) -> None:
    args: dict[str, Any] = {"imageTypes": ["PUBLIC_IMAGE"], "imageNameRegex": r"^Ubuntu Server 24\.04.*64"}
    assert [each["imageId"] for each in tencentcloud.ask(TENCENT_IMAGES, **args)["images"]] == ["img-mmytdhbn"]
    newer = cloud("tencentcloud", faults="image-date:20270101").ask(TENCENT_IMAGES, **args)["images"][0]["imageId"]
    assert newer != "img-mmytdhbn"
    for each in (newer, "img-mmytdhbn"):
        assert tencent_images.of_id(each) is not None
    assert tencentcloud.ask(TENCENT_IMAGES, imageTypes=["PRIVATE_IMAGE"])["images"] == []
    with pytest.raises(CloudError, match="conflicts with image_name_regex"):
        tencentcloud.ask(TENCENT_IMAGES, imageNameRegex="x", osName="y")


def test_tencent_types_say_what_is_sold_out(tencentcloud: Cloud) -> None:
    by_type = [{"name": "instance-type", "values": ["GN7.2XLARGE32"]}]
    found = tencentcloud.ask(TYPES, filters=by_type)["instanceTypes"]
    assert {each["status"] for each in found} == {"SELL"}
    dry = cloud("tencentcloud", faults=f"no-stock:{found[0]['availabilityZone']}")
    marked = dry.ask(TYPES, filters=by_type)["instanceTypes"]
    assert marked[0]["status"] == "SOLD_OUT"
    assert len(dry.ask(TYPES, filters=by_type, excludeSoldOut=True)["instanceTypes"]) == len(found) - 1
    with pytest.raises(CloudError, match="conflicts with filter"):
        tencentcloud.ask(TYPES, filters=by_type, availabilityZone="ap-guangzhou-3")


def test_tencent_zones_and_regions_are_known(tencentcloud: Cloud) -> None:
    token = "tencentcloud:Availability/getZonesByProduct:getZonesByProduct"
    assert tencentcloud.ask(token, product="cvm", name="ap-guangzhou-3")["zones"][0]["state"] == "AVAILABLE"
    regions = tencentcloud.ask("tencentcloud:Availability/getRegions:getRegions", name="default")["regions"]
    assert [each["name"] for each in regions] == ["ap-guangzhou"]


@pytest.mark.parametrize("package", ["aws", "alicloud", "tencentcloud", "random"])
def test_a_look_up_that_is_not_simulated_fails_clearly(package: str) -> None:
    with pytest.raises(CloudError, match=f"the simulated {package} cloud does not answer the look-up"):
        cloud(package).ask(f"{package}:ec2/getNothing:getNothing")
