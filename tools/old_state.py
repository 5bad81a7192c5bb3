"""Makes the state that an older program of ours leaves behind, for tests/engine/test_old_state.py.

    python tools/old_state.py REVISION       (see docs/decisions/old-state.md for the one in use)

The revision's program brings every stack that it ships up on simulated clouds, by the real engine. What the engine
exports of each goes into one archive, tests/golden/states/REVISION.tar.xz: nothing of a real account, secrets encrypted
with the simulation's passphrase. The environment is this one: run it where that revision's program runs. Needs the
history (`git fetch --unshallow` in a shallow clone).
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
STATES = TOP / "tests" / "golden" / "states"


def main(revision: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = subprocess.run(["git", "-C", str(TOP), "archive", revision], check=True, capture_output=True).stdout
        with tarfile.open(fileobj=io.BytesIO(source)) as files:
            files.extractall(folder / "source", filter="data")
        stacks = sorted(path.name.split(".")[1] for path in (folder / "source" / "stacks").glob("Pulumi.*.yaml"))
        exports = {stack: exported(folder, stack) for stack in stacks}
    STATES.mkdir(parents=True, exist_ok=True)
    with tarfile.open(STATES / f"{revision}.tar.xz", "w:xz", preset=9) as archive:
        for stack, content in exports.items():
            member = tarfile.TarInfo(f"{stack}.json")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


def exported(folder: Path, stack: str) -> bytes:
    """The deployment of a stack that the revision's program brought up, as the engine exports it."""
    own = ["--project", str(folder / "source"), "--home", str(folder / "home")]
    command = [sys.executable, "-m", "pulumi_llm.cli", "sim", *own]
    environment = {**os.environ, "PYTHONPATH": str(folder / "source" / "components")}
    subprocess.run([*command, "up", "-s", stack, "--yes", "--skip-preview"], env=environment, check=True)
    done = subprocess.run([*command, "stack", "export", "-s", stack], env=environment, check=True, capture_output=True)
    return done.stdout


if __name__ == "__main__":
    main(*sys.argv[1:])
