"""Parts to and from a bucket, by curl: with addresses that somebody signed, or with a key of the node's own.

Neither an address with its signature nor a key stands on a command line, or in what is said of a failure.
"""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from llm_node.system import Failure, at

KEYS = "/srv/llm/secrets/backup.access-key-id", "/srv/llm/secrets/backup.access-key-secret"


def curl(url: str, *options: tuple[str, str], into: Path | None = None) -> str:
    """Ask once, and again where it may help. The body of the answer; a Failure with the server's own code."""
    host = urlsplit(url).netloc
    lines = [("url", url), *options]
    if into is not None:
        lines.append(("output", str(into)))
    config = "".join(f'{name} = "{quoted(value)}"\n' for name, value in lines)
    argv = ["curl", "--disable", "--silent", "--show-error", "--retry", "4", "--retry-delay", "2"]
    argv += ["--connect-timeout", "20", "--speed-limit", "1000", "--speed-time", "120"]
    argv += ["--write-out", "\\n%{http_code}", "--config", "-"]
    try:
        done = subprocess.run(argv, input=config, capture_output=True, text=True, errors="replace")
    except FileNotFoundError:
        raise Failure("backup.target-unreachable", "there is no curl on this node") from None
    body, _, code = done.stdout.rpartition("\n")
    if done.returncode:
        raise Failure("backup.target-unreachable", f"{host}: curl ended with {done.returncode}")
    if not code.startswith("2"):
        if into is not None:
            body = into.read_text(errors="replace")[:4000] if into.exists() else ""
            into.unlink(missing_ok=True)
        name = re.search(r"<Code>([A-Za-z0-9.]{1,60})</Code>", body)
        raise Failure("backup.target-refused", f"{host} answered {code}" + (f": {name[1]}" if name else ""))
    return body


def quoted(value: str) -> str:
    """A value of curl's configuration file."""
    return value.replace("\\", "\\\\").replace('"', '\\"')


def put(url: str, path: Path) -> None:
    """Send a file to an address that is signed."""
    curl(url, ("upload-file", str(path)))


def get(url: str, path: Path) -> None:
    """Fetch a file from an address that is signed."""
    curl(url, into=path)


class Bucket:
    """A bucket with the node's own key to it: the target of the timer, or where weights are kept."""

    def __init__(self, target: dict[str, Any], keys: tuple[str, str] = KEYS) -> None:
        self.base, self.region, self.prefix = target["url"], target["region"], target["prefix"]
        files = [at(each) for each in keys]
        if not all(each.exists() for each in files):
            raise Failure("backup.no-target", "this node has no key to the bucket")
        self.key = ":".join(each.read_text().strip() for each in files)

    def signed(self, name: str, *options: tuple[str, str], into: Path | None = None) -> None:
        """One request for an object below the prefix."""
        signing = (("aws-sigv4", f"aws:amz:{self.region}:s3"), ("user", self.key))
        curl(f"{self.base}/{quote(f'{self.prefix}/{name}')}", *signing, *options, into=into)

    def put(self, name: str, path: Path, sha256: str) -> None:
        """Send an object; the server holds it against the digest."""
        self.signed(name, ("upload-file", str(path)), ("header", f"x-amz-content-sha256: {sha256}"))

    def get(self, name: str, path: Path) -> None:
        """Fetch an object into a file."""
        self.signed(name, ("header", f"x-amz-content-sha256: {EMPTY}"), into=path)

    def delete(self, name: str) -> None:
        """Take an object away."""
        self.signed(name, ("request", "DELETE"), ("header", f"x-amz-content-sha256: {EMPTY}"))


EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def kept(path: Path) -> list[dict[str, Any]]:
    """The manifests of what this node has sent and not deleted, oldest first."""
    return json.loads(path.read_text()) if path.exists() else []
