"""What DigitalOcean refuses, in its words, and what it gives back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from pulumi_llm._simcloud.rules.base import CloudError

from .conftest import Cloud, Made, cloud
from .test_aws import PUBLIC_KEY

INDEX = "digitalocean:index/"
VPC, TAG, WALL = f"{INDEX}vpc:Vpc", f"{INDEX}tag:Tag", f"{INDEX}firewall:Firewall"
KEY, DROPLET = f"{INDEX}sshKey:SshKey", f"{INDEX}droplet:Droplet"
ADDRESS, BOUND = f"{INDEX}reservedIp:ReservedIp", f"{INDEX}reservedIpAssignment:ReservedIpAssignment"
DISK, ATTACHED, RECORD = (
    f"{INDEX}volume:Volume",
    f"{INDEX}volumeAttachment:VolumeAttachment",
    f"{INDEX}dnsRecord:DnsRecord",
)
IMAGE, SIZE, REGION = "235153036", "s-2vcpu-2gb", "sgp1"
OUT = {"protocol": "tcp", "portRange": "1-65535", "destinationAddresses": ["0.0.0.0/0"]}


@dataclass
class Net:
    ocean: Cloud
    vpc: Made

    def host_inputs(self, **more: Any) -> dict[str, Any]:
        return {"image": IMAGE, "size": SIZE, "region": REGION, "vpcUuid": self.vpc.id, **more}

    def host(self, name: str = "host", **more: Any) -> Made:
        return self.ocean.make(DROPLET, name, **self.host_inputs(**more))

    def address(self, name: str = "address", region: str = REGION) -> Made:
        return self.ocean.make(ADDRESS, name, region=region)

    def disk(self, called: str = "disk", /, **more: Any) -> Made:
        return self.ocean.make(DISK, called, **{"region": REGION, "size": 20, **more})


@pytest.fixture
def net(digitalocean: Cloud) -> Net:
    return Net(digitalocean, digitalocean.make(VPC, "net", region=REGION, ipRange="10.0.1.0/24"))


def test_ids_and_addresses_look_like_those_of_digitalocean(net: Net) -> None:
    host = net.host()
    assert host.id.isdigit()
    assert host.outputs["ipv4AddressPrivate"].startswith("10.0.1.")
    assert host.outputs["ipv4Address"] != net.host("second").outputs["ipv4Address"]
    assert (host.outputs["memory"], host.outputs["vcpus"]) == (2048, 2)
    address = net.address()
    assert address.id == address.outputs["ipAddress"]
    assert host.inputs["name"].startswith("host-")


def test_a_provider_without_a_region_makes_things_in_several(net: Net) -> None:
    net.ocean.make(VPC, "other", region="nyc3", ipRange="10.0.2.0/24")
    assert {each.region for each in net.ocean.store.list(VPC)} == {"sgp1", "nyc3"}
    assert net.ocean.make(KEY, publicKey=PUBLIC_KEY).id
    assert [each.region for each in net.ocean.store.list(KEY)] == [""]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"region": "sgp9"}, "invalid region"),
        ({"size": "s-9vcpu-1gb"}, "invalid size"),
        ({"image": "ubuntu-24-04-x64"}, "invalid image"),
        ({"image": "1"}, "invalid image"),
        ({"vpcUuid": "none"}, "VPC none was not found"),
        ({"region": "nyc3"}, "must be in the same region"),
        ({"sshKeys": ["1"]}, "1 are invalid key identifiers"),
        ({"userData": "#" * 65537}, "maximum is 65536"),
    ],
)
def test_a_droplet_that_cannot_be_made_is_refused(net: Net, change: dict[str, Any], words: str) -> None:
    refused = net.ocean.refuses(DROPLET, **net.host_inputs(**change))
    assert "Error creating droplet: POST https://api.digitalocean.com/v2/droplets: 422" in refused
    assert words in refused


def test_user_data_of_just_the_limit_is_accepted(net: Net) -> None:
    assert net.host(userData="#" * 65536).id


@pytest.mark.parametrize("fault", ["no-stock:*", f"no-stock:{SIZE}", "no-stock:sgp1", f"quota:{SIZE}"])
def test_a_fault_is_told_in_the_clouds_words(fault: str) -> None:
    ocean = cloud("digitalocean", faults=fault)
    words = "exceed your droplet limit" if "quota" in fault else f"{SIZE} is not available in region {REGION}"
    assert words in ocean.refuses(DROPLET, image=IMAGE, size=SIZE, region=REGION)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"ipRange": "8.8.0.0/16"}, "private"),
        ({"ipRange": "10.0.0.0/8"}, "/16 to /28"),
        ({"ipRange": "10.0.1.128/25"}, "overlaps"),
        ({"ipRange": "10.0.1.0/24", "region": "nyc3"}, "overlaps"),
        ({"region": "sgp9"}, "invalid region"),
    ],
)
def test_a_vpc_that_does_not_fit_is_refused(net: Net, given: dict[str, Any], words: str) -> None:
    assert words in net.ocean.refuses(VPC, "second", **{"region": REGION, "ipRange": "10.1.0.0/24", **given})


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "At least one rule"),
        ({"tags": ["none"], "outboundRules": [OUT]}, "tag none does not exist"),
        ({"dropletIds": [1], "outboundRules": [OUT]}, "droplet 1 does not exist"),
        ({"inboundRules": [{"protocol": "tcp"}]}, "port_range"),
        ({"inboundRules": [{"protocol": "tcp", "portRange": "99999"}]}, "invalid ports"),
        ({"inboundRules": [{"protocol": "tcp", "portRange": "22", "sourceAddresses": ["here"]}]}, "invalid address"),
    ],
)
def test_a_firewall_that_cannot_be_made_is_refused(digitalocean: Cloud, given: dict[str, Any], words: str) -> None:
    assert words in digitalocean.refuses(WALL, **given)


def test_a_firewall_takes_tags_that_there_are_and_changes_in_place(digitalocean: Cloud) -> None:
    digitalocean.make(TAG, name="behind")
    wall = digitalocean.make(WALL, tags=["behind"], outboundRules=[OUT])
    assert digitalocean.diff(wall, tags=["behind"], outboundRules=[OUT], inboundRules=[]).replaces == []
    inbound = [{"protocol": "tcp", "portRange": "22", "sourceAddresses": ["192.0.2.0/24"]}]
    assert digitalocean.change(wall, tags=["behind"], outboundRules=[OUT], inboundRules=inbound).id == wall.id


def test_a_tag_is_there_once_whatever_its_letters(digitalocean: Cloud) -> None:
    digitalocean.make(TAG, name="Behind")
    assert "already been taken" in digitalocean.refuses(TAG, "second", name="behind")
    assert digitalocean.check(TAG, name="a b")


def test_a_public_key_is_taken_once(digitalocean: Cloud) -> None:
    key = digitalocean.make(KEY, publicKey=PUBLIC_KEY)
    assert len(key.outputs["fingerprint"].split(":")) == 16
    assert "already in use" in digitalocean.refuses(KEY, "second", publicKey=PUBLIC_KEY)
    assert "Key invalid" in digitalocean.refuses(KEY, "third", publicKey="ssh-rsa none")


def test_a_droplet_has_one_reserved_ip_and_that_one_holder(net: Net) -> None:
    host, other, address = net.host(), net.host("other"), net.address()
    bind = {"ipAddress": address.id, "dropletId": int(host.id)}
    net.ocean.make(BOUND, **bind)
    taken = {"ipAddress": net.address("second").id, "dropletId": int(host.id)}
    assert "already has a reserved IP" in net.ocean.refuses(BOUND, "second", **taken)
    moved = net.ocean.make(BOUND, "moved", ipAddress=address.id, dropletId=int(other.id))
    assert [each.id for each in net.ocean.store.list(BOUND)] == [moved.id]


@pytest.mark.parametrize("change", [{"ipAddress": "192.0.2.250"}, {"dropletId": 1}])
def test_what_is_not_there_is_not_bound(net: Net, change: dict[str, Any]) -> None:
    given = {"ipAddress": net.address().id, "dropletId": int(net.host().id), **change}
    assert "not" in net.ocean.refuses(BOUND, **given)


def test_what_is_in_another_region_is_not_joined(net: Net) -> None:
    host = int(net.host().id)
    far = net.address(region="nyc3")
    assert "same region" in net.ocean.refuses(BOUND, ipAddress=far.id, dropletId=host)
    disk = net.disk(region="nyc3")
    assert "same region" in net.ocean.refuses(ATTACHED, volumeId=disk.id, dropletId=host)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"name": "Disk"}, "lower-case"),
        ({"name": "7disk"}, "lower-case"),
        ({"name": "d" * 65}, "lower-case"),
        ({"size": 16385}, "between 1GB and 16384GB"),
        ({"region": "sgp9"}, "invalid region"),
        ({"name": "there"}, "already exists"),
    ],
)
def test_a_volume_that_cannot_be_made_is_refused(net: Net, given: dict[str, Any], words: str) -> None:
    net.disk("first", name="there")
    assert words in net.ocean.refuses(DISK, **{"region": REGION, "size": 20, **given})


def test_a_volume_grows_in_place_and_never_shrinks(net: Net) -> None:
    disk = net.disk(name="data")
    assert net.ocean.diff(disk, region=REGION, name="data", size=40).replaces == []
    assert net.ocean.change(disk, region=REGION, name="data", size=40).outputs["size"] == 40
    with pytest.raises(CloudError, match="can only be expanded"):
        net.ocean.change(disk, region=REGION, name="data", size=10)


def test_an_attached_volume_is_neither_attached_again_nor_deleted(net: Net) -> None:
    host, disk = int(net.host().id), net.disk()
    plug = net.ocean.make(ATTACHED, volumeId=disk.id, dropletId=host)
    assert "already attached" in net.ocean.refuses(ATTACHED, "second", volumeId=disk.id, dropletId=host)
    with pytest.raises(CloudError, match="cannot be deleted"):
        net.ocean.delete(disk)
    net.ocean.delete(plug)
    net.ocean.delete(disk)
    assert net.ocean.store.list(DISK) == []


def test_a_vpc_with_members_stays(net: Net) -> None:
    host = net.host()
    with pytest.raises(CloudError, match="Can not delete VPC with members"):
        net.ocean.delete(net.vpc)
    net.ocean.delete(host)
    net.ocean.delete(net.vpc)
    assert net.ocean.store.list(VPC) == []


def test_a_larger_size_is_the_same_droplet_and_one_that_is_not_there_is_refused(net: Net) -> None:
    host = net.host()
    assert net.ocean.diff(host, **net.host_inputs(size="s-4vcpu-8gb")).replaces == []
    assert net.ocean.change(host, **net.host_inputs(size="s-4vcpu-8gb")).outputs["memory"] == 8192
    with pytest.raises(CloudError, match="invalid size"):
        net.ocean.change(host, **net.host_inputs(size="none"))


@pytest.mark.parametrize(
    "change", [{"image": "235163036"}, {"userData": "#!/bin/sh"}, {"sshKeys": ["1"]}, {"region": "nyc3"}]
)
def test_what_shapes_a_droplet_at_its_start_replaces_it(net: Net, change: dict[str, Any]) -> None:
    assert net.ocean.diff(net.host(), **net.host_inputs(**change)).replaces == list(change)


def test_a_record_is_there_once(digitalocean: Cloud) -> None:
    given = {"domain": "example.com", "name": "llm", "type": "A", "value": "192.0.2.1"}
    assert digitalocean.make(RECORD, **given).outputs["fqdn"] == "llm.example.com"
    assert "needs to be unique" in digitalocean.refuses(RECORD, "second", **given)


GET, GET_ONE = f"{INDEX}getImages:getImages", f"{INDEX}getImage:getImage"


def test_a_slug_leads_to_the_newest_image_and_an_older_one_is_still_known() -> None:
    now, later = cloud("digitalocean"), cloud("digitalocean", faults="image-date:20270101")
    asked = {"filters": [{"key": "slug", "values": ["ubuntu-24-04-x64"]}]}
    (first,), (newer,) = (each.ask(GET, **asked)["images"] for each in (now, later))
    assert str(first["id"]) == IMAGE
    assert newer["id"] > first["id"]
    assert later.make(DROPLET, image=str(first["id"]), size=SIZE, region=REGION).id
    assert later.make(DROPLET, "new", image=str(newer["id"]), size=SIZE, region=REGION).id
    assert now.ask(GET_ONE, slug="ubuntu-24-04-x64")["id"] == first["id"]


def test_what_no_image_has_finds_none(digitalocean: Cloud) -> None:
    assert digitalocean.ask(GET, filters=[{"key": "slug", "values": ["windows"]}])["images"] == []
    with pytest.raises(CloudError, match="404"):
        digitalocean.ask(GET_ONE, slug="windows")
    with pytest.raises(CloudError, match="'colour' does not exist"):
        digitalocean.ask(GET, filters=[{"key": "colour", "values": ["blue"]}])
    regions = digitalocean.ask(f"{INDEX}getRegions:getRegions")["regions"]
    assert "sgp1" in {each["slug"] for each in regions}


def test_a_look_up_that_the_account_may_not_make_is_denied() -> None:
    with pytest.raises(CloudError, match="403 You are not authorized"):
        cloud("digitalocean", faults="denied:getImages").ask(GET)
