"""A model that the catalogue does not know, read from the config.json beside its weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from pulumi_llm._texts import _
from pulumi_llm.catalog import tensors
from pulumi_llm.catalog.config_file import Reader, read, shown
from pulumi_llm.catalog.config_parts import check_layer_types, experts_of, heads_of, latent_attention
from pulumi_llm.catalog.context import KEYS as CONTEXT_KEYS
from pulumi_llm.catalog.context import OWN_LENGTHS, context_of, served_of
from pulumi_llm.catalog.kin import BY_ARCHITECTURE, LIKE, OF_PARTS, OWN_HEADS, TEXT_DEFAULTS, TIED
from pulumi_llm.catalog.layer_lists import UnclearListError
from pulumi_llm.catalog.models import GIB, Model, Moe
from pulumi_llm.catalog.older_files import as_read
from pulumi_llm.catalog.pooling import task_of_class
from pulumi_llm.catalog.quantized import EXPERT_BITS, Stored
from pulumi_llm.catalog.shapes import Settings, Shape, UnknownShapeError, shape_of
from pulumi_llm.catalog.shapes.layers import ENCODERS
from pulumi_llm.catalog.shapes.parts import FOUR_TIMES
from pulumi_llm.catalog.shapes.settings import WITHOUT_DEFAULTS, classes, names_of
from pulumi_llm.catalog.storage import storage_of
from pulumi_llm.catalog.tensors import Weights, weights_in
from pulumi_llm.catalog.text_parts import unserved
from pulumi_llm.catalog.towers import has_other_parts, other_parameters
from pulumi_llm.errors import Finding, Refusal

MAX_PARAMETERS = 20e12
"""More than ten times the largest published model: beyond it the numbers are not meant."""

MAX_NAME = 60
"""Letters of a setting's name that a message shows as it is."""

NO_FP16 = frozenset({"gemma2", "gemma3", "gemma3_text", "glm4", "inkling_mm_model", "inkling_model", "inkling_text"})
"""Model types that vLLM refuses to run in float16.

vllm/config/model.py, and for Inkling models/inkling/nvidia/sconv_swa_attn.py, read in release 0.32.0.
"""

TEXT_PARTS = ("text_config", "llm_config", "language_config", "thinker_config")
"""What the text part is called in the file of a model that has others too; it may hold such a part itself."""

WITHOUT_ATTENTION = frozenset({"mamba", "mamba2", "falcon_mamba"})
"""Model types that have no attention heads, and no limit to their context."""

UNLIMITED = WITHOUT_ATTENTION | {"bloom"}
"""Model types whose class knows no longest context."""

WIDE_BY_CLASS = WITHOUT_ATTENTION | FOUR_TIMES
"""Model types whose feed-forward width follows from another number where the file says nothing."""

NO_TEXT = ("Classification", "MaskedLM", "QuestionAnswering", "RewardModel", "MultipleChoice", "PreTraining")
"""Ends of the names that transformers gives to models with another head than the one that writes text."""


def model_from_config(path: Path | str) -> Model:
    """The model that a ``config.json`` (or a folder that holds one) describes.

    Its parameters are counted from the shape, so its memory is estimated like that of any model here.
    Raises Refusal with every finding: ``catalog.bad-config-unreadable``, ``-json``, ``-missing``, ``-type``,
    ``-range``, ``-kind``.
    """
    file = Path(path)
    if file.is_dir():
        file = file / "config.json"
    outer = read(file)
    kind, inner = _text_part(outer)
    inner = as_read(kind, inner)
    weights = weights_in(file.parent, layers_of(outer)) if file.name == "config.json" else None
    written = {**{key: value for key, value in outer.items() if key not in inner}, **inner}
    reader = Reader(
        file, written, defaults={key: value for key, value in _defaults(kind).items() if key not in written}
    )
    model = _described(reader, outer, inner, kind, weights)
    if reader.findings:
        raise Refusal(reader.findings)
    if model.parameters_b is not None and not 0 < model.parameters_b * 1e9 <= MAX_PARAMETERS:
        message = _(
            "the numbers together make {parameters_b:,.0f} billion parameters, more than any model has",
            parameters_b=model.parameters_b,
        )
        reader.refuse("range", message, _("use the config.json that came with the weights"))
        raise Refusal(reader.findings)
    model = model if weights is None else _weighed(model, weights, file)
    return _named(model, tensors.told(file.parent) if file.name == "config.json" else None)


def _named(model: Model, told: Mapping[str, object] | None) -> Model:
    """The model with its id at the hub that told of it, and that hub as its source."""
    if told is None:
        return model
    name = str(told["model"])
    return replace(
        model,
        id=name,
        modelscope_id=name if told["kind"] == "modelscope" else None,
        source=f"{told['hub']}: {name} at {told['revision']}; config.json and the headers of its weights",
        source_date=str(told["date"]),
    )


def _weighed(model: Model, weights: Weights, file: Path) -> Model:
    """The model with what its weights really take. Raises Refusal ``catalog.bad-weights-disagree``."""
    quantized = model.quantization is not None
    if model.parameters_b is not None:
        # Files hold 16 or 32 bits a parameter, quantized ones from 2 bits up; pictures and sound come on top.
        least = model.parameters_b * 1e9 * (0.25 if quantized else 1.9)
        most = model.parameters_b * 1e9 * (2.4 if quantized else 4.2)
        of_text = weights.text
        if of_text < least or (of_text > most and (weights.exact or not model.other_parts)):
            message = _(
                "config.json describes {parameters_b:,.2f} billion parameters, and the files of "
                "weights hold {of_text:,.2f} GB{note}: they are not of one model",
                parameters_b=model.parameters_b,
                of_text=of_text / 1e9,
                note=_(" of text") if weights.other else "",
            )
            hint = _("give the config.json that came with these weights")
            raise Refusal([Finding("catalog.bad-weights-disagree", message, hint, where=str(file))])
        _check_bits(model, weights, file)
    loaded = weights.loaded(quantized=quantized)
    if not quantized and not weights.exact and model.dtype == "float32":
        loaded //= 2  # vLLM turns 32 bits into 16
    exact = weights.exact and not quantized
    return replace(
        model,
        weights_gib=loaded / GIB,
        parameters_b=loaded / 2e9 if exact and model.parameters_b is not None else model.parameters_b,
        other_parts=model.other_parts and not weights.exact,
        notes="read from a config.json; weights by the files' own sizes",
    )


def _check_bits(model: Model, weights: Weights, file: Path) -> None:
    """Whether a parameter takes about as many bits as the config says. Raises ``catalog.bad-weights-disagree``.

    Embeddings and head mostly stay in 16 bit; of what lies between, lists may leave a good part in 16 bit, too.
    """
    bits, words = model.quantization_bits, model.embedding_parameters_b
    if bits is None or words is None or model.parameters_b is None or model.expert_bits is not None:
        return
    if model.parameters_b <= 1.2 * words or (model.other_parts and not weights.exact):
        return
    each = 8 * (weights.text / 1e9 - 2 * words) / (model.parameters_b - words)
    if not 0.75 * bits - 1.6 <= each <= bits + 5.5:
        message = _(
            "config.json says that weights are stored in {bits} bit, and the files hold {each:.1f} for each parameter",
            bits=bits,
            each=each,
        )
        hint = _("give the config.json that came with these weights")
        raise Refusal([Finding("catalog.bad-weights-disagree", message, hint, where=str(file))])


def layers_of(outer: Mapping[str, object]) -> int | None:
    """The number of layers of the text part, as far as it is written out."""
    found = _text_part(outer)[1].get("num_hidden_layers", outer.get("num_hidden_layers"))
    return found if isinstance(found, int) and not isinstance(found, bool) else None


def _text_part(outer: Mapping[str, object]) -> tuple[str | None, dict[str, object]]:
    """The model type and the settings of the part that writes text: the whole file, or a part of it."""
    named = outer.get("architectures")
    first = str(named[0]) if isinstance(named, list) and named else ""
    kind, values = outer.get("model_type") or BY_ARCHITECTURE.get(first), dict(outer)
    deeper = True
    while deeper:
        deeper = False
        of_class = classes().get(str(kind), {}).get("text", OF_PARTS.get(str(kind)))
        for name in TEXT_PARTS:
            part = values.get(name)
            if isinstance(part, dict):
                if "model_type" not in part and isinstance(of_class, dict):
                    part = {"model_type": of_class.get(name), **part}
                part = {**TEXT_DEFAULTS.get(str(kind), {}), **part}
                if part.get("model_type") == "exaone4_5_text":  # as configuration_exaone4_5.py reads it
                    part["model_type"] = "exaone4"
                kind, values, deeper = part.get("model_type", kind), part, True
                break
    whole = classes().get(str(kind), {}).get("text")
    if isinstance(whole, dict) and whole:  # older files have the text part's settings beside the others'
        kind = next(iter(whole.values()))
    return kind if isinstance(kind, str) else None, values


def _defaults(kind: str | None) -> dict[str, object]:
    """What the class takes where the file says nothing, under the names that the reader looks for."""
    row = classes().get(LIKE.get(kind or "", kind or ""), {})
    defaults = row.get("defaults")
    if not isinstance(defaults, dict) or (kind or "") in LIKE:
        return {}
    names = row.get("names")
    renamed = (
        {other: defaults[real] for other, real in names.items() if real in defaults} if isinstance(names, dict) else {}
    )
    return {**renamed, **defaults}


def _described(
    reader: Reader,
    outer: Mapping[str, object],
    inner: Mapping[str, object],
    kind: str | None,
    weights: Weights | None,
) -> Model:
    layers = reader.number(*names_of("num_hidden_layers"), high=1_000, needed=kind != "nemotron_h")
    hidden = reader.number(*names_of("hidden_size"), high=131_072)
    heads = reader.number(*names_of("num_attention_heads"), high=4_096, needed=kind not in WITHOUT_ATTENTION)
    vocab = reader.number(*names_of("vocab_size"), high=10_000_000)
    # Of a class that is named and not known, nobody knows what it would take: that is said, and not that it lacks.
    known = kind is None or any(kind in each for each in (classes(), LIKE, WITHOUT_DEFAULTS))
    reader.number(*CONTEXT_KEYS, high=100_000_000, needed=known and kind not in UNLIMITED and kind not in OWN_LENGTHS)
    moe = experts_of(reader)
    wide = reader.number(
        *names_of("intermediate_size"),
        high=1_000_000,
        needed=moe is None and kind not in WIDE_BY_CLASS and "block_configs" not in inner,
    )
    mla = latent_attention(reader, None if not hidden or not heads else hidden // heads)
    kv_heads, head_dim = heads_of(reader, hidden, heads) if mla is None else (heads, None)
    check_layer_types(reader, layers, kind)
    how = storage_of(reader, outer, inner)
    tied = _tied(reader, outer, inner)
    if weights is not None and weights.tied is not None:
        tied = weights.tied  # the config cannot tell: what is stored decides
    architecture = _architecture(reader, outer)
    whole = Reader(reader.path, outer, reader.findings).text("model_type")  # one that is no text tells nothing
    settings = Settings(inner, LIKE.get(kind or "", kind), like=kind in LIKE, architecture=architecture)
    row = Model(
        source=str(reader.path),
        source_date=datetime.now(UTC).date().isoformat(),
        notes="read from a config.json; parameters counted from its shape",
        id=reader.text("_name_or_path") or reader.path.resolve().parent.name or "model",
        architecture=architecture,
        layers=layers,
        hidden=hidden,
        heads=heads,
        kv_heads=kv_heads,
        head_dim=head_dim,
        intermediate=wide if wide is not None else (moe.intermediate if moe else None),
        vocab=vocab,
        tied_embeddings=tied,
        dtype=reader.text("torch_dtype") or reader.text("dtype"),
        quantization=how.method,
        quantization_bits=how.bits,
        zero_points=how.zero_points,
        quantization_scheme=how.scheme,
        cache_dtype=how.cache,
        mla=mla,
        moe=moe,
        other_parts=has_other_parts(outer, architecture),
        task=task_of_class(architecture, outer),
        unserved_part=next(filter(None, (unserved(outer, each, architecture) for each in TEXT_PARTS)), None),
        no_fp16=not NO_FP16.isdisjoint(each for each in (kind, whole) if each is not None),
    )
    if reader.findings:
        return row
    try:
        return _shaped(row, settings, outer, tied=tied, how=how, weighed=weights is not None)
    except UnknownShapeError as unknown:
        return replace(row, unknown_shape=_told(unknown))


def _shaped(
    row: Model, settings: Settings, outer: Mapping[str, object], *, tied: bool, how: Stored, weighed: bool
) -> Model:
    """The row with what the shape says. Raises UnknownShapeError.

    ``weighed``: the weights' own files tell what they take, however they are stored.
    """
    if not settings.known_class:
        raise UnknownShapeError("model_type", settings.kind or None)
    shape = shape_of(settings, tied=tied)
    for name, value in settings.unread():
        raise UnknownShapeError(name, value)
    foreign = settings.foreign()
    if foreign and shape_of(settings.without(foreign), tied=tied) != shape:
        raise UnknownShapeError(foreign[0], settings.values[foreign[0]])
    if how.unclear and not weighed:
        raise UnknownShapeError(f"quantization_config.{how.unclear}")
    kind = settings.value("expert_dtype") or outer.get("expert_dtype")
    bits = EXPERT_BITS.get(str(kind)) if kind is not None else None
    if kind is not None and bits is None:
        raise UnknownShapeError("expert_dtype", kind)
    pictures = other_parameters(outer, shape.hidden) if row.other_parts else None
    own_head = shape.embeddings if tied and row.architecture in OWN_HEADS else 0
    return replace(
        row,
        other_parts=row.other_parts and pictures is None,
        other_parameters_b=None if pictures is None else pictures / 1e9,
        weights_gib=None if weighed else _by_lists(shape, how, settings.kind, beside=2 * ((pictures or 0) + own_head)),
        parameters_b=shape.parameters / 1e9,
        layers=shape.layers,
        attention_layers=_attending(shape),
        kv_heads=shape.kv_heads if row.mla is None else row.kv_heads,
        head_dim=shape.head_dim if row.mla is None else row.head_dim,
        moe=_moe(shape, row.moe),
        max_context=context_of(settings, outer.get("model_type")),
        served_context=served_of(settings),
        heads_ahead=_heads_ahead(settings),
        caches=shape.caches,
        state_bytes=shape.state_bytes,
        state_layers=shape.state_layers,
        recurrent=shape.recurrent,
        recurrent_bits=shape.recurrent_bits,
        expert_parameters_b=shape.experts / 1e9 if shape.experts else None,
        expert_bits=bits,
        sparse_attention=shape.sparse,
    )


def _heads_ahead(settings: Settings) -> int | None:
    found = (settings.number(name) for name in ("num_nextn_predict_layers", "mtp_num_hidden_layers"))
    return next((number for number in found if number is not None), None)


def _by_lists(shape: Shape, how: Stored, kind: str, *, beside: int) -> float | None:
    """GiB of the weights where layers are stored by lists, with bytes of other parts; None: one size holds for all."""
    if how.lists is None:
        return None
    try:
        return (how.lists.bytes_of(shape.pieces, kind) + beside) / GIB
    except UnclearListError as unclear:
        raise UnknownShapeError("quantization_config", unclear.entry) from unclear


def _attending(shape: Shape) -> int | None:
    """How many layers keep a cache, where some keep a state or nothing; else None."""
    count = sum(cache.layers for cache in shape.caches if not cache.fixed)
    return count if count < shape.layers and not (shape.sparse and not count) else None


def _moe(shape: Shape, given: Moe | None) -> Moe | None:
    if not shape.experts:
        return None
    return Moe(
        experts=shape.expert_count,
        experts_per_token=shape.experts_per_token,
        intermediate=shape.expert_width,
        shared_experts=given.shared_experts if given else 0,
        dense_layers=given.dense_layers if given else 0,
    )


def _told(unknown: UnknownShapeError) -> str:
    what = unknown.what if unknown.what.isprintable() and len(unknown.what) <= MAX_NAME else shown(unknown.what)
    return what if unknown.value is None else f"{what}: {shown(unknown.value)}"


def _tied(reader: Reader, outer: Mapping[str, object], inner: Mapping[str, object]) -> bool:
    """Whether the output head is the embeddings. Where the whole and its text part disagree, it is counted."""
    if str(inner.get("model_type")) in ENCODERS:
        return True  # an encoder has no head at all
    older = "tie_embedding" if str(inner.get("model_type")).startswith("lfm2") else ""
    tied = [part.get(older, part.get("tie_word_embeddings")) for part in (outer, inner)]
    said = [each for each in tied if each is not None]
    for value in said:
        if not isinstance(value, bool):
            message = _("tie_word_embeddings must be true or false, not {value}", value=shown(value))
            reader.refuse("type", message, _("correct the file"))
            return False
    if said:
        return all(said)
    thinker = outer.get("thinker_config")
    for part in (outer, thinker if isinstance(thinker, dict) else {}, inner):
        row = classes().get(str(part.get("model_type")), {}).get("defaults")
        if isinstance(row, dict) and "tie_word_embeddings" in row:
            return row["tie_word_embeddings"] is True
    return str(inner.get("model_type")) in TIED


def _architecture(reader: Reader, outer: Mapping[str, object]) -> str | None:
    """The name of the model's class; one that does not write text, decoder alone, is refused."""
    names = outer.get("architectures", reader.values.get("architectures"))
    name = names[0] if isinstance(names, list) and names and isinstance(names[0], str) else None
    hint = _("use the config.json of a text generation model")
    if name is not None and name.endswith(NO_TEXT) and task_of_class(name, outer) is None:
        reader.refuse_kind(_("architectures names {name}, which writes no text", name=shown(name)), hint)
    if outer.get("is_encoder_decoder") is True:
        reader.refuse_kind(_("is_encoder_decoder is true, and the estimate is for decoders alone"), hint)
    return name
