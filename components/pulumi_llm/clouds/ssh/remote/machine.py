"""What the other parts need of a machine: what was noted of it, its packages and people, files and commands."""

from __future__ import annotations

import json
import os
import pwd
import subprocess
import sys
from pathlib import Path
from typing import Any

HOME = Path("/var/lib/pulumi-llm")
BEFORE = HOME / "before.json"
DATA = Path("/srv/llm")
UNITS = Path("/etc/systemd/system")
BOX = Path("/opt/llm/container")
"""In a container: the supervisor and what stands in for the commands of systemd."""


def kept() -> dict[str, Any] | None:
    """What was noted when the machine was taken; None: it is nobody's of ours."""
    try:
        return json.loads(BEFORE.read_text())  # type: ignore[no-any-return]
    except (OSError, ValueError):
        return None


def packages() -> list[str]:
    """The packages that are installed, or have left their settings behind."""
    rows = run("dpkg-query", "-Wf", "${Package} ${db:Status-Status}\\n")[1].splitlines()
    return sorted({row.split()[0] for row in rows if not row.endswith("not-installed")})


def installed(package: str) -> bool:
    """Whether a package is installed."""
    return run("dpkg-query", "-Wf${db:Status-Status}", package) == (0, "installed")


def people() -> set[str]:
    """The names of all users."""
    return {each.pw_name for each in pwd.getpwall()}


def missing(folder: Path) -> list[Path]:
    """The folders that are made with this one, the topmost first."""
    return [each for each in [*reversed(folder.parents), folder] if not each.exists()]


def machine() -> str:
    """Which machine it is."""
    return read("/etc/machine-id").strip()


def read(path: str) -> str:
    """A file's text; nothing where there is none."""
    try:
        return Path(path).read_text(errors="replace")
    except OSError:
        return ""


def write(path: Path, text: str, mode: int = 0o644) -> None:
    """Put a file in place at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(".{}.new".format(path.name))
    with open(os.open(str(new), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w") as file:
        os.fchmod(file.fileno(), mode)
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


def run(*argv: str, **env: str) -> tuple[int, str]:
    """Run a command; its exit code and what it printed. 127: there is no such command."""
    try:
        done = subprocess.run(
            argv,
            env={**os.environ, **env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            universal_newlines=True,
            errors="replace",
        )
    except OSError:
        return 127, "{}: not found".format(argv[0])
    return done.returncode, done.stdout


def must(code: str, *argv: str, **env: str) -> None:
    """Run a command that has to succeed."""
    rc, out = run(*argv, **env)
    if rc:
        what = "{} {}: {}".format(argv[0], argv[1], " | ".join(out.strip().splitlines()[-4:])[-600:])
        sys.exit("[{}] {} -- try: the same again, and look at the machine: journalctl -xe".format(code, what))
