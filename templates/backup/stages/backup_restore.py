"""A store that is put back, or left as it was: the old data stands beside until the new has answered.

`under-way.json` says what was begun. Whoever finds it when no work is under way takes that back (`recover`).
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from llm_node import backup_archive, status
from llm_node.backup_store import BESIDE, FOLDER, UNDER_WAY, Service, Store
from llm_node.system import Failure, at, must, own, write

ROOM = 0.05  # share of the data disk that stays free,
LEAST = 2 * 2**30  # or so many bytes, where that is less: a large disk that is nearly full is copied while it can be
BEFORE, NEW, HALF = f"{FOLDER}/before", f"{FOLDER}/new", f"{FOLDER}/half"
ASIDE = f"{FOLDER}/before-beside"
"""As `before`, for the services beside the store: a folder each, by the role's name."""


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
    services = {at(f"{NEW}-beside") / each.name: each for each in store.beside}
    apart(new)
    services = {folder: each for folder, each in services.items() if folder.is_dir()}
    try:
        swap(store, new, services)
        found = filled(store, manifest, new)
        for each in services.values():
            each.start()
    except BaseException:
        recover()
        raise
    at(UNDER_WAY).unlink()
    clear()
    beside = [each.name for each in services.values()]
    return {"engine": store.engine, "id": manifest["id"], "count": found, **({"beside": beside} if beside else {})}


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
    saved = {each["name"]: each["version"] for each in manifest.get("beside", [])}
    for each in store.beside:
        if numbers(saved.get(each.name, "0")) > numbers(each.version):
            raise Failure(
                "backup.newer-version",
                f"{each.title} {saved[each.name]} wrote the backup, and here runs {each.version}; nothing was done",
            )


def numbers(version: str) -> list[int]:
    """A version's numbers, as they are compared."""
    return [int(each) for each in version.split("-")[0].split(".") if each.isdigit()]


def apart(new: Path) -> None:
    """What the archive has of services beside the store is no part of the store's."""
    beside = at(f"{NEW}-beside")
    shutil.rmtree(beside, ignore_errors=True)
    if (new / BESIDE).is_dir():
        (new / BESIDE).rename(beside)


def swap(store: Store, new: Path, services: dict[Path, Any]) -> None:
    """Stop the store, set its data aside, and make it empty, or with the copied files; so for those beside it."""
    # What a finished restore was killed over: it would be taken for the data that this one sets aside.
    for stale in (BEFORE, ASIDE):
        if at(stale).exists():
            shutil.rmtree(at(stale))
    begin("restore")
    if services:
        at(ASIDE).mkdir(mode=0o700)
    for folder, each in services.items():  # first those that ask the store
        each.stop()
        changed(each, at(ASIDE) / each.name, folder)
    store.stop()
    changed(store, at(BEFORE), new if store.by_files else None)


def changed(service: Service, before: Path, new: Path | None) -> None:
    """Set the data of what is stopped aside, and give it the files in ``new``, if any."""
    service.data.rename(before)
    service.data.mkdir(mode=0o700)
    own(service.data, service.owner)
    if new is not None:
        for each in new.iterdir():
            each.rename(service.data / each.name)
        service.own(service.data)


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
        empty(at(HALF))
        taken_back(store, at(BEFORE), start)
        for each in store.beside:
            taken_back(each, at(ASIDE) / each.name, start)
    if start:
        for each in (store, *store.beside):
            must("backup.engine-failed", "systemctl", "start", each.unit)
    at(UNDER_WAY).unlink()
    clear()
    return True


def taken_back(service: Service, before: Path, runs: bool) -> None:
    """The data that stands aside is put where it stood."""
    if before.exists():
        if runs:
            service.stop()
        if service.data.exists():
            service.data.rename(at(HALF) / service.data.name)
        before.rename(service.data)


def clear(but: str = "") -> None:
    """Delete what a backup or a restore leaves behind, but what is to be sent still."""
    for name in ("half", "new", "new-beside", "before", "before-beside", "dump", "incoming"):
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
