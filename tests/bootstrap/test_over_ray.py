"""The program that starts Ray, and vLLM over it, with a Ray and a vLLM that take no time."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.gateway.front import free_port

OVER = Path(__file__).parents[2] / "templates" / "vllm" / "over-ray"
RAY = """
import os, signal, sys, time
from pathlib import Path

here = Path(os.environ["HERE"])
folder = Path(sys.argv[1].partition("=")[2])
fails = int((here / "fails").read_text()) if (here / "fails").exists() else 0
(here / "fails").write_text(str(max(0, fails - 1)))
with (here / "ray.starts").open("a") as starts:
    starts.write(f"left={folder.exists()}\\n")
folder.mkdir()
if fails:
    sys.exit(1)
def end(*_):
    with (here / "ends").open("a") as ends:
        ends.write("Ray\\n")
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
(folder / "ray_current_cluster").write_text("x")
while not (here / "ray.dies").exists():
    time.sleep(0.02)
"""
VLLM = """
import os, signal, sys, time
from pathlib import Path

here = Path(os.environ["HERE"])
def end(*_):
    time.sleep(0.3)
    with (here / "ends").open("a") as ends:
        ends.write("vLLM\\n")
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
(here / "vllm.starts").write_text(os.environ["RAY_ADDRESS"] + " " + " ".join(sys.argv[1:]))
while not (here / "vllm.dies").exists():
    time.sleep(0.02)
sys.exit(3)
"""
MODULE = """
import os
from pathlib import Path

def init(address, **more):
    assert address == os.environ["RAY_ADDRESS"]

def nodes():
    return [{"Alive": word == "yes"} for word in (Path(os.environ["HERE"]) / "nodes").read_text().split()]
"""


class Machine:
    """One on which everything is played but the program itself."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        (folder / "modules").mkdir()
        (folder / "modules" / "ray.py").write_text(MODULE)
        for name, code in (("ray", RAY), ("vllm", VLLM)):
            (folder / name).write_text(f"#!{sys.executable}\n{textwrap.dedent(code)}")
            (folder / name).chmod(0o755)
        (folder / "nodes").write_text("yes yes")

    def start(self, *, first: bool = True, count: int = 2) -> None:
        ray = [str(self.folder / "ray"), f"--temp-dir={self.folder / 'session'}"]
        vllm = ["--", str(self.folder / "vllm"), "serve", "--", "model"] if first else []
        self.process = subprocess.Popen(
            [sys.executable, str(OVER), f"127.0.0.1:{self.port}", str(count), *ray, *vllm],
            env={**os.environ, "HERE": str(self.folder), "PYTHONPATH": str(self.folder / "modules")},
            stderr=(self.folder / "log").open("wb"),
            start_new_session=True,
        )

    def read(self, name: str) -> str:
        file = self.folder / name
        return file.read_text() if file.exists() else ""

    def until(self, what: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 30
        while not what():
            assert time.monotonic() < deadline, self.read("log")
            time.sleep(0.02)

    def ended(self) -> int:
        return self.process.wait(30)


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    made = Machine(tmp_path)
    yield made
    if made.process.poll() is None:
        os.killpg(made.process.pid, signal.SIGKILL)
        made.process.wait()


def test_vllm_starts_when_all_machines_have_joined_and_is_told_where_ray_is(machine: Machine) -> None:
    (machine.folder / "nodes").write_text("yes no")
    machine.start()
    machine.until(lambda: bool(machine.read("ray.starts")))
    time.sleep(1)
    assert not machine.read("vllm.starts")
    (machine.folder / "nodes").write_text("yes yes")
    machine.until(lambda: bool(machine.read("vllm.starts")))
    # What follows the first `--` is vLLM's, another one among it.
    assert machine.read("vllm.starts") == f"127.0.0.1:{machine.port} serve -- model"


def test_a_ray_that_does_not_come_up_is_started_again_on_a_clean_folder_and_not_for_ever(machine: Machine) -> None:
    (machine.folder / "fails").write_text("2")
    machine.start()
    machine.until(lambda: bool(machine.read("vllm.starts")))
    assert machine.read("ray.starts").splitlines() == ["left=False"] * 3
    machine.process.terminate()
    assert machine.ended() == 0
    (machine.folder / "vllm.starts").unlink()
    (machine.folder / "fails").write_text("99")
    machine.start()
    assert machine.ended() == 1
    assert "Ray does not start" in machine.read("log")
    assert not machine.read("vllm.starts")


def test_whichever_ends_by_itself_takes_the_other_with_it(machine: Machine) -> None:
    for name, other in (("vllm", "Ray"), ("ray", "vLLM")):
        machine.start()
        machine.until(lambda: bool(machine.read("vllm.starts")))
        (machine.folder / f"{name}.dies").touch()
        assert machine.ended() == 1
        assert f"{'vLLM' if name == 'vllm' else 'Ray'} ended by itself" in machine.read("log")
        assert machine.read("ends").splitlines() == [other]
        for each in ("ends", "vllm.starts", f"{name}.dies"):
            (machine.folder / each).unlink()


def test_vllm_ends_what_it_answers_before_ray_is_ended(machine: Machine) -> None:
    machine.start()
    machine.until(lambda: bool(machine.read("vllm.starts")))
    machine.process.terminate()
    assert machine.ended() == 0
    assert machine.read("ends").splitlines() == ["vLLM", "Ray"]


def test_a_further_machine_waits_for_the_first_ones_ray_and_starts_no_vllm(machine: Machine) -> None:
    machine.start(first=False)
    time.sleep(1.5)
    assert not machine.read("ray.starts")
    with socket.create_server(("127.0.0.1", machine.port)):
        machine.until(lambda: bool(machine.read("ray.starts")))
    time.sleep(0.5)
    assert machine.process.poll() is None
    assert not machine.read("vllm.starts")
    machine.process.terminate()
    assert machine.ended() == 0
    assert machine.read("ends").splitlines() == ["Ray"]
