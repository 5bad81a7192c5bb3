"""What a way of storing weights runs in is on the nodes, or the check says that it is not."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pulumi_llm import _nodes
from pulumi_llm._resolve import resolve_platform
from pulumi_llm.preflight.engine import engine
from pulumi_llm.preflight.report import check
from pulumi_llm.preflight.request import FitRequest
from pulumi_llm.roles.vllm_flags import serving_arguments

ROOT = Path(__file__).parents[2]
LOCK = {
    re.sub(r"[-_.]+", "-", name.lower())
    for name in re.findall(r"^([A-Za-z0-9._-]+)==", (ROOT / "templates/locks/vllm.txt").read_text(), re.MULTILINE)
}
IMPORTED = {
    # What vllm 0.32.0 imports for a method beyond its own kernels, and where (read 2026-11-28). gptq, awq, inc, fp8,
    # fbgemm_fp8, modelopt, nvfp4, mxfp8, mxfp4 and quark (fp8, int8, fp4 by Marlin) run in kernels of its own.
    "compressed-tensors": "compressed-tensors",  # quantization/compressed_tensors/compressed_tensors.py
    "torchao": "torchao",  # quantization/torchao.py, from_config
}
SHAPE: dict[str, Any] = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "max_position_embeddings": 8192,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "num_hidden_layers": 32,
    "vocab_size": 128256,
}


def test_a_package_is_said_to_be_missing_where_the_lock_of_the_nodes_has_none() -> None:
    missing = {name: row.package for name, row in engine().quantizations.items() if row.package is not None}
    assert missing == {name: package for name, package in IMPORTED.items() if package not in LOCK}


@pytest.mark.parametrize(
    ("block", "missing"),
    [
        ({"quant_method": "torchao", "quant_type": {"default": {"_type": "Int4WeightOnlyConfig"}}}, True),
        ({"quant_method": "torchao", "quant_type": "float8_weight_only"}, True),
        ({"quant_method": "auto-round", "bits": 4, "group_size": 128}, False),
        ({"quant_method": "quark", "global_quant_config": {"weight": {"dtype": "fp8_e4m3"}}}, False),
        ({"quant_method": "fbgemm_fp8"}, False),
    ],
)
def test_weights_that_need_a_package_of_their_own_are_refused(
    tmp_path: Path, block: dict[str, Any], missing: bool
) -> None:
    (tmp_path / "config.json").write_text(json.dumps({**SHAPE, "quantization_config": block}), encoding="utf-8")
    report = check(FitRequest(model=str(tmp_path), from_config=True, gpu="L20"))
    found = [each for each in report.findings if each.code == "fit.quantization-needs-package"]
    assert bool(found) is missing
    assert all(each.severity == "error" and "torchao" in each.message for each in found)


@pytest.mark.parametrize("name", ["bitsandbytes", "gguf"])
def test_what_the_release_no_longer_has_is_refused_by_name(tmp_path: Path, name: str) -> None:
    block = {"quant_method": name, "load_in_4bit": True}
    (tmp_path / "config.json").write_text(json.dumps({**SHAPE, "quantization_config": block}), encoding="utf-8")
    report = check(FitRequest(model=str(tmp_path), from_config=True, gpu="L20"))
    assert "fit.quantization-removed" in [each.code for each in report.findings]


def test_weights_in_a_form_on_its_way_out_start_with_the_flag_that_vllm_wants() -> None:
    """vllm 0.32.0, config/model.py: without it "The quantization method fbgemm_fp8 is deprecated", and it stops."""
    wanted = {"cloud": "aliyun", "region": "cn-hangzhou", "gpu": "A10", "model": "Qwen/Qwen3-4B"}
    server = resolve_platform({"server": wanted, "access": {"allowed_cidrs": ["203.0.113.0/24"]}}).server
    assert server is not None
    assert server.model is not None
    flag = "--allow-deprecated-quantization"
    for quantization, said in (("fbgemm_fp8", 1), ("fp8", 0)):
        stored = replace(server, model=replace(server.model, quantization=quantization))
        (role,) = [each for each in _nodes.server_node("old", stored).roles if each.role == "vllm"]
        assert serving_arguments(role).count(flag) == said
        assert "" not in serving_arguments(role)
