"""What goes over a caller's connection: a request as it comes, and its answer, whole or piece by piece.

There is no task and no future for a piece of an answer: whoever has one writes it (`Outgoing`), and is told where the
caller does not take it (`Outgoing.full`).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from llm_gate.serving import Connection


class Headers(dict[str, list[str]]):
    """Header lines by their name in lower case."""

    def getall(self, name: str, default: tuple[str, ...] = ()) -> list[str] | tuple[str, ...]:
        """All lines of a name."""
        return super().get(name.lower(), default)

    def get(self, name: str, default: Any = None) -> Any:
        """The first line of a name."""
        lines = super().get(name.lower())
        return lines[0] if lines else default


@dataclass(slots=True)
class Answer:
    """An answer that is there in one piece. ``kind`` is its content's type."""

    content: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    kind: str = "application/json; charset=utf-8"


def json_answer(document: Any, status: int = 200, headers: dict[str, str] | None = None) -> Answer:
    """An object as an answer."""
    return Answer(json.dumps(document).encode(), status, headers or {})


class Request:
    """One request. Its body may still be on its way."""

    __slots__ = ("_arrived", "_pieces", "answered", "complete", "connection", "expects", "failed", "headers", "held",
                 "keep_alive", "length", "method", "old", "raw_path", "size", "unwanted")  # fmt: skip

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.method = self.raw_path = ""
        self.headers = Headers()
        self.length: int | None = None
        """Bytes of the body as they are announced; None: it comes in chunks."""
        self.size = 0
        """Bytes of the body that are here."""
        self.held = 0
        """Bytes of the body that are counted as held; for whoever answers."""
        self.complete = self.old = self.expects = self.unwanted = False
        self.answered = False
        """The head of an answer is on its way: there will not be another one."""
        self.keep_alive = True
        self.failed: tuple[int, str] | None = None
        """Why there will be no more of it."""
        self._pieces: list[bytes] = []
        self._arrived: asyncio.Future[None] | None = None

    @property
    def remote(self) -> str:
        """The address of whoever is at the other end of the connection."""
        peer = self.connection.transport.get_extra_info("peername")
        return str(peer[0]) if isinstance(peer, tuple) else ""

    @property
    def content_type(self) -> str:
        """The body's type, without its parameters."""
        return str(self.headers.get("content-type", "application/octet-stream")).partition(";")[0].strip().lower()

    async def more(self) -> None:
        """Wait for more of the body. Raises `ConnectionResetError` where none will come."""
        if self.complete:
            return
        if self.expects and not self.size:
            self.expects = False
            self.connection.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self._arrived = asyncio.get_running_loop().create_future()
        try:
            await self._arrived
        finally:
            self._arrived = None

    def body(self) -> bytes:
        """The body as far as it is here."""
        if len(self._pieces) > 1:
            self._pieces = [b"".join(self._pieces)]
        return self._pieces[0] if self._pieces else b""

    def take(self, piece: bytes) -> None:
        """Keep a piece of the body."""
        self.size += len(piece)
        if not self.unwanted:
            self._pieces.append(piece)

    def drop(self) -> None:
        """Nobody wants the body, neither what is here nor what comes."""
        self.unwanted = True
        self._pieces.clear()

    def stir(self) -> None:
        """Tell whoever waits for the body that there is more of it, or will be none."""
        if self._arrived is not None and not self._arrived.done():
            self._arrived.set_result(None)

    def outgoing(self, headers: dict[str, str]) -> Outgoing:
        """The way back for an answer that comes piece by piece."""
        return Outgoing(self, headers)


class Outgoing:
    """An answer that is sent piece by piece. Its head goes with the first piece."""

    __slots__ = ("_chunked", "_head", "_headers", "_request", "_transport", "begun")

    def __init__(self, request: Request, headers: dict[str, str]) -> None:
        self._request, self._headers = request, headers
        self._transport = request.connection.transport
        self._chunked = not request.old
        self.begun = False

    def _first(self) -> bytes:
        self.begun = True
        framing = "Transfer-Encoding: chunked\r\n" if self._chunked else ""
        return self._request.connection.head(self._request, 200, self._headers, framing)

    def send(self, content: bytes) -> None:
        """Send a piece; it does not wait."""
        if self.begun and self._chunked and content:
            # Nearly every piece.
            self._transport.write(b"%x\r\n%b\r\n" % (len(content), content))
            return
        head = b"" if self.begun else self._first()
        if self._chunked and content:
            self._transport.write(b"%b%x\r\n%b\r\n" % (head, len(content), content))
        elif head or content:
            self._transport.write(head + content)

    @property
    def chunked(self) -> bool:
        """Whether it is sent in chunks, and the first one has gone out."""
        return self.begun and self._chunked

    def send_as_it_is(self, chunk: bytes) -> None:
        """Send a piece that is a chunk already."""
        self._transport.write(chunk)

    def end(self, content: bytes = b"") -> None:
        """Send the last piece, and that it was the last."""
        head = b"" if self.begun else self._first()
        if self._chunked:
            last = b"%b%x\r\n%b\r\n0\r\n\r\n" % (head, len(content), content) if content else head + b"0\r\n\r\n"
            self._transport.write(last)
        elif head or content:
            self._transport.write(head + content)

    @property
    def full(self) -> bool:
        """Whether the caller has to take something before more is sent."""
        return self._request.connection.full

    def watch(self, changed: Callable[[bool], None] | None) -> None:
        """Call this with True where the caller does not take what is sent, and with False once it has."""
        self._request.connection.watcher = changed

    async def taken(self, seconds: float) -> None:
        """Wait until more can be sent. Raises `ConnectionResetError` where the caller does not take it."""
        await self._request.connection.drained(seconds)
