"""Stage `bucket`: a model's files from the bucket of the region, each held against its digest, or else from a hub.

What came from a hub is kept in the bucket afterwards (`llm-keep`, in the background): the files, then the manifest that
vouches for them. Without a manifest there is nothing. A bucket that fails is told with the status, and is never in the
way.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from llm_node import backup_send, status, weights
from llm_node.models import Told
from llm_node.system import Failure, at, node, run, write

KEYS = "/srv/llm/secrets/weights.access-key-id", "/srv/llm/secrets/weights.access-key-secret"
TOLD = "/run/llm/weights.json"
"""What the status document has of the bucket."""
UNIT = "llm-keep.service"
MANIFEST = "manifest.json"
PART = int(os.environ.get("LLM_BUCKET_PART_BYTES", str(4 * 2**30)))  # bytes; S3, OSS and COS take 5 GiB in one request
THREADS = 4


class Empty(Failure):
    """The bucket has nothing of the model, or nothing that is whole."""


def main() -> None:
    """The main model, then have it kept where it is not yet."""
    if not all(at(each).exists() for each in KEYS):
        raise Failure("bucket.no-key", "the key to the bucket has not come yet", True)
    model("bucket", node()["model"])
    run("systemctl", "start", "--no-block", UNIT)


def model(stage: str, want: dict[str, Any]) -> None:
    """One model's files, for the stage of that name."""
    home, wrong = at(want["path"]), None
    if weights.whole(home):
        if want["path"] not in told():
            note(want, source="disk", kept=False)
        return
    try:
        take(stage, want, home)
    except Failure as failure:
        if failure.code == "bucket.disk-full":
            raise
        wrong = None if isinstance(failure, Empty) else failure
    else:
        note(want, source="bucket", kept=True)
        return
    note(want, wrong, source="hub", kept=False)
    known = node()
    weights.status = Told(stage)  # type: ignore[assignment]
    weights.node = {**known, "model": want}.copy
    weights.main()


def take(stage: str, want: dict[str, Any], home: Path) -> None:
    """Fetch from the bucket. A Failure where it has not all of it, or anything that is not as its manifest says."""
    bucket, part = opened(want), home.with_name(home.name + ".part")
    files = listed(bucket, part)
    part.mkdir(parents=True, exist_ok=True)
    for each in part.rglob("*"):
        if each.is_file() and str(each.relative_to(part)) not in files:
            each.unlink()  # of a hub, or of another upload
    total = sum(each["bytes"] for each in files.values())
    need = total - weights.fetched(part)
    if need > shutil.disk_usage(part).free - weights.ROOM:
        raise Failure("bucket.disk-full", f"{need / 2**30:.1f} GiB are to come, and the data disk has no room for them")
    with ThreadPoolExecutor(THREADS) as pool:
        jobs = {name: pool.submit(fetched, bucket, part / name, each) for name, each in files.items()}
        while not all(job.done() for job in jobs.values()):
            time.sleep(weights.POLL)
            done = min(weights.fetched(part), total)
            status.record(stage, "running", progress={"done": done, "total": total, "percent": 100 * done // total})
    for job in jobs.values():
        job.result()
    stats = {name: (part / name).stat() for name in files}
    found = {name: (each.st_size, each.st_mtime_ns, files[name]["sha256"]) for name, each in stats.items()}
    os.sync()  # the manifest must not reach the disk before what it vouches for
    write(part / "complete.json", json.dumps({"hub": bucket.base, "files": found}))
    shutil.rmtree(home, ignore_errors=True)
    part.rename(home)


def fetched(bucket: backup_send.Bucket, path: Path, row: dict[str, Any]) -> None:
    """One file, from its objects in order; one that is there already and whole is left."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_file() and path.stat().st_size == row["bytes"] and digest(path) == row["sha256"]:
        return
    path.unlink(missing_ok=True)
    piece = path.with_name(f"{path.name}.piece")
    try:
        for name in row["objects"]:
            into = path if len(row["objects"]) == 1 else piece
            try:
                asked(bucket.get, name, into)
            except Empty:
                raise Failure("bucket.damaged", f"{path.name}: its object {name} is not there") from None
            if into is piece:
                with path.open("ab") as out, piece.open("rb") as more:
                    shutil.copyfileobj(more, out, 2**20)
    finally:
        piece.unlink(missing_ok=True)
    found = digest(path) if path.exists() else "nothing"
    if found != row["sha256"]:
        path.unlink(missing_ok=True)
        raise Failure("bucket.damaged", f"{path.name} has SHA-256 {found}, and was kept with {row['sha256']}")


def listed(bucket: backup_send.Bucket, part: Path) -> dict[str, Any]:
    """The files of the manifest. A Failure of the kind `Empty` where there is none."""
    part.parent.mkdir(parents=True, exist_ok=True)
    file = part.with_name(f"{part.name}.manifest")
    try:
        asked(bucket.get, MANIFEST, file)
        found = json.loads(file.read_text())
        files = {str(name): each for name, each in found["files"].items()}
        odd = [name for name in files if name.startswith("/") or ".." in Path(name).parts]
        sizes = [int(each["bytes"]) + len(each["sha256"]) + len(each["objects"]) for each in files.values()]
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Failure("bucket.unreadable", "the manifest in the bucket cannot be read") from None
    finally:
        file.unlink(missing_ok=True)
    if odd or not sizes:
        raise Failure("bucket.unreadable", "the manifest in the bucket names no files, or files outside of its folder")
    return files


def keep_all() -> None:
    """Keep each model in the bucket that is whole here and not there. Whatever goes wrong is told with the status."""
    known = node()
    for want in [known["model"], *known.get("further", [])]:
        if not weights.whole(at(want["path"])):
            continue  # its stage starts this again
        try:
            keep(want)
        except Failure as failure:
            note(want, failure, kept=False)
        except OSError as error:
            note(want, Failure("bucket.died", str(error)), kept=False)
        else:
            note(want, kept=True)


def keep(want: dict[str, Any]) -> None:
    """Send a model's files, and the manifest last; nothing where that is there and nothing was found damaged."""
    home = at(want["path"])
    bucket, part = opened(want), home.with_name(home.name + ".kept")
    try:
        listed(bucket, part)
        if told().get(want["path"], {}).get("code") != "bucket.damaged":
            return
    except Empty:
        pass
    except Failure as failure:
        if failure.code != "bucket.unreadable":
            raise
    rows = {}
    for number, (name, (size, _, sha256)) in enumerate(status.read(home / "complete.json")["files"].items()):
        count = max(1, -(-size // PART))
        objects = [f"{number:04}-{each:03}" for each in range(count)]
        for place, each in enumerate(objects):
            send(bucket, each, home / name, sha256 if count == 1 else "", place, part)
        rows[name] = {"bytes": size, "sha256": sha256, "objects": objects}
    write(part, json.dumps({"schema": 1, "model": want["path"].rpartition("/")[2], "files": rows}, indent=1), 0o600)
    try:
        asked(bucket.put, MANIFEST, part, digest(part))
    finally:
        part.unlink()


def send(bucket: backup_send.Bucket, name: str, path: Path, sha256: str, place: int, piece: Path) -> None:
    """One object: the whole file where its digest is given, which the server checks, or that piece of it."""
    if sha256:
        return asked(bucket.put, name, path, sha256)
    if shutil.disk_usage(path.parent).free < PART + weights.ROOM:
        raise Failure("bucket.no-room", f"{path.name} is sent in pieces, and there is no room for one")
    try:
        with path.open("rb") as whole, piece.open("wb") as out:
            whole.seek(place * PART)
            left = PART
            while left and (block := whole.read(min(2**20, left))):
                out.write(block)
                left -= len(block)
        asked(bucket.put, name, piece, digest(piece))
    finally:
        piece.unlink(missing_ok=True)


def opened(want: dict[str, Any]) -> backup_send.Bucket:
    """The bucket, below what is this model's: its id, its revision, and which of its files vLLM is to read."""
    target = node()["bucket"]
    name = want.get("huggingface") or want["modelscope"]
    kinds = "-" + hashlib.sha256(json.dumps(want["kinds"]).encode()).hexdigest()[:8] if "kinds" in want else ""
    place = "/".join(filter(None, (target["prefix"], name, (want.get("revision") or "newest") + kinds)))
    return backup_send.Bucket({**target, "prefix": place}, KEYS)


def asked(what: Any, *arguments: Any) -> None:
    """A request to the bucket, in this stage's own codes."""
    try:
        what(*arguments)
    except Failure as failure:
        if "NoSuchKey" in failure.message or " answered 404" in failure.message:
            raise Empty("bucket.refused", failure.message) from failure
        kind = "unreachable" if failure.code.endswith("unreachable") else "refused"
        raise Failure(f"bucket.{kind}", failure.message) from failure


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    return weights.sha256(path, weights.Pace())


def told() -> dict[str, Any]:
    """What is known of each model, by its folder."""
    return dict(status.read(at(TOLD)).get("models", {}))


def note(want: dict[str, Any], wrong: Failure | None = None, **known: Any) -> None:
    """Tell with the status where a model came from, whether the bucket has it, and what was wrong with that."""
    found = told()
    before = found.get(want["path"], {"source": "disk", "kept": False})
    code = {"code": wrong.code, "message": wrong.message, "hint": status.hint(wrong.code)} if wrong else {}
    found[want["path"]] = {"code": None, "message": None, "hint": None, **before, **known, **code}
    if not wrong and known.get("kept"):
        found[want["path"]] |= {"code": None, "message": None, "hint": None}
    write(at(TOLD), json.dumps({"bucket": node()["bucket"]["shown"], "models": found}))
