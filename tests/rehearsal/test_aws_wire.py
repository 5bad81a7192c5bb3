"""AWS's wire, spoken to by AWS's own SDK: what moto answers, what is judged before, and what is kept of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from pulumi_llm._rehearsal import policy
from pulumi_llm._rehearsal.server import serving
from pulumi_llm._simcloud import faults, images
from pulumi_llm._simcloud.faults import Faults
from pulumi_llm._simcloud.store import Store
from pulumi_llm.clouds.aws.wire import FACE, PROTOCOL
from pulumi_llm.clouds.aws.wire.face import ENDED, MADE

REGION, TYPE = "ap-northeast-1", "g4dn.xlarge"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFJvZtDH0FvIaJS2nLLkhYWKEjxYDeuzqj6Ww0tKXwGT test"
PARAMETER = "/aws/service/canonical/ubuntu/server/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id"
ZONE = "Z0123456789ABCDEFGHIJ"


class Cloud:
    def __init__(self, port: int, face: Any) -> None:
        self.face, self.port = face, port
        self.clients: dict[tuple[str, str], Any] = {}

    def of(self, service: str, region: str = REGION) -> Any:
        """A client of a service, which loads for half a second."""
        if (service, region) not in self.clients:
            self.clients[service, region] = self._made(service, region)
        return self.clients[service, region]

    def _made(self, service: str, region: str) -> Any:
        return boto3.session.Session().client(
            service,
            region_name=region,
            endpoint_url=f"http://127.0.0.1:{self.port}",
            aws_access_key_id="id",
            aws_secret_access_key="never-sent",
            config=Config(retries={"total_max_attempts": 1}),
        )

    @property
    def image(self) -> str:
        return str(self.of("ssm").get_parameter(Name=PARAMETER)["Parameter"]["Value"])

    def network(self) -> tuple[str, str, str]:
        ec2 = self.of("ec2")
        net = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        asked = {"VpcId": net, "CidrBlock": "10.0.1.0/24", "AvailabilityZone": f"{REGION}a"}
        subnet = ec2.create_subnet(**asked)["Subnet"]["SubnetId"]
        group = ec2.create_security_group(GroupName="g", Description="d", VpcId=net)["GroupId"]
        return net, subnet, group

    def machine(self, **more: Any) -> str:
        __, subnet, group = self.network()
        card = {"DeviceIndex": 0, "SubnetId": subnet, "Groups": [group], "AssociatePublicIpAddress": True}
        asked = {"ImageId": self.image, "InstanceType": TYPE, "MinCount": 1, "MaxCount": 1, "NetworkInterfaces": [card]}
        return str(self.of("ec2").run_instances(**{**asked, **more})["Instances"][0]["InstanceId"])

    def row(self, machine: str) -> dict[str, Any]:
        found: dict[str, Any]
        (found,) = self.of("ec2").describe_instances(InstanceIds=[machine])["Reservations"][0]["Instances"]
        return found


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    face = FACE(Store(None))
    with serving(face, PROTOCOL) as port:
        yield Cloud(port, face)


def refused(call: Callable[[], Any]) -> str:
    with pytest.raises(ClientError) as caught:
        call()
    return str(caught.value.response["Error"]["Code"])


def kinds(cloud: Cloud) -> set[str]:
    return {each.type.rpartition(":")[2] for each in cloud.face.store.everything()}


def test_a_network_is_made_and_is_deleted_when_nothing_is_in_it(cloud: Cloud) -> None:
    net, subnet, group = cloud.network()
    ec2 = cloud.of("ec2")
    assert refused(lambda: ec2.delete_vpc(VpcId=net)) == "DependencyViolation"
    assert kinds(cloud) == {"Vpc", "Subnet", "SecurityGroup"}
    ec2.delete_subnet(SubnetId=subnet)
    ec2.delete_security_group(GroupId=group)
    ec2.delete_vpc(VpcId=net)
    assert cloud.face.store.everything() == []


def test_a_machine_is_pending_before_it_runs_and_reads_back_as_it_was_asked_for(cloud: Cloud) -> None:
    ec2 = cloud.of("ec2")
    ec2.import_key_pair(KeyName="mine", PublicKeyMaterial=KEY.encode())
    root = {"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": 80, "VolumeType": "gp3", "DeleteOnTermination": True}}
    machine = cloud.machine(KeyName="mine", BlockDeviceMappings=[root], MetadataOptions={"HttpTokens": "required"})
    row = cloud.row(machine)
    assert (row["State"]["Name"], row["KeyName"], row["ImageId"]) == ("running", "mine", cloud.image)
    assert row["MetadataOptions"]["HttpTokens"] == "required"
    volume = row["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]
    assert ec2.describe_volumes(VolumeIds=[volume])["Volumes"][0]["Size"] == 80
    ec2.terminate_instances(InstanceIds=[machine])
    assert "Instance" not in kinds(cloud)


def test_a_machines_groups_are_those_of_its_network_card(cloud: Cloud) -> None:
    """The provider reads them there, so without them a second preview would show a change for ever."""
    row = cloud.row(cloud.machine())
    assert [each["GroupId"] for each in row["SecurityGroups"]]
    assert row["SecurityGroups"] == row["NetworkInterfaces"][0]["Groups"]


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"InstanceType": "g4dn.huge"}, "InvalidParameterValue"),
        ({"ImageId": "ami-0123456789abcdef0"}, "InvalidAMIID.NotFound"),
        ({"KeyName": "nobodys"}, "InvalidKeyPair.NotFound"),
        ({"Placement": {"AvailabilityZone": f"{REGION}c"}}, "InvalidParameterCombination"),
        ({"BlockDeviceMappings": [{"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": 4}}]}, "InvalidBlockDeviceMapping"),
    ],
)
def test_what_moto_lets_pass_is_refused_by_the_rules_of_the_simulation(
    cloud: Cloud, given: dict[str, Any], code: str
) -> None:
    assert refused(lambda: cloud.machine(**given)) == code
    assert "Instance" not in kinds(cloud)


@pytest.mark.parametrize(
    ("fault", "code"), [("no-stock:*", "InsufficientInstanceCapacity"), ("quota:*", "VcpuLimitExceeded")]
)
def test_the_wire_refuses_with_the_code_that_the_simulation_refuses_with(cloud: Cloud, fault: str, code: str) -> None:
    cloud.face.faults = faults.parse(fault)
    assert refused(cloud.machine) == code


@pytest.mark.parametrize(
    ("action", "call", "code"),
    [
        ("ec2:CreateVpc", lambda cloud: cloud.network(), "UnauthorizedOperation"),
        ("ssm:GetParameter", lambda cloud: cloud.image, "AccessDeniedException"),
        ("route53:GetHostedZone", lambda cloud: cloud.of("route53").get_hosted_zone(Id=ZONE), "AccessDenied"),
    ],
)
def test_what_the_account_may_not_do_is_refused_as_iam_does(
    cloud: Cloud, action: str, call: Callable[[Cloud], Any], code: str
) -> None:
    cloud.face.faults = faults.parse(f"denied:{action}")
    assert refused(lambda: call(cloud)) == code


def test_a_deletion_fails_on_request_always_or_once(cloud: Cloud) -> None:
    net, *__ = cloud.network()
    other = cloud.of("ec2").create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    cloud.face.faults = faults.parse("fail-delete:vpc:Vpc")
    for _ in range(2):
        assert refused(lambda: cloud.of("ec2").delete_vpc(VpcId=other)) == "InternalError"
    cloud.face.faults = faults.parse("fail-delete:vpc:Vpc:once")
    assert refused(lambda: cloud.of("ec2").delete_vpc(VpcId=other)) == "InternalError"
    cloud.of("ec2").delete_vpc(VpcId=other)
    assert [each.id for each in cloud.face.store.everything() if each.type.endswith(":Vpc")] == [net]


def test_making_takes_as_long_as_is_asked_for_after_it_is_there(cloud: Cloud) -> None:
    cloud.face.faults = faults.parse("slow-create:0.5:ec2/vpc")
    start = time.monotonic()
    cloud.of("ec2").create_vpc(CidrBlock="10.1.0.0/16")
    assert time.monotonic() - start >= 0.5


def test_what_faults_are_about_is_what_the_simulated_aws_has() -> None:
    from pulumi_llm._provider_facts import table

    for each in (*MADE.values(), *ENDED.values()):
        assert table.find(each) is not None


def test_an_image_is_the_one_that_sim_would_find_and_a_newer_one_appears_on_request(cloud: Cloud) -> None:
    def newest(found: Faults) -> str:
        return next(each.id for each in images.public("aws", REGION, found) if PARAMETER in each.parameters)

    before = cloud.image
    assert before == newest(Faults())
    cloud.face.faults = faults.parse("image-date:20271231")
    assert cloud.image == newest(cloud.face.faults) != before
    machine = cloud.machine(ImageId=before)  # the older one is still there
    assert cloud.row(machine)["ImageId"] == before


def test_an_address_is_bound_once_and_is_not_taken_away(cloud: Cloud) -> None:
    ec2, machine = cloud.of("ec2"), cloud.machine()
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    held = {"AllocationId": address, "InstanceId": machine, "AllowReassociation": False}
    bound = ec2.associate_address(**held)["AssociationId"]
    assert {"Eip", "EipAssociation"} <= kinds(cloud)
    other = {**held, "InstanceId": cloud.machine()}
    assert refused(lambda: ec2.associate_address(**other)) == "Resource.AlreadyAssociated"
    ec2.disassociate_address(AssociationId=bound)
    ec2.release_address(AllocationId=address)
    assert not {"Eip", "EipAssociation"} & kinds(cloud)


def test_a_disk_is_attached_and_is_not_deleted_while_it_is(cloud: Cloud) -> None:
    ec2, machine = cloud.of("ec2"), cloud.machine()
    asked = {"AvailabilityZone": f"{REGION}a", "Size": 50, "VolumeType": "gp3", "Encrypted": True}
    disk = ec2.create_volume(**asked)["VolumeId"]
    ec2.attach_volume(VolumeId=disk, InstanceId=machine, Device="/dev/sdf")
    assert {"Volume", "VolumeAttachment"} <= kinds(cloud)
    assert refused(lambda: ec2.delete_volume(VolumeId=disk)) == "VolumeInUse"
    ec2.modify_volume(VolumeId=disk, Size=80)
    (row,) = ec2.describe_volumes(VolumeIds=[disk])["Volumes"]
    assert (row["Size"], row["Encrypted"], row["Attachments"][0]["InstanceId"]) == (80, True, machine)
    ec2.detach_volume(VolumeId=disk, InstanceId=machine)
    ec2.delete_volume(VolumeId=disk)
    assert not {"Volume", "VolumeAttachment"} & kinds(cloud)


def test_any_hosted_zone_is_there_and_a_record_in_it_is_kept_until_it_is_deleted(cloud: Cloud) -> None:
    names = cloud.of("route53", "us-east-1")
    assert names.get_hosted_zone(Id=ZONE)["HostedZone"]["Name"] == "."
    row = {"Name": "llm.example.com", "Type": "A", "TTL": 600, "ResourceRecords": [{"Value": "203.0.113.7"}]}

    def change(action: str) -> None:
        names.change_resource_record_sets(
            HostedZoneId=ZONE, ChangeBatch={"Changes": [{"Action": action, "ResourceRecordSet": row}]}
        )

    change("CREATE")
    (found,) = names.list_resource_record_sets(HostedZoneId=ZONE)["ResourceRecordSets"]
    assert (found["Name"], found["ResourceRecords"]) == ("llm.example.com.", row["ResourceRecords"])
    assert [each.id for each in cloud.face.store.everything()] == [f"{ZONE}_llm.example.com_A"]
    assert refused(lambda: change("CREATE")) == "InvalidChangeBatch"
    change("DELETE")
    assert cloud.face.store.everything() == []


def test_a_call_is_named_as_policies_name_it_whatever_protocol_its_service_speaks(cloud: Cloud) -> None:
    cloud.of("sts").get_caller_identity()
    assert cloud.image
    cloud.of("route53", "us-east-1").list_resource_record_sets(HostedZoneId=ZONE)
    cloud.of("ec2").describe_vpcs()
    names = ["sts:GetCallerIdentity", "ssm:GetParameter", "route53:ListResourceRecordSets", "ec2:DescribeVpcs"]
    assert [each.name for each in cloud.face.record.calls] == names
    made = policy.least("aws", cloud.face.record.calls)
    assert made == {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": sorted(names), "Resource": "*"}],
    }


def test_an_action_that_nobody_answers_is_refused_as_its_service_does_and_named(cloud: Cloud) -> None:
    assert refused(lambda: cloud.of("ec2").describe_trunk_interface_associations()) == "InvalidAction"
    assert refused(lambda: cloud.of("dlm").get_lifecycle_policies()) == "UnknownOperationException"
    assert cloud.face.record.unknown == ("ec2:DescribeTrunkInterfaceAssociations", "dlm:GetLifecyclePolicies")


def test_the_users_own_profile_and_credentials_are_not_read_and_stay_as_they_are() -> None:
    """In a process of its own, as moto asks AWS's SDK when it is imported."""
    program = """
import os
from pulumi_llm._simcloud.store import Store
from pulumi_llm.clouds.aws.wire import FACE
FACE(Store(None))
print(sorted(name for name in os.environ if name.startswith(("AWS_", "MOTO_"))))
"""
    mine = {"AWS_PROFILE": "not-there", "AWS_ACCESS_KEY_ID": "x", "AWS_CONFIG_FILE": "/nowhere"}
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "MOTO_"))}
    done = subprocess.run(
        [sys.executable, "-c", program], env={**clean, **mine}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(sorted(mine))


def test_a_region_that_is_none_is_refused(cloud: Cloud) -> None:
    assert refused(lambda: cloud.of("ec2", "ap-nowhere-1").describe_vpcs()) == "InvalidParameterValue"


def test_a_parameter_that_is_not_public_is_not_found(cloud: Cloud) -> None:
    assert refused(lambda: cloud.of("ssm").get_parameter(Name="/mine")) == "ParameterNotFound"


def test_what_moto_stumbles_over_is_refused_and_not_dropped(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    def stumbles(*_: Any) -> None:
        raise KeyError("x")

    monkeypatch.setattr(cloud.face._moto, "process_request", stumbles)
    assert refused(lambda: cloud.of("ec2").describe_vpcs()) == "InternalError"


def test_no_key_and_no_user_data_is_kept_in_the_record(cloud: Cloud) -> None:
    cloud.of("ec2").import_key_pair(KeyName="mine", PublicKeyMaterial=KEY.encode())
    cloud.machine(UserData="#!/bin/sh\necho hush\n")
    kept = json.dumps([each.parameters for each in cloud.face.record.calls])
    assert "RunInstances" in {each.name.partition(":")[2] for each in cloud.face.record.calls}
    assert KEY.split()[1] not in kept
    assert "hush" not in kept
    assert "never-sent" not in kept


def test_a_role_of_iam_is_made_given_to_a_machine_and_goes_away(cloud: Cloud) -> None:
    iam, ec2 = cloud.of("iam"), cloud.of("ec2")
    iam.create_role(RoleName="stops", AssumeRolePolicyDocument='{"Version": "2012-10-17", "Statement": []}')
    iam.create_instance_profile(InstanceProfileName="stops")
    iam.add_role_to_instance_profile(InstanceProfileName="stops", RoleName="stops")
    kept = {each.type for each in cloud.face.store.everything()}
    assert {"aws:iam/role:Role", "aws:iam/instanceProfile:InstanceProfile"} <= kept
    machine = cloud.machine()
    bound = ec2.associate_iam_instance_profile(IamInstanceProfile={"Name": "stops"}, InstanceId=machine)
    association = bound["IamInstanceProfileAssociation"]["AssociationId"]
    allowed = {"Effect": "Allow", "Action": "ec2:StopInstances", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    iam.put_role_policy(RoleName="stops", PolicyName="stop-itself", PolicyDocument=document)
    assert iam.get_role_policy(RoleName="stops", PolicyName="stop-itself")["PolicyName"] == "stop-itself"
    assert refused(lambda: iam.delete_role(RoleName="stops")) == "DeleteConflict"
    ec2.disassociate_iam_instance_profile(AssociationId=association)
    iam.delete_role_policy(RoleName="stops", PolicyName="stop-itself")
    iam.remove_role_from_instance_profile(InstanceProfileName="stops", RoleName="stops")
    iam.delete_instance_profile(InstanceProfileName="stops")
    iam.delete_role(RoleName="stops")
    assert not [each for each in cloud.face.store.everything() if each.type.startswith("aws:iam/")]


def test_a_placement_group_which_moto_lacks_holds_machines_and_goes_after_them(cloud: Cloud) -> None:
    ec2 = cloud.of("ec2")
    tags = [{"ResourceType": "placement-group", "Tags": [{"Key": "app", "Value": "llm <1>"}]}]
    made = ec2.create_placement_group(GroupName="near", Strategy="cluster", TagSpecifications=tags)["PlacementGroup"]
    (row,) = ec2.describe_placement_groups(GroupNames=["near"])["PlacementGroups"]
    assert (row["State"], row["Strategy"], row["GroupId"]) == ("available", "cluster", made["GroupId"])
    assert row["Tags"] == [{"Key": "app", "Value": "llm <1>"}]
    ec2.create_tags(Resources=[made["GroupId"]], Tags=[{"Key": "app", "Value": "other"}])
    (row,) = ec2.describe_placement_groups(GroupIds=[made["GroupId"]])["PlacementGroups"]
    assert row["Tags"] == [{"Key": "app", "Value": "other"}]
    again = {"GroupName": "near", "Strategy": "cluster"}
    assert refused(lambda: ec2.create_placement_group(**again)) == "InvalidPlacementGroup.Duplicate"
    assert refused(lambda: cloud.machine(Placement={"GroupName": "none"})) == "InvalidPlacementGroup.Unknown"
    alone, machine = cloud.machine(), cloud.machine(Placement={"GroupName": "near"})
    # moto keeps the group of a machine and reads none from the call.
    assert [cloud.row(each)["Placement"]["GroupName"] for each in (alone, machine)] == ["", "near"]
    other = {"InstanceType": "t3.xlarge", "Placement": {"GroupName": "near"}}
    assert refused(lambda: cloud.machine(**other)) == "InvalidParameterCombination"
    assert refused(lambda: ec2.delete_placement_group(GroupName="near")) == "InvalidPlacementGroup.InUse"
    ec2.terminate_instances(InstanceIds=[machine])
    ec2.delete_placement_group(GroupName="near")
    assert refused(lambda: ec2.describe_placement_groups(GroupNames=["near"])) == "InvalidPlacementGroup.Unknown"
    assert "PlacementGroup" not in kinds(cloud)
    # Another region has groups of its own.
    ec2.create_placement_group(**again)
    assert cloud.of("ec2", "us-west-2").describe_placement_groups()["PlacementGroups"] == []
