"""An HTTP server on loopback that hands calls to a cloud's face, and contacts nobody."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

from pulumi_llm._rehearsal.calls import WireCall, WireError
from pulumi_llm._rehearsal.face import Face

LOOPBACK = "127.0.0.1"
BODY_LIMIT = 1 << 20
"""Bytes of a request's body; user data is at most 32 KiB."""


class Request(NamedTuple):
    """An HTTP request: query and form parameters are last-wins, header names are lower case."""

    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        """The body as a form."""
        return dict(parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True))


class Protocol(NamedTuple):
    """How a cloud writes calls, answers and refusals (status and JSON body)."""

    read: Callable[[Request], WireCall]
    answer: Callable[[dict[str, Any]], dict[str, Any]]
    refuse: Callable[[WireError], tuple[int, dict[str, Any]]]


def _handler(face: Face, protocol: Protocol) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            length = self.headers.get("Content-Length", "0")
            if not length.isdigit() or int(length) > BODY_LIMIT:
                self.close_connection = True
                self._write(413, {})
                return
            query = dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))
            headers = {name.lower(): value for name, value in self.headers.items()}
            try:
                call = protocol.read(Request(query, headers, self.rfile.read(int(length))))
                status, body = 200, protocol.answer(face.answer(call))
            except WireError as refusal:
                status, body = protocol.refuse(refusal)
            self._write(status, body)

        def _write(self, status: int, body: dict[str, Any]) -> None:
            raw = json.dumps(body).encode()
            self.send_response(status)
            # Tencent's Python client takes an answer for a refusal only under exactly this type (common 3.1.195).
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def do_GET(self) -> None:
            self._serve()

        def do_POST(self) -> None:
            self._serve()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
            """Nothing: a request line of this protocol can hold a key's name and user data."""

    return Handler


@contextmanager
def serving(face: Face, protocol: Protocol, port: int = 0) -> Iterator[int]:
    """Serve on loopback until the block ends; gives the port. Raises ``OSError`` where the port is taken."""
    server = ThreadingHTTPServer((LOOPBACK, port), _handler(face, protocol))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def wire_of(cloud: str) -> tuple[type[Face], Protocol] | None:
    """The face of a cloud and its protocol; ``None`` where the cloud has no wire of ours."""
    from pulumi_llm import clouds

    folder = clouds.folders().get(cloud)
    module = folder.part("wire") if folder else None
    return (module.FACE, module.PROTOCOL) if module else None
