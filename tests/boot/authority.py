"""An authority that signs by ACME, outside of the machines: Caddy has one built in. It knows where one name leads."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from llm_boot.world import World
from tests.gateway.front import program

HOST = "acme.test"
"""In data/edge.json, so the machines' name server knows it and the edge's certificate holds it."""
DIRECTORY = f"https://{HOST}:9443/acme/local/directory"
PATIENCE = 600


class Authority:
    """``folder`` gets its files; ``home`` is where the simulated account keeps its world."""

    def __init__(self, folder: Path, home: Path, name: str) -> None:
        self.folder, self.home, self.name = folder, home, name
        self.hosts, self.log = folder / "hosts", folder / "authority.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._over = threading.Event()

    @property
    def root(self) -> str:
        """The certificate that it signs with in the end, PEM."""
        return (self.folder / "authority/pki/authorities/local/root.crt").read_text()

    def _follow(self) -> None:
        """Start with the world; then let the name lead to the first machine, as the record at a cloud would."""
        self.hosts.write_text("127.0.0.1 localhost\n")
        deadline = time.monotonic() + PATIENCE
        while not self._over.is_set() and time.monotonic() < deadline:
            world = World.find(self.home / "world") if (self.home / "world/world.json").exists() else None
            if world is not None and (world.folder / "ready").exists():
                if self._process is None:
                    self._start(world)
                found = [each.address for each in world.machines() if each.address]
                if found:
                    self.hosts.write_text(f"127.0.0.1 localhost\n{found[0]} {self.name}\n")
                    return
            time.sleep(0.2)

    def _settings(self, world: World) -> dict[str, Any]:
        # In JSON, as a Caddyfile's `skip_install_trust` leaves out the authority of `acme_server`: Caddy would put its
        # root into this machine's own trust store.
        edge = str(world.folder / "edge-0.pem")
        server = {
            "listen": [":9443"],
            "routes": [{"handle": [{"handler": "acme_server"}]}],
            "tls_connection_policies": [{}],
            "automatic_https": {"disable": True},
        }
        return {
            "admin": {"disabled": True},
            "storage": {"module": "file_system", "root": str(self.folder / "authority")},
            "apps": {
                "pki": {"certificate_authorities": {"local": {"install_trust": False}}},
                "http": {"servers": {"authority": server}},
                "tls": {"certificates": {"load_files": [{"certificate": edge, "key": edge}]}},
            },
        }

    def _start(self, world: World) -> None:
        file = self.folder / "authority.json"
        file.write_text(json.dumps(self._settings(world)))
        # A file over another one, in a mount namespace of its own: nothing of this machine's is touched.
        line = 'mount --bind "$1" /etc/hosts && exec "$2" run --config "$3"'
        own = ["unshare", "--mount", "--propagation", "private", "sh", "-euc", line, "sh"]
        argv = ["ip", "netns", "exec", world.name, *own, str(self.hosts), program("caddy"), str(file)]
        with self.log.open("wb") as log:
            env = {**os.environ, "HOME": str(self.folder)}
            self._process = subprocess.Popen(argv, stdout=log, stderr=log, env=env, start_new_session=True)

    @contextmanager
    def running(self) -> Iterator[Authority]:
        """From before the world is made until after it is gone."""
        thread = threading.Thread(target=self._follow, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._over.set()
            thread.join()
            if self._process is not None:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()
