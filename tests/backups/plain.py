"""A store of plain files behind a port, as Milvus is to a backup: quick, and every file of it can be looked at."""

from __future__ import annotations

import socket
import sys
import time
from pathlib import Path
from typing import Any

from tests.backups.node import Node
from tests.gateway.front import free_port

SERVER = (
    "import socket, sys; s = socket.create_server(('127.0.0.1', int(sys.argv[1]))); [s.accept() for _ in iter(int, 1)]"
)


class Plain(Node):
    """With Milvus's role, whose backup is its files while it is stopped; the server is a port and nothing else."""

    def __init__(self, root: Path, **more: Any) -> None:
        self.port = free_port()
        super().__init__(root, "milvus", replaced={"19530": str(self.port)}, **more)
        self.data = self.path("/srv/llm/milvus")
        self.unit(argv=[sys.executable, "-c", SERVER, str(self.port)])
        self.systemctl("start")
        self.wait()

    def wait(self) -> None:
        until = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=5).close()
                return
            except OSError:
                assert time.monotonic() < until
                time.sleep(0.05)

    def fill(self, text: str = "vectors") -> None:
        (self.data / "etcd").mkdir(exist_ok=True)
        (self.data / "etcd" / "log").write_text(text)
        (self.data / "segment").write_bytes(text.encode() * 20_000)

    def holds(self) -> dict[str, bytes]:
        return {str(each.relative_to(self.data)): each.read_bytes() for each in self.data.rglob("*") if each.is_file()}
