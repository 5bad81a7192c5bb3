"""What is wrong with what a ready node serves: broken, told by its status and by `apply`, and mended.

Each case finds the node ready and leaves it ready.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from llm_boot.world import World
from pulumi_llm._bootstrap import NodeRequest
from tests.boot.node import PATIENCE, Node
from tests.boot.test_faults_supply import images_node
from tests.bootstrap.samples import gpu_node, without

pytestmark = [pytest.mark.boot, pytest.mark.boot_all]


DROP_INS = "/etc/systemd/system/llm-vllm.service.d"
BROKEN: list[Node] = []
"""What a case has begun to break, and has not mended."""


def drop_in(node: Node, name: str, line: str) -> Path:
    """Change vLLM's unit by a line, until the file is taken away and systemd is told."""
    file = node.machine.path(f"{DROP_INS}/{name}.conf")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"[Service]\n{line}\n")
    return file


@contextmanager
def booted(make: pytest.TempPathFactory, request: NodeRequest) -> Iterator[Node]:
    """A node that is ready, in a world of its own."""
    world = World.make(make.mktemp("served") / "world", owner=os.getpid())
    try:
        node = Node(world, make.mktemp("served-node"), request, system_disk_gib=60)
        drop_in(node, "quick", "RestartSec=6")  # longer than the watch takes to look again
        node.boot()
        mended(node)
        yield node
    finally:
        world.destroy()


@pytest.fixture(scope="module")
def gpu_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """vLLM behind the gateway."""
    with booted(tmp_path_factory, without(gpu_node(), "weaviate")) as node:
        yield node


@pytest.fixture(scope="module")
def vector_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """Weaviate behind Caddy."""
    with booted(tmp_path_factory, images_node()) as node:
        yield node


@pytest.fixture
def gpu(gpu_host: Node) -> Iterator[Node]:
    """The GPU host, ready."""
    with ready(gpu_host):
        yield gpu_host


@pytest.fixture
def vectors(vector_host: Node) -> Iterator[Node]:
    """The vector store, ready."""
    with ready(vector_host):
        yield vector_host


@contextmanager
def ready(node: Node) -> Iterator[None]:
    """It is ready, also where the case before failed in the middle; nothing is broken afterwards."""
    good = node.settings
    if node in BROKEN or not node.status["ready"]:
        mended(node)
    BROKEN.append(node)
    yield
    node.settings = good
    node.machine.path(f"{DROP_INS}/broken.conf").unlink(missing_ok=True)
    node.machine.inside("sh", "-c", "rm -f /srv/llm/full; systemctl daemon-reload")


def mended(node: Node) -> None:
    """It becomes ready by what `pulumi up` does."""
    done = node.apply()
    assert done.code == 0, f"{done.said}\n{node.story()}"
    assert node.status["ready"] is True
    BROKEN[:] = [each for each in BROKEN if each is not node]


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


def test_a_flag_that_vllm_does_not_know_is_named_and_taken_back(gpu: Node) -> None:
    gpu.edit_settings("--dtype half", "--swap-space 4 --dtype half")
    done = gpu.apply()
    assert done.code == 1
    assert "[vllm.unknown-flag]" in done.said
    assert "the last good configuration is running again" in done.said
    assert gpu.status["ready"] is True


def test_vllm_without_memory_for_its_cache_is_named(gpu: Node) -> None:
    broken = drop_in(gpu, "broken", "Environment=VLLM_CPU_KVCACHE_SPACE=0")
    restart(gpu, "llm-vllm")
    named(gpu, "vllm.out-of-memory")
    broken.unlink()
    gpu.machine.inside("systemctl", "daemon-reload")
    mended(gpu)


def test_a_container_that_crashes_again_and_again_is_named(vectors: Node) -> None:
    vectors.machine.inside("systemctl", "stop", "llm-weaviate")
    vectors.machine.inside("sh", "-c", "mv /srv/llm/weaviate /srv/llm/kept && echo nothing >/srv/llm/weaviate")
    restart(vectors, "llm-weaviate")
    named(vectors, "weaviate.crashes")
    vectors.machine.inside("systemctl", "stop", "llm-weaviate")
    vectors.machine.inside("sh", "-c", "rm -rf /srv/llm/weaviate && mv /srv/llm/kept /srv/llm/weaviate")
    mended(vectors)


def test_a_data_disk_that_is_full_when_weaviate_starts_is_named(vectors: Node) -> None:
    vectors.machine.inside("systemctl", "stop", "llm-weaviate")
    fill = "fallocate -l $(($(df --output=avail -B1 /srv/llm | tail -1) - 1000000)) /srv/llm/full"
    # and the last megabyte byte by byte, until there is no room
    vectors.machine.inside("sh", "-c", f"{fill}; cat /dev/zero >>/srv/llm/full; true")
    restart(vectors, "llm-weaviate")
    named(vectors, "weaviate.disk-full")
    vectors.machine.inside("rm", "/srv/llm/full")
    vectors.machine.inside("systemctl", "restart", "llm-weaviate")
    mended(vectors)


def test_a_key_file_that_is_missing_is_named_and_put_back(vectors: Node) -> None:
    vectors.machine.inside("rm", "/srv/llm/secrets/tls.key")
    restart(vectors, "llm-caddy")
    named(vectors, "caddy.missing-file")
    mended(vectors)


def test_a_file_of_gateway_keys_that_is_missing_lets_nobody_in_and_is_put_back(vectors: Node) -> None:
    vectors.machine.inside("rm", "/srv/llm/secrets/gateway-keys.json")
    vectors.machine.inside("systemctl", "stop", "llm-watch")
    vectors.machine.inside("systemctl", "restart", "llm-watch")
    vectors.wait(lambda: vectors.status["ready"] is False and vectors.status["code"] is not None, "the watch to see it")
    mended(vectors)


def test_vllm_that_is_killed_comes_back_by_itself(gpu: Node) -> None:
    gpu.machine.inside("systemctl", "kill", "--signal=KILL", "llm-vllm")
    gpu.wait(lambda: gpu.status["ready"] is False, "the watch to see it")
    gpu.until("serve", "done")


def test_a_reboot_ends_ready_without_anybody(gpu: Node) -> None:
    first = gpu.machine.leader
    gpu.machine.inside("systemctl", "reboot", check=False)
    gpu.wait(lambda: gpu.machine.leader not in (None, first), "the reboot")
    gpu.until("serve", "done")


def test_a_power_cut_while_it_serves_ends_ready_without_anybody(gpu: Node) -> None:
    gpu.machine.kill()
    gpu.machine.start()
    gpu.until("serve", "done")
