"""Weaviate's own means: its module `backup-filesystem`, whose folder lies within the data."""

from __future__ import annotations

import secrets
import time
from pathlib import Path
from typing import Any

from llm_node.backup_store import POLL, Store, call
from llm_node.system import Failure, own

BASE = "http://127.0.0.1:8080/v1"
FOLDER = "backups"  # BACKUP_FILESYSTEM_PATH in the compose file


def ask(store: Store, path: str, body: Any = None) -> Any:
    """What it answers to whoever has its key."""
    return call(BASE + path, {"Authorization": f"Bearer {store.secret('weaviate_api_key')}"}, body)


def version(store: Store) -> str:
    """As it says itself."""
    return str(ask(store, "/meta")["version"])


def classes(store: Store) -> list[dict[str, Any]]:
    """Its collections."""
    return ask(store, "/schema")["classes"] or []


def count(store: Store) -> int:
    """The objects of all collections, and of all their tenants that are awake."""
    found = 0
    for each in classes(store):
        name = each["class"]
        several = each.get("multiTenancyConfig", {}).get("enabled")
        tenants = [
            f'(tenant: "{tenant["name"]}")'
            for tenant in (ask(store, f"/schema/{name}/tenants") if several else ())
            if tenant.get("activityStatus") in ("HOT", "ACTIVE")
        ]
        for which in tenants if several else [""]:
            answer = ask(store, "/graphql", {"query": f"{{ Aggregate {{ {name}{which} {{ meta {{ count }} }} }} }}"})
            if answer.get("errors"):
                raise Failure("backup.engine-failed", f"counting {name}: {answer['errors'][0].get('message', '')}")
            found += sum(row["meta"]["count"] for row in answer["data"]["Aggregate"][name])
    return found


def dump(store: Store, folder: Path) -> None:
    """A backup of all collections; it makes none of nothing, and then nothing is what there is."""
    if not classes(store):
        return
    name, place = f"llm-{secrets.token_hex(6)}", store.data / FOLDER
    begin(store)
    # Weaviate names the log of an index by the second in which it is begun, and a backup is all logs but the newest. In
    # the first log's own second there is no other, and the index would be missing (hnsw/commit_logger.go of 1.35.2).
    time.sleep(1.1)
    ask(store, "/backups/filesystem", {"id": name})
    wait(store, f"/backups/filesystem/{name}")
    (place / name).rename(folder / name)


def load(store: Store, folder: Path) -> None:
    """Restore into a Weaviate that has nothing."""
    found = [each for each in folder.iterdir() if each.is_dir()]
    if not found:
        return
    begin(store)
    place = store.data / FOLDER / found[0].name
    found[0].rename(place)
    store.own(place)
    ask(store, f"/backups/filesystem/{place.name}/restore", {})
    wait(store, f"/backups/filesystem/{place.name}/restore")
    place.rename(folder / place.name)  # which is deleted


def begin(store: Store) -> None:
    """The folder that the module writes to."""
    place = store.data / FOLDER
    place.mkdir(mode=0o700, exist_ok=True)
    own(place, store.owner)


def wait(store: Store, path: str) -> None:
    """Until it is done; a Failure with its own words if it is not."""
    while True:
        answer = ask(store, path)
        if answer["status"] == "SUCCESS":
            return
        if answer["status"] in ("FAILED", "CANCELED"):
            raise Failure("backup.engine-failed", f"Weaviate: {answer.get('error') or answer['status']}")
        time.sleep(POLL)
