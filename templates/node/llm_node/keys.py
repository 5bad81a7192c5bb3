"""Secrets become files under /srv/llm/secrets, each readable by one user alone."""

from __future__ import annotations

import hashlib
import json
import secrets as random
from typing import Any

from llm_node.system import Failure, at, write

FOLDER = "/srv/llm/secrets"
SYSTEM_CA = "/etc/ssl/certs/ca-certificates.crt"


def put(settings: dict[str, Any], given: dict[str, str]) -> set[str]:
    """Write the secret files; returns the paths of those that changed. An optional one that is not given goes away."""
    known = {**{name: generated(name) for name in settings["secrets"]["generated"]}, **given}
    changed = set()
    for file in settings["secret_files"]:
        content = FORMATS[file["format"]](file["entries"], known)
        path = at(file["path"])
        if content is None:
            if path.exists():
                path.unlink()
                changed.add(file["path"])
        elif write(path, content, 0o600, file["owner"]):
            changed.add(file["path"])
    return changed


def generated(name: str) -> str:
    """A key that this node makes for itself, and keeps."""
    path = at(f"{FOLDER}/{name}")
    if not path.exists():
        write(path, "sk-" + random.token_hex(32), 0o600)
    return path.read_text()


def raw(entries: dict[str, str], known: dict[str, str]) -> str | None:
    """One secret, as it is."""
    value = known.get(next(iter(entries)), "").strip()
    return value + "\n" if value else None


def env(entries: dict[str, str], known: dict[str, str]) -> str:
    """Secrets as an environment file: secret name to variable."""
    lines = []
    for name, variable in entries.items():
        value = known.get(name, "").strip()
        if not value.isprintable() or any(each in value for each in "\"'\\$` "):
            raise Failure("apply.bad-secret", f"{name} holds a space, a quote or a line break, as no key does")
        if value:
            lines.append(f"{variable}={value}\n")
    return "".join(lines)


def hashes(entries: dict[str, str], known: dict[str, str]) -> str:
    """The SHA-256 of each key, to the name of whom it belongs to."""
    found = {hashlib.sha256(known[name].strip().encode()).hexdigest(): owner for name, owner in entries.items()}
    if len(found) < len(entries):
        raise Failure("apply.same-key", "two names were given the same key")
    return json.dumps(found)


def bundle(entries: dict[str, str], known: dict[str, str]) -> str:
    """The system's certificate authorities, and our own upstreams' beside them."""
    system = at(SYSTEM_CA).read_text() if at(SYSTEM_CA).exists() else ""
    return system + "".join(known[name].strip() + "\n" for name in entries)


FORMATS = {"raw": raw, "env": env, "hashes": hashes, "bundle": bundle}
