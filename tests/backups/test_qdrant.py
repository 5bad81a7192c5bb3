"""Qdrant's server is on no package registry: what a backup asks it is held against a stand-in of its documented API."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.backups.node import Node
from tests.gateway.front import free_port

pytestmark = pytest.mark.clients

STATE = {
    "collections": {"texts": [1, 2, 3], "other texts": [4]},
    "aliases": [{"alias_name": "now", "collection_name": "texts"}],
}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Node]:
    port = free_port()
    made = Node(tmp_path / "node", "qdrant", "q" * 40, {"6333": str(port)})
    data = made.path("/srv/llm/qdrant")
    made.unit(
        argv=[sys.executable, str(Path(__file__).with_name("qdrant_stand_in.py")), str(port), str(data), "q" * 40]
    )
    made.systemctl("start")
    until = time.monotonic() + 30
    while True:
        try:
            urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5).close()
            break
        except OSError:
            assert time.monotonic() < until
            time.sleep(0.05)
    yield made
    made.close()


def test_collections_and_aliases_come_back_and_no_snapshot_stays(store: Node) -> None:
    state = store.path("/srv/llm/qdrant/collections.json")
    state.write_text(json.dumps(STATE))
    made = store.ask("make")
    assert (made["engine"], made["version"], made["count"]) == ("qdrant", "1.19.1", 4)
    assert not list(store.path("/srv/llm/qdrant/snapshots").rglob("*.snapshot"))
    state.write_text(json.dumps({"collections": {"later": [9]}, "aliases": []}))
    store.take(made)
    assert store.restore(made).get("count") == 4
    found = json.loads(state.read_text())
    assert found == {**STATE, "collections": dict(sorted(STATE["collections"].items()))}  # type: ignore[attr-defined]
    assert not list(store.path("/srv/llm/qdrant/snapshots").rglob("*.snapshot"))


def test_a_key_that_it_refuses_leaves_it_as_it_was(store: Node) -> None:
    state = store.path("/srv/llm/qdrant/collections.json")
    state.write_text(json.dumps(STATE))
    secret = store.path("/srv/llm/secrets/qdrant.env")
    secret.write_text("QDRANT__SERVICE__API_KEY=another\n")
    answer = store.ask("make")
    assert answer["error"]["code"] == "backup.engine-failed"
    assert "another" not in answer["error"]["message"]
    assert json.loads(state.read_text()) == STATE
