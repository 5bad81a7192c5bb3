"""Stage `depot`: the whole bundle from the bucket, before anything is installed.

The index is named by its own SHA-256, which came with the settings, and has the SHA-256 of every file: who may write to
the bucket can replace nothing. Once all of it is there the bucket is not asked again until another digest comes.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from llm_node import backup_send, bucket, status, weights
from llm_node.system import Failure, at, node, write

MARK = ".whole"
"""Beside the bundle's files: the digest of what is there."""
INDEX = ".index.json"


def main() -> None:
    """Fetch what is missing, and take away what the bundle has not."""
    known = node()
    home, want = at(known["bundle"]), known["depot"]
    mark = home / MARK
    if mark.exists() and mark.read_text() == want["digest"]:
        return
    if not all(at(each).exists() for each in bucket.KEYS):
        raise Failure("depot.no-key", "the key to the bucket has not come yet", True)
    try:
        take(home, want)
    except Failure as failure:
        raise Failure(failure.code.replace("bucket.", "depot.", 1), failure.message, True) from None
    os.sync()  # the mark must not reach the disk before what it vouches for
    write(mark, want["digest"])


def take(home: Path, want: dict[str, Any]) -> None:
    """Every file of the index."""
    home.mkdir(parents=True, exist_ok=True)
    (home / MARK).unlink(missing_ok=True)
    there = backup_send.Bucket(want, bucket.KEYS)
    files = listed(there, home / INDEX, want["digest"])
    for each in home.rglob("*"):
        if each.is_file() and str(each.relative_to(home)) not in files:
            each.unlink()
    total = sum(each["bytes"] for each in files.values())
    need = total - weights.fetched(home)
    if need > shutil.disk_usage(home).free - weights.ROOM:
        raise Failure("bucket.disk-full", f"{need / 2**30:.1f} GiB are to come, and the data disk has no room for them")
    with ThreadPoolExecutor(bucket.THREADS) as pool:
        jobs = [pool.submit(bucket.fetched, there, home / name, each) for name, each in files.items()]
        while not all(job.done() for job in jobs):
            time.sleep(min(weights.POLL, 1))
            done = min(weights.fetched(home), total)
            progress = {"done": done, "total": total, "percent": 100 * done // max(total, 1)}
            status.record("depot", "running", progress=progress)
    for job in jobs:
        job.result()


def listed(there: backup_send.Bucket, file: Path, digest: str) -> dict[str, Any]:
    """The files of the index that has that SHA-256."""
    try:
        bucket.asked(there.get, f"{digest}.json", file)
        if (found := bucket.digest(file)) != digest:
            raise Failure("bucket.damaged", f"{digest}.json has SHA-256 {found}")
        document = json.loads(file.read_text())
        files = {str(name): each for name, each in document["files"].items()}
        sizes = [int(each["bytes"]) + len(each["sha256"]) + len(each["objects"]) for each in files.values()]
        odd = [name for name in files if name.startswith("/") or ".." in Path(name).parts]
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Failure("bucket.unreadable", "the bundle's index in the bucket cannot be read") from None
    finally:
        file.unlink(missing_ok=True)
    if document.get("schema") != 1 or odd or not sizes:
        raise Failure("bucket.unreadable", "the bundle's index is of another version, or names files outside of it")
    return files
