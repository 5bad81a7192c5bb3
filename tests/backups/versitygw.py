"""versitygw, a real server of S3 over a folder, on loopback; it can be stopped, and started again read-only."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Self
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from tests.gateway.front import free_port

PROGRAM = shutil.which("versitygw")
KEY, SECRET = "AKIDPLANTED", "secret-that-is-planted"
REGION = "cn-hangzhou"


def credentials(monkeypatch: pytest.MonkeyPatch, key: str = KEY, secret: str = SECRET) -> None:
    """The key in the environment, and no other."""
    for name in list(os.environ):
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


class Gateway:
    """The server with one bucket, ``kept``."""

    def __init__(self, home: Path) -> None:
        self.home, self.port, self.kept = home, free_port(), home / "buckets/kept"
        self.kept.mkdir(parents=True)
        self.address = f"http://127.0.0.1:{self.port}"
        self.running: subprocess.Popen[bytes] | None = None

    def start(self, *options: str) -> None:
        """Start it, and wait until it answers."""
        env = {**os.environ, "ROOT_ACCESS_KEY": KEY, "ROOT_SECRET_KEY": SECRET}
        argv = [str(PROGRAM), "--port", f"127.0.0.1:{self.port}", "--region", REGION, *options]
        log = self.home / "log"
        with log.open("wb") as out:
            argv += ["posix", str(self.kept.parent)]
            self.running = subprocess.Popen(argv, env=env, stdout=out, stderr=out, cwd=self.home)
        until = time.monotonic() + 30
        while True:
            try:
                urlopen(self.address, timeout=5)
                return
            except HTTPError:
                return
            except OSError:
                assert self.running.poll() is None, log.read_text()
                assert time.monotonic() < until, log.read_text()
                time.sleep(0.1)

    def stop(self) -> None:
        """Stop it at once, in the middle of what it does."""
        if self.running is not None:
            self.running.kill()
            self.running.wait(30)
            self.running = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
