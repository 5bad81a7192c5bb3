"""A cloud's machine takes its whole bundle from a bucket: of a real server of S3, in a network without others."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pulumi_llm._backup.places import Store
from pulumi_llm._bootstrap import BundleRole, DepotRole
from pulumi_llm._bootstrap.settings import settings
from pulumi_llm._bootstrap.user_data import boot_stages
from pulumi_llm._bundle import manifest
from pulumi_llm._bundle import upload as uploading
from pulumi_llm._bundle.upload import Sent, upload
from pulumi_llm.errors import Refusal
from pulumi_llm.roles import role
from pulumi_llm.spec import bucket_of
from tests.backups.test_bucket import KEY, PROGRAM, SECRET, server
from tests.bootstrap.samples import Node, gpu_node, supplied
from tests.bootstrap.test_node_bucket import give_key
from tests.bootstrap.test_node_bundle import FILES, NAME, bundled, sha256, with_python
from tests.gateway.front import free_port

__all__ = ["server"]

pytestmark = [
    pytest.mark.clients,
    pytest.mark.skipif(PROGRAM is None, reason="tools/fetch versitygw builds the server"),
]
HOME = "/srv/llm/bundle"
Make = Callable[..., Node]
Server = tuple[str, Path]


def store(endpoint: str) -> Store:
    bucket = bucket_of("s3://kept/below")
    assert bucket is not None
    return Store(bucket, "cn-hangzhou", endpoint, "bundles")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A bundle as the collector leaves it, every file in its manifest."""
    made = tmp_path / "bundle"
    bundled(made)
    document = json.loads((made / "manifest.json").read_text())
    for path in sorted((made / "images").rglob("*")):
        if path.is_file():
            data = path.read_bytes()
            row = {"kind": "images", "path": str(path.relative_to(made)), "sha256": sha256(data), "bytes": len(data)}
            document["files"].append(row)
    (made / "manifest.json").write_text(json.dumps({**document, "missing": []}))
    return made


def machine(root: Path, digest: str, endpoint: str, *, key: bool = True) -> Node:
    target = {"url": f"{endpoint}/kept", "region": "cn-hangzhou", "prefix": "below/bundles", "shown": "s3://kept/below"}
    node = supplied(root, gpu_node().having(BundleRole(folder=HOME), DepotRole(target=target, digest=digest)))
    node.impatient()
    if key:
        give_key(node)
    return node


def code(node: Node, stage: str = "depot") -> str:
    assert node.run("run", stage).returncode == 1
    found = str(node.stage(stage)["code"])
    assert found in role("depot").hints()
    return found


def objects(server: Server) -> dict[str, int]:
    return {each.name: each.stat().st_mtime_ns for each in (server[1] / "below/bundles").iterdir()}


def test_everything_waits_for_the_bundle_and_user_data_fetches_nothing() -> None:
    request = gpu_node().having(BundleRole(folder=HOME), DepotRole(target={"url": "x"}, digest="0" * 64))
    units = {
        each["path"].rpartition("/")[2]: each["content"]
        for each in settings(request)["files"]
        if each["path"].startswith("/etc/systemd/system/llm-")
    }
    for name in ("base", "bundle"):
        (after,) = [line for line in units[f"llm-{name}.service"].splitlines() if line.startswith("Requires=")]
        assert "llm-depot.service" in after
    assert [each.name for each in boot_stages(request)] == ["disk"]


@pytest.fixture
def alone(server: Server, tmp_path: Path) -> Iterator[tuple[list[str], str]]:
    """The same bucket in a network of its own, where nothing else is: how to run there, and its address."""
    if os.geteuid() != 0:
        pytest.skip("a network namespace needs root")
    port = free_port()
    line = f"ip link set lo up && exec {PROGRAM} --port 127.0.0.1:{port} --region cn-hangzhou posix {server[1].parent}"
    env = {**os.environ, "ROOT_ACCESS_KEY": KEY, "ROOT_SECRET_KEY": SECRET}
    running = subprocess.Popen(["unshare", "--net", "sh", "-c", line], env=env, cwd=tmp_path, stdout=subprocess.DEVNULL)
    enter = ["nsenter", "--target", str(running.pid), "--net"]
    asked = ["curl", "--silent", "--output", "/dev/null", f"http://127.0.0.1:{port}/"]
    until = time.monotonic() + 30
    try:
        while subprocess.run([*enter, *asked], check=False).returncode:
            assert running.poll() is None
            assert time.monotonic() < until
            time.sleep(0.1)
        yield enter, f"http://127.0.0.1:{port}"
    finally:
        running.terminate()
        running.wait(30)


def inside(enter: list[str], node: Node, stage: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "LLM_ROOT": str(node.root), "PATH": f"{node.root}/fake:{os.environ['PATH']}"}
    argv = [*enter, sys.executable, "-I", str(node.path("/opt/llm/bin/llm-node")), "run", stage]
    return subprocess.run(argv, env=env | {"LLM_POLL_SECONDS": "0.05"}, capture_output=True, text=True, timeout=60)


def test_a_machine_that_reaches_the_bucket_alone_has_packages_wheels_images_and_weights(
    server: Server, alone: tuple[list[str], str], folder: Path, tmp_path: Path
) -> None:
    sent = upload(folder, store(server[0]))
    enter, address = alone
    shown = subprocess.run([*enter, "ip", "-brief", "link"], capture_output=True, text=True, check=True).stdout
    assert [line.split()[0] for line in shown.splitlines()] == ["lo"]
    node = machine(tmp_path / "node", sent.digest, address)
    node.fake("systemctl", "exit 0")
    node.fake("dpkg-query", "exit 1")
    node.fake("dpkg", "exit 0")
    node.fake("apt-get", "exit 0")
    node.fake("docker", f'[ "$1" = load ] && cat > {node.root}/loaded.tar && exit 0; exit 1')
    for stage in ("depot", "bundle", "base", "images"):
        done = inside(enter, node, stage)
        assert done.returncode == 0, f"{stage}: {done.stderr}"
    assert f"file:{node.path(HOME)}/apt" in node.path("/opt/llm/apt.list").read_text()
    assert (node.root / "loaded.tar").stat().st_size > 25000
    with_python(node)
    assert inside(enter, node, "gateway").returncode == 0
    assert f"--no-index --find-links {node.path(HOME)}/wheels" in "\n".join(node.calls)
    home = node.path(f"/srv/llm/models/{NAME}")
    assert {name: (home / name).read_bytes() for name in FILES} == FILES
    large = "model.safetensors"
    assert (home / large).samefile(node.path(f"{HOME}/models/{NAME}/{large}")), "on one disk it lies once"


def test_what_the_bucket_has_is_not_sent_again_and_what_is_there_not_fetched(
    server: Server, folder: Path, tmp_path: Path
) -> None:
    first = upload(folder, store(server[0]))
    before = objects(server)
    assert first.sent == first.bytes
    assert upload(folder, store(server[0])) == Sent(digest=first.digest, bytes=first.bytes, sent=0)
    assert {name: at for name, at in objects(server).items() if name != f"{first.digest}.json"} == {
        name: at for name, at in before.items() if name != f"{first.digest}.json"
    }
    node = machine(tmp_path / "node", first.digest, server[0])
    assert node.run("run", "depot").returncode == 0
    shutil.rmtree(server[1] / "below")
    assert node.run("run", "depot").returncode == 0, "a machine that starts again needs no bucket"


def test_a_file_larger_than_one_object_goes_in_pieces_and_comes_whole(
    server: Server, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploading, "PART", 100_000)
    sent = upload(folder, store(server[0]))
    assert sum("-" in name for name in objects(server)) == 7
    node = machine(tmp_path / "node", sent.digest, server[0])
    assert node.run("run", "depot").returncode == 0
    assert node.path(f"{HOME}/models/{NAME}/model.safetensors").read_bytes() == FILES["model.safetensors"]


@pytest.mark.parametrize("replaced", ["index", "weights"])
def test_who_writes_to_the_bucket_can_replace_nothing(
    server: Server, folder: Path, tmp_path: Path, replaced: str
) -> None:
    sent = upload(folder, store(server[0]))
    name = f"{sent.digest}.json" if replaced == "index" else sha256(FILES["model.safetensors"])
    file = server[1] / "below/bundles" / name
    content = bytearray(file.read_bytes())
    content[-3] ^= 1
    file.write_bytes(bytes(content))
    node = machine(tmp_path / "node", sent.digest, server[0])
    assert code(node) == "depot.damaged"
    assert not node.path(f"{HOME}/models/{NAME}/model.safetensors").exists()
    content[-3] ^= 1
    file.write_bytes(bytes(content))
    assert node.run("run", "depot").returncode == 0, "once it is mended the rest goes on"


def test_another_bundle_takes_the_place_of_the_one_before(server: Server, folder: Path, tmp_path: Path) -> None:
    first = upload(folder, store(server[0]))
    node = machine(tmp_path / "node", first.digest, server[0])
    assert node.run("run", "depot").returncode == 0
    document = json.loads((folder / "manifest.json").read_text())
    document["files"] = [each for each in document["files"] if not each["path"].endswith("tokenizer.json")]
    (folder / "manifest.json").write_text(json.dumps(document))
    second = upload(folder, store(server[0]))
    assert second.digest != first.digest
    supply = node.path("/opt/llm/supply.json")
    supply.write_text(supply.read_text().replace(first.digest, second.digest))
    assert node.run("run", "depot").returncode == 0
    assert not node.path(f"{HOME}/models/{NAME}/sub folder/tokenizer.json").exists()
    assert node.path(f"{HOME}/manifest.json").read_bytes() == manifest.same(document)


def test_the_same_files_are_the_same_bundle_whenever_and_from_wherever_they_came(server: Server, folder: Path) -> None:
    first = upload(folder, store(server[0]))
    before = objects(server)
    document = json.loads((folder / "manifest.json").read_text())
    files = [{**each, "source": "https://another.example/"} for each in reversed(document["files"])]
    (folder / "manifest.json").write_text(
        json.dumps({**document, "made": "2030-01-02T03:04:05Z", "machines": ["a"], "files": files})
    )
    assert upload(folder, store(server[0])) == Sent(digest=first.digest, bytes=first.bytes, sent=0)
    assert objects(server).keys() == before.keys()
    changed = {**document, "images": {}}
    (folder / "manifest.json").write_text(json.dumps(changed))
    assert upload(folder, store(server[0])).digest != first.digest


def test_what_keeps_a_machine_from_its_bundle_has_a_code(server: Server, folder: Path, tmp_path: Path) -> None:
    sent = upload(folder, store(server[0]))
    assert code(machine(tmp_path / "a", sent.digest, server[0], key=False)) == "depot.no-key"
    assert code(machine(tmp_path / "b", "0" * 64, server[0])) == "depot.refused"
    other = machine(tmp_path / "c", sent.digest, server[0])
    give_key(other, "another")
    assert code(other) == "depot.refused"
    assert SECRET not in other.path("/run/llm/stages/depot.json").read_text()
    assert code(machine(tmp_path / "d", sent.digest, f"http://127.0.0.1:{free_port()}")) == "depot.unreachable"


def test_a_folder_that_is_no_whole_bundle_is_not_sent(server: Server, folder: Path, tmp_path: Path) -> None:
    (folder / f"models/{NAME}/config.json").write_bytes(b"[]")
    with pytest.raises(Refusal) as caught:
        upload(folder, store(server[0]))
    assert [each.code for each in caught.value.findings] == ["bundle.damaged"]
    assert not [name for name in objects(server) if name.endswith(".json")], "without its index it is no bundle"
    sent = objects(server)
    document = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**document, "missing": [{"code": "x", "message": "y"}]}))
    for place in (folder, tmp_path / "nothing"):
        with pytest.raises(Refusal) as caught:
            upload(place, store(server[0]))
        assert [each.code for each in caught.value.findings] == ["bundle.unfinished"]
    assert objects(server) == sent
