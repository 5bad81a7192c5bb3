"""A machine with a bundle takes everything from there: held against digests, and nobody else is asked."""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pulumi_llm._bootstrap import BundleRole, VllmRole
from pulumi_llm._bootstrap.settings import settings
from tests.bootstrap.samples import Node, gpu_node, supplied, vllm_of

FOLDER = "/mnt/bundle"
NAME = "01-ai--Yi-6B-Chat--main"
FILES = {"config.json": b"{}", "model.safetensors": b"weights" * 90000, "sub folder/tokenizer.json": b"[]"}
IMAGE = "cr.weaviate.io/semitechnologies/weaviate:1.40.4"
CONFIG, LAYER = b'{"os": "linux"}', b"layer" * 5000
Make = Callable[..., Node]


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def bundled(folder: Path, name: str = NAME, **more: Any) -> None:
    """A bundle with one model and one image."""
    rows = []
    for file, data in FILES.items():
        path = folder / "models" / name / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        row = {"kind": "weights", "name": "a", "version": "b", "source": "c", "path": f"models/{name}/{file}"}
        rows.append({**row, "sha256": sha256(data), "bytes": len(data)})
    blobs = folder / "images/blobs/sha256"
    blobs.mkdir(parents=True, exist_ok=True)
    parts = [{"digest": f"sha256:{sha256(each)}", "size": len(each)} for each in (CONFIG, LAYER)]
    manifest = json.dumps({"config": parts[0], "layers": parts[1:]}).encode()
    for each in (CONFIG, LAYER, manifest):
        (blobs / sha256(each)).write_bytes(each)
    suites = [{"suite": "noble", "components": "main universe"}, {"suite": "noble-security", "components": "main"}]
    document = {"schema": 1, "files": rows, "apt": suites, "images": {IMAGE: f"sha256:{sha256(manifest)}"}, **more}
    (folder / "manifest.json").write_text(json.dumps(document))


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def made(*, with_bundle: bool = True, further: bool = False) -> Node:
        request = gpu_node().having(BundleRole(folder=FOLDER))
        if further:
            beside = VllmRole(model_id="org/beside", served_name="beside", name="beside", port=8011)
            request = request.having(replace(vllm_of(request), more=(beside,)))
        node = supplied(tmp_path, request)
        node.path("/mnt").mkdir()
        if with_bundle:
            bundled(node.path(FOLDER))
        node.impatient()
        return node

    return made


def code(node: Node, stage: str) -> str:
    assert node.run("run", stage).returncode == 1
    return str(node.stage(stage)["code"])


def test_its_stage_stands_in_the_place_of_the_one_that_asks_hubs() -> None:
    request = gpu_node().having(BundleRole(folder=FOLDER))
    stages = settings(request)["stages"]
    assert "bundle" in stages
    assert "weights" not in stages
    unit = next(each for each in settings(request)["files"] if each["path"].endswith("/llm-vllm.service"))
    assert "llm-bundle.service" in unit["content"]


# -- weights


def test_weights_are_copied_whole_and_the_second_time_left_alone(make: Make) -> None:
    node = make()
    done = node.run("run", "bundle")
    assert done.returncode == 0, done.stderr
    home = node.path(f"/srv/llm/models/{NAME}")
    assert {str(each.relative_to(home)): each.read_bytes() for each in home.rglob("*") if each.is_file()} == {
        **FILES,
        "complete.json": (home / "complete.json").read_bytes(),
    }
    (node.path(FOLDER) / "manifest.json").unlink()
    assert node.run("run", "bundle").returncode == 0, "the bundle may be taken away afterwards"


def test_a_file_that_is_damaged_is_named_and_never_kept_and_the_rest_goes_on_once_it_is_mended(make: Make) -> None:
    node = make()
    file = node.path(f"{FOLDER}/models/{NAME}/model.safetensors")
    file.write_bytes(FILES[file.name][:-1] + b"x")
    assert code(node, "bundle") == "bundle.damaged"
    assert str(file) in node.stage("bundle")["message"]
    assert not node.path(f"/srv/llm/models/{NAME}").exists()
    file.write_bytes(FILES[file.name])
    assert node.run("run", "bundle").returncode == 0


def test_what_an_earlier_download_left_is_not_taken_for_weights(make: Make) -> None:
    node = make()
    odd = node.path(f"/srv/llm/models/{NAME}.part/consolidated.safetensors")
    odd.parent.mkdir(parents=True)
    odd.write_bytes(b"other")
    assert node.run("run", "bundle").returncode == 0
    assert not node.path(f"/srv/llm/models/{NAME}/{odd.name}").exists()


def test_another_revision_in_the_bundle_is_not_this_model(make: Make) -> None:
    node = make(with_bundle=False)
    bundled(node.path(FOLDER), "01-ai--Yi-6B-Chat--v2")
    assert code(node, "bundle") == "bundle.lacks"


def test_weights_of_another_load_format_in_the_bundle_are_not_this_models(make: Make) -> None:
    node = make()
    document = json.loads(node.path("/opt/llm/node.json").read_text())
    document["model"]["kinds"] = [r".+\.pt"]
    node.path("/opt/llm/node.json").write_text(json.dumps(document))
    assert code(node, "bundle") == "bundle.lacks"
    (rows := json.loads((node.path(FOLDER) / "manifest.json").read_text())["files"])[0]["kinds"] = [r".+\.pt"]
    bundled(node.path(FOLDER), files=rows)
    assert node.run("run", "bundle").returncode == 0
    assert node.path(f"/srv/llm/models/{NAME}/config.json").exists()


def test_a_bundle_that_is_not_there_is_waited_for_and_named(make: Make) -> None:
    assert code(make(with_bundle=False), "bundle") == "bundle.absent"


@pytest.mark.parametrize(
    "text", ["no json", "[]", '{"schema": 2, "files": [], "apt": [], "images": {}}', '{"schema": 1}']
)
def test_a_manifest_that_is_none_is_named(make: Make, text: str) -> None:
    node = make()
    node.path(f"{FOLDER}/manifest.json").write_text(text)
    assert code(node, "bundle") == "bundle.unreadable"


def test_a_manifest_that_leads_out_of_its_folder_is_refused(make: Make) -> None:
    node = make()
    row = {"path": f"models/{NAME}/../../evil", "sha256": "0" * 64, "bytes": 1}
    bundled(node.path(FOLDER), files=[row])
    assert code(node, "bundle") == "bundle.unreadable"


def test_a_data_disk_without_room_is_noticed_before_the_first_byte(make: Make) -> None:
    node = make()
    said = node.python(
        "import shutil, types; shutil.disk_usage = lambda _: types.SimpleNamespace(free=2**30)\n"
        "from llm_node import bundle, system\n"
        "try: bundle.main()\nexcept system.Failure as failure: print(failure.code)"
    )
    assert said == "bundle.disk-full\n"


def test_further_models_come_from_the_bundle_too(make: Make) -> None:
    node = make(further=True)
    assert code(node, "models") == "bundle.lacks"
    bundled(node.path(FOLDER), "org--beside--main")
    assert node.run("run", "models").returncode == 0
    assert node.path("/srv/llm/models/org--beside--main/config.json").exists()


# -- packages and wheels


def test_apt_is_told_of_the_bundle_alone_and_its_archives_signature_is_asked_for(make: Make) -> None:
    node = make()
    node.fake("dpkg-query", "exit 1")
    node.fake("dpkg", "exit 0")
    node.fake("apt-get", "exit 0")
    assert node.run("run", "base").returncode == 0
    sources = node.path("/opt/llm/apt.list").read_text()
    place = node.path(f"{FOLDER}/apt")
    options = "[target=Packages by-hash=no check-valid-until=no]"
    assert (
        sources == f"deb {options} file:{place} noble main universe\ndeb {options} file:{place} noble-security main\n"
    )
    calls = [each for each in node.calls if each.startswith("apt-get")]
    assert len(calls) == 3
    assert all("Dir::Etc::sourceparts=-" in each for each in calls)


@pytest.mark.parametrize("printed", ["E: Failed to fetch file:/x.deb", "E: Unable to locate package caddy", "E: unmet"])
def test_a_package_that_the_bundle_lacks_has_one_code(make: Make, printed: str) -> None:
    node = make()
    node.fake("dpkg-query", "exit 1")
    node.fake("dpkg", "exit 0")
    node.fake("apt-get", f"echo '{printed}'; exit 100")
    assert code(node, "base") == "bundle.packages"
    assert printed in node.stage("base")["message"]


def test_a_held_lock_keeps_its_code(make: Make) -> None:
    node = make()
    node.fake("dpkg-query", "exit 1")
    node.fake("dpkg", "exit 0")
    node.fake("apt-get", "echo 'E: Could not get lock'; exit 100")
    assert code(node, "base") == "apt.locked"


def with_python(node: Node, script: str = "") -> None:
    """A python3 that makes environments whose Python logs what it is told."""
    log = f'echo "python $*" >> {node.root}/calls'
    body = f"#!/bin/bash\\n{log}\\n{script}\\nexit 0\\n"
    node.fake(
        "python3", f'h="${{@: -1}}"; mkdir -p "$h/bin"; printf \'{body}\' > "$h/bin/python"; chmod +x "$h/bin/python"'
    )


def test_wheels_come_from_the_bundles_folder_and_no_index_is_asked(make: Make) -> None:
    node = make()
    with_python(node)
    done = node.run("run", "gateway")
    assert done.returncode == 0, done.stderr
    calls = [each for each in node.calls if each.startswith("python -m")]
    assert len(calls) == 2
    for each in calls:
        assert f"--no-index --find-links {node.path(FOLDER)}/wheels" in each
        assert "--require-hashes" in each
        assert " -i " not in each


@pytest.mark.parametrize(
    ("printed", "kind"),
    [("No solution found", "bundle.lacks"), ("Hash mismatch", "bundle.damaged"), ("No space left", "python.disk-full")],
)
def test_what_is_wrong_with_the_folder_of_wheels_is_told_as_that(make: Make, printed: str, kind: str) -> None:
    node = make()
    with_python(node, f"echo {printed}; exit 1")
    assert code(node, "gateway") == kind


# -- images


def test_an_image_is_handed_to_docker_as_an_archive_under_its_own_name(make: Make) -> None:
    node = make()
    node.fake("systemctl", "exit 0")
    node.fake("docker", f'[ "$1" = load ] && cat > {node.root}/loaded.tar && exit 0; exit 1')
    done = node.run("run", "images")
    assert done.returncode == 0, done.stderr
    assert "docker pull" not in " ".join(node.calls)
    with tarfile.open(node.root / "loaded.tar") as archive:
        names = archive.getnames()
        (index,) = json.load(archive.extractfile("manifest.json"))  # type: ignore[arg-type]
        assert index["RepoTags"] == [IMAGE]
        read = [archive.extractfile(each).read() for each in (index["Config"], *index["Layers"])]  # type: ignore[union-attr]
    assert read == [CONFIG, LAYER]
    assert len(names) == 3


def test_an_image_that_is_there_is_left_alone(make: Make) -> None:
    node = make()
    node.fake("systemctl", "exit 0")
    node.fake("docker", "exit 0")
    assert node.run("run", "images").returncode == 0
    assert node.calls[-1].startswith("docker image inspect")


def test_a_damaged_part_of_an_image_is_not_loaded(make: Make) -> None:
    node = make()
    node.fake("systemctl", "exit 0")
    node.fake("docker", '[ "$1" = load ] && { cat > /dev/null; exit 0; }; exit 1')
    blob = node.path(f"{FOLDER}/images/blobs/sha256/{sha256(LAYER)}")
    blob.write_bytes(b"other")
    assert code(node, "images") == "bundle.damaged"
    blob.unlink()
    assert code(node, "images") == "bundle.lacks"


def test_a_docker_that_does_not_take_it_says_why(make: Make) -> None:
    node = make()
    node.fake("systemctl", "exit 0")
    node.fake("docker", '[ "$1" = load ] && { echo "invalid tar header"; exit 1; }; exit 1')
    assert code(node, "images") == "bundle.not-loaded"
    assert "invalid tar header" in node.stage("images")["message"]


def test_an_image_that_the_bundle_has_not_is_named(make: Make) -> None:
    node = make()
    node.fake("systemctl", "exit 0")
    node.fake("docker", "exit 1")
    bundled(node.path(FOLDER), images={})
    assert code(node, "images") == "bundle.lacks"
    assert IMAGE in node.stage("images")["message"]
