"""A booted GPU host with a model for vectors and an adapter beside its chat model, and a Weaviate that asks the former:
two real vLLMs, a model on the CPU, one gateway, a container that reaches nobody else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.boot.stack import BootedStack, booted

pytestmark = [pytest.mark.boot, pytest.mark.boot_all]

CHAT, VECTORS, TONE, CPU = "Qwen2.5-3B-Instruct", "vectors", "tone", "on-cpu"


def two_models(path: Path) -> None:
    """aliyun-t4 with a smaller model and its adapter, one for vectors beside it, and a Weaviate: on one T4."""
    document = yaml.safe_load(path.read_text())
    platform = document["config"]["pulumi-llm:platform"]
    platform["server"] |= {
        "instance_type": "ecs.gn6i-c8g1.2xlarge",  # two things more want memory
        "model": f"Qwen/{CHAT}",
        "adapters": {TONE: {"source": "acme/tone-lora", "rank": 8}},
        "models": {
            VECTORS: {"model": "Qwen/Qwen3-0.6B", "kind": "embedding", "context_length": 1024},
            CPU: {"model": "BAAI/bge-m3", "device": "cpu"},
        },
    }
    platform["server"]["keys"]["tone-alone"] = {"models": [TONE]}
    platform["vectors"] = {"vectorizer": {"model": VECTORS}}
    platform.pop("proxy")
    path.write_text(yaml.safe_dump(document))


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BootedStack]:
    with booted(tmp_path_factory.mktemp("several"), "aliyun-t4", change=two_models) as made:
        yield made


def test_the_gateway_lists_both_models_and_the_adapter(several: BootedStack) -> None:
    assert several.client("models", **several.access) == sorted([CHAT, VECTORS, TONE, CPU])
    assert several.outputs["models"] == [CHAT, CPU, VECTORS, TONE]


def test_each_model_answers_by_its_name(several: BootedStack) -> None:
    assert several.client("complete", **several.access, model=CHAT)["tokens"] == 8
    # the tiny model that stands for every id has 64 numbers for a text
    assert several.client("embed", **several.access, model=VECTORS, texts=["one", "two"]) == [64, 64]
    assert several.client("embed", **several.access, model=CPU, texts=["one", "two", "three"]) == [64, 64, 64]


def test_the_model_on_the_cpu_is_one_process_that_may_take_no_more_than_the_fit_check_counted(
    several: BootedStack,
) -> None:
    machine, unit = several.machine("server"), f"llm-vllm-{CPU}.service"
    shown = machine.inside("systemctl", "show", "-P", "MemoryMax", unit).strip()
    assert int(shown) == 5 * 2**30
    assert machine.inside("systemctl", "show", "-P", "ActiveState", unit).strip() == "active"
    assert machine.inside("systemctl", "show", "-P", "NRestarts", unit).strip() == "0"
    said = machine.inside("journalctl", "-u", unit, "-o", "cat", "--no-pager")
    assert f"{CPU}: pools by last" in said


def test_an_adapter_answers_by_its_name_and_says_something_else_than_its_model(several: BootedStack) -> None:
    model, adapter = (several.client("complete", **several.access, model=each)["content"] for each in (CHAT, TONE))
    assert adapter != model
    again = several.client("complete", **several.access, model=CHAT)["content"]
    assert again == model


def test_a_key_for_the_adapter_alone_has_neither_its_model_nor_another(several: BootedStack) -> None:
    theirs = {**several.access, "key": several.outputs["api_keys"]["tone-alone"]}
    assert several.client("models", **theirs) == [TONE]
    assert several.client("complete", **theirs, model=TONE)["tokens"] == 8


def test_the_second_model_loads_once_the_first_one_answers(several: BootedStack) -> None:
    machine = several.machine("server")
    first, second = "llm-vllm.service", f"llm-vllm-{VECTORS}.service"
    for name, expected in (("ActiveState", "active"), ("NRestarts", "0")):
        shown = [machine.inside("systemctl", "show", "-P", name, each).strip() for each in (first, second)]
        assert shown == [expected] * 2
    answers = several.first_said("server", first, "Application startup complete")
    assert several.first_said("server", second, "Starting to load model") > answers


def test_the_weights_of_all_are_on_the_disk_and_the_stages_say_so(several: BootedStack) -> None:
    machine = several.machine("server")
    kept = machine.inside("ls", "/srv/llm/models").split()
    assert sorted(kept) == [
        "BAAI--bge-m3--main",
        "Qwen--Qwen2.5-3B-Instruct--main",
        "Qwen--Qwen3-0.6B--main",
        "acme--tone-lora--main",
    ]
    told = several.client("status", **several.access)
    assert {each["stage"]: each["state"] for each in told["stages"]}["models"] == "done"
    assert told["ready"]


def test_weaviate_turns_texts_into_vectors_by_the_machines_own_model(several: BootedStack, tmp_path: Path) -> None:
    told = several.outputs["vectors_vectorizer"]
    assert told == {"module": "text2vec-openai", "model": VECTORS, "base_url": "http://gateway:4000"}
    # The tiny model that stands for every id goes by a text's last letter.
    texts = [f"the {number}. thing in the row of {letter}" for number in range(4) for letter in "abcdefghijkl"]
    access = {**several.vectors_access, "folder": str(tmp_path)}
    found = several.client("embedded", **access, name="Row", told=told, texts=texts, like="what ends with g")
    assert found["failed"] == []
    assert [each[-1] for each in found["nearest"]] == ["g"]
    assert found["dimensions"] == [64]
    used = json.loads(several.command("usage", "-s", "aliyun-t4", "--sim", "--json"))["rows"]
    row = next(each for each in used if each["key"] == "vectorizer")
    assert 2 <= row["requests"] <= 10


def test_weaviates_container_reaches_the_gateway_and_nobody_else_does_there(several: BootedStack) -> None:
    machine = several.machine("server")
    process = json.loads(machine.inside("docker", "inspect", "llm-weaviate-1"))[0]["State"]["Pid"]
    code = ("curl", "--silent", "--max-time", "5", "--output", "/dev/null", "--write-out", "%{http_code}")
    inside = ("nsenter", "--target", str(process), "--net", *code)
    assert machine.inside(*inside, "http://192.0.2.1:4000/v1/models", check=False) == "401"
    address = machine.inside("getent", "ahostsv4", "mirrors.aliyun.com").split()[0]
    assert machine.inside(*inside, f"http://{address}/ubuntu/", check=False) == "000"
    assert several.client("open_ports", address=machine.address, ports=[4000]) == []
    states = [machine.inside("systemctl", "show", "-P", "ActiveState", f"llm-weaviate-gate.{kind}").strip()
              for kind in ("socket", "service")]  # fmt: skip
    assert states == ["active", "active"]


def test_neither_port_is_open_from_outside(several: BootedStack) -> None:
    assert several.client("open_ports", address=several.machine("server").address, ports=[8000, 8011, 8012]) == []
