"""Streams asked for over and over: how long the first byte takes, and how many end in a second.

Run as a program of its own, so that whoever measures does not take time from whoever is measured. Arguments: URL,
streams at a time, seconds, the key, the certificate authority. Writes one JSON object.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
import time
from urllib.parse import urlsplit

BODY = {
    "model": "m",
    "stream": True,
    "max_tokens": 64,
    "messages": [
        {"role": "system", "content": "You are a helpful assistant."},
        {"role": "user", "content": "Say something about blue herons, please. " * 5},
    ],
}


async def client(
    where: tuple[str, int, ssl.SSLContext | None], request: bytes, until: float, waits: list[float]
) -> None:
    host, port, tls = where
    reader, writer = await asyncio.open_connection(host, port, ssl=tls)
    try:
        while time.perf_counter() < until:
            began = time.perf_counter()
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(f"{head!r} {await reader.read(500)!r}")
            first = await reader.readuntil(b"\n\n")
            waits.append(time.perf_counter() - began)
            if b"error" in first:
                raise RuntimeError(repr(first))
            await reader.readuntil(b"0\r\n\r\n")
    finally:
        writer.close()


async def main(url: str, streams: int, seconds: float, key: str, ca: str) -> None:
    parts = urlsplit(url)
    tls = ssl.create_default_context(cafile=ca) if parts.scheme == "https" else None
    body = json.dumps(BODY).encode()
    head = (
        f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    where = (parts.hostname or "", parts.port or 0, tls)
    waits: list[float] = []
    request = head.encode() + body
    await asyncio.gather(*(client(where, request, time.perf_counter() + 0.5, []) for _ in range(streams)))
    began = time.perf_counter()
    await asyncio.gather(*(client(where, request, began + seconds, waits) for _ in range(streams)))
    print(json.dumps({"waits": waits, "seconds": time.perf_counter() - began}))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), sys.argv[4], sys.argv[5]))
