"""What is asked of a model over HTTP, and answered in the form that vLLM's own answers have."""

from __future__ import annotations

import asyncio
import base64
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import torch
from model import Model, Refused
from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

MOST = 2048
"""Texts of one request, as OpenAI has it."""
FULL = 2
"""Seconds after which it may be asked again while too many texts wait."""


class Server:
    """What is asked over HTTP, in the form of vLLM's own answers."""

    def __init__(self, model: Model) -> None:
        self.model, self.born = model, int(time.time())
        self.registry = CollectorRegistry()
        labels = {"labelnames": ("model_name", "engine"), "registry": self.registry}
        gauges = {"vllm:num_requests_running": lambda: model.running,
                  "vllm:num_requests_waiting": model.waiting.qsize}  # fmt: skip
        for name, value in gauges.items():
            Gauge(name, "Texts.", **labels).labels(model.name, "cpu").set_function(value)
        self.read = Counter("vllm:prompt_tokens", "Tokens read.", **labels).labels(model.name, "cpu")
        self.done = Counter("vllm:request_success", "Requests answered.", **labels).labels(model.name, "cpu")

    def app(self) -> Starlette:
        """The routes, and no other."""
        asked = {"/v1/embeddings": self.embeddings, "/v1/rerank": self.rerank, "/v1/score": self.score,
                 "/tokenize": self.tokenize, "/detokenize": self.detokenize}  # fmt: skip
        routes = [Route(path, self._answering(answer), methods=["POST"]) for path, answer in asked.items()]
        plain = {"/health": self.health, "/metrics": self.metrics, "/v1/models": self.models}
        return Starlette(routes=[*routes, *(Route(path, answer) for path, answer in plain.items())])

    def _answering(self, answer: Callable[[Request, dict[str, Any]], Awaitable[Any]]) -> Any:
        async def answered(request: Request) -> Response:
            try:
                try:
                    body = await request.json()
                except (ValueError, RecursionError):
                    raise Refused("the body is not JSON") from None
                if not isinstance(body, dict):
                    raise Refused("the body is not an object")
                if body.get("model") not in (None, self.model.name):
                    raise Refused(f"The model `{body['model']}` does not exist.", "model", 404)
                return JSONResponse(await answer(request, body))
            except Refused as wrong:
                return told(str(wrong), wrong.param, wrong.status, wrong.wait)
            except ConnectionAbortedError:
                return Response(status_code=499)  # nobody is there to read it

        return answered

    async def health(self, _: Request) -> Response:
        """Well, once the model is in memory: before that nobody listens."""
        return Response()

    async def metrics(self, _: Request) -> Response:
        """Numbers by the names that vLLM has for them."""
        return Response(generate_latest(self.registry), media_type="text/plain; version=0.0.4")

    async def models(self, _: Request) -> Response:
        """The one model."""
        row = {"id": self.model.name, "object": "model", "created": self.born, "owned_by": "vllm",
               "root": self.model.name, "parent": None, "max_model_len": self.model.window}  # fmt: skip
        return JSONResponse({"object": "list", "data": [row]})

    async def embeddings(self, request: Request, body: dict[str, Any]) -> Any:
        """`POST /v1/embeddings`."""
        model = self.model
        if model.pooling is None:
            raise Refused("this model ranks texts: /v1/rerank, /v1/score", status=404)
        form = body.get("encoding_format") or "float"
        if form not in ("float", "base64"):
            raise Refused("encoding_format is float or base64", "encoding_format")
        if body.get("embed_dtype") not in (None, "float32") or body.get("endianness") not in (None, "native", "little"):
            raise Refused("numbers are float32, the lowest byte first", "embed_dtype")
        size, normalized = self._dimensions(body), _activated(body, model.pooling.normalized)
        vectors, usage = await self._asked(request, body, [(each, None) for each in _texts(body.get("input"))])
        found = torch.stack(vectors)[:, :size]
        if normalized:
            found = torch.nn.functional.normalize(found, dim=-1)
        rows = found.contiguous().numpy()
        shown = (base64.b64encode(each.tobytes()).decode() if form == "base64" else each.tolist() for each in rows)
        data = [{"index": place, "object": "embedding", "embedding": each} for place, each in enumerate(shown)]
        return {**_head("embd"), "object": "list", "model": model.name, "data": data, "usage": usage}

    def _dimensions(self, body: Mapping[str, Any]) -> int | None:
        size, config = body.get("dimensions"), self.model.config
        if size is None:
            return None
        sizes = getattr(config, "matryoshka_dimensions", None) or []
        if not (sizes or getattr(config, "is_matryoshka", False)):
            raise Refused("this model has vectors of one length: it was not trained for others", "dimensions")
        most = self.model.length
        if isinstance(size, bool) or not isinstance(size, int) or not 1 <= size <= most or (sizes and size not in sizes):
            raise Refused(f"dimensions: one of {sizes}" if sizes else f"dimensions: 1 to {most}", "dimensions")
        return size

    async def rerank(self, request: Request, body: dict[str, Any]) -> Any:
        """`POST /v1/rerank`: the documents, the best first."""
        documents = _strings(body.get("documents"), "documents")
        query = _strings(body.get("query"), "query")
        if len(query) != 1:
            raise Refused("query is one text", "query")
        most = body.get("top_n") or len(documents)
        if not isinstance(most, int) or most < 1:
            raise Refused("top_n is a number", "top_n")
        marks, usage = await self._marks(request, body, [(query[0], each) for each in documents])
        best = sorted(range(len(marks)), key=lambda place: -marks[place])[:most]
        rows = [{"index": each, "document": {"text": documents[each]}, "relevance_score": marks[each]} for each in best]
        used = {name: usage[name] for name in ("prompt_tokens", "total_tokens")}
        return {"id": _head("rerank")["id"], "model": self.model.name, "usage": used, "results": rows}

    async def score(self, request: Request, body: dict[str, Any]) -> Any:
        """`POST /v1/score`: one text with each, or each with each."""
        names = (("queries", "documents"), ("queries", "items"), ("data_1", "data_2"), ("text_1", "text_2"))
        first, second = next((pair for pair in names if all(each in body for each in pair)), names[-1])
        left, right = _strings(body.get(first), first), _strings(body.get(second), second)
        if len(left) not in (1, len(right)):
            raise Refused(f"{first} is one text, or as many as {second}", first)
        pairs = list(zip(left if len(left) > 1 else left * len(right), right, strict=True))
        marks, usage = await self._marks(request, body, pairs)
        data = [{"index": place, "object": "score", "score": each} for place, each in enumerate(marks)]
        return {**_head("embd"), "object": "list", "model": self.model.name, "data": data, "usage": usage}

    async def _marks(self, request: Request, body: Mapping[str, Any], pairs: Sequence[tuple[str, str]]) -> Any:
        if self.model.mark is None:
            raise Refused("this model turns texts into vectors: /v1/embeddings", status=404)
        found, usage = await self._asked(request, body, pairs)
        numbers = torch.stack(found)
        return (self.model.mark(numbers) if _activated(body, True) else numbers).tolist(), usage

    async def _asked(self, request: Request, body: Mapping[str, Any], pairs: Sequence[tuple[Any, Any]]) -> Any:
        """The model's numbers for each, and what was used; whoever hangs up is worked for no longer."""
        if not 0 < len(pairs) <= MOST:
            raise Refused(f"1 to {MOST} texts a request", "input")
        most, model = _most(body, self.model.window), self.model
        special = body.get("add_special_tokens", True) is not False
        cut: list[dict[str, list[int]]] = []
        held, waiting = 0, []
        try:
            for each in pairs:
                cut.append(await asyncio.to_thread(model.tokens, *each, most=most, special=special))
                count = len(cut[-1]["input_ids"])
                held, model.held = held + count, model.held + count
                if held > model.most:
                    raise Refused(f"the texts of one request have {model.most} tokens together at most", "input")
                if model.held > model.most:
                    raise Refused("too many texts wait for this model", status=429, wait=FULL)
            waiting = model(cut)
            futures = [asyncio.wrap_future(each.found) for each in waiting]
            whole = asyncio.gather(*futures)
            while not (await asyncio.wait([whole], timeout=1))[0]:
                if await request.is_disconnected():
                    raise ConnectionAbortedError
            numbers = await whole
        finally:
            model.held -= held
            for one in waiting:
                one.found.cancel()
        self.read.inc(held)
        self.done.inc()
        return numbers, {"prompt_tokens": held, "total_tokens": held, "completion_tokens": 0,
                         "prompt_tokens_details": None}  # fmt: skip

    async def tokenize(self, _: Request, body: dict[str, Any]) -> Any:
        """`POST /tokenize`: of one text."""
        if not isinstance(text := body.get("prompt"), str):
            raise Refused("prompt is a text: this model holds no conversation", "prompt")
        found = self.model.split(text, special=body.get("add_special_tokens", True) is not False)
        names = self.model.tokenizer.convert_ids_to_tokens(found) if body.get("return_token_strs") else None
        return {"count": len(found), "max_model_len": self.model.window, "tokens": found, "token_strs": names}

    async def detokenize(self, _: Request, body: dict[str, Any]) -> Any:
        """`POST /detokenize`: the text of tokens."""
        found = body.get("tokens")
        most = self.model.config.vocab_size
        if not isinstance(found, list) or not all(type(each) is int and 0 <= each < most for each in found):
            raise Refused("tokens is a list of numbers of this model's tokens", "tokens")
        return {"prompt": self.model.tokenizer.decode(found)}


def told(message: str, param: str | None, status: int, wait: int | None = None) -> JSONResponse:
    """An error in OpenAI's form."""
    kind = {404: "NotFoundError", 429: "TooManyRequests"}.get(status, "BadRequestError")
    headers = {"Retry-After": str(wait)} if wait else None
    return JSONResponse({"error": {"message": message, "type": kind, "param": param, "code": status}}, status, headers)


def _head(kind: str) -> dict[str, Any]:
    return {"id": f"{kind}-{uuid.uuid4().hex}", "created": int(time.time())}


def _texts(given: Any) -> list[str | list[int]]:
    """Texts or lists of tokens, one or several."""
    if isinstance(given, str) or (isinstance(given, list) and given and isinstance(given[0], int)):
        given = [given]
    if (
        not isinstance(given, list)
        or not given
        or not all(
            isinstance(each, str) or (isinstance(each, list) and all(type(one) is int for one in each))
            for each in given
        )
    ):
        raise Refused("input is a text, a list of tokens, or a list of either", "input")
    return given


def _strings(given: Any, name: str) -> list[str]:
    found = [given] if isinstance(given, str) else given
    if not isinstance(found, list) or not found or not all(isinstance(each, str) for each in found):
        raise Refused(f"{name} is a text, or a list of texts", name)
    return found


def _activated(body: Mapping[str, Any], usual: bool) -> bool:
    """Whether vectors are made of length 1, or numbers to marks; null, which some clients send, is as if not said."""
    said = body.get("use_activation")
    if said is None:
        return usual
    if not isinstance(said, bool):
        raise Refused("use_activation is true or false", "use_activation")
    return said


def _most(body: Mapping[str, Any], window: int) -> int | None:
    """After how many tokens a text is cut off; -1: after as many as the model reads."""
    most = body.get("truncate_prompt_tokens")
    if most is None:
        return None
    if isinstance(most, bool) or not isinstance(most, int) or not (most == -1 or 1 <= most <= window):
        raise Refused(f"truncate_prompt_tokens: -1, or 1 to {window}", "truncate_prompt_tokens")
    return window if most == -1 else most
