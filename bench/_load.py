"""Requests to a gateway, and how long their answers take.

Run as a program of its own, it asks for streams over and over, so that whoever measures does not take time from whoever
is measured. Arguments: URL, streams at a time, seconds, the key, the certificate authority, and seconds between two
streams of one client (0). Writes one JSON object.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

PATH = "/v1/chat/completions"
BODY = {
    "model": "m",
    "stream": True,
    "max_tokens": 64,
    "messages": [
        {"role": "system", "content": "You are a helpful assistant."},
        {"role": "user", "content": "Say something about blue herons, please. " * 5},
    ],
}


@dataclass(frozen=True)
class Took:
    """One exchange: its status, and seconds to the first event of its stream and to its end. A refusal is not read."""

    status: int
    first: float = 0.0
    whole: float = 0.0


def request(key: str, body: object = None, path: str = PATH) -> bytes:
    """A POST of JSON."""
    content = json.dumps(body or BODY).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {key}\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content


async def connected(url: str, ca: Path | None = None) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection to where a URL points."""
    parts = urlsplit(url)
    tls = ssl.create_default_context(cafile=ca) if parts.scheme == "https" else None
    return await asyncio.open_connection(parts.hostname, parts.port, ssl=tls)


async def exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, asked: bytes) -> Took:
    """Ask once, and read the stream to its end."""
    began = time.perf_counter()
    writer.write(asked)
    status = int((await reader.readuntil(b"\r\n\r\n")).split(b" ", 2)[1])
    if status != 200:
        return Took(status)
    event = await reader.readuntil(b"\n\n")
    first = time.perf_counter() - began
    if b"error" in event:
        raise RuntimeError(repr(event))
    await reader.readuntil(b"0\r\n\r\n")
    return Took(status, first, time.perf_counter() - began)


async def streams(
    url: str, asked: bytes, *, ca: Path | None = None, total: int | None = None, until: float = 1e18, pause: float = 0.0
) -> list[Took]:
    """One client's streams, one after the other. Raises RuntimeError for one that is refused."""
    reader, writer = await connected(url, ca)
    found: list[Took] = []
    try:
        while time.perf_counter() < until and (total is None or len(found) < total):
            took = await exchange(reader, writer, asked)
            if took.status != 200:
                raise RuntimeError(f"{took.status} {await reader.read(500)!r}")
            found.append(took)
            if pause:
                await asyncio.sleep(pause)
    finally:
        writer.close()
    return found


async def drive(url: str, at_a_time: int, total: int, key: str, ca: Path | None = None) -> None:
    """So many streams, by so many clients."""
    asked = request(key)
    await asyncio.gather(
        *(
            streams(url, asked, ca=ca, total=total // at_a_time + (place < total % at_a_time))
            for place in range(min(at_a_time, total))
        )
    )


async def main(url: str, at_a_time: int, seconds: float, key: str, ca: Path | None, pause: float) -> None:
    asked = request(key)

    async def for_seconds(seconds: float) -> list[Took]:
        until = time.perf_counter() + seconds
        clients = (streams(url, asked, ca=ca, until=until, pause=pause) for _ in range(at_a_time))
        return [took for each in await asyncio.gather(*clients) for took in each]

    await for_seconds(0.5)
    began = time.perf_counter()
    found = await for_seconds(seconds)
    told = {"waits": [each.first for each in found], "whole": [each.whole for each in found]}
    print(json.dumps({**told, "seconds": time.perf_counter() - began}))


if __name__ == "__main__":
    asyncio.run(
        main(
            sys.argv[1],
            int(sys.argv[2]),
            float(sys.argv[3]),
            sys.argv[4],
            Path(sys.argv[5]) if sys.argv[5] else None,
            float(sys.argv[6]) if len(sys.argv) > 6 else 0.0,
        )
    )
