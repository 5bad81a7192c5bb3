"""A model's server that makes so many vectors a second, one call after another. Writes the port it is on.

Arguments: vectors a second, numbers in each.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys

RATE, DIMENSIONS = float(sys.argv[1]), int(sys.argv[2])
DICE = random.Random(1)
MADE = [json.dumps([round(DICE.uniform(-1, 1), 6) for _ in range(DIMENSIONS)]) for _ in range(2000)]


def body(count: int) -> bytes:
    """An answer to a call with so many texts: as many vectors, none twice."""
    rows = ",".join(
        f'{{"object":"embedding","index":{place},"embedding":{MADE[(place * 7 + DICE.randrange(2000)) % 2000]}}}'
        for place in range(count)
    )
    usage = f'{{"prompt_tokens":{12 * count},"total_tokens":{12 * count}}}'
    return f'{{"object":"list","model":"m","usage":{usage},"data":[{rows}]}}'.encode()


async def main() -> None:
    turn = asyncio.Lock()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                length = next(int(each[15:]) for each in head.split(b"\r\n") if each.startswith(b"content-length:"))
                count = len(json.loads(await reader.readexactly(length))["input"])
                async with turn:
                    begun = loop.time()
                    made = body(count)
                    await asyncio.sleep(max(0.0, begun + count / RATE - loop.time()))
                writer.write(
                    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(made)
                )
                writer.write(made)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, limit=1 << 20)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
