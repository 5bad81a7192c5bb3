"""Which of a model's files says how its weights are stored, and whether two of them contradict each other."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pulumi_llm._texts import _
from pulumi_llm.catalog.config_file import Reader, read
from pulumi_llm.catalog.quantized import BadBlockError, Stored, stored
from pulumi_llm.errors import Finding

QUANTIZATION_FILES = ("hf_quant_config.json", "quantize_config.json", "quant_config.json")
"""Files beside config.json that say how the weights are stored where it does not."""


def storage_of(reader: Reader, outer: Mapping[str, object], inner: Mapping[str, object]) -> Stored:
    """How the weights are stored: by the file, its text part, or a file beside it.

    Adds the finding ``catalog.bad-config-disagrees`` where two of these contradict each other.
    """
    block = outer.get("quantization_config", inner.get("quantization_config", inner.get("compression_config")))
    block = outer.get("compression_config") if block is None else block
    beside = _beside(reader.path)
    if _without_layers(block) and beside is not None and not _without_layers(beside[1].get("quantization", beside[1])):
        block = None  # vllm 0.32.0, model_loader/weight_utils.py: older files name the layers beside the config alone
    try:
        found = None if block is None else stored(block)
        other = None if beside is None else stored(beside[1])
    except BadBlockError as bad:
        reader.refuse(bad.code, bad.text, bad.hint)
        return Stored()
    if found is not None and other is not None and beside is not None and not alike(found, other):
        message = _(
            "config.json says that the weights are stored in {here}, and {name} beside it in {there}",
            here=_told(found),
            name=beside[0],
            there=_told(other),
        )
        hint = _("keep the one of the two files that came with these weights")
        reader.findings.append(Finding("catalog.bad-config-disagrees", message, hint, where=str(reader.path)))
    return found or other or Stored()


def _beside(config: Path) -> tuple[str, dict[str, object]] | None:
    """The file beside a config.json that says how the weights are stored, and its name."""
    for name in QUANTIZATION_FILES:
        path = config.with_name(name)
        if config.name == "config.json" and path.is_file():
            block = read(path)
            if "quantization" not in block and "quant_method" not in block and "quant_algo" not in block:
                block = {"quant_method": "awq" if "w_bit" in block else "gptq", **block}
            return name, block
    return None


def _without_layers(block: object) -> bool:
    """Whether a block says that each layer has an algorithm of its own, and does not say which."""
    mixed = isinstance(block, dict) and str(block.get("quant_algo")).upper() == "MIXED_PRECISION"
    return mixed and isinstance(block, dict) and not block.get("quantized_layers")


def alike(one: Stored, two: Stored) -> bool:
    """Whether two descriptions may be of the same weights: as many bits, of the same kind of numbers.

    Of what gives each layer an algorithm of its own, only that is compared which both say of all.
    """
    if one.lists is not None and two.lists is not None and None in (one.bits, two.bits):
        return True
    if one.bits != two.bits:
        return False
    return _numbers(one) == _numbers(two) or "any" in (_numbers(one), _numbers(two))


def _numbers(found: Stored) -> str | None:
    if found.method in ("fp8", "fbgemm_fp8", "modelopt"):
        return "fp8"
    if found.method in ("awq", "nvfp4", "mxfp4", "mxfp8", "bitsandbytes", None):
        return found.method
    if found.method in ("gptq", "inc"):
        return "gptq"
    return "any"


def _told(found: Stored) -> str:
    """In what weights are stored, as a message shows it."""
    if found.method is None:
        return _("16 bit")
    if found.bits is None:
        return _("{method}, each layer in its own way", method=found.method) if found.lists else found.method
    return _("{method} in {bits} bit", method=found.method, bits=found.bits)
