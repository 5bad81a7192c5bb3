"""The models that a server's own machine serves: vLLM's role, with further models, and how the gateway gets there."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from pulumi_llm import _replicas, catalog, roles
from pulumi_llm._bootstrap import Target, Upstream, VllmRole
from pulumi_llm._flags import flags_of
from pulumi_llm.catalog.pooling import task_of
from pulumi_llm.preflight import drafts, on_cpu, served_adapters
from pulumi_llm.preflight.engine import engine
from pulumi_llm.roles import turning
from pulumi_llm.roles.requests import Adapter, Among, Guesser
from pulumi_llm.roles.vllm_drafts import ID
from pulumi_llm.roles.vllm_flags import flags_of_spec
from pulumi_llm.spec.turns import TurnsSpec
from pulumi_llm.spec.turns import level as turn_level

if TYPE_CHECKING:
    from pulumi_llm._resolve import ResolvedModel, ResolvedServer
    from pulumi_llm.spec import AdapterSpec

MAIN = Upstream(name="vllm", kind="vllm", base_url="http://127.0.0.1:8000/v1")
"""The main model's server."""


def upstreams(server: ResolvedServer) -> Iterator[Upstream]:
    """Each model's server, the main one's first; with replicas each is one of several."""
    several = server.spec.replicas > 1
    for each in (MAIN, *(_upstream(number, each) for number, each in enumerate(server.models))):
        yield dataclasses.replace(each, replica=several, fill=_replicas.fill(server.spec))


def targets(server: ResolvedServer) -> dict[str, Target]:
    """Where each model is asked for on this machine, by the name that callers know. Nothing is paid per token."""
    served = [(server.spec.name_served, server.context_length, server.spec.adapters)]
    served += [(each.name, each.context_length, each.spec.adapters) for each in server.models]
    found = list(zip(served, upstreams(server), strict=True))
    own = [(name, window, each) for (name, window, __), each in found]
    # The same server, asked by another name.
    own += [(name, window, each) for (__, window, adapters), each in found for name in adapters]
    return {
        name: Target(upstream=each.name, model=name, price_in=0, price_out=0, window=window)
        for name, window, each in own
    }


def role(server: ResolvedServer, rank: int = 0, addresses: Sequence[str] = ()) -> VllmRole:
    """The main model, and the further ones with it.

    ``rank``: which of several machines with one model; ``addresses``: the private ones of all, once they are known.
    """
    wanted = server.spec
    among = None
    if wanted.nodes > 1:
        ray = wanted.nodes_backend == "ray"
        among = Among(rank=rank, count=wanted.nodes, addresses=tuple(addresses), ray=ray)
    task = task_of(wanted.model, server.model, flags_of(wanted.extra_args))
    traces = wanted.traces.endpoint if wanted.traces is not None and wanted.traces.engine else ""
    return VllmRole(
        **_common(server, task),
        traces=traces,
        served_name=wanted.name_served,
        tensor_parallel_size=wanted.gpu_count,
        gpu_memory_utilization=wanted.gpu_memory_utilization,
        flags={**flags_of_spec(wanted), "max_num_seqs": server.max_num_seqs},
        beside=wanted.model_change == "beside",
        more=tuple(_further(number, each, traces, turn_level(wanted)) for number, each in enumerate(server.models)),
        among=among,
        turns=turn_level(wanted),
        tpu=catalog.load().gpus[wanted.gpu].tpu,
    )


def _further(number: int, model: ResolvedModel, traces: str, level: int) -> VllmRole:
    wanted = model.spec
    if wanted.device == on_cpu.CPU:
        return VllmRole(
            **_common(model, model.task),
            served_name=model.name,
            name=model.name,
            port=_port(number),
            host_gib=on_cpu.of_spec(model.name, wanted).memory_gib,
        )
    assert wanted.gpu_memory_utilization is not None  # noqa: S101 - `preflight.sharing.settled` tells every share
    return VllmRole(
        **_common(model, model.task),
        traces=traces,
        served_name=model.name,
        tensor_parallel_size=len(model.cards),
        gpu_memory_utilization=wanted.gpu_memory_utilization,
        flags=flags_of_spec(wanted),
        name=model.name,
        port=_port(number),
        cards=() if wanted.gpus is None else model.cards,
        turns=level if wanted.takes_turns else 0,
    )


def turns(server: ResolvedServer) -> dict[str, Any]:
    """What the gateway is told of models that take turns; empty: none do."""
    wanted = server.spec
    taking = [MAIN.name, *(_upstream(number, each).name for number, each in enumerate(server.models)
                           if each.spec.takes_turns)]  # fmt: skip
    if not turn_level(wanted):
        return {}
    told = wanted.turns or TurnsSpec()
    return turning.document(taking, told.awake_seconds, told.wait_seconds)


def of_fleet(model: ResolvedModel, gpus: int) -> VllmRole:
    """A model as an engine of a fleet is started with it, whatever starts it there."""
    wanted = model.spec
    return VllmRole(
        **_common(model, model.task),
        served_name=model.name,
        tensor_parallel_size=gpus,
        gpu_memory_utilization=wanted.gpu_memory_utilization or 0.9,
        flags=flags_of_spec(wanted),
    )


def _adapter(name: str, wanted: AdapterSpec, of: ResolvedServer | ResolvedModel) -> Adapter:
    row = of.model
    # What was trained on the model itself is for a quantized copy of it too.
    names = [wanted.base, of.spec.model, *((row.modelscope_id, row.base_model) if row else ())]
    bases = tuple(dict.fromkeys(each for each in names if each))
    return Adapter(
        name=name,
        model_id=wanted.source,
        modelscope_id=wanted.modelscope_id,
        revision=wanted.revision,
        bases=bases,
    )


def _guesser(of: ResolvedServer | ResolvedModel) -> Guesser | None:
    """What guesses ahead, where a hub has it and it is not the model itself."""
    draft = drafts.asked(flags_of(of.spec.extra_args))
    if draft is None or draft.model is None or draft.method in drafts.WITHOUT_MODEL or draft.model == of.spec.model:
        return None
    if not ID.fullmatch(draft.model):
        return None
    row = catalog.load().models.get(draft.model)
    return Guesser(model_id=draft.model, modelscope_id=row.modelscope_id if row else None, revision=draft.revision)


def _for_the_weights(of: ResolvedServer | ResolvedModel) -> tuple[str, ...]:
    """What vLLM has to be told to start with weights that are stored so, as a flag and an empty value."""
    method = engine().quantizations.get(of.model.quantization or "") if of.model else None
    return (method.flag, "") if method is not None and method.flag else ()


def _common(of: ResolvedServer | ResolvedModel, task: str | None) -> dict[str, Any]:
    wanted, abilities = of.spec, of.abilities.for_task(task)
    return {
        "model_id": wanted.model,
        "modelscope_id": wanted.modelscope_id or (of.model.modelscope_id if of.model else None),
        "revision": wanted.revision,
        "dtype": of.dtype,
        "max_model_len": of.context_length,
        "kv_cache_dtype": None if wanted.kv_cache_dtype == "auto" else wanted.kv_cache_dtype,
        "trust_remote_code": wanted.trust_remote_code,
        "tool_call_parser": abilities.tool_call_parser,
        "reasoning_parser": abilities.reasoning_parser,
        "chat_template": abilities.chat_template,
        "recommended": (*abilities.flags, *_for_the_weights(of)),
        "task": task,
        "extra_args": wanted.extra_args,
        "adapters": tuple(_adapter(name, each, of) for name, each in wanted.adapters.items()),
        "slots": served_adapters.slots(wanted),
        "guesser": _guesser(of),
        "weights_gib": of.weights_gib,
    }


def _port(number: int) -> int:
    """The port of a further model on loopback: those that the role keeps behind the main model's."""
    return roles.role("vllm").manifest.loopback[1 + number]


def _upstream(number: int, model: ResolvedModel) -> Upstream:
    """A further model's server. A name with a slash cannot be a vendor's, nor one that somebody gave an upstream."""
    return Upstream(name=f"vllm/{model.name}", kind="vllm", base_url=f"http://127.0.0.1:{_port(number)}/v1")
