"""Upstreams that say their answers byte by byte, as no library would."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp

from tests.gateway.harness import Home, Running, client_of

Says = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
END = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'


def chunk(content: bytes) -> bytes:
    """A piece of a stream as it is sent."""
    return b"%x\r\n%b\r\n" % (len(content), content)


def event(text: str, **more: Any) -> bytes:
    """An event of a chat's stream; half a character of a pair stays as it is escaped."""
    choice = {"index": 0, "finish_reason": None, "delta": {"content": text}}
    return b"data: " + json.dumps({"choices": [choice], **more}).encode() + b"\n\n"


def whole(document: Any, status: int = 200) -> bytes:
    """An answer in one piece."""
    content = json.dumps(document).encode()
    head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
    return head.encode() + content


def answered(text: str = "well") -> bytes:
    """An answer to a chat."""
    message = {"role": "assistant", "content": text}
    usage = {"prompt_tokens": 1, "completion_tokens": 2}
    return whole({"choices": [{"index": 0, "finish_reason": "stop", "message": message}], "usage": usage})


async def read(reader: asyncio.StreamReader) -> dict[str, Any]:
    """A request's body."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    (length,) = [line for line in head.split(b"\r\n") if line.startswith(b"content-length:")]
    found: dict[str, Any] = json.loads(await reader.readexactly(int(length.split(b":")[1])))
    return found


@asynccontextmanager
async def upstream(says: Says) -> AsyncIterator[str]:
    """Listens, and has ``says`` answer on each connection; its address."""
    serving: set[asyncio.Task[Any] | None] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.add(asyncio.current_task())
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await says(reader, writer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    finally:
        server.close()
        for each in serving:
            if each is not None:
                each.cancel()


@asynccontextmanager
async def before(
    root: Path,
    says: Says,
    *,
    content: dict[str, Any] | None = None,
    patience: dict[str, float] | None = None,
    kind: str = "vllm",
    **limits: Any,
) -> AsyncIterator[tuple[Running, aiohttp.ClientSession]]:
    """A gateway before such an upstream, and a client that holds its key."""
    async with upstream(says) as url:
        home = Home(root).key(**limits).policy(content).routes(url, kind=kind)
        async with home.here(patience=patience) as gate, client_of(gate) as client:
            yield gate, client


def asking(body: dict[str, Any], key: str, path: str = "/v1/chat/completions", *headers: str) -> bytes:
    """A request as it is written."""
    content = json.dumps(body).encode()
    lines = [f"POST {path} HTTP/1.1", "Host: x", f"Authorization: Bearer {key}", "Content-Type: application/json"]
    return "\r\n".join([*lines, *headers, f"Content-Length: {len(content)}", "", ""]).encode() + content
