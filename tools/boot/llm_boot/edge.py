"""``python -m llm_boot.edge FOLDER PARTS``: the world outside, run inside the world's namespace.

It answers names (UDP 53), HTTP (80) and HTTPS (443) for the hosts in data/edge.json. ``FOLDER/ready`` appears once it
listens, ``FOLDER/requests.jsonl`` tells what was asked, ``FOLDER/faults.json`` what shall go wrong (see `faults`).
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import ssl
import struct
import sys
import threading
import time
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from pathlib import Path
from typing import Any

from llm_boot import certificates
from llm_boot.answers import Answer, Services, missing
from llm_boot.compute import Compute
from llm_boot.faults import Fault, Faults


@cache
def table() -> dict[str, Any]:
    """Hosts and addresses."""
    text = (resources.files("llm_boot") / "data" / "edge.json").read_text(encoding="utf-8")
    return dict(json.loads(text))


def service_of(host: str) -> str | None:
    """Which service answers to a host's name or address."""
    return next((name for name, hosts in table()["hosts"].items() if host in hosts), None)


class Edge:
    """One edge: its services, faults and log."""

    def __init__(self, folder: Path, parts: Path) -> None:
        self.folder, self.services = folder, Services(parts)
        self.compute = Compute(folder, self.power)
        self.faults = Faults(folder / "faults.json")
        self._lock = threading.Lock()
        self.log_file = (folder / "requests.jsonl").open("a", encoding="utf-8")
        names = [each for hosts in table()["hosts"].values() for each in hosts]
        self.valid = certificates.context(parts / "signing", names, folder, days_ahead=0)
        self.future = certificates.context(parts / "signing", names, folder, days_ahead=1)

    def power(self, machine: str, what: str) -> None:
        """Shut a machine of this world down, or switch it on."""
        from llm_boot.world import World  # which is what starts this

        found = World(self.folder).find_machine(machine)
        if found is not None:
            (found.shut_down if what == "stop" else found.start)()

    def log(self, **fields: Any) -> None:
        """One line of requests.jsonl."""
        with self._lock:
            self.log_file.write(json.dumps({"time": round(time.time(), 3), **fields}) + "\n")
            self.log_file.flush()

    def choose(self, connection: ssl.SSLObject, name: str | None, _context: ssl.SSLContext) -> None:
        """The certificate for a connection, by the name that the client wants."""
        if self.faults.find(name or "", "", "", "not-yet-valid"):
            connection.context = self.future


class Server(ThreadingHTTPServer):
    """HTTP, or HTTPS with the handshake in the connection's own thread."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, port: int, edge: Edge, context: ssl.SSLContext | None = None) -> None:
        self.edge, self.context = edge, context
        super().__init__(("0.0.0.0", port), Handler)

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Shake hands first, where it is HTTPS."""
        request.settimeout(300)
        if self.context is not None:
            try:
                request = self.context.wrap_socket(request, server_side=True)
            except OSError:
                return
        super().finish_request(request, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no news."""


class Handler(BaseHTTPRequestHandler):
    """Finds the service, then the fault, then sends."""

    protocol_version = "HTTP/1.1"
    server: Server

    def handle_any(self) -> None:
        """One request of whatever method."""
        edge = self.server.edge
        host = (self.headers.get("Host") or "").partition(":")[0]
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ").strip()
        fault = edge.faults.find(host, self.path, token)
        service = service_of(host)
        answer = self.found(service, host, body) if service else missing(host)
        if fault is not None and fault.do == "status":
            answer = Answer(fault.status, b"as asked for\n")
        if fault is not None and fault.do == "replace":
            answer = Answer(200, Path(fault.file), answer.headers)
        edge.log(
            host=host,
            method=self.command,
            path=self.path,
            range=self.headers.get("Range"),
            token=bool(token),
            client=self.client_address[0],
            status=answer.status,
            fault=fault.do if fault else None,
        )
        if fault is not None and fault.do == "reset":
            self.close_connection = True
            return
        try:
            self.send(answer, fault)
        except OSError:
            self.close_connection = True

    def found(self, service: str, host: str, body: bytes) -> Answer:
        """What a service answers; the clouds' own know who asks."""
        client, headers = self.client_address[0], {name.lower(): value for name, value in self.headers.items()}
        compute, told = self.server.edge.compute, None
        if service == "compute":
            told = compute.api(client, host, self.path, headers, body)
        elif service == "metadata":
            told = compute.metadata(client, self.command, host, self.path, headers)
        return told or self.server.edge.services.answer(service, self.command, self.path, body)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = handle_any  # noqa: N815 - http.server's names

    def send(self, answer: Answer, fault: Fault | None) -> None:
        """Send an answer, or the part that was asked for, as the fault has it."""
        data = answer.body.read_bytes() if isinstance(answer.body, Path) else answer.body
        do = fault.do if fault else ""
        if do == "corrupt" and data:
            middle = len(data) // 2
            data = data[:middle] + bytes([data[middle] ^ 0xFF]) + data[middle + 1 :]
        if fault is not None and do == "truncate":
            data = data[: int(len(data) * fault.share)]
        status, extra, start = answer.status, {}, self.start_of(len(data))
        if start and status == 200:
            status, extra = 206, {"Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"}
            data = data[start:]
        self.send_response(status)
        for name, value in {
            **answer.headers,
            **extra,
            "Content-Length": str(len(data)),
            "Accept-Ranges": "bytes",
        }.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        if fault is not None and do in ("cut", "stall"):
            self.wfile.write(data[: int(len(data) * fault.share)])
            self.wfile.flush()
            self.close_connection = True
            if do == "stall":
                self.wait_for_the_client()
            return
        if fault is not None and do == "slow":
            for place in range(0, len(data), max(1, fault.rate // 4)):
                self.wfile.write(data[place : place + fault.rate // 4])
                self.wfile.flush()
                time.sleep(0.25)
            return
        self.wfile.write(data)

    def wait_for_the_client(self) -> None:
        """Nothing more is sent; it ends when the client hangs up."""
        self.connection.settimeout(900)
        while self.connection.recv(65536):
            pass

    def start_of(self, size: int) -> int:
        """The first byte that is wanted; 0 for all."""
        text = self.headers.get("Range") or ""
        first = text.removeprefix("bytes=").partition("-")[0]
        return int(first) if first.isdigit() and int(first) < size else 0

    def date_time_string(self, timestamp: float | None = None) -> str:
        """The Date header: tomorrow's where the certificates are."""
        host = (self.headers.get("Host") or "").partition(":")[0] if getattr(self, "headers", None) else ""
        ahead = 86400 if self.server.edge.faults.find(host, "", "", "not-yet-valid") else 0
        return super().date_time_string(None if timestamp is None and not ahead else (timestamp or time.time()) + ahead)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name for it
        """Requests are logged as JSON instead."""


def serve_names(edge: Edge) -> None:
    """Answer A questions for the hosts that there are; everything else does not exist."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind((table()["resolver"], 53))
    while True:
        question, client = server.recvfrom(2048)
        name, end = _name(question)
        fault = edge.faults.find(name, "", "", "drop", "unknown-host")
        if fault is None or fault.do != "drop":
            known = fault is None and service_of(name) is not None
            # Who asks from an address that nobody has here, such as a container without the machine's, is not reached.
            with contextlib.suppress(OSError):
                server.sendto(_reply(question, end, table()["address"] if known else None), client)


def _name(question: bytes) -> tuple[str, int]:
    labels, place = [], 12
    while question[place]:
        labels.append(question[place + 1 : place + 1 + question[place]].decode("ascii", "replace").lower())
        place += 1 + question[place]
    return ".".join(labels), place + 5


def _reply(question: bytes, end: int, address: str | None) -> bytes:
    kind = struct.unpack(">H", question[end - 4 : end - 2])[0]
    record = b""
    if address and kind == 1:
        record = b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 5, 4) + socket.inet_aton(address)
    flags = 0x8180 if address else 0x8183  # no error, or: no such name
    return question[:2] + struct.pack(">HHHHH", flags, 1, int(bool(record)), 0, 0) + question[12:end] + record


def main(arguments: list[str]) -> int:
    """Serve until a signal ends it."""
    folder, parts = Path(arguments[0]), Path(arguments[1])
    edge = Edge(folder, parts)
    edge.valid.sni_callback = edge.choose
    for server in (Server(80, edge), Server(443, edge, edge.valid)):
        threading.Thread(target=server.serve_forever, daemon=True).start()
    threading.Thread(target=serve_names, args=(edge,), daemon=True).start()
    (folder / "ready").write_text(str(os.getpid()))
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    return 0


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    code = main(sys.argv[1:])
    os._exit(code)
