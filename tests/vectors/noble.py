"""PostgreSQL with pgvector as Ubuntu 24.04 has them, started as the node's unit starts them, in a root of their own.

``tools/fetch pgvector`` gets the packages. Mounts are in a namespace of the process and go with it.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pulumi_llm import _bootstrap as bootstrap
from tests.bootstrap.samples import engine_node
from tests.gateway.front import certificate, free_port

CHECKOUT = Path(__file__).parents[2]
ROOT = Path(os.environ.get("PULUMI_LLM_TOOLS", CHECKOUT / ".tools")) / "noble"
USER = 475
BOUND = ("/srv/llm", "/opt/llm", "/run/llm-pgvector")


@dataclass
class Cluster:
    """``folder`` holds what the node has under /srv/llm, /opt/llm and /run; ``log`` is what the journal would get."""

    folder: Path
    port: int
    unit: dict[str, str]
    running: subprocess.Popen[bytes] | None = None
    log: Path = field(init=False)

    def __post_init__(self) -> None:
        self.log = self.folder / "log"

    @property
    def authority(self) -> Path:
        """Who signed the certificate."""
        return self.folder / "ca.crt"

    def password(self, value: str) -> None:
        """Write it as `apply` does."""
        path = self.folder / "srv/llm/secrets/pgvector.password"
        path.write_text(value + "\n")
        os.chown(path, USER, USER)
        path.chmod(0o600)

    def inside(self, command: str) -> list[str]:
        """A command line as the unit's user runs it in Ubuntu's root."""
        binds = " && ".join(f"mount --bind {self.folder}{each} {ROOT}{each}" for each in BOUND)
        chroot = f"exec chroot --userspec={USER}:{USER} {ROOT} env -i PATH=/usr/bin:/bin LC_ALL=C.UTF-8 {command}"
        shell = f"mount --rbind /dev {ROOT}/dev && mount -t proc proc {ROOT}/proc && {binds} && {chroot}"
        return ["unshare", "--mount", "--propagation", "private", "sh", "-c", shell]

    def start(self) -> None:
        """As systemd does: ExecStartPre, ExecStart, and once it says that it is ready, ExecStartPost."""
        with self.log.open("ab") as log:
            subprocess.run(self.inside(self.unit["ExecStartPre"]), stdout=log, stderr=log, check=True, timeout=120)
            begun = self.log.stat().st_size
            self.running = subprocess.Popen(self.inside(self.unit["ExecStart"]), stdout=log, stderr=log)
        until = time.monotonic() + 60
        while b"ready to accept connections" not in self.log.read_bytes()[begun:]:
            assert self.running.poll() is None, self.log.read_text()
            assert time.monotonic() < until, self.log.read_text()
            time.sleep(0.1)
        done = subprocess.run(self.inside(self.unit["ExecStartPost"]), capture_output=True, text=True, timeout=60)
        assert (done.returncode, done.stdout + done.stderr) == (0, "")

    def stop(self) -> None:
        """As systemd does."""
        if self.running is not None:
            self.running.send_signal(signal.Signals[self.unit["KillSignal"]])
            self.running.wait(60)
            self.running = None

    def sql(self, statement: str, *, password: str, **options: Any) -> tuple[int, str]:
        """What Ubuntu's own client gets, over TLS with the authority checked; exit code, and all that it printed."""
        asked = {"user": "llm", "dbname": "vectors", "sslmode": "verify-full", **options}
        asked |= {
            "host": "127.0.0.1",
            "port": str(self.port),
            "sslrootcert": "/srv/llm/ca.crt",
            "connect_timeout": "10",
        }
        where = " ".join(f"{name}={value}" for name, value in asked.items())
        command = f"PGPASSWORD={shlex.quote(password)} /usr/lib/postgresql/16/bin/psql -X -At -d {shlex.quote(where)} "
        done = subprocess.run(
            self.inside(f"{command}-c {shlex.quote(statement)}"), capture_output=True, text=True, timeout=60
        )
        return done.returncode, done.stdout + done.stderr


@contextmanager
def cluster(folder: Path) -> Iterator[Cluster]:
    """One that has not been started yet, with the files that the node gets."""
    if not (ROOT / "stamp").exists():
        subprocess.run([CHECKOUT / "tools/fetch", "pgvector"], check=True)
    port = free_port()
    certificate(folder)
    files = {each["path"]: each for each in bootstrap.settings(engine_node("pgvector"))["files"]}
    for path, each in files.items():
        if path.startswith("/opt/llm/pgvector/"):
            target = folder / path.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(each["content"].replace("18446", str(port)))
            target.chmod(int(each["mode"], 8))
    unit = files["/etc/systemd/system/llm-pgvector.service"]["content"].replace("18446", str(port))
    made = Cluster(folder, port, dict(re.findall(r"^(\w+)=(.*)$", unit, re.MULTILINE)))
    for each in BOUND:
        (folder / each.lstrip("/")).mkdir(parents=True, exist_ok=True)
        (ROOT / each.lstrip("/")).mkdir(parents=True, exist_ok=True)
    secrets, data = folder / "srv/llm/secrets", folder / "srv/llm/pgvector"
    secrets.mkdir(mode=0o711)
    for name, source in (("pgvector.crt", "tls.crt"), ("pgvector.key", "tls.key")):
        shutil.copy(folder / source, secrets / name)
        os.chown(secrets / name, USER, USER)
        (secrets / name).chmod(0o600)
    shutil.copy(folder / "ca.crt", folder / "srv/llm/ca.crt")
    data.mkdir(mode=0o700)
    for each in (data, folder / "run/llm-pgvector"):
        os.chown(each, USER, USER)
    (ROOT / "tmp").chmod(0o1777)
    (ROOT / "etc/passwd").write_text(f"root:x:0:0::/root:/bin/sh\nllm-pgvector:x:{USER}:{USER}::/:/bin/false\n")
    for each in (folder, *folder.parents[:3]):
        each.chmod(each.stat().st_mode | 0o011)  # the user of the unit passes through
    try:
        yield made
    finally:
        made.stop()
