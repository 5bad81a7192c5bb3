"""`python3 -m llm_gate.admin COMMAND`: keys that are made on the node, and what each key has used.

Reads one JSON object on standard input and writes one on standard output. Needs nothing but Python. A key itself never
comes here: whoever makes it sends its SHA-256. The gateway reads the file again when it changes, so nothing restarts.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from llm_gate.policy import rules_of

HOME = Path(os.environ.get("LLM_GATE_STATE", "/srv/llm/gateway"))
POLICY = Path(os.environ.get("LLM_GATE_SETTINGS", "/opt/llm/gateway")) / "policy.json"
HASHES = Path(os.environ.get("LLM_GATE_SECRETS", "/srv/llm/secrets")) / "gateway-keys.json"

Answer = dict[str, Any]


class Wrong(Exception):  # noqa: N818 - it is what was asked that is wrong
    """What was asked cannot be done. ``code`` is stable."""

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.code, self.message, self.hint = code, message, hint


def read(path: Path) -> dict[str, Any]:
    """A JSON file, or nothing."""
    try:
        found = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    return found if isinstance(found, dict) else {}


@contextlib.contextmanager
def own_keys() -> Iterator[dict[str, Any]]:
    """The file of keys that were made here, to be changed; written back whole, and by one at a time."""
    path = HOME / "own-keys.json"
    with (HOME / "own-keys.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        content = {"keys": {}, "revoked": [], **read(path)}
        yield content
        new = path.with_name(".own-keys.new")
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(json.dumps(content, indent=1, sort_keys=True))
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)


def add(asked: Answer) -> Answer:
    """``{"name", "hash", "limits"}``: a new key."""
    name, digest = _name(asked), _digest(asked)
    with own_keys() as content:
        if name in content["keys"] or name in read(POLICY).get("keys", {}):
            raise Wrong("keys.exists", f"there is a key {name!r} already", "another name, or `rotate`")
        limits = dict(asked.get("limits") or {})
        try:
            rules_of(name, limits)
        except (ValueError, TypeError) as error:
            raise Wrong("keys.bad-limit", str(error)) from None
        content["keys"][name] = {**limits, "hashes": {digest: None}, "made": int(time.time())}
    return {"name": name}


def rotate(asked: Answer) -> Answer:
    """``{"name", "hash", "overlap_seconds"}``: another key in the place of the old, which stays valid for a while."""
    name, digest, now = _name(asked), _digest(asked), time.time()
    with own_keys() as content:
        row = content["keys"].get(name)
        if row is None:
            _refuse_managed(name)
        until = now + float(asked.get("overlap_seconds", 3600))
        kept = {each: end for each, end in row["hashes"].items() if end is None or end > now}
        row["hashes"] = {each: min(until, end or until) for each, end in kept.items()} | {digest: None}
    return {"name": name, "old_until": int(until)}


def revoke(asked: Answer) -> Answer:
    """``{"name"}``: no key by this name works any more, from the next request on."""
    name = _name(asked)
    with own_keys() as content:
        if content["keys"].pop(name, None) is not None:
            return {"name": name, "managed": "cli"}
        theirs = [digest for digest, owner in read(HASHES).items() if owner == name]
        if not theirs:
            _refuse_managed(name)
        # Those that a newer one has replaced are in the file too, as long as they are in force.
        content["revoked"] = sorted({*content["revoked"], *theirs})
    return {"name": name, "managed": "pulumi"}


def list_keys(asked: Answer) -> Answer:
    """Every key and its limits, and who makes it: ``pulumi`` or ``cli``."""
    del asked
    own = {"keys": {}, "revoked": [], **read(HOME / "own-keys.json")}
    policy, now = read(POLICY).get("keys", {}), time.time()
    rows = []
    hashes = read(HASHES)
    for name, row in sorted(policy.items()):
        theirs = [digest for digest, owner in hashes.items() if owner == name]
        state = "revoked" if theirs and all(each in own["revoked"] for each in theirs) else "valid"
        rows.append({"name": name, "managed": "pulumi", "state": _state(row, state, now), "limits": row})
    for name, row in sorted(own["keys"].items()):
        limits = {key: row[key] for key in row if key not in ("hashes", "made")}
        old = [end for end in row["hashes"].values() if end is not None and end > now]
        rows.append(
            {
                "name": name,
                "managed": "cli",
                "state": _state(row, "valid", now),
                "limits": limits,
                "made": row.get("made"),
                "old_until": int(max(old)) if old else None,
            }
        )
    return {"keys": rows}


def usage(asked: Answer) -> Answer:
    """``{"days", "models"}``: what each key has used on each of the last days; with ``models`` each model of it apart.

    Models stand with the single calls, which are kept for 35 days (see `store.KEEP_CALLS`), so ``since`` may be later.
    """
    models = bool(asked.get("models"))
    days = min(int(asked.get("days", 30)), 35) if models else int(asked.get("days", 30))
    since = time.strftime("%Y-%m-%d", time.gmtime(time.time() - 86400 * (days - 1)))
    with _ledger() as ledger:
        rows = ledger.execute(_BY_MODEL if models else _BY_DAY, (since,)).fetchall()
    names = ("key", "day", "requests", "tokens_in", "tokens_out", "tokens", "nanos", *(["model"] if models else []))
    return {"since": since, "days": [dict(zip(names, row, strict=True)) for row in rows]}


_BY_DAY = "SELECT key, day, requests, tokens_in, tokens_out, tokens, nanos FROM days WHERE day >= ? ORDER BY key, day"
_BY_MODEL = (
    "SELECT key, day, count(*), sum(tokens_in), sum(tokens_out), sum(tokens), sum(nanos), model FROM calls"
    " WHERE day >= ? GROUP BY key, day, model ORDER BY key, day, model"
)


def audit(asked: Answer) -> Answer:
    """``{"key", "last"}``: the last calls, newest first. Hashes and numbers; no prompt was ever written down."""
    columns = (
        "request, key, at, endpoint, model, upstream, state, tokens_in, tokens_out, nanos, status, verdict,"
        " input_sha256, output_sha256, seconds"
    )
    key = asked.get("key")
    where, values = ("WHERE key = ?", [key]) if key else ("", [])
    with _ledger() as ledger:
        rows = ledger.execute(
            f"SELECT {columns} FROM calls {where} ORDER BY id DESC LIMIT ?",  # noqa: S608 - names of our own
            [*values, min(int(asked.get("last", 100)), 100_000)],
        ).fetchall()
    return {"calls": [dict(zip(columns.replace(" ", "").split(","), row, strict=True)) for row in rows]}


@contextlib.contextmanager
def _ledger() -> Iterator[sqlite3.Connection]:
    path = HOME / "ledger.sqlite"
    if not path.exists():
        raise Wrong("usage.no-ledger", "the gateway has not run here yet")
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5)) as ledger:
        yield ledger


def _state(row: Answer, state: str, now: float) -> str:
    return "expired" if state == "valid" and row.get("expires") and now >= row["expires"] else state


def _name(asked: Answer) -> str:
    name = asked.get("name")
    if not isinstance(name, str) or not re.fullmatch(r"[a-z][a-z0-9-]{0,30}", name):
        raise Wrong(
            "spec.bad-key-name",
            f"a gateway key cannot be called {name!r}",
            "1 to 31 lower-case letters, digits and dashes, a letter first",
        )
    return name


def _digest(asked: Answer) -> str:
    digest = asked.get("hash")
    if not isinstance(digest, str) or not re.fullmatch(r"[0-9a-f]{64}", digest):
        raise Wrong("keys.bad-hash", "the key's SHA-256 is needed, in hexadecimal")
    return digest


def _refuse_managed(name: str) -> None:
    rows = read(POLICY).get("keys", {})
    if name in rows:
        raise Wrong(
            "keys.managed-by-pulumi",
            f"the key {name!r} is made by Pulumi",
            "raise its `generation` in the stack's file and run `pulumi up`: the old one works for 15 minutes more",
        )
    known = sorted({*rows, *read(HOME / "own-keys.json").get("keys", {})} - {"node-probe"})
    raise Wrong("keys.unknown", f"there is no key {name!r}", f"there are: {', '.join(known)}")


COMMANDS: dict[str, Callable[[Answer], Answer]] = {
    "add": add,
    "rotate": rotate,
    "revoke": revoke,
    "list": list_keys,
    "usage": usage,
    "audit": audit,
}


def main(argv: list[str]) -> int:
    """Run one command. 0: done. 1: refused, and the answer says why. 2: called wrongly."""
    if len(argv) != 1 or argv[0] not in COMMANDS:
        sys.stderr.write(f"usage: python3 -m llm_gate.admin {'|'.join(COMMANDS)}\n")
        return 2
    try:
        asked = json.loads(sys.stdin.read() or "{}")
        answer = COMMANDS[argv[0]](asked if isinstance(asked, dict) else {})
    except Wrong as wrong:
        answer = {"error": {"code": wrong.code, "message": wrong.message, "hint": wrong.hint}}
    sys.stdout.write(json.dumps(answer) + "\n")
    return 1 if "error" in answer else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
