"""A stack that is up, and what is changed of it later: in place, or with another machine for the same disk."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from llm_boot.machine import Machine
from tests.boot.stack import BootedStack, booted

CAP_SYS_RESOURCE = 24
"""In linux/capability.h."""

pytestmark = [pytest.mark.boot, pytest.mark.boot_all]


@pytest.fixture(scope="module", params=["aws-t4", "tencent-t4"])
def stack(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[BootedStack]:
    with booted(tmp_path_factory.mktemp("booted"), request.param) as made:
        yield made


def flags(machine: Machine) -> str:
    return machine.inside("systemctl", "show", "-P", "ExecStart", "llm-vllm")


def may_grow_filesystems() -> bool:
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    mask = next(line.split()[1] for line in status.splitlines() if line.startswith("CapEff"))
    return bool(int(mask, 16) >> CAP_SYS_RESOURCE & 1)


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


@contextmanager
def the_disk_keeps_what_it_has(stack: BootedStack, folder: Path) -> Iterator[None]:
    """What the block does ends with a fresh system disk, the same data disk, and all that was on it."""
    before, old = stack.machine("server"), dict(stack.access)
    disks = before.attached()
    access = {**stack.vectors_access, "folder": str(folder), "name": "Memory", "count": 500}
    assert stack.client("remember", **access) == 0
    before.path("/var/tmp/before").touch()
    stack.world.forget_requests()
    yield
    after = stack.machine("server")
    assert not after.path("/var/tmp/before").exists(), "it has its old system disk"
    assert len(disks) == 1
    assert after.attached() == disks
    assert stack.access == old
    assert stack.client("complete", **stack.access, model="Yi-6B-Chat")["tokens"] == 8
    found = stack.client("recall", **access)
    assert (found["total"], found["nearest"]) == (500, 250)
    assert files_of_the_model(stack) == []


def test_a_newer_image_finds_weights_and_vectors_on_the_disk(stack: BootedStack, tmp_path: Path) -> None:
    before = stack.machine("server").spec.name
    with the_disk_keeps_what_it_has(stack, tmp_path):
        stack.sim.edit("server.renew", True)
        stack.sim.faults = ["image-date:20271231"]
        stack.up()
    assert stack.machine("server").spec.name != before


def test_other_boot_instructions_and_a_larger_disk_lose_nothing_that_is_on_it(tmp_path: Path) -> None:
    with booted(tmp_path, "aliyun-t4") as stack:
        before = stack.machine("server").spec.name
        with the_disk_keeps_what_it_has(stack, tmp_path):
            stack.sim.edit("server.renew", True)
            stack.sim.edit("server.model_disk_gib", 120)
            stack.up()
        after = stack.machine("server")
        assert after.spec.name != before
        device = after.inside("findmnt", "-no", "SOURCE", "/srv/llm").strip()
        assert int(after.inside("blockdev", "--getsize64", device)) == 120 * 2**30
        # A filesystem in use grows only where the kernel lets this process have its way (CAP_SYS_RESOURCE).
        size = int(after.inside("findmnt", "-bno", "SIZE", "/srv/llm"))
        if may_grow_filesystems():
            assert size > 115 * 2**30
        else:
            assert "Permission denied" in after.inside("journalctl", "-u", "llm-disk", "-o", "cat", "--no-pager")
