"""What is wrong with what a ready GPU host serves: broken, told by its status and by `apply`, and mended.

Each case finds the node ready and leaves it ready.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from pulumi_llm.simcloud.boot.world import World
from tests.boot.node import PATIENCE, Node
from tests.bootstrap.samples import gpu_node

pytestmark = [pytest.mark.boot, pytest.mark.boot_all]


DROP_INS = "/etc/systemd/system/llm-vllm.service.d"


def drop_in(node: Node, name: str, line: str) -> Path:
    """Change vLLM's unit by a line, until the file is taken away and systemd is told."""
    file = node.machine.path(f"{DROP_INS}/{name}.conf")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"[Service]\n{line}\n")
    return file


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """vLLM, Weaviate and the gateway on one machine, in a world of its own."""
    world = World.make(tmp_path_factory.mktemp("served") / "world", owner=os.getpid())
    try:
        node = Node(world, tmp_path_factory.mktemp("served-node"), gpu_node(), system_disk_gib=60)
        drop_in(node, "quick", "RestartSec=1")
        node.boot()
        done = node.apply()
        assert done.code == 0, f"{done.said}\n{node.story()}"
        yield node
    finally:
        world.destroy()


@pytest.fixture
def node(served: Node) -> Iterator[Node]:
    """The node, ready; also where the case before failed in the middle."""
    good = served.settings
    if served.status["ready"] is not True:
        mended(served)
    yield served
    served.settings = good
    served.machine.path(f"{DROP_INS}/broken.conf").unlink(missing_ok=True)
    served.machine.inside("systemctl", "daemon-reload")


def mended(node: Node) -> None:
    """It becomes ready by what `pulumi up` does."""
    done = node.apply()
    assert done.code == 0, f"{done.said}\n{node.story()}"
    assert node.status["ready"] is True


def named(node: Node, code: str) -> None:
    """The watch says a code, with a hint, in the status document."""
    node.until("serve", "failed", code, seconds=2 * PATIENCE)
    told = node.status
    assert (told["ready"], told["code"]) == (False, code)
    assert told["hint"], f"{code} has no hint"


def restart(node: Node, *services: str) -> None:
    """Start services anew, and let the watch look at them with new eyes."""
    node.machine.inside("systemctl", "stop", "llm-watch")
    node.machine.inside("systemctl", "daemon-reload")
    node.machine.inside("systemctl", "restart", "--no-block", *services, "llm-watch")


def test_a_flag_that_vllm_does_not_know_is_named_and_taken_back(node: Node) -> None:
    node.edit_settings("--dtype half", "--swap-space 4 --dtype half")
    done = node.apply()
    assert done.code == 1
    assert "[vllm.unknown-flag]" in done.said
    assert "the last good configuration is running again" in done.said
    assert node.status["ready"] is True


def test_vllm_without_memory_for_its_cache_is_named(node: Node) -> None:
    broken = drop_in(node, "broken", "Environment=VLLM_CPU_KVCACHE_SPACE=0")
    restart(node, "llm-vllm")
    named(node, "vllm.out-of-memory")
    broken.unlink()
    node.machine.inside("systemctl", "daemon-reload")
    mended(node)


def test_a_container_that_crashes_again_and_again_is_named(node: Node) -> None:
    node.machine.inside("systemctl", "stop", "llm-weaviate")
    node.machine.inside("sh", "-c", "mv /srv/llm/weaviate /srv/llm/kept && echo nothing >/srv/llm/weaviate")
    restart(node, "llm-weaviate")
    named(node, "weaviate.crashes")
    node.machine.inside("systemctl", "stop", "llm-weaviate")
    node.machine.inside("sh", "-c", "rm -rf /srv/llm/weaviate && mv /srv/llm/kept /srv/llm/weaviate")
    mended(node)


def test_a_data_disk_that_is_full_when_weaviate_starts_is_named(node: Node) -> None:
    node.machine.inside("systemctl", "stop", "llm-weaviate")
    node.machine.inside("sh", "-c", "fallocate -l $(df --output=avail -B1 /srv/llm | tail -1) /srv/llm/full")
    restart(node, "llm-weaviate")
    named(node, "weaviate.disk-full")
    node.machine.inside("rm", "/srv/llm/full")
    node.machine.inside("systemctl", "restart", "llm-weaviate")
    mended(node)


def test_a_key_file_that_is_missing_is_named_and_put_back(node: Node) -> None:
    node.machine.inside("rm", "/srv/llm/secrets/tls.key")
    restart(node, "llm-caddy")
    named(node, "caddy.missing-file")
    mended(node)


def test_a_file_of_gateway_keys_that_is_missing_lets_nobody_in_and_is_put_back(node: Node) -> None:
    node.machine.inside("rm", "/srv/llm/secrets/gateway-keys.json")
    node.machine.inside("systemctl", "stop", "llm-watch")
    node.machine.inside("systemctl", "restart", "llm-watch")
    node.wait(lambda: node.status["ready"] is False and node.status["code"] is not None, "the watch to see it")
    mended(node)


def test_vllm_that_is_killed_comes_back_by_itself(node: Node) -> None:
    node.machine.inside("systemctl", "kill", "--signal=KILL", "llm-vllm")
    node.wait(lambda: node.status["ready"] is False, "the watch to see it")
    node.until("serve", "done")


def test_a_reboot_ends_ready_without_anybody(node: Node) -> None:
    first = node.machine.leader
    node.machine.inside("systemctl", "reboot", check=False)
    node.wait(lambda: node.machine.leader not in (None, first), "the reboot")
    node.until("serve", "done")


def test_a_power_cut_while_it_serves_ends_ready_without_anybody(node: Node) -> None:
    node.machine.kill()
    node.machine.start()
    node.until("serve", "done")
