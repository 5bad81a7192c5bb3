"""Paths, commands, files: the few things that every stage needs from the machine."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterable
from importlib import import_module
from pathlib import Path
from typing import Any

# Tests run the node's code against a directory instead of the machine.
ROOT = Path(os.environ.get("LLM_ROOT", "/"))


class Failure(Exception):  # noqa: N818 - it is a verdict with a code, and its name is read by people
    """Something did not work. The code is stable and has a hint in hints.json; ``retry``: it may pass by itself."""

    def __init__(self, code: str, message: str, retry: bool = False) -> None:
        super().__init__(message)
        self.code, self.message, self.retry = code, message, retry


def at(path: str) -> Path:
    """Where an absolute path of the node lies under ROOT."""
    return ROOT / path.lstrip("/")


def run(*argv: str, **env: str) -> tuple[int, str]:
    """Run a command; its exit code and all that it printed. 127: there is no such command."""
    try:
        done = subprocess.run(argv, env={**os.environ, **env}, capture_output=True, text=True, errors="replace")
    except FileNotFoundError:
        return 127, f"{argv[0]}: not found"
    return done.returncode, done.stdout + done.stderr


def must(code: str, *argv: str, **env: str) -> str:
    """Run a command that has to succeed; it is tried again later if not."""
    rc, out = run(*argv, **env)
    if rc:
        raise Failure(code, f"{argv[0]} {argv[1]}: {tail(out)}", True)
    return out


def tail(text: str) -> str:
    """The last lines of a command's output, on one line."""
    return " | ".join(text.strip().splitlines()[-4:])[-600:]


def write(path: Path, data: str, mode: int = 0o644, owner: str = "root") -> bool:
    """Put a file in place atomically and durably. False: it was there already, just so."""
    same = path.is_file() and path.read_bytes() == data.encode() and path.stat().st_mode & 0o7777 == mode
    if not same:
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_name(f".{path.name}.new")
        new.unlink(missing_ok=True)
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as file:
            os.fchmod(file.fileno(), mode)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        own(new, owner)
        new.replace(path)
    return not same


def own(path: Path, owner: str) -> None:
    """Give a file to a user and the group of the same name; under a test root the users do not exist."""
    if str(ROOT) == "/":
        shutil.chown(path, owner, owner)


def node() -> Any:
    """What this machine shall be, and once the settings are here, what it takes for that."""
    supply = at("/opt/llm/supply.json")
    return json.loads(at("/opt/llm/node.json").read_text()) | json.loads(
        supply.read_text() if supply.exists() else "{}"
    )


def extra(name: str, otherwise: Callable[..., Any]) -> Callable[..., Any]:
    """A function of supply.py, which comes with the settings; until then a plain one does."""
    try:
        return getattr(import_module("llm_node.supply"), name)  # type: ignore[no-any-return]
    except ImportError:
        return otherwise


def first(code: str, sources: Iterable[str], attempt: Callable[[str, bool], None]) -> None:
    """Try each source, and tell the attempt whether it is the last. If none works, a Failure says why each did not."""
    failures, order = [], extra("ranked", list)(sources)
    for source in order:
        try:
            return attempt(source, source == order[-1])
        except Failure as failure:
            # A lock and a full disk are here, whatever source is asked.
            if not failure.retry or failure.code.endswith(("locked", "disk-full")):
                raise
            failures.append(failure)
    why = "; ".join(dict.fromkeys(each.message for each in failures)) or "no source is configured"
    raise Failure(failures[-1].code if failures else code, why[-900:], True)
