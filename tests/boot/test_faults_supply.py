"""What a node fetches, broken on its way: each fault ends ready, or in a code of its own, and then ready once mended.

The machines are real and boot; of a node only the stages concerned are waited for.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from llm_boot import model
from llm_boot.faults import Fault
from llm_boot.world import World
from pulumi_llm._bootstrap import NodeRequest, ServiceRole, Sources
from tests.boot.node import Node, quiet_node
from tests.bootstrap.samples import gateway_of, gpu_node, vllm_of, without

pytestmark = [pytest.mark.boot, pytest.mark.boot_all]

WEIGHTS = r"model\.safetensors"
SCOPE, MIRROR = "modelscope.cn", "hf-mirror.com"
MAKE = Callable[..., Node]


@pytest.fixture
def make(world: World, tmp_path: Path) -> Iterator[MAKE]:
    """Makes one node of a request; it is gone afterwards, and nothing is broken any more."""
    made: list[Node] = []
    world.forget_requests()

    def of(request: NodeRequest, **spec: object) -> Node:
        made.append(Node(world, tmp_path, request, **spec))
        return made[-1]

    yield of
    for each in made:
        each.machine.destroy()
    world.break_with()
    for file in (world.folder / "disks").glob("*.img"):
        file.unlink()


def model_node(*hubs: str) -> NodeRequest:
    """A node of which only the download matters: its settings never come."""
    request = gpu_node()
    return replace(request, sources=replace(request.sources, hubs=hubs or ("modelscope", "hf-mirror")))


def hosts_of_weights(world: World) -> list[str]:
    return [each["host"] for each in world.requests(fault=None) if "safetensors" in each["path"]]


def whole(node: Node) -> bool:
    """Whether the model on the data disk is the hub's, byte by byte."""
    leader = node.machine.leader
    folder = Path(f"/proc/{leader}/root/srv/llm/models")
    found = next(each for each in folder.iterdir() if not each.name.endswith(".part"))
    return all((found / name).read_bytes() == data for name, data in model.files().items())


def test_weights_cut_at_half_are_resumed_where_they_stopped(make: MAKE, world: World) -> None:
    world.break_with(Fault(do="cut", path=WEIGHTS, share=0.5, times=1))
    node = make(model_node("modelscope")).boot()
    node.until("weights", "done")
    assert whole(node)
    ranges = [each["range"] for each in world.requests(fault=None) if "safetensors" in each["path"]]
    assert ranges[-1] == f"bytes={len(model.files()['model.safetensors']) // 2}-"


def test_weights_of_a_hub_that_hangs_up_come_from_the_next_hub(make: MAKE, world: World) -> None:
    world.break_with(Fault(do="reset", host=SCOPE))
    node = make(model_node()).boot()
    node.until("weights", "done")
    assert whole(node)
    assert hosts_of_weights(world)[-1] == MIRROR


def test_weights_that_come_corrupt_once_are_fetched_again(make: MAKE, world: World) -> None:
    world.break_with(Fault(do="corrupt", path=WEIGHTS, times=1))
    node = make(model_node("modelscope")).boot()
    node.until("weights", "done")
    assert whole(node)


def test_weights_that_every_hub_sends_corrupt_are_never_served_and_named(make: MAKE, world: World) -> None:
    world.break_with(Fault(do="corrupt", path=WEIGHTS))
    node = make(model_node()).boot()
    node.until("weights", "running", "weights.corrupt")
    world.break_with()
    node.until("weights", "done")
    assert whole(node)


def test_weights_that_are_truncated_at_one_hub_come_from_the_next(make: MAKE, world: World) -> None:
    world.break_with(Fault(do="truncate", host=SCOPE, path=WEIGHTS))
    node = make(model_node()).boot()
    node.until("weights", "done")
    assert whole(node)


def test_a_revision_that_is_gone_is_named(make: MAKE, world: World) -> None:
    request = model_node("modelscope")
    world.break_with(Fault(do="status", status=404, path="Revision=v9"))
    node = make(request.having(replace(vllm_of(request), revision="v9"))).boot()
    node.until("weights", "running", "weights.revision-gone")


def test_a_gated_model_without_a_token_is_named(make: MAKE, world: World) -> None:
    world.break_with(Fault(do="status", status=401, path="/api/", unless_token="hf_right"))
    node = make(model_node("huggingface")).boot()
    node.until("weights", "running", "weights.gated")


def test_a_wrong_token_is_named_and_the_right_one_gets_the_model(make: MAKE, world: World) -> None:
    world.break_with(Fault(do="status", status=401, path="/api/", unless_token="hf_right"))
    node = make(model_node("huggingface")).boot()
    node.until("disk", "done")
    node.machine.inside("sh", "-c", "mkdir -p /srv/llm/secrets && echo hf_wrong >/srv/llm/secrets/hf_token")
    node.until("weights", "running", "weights.wrong-token")
    node.machine.inside("sh", "-c", "echo hf_right >/srv/llm/secrets/hf_token")
    node.until("weights", "done")


def test_a_data_disk_that_is_full_is_named_before_the_first_byte_of_weights(make: MAKE, world: World) -> None:
    world.break_with(Fault(do="status", status=503, host=SCOPE))
    node = make(replace(model_node("modelscope"), data_disk_gib=2)).boot()
    node.until("weights", code="weights.unreachable")
    node.machine.inside(
        "sh", "-c", "fallocate -l $(($(df --output=avail -B1 /srv/llm | tail -1) - 1000000)) /srv/llm/full"
    )
    world.break_with()
    failed = node.until("weights", "failed", "weights.disk-full")
    assert "GiB" in failed["message"]
    assert [each for each in world.requests(fault=None) if "safetensors" in each["path"]] == []


def test_a_dead_name_server_is_survived(make: MAKE, world: World) -> None:
    world.break_with(Fault(do="drop"))
    node = make(model_node()).boot()
    node.until("weights", "running", "weights.unreachable")
    world.break_with()
    node.until("weights", "done")


def test_names_that_do_not_resolve_are_survived(make: MAKE, world: World) -> None:
    world.break_with(Fault(do="unknown-host"))
    node = make(model_node()).boot()
    node.until("weights", "running", "weights.unreachable")
    world.break_with()
    node.until("weights", "done")


def test_a_model_disk_that_moves_to_a_new_machine_is_not_fetched_again(
    make: MAKE, world: World, tmp_path: Path
) -> None:
    request = model_node("modelscope")
    node = make(request).boot()
    node.until("weights", "done")
    node.machine.destroy()
    before = len(world.requests())
    (tmp_path / "second").mkdir()
    again = Node(world, tmp_path / "second", request).boot()
    try:
        again.until("weights", "done")
        assert [each for each in world.requests()[before:] if "safetensors" in each["path"]] == []
        assert whole(again)
    finally:
        again.machine.destroy()


def archive_node(**changes: object) -> NodeRequest:
    """A node without Python environments: packages alone, and Caddy."""
    return quiet_node(
        sources=Sources(apt=("http://mirrors.tencentyun.com/ubuntu", "https://mirrors.cloud.tencent.com/ubuntu")),
        **changes,
    )


def test_packages_come_from_a_mirror_when_the_images_own_archive_is_down(make: MAKE, world: World) -> None:
    world.break_with(Fault(do="reset", host="archive.ubuntu.com"))
    node = make(archive_node()).boot()
    done = node.apply()
    assert done.code == 0, done.said
    assert [each for each in world.requests(host="mirrors.tencentyun.com", fault=None) if each["path"].endswith(".deb")]


def test_no_archive_at_all_is_named_and_survived(make: MAKE, world: World) -> None:
    world.break_with(Fault(do="status", status=503, path="/ubuntu/"))
    node = make(archive_node()).boot()
    with node.applying():
        node.until("base", "running", "apt.unreachable")
        world.break_with()
        node.until("serve", "done")


def test_a_lock_that_another_program_holds_is_named_and_waited_for(make: MAKE) -> None:
    node = make(archive_node()).boot()
    node.wait(lambda: node.machine.leader is not None and node.stage("disk").get("state") == "done", "the disk")
    hold = "import fcntl,time; f=open('/var/lib/apt/lists/lock','w'); fcntl.lockf(f, fcntl.LOCK_EX); time.sleep(600)"
    node.machine.inside("systemd-run", "--unit=other-program", "python3", "-c", hold)
    with node.applying():
        node.until("base", "running", "apt.locked")
        node.machine.inside("systemctl", "stop", "other-program")
        node.until("serve", "done")


def test_certificates_of_tomorrow_are_told_as_a_clock_that_is_off(make: MAKE, world: World) -> None:
    sources = Sources(apt=("https://mirrors.cloud.tencent.com/ubuntu",))
    world.break_with(Fault(do="reset", host="archive.ubuntu.com"), Fault(do="not-yet-valid"))
    node = make(quiet_node(sources=sources)).boot()
    with node.applying():
        node.until("base", "running", "node.clock-off")
        world.break_with()
        node.until("serve", "done")


def test_names_that_do_not_resolve_are_told_by_their_own_code(make: MAKE, world: World) -> None:
    world.break_with(Fault(do="unknown-host"))
    node = make(archive_node()).boot()
    with node.applying():
        node.until("base", "running", "node.dns-dead")
        world.break_with()
        node.until("serve", "done")


def test_a_name_server_that_never_answers_is_told_by_its_own_code(make: MAKE, world: World) -> None:
    world.break_with(Fault(do="drop"))
    node = make(archive_node()).boot()
    with node.applying():
        node.until("base", "running", "node.dns-dead")
        world.break_with()
        node.until("serve", "done")


def test_a_dead_metadata_address_does_not_matter(make: MAKE, world: World) -> None:
    world.break_with(*[Fault(do="reset", host=each) for each in ("169.254.*", "100.100.100.200", "metadata.*")])
    done = make(archive_node()).boot().apply()
    assert done.code == 0, done.said


def test_a_hub_that_stalls_in_the_middle_is_left_for_the_next_which_goes_on_there(make: MAKE, world: World) -> None:
    world.break_with(Fault(do="stall", host=SCOPE, path=WEIGHTS, share=0.5))
    node = make(model_node()).impatient().boot()
    node.until("weights", "done")
    assert whole(node)
    ranges = [each["range"] for each in world.requests(host=MIRROR, fault=None) if "safetensors" in each["path"]]
    assert len(ranges) == 1
    assert int(ranges[0].removeprefix("bytes=").removesuffix("-")) > len(model.files()["model.safetensors"]) // 4


def test_the_only_hub_that_stalls_is_named_and_survived(make: MAKE, world: World) -> None:
    world.break_with(Fault(do="stall", path=WEIGHTS, share=0.1))
    node = make(model_node("modelscope")).impatient(5).boot()
    told = node.until("weights", "running", "weights.slow")
    assert told["progress"]["percent"] > 0
    world.break_with()
    node.until("weights", "done")
    assert whole(node)


def test_a_first_hub_that_is_slow_is_left_for_the_next(make: MAKE, world: World) -> None:
    world.break_with(Fault(do="slow", host=SCOPE, path=WEIGHTS, rate=20_000))
    node = make(model_node()).impatient(5).boot()
    node.until("weights", "done")
    assert whole(node)
    assert hosts_of_weights(world)[-1] == MIRROR


def wheels_node() -> NodeRequest:
    """A node of which only the Python environments matter, from two indexes, the first of which is faster."""
    request = without(gpu_node(), "weaviate")
    indexes = ("https://pypi.tuna.tsinghua.edu.cn/simple", "https://mirrors.cloud.tencent.com/pypi/simple")
    return replace(request, sources=replace(request.sources, pypi=indexes))


def test_a_wrong_wheel_is_named_and_never_installed(make: MAKE, world: World, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.whl"
    right = next((world.parts / "wheels/vllm").glob("vllm-*.whl"))
    with zipfile.ZipFile(right) as read, zipfile.ZipFile(wrong, "w") as written:
        for each in read.infolist():
            written.writestr(each, read.read(each) + (b"# and more\n" if each.filename.endswith(".py") else b""))
    world.break_with(Fault(do="replace", path=r"/files/vllm-", file=str(wrong)))
    node = make(wheels_node()).boot()
    with node.applying():
        told = node.until("python", "running", "python.wrong-digest")
        assert "vllm" in told["message"]
        assert not list(node.machine.path("/opt/llm/venv").glob("vllm-*/bin/vllm"))
        world.break_with()
        node.until("python", "done")


def test_a_damaged_wheel_is_named_and_never_installed(make: MAKE, world: World) -> None:
    world.break_with(Fault(do="corrupt", path=r"/files/vllm-"))
    node = make(wheels_node()).boot()
    with node.applying():
        node.until("python", "running", "python.wrong-digest")
        assert not list(node.machine.path("/opt/llm/venv").glob("vllm-*/bin/vllm"))
        world.break_with()
        node.until("python", "done")


def test_a_damaged_wheel_of_the_first_index_comes_right_from_the_next(make: MAKE, world: World) -> None:
    world.break_with(Fault(do="corrupt", host="pypi.tuna.tsinghua.edu.cn", path=r"/files/vllm-"))
    node = make(wheels_node()).boot()
    with node.applying():
        node.until("python", "done")
    assert world.requests(host="mirrors.cloud.tencent.com", fault=None)


def test_a_first_index_that_is_slow_is_left_for_the_next(make: MAKE, world: World) -> None:
    world.break_with(Fault(do="slow", host="pypi.tuna.tsinghua.edu.cn", path="/files/", rate=2000))
    node = make(wheels_node()).impatient().boot()
    with node.applying():
        node.until("python", "done")
    assert world.requests(host="mirrors.cloud.tencent.com", fault=None)


def test_a_system_disk_without_room_for_wheels_is_named_before_they_are_fetched(make: MAKE, world: World) -> None:
    node = make(wheels_node(), system_disk_gib=12).boot()
    node.wait(lambda: node.stage("disk").get("state") == "done", "the disk")
    with node.applying():
        node.until("base", "done")
        node.machine.inside("sh", "-c", "fallocate -l $(($(df --output=avail -B1 / | tail -1) - 500000000)) /full")
        node.until("python", "running", "python.disk-full")
        node.machine.inside("rm", "/full")
        node.until("python", "done")


def images_node() -> NodeRequest:
    """A node of which only the container images matter."""
    return gpu_node(roles=(gateway_of(quiet_node()), ServiceRole(role="weaviate", memory_gib=4)))


def test_a_registry_that_is_down_is_left_for_the_next(make: MAKE, world: World) -> None:
    world.break_with(Fault(do="status", status=503, host="m.daocloud.io"))
    node = make(images_node()).boot()
    with node.applying():
        node.until("images", "done")
    assert [each for each in world.requests(host="cr.weaviate.io", fault=None) if "/blobs/" in each["path"]]


def test_registries_that_are_all_down_are_named_and_survived(make: MAKE, world: World) -> None:
    world.break_with(Fault(do="reset", path="^/v2/"))
    node = make(images_node()).boot()
    with node.applying():
        node.until("images", "running", "images.unreachable")
        world.break_with()
        node.until("images", "done")
