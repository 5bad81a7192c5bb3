"""A model API for the gateway's benchmark: so many events (20), then usage. Writes the port it is on.

Arguments: events, seconds between two of them (0: it answers at once).
"""

from __future__ import annotations

import asyncio
import json
import sys

PIECES = int(sys.argv[1]) if len(sys.argv) > 1 else 20
PAUSE = float(sys.argv[2]) if len(sys.argv) > 2 else 0.0


def _chunk(content: str, finish: str | None = None, **more: object) -> bytes:
    choice = {"index": 0, "delta": {"content": content}, "finish_reason": finish}
    row = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice], **more}
    data = b"data: " + json.dumps(row).encode() + b"\n\n"
    return b"%x\r\n%s\r\n" % (len(data), data)


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
USAGE = {"prompt_tokens": 12, "completion_tokens": PIECES, "total_tokens": 12 + PIECES}
EVENTS = [_chunk(f"word{place} ") for place in range(PIECES)] + [
    _chunk("", "stop"),
    _chunk("", usage=USAGE, choices=[]),
]
DONE = b"data: [DONE]\n\n"
END = b"%x\r\n%s\r\n0\r\n\r\n" % (len(DONE), DONE)


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(
                int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")
            )
            await reader.readexactly(length)
            writer.write(HEAD + EVENTS[0])
            await asyncio.sleep(PAUSE)
            for event in EVENTS[1:]:
                writer.write(event)
                await asyncio.sleep(PAUSE)
            writer.write(END)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError, StopIteration):
        writer.close()


async def main() -> None:
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
