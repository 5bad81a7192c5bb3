"""Wheels of a lock, from package indexes (PEP 503 and PEP 691): of each package one, whose digest the lock has."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin

from pulumi_llm._bundle import fetch
from pulumi_llm._bundle.fetch import Lost
from pulumi_llm._texts import _

JSON = "application/vnd.pypi.simple.v1+json"
ACCEPT = {"Accept": f"{JSON}, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"}
GLIBC = re.compile(r"manylinux_(\d+)_(\d+)")
OLD = {"manylinux2014": (2, 17), "manylinux2010": (2, 12), "manylinux1": (2, 5)}


def pins(lock: str) -> list[tuple[str, str, frozenset[str]]]:
    """Name, version and digests of each line."""
    rows = []
    for line in lock.splitlines():
        pinned, *hashes = line.split()
        name, __, version = pinned.partition("==")
        rows.append((name, version, frozenset(each.rpartition(":")[2] for each in hashes)))
    return rows


def wheel(name: str, version: str, digests: frozenset[str], indexes: Sequence[str], folder: Path) -> tuple[Path, str]:
    """The package's wheel in ``folder``, and where it came from ("" where it was there).

    Raises:
        Lost: ``bundle.not-found`` where no index has one of these digests, and what `fetch.file` raises.
    """
    lost = Lost("bundle.not-found", _("no index is named for {name} {version}", name=name, version=version))
    for index in indexes:
        try:
            files = [row for row in listed(index, name) if row[2] in digests]
            if not files:
                what = _(
                    "{index} has no {name} {version} of the pinned digests", index=index, name=name, version=version
                )
                raise Lost("bundle.not-found", what)
            url, file, sha256 = max(files, key=lambda row: closeness(row[1]))
            source, __ = fetch.file([url], folder / file, sha256)
            return folder / file, source
        except fetch.Full:
            raise
        except Lost as failure:
            lost = failure
    raise lost


def listed(index: str, name: str) -> list[tuple[str, str, str]]:
    """URL, file name and SHA-256 of each wheel that an index has of a package."""
    page = f"{index.rstrip('/')}/{name}/"
    found = fetch.text(page, ACCEPT)
    try:
        if found.lstrip()[:1] == b"{":
            rows = [(urljoin(page, each["url"]), each["filename"], each["hashes"].get("sha256", ""))
                    for each in json.loads(found)["files"]]  # fmt: skip
        else:
            reader = _Links()
            reader.feed(found.decode())
            rows = [_row(page, each) for each in reader.found]
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Lost("bundle.unreachable", _("{page} is no page of a package index", page=page)) from None
    return [row for row in rows if re.fullmatch(r"[\w.+!-]+\.whl", row[1])]


def _row(page: str, link: str) -> tuple[str, str, str]:
    url, fragment = urldefrag(urljoin(page, html.unescape(link)))
    return url, unquote(url.rpartition("/")[2]), fragment.removeprefix("sha256=")


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        link = dict(attrs).get("href")
        if tag == "a" and link:
            self.found.append(link)


def closeness(file: str) -> tuple[bool, tuple[int, int]]:
    """How near a wheel is to the node, as uv would have it: made for one Python, and for the newest glibc."""
    versions = [(int(one), int(two)) for one, two in GLIBC.findall(file)]
    versions += [version for old, version in OLD.items() if old in file]
    return "-cp312-cp312-" in file, max(versions, default=(0, 0))
