"""A relay before the gateway, or behind it, that keeps what was said on both sides."""

from dataclasses import dataclass, field

import aiohttp
from aiohttp import web


@dataclass
class Exchange:
    """One request as the server got it, and its answer as the client did."""

    method: str
    path: str
    sent: list[tuple[str, str]]
    body: bytes
    status: int = 0
    got: list[tuple[str, str]] = field(default_factory=list)
    answer: bytes = b""
    hung_up: bool = False
    under_way: bool = True


class Recorder:
    """Start it with `async with`; ``url`` is where to ask, ``gate`` the server that is asked then."""

    def __init__(self, gate: str) -> None:
        self.gate = gate
        self.url = ""
        self.exchanges: list[Exchange] = []

    async def __aenter__(self) -> "Recorder":
        connector = aiohttp.TCPConnector(limit=0, force_close=True)
        self.session = aiohttp.ClientSession(connector=connector, auto_decompress=False)
        self.runner = web.ServerRunner(web.Server(self._relay, handler_cancellation=True, access_log=None))
        await self.runner.setup()
        await web.TCPSite(self.runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self.runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *error: object) -> None:
        self.runner._shutdown_timeout = 0.1
        await self.runner.cleanup()
        await self.session.close()

    async def _relay(self, request: web.BaseRequest) -> web.StreamResponse:
        body = await request.read()
        kept = Exchange(request.method, request.raw_path, list(request.headers.items()), body)
        self.exchanges.append(kept)
        kept.hung_up = True
        try:
            return await self._passed_on(request, kept, body)
        finally:
            kept.under_way = False

    async def _passed_on(self, request: web.BaseRequest, kept: Exchange, body: bytes) -> web.StreamResponse:
        url = aiohttp.client.URL(self.gate + request.raw_path, encoded=True)
        headers = [each for each in request.headers.items() if each[0].lower() not in ("host", "transfer-encoding")]
        async with self.session.request(request.method, url, headers=headers, data=body) as reply:
            kept.status, kept.got = reply.status, list(reply.headers.items())
            out = web.StreamResponse(status=reply.status)
            for name, value in reply.headers.items():
                if name.lower() not in ("transfer-encoding", "content-length", "connection"):
                    out.headers.add(name, value)
            await out.prepare(request)
            async for piece in reply.content.iter_any():
                kept.answer += piece
                await out.write(piece)
            await out.write_eof()
        kept.hung_up = False
        return out
