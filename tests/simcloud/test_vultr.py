"""What Vultr refuses, in its words, and what it gives back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from pulumi_llm._simcloud.rules.base import CloudError
from pulumi_llm._simcloud.rules.reach import lets_in, machine_at
from tests.clouds.harness import PUBLIC_KEY

from .conftest import Cloud, Made, cloud

PREFIX = "vultr:index/"
VPC, GROUP, RULE = f"{PREFIX}vpc:Vpc", f"{PREFIX}firewallGroup:FirewallGroup", f"{PREFIX}firewallRule:FirewallRule"
KEY, INSTANCE = f"{PREFIX}sSHKey:SSHKey", f"{PREFIX}instance:Instance"
ADDRESS, VOLUME = f"{PREFIX}reservedIp:ReservedIp", f"{PREFIX}blockStorage:BlockStorage"
GET_OS = f"{PREFIX}getOs:getOs"
REGION, PLAN, OS = "sgp", "vc2-2c-4gb", 2284


@dataclass
class Net:
    vultr: Cloud
    vpc: Made
    key: Made

    def host(self, called: str = "host", /, **more: Any) -> Made:
        return self.vultr.make(INSTANCE, called, **self.inputs(**more))

    def inputs(self, **more: Any) -> dict[str, Any]:
        return {
            "region": REGION,
            "plan": PLAN,
            "osId": OS,
            "vpcIds": [self.vpc.id],
            "sshKeyIds": [self.key.id],
            **more,
        }

    def address(self, called: str = "address", /, region: str = REGION) -> Made:
        return self.vultr.make(ADDRESS, called, region=region, ipType="v4")

    def volume(self, called: str = "disk", /, **more: Any) -> Made:
        return self.vultr.make(VOLUME, called, **{"region": REGION, "sizeGb": 20, "label": "a", **more})


@pytest.fixture
def net() -> Net:
    return in_vpc(cloud("vultr"))


def in_vpc(made: Cloud) -> Net:
    vpc = made.make(VPC, "net", region=REGION, v4Subnet="10.0.1.0", v4SubnetMask=24)
    return Net(made, vpc, made.make(KEY, "key", sshKey=PUBLIC_KEY))


def test_a_machine_has_its_reserved_address_and_one_of_its_vpc(net: Net) -> None:
    address = net.address()
    host = net.host(reservedIpId=address.id)
    assert host.outputs["mainIp"] == address.outputs["subnet"]
    assert host.outputs["internalIp"].startswith("10.0.1.")
    other = net.host("other")
    assert other.outputs["mainIp"] != host.outputs["mainIp"]
    assert other.outputs["internalIp"] != host.outputs["internalIp"]
    found = machine_at(net.vultr.store, address.outputs["subnet"])
    assert found is not None
    assert found.id == host.id


def test_only_whoever_has_the_private_key_gets_in(net: Net) -> None:
    serialization = pytest.importorskip("cryptography.hazmat.primitives.serialization")
    from cryptography.hazmat.primitives.asymmetric import ed25519

    mine, other = ed25519.Ed25519PrivateKey.generate(), ed25519.Ed25519PrivateKey.generate()
    line = mine.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    key = net.vultr.make(KEY, "mine", sshKey=line.decode())
    host = net.vultr.store.get(INSTANCE, net.host(sshKeyIds=[key.id]).id)
    assert host is not None

    def text(private: Any) -> str:
        form = (serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption())
        return str(private.private_bytes(*form).decode())

    assert lets_in(net.vultr.store, host, text(mine))
    assert not lets_in(net.vultr.store, host, text(other))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"region": "mars"}, "Invalid region."),
        ({"plan": "vc2-giant"}, "Invalid plan chosen."),
        ({"plan": "vcg-l40s-16c-180g-48vram"}, "not available in the selected region"),
        ({"osId": 7}, "Invalid OS."),
        ({"osId": None}, "error occurred while getting your intended os type"),
        ({"isoId": "x"}, "Please do not set isoId with os_id"),
        ({"sshKeyIds": ["none"]}, "Invalid SSH key."),
        ({"firewallGroupId": "none"}, "Invalid firewall group ID."),
        ({"vpcIds": ["none"]}, "Invalid VPC ID."),
        ({"region": "ewr"}, "VPC must be in the same region"),
        ({"reservedIpId": "none"}, "Invalid reserved IP."),
        ({"userData": "#" * 65537}, "Invalid user_data."),
    ],
)
def test_a_machine_that_cannot_be_made_is_refused(net: Net, change: dict[str, Any], words: str) -> None:
    inputs = {key: value for key, value in net.inputs(**change).items() if value is not None}
    assert words in net.vultr.refuses(INSTANCE, **inputs)


@pytest.mark.parametrize("fault", ["no-stock:*", f"no-stock:{PLAN}", f"no-stock:{REGION}", "quota:*", f"quota:{PLAN}"])
def test_a_fault_is_told_in_vultrs_words(fault: str) -> None:
    poor = in_vpc(cloud("vultr", faults=fault))
    words = "maximum monthly fee limit" if "quota" in fault else "not available in the selected region"
    said = poor.vultr.refuses(INSTANCE, **poor.inputs())
    assert words in said
    assert '"status":400' in said


def test_a_fault_of_another_plan_is_no_fault_of_this_one() -> None:
    host = in_vpc(cloud("vultr", faults="quota:vc2-giant;no-stock:ewr")).host()
    assert host.outputs["vcpuCount"] == 2


def test_a_larger_plan_may_be_beyond_the_quota_too(net: Net) -> None:
    host = net.host()
    poor = cloud("vultr", net.vultr.store, faults="quota:vc2-4c-8gb")
    with pytest.raises(CloudError, match="maximum monthly fee limit"):
        poor.change(host, **net.inputs(plan="vc2-4c-8gb"))


def test_an_account_that_has_no_more_addresses_is_told_so() -> None:
    assert '"status":' in cloud("vultr", faults="quota:address").refuses(ADDRESS, region=REGION, ipType="v4")


def test_a_look_up_that_the_account_may_not_make_is_denied() -> None:
    filters = [{"name": "name", "values": ["Ubuntu 24.04 LTS x64"]}]
    assert cloud("vultr").ask(GET_OS, filters=filters)["id"] == str(OS)
    with pytest.raises(CloudError, match='"error":"Forbidden","status":403'):
        cloud("vultr", faults="denied:getOs").ask(GET_OS, filters=filters)


def test_an_address_has_one_machine_at_a_time_and_stays_while_it_has_one(net: Net) -> None:
    address = net.address()
    host = net.host(reservedIpId=address.id)
    words = "Floating IPv4 address is already attached to another server"
    assert words in net.vultr.refuses(INSTANCE, **net.inputs(reservedIpId=address.id))
    with pytest.raises(CloudError, match="attached to a server"):
        net.vultr.delete(address)
    net.vultr.delete(host)
    net.host("next", reservedIpId=address.id)


def test_a_volume_goes_to_another_machine_only_where_something_else_changes_too(net: Net) -> None:
    first, second = net.host(), net.host("second")
    volume = net.volume(attachedToInstance=first.id)
    with pytest.raises(CloudError, match=r"error getting block storage: .*Nothing to change"):
        net.vultr.change(volume, **{**volume.inputs, "attachedToInstance": second.id})
    moved = net.vultr.change(volume, **{**volume.inputs, "attachedToInstance": second.id, "label": "b"})
    assert moved.outputs["attachedToInstance"] == second.id


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"region": "mars"}, "Invalid region."),
        ({"sizeGb": 9}, "from 10 to 40000"),
        ({"sizeGb": 20, "blockType": "storage_opt"}, "from 40 to 40000"),
        ({"attachedToInstance": "none"}, "Invalid server."),
    ],
)
def test_a_volume_that_cannot_be_made_is_refused(net: Net, change: dict[str, Any], words: str) -> None:
    assert words in net.vultr.refuses(VOLUME, **{"region": REGION, "sizeGb": 20, **change})


def test_a_volume_is_never_made_smaller(net: Net) -> None:
    volume = net.volume()
    larger = net.vultr.change(volume, **{**volume.inputs, "sizeGb": 30})
    with pytest.raises(CloudError, match="can not be made smaller"):
        net.vultr.change(larger, **{**larger.inputs, "sizeGb": 20})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"firewallGroupId": "none"}, "Invalid firewall group ID."),
        ({"subnet": "10.0.0.1", "subnetSize": 8}, "Invalid subnet or subnet_size."),
        ({"port": "70000"}, "Invalid port."),
        ({"port": ""}, "Invalid port."),
        ({}, "This rule is already defined."),
    ],
)
def test_a_rule_that_cannot_be_made_is_refused(net: Net, change: dict[str, Any], words: str) -> None:
    group = net.vultr.make(GROUP, "group")
    rule = {
        "firewallGroupId": group.id,
        "ipType": "v4",
        "protocol": "tcp",
        "subnet": "203.0.113.0",
        "subnetSize": 24,
        "port": "443",
    }
    net.vultr.make(RULE, "rule", **rule)
    assert words in net.vultr.refuses(RULE, **{**rule, **change})


def test_what_is_in_use_is_not_deleted(net: Net) -> None:
    group = net.vultr.make(GROUP, "group")
    host = net.host(firewallGroupId=group.id)
    for made, words in ((group, "in use by instances"), (net.vpc, "has instances that are attached")):
        with pytest.raises(CloudError, match=words):
            net.vultr.delete(made)
    net.vultr.delete(host)
    net.vultr.delete(group)
    net.vultr.delete(net.vpc)
