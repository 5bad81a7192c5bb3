"""Three routes inside vLLM for models that take turns: /sleep, /wake_up and /is_sleeping, for whoever has the key.

`vllm serve --middleware llm_turns.Turns` puts it before everything else that answers. vLLM 0.32.0 has these routes in
its development mode alone (VLLM_SERVER_DEV_MODE), which opens /collective_rpc beside them: with that, whoever reaches
the port calls any method of the workers. So that mode stays off, and this speaks to the same engine by itself.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import os
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

KEY, LEVEL = "LLM_TURNS_KEY", "LLM_TURNS_LEVEL"
"""Environment variables: the key's file; and how deep the model sleeps, 1: its weights are kept in the host's memory,
2: they are read from the disk again. One process may put to sleep what another one wakes, so nobody asks for it."""
HEADER = b"x-llm-turns"
ROUTES = {"/sleep": "POST", "/wake_up": "POST", "/is_sleeping": "GET"}
Scope = MutableMapping[str, Any]
App = Callable[[Scope, Any, Callable[[dict[str, Any]], Awaitable[None]]], Awaitable[None]]


def leave() -> None:
    """End this process, and not as if it had done its work: systemd loads the model anew."""
    os._exit(1)


class Turns:
    """ASGI middleware. Without the key the three routes are not there."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.level = 2 if os.environ.get(LEVEL) == "2" else 1
        self._one = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Any, send: Callable[[dict[str, Any]], Awaitable[None]]) -> None:
        """Answer the three routes; whatever else is asked goes on to vLLM."""
        if scope["type"] != "http" or scope["path"] not in ROUTES:
            await self.app(scope, receive, send)
            return
        if not self._knows(scope["headers"]) or scope["method"] != ROUTES[scope["path"]]:
            await _say(send, 404, {"detail": "Not Found"})
            return
        try:
            async with self._one:
                status, said = await self._do(scope["path"], scope["app"].state.engine_client)
        except Exception as error:
            # What is half asleep holds the card for good, and nobody could tell: a new process is whole.
            sys.stderr.write(f"[vllm.turns] {scope['path']}: {type(error).__name__}\n")
            await _say(send, 500, {"error": type(error).__name__})
            asyncio.get_running_loop().call_later(0.2, leave)
            return
        await _say(send, status, said)

    async def _do(self, path: str, engine: Any) -> tuple[int, dict[str, Any]]:
        if path == "/is_sleeping":
            return 200, {"is_sleeping": await engine.is_sleeping()}
        if path == "/sleep":
            # No answer is cut off: what is under way comes to its end first.
            await engine.sleep(self.level, "wait")
            return 200, {"status": "sleeping", "level": self.level}
        if not await engine.is_sleeping():
            whole = True
        elif self.level == 2:
            # The weights are read from the disk again, before the cache takes the room that reading needs.
            await engine.wake_up(["weights"])
            await engine.collective_rpc("reload_weights")
            whole = await engine.wake_up(["kv_cache"])
        else:
            whole = await engine.wake_up(None)
        if not whole:
            raise RuntimeError("not fully awake")
        return 200, {"status": "awake", "tags": None}

    def _knows(self, headers: list[tuple[bytes, bytes]]) -> bool:
        given = [value for name, value in headers if name == HEADER]
        try:
            key = Path(os.environ[KEY]).read_bytes().strip()
        except (OSError, KeyError):
            return False
        return len(given) == 1 and bool(key) and hmac.compare_digest(given[0].strip(), key)


async def _say(send: Callable[[dict[str, Any]], Awaitable[None]], status: int, said: dict[str, Any]) -> None:
    body = json.dumps(said).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
