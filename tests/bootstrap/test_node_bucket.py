"""Weights are kept in a bucket once, and the next machine takes them from there: a real server of S3, versitygw."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from pulumi_llm._bootstrap import BucketRole, VllmRole
from pulumi_llm._bootstrap.settings import settings
from pulumi_llm.roles import role
from tests.backups.test_bucket import KEY, PROGRAM, SECRET, server
from tests.bootstrap.samples import Node, gpu_node, supplied
from tests.bootstrap.test_node_weights import Hub, assert_whole, hub_server, model

__all__ = ["server"]

pytestmark = [
    pytest.mark.clients,
    pytest.mark.skipif(PROGRAM is None, reason="tools/fetch versitygw builds the server"),
]
PLACE = "below/01-ai/Yi-6B-Chat/newest"
Make = Callable[..., Node]


@pytest.fixture
def hub() -> Iterator[Hub]:
    with hub_server(Hub()) as running:
        yield running


@pytest.fixture
def make(server: tuple[str, Path], tmp_path: Path, hub: Hub) -> Make:
    """A machine whose weights come from the bucket, or else from the hub."""
    endpoint, __ = server

    def made(name: str, *, key: bool = True, at: str = endpoint, more: bool = False) -> Node:
        target = {"url": f"{at}/kept", "region": "cn-hangzhou", "prefix": "below", "shown": "s3://kept/below"}
        request = gpu_node().having(BucketRole(target=target))
        if more:
            asked = request.of(VllmRole)
            assert asked is not None
            beside = VllmRole(model_id="org/beside", served_name="beside", name="beside", port=8011)
            request = request.having(replace(asked, more=(beside,)))
        hubs = [{"kind": "huggingface", "endpoint": hub.address, "token": False}]
        node = supplied(tmp_path / name, request, hubs=hubs)
        node.impatient()
        node.fake("systemctl", "exit 0")
        if key:
            give_key(node)
        return node

    return made


def give_key(node: Node, secret: str = SECRET) -> None:
    folder = node.path("/srv/llm/secrets")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "weights.access-key-id").write_text(KEY)
    (folder / "weights.access-key-secret").write_text(secret)


def keep(node: Node, **env: str) -> str:
    return node.python(f"import os; os.environ.update({env!r}); from llm_node.bucket import keep_all; keep_all()")


def told(node: Node) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(node.path("/run/llm/weights.json").read_text())
    (only,) = found["models"].values()
    return dict(only)


def objects(server: tuple[str, Path]) -> list[str]:
    return sorted(each.name for each in (server[1] / PLACE).iterdir() if each.is_file())


def test_the_first_machine_keeps_its_weights_and_the_second_takes_them_without_asking_a_hub(
    make: Make, hub: Hub, server: tuple[str, Path]
) -> None:
    first = make("first")
    done = first.run("run", "bucket")
    assert done.returncode == 0, done.stderr
    assert_whole(first)
    assert told(first) == {"source": "hub", "kept": False, "code": None, "message": None, "hint": None}
    assert "systemctl start --no-block llm-keep.service" in first.calls
    assert keep(first) == ""
    assert told(first)["kept"] is True
    assert objects(server) == ["0000-000", "0001-000", "0002-000", "0003-000", "manifest.json"]

    hub.requests.clear()
    second = make("second")
    done = second.run("run", "bucket")
    assert done.returncode == 0, done.stderr
    assert_whole(second)
    assert hub.requests == []
    assert told(second) == {"source": "bucket", "kept": True, "code": None, "message": None, "hint": None}
    assert second.stage("bucket")["state"] == "done"
    before = {each: each.stat().st_mtime_ns for each in (server[1] / PLACE).iterdir()}
    assert keep(second) == ""
    assert {each: each.stat().st_mtime_ns for each in (server[1] / PLACE).iterdir()} == before, "it is kept once"
    assert second.run("run", "bucket").returncode == 0
    assert told(second)["source"] == "bucket"


def test_a_file_that_is_larger_than_a_request_is_kept_in_pieces_and_comes_whole(
    make: Make, hub: Hub, server: tuple[str, Path]
) -> None:
    first = make("first")
    first.run("run", "bucket")
    assert keep(first, LLM_BUCKET_PART_BYTES="300000") == ""
    kept = objects(server)
    assert len(kept) > 7
    hub.refuse = 500
    second = make("second")
    assert second.run("run", "bucket").returncode == 0
    assert_whole(second)


def test_what_is_not_as_it_was_kept_is_told_and_comes_from_a_hub(
    make: Make, hub: Hub, server: tuple[str, Path]
) -> None:
    first = make("first")
    first.run("run", "bucket")
    keep(first)
    large = max((server[1] / PLACE).iterdir(), key=lambda each: each.stat().st_size)
    content = bytearray(large.read_bytes())
    content[1000] ^= 1
    large.write_bytes(bytes(content))
    hub.requests.clear()
    second = make("second")
    assert second.run("run", "bucket").returncode == 0
    assert_whole(second)
    assert hub.requests
    found = told(second)
    assert (found["source"], found["code"]) == ("hub", "bucket.damaged")
    assert found["code"] in role("bucket").hints()


@pytest.mark.parametrize("wrong", ["changed", "missing"])
def test_a_copy_that_is_damaged_is_sent_anew_by_the_machine_that_found_it_out(
    make: Make, hub: Hub, server: tuple[str, Path], wrong: str
) -> None:
    first = make("first")
    first.run("run", "bucket")
    keep(first)
    large = max((server[1] / PLACE).iterdir(), key=lambda each: each.stat().st_size)
    whole = large.read_bytes()
    if wrong == "changed":
        large.write_bytes(whole[:1000] + bytes([whole[1000] ^ 1]) + whole[1001:])
    else:
        large.unlink()
    second = make("second")
    assert second.run("run", "bucket").returncode == 0
    assert_whole(second)
    assert (told(second)["source"], told(second)["kept"], told(second)["code"]) == ("hub", False, "bucket.damaged")
    assert keep(second) == ""
    assert (told(second)["kept"], told(second)["code"]) == (True, None)
    assert large.read_bytes() == whole
    hub.requests.clear()
    third = make("third")
    assert third.run("run", "bucket").returncode == 0
    assert_whole(third)
    assert hub.requests == []


def test_an_upload_that_was_broken_off_is_no_copy(make: Make, hub: Hub, server: tuple[str, Path]) -> None:
    first = make("first")
    first.run("run", "bucket")
    keep(first)
    (server[1] / PLACE / "manifest.json").unlink()
    second = make("second")
    assert second.run("run", "bucket").returncode == 0
    assert told(second)["source"] == "hub"
    assert told(second)["code"] is None
    keep(second)
    assert "manifest.json" in objects(server)


def test_a_wrong_key_and_a_bucket_that_is_away_are_told_and_never_in_the_way(
    make: Make, hub: Hub, server: tuple[str, Path]
) -> None:
    node = make("wrong", key=False)
    give_key(node, "another-secret")
    assert node.run("run", "bucket").returncode == 0
    assert_whole(node)
    assert told(node)["code"] == "bucket.refused"
    keep(node)
    assert (told(node)["code"], told(node)["kept"]) == ("bucket.refused", False)
    assert "another-secret" not in json.dumps(json.loads(node.path("/run/llm/weights.json").read_text()))
    away = make("away", at="http://127.0.0.1:9")
    sends = away.path("/opt/llm/lib/llm_node/backup_send.py")
    sends.write_text(sends.read_text().replace('"--retry", "4"', '"--retry", "0"'))
    assert away.run("run", "bucket").returncode == 0
    assert told(away)["code"] == "bucket.unreachable"


def test_the_stage_waits_for_the_key_which_comes_with_the_secrets(make: Make, hub: Hub) -> None:
    node = make("early", key=False)
    done = node.run("run", "bucket")
    assert done.returncode == 1
    assert "bucket.no-key" in done.stderr
    assert hub.requests == []


def test_a_manifest_that_names_files_elsewhere_writes_nothing_there(
    make: Make, hub: Hub, server: tuple[str, Path]
) -> None:
    place = server[1] / PLACE
    place.mkdir(parents=True)
    evil = b"evil"
    row = {"bytes": len(evil), "sha256": hashlib.sha256(evil).hexdigest(), "objects": ["0000-000"]}
    (place / "0000-000").write_bytes(evil)
    for name in ("../../../evil", "/evil"):
        (place / "manifest.json").write_text(json.dumps({"schema": 1, "files": {name: row}}))
        node = make(f"odd{len(name)}")
        assert node.run("run", "bucket").returncode == 0
        assert told(node)["code"] == "bucket.unreadable"
        assert not list(node.root.rglob("evil"))
        shutil.rmtree(node.root)


def test_further_models_are_kept_and_taken_too(make: Make, hub: Hub, server: tuple[str, Path]) -> None:
    first = make("first", more=True)
    for stage in ("bucket", "models"):
        done = first.run("run", stage)
        assert done.returncode == 0, done.stderr
    assert keep(first) == ""
    assert (server[1] / "below/org/beside/newest/manifest.json").is_file()
    hub.refuse = 500
    second = make("second", more=True)
    for stage in ("bucket", "models"):
        assert second.run("run", stage).returncode == 0
    found = json.loads(second.path("/run/llm/weights.json").read_text())
    assert [each["source"] for each in found["models"].values()] == ["bucket", "bucket"]
    assert second.stage("models")["state"] == "done"


def test_the_status_document_with_it_is_as_its_schema_says(make: Make, hub: Hub) -> None:
    node = make("first")
    node.run("run", "bucket")
    shown = node.python("from llm_node.serve_status import document; print(document().decode())")
    schema = json.loads((Path(__file__).parents[2] / "templates/node/status.schema.json").read_text())
    document = json.loads(shown)
    assert document["weights"]["bucket"] == "s3://kept/below"
    jsonschema.validate(document, schema)


def test_a_node_with_a_bucket_fetches_nothing_before_its_key_is_there() -> None:
    target = {"url": "https://b.example.com", "region": "r", "prefix": "", "shown": "s3://b"}
    plain, kept = gpu_node(), gpu_node().having(BucketRole(target=target))
    assert "weights" in settings(plain)["stages"]
    assert "weights" not in settings(kept)["stages"]
    units = {each["path"].rpartition("/")[2]: each["content"] for each in settings(kept)["files"]}
    assert "llm-bucket.service" in units["llm-vllm.service"]
    assert "llm-weights.service" not in units["llm-vllm.service"]
    assert model(Node(Path("/x"))).name.startswith("01-ai")
