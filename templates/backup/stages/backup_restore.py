"""A store that is put back, or left as it was: the old data stands beside until the new has answered.

`under-way.json` says what was begun. Whoever finds it when no work is under way takes that back (`recover`).
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from llm_node import backup_archive, status
from llm_node.backup_store import FOLDER, UNDER_WAY, Store
from llm_node.system import Failure, at, must, own, write

ROOM = 0.05  # share of the data disk that stays free,
LEAST = 2 * 2**30  # or so many bytes, where that is less: a large disk that is nearly full is copied while it can be
BEFORE, NEW = f"{FOLDER}/before", f"{FOLDER}/new"


def restore(store: Store, manifest: dict[str, Any], key: Path) -> dict[str, Any]:
    """Put a backup back, whose parts lie in ``incoming``. Nothing is touched before all of it is read and whole."""
    fits(store, manifest)
    incoming, new = store.folder / "incoming", at(NEW)
    backup_archive.check(manifest["parts"], incoming)
    room(store.folder, sum(each["bytes"] for each in manifest["parts"]))
    empty(new)
    try:
        backup_archive.unpack(manifest["parts"], incoming, key, new)
    except BaseException:
        shutil.rmtree(new)  # it lies open
        raise
    shutil.rmtree(incoming)
    try:
        swap(store, new)
        found = filled(store, manifest, new)
    except BaseException:
        recover()
        raise
    at(UNDER_WAY).unlink()
    clear()
    return {"engine": store.engine, "id": manifest["id"], "count": found}


def fits(store: Store, manifest: dict[str, Any]) -> None:
    """A Failure for a backup of another engine, or of a newer version than the one that runs here."""
    if manifest["engine"] != store.engine:
        raise Failure(
            "backup.other-engine",
            f"the backup is of {manifest['title']}, and here runs {store.title}; nothing was done",
        )
    here = store.version()
    if numbers(manifest["version"]) > numbers(here):
        raise Failure(
            "backup.newer-version",
            f"{store.title} {manifest['version']} wrote the backup, and here runs {here}; nothing was done",
        )


def numbers(version: str) -> list[int]:
    """A version's numbers, as they are compared."""
    return [int(each) for each in version.split("-")[0].split(".") if each.isdigit()]


def swap(store: Store, new: Path) -> None:
    """Stop the store, set its data aside, and make it empty, or with the copied files."""
    # What a finished restore was killed over: it would be taken for the data that this one sets aside.
    if at(BEFORE).exists():
        shutil.rmtree(at(BEFORE))
    begin("restore")
    store.stop()
    store.data.rename(at(BEFORE))
    store.data.mkdir(mode=0o700)
    own(store.data, store.owner)
    if store.by_files:
        for each in new.iterdir():
            each.rename(store.data / each.name)
        store.own(store.data)


def filled(store: Store, manifest: dict[str, Any], new: Path) -> int | None:
    """Start it, and have it take what was saved; a Failure if it has less, or more, than was counted."""
    store.start()
    if not store.by_files:
        store.means.load(store, new)
    found, wanted = store.count(), manifest.get("count")
    if None not in (found, wanted) and found != wanted:
        raise Failure("backup.count-differs", f"{wanted} were saved, and {found} are there after the restore")
    return found


def begin(what: str) -> None:
    """Note what is under way, before anything is touched."""
    write(at(UNDER_WAY), json.dumps({"what": what}), 0o600)


def recover(start: bool = True) -> bool:
    """Take back what was broken off: the old data stands where it stood, and the store runs. False: nothing was.

    At boot nothing is started: the store's own unit comes after this one.
    """
    if not at(UNDER_WAY).exists():
        clear(but="incoming")  # a kill may have left what lies open
        return False
    store = Store()
    if status.read(at(UNDER_WAY)).get("what") == "restore":
        before = at(BEFORE)
        if before.exists():
            if start:
                store.stop()
            if store.data.exists():
                empty(at(f"{FOLDER}/half"))
                store.data.rename(at(f"{FOLDER}/half/data"))
            before.rename(store.data)
    if start:
        must("backup.engine-failed", "systemctl", "start", store.unit)
    at(UNDER_WAY).unlink()
    clear()
    return True


def clear(but: str = "") -> None:
    """Delete what a backup or a restore leaves behind, but what is to be sent still."""
    for name in ("half", "new", "before", "dump", "incoming"):
        if name != but:
            shutil.rmtree(at(FOLDER) / name, ignore_errors=True)


def room(folder: Path, need: int) -> None:
    """A Failure where so many bytes more would fill the disk that the store writes to."""
    usage = shutil.disk_usage(folder)
    if usage.free - need < min(ROOM * usage.total, LEAST):
        gib = 2**30
        raise Failure(
            "backup.no-room",
            f"the copies may take {need / gib:.1f} GiB, of {usage.free / gib:.1f} GiB that are free; nothing was done",
        )


def empty(folder: Path) -> Path:
    """A folder with nothing in it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True)
    return folder
