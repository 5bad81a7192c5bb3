"""Models that take turns on a node: their units, the key, the gateway's table, the program that starts each."""

from __future__ import annotations

import asyncio
import fcntl
import importlib
import json
import os
import signal
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pulumi_llm import _nodes
from pulumi_llm._bootstrap import NodeRequest, check, settings, user_data
from pulumi_llm._resolve import resolve_platform
from pulumi_llm.roles import turning
from pulumi_llm.roles.without_systemd import DOES, NO_MEANING, WALLS
from tests.bootstrap.samples import Node, booted, serve
from tests.bootstrap.test_artefacts import tool

TAKE = Path(__file__).parents[2] / "templates/vllm/turns/take"
SEVEN = "Qwen/Qwen2.5-7B-Instruct"
MODELS: dict[str, Any] = {
    "coder": {"model": "Qwen/Qwen2.5-Coder-7B-Instruct", "takes_turns": True},
    "bge-m3": {"model": "BAAI/bge-m3"},
}


def node(models: dict[str, Any] | None = None, **server: Any) -> NodeRequest:
    wanted = {
        "cloud": "aliyun", "region": "cn-hangzhou", "gpu": "A10", "model": SEVEN, "context_length": 2048,
        "models": MODELS if models is None else models, "turns": {"weights": "disk", "wait_seconds": 60}, **server,
    }  # fmt: skip
    whole = resolve_platform({"server": wanted, "access": {"allowed_cidrs": ["203.0.113.0/24"]}})
    return _nodes.server_node("several", whole.server)


def contents(request: NodeRequest) -> dict[str, str]:
    return {each["path"]: each["content"] for each in settings(request)["files"]}


def unit(request: NodeRequest, name: str = "") -> str:
    return contents(request)[f"/etc/systemd/system/llm-vllm{'-' * bool(name)}{name}.service"]


def whole(root: Path, request: NodeRequest) -> Node:
    """The node with all of its code, that of user data and that which comes with the settings."""
    machine = booted(root, request)
    for name, source in settings(request)["code"].items():
        machine.path(f"/opt/llm/lib/{name}").write_text(source)
    return machine


def flags(text: str) -> list[str]:
    return [line.strip(" \\") for line in text.splitlines()]


def test_each_that_takes_turns_asks_for_the_card_and_has_the_middleware_and_not_the_development_mode() -> None:
    request = node()
    for name, upstream in (("", "vllm"), ("coder", "vllm/coder")):
        lines = flags(unit(request, name))
        start = f"/usr/bin/python3 -I {turning.FOLDER}/take {upstream} {turning.lock(upstream)}"
        assert f"ExecStart={start}" in lines
        assert {"--enable-sleep-mode", "--middleware llm_turns.Turns"} <= set(lines)
        assert "LLM_TURNS_LEVEL=2" in unit(request, name)
        assert f"LLM_TURNS_KEY={turning.KEY_FILE}" in unit(request, name)
    assert not [path for path, text in contents(request).items() if "DEV_MODE=" in text and path.endswith(".service")]
    always = unit(request, "bge-m3")
    assert "llm_turns" not in always
    assert turning.FOLDER not in always


def test_those_that_are_always_awake_load_before_those_that_take_turns_but_for_the_main_one() -> None:
    request = node()
    waits = {
        name: [line for line in flags(unit(request, name)) if "/waits" in line] for name in ("", "coder", "bge-m3")
    }
    assert waits[""] == []
    assert waits["bge-m3"][0].endswith('"LLM_WAITS_FOR=http://127.0.0.1:8000/health"')
    # bge-m3 stands second, and has the second port
    assert waits["coder"][0].endswith("/llm_waits.py http://127.0.0.1:8012/health")


def test_the_gateway_is_told_who_takes_turns_and_where_their_locks_are() -> None:
    table = json.loads(contents(node())["/opt/llm/gateway/routes.json"])
    assert table["turns"] == {
        "members": {"vllm": "/var/lib/llm-vllm/vllm.card", "vllm/coder": "/var/lib/llm-vllm/vllm-coder.card"},
        "awake_seconds": 30,
        "wait_seconds": 60,
    }
    assert set(table["turns"]["members"]) < set(table["upstreams"])


def test_the_key_is_made_by_the_node_and_each_of_the_two_users_has_a_copy_alone() -> None:
    document = settings(node())
    assert document["secrets"]["generated"] == ["probe_key", turning.KEY]
    assert turning.KEY not in document["secrets"]["required"]
    copies = {each["path"]: each["owner"] for each in document["secret_files"] if turning.KEY in each["entries"]}
    assert copies == {f"/srv/llm/secrets/{turning.GATES}": "llm-gateway", turning.KEY_FILE: "llm-vllm"}
    assert "InaccessiblePaths=-/srv/llm/secrets" in unit(node())


def test_the_node_writes_both_copies_and_keeps_the_key(tmp_path: Path) -> None:
    request = node()
    machine = whole(tmp_path, request)
    document = settings(request)
    document = {key: document[key] for key in ("secrets", "secret_files")}
    document["secret_files"] = [each for each in document["secret_files"] if turning.KEY in each["entries"]]
    said = machine.python(
        f"from llm_node import keys; document = {document!r}; keys.put(document, {{}}); keys.keep(document); "
        "print(sorted(keys.put(document, {})))"
    )
    assert said.strip() == "[]", "it is not made anew"
    paths = [tmp_path / each["path"].lstrip("/") for each in document["secret_files"]]
    assert len({each.read_text() for each in paths}) == 1
    assert [each.stat().st_mode & 0o777 for each in paths] == [0o600, 0o600]


def test_nodes_without_turns_are_as_they_were() -> None:
    plain = {name: {key: value for key, value in each.items() if key != "takes_turns"} for name, each in MODELS.items()}
    plain["coder"]["model"] = "Qwen/Qwen2.5-0.5B-Instruct"
    request = node(plain, turns=None)
    said = json.dumps([settings(request)["files"], settings(request)["secret_files"]])
    files = contents(request)
    assert not [path for path in files if path.startswith(turning.FOLDER)]
    assert turning.KEY not in said
    assert "turns" not in json.loads(files["/opt/llm/gateway/routes.json"])
    assert "turns" not in json.loads(files["/opt/llm/watch.json"])
    assert "turns" not in user_data(request)


def test_the_units_ask_for_nothing_that_a_container_without_systemd_lacks() -> None:
    known = DOES | NO_MEANING | WALLS
    for name in ("", "coder"):
        keys = {line.split("=")[0] for line in unit(node(), name).splitlines() if "=" in line and line[0].isupper()}
        assert keys <= known | {"RequiresMountsFor"} | {
            each for each in keys if each.startswith(("Protect", "Restrict"))
        }


@pytest.mark.artefact
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    request = node()
    check(request)
    for name in ("", "coder"):
        (tmp_path / f"llm-vllm{'-' * bool(name)}{name}.service").write_text(unit(request, name))
    command = [tool("systemd-analyze"), "verify", "--man=no", *map(str, tmp_path.iterdir())]
    said = subprocess.run(command, capture_output=True, text=True, check=False).stderr.splitlines()
    assert not [line for line in said if "Unknown" in line or "Invalid" in line or "gnoring" in line]


# -- the program that starts each


class Gate(BaseHTTPRequestHandler):
    """Says no, twice, and then yes; what it was asked is kept."""

    asked: list[tuple[str, str, str | None]]
    no = 2

    def log_message(self, *_: object) -> None:
        """Nothing."""

    def do_POST(self) -> None:
        self.asked.append((self.command, self.path, self.headers.get("X-Llm-Turns")))
        self.send_response(200 if len(self.asked) > self.no else 503)
        self.send_header("Content-Length", "0")
        self.end_headers()


def test_the_program_asks_until_it_has_the_card_and_holds_its_lock_as_long_as_the_model_lives(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("sk-turns\n")
    lock = tmp_path / "vllm-coder.card"
    asked: list[tuple[str, str, str | None]] = []
    with serve(type("Asked", (Gate,), {"asked": asked})) as url:
        # the model, and a process of its own, which outlives it
        model = "import subprocess, sys, time; subprocess.Popen(['sleep', '3'], close_fds=False); time.sleep(60)"
        process = subprocess.Popen(
            [sys.executable, "-I", TAKE, "vllm/coder", lock, sys.executable, "-c", model],
            env={"LLM_TURNS_KEY": str(tmp_path / "key"), "LLM_GATE_MEASURED": url,
                 "PATH": os.environ["PATH"]},
        )  # fmt: skip

        def held() -> bool:
            with lock.open() as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                except OSError:
                    return True
            return False

        until = time.monotonic() + 30
        while not (lock.exists() and held()):
            assert len(asked) <= 3
            assert time.monotonic() < until
            time.sleep(0.05)
        assert asked == [("POST", "/turns?load=vllm%2Fcoder", "sk-turns")] * 3
        time.sleep(0.5)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert held(), "a process of the model is there still, and has the card"
        while held():
            assert time.monotonic() < until
            time.sleep(0.1)


def test_the_watch_tells_of_one_that_will_not_wake_and_of_nothing_where_the_gateway_is_away(tmp_path: Path) -> None:
    machine = whole(tmp_path, node())
    told: dict[str, Any] = {"awake": "vllm", "waiting": 0, "failed": {"vllm/coder": "wake"}}

    class Measured(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Nothing."""

        def do_GET(self) -> None:
            body = json.dumps(told).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def said(url: str) -> str:
        return machine.python(
            "\nfrom llm_node import watch\n"
            f"try:\n    watch.turning({url!r})\n    print('well')\n"
            "except watch.Failure as failure:\n    print(failure.code, failure.retry, failure.message)"
        ).strip()

    with serve(Measured) as url:
        assert said(f"{url}/turns").startswith("vllm.turn-failed True vllm/coder: wake failed")
        told["failed"] = {}
        assert said(f"{url}/turns") == "well"
    assert said(f"{url}/turns") == "well"
    assert said("") == "well"


# -- the middleware; what vLLM's own app makes of it is tests/clients/test_turns_on_vllm.py


def asked(path: str, engine: Any, monkeypatch: pytest.MonkeyPatch, folder: Path) -> tuple[int, list[str]]:
    """The status that it answers, and whether it has ended the process."""
    monkeypatch.syspath_prepend(TAKE.parent)
    llm_turns = importlib.import_module("llm_turns")
    (folder / "key").write_text("sk-turns\n")
    monkeypatch.setenv("LLM_TURNS_KEY", str(folder / "key"))
    left: list[str] = []
    monkeypatch.setattr(llm_turns, "leave", lambda: left.append("left"))
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    async def story() -> None:
        scope = {
            "type": "http", "path": path, "method": llm_turns.ROUTES[path], "headers": [(b"x-llm-turns", b"sk-turns")],
            "app": SimpleNamespace(state=SimpleNamespace(engine_client=engine)),
        }  # fmt: skip
        await llm_turns.Turns(None)(scope, None, send)
        await asyncio.sleep(0.3)

    asyncio.run(story())
    return sent[0]["status"], left


class Engine:
    """One that is asleep, and does not wake as it should."""

    def __init__(self, whole: bool | None) -> None:
        self.whole = whole

    async def is_sleeping(self) -> bool:
        return True

    async def sleep(self, *_: Any) -> None:
        raise RuntimeError("Memory usage increased after sleeping.")

    async def wake_up(self, *_: Any) -> bool:
        if self.whole is None:
            raise RuntimeError("CUDA Error: out of memory")
        return self.whole


@pytest.mark.parametrize(
    ("path", "whole", "status", "left"),
    [
        ("/wake_up", True, 200, []),
        ("/wake_up", False, 500, ["left"]),
        ("/wake_up", None, 500, ["left"]),
        ("/sleep", True, 500, ["left"]),
        ("/is_sleeping", True, 200, []),
    ],
)
def test_what_is_half_awake_ends_its_process_so_that_a_whole_one_is_started(
    path: str, whole: bool | None, status: int, left: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert asked(path, Engine(whole), monkeypatch, tmp_path) == (status, left)


def test_the_process_ends_as_one_that_failed() -> None:
    """Or systemd (Restart=on-failure) would not start it again."""
    program = f"import sys; sys.path.insert(0, {str(TAKE.parent)!r}); import llm_turns; llm_turns.leave()"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 1
    assert "Restart=on-failure" in unit(node(), "coder")
