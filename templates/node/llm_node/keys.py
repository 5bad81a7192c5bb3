"""Secrets become files under /srv/llm/secrets, each readable by one user alone.

A gateway key that is replaced stays valid for a while beside the new one, so that nobody is refused in
between; one whose name is taken away stops at once. Copies of the last good secrets lie in a folder
beside them, for the way back.
"""

from __future__ import annotations

import hashlib
import json
import secrets as random
import time
from pathlib import Path
from typing import Any

from llm_node import status
from llm_node.system import Failure, at, write

FOLDER = "/srv/llm/secrets"
KEYS, RETIRING, KEPT = f"{FOLDER}/gateway-keys.json", f"{FOLDER}/retiring-keys.json", f"{FOLDER}/good"
GRACE = 900  # seconds for which a replaced gateway key stays valid
SYSTEM_CA = "/etc/ssl/certs/ca-certificates.crt"


def put(settings: dict[str, Any], given: dict[str, str]) -> set[str]:
    """Write the secret files; returns the paths of those that changed. An optional one that is not given goes away."""
    known = {**{name: generated(name) for name in settings["secrets"]["generated"]}, **given}
    changed = set()
    for file in settings["secret_files"]:
        content = FORMATS[file["format"]](file["entries"], known)
        path = at(file["path"])
        if file["format"] == "hashes":
            content = overlapping(json.loads(content or "{}"))
        if content is None:
            if path.exists():
                path.unlink()
                changed.add(file["path"])
        elif write(path, content, 0o600, file["owner"]):
            changed.add(file["path"])
    return changed


def check(settings: dict[str, Any], given: dict[str, str]) -> None:
    """A Failure for secrets that cannot be written as they should, before anything is touched."""
    for file in settings["secret_files"]:
        known = {name: entry for name, entry in file["entries"].items() if name in given}
        if file["format"] in ("env", "hashes"):
            FORMATS[file["format"]](known, given)


def overlapping(new: dict[str, str]) -> str:
    """The gateway's keys with those that they replace, for as long as those stay valid."""
    now, until = time.time(), status.read(at(RETIRING))
    replaced = {each: owner for each, owner in status.read(at(KEYS)).items() if each not in new}
    until |= {each: now + GRACE for each in replaced if each not in until}
    valid = {each: owner for each, owner in replaced.items() if owner in new.values() and until[each] > now}
    write(at(RETIRING), json.dumps({each: until[each] for each in valid}), 0o600)
    return json.dumps(new | valid)


def retire(owner: str = "llm-gateway") -> None:
    """Take away the replaced keys whose time is over."""
    until = status.read(at(RETIRING))
    over = {each for each, end in until.items() if end <= time.time()}
    if over:
        left = {each: name for each, name in status.read(at(KEYS)).items() if each not in over}
        write(at(KEYS), json.dumps(left), 0o600, owner)
        write(at(RETIRING), json.dumps({each: end for each, end in until.items() if each not in over}), 0o600)


def keep(settings: dict[str, Any]) -> None:
    """Copy the secret files, which are good, for the way back."""
    for path, kept, _ in pairs(settings):
        if path.exists():
            write(kept, path.read_text(), 0o600)
        else:
            kept.unlink(missing_ok=True)


def differ(settings: dict[str, Any]) -> bool:
    """Whether a secret file is another than in the last good configuration."""
    return any(text(path) != text(kept) for path, kept, _ in pairs(settings))


def restore(settings: dict[str, Any]) -> set[str]:
    """Put the last good secrets back; returns the paths of those that changed."""
    changed = set()
    for path, kept, file in pairs(settings):
        if kept.exists() and write(path, kept.read_text(), 0o600, file["owner"]):
            changed.add(file["path"])
        elif not kept.exists() and path.exists():
            path.unlink()
            changed.add(file["path"])
    return changed


def pairs(settings: dict[str, Any]) -> list[tuple[Path, Path, dict[str, Any]]]:
    """Each secret file, its copy, and its row in the settings."""
    files = settings["secret_files"]
    return [(at(each["path"]), at(f"{KEPT}/{Path(each['path']).name}"), each) for each in files]


def text(path: Path) -> str:
    """What is in a file; nothing if there is none."""
    return path.read_text() if path.exists() else ""


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
