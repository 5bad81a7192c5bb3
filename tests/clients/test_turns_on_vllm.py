"""Two real vLLMs that take turns behind the real gateway, by our middleware, and that held against vLLM's own routers.

vLLM's CPU build refuses ``--enable-sleep-mode``, so it is left out here; its workers pass over what they are told to
free (v1/worker/cpu_worker.py), and all else is vLLM's own: what pauses, waits for answers, says that it sleeps, reads
weights again and goes on. That memory of a GPU is given back was not seen.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from pulumi_llm.roles import turning
from pulumi_llm.roles.requests import VllmRole
from tests.clients.engine import PACKAGES, can_start, engine, guessed, python_313
from tests.gateway.front import free_port
from tests.gateway.harness import KEY, Home

pytestmark = [pytest.mark.clients, pytest.mark.on_vllm, pytest.mark.xdist_group("vllm")]
CODE = Path(__file__).parents[2] / "templates/vllm/turns"
TURNS_KEY = "sk-turns-PLANTED-0123"
NAMES = ("vllm", "vllm/coder")
FLAGS = ("--max-model-len", "512", "--enforce-eager", "--max-num-seqs", "4")


def needed() -> None:
    if not can_start():
        pytest.skip("vLLM for the CPU or Python 3.13 is not there: tools/fetch boot")


@pytest.fixture(scope="module")
def routers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    needed()
    folder = tmp_path_factory.mktemp("routers")
    (folder / "key").write_text("sk-turns\n")
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": f"{PACKAGES}:{CODE}",
        "LLM_TURNS_KEY": str(folder / "key"), "VLLM_NO_USAGE_STATS": "1",
    }  # fmt: skip
    script = Path(__file__).with_name("turns_router.py")
    done = subprocess.run([str(python_313()), script], capture_output=True, text=True, env=environment, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_our_routes_answer_as_those_of_the_development_mode_and_ask_the_engine_the_same(routers: Any) -> None:
    theirs, ours = routers["theirs"], routers["ours"]
    assert [each[3] for each in ours[:5]] == [each[3] for each in theirs[:5]]
    assert [each[2] for each in theirs[:5]] == [200] * 5
    assert routers["calls"][1] == routers["calls"][0] == [["sleep", 1, "wait"], ["wake_up", None]]
    # vLLM's own says 405 where the method is another one
    assert [each[2] for each in ours[5:]] == [404, 404]


@pytest.mark.parametrize("who", ["without a key", "with another key", "with two", "without the middleware"])
def test_nobody_else_finds_them(routers: Any, who: str) -> None:
    assert {each[2] for each in routers[who]} == {404}


def test_nothing_else_of_the_development_mode_is_there(routers: Any) -> None:
    assert set(routers["others"].values()) == {404}
    assert routers["health"] == 200


def test_weights_that_were_dropped_are_read_again_before_the_cache_takes_its_room(routers: Any) -> None:
    answers, calls = routers["deep"]
    assert [each[2] for each in answers] == [200] * 4
    assert calls == [
        ["sleep", 2, "wait"], ["wake_up", ["weights"]], ["collective_rpc", "reload_weights"], ["wake_up", ["kv_cache"]]
    ]  # fmt: skip


@dataclass
class Pair:
    """Two engines and the gateway before them."""

    root: Path
    ports: dict[str, int]
    gate: str = ""
    metrics: str = ""
    ready: dict[str, float] = field(default_factory=dict)

    def ask(self, url: str, body: Any = None, method: str = "", **headers: str) -> tuple[int, Any]:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data, {"Content-Type": "application/json", **headers})
        if method:
            request.method = method
        try:
            with urllib.request.urlopen(request, timeout=120) as reply:
                return reply.status, json.loads(reply.read() or b"null")
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read() or b"null")

    def says(self, model: str, tokens: int = 8) -> str:
        body = {"model": model, "prompt": "Say it", "max_tokens": tokens, "temperature": 0, "seed": 1}
        status, said = self.ask(f"{self.gate}/v1/completions", body, Authorization=f"Bearer {KEY}")
        assert status == 200, said
        return str(said["choices"][0]["text"])

    def asleep(self, name: str) -> bool:
        status, said = self.ask(f"http://127.0.0.1:{self.ports[name]}/is_sleeping", **{"X-Llm-Turns": TURNS_KEY})
        assert status == 200
        return bool(said["is_sleeping"])

    def told(self) -> Any:
        return self.ask(f"{self.metrics}/turns")[1]

    def log(self, name: str) -> str:
        return (self.root / name.replace("/", "-") / "log").read_text(errors="replace")


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    needed()
    root = tmp_path_factory.mktemp("turns")
    found = Pair(root, {name: free_port() for name in NAMES})
    home = Home(root / "gate").key()
    locks = {name: str(root / Path(turning.lock(name)).name) for name in NAMES}
    models = dict(zip(("plain", "coder"), NAMES, strict=True))
    home.write("settings/routes.json", {
        "upstreams": {name: {"kind": "vllm", "base_url": f"http://127.0.0.1:{found.ports[name]}/v1"} for name in NAMES},
        "routes": {each: {"targets": [{"upstream": name, "model": each}]} for each, name in models.items()},
        "turns": {"members": locks, "awake_seconds": 2, "wait_seconds": 60},
    })  # fmt: skip
    (root / "key").write_text(f"{TURNS_KEY}\n")
    (root / "gate/secrets" / turning.GATES).write_text(f"{TURNS_KEY}\n")
    stop, running = threading.Event(), threading.Event()

    async def gateway() -> None:
        async with AsyncExitStack() as stack:
            gate = await stack.enter_async_context(home.running())
            found.gate, found.metrics = gate.url, gate.metrics
            running.set()
            await asyncio.to_thread(stop.wait)

    thread = threading.Thread(target=asyncio.run, args=(gateway(),))
    thread.start()
    assert running.wait(60)

    def started(stack: ExitStack, model: str) -> None:
        name = models[model]
        folder = root / name.replace("/", "-")
        folder.mkdir()
        more = {
            # the first keeps its weights, the second reads them again
            "LLM_TURNS_KEY": str(root / "key"), "LLM_TURNS_LEVEL": "1" if model == "plain" else "2",
            "LLM_GATE_MEASURED": found.metrics, "PYTHONPATH": f"{PACKAGES}:{CODE}",
        }  # fmt: skip
        flags = turning.arguments(VllmRole(model_id="m", served_name=model, turns=1))
        flags.remove("--enable-sleep-mode")
        stack.enter_context(engine(
            folder, ["--served-model-name", model, *FLAGS, *flags], guessed(), more, port=found.ports[name],
            before=[sys.executable, "-I", str(CODE / "take"), name, locks[name]],
        ))  # fmt: skip
        found.ready[name] = time.monotonic()

    with ExitStack() as stack, ThreadPoolExecutor(2) as pool:
        stack.callback(thread.join, 60)
        stack.callback(stop.set)
        # both at once: the second waits for the card
        stacks = [stack.enter_context(ExitStack()) for _ in models]
        list(pool.map(started, stacks, models))
        yield found


def test_each_goes_to_sleep_before_the_next_one_loads(pair: Pair) -> None:
    first, second = sorted(NAMES, key=lambda name: pair.ready[name])
    assert pair.asleep(first)
    assert "sleep mode is not supported on CPU" in pair.log(first)
    assert pair.ready[second] - pair.ready[first] > 3, "the second had not begun to load"


def test_one_is_awake_and_the_other_answers_once_it_is_asked_for(pair: Pair) -> None:
    said = {model: pair.says(model) for model in ("plain", "coder")}
    for model, name in (("plain", "vllm"), ("coder", "vllm/coder"), ("plain", "vllm")):
        # what it says after it has slept, its weights read again or not, is what it said before
        assert pair.says(model) == said[model]
        assert pair.told()["awake"] == name
        assert [pair.asleep(each) for each in NAMES] == [each != name for each in NAMES]
    assert "reload" in pair.log("vllm/coder").casefold()


def test_an_answer_under_way_is_not_cut_off(pair: Pair) -> None:
    pair.says("plain")
    with ThreadPoolExecutor(2) as pool:
        long = pool.submit(pair.says, "plain", 400)
        time.sleep(0.2)
        other = pool.submit(pair.says, "coder")
        assert len(long.result()) >= 400
        assert other.result()
    assert pair.told()["failed"] == {}


def test_the_routes_are_not_there_for_others_and_the_development_mode_is_off(pair: Pair) -> None:
    for name in NAMES:
        base = f"http://127.0.0.1:{pair.ports[name]}"
        assert pair.ask(f"{base}/sleep", {}, "POST")[0] == 404
        for path in ("/collective_rpc", "/reset_prefix_cache", "/release_kv_cache_memory"):
            assert pair.ask(f"{base}{path}", {}, "POST", **{"X-Llm-Turns": TURNS_KEY})[0] == 404
        assert pair.ask(f"{base}/server_info", **{"X-Llm-Turns": TURNS_KEY})[0] == 404
    # nor are they the gateway's
    for path in ("/sleep", "/wake_up", "/turns"):
        assert pair.ask(f"{pair.gate}{path}", {}, "POST", Authorization=f"Bearer {KEY}")[0] == 404
