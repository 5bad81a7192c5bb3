"""A bundle, sent to a bucket: each file under its digest, once, and an index that is named by its own digest.

A machine is told the index's digest with its settings: who may write to the bucket can replace nothing of the bundle.
"""

from __future__ import annotations

import hashlib
import io
import json
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from pulumi_llm import _system as system
from pulumi_llm._backup.places import Store
from pulumi_llm._backup.refusals import refused
from pulumi_llm._bundle import fetch, manifest
from pulumi_llm._dataclasses import dataclass
from pulumi_llm._texts import Text, _
from pulumi_llm.errors import Finding, Refusal

PART = 4 * 2**30
"""Bytes of one object; S3, OSS and COS take 5 GiB in one request."""
AT_ONCE = 4
SECONDS = 120
"""That a bucket may take to answer."""
Say = Callable[[Text | str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What came of it: the index's SHA-256, and bytes that the bundle has and that were sent now."""

    digest: str
    bytes: int
    sent: int


class _Section(io.RawIOBase):
    """A part of a file, as `http.client` reads it."""

    def __init__(self, path: Path, start: int, size: int) -> None:
        self._file, self._left = path.open("rb"), size
        self._file.seek(start)

    def read(self, size: int = -1) -> bytes:
        found = self._file.read(self._left if size < 0 else min(size, self._left))
        self._left -= len(found)
        return found

    def close(self) -> None:
        self._file.close()
        super().close()


def upload(folder: Path, store: Store, say: Say = lambda text: None) -> Sent:
    """Send what the bucket has not yet; the index comes last.

    Raises:
        Refusal: ``bundle.unfinished`` for a folder that is no whole bundle, ``bundle.damaged`` for a file that is not
            what the manifest says, and what the bucket answers (``backup.target-refused``).
    """
    document = manifest.read(folder)
    if not document.get("files") or document.get("missing"):
        message = _("{folder} has no bundle that is whole", folder=folder)
        raise Refusal([Finding("bundle.unfinished", message, "pulumi-llm bundle -s STACK --to FOLDER")])
    wanted = {str(each["path"]): str(each["sha256"]) for each in document["files"]}
    wanted.pop(manifest.FILE, None)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        jobs = [pool.submit(_file, folder, path, sha256, store, say) for path, sha256 in sorted(wanted.items())]
        try:
            rows = [job.result() for job in jobs]
        except BaseException:
            for job in jobs:
                job.cancel()
            raise
    rows.append(_manifest(manifest.same(document), store))
    files = {path: row for path, row, __ in rows}
    text = json.dumps({"schema": 1, "files": files}, indent=1, sort_keys=True).encode()
    digest = hashlib.sha256(text).hexdigest()
    store.write(f"{digest}.json", text)
    return Sent(
        digest=digest, bytes=sum(each["bytes"] for each in files.values()), sent=sum(each for *__, each in rows)
    )


def _file(folder: Path, path: str, sha256: str, store: Store, say: Say) -> tuple[str, dict[str, Any], int]:
    """One file, in as many objects as it needs; its row, and the bytes that were sent."""
    file = folder / path
    try:
        size, found = file.stat().st_size, fetch.digest(file)
    except OSError as wrong:
        raise _damaged(path, system.why(wrong)) from None
    if found != sha256:
        raise _damaged(path, _("SHA-256 {found}, not {wanted}", found=found, wanted=sha256))
    count, sent = max(1, -(-size // PART)), 0
    objects = [sha256 if count == 1 else f"{sha256}-{number:03}" for number in range(count)]
    for number, name in enumerate(objects):
        part = min(PART, size - number * PART)
        if store.size(name) == part:
            continue
        if part > 2**28:
            say(_("sending {path}, {mib} MiB", path=path, mib=part // 2**20))
        _put(store, name, file, number * PART, part)
        sent += part
    return path, {"bytes": size, "sha256": sha256, "objects": objects}, sent


def _manifest(text: bytes, store: Store) -> tuple[str, dict[str, Any], int]:
    """The manifest, as a file that is the same for the same bundle; else as `_file`."""
    sha256 = hashlib.sha256(text).hexdigest()
    there = store.size(sha256) == len(text)
    if not there:
        store.write(sha256, text)
    return manifest.FILE, {"bytes": len(text), "sha256": sha256, "objects": [sha256]}, 0 if there else len(text)


def _put(store: Store, name: str, file: Path, start: int, size: int) -> None:
    with _Section(file, start, size) as section:
        data: Iterable[bytes] | Any = section if size else b""
        request = urllib.request.Request(store.signed("put", name), data=data, method="PUT")  # noqa: S310
        request.add_header("Content-Type", "")
        request.add_header("Content-Length", str(size))
        try:
            urllib.request.urlopen(request, timeout=SECONDS).close()  # noqa: S310 - an address that was signed here
        except urllib.error.HTTPError as wrong:
            raise refused(store.shown, _("it answered {code}", code=wrong.code)) from None
        except OSError as wrong:
            raise refused(store.shown, str(getattr(wrong, "reason", wrong))) from None


def _damaged(path: str, why: Text | str) -> Refusal:
    hint = _("delete it and collect again: pulumi-llm bundle -s STACK --to FOLDER")
    return Refusal([Finding("bundle.damaged", _("{path}: {why}", path=path, why=why), hint)])
