"""A bundle, sent to a bucket: each file under its digest, once, and an index that is named by its own digest.

A machine is told the index's digest with its settings: who may write to the bucket can replace nothing of the bundle.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import http.client
import io
import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import IO, Any

from pulumi_llm import _system as system
from pulumi_llm._backup.places import Store, plain
from pulumi_llm._backup.refusals import answer, refused, unreachable
from pulumi_llm._bundle import fetch, manifest
from pulumi_llm._dataclasses import dataclass
from pulumi_llm._texts import Text, _
from pulumi_llm.errors import Finding, Refusal
from pulumi_llm.spec import Bucket

PART = 4 * 2**30
"""Bytes of one object; S3, OSS and COS take 5 GiB in one request."""
AT_ONCE = 4
SECONDS = 120
"""That a bucket may take to answer."""
AGAIN = (429, 500, 502, 503, 504)
"""Answers after which the same request is sent once more."""
CHANGED = ("BadDigest", "InvalidDigest")
"""What a bucket answers where other bytes arrived than were read: S3 and COS the one, OSS the other."""
Say = Callable[[Text | str], None]
_Row = tuple[str, dict[str, Any]]
"""A file's path, and what the index has of it."""
SAID = {
    "backup.no-signer": ("bundle.no-signer", "pip install 'pulumi-llm[refresh]'"),
    "backup.no-credentials": ("bundle.no-credentials", ""),
    "backup.target-refused": (
        "bundle.bucket-refused",
        _("may these credentials put, get and list objects there, and is that the bucket's region?"),
    ),
    "backup.target-unreachable": (
        "bundle.bucket-unreachable",
        _("the same again goes on where it stopped; is the bucket's region right?"),
    ),
}
"""What is said of a backup's bucket, and what of a bundle's; "": the same hint."""


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


@contextlib.contextmanager
def told() -> Iterator[None]:
    """Say of a bundle's bucket, in its own codes, what is said of a backup's."""
    try:
        yield
    except Refusal as refusal:
        raise Refusal(
            [
                replace(each, code=SAID[each.code][0], hint=SAID[each.code][1] or each.hint)
                if each.code in SAID
                else each
                for each in refusal.findings
            ]
        ) from None


def opened(bucket: Bucket, region: str, endpoint: str | None, below: str) -> Store:
    """The bucket, once it has taken an empty object: what keeps from it is said before anything is collected.

    Raises:
        Refusal: ``bundle.no-signer``, ``bundle.no-credentials``, ``bundle.bucket-refused``,
            ``bundle.bucket-unreachable``.
    """
    with told():
        store = Store(bucket, region, endpoint, below)
        store.writable()
    return store


def upload(folder: Path, store: Store, say: Say = lambda text: None) -> Sent:
    """Send what the bucket has not yet; the index comes last.

    Raises:
        Refusal: ``bundle.unfinished`` for a folder that is no whole bundle, ``bundle.damaged`` for a file that is not
            what the manifest says, and what the bucket answers, as `opened` does.
    """
    document = manifest.read(folder)
    if not document.get("files") or document.get("missing"):
        message = _("{folder} has no bundle that is whole", folder=folder)
        raise Refusal([Finding("bundle.unfinished", message, "pulumi-llm bundle -s STACK --to FOLDER")])
    wanted = {str(each["path"]): str(each["sha256"]) for each in document["files"]}
    wanted.pop(manifest.FILE, None)
    with told():
        sender = _Sender(store, say)
        rows = [sender.text(manifest.FILE, manifest.same(document))]
        # Of files that are the same one goes first: else two would be sent at once under one name.
        first = {sha256: path for path, sha256 in sorted(wanted.items(), reverse=True)}
        others = {path: sha256 for path, sha256 in wanted.items() if first[sha256] != path}
        for some in ({path: sha256 for sha256, path in first.items()}, others):
            rows += _each(sorted(some.items()), lambda path, sha256: sender.file(folder, path, sha256))
        files = dict(rows)
        text = json.dumps({"schema": 1, "files": files}, indent=1, sort_keys=True).encode()
        digest = hashlib.sha256(text).hexdigest()
        sender.put(f"{digest}.json", len(text), _md5(text), lambda: io.BytesIO(text), f"{digest}.json")
    return Sent(digest=digest, bytes=sum(each["bytes"] for each in files.values()), sent=sender.sent)


def _each(some: Iterable[tuple[str, str]], work: Callable[[str, str], _Row]) -> list[_Row]:
    """All of them, a few at once; the first that fails ends it."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        jobs = [pool.submit(work, *each) for each in some]
        try:
            return [job.result() for job in jobs]
        except BaseException:
            for job in jobs:
                job.cancel()
            raise


class _Sender:
    """Puts objects that are not there yet, and counts the bytes of a bundle's files that it sent."""

    def __init__(self, store: Store, say: Say) -> None:
        self.store, self.say, self.sent = store, say, 0
        self._lock = threading.Lock()
        self.by_md5 = True
        """Whether the bucket calls a content by its MD5. Where it encrypts with keys of its own it may not."""

    def text(self, path: str, content: bytes) -> _Row:
        """A small file; the first that is sent, as it tells how the bucket calls what it has."""
        sha256, md5 = hashlib.sha256(content).hexdigest(), _md5(content)
        if self.store.held(sha256) != (len(content), md5.hex()):
            self.by_md5 = self._send(sha256, len(content), md5, lambda: io.BytesIO(content), path) == md5.hex()
            self._count(len(content))
        return path, {"bytes": len(content), "sha256": sha256, "objects": [sha256]}

    def file(self, folder: Path, path: str, sha256: str) -> _Row:
        """One file of the folder, in as many objects as it needs; its row of the index."""
        file = folder / path
        try:
            size, (found, parts) = file.stat().st_size, _digests(file)
        except OSError as wrong:
            raise _damaged(path, system.why(wrong)) from None
        if found != sha256:
            raise _damaged(path, _("SHA-256 {found}, not {wanted}", found=found, wanted=sha256))
        objects = [sha256 if len(parts) == 1 else f"{sha256}-{number:03}" for number in range(len(parts))]
        for number, (name, md5) in enumerate(zip(objects, parts, strict=True)):
            start = number * PART
            part = min(PART, size - start)
            self._count(self.put(name, part, md5, partial(_Section, file, start, part), path))
        return path, {"bytes": size, "sha256": sha256, "objects": objects}

    def _count(self, sent: int) -> None:
        with self._lock:
            self.sent += sent

    def put(self, name: str, size: int, md5: bytes, content: Callable[[], IO[bytes] | _Section], path: str) -> int:
        """Send an object that is not there, or is not what it should be; gives the bytes that were sent."""
        there = self.store.held(name)
        if there is not None and there[0] == size and (there[1] == md5.hex() or not self.by_md5):
            return 0
        if size > 2**28:
            self.say(_("sending {path}, {mib} MiB", path=path, mib=size // 2**20))
        self._send(name, size, md5, content, path)
        return size

    def _send(self, name: str, size: int, md5: bytes, content: Callable[[], IO[bytes] | _Section], path: str) -> str:
        """Put it, and again where that may help. The bucket holds what arrives against the MD5; gives its ETag."""
        sum_ = base64.b64encode(md5).decode()
        for left in reversed(range(fetch.TRIES)):
            try:
                with content() as body:
                    request = urllib.request.Request(  # noqa: S310 - an address that is signed here
                        self.store.signed("put", name, ContentMD5=sum_), data=body if size else b"", method="PUT"
                    )
                    for header, value in (("Type", ""), ("Length", str(size)), ("MD5", sum_)):
                        request.add_header(f"Content-{header}", value)
                    with urllib.request.urlopen(request, timeout=SECONDS) as done:  # noqa: S310 - the same
                        return plain(done.headers.get("ETag"))
            except urllib.error.HTTPError as wrong:
                why, kind = answer(wrong)
                if not left or (wrong.code not in AGAIN and kind not in CHANGED):
                    raise _damaged(path, why) if kind in CHANGED else refused(self.store.shown, why) from None
            except (OSError, http.client.HTTPException) as wrong:
                if not left:
                    raise unreachable(self.store.shown, fetch.why(wrong)) from None
            time.sleep(fetch.PAUSE * 2 ** (fetch.TRIES - 1 - left))
        raise AssertionError


def _md5(content: bytes) -> bytes:
    return hashlib.md5(content, usedforsecurity=False).digest()


def _digests(file: Path) -> tuple[str, list[bytes]]:
    """A file's SHA-256, and the MD5 of each of its objects; one reading for both."""
    whole, parts, at = hashlib.sha256(), [hashlib.md5(usedforsecurity=False)], 0
    with file.open("rb") as content:
        while block := content.read(min(fetch.BLOCK, PART - at)):
            whole.update(block)
            parts[-1].update(block)
            at += len(block)
            if at == PART:
                parts, at = [*parts, hashlib.md5(usedforsecurity=False)], 0
    if at == 0 and len(parts) > 1:
        parts.pop()
    return whole.hexdigest(), [each.digest() for each in parts]


def _damaged(path: str, why: Text | str) -> Refusal:
    hint = _("delete it and collect again: pulumi-llm bundle -s STACK --to FOLDER")
    return Refusal([Finding("bundle.damaged", _("{path}: {why}", path=path, why=why), hint)])
