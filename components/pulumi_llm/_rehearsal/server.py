"""An HTTP server on loopback that hands calls to a cloud's face, and contacts nobody."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

from pulumi_llm._rehearsal.calls import WireCall, WireError
from pulumi_llm._rehearsal.face import Face

LOOPBACK = "127.0.0.1"
HANDSHAKE = b"\x16"
"""The first byte of a client that speaks TLS."""
BODY_LIMIT = 1 << 20
"""Bytes of a request's body; user data is at most 32 KiB."""


class Request(NamedTuple):
    """An HTTP request: query and form parameters are last-wins, header names are lower case."""

    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    method: str = "POST"
    path: str = "/"

    @property
    def form(self) -> dict[str, str]:
        """The body as a form."""
        return dict(parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True))


class Reply(NamedTuple):
    """An answer as it is sent, where it is no JSON of ours: the status, the body, and its type."""

    status: int
    body: bytes
    type: str


class Protocol(NamedTuple):
    """How a cloud writes calls, answers and refusals (status and JSON body, or all of it as a reply)."""

    read: Callable[[Request], WireCall]
    answer: Callable[[dict[str, Any]], dict[str, Any] | Reply]
    refuse: Callable[[WireError], tuple[int, dict[str, Any] | Reply]]


class Handler(BaseHTTPRequestHandler):
    """Reads a call, has it answered, and writes the answer; a subclass says whose call it is."""

    protocol_version = "HTTP/1.1"

    def asked(self) -> tuple[Face, Protocol] | None:
        """The cloud that the request is for; None where it is for none of ours."""
        raise NotImplementedError

    def _serve(self) -> None:
        length = self.headers.get("Content-Length", "0")
        if not length.isdigit() or int(length) > BODY_LIMIT:
            self.close_connection = True
            self.write(413, {})
            return
        body = self.rfile.read(int(length))
        found = self.asked()
        if found is None:
            self.write(403, {})
            return
        face, protocol = found
        asked = urlsplit(self.path)
        query = dict(parse_qsl(asked.query, keep_blank_values=True))
        headers = {name.lower(): value for name, value in self.headers.items()}
        try:
            call = protocol.read(Request(query, headers, body, self.command, asked.path))
            status, said = 200, protocol.answer(face.answer(call))
        except WireError as refusal:
            status, said = protocol.refuse(refusal)
        self.write(status, said)

    def write(self, status: int, body: dict[str, Any] | Reply) -> None:
        """Send an answer."""
        # Tencent's Python client takes an answer for a refusal only under exactly this type (common 3.1.195).
        reply = body if isinstance(body, Reply) else Reply(status, json.dumps(body).encode(), "application/json")
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.type)
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        self.wfile.write(reply.body)

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Nothing: a request line of this protocol can hold a key's name and user data."""


class Server(ThreadingHTTPServer):
    """On loopback; with ``context`` it speaks TLS too, to who begins with that."""

    daemon_threads = True

    def __init__(self, port: int, handler: type[BaseHTTPRequestHandler], context: ssl.SSLContext | None) -> None:
        super().__init__((LOOPBACK, port), handler)
        self._context = context

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Answer a connection, in its own thread."""
        # A client that goes away meanwhile, as one does whose time is up, is no fault of the server's.
        with contextlib.suppress(OSError):
            if self._context is None or request.recv(1, socket.MSG_PEEK) != HANDSHAKE:
                super().finish_request(request, client_address)
                return
            with self._context.wrap_socket(request, server_side=True) as wrapped:
                super().finish_request(wrapped, client_address)


@contextmanager
def serving(face: Face, protocol: Protocol, port: int = 0, context: ssl.SSLContext | None = None) -> Iterator[int]:
    """Serve a cloud on loopback until the block ends; gives the port. Raises ``OSError`` where the port is taken."""

    class OneCloud(Handler):
        def asked(self) -> tuple[Face, Protocol]:
            return face, protocol

    with listening(OneCloud, port, context) as found:
        yield found


@contextmanager
def listening(
    handler: type[BaseHTTPRequestHandler], port: int = 0, context: ssl.SSLContext | None = None
) -> Iterator[int]:
    """Serve on loopback until the block ends; gives the port. Raises ``OSError`` where the port is taken."""
    server = Server(port, handler, context)
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
