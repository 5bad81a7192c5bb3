"""A stack that is up, and what is changed of it later, in place."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pulumi_llm.simcloud.boot.machine import Machine
from tests.boot.stack import PATIENCE, BootedStack

pytestmark = [pytest.mark.boot, pytest.mark.boot_all]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BootedStack]:
    booted = BootedStack.up(tmp_path_factory.mktemp("booted"), "aws-t4")
    try:
        yield booted
    finally:
        if booted.world.folder.exists():
            booted.world.destroy()


def up(stack: BootedStack) -> None:
    """Carry out what was edited, as a user would."""
    done = stack.sim.run("up", "-s", "aws-t4", "--yes", "--skip-preview", check=False, timeout=PATIENCE)
    told = "\n".join(stack.story(each) for each in stack.world.machines()) if done.returncode else ""
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}\n{told}"
    stack.outputs = stack.sim.outputs()


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
    up(stack)
    after = stack.machine("server")
    assert after.spec.name == before.spec.name
    assert "--max-model-len 2048" in flags(after)
    assert stack.access["key"] != old["key"]
    # The old key works on for a while.
    for access in (stack.access, old):
        assert stack.client("complete", **access, model="Yi-6B-Chat")["tokens"] == 8
    assert files_of_the_model(stack) == []
