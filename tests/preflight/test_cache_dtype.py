"""A model's own file may say that its cache is kept in fp8: vLLM heeds that where nobody asks for another."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pulumi_llm import catalog
from pulumi_llm.preflight.report import Report, check
from pulumi_llm.preflight.request import FitRequest

SHAPE = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "max_position_embeddings": 131072,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "num_hidden_layers": 32,
    "vocab_size": 128256,
}
STATIC = {"dynamic": False, "num_bits": 8, "type": "float"}
MODELOPT = {"quant_method": "modelopt", "quant_algo": "FP8"}
GROUPS = {"group_0": {"targets": ["Linear"], "weights": {"num_bits": 8, "type": "float"}}}
SAID: list[tuple[dict[str, Any], str | None]] = [
    # As vllm 0.32.0 answers: utils/torch_utils.py, get_kv_cache_quant_algo_string, asked on 2026-11-28; of
    # compressed-tensors, layers/attention/attention.py (kv_cache_scheme).
    (MODELOPT, None),
    ({**MODELOPT, "kv_cache_scheme": STATIC}, "fp8"),
    ({**MODELOPT, "kv_cache_scheme": {**STATIC, "dynamic": True}}, None),
    ({**MODELOPT, "kv_cache_scheme": {**STATIC, "type": "int"}}, None),
    ({**MODELOPT, "kv_cache_quant_algo": "FP8"}, "fp8"),
    ({**MODELOPT, "kv_cache_quant_algo": "INT8"}, None),
    ({**MODELOPT, "kv_cache_scheme": None}, None),
    ({"quant_method": "fp8", "kv_cache_scheme": STATIC}, None),
    ({"quant_method": "compressed-tensors", "config_groups": GROUPS, "kv_cache_scheme": STATIC}, "fp8"),
    ({"quant_method": "compressed-tensors", "config_groups": GROUPS, "kv_cache_scheme": None}, None),
]


@pytest.mark.parametrize(("block", "kept"), SAID)
def test_what_a_file_says_of_the_cache_is_read_as_vllm_reads_it(
    tmp_path: Path, block: dict[str, Any], kept: str | None
) -> None:
    (tmp_path / "config.json").write_text(json.dumps({**SHAPE, "quantization_config": block}), encoding="utf-8")
    assert catalog.model_from_config(tmp_path).cache_dtype == kept


def test_a_file_beside_the_config_says_it_too(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(SHAPE), encoding="utf-8")
    beside = {"producer": {"name": "modelopt"}, "quantization": {"quant_algo": "FP8", "kv_cache_quant_algo": "FP8"}}
    (tmp_path / "hf_quant_config.json").write_text(json.dumps(beside), encoding="utf-8")
    assert catalog.model_from_config(tmp_path).cache_dtype == "fp8"


def test_a_cache_in_four_bit_gives_no_figure(tmp_path: Path) -> None:
    block = {**MODELOPT, "kv_cache_quant_algo": "NVFP4"}
    (tmp_path / "config.json").write_text(json.dumps({**SHAPE, "quantization_config": block}), encoding="utf-8")
    assert "nvfp4" in (catalog.model_from_config(tmp_path).unknown_shape or "")


def on(folder: Path, gpu: str, *flags: str, kv_cache_dtype: str = "auto", said: bool = True) -> Report:
    block = {**MODELOPT, "kv_cache_scheme": STATIC if said else None}
    (folder / "config.json").write_text(json.dumps({**SHAPE, "quantization_config": block}), encoding="utf-8")
    return check(
        FitRequest(
            model=str(folder),
            from_config=True,
            gpu=gpu,
            max_model_len=8192,
            kv_cache_dtype=kv_cache_dtype,
            extra_args=flags,
        )
    )


def per_token(report: Report) -> float:
    assert report.case.memory is not None
    return report.case.memory.need_gib


def test_a_cache_that_the_file_asks_for_in_fp8_is_half_as_large(tmp_path: Path) -> None:
    plain = per_token(on(tmp_path, "L20", said=False))
    assert per_token(on(tmp_path, "L20")) == pytest.approx(plain / 2)
    assert per_token(on(tmp_path, "L20", "--kv-cache-dtype", "bfloat16")) == pytest.approx(plain)
    assert per_token(on(tmp_path, "L20", kv_cache_dtype="fp8", said=False)) == pytest.approx(plain / 2)
    assert per_token(on(tmp_path, "L20", "--kv-cache-dtype", "fp8", said=False)) == pytest.approx(plain / 2)


def refused(report: Report) -> list[str]:
    return [each.hint for each in report.findings if each.code == "fit.kv-cache-needs-capability"]


def test_where_no_kernel_reads_it_the_setting_that_turns_it_off_is_named_and_works(tmp_path: Path) -> None:
    (hint,) = refused(on(tmp_path, "A10"))
    assert "kv_cache_dtype: bfloat16" in hint
    assert not refused(on(tmp_path, "A10", "--kv-cache-dtype", "bfloat16"))
    assert not refused(on(tmp_path, "A10", kv_cache_dtype="bfloat16"))
    assert per_token(on(tmp_path, "L20", kv_cache_dtype="bfloat16")) == per_token(on(tmp_path, "L20", said=False))
    assert "kv_cache_dtype: float16" in refused(on(tmp_path, "T4"))[0]
    assert refused(on(tmp_path, "A10", "--kv-cache-dtype", "fp8", said=False))
    assert not refused(on(tmp_path, "L20"))
