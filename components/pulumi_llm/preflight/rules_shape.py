"""How a model can be cut: tensor parallelism splits heads and rows, and some numbers do not divide."""

from __future__ import annotations

from collections.abc import Iterator

from pulumi_llm._texts import _, either
from pulumi_llm.errors import Finding
from pulumi_llm.preflight.objections import when
from pulumi_llm.preflight.request import Case
from pulumi_llm.preflight.rules_model import architectures

COUNTS = (1, 2, 4, 8)
"""Numbers of GPUs that instance types carry."""


@when(lambda case: not _heads_divide(case, case.request.gpu_count))
def heads_not_divisible(case: Case) -> Iterator[Finding]:
    """Each GPU takes the same number of attention heads, and whole key-value heads or copies of one."""
    model, count = case.model, case.request.gpu_count
    fitting = [each for each in COUNTS if _heads_divide(case, each)]
    hint = _("{key}: {fitting}", key=case.request.count_key, fitting=either(map(str, fitting)))
    if model.heads is not None and model.heads % count:
        yield Finding(
            "fit.heads-not-divisible",
            _(
                "{model} has {heads} attention heads, which {count} GPUs cannot share evenly "
                "({heads} / {count} = {heads_2:.2f})",
                model=model.id,
                heads=model.heads,
                count=count,
                heads_2=model.heads / count,
            ),
            hint,
            where=case.request.count_key,
        )
    else:
        yield Finding(
            "fit.heads-not-divisible",
            _(
                "{model} has {kv_heads} key-value heads, which {count} GPUs can neither share nor repeat evenly",
                model=model.id,
                kv_heads=model.kv_heads,
                count=count,
            ),
            hint,
            where=case.request.count_key,
        )


def groups_not_divisible(case: Case) -> Iterator[Finding]:
    """Quantized weights carry a scale per group of inputs; a cut through a group is refused while loading."""
    model, count = case.model, case.request.gpu_count
    group = _group(case) if count > 1 else None
    if group is None or not _heads_divide(case, count):
        return
    for what, size in _rows(case):
        if size % (count * group):
            fitting = [
                each
                for each in COUNTS
                if each == 1 or (_heads_divide(case, each) and not any(s % (each * group) for __, s in _rows(case)))
            ]
            yield Finding(
                "fit.groups-not-divisible",
                _(
                    "{model} holds {quantization} scales per {group} inputs, and {what} {size} / {count} "
                    "GPUs = {size_2:g} is not a multiple of {group}",
                    model=model.id,
                    quantization=case.quantization,
                    group=group,
                    what=what,
                    size=size,
                    count=count,
                    size_2=size / count,
                ),
                _(
                    "{key}: {fitting}, or the model in 16 bit",
                    key=case.request.count_key,
                    fitting=either(map(str, fitting)),
                ),
                where=case.request.count_key,
            )
            return


@when(lambda case: case.model.layers is not None and case.request.nodes > case.model.layers)
def more_nodes_than_layers(case: Case) -> Iterator[Finding]:
    """Each machine has one layer at least."""
    layers = case.model.layers
    yield Finding(
        "fit.more-nodes-than-layers",
        _("{model} has {layers} layers, and {nodes} machines are to have some each", model=case.model.id, layers=layers,
          nodes=case.request.nodes),
        _("nodes: {layers} or fewer", layers=layers),
        where="nodes",
    )  # fmt: skip


@when(lambda case: case.request.nodes > 1 and case.model.architecture in architectures().no_stages)
def without_stages(case: Case) -> Iterator[Finding]:
    """vLLM refuses pipeline parallelism for a class without it (config/model.py, verify_with_parallel_config)."""
    yield Finding(
        "fit.no-stages",
        _(
            "vLLM {version} cannot cut {name}, the class of {model}, into parts for {nodes} machines: it does not "
            "start",
            version=case.engine.version,
            name=case.model.architecture,
            model=case.model.id,
            nodes=case.request.nodes,
        ),
        _("nodes: 1 with more or larger GPUs, or a model of another class"),
        where="nodes",
    )


@when(lambda case: case.model.max_context is not None and case.max_model_len > case.model.max_context)
def context_beyond_model(case: Case) -> Iterator[Finding]:
    """vLLM refuses a context longer than the model's positions."""
    limit = case.model.max_context
    yield Finding(
        "fit.context-beyond-model",
        _(
            "{model} was made for {limit} tokens, and {max_model_len} are asked for",
            model=case.model.id,
            limit=limit,
            max_model_len=case.max_model_len,
        ),
        _("a context of {limit} tokens or less", limit=limit),
        where="context_length",
    )


def _heads_divide(case: Case, count: int) -> bool:
    heads, kv_heads = case.model.heads, case.model.kv_heads
    if heads is None:
        return True
    if heads % count:
        return False
    # A latent cache is not cut by heads.
    return case.model.mla is not None or kv_heads is None or kv_heads % count == 0 or count % kv_heads == 0


def _group(case: Case) -> int | None:
    if case.quantization == "fp8" and case.model.quantization == "fp8":
        publisher = case.model.id.partition("/")[0]
        return case.engine.fp8_block if publisher in case.engine.fp8_block_publishers else None
    return case.method.group if case.method is not None else None


def _rows(case: Case) -> Iterator[tuple[str, int]]:
    """The inputs of the layers that are cut along them: attention's output and, where dense, the feed-forward's."""
    model = case.model
    if model.mla is None and model.heads is not None and model.head_dim is not None:
        yield _("attention width"), model.heads * model.head_dim
    if model.moe is None and model.intermediate is not None:
        yield "feed-forward width", model.intermediate
