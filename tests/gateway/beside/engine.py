"""A server with vLLM's faces and fixed times: what the main model's unit starts in tests. A process of its own."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
from typing import Any

from aiohttp import web

TOKENS = 20
"""Pieces of an answer."""


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("--port", type=int)
    parser.add_argument("--served-model-name")
    parser.add_argument("--max-model-len", type=int)
    parser.add_argument("--pause", type=float, default=0.02, help="seconds between two pieces")
    parser.add_argument("--loads", type=float, default=0.5, help="seconds until it answers")
    parser.add_argument("--how", default="well", help="well, mute (answers without a choice), or dies")
    return parser.parse_known_args()[0]


class Engine:
    def __init__(self, asked: argparse.Namespace) -> None:
        self.asked, self.ready = asked, False

    async def health(self, request: web.Request) -> web.Response:
        return web.Response(status=200 if self.ready else 503)

    async def complete(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        if not self.ready or body["model"] != self.asked.served_model_name:
            return web.json_response({"error": {"message": "not here"}}, status=404)
        if self.asked.how == "mute":
            return web.json_response({"choices": []})
        who = f"{self.asked.max_model_len}"
        if not body.get("stream"):
            await asyncio.sleep(0 if body.get("max_tokens") == 1 else TOKENS * self.asked.pause)
            choice = {"index": 0, "message": {"role": "assistant", "content": who}, "finish_reason": "stop"}
            usage = {"prompt_tokens": 5, "completion_tokens": TOKENS, "total_tokens": 5 + TOKENS}
            return web.json_response({"id": "c", "object": "chat.completion", "choices": [choice], "usage": usage})
        reply = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await reply.prepare(request)
        for number in range(TOKENS):
            await asyncio.sleep(self.asked.pause)
            last = number == TOKENS - 1
            delta: dict[str, Any] = {"index": 0, "delta": {"content": who}, "finish_reason": "stop" if last else None}
            await reply.write(b"data: " + json.dumps({"id": "c", "choices": [delta]}).encode() + b"\n\n")
        await reply.write(b"data: [DONE]\n\n")
        return reply


async def main() -> None:
    asked = arguments()
    engine, stop = Engine(asked), asyncio.Event()
    # Unlike vLLM it waits for nobody: whoever is still asking when it is stopped gets no answer.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, lambda: sys.exit(0))
    app = web.Application()
    app.router.add_get("/health", engine.health)
    app.router.add_post("/v1/chat/completions", engine.complete)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", asked.port).start()
    await asyncio.sleep(asked.loads)
    if asked.how == "dies":
        sys.stderr.write("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB\n")
        sys.stderr.flush()
        sys.exit(1)
    engine.ready = True
    await stop.wait()


if __name__ == "__main__":
    asyncio.run(main())
