"""What Azure refuses, in its words, and what it gives back."""

from __future__ import annotations

import base64
import copy
from dataclasses import dataclass
from typing import Any

import pytest

from pulumi_llm._provider_facts import schema
from pulumi_llm._simcloud.rules.base import CloudError
from pulumi_llm._simcloud.rules.reach import lets_in, machine_at
from tests.clouds.harness import PUBLIC_KEY

from .conftest import Cloud, Made, cloud

PREFIX = "azure-native:"
GROUP, NETWORK = f"{PREFIX}resources:ResourceGroup", f"{PREFIX}network:VirtualNetwork"
SUBNET, WALL = f"{PREFIX}network:Subnet", f"{PREFIX}network:NetworkSecurityGroup"
ADDRESS, CARD = f"{PREFIX}network:PublicIPAddress", f"{PREFIX}network:NetworkInterface"
DISK, MACHINE = f"{PREFIX}compute:Disk", f"{PREFIX}compute:VirtualMachine"
PLACE, SIZE = "southeastasia", "Standard_B2s_v2"
IMAGE = {"publisher": "Canonical", "offer": "ubuntu-24_04-lts", "sku": "server", "version": "latest"}
KEY_PATH = "/home/ubuntu/.ssh/authorized_keys"


@dataclass
class Net:
    azure: Cloud
    group: Made
    network: Made
    subnet: Made

    @property
    def place(self) -> dict[str, str]:
        return {"resourceGroupName": self.group.outputs["name"], "location": PLACE}

    def wall(self, called: str = "wall", /, *rules: dict[str, Any]) -> Made:
        return self.azure.make(WALL, called, **self.place, securityRules=list(rules))

    def address(self, called: str = "address", /, **more: Any) -> Made:
        return self.azure.make(ADDRESS, called, **self.place, **{**STATIC, **more})

    def card(self, called: str = "card", /, **more: Any) -> Made:
        return self.azure.make(CARD, called, **self.card_inputs(**more))

    def card_inputs(self, address: Made | None = None, **more: Any) -> dict[str, Any]:
        one: dict[str, Any] = {"name": "main", "subnet": {"id": self.subnet.id}}
        if address is not None:
            one["publicIPAddress"] = {"id": address.id}
        return {**self.place, "ipConfigurations": [one], **more}

    def disk(self, called: str = "disk", /, size: int = 20, **more: Any) -> Made:
        given = {**self.place, "diskSizeGB": size, "creationData": {"createOption": "Empty"}, **more}
        return self.azure.make(DISK, called, **given)

    def host(self, called: str = "host", /, card: Made | None = None, **more: Any) -> Made:
        return self.azure.make(MACHINE, called, **self.inputs(card or self.card(f"{called}-card"), **more))

    def inputs(self, card: Made, **changes: Any) -> dict[str, Any]:
        """What a machine is made with. ``changes``: values by dotted paths, with `__` for the dot."""
        found: dict[str, Any] = {
            **self.place,
            "hardwareProfile": {"vmSize": SIZE},
            "storageProfile": {
                "imageReference": dict(IMAGE),
                "osDisk": {"createOption": "FromImage", "diskSizeGB": 40},
            },
            "osProfile": {
                "computerName": "host",
                "adminUsername": "ubuntu",
                "linuxConfiguration": {
                    "disablePasswordAuthentication": True,
                    "ssh": {"publicKeys": [{"keyData": PUBLIC_KEY, "path": KEY_PATH}]},
                },
            },
            "networkProfile": {"networkInterfaces": [{"id": card.id}]},
        }
        return changed(found, **changes)

    def data(self, disk: Made) -> list[dict[str, Any]]:
        return [{"lun": 0, "createOption": "Attach", "managedDisk": {"id": disk.id}}]


STATIC: dict[str, Any] = {"sku": {"name": "Standard"}, "publicIPAllocationMethod": "Static"}


def changed(inputs: dict[str, Any], **changes: Any) -> dict[str, Any]:
    found = copy.deepcopy(inputs)
    for path, value in changes.items():
        *steps, last = path.split("__")
        here = found
        for step in steps:
            here = here[step]
        here[last] = value
    return found


def rule(**more: Any) -> dict[str, Any]:
    given = {"name": "in-443", "priority": 100, "direction": "Inbound", "access": "Allow", "protocol": "Tcp"}
    ends = {"sourceAddressPrefix": "203.0.113.0/24", "destinationPortRange": "443"}
    return {**given, **ends, "sourcePortRange": "*", "destinationAddressPrefix": "*", **more}


def build(faults: str = "") -> Net:
    made = cloud("azure-native", faults=faults)
    group = made.make(GROUP, "group", location=PLACE)
    place = {"resourceGroupName": group.outputs["name"]}
    network = made.make(NETWORK, "net", **place, location=PLACE, addressSpace={"addressPrefixes": ["10.0.0.0/16"]})
    given = {**place, "virtualNetworkName": network.outputs["name"], "addressPrefix": "10.0.1.0/24"}
    return Net(made, group, network, made.make(SUBNET, "subnet", **given))


@pytest.fixture
def net() -> Net:
    return build()


def test_the_provider_completes_names_and_ids_hold_the_group(net: Net) -> None:
    assert net.group.outputs["name"].startswith("group")
    assert len(net.group.outputs["name"]) == len("group") + 8
    assert net.subnet.id.startswith(f"{net.network.id}/subnets/subnet")


def test_a_type_whose_name_a_nested_type_has_too_is_described_with_its_own_arguments() -> None:
    for type_ in (NETWORK, SUBNET, WALL, ADDRESS):
        described = schema.describe(type_)
        assert described is not None
        assert "resourceGroupName" in described["required"], type_


def test_a_machine_has_the_address_of_its_interface_and_the_image_of_the_day(net: Net) -> None:
    address = net.address()
    card = net.card(address=address)
    host = net.host(card=card)
    assert card.outputs["ipConfigurations"][0]["privateIPAddress"] == "10.0.1.4"
    assert net.card("other").outputs["ipConfigurations"][0]["privateIPAddress"] == "10.0.1.5"
    found = machine_at(net.azure.store, address.outputs["ipAddress"])
    assert found is not None
    assert found.id == host.id
    reference = host.outputs["storageProfile"]["imageReference"]
    assert reference == {**IMAGE, "exactVersion": "24.04.202609100"}
    host = build("image-date:20271231").host()
    assert host.outputs["storageProfile"]["imageReference"]["exactVersion"] == "24.04.202712310"


def test_only_whoever_has_the_private_key_gets_in(net: Net) -> None:
    serialization = pytest.importorskip("cryptography.hazmat.primitives.serialization")
    from cryptography.hazmat.primitives.asymmetric import ed25519

    mine, other = ed25519.Ed25519PrivateKey.generate(), ed25519.Ed25519PrivateKey.generate()
    line = mine.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    keys = [{"keyData": line.decode(), "path": KEY_PATH}]
    made = net.host(osProfile__linuxConfiguration__ssh__publicKeys=keys)
    host = net.azure.store.get(MACHINE, made.id)
    assert host is not None

    def text(private: Any) -> str:
        form = (serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption())
        return str(private.private_bytes(*form).decode())

    assert lets_in(net.azure.store, host, text(mine))
    assert not lets_in(net.azure.store, host, text(other))


OLD_KEYS = [{"keyData": PUBLIC_KEY, "path": "/root/.ssh/authorized_keys"}]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"location": "mars"}, "LocationNotAvailableForResourceType"),
        ({"resourceGroupName": "none"}, "ResourceGroupNotFound"),
        ({"hardwareProfile__vmSize": "Standard_Giant"}, "The value Standard_Giant provided for the VM size"),
        ({"location": "japaneast"}, "InvalidResourceReference"),
        ({"storageProfile__imageReference": {**IMAGE, "sku": "none"}}, "PlatformImageNotFound"),
        ({"storageProfile__osDisk__diskSizeGB": 8}, "smaller than the size of the corresponding disk"),
        ({"osProfile__adminUsername": "root"}, "The Admin Username specified is not allowed"),
        ({"osProfile__computerName": "a_b"}, "computerName"),
        ({"osProfile__customData": "#cloud-config"}, "must be in Base64 encoding"),
        ({"osProfile__customData": base64.b64encode(b"#" * 65536).decode()}, "maximum length"),
        ({"osProfile__linuxConfiguration__ssh__publicKeys": OLD_KEYS}, "Destination path for SSH public keys"),
        (
            {"osProfile__linuxConfiguration__ssh__publicKeys": [{"keyData": "x", "path": KEY_PATH}]},
            "keyData is invalid",
        ),
        ({"networkProfile__networkInterfaces": []}, "NetworkProfileMissing"),
        ({"networkProfile__networkInterfaces": [{"id": "none"}]}, "InvalidResourceReference"),
    ],
)
def test_a_machine_that_cannot_be_made_is_refused(net: Net, change: dict[str, Any], words: str) -> None:
    assert words in net.azure.refuses(MACHINE, **net.inputs(net.card(), **change))


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (f"no-stock:{PLACE}", "is currently not available in location 'southeastasia'"),
        (f"quota:{SIZE}", "exceeding approved Total Regional Cores quota"),
    ],
)
def test_stock_and_quota_are_refused_in_azures_words(fault: str, words: str) -> None:
    net = build(fault)
    assert words in net.azure.refuses(MACHINE, **net.inputs(net.card()))


def test_too_many_addresses_are_refused() -> None:
    net = build("quota:address")
    assert "PublicIPCountLimitReached" in net.azure.refuses(ADDRESS, **net.place, **STATIC)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"storageProfile__imageReference": {**IMAGE, "version": "24.04.202601010"}}, "imageReference"),
        ({"osProfile__customData": base64.b64encode(b"other").decode()}, "customData"),
        ({"osProfile__adminUsername": "other"}, "adminUsername"),
        ({"osProfile__linuxConfiguration__ssh__publicKeys": []}, "linuxConfiguration.ssh.publicKeys"),
        ({"zones": ["1"]}, "zones"),
    ],
)
def test_the_provider_sends_what_azure_then_refuses(net: Net, change: dict[str, Any], named: str) -> None:
    card = net.card()
    host = net.host(card=card)
    asked = net.inputs(card, **change)
    assert net.azure.diff(host, **asked).replaces == []
    with pytest.raises(CloudError, match=f"PropertyChangeNotAllowed.*'{named}'"):
        net.azure.change(host, **asked)


def test_a_machine_is_resized_in_place_and_its_system_disk_is_not(net: Net) -> None:
    card = net.card()
    host = net.host(card=card)
    larger = net.inputs(card, hardwareProfile__vmSize="Standard_B4s_v2")
    assert net.azure.diff(host, **larger).replaces == []
    host = net.azure.change(host, **larger)
    assert host.outputs["storageProfile"]["imageReference"]["exactVersion"] == "24.04.202609100"
    larger = changed(larger, storageProfile__osDisk__diskSizeGB=50)
    with pytest.raises(CloudError, match="when the Virtual Machine is deallocated"):
        net.azure.change(host, **larger)
    gone = build(f"no-stock:{SIZE}")
    card = gone.card()
    host = gone.host(card=card, hardwareProfile__vmSize="Standard_B4s_v2")
    with pytest.raises(CloudError, match="SkuNotAvailable"):
        gone.azure.change(host, **gone.inputs(card))


@pytest.mark.parametrize(
    ("type_", "key"), [(NETWORK, "location"), (ADDRESS, "location"), (GROUP, "location"), (ADDRESS, "sku")]
)
def test_what_the_providers_own_list_replaces_for(net: Net, type_: str, key: str) -> None:
    made = {NETWORK: net.network, GROUP: net.group}.get(type_) or net.address()
    other = {"name": "Basic"} if key == "sku" else "japaneast"
    asked = {name: value for name, value in made.inputs.items() if not name.startswith("__")}
    assert net.azure.diff(made, **{**asked, key: other}).replaces == [key]


def test_a_disk_is_of_one_machine_and_never_made_smaller(net: Net) -> None:
    disk, card = net.disk(), net.card()
    host = net.host(card=card, storageProfile__dataDisks=net.data(disk))
    other = net.inputs(net.card("second"), storageProfile__dataDisks=net.data(disk))
    assert "the disk is currently attached to VM" in net.azure.refuses(MACHINE, **other)
    with pytest.raises(CloudError, match="is attached to VM"):
        net.azure.delete(disk)
    larger = net.azure.change(disk, **{**disk.inputs, "diskSizeGB": 30})
    assert larger.outputs["managedBy"] == host.id
    with pytest.raises(CloudError, match="shrinking is not supported"):
        net.azure.change(larger, **{**larger.inputs, "diskSizeGB": 20})
    # Another disk takes its place in the machine that is there.
    second = net.disk("second")
    host = net.azure.change(host, **net.inputs(card, storageProfile__dataDisks=net.data(second)))
    net.azure.delete(disk)
    net.azure.delete(host)
    net.azure.delete(second)


@pytest.mark.parametrize("size", [0, 32768])
def test_a_disk_that_is_not_sold_is_refused(net: Net, size: int) -> None:
    given = {**net.place, "diskSizeGB": size, "creationData": {"createOption": "Empty"}}
    assert "between 1 and 32767" in net.azure.refuses(DISK, **given)


def test_an_interface_is_in_one_machine_and_an_address_in_one_interface(net: Net) -> None:
    address = net.address()
    card = net.card(address=address)
    host = net.host(card=card)
    assert "PublicIPAddressInUse" in net.azure.refuses(CARD, **net.card_inputs(address))
    assert "NicInUse" in net.azure.refuses(MACHINE, **net.inputs(card))
    # A change of the interface leaves it in its machine, with its address.
    after = net.azure.change(card, **{**card.inputs, "tags": {"a": "b"}})
    assert after.outputs["virtualMachine"] == {"id": host.id}
    assert after.outputs["ipConfigurations"] == card.outputs["ipConfigurations"]
    for made, words in ((card, "NicInUse"), (address, "PublicIPAddressCannotBeDeleted"), (net.subnet, "InUseSubnet")):
        with pytest.raises(CloudError, match=words):
            net.azure.delete(made)
    net.azure.delete(host)
    for each in (card, address, net.subnet, net.network, net.group):
        net.azure.delete(each)


def test_what_is_in_a_group_goes_with_it(net: Net) -> None:
    net.disk()
    net.azure.delete(net.group)
    assert net.azure.store.list(GROUP, NETWORK, SUBNET, DISK) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"priority": 99}, "SecurityRuleInvalidPriority"),
        ({"name": ""}, "InvalidResourceName"),
        ({"destinationPortRange": "70000"}, "SecurityRuleInvalidPortRange"),
        ({"sourceAddressPrefix": "10.0.0.1/8"}, "SecurityRuleInvalidAddressPrefix"),
        ({"sourceAddressPrefixes": ["10.0.0.0/8"]}, "SecurityRuleParameterContainsInvalidValue"),
        ({"sourceAddressPrefix": None}, "SecurityRuleParameterContainsInvalidValue"),
    ],
)
def test_a_rule_that_cannot_be_made_is_refused(net: Net, change: dict[str, Any], words: str) -> None:
    assert words in net.azure.refuses(WALL, **net.place, securityRules=[rule(**change)])


def test_two_rules_have_two_priorities(net: Net) -> None:
    twice = [rule(), rule(name="in-22", destinationPortRange="22")]
    assert "SecurityRuleConflict" in net.azure.refuses(WALL, **net.place, securityRules=twice)
    wall = net.wall("wall", rule(), rule(name="closed", access="Deny", priority=4096, sourceAddressPrefix="*"))
    card = net.card(networkSecurityGroup={"id": wall.id})
    with pytest.raises(CloudError, match="InUseNetworkSecurityGroupCannotBeDeleted"):
        net.azure.delete(wall)
    net.azure.delete(card)
    net.azure.delete(wall)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"addressPrefix": "10.9.0.0/24"}, "NetcfgInvalidSubnet"),
        ({"addressPrefix": "10.0.1.128/25"}, "NetcfgSubnetRangesOverlap"),
        ({"addressPrefix": "10.0.2.0/30"}, "NetcfgInvalidSubnet"),
        ({"virtualNetworkName": "none"}, "was not found"),
    ],
)
def test_a_subnet_that_cannot_be_made_is_refused(net: Net, change: dict[str, Any], words: str) -> None:
    given = {
        "resourceGroupName": net.group.outputs["name"],
        "virtualNetworkName": net.network.outputs["name"],
        "addressPrefix": "10.0.2.0/24",
    }
    assert words in net.azure.refuses(SUBNET, "second", **{**given, **change})
