"""A model API on loopback that does what it is told: answer, stream, stall, cut, leave usage out, fail, echo headers.

The model's name says what it does, so that one server serves all tests at once. What it was sent is kept.
"""

import asyncio
import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Self

from aiohttp import web

WORDS = ["Hello", " there", ",", " how", " are", " you", "?"]
ANSWER = "".join(WORDS)
POOLED: dict[str, dict[str, Any]] = {
    "/v1/rerank": {"id": "r1", "results": [{"index": 0, "document": {"text": "a"}, "relevance_score": 0.5}]},
    "/v1/score": {"id": "s1", "object": "list", "data": [{"index": 0, "object": "score", "score": 0.5}]},
}
BY_THE_TOKENIZER: dict[str, dict[str, Any]] = {
    "/v1/messages/count_tokens": {"input_tokens": 10},
    "/tokenize": {"count": 2, "max_model_len": 4096, "tokens": [1, 2], "token_strs": None},
    "/detokenize": {"prompt": ANSWER},
}
"""As vLLM 0.32 answers (entrypoints/pooling/scoring and serve/tokenize, protocol.py)."""


@dataclass
class Seen:
    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    raw_headers: list[tuple[str, str]] = field(default_factory=list)


class Fake:
    """Start it with `async with`."""

    pause = 0.0
    """Seconds between two events of a stream."""

    def __init__(self, words: list[str] | None = None, port: int = 0) -> None:
        self.words, self._port = words or WORDS, port
        self.seen: list[Seen] = []
        self.hung_up: Counter[str] = Counter()
        self.working = 0
        self.release = asyncio.Event()
        """Streams and answers of models called ``hold…`` wait for it."""
        self.url = ""
        self.wait = "7"
        """What ``status-…`` says in Retry-After."""
        self.failures = 0
        """For ``flaky``: how many requests fail before one works."""

    async def __aenter__(self) -> Self:
        self.runner = web.ServerRunner(web.Server(self.handle, handler_cancellation=True, access_log=None))
        await self.runner.setup()
        site = web.TCPSite(self.runner, "127.0.0.1", self._port)
        await site.start()
        self.url = f"http://127.0.0.1:{self.runner.addresses[0][1]}/v1"
        return self

    async def __aexit__(self, *error: object) -> None:
        self.release.set()
        await self.runner.cleanup()

    @property
    def last(self) -> Seen:
        return self.seen[-1]

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.content_type == "multipart/form-data":
            form = await request.post()
            body: dict[str, Any] = {name: form.getall(name) if name.endswith("[]") else form[name] for name in form}
            if isinstance(sound := body.get("file"), web.FileField):
                body["file"] = {"name": sound.filename, "type": sound.content_type, "content": sound.file.read()}
        else:
            body = json.loads(await request.content.read() or b"{}")
        self.seen.append(Seen(request.path, {k.lower(): v for k, v in request.headers.items()}, body))
        model = str(body.get("model", ""))
        self.working += 1
        try:
            return await self._answer(request, body, model)
        except asyncio.CancelledError:
            self.hung_up[model] += 1
            raise
        finally:
            self.working -= 1

    async def _answer(self, request: web.BaseRequest, body: dict[str, Any], model: str) -> web.StreamResponse:
        key = request.headers.get("Authorization", request.headers.get("x-api-key", ""))
        if model.startswith("status-"):
            status = int(model.removeprefix("status-"))
            error = {
                "message": f"failed with the key {key}",
                "type": "x",
                "code": "y",
                "headers": dict(request.headers),
            }
            return web.json_response({"error": error}, status=status, headers={"Retry-After": self.wait, "X-Key": key})
        if model == "too-long":
            # vLLM 0.32, renderers/params.py
            told = "This model's maximum context length is 8 tokens. However, your prompt contains 9 input tokens."
            error = {"message": told, "type": "BadRequestError", "param": "input_tokens", "code": 400}
            return web.json_response({"error": error}, status=400)
        if model == "flaky" and self.failures > 0:
            self.failures -= 1
            return web.json_response({"error": {"message": "try later"}}, status=500)
        if model == "hold":
            await self.release.wait()
        if model == "redirect":
            return web.Response(status=307, headers={"Location": self.url + "/elsewhere"})
        if model == "html":
            return web.Response(text="<html>maintenance</html>", content_type="text/html")
        if model == "reset":
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        if body.get("stream"):
            return await self._stream(request, body, model, key)
        echo = f"{key} {dict(request.headers)}" if model == "echo" else "".join(self.words)
        return web.json_response(
            self._whole(request.path, body, echo, usage=model != "no-usage"), headers={"X-Key": key, "Server": "fake"}
        )

    def _whole(self, path: str, body: dict[str, Any], text: str, *, usage: bool) -> dict[str, Any]:
        model = body["model"]
        if path.endswith("/embeddings"):
            found: dict[str, Any] = {
                "object": "list",
                "model": model,
                "usage": {"prompt_tokens": 5, "total_tokens": 5},
                "data": [{"object": "embedding", "index": 0, "embedding": [0.25, 0.5]}],
            }
        elif path in POOLED:
            found = {"model": model, "usage": {"prompt_tokens": 5, "total_tokens": 5}, **POOLED[path]}
        elif path in BY_THE_TOKENIZER:
            return BY_THE_TOKENIZER[path]
        elif path.endswith("/audio/transcriptions"):
            usage_of = {"type": "duration", "seconds": 3}
            return {"text": text, "usage": usage_of, "segments": [{"id": 0, "text": each} for each in self.words]}
        elif path.endswith("/messages"):
            found = {
                "id": "msg_1",
                "type": "message",
                "role": "assistant",
                "model": model,
                "stop_reason": "end_turn",
                "stop_sequence": None,
                "content": [{"type": "text", "text": text}],
                "usage": {"input_tokens": 10, "output_tokens": 7},
            }
        elif path.endswith("/responses"):
            part = {"type": "output_text", "text": text, "annotations": []}
            item = {"type": "message", "id": "m1", "role": "assistant", "status": "completed", "content": [part]}
            found = {
                "id": "resp_1",
                "object": "response",
                "created_at": 0,
                "status": "completed",
                "model": model,
                "output": [item],
                "usage": {"input_tokens": 10, "output_tokens": 7, "total_tokens": 17},
                "parallel_tool_calls": True,
                "tool_choice": "auto",
                "tools": [],
            }
        else:
            chat = path.endswith("/chat/completions")
            said: dict[str, Any] = {"message": {"role": "assistant", "content": text}} if chat else {"text": text}
            choices = [{"index": place, "finish_reason": "stop", **said} for place in range(body.get("n") or 1)]
            found = {
                "id": "c1",
                "object": "chat.completion",
                "created": 0,
                "model": model,
                "choices": choices,
                "usage": {"prompt_tokens": 10, "completion_tokens": 7, "total_tokens": 17},
            }
        if not usage:
            found.pop("usage", None)
        return found

    async def _stream(self, request: web.BaseRequest, body: dict[str, Any], model: str, key: str) -> web.StreamResponse:
        out = web.StreamResponse(headers={"Content-Type": "text/event-stream", "X-Key": key})
        if model == "cut-early":
            await out.prepare(request)
            assert request.transport is not None
            request.transport.abort()
            return out
        await out.prepare(request)
        if model == "stall-early":
            await asyncio.Event().wait()
        for place, event in enumerate(self._events(request.path, body, model, key)):
            if model.startswith("cut") and place == 3:
                assert request.transport is not None
                request.transport.abort()
                return out
            if model in ("stall", "slow") and place == self.stalls_before(request.path):
                if model == "stall":
                    await asyncio.Event().wait()
                await self.release.wait()
            await out.write(event)
            await asyncio.sleep(self.pause)
        await out.write_eof()
        return out

    def stalls_before(self, path: str) -> int:
        """The event that ``stall`` and ``slow`` do not come to: a word has been said by then."""
        return 3

    def _events(self, path: str, body: dict[str, Any], model: str, key: str) -> list[bytes]:
        words = [key, *self.words] if model == "echo" else self.words
        with_usage = model != "no-usage"
        if path.endswith("/messages"):
            start = {
                "type": "message",
                "id": "m",
                "role": "assistant",
                "model": model,
                "content": [],
                "stop_reason": None,
                "stop_sequence": None,
                "usage": {"input_tokens": 10, "output_tokens": 1},
            }
            block = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
            deltas = [
                {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": each}}
                for each in words
            ]
            end = {
                "type": "message_delta",
                "delta": {"stop_reason": "end_turn", "stop_sequence": None},
                "usage": {"output_tokens": 7},
            }
            rows = [
                {"type": "message_start", "message": start},
                block,
                *deltas,
                {"type": "content_block_stop", "index": 0},
                end,
                {"type": "message_stop"},
            ]
            return [f"event: {row['type']}\ndata: {json.dumps(row)}\n\n".encode() for row in rows]
        if path.endswith("/responses"):
            base = {"item_id": "m1", "output_index": 0, "content_index": 0}
            rows = [{"type": "response.output_text.delta", **base, "delta": each} for each in words]
            rows.append({"type": "response.output_text.done", **base, "text": "".join(words)})
            done = self._whole(path, body, "".join(words), usage=with_usage)
            rows.append({"type": "response.completed", "response": done})
            numbered = [{**row, "sequence_number": place} for place, row in enumerate(rows)]
            return [f"event: {row['type']}\ndata: {json.dumps(row)}\n\n".encode() for row in numbered]
        chat = path.endswith("/chat/completions")
        base = {"id": "c1", "object": "chat.completion.chunk", "created": 0, "model": model}
        asked = bool((body.get("stream_options") or {}).get("include_usage")) and with_usage
        extra = {"usage": None} if asked else {}

        def chunk(text: str, finish: str | None = None) -> dict[str, Any]:
            said: dict[str, Any] = {"delta": {"content": text}} if chat else {"text": text}
            return {**base, "choices": [{"index": 0, "finish_reason": finish, **said}], **extra}

        rows = [chunk(each) for each in words] + [chunk("", "stop")]
        if asked:
            usage = {"prompt_tokens": 10, "completion_tokens": 7, "total_tokens": 17}
            rows.append({**base, "choices": [], "usage": usage})
        events = [f"data: {json.dumps(row)}\n\n".encode() for row in rows]
        return [b": ping\n\n", *events, b"data: [DONE]\n\n"]
