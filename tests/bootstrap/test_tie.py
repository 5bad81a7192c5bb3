"""The program that ties one model's engines on several machines together, with engines that take no time."""

from __future__ import annotations

import contextlib
import http.server
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.front import free_port

TIE = Path(__file__).parents[2] / "templates" / "vllm" / "tie"
ENGINE = "import os, sys, time; open(sys.argv[1], 'a').write(os.environ['VLLM_HOST_IP'] + '\\n'); time.sleep(600)"
PAUSE = 0.1


class Machines:
    """Machines on one: each has a loopback address, a file of its state, and one of the starts of its engine."""

    def __init__(self, folder: Path, count: int) -> None:
        self.folder, self.count, self.port = folder, count, free_port()
        self.addresses = [f"127.0.0.{10 + rank}" for rank in range(count)]
        self.health = free_port()
        self.running: dict[int, subprocess.Popen[bytes]] = {}

    def start(self, rank: int, word: str = "same", engine: str = ENGINE) -> None:
        (self.folder / f"{rank}.json").unlink(missing_ok=True)
        command = [sys.executable, "-I", "-c", engine, str(self.folder / f"{rank}.starts")]
        health = f"http://127.0.0.1:{self.health}/health"
        self.running[rank] = subprocess.Popen(
            [sys.executable, "-I", TIE, str(rank), ",".join(self.addresses), str(self.port), word, health, *command],
            env={**os.environ, "LLM_TIE_STATE": str(self.folder / f"{rank}.json"), "LLM_TIE_PAUSE": str(PAUSE)},
            stderr=(self.folder / f"{rank}.log").open("ab"),
            start_new_session=True,
        )

    def starts(self, rank: int) -> int:
        file = self.folder / f"{rank}.starts"
        return len(file.read_text().splitlines()) if file.exists() else 0

    def code(self, rank: int) -> str | None:
        try:
            told: dict[str, Any] = json.loads((self.folder / f"{rank}.json").read_text())
        except OSError:
            return None
        return str(told["code"])

    def message(self, rank: int) -> str:
        return str(json.loads((self.folder / f"{rank}.json").read_text())["message"])

    def kill(self, rank: int) -> None:
        """As a machine goes that loses its power: engine and all, without a word."""
        for each in children(self.running[rank].pid):
            os.kill(each, signal.SIGKILL)
        self.running[rank].kill()
        self.running[rank].wait()


def children(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def until(what: Callable[[], bool], why: Callable[[], object] = lambda: "") -> None:
    deadline = time.monotonic() + 20
    while not what():
        assert time.monotonic() < deadline, why()
        time.sleep(0.02)


@pytest.fixture
def three(tmp_path: Path) -> Iterator[Machines]:
    machines = Machines(tmp_path, 3)
    yield machines
    for each in machines.running.values():
        if each.poll() is None:
            each.terminate()
            each.wait(20)


@pytest.fixture
def serving(three: Machines) -> Iterator[Machines]:
    """Three whose first one's API answers."""

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()

        def log_message(self, *__: Any) -> None: ...

    server = http.server.ThreadingHTTPServer(("127.0.0.1", three.health), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for rank in range(3):
        three.start(rank)
    until(lambda: all(three.code(rank) == "" and three.starts(rank) == 1 for rank in range(3)))
    yield three
    server.shutdown()
    server.server_close()


def test_no_engine_starts_before_all_machines_are_there_and_who_is_missing_is_named(three: Machines) -> None:
    three.start(0)
    three.start(1)
    until(lambda: three.code(0) == "node-lost")
    until(lambda: three.message(0).endswith("node 3 (127.0.0.12)"), lambda: three.message(0))
    until(lambda: "127.0.0.11" not in three.message(0), lambda: three.message(0))
    until(lambda: three.code(1) == "node-lost")
    assert [three.starts(rank) for rank in range(3)] == [0, 0, 0]
    three.start(2)
    until(lambda: all(three.starts(rank) == 1 for rank in range(3)))
    until(lambda: all(three.code(rank) == "loading" for rank in range(3)))


def test_the_others_may_come_before_the_first(three: Machines) -> None:
    for rank in (2, 1, 0):
        three.start(rank)
        time.sleep(0.3)
    until(lambda: all(three.starts(rank) == 1 for rank in range(3)))


def test_all_are_well_once_the_first_ones_api_answers(serving: Machines) -> None:
    assert [serving.starts(rank) for rank in range(3)] == [1, 1, 1]


def test_an_engine_is_told_the_private_address_of_its_machine(serving: Machines) -> None:
    told = [(serving.folder / f"{rank}.starts").read_text().strip() for rank in range(3)]
    assert told == serving.addresses


@pytest.mark.parametrize("gone", [0, 2])
def test_a_machine_that_goes_ends_all_engines_and_they_start_together_when_it_is_back(
    serving: Machines, gone: int
) -> None:
    rest = [rank for rank in range(3) if rank != gone]
    engines = {rank: children(serving.running[rank].pid) for rank in rest}
    serving.kill(gone)
    until(lambda: all(serving.code(rank) == "node-lost" for rank in rest))
    until(lambda: not any(Path(f"/proc/{each}").exists() for found in engines.values() for each in found))
    assert f"node {gone + 1}" in serving.message(rest[0])
    assert all(serving.running[rank].poll() is None for rank in rest)  # they wait; systemd counts no crash
    serving.start(gone)
    until(lambda: all(serving.starts(rank) == 2 for rank in range(3)))
    until(lambda: all(serving.code(rank) == "" for rank in range(3)))


def test_a_machine_that_freezes_without_a_word_is_taken_for_lost(serving: Machines) -> None:
    os.kill(serving.running[1].pid, signal.SIGSTOP)
    until(lambda: serving.code(0) == "node-lost")
    assert "has said nothing" in serving.message(0) or "not there" in serving.message(0)
    os.kill(serving.running[1].pid, signal.SIGCONT)
    until(lambda: all(serving.starts(rank) == 2 for rank in range(3)))


def test_an_engine_that_ends_by_itself_ends_all_and_each_says_whose_it_was(three: Machines) -> None:
    three.start(0)
    three.start(1, engine=ENGINE.replace("time.sleep(600)", "time.sleep(1); sys.exit(3)"))
    three.start(2)
    until(lambda: all(each.poll() not in (None, 0) for each in three.running.values()))
    said = [(three.folder / f"{rank}.log").read_text() for rank in range(3)]
    assert all("the engine of node 2 ended by itself (exit 3)" in each for each in said)
    assert ["other node:" in each for each in said] == [True, False, True]


def test_machines_that_are_told_different_models_start_none(three: Machines) -> None:
    three.start(0)
    three.start(1)
    three.start(2, word="other")
    until(lambda: three.code(0) == "nodes-differ" and three.code(2) == "nodes-differ")
    assert "node 3" in three.message(0)
    assert [three.starts(rank) for rank in range(3)] == [0, 0, 0]


def test_an_end_that_systemd_asks_for_ends_the_engine_and_is_no_failure(serving: Machines) -> None:
    engine = children(serving.running[0].pid)
    serving.running[0].terminate()
    assert serving.running[0].wait(20) == 0
    assert not any(Path(f"/proc/{each}").exists() for each in engine)
    until(lambda: serving.code(1) == "node-lost")


def test_nobody_else_is_listened_to(three: Machines) -> None:
    three.start(0)
    until(lambda: three.code(0) == "node-lost")
    with socket.create_connection((three.addresses[0], three.port), source_address=("127.0.0.99", 0)) as stranger:
        stranger.settimeout(5)
        with contextlib.suppress(ConnectionError):
            stranger.sendall(json.dumps({"word": "same"}).encode() + b"\n")
            assert stranger.recv(100) == b""
    assert three.starts(0) == 0
