"""A real vLLM with the plug-in that holds it before it looks at its card, as the unit of a further model starts it."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from tests.bootstrap.samples import serve
from tests.clients.engine import PACKAGES, PATIENCE, can_start, engine, guessed
from tests.gateway.front import free_port

pytestmark = [pytest.mark.clients, pytest.mark.on_vllm, pytest.mark.xdist_group("vllm")]
CODE = Path(__file__).parents[2] / "templates/vllm/waits"
FLAGS = ("--served-model-name", "later", "--max-model-len", "512", "--enforce-eager", "--max-num-seqs", "4")
LOADS = "Starting to load model"


def test_it_imports_all_reads_no_weights_before_the_other_answers_and_serves_then(tmp_path: Path) -> None:
    if not can_start():
        pytest.skip("vLLM for the CPU or Python 3.13 is not there: tools/fetch boot")
    package = tmp_path / "package"
    (package / "llm_waits-1.dist-info").mkdir(parents=True)
    for name, where in {
        "llm_waits.py": "",
        "METADATA": "llm_waits-1.dist-info",
        "entry_points.txt": "llm_waits-1.dist-info",
    }.items():
        (package / where / name).write_text((CODE / name).read_text())
    ready, log = threading.Event(), tmp_path / "vllm/log"

    class Other(BaseHTTPRequestHandler):
        asked = 0

        def log_message(self, *_: Any) -> None: ...

        def do_GET(self) -> None:
            Other.asked += 1
            self.send_response(200 if ready.is_set() else 503)
            self.end_headers()

    def started(stack: ExitStack, url: str) -> None:
        more = {"PYTHONPATH": f"{PACKAGES}:{package}", "LLM_WAITS_FOR": f"{url}/health"}
        stack.enter_context(engine(log.parent, [*FLAGS], guessed(), more, port=free_port()))

    log.parent.mkdir()
    with ExitStack() as stack, serve(Other) as url, ThreadPoolExecutor(1) as pool:
        serves = pool.submit(started, stack, url)
        ended = time.monotonic() + PATIENCE
        while Other.asked < 3 and time.monotonic() < ended and not serves.done():
            time.sleep(0.5)
        held = log.read_text(errors="replace")
        assert Other.asked >= 3, held[-3000:]
        assert "Initializing a V1 LLM engine" in held
        assert LOADS not in held
        assert not serves.done()
        ready.set()
        serves.result(PATIENCE)
        assert LOADS in log.read_text(errors="replace")
