"""Tencent Cloud's wire, spoken to by its own SDKs: what they send is understood, and they can read what comes back."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pulumi_llm._rehearsal import policy
from pulumi_llm._rehearsal.server import serving
from pulumi_llm._simcloud import faults
from pulumi_llm._simcloud.store import Store
from pulumi_llm.clouds.tencent.wire import FACE, PROTOCOL
from tests.rehearsal.waiting import until

for part in ("cbs", "cvm", "dnspod", "tag", "vpc"):
    pytest.importorskip(f"tencentcloud.{part}", reason="the wire is spoken to by Tencent Cloud's own clients")

from tencentcloud.cbs.v20170312.cbs_client import CbsClient  # noqa: E402
from tencentcloud.common.credential import Credential  # noqa: E402
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException  # noqa: E402
from tencentcloud.common.profile.client_profile import ClientProfile  # noqa: E402
from tencentcloud.common.profile.http_profile import HttpProfile  # noqa: E402
from tencentcloud.cvm.v20170312.cvm_client import CvmClient  # noqa: E402
from tencentcloud.dnspod.v20210323.dnspod_client import DnspodClient  # noqa: E402
from tencentcloud.tag.v20180813.tag_client import TagClient  # noqa: E402
from tencentcloud.vpc.v20170312.vpc_client import VpcClient  # noqa: E402

REGION = "ap-shanghai"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFJvZtDH0FvIaJS2nLLkhYWKEjxYDeuzqj6Ww0tKXwGT test"
CLIENTS = {"cvm": CvmClient, "vpc": VpcClient, "cbs": CbsClient, "dnspod": DnspodClient, "tag": TagClient}


class Cloud:
    def __init__(self, port: int, face: Any) -> None:
        profile = ClientProfile(httpProfile=HttpProfile(protocol="http", endpoint=f"127.0.0.1:{port}"))
        self.face = face
        self.clients = {
            name: client(Credential("id", "never-sent"), REGION, profile) for name, client in CLIENTS.items()
        }

    def __call__(self, service: str, action: str, **parameters: Any) -> dict[str, Any]:
        """By the SDK's typed request and response, so that names and types which it does not know are errors."""
        client = self.clients[service]
        models = __import__(client.__module__.rsplit(".", 1)[0] + ".models", fromlist=["models"])
        request = getattr(models, f"{action}Request")()
        request.from_json_string(json.dumps(parameters))
        answer: dict[str, Any] = json.loads(getattr(client, action)(request).to_json_string())
        return answer

    def sold(self) -> tuple[str, str, str]:
        """A type of machine with a GPU, a larger one of its family, and a zone that sells both."""
        rows = [each for each in self("cvm", "DescribeZoneInstanceConfigInfos")["InstanceTypeQuotaSet"] if each["Gpu"]]
        for small in rows:
            for big in rows:
                same = (small["Zone"], small["InstanceFamily"]) == (big["Zone"], big["InstanceFamily"])
                if same and small["Cpu"] < big["Cpu"]:
                    return small["InstanceType"], big["InstanceType"], small["Zone"]
        raise AssertionError("the catalogue sells no two sizes of a family")

    def network(self) -> tuple[str, str, str]:
        net = self("vpc", "CreateVpc", VpcName="net", CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        zone = self.sold()[2]
        asked = {"VpcId": net, "SubnetName": "net-subnet", "CidrBlock": "10.0.1.0/24", "Zone": zone}
        subnet = self("vpc", "CreateSubnet", **asked)["Subnet"]["SubnetId"]
        group = self("vpc", "CreateSecurityGroup", GroupName="g", GroupDescription="d")["SecurityGroup"]
        return net, subnet, group["SecurityGroupId"]

    def machine(self, **more: Any) -> str:
        net, subnet, group = self.network()
        kind, __, zone = self.sold()
        image = self("cvm", "DescribeImages", InstanceType=kind)["ImageSet"][0]["ImageId"]
        asked = {"Placement": {"Zone": zone}, "ImageId": image, "InstanceType": kind, "SecurityGroupIds": [group]}
        asked |= {"VirtualPrivateCloud": {"VpcId": net, "SubnetId": subnet}, "InstanceChargeType": "POSTPAID_BY_HOUR"}
        return str(self("cvm", "RunInstances", **{**asked, **more})["InstanceIdSet"][0])

    def row(self, machine: str) -> dict[str, Any]:
        found: dict[str, Any] = self("cvm", "DescribeInstances", InstanceIds=[machine])["InstanceSet"][0]
        return found

    def wait(self, machine: str, wanted: str) -> list[str]:
        seen: list[str] = []
        until(lambda: (seen.append(self.row(machine)["InstanceState"]) or seen[-1]) == wanted)
        return list(dict.fromkeys(seen))


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    face = FACE(Store(None), pace=0.2)
    with serving(face, PROTOCOL) as port:
        yield Cloud(port, face)


def refused(call: Callable[[], Any]) -> str:
    with pytest.raises(TencentCloudSDKException) as caught:
        call()
    return str(caught.value.code)


def test_a_network_is_made_read_and_deleted_in_the_order_that_tencent_asks_for(cloud: Cloud) -> None:
    net, subnet, group = cloud.network()
    assert cloud("vpc", "DescribeVpcs", VpcIds=[net])["VpcSet"][0]["CidrBlock"] == "10.0.0.0/16"
    assert cloud("vpc", "DescribeSubnets", SubnetIds=[subnet])["SubnetSet"][0]["VpcId"] == net
    by_filter = [{"Name": "vpc-id", "Values": [net]}]
    assert cloud("vpc", "DescribeRouteTables", Filters=by_filter)["RouteTableSet"][0]["Main"] is True
    assert refused(lambda: cloud("vpc", "DeleteVpc", VpcId=net)) == "ResourceInUse"
    cloud("vpc", "DeleteSubnet", SubnetId=subnet)
    cloud("vpc", "DeleteVpc", VpcId=net)
    cloud("vpc", "DeleteSecurityGroup", SecurityGroupId=group)
    assert cloud.face.store.everything() == []


def test_a_machine_is_pending_before_it_runs_and_reads_back_as_it_was_asked_for(cloud: Cloud) -> None:
    key = cloud("cvm", "ImportKeyPair", KeyName="mine", ProjectId=0, PublicKey=KEY)["KeyId"]
    machine = cloud.machine(
        InstanceName="node",
        LoginSettings={"KeyIds": [key]},
        SystemDisk={"DiskType": "CLOUD_BSSD", "DiskSize": 120},
        TagSpecification=[{"ResourceType": "instance", "Tags": [{"Key": "app", "Value": "llm"}]}],
    )
    states = cloud.wait(machine, "RUNNING")
    assert states[0] in ("PENDING", "STARTING")
    row = cloud.row(machine)
    assert (row["InstanceName"], row["LoginSettings"]["KeyIds"]) == ("node", [key])
    assert (row["SystemDisk"]["DiskType"], row["SystemDisk"]["DiskSize"]) == ("CLOUD_BSSD", 120)
    assert [(each["Key"], each["Value"]) for each in row["Tags"]] == [("app", "llm")]
    assert row["LatestOperationState"] == "SUCCESS"
    disks = cloud("cbs", "DescribeDisks", DiskIds=[row["SystemDisk"]["DiskId"]])["DiskSet"]
    assert [(each["DiskUsage"], each["InstanceId"]) for each in disks] == [("SYSTEM_DISK", machine)]
    assert cloud("cvm", "DescribeKeyPairs", KeyIds=[key])["KeyPairSet"][0]["AssociatedInstanceIds"] == [machine]


def test_a_type_changes_while_the_machine_is_stopped_or_by_force(cloud: Cloud) -> None:
    machine, (__, bigger, __) = cloud.machine(), cloud.sold()
    cloud.wait(machine, "RUNNING")
    change = {"InstanceIds": [machine], "InstanceType": bigger}
    assert refused(lambda: cloud("cvm", "ResetInstancesType", **change)).startswith("UnsupportedOperation.")
    cloud("cvm", "ResetInstancesType", **change, ForceStop=True)
    assert cloud.row(machine)["InstanceState"] in ("STOPPING", "STARTING")
    cloud.wait(machine, "RUNNING")
    assert cloud.row(machine)["InstanceType"] == bigger
    cloud("cvm", "StopInstances", InstanceIds=[machine], StoppedMode="STOP_CHARGING")
    cloud.wait(machine, "STOPPED")
    assert cloud.row(machine)["StopChargingMode"] == "STOP_CHARGING"
    cloud("cvm", "StartInstances", InstanceIds=[machine])
    cloud.wait(machine, "RUNNING")


def test_a_disk_is_attached_and_detached_and_is_not_deleted_while_it_is_attached(cloud: Cloud) -> None:
    machine, zone = cloud.machine(), cloud.sold()[2]
    cloud.wait(machine, "RUNNING")
    asked = {"DiskType": "CLOUD_BSSD", "DiskChargeType": "POSTPAID_BY_HOUR", "Placement": {"Zone": zone}}
    disk = cloud("cbs", "CreateDisks", **asked, DiskSize=50, DiskName="data", Encrypt="ENCRYPT")["DiskIdSet"][0]

    def row() -> dict[str, Any]:
        found: dict[str, Any] = cloud("cbs", "DescribeDisks", DiskIds=[disk])["DiskSet"][0]
        return found

    until(lambda: row()["DiskState"] == "UNATTACHED")
    assert row()["Encrypt"] is True
    cloud("cbs", "AttachDisks", InstanceId=machine, DiskIds=[disk])
    until(lambda: row()["DiskState"] == "ATTACHED")
    assert row()["InstanceId"] == machine
    (seen,) = cloud.row(machine)["DataDisks"]
    # The provider's code takes these for given.
    assert (seen["DiskId"], seen["DeleteWithInstance"], seen["Encrypt"]) == (disk, False, True)
    assert refused(lambda: cloud("cbs", "TerminateDisks", DiskIds=[disk])) == "InvalidDisk.Busy"
    cloud("cbs", "ResizeDisk", DiskId=disk, DiskSize=80)
    assert row()["DiskSize"] == 80
    cloud("cbs", "DetachDisks", DiskIds=[disk], InstanceId=machine)
    until(lambda: row()["DiskState"] == "UNATTACHED")
    cloud("cbs", "TerminateDisks", DiskIds=[disk])
    assert cloud("cbs", "DescribeDisks", DiskIds=[disk])["TotalCount"] == 0


def test_an_address_has_one_machine_at_a_time_and_is_not_released_while_it_is_in_use(cloud: Cloud) -> None:
    machine = cloud.machine()
    address = cloud("vpc", "AllocateAddresses", AddressName="a", InternetMaxBandwidthOut=10)["AddressSet"][0]
    held = {"AddressId": address, "InstanceId": machine}
    cloud("vpc", "AssociateAddress", **held)
    row = cloud("vpc", "DescribeAddresses", AddressIds=[address])["AddressSet"][0]
    assert (row["AddressStatus"], row["InstanceId"], row["Bandwidth"]) == ("BIND", machine, 10)
    assert cloud.row(machine)["PublicIpAddresses"] == [row["AddressIp"]]
    assert refused(lambda: cloud("vpc", "AssociateAddress", **held)) == "InvalidInstanceId.AlreadyBindEip"
    release = {"AddressIds": [address]}
    assert refused(lambda: cloud("vpc", "ReleaseAddresses", **release)) == "InvalidAddressIdStatus.NotPermit"
    cloud("vpc", "DisassociateAddress", AddressId=address)
    cloud("vpc", "ReleaseAddresses", **release)


def test_a_group_has_one_ordered_set_of_rules(cloud: Cloud) -> None:
    __, __, group = cloud.network()
    rule = {"Action": "ACCEPT", "Protocol": "TCP", "Port": "443", "CidrBlock": "203.0.113.0/24"}
    drop = {"Action": "DROP", "Protocol": "ALL", "Port": "ALL", "CidrBlock": "0.0.0.0/0"}

    def ingress(*rules: dict[str, str]) -> list[tuple[str, str]]:
        given = {"Ingress": list(rules), "Egress": [{**drop, "Action": "ACCEPT"}]}
        cloud("vpc", "ModifySecurityGroupPolicies", SecurityGroupId=group, SecurityGroupPolicySet=given)
        shown = cloud("vpc", "DescribeSecurityGroupPolicies", SecurityGroupId=group)["SecurityGroupPolicySet"]
        return [(each["Action"], each["Port"]) for each in shown["Ingress"]]

    assert ingress(rule, drop) == [("ACCEPT", "443"), ("DROP", "ALL")]
    assert ingress(drop) == [("DROP", "ALL")]


def test_tags_are_changed_through_the_tag_service(cloud: Cloud) -> None:
    net, __, __ = cloud.network()
    name = f"qcs::vpc:{REGION}:uin/:vpc/{net}"
    cloud("tag", "ModifyResourceTags", Resource=name, ReplaceTags=[{"TagKey": "app", "TagValue": "llm"}])
    asked = {"ServiceType": "vpc", "ResourcePrefix": "vpc", "ResourceIds": [net], "ResourceRegion": REGION}
    found = cloud("tag", "DescribeResourceTagsByResourceIds", **asked)["Tags"]
    assert [(each["TagKey"], each["TagValue"]) for each in found] == [("app", "llm")]
    cloud("tag", "ModifyResourceTags", Resource=name, DeleteTags=[{"TagKey": "app"}])
    assert cloud("tag", "DescribeResourceTagsByResourceIds", **asked)["Tags"] == []


def test_a_system_disk_has_tags_of_its_own(cloud: Cloud) -> None:
    system = cloud.row(cloud.machine())["SystemDisk"]["DiskId"]
    given = [{"TagKey": "app", "TagValue": "llm"}]
    cloud("tag", "ModifyResourceTags", Resource=f"qcs::cvm:{REGION}:uin/:volume/{system}", ReplaceTags=given)
    (disk,) = cloud("cbs", "DescribeDisks", DiskIds=[system])["DiskSet"]
    assert disk["Tags"] == [{"Key": "app", "Value": "llm"}]
    missing = {"Resource": f"qcs::cvm:{REGION}:uin/:volume/disk-none", "ReplaceTags": given}
    code = "InvalidParameterValue.ResourceDescriptionError"
    assert refused(lambda: cloud("tag", "ModifyResourceTags", **missing)) == code


@pytest.mark.parametrize(
    ("fault", "code"),
    [("no-stock:*", "ResourceInsufficient.SpecifiedInstanceType"), ("quota:*", "LimitExceeded.InstanceQuota")],
)
def test_the_wire_refuses_with_the_code_that_the_simulation_refuses_with(cloud: Cloud, fault: str, code: str) -> None:
    cloud.face.faults = faults.parse(fault)
    assert refused(cloud.machine) == code


def test_a_machine_that_is_gone_is_deleted_with_the_refusal_of_the_cloud(cloud: Cloud) -> None:
    machine = cloud.machine()
    cloud("cvm", "TerminateInstances", InstanceIds=[machine])
    assert cloud("cvm", "DescribeInstances", InstanceIds=[machine])["TotalCount"] == 0
    again = refused(lambda: cloud("cvm", "TerminateInstances", InstanceIds=[machine]))
    assert again == "InvalidInstanceId.NotFound"


def test_an_action_that_nobody_knows_is_refused_as_tencent_does_and_named(cloud: Cloud) -> None:
    assert refused(lambda: cloud("cvm", "DescribeHosts")) == "InvalidAction"
    assert cloud.face.record.unknown == ("cvm:DescribeHosts",)


def test_no_key_and_no_user_data_is_kept_in_the_record(cloud: Cloud) -> None:
    data = base64.b64encode(b"#!/bin/sh\necho hush\n").decode()
    cloud("cvm", "ImportKeyPair", KeyName="mine", ProjectId=0, PublicKey=KEY)
    cloud.machine(UserData=data)
    kept = json.dumps([each.parameters for each in cloud.face.record.calls])
    assert KEY.split()[1] not in kept
    assert data not in kept
    assert "never-sent" not in kept


def test_the_least_policy_names_what_was_called_once(cloud: Cloud) -> None:
    cloud.machine()
    made = policy.least("tencentcloud", cloud.face.record.calls)
    names = made["statement"][0]["action"]
    assert {"cvm:RunInstances", "vpc:CreateVpc", "vpc:CreateSubnet"} <= set(names)
    assert names == sorted(set(names))
    assert made["version"] == "2.0"


def test_a_record_is_made_once_read_changed_and_deleted_and_belongs_to_no_region(cloud: Cloud) -> None:
    asked = {"Domain": "example.com", "SubDomain": "llm", "RecordType": "A", "RecordLine": "默认"}
    made = {**asked, "Value": "203.0.113.7", "TTL": 600, "Status": "ENABLE"}
    held = {"Domain": "example.com", "RecordId": cloud("dnspod", "CreateRecord", **made)["RecordId"]}
    assert isinstance(held["RecordId"], int)
    found = cloud("dnspod", "DescribeRecord", **held)["RecordInfo"]
    assert [found[key] for key in ("SubDomain", "RecordType", "RecordLine", "Value", "TTL", "Enabled")] == [
        *("llm", "A", "默认", "203.0.113.7", 600, 1)
    ]
    assert refused(lambda: cloud("dnspod", "CreateRecord", **made)) == "InvalidParameter.DomainRecordExist"
    cloud("dnspod", "ModifyRecord", **{**asked, **held, "Value": "203.0.113.8"})
    assert cloud("dnspod", "DescribeRecord", **held)["RecordInfo"]["Value"] == "203.0.113.8"
    cloud("dnspod", "DeleteRecord", **held)
    again = refused(lambda: cloud("dnspod", "DescribeRecord", **held))
    assert again == "InvalidParameter.RecordIdInvalid"  # by which the provider knows that it is gone
    assert cloud.face.store.everything() == []
