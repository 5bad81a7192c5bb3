"""What Google Cloud refuses, in its words, and what it gives back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from pulumi_llm._simcloud.rules.base import CloudError
from pulumi_llm._simcloud.rules.reach import lets_in, machine_at

from .conftest import Cloud, Made, cloud

COMPUTE = "gcp:compute/"
NETWORK, SUBNET, WALL = f"{COMPUTE}network:Network", f"{COMPUTE}subnetwork:Subnetwork", f"{COMPUTE}firewall:Firewall"
ADDRESS, INSTANCE = f"{COMPUTE}address:Address", f"{COMPUTE}instance:Instance"
DISK, ATTACHED = f"{COMPUTE}disk:Disk", f"{COMPUTE}attachedDisk:AttachedDisk"
REGION, ZONE, TYPE = "us-west1", "us-west1-a", "e2-medium"
IMAGE = "https://www.googleapis.com/compute/v1/projects/ubuntu-os-cloud/global/images/ubuntu-2404-noble-amd64-v20260910"


@dataclass
class Net:
    google: Cloud
    network: Made
    subnet: Made

    def host_inputs(self, **more: Any) -> dict[str, Any]:
        return {
            "zone": ZONE,
            "machineType": TYPE,
            "bootDisk": {"initializeParams": {"image": IMAGE, "size": 20}},
            "networkInterfaces": [{"subnetwork": self.subnet.id}],
            "allowStoppingForUpdate": True,
            **more,
        }

    def host(self, called: str = "host", /, **more: Any) -> Made:
        return self.google.make(INSTANCE, called, **self.host_inputs(**more))

    def with_address(self, address: str) -> dict[str, Any]:
        return {"networkInterfaces": [{"subnetwork": self.subnet.id, "accessConfigs": [{"natIp": address}]}]}

    def address(self, called: str = "address", /, region: str = REGION) -> Made:
        return self.google.make(ADDRESS, called, region=region)

    def disk(self, called: str = "disk", /, **more: Any) -> Made:
        return self.google.make(DISK, called, **{"zone": ZONE, "size": 20, **more})


def made_in(google: Cloud) -> Net:
    network = google.make(NETWORK, "net", autoCreateSubnetworks=False)
    subnet = google.make(SUBNET, "subnet", network=network.id, region=REGION, ipCidrRange="10.0.1.0/24")
    return Net(google, network, subnet)


@pytest.fixture
def net() -> Net:
    return made_in(cloud("gcp", region=REGION))


def test_ids_are_relative_names_and_addresses_are_of_the_subnet(net: Net) -> None:
    host = net.host()
    assert host.id == f"projects/simulated-project/zones/{ZONE}/instances/{host.inputs['name']}"
    assert host.inputs["name"].startswith("host-")
    cards = [net.host("other").outputs["networkInterfaces"], host.outputs["networkInterfaces"]]
    assert all(card["networkIp"].startswith("10.0.1.") for (card,) in cards)
    assert cards[0] != cards[1]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"zone": "us-west1-x"}, "Unknown zone"),
        ({"machineType": "e2-giant"}, "Machine type does not exist in zone"),
        ({"bootDisk": {"initializeParams": {"image": "ubuntu"}}}, "Could not find image"),
        ({"bootDisk": {"initializeParams": {"image": IMAGE, "size": 5}}}, "smaller than the image size"),
        ({"networkInterfaces": [{"subnetwork": "none"}]}, "The resource 'none' was not found"),
        ({"zone": "us-west2-a"}, "Subnetwork is not in region us-west2"),
        ({"tags": ["Web"]}, "Must be a match of regex"),
        ({"metadata": {"user-data": "#" * 262145}}, "maximum size 262144"),
        ({"networkInterfaces": [{"accessConfigs": [{"natIp": "192.0.2.9"}]}]}, "was not found"),
    ],
)
def test_a_machine_that_cannot_be_made_is_refused(net: Net, change: dict[str, Any], words: str) -> None:
    if "accessConfigs" in str(change):
        change = net.with_address("192.0.2.9")
    refused = net.google.refuses(INSTANCE, **net.host_inputs(**change))
    assert refused.startswith("Error creating instance")
    assert words in refused


def test_user_data_of_just_the_limit_is_accepted(net: Net) -> None:
    assert net.host(metadata={"user-data": "#" * 262144}).id


@pytest.mark.parametrize("fault", ["no-stock:*", f"no-stock:{TYPE}", f"no-stock:{ZONE}", f"quota:{TYPE}"])
def test_a_fault_is_told_in_the_clouds_words(fault: str) -> None:
    net = made_in(cloud("gcp", region=REGION, faults=fault))
    words = "Quota 'CPUS' exceeded" if "quota" in fault else "does not have enough resources available"
    assert words in net.google.refuses(INSTANCE, **net.host_inputs())


T4 = [{"type": "nvidia-tesla-t4", "count": 1}]
L4 = [{"type": "nvidia-l4", "count": 1}]
STAYS = {"scheduling": {"onHostMaintenance": "TERMINATE"}}


@pytest.mark.parametrize(("type_", "cards"), [("n1-standard-8", T4), ("g2-standard-8", L4), ("g2-standard-8", [])])
def test_a_machine_with_a_gpu_is_made_with_its_cards(net: Net, type_: str, cards: list[dict[str, Any]]) -> None:
    host = net.host(machineType=type_, guestAccelerators=cards, **STAYS)
    assert host.outputs["guestAccelerators"] == cards


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"machineType": "g2-standard-8", "guestAccelerators": L4}, "do not support live migration"),
        ({"machineType": "e2-medium", "guestAccelerators": T4, **STAYS}, "features are not compatible"),
        ({"machineType": "g2-standard-24", "guestAccelerators": L4, **STAYS}, "features are not compatible"),
        ({"machineType": "n1-standard-8", **STAYS}, "Machine type does not exist in zone"),
        ({"machineType": "n1-standard-8", "guestAccelerators": T4, "zone": "us-west1-c", **STAYS}, "does not exist"),
        ({"scheduling": {"preemptible": True}}, "preemptible be false when AutomaticRestart is true"),
    ],
)
def test_cards_that_do_not_go_with_a_machine_are_refused(net: Net, change: dict[str, Any], words: str) -> None:
    assert words in net.google.refuses(INSTANCE, **net.host_inputs(**change))


def test_cards_have_a_quota_of_the_whole_project() -> None:
    net = made_in(cloud("gcp", region=REGION, faults="quota:g2-standard-8"))
    inputs = net.host_inputs(machineType="g2-standard-8", guestAccelerators=L4, **STAYS)
    assert "Quota 'GPUS_ALL_REGIONS' exceeded.  Limit: 0.0 globally." in net.google.refuses(INSTANCE, **inputs)


def test_another_card_replaces_the_machine_and_another_size_does_not(net: Net) -> None:
    host = net.host(machineType="g2-standard-4", guestAccelerators=L4, **STAYS)
    larger = net.google.diff(host, **net.host_inputs(machineType="g2-standard-8", guestAccelerators=L4, **STAYS))
    assert (larger.changed, larger.replaces) == (["machineType"], [])
    other = net.google.diff(host, **net.host_inputs(machineType="n1-standard-8", guestAccelerators=T4, **STAYS))
    assert [each.split("[")[0] for each in other.replaces] == ["guestAccelerators"]


def test_a_spot_machine_that_was_stopped_is_started_by_what_is_wanted_of_it(net: Net) -> None:
    spot = {"scheduling": {"preemptible": True, "automaticRestart": False}, "desiredStatus": "RUNNING"}
    host = net.host(**spot)
    host.outputs["desiredStatus"] = "TERMINATED"  # as the provider reads it
    host.inputs["desiredStatus"] = "TERMINATED"
    found = net.google.diff(host, **net.host_inputs(**spot))
    assert (found.changed, found.replaces) == (["desiredStatus"], [])


def test_two_machines_do_not_have_one_address(net: Net) -> None:
    address = net.address().outputs["address"]
    net.host(**net.with_address(address))
    inputs = net.host_inputs(**net.with_address(address))
    assert "already in-use" in net.google.refuses(INSTANCE, "second", **inputs)
    far = net.google.make(ADDRESS, "far", region="us-west2").outputs["address"]
    inputs = net.host_inputs(**net.with_address(far))
    assert "was not found in region 'us-west1'" in net.google.refuses(INSTANCE, "second", **inputs)


def test_a_machine_is_found_by_the_address_that_it_was_made_with(net: Net) -> None:
    address = net.address().outputs["address"]
    host = net.host(**net.with_address(address))
    found = machine_at(net.google.store, address)
    assert found is not None
    assert found.id == host.id
    inside = host.outputs["networkInterfaces"][0]["networkIp"]
    assert machine_at(net.google.store, inside) is None
    assert machine_at(net.google.store, inside, private=True) is not None


def test_a_machine_lets_in_the_keys_of_its_own_metadata_alone(net: Net) -> None:
    ed25519 = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.ed25519")
    from cryptography.hazmat.primitives import serialization as pem

    def pair() -> tuple[str, str]:
        key = ed25519.Ed25519PrivateKey.generate()
        private = key.private_bytes(pem.Encoding.PEM, pem.PrivateFormat.OpenSSH, pem.NoEncryption()).decode()
        return private, key.public_key().public_bytes(pem.Encoding.OpenSSH, pem.PublicFormat.OpenSSH).decode()

    (ours, line), (others, __) = pair(), pair()
    net.host(metadata={"ssh-keys": f"ubuntu:{line}", "user-data": "#cloud-config\n"})
    (machine,) = net.google.store.list(INSTANCE)
    assert lets_in(net.google.store, machine, ours)
    assert not lets_in(net.google.store, machine, others)


@pytest.mark.parametrize(
    ("change", "replaced"),
    [
        ({"machineType": "e2-standard-4"}, []),
        ({"metadata": {"user-data": "other"}}, []),
        ({"tags": ["web"]}, []),
        ({"zone": "us-west1-b"}, ["zone"]),
        ({"bootDisk": {"initializeParams": {"image": IMAGE.replace("0910", "0911"), "size": 20}}}, ["bootDisk"]),
        ({"bootDisk": {"initializeParams": {"image": IMAGE, "size": 30}}}, []),
        ({"hostname": "a.example.com"}, ["hostname"]),
    ],
)
def test_what_replaces_a_machine_is_what_the_provider_says(
    net: Net, change: dict[str, Any], replaced: list[str]
) -> None:
    found = net.google.diff(net.host(), **net.host_inputs(**change))
    assert found.changed
    assert found.replaces == replaced


def test_another_type_wants_leave_to_stop_the_machine(net: Net) -> None:
    host = net.host()
    assert net.google.change(host, **net.host_inputs(machineType="e2-standard-2")).id == host.id
    with pytest.raises(CloudError, match="allow_stopping_for_update"):
        net.google.change(host, **net.host_inputs(machineType="e2-standard-2", allowStoppingForUpdate=False))


def test_a_smaller_disk_would_be_another_disk_and_a_larger_one_is_the_same(net: Net) -> None:
    disk = net.disk()
    assert net.google.diff(disk, zone=ZONE, size=10).replaces == ["size"]
    assert net.google.diff(disk, zone=ZONE, size=30).replaces == []
    assert net.google.change(disk, zone=ZONE, size=30).outputs["size"] == 30
    assert "than what is sold" in net.google.refuses(DISK, "tiny", zone=ZONE, size=5)


def test_a_disk_is_attached_once_in_its_zone_and_stays_while_it_is(net: Net) -> None:
    host, disk = net.host(), net.disk()
    attached = net.google.make(ATTACHED, instance=host.id, disk=disk.id)
    assert "already being used" in net.google.refuses(ATTACHED, "again", instance=host.id, disk=disk.id)
    far = net.disk("far", zone="us-west1-b")
    assert "same zone" in net.google.refuses(ATTACHED, "far", instance=host.id, disk=far.id)
    with pytest.raises(CloudError, match="already being used"):
        net.google.delete(disk)
    net.google.delete(attached)
    net.google.delete(disk)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "must be defined"),
        ({"sourceRanges": ["here"]}, "Must be a valid CIDR"),
        ({"sourceRanges": ["192.0.2.0/24"], "targetTags": ["Web"]}, "Must be a match of regex"),
        ({"sourceRanges": ["192.0.2.0/24"], "allows": [{"protocol": "tcp", "ports": ["99999"]}]}, "99999"),
        ({"sourceRanges": ["192.0.2.0/24"], "network": "none"}, "was not found"),
    ],
)
def test_a_rule_of_the_firewall_that_cannot_be_made_is_refused(net: Net, given: dict[str, Any], words: str) -> None:
    inputs = {"network": net.network.id, "allows": [{"protocol": "tcp", "ports": ["22"]}], **given}
    assert words in net.google.refuses(WALL, **inputs)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"ipCidrRange": "10.0.1.128/25"}, "conflicts with existing subnetwork"),
        ({"ipCidrRange": "10.0.2.0/30"}, "/4 to /29"),
        ({"network": "none"}, "was not found"),
    ],
)
def test_a_subnet_that_does_not_fit_is_refused(net: Net, given: dict[str, Any], words: str) -> None:
    inputs = {"network": net.network.id, "region": REGION, "ipCidrRange": "10.0.2.0/24", **given}
    assert words in net.google.refuses(SUBNET, "second", **inputs)


def test_what_is_in_use_is_not_deleted(net: Net) -> None:
    address = net.address()
    host = net.host(**net.with_address(address.outputs["address"]))
    for used in (net.network, net.subnet, address):
        with pytest.raises(CloudError, match="already being used"):
            net.google.delete(used)
    for each in (host, address, net.subnet, net.network):
        net.google.delete(each)
    assert net.google.store.list(INSTANCE, ADDRESS, SUBNET, NETWORK) == []


def test_a_family_leads_to_its_newest_image_and_an_older_one_stays_known(net: Net) -> None:
    asked = {"family": "ubuntu-2404-lts-amd64", "project": "ubuntu-os-cloud"}
    get = f"{COMPUTE}getImage:getImage"
    assert net.google.ask(get, **asked)["selfLink"] == IMAGE
    later = made_in(cloud("gcp", region=REGION, faults="image-date:20271231"))
    assert later.google.ask(get, **asked)["name"].endswith("-v20271231")
    assert later.host().id
    with pytest.raises(CloudError, match="was not found, notFound"):
        net.google.ask(get, **{**asked, "family": "debian"})


def test_a_look_up_that_the_account_may_not_make_is_denied() -> None:
    asked = {"family": "ubuntu-2404-lts-amd64", "project": "ubuntu-os-cloud"}
    get = f"{COMPUTE}getImage:getImage"
    assert cloud("gcp", region=REGION).ask(get, **asked)["family"] == asked["family"]
    with pytest.raises(CloudError, match=r"Error 403: Required 'compute\.images\.getFromFamily' permission"):
        cloud("gcp", region=REGION, faults="denied:getImage").ask(get, **asked)


def test_an_account_that_has_no_more_addresses_is_told_so() -> None:
    google = cloud("gcp", region=REGION, faults="quota:address")
    assert "Quota 'STATIC_ADDRESSES' exceeded" in google.refuses(ADDRESS, region=REGION)


TPU_IMAGE = (
    "https://www.googleapis.com/compute/v1/projects/ubuntu-os-accelerator-images/global/images/"
    "ubuntu-accel-2204-amd64-tpu-v5e-v5p-v6e-v20260910"
)
HYPERDISK = {"bootDisk": {"initializeParams": {"image": TPU_IMAGE, "size": 40, "type": "hyperdisk-balanced"}}}
TPU = {"machineType": "ct6e-standard-4t", "zone": "us-east5-a", **STAYS, **HYPERDISK}


def in_ohio(**more: Any) -> Net:
    google = cloud("gcp", region="us-east5", **more)
    network = google.make(NETWORK, "net", autoCreateSubnetworks=False)
    subnet = google.make(SUBNET, "subnet", network=network.id, region="us-east5", ipCidrRange="10.0.1.0/24")
    return Net(google, network, subnet)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"bootDisk": {"initializeParams": {"image": TPU_IMAGE, "size": 40}}}, "pd-standard disk type cannot be used"),
        ({"scheduling": {"onHostMaintenance": "MIGRATE"}}, "do not support live migration"),
        ({"guestAccelerators": L4}, "features are not compatible"),
        ({"zone": "us-east5-c"}, "Machine type does not exist in zone"),
        ({"machineType": "ct6e-standard-2t"}, "Machine type does not exist in zone"),
    ],
)
def test_a_machine_with_a_tpu_is_made_in_its_zones_with_its_disks_and_is_not_moved(
    change: dict[str, Any], words: str
) -> None:
    net = in_ohio()
    net.host(**TPU)
    assert words in net.google.refuses(INSTANCE, "second", **net.host_inputs(**{**TPU, **change}))


def test_a_tpu_takes_hyperdisk_alone_and_has_a_quota_of_its_own() -> None:
    net = in_ohio()
    host = net.host(**TPU)
    plain = net.disk("plain", zone="us-east5-a", type="pd-balanced")
    words = net.google.refuses(ATTACHED, disk=plain.id, instance=host.id)
    assert "pd-balanced disk type cannot be used by ct6e-standard-4t machine type" in words
    fit = net.disk("fit", zone="us-east5-a", type="hyperdisk-balanced")
    net.google.make(ATTACHED, "attached", disk=fit.id, instance=host.id)
    poor = in_ohio(faults="quota:ct6e-standard-4t")
    assert "Quota 'TPUS_PER_TPU_FAMILY' exceeded" in poor.google.refuses(INSTANCE, **poor.host_inputs(**TPU))
