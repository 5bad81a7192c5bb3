"""How the weights of a model are stored: the block that config.json carries, or the file beside it, by vLLM's names.

Methods and what each block means: vllm 0.32.0, model_executor/layers/quantization (read 2026-11-28).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from pulumi_llm._dataclasses import dataclass
from pulumi_llm._texts import _
from pulumi_llm.catalog.layer_lists import MODULES, LayerLists
from pulumi_llm.catalog.stored_groups import FP8, named, several, weights_of, wide_of, width

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
    "modelopt_mixed": "modelopt",
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


BYTES: Mapping[tuple[str, int], float] = {
    ("fp8", 8): FP8,
    ("fbgemm_fp8", 8): FP8,
    ("modelopt", 8): FP8,
    ("mxfp8", 8): 1 + 1 / 32,
    ("mxfp4", 4): 0.5 + 1 / 32,
    ("nvfp4", 4): 0.5 + 1 / 16,
    ("compressed-tensors", 8): 1.005,
    ("quark", 8): FP8,
    ("quark", 4): 0.5 + 1 / 32,
}
"""Bytes of a quantized parameter with its scales, by how the method lays them out; whole models are in vllm.json."""

ALGORITHM_BYTES: Mapping[str, float] = {
    "FP8": BYTES["fp8", 8],
    "FP8_PER_CHANNEL_PER_TOKEN": BYTES["fp8", 8],
    "FP8_PB_WO": BYTES["fp8", 8],
    "NVFP4": BYTES["nvfp4", 4],
    "NVFP4_AWQ": BYTES["nvfp4", 4],
    "W4A16_NVFP4": BYTES["nvfp4", 4],
    "MXFP8": BYTES["mxfp8", 8],
    "MXFP4": BYTES["mxfp4", 4],
}
"""The same, by what ``quantized_layers`` calls it."""

EXPERTS = ("experts", "experts_beside")
"""Pieces that are made of routed experts."""

LINEAR = tuple(kind for kind in MODULES if kind not in (*EXPERTS, "head"))
"""Pieces that are linear layers: what fbgemm_fp8 stores in 8 bit, and leaves the rest in 16."""

IN_GROUPS: Mapping[str, Mapping[int, int]] = {
    **{method: {2: 128, 3: 128, 4: 128, 8: 128} for method in ("awq", "gptq", "inc")},
    "compressed-tensors": {4: 128},
}
"""Methods whose scales are shared by groups of weights, and the groups for which vllm.json has the bytes, by bits."""

LEFT_OUT = (
    "ignore",
    "ignored_layers",
    "exclude_modules",
    "modules_to_not_convert",
    "exclude",
    "modules_to_not_quantize",
)
"""What the lists of layers are called that stay in 16 bit."""


class BadBlockError(Exception):
    """A block that is not one: ``code`` is the end of the finding's code, ``text`` and ``hint`` what it says."""

    def __init__(self, code: str, text: str, hint: str) -> None:
        super().__init__(text)
        self.code, self.text, self.hint = code, text, hint


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """``method`` by the name that is used here (None: 16 bit), ``bits`` of a weight where one number says it all.

    ``zero_points``: the block says that its numbers are not symmetric about zero. ``scheme``: which of a method's forms
    it is, where that matters (``int8``, ``fp8``, ``w4a8-fp8``). ``cache`` is what the cache is kept in (None: in 16
    bit, or nothing is said). ``unclear`` names the setting that leaves the size open, such as groups of different
    sizes.
    """

    method: str | None = None
    bits: int | None = None
    zero_points: bool = False
    scheme: str | None = None
    cache: str | None = None
    unclear: str | None = None
    lists: LayerLists | None = None


def stored(block: object) -> Stored:
    """What a quantization block says. Raises BadBlockError."""
    found = _overall(block)
    if not isinstance(block, dict):
        return found
    inner = block.get("quantization")
    inner = inner if isinstance(inner, dict) else block
    return _cached(inner, _listed(inner, found))


def _cached(block: Mapping[str, object], found: Stored) -> Stored:
    """The same with what the block says of the cache.

    vllm 0.32.0: utils/torch_utils.py, get_kv_cache_quant_algo_string (modelopt), and layers/attention/attention.py
    (compressed-tensors, of which any scheme is taken for fp8); read 2026-11-28.
    """
    told = block.get("kv_cache_scheme") or block.get("kv_cache_quant_algo")
    if not told:
        return found
    if str(block.get("quant_method")).lower().replace("_", "-") == "compressed-tensors":
        return replace(found, cache="fp8")
    if not ("quant_algo" in block or str(block.get("quant_method")).lower().startswith("modelopt")):
        return found
    if isinstance(told, dict) and told.get("type") == "float":
        told = "fp8" if told.get("num_bits") == 8 and told.get("dynamic") is False else told
        told = "nvfp4" if isinstance(told, dict) and told.get("num_bits") == 4 else told
    if not isinstance(told, str) or told.lower() not in ("fp8", "nvfp4"):
        return found  # vLLM says that it does not know it, and keeps 16 bit
    if told.lower() == "nvfp4":
        return replace(found, unclear=found.unclear or "kv_cache_scheme: nvfp4")
    return replace(found, cache="fp8")


def _listed(block: Mapping[str, object], found: Stored) -> Stored:
    """The same with what its lists of layers say."""
    if str(block.get("quant_algo")).upper() == "MIXED_PRECISION":
        return _mixed(block, found)
    groups = block.get("config_groups")
    apart = several(groups) if isinstance(groups, dict) else None
    if apart is not None:
        return replace(found, unclear=None, lists=replace(apart, plain=tuple(_left_out(block))))
    if isinstance(groups, dict) and named(groups):
        return replace(found, unclear=found.unclear or "config_groups")
    group, plain = _first_group(block), tuple(_left_out(block))
    if found.method == "mxfp4" and str(block.get("quant_method")).lower().endswith("mxfp4"):
        # vllm 0.32.0, quantization/mxfp4.py: experts alone; of linear layers "not implemented", so they stay in 16 bit.
        return replace(found, lists=LayerLists(size=BYTES["mxfp4", 4], plain=plain, only=EXPERTS))
    if found.method == "fbgemm_fp8":
        # vllm 0.32.0, quantization/fbgemm_fp8.py and fused_moe/routed_experts.py: a method for linear layers alone, and
        # experts without one are made in 16 bit.
        return replace(found, lists=LayerLists(size=BYTES["fbgemm_fp8", 8], plain=plain, only=LINEAR))
    uneven = found.method == "compressed-tensors" and weights_of(groups).get("symmetric") is False
    size = _bytes(found.method, found.bits, group, zeros=uneven or found.method in ("awq", "gptq", "inc"))
    usual = IN_GROUPS.get(found.method or "")
    unusual = usual is not None and (uneven or group not in (None, usual.get(found.bits or 0)))
    if size is None or not (plain or unusual):
        return found
    lists = LayerLists(size=size, plain=plain)
    return replace(found, lists=lists) if unusual or lists.matters else found


def _mixed(block: Mapping[str, object], found: Stored) -> Stored:
    """Each layer with an algorithm of its own; what is not listed is not quantized."""
    layers = block.get("quantized_layers")
    if not isinstance(layers, dict) or not layers:
        return replace(found, unclear=_("quant_algo: MIXED_PRECISION without quantized_layers"))
    sizes = []
    for name, row in layers.items():
        algorithm = row.get("quant_algo") if isinstance(row, dict) else None
        size = ALGORITHM_BYTES.get(str(algorithm).upper())
        if size is None:
            return replace(found, unclear=f"quantized_layers: {str(algorithm)[:40]}")
        sizes.append((name, size))
    if found.method == "fp8":  # DeepSeek V4 with other experts: all that is not listed stays as it was
        return replace(found, lists=LayerLists(size=BYTES["fp8", 8], sizes=tuple(sizes)))
    lists = LayerLists(size=2.0, sizes=tuple(sizes), plain=tuple(_left_out(block)))
    return Stored(method="modelopt_mixed", lists=lists)


def _first_group(block: Mapping[str, object]) -> int | None:
    """How many weights share a scale, where the block says it."""
    groups = block.get("config_groups")
    if isinstance(groups, dict) and groups:
        return wide_of(weights_of(groups))
    return width(block.get("group_size", block.get("q_group_size")))


def _bytes(method: str | None, bits: int | None, group: int | None, *, zeros: bool) -> float | None:
    """``zeros``: the method keeps a zero point beside each scale of 16 bit."""
    if method is None or bits is None:
        return None
    if (method, bits) in BYTES and not (group and method in IN_GROUPS):
        return BYTES[method, bits]
    return bits / 8 + (2 + (bits / 8 if zeros else 0)) / (group or 128) if 2 <= bits <= 8 else None


def _left_out(block: Mapping[str, object]) -> Iterator[str]:
    """Layers that a block leaves in 16 bit, under whatever name it lists them."""
    for name in LEFT_OUT:
        given = block.get(name)
        yield from (each for each in given if isinstance(each, str)) if isinstance(given, list) else ()
    dynamic = block.get("dynamic")  # gptq: what begins with "-:" is left out
    if isinstance(dynamic, dict):
        yield from (f"re:{each.removeprefix('-:')}" for each in dynamic if isinstance(each, str) and each[:2] == "-:")
    extra = block.get("extra_config")  # auto-round
    if isinstance(extra, dict):
        yield from (name for name, row in extra.items() if isinstance(row, dict) and row.get("bits") == 16)


def _overall(block: object) -> Stored:
    """What a block says of all layers. Raises BadBlockError."""
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
    packed_as_awq = any("awq" in str(block.get(name)) for name in ("packing_format", "backend"))  # inc/config_parser.py
    return Stored(method=method, bits=bits, zero_points=block.get("sym") is False and not packed_as_awq)


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
        told = [str(block.get("format")), *(str(group.get("format")) for group in groups.values())]
        wide = _first_group(block)
        return Stored(method="mxfp4" if wide == 32 or any("mxfp4" in each for each in told) else "nvfp4", bits=4)
    return Stored(method=method, bits=bits, scheme=None if floats else _scheme(bits, groups.values()))


def _scheme(bits: int | None, groups: Iterable[object]) -> str | None:
    """The form of whole numbers: eight bit, or four bit that meet activations in fp8."""
    activations = [group.get("input_activations") for group in groups if isinstance(group, dict)]
    floats = any(isinstance(each, dict) and each.get("type") == "float" for each in activations)
    return "int8" if bits == 8 else "w4a8-fp8" if bits == 4 and floats else None


def _quark(block: Mapping[str, object]) -> Stored:
    known = {"fp4": 4, "mxfp4": 4, "int4": 4, "uint4": 4, "int8": 8, "fp8_e4m3": 8, "fp8": 8}
    overall = block.get("global_quant_config")
    weight = overall.get("weight") if isinstance(overall, dict) else None
    kind = weight.get("dtype") if isinstance(weight, dict) else None
    bits = known.get(kind) if isinstance(kind, str) else None
    mixed = block.get("layer_quant_config")
    unclear = "layer_quant_config" if mixed else None if bits else "global_quant_config"
    scheme = {"fp8_e4m3": "fp8", "int8": "int8"}.get(kind, kind) if isinstance(kind, str) else None
    return Stored(method="quark", bits=bits, scheme=scheme, unclear=unclear)


def _torchao(block: Mapping[str, object]) -> Stored:
    text = str(block.get("quant_type", "")).lower()
    bits = 4 if "int4" in text else 8 if ("int8" in text or "float8" in text or "fp8" in text) else None
    return Stored(method="torchao", bits=bits, unclear=None if bits else "quant_type")
