"""Adapters served by a real vLLM, started with the command line that a node has, from files as PEFT writes them."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from llm_boot import adapter
from pulumi_llm.preflight import served_adapters
from pulumi_llm.roles.requests import Adapter, VllmRole
from pulumi_llm.roles.vllm_flags import model_path, vllm_arguments
from pulumi_llm.spec import ServerSpec, parse
from tests.clients.engine import PACKAGES, can_start, engine, python_313
from tests.node_library import importable, laid_out

pytestmark = [pytest.mark.clients, pytest.mark.on_vllm, pytest.mark.xdist_group("vllm")]


@dataclass
class Served:
    """A server with two adapters: one that changes nothing, and one that changes much."""

    url: str

    def asked(self, path: str, **body: Any) -> Any:
        request = urllib.request.Request(f"{self.url}{path}", json.dumps(body).encode() if body else None)
        request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request, timeout=120) as reply:
            return json.loads(reply.read())

    def says(self, name: str) -> str:
        asked = self.asked("/v1/completions", model=name, prompt="Say something", max_tokens=12, temperature=0, seed=1)
        return str(asked["choices"][0]["text"])


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    if not can_start():
        pytest.skip("vLLM for the CPU or Python 3.13 is not there: tools/fetch boot")
    folder = tmp_path_factory.mktemp("adapters")
    wanted = parse(ServerSpec, {
        "cloud": "aws", "region": "us-east-1", "gpu": "T4", "model": "01-ai/Yi-6B-Chat",
        "adapters": {name: {"source": f"acme/{name}", "rank": adapter.RANK} for name in ("none", "much")},
    })  # fmt: skip
    adapters = tuple(Adapter(name=name, model_id=each.source) for name, each in wanted.adapters.items())
    role = VllmRole(model_id="acme/tiny", served_name="tiny", adapters=adapters, slots=served_adapters.slots(wanted))
    for each, size in zip(adapters, (0.0, 2.0), strict=True):
        place = folder / Path(model_path(each)).name
        place.mkdir()
        for name, content in adapter.files(7, size).items():
            (place / name).write_bytes(content)
    # Of the node's command line what is about adapters; its folder is here.
    arguments = [each.replace("/srv/llm/models", str(folder)) for each in vllm_arguments(role)]
    start = arguments.index("--enable-lora")
    end = next(
        place for place in range(arguments.index("--lora-modules") + 1, len(arguments)) if arguments[place][:1] == "-"
    )
    flags = ("--served-model-name", "tiny", "--max-model-len", "512", "--enforce-eager", *arguments[start:end])
    with engine(folder, flags) as url:
        yield Served(url)


SAID = (
    {},
    {"use_rslora": True, "init_lora_weights": True, "modules_to_save": None, "layer_replication": None},
    {"init_lora_weights": "gaussian"}, {"init_lora_weights": "EVA"}, {"modules_to_save": ["score"]},
    {"rank_pattern": {"q_proj": 16}}, {"rank_pattern": {"q_proj": 17}}, {"r": 16}, {"r": 17},
    {"use_dora": True}, {"lora_bias": True}, {"bias": "lora_only"}, {"modules_to_save": ["score", "lm_head"]},
    {"init_lora_weights": "pissa"}, {"init_lora_weights": "loftq"}, {"init_lora_weights": "olora"},
    {"alora_invocation_tokens": [1]}, {"layer_replication": [[0, 1]]}, {"use_bdlora": {"a": 1}}, {"use_qalora": True},
)  # fmt: skip
"""What files of adapters may say besides the least, of slots of the rank 16."""
JUDGED = """
import json, sys
from types import SimpleNamespace
from vllm.lora.peft_helper import PEFTHelper

def taken(said):
    try:
        PEFTHelper.from_dict(said).validate_legal(SimpleNamespace(max_lora_rank=16))
    except ValueError:
        return False
    return True

print(json.dumps([taken(each) for each in json.load(sys.stdin)]))
"""


def test_a_node_refuses_of_an_adapters_file_what_vllm_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python = python_313()
    if not can_start() or python is None:
        pytest.skip("vLLM for the CPU or Python 3.13 is not there: tools/fetch boot")
    said = [{"r": 8, "lora_alpha": 16, "target_modules": ["q_proj"], **each} for each in SAID]
    environment = {**os.environ, "PYTHONPATH": str(PACKAGES)}
    judged = subprocess.run(
        [python, "-c", JUDGED], input=json.dumps(said), env=environment, capture_output=True, text=True, timeout=300
    )
    assert judged.returncode == 0, judged.stderr[-2000:]
    importable(laid_out(tmp_path / "node", "vllm"), monkeypatch)
    models, system = (importlib.import_module(f"llm_node.{each}") for each in ("models", "system"))
    monkeypatch.setattr(system, "ROOT", tmp_path)
    (tmp_path / "adapter_model.safetensors").touch()
    verdicts = []
    for each in said:
        (tmp_path / "adapter_config.json").write_text(json.dumps(each))
        try:
            models.fits({"path": "/", "adapter": {"name": "a", "bases": [], "rank": 16}})
        except system.Failure:
            verdicts.append(False)
        else:
            verdicts.append(True)
    taken = json.loads(judged.stdout.splitlines()[-1])
    assert {True, False} == set(taken)
    assert [each for each, ours, theirs in zip(SAID, verdicts, taken, strict=True) if ours != theirs] == []


def test_each_adapter_is_a_model_of_its_own_name_beside_the_model(served: Served) -> None:
    listed = {each["id"]: each.get("parent") for each in served.asked("/v1/models")["data"]}
    assert set(listed) == {"tiny", "none", "much"}
    assert listed["none"] == listed["much"] == "tiny"


def test_one_that_changes_nothing_says_what_the_model_says_and_another_one_does_not(served: Served) -> None:
    plain = served.says("tiny")
    assert plain
    assert served.says("none") == plain
    assert served.says("much") != plain
    assert served.says("tiny") == plain


def test_the_slots_that_vllm_makes_are_those_that_were_asked_for(served: Served) -> None:
    with urllib.request.urlopen(f"{served.url}/metrics", timeout=60) as reply:
        rows = [line for line in reply.read().decode().splitlines() if line.startswith("vllm:lora_requests_info")]
    assert all('max_lora="2"' in each for each in rows)
    assert rows
