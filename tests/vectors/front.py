"""The real Caddy with the configuration that a vector store's node gets, before whatever listens on loopback."""

from __future__ import annotations

import os
import re
import ssl
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPSConnection
from pathlib import Path
from typing import Any

from pulumi_llm._bootstrap import NodeRequest
from pulumi_llm.roles import caddy
from tests.gateway.front import certificate, free_port, program


@dataclass(frozen=True)
class Front:
    """``ports``: the node's own port to the one here; ``authority``: who signed its certificate."""

    ports: Mapping[int, int]
    authority: Path

    def url(self, port: int) -> str:
        """The address that stands for the node's port."""
        return f"https://127.0.0.1:{self.ports[port]}"

    def asked(
        self, port: int, path: str, method: str = "GET", body: bytes | None = None, **headers: str
    ) -> tuple[int, bytes]:
        """What is answered to a request whose path goes out as it is written."""
        tls = ssl.create_default_context(cafile=str(self.authority))
        connection = HTTPSConnection("127.0.0.1", self.ports[port], timeout=20, context=tls)
        try:
            connection.putrequest(method, path, skip_accept_encoding=True)
            for name, value in headers.items():
                connection.putheader(name.replace("_", "-"), value)
            if body is not None:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()


@contextmanager
def fronted(
    folder: Path,
    node: NodeRequest,
    behind: Mapping[int, int],
    env: Mapping[str, str] | None = None,
    with_caddy: str | None = None,
) -> Iterator[Front]:
    """Caddy as the node runs it. ``behind``: what takes the place of a port on loopback. ``with_caddy``: another Caddy
    than the tools' own."""
    certificate(folder)
    text = caddy.caddyfile(node).replace("/srv/llm/secrets", str(folder))
    text = text.replace("/var/lib/llm-caddy", str(folder / "caddy"))
    ports = {int(port): free_port() for port in re.findall(r"^:(\d+) \{", text, re.MULTILINE)}
    for old, new in ports.items():
        text = text.replace(f":{old} {{", f":{new} {{\n\tbind 127.0.0.1")
    for old, new in behind.items():
        text = text.replace(f"127.0.0.1:{old}", f"127.0.0.1:{new}")
    (folder / "Caddyfile").write_text(text)
    log = (folder / "caddy.log").open("wb")
    argv = [with_caddy or program("caddy"), "run", "--config", str(folder / "Caddyfile"), "--adapter", "caddyfile"]
    environment: dict[str, Any] = {**os.environ, "HOME": str(folder), **(env or {})}
    running = subprocess.Popen(argv, stdout=log, stderr=log, env=environment)
    front = Front(ports, folder / "ca.crt")
    try:
        until = time.monotonic() + 30
        while True:
            try:
                front.asked(next(iter(ports)), "/nothing-is-here")
                break
            except OSError:
                assert time.monotonic() < until, (folder / "caddy.log").read_text()
                time.sleep(0.1)
        yield front
    finally:
        running.terminate()
        running.wait()
