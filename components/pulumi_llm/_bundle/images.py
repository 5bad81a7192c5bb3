"""Container images from registries (OCI distribution): each part by its digest, as one layout of blobs."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode

from pulumi_llm._bundle import fetch
from pulumi_llm._bundle.fetch import Lost
from pulumi_llm._texts import _

INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
PLATFORM = {"os": "linux", "architecture": "amd64"}
HUB = "registry-1.docker.io"
LARGEST = 4 << 20
"""Bytes of a manifest: registries take no larger ones."""


class Registry:
    """A repository of one registry, and the token that it asks for."""

    def __init__(self, host: str, repository: str) -> None:
        near = re.match(r"(localhost|127\.\d+\.\d+\.\d+)(:|$)", host) is not None  # as Docker has it
        self.base = f"{'http' if near else 'https'}://{host}/v2/{repository}"
        self.token: dict[str, str] = {}

    def asked(self, path: str, accept: Sequence[str] = ()) -> bytes:
        """What it answers; a token is asked for where it wants one, as anybody may."""
        wanted = {"Accept": ", ".join(accept)} if accept else {}
        try:
            return fetch.text(f"{self.base}/{path}", {**wanted, **self.token})
        except Lost as failure:
            cause = failure.__cause__
            challenge = cause.headers.get("WWW-Authenticate", "") if isinstance(cause, HTTPError) else ""
            if self.token or not challenge.startswith("Bearer "):
                raise
        told = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
        realm = told.pop("realm", "")
        if not realm.startswith("https://"):
            raise Lost("bundle.refused", _("{url} asks for a password", url=self.base))
        query = urlencode({key: value for key, value in told.items() if key in ("service", "scope")})
        try:
            found = json.loads(fetch.text(f"{realm}?{query}"))
            self.token = {"Authorization": f"Bearer {found.get('token') or found['access_token']}"}
        except (ValueError, KeyError, AttributeError):
            raise Lost("bundle.refused", _("{url} gives no token", url=realm)) from None
        return fetch.text(f"{self.base}/{path}", {**wanted, **self.token})


def place(image: str) -> tuple[str, str, str]:
    """Host, repository, and tag or digest of a full image name."""
    host, __, rest = image.partition("/")
    name, at, digest = rest.partition("@")
    repository, colon, tag = name.rpartition(":")
    if not colon:
        repository, tag = name, "latest"
    if host == "docker.io":
        host, repository = HUB, repository if "/" in repository else f"library/{repository}"
    return host, repository, digest if at else tag


def image(name: str, prefixes: Sequence[str], folder: Path) -> tuple[str, list[tuple[str, str, int]]]:
    """An image's parts as ``folder/blobs/sha256/…``: its manifest's digest, and source, digest and bytes of each part.

    Raises:
        Lost: what was wrong with the last registry that was asked.
    """
    lost = Lost("bundle.not-found", _("no registry is named for {name}", name=name))
    for prefix in prefixes:
        try:
            return _from(prefix + name, folder / "blobs/sha256")
        except fetch.Full:
            raise
        except Lost as failure:
            lost = failure
    raise lost


def _from(name: str, folder: Path) -> tuple[str, list[tuple[str, str, int]]]:
    host, repository, reference = place(name)
    registry = Registry(host, repository)
    text = registry.asked(f"manifests/{reference}", (*INDEXES, *MANIFESTS))
    told = _json(text, name)
    if reference.startswith("sha256:"):
        _check(text, reference, name)
    if "manifests" in told:
        digest = _mine(told["manifests"], name)
        text = registry.asked(f"manifests/{digest}", MANIFESTS)
        _check(text, digest, name)
        told = _json(text, name)
    digest = f"sha256:{hashlib.sha256(text).hexdigest()}"
    rows = [(f"{registry.base}/manifests/{digest}", digest, len(text))]
    with fetch.writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / digest.partition(":")[2]).write_bytes(text)
    for part in _parts(told, name):
        sha256 = str(part["digest"]).removeprefix("sha256:")
        if not re.fullmatch(r"[0-9a-f]{64}", sha256):
            raise Lost("bundle.unreadable", _("{name} is no image that is known here", name=name))
        url = f"{registry.base}/blobs/sha256:{sha256}"
        __, size = fetch.file([url], folder / sha256, sha256, int(part["size"]), registry.token)
        rows.append((url, f"sha256:{sha256}", size))
    return digest, rows


def _check(text: bytes, digest: str, name: str) -> None:
    found = f"sha256:{hashlib.sha256(text).hexdigest()}"
    if found != digest:
        what = _("{url} has SHA-256 {found}, and {wanted} is wanted", url=name, found=found, wanted=digest)
        raise Lost("bundle.wrong-digest", what)


def _json(text: bytes, name: str) -> Mapping[str, Any]:
    try:
        found = json.loads(text[:LARGEST])
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise Lost("bundle.unreadable", _("{name} is no image that is known here", name=name))
    return found


def _mine(rows: Any, name: str) -> str:
    """The manifest for the node's processor."""
    for row in rows if isinstance(rows, list) else []:
        platform = row.get("platform", {})
        if all(platform.get(key) == value for key, value in PLATFORM.items()):
            return str(row["digest"])
    raise Lost("bundle.not-found", _("{name} has no image for Linux on x86_64", name=name))


def _parts(told: Mapping[str, Any], name: str) -> Iterator[Mapping[str, Any]]:
    try:
        yield told["config"]
        yield from told["layers"]
    except (KeyError, TypeError):
        raise Lost("bundle.unreadable", _("{name} is no image that is known here", name=name)) from None
