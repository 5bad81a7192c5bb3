"""Stage `models`: the files of further models, one model after the other, as the stage `weights` fetches the main one.

What it fetches with is in every machine's user data, knows of one model alone, and speaks in the name of its stage:
user data is not to grow, so that it is told otherwise from here.
"""

from __future__ import annotations

import re
from importlib import import_module
from typing import Any

from llm_node import status, weights
from llm_node.system import Failure, at, node, run

NEEDED = frozenset({"r", "lora_alpha", "target_modules"})
OTHER = (
    *("use_dora", "lora_bias", "alora_invocation_tokens", "layer_replication", "use_bdlora", "use_qalora"),
    "modules_to_save",
)
"""What makes an adapter another thing than two matrices beside each of the model's own: vllm 0.32.0 refuses these, and
first values that come with other weights of the model (lora/peft_helper.py, read 2026-11-29)."""
HEADS = frozenset({"classifier", "score"})
PLAIN = frozenset({"gaussian", "eva", "orthogonal", "mica", "lora_ga"})


class Told:
    """The module `status`, but for whose progress is noted."""

    def __init__(self, stage: str) -> None:
        self.stage = stage

    def __getattr__(self, name: str) -> Any:
        return getattr(status, name)

    def record(self, stage: str, state: str, **fields: Any) -> None:
        """Note it as this stage's."""
        status.record(self.stage if stage == "weights" else stage, state, **fields)


def main() -> None:
    """Fetch those that are not there yet."""
    known = node()
    if "bucket" in known:
        bucket = import_module("llm_node.bucket")
        for model in known["further"]:
            bucket.model("models", model)
            fits(model)
        run("systemctl", "start", "--no-block", bucket.UNIT)
        return
    if "bundle" in known:
        for model in known["further"]:
            import_module("llm_node.bundle").model("models", model)
            fits(model)
        return
    weights.status = Told("models")  # type: ignore[assignment]
    for model in known["further"]:
        weights.node = {**known, "model": model}.copy
        weights.main()
        fits(model)


def fits(model: dict[str, Any]) -> None:
    """A Failure for an adapter that vLLM would end for: of another model, of another kind, or larger than the slots."""
    want = model.get("adapter")
    if want is None:
        return
    said = status.read(at(model["path"]) / "adapter_config.json")
    if missing := NEEDED - said.keys():
        raise Failure(
            "models.no-adapter",
            f"the adapter {want['name']} has no {' and '.join(sorted(missing))} in its adapter_config.json",
        )
    if not list(at(model["path"]).glob("adapter_model.*")):
        raise Failure("models.no-adapter", f"the adapter {want['name']} has no weights: adapter_model.safetensors")
    base = str(said.get("base_model_name_or_path") or "")
    # A folder on somebody's machine tells nothing.
    if re.fullmatch(r"[\w-][\w.-]*/[\w.-]+", base) and base.casefold() not in map(str.casefold, want["bases"]):
        raise Failure("models.other-base", f"the adapter {want['name']} says that it was made for {base}")
    if found := other_kind(said):
        raise Failure("models.adapter-kind", f"the adapter {want['name']} has {found}, which vLLM does not serve")
    ranks = (said["r"], *(said.get("rank_pattern") or {}).values())
    rank = max((each for each in ranks if isinstance(each, int)), default=0)
    if rank > want["rank"]:
        raise Failure("models.rank", f"the adapter {want['name']} has the rank {rank}, and slots are of {want['rank']}")


def other_kind(said: dict[str, Any]) -> str:
    """What of an adapter's file vLLM refuses; empty: nothing."""
    begun = said.get("init_lora_weights", True)
    if isinstance(begun, str) and begun.lower() not in PLAIN:
        return f"init_lora_weights: {begun}"
    if said.get("bias", "none") != "none":
        return f"bias: {said['bias']}"
    heads = set(said.get("modules_to_save") or ()) <= HEADS
    return next((each for each in OTHER if said.get(each) and not (each == "modules_to_save" and heads)), "")
