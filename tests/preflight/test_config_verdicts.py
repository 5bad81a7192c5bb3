"""Verdicts on config.json shapes that the catalogue has no row for, each by arithmetic done by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pulumi_llm.preflight.report import check
from pulumi_llm.preflight.request import FitRequest

ROOT = Path(__file__).parents[1]
FAMILIES: dict[str, dict[str, Any]] = json.loads((ROOT / "catalog/data/families.json").read_text("utf-8"))["models"]

SCOUT, CWM, MINI = "Llama-4-Scout without no_rope_layers", "cwm-32B", "MiniCPM3-4B"


@pytest.mark.parametrize(
    ("shape", "gpu", "count", "options", "errors"),
    [
        # 108.6 billion x 2 bytes / 4 = 50.6 GiB of the 71.2; at 128K 12 layers keep all, 36 the last 8,192 tokens
        (SCOUT, "H100-80GB", 4, {"max_model_len": 131072}, set()),
        # 101.2 GiB of the 71.2
        (SCOUT, "H100-80GB", 2, {"max_model_len": 8192}, {"fit.weights-exceed-vram"}),
        # 32.2 billion x 2 = 60.0 GiB; 8 x (76 MB of states + 8K x 16 KiB) = 1.6 GiB
        ("granite-4.0-h-small", "A100-80GB", 1, {"concurrency": 8}, set()),
        ("granite-4.0-h-small", "L20", 1, {}, {"fit.weights-exceed-vram"}),
        # 30.3 GiB a card; 16 layers keep 128K x 64 KiB / 2 = 4.0, 48 a window of 8K: 0.9. All of it would be 16
        (CWM, "L20", 2, {"max_model_len": 131072}, set()),
        # vLLM keeps 62 layers x 40 heads x 2 x 96 x 2 bytes = 930 KiB a token: 29.1 GiB at 32K, 7.3 at 8K, of 10.3
        (MINI, "A10", 1, {"max_model_len": 32768}, {"fit.context-too-long"}),
        (MINI, "A10", 1, {"max_model_len": 8192}, set()),
        # 6.9 billion x 2 = 12.8 GiB of the 13.1, less 1.1 of overhead
        ("OLMo-7B-hf", "T4", 1, {}, {"fit.weights-exceed-vram"}),
        # vLLM derives 32,768 for yarn with mrope_section
        ("Qwen2.5-VL-7B with yarn", "A100-80GB", 1, {"max_model_len": 65536}, {"fit.context-beyond-model"}),
        # 102.7 billion x 2 / 2 = 95.6 GiB a card; / 4 = 47.8
        ("Solar-Open-100B", "H20", 2, {}, {"fit.weights-exceed-vram"}),
        ("Solar-Open-100B", "H20", 4, {}, set()),
    ],
)
def test_the_verdict_is_that_of_arithmetic_done_by_hand(
    tmp_path: Path, shape: str, gpu: str, count: int, options: dict[str, Any], errors: set[str]
) -> None:
    (tmp_path / "config.json").write_text(json.dumps(FAMILIES[shape]["config"]))
    report = check(FitRequest(model=str(tmp_path), from_config=True, gpu=gpu, gpu_count=count, **options))
    assert {each.code for each in report.findings if each.severity == "error"} == errors


@pytest.mark.parametrize(("first", "known"), [(0, True), (10, False), (28, True)])
def test_windows_in_some_layers_of_a_qwen2_give_no_verdict_as_vllm_does_not_start(
    tmp_path: Path, first: int, known: bool
) -> None:
    """vllm 0.32.0, model_executor/models/qwen2.py; run on its CPU build on 2026-11-29."""
    config = FAMILIES["Qwen2.5-7B-1M"]["config"]
    changed = {"use_sliding_window": True, "sliding_window": 4096, "max_window_layers": first}
    for name in ("dual_chunk_attention_config", "layer_types"):
        config = {key: value for key, value in config.items() if key != name}
    (tmp_path / "config.json").write_text(json.dumps({**config, **changed}))
    report = check(FitRequest(model=str(tmp_path), from_config=True, gpu="H20"))
    assert ("fit.unknown-shape" in {each.code for each in report.findings}) is not known


PUBLISHED: dict[str, dict[str, Any]] = json.loads((ROOT / "catalog/data/published.json").read_text("utf-8"))["models"]


@pytest.mark.parametrize(
    ("model", "gpu", "count", "options", "starts"),
    [
        # max_position_embeddings of its file is 40,960 since 2025-05 (QwenLM/QwQ#26)
        ("Qwen/QwQ-32B", "H100-80GB", 4, {"max_model_len": 65536}, False),
        # on 8.6 FlashInfer alone reads an fp8 cache, and compiles its kernels with nvcc, which a node has not
        ("Qwen/Qwen3-8B", "A10", 1, {"kv_cache_dtype": "fp8"}, False),
        # 31.6 billion x 2 = 58.8 GiB; six layers keep a cache
        ("nvidia--NVIDIA-Nemotron-3-Nano-30B-A3B-BF16", "A100-80GB", 1, {}, True),
        # expert_dtype fp4: 277 billion x 0.53 and 13 GiB of the rest, 150 GiB of 251
        ("deepseek-ai--DeepSeek-V4-Flash", "H200", 2, {"max_model_len": 32768}, True),
        # sparse attention needs capability 9, 10 or 12
        ("v32awq", "A100-80GB", 8, {}, False),
        # nine layers x one head a card x 320 x 2 bytes x 256K = 1.41 GiB each: 120 are 169 GiB of 43
        ("XiaomiMiMo--MiMo-V2-Flash", "H20", 8, {"max_model_len": 262144, "concurrency": 120}, False),
        # 18.3 + 2 + 2.2 GiB of 39.9
        ("Qwen3-32B-w4a16-ct", "L20", 1, {"max_model_len": 8192}, True),
    ],
)
def test_the_verdict_on_a_published_file_is_right(
    tmp_path: Path, model: str, gpu: str, count: int, options: dict[str, Any], starts: bool
) -> None:
    asked: dict[str, Any] = {"model": model}
    if model in PUBLISHED:
        (tmp_path / "config.json").write_text(json.dumps(PUBLISHED[model]["config"]))
        asked = {"model": str(tmp_path), "from_config": True}
    assert check(FitRequest(gpu=gpu, gpu_count=count, **asked, **options)).ok == starts
