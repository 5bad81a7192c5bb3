"""What is said of a machine that exists, in a spec: what is taken, what is refused, and what follows from it."""

from __future__ import annotations

from typing import Any

import pytest

from pulumi_llm import catalog, clouds
from pulumi_llm._resolve import resolve_platform
from pulumi_llm.errors import Refusal
from pulumi_llm.preflight.report import check
from pulumi_llm.preflight.request import FitRequest
from tests.ssh.samples import platform

NO_FOLDERS = ("/home/ubuntu", "/var/lib", "/mnt", "/etc/llm", "/usr/share/llm", "/dev/shm", "/run/llm", "/tmp/llm",
              "/opt/llm/data", "/srv/llm/data", "/var/lib/pulumi-llm/data")  # fmt: skip
"""Of the system, of somebody, in memory, swept, or below what a node makes itself."""


def refused(made: dict[str, Any]) -> set[tuple[str, str]]:
    with pytest.raises(Refusal) as caught:
        resolve_platform(made)
    return {(each.code, each.where) for each in caught.value.findings}


def test_a_machine_that_exists_needs_no_row_of_the_catalogue_and_costs_what_its_owner_says() -> None:
    place = resolve_platform(platform(price={"amount": 2.5, "currency": "CNY"})).server.site.place
    assert (place.cloud, place.region, place.instance_type, place.exists) == ("ssh", "us", "1 x RTX-4090", True)
    assert place.price is not None
    assert (place.price.amount, place.price.currency) == (2.5, "CNY")
    assert resolve_platform(platform()).server.site.place.price is None, "nobody says what it costs: that is not 0"


@pytest.mark.parametrize(
    ("key", "value", "code"),
    [
        ("address", "gpu.example.com", "spec.bad-address"),
        ("user", "Ubuntu User", "spec.bad-user"),
        ("host_key", "ssh-ed25519 bm90IGEga2V5", "spec.bad-host-key"),
        ("host_key", "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQ==", "spec.bad-host-key"),
        ("folder", "/", "spec.bad-folder"),
        ("folder", "/data/../etc", "spec.bad-folder"),
        ("folder", "/home", "spec.bad-folder"),
        ("folder", "data", "spec.bad-folder"),
        *((("folder", each, "spec.bad-folder")) for each in NO_FOLDERS),
        *((("address", each, "spec.bad-address")) for each in ("0.0.0.0", "224.0.0.1", "255.255.255.255")),
    ],
)
def test_what_a_host_cannot_be_is_refused_by_its_key(key: str, value: str, code: str) -> None:
    assert refused(platform(**{key: value})) == {(code, f"server.host.{key}")}


@pytest.mark.parametrize("folder", ["/data", "/mnt/big", "/home/ubuntu/llm", "/var/llm", "/srv/models", "/var/lib/llm"])
def test_a_folder_of_its_own_is_taken_wherever_it_lies(folder: str) -> None:
    assert resolve_platform(platform(folder=folder)).server.spec.host is not None


def test_two_ways_to_log_in_are_one_too_many() -> None:
    assert refused(platform(agent=True, private_key_file="~/.ssh/id")) == {("spec.two-keys", "server.host")}


def test_a_host_and_a_cloud_that_sells_do_not_go_together() -> None:
    made = platform()
    made["server"] |= {"cloud": "aws", "region": "us-east-1"}
    assert refused(made) == {("spec.host-of-a-cloud", "server")}
    made = platform()
    del made["server"]["host"]
    assert refused(made) == {("spec.host-needed", "server")}


@pytest.mark.parametrize("key", ["instance_type", "zone", "spot", "renew", "image_id", "system_disk_gib", "hours"])
def test_what_says_how_a_machine_is_bought_is_refused_of_one_that_exists(key: str) -> None:
    made = platform()
    made["server"][key] = {
        "instance_type": "g4dn.xlarge",
        "zone": "elsewhere",
        "image_id": "ami-0123456789abcdef0",
        "system_disk_gib": 100,
        "hours": "08:00-20:00 UTC",
    }.get(key, True)
    assert refused(made) == {("spec.not-of-a-host", "server")}


@pytest.mark.parametrize(
    ("part", "keys"),
    [
        ("network", {"cidr": "10.9.0.0/16"}),
        ("network", {"vpc_id": "vpc-1", "subnet_id": "subnet-1"}),
        ("vectors", {"placement": "own"}),
    ],
)
def test_what_is_bought_beside_a_machine_is_refused_beside_one_that_exists(part: str, keys: dict[str, Any]) -> None:
    made = platform()
    made[part] = keys
    assert [code for code, __ in refused(made)] == ["spec.not-of-a-host"]


def test_a_proxy_is_not_placed_on_a_machine_of_ones_own() -> None:
    made = platform()
    made["proxy"] = {"cloud": "ssh", "region": "us", "upstreams": {"openai": {"models": ["gpt-6-luna"]}}}
    assert "cloud.cannot" in {code for code, __ in refused(made)}


def test_a_model_that_does_not_fit_the_card_is_refused_and_one_with_more_memory_takes_it() -> None:
    made = platform()
    made["server"]["model"] = "Qwen/Qwen2.5-14B-Instruct"
    assert "fit.weights-exceed-vram" in {code for code, __ in refused(made)}
    made["server"]["host"]["gpu_memory_gib"] = 47.5  # a card that was given more than its maker gives it
    assert resolve_platform(made).server.memory is not None


def test_the_machines_own_memory_is_held_against_what_runs_there_where_it_is_told() -> None:
    made = platform(memory_gib=8)
    made["vectors"] = {"memory_gib": 16}
    assert ("fit.host-memory", "server.instance_type") in refused(made)
    del made["server"]["host"]["memory_gib"]
    assert resolve_platform(made).server.vectors is not None


def test_what_is_said_of_too_little_memory_works_where_it_is_done() -> None:
    made = platform(memory_gib=6)
    for more in ({}, {"apps": {"chat": {"admin_email": "ops@example.com"}}}):
        made["server"] |= more
        with pytest.raises(Refusal) as caught:
            resolve_platform(made)
        (found,) = caught.value.findings
        assert (found.code, str(found.hint)) == ("fit.host-memory", "a machine with more memory")
    made = platform(memory_gib=10)
    made["vectors"] = {"memory_gib": 4}
    with pytest.raises(Refusal) as caught:
        resolve_platform(made)
    (found,) = caught.value.findings
    assert str(found.hint) == "vectors.memory_gib: 2", "a machine of one's own has no other beside it"
    made["vectors"] = {"memory_gib": 2}
    assert resolve_platform(made).server.vectors is not None


@pytest.mark.parametrize(
    ("card", "gib"), [("RTX 3090", 23.54), ("RTX 4090", 23.52), ("RTX 4090 D", 23.52), ("RTX A6000", 47.5)]
)
def test_cards_that_people_own_are_known_by_what_the_driver_gives(card: str, gib: float) -> None:
    row = catalog.load().gpu(card)
    assert row.memory_gib == gib
    assert row.source
    report = check(FitRequest(model="Qwen/Qwen2.5-7B-Instruct", gpu=card, cloud="ssh", region="cn"))
    assert not [each for each in report.findings if each.severity == "error"]


def test_a_machine_of_ones_own_is_no_cloud_that_sells() -> None:
    assert "ssh" not in clouds.names()
    assert "ssh" in clouds.every()
    assert catalog.load().problems() == []
    assert [each for each in catalog.load().instances if each.cloud == "ssh"] == []


@pytest.mark.parametrize(
    "folder", ["bundle", "/", "/etc/bundle", "/mnt/../etc", "/data/llm", "/data/llm/bundle", "/mnt/a b"]
)
def test_a_bundle_lies_in_a_folder_of_its_own(folder: str) -> None:
    assert {code for code, __ in refused(platform(bundle=folder))} == {"spec.bad-bundle"}


@pytest.mark.parametrize("folder", ["/mnt", "/mnt/llm-bundle/", "/data/llm-bundle", "/home/ubuntu/bundle"])
def test_a_bundle_may_lie_anywhere_else(folder: str) -> None:
    host = resolve_platform(platform(bundle=folder)).server.spec.host
    assert host is not None
    assert host.bundle == folder.rstrip("/")


def test_weights_come_from_a_bundle_or_from_a_bucket() -> None:
    made = platform(bundle="/mnt/bundle")
    made["server"]["weights"] = {"bucket": "s3://kept", "region": "us-east-1"}
    assert refused(made) == {("spec.bundle-and-bucket", "server")}
