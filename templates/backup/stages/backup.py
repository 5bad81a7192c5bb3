"""`llm-backup make | read | take | send | fetch | restore | recover | work`: what each does, and says as JSON.

A question comes on standard input as JSON; the answer is the last line of standard output, ``{"error": {…}}`` where it
failed. What touches the store (`make`, `restore`, the timer's backup) runs as llm-backup.service: it goes on to its end
when the connection is lost, one at a time, and systemd takes back what a kill breaks off.
"""
# ruff: noqa: T201 - a command talks by printing

from __future__ import annotations

import fcntl
import json
import os
import shutil
import stat
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from llm_node import backup_archive, backup_restore, backup_send, status
from llm_node.backup_store import BESIDE, FOLDER, UNDER_WAY, Store
from llm_node.system import Failure, at, run, write

RUN = "/run/llm/backup"
WORKING = f"{RUN}/work.lock"
"""Held as long as the work lasts: a machine that stops by itself waits for it."""
QUESTION, ANSWER, KEY = f"{RUN}/question.json", f"{RUN}/answer.json", f"{RUN}/key"
SENT = f"{FOLDER}/sent.json"
NEWEST = f"{FOLDER}/newest.json"
"""When the newest backup was made that lies whole where it belongs."""
TOLD = "/run/llm/backup.json"
"""What the status document has of backups: another user reads it, and it is gone when the machine starts."""
UNIT = "llm-backup.service"


def main(argv: list[str]) -> int:
    """Run one command. 0: done. 1: it failed, and the answer says how. 2: there is no such command."""
    name, *more = argv or [""]
    if name not in COMMANDS:
        print(f"usage: llm-backup {' | '.join(COMMANDS)}", file=sys.stderr)
        return 2
    try:
        answer = COMMANDS[name](*more)
    except Failure as failure:
        answer = {"error": {"code": failure.code, "message": failure.message, "hint": status.hint(failure.code)}}
    except (OSError, ValueError, KeyError) as error:
        said = type(error).__name__ if isinstance(error, KeyError | ValueError) else str(error)
        answer = {"error": {"code": "backup.died", "message": f"{name}: {said}", "hint": status.hint("backup.died")}}
    if answer is not None:
        print(json.dumps(answer))
    return 1 if answer and "error" in answer else 0


def question() -> dict[str, Any]:
    """What was asked."""
    found = json.loads(sys.stdin.read() or "{}")
    if not isinstance(found, dict):
        raise ValueError
    return found


def asked(what: str) -> dict[str, Any]:
    """Have the unit do it, and wait for its end."""
    wanted = {**question(), "what": what}
    at(RUN).mkdir(mode=0o700, parents=True, exist_ok=True)
    with at(f"{RUN}/lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Failure("backup.busy", "another backup or restore is under way on this node") from None
        if at_work():
            raise Failure("backup.busy", "the timer's backup is under way on this node")
        at(ANSWER).unlink(missing_ok=True)
        if key := wanted.pop("key", None):  # /run is memory, and the work deletes it
            write(at(KEY), str(key).strip() + "\n", 0o600)
        write(at(QUESTION), json.dumps(wanted), 0o600)
        try:
            run("systemctl", "start", UNIT)
        finally:
            at(QUESTION).unlink(missing_ok=True)
            at(KEY).unlink(missing_ok=True)
        answer = status.read(at(ANSWER))
    if not answer:
        raise Failure("backup.died", "the work was broken off, and the store is as it was")
    return answer


def at_work() -> bool:
    """Whether the unit runs: a oneshot is `activating` as long as it works."""
    return run("systemctl", "is-active", UNIT)[1].strip() in ("active", "activating")


def work() -> None:
    """The body of the unit: what was asked, or without a question the timer's backup."""
    at(RUN).mkdir(mode=0o700, parents=True, exist_ok=True)
    with at(WORKING).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _work()


def _work() -> None:
    wanted, scheduled = status.read(at(QUESTION)), not at(QUESTION).exists()
    try:
        store = Store()
        backup_restore.recover()
        if wanted.get("what") == "restore":
            answer = backup_restore.restore(store, wanted["manifest"], at(KEY))
        else:
            answer = make(store)
            if scheduled:
                send_all(store, answer)
    except Failure as failure:
        answer = {"error": {"code": failure.code, "message": failure.message, "hint": status.hint(failure.code)}}
    except (OSError, ValueError, KeyError, TypeError) as error:
        answer = {"error": {"code": "backup.died", "message": f"{type(error).__name__}: {error}", "hint": ""}}
    if "error" in answer:
        print(f"[{answer['error']['code']}] {answer['error']['message']}", file=sys.stderr)
    write(at(f"{FOLDER}/last.json"), json.dumps({**answer, "at": now(), "scheduled": scheduled}), 0o600)
    tell()
    if not scheduled:
        write(at(ANSWER), json.dumps(answer), 0o600)
    elif "error" in answer:
        sys.exit(1)


def make(store: Store) -> dict[str, Any]:
    """A backup in parts in the folder ``parts``, and its manifest."""
    parts, dump = backup_restore.empty(store.folder / "parts"), backup_restore.empty(store.folder / "dump")
    room(store)
    version, count = store.version(), store.count()
    begun = now()
    backup_restore.begin("backup")
    try:
        if store.by_files:
            store.stop()
            try:
                beside(store, dump)
                rows = backup_archive.pack([store.data, dump], parts)
            finally:
                store.start()
        else:
            beside(store, dump)
            store.means.dump(store, dump)
            rows = backup_archive.pack([dump], parts)
    finally:
        shutil.rmtree(dump)  # it lies open
    at(UNDER_WAY).unlink()  # not where it failed: `recover` then starts what was stopped
    if count != store.count():
        count = None  # somebody wrote meanwhile, and a restore is held against what was counted
    manifest = {
        "schema": 1,
        "id": f"{begun.replace(':', '-')}-{store.engine}",
        "engine": store.engine,
        "title": store.title,
        "version": version,
        "time": begun,
        "node": store.said["node"],
        "count": count,
        "recipient": at(backup_archive.RECIPIENT).read_text().strip(),
        "parts": rows,
        **({"beside": [{"name": each.name, "version": each.version} for each in store.beside]} if store.beside else {}),
    }
    write(parts / "manifest.json", json.dumps(manifest, indent=1), 0o600)
    return manifest


def beside(store: Store, dump: Path) -> None:
    """The files of the services beside it. They come before the store's own: what is added meanwhile is in that alone,
    and what they refer to there is there."""
    for each in store.beside:
        (dump / BESIDE).mkdir(exist_ok=True)
        each.copy(dump / BESIDE / each.name)


def room(store: Store) -> None:
    """A Failure where the copies would fill the disk that the store writes to: an archive, and what is copied first."""
    copied = 2 * sum(size(each.data) for each in store.beside)
    backup_restore.room(store.folder, copied + (1 if store.by_files else 2) * size(store.data))


def size(folder: Path) -> int:
    """Bytes of the files in a folder."""
    found = 0
    for each in folder.rglob("*"):
        try:
            told = each.lstat()
        except FileNotFoundError:
            continue  # a store that runs puts its files together
        found += told.st_size if stat.S_ISREG(told.st_mode) else 0
    return found


def send_all(store: Store, manifest: dict[str, Any]) -> None:
    """To the timer's target; the manifest last, for without it there is no backup. Then the oldest go."""
    target = store.said["target"]
    if not target:
        raise Failure("backup.no-target", "no bucket is named for the timer's backups")
    bucket, parts = backup_send.Bucket(target), store.folder / "parts"
    for row in manifest["parts"]:
        bucket.put(f"{manifest['id']}/{row['name']}", parts / row["name"], row["sha256"])
    path = parts / "manifest.json"
    bucket.put(f"{manifest['id']}/{path.name}", path, backup_archive.digest(path))
    shutil.rmtree(parts)
    sent = [*backup_send.kept(at(SENT)), {"id": manifest["id"], "parts": [each["name"] for each in manifest["parts"]]}]
    write(at(SENT), json.dumps(sent), 0o600)
    write(at(NEWEST), json.dumps({"time": manifest["time"]}), 0o600)
    for old in sent[: -target["keep"]]:
        for name in ("manifest.json", *old["parts"]):
            bucket.delete(f"{old['id']}/{name}")
        sent.remove(old)
        write(at(SENT), json.dumps(sent), 0o600)


def tell() -> None:
    """Tell with the status when the newest backup was made, and how the timer's last one failed, if it did."""
    ended = status.read(at(f"{FOLDER}/last.json"))
    wrong = ended.get("error", {}) if ended.get("scheduled") else {}
    told = {"newest": status.read(at(NEWEST)).get("time"), "code": wrong.get("code"), "hint": wrong.get("hint")}
    write(at(TOLD), json.dumps(told))


def read(name: str) -> None:
    """A part to standard output."""
    path = part("parts", name)
    if not path.is_file():
        raise Failure("backup.no-such-part", f"there is no {name}: another backup was made meanwhile")
    with path.open("rb") as file:
        shutil.copyfileobj(file, sys.stdout.buffer, backup_archive.BLOCK)
    sys.stdout.buffer.flush()


def take(name: str) -> dict[str, Any]:
    """A part from standard input, for a restore."""
    path = part("incoming", name)
    if name == "part-00000":
        backup_restore.empty(path.parent)
    with path.open("wb") as file:
        shutil.copyfileobj(sys.stdin.buffer, file, backup_archive.BLOCK)
    return {"bytes": path.stat().st_size}


def send() -> dict[str, Any]:
    """Parts to addresses that somebody signed, by name."""
    wanted = question()
    for name, url in wanted["urls"].items():
        path = part("parts", name)
        backup_send.put(url, path)
        if backup_archive.digest(path) != wanted["sha256"][name]:
            raise Failure("backup.no-such-part", f"{name} is of another backup, which was made meanwhile")
    return {}


def fetch() -> dict[str, Any]:
    """Parts from addresses that somebody signed, by name."""
    urls = question()["urls"]
    backup_restore.empty(at(FOLDER) / "incoming")
    for name, url in urls.items():
        backup_send.get(url, part("incoming", name))
    return {}


def drop() -> dict[str, Any]:
    """Delete the parts that were read or sent. Those of a backup are whole where they belong by then."""
    if made := status.read(at(FOLDER) / "parts" / "manifest.json"):
        write(at(NEWEST), json.dumps({"time": made["time"]}), 0o600)
        tell()
    for name in ("parts", "incoming"):
        shutil.rmtree(at(FOLDER) / name, ignore_errors=True)
    return {}


def last() -> dict[str, Any]:
    """How the last work ended, and which backups the timer has sent."""
    store = Store()
    told = {"engine": store.engine, "title": store.title, "version": store.version(), "node": store.said["node"]}
    sent = [each["id"] for each in backup_send.kept(at(SENT))]
    return {**told, "last": status.read(at(f"{FOLDER}/last.json")), "sent": sent}


def recover(when: str = "") -> None:
    """Take back what was broken off."""
    tell()
    if when == "--boot" and at_work():
        return  # the unit was started anew, and what is under way is no ruin
    if backup_restore.recover(start=when != "--boot"):
        print("a backup or restore was broken off: the store has what it had before", file=sys.stderr)


def part(folder: str, name: str) -> Path:
    """Where a part lies."""
    if not (name.startswith("part-") and name[5:].isdigit() and len(name) == 10):
        raise Failure("backup.no-such-part", f"{name[:40]!r} is not the name of a part")
    return at(FOLDER) / folder / name


def now() -> str:
    """The time, UTC."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


COMMANDS: dict[str, Callable[..., Any]] = {
    "make": lambda: asked("make"),
    "restore": lambda: asked("restore"),
    **{each.__name__: each for each in (read, take, send, fetch, drop, last, recover, work)},
}
os.umask(0o077)
