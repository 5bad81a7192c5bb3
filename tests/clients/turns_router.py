"""Run by the interpreter of the pinned vLLM's CPU build: our middleware beside vLLM's own routers, before one engine.

Standard output ends with one line of JSON: what both answer to the same questions, and what is there of other routes.
Only the engine is a stand-in, as vLLM's sleeps on GPUs alone; its methods are held against vLLM's own `AsyncLLM`.
"""

import inspect
import json
import os
import sys
from typing import Any

from fastapi import FastAPI
from fastapi.testclient import TestClient
from vllm import envs
from vllm.entrypoints.launchers.app import build_app
from vllm.entrypoints.launchers.cli_args import make_arg_parser
from vllm.entrypoints.serve.dev.sleep.api_router import attach_router
from vllm.utils.argparse_utils import FlexibleArgumentParser
from vllm.v1.engine.async_llm import AsyncLLM


class Engine:
    """Writes down what it is asked, by the signatures of vLLM's own engine."""

    def __init__(self) -> None:
        self.calls: list[list[Any]] = []
        self.asleep: set[str] = set()

    def _asked(self, name: str, *given: Any) -> None:
        inspect.signature(getattr(AsyncLLM, name)).bind(self, *given)
        self.calls.append([name, *given])

    async def sleep(self, *given: Any) -> None:
        self._asked("sleep", *given)
        self.asleep = {"weights", "kv_cache"}

    async def wake_up(self, *given: Any) -> bool:
        self._asked("wake_up", *given)
        self.asleep -= set(given[0] or ("weights", "kv_cache"))
        return not self.asleep

    async def is_sleeping(self) -> bool:
        return bool(self.asleep)

    async def collective_rpc(self, *given: Any) -> list[None]:
        self._asked("collective_rpc", *given)
        return [None]


def served(*middleware: str) -> FastAPI:
    """vLLM's own app for a model that writes text, with ours as its flag names it."""
    parser = make_arg_parser(FlexibleArgumentParser())
    told = parser.parse_args(["model", *(each for name in middleware for each in ("--middleware", name))])
    app = build_app(told, ("generate",))
    app.state.engine_client = Engine()
    return app


def story(app: FastAPI, headers: dict[str, str]) -> list[Any]:
    """Asked one after the other: what each answers."""
    client, found = TestClient(app), []
    # vLLM's own cuts answers off unless it is told not to
    asked = [("GET", "/is_sleeping"), ("POST", "/sleep?mode=wait"), ("GET", "/is_sleeping"), ("POST", "/wake_up"),
             ("GET", "/is_sleeping"), ("GET", "/sleep"), ("POST", "/is_sleeping")]  # fmt: skip
    for method, path in asked:
        reply = client.request(method, path, headers=headers)
        found.append([method, path, reply.status_code, reply.json() if reply.status_code == 200 else None])
    return found


def main() -> None:
    """Tell both stories."""
    assert not envs.VLLM_SERVER_DEV_MODE
    theirs = FastAPI()
    attach_router(theirs)
    theirs.state.engine_client = Engine()
    ours, key = served("llm_turns.Turns"), {"x-llm-turns": "sk-turns"}
    plain = served()
    told: dict[str, Any] = {"theirs": story(theirs, {}), "ours": story(ours, key)}
    told["calls"] = [theirs.state.engine_client.calls, ours.state.engine_client.calls]
    told["without a key"] = story(ours, {})
    told["with another key"] = story(ours, {"x-llm-turns": "sk-other"})
    told["with two"] = story(ours, {"x-llm-turns": "sk-turns, sk-turns"})
    told["without the middleware"] = story(plain, key)
    others = ["/collective_rpc", "/reset_prefix_cache", "/release_kv_cache_memory", "/server_info", "/pause", "/SLEEP"]
    told["others"] = {path: TestClient(ours).post(path, headers=key).status_code for path in others}
    told["health"] = TestClient(ours).get("/openapi.json").status_code
    os.environ["LLM_TURNS_LEVEL"] = "2"
    deep = served("llm_turns.Turns")
    told["deep"] = [story(deep, key)[1:5], deep.state.engine_client.calls]
    sys.stdout.write(f"\n{json.dumps(told)}\n")


if __name__ == "__main__":
    main()
