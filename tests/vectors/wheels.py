"""An environment of a role as a node installs it: what its lock lists, each wheel by its digest, and nothing else.

python -m tests.vectors.wheels ROLE…
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

from pulumi_llm.roles import registry

CHECKOUT = Path(__file__).parents[2]
TOOLS = Path(os.environ.get("PULUMI_LLM_TOOLS", CHECKOUT / ".tools"))


def folder_of(role: str) -> Path:
    """Where it is, once it is installed: a folder for each digest of the lock."""
    pins = registry.role(role).manifest.install.environments[role]
    return TOOLS / "vectors" / f"{role}-{pins.version}-{pins.wheels.digest[:12]}"


def is_installed(role: str) -> bool:
    """Whether it is there."""
    return (folder_of(role) / ".complete").exists()


def environment(role: str) -> Path:
    """Where it is; installed once for each digest of the lock."""
    found, folder = registry.role(role), folder_of(role)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / ".lock").open("w") as lock_file:
        fcntl.flock(lock_file, fcntl.LOCK_EX)  # another process of the same run may be at it
        if (folder / ".complete").exists():
            return folder
        uv = shutil.which("uv", path=f"{TOOLS / 'uv' / 'bin'}:{os.environ['PATH']}")
        assert uv, "run `make tools`"
        subprocess.run([uv, "venv", "-q", "--clear", "-p", sys.executable, folder], check=True)
        lock = folder / "lock.txt"
        lock.write_text(found.lock(role))
        argv = [uv, "pip", "install", "-q", "-p", str(folder / "bin/python"), "--no-deps", "--require-hashes"]
        subprocess.run([*argv, "--only-binary", ":all:", "-r", str(lock)], check=True)
        (folder / ".complete").touch()
        return folder


if __name__ == "__main__":
    for each in sys.argv[1:]:
        print(f"wheels: {environment(each)}")
