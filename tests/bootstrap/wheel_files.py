"""Single files out of the wheels that a node installs: exactly the locked ones, without fetching gigabytes.

A wheel is a zip file, whose directory stands at its end; an index that serves ranges gives any file of it alone.
"""

from __future__ import annotations

import io
import os
import re
import zipfile
from collections.abc import Callable
from html import unescape
from pathlib import Path
from urllib.parse import urljoin
from urllib.request import Request, urlopen

CHECKOUT = Path(__file__).parents[2]
LOCK, LOCK_OF_TPUS = CHECKOUT / "templates/locks/vllm.txt", CHECKOUT / "templates/locks/vllm-tpu.txt"


class Ranges(io.RawIOBase):
    """A file on a server, read piece by piece."""

    def __init__(self, url: str) -> None:
        with urlopen(Request(url, method="HEAD"), timeout=60) as answer:
            self.url, self.size, self.place = url, int(answer.headers["Content-Length"]), 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.place

    def seek(self, offset: int, whence: int = 0) -> int:
        self.place = offset + {0: 0, 1: self.place, 2: self.size}[whence]
        return self.place

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        end = min(self.place + len(buffer), self.size)
        if end <= self.place:
            return 0
        with urlopen(Request(self.url, headers={"Range": f"bytes={self.place}-{end - 1}"}), timeout=60) as answer:
            assert answer.status == 206, f"{self.url}: the index serves no ranges"
            data = answer.read()
        buffer[: len(data)] = data
        self.place += len(data)
        return len(data)


def locked(package: str, lock: Path = LOCK) -> tuple[str, frozenset[str]] | None:
    """A package's version and digests in the lock; None: a node does not install it."""
    for line in lock.read_text(encoding="utf-8").splitlines():
        name, version, *digests = line.replace("==", " ").split()
        if name == package:
            return version, frozenset(each.rpartition(":")[2] for each in digests)
    return None


def files(package: str, wanted: Callable[[str], bool], version: str | None = None, lock: Path = LOCK) -> Path:
    """A folder with those files of a locked package's wheel. ``version`` names one that is not in the lock."""
    found = locked(package, lock)
    version, digests = (version, None) if version else found  # type: ignore[misc]
    home = Path(os.environ.get("PULUMI_LLM_TOOLS", CHECKOUT / ".tools")) / f"wheel-files/{package}-{version}"
    listing = home / ".names"
    names = listing.read_text(encoding="utf-8").split("\n") if listing.exists() else []
    if names and all((home / name).exists() for name in names if wanted(name)):
        return home
    buffered = io.BufferedReader(Ranges(wheel_url(package, str(version), digests)), 2**16)
    with zipfile.ZipFile(buffered) as wheel:
        names = [name for name in wheel.namelist() if not name.endswith("/")]
        for name in filter(wanted, names):
            _write(home / name, wheel.read(name))  # zipfile checks each file's CRC
    _write(listing, "\n".join(names).encode())
    return home


def wheel_url(package: str, version: str, digests: frozenset[str] | None) -> str:
    """Where the wheel is: the one with a locked digest, or the one for any machine."""
    index = os.environ.get("UV_DEFAULT_INDEX") or os.environ.get("PIP_INDEX_URL") or "https://pypi.org/simple"
    page = f"{index.rstrip('/')}/{package}/"
    with urlopen(Request(page, headers={"Accept": "text/html"}), timeout=60) as answer:
        links = re.findall(r'href="([^"#]+)#sha256=([0-9a-f]{64})"', answer.read().decode())
    for link, digest in links:
        plain = f"-{version}-py3-none-any.whl"
        if digest in digests if digests is not None else link.endswith(plain):
            return urljoin(page, unescape(link))
    raise AssertionError(f"{page} has no wheel of {package} {version} with a digest of the lock")


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}")
    part.write_bytes(data)
    part.replace(path)
