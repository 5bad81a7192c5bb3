"""Stage `weights`: the model's files, from the first hub that has them: resumed, verified, then never fetched again.

Plain HTTP and no hub library: Hugging Face's own client moves large files to other hosts (Xet) that ignore the
mirror it was given.
"""

from __future__ import annotations

import errno
import hashlib
import json
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import Request, urlopen

from llm_node import status
from llm_node.system import Failure, at, first, node, write


def main() -> None:
    """Fetch the model, unless all its files are there in their sizes; digests are checked when they come."""
    want = node()["model"]
    home = at(want["path"])
    files = status.read(home / "complete.json")
    if not files or any(not (home / name).is_file() or (home / name).stat().st_size != files[name] for name in files):
        hubs = {each["endpoint"]: each for each in node()["hubs"] if want.get(each["kind"])}
        first("weights.unreachable", hubs, lambda endpoint: fetch(endpoint, hubs[endpoint]["kind"], want, home))


def fetch(endpoint: str, kind: str, want: dict[str, Any], home: Path) -> None:
    """Fetch from one hub, four files at a time."""
    files = listing(endpoint, kind, want)
    part = home.with_name(home.name + ".part")
    part.mkdir(parents=True, exist_ok=True)
    total = sum(size for _, size, *_ in files)
    need = total - fetched(part)
    if need > shutil.disk_usage(part).free:
        raise Failure(
            "weights.disk-full", f"{need / 2**30:.1f} GiB are to come, and the data disk has no room for them"
        )
    with ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(one, part / name, *more) for name, *more in files]
        while not all(job.done() for job in jobs):
            time.sleep(1)
            done = fetched(part)
            status.record("weights", "running", progress={"done": done, "total": total, "percent": 100 * done // total})
    for job in jobs:
        job.result()
    write(part / "complete.json", json.dumps({name: size for name, size, *_ in files}))
    shutil.rmtree(home, ignore_errors=True)
    part.rename(home)


def fetched(part: Path) -> int:
    """Bytes on the disk so far."""
    return sum(each.stat().st_size for each in part.rglob("*") if each.is_file())


def listing(endpoint: str, kind: str, want: dict[str, Any]) -> list[Any]:
    """The files to fetch: path, bytes, SHA-256 where the hub knows it, URL."""
    model, revision = want[kind], want["revision"]
    if kind == "modelscope":
        api = f"{endpoint}/api/v1/models/{model}/repo"
        revision = quote(revision or "master", "")
        rows = json.loads(get(f"{api}/files?Revision={revision}&Recursive=True").read())["Data"]["Files"]
        base = f"{api}?Revision={revision}&FilePath="
        files = [
            (row["Path"], row["Size"], row.get("Sha256"), base + quote(row["Path"], ""))
            for row in rows
            if row["Type"] == "blob"
        ]
    else:
        revision = quote(revision or "main", "")
        rows = json.loads(get(f"{endpoint}/api/models/{model}/tree/{revision}?recursive=true").read())
        base = f"{endpoint}/{model}/resolve/{revision}/"
        files = [
            (row["path"], row["size"], row.get("lfs", {}).get("oid"), base + quote(row["path"]))
            for row in rows
            if row["type"] == "file"
        ]
    # The same weights in other formats are not loaded where there are safetensors.
    skip = (".bin", ".pth", ".pt", ".gguf", ".h5", ".msgpack", ".onnx") if "safetensors" in str(files) else (".gguf",)
    files = [each for each in files if not each[0].endswith(skip) and ".." not in each[0] and each[0][0] not in "./"]
    if not files:
        raise Failure("weights.not-found", f"{endpoint} has no files of {model}", True)
    return files


def one(path: Path, size: int, sha256: str | None, url: str) -> None:
    """Fetch one file, going on where it stopped, then check size and digest."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for attempt in range(5):
        try:
            have = path.stat().st_size if path.exists() else 0
            if have < size:
                with get(url, have) as answer, path.open("ab" if answer.status == 206 else "wb") as out:
                    shutil.copyfileobj(answer, out, 2**20)
        except OSError as error:
            if error.errno == errno.ENOSPC:
                raise Failure("weights.disk-full", str(error)) from error
            time.sleep(2**attempt)
        if path.exists() and path.stat().st_size >= size:
            with path.open("rb") as file:
                if path.stat().st_size == size and sha256 in (
                    None,
                    "",
                    hashlib.file_digest(file, "sha256").hexdigest(),
                ):
                    return
            path.unlink()  # too long, or another digest: nothing of it can be trusted
    raise Failure("weights.corrupt", f"{url} did not come whole, five times over", True)


def get(url: str, start: int = 0) -> Any:
    """Open a URL from a byte on. A minute without a byte is an error; refusals have codes of their own."""
    request = Request(url, headers={"Range": f"bytes={start}-"} if start else {})  # noqa: S310 - hubs are http(s)
    token = at("/srv/llm/secrets/hf_token")
    if token.exists() and any(url.startswith(each["endpoint"]) for each in node()["hubs"] if each["token"]):
        # unredirected: a hub sends us on to content hosts, and they shall not see it
        request.add_unredirected_header("Authorization", "Bearer " + token.read_text().strip())
    try:
        return urlopen(request, timeout=60)  # noqa: S310
    except HTTPError as error:
        kind = {401: "gated", 403: "gated", 404: "not-found"}.get(error.code, "unreachable")
        raise Failure("weights." + kind, f"{url}: {error}", True) from error
    except OSError as error:
        raise Failure("weights.unreachable", f"{url}: {error}", True) from error
