"""A real Weaviate is backed up by its own module, wiped, and put back: the same question has the same answer."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
import yaml

from tests.backups.node import TOOLS, Node
from tests.gateway.front import free_port

SERVER = TOOLS / "bin" / "weaviate-server"
pytestmark = [
    pytest.mark.clients,
    pytest.mark.skipif(not SERVER.exists(), reason="tools/fetch weaviate builds the server"),
]
KEY = "w" * 40
OBJECTS = 300


class Weaviate(Node):
    """With the real server, and the environment that its compose file has."""

    def __init__(self, root: Path) -> None:
        self.port = free_port()
        super().__init__(root, "weaviate", KEY, {"8080": str(self.port)})
        told = yaml.safe_load(self.path("/opt/llm/weaviate/compose.yaml").read_text())["services"]["weaviate"]
        data = str(self.path("/srv/llm/weaviate"))
        env = {name: str(value).replace("/var/lib/weaviate", data) for name, value in told["environment"].items()}
        env |= {"AUTHENTICATION_APIKEY_ALLOWED_KEYS": KEY, "GRPC_PORT": str(free_port())}
        env |= {"CLUSTER_GOSSIP_BIND_PORT": str(free_port()), "CLUSTER_DATA_BIND_PORT": str(free_port())}
        env |= {"RAFT_PORT": str(free_port()), "RAFT_INTERNAL_RPC_PORT": str(free_port()), "PROFILING_PORT": "0"}
        env |= {"GO_PROFILING_DISABLE": "true"}
        argv = [str(SERVER), "--host", "127.0.0.1", "--port", str(self.port), "--scheme", "http"]
        self.unit(argv=argv, env=env)

    def call(self, path: str, body: Any = None, method: str | None = None) -> Any:
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {KEY}"}
        data = None if body is None else json.dumps(body).encode()
        request = Request(f"http://127.0.0.1:{self.port}/v1{path}", data, headers, method=method)
        with urlopen(request, timeout=60) as reply:
            return json.loads(reply.read() or b"null")

    def fill(self) -> None:
        self.call("/schema", {"class": "Text", "properties": [{"name": "body", "dataType": ["text"]}]})
        rows = random.Random(7)
        objects = [
            {"class": "Text", "properties": {"body": f"text {n}"}, "vector": [rows.random() for _ in range(64)]}
            for n in range(OBJECTS)
        ]
        assert all(each["result"]["status"] == "SUCCESS" for each in self.call("/batch/objects", {"objects": objects}))

    def near(self) -> Any:
        vector = [random.Random(8).random() for _ in range(64)]
        asked = f"{{Get {{Text(nearVector: {{vector: {vector}}}, limit: 5) {{body _additional {{distance}}}}}}}}"
        return self.call("/graphql", {"query": asked})["data"]["Get"]["Text"]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Weaviate]:
    made = Weaviate(tmp_path / "node")
    try:
        # The node's own way to start it: until it says that it is well.
        made.systemctl("start")
        made.ask("last")
        waited(made)
        yield made
    finally:
        made.close()


def waited(store: Weaviate) -> None:
    import time

    until = time.monotonic() + 60
    while True:
        try:
            store.call("/.well-known/ready")
            return
        except OSError:
            assert time.monotonic() < until, store.path("/bin/llm-weaviate.service.log").read_text()[-3000:]
            time.sleep(0.1)


def test_what_was_wiped_answers_as_before(store: Weaviate) -> None:
    store.fill()
    before = store.near()
    made = store.ask("make")
    assert made.get("error") is None
    assert (made["engine"], made["version"], made["count"]) == ("weaviate", store.call("/meta")["version"], OBJECTS)
    store.call("/schema/Text", method="DELETE")
    store.take(made)
    assert store.restore(made) == {"engine": "weaviate", "id": made["id"], "count": OBJECTS}
    assert store.near() == before
    assert not list(store.path("/srv/llm/weaviate/backups").iterdir())
    assert {each.name for each in store.path("/srv/llm/backup").iterdir()} == {"parts", "last.json"}


def test_nothing_that_it_leaves_on_the_disk_can_be_read(store: Weaviate) -> None:
    store.fill()
    store.ask("make")
    parts = sorted(store.path("/srv/llm/backup/parts").glob("part-*"))
    assert len(parts) > 1  # so that the order of parts is tried too
    assert parts[0].read_bytes().startswith(b"age-encryption.org/v1\n-> ssh-ed25519 ")
    assert not any(b"text 17" in each.read_bytes() or b"Text" in each.read_bytes() for each in parts)


def test_an_empty_store_is_a_backup_too(store: Weaviate) -> None:
    made = store.ask("make")
    assert made["count"] == 0
    store.fill()
    store.take(made)
    assert store.restore(made)["count"] == 0
    assert not store.call("/schema")["classes"]


def test_a_restore_that_is_killed_leaves_the_store_as_it_was(store: Weaviate) -> None:
    store.fill()
    made = store.ask("make")
    store.call(
        "/batch/objects", {"objects": [{"class": "Text", "properties": {"body": "later"}, "vector": [2.0] * 64}]}
    )
    before = store.near()
    store.take(made)
    answer = store.kill_work(
        store.path("/srv/llm/backup/before").exists, "restore", manifest=made, key=store.key.read_text()
    )
    assert answer["error"]["code"] == "backup.died"
    waited(store)
    assert store.near() == before
    count = store.call("/graphql", {"query": "{ Aggregate { Text { meta { count } } } }"})
    assert count["data"]["Aggregate"]["Text"][0]["meta"]["count"] == OBJECTS + 1
    assert not store.path("/srv/llm/backup/under-way.json").exists()
    assert not store.path("/run/llm/backup/key").exists()


def test_a_restore_that_the_engine_refuses_leaves_the_store_as_it_was(store: Weaviate, tmp_path: Path) -> None:
    store.fill()
    before = store.near()
    made = store.ask("make")
    folder = tmp_path / "bent"
    folder.mkdir()
    code = "from pathlib import Path; from llm_node import backup_archive as a; import json, shutil; "
    code += f"parts, folder = Path({str(store.path('/srv/llm/backup/parts'))!r}), Path({str(folder)!r}); "
    code += f"rows = json.loads((parts / 'manifest.json').read_text())['parts']; key = Path({str(store.key)!r}); "
    code += "a.unpack(rows, parts, key, folder); [each.unlink() for each in folder.rglob('chunk-*')]; "
    code += "shutil.rmtree(parts); parts.mkdir(); print(json.dumps(a.pack([folder], parts)))"
    import subprocess
    import sys

    env = {**store.env, "PYTHONPATH": str(store.path("/opt/llm/lib"))}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    bent = {**made, "parts": json.loads(done.stdout)}
    store.take(bent)
    answer = store.restore(bent)
    assert answer["error"]["code"] == "backup.engine-failed"
    waited(store)
    assert store.near() == before


def test_a_backup_is_restored_into_another_node(store: Weaviate, tmp_path: Path) -> None:
    store.fill()
    before, made = store.near(), store.ask("make")
    other = Weaviate(tmp_path / "other")
    try:
        other.systemctl("start")
        waited(other)
        other.take(made, store)
        assert other.restore(made, store.key)["count"] == OBJECTS
        assert other.near() == before
    finally:
        other.close()


def test_a_part_that_was_bent_is_found_before_anything_is_touched(store: Weaviate) -> None:
    store.fill()
    before, made = store.near(), store.ask("make")
    store.take(made)
    part = store.path("/srv/llm/backup/incoming/part-00000")
    data = bytearray(part.read_bytes())
    data[1000] ^= 1
    part.write_bytes(data)
    log = store.path("/bin/systemctl.log")
    log.unlink()
    assert store.restore(made)["error"]["code"] == "backup.damaged"
    assert "llm-weaviate" not in log.read_text()
    assert store.near() == before


def test_another_key_another_engine_and_a_newer_version_are_refused(store: Weaviate, tmp_path: Path) -> None:
    import subprocess

    store.fill()
    before, made = store.near(), store.ask("make")
    other = tmp_path / "other-key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", other], check=True)
    for manifest, key, code in (
        (made, other, "backup.wrong-key"),
        ({**made, "engine": "qdrant", "title": "Qdrant"}, store.key, "backup.other-engine"),
        ({**made, "version": "99.0.0"}, store.key, "backup.newer-version"),
    ):
        store.take(made)
        answer = store.restore(manifest, key)
        assert answer["error"]["code"] == code
        assert answer["error"]["hint"]
        assert store.near() == before
    shutil.rmtree(tmp_path / "node/srv/llm/backup/parts")
