"""An encrypted archive of a folder in parts, each with its SHA-256, and back. Nothing of it lies open on the disk."""

from __future__ import annotations

import hashlib
import os
import subprocess
import tarfile
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from llm_node.system import Failure, at, tail

PART = int(os.environ.get("LLM_BACKUP_PART_BYTES", str(2**30)))  # bytes; S3, OSS and COS take 5 GiB in one request
BLOCK = 2**20
RECIPIENT = "/srv/llm/secrets/backup.recipient"


def pack(folders: Sequence[Path], parts: Path) -> list[dict[str, Any]]:
    """Archive what is in ``folders``, encrypted. Returns name, bytes and SHA-256 of each part."""
    try:
        age = subprocess.Popen(
            ["age", "--encrypt", "--recipients-file", str(at(RECIPIENT))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
    except FileNotFoundError:
        raise Failure("backup.encryption-failed", "there is no age on this node") from None
    assert age.stdin and age.stdout and age.stderr  # noqa: S101, PT018
    broken: list[Exception] = []

    def feed(into: IO[bytes]) -> None:
        try:
            with into, tarfile.open(fileobj=into, mode="w|", format=tarfile.PAX_FORMAT, bufsize=BLOCK) as archive:
                for each in sorted(each for folder in folders for each in folder.iterdir()):
                    archive.add(each, arcname=each.name, filter=nobodys)
        except Exception as error:
            broken.append(error)
            age.kill()  # else its end would look like a whole archive

    feeding = threading.Thread(target=feed, args=(age.stdin,))
    feeding.start()
    try:
        rows = [*written(age.stdout, parts)]
    except BaseException:
        age.kill()  # else both wait for each other, for good
        raise
    finally:
        feeding.join()
    said = age.stderr.read().decode(errors="replace")
    if age.wait() or broken:
        raise Failure("backup.encryption-failed", f"age: {tail(said)}" if not broken else f"reading: {broken[0]}")
    return rows


def nobodys(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """Without the users' numbers: a store on another machine gives the files to its own. Sockets and pipes stay out."""
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry if entry.isreg() or entry.isdir() or entry.issym() else None


def written(stream: IO[bytes], parts: Path) -> Iterator[dict[str, Any]]:
    """The stream as parts in a folder."""
    number, most = 0, min(BLOCK, PART)
    block = stream.read(most)
    while block:
        path, digest, size = parts / f"part-{number:05}", hashlib.sha256(), 0
        with path.open("wb") as file:
            while block and size < PART:
                file.write(block)
                digest.update(block)
                size += len(block)
                block = stream.read(min(most, PART - size) or most)
            file.flush()
            os.fsync(file.fileno())
        yield {"name": path.name, "bytes": size, "sha256": digest.hexdigest()}
        number += 1


def check(rows: list[dict[str, Any]], parts: Path) -> None:
    """A Failure where a part is missing, or another than it was."""
    for row in rows:
        path = parts / row["name"]
        if not path.is_file() or path.stat().st_size != row["bytes"]:
            raise Failure("backup.damaged", f"{row['name']} is not whole: {row['bytes']} bytes were written")
        found = digest(path)
        if found != row["sha256"]:
            raise Failure("backup.damaged", f"{row['name']} has SHA-256 {found}, and was written with {row['sha256']}")


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    found = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(2**20):  # hashlib.file_digest is not in the Python 3.10 of Ubuntu 22.04
            found.update(block)
    return found.hexdigest()


def unpack(rows: list[dict[str, Any]], parts: Path, key: Path, folder: Path) -> None:
    """The archive's files into ``folder``, which is empty; a Failure where the key does not fit."""
    try:
        age = subprocess.Popen(
            ["age", "--decrypt", "--identity", str(key)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
    except FileNotFoundError:
        raise Failure("backup.encryption-failed", "there is no age on this node") from None
    assert age.stdin and age.stdout and age.stderr  # noqa: S101, PT018

    def feed(into: IO[bytes]) -> None:
        try:
            with into:
                for row in rows:
                    with (parts / row["name"]).open("rb") as file:
                        while block := file.read(BLOCK):
                            into.write(block)
        except OSError:
            age.kill()

    feeding = threading.Thread(target=feed, args=(age.stdin,))
    feeding.start()
    wrong = None
    try:
        with tarfile.open(fileobj=age.stdout, mode="r|", bufsize=BLOCK) as archive:
            # `data`: no entry lands outside of the folder, whoever wrote the archive.
            archive.extractall(folder, filter="data")
    except (tarfile.TarError, OSError) as error:
        wrong = error
    except BaseException:
        age.kill()
        feeding.join()
        raise
    while age.stdout.read(BLOCK):
        pass
    feeding.join()
    said = age.stderr.read().decode(errors="replace")
    if age.wait():
        fits = "no identity matched" not in said
        raise Failure("backup.damaged" if fits else "backup.wrong-key", f"age: {tail(said)}")
    if wrong is not None:
        raise Failure("backup.damaged", f"the archive cannot be read: {wrong}")
