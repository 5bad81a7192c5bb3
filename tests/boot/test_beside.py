"""A GPU host whose model is changed beside the one that serves, booted: real vLLMs, asked all the time."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from llm_boot.machine import Machine
from tests.boot.stack import BootedStack, booted

pytestmark = [pytest.mark.boot, pytest.mark.boot_all]

FIRST, SECOND = "llm-vllm.service", "llm-vllm2.service"


def changed_beside(path: Path) -> None:
    """aliyun-t4 with a small model that is changed beside the running one, and nothing else."""
    document = yaml.safe_load(path.read_text())
    platform = document["config"]["pulumi-llm:platform"]
    small = {"model": "Qwen/Qwen2.5-1.5B-Instruct", "served_name": "chat", "context_length": 2048}
    # Who asks all the time is not to be told to wait.
    keys = {"default": {"requests_per_minute": 100_000, "tokens_per_minute": 100_000_000}}
    platform["server"] |= {**small, "model_change": "beside", "keys": keys}
    for part in ("proxy", "vectors"):
        platform.pop(part, None)
    path.write_text(yaml.safe_dump(document))


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BootedStack]:
    with booted(tmp_path_factory.mktemp("beside"), "aliyun-t4", change=changed_beside) as made:
        yield made


def states(machine: Machine) -> dict[str, str]:
    return {each: machine.inside("systemctl", "is-active", each, check=False).strip() for each in (FIRST, SECOND)}


@contextmanager
def asked_all_the_time(stack: BootedStack, folder: Path) -> Iterator[dict[str, Any]]:
    """What callers were told, once the block is over."""
    told: dict[str, Any] = {}
    stop = folder / "stop"
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(stack.client, "keep_asking", **stack.access, model="chat", until=str(stop))
        try:
            yield told
        finally:
            stop.touch()
            told |= asking.result()


def test_one_that_fails_is_taken_back_and_one_that_works_takes_over_and_nobody_notices(
    stack: BootedStack, tmp_path: Path
) -> None:
    machine = stack.machine("server")
    broken = machine.path(f"etc/systemd/system/{SECOND}.d/broken.conf")
    broken.parent.mkdir()
    broken.write_text("[Service]\nEnvironment=VLLM_CPU_KVCACHE_SPACE=0\n")
    with asked_all_the_time(stack, tmp_path) as told:
        stack.sim.edit("server.context_length", 1024)
        done = stack.sim.run("up", "-s", stack.sim.stack, "--yes", "--skip-preview", check=False)
        assert done.returncode != 0
        assert "[vllm.out-of-memory]" in done.stdout + done.stderr
        assert "the last good configuration is running again" in done.stdout + done.stderr
        assert states(machine) == {FIRST: "active", SECOND: "inactive"}
        change = stack.client("status", **stack.access)["change"]
        assert (change["state"], change["code"]) == ("failed", "vllm.out-of-memory")
        broken.unlink()
        stack.sim.edit("server.model", "Qwen/Qwen3-0.6B")
        stack.up()
    assert told["wrong"] == []
    assert told["whole"] > 20
    assert states(machine) == {FIRST: "inactive", SECOND: "active"}
    assert "Qwen3-0.6B" in machine.inside("systemctl", "show", "-P", "ExecStart", SECOND)
    assert "change" not in stack.client("status", **stack.access)
    assert machine.inside("systemctl", "show", "-P", "NRestarts", SECOND).strip() == "0"
    print(f"{told['whole']} answers, the longest after {max(told['seconds']):.1f} s")


def test_the_one_that_took_over_is_the_one_that_starts_with_the_machine(stack: BootedStack) -> None:
    machine = stack.machine("server")
    enabled = {each: machine.inside("systemctl", "is-enabled", each, check=False).strip() for each in (FIRST, SECOND)}
    assert enabled == {FIRST: "not-found", SECOND: "enabled"}


def test_neither_port_is_open_from_outside(stack: BootedStack) -> None:
    assert stack.client("open_ports", address=stack.machine("server").address, ports=[8000, 8010]) == []
