"""A server of files that misbehaves on request, and tells what it was asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler

from tests.bootstrap.samples import serve

Answer = tuple[int, bytes, Mapping[str, str]]


@dataclass
class Files:
    """What is served by path, and what goes wrong: ``cut`` ends an answer once in its middle."""

    files: dict[str, bytes] = field(default_factory=dict)
    cut: set[str] = field(default_factory=set)
    refuse: dict[str, int] = field(default_factory=dict)
    ranges: bool = True
    answer: Callable[[str, Mapping[str, str]], Answer | None] = lambda path, headers: None
    asked: list[tuple[str, str]] = field(default_factory=list)
    """Each path with the range that was asked for."""
    address: str = ""


@contextmanager
def served(files: Files) -> Iterator[Files]:
    """Serve them on loopback."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            path, asked = self.path.partition("?")[0], self.headers.get("Range", "")
            files.asked.append((path, asked))
            own = files.answer(self.path, dict(self.headers.items()))
            status, body, headers = own or (files.refuse.get(path, 200), files.files.get(path, b""), {})
            if own is None and status == 200 and path not in files.files:
                status = 404
            if asked and status == 200 and files.ranges:
                start = int(asked.removeprefix("bytes=").removesuffix("-"))
                status, body = (206, body[start:]) if start < len(body) else (416, b"")
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if path in files.cut:
                files.cut.discard(path)
                body = body[: len(body) // 2]
            self.wfile.write(body)

    with serve(Handler) as address:
        files.address = address
        yield files
