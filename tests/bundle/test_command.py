"""`pulumi-llm bundle`: the list is what the nodes are rendered to, all that fails is told at once, the rest is kept."""

from __future__ import annotations

import copy
import hashlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from pulumi_llm._bundle import fetch
from pulumi_llm._bundle.collect import Bundle, spare
from pulumi_llm._bundle.fetch import Full
from pulumi_llm._bundle.wanted import Environment, Sources, Wanted, of_nodes
from pulumi_llm._commands import bundle
from pulumi_llm._commands._bundle import nodes
from pulumi_llm.roles import registry
from tests.bootstrap.test_node_weights import FILES, Hub, hub_server
from tests.bundle import test_archive, test_images, test_wheels
from tests.bundle.server import Files, served
from tests.bundle.test_weights import NAME, WANT
from tests.ssh.samples import PLATFORM

ROOT = Path(__file__).parents[2]
CLOUD = {"server": {"cloud": "aws", "region": "us-east-1", "gpu": "T4", "model": "01-ai/Yi-6B-Chat"}}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a machine of one's own, `box`, and a stack at a cloud, `bought`."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "Pulumi.yaml").write_text("name: own\nruntime: python\n")
    shutil.copy(ROOT / "stacks/__main__.py", tmp_path)
    made: dict[str, Any] = copy.deepcopy(PLATFORM)
    made["server"]["host"]["bundle"] = "/mnt/bundle"
    made["server"]["upstreams"] = {"deepseek": {"models": ["deepseek-chat"]}}
    stacks = {"box": {**made, "vectors": {}}, "bought": {**CLOUD, "access": PLATFORM["access"]}}
    for name, platform in stacks.items():
        (tmp_path / f"Pulumi.{name}.yaml").write_text(yaml.safe_dump({"config": {"own:platform": platform}}))
    return tmp_path


def test_the_list_is_what_the_node_is_rendered_to(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert bundle.COMMAND.run(["-s", "box", "--list", "--json", "--packages", "htop"]) == 0
    told = json.loads(capsys.readouterr().out)
    (node,), *__ = nodes(project, "box")
    wanted = of_nodes([node], extra=["htop"])
    assert told["packages"] == [*wanted.packages]
    assert told["packages"][-1] == "htop"
    assert {"python3-venv", "gcc", "caddy", "docker.io"} <= set(told["packages"])
    pins = registry.environments()
    assert {each["name"]: each["bytes"] for each in told["wheels"]} == {
        name: pins[name].wheels.download_bytes for name in ("vllm", "gate", "uv")
    }
    assert told["images"] == [registry.role("weaviate").manifest.install.images["weaviate"].image]
    assert told["weights"] == [{"name": "Qwen/Qwen2.5-7B-Instruct", "version": None}]
    assert told["stillAsked"] == [{"what": "models of the upstream deepseek", "where": "https://api.deepseek.com/v1"}]


def test_the_list_for_people_says_what_is_not_in_it(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert bundle.COMMAND.run(["-s", "box", "--list"]) == 0
    shown = capsys.readouterr().out
    assert "3.67 GiB" in shown
    assert "NVIDIA's driver" in shown
    assert "https://api.deepseek.com/v1" in shown
    assert list(project.glob("*/")) == []


@pytest.mark.parametrize(
    ("options", "code", "status"),
    [
        (["-s", "box"], "bundle.no-folder", 2),
        (["-s", "bought", "--list"], "bundle.no-machine", 1),
        (["-s", "box", "--list", "--from", "pypi=ftp://x"], "bundle.bad-source", 2),
        (["-s", "box", "--list", "--from", "snap=https://x"], "bundle.bad-source", 2),
        (["-s", "box", "--list", "--from", "hub=nobody"], "bundle.bad-source", 2),
        (["-s", "none", "--list"], "stack.unknown", 2),
    ],
)
@pytest.mark.usefixtures("project")
def test_a_wrong_call_has_its_code(
    options: list[str], code: str, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bundle.COMMAND.run(options) == status
    assert f"[{code}]" in capsys.readouterr().err


@pytest.mark.usefixtures("project")
def test_sources_that_are_named_stand_alone_in_their_kind(capsys: pytest.CaptureFixture[str]) -> None:
    given = ["pypi=http://10.0.0.5/simple", "apt=http://10.0.0.5/ubuntu", "registry=10.0.0.5:5000/", "hub=modelscope"]
    given += ["hub=huggingface=https://hub.example.com/"]
    options = [each for one in given for each in ("--from", one)]
    assert bundle.COMMAND.run(["-s", "box", "--list", "--json", *options]) == 0
    assert json.loads(capsys.readouterr().out)["sources"] == {
        "apt": ["http://10.0.0.5/ubuntu"],
        "pypi": ["http://10.0.0.5/simple"],
        "registries": ["10.0.0.5:5000/"],
        "hubs": ["https://modelscope.cn", "https://hub.example.com"],
    }


# -- collecting, from servers


@dataclass
class World:
    files: Files
    hub: Hub
    wanted: Wanted


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """An archive, an index, a registry and a hub, and one small thing that is wanted of each."""
    monkeypatch.setattr(fetch, "PAUSE", 0.0)
    monkeypatch.setenv("LLM_POLL_SECONDS", "0.05")
    monkeypatch.setenv("LLM_PROBE_SECONDS", "0")
    rows = test_archive.row("caddy", "2", Depends="adduser") + "\n\n" + test_archive.row("adduser", "1")
    files = {f"/u/pool/{name}_{version}.deb": test_archive.content(name, version)
             for name, version in (("caddy", "2"), ("adduser", "1"))}  # fmt: skip
    for pocket in ("noble", "noble-updates", "noble-security"):
        files |= test_archive.suite(pocket, {"main": rows if pocket == "noble" else ""})
    files["/simple/thing/"] = test_wheels.page("html")
    files |= {f"/files/{name}": body for name, body in test_wheels.BODIES.items()}
    manifests = {"1.2": test_images.INDEX, test_images.digest(test_images.MANIFEST): test_images.MANIFEST}
    files |= {f"/v2/a/b/manifests/{each}": text for each, text in manifests.items()} | test_images.BLOBS
    lock = "thing==1.0 " + " ".join(f"--hash=sha256:{each}" for each in sorted(test_wheels.LOCKED)) + "\n"
    with served(Files(files)) as server, hub_server(Hub()) as hub:
        host = server.address.removeprefix("http://")
        wanted = Wanted(
            names=("llm-server",),
            packages=("caddy",),
            codename="noble",
            environments=(Environment(name="gate", version="1", lock=lock, bytes=1),),
            images=(f"{host}/a/b:1.2",),
            models=(WANT,),
            sources=Sources(
                pypi=(f"{server.address}/simple",),
                apt=(f"{server.address}/u",),
                registries=("",),
                hubs=({"kind": "huggingface", "endpoint": hub.address, "token": False},),
            ),
            still=(),
        )
        yield World(server, hub, wanted)


def told(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "manifest.json").read_text())
    return found


def test_each_file_stands_in_the_manifest_with_its_source_digest_and_size(world: World, tmp_path: Path) -> None:
    assert Bundle(world.wanted, tmp_path).collect() == []
    manifest = told(tmp_path)
    there = {str(each.relative_to(tmp_path)) for each in tmp_path.rglob("*") if each.is_file()}
    assert {each["path"] for each in manifest["files"]} | {"manifest.json", f"models/{NAME}/complete.json"} == there
    for each in manifest["files"]:
        body = (tmp_path / each["path"]).read_bytes()
        assert (each["sha256"], each["bytes"]) == (hashlib.sha256(body).hexdigest(), len(body)), each
        assert each["source"].startswith("http://127.0.0.1:"), each
    kinds = {each["kind"]: each for each in manifest["files"]}
    assert list(kinds) == ["packages", "wheels", "images", "weights"]
    names = {each["name"]: each["version"] for each in manifest["files"] if each["name"] != "lists"}
    assert names["caddy"] == "2"
    assert names["adduser"] == "1"
    assert names["thing"] == "1.0"
    assert names["01-ai/Yi-6B-Chat"] == "newest"
    assert manifest["apt"][0] == {"suite": "noble", "components": "main"}
    assert manifest["missing"] == []


def test_the_second_time_nothing_is_fetched_again_and_the_sources_are_still_told(world: World, tmp_path: Path) -> None:
    Bundle(world.wanted, tmp_path).collect()
    before = told(tmp_path)["files"]
    world.files.asked.clear()
    world.hub.requests.clear()
    assert Bundle(world.wanted, tmp_path).collect() == []
    asked = [path for path, __ in world.files.asked]
    assert not [each for each in asked if each.endswith((".deb", ".whl")) or "/blobs/" in each or "Packages" in each]
    assert world.hub.requests == []
    assert told(tmp_path)["files"] == before


def test_all_that_fails_is_told_at_once_and_the_next_run_fetches_that_alone(world: World, tmp_path: Path) -> None:
    blob = f"/v2/a/b/blobs/{test_images.digest(test_images.LAYER)}"
    world.files.refuse |= {"/u/pool/adduser_1.deb": 404, f"/files/{test_wheels.NEW}": 500, blob: 403}
    world.hub.refuse = 404
    codes = [each.code for each in Bundle(world.wanted, tmp_path).collect()]
    assert codes == ["bundle.not-found", "bundle.unreachable", "bundle.refused", "weights.not-found"]
    assert [each["code"] for each in told(tmp_path)["missing"]] == codes
    assert told(tmp_path)["images"] == {}
    world.files.refuse.clear()
    world.hub.refuse = 0
    world.files.asked.clear()
    assert Bundle(world.wanted, tmp_path).collect() == []
    assert [path for path, __ in world.files.asked if path.endswith(".deb")] == ["/u/pool/adduser_1.deb"]
    assert told(tmp_path)["missing"] == []


def test_an_archive_that_does_not_answer_is_passed_over_for_the_next(world: World, tmp_path: Path) -> None:
    sources = replace(world.wanted.sources, apt=("http://127.0.0.1:9/ubuntu", *world.wanted.sources.apt))
    assert Bundle(replace(world.wanted, sources=sources), tmp_path).collect() == []


def test_a_folder_that_is_a_file_ends_it_with_a_code(world: World, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Full) as full:
        Bundle(world.wanted, tmp_path / "file").collect()
    assert full.value.finding.code == "bundle.unwritable"


def test_what_an_older_bundle_had_is_named_and_not_deleted(world: World, tmp_path: Path) -> None:
    old = tmp_path / "wheels/old-1-py3-none-any.whl"
    old.parent.mkdir()
    old.write_bytes(b"old")
    made = Bundle(world.wanted, tmp_path)
    made.collect()
    assert list(spare(tmp_path, made.rows)) == [old]
    assert old.exists()


def test_the_weights_are_those_of_the_hub(world: World, tmp_path: Path) -> None:
    Bundle(world.wanted, tmp_path).collect()
    assert (tmp_path / "models" / NAME / "config.json").read_bytes() == FILES["config.json"]
