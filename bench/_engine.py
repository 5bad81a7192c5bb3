"""A model's server that takes a fixed time for each answer, for so many at once; others wait. Writes the port it is on.

Arguments: seconds of an answer, how many are made at once.
"""

from __future__ import annotations

import asyncio
import json
import sys

SECONDS, AT_ONCE = float(sys.argv[1]), int(sys.argv[2])
CHOICE = {"index": 0, "message": {"role": "assistant", "content": "word"}, "finish_reason": "stop"}
USAGE = {"prompt_tokens": 12, "completion_tokens": 1, "total_tokens": 13}
BODY = json.dumps({"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [CHOICE],
                   "usage": USAGE}).encode()  # fmt: skip
WHOLE = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(BODY), BODY)


async def main() -> None:
    places = asyncio.Semaphore(AT_ONCE)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                length = next(int(each[15:]) for each in head.split(b"\r\n") if each.startswith(b"content-length:"))
                await reader.readexactly(length)
                if SECONDS:
                    async with places:
                        await asyncio.sleep(SECONDS)
                writer.write(WHOLE)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
