"""Every class of models in the pinned vLLM's registry is read, or it is said why not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.catalog.test_shapes import CASES

from pulumi_llm import catalog
from pulumi_llm.errors import Refusal
from pulumi_llm.preflight import cache
from pulumi_llm.preflight.rules_model import architectures

DATA = Path(__file__).parent / "data/served.json"
ROWS: dict[str, dict[str, Any]] = json.loads(DATA.read_text(encoding="utf-8"))["classes"]
READ = {name: row for name, row in ROWS.items() if "refused" not in row}
COUNTED = {name: row for name, row in READ.items() if "parameters" in row}
CACHED = {name: row for name, row in READ.items() if "cache" in row}
NAMED = {row["config"]["architectures"][0] for row in CASES.values() if row["config"].get("architectures")}
"""Those that a shape of the other files is of, which are held against an oracle there."""


def described(folder: Path, config: object) -> catalog.Model:
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return catalog.model_from_config(folder)


def test_every_class_that_the_pinned_release_serves_is_tried() -> None:
    tried = {name.removesuffix("-2") for name in ROWS}
    assert set(architectures().text) - NAMED <= tried <= set(architectures().text)


@pytest.mark.parametrize("name", READ)
def test_a_class_of_the_release_is_read(tmp_path: Path, name: str) -> None:
    model = described(tmp_path, READ[name]["config"])
    assert model.unknown_shape is None
    assert model.kept
    assert model.max_context


@pytest.mark.parametrize("name", [name for name, row in ROWS.items() if "refused" in row])
def test_of_a_class_that_is_not_understood_nothing_is_said(tmp_path: Path, name: str) -> None:
    try:
        model = described(tmp_path, ROWS[name]["config"])
    except Refusal:
        return
    assert model.unknown_shape is not None
    assert model.parameters_b is None


@pytest.mark.parametrize("name", COUNTED)
def test_its_parameters_are_those_that_the_engine_makes(tmp_path: Path, name: str) -> None:
    model = described(tmp_path, COUNTED[name]["config"])
    assert model.parameters_b == pytest.approx(COUNTED[name]["parameters"] / 1e9, rel=0.01)


@pytest.mark.parametrize("name", CACHED)
def test_a_request_keeps_what_the_engine_keeps(tmp_path: Path, name: str) -> None:
    model = described(tmp_path, CACHED[name]["config"])
    found, said = cache.footprint(model, 1), CACHED[name]["cache"]
    assert found is not None
    for tokens in (8 * 1024, 32 * 1024, 128 * 1024):
        wanted = said["full_bytes_per_token"] * tokens + said["state_bytes_per_sequence"]
        wanted += sum(min(tokens, each["window_tokens"]) * each["bytes_per_token"] for each in said["windowed"])
        ours = found.state_bytes + sum(min(tokens, each.window or tokens) * each.bytes for each in found.kept)
        assert ours == pytest.approx(wanted, rel=0.05)
    assert (model.served_context or model.max_context) == said["max_model_len"]


PART = [
    name
    for name, row in READ.items()
    if "part" in row
    and "model_type" in row["config"][row["part"]]
    and row["config"]["model_type"] not in ("minimax_m3_vl", "kimi_vl")  # they give their part defaults of their own
]


@pytest.mark.parametrize("name", PART)
def test_a_class_that_wraps_another_is_read_by_what_it_wraps(tmp_path: Path, name: str) -> None:
    whole, part = READ[name]["config"], READ[name]["part"]
    inner = described(tmp_path, whole[part])
    assert described(tmp_path, whole).parameters_b == pytest.approx(inner.parameters_b or 0, rel=0.001)


QWEN4 = 10 * (2 * 2 * 256 * 2 + 256 / 16), 30 * (8192 * 3 * 2 + 32 * 128 * 128 * 2)
GLM5 = 11 * (512 * 2 + 132 / 16), 34 * (3 * 64 * 128 * 3 * 2 + 64 * 128 * 128 * 4)
INKLING = 11 * 8 * 2 * 128 * 2.0, {512: 55 * 16 * 2 * 128 * 2.0, 4: (55 * 16 * 1024 + 11 * 8 * 2048) * 2.0}
FROM_SOURCE: dict[str, tuple[float, dict[int, float], int]] = {
    # Bytes per token without a window, those of windows, and the state, of classes that no CPU builds. vllm 0.32.0:
    # qwen4_exp/nvidia/qsa.py and common/qsa_cache.py (10 layers of 2 heads of 256; a key of 128 for 16 tokens),
    # nvidia/ple_layer.py (one convolution of 9 over 4 streams), mamba_utils.py (30 layers of 32 heads of 128 x 128).
    "Qwen4ExpForConditionalGeneration": (QWEN4[0], {}, QWEN4[1]),
    "Qwen4ExpForCausalLM": (QWEN4[0], {}, QWEN4[1] + 2 * 9 * 4 * 2048 * 2),
    # glm5next/common/attention.py: 11 layers of one vector of 512, and an index of 132 bytes for 16 tokens; kda.py.
    "Glm5NextForConditionalGeneration": (GLM5[0], {}, GLM5[1]),
    # inkling/nvidia/attention.py and sconv_swa_attn.py: 55 of 66 layers see 512 tokens with 16 heads of 128; four
    # convolutions of 4 taps, packed into 1024 numbers for each of 16 heads, or 2048 for each of 8.
    "InklingForConditionalGeneration": (*INKLING, 0),
}


@pytest.mark.parametrize("name", FROM_SOURCE)
def test_what_no_cpu_builds_keeps_what_the_source_says(tmp_path: Path, name: str) -> None:
    found = cache.footprint(described(tmp_path, READ[name]["config"]), 1)
    assert found is not None
    full, windows, state = FROM_SOURCE[name]
    assert sum(each.bytes for each in found.kept if each.window is None) == pytest.approx(full)
    assert {each.window: each.bytes for each in found.kept if each.window} == windows
    assert found.state_bytes == state


def test_a_published_file_of_zamba2_is_as_large_as_its_publisher_says(tmp_path: Path) -> None:
    """Zyphra/Zamba2-7B, in its first form of 2024: 7.4 billion parameters, by its model card."""
    config = {
        "architectures": ["Zamba2ForCausalLM"],
        "model_type": "zamba2",
        "hidden_size": 3584,
        "num_hidden_layers": 81,
        "num_attention_heads": 32,
        "num_key_value_heads": 32,
        "num_mem_blocks": 2,
        "n_mamba_heads": 112,
        "mamba_headdim": 64,
        "mamba_ngroups": 2,
        "lora_rank": 128,
        "kv_channels": 112,
        "ffn_hidden_size": 14336,
        "max_position_embeddings": 4096,
        "layers_block_type": ["mamba"] * 6
        + ["hybrid"]
        + (["mamba"] * 4 + ["hybrid"])
        + (["mamba"] * 5 + ["hybrid"]) * 11
        + ["mamba"] * 3,
        "use_mem_rope": True,
        "use_shared_attention_lora": False,
        "vocab_size": 32000,
    }
    model = described(tmp_path, config)
    assert model.unknown_shape is None
    assert model.parameters_b == pytest.approx(7.4, rel=0.02)
