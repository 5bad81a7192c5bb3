"""Qdrant's own means: a snapshot of each collection. Aliases are in none of them, and are noted beside."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import quote

from llm_node.backup_store import Store, call
from llm_node.system import Failure

BASE = "http://127.0.0.1:6333"
SNAPSHOTS, INSIDE = "snapshots", "/qdrant/storage/snapshots"  # as the compose file has them
NOTE = "collections.json"


def ask(store: Store, path: str, body: Any = None, method: str | None = None) -> Any:
    """What it answers to whoever has its key."""
    return call(BASE + path, {"api-key": store.secret("qdrant_api_key")}, body, method)


def version(store: Store) -> str:
    """As it says itself."""
    return str(ask(store, "/")["version"])


def collections(store: Store) -> list[str]:
    """Their names."""
    return sorted(each["name"] for each in ask(store, "/collections")["result"]["collections"])


def count(store: Store) -> int:
    """The points of all collections."""
    asked = {"exact": True}
    return sum(
        ask(store, f"/collections/{quote(each, safe='')}/points/count", asked)["result"]["count"]
        for each in collections(store)
    )


def dump(store: Store, folder: Path) -> None:
    """A snapshot of each collection, which Qdrant then deletes, and the aliases."""
    rows = []
    for number, name in enumerate(collections(store)):
        path = f"/collections/{quote(name, safe='')}/snapshots"
        made = ask(store, f"{path}?wait=true", {}, "POST")["result"]["name"]
        shutil.copyfile(store.data / SNAPSHOTS / name / made, folder / f"{number}.snapshot")
        ask(store, f"{path}/{quote(made, safe='')}?wait=true", method="DELETE")
        rows.append(name)
    aliases = ask(store, "/aliases")["result"]["aliases"]
    (folder / NOTE).write_text(json.dumps({"collections": rows, "aliases": aliases}))


def load(store: Store, folder: Path) -> None:
    """Recover each collection in a Qdrant that has none, then the aliases."""
    said = json.loads((folder / NOTE).read_text())
    place = store.data / SNAPSHOTS / "llm-restore"
    place.mkdir(parents=True)
    for number, name in enumerate(said["collections"]):
        if not (folder / f"{number}.snapshot").is_file():
            raise Failure("backup.damaged", f"the snapshot of {name} is not in it")
        (folder / f"{number}.snapshot").rename(place / f"{number}.snapshot")
        store.own(store.data / SNAPSHOTS)
        wanted = {"location": f"file://{INSIDE}/llm-restore/{number}.snapshot", "priority": "snapshot"}
        ask(store, f"/collections/{quote(name, safe='')}/snapshots/recover?wait=true", wanted, "PUT")
    shutil.rmtree(place)
    if said["aliases"]:
        actions = [
            {"create_alias": {"collection_name": each["collection_name"], "alias_name": each["alias_name"]}}
            for each in said["aliases"]
        ]
        ask(store, "/collections/aliases", {"actions": actions}, "POST")
