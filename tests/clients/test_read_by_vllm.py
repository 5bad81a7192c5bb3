"""What clients say, as the gateway sends it on, is read by vLLM's own request models, and none of it passed over."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.clients.engine import PACKAGES, python_313
from tests.clients.test_replayed import KEPT, replay
from tests.clients.upstream import Upstream
from tests.gateway.harness import Home
from tests.gateway.test_endpoints import JSON

pytestmark = pytest.mark.clients
PASSED_OVER = {"/v1/embeddings": {"user"}}
"""What vLLM has no field for and says nothing about, and what does no harm so."""


async def test_vllm_reads_whatever_is_sent_on_to_it(tmp_path: Path) -> None:
    python = python_313()
    if python is None or not PACKAGES.exists():
        pytest.skip("vLLM for the CPU or Python 3.13 is not there: tools/fetch boot")
    bodies: list[dict[str, Any]] = [
        {"path": path, "body": {"model": "plain", **body}} for path, (body, _) in JSON.items()
    ]
    for path in KEPT:
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["kind"] != "vllm":
            continue
        async with Upstream() as fake:
            home = Home(tmp_path / path.parent.name / path.stem).key().routes(fake.url, kind="vllm")
            async with home.here() as gate, aiohttp.ClientSession() as client:
                for each in document["exchanges"]:
                    if not each["answer"].get("hung_up"):
                        await replay(client, gate.url, fake, each)
            bodies += [{"path": each.path, "body": each.body} for each in fake.seen]
    script = Path(__file__).parent / "scripts" / "vllm_reads.py"
    ran = subprocess.run(
        [python, script], input=json.dumps(bodies), capture_output=True, text=True, cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(PACKAGES), "VLLM_LOGGING_LEVEL": "ERROR", "HOME": str(tmp_path)},
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr[-3000:]
    said = json.loads(ran.stdout.splitlines()[-1])
    assert len(said) == len(bodies) > 40
    assert [each["wrong"] for each in said if each["wrong"]] == []
    extra = {(each["path"], name) for each in said for name in each["extra"]}
    assert {each for each in extra if each[1] not in PASSED_OVER.get(each[0], ())} == set()
