"""What the services at the edge answer: each takes a request and gives a status, headers and a body."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from llm_boot import adapter, model
from llm_boot.support import WHEELS


@dataclass
class Answer:
    """One answer; the body is bytes, or a file of which only a part may be sent."""

    status: int = 200
    body: bytes | Path = b""
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Bytes of the whole body."""
        return self.body.stat().st_size if isinstance(self.body, Path) else len(self.body)


def document(value: Any, status: int = 200) -> Answer:
    """JSON."""
    return Answer(status, json.dumps(value).encode(), {"Content-Type": "application/json"})


def missing(what: str) -> Answer:
    """404, and what is not there."""
    return document({"error": f"{what} is not here"}, 404)


@dataclass
class Services:
    """All services, over the parts that `tools/fetch boot` made."""

    parts: Path

    def answer(self, service: str, method: str, path: str, body: bytes) -> Answer:
        """The answer to one request; ``path`` has its query."""
        if service == "packages":
            return self.packages(path)
        if service == "hub":
            return hub(path)
        if service == "registry":
            return self.registry(path)
        if service == "upstream":
            return upstream(path, body)
        return metadata(method, path)

    def packages(self, path: str) -> Answer:
        """An apt archive under /ubuntu/, a Python package index under …/simple/, its files under /files/."""
        plain = unquote(urlsplit(path).path)
        if ".." in plain:
            return missing(plain)
        if plain.startswith("/ubuntu/") and not (self.parts / "mirror").is_dir():
            return _file(self.parts / "archive" / plain.removeprefix("/ubuntu/"))
        if plain.startswith(("/ubuntu/", "/debian/", "/debian-security/")):
            return _file(self.parts / "mirror" / plain.removeprefix("/"))
        if plain.startswith("/files/"):
            wheels = self.wheels(plain.removeprefix("/files/"))
            return _file(wheels[0]) if wheels else missing(plain)
        if found := re.fullmatch(r"(?:/pypi)?/simple/([^/]+)/?", plain):
            return self.index(found[1])
        return missing(plain)

    def index(self, name: str) -> Answer:
        """The files of one project, with their digests."""
        wheels = {each.name: each for each in self.wheels("*.whl") if _normal(each.name.split("-")[0]) == _normal(name)}
        if not wheels:
            return missing(name)
        rows = [
            f'<a href="/files/{each.name}#sha256={_digest(each)}">{each.name}</a><br>'
            for _, each in sorted(wheels.items())
        ]
        text = f"<!DOCTYPE html><html><body>{''.join(rows)}</body></html>"
        return Answer(200, text.encode(), {"Content-Type": "text/html"})

    def wheels(self, name: str) -> list[Path]:
        """The wheels of a name, which may be a pattern."""
        return sorted(file for part in WHEELS for file in (self.parts / part).glob(f"*/{name}"))

    def registry(self, path: str) -> Answer:
        """The registry's protocol for the one image that there is, under its own name or behind a prefix."""
        plain = urlsplit(path).path
        if plain == "/v2/":
            return document({})
        name = (self.parts / "images/name").read_text()
        repository, _, tag = name.partition("/")[2].partition(":")
        host = name.partition("/")[0]
        found = re.fullmatch(rf"/v2/(?:{re.escape(host)}/)?{re.escape(repository)}/(manifests|blobs)/(.+)", plain)
        if not found:
            return document({"errors": [{"code": "NAME_UNKNOWN", "message": "no such repository"}]}, 404)
        kind, reference = found.groups()
        if kind == "blobs":
            return _file(self.parts / "images/blobs" / reference.replace(":", "/"))
        manifest = (self.parts / "images/manifest.json").read_bytes()
        digest = f"sha256:{hashlib.sha256(manifest).hexdigest()}"
        if reference not in (tag, digest):
            return document({"errors": [{"code": "MANIFEST_UNKNOWN", "message": "no such tag"}]}, 404)
        headers = {"Content-Type": json.loads(manifest)["mediaType"], "Docker-Content-Digest": digest}
        return Answer(200, manifest, headers)


def hub(path: str) -> Answer:
    """Hugging Face's and ModelScope's protocols; every model id is the tiny model.

    One that ends in ``-lora`` is an adapter of it.
    """
    parts = urlsplit(path)
    plain, query = unquote(parts.path), parse_qs(parts.query)
    name = re.match(r"(?:/api(?:/v1)?/models)?/[^/]+/([^/]+)", plain)
    files = adapter.files() if name and name[1].endswith("-lora") else model.files()
    commit = hashlib.sha1(next(data for each, data in files.items() if each.endswith(".safetensors"))).hexdigest()
    if re.fullmatch(r"/api/v1/models/[^/]+/[^/]+/repo/files", plain):
        rows = [
            {"Path": name, "Name": name, "Type": "blob", "Size": len(data), "Sha256": _sha256(data), "Revision": commit}
            for name, data in files.items()
        ]
        return document({"Code": 200, "Data": {"Files": rows}, "Success": True})
    if re.fullmatch(r"/api/v1/models/[^/]+/[^/]+/repo", plain):
        return _served(files, query.get("FilePath", [""])[0], commit)
    if re.fullmatch(r"/api/models/[^/]+/[^/]+/tree/[^/]+", plain):
        listed = []
        for name, data in files.items():
            row: dict[str, Any] = {
                "type": "file",
                "path": name,
                "size": len(data),
                "oid": hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest(),
            }
            if name.endswith(".safetensors"):
                row["lfs"] = {"oid": _sha256(data), "size": len(data), "pointerSize": 134}
            listed.append(row)
        return document(listed)
    if re.fullmatch(r"/api/models/[^/]+/[^/]+(/revision/[^/]+)?", plain):
        return document({"sha": commit, "siblings": [{"rfilename": name} for name in files]})
    if found := re.fullmatch(r"/[^/]+/[^/]+/resolve/[^/]+/(.+)", plain):
        return _served(files, found[1], commit)
    return missing(plain)


def _served(files: Mapping[str, bytes], name: str, commit: str) -> Answer:
    data = files.get(name)
    if data is None:
        return missing(name)
    headers = {"Content-Type": "application/octet-stream", "X-Repo-Commit": commit, "ETag": f'"{_sha256(data)}"'}
    return Answer(200, data, headers)


def upstream(path: str, body: bytes) -> Answer:
    """A foreign vendor's API: one canned completion, whole or streamed."""
    try:
        asked = json.loads(body or b"{}")
    except ValueError:
        return document({"error": {"message": "not JSON", "type": "invalid_request_error"}}, 400)
    if urlsplit(path).path == "/v1/models":
        return document(
            {"object": "list", "data": [{"id": "gpt-6-luna", "object": "model", "created": 0, "owned_by": "upstream"}]}
        )
    if urlsplit(path).path != "/v1/chat/completions":
        return missing(path)
    same = {"id": "chatcmpl-1", "created": 0, "model": asked.get("model")}
    words = "hello from upstream"
    if not asked.get("stream"):
        choice = {"index": 0, "message": {"role": "assistant", "content": words}, "finish_reason": "stop"}
        usage = {"prompt_tokens": 1, "completion_tokens": 3, "total_tokens": 4}
        return document({"object": "chat.completion", **same, "choices": [choice], "usage": usage})
    pieces = []
    for each in [*words.split(" "), None]:
        delta = {"role": "assistant", "content": f"{each} "} if each else {}
        choice = {"index": 0, "delta": delta, "finish_reason": None if each else "stop"}
        pieces.append(f"data: {json.dumps({'object': 'chat.completion.chunk', **same, 'choices': [choice]})}\n\n")
    return Answer(200, "".join([*pieces, "data: [DONE]\n\n"]).encode(), {"Content-Type": "text/event-stream"})


def metadata(method: str, path: str) -> Answer:
    """The clouds' metadata address: a token where asked for one, and an instance id."""
    plain = urlsplit(path).path.rstrip("/")
    if method == "PUT" and plain in ("/latest/api/token",):
        return Answer(200, b"token")
    if plain.endswith("/meta-data/instance-id"):
        return Answer(200, b"i-booted")
    return missing(plain) if plain not in ("", "/latest", "/latest/meta-data") else Answer(200, b"instance-id\n")


def _file(path: Path) -> Answer:
    return Answer(200, path, {"Content-Type": "application/octet-stream"}) if path.is_file() else missing(path.name)


_digests: dict[Path, str] = {}


def _digest(path: Path) -> str:
    if path not in _digests:
        with path.open("rb") as file:
            _digests[path] = hashlib.file_digest(file, "sha256").hexdigest()
    return _digests[path]


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
