"""What AWS refuses, in its words, and what it gives back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from pulumi_llm._simcloud.rules.base import CloudError

from .conftest import Cloud, Made, cloud

VPC, SUBNET, GATEWAY = "aws:ec2/vpc:Vpc", "aws:ec2/subnet:Subnet", "aws:ec2/internetGateway:InternetGateway"
TABLE, ROUTE = "aws:ec2/routeTable:RouteTable", "aws:ec2/route:Route"
GROUP, INGRESS = "aws:ec2/securityGroup:SecurityGroup", "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
KEY, INSTANCE = "aws:ec2/keyPair:KeyPair", "aws:ec2/instance:Instance"
EIP, BOUND = "aws:ec2/eip:Eip", "aws:ec2/eipAssociation:EipAssociation"
VOLUME, ATTACHED = "aws:ebs/volume:Volume", "aws:ec2/volumeAttachment:VolumeAttachment"
UBUNTU = "/aws/service/canonical/ubuntu/server/24.04/stable/current/{}/hvm/ebs-gp3/ami-id"
PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAOkh34CEAZvA5D7Pe7aXkWBULaVo+k001ObwesC6UCD me"


def ami(aws: Cloud, arch: str = "amd64") -> str:
    return str(aws.ask("aws:ssm/getParameter:getParameter", name=UBUNTU.format(arch))["value"])


@dataclass
class Net:
    aws: Cloud
    vpc: Made
    subnet: Made
    group: Made

    def host(self, name: str = "host", **more: Any) -> Made:
        return self.aws.make(INSTANCE, name, **self.host_inputs(**more))

    def host_inputs(self, **more: Any) -> dict[str, Any]:
        given = {"ami": ami(self.aws), "instanceType": "g4dn.xlarge", "subnetId": self.subnet.id}
        return {**given, "vpcSecurityGroupIds": [self.group.id], **more}


def network(aws: Cloud) -> Net:
    vpc = aws.make(VPC, "net", cidrBlock="10.0.0.0/16")
    subnet = aws.make(SUBNET, "part", vpcId=vpc.id, cidrBlock="10.0.1.0/24", availabilityZone="us-east-1a")
    return Net(aws, vpc, subnet, aws.make(GROUP, "rules", vpcId=vpc.id))


@pytest.fixture
def net(aws: Cloud) -> Net:
    return network(aws)


def test_ids_and_arns_look_like_those_of_aws(net: Net) -> None:
    host = net.host()
    assert host.id.startswith("i-0")
    assert len(host.id) == 19
    assert host.outputs["arn"] == f"arn:aws:ec2:us-east-1:123456789012:instance/{host.id}"
    assert net.vpc.outputs["region"] == "us-east-1"


def test_an_instance_gets_an_address_of_its_subnet_and_every_instance_another(net: Net) -> None:
    addresses = {net.host(f"host-{number}").outputs["privateIp"] for number in range(3)}
    assert len(addresses) == 3
    assert all(each.startswith("10.0.1.") for each in addresses)


def test_a_public_address_is_given_only_where_it_is_asked_for(net: Net) -> None:
    assert net.host("quiet").outputs["publicIp"] == ""
    assert net.host("loud", associatePublicIpAddress=True).outputs["publicIp"].startswith("203.0.113.")


def test_tags_are_given_back_as_all_tags(aws: Cloud) -> None:
    assert aws.make(VPC, cidrBlock="10.0.0.0/16", tags={"a": "b"}).outputs["tagsAll"] == {"a": "b"}


def test_a_preview_knows_what_was_given_and_nothing_that_is_computed(net: Net) -> None:
    from pulumi_llm._provider_facts.values import is_unknown

    id_, outputs = net.aws.simulator.create(INSTANCE, "urn:pulumi:d::p::t::n", net.host_inputs(), preview=True)
    assert id_ == ""
    assert outputs["instanceType"] == "g4dn.xlarge"
    assert is_unknown(outputs["publicIp"])
    assert is_unknown(outputs["privateIp"])
    assert "userData" not in outputs
    assert net.aws.store.list(INSTANCE) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"subnetId": "subnet-0"}, "InvalidSubnetID.NotFound: The subnet ID 'subnet-0' does not exist"),
        ({"vpcSecurityGroupIds": ["sg-0"]}, "InvalidGroup.NotFound: The security group 'sg-0' does not exist"),
        ({"keyName": "none"}, "InvalidKeyPair.NotFound: The key pair 'none' does not exist"),
        ({"ami": "ami-0123456789abcdef0"}, "InvalidAMIID.NotFound: The image id '[ami-0123456789abcdef0]'"),
        ({"instanceType": "zz.9xlarge"}, "InvalidParameterValue: Invalid value 'zz.9xlarge' for InstanceType."),
        ({"instanceType": "g5g.xlarge"}, "does not match the architecture 'x86_64' of the specified AMI"),
        ({"iamInstanceProfile": "none"}, "Invalid IAM Instance Profile name"),
        ({"rootBlockDevice": {"volumeSize": 4}}, "Volume of size 4GB is smaller than snapshot"),
        ({"privateIp": "10.9.9.9"}, "Address does not fall within the subnet's address range"),
        ({"availabilityZone": "us-east-1b"}, "does not match the subnet's"),
        ({"subnetId": None}, "VPCIdNotSpecified"),
    ],
)
def test_an_instance_that_cannot_be_made_is_refused(net: Net, change: dict[str, Any], words: str) -> None:
    given = {key: value for key, value in net.host_inputs(**change).items() if value is not None}
    refused = net.aws.refuses(INSTANCE, **given)
    assert words in refused
    assert "operation error EC2: RunInstances" in refused


def test_a_type_that_a_zone_does_not_offer_is_refused_with_the_zones_that_do(aws: Cloud) -> None:
    vpc = aws.make(VPC, cidrBlock="10.0.0.0/16")
    subnet = aws.make(SUBNET, vpcId=vpc.id, cidrBlock="10.0.1.0/24", availabilityZone="us-east-1e")
    refused = aws.refuses(INSTANCE, ami=ami(aws), instanceType="g4dn.xlarge", subnetId=subnet.id)
    assert "is not supported in your requested Availability Zone (us-east-1e)" in refused
    assert "choosing us-east-1a" in refused


def test_a_type_that_a_region_does_not_offer_is_refused() -> None:
    aws = cloud("aws", region="ap-southeast-1")
    vpc = aws.make(VPC, cidrBlock="10.0.0.0/16")
    subnet = aws.make(SUBNET, vpcId=vpc.id, cidrBlock="10.0.1.0/24")
    refused = aws.refuses(INSTANCE, ami=ami(aws), instanceType="g5.xlarge", subnetId=subnet.id)
    assert "Unsupported: The requested configuration is currently not supported" in refused


def test_an_instance_and_its_security_group_have_to_be_in_one_vpc(net: Net) -> None:
    other = net.aws.make(VPC, "other", cidrBlock="10.5.0.0/16")
    group = net.aws.make(GROUP, "others", vpcId=other.id)
    refused = net.aws.refuses(INSTANCE, **net.host_inputs(vpcSecurityGroupIds=[group.id]))
    assert "belong to different networks" in refused


def test_what_is_in_another_region_does_not_exist_here(net: Net) -> None:
    elsewhere = cloud("aws", net.aws.store, region="eu-west-1")
    assert "InvalidVpcID.NotFound" in elsewhere.refuses(SUBNET, vpcId=net.vpc.id, cidrBlock="10.0.9.0/24")


def test_a_resource_can_be_made_in_a_region_of_its_own(aws: Cloud) -> None:
    made = aws.make(VPC, cidrBlock="10.0.0.0/16", region="eu-west-1")
    assert made.outputs["arn"].startswith("arn:aws:ec2:eu-west-1:")
    assert [each.region for each in aws.store.list(VPC)] == ["eu-west-1"]


def test_an_image_stays_known_when_a_newer_one_has_appeared(net: Net) -> None:
    old = ami(net.aws)
    later = cloud("aws", net.aws.store, faults="image-date:20270101")
    assert ami(later) != old
    assert later.make(INSTANCE, **net.host_inputs(ami=old)).id
    assert later.make(INSTANCE, "new", **net.host_inputs(ami=ami(later))).id


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"cidrBlock": "10.1.1.0/24"}, "InvalidSubnet.Range"),
        ({"cidrBlock": "10.0.1.128/25"}, "InvalidSubnet.Conflict"),
        ({"cidrBlock": "10.0.2.0/24", "availabilityZone": "us-east-1z"}, "us-east-1a, us-east-1b"),
        ({"cidrBlock": "10.0.2.0/24", "vpcId": "vpc-0"}, "InvalidVpcID.NotFound: The vpc ID 'vpc-0' does not exist"),
    ],
)
def test_a_subnet_that_does_not_fit_is_refused(net: Net, given: dict[str, Any], words: str) -> None:
    assert words in net.aws.refuses(SUBNET, "second", **{"vpcId": net.vpc.id, **given})


def test_a_subnet_without_a_zone_gets_one_with_the_zone_s_id(aws: Cloud) -> None:
    vpc = aws.make(VPC, cidrBlock="10.0.0.0/16")
    made = aws.make(SUBNET, vpcId=vpc.id, cidrBlock="10.0.1.0/24")
    assert (made.outputs["availabilityZone"], made.outputs["availabilityZoneId"]) == ("us-east-1a", "use1-az1")


def test_a_vpc_has_one_gateway_and_a_route_its_own(net: Net) -> None:
    gateway = net.aws.make(GATEWAY, vpcId=net.vpc.id)
    assert "Resource.AlreadyAssociated" in net.aws.refuses(GATEWAY, "second", vpcId=net.vpc.id)
    table = net.aws.make(TABLE, vpcId=net.vpc.id)
    given = {"routeTableId": table.id, "destinationCidrBlock": "0.0.0.0/0", "gatewayId": gateway.id}
    net.aws.make(ROUTE, **given)
    assert "RouteAlreadyExists" in net.aws.refuses(ROUTE, "second", **given)
    given |= {"gatewayId": "igw-0", "destinationCidrBlock": "10.9.0.0/16"}
    assert "InvalidGatewayID.NotFound" in net.aws.refuses(ROUTE, "third", **given)


def test_the_same_security_group_rule_twice_is_refused(net: Net) -> None:
    rule = {"ipProtocol": "tcp", "fromPort": 22, "toPort": 22, "cidrIpv4": "10.0.0.0/8"}
    net.aws.make(INGRESS, "one", securityGroupId=net.group.id, **rule)
    assert "InvalidPermission.Duplicate" in net.aws.refuses(INGRESS, "two", securityGroupId=net.group.id, **rule)
    assert "InvalidGroup.NotFound" in net.aws.refuses(INGRESS, "three", securityGroupId="sg-0", **rule)


def test_a_tcp_rule_needs_its_ports(net: Net) -> None:
    refused = net.aws.refuses(INGRESS, securityGroupId=net.group.id, ipProtocol="tcp", cidrIpv4="10.0.0.0/8")
    assert "Must specify both from and to ports with TCP/UDP" in refused


def test_a_key_s_name_is_unique_and_its_text_a_key(aws: Cloud) -> None:
    made = aws.make(KEY, keyName="mine", publicKey=PUBLIC_KEY)
    assert (made.id, made.outputs["keyType"]) == ("mine", "ed25519")
    assert "InvalidKeyPair.Duplicate" in aws.refuses(KEY, "second", keyName="mine", publicKey=PUBLIC_KEY)
    assert "InvalidKey.Format" in aws.refuses(KEY, "third", keyName="other", publicKey="hello")


def test_an_address_needs_a_gateway_and_an_instance(net: Net) -> None:
    host, address = net.host(), net.aws.make(EIP, domain="vpc")
    assert "Gateway.NotAttached" in net.aws.refuses(BOUND, allocationId=address.id, instanceId=host.id)
    net.aws.make(GATEWAY, vpcId=net.vpc.id)
    bound = net.aws.make(BOUND, allocationId=address.id, instanceId=host.id)
    assert bound.outputs["publicIp"] == address.outputs["publicIp"]
    assert "InvalidAllocationID.NotFound" in net.aws.refuses(BOUND, "b", allocationId="eipalloc-0", instanceId=host.id)
    assert "InvalidInstanceID.NotFound" in net.aws.refuses(BOUND, "b", allocationId=address.id, instanceId="i-0")


def test_an_address_moves_to_another_instance_unless_that_is_forbidden(net: Net) -> None:
    net.aws.make(GATEWAY, vpcId=net.vpc.id)
    one, two, address = net.host("one"), net.host("two"), net.aws.make(EIP, domain="vpc")
    net.aws.make(BOUND, "first", allocationId=address.id, instanceId=one.id)
    forbidden = {"allocationId": address.id, "instanceId": two.id, "allowReassociation": False}
    assert "Resource.AlreadyAssociated" in net.aws.refuses(BOUND, "second", **forbidden)
    net.aws.make(BOUND, "second", allocationId=address.id, instanceId=two.id)
    assert [each.get("instanceId") for each in net.aws.store.list(BOUND)] == [two.id]


def test_addresses_are_unique_and_free_again_after_a_delete(aws: Cloud) -> None:
    made = [aws.make(EIP, f"a{number}", domain="vpc") for number in range(3)]
    assert len({each.outputs["publicIp"] for each in made}) == 3
    aws.delete(made[0])
    assert aws.make(EIP, "again", domain="vpc").outputs["publicIp"] == made[0].outputs["publicIp"]


def test_a_volume_is_attached_once_in_its_own_zone(net: Net) -> None:
    one, two = net.host("one"), net.host("two")
    volume = net.aws.make(VOLUME, availabilityZone="us-east-1a", size=100, type="gp3", encrypted=True)
    far = net.aws.make(VOLUME, "far", availabilityZone="us-east-1b", size=100, type="gp3")
    given = {"deviceName": "/dev/sdf", "instanceId": one.id}
    assert "InvalidVolume.ZoneMismatch" in net.aws.refuses(ATTACHED, "f", **given, volumeId=far.id)
    net.aws.make(ATTACHED, "a", **given, volumeId=volume.id)
    again = {"deviceName": "/dev/sdf", "instanceId": two.id, "volumeId": volume.id}
    assert "VolumeInUse" in net.aws.refuses(ATTACHED, "b", **again)
    with pytest.raises(CloudError, match=r"VolumeInUse: Volume .* is currently attached to"):
        net.aws.delete(volume)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"availabilityZone": "us-east-9a", "size": 10}, "InvalidZone.NotFound"),
        ({"availabilityZone": "us-east-1a", "size": 10, "type": "io2"}, "'iops' must be set when 'type' is 'io2'"),
        ({"availabilityZone": "us-east-1a", "size": 10, "type": "gp2", "throughput": 200}, "'throughput' must not be"),
        ({"availabilityZone": "us-east-1a", "size": 10, "type": "st1"}, "smaller than allowed for st1: 125"),
    ],
)
def test_a_volume_that_cannot_be_made_is_refused(aws: Cloud, given: dict[str, Any], words: str) -> None:
    assert words in aws.refuses(VOLUME, **given)


def test_a_disk_grows_and_does_not_shrink(net: Net) -> None:
    volume = net.aws.make(VOLUME, availabilityZone="us-east-1a", size=100, type="gp3")
    with pytest.raises(CloudError, match="New size cannot be smaller than existing size"):
        net.aws.change(volume, availabilityZone="us-east-1a", size=50, type="gp3")
    host = net.host(rootBlockDevice={"volumeSize": 100})
    grown = net.aws.change(host, **net.host_inputs(rootBlockDevice={"volumeSize": 200}))
    assert grown.outputs["rootBlockDevice"]["volumeSize"] == 200
    with pytest.raises(CloudError, match="New size cannot be smaller"):
        net.aws.change(grown, **net.host_inputs(rootBlockDevice={"volumeSize": 50}))


def test_what_is_in_use_cannot_be_deleted(net: Net) -> None:
    host = net.host()
    for made, words in (
        (net.vpc, "DependencyViolation: The vpc"),
        (net.subnet, "DependencyViolation: The subnet"),
        (net.group, "DependencyViolation: resource sg-"),
    ):
        with pytest.raises(CloudError, match=words):
            net.aws.delete(made)
    for made in (host, net.group, net.subnet, net.vpc):
        net.aws.delete(made)
    assert net.aws.store.everything() == []


def test_a_gateway_with_mapped_addresses_cannot_be_detached(net: Net) -> None:
    gateway = net.aws.make(GATEWAY, vpcId=net.vpc.id)
    host = net.host(associatePublicIpAddress=True)
    with pytest.raises(CloudError, match=r"has some mapped public address\(es\)"):
        net.aws.delete(gateway)
    net.aws.delete(host)
    net.aws.delete(gateway)


def test_a_protected_instance_cannot_be_deleted_until_the_protection_is_lifted(net: Net) -> None:
    host = net.host(disableApiTermination=True)
    with pytest.raises(CloudError, match="OperationNotPermitted"):
        net.aws.delete(host)
    net.aws.delete(net.aws.change(host, **net.host_inputs(disableApiTermination=False)))
    assert net.aws.store.list(INSTANCE) == []


def test_deleting_what_is_gone_already_is_fine(net: Net) -> None:
    net.aws.delete(net.group)
    net.aws.delete(net.group)


def test_another_type_needs_stock_and_changes_the_automatic_address(net: Net) -> None:
    host = net.host(associatePublicIpAddress=True)
    dry = cloud("aws", net.aws.store, faults="no-stock:g4dn.2xlarge")
    wanted = net.host_inputs(associatePublicIpAddress=True, instanceType="g4dn.2xlarge")
    with pytest.raises(CloudError, match="InsufficientInstanceCapacity"):
        dry.change(host, **wanted)
    moved = net.aws.change(host, **wanted)
    assert moved.outputs["instanceType"] == "g4dn.2xlarge"
    assert moved.outputs["publicIp"].startswith("203.0.113.")


def test_a_preview_of_another_type_does_not_know_the_next_automatic_address(net: Net) -> None:
    from pulumi_llm._provider_facts.values import is_unknown

    host = net.host(associatePublicIpAddress=True)
    news = {**host.inputs, "instanceType": "g4dn.2xlarge"}
    update = net.aws.simulator.update
    outputs = update(INSTANCE, "urn:pulumi:d::p::t::n", host.id, host.outputs, host.inputs, news, preview=True)
    assert is_unknown(outputs["publicIp"])
    assert outputs["privateIp"] == host.outputs["privateIp"]


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("no-stock:*", "InsufficientInstanceCapacity: We currently do not have sufficient g4dn.xlarge capacity"),
        ("no-stock:us-east-1a", "in the Availability Zone you requested (us-east-1a)"),
        ("no-stock:g4dn.xlarge", "choosing us-east-1b"),
        ("quota:g4dn.xlarge", "VcpuLimitExceeded: You have requested more vCPU capacity than your current vCPU limit"),
    ],
)
def test_faults_are_worded_as_aws_words_them(net: Net, fault: str, words: str) -> None:
    assert words in cloud("aws", net.aws.store, faults=fault).refuses(INSTANCE, **net.host_inputs())


def test_a_fault_of_another_zone_or_type_does_no_harm(net: Net) -> None:
    other = cloud("aws", net.aws.store, faults="no-stock:us-east-1b;no-stock:p4d.24xlarge;quota:p4d.24xlarge")
    assert other.make(INSTANCE, **net.host_inputs()).id


def test_nothing_is_kept_of_what_was_refused(net: Net) -> None:
    before = len(net.aws.store.everything())
    net.aws.refuses(INSTANCE, **net.host_inputs(instanceType="zz.1"))
    assert len(net.aws.store.everything()) == before
