"""What sees and hears takes while vLLM rehearses, beside its weights.

vllm 0.32.0, v1/worker/gpu_model_runner.py profile_run (read 2026-11-28): it runs the encoder on as many of the largest
items as its budget holds, keeps what comes out, and rehearses the text part after that.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from pulumi_llm._dataclasses import dataclass
from pulumi_llm.catalog.models import GIB, Model
from pulumi_llm.preflight import extras


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoder:
    """The part of a class that sees or hears: ``tokens`` of its largest item, and what it computes for each of them.

    A token comes from so many ``patches`` of that ``width``, through feed-forward parts of so many ``matrices`` of an
    ``inner`` width, and is ``copies`` vectors of the text part's width. A video may be ``frames`` such items.
    """

    tokens: int
    patches: int
    width: int
    inner: int
    matrices: int
    copies: int = 1
    frames: int = 1


@cache
def _encoders() -> Mapping[str, Encoder]:
    return {name: Encoder(**row) for name, row in extras.rows("encoders").items()}


def off(flags: Mapping[str, str]) -> bool:
    """Whether a command line leaves out what sees and hears: its weights are not loaded then (config/multimodal.py)."""
    return "--language-model-only" in flags


def rehearses(flags: Mapping[str, str]) -> bool:
    """Whether vLLM takes room for it when it starts."""
    return not off(flags) and "--skip-mm-profiling" not in flags


def rehearsal_gib(model: Model, batched: int, context: int, gpus: int) -> tuple[float, float]:
    """GiB on each GPU at the peak of the encoder, and of what it keeps while the text part is rehearsed.

    Nothing for classes of which the largest item is not known here.
    """
    found = _encoders().get(model.architecture or "")
    if found is None:
        return 0.0, 0.0
    item = found.tokens * max(1, min(found.frames, context // found.tokens))
    tokens = max(1, max(batched, item) // item) * item
    kept = tokens * (model.hidden or 0) * found.copies * 2 / GIB
    peak = tokens * found.patches * (found.matrices * found.inner / gpus + 4 * found.width) * 2 / GIB
    return peak + kept, kept
