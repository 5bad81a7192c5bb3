"""Models on the nodes of a cluster: whether each fits, how many nodes they take, and what is refused of it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from pulumi_llm import catalog
from pulumi_llm._dataclasses import dataclass
from pulumi_llm._texts import _
from pulumi_llm.errors import Finding, Refusal, UnknownName
from pulumi_llm.preflight import clusters, report, request, rules_shape

if TYPE_CHECKING:
    from pulumi_llm.preflight.memory import Memory
    from pulumi_llm.spec import HostPriceSpec
    from pulumi_llm.spec.fleet import FleetModelSpec, FleetSpec

OF_MEMORY = frozenset(
    {
        "fit.weights-exceed-vram",
        "fit.context-too-long",
        "fit.concurrency-too-high",
        "fit.tight",
        "fit.utilization-too-high",
    }
)
"""Findings about how a GPU's memory is spent: of a copy over several nodes they are asked of all its GPUs."""

FOR_OTHERS = 0.2
"""The part of a node's vCPUs and memory that is left to the system, the kubelet and what else runs there."""
LEAST_VCPUS, LEAST_GIB = 1, 4
"""What a copy cannot do with less of: vLLM's own processes, before a model is read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One node of a fleet, all of which are alike. Memory in GiB; ``price`` is per hour; None: not known."""

    gpu: str
    gpus: int
    vcpus: int | None
    memory_gib: float | None
    price: catalog.Price | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """What the fit check says of one model: its findings, the memory of each GPU, and requests at once per copy."""

    findings: tuple[Finding, ...]
    memory: Memory | None
    requests: int | None
    max_num_seqs: int | None


def node_of(fleet: FleetSpec) -> Node:
    """What each node has and costs, from the catalogue or as the spec says."""
    wanted, data = fleet.nodes, catalog.load()
    own = None if wanted.price is None else _own_price(wanted.price)
    if wanted.cloud is None or wanted.region is None or wanted.instance_type is None:
        return Node(
            gpu=wanted.gpu or "", gpus=wanted.gpus or 1, vcpus=wanted.vcpus, memory_gib=wanted.memory_gib, price=own
        )
    row = data.instance(wanted.cloud, wanted.instance_type)
    return Node(
        gpu=row.gpu or "",
        gpus=row.gpu_count,
        vcpus=wanted.vcpus or row.vcpu,
        memory_gib=wanted.memory_gib or row.memory_gib,
        price=own or data.price(wanted.cloud, wanted.instance_type, wanted.region),
    )


def _own_price(told: HostPriceSpec) -> catalog.Price:
    return catalog.Price(
        cloud="",
        instance_type="",
        region="",
        amount=told.amount,
        currency=told.currency,
        source="nodes.price",
        source_date="undated",
    )


def fit(model: FleetModelSpec, node: Node) -> Fit:
    """One copy of a model on its GPUs. An unknown model is an error, as nothing can be said of it."""
    asked = request.FitRequest(
        model=model.model,
        gpu=node.gpu,
        gpu_count=model.gpus,
        quantization=model.quantization,
        dtype=model.dtype,
        max_model_len=model.context_length,
        gpu_memory_utilization=model.gpu_memory_utilization,
        max_num_seqs=model.max_num_seqs,
        kv_cache_dtype=model.kv_cache_dtype,
        extra_args=model.extra_args,
        trust_remote_code=model.trust_remote_code,
        count_key="gpus",
    )
    try:
        case = request.case_of(asked)
        found = report.findings(case)
        if model.nodes > 1:
            # Each node has a share of the layers, and in them as many GPUs share the heads as on one node.
            whole = request.case_of(replace(asked, gpu_count=model.gpus * model.nodes))
            found = (
                *(each for each in found if each.code not in OF_MEMORY),
                *(each for each in report.findings(whole) if each.code in OF_MEMORY),
                *rules_shape.without_stages(replace(case, request=replace(asked, nodes=model.nodes))),
                *_of_layers(model, case.model.layers),
            )
            case = whole
    except UnknownName as unknown:
        return Fit(findings=tuple(_unknown(each) for each in unknown.findings), memory=None, requests=None,
                   max_num_seqs=model.max_num_seqs)  # fmt: skip
    except Refusal as refusal:
        return Fit(findings=refusal.findings, memory=None, requests=None, max_num_seqs=model.max_num_seqs)
    memory = case.memory
    return Fit(
        findings=tuple(_of_a_fleet(each) for each in found if each.severity != "info"),
        memory=memory,
        requests=min(int(memory.max_concurrency), case.load.max_num_seqs) if memory is not None else None,
        max_num_seqs=request.max_num_seqs_of(case),
    )


def _of_a_fleet(found: Finding) -> Finding:
    """Where a model has too few GPUs the number is the fleet's to say; which GPU the nodes have is theirs."""
    return replace(found, where="gpus") if found.where == "gpu" and found.code in OF_MEMORY else found


def _of_layers(model: FleetModelSpec, layers: int | None) -> Iterator[Finding]:
    if layers is not None and model.nodes > layers:
        yield Finding(
            "fleet.more-nodes-than-layers",
            _("a copy of {model} is to lie over {nodes} nodes, and it has {layers} layers", model=model.model,
              nodes=model.nodes, layers=layers),
            _("nodes: {layers} at most; 2 is enough for most", layers=layers),
            where="nodes",
        )  # fmt: skip


def mistakes(fleet: FleetSpec, node: Node) -> Iterator[Finding]:
    """What the nodes cannot hold: too many GPUs for one, for all, or for the quota."""
    small = True
    for name, each in fleet.models.items():
        if each.gpus > node.gpus:
            small = False
            yield Finding(
                "fleet.gpus-of-a-node",
                _("a copy of {name!r} takes {gpus} GPUs of one node, and a node has {has}", name=name, gpus=each.gpus,
                  has=node.gpus),
                _("gpus: {has}, and nodes: {nodes} with engine: kuberay; or nodes that have more", has=node.gpus,
                  nodes=-(-each.gpus // node.gpus)),
                where=f"models.{name}.gpus",
            )  # fmt: skip
    gpus = gpus_of(fleet)
    if small and (needed := nodes_for(node.gpus, copies_of(fleet))) > fleet.nodes.count:
        yield Finding(
            "fleet.too-few-nodes",
            _("the models take {gpus} GPUs, which are {needed} nodes of {has}, and there are {count}", gpus=gpus,
              needed=needed, has=node.gpus, count=fleet.nodes.count),
            _("nodes.count: {needed}, or fewer copies", needed=needed),
            where="nodes.count",
        )  # fmt: skip
    for name, each in fleet.models.items() if small else ():
        yield from _room(name, each.gpus, node)
    yield from _room_for_the_store(fleet)
    quota = fleet.nodes.gpu_quota
    if quota is not None and quota < gpus:
        yield Finding(
            "fleet.gpu-quota",
            _("the models take {gpus} GPUs, and {quota} are granted", gpus=gpus, quota=quota),
            _("ask the cloud, or the cluster's owner, for {gpus}; or fewer copies", gpus=gpus),
            where="nodes.gpu_quota",
        )


def share(node: Node, gpus: int) -> tuple[int | None, int | None]:
    """vCPUs and GiB of a node for a copy on so many of its GPUs; None: not known what the node has."""
    part = (1 - FOR_OTHERS) * gpus / node.gpus
    return (
        int(node.vcpus * part) if node.vcpus is not None else None,
        int(node.memory_gib * part) if node.memory_gib is not None else None,
    )


def _room(name: str, gpus: int, node: Node) -> Iterator[Finding]:
    """What of a node is too little for one copy, or for the system beside it."""
    cpus, memory = share(node, gpus)
    for key, found, has, least, what in (
        ("vcpus", cpus, node.vcpus, LEAST_VCPUS, "vCPU"),
        ("memory_gib", memory, node.memory_gib, LEAST_GIB, "GiB"),
    ):
        if found is not None and found < least:
            needed = -(-least * node.gpus // gpus) / (1 - FOR_OTHERS)
            yield Finding(
                "fleet.node-too-small",
                _("of a node's {has:g} {what} a fifth is the system's, and a copy of {name!r} on {gpus} of {all} GPUs "
                  "would have less than {least}", has=has or 0, what=what, name=name, gpus=gpus, all=node.gpus,
                  least=least),
                _("nodes.{key}: {needed}, or what the nodes really have", key=key, needed=math.ceil(needed)),
                where=f"nodes.{key}",
            )  # fmt: skip


def _room_for_the_store(fleet: FleetSpec) -> Iterator[Finding]:
    """In a cluster that is made a vector store stands on one of the nodes without GPUs, of which the size is known."""
    managed, service = fleet.cluster.managed, clusters.service_of(fleet.nodes.cloud or "")
    if fleet.vectors is None or managed is None or service is None:
        return
    name, wanted = managed.system_type or service.system_type, fleet.vectors.memory_gib
    row = catalog.load().find_instance(service.cloud, name)
    if row is None or row.memory_gib is None or wanted <= (most := int(row.memory_gib * (1 - FOR_OTHERS))):
        return
    least = math.ceil(wanted / (1 - FOR_OTHERS))
    other = _("a cluster.managed.system_type that has {least} GiB", least=least)
    yield Finding(
        "fleet.node-too-small",
        _("the vector store is to have {wanted} GiB on one {type}, which has {has:g}, and a fifth of that is the "
          "system's", wanted=wanted, type=name, has=row.memory_gib),
        _("memory_gib: {most} at most, or {other}", most=most, other=other) if most else other,
        where="vectors.memory_gib",
    )  # fmt: skip


def gpus_of(fleet: FleetSpec) -> int:
    """GPUs that all models take together, at most."""
    return sum(each.most * each.nodes * each.gpus for each in fleet.models.values())


def copies_of(fleet: FleetSpec, *, least: bool = False) -> list[tuple[int, int, int]]:
    """For each model how many copies (at most, or at ``least``), over how many nodes, and how many GPUs on each."""
    return [(each.least if least else each.most, each.nodes, each.gpus) for each in fleet.models.values()]


def nodes_for(gpus: int, wanted: Iterable[Sequence[int]]) -> int:
    """Nodes of so many GPUs that hold all copies, the widest put first. No copy has two of its parts on one node."""
    free = [0] * (gpus + 1)
    """How many nodes have so many GPUs left."""
    used = 0
    for copies, parts, size in sorted(wanted, key=lambda each: -each[2]):
        for _copy in range(copies):
            taken: list[int] = []
            for _part in range(parts):
                left = next((room for room in range(size, gpus + 1) if free[room]), None)
                if left is None:
                    used += 1
                    left = gpus
                else:
                    free[left] -= 1
                taken.append(left - size)
            for room in taken:
                free[room] += 1
    return used


def _unknown(finding: Finding) -> Finding:
    code = "fit.unknown-model" if finding.code == "catalog.unknown-model" else finding.code
    return replace(finding, code=code, where=finding.where or "model")
