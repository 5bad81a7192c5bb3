"""Aliyun's wire, spoken to by Aliyun's own SDKs: what they send is understood, and they can read what comes back."""

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
from pulumi_llm.clouds.aliyun.wire import FACE, PROTOCOL
from tests.rehearsal.waiting import until

pytest.importorskip("alibabacloud_ecs20140526")
pytest.importorskip("alibabacloud_vpc20160428", reason="the wire is spoken to by Aliyun's own VPC client")
pytest.importorskip("alibabacloud_alidns20150109", reason="the wire is spoken to by Aliyun's own DNS client")

from alibabacloud_alidns20150109 import models as alidns
from alibabacloud_alidns20150109.client import Client as Alidns
from alibabacloud_ecs20140526 import models as ecs
from alibabacloud_ecs20140526.client import Client as Ecs
from alibabacloud_tea_openapi.models import Config
from alibabacloud_vpc20160428 import models as vpc
from alibabacloud_vpc20160428.client import Client as Vpc

REGION, TYPE = "cn-hangzhou", "ecs.gn6i-c4g1.xlarge"
BIGGER = "ecs.gn6i-c8g1.2xlarge"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFJvZtDH0FvIaJS2nLLkhYWKEjxYDeuzqj6Ww0tKXwGT test"


class Cloud:
    def __init__(self, port: int, face: Any) -> None:
        config = {"access_key_id": "id", "access_key_secret": "never-sent", "region_id": REGION, "protocol": "HTTP"}
        self.face = face
        self.ecs = Ecs(Config(**config, endpoint=f"127.0.0.1:{port}"))
        self.vpc = Vpc(Config(**config, endpoint=f"127.0.0.1:{port}"))
        self.names = Alidns(Config(**config, endpoint=f"127.0.0.1:{port}"))

    def network(self) -> tuple[str, str, str]:
        made = self.vpc.create_vpc(
            vpc.CreateVpcRequest(region_id=REGION, cidr_block="10.0.0.0/16", vpc_name="net")
        ).body
        ask = vpc.CreateVSwitchRequest(
            region_id=REGION, vpc_id=made.vpc_id, cidr_block="10.0.1.0/24", zone_id=self.zone
        )
        switch = self.vpc.create_vswitch(ask).body.v_switch_id
        group = self.ecs.create_security_group(
            ecs.CreateSecurityGroupRequest(region_id=REGION, vpc_id=made.vpc_id)
        ).body
        return made.vpc_id, switch, group.security_group_id

    @property
    def zone(self) -> str:
        return self.zones_of(TYPE)[0]

    def zones_of(self, kind: str) -> list[str]:
        ask = ecs.DescribeAvailableResourceRequest(
            region_id=REGION, destination_resource="InstanceType", instance_type=kind
        )
        zones = self.ecs.describe_available_resource(ask).body.available_zones.available_zone
        return [each.zone_id for each in zones if each.status_category == "WithStock"]

    def image(self) -> str:
        ask = ecs.DescribeImagesRequest(region_id=REGION, image_owner_alias="system", instance_type=TYPE)
        return str(self.ecs.describe_images(ask).body.images.image[0].image_id)

    def machine(self, switch: str, group: str, **more: Any) -> str:
        asked = {"image_id": self.image(), "instance_type": TYPE, "v_switch_id": switch, "security_group_id": group}
        ask = ecs.RunInstancesRequest(region_id=REGION, **{**asked, **more})
        return str(self.ecs.run_instances(ask).body.instance_id_sets.instance_id_set[0])

    def row(self, machine: str) -> Any:
        ask = ecs.DescribeInstancesRequest(region_id=REGION, instance_ids=json.dumps([machine]))
        return self.ecs.describe_instances(ask).body.instances.instance[0]

    def wait(self, machine: str, wanted: str) -> list[str]:
        seen: list[str] = []
        until(lambda: (seen.append(self.row(machine).status) or seen[-1]) == wanted)
        return list(dict.fromkeys(seen))


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    face = FACE(Store(None), pace=0.2, region=REGION)
    with serving(face, PROTOCOL) as port:
        yield Cloud(port, face)


def refused(call: Callable[[], Any]) -> str:
    with pytest.raises(Exception) as caught:
        call()
    return str(getattr(caught.value, "code", "") or caught.value)


def test_a_network_is_made_read_and_deleted_in_the_order_that_aliyun_asks_for(cloud: Cloud) -> None:
    net, switch, group = cloud.network()
    row = cloud.vpc.describe_vpc_attribute(vpc.DescribeVpcAttributeRequest(region_id=REGION, vpc_id=net)).body
    assert (row.cidr_block, row.vpc_name, row.v_switch_ids.v_switch_id) == ("10.0.0.0/16", "net", [switch])
    ask = vpc.DescribeVSwitchAttributesRequest(region_id=REGION, v_switch_id=switch)
    assert cloud.vpc.describe_vswitch_attributes(ask).body.zone_id == cloud.zone
    delete = vpc.DeleteVpcRequest(region_id=REGION, vpc_id=net)
    assert "DependencyViolation" in refused(lambda: cloud.vpc.delete_vpc(delete))
    cloud.vpc.delete_vswitch(vpc.DeleteVSwitchRequest(region_id=REGION, v_switch_id=switch))
    cloud.ecs.delete_security_group(ecs.DeleteSecurityGroupRequest(region_id=REGION, security_group_id=group))
    cloud.vpc.delete_vpc(delete)
    assert cloud.face.store.everything() == []


def test_a_machine_is_pending_before_it_runs_and_reads_back_as_it_was_asked_for(cloud: Cloud) -> None:
    __, switch, group = cloud.network()
    cloud.ecs.import_key_pair(ecs.ImportKeyPairRequest(region_id=REGION, key_pair_name="mine", public_key_body=KEY))
    data = base64.b64encode(b"#cloud-config\n").decode()
    machine = cloud.machine(
        switch,
        group,
        key_pair_name="mine",
        user_data=data,
        instance_name="node",
        http_tokens="required",
        system_disk=ecs.RunInstancesRequestSystemDisk(size="120", category="cloud_essd", performance_level="PL0"),
        tag=[ecs.RunInstancesRequestTag(key="app", value="llm")],
        image_options=ecs.RunInstancesRequestImageOptions(login_as_non_root=True),
    )
    states = cloud.wait(machine, "Running")
    assert states[0] in ("Pending", "Starting")
    row = cloud.row(machine)
    assert (row.key_pair_name, row.instance_name, row.instance_type) == ("mine", "node", TYPE)
    assert row.metadata_options.http_tokens == "required"
    assert row.image_options.login_as_non_root is True
    assert [(each.tag_key, each.tag_value) for each in row.tags.tag] == [("app", "llm")]
    assert row.stopped_mode == "Not-applicable"  # what the provider reads of a machine that runs
    ask = ecs.DescribeDisksRequest(region_id=REGION, instance_id=machine, disk_type="system")
    disk = cloud.ecs.describe_disks(ask).body.disks.disk[0]
    assert (disk.size, disk.category, disk.performance_level) == (120, "cloud_essd", "PL0")
    kept = cloud.ecs.describe_user_data(ecs.DescribeUserDataRequest(region_id=REGION, instance_id=machine)).body
    assert kept.user_data == data


def test_a_type_changes_only_while_the_machine_is_stopped(cloud: Cloud) -> None:
    __, switch, group = cloud.network()
    machine = cloud.machine(switch, group)
    cloud.wait(machine, "Running")
    change = ecs.ModifyInstanceSpecRequest(instance_id=machine, instance_type=BIGGER)
    assert "IncorrectInstanceStatus" in refused(lambda: cloud.ecs.modify_instance_spec(change))
    cloud.ecs.stop_instance(ecs.StopInstanceRequest(instance_id=machine, stopped_mode="KeepCharging"))
    cloud.wait(machine, "Stopped")
    assert cloud.row(machine).stopped_mode == "KeepCharging"
    cloud.ecs.modify_instance_spec(change)
    cloud.ecs.start_instance(ecs.StartInstanceRequest(instance_id=machine))
    cloud.wait(machine, "Running")
    assert cloud.row(machine).instance_type == BIGGER


def test_a_disk_is_attached_and_detached_and_grows_but_never_shrinks(cloud: Cloud) -> None:
    __, switch, group = cloud.network()
    machine = cloud.machine(switch, group)
    cloud.wait(machine, "Running")
    ask = ecs.CreateDiskRequest(region_id=REGION, zone_id=cloud.zone, size=50, disk_category="cloud_essd")
    disk = cloud.ecs.create_disk(ask).body.disk_id

    def row() -> Any:
        asked = ecs.DescribeDisksRequest(region_id=REGION, disk_ids=json.dumps([disk]))
        return cloud.ecs.describe_disks(asked).body.disks.disk[0]

    until(lambda: row().status == "Available")
    cloud.ecs.attach_disk(ecs.AttachDiskRequest(instance_id=machine, disk_id=disk))
    until(lambda: row().status == "In_use")
    assert row().instance_id == machine
    assert refused(lambda: cloud.ecs.delete_disk(ecs.DeleteDiskRequest(disk_id=disk))) == "IncorrectDiskStatus"
    cloud.ecs.resize_disk(ecs.ResizeDiskRequest(disk_id=disk, new_size=80))
    assert row().size == 80
    smaller = ecs.ResizeDiskRequest(disk_id=disk, new_size=60)
    assert refused(lambda: cloud.ecs.resize_disk(smaller)) == "InvalidDiskSize.TooSmall"
    cloud.ecs.detach_disk(ecs.DetachDiskRequest(instance_id=machine, disk_id=disk))
    until(lambda: row().status == "Available")
    cloud.ecs.delete_disk(ecs.DeleteDiskRequest(disk_id=disk))


def test_an_address_has_one_machine_at_a_time_and_is_not_released_while_it_is_in_use(cloud: Cloud) -> None:
    __, switch, group = cloud.network()
    machine = cloud.machine(switch, group)
    made = cloud.vpc.allocate_eip_address(vpc.AllocateEipAddressRequest(region_id=REGION, bandwidth="10")).body

    def row() -> Any:
        ask = vpc.DescribeEipAddressesRequest(region_id=REGION, allocation_id=made.allocation_id)
        return cloud.vpc.describe_eip_addresses(ask).body.eip_addresses.eip_address[0]

    held = vpc.AssociateEipAddressRequest(region_id=REGION, allocation_id=made.allocation_id, instance_id=machine)
    cloud.vpc.associate_eip_address(held)
    until(lambda: row().status == "InUse")
    assert (row().instance_id, row().bandwidth) == (machine, "10")
    assert cloud.row(machine).eip_address.ip_address == made.eip_address
    assert refused(lambda: cloud.vpc.associate_eip_address(held)) == "InvalidAssociation.Duplicated"
    release = vpc.ReleaseEipAddressRequest(region_id=REGION, allocation_id=made.allocation_id)
    assert refused(lambda: cloud.vpc.release_eip_address(release)) == "IncorrectEipStatus"
    free = vpc.UnassociateEipAddressRequest(region_id=REGION, allocation_id=made.allocation_id, instance_id=machine)
    cloud.vpc.unassociate_eip_address(free)
    until(lambda: row().status == "Available")
    cloud.vpc.release_eip_address(release)


def test_rules_of_a_group_are_read_back_and_revoked(cloud: Cloud) -> None:
    __, __, group = cloud.network()
    rule = ecs.AuthorizeSecurityGroupRequestPermissions(
        ip_protocol="TCP", port_range="443/443", source_cidr_ip="203.0.113.0/24", priority="1", policy="accept"
    )
    ask = ecs.AuthorizeSecurityGroupRequest(region_id=REGION, security_group_id=group, permissions=[rule])
    cloud.ecs.authorize_security_group(ask)
    read = ecs.DescribeSecurityGroupAttributeRequest(region_id=REGION, security_group_id=group, direction="ingress")
    found = cloud.ecs.describe_security_group_attribute(read).body.permissions.permission
    assert [(each.port_range, each.source_cidr_ip, each.policy) for each in found] == [
        ("443/443", "203.0.113.0/24", "Accept")
    ]
    gone = ecs.RevokeSecurityGroupRequest(
        region_id=REGION, security_group_id=group, security_group_rule_id=[found[0].security_group_rule_id]
    )
    cloud.ecs.revoke_security_group(gone)
    assert cloud.ecs.describe_security_group_attribute(read).body.permissions.permission == []


def test_tags_are_given_and_taken_by_both_apis(cloud: Cloud) -> None:
    net, __, group = cloud.network()
    for client, models, kind, id_ in ((cloud.vpc, vpc, "VPC", net), (cloud.ecs, ecs, "securitygroup", group)):
        about = {"region_id": REGION, "resource_type": kind, "resource_id": [id_]}
        tag = models.TagResourcesRequestTag(key="app", value="llm")
        client.tag_resources(models.TagResourcesRequest(**about, tag=[tag]))
        found = client.list_tag_resources(models.ListTagResourcesRequest(**about)).body.tag_resources.tag_resource
        assert [(each.tag_key, each.tag_value) for each in found] == [("app", "llm")]
    cloud.vpc.un_tag_resources(
        vpc.UnTagResourcesRequest(region_id=REGION, resource_type="VPC", resource_id=[net], tag_key=["app"])
    )
    ask = vpc.ListTagResourcesRequest(region_id=REGION, resource_type="VPC", resource_id=[net])
    assert cloud.vpc.list_tag_resources(ask).body.tag_resources.tag_resource == []


@pytest.mark.parametrize(
    ("fault", "code"), [("no-stock:*", "OperationDenied.NoStock"), (f"quota:{TYPE}", "QuotaExceed.ElasticQuota")]
)
def test_the_wire_refuses_with_the_code_that_the_simulation_refuses_with(cloud: Cloud, fault: str, code: str) -> None:
    __, switch, group = cloud.network()
    cloud.face.faults = faults.parse(fault)
    assert refused(lambda: cloud.machine(switch, group)) == code
    assert cloud.face.record.calls[-1].refused == code


def test_an_action_that_nobody_knows_is_refused_as_aliyun_does_and_named(cloud: Cloud) -> None:
    ask = ecs.CreateSnapshotRequest(disk_id="d-1")
    assert refused(lambda: cloud.ecs.create_snapshot(ask)) == "InvalidAction.NotFound"
    assert cloud.face.record.unknown == ("ecs:CreateSnapshot",)


def test_no_key_and_no_user_data_is_kept_in_the_record(cloud: Cloud) -> None:
    __, switch, group = cloud.network()
    cloud.ecs.import_key_pair(ecs.ImportKeyPairRequest(region_id=REGION, key_pair_name="k", public_key_body=KEY))
    cloud.machine(switch, group, user_data=base64.b64encode(b"#!/bin/sh\necho hush\n").decode())
    kept = json.dumps([each.parameters for each in cloud.face.record.calls])
    assert KEY.split()[1] not in kept
    assert base64.b64encode(b"#!/bin/sh\necho hush\n").decode() not in kept
    assert "never-sent" not in kept


def test_the_least_policy_names_what_was_called_and_nothing_that_was_refused(cloud: Cloud) -> None:
    cloud.network()
    refused(lambda: cloud.ecs.create_snapshot(ecs.CreateSnapshotRequest(disk_id="d-1")))
    made = policy.least("alicloud", cloud.face.record.calls)
    names = made["Statement"][0]["Action"]
    assert {"vpc:CreateVpc", "vpc:CreateVSwitch", "ecs:CreateSecurityGroup"} <= set(names)
    assert "ecs:CreateSnapshot" not in names
    assert names == sorted(set(names))
    assert made["Version"] == "1"


def test_a_record_is_made_once_read_changed_and_deleted_and_belongs_to_no_region(cloud: Cloud) -> None:
    made = alidns.AddDomainRecordRequest(domain_name="example.com", rr="llm", type="A", value="203.0.113.7", ttl=600)
    id_ = cloud.names.add_domain_record(made).body.record_id
    # The provider does so after each create.
    cloud.names.set_domain_record_status(alidns.SetDomainRecordStatusRequest(record_id=id_, status="ENABLE"))

    def read() -> Any:
        return cloud.names.describe_domain_record_info(alidns.DescribeDomainRecordInfoRequest(record_id=id_)).body

    found = read()
    assert (found.domain_name, found.rr, found.type, found.value) == ("example.com", "llm", "A", "203.0.113.7")
    assert (found.ttl, found.line, found.status) == (600, "default", "ENABLE")
    assert refused(lambda: cloud.names.add_domain_record(made)) == "DomainRecordDuplicate"
    changed = {"record_id": id_, "rr": "llm", "type": "A", "value": "203.0.113.8", "ttl": 600}
    cloud.names.update_domain_record(alidns.UpdateDomainRecordRequest(**changed))
    assert read().value == "203.0.113.8"
    cloud.names.delete_domain_record(alidns.DeleteDomainRecordRequest(record_id=id_))
    assert refused(read) == "DomainRecordNotBelongToUser"  # by which the provider knows that it is gone
    assert cloud.face.store.everything() == []
