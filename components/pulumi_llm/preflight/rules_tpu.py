"""What a TPU cannot be asked for, and whether weights and cache find room on its chips: see :mod:`.tpu`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pulumi_llm._texts import _, listed
from pulumi_llm.errors import Finding
from pulumi_llm.preflight import tpu
from pulumi_llm.preflight.request import Case

if TYPE_CHECKING:
    from pulumi_llm.spec import ServerSpec


def cannot(case: Case) -> Iterator[Finding]:
    """What its plugin refuses at the start, and what nothing is known of."""
    model, request, load, known = case.model, case.request, case.load, tpu.facts()
    if model.mla is not None or any(row.heads == 0 for row in model.kept or ()):
        yield _cannot(
            case,
            _(
                "{model} keeps a latent cache (MLA), which it starts with attention shared out by requests alone",
                model=model.id,
            ),
            _("a model with attention heads of its own, such as Qwen3 or Llama; or a GPU"),
            "model",
        )
    if model.state_layers or model.sparse_attention:
        yield _cannot(
            case,
            _(
                "{model} has layers that keep a state or pick what they look at, of whose size there nothing is known",
                model=model.id,
            ),
            _("a model with attention heads alone, such as Qwen3 or Llama; or a GPU"),
            "model",
        )
    if model.other_parts or model.other_parameters_b:
        yield _cannot(
            case,
            _("{model} sees or hears, and what these parts take there is not known", model=model.id),
            _("a model for text alone, such as Qwen3 or Llama; or a GPU"),
            "model",
        )
    if case.task is not None:
        yield _cannot(
            case,
            _("models for vectors and for ranking are not tried there"),
            _("a model that writes text; or a GPU"),
            "model",
        )
    asked = request.quantization or model.quantization
    if request.quantization not in (None, model.quantization):
        yield _cannot(
            case,
            _(
                "weights are served as they are stored, and {model} is not stored in {asked}",
                model=model.id,
                asked=asked,
            ),
            _("leave quantization out"),
            "quantization",
        )
    elif asked is not None and asked not in known["quantizations"]:
        yield _cannot(
            case,
            _("of weights quantized by {asked} it starts none, or nothing of their size is known", asked=asked),
            _("a model in 16 bit, or in {names}", names=listed(known["quantizations"])),
            "model",
        )
    if request.dtype not in ("auto", "bfloat16"):
        yield _cannot(
            case, _("its chips compute in bfloat16, not in {dtype}", dtype=request.dtype), "dtype: bfloat16", "dtype"
        )
    cache = request.kv_cache_dtype
    if cache not in known["cache_dtypes"] or (cache == "auto" and model.cache_dtype is not None):
        yield _cannot(
            case,
            _("a cache in {cache} is not tried there", cache=cache if cache != "auto" else model.cache_dtype),
            "kv_cache_dtype: bfloat16",
            "kv_cache_dtype",
        )
    if load.adapters is not None:
        yield _cannot(
            case,
            _("it has slots for LoRA adapters with vLLM's own classes alone, and what they take is not known"),
            _("a model with the adapter merged into its weights; or a GPU"),
            "adapters",
        )
    if load.draft is not None and load.draft.method not in known["guesses"]:
        yield _cannot(
            case,
            _("of guessing ahead by {method} nothing is known there", method=load.draft.method or _("another model")),
            _("leave --speculative-config out, or method ngram"),
            "extra_args",
        )
    if request.nodes > 1:
        yield _cannot(
            case, _("a model on several machines needs a slice of them, which is not made here"), "nodes: 1", "nodes"
        )
    if request.changes_beside:
        yield _cannot(
            case, _("one server has all chips, and no other starts beside it"), "model_change: restart", "model_change"
        )
    if request.host is not None:
        yield _cannot(case, _("a machine of one's own is set up for NVIDIA's GPUs alone"), "cloud: gcp", "host")


def of_server(server: ServerSpec) -> Iterator[Finding]:
    """The same of what stands beside the main model in a server's spec."""
    for name in server.models:
        yield Finding(
            "fit.not-on-tpu",
            _("a TPU's chips belong to one server, and {name} would be another", name=name),
            _("a machine of its own for it; or a GPU"),
            where=f"models.{name}",
        )
    if server.weights is not None and server.weights.bundle is not None:
        yield Finding(
            "fit.not-on-tpu",
            _("`pulumi-llm bundle` collects the packages of NVIDIA's build of vLLM"),
            _("weights without bundle; or a GPU"),
            where="weights.bundle",
        )


def room(case: Case) -> Iterator[Finding]:
    """Whether weights and one request of the full context find room, and what is worked on has some beside them."""
    found = case.memory
    if found is None:
        return
    budget = _(
        "{utilization:g} of the {gpu_gib:.2f} GiB of a chip of {gpu} is {budget_gib:.2f} GiB",
        utilization=case.load.utilization,
        gpu_gib=found.gpu_gib,
        gpu=case.gpu.name,
        budget_gib=found.budget_gib,
    )
    if found.kv_gib <= 0:
        yield Finding(
            "fit.weights-exceed-vram",
            _(
                "{model} needs {weights_gib:.2f} GiB for weights on each chip, and {budget}",
                model=case.model.id,
                weights_gib=found.weights_gib,
                budget=budget,
            ),
            where="gpu",
        )
    elif found.kv_gib < found.need_gib:
        yield Finding(
            "fit.context-too-long",
            _(
                "one request of {max_model_len} tokens needs {need_gib:.2f} GiB of KV cache on each chip, and "
                "{kv_gib:.2f} GiB is left: {budget}, less {weights_gib:.2f} GiB of weights",
                max_model_len=case.max_model_len,
                need_gib=found.need_gib,
                kv_gib=found.kv_gib,
                budget=budget,
                weights_gib=found.weights_gib,
            ),
            where="context_length",
        )
    beside = found.gpu_gib - found.budget_gib
    if found.activation_gib > beside:
        yield Finding(
            "fit.utilization-too-high",
            _(
                "what is worked on takes about {activation_gib:.2f} GiB of a chip, and {budget}: {beside:.2f} GiB "
                "are left beside it",
                activation_gib=found.activation_gib,
                budget=budget,
                beside=beside,
            ),
            _("gpu_memory_utilization: {share:.2f}", share=max(0.1, 1 - found.activation_gib / found.gpu_gib - 0.01)),
            where="gpu_memory_utilization",
        )


def not_run(case: Case) -> Iterator[Finding]:
    """Nobody here has had a TPU: that is said of each."""
    known = tpu.facts()
    yield Finding(
        "fit.tpu-not-run",
        _(
            "{gpu}: nothing of this has run on a TPU. Machine, packages and command line are made by the sources of "
            "{package} {version}, and memory by its arithmetic; what XLA's programs take beside it is not known",
            gpu=case.gpu.name,
            package=known["package"],
            version=known["version"],
        ),
        _(
            "try it on one machine first; a first start compiles for many minutes ({minutes} in a public log), and "
            "ready_timeout_minutes is to hold that",
            minutes=known["start_minutes"],
        ),
        severity="warning",
        where="gpu",
    )


def others_classes(case: Case) -> Iterator[Finding]:
    """Classes that the plugin does not have itself are run by PyTorch's, translated."""
    name, known = case.model.architecture, tpu.facts()
    if name is not None and name not in known["own_classes"]:
        yield Finding(
            "fit.tpu-others-class",
            _(
                "{plugin} {version} has no {name} of its own, and runs vLLM's in PyTorch: it may not start",
                plugin=known["plugin"],
                version=known["version"],
                name=name,
            ),
            _("a model of {names}", names=listed(known["own_classes"])),
            severity="warning",
            where="model",
        )


def _cannot(case: Case, why: str, hint: str, where: str) -> Finding:
    return Finding(
        "fit.not-on-tpu",
        _("{package} {version} on {gpu}: {why}", package=tpu.facts()["package"], version=tpu.facts()["version"],
          gpu=case.gpu.name, why=why),
        hint,
        where=where,
    )  # fmt: skip
