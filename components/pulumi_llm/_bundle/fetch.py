"""Files from servers: gone on with where they stopped, held against their digest, from whoever has them first."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import time
from collections.abc import Iterable, Mapping
from http.client import HTTPException
from pathlib import Path
from typing import IO, Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from pulumi_llm import _system as system
from pulumi_llm._addresses import without_secrets
from pulumi_llm._texts import _
from pulumi_llm.errors import Finding

SECONDS = 60.0
"""How long a server may be silent."""
TRIES = 4
"""How often a file is asked for at one source in which nothing moves."""
PAUSE = float(os.environ.get("LLM_BUNDLE_PAUSE", "2"))
"""Seconds before the second try; twice as long before each later one."""
BLOCK = 1 << 20
MOST = 256 << 20
"""Bytes of a list that is read as a whole: the largest of Ubuntu's has a tenth of that."""
AGENT = {"User-Agent": "pulumi-llm-bundle"}


class Lost(Exception):  # noqa: N818 - it is a verdict about one thing, and the others go on
    """One thing that could not be had."""

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        self.finding = Finding(code, message, hint)
        super().__init__(str(message))


class Full(Lost):
    """There is no room, or the folder cannot be written: nothing else goes on."""


def opened(url: str, headers: Mapping[str, str] | None = None) -> Any:
    """The answer of a server. Raises Lost ``bundle.not-found``, ``bundle.refused``, ``bundle.unreachable``."""
    shown = without_secrets(url)
    if urlsplit(url).scheme not in ("http", "https"):
        raise Lost("bundle.unreachable", _("{url}: no address of the web", url=shown))
    request = Request(url, headers=AGENT)  # noqa: S310 - seen above
    for name, value in (headers or {}).items():
        # Unredirected: a registry sends on to others' stores, which shall not see what lets in at the registry.
        (request.add_unredirected_header if name == "Authorization" else request.add_header)(name, value)
    try:
        return urlopen(request, timeout=SECONDS)  # noqa: S310 - seen above
    except HTTPError as error:
        kinds = {401: "refused", 403: "refused", 404: "not-found", 410: "not-found"}
        code = f"bundle.{kinds.get(error.code, 'unreachable')}"
        lost = Lost(code, _("{url} answers {status}", url=shown, status=error.code))
        raise lost from error  # a registry's first answer says where to log in
    except (OSError, HTTPException, ValueError) as error:
        raise Lost("bundle.unreachable", _("{url}: {problem}", url=shown, problem=why(error))) from None


def why(error: Exception) -> str:
    """What was wrong with a connection, in few words."""
    reason = getattr(error, "reason", error)
    return system.why(reason) if isinstance(reason, OSError) else str(reason) or type(error).__name__


def text(url: str, headers: Mapping[str, str] | None = None) -> bytes:
    """All that a server answers. Raises as `opened` does."""
    try:
        with opened(url, headers) as answer:
            found: bytes = answer.read(MOST)
            return found
    except (OSError, HTTPException) as error:
        problem = why(error)
        raise Lost("bundle.unreachable", _("{url}: {problem}", url=without_secrets(url), problem=problem)) from None


def file(
    urls: Iterable[str],
    target: Path,
    sha256: str,
    size: int | None = None,
    headers: Mapping[str, str] | None = None,
) -> tuple[str, int]:
    """A file of that digest at ``target``: where it came from ("" where it was there), and its bytes.

    Raises:
        Lost: what was wrong with the last source that was asked; Full where nothing can be written.
    """
    with writing(target):
        if there(target, sha256, size):
            return "", target.stat().st_size
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f"{target.name}.part")
        lost = Lost("bundle.not-found", _("no source is named for {name}", name=target.name))
        for url in urls:
            try:
                _from(url, part, sha256, headers)
            except Full:
                raise
            except Lost as failure:
                lost = failure
            else:
                part.replace(target)
                return url, target.stat().st_size
        raise lost


def _from(url: str, part: Path, sha256: str, headers: Mapping[str, str] | None) -> None:
    tries, pause, bad = TRIES, PAUSE, 0
    while True:
        have = part.stat().st_size if part.exists() else 0
        try:
            _more(url, part, have, headers)
            problem = None
        except Lost as failure:
            if failure.finding.code != "bundle.unreachable":
                raise
            problem = failure
        now = part.stat().st_size if part.exists() else 0
        if problem is None:
            found = digest(part)
            if found == sha256:
                return
            part.unlink()  # nothing of it can be trusted
            bad += 1
            if bad == 2:
                what = _("{url} has SHA-256 {found}, and {wanted} is wanted", url=url, found=found, wanted=sha256)
                raise Lost("bundle.wrong-digest", what)
            continue
        tries, pause = (TRIES, PAUSE) if now > have else (tries - 1, pause * 2)
        if not tries:
            raise problem
        time.sleep(pause)


def _more(url: str, part: Path, have: int, headers: Mapping[str, str] | None) -> None:
    """What a source has after ``have`` bytes, or all of it where it knows no ranges."""
    ranged = {"Range": f"bytes={have}-"} if have else {}
    try:
        answer = opened(url, {**(headers or {}), **ranged})
    except Lost as failure:
        cause = failure.__cause__
        if isinstance(cause, HTTPError) and cause.code == 416:  # all of it is there already, or more than all
            return
        raise
    with answer, part.open("ab" if answer.status == 206 else "wb") as out:
        whole = out.tell() + int(answer.headers.get("Content-Length") or 0)
        try:
            while block := answer.read(BLOCK):
                out.write(block)
        except (OSError, HTTPException) as error:
            if getattr(error, "errno", None) in FULL:
                raise
            raise Lost("bundle.unreachable", _("{url}: {problem}", url=url, problem=why(error))) from None
        if out.tell() < whole:
            raise Lost("bundle.unreachable", _("{url} does not come whole", url=without_secrets(url)))


FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES)


@contextlib.contextmanager
def writing(path: Path) -> Any:
    """Whatever keeps from writing there is a `Full`."""
    try:
        yield
    except OSError as error:
        code = "bundle.no-room" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "bundle.unwritable"
        problem = system.why(error)
        raise Full(code, _("{path} cannot be written: {problem}", path=path, problem=problem)) from None


def there(path: Path, sha256: str, size: int | None = None) -> bool:
    """Whether a file is there, whole."""
    if not path.is_file() or (size is not None and path.stat().st_size != size):
        return False
    return digest(path) == sha256


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as opened_file:
        return _digest(opened_file)


def _digest(stream: IO[bytes]) -> str:
    found = hashlib.sha256()
    while block := stream.read(BLOCK):
        found.update(block)
    return found.hexdigest()
