"""A line to a server on loopback that fails: it is cut, or a byte is another when it arrives."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Self

AFTER = 60_000
"""Bytes of a connection after which it fails: in the middle of a large object, as all else is smaller."""


class Line:
    """Forwards connections; ``faults`` is how many of the large ones are still to fail."""

    def __init__(self, port: int, fault: str) -> None:
        self.port, self.fault, self.faults = port, fault, 0
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self.socket.getsockname()[1]}"
        self.lock = threading.Lock()

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, __ = self.socket.accept()
                server = socket.create_connection(("127.0.0.1", self.port))
                threading.Thread(target=self._there, args=(client, server), daemon=True).start()
                threading.Thread(target=self._back, args=(server, client), daemon=True).start()

    def _there(self, client: socket.socket, server: socket.socket) -> None:
        passed, failed = 0, False
        with contextlib.suppress(OSError):
            while data := client.recv(65536):
                passed += len(data)
                if passed > AFTER and not failed and self._fails():
                    failed = True
                    if self.fault == "cut":
                        break
                    data = data[:-1] + bytes([data[-1] ^ 1])
                server.sendall(data)
        for each in (client, server) if failed and self.fault == "cut" else (server,):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR if each is client or failed else socket.SHUT_WR)

    def _back(self, server: socket.socket, client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := server.recv(65536):
                client.sendall(data)
        for each in (client, server):
            with contextlib.suppress(OSError):
                each.close()

    def _fails(self) -> bool:
        with self.lock:
            if not self.faults:
                return False
            self.faults -= 1
            return True
