"""Accelerators that NVIDIA does not make: refused by name, with what exists for them elsewhere."""

import json

import pytest

from pulumi_llm import catalog
from pulumi_llm.catalog import accelerators
from pulumi_llm.errors import Refusal, UnknownName

DATA = catalog.load()
CONTENT = json.loads(accelerators.DATA.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("name", "title", "where"),
    [
        ("Ascend-910B", "a Huawei Ascend NPU", "vllm-ascend"),
        ("Huawei Ascend 910C", "a Huawei Ascend NPU", "vllm-ascend"),
        ("910B", "a Huawei Ascend NPU", "vllm-ascend"),
        ("TPU v5p", "a Google TPU", "tpu-inference"),
        ("google-tpu-v4", "a Google TPU", "tpu-inference"),
        ("v5litepod-8", "a Google TPU", "tpu-inference"),
        ("LPU", "a Groq LPU", "by an API"),
        ("Groq LPU", "a Groq LPU", "by an API"),
        ("AMD Instinct MI300X", "an AMD GPU", "ROCm"),
        ("Gaudi 3", "an Intel Gaudi", "vllm-gaudi"),
        ("Trainium2", "an AWS Inferentia or Trainium", "Neuron"),
        ("MLU370", "a Cambricon MLU", "vllm-mlu"),
    ],
)
def test_an_accelerator_that_is_none_of_nvidias_is_refused_with_what_exists_elsewhere(
    name: str, title: str, where: str
) -> None:
    with pytest.raises(Refusal) as refused:
        DATA.gpu(name)
    (found,) = refused.value.findings
    assert found.code == "catalog.not-nvidia"
    assert f"{name!r} is {title}" in found.message
    assert "NVIDIA" in found.message
    assert where in found.hint
    assert "pulumi-llm offers" in found.hint


@pytest.mark.parametrize("name", ["T44", "zzz", "A100-80G8", "L41", "V1000", "B900"])
def test_any_other_unknown_name_is_an_unknown_gpu(name: str) -> None:
    with pytest.raises(UnknownName) as refused:
        DATA.gpu(name)
    assert refused.value.findings[0].code == "catalog.unknown-gpu"


def test_no_gpu_of_the_catalogue_is_taken_for_another_makers() -> None:
    for gpu in DATA.gpus.values():
        if gpu.tpu:
            continue  # found among the GPUs before anybody looks there
        for written in (gpu.name, *gpu.aliases):
            accelerators.refuse_accelerator(written)  # refuses nothing


def test_each_row_names_its_source_with_a_date() -> None:
    for row in CONTENT["rows"]:
        source = CONTENT["sources"][row["source"]]
        assert source["title"]
        assert source["date"]
    assert {row["source"] for row in CONTENT["rows"]} == set(CONTENT["sources"])
