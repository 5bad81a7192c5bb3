"""Stage `bundle`: a model's files from the folder that `pulumi-llm bundle` made, each held against its digest.

The other stages that fetch come here too: for apt's list of sources, for the folder of wheels, for an image. Nothing is
asked of a network. What the bundle has not is told, and is nobody else's to give.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from llm_node import status, weights
from llm_node.system import Failure, at, node, tail, write

BLOCK = 2**20


def main() -> None:
    """The main model."""
    model("bundle", node()["model"])


def home() -> Path:
    """The bundle's folder."""
    return at(node()["bundle"])


def manifest() -> dict[str, Any]:
    """What the bundle says of itself. It may come later than the machine starts: then it is waited for."""
    file = home() / "manifest.json"
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        if found["schema"] != 1 or not all(isinstance(found[each], kind) for each, kind in PARTS.items()):
            raise ValueError(found["schema"])
    except FileNotFoundError:
        raise Failure("bundle.absent", f"there is no {file}", True) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Failure("bundle.unreadable", f"{file}: {error!r}"[:300]) from None
    return dict(found)


PARTS = {"files": list, "apt": list, "images": dict}


# -- what other stages take


def apt_lines() -> str:
    """apt's list of sources. The archive's own signature is asked for, as elsewhere; that it is old is no fault."""
    options = "[target=Packages by-hash=no check-valid-until=no]"
    rows = [f"deb {options} file:{home() / 'apt'} {each['suite']} {each['components']}" for each in manifest()["apt"]]
    return "".join(f"{each}\n" for each in rows)


def load(image: str) -> None:
    """Give Docker an image, each part of which is what its digest says."""
    folder, digest = home() / "images/blobs/sha256", manifest()["images"].get(image)
    if digest is None:
        raise Failure("bundle.lacks", f"the bundle has no image {image}", True)
    told = json.loads(part(folder, str(digest)))
    config, layers = told["config"]["digest"], [each["digest"] for each in told["layers"]]
    names = {each: f"blobs/sha256/{each.partition(':')[2]}" for each in (config, *layers)}
    index = [{"Config": names[config], "RepoTags": [image], "Layers": [names[each] for each in layers]}]
    with subprocess.Popen(
        ["docker", "load", "--quiet"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as child:
        assert child.stdin and child.stdout  # noqa: S101, PT018
        try:
            with child.stdin as into, tarfile.open(fileobj=into, mode="w|") as archive:
                entry = tarfile.TarInfo("manifest.json")
                text = json.dumps(index).encode()
                entry.size = len(text)
                archive.addfile(entry, io.BytesIO(text))
                for name, place in names.items():
                    add(archive, folder, name, place)
        except BrokenPipeError:
            pass  # it says why
        except BaseException:
            child.kill()
            raise
        said = child.stdout.read().decode(errors="replace")
    if child.returncode:
        kind = "images.disk-full" if "no space left" in said else "bundle.not-loaded"
        raise Failure(kind, f"docker load {image}: {tail(said)}", True)


def add(archive: tarfile.TarFile, folder: Path, digest: str, name: str) -> None:
    """One part of an image, read twice: first for its digest."""
    path = folder / digest.partition(":")[2]
    try:
        with path.open("rb") as file:
            if "sha256:" + weights.sha256(path, weights.Pace()) != digest:
                raise Failure("bundle.damaged", f"{path} is not what its name says", True)
            entry = tarfile.TarInfo(name)
            entry.size = os.fstat(file.fileno()).st_size
            archive.addfile(entry, file)
    except FileNotFoundError:
        raise Failure("bundle.lacks", f"there is no {path}", True) from None


def part(folder: Path, digest: str) -> bytes:
    """A small part of an image, its manifest."""
    path = folder / digest.partition(":")[2]
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise Failure("bundle.lacks", f"there is no {path}", True) from None
    if "sha256:" + hashlib.sha256(data).hexdigest() != digest:
        raise Failure("bundle.damaged", f"{path} is not what its name says", True)
    return data


# -- weights


def model(stage: str, want: dict[str, Any]) -> None:
    """One model's files, for the stage of that name: copied, as the bundle may be on a disk that is taken out again."""
    target = at(want["path"])
    if weights.whole(target):
        return
    files = wanted(want, target.name)
    unfinished = target.with_name(target.name + ".part")
    if target.exists() and not unfinished.exists():
        target.rename(unfinished)
    unfinished.mkdir(parents=True, exist_ok=True)
    for each in unfinished.rglob("*"):
        if each.is_file() and str(each.relative_to(unfinished)) not in files:
            each.unlink()  # of another download: vLLM would take it for weights
    total = sum(each["bytes"] for each in files.values())
    need = total - weights.fetched(unfinished)
    if need > shutil.disk_usage(unfinished).free - weights.ROOM:
        raise Failure("bundle.disk-full", f"{need / 2**30:.1f} GiB are to come, and the data disk has no room for them")
    done, said = 0, time.monotonic()
    for name, row in files.items():
        for moved in copied(home() / row["path"], unfinished / name, row):
            done += moved
            if time.monotonic() - said > weights.POLL:
                said = time.monotonic()
                progress = {"done": min(done, total), "total": total, "percent": min(100, 100 * done // max(total, 1))}
                status.record(stage, "running", progress=progress)
    stats = {name: (unfinished / name).stat() for name in files}
    found = {name: (each.st_size, each.st_mtime_ns, files[name]["sha256"]) for name, each in stats.items()}
    os.sync()  # the manifest must not reach the disk before what it vouches for
    write(unfinished / "complete.json", json.dumps({"hub": f"bundle {node()['bundle']}", "files": found}))
    shutil.rmtree(target, ignore_errors=True)
    unfinished.rename(target)


def wanted(want: dict[str, Any], folder: str) -> dict[str, dict[str, Any]]:
    """The files of a model in the bundle, by their names in its folder."""
    below = f"models/{folder}/"
    files = {}
    for row in manifest()["files"]:
        name = str(row["path"]).removeprefix(below)
        if row["path"] != name and row.get("kinds") == want.get("kinds"):
            if name.startswith("/") or ".." in Path(name).parts:
                raise Failure("bundle.unreadable", "the manifest names files outside of its folder")
            files[name] = dict(row)
    if not files:
        raise Failure("bundle.lacks", f"the bundle has no weights of {want.get('huggingface')} at {folder}", True)
    return files


def copied(source: Path, target: Path, row: dict[str, Any]) -> Iterator[int]:
    """Copy one file, and tell the bytes on the way; one that is there already and whole is left."""
    target.parent.mkdir(parents=True, exist_ok=True)
    there = target.is_file() and target.stat().st_size == row["bytes"]
    if there and weights.sha256(target, weights.Pace()) == row["sha256"]:
        yield row["bytes"]
        return
    digest = hashlib.sha256()
    try:
        if "depot" in node():
            # Its stage has held the file against its digest. On one disk it need not lie twice.
            target.unlink(missing_ok=True)
            os.link(source, target)
            yield row["bytes"]
            return
        with source.open("rb") as read, target.open("wb") as out:
            for block in blocks(read):
                digest.update(block)
                out.write(block)
                yield len(block)
    except FileNotFoundError:
        raise Failure("bundle.lacks", f"there is no {source}", True) from None
    if digest.hexdigest() != row["sha256"]:
        target.unlink()
        raise Failure("bundle.damaged", f"{source} has SHA-256 {digest.hexdigest()}, not {row['sha256']}", True)


def blocks(file: IO[bytes]) -> Iterator[bytes]:
    """A file, block by block."""
    while block := file.read(BLOCK):
        yield block
