"""A model that the catalogue does not know, read from the config.json beside its weights."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from pulumi_llm import _json
from pulumi_llm.catalog.models import Mla, Model, Moe, SlidingWindow, count_parameters
from pulumi_llm.errors import Finding, Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_BYTES = 16 * 2**20
"""Real files hold a few KiB, and up to 3 MiB where every quantized layer is listed."""

MAX_TEXT = 1_000
"""Letters of a name, which may be the path that a model had where it was made."""

MAX_PARAMETERS = 20e12
"""More than ten times the largest published model: beyond it the numbers are not meant."""

NO_FP16 = frozenset({"gemma2", "gemma3", "gemma3_text", "glm4"})
"""Model types that vLLM refuses to run in float16 (vllm/config/model.py, read in release 0.32)."""

TIED_BY_DEFAULT = frozenset({"gemma", "gemma2", "gemma3", "gemma3_text", "granite"})
"""Where a file does not say so: the transformers class of these ties the output head to the embeddings."""

NO_TEXT = ("Classification", "MaskedLM", "QuestionAnswering", "RewardModel", "MultipleChoice", "PreTraining")
"""Ends of the names that transformers gives to models with another head than the one that writes text."""

OTHER_PARTS = ("vision_config", "audio_config")
"""What a file describes beside the text part, and what the estimate leaves out."""


@dataclass(slots=True)
class _Reader:
    """Takes numbers out of a config and gathers what is wrong with them."""

    path: Path
    values: Mapping[str, object]
    findings: list[Finding] = field(default_factory=list)

    def refuse(self, code: str, message: str, hint: str) -> None:
        self.findings.append(Finding(f"catalog.bad-config-{code}", message, hint, where=str(self.path)))

    def number(self, *names: str, low: int = 1, high: int, needed: bool = True) -> int | None:
        """The first of ``names`` that the file gives, an integer between ``low`` and ``high``."""
        for name in names:
            value = self.values.get(name)
            if value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, int):
                self.refuse("type", f"{name} must be a whole number, not {_shown(value)}", "correct the file")
            elif not low <= value <= high:
                message = f"{name} is {_shown(value)}, and a model has from {low:,} to {high:,}"
                self.refuse("range", message, "use the config.json that came with the weights")
            else:
                return value
            return None
        if needed:
            hint = "use the config.json of a text generation model as Hugging Face or ModelScope serve it"
            self.refuse("missing", f"{' or '.join(names)} is not given", hint)
        return None

    def text(self, name: str) -> str | None:
        value = self.values.get(name)
        if value is None:
            return None
        if isinstance(value, str):
            if value.isprintable() and len(value) <= MAX_TEXT:
                return value or None
            message = f"{name} must be a short text that can be shown, not {_shown(value)}"
            self.refuse("range", message, "use the config.json that came with the weights")
            return None
        self.refuse("type", f"{name} must be text, not {_shown(value)}", "correct the file")
        return None


def model_from_config(path: Path | str) -> Model:
    """The model that a ``config.json`` (or a folder that holds one) describes.

    Its parameters are counted from the shape, so its memory is estimated like that of any model here.
    Raises Refusal with every finding: ``catalog.bad-config-unreadable``, ``-json``, ``-missing``, ``-type``,
    ``-range``, ``-kind``.
    """
    file = Path(path)
    if file.is_dir():
        file = file / "config.json"
    outer = _read(file)
    inner = outer.get("text_config")
    values = {**outer, **inner} if isinstance(inner, dict) else outer
    reader = _Reader(file, values)
    model = _shape(reader, outer)
    if not reader.findings:
        count = count_parameters(model)
        if count is None or not 0 < count <= MAX_PARAMETERS:
            size = "no" if count is None else f"{count / 1e9:,.0f} billion"
            message = f"the numbers together make {size} parameters, more than any model has"
            reader.refuse("range", message, "use the config.json that came with the weights")
        else:
            model = replace(model, parameters_b=count / 1e9)
    if reader.findings:
        raise Refusal(reader.findings)
    return model


def _read(file: Path) -> dict[str, object]:
    try:
        with file.open("rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            content = stream.read(MAX_BYTES + 1) if size <= MAX_BYTES else b""
        size = max(size, len(content))  # what is no plain file, such as a device, has a size of 0
    except OSError as error:
        _refuse(
            "unreadable",
            file,
            f"it cannot be read: {error.strerror}",
            "give the path of a config.json or its folder",
        )
    except ValueError as error:
        _refuse("unreadable", file, f"it cannot be read: {error}", "give the path of a config.json or its folder")
    if size > MAX_BYTES:
        _refuse(
            "unreadable",
            file,
            f"it has {size:,} bytes, and a config.json at most {MAX_BYTES:,}",
            "check the path",
        )
    try:
        value = _json.loads(content, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        _refuse(
            "json",
            file,
            f"it is not JSON: {str(error)[:200]}",
            "give the model's config.json, not another file",
        )
    if not isinstance(value, dict):
        _refuse("json", file, f"it holds {_shown(value)}, not an object", "give the model's config.json")
    return value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _refuse(code: str, file: Path, message: str, hint: str) -> NoReturn:
    raise Refusal([Finding(f"catalog.bad-config-{code}", message, hint, where=str(file))])


def _shown(value: object) -> str:
    """A value as a message can show it: short, and safe for integers too long to print."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10**15:
        return "a number of more than 15 digits"
    text = json.dumps(value, default=str)
    return text if len(text) <= 60 else f"{text[:57]}…"


def _shape(reader: _Reader, outer: Mapping[str, object]) -> Model:
    layers = reader.number("num_hidden_layers", "num_layers", high=1_000)
    hidden = reader.number("hidden_size", high=131_072)
    heads = reader.number("num_attention_heads", high=4_096)
    vocab = reader.number("vocab_size", "padded_vocab_size", high=10_000_000)
    context = reader.number("max_position_embeddings", "seq_length", "model_max_length", high=100_000_000)
    moe = _experts(reader)
    wide = reader.number("intermediate_size", "ffn_hidden_size", high=1_000_000, needed=moe is None)
    mla = _latent_attention(reader)
    kv_heads, head_dim = _heads(reader, hidden, heads) if mla is None else (heads, None)
    attending = _attention_layers(reader, layers)
    method, bits = _quantization(reader, outer)
    kind = reader.text("model_type")
    tied = reader.values.get("tie_word_embeddings")
    if tied is not None and not isinstance(tied, bool):
        reader.refuse("type", f"tie_word_embeddings must be true or false, not {_shown(tied)}", "correct the file")
    architecture = _architecture(reader, outer)
    return Model(
        source=str(reader.path),
        source_date=datetime.now(UTC).date().isoformat(),
        notes="read from a config.json; parameters counted from its shape",
        id=reader.text("_name_or_path") or reader.path.resolve().parent.name or "model",
        architecture=architecture,
        layers=layers,
        attention_layers=attending,
        hidden=hidden,
        heads=heads,
        kv_heads=kv_heads,
        head_dim=head_dim,
        intermediate=wide if wide is not None else (moe.intermediate if moe else None),
        vocab=vocab,
        tied_embeddings=tied if isinstance(tied, bool) else kind in TIED_BY_DEFAULT,
        max_context=context,
        dtype=reader.text("torch_dtype") or reader.text("dtype"),
        quantization=method,
        quantization_bits=bits,
        mla=mla,
        moe=moe,
        sliding_window=_sliding_window(reader, kind, layers if attending is None else attending),
        other_parts=any(part in outer for part in OTHER_PARTS)
        or any(mark in (architecture or "") for mark in ("ConditionalGeneration", "VL")),
        no_fp16=not NO_FP16.isdisjoint(each for each in (kind, outer.get("model_type")) if isinstance(each, str)),
    )


def _architecture(reader: _Reader, outer: Mapping[str, object]) -> str | None:
    """The name of the model's class; one that does not write text, decoder alone, is refused."""
    names = outer.get("architectures", reader.values.get("architectures"))
    name = names[0] if isinstance(names, list) and names and isinstance(names[0], str) else None
    hint = "use the config.json of a text generation model"
    if name is not None and name.endswith(NO_TEXT):
        reader.refuse("kind", f"architectures names {_shown(name)}, which writes no text", hint)
    if outer.get("is_encoder_decoder") is True:
        reader.refuse("kind", "is_encoder_decoder is true, and the estimate is for decoders alone", hint)
    return name


def _heads(reader: _Reader, hidden: int | None, heads: int | None) -> tuple[int | None, int | None]:
    """Key-value heads and head size: what the file gives, or what transformers takes when it does not."""
    kv_heads = reader.number("num_key_value_heads", "multi_query_group_num", high=4_096, needed=False)
    head_dim = reader.number("head_dim", "kv_channels", high=4_096, needed=False)
    if reader.findings or hidden is None or heads is None:
        return None, None
    kv_heads = heads if kv_heads is None else kv_heads
    if heads % kv_heads:
        message = f"{heads} attention heads cannot share {kv_heads} key-value heads evenly"
        reader.refuse("range", message, "use the config.json that came with the weights")
    if head_dim is None and hidden % heads:
        message = f"hidden_size {hidden} is not a multiple of {heads} attention heads, and head_dim is not given"
        reader.refuse("range", message, "use the config.json that came with the weights")
    return kv_heads, hidden // heads if head_dim is None else head_dim


def _latent_attention(reader: _Reader) -> Mla | None:
    rank = reader.number("kv_lora_rank", high=65_536, needed=False)
    if rank is None:
        return None
    rope = reader.number("qk_rope_head_dim", high=4_096)
    nope = reader.number("qk_nope_head_dim", high=4_096)
    value = reader.number("v_head_dim", high=4_096)
    query = reader.number("q_lora_rank", high=65_536, needed=False)
    return Mla(kv_lora_rank=rank, rope_dim=rope or 0, q_lora_rank=query, nope_dim=nope, v_dim=value)


def _experts(reader: _Reader) -> Moe | None:
    names = ("num_experts", "num_local_experts", "n_routed_experts")
    experts = reader.number(*names, low=0, high=16_384, needed=False)
    if not experts:
        return None
    each = reader.number("num_experts_per_tok", "top_k_experts", high=experts)
    width = reader.number("moe_intermediate_size", "intermediate_size", high=1_000_000)
    shared = reader.number("n_shared_experts", "num_shared_experts", low=0, high=1_024, needed=False)
    dense = reader.number("first_k_dense_replace", low=0, high=1_000, needed=False)
    return Moe(
        experts=experts,
        experts_per_token=each or 1,
        intermediate=width or 1,
        shared_experts=shared or 0,
        dense_layers=dense or 0,
    )


def _layer_types(reader: _Reader) -> list[object]:
    kinds = reader.values.get("layer_types")
    if kinds is None:
        return []
    if not isinstance(kinds, list):
        reader.refuse("type", f"layer_types must be a list, not {_shown(kinds)}", "correct the file")
        return []
    return kinds


def _attention_layers(reader: _Reader, layers: int | None) -> int | None:
    """How many layers keep a KV cache, where some do not (linear attention); else None."""
    kinds = _layer_types(reader)
    if layers is None or not kinds:
        every = reader.number("full_attention_interval", high=1_000, needed=False)
        return layers // every if layers is not None and every is not None and every > 1 else None
    if len(kinds) != layers:
        message = f"layer_types names {len(kinds)} layers, and num_hidden_layers says {layers}"
        reader.refuse("range", message, "use the config.json that came with the weights")
        return None
    attending = sum(isinstance(kind, str) and kind.endswith("attention") and "linear" not in kind for kind in kinds)
    return attending if attending < layers else None


def _sliding_window(reader: _Reader, kind: str | None, layers: int | None) -> SlidingWindow | None:
    window = reader.number("sliding_window", low=0, high=100_000_000, needed=False)
    if not window or layers is None or reader.values.get("use_sliding_window") is False:
        return None
    kinds = _layer_types(reader)
    if kinds:
        count = sum(each == "sliding_attention" for each in kinds)
    elif kind == "gemma2":
        count = (layers + 1) // 2
    elif (every := reader.number("sliding_window_pattern", high=1_000, needed=False)) is not None:
        count = layers - layers // every
    else:
        count = layers
    return SlidingWindow(window=window, layers=count) if count else None


def _quantization(reader: _Reader, outer: Mapping[str, object]) -> tuple[str | None, int | None]:
    """How the weights are stored, by vLLM's name for it, and in how many bits where that is plain."""
    given = outer.get("quantization_config", reader.values.get("quantization_config"))
    if given is None:
        return None, None
    if not isinstance(given, dict):
        reader.refuse("type", f"quantization_config must be an object, not {_shown(given)}", "correct the file")
        return None, None
    method = given.get("quant_method")
    if not isinstance(method, str) or not method:
        hint = "name the method in quantization_config.quant_method"
        reader.refuse("missing", "quantization_config does not say quant_method", hint)
        return None, None
    bits = given.get("bits", given.get("w_bit"))
    if bits is None:
        four = bool(given.get("load_in_4bit")) or method in {"mxfp4", "nvfp4"}
        bits = 4 if four else 8 if method == "fp8" or given.get("load_in_8bit") else None
    if bits is not None and (isinstance(bits, bool) or not isinstance(bits, int) or not 1 <= bits <= 16):
        message = f"quantization_config.bits must be from 1 to 16, not {_shown(bits)}"
        reader.refuse("range", message, "use the config.json that came with the weights")
        return None, None
    return method, bits
