"""A model's settings as its class reads them: the file's value, under any spelling, else the class's default."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import NoReturn, TypeGuard

DATA = Path(__file__).parent.parent / "data" / "model_classes.json"

SPELLINGS: Mapping[str, tuple[str, ...]] = {
    "hidden_size": ("n_embd", "d_model", "model_dim"),
    "num_hidden_layers": ("n_layer", "num_layers", "n_layers"),
    "num_attention_heads": ("n_head", "num_heads", "n_heads"),
    "num_key_value_heads": ("num_kv_heads", "n_head_kv", "multi_query_group_num", "num_attention_groups"),
    "head_dim": ("kv_channels", "attention_head_dim"),
    "intermediate_size": ("ffn_hidden_size", "ffn_dim", "n_inner"),
    "vocab_size": ("padded_vocab_size",),
    "num_experts": ("num_local_experts", "n_routed_experts", "moe_num_experts"),
    "num_experts_per_tok": (
        "moe_topk",
        "moe_top_k",
        "moe_k",
        "top_k_experts",
        "num_experts_per_token",
        "num_selected_experts",
        "experts_per_token",
    ),
    "num_shared_experts": ("n_shared_experts", "moe_num_shared_experts", "num_shared_expert"),
    "moe_intermediate_size": ("expert_ffn_hidden_size", "moe_ffn_hidden_size", "expert_dim"),
    "first_k_dense_replace": ("num_dense_layers", "moe_layer_start_index", "first_k_dense_layers"),
}
"""What one number is called by different classes. The first name is the one that most classes use."""

STRUCTURAL = re.compile(
    r"expert|moe|pattern|hybrid|window|sliding|(^|_)swa(_|$)|ssm|mamba|state_size|d_state|latent|lora_rank|per_layer"
    r"|layer_types|layers_block|linear_|conv_|compress|kv_shared|chunk_size|index_(n|head|topk)|altup|laurel|engram|ngram"
)
"""Names that may change how large a model is or what it keeps for each token."""

HARMLESS = re.compile(
    r"routed_scaling|moe_use_|moe_gate|router|norm_topk|topk_(group|method)|n_group|num_expert_group|scoring|aux_loss|renormalize|jitter"
    r"|norm_min|num_nextn|mtp_|next_n|ep_size|capacity|use_mamba_kernels|use_conv_bias|conv_bias|proj_bias|time_step"
    r"|dt_(rank|min|max|init|limit|scale|bias)|ssm_cache_dtype|ssm_dtype|mixer|gating|softcap|correction|dropout"
    r"|chunk_size_feed_forward|mamba_chunk_size|^chunk_size$|expert_dtype|use_mixed_mlp_moe|expert_selection|combine"
    r"|residual_in|rescale_prenorm|max_window_layers|experts_implementation|norm_before_gate|rms_norm|inner_layernorm"
    r"|ssm_(in|out)_multiplier|ssm_multipliers|moe_layer_use_mod|swiglu|sliding_window_size|attention_chunk_size|log_scaling"
    r"|mamba_hidden_act|tensor_parallel|patch_|moe_token_dispatcher|gemm|overlap|activation_sparsity|linear_(lower|allow|a_log|dt)"
    r"|zero_expert|(temporal|spatial)_conv_size|moe_group|multimodal_dispatch|^use_moe$|xavier|init_scale|block_use_|index_topk_(freq|pattern)|index_skip|index_share|sink|logits|embed|latent_moe_use_norm|num_local_tokens|model_parallel|fusion|k_norm|(^|_)bias|recompute|_alpha|_beta|rope_|_rope|rotary|^for_llm_compressor$"
)
"""Structural by name, but of no weight: how experts are chosen, kernels, training, heads that guess ahead."""


CORE = ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "vocab_size")
"""Numbers without which there is no model."""

SIZE = re.compile(
    r"^(n|num|d)_?(embed|embd|model|layers?|heads?|inner|hidden|ff|ffn)$|^dim$|^(embed|embedding|hidden|model|ffn|ff|mlp|feed"
    r"_forward|inner)_?(dim|size|width|hidden_size|intermediate_size)$|^(n|num)_(blocks|units)$|^(depth|width)$"
)
"""Names that look like one of these under another spelling."""

WITHOUT_DEFAULTS = frozenset(
    {"nemotron-nas", "step3_text", "molmo", "molmo2_text", "bailing_hybrid", "iquestloopcoder"}
)
"""Classes that come with the weights, not with transformers, and whose files say everything."""

NO_DEFAULT: Mapping[str, frozenset[str]] = {
    "step3p5": frozenset(
        {
            *("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "head_dim"),
            *("moe_intermediate_size", "n_routed_experts", "num_experts_per_tok", "share_expert_dim"),
        }
    ),
    "kimi_linear": frozenset(
        {
            *("hidden_size", "intermediate_size", "num_hidden_layers", "kv_lora_rank", "qk_rope_head_dim"),
            *("qk_nope_head_dim", "v_head_dim", "moe_intermediate_size", "num_local_experts", "num_experts_per_tok"),
        }
    ),
}
"""What vLLM's own configuration of a class takes for other numbers than transformers' where a file says nothing.

vllm 0.32.0, transformers_utils/configs/step3p5.py and kimi_linear.py (read 2026-11-29; Step's was seen on its CPU
build: a head of 25). Published files give all of these, so one that does not is not understood.
"""

LARGEST = 10**9
"""Far beyond any number in a real file: a larger one, or one below zero, is not meant, and gives sizes of no sense."""


def names_of(name: str) -> tuple[str, ...]:
    """Under which names one number may stand in a file, the most usual one first."""
    return (name, *SPELLINGS.get(name, ()))


class UnknownShapeError(Exception):
    """A setting, or a class, that says something of the shape and is not understood here: ``what`` and its value."""

    def __init__(self, what: str, value: object = None) -> None:
        super().__init__(what)
        self.what = what
        self.value = value


def is_size(value: object) -> TypeGuard[int]:
    """Whether a value that stands in a list or a part of its own is a number above zero that can be meant."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= LARGEST


@cache
def classes() -> Mapping[str, Mapping[str, object]]:
    """What transformers takes where a file says nothing, by model type: see ``data/model_classes.json``."""
    raw = json.loads(DATA.read_text(encoding="utf-8"))
    rows: Mapping[str, Mapping[str, object]] = raw["classes"]
    return rows


class Settings:
    """Reads the text part of a config.json, and remembers what was read.

    ``number``, ``flag`` and ``sequence`` look for the name, the class's other name for it, the spellings above and at
    last the class's default. With ``like`` that does not count: a class that is built like another has its own. What
    the file gives under a structural name and nobody asked for is in ``unread``. ``architecture`` is vLLM's class.
    """

    def __init__(
        self, values: Mapping[str, object], kind: str | None, *, like: bool = False, architecture: str | None = None
    ) -> None:
        self.values = values
        self.architecture = architecture
        self.kind = kind or ""
        self.like = like
        self._class = classes().get(self.kind, {})
        self._read: set[str] = set()

    @property
    def known_class(self) -> bool:
        """Whether transformers has a class of this model type, of which the defaults are known."""
        return bool(self._class) or self.kind in WITHOUT_DEFAULTS

    def given(self, name: str) -> object:
        """The file's own value of a setting, under any spelling; None where it says nothing."""
        spellings = list(self._spellings(name))
        self._read.update(spellings)
        return next((self.values[each] for each in spellings if self.values.get(each) is not None), None)

    def value(self, name: str) -> object:
        """The file's value, else the class's default, else None."""
        if self.given(name) is not None:
            return self.given(name)
        # A setting that the file gives as null is none: its class's default does not hold.
        return None if any(each in self.values for each in self._spellings(name)) else self._default(name)

    def number(self, name: str, *, low: int = 0) -> int | None:
        """A whole number from ``low`` on; a list of one number repeated counts as that number."""
        value = self.value(name)
        if value is None or (value is False):
            return None
        if isinstance(value, list) and value and all(each == value[0] for each in value):
            value = value[0]
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= LARGEST:
            self.refuse(name, value)
        return value

    def alone(self, name: str) -> int | None:
        """A number that the file gives under one spelling, or under several alike: of two, a class reads either."""
        said = {str(self.values[each]) for each in self._spellings(name) if self.values.get(each)}
        if len(said) > 1:
            self.refuse(name, " / ".join(sorted(said)))
        return self.number(name)

    def needed(self, name: str, *, low: int = 1) -> int:
        """A number without which nothing can be computed."""
        value = self.number(name, low=low)
        if value is None:
            self.refuse(name)
        return value

    def flag(self, name: str) -> bool:
        """A switch; what is not given is off."""
        return self.value(name) is True

    def sequence(self, name: str) -> list[object] | None:
        """A list, such as one entry per layer."""
        value = self.value(name)
        return list(value) if isinstance(value, list | tuple) and value else None

    def mapping(self, name: str) -> Mapping[str, object]:
        """A part of its own, such as ``linear_attn_config``."""
        value = self.value(name)
        return value if isinstance(value, dict) else {}

    def refuse(self, name: str, value: object = None) -> NoReturn:
        """Say that a setting is not understood."""
        raise UnknownShapeError(name, value)

    def unread(self) -> Iterator[tuple[str, object]]:
        """What the file says under a structural name, and nothing here has read."""
        for name, value in self.values.items():
            if value in (None, False, 0, "") or value in ([], {}):
                continue
            if STRUCTURAL.search(name) and not HARMLESS.search(name) and name not in self._read:
                yield name, value
        if any(self.given(name) is None and self._default(name) is not None for name in CORE):
            # A class's default stands for one of them: a number of like name may have been meant for it.
            for name, value in self.values.items():
                if SIZE.search(name) and name not in self._read and is_size(value) and value > 1:
                    yield name, value

    def foreign(self) -> list[str]:
        """What the file says in words of other classes, which its own class leaves aside (tools/foreign.py)."""
        names = self._class.get("foreign")
        found = names if isinstance(names, list) and not self.like else []
        return [name for name in found if self.values.get(name) is not None]

    def without(self, names: Iterable[str]) -> Settings:
        """The same settings but for these."""
        gone = set(names)
        left = {name: value for name, value in self.values.items() if name not in gone}
        return Settings(left, self.kind, architecture=self.architecture)

    def pass_over(self, names: re.Pattern[str]) -> None:
        """Count what the file gives under such names as read: it is of parts that the model does not have."""
        self._read.update(name for name in self.values if names.search(name))

    def _spellings(self, name: str) -> Iterator[str]:
        yield name
        names = self._class.get("names")
        if isinstance(names, dict):
            for other, real in names.items():
                if other == name:
                    yield real
                elif real == name:
                    yield other
        yield from SPELLINGS.get(name, ())

    def _default(self, name: str) -> object:
        defaults = None if self.like else self._class.get("defaults")
        if isinstance(defaults, dict):
            for spelling in self._spellings(name):
                if defaults.get(spelling) is not None:
                    if spelling in NO_DEFAULT.get(self.kind, ()):
                        self.refuse(name)
                    return defaults[spelling]
        return None
