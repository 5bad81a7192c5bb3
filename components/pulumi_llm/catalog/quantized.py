"""How the weights of a model are stored: the block that config.json carries, or the file beside it, by vLLM's names.

Methods and what each block means: vllm 0.32.0, model_executor/layers/quantization (read 2026-11-28).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pulumi_llm.texts import _

SAME_AS: Mapping[str, str] = {
    "auto_awq": "awq",
    "awq_marlin": "awq",
    "auto_gptq": "gptq",
    "gptq_marlin": "gptq",
    "fbgemm_fp8": "fbgemm_fp8",
    "auto-round": "inc",
    "auto_round": "inc",
    "intel/auto-round": "inc",
    "compressed_tensors": "compressed-tensors",
    "modelopt_fp4": "nvfp4",
    "gpt_oss_mxfp4": "mxfp4",
    "bnb": "bitsandbytes",
}
"""What a file calls a method that goes by another name here."""

PLAIN_BITS: Mapping[str, int] = {"fp8": 8, "fbgemm_fp8": 8, "mxfp8": 8, "mxfp4": 4, "nvfp4": 4, "awq": 4}
"""Methods that have one size, or that are four bit unless the file says otherwise."""

MODELOPT: Mapping[str, tuple[str, int]] = {
    "FP8": ("modelopt", 8),
    "FP8_PER_CHANNEL_PER_TOKEN": ("modelopt", 8),
    "FP8_PB_WO": ("modelopt", 8),
    "NVFP4": ("nvfp4", 4),
    "NVFP4_AWQ": ("nvfp4", 4),
    "W4A16_NVFP4": ("nvfp4", 4),
    "MXFP8": ("mxfp8", 8),
}
"""``quant_algo`` of a modelopt block (quantization/modelopt.py, QUANT_ALGOS)."""

EXPERT_BITS: Mapping[str, int] = {"fp4": 4, "mxfp4": 4, "fp8": 8, "bf16": 16, "bfloat16": 16}
"""``expert_dtype`` of DeepSeek V4: routed experts are stored otherwise than the rest."""


class BadBlockError(Exception):
    """A block that is not one: ``code`` is the end of the finding's code, ``text`` and ``hint`` what it says."""

    def __init__(self, code: str, text: str, hint: str) -> None:
        super().__init__(text)
        self.code, self.text, self.hint = code, text, hint


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """``method`` by the name that is used here (None: 16 bit), ``bits`` of a weight where one number says it all.

    ``unclear`` names the setting that leaves the size open, such as groups of different sizes.
    """

    method: str | None = None
    bits: int | None = None
    unclear: str | None = None


def stored(block: object) -> Stored:
    """What a quantization block says. Raises BadBlockError."""
    if block is None:
        return Stored()
    if not isinstance(block, dict):
        raise BadBlockError("type", _("quantization_config must be an object"), _("correct the file"))
    if not block:
        raise _missing()
    inner = block.get("quantization")
    if isinstance(inner, dict) and "quant_algo" in inner:  # hf_quant_config.json
        block = {"quant_method": "modelopt", **inner}
    name = block.get("quant_method")
    if not isinstance(name, str) or not name:
        if isinstance(block.get("quant_algo"), str):
            name = "modelopt"
        else:
            raise _missing()
    method = SAME_AS.get(name.lower(), name.lower())
    if method == "modelopt":
        return _modelopt(block)
    if method == "compressed-tensors":
        return _groups(block)
    if method == "quark":
        return _quark(block)
    if method == "torchao":
        return _torchao(block)
    bits = _bits(block)
    if bits is None:
        bits = 4 if block.get("load_in_4bit") else 8 if block.get("load_in_8bit") else PLAIN_BITS.get(method)
    return Stored(method=method, bits=bits)


def _missing() -> BadBlockError:
    hint = _("name the method in quantization_config.quant_method")
    return BadBlockError("missing", _("quantization_config does not say quant_method"), hint)


def _bits(block: Mapping[str, object]) -> int | None:
    bits = block.get("bits", block.get("w_bit", block.get("num_bits")))
    if bits is None:
        return None
    if isinstance(bits, bool) or not isinstance(bits, int) or not 1 <= bits <= 16:
        hint = _("use the config.json that came with the weights")
        raise BadBlockError(
            "range", _("quantization_config.bits must be from 1 to 16, not {bits}", bits=str(bits)[:40]), hint
        )
    return bits


def _modelopt(block: Mapping[str, object]) -> Stored:
    algorithm = block.get("quant_algo")
    if algorithm is None:  # older files leave it to the groups
        return _groups(block, method="modelopt") if block.get("config_groups") else Stored(method="modelopt")
    if not isinstance(algorithm, str) or algorithm.upper() not in MODELOPT:
        return Stored(method="modelopt", unclear=f"quant_algo: {str(algorithm)[:40]}")
    method, bits = MODELOPT[algorithm.upper()]
    return Stored(method=method, bits=bits)


def _groups(block: Mapping[str, object], method: str = "compressed-tensors") -> Stored:
    """The groups of layers that compressed-tensors tells apart; one size for all, or it is not clear."""
    groups = block.get("config_groups")
    if not isinstance(groups, dict) or not groups:
        return Stored(method=method)
    sizes, floats = set(), False
    for group in groups.values():
        weights = group.get("weights") if isinstance(group, dict) else None
        if not isinstance(weights, dict):
            return Stored(method=method, unclear="config_groups")
        sizes.add(_bits({"bits": weights.get("num_bits")}))
        floats = floats or weights.get("type") == "float"
    if len(sizes) != 1:
        return Stored(method=method, unclear=_("config_groups of several sizes"))
    bits = sizes.pop()
    if bits == 4 and floats:
        return Stored(method="nvfp4", bits=4)
    return Stored(method=method, bits=bits)


def _quark(block: Mapping[str, object]) -> Stored:
    known = {"fp4": 4, "mxfp4": 4, "int4": 4, "uint4": 4, "int8": 8, "fp8_e4m3": 8, "fp8": 8}
    overall = block.get("global_quant_config")
    weight = overall.get("weight") if isinstance(overall, dict) else None
    kind = weight.get("dtype") if isinstance(weight, dict) else None
    bits = known.get(kind) if isinstance(kind, str) else None
    mixed = block.get("layer_quant_config")
    unclear = "layer_quant_config" if mixed else None if bits else "global_quant_config"
    return Stored(method="quark", bits=bits, unclear=unclear)


def _torchao(block: Mapping[str, object]) -> Stored:
    text = str(block.get("quant_type", "")).lower()
    bits = 4 if "int4" in text else 8 if ("int8" in text or "float8" in text or "fp8" in text) else None
    return Stored(method="torchao", bits=bits, unclear=None if bits else "quant_type")
