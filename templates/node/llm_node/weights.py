"""Stage `weights`: the model's files, from the first hub that has them: resumed, verified, then never fetched again.

Plain HTTP and no hub library: Hugging Face's own client moves large files to other hosts (Xet) that ignore the
mirror it was given.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import Request, urlopen

from llm_node import status
from llm_node.system import Failure, at, first, node, write

POLL = float(os.environ.get("LLM_POLL_SECONDS", "1"))
WINDOW = float(os.environ.get("LLM_STALL_SECONDS", "60"))  # seconds over which a hub's pace is measured
SLOW = 2**18  # bytes per second: less, and the next hub is tried; the last hub may be slow, but not stand still
ROOM = 2**30  # bytes that stay free on the data disk
# What vLLM's loader looks for at the top, in this order; node.json has others where --load-format asks for them.
KINDS = r"consolidated.*\.safetensors", r".+\.safetensors", r"(?!training_args|optimizer).+\.bin", r".+\.pt"


class Pace:
    """What the threads of one download have done together, and whether they shall stop."""

    moved = 0
    stop = False


def main() -> None:
    """Fetch the model, unless all its files are there as their manifest says."""
    want = node()["model"]
    home = at(want["path"])
    if whole(home):
        return
    part = home.with_name(home.name + ".part")
    if home.exists() and not part.exists():
        home.rename(part)  # one bad file is no reason to fetch the good ones again
    hubs = {each["endpoint"]: each["kind"] for each in node()["hubs"] if want.get(each["kind"])}
    first("weights.unreachable", hubs, lambda hub, last: fetch(hub, last, hubs[hub], want, part, home))


def whole(home: Path) -> bool:
    """Whether each file is as the manifest has it: its size, and either its time or its digest."""
    files = status.read(home / "complete.json").get("files", {})
    for name, (size, changed, digest) in files.items():
        path = home / name
        if not path.is_file() or path.stat().st_size != size:
            return False
        if path.stat().st_mtime_ns != changed and sha256(path, Pace()) != digest:
            return False
    return bool(files)


def fetch(endpoint: str, last: bool, kind: str, want: dict[str, Any], part: Path, home: Path) -> None:
    """Fetch from one hub, four files at a time."""
    files = listing(endpoint, kind, want)
    part.mkdir(parents=True, exist_ok=True)
    names = [part / each[0] for each in files]
    for each in part.rglob("*"):
        if each.is_file() and each not in names:
            each.unlink()  # of another hub, or by an earlier rule: vLLM would take it for weights
    total = sum(size for _, size, *_ in files)
    need = total - fetched(part)
    if need > shutil.disk_usage(part).free - ROOM:
        raise Failure(
            "weights.disk-full", f"{need / 2**30:.1f} GiB are to come, and the data disk has no room for them"
        )
    pace, since, mark = Pace(), time.monotonic(), 0
    with ThreadPoolExecutor(4) as pool:
        jobs = {name: pool.submit(one, pace, part / name, *more) for name, *more in files}
        while not all(job.done() for job in jobs.values()):
            time.sleep(POLL)
            done = fetched(part)
            status.record("weights", "running", progress={"done": done, "total": total, "percent": 100 * done // total})
            now = time.monotonic()
            if any(job.done() and job.exception() for job in jobs.values()):
                pace.stop = True
            elif now - since > WINDOW:
                speed, since, mark = (pace.moved - mark) / (now - since), now, pace.moved
                if speed < (1 if last else SLOW):
                    pace.stop = True
                    raise Failure("weights.slow", f"{endpoint} gives {speed / 1024:.0f} KiB/s", True)
    digests = {name: job.result() for name, job in jobs.items()}
    stats = {name: (part / name).stat() for name in digests}
    found = {name: (each.st_size, each.st_mtime_ns, digests[name]) for name, each in stats.items()}
    os.sync()  # the manifest must not reach the disk before what it vouches for
    write(part / "complete.json", json.dumps({"hub": endpoint, "files": found}))
    shutil.rmtree(home, ignore_errors=True)
    part.rename(home)


def fetched(part: Path) -> int:
    """Bytes on the disk so far."""
    return sum(each.stat().st_size for each in part.rglob("*") if each.is_file())


def listing(endpoint: str, kind: str, want: dict[str, Any]) -> list[Any]:
    """The files to fetch: path, bytes, digest where the hub knows one, URL."""
    try:
        files = read(rows(endpoint, kind, want[kind], want["revision"]), want.get("kinds", KINDS))
    except Failure as failure:
        if failure.code == "weights.not-found" and want["revision"] and rows(endpoint, kind, want[kind], None):
            raise Failure("weights.revision-gone", f"{endpoint} has no revision {want['revision']}", True) from failure
        raise
    except (ValueError, KeyError, TypeError) as error:
        raise Failure("weights.unreachable", f"{endpoint} sent no list of files: {error!r}", True) from error
    if not files:
        raise Failure("weights.not-found", f"{endpoint} has no files of {want[kind]}", True)
    return files


def read(found: list[Any], kinds: list[str]) -> list[Any]:
    """What vLLM reads of a hub's files: of the weights only the first kind that lies at the top, as its index has it.

    So does vLLM 0.32 with a folder, in model_loader/default_loader.py: the same weights in other forms are not loaded.
    """
    files = {each[0]: each for each in found if ".." not in each[0] and each[0][0] not in "./"}
    kind, weights = "", set()
    for kind in kinds:
        if weights := {name for name in files if "/" not in name and re.fullmatch(kind, name)}:
            break
    index = files.get(("consolidated" if kind[:1] == "c" else "model") + ".safetensors.index.json")
    if index and "safe" in kind:
        weights = set(json.load(get(index[3]))["weight_map"].values())
        if gone := weights - set(files):
            raise ValueError(f"without {gone}")
    # Weights in a form that nobody knows here are all taken; 2_Dense and its like are layers on top of an embedding.
    skip = r"(?!\d_).*\.(safetensors|bin|pth?|ckpt|gguf|h5|msgpack|onnx.*)" if weights else r".*\.gguf"
    return [each for name, each in files.items() if name in weights or not re.fullmatch(skip, name)]


def rows(endpoint: str, kind: str, model: str, revision: str | None) -> list[Any]:
    """All files that a hub has of a model."""
    if kind == "modelscope":
        api = f"{endpoint}/api/v1/models/{model}/repo"
        revision = quote(revision or "master", "")
        found = json.load(get(f"{api}/files?Revision={revision}&Recursive=True"))["Data"]["Files"]
        base = f"{api}?Revision={revision}&FilePath="
        return [
            (row["Path"], row["Size"], row.get("Sha256"), base + quote(row["Path"], ""))
            for row in found
            if row["Type"] == "blob"
        ]
    revision = quote(revision or "main", "")
    url, found = f"{endpoint}/api/models/{model}/tree/{revision}?recursive=true", []
    while url:
        answer = get(url)
        found += json.load(answer)
        # A thousand rows a page; the way to the next one stands in a header.
        url = answer.headers.get("Link", "").partition("<")[2].partition(">")[0]
    base = f"{endpoint}/{model}/resolve/{answer.headers.get('X-Repo-Commit') or revision}/"
    return [
        (row["path"], row["size"], row.get("lfs", row).get("oid"), base + quote(row["path"]))
        for row in found
        if row["type"] == "file"
    ]


def one(pace: Pace, path: Path, size: int, digest: str | None, url: str) -> str:
    """Fetch one file, going on where it stopped, then check size and digest; returns its SHA-256."""
    path.parent.mkdir(parents=True, exist_ok=True)
    tries, bad, why = 5, 0, ""
    while tries and bad < 3 and not pace.stop:
        have = path.stat().st_size if path.exists() else 0
        try:
            if have < size:
                with get(url, have) as answer, path.open("ab" if answer.status == 206 else "wb") as out:
                    while (block := answer.read(2**18)) and not pace.stop:
                        pace.moved += len(block)
                        out.write(block)
        except (Failure, OSError, HTTPException) as error:
            if getattr(error, "errno", 0) == errno.ENOSPC:
                raise Failure("weights.disk-full", str(error)) from error
            if getattr(error, "code", "weights.unreachable") != "weights.unreachable":
                raise
            why = str(error)
        now = path.stat().st_size if path.exists() else 0
        if now < size:
            tries = 5 if now > have else tries - 1  # what moves on may go on
            time.sleep(POLL * 2 ** (5 - tries))
            continue
        found = sha256(path, pace)
        if now == size and digest in (None, "", found, git_sha1(path, digest)):
            return found
        path.unlink()  # too long, or another digest: nothing of it can be trusted
        bad += 1
    kind, what = (
        ("corrupt", "came wrong three times over") if bad > 2 else ("unreachable", f"does not come whole {why}")
    )
    raise Failure("weights." + kind, f"{url} {what}", True)


def sha256(path: Path, pace: Pace) -> str:
    """A file's SHA-256; reading it counts as moving on."""
    found = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(2**20):
            found.update(block)
            pace.moved += len(block)
    return found.hexdigest()


def git_sha1(path: Path, digest: str | None) -> str:
    """What Hugging Face lists for a small file: git's name of it."""
    if len(digest or "") != 40:
        return "-"
    data = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()  # noqa: S324 - git's choice


def get(url: str, start: int = 0) -> Any:
    """Open a URL from a byte on. A minute without a byte is an error; refusals have codes of their own."""
    request = Request(url, headers={"Range": f"bytes={start}-"} if start else {})  # noqa: S310 - hubs are http(s)
    token = at("/srv/llm/secrets/hf_token")
    sent = token.exists() and any(url.startswith(each["endpoint"]) for each in node()["hubs"] if each["token"])
    if sent:
        # unredirected: a hub sends us on to content hosts, and they shall not see it
        request.add_unredirected_header("Authorization", "Bearer " + token.read_text().strip())
    try:
        return urlopen(request, timeout=WINDOW)  # noqa: S310
    except HTTPError as error:
        refusals = {401: "wrong-token" if sent else "gated", 403: "gated", 404: "not-found"}
        kind = refusals.get(error.code, "unreachable")
        raise Failure("weights." + kind, f"{url}: {error}", True) from error
    except (OSError, HTTPException) as error:
        raise Failure("weights.unreachable", f"{url}: {error}", True) from error
