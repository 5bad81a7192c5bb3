"""A stack that is up, and what is changed of it later: in place, or with another machine for the same disk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pulumi_llm.simcloud.boot.machine import Machine
from tests.boot.stack import BootedStack, booted

pytestmark = [pytest.mark.boot, pytest.mark.boot_all]


@pytest.fixture(scope="module", params=["aws-t4", "tencent-t4"])
def stack(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[BootedStack]:
    with booted(tmp_path_factory.mktemp("booted"), request.param) as made:
        yield made


def flags(machine: Machine) -> str:
    return machine.inside("systemctl", "show", "-P", "ExecStart", "llm-vllm")


def files_of_the_model(stack: BootedStack) -> list[str]:
    """What of the model was fetched; questions about it are short, and not among these."""
    return [each["path"] for each in stack.world.requests(method="GET") if "safetensors" in each["path"]]


def test_another_context_length_and_another_key_are_put_in_force_where_the_model_runs(stack: BootedStack) -> None:
    before, old = stack.machine("server"), dict(stack.access)
    assert "--max-model-len 4096" in flags(before)
    stack.world.forget_requests()
    stack.sim.edit("server.context_length", 2048)
    stack.sim.edit("server.keys", {"default": {"generation": 2}})
    stack.up()
    after = stack.machine("server")
    assert after.spec.name == before.spec.name
    assert "--max-model-len 2048" in flags(after)
    assert stack.access["key"] != old["key"]
    # The old key works on for a while.
    for access in (stack.access, old):
        assert stack.client("complete", **access, model="Yi-6B-Chat")["tokens"] == 8
    assert files_of_the_model(stack) == []


def test_a_newer_image_finds_weights_and_vectors_on_the_disk(stack: BootedStack, tmp_path: Path) -> None:
    before, old = stack.machine("server"), dict(stack.access)
    disks = before.attached()
    access = {**stack.vectors_access, "folder": str(tmp_path), "name": "Memory", "count": 500}
    assert stack.client("remember", **access) == 0
    mark = before.path("/var/tmp/before")
    mark.touch()
    stack.world.forget_requests()
    stack.sim.edit("server.renew", True)
    stack.sim.faults = ["image-date:20271231"]
    stack.up()
    after = stack.machine("server")
    assert not after.path("/var/tmp/before").exists(), "it has its old system disk"
    # AWS has no way to put another image on a machine.
    assert (after.spec.name == before.spec.name) == (stack.sim.stack == "tencent-t4")
    assert len(disks) == 1
    assert after.attached() == disks
    assert stack.access == old
    assert stack.client("complete", **stack.access, model="Yi-6B-Chat")["tokens"] == 8
    found = stack.client("recall", **access)
    assert (found["total"], found["nearest"]) == (500, 250)
    assert files_of_the_model(stack) == []
