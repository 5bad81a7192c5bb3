"""A fleet, settled: its nodes, each model as vLLM is started with it, and what an hour costs."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from functools import partial

from pulumi_llm import catalog, preflight
from pulumi_llm._dataclasses import dataclass
from pulumi_llm._findings import keep
from pulumi_llm._flags import flags_of
from pulumi_llm._resolve.graph import ResolvedModel
from pulumi_llm._resolve.managed import ResolvedCluster, resolve_cluster
from pulumi_llm.catalog.abilities import abilities_of
from pulumi_llm.catalog.pooling import task_of
from pulumi_llm.errors import Finding, Refusal
from pulumi_llm.preflight import fleets, following, placement, stores
from pulumi_llm.spec.fleet import KUBERAY, FleetModelSpec, FleetSpec, ray_cannot
from pulumi_llm.spec.models import TASKS

ROOM = 1.1
"""A download's size is known to some percent; tokenizers and configurations come on top."""
KINDS = {task: kind for kind, task in TASKS.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetModel:
    """One model of a fleet. ``model``: as a server has a further model. ``requests``: at once, per copy, if known."""

    name: str
    spec: FleetModelSpec
    model: ResolvedModel
    requests: int | None
    starts_in: int = 0
    """Seconds that an engine takes to start, where engines follow the load: an estimate."""

    @property
    def calls(self) -> int:
        """Calls under way for each engine, waiting ones among them, above which another one is added."""
        assert self.spec.scaling is not None  # noqa: S101 - asked of those alone that follow the load
        return max(1, self.requests or self.spec.max_num_seqs or 0) + self.spec.scaling.queue


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedFleet:
    """A fleet. ``gpus``: of all its models together."""

    spec: FleetSpec
    node: fleets.Node
    models: tuple[FleetModel, ...]
    gpus: int
    warnings: tuple[Finding, ...]
    cluster: ResolvedCluster | None = None
    """The cluster that is made; None: it is there."""

    @property
    def hourly_price(self) -> float | None:
        """What all GPU nodes cost per hour, in their price's currency; None: not known."""
        return None if self.node.price is None else self.node.price.amount * self.spec.nodes.count


def resolve_fleet(fleet: FleetSpec) -> ResolvedFleet:
    """Raises Refusal with all that the catalogue and the fit check have against it, at once."""
    node = fleets.node_of(fleet)
    findings = [*fleets.mistakes(fleet, node), *stores.mistakes_of_fleet(fleet)]
    warnings: list[Finding] = []
    models = []
    for name, wanted in fleet.models.items():
        told = fleets.fit(wanted, node)
        kept = keep(findings, partial(preflight.require, told.findings, _of(fleet, told)), f"models.{name}")
        warnings += [each.placed(f"models.{name}") for each in kept or ()]
        found = _model(name, wanted, node, told)
        starts_in = following.start_seconds(fleet, found.weights_gib) if wanted.scaling is not None else 0
        models.append(FleetModel(name=name, spec=wanted, model=found, requests=told.requests, starts_in=starts_in))
        if wanted.scaling is not None and kept is not None and told.requests is None and wanted.max_num_seqs is None:
            findings.append(following.unmeasured(name))
        # The name or the files may say what the spec does not: Ray would start it as a model that chats.
        if fleet.engine == KUBERAY and wanted.kind is None and (task := models[-1].model.task):
            findings.append(Finding(*ray_cannot(name, f"kind: {KINDS[task]}"), where=f"models.{name}.model"))
    warnings += following.findings(fleet, node, {each.name: each.model.weights_gib for each in models})
    cluster, told_of_it = resolve_cluster(fleet, {each.name: disk_gib(each) for each in models})
    findings += [each for each in told_of_it if each.severity == "error"]
    warnings += [each for each in told_of_it if each.severity != "error"]
    if findings:
        raise Refusal(dict.fromkeys(map(_of_the_nodes, findings)))
    return ResolvedFleet(
        spec=fleet,
        node=node,
        models=tuple(models),
        gpus=fleets.gpus_of(fleet),
        warnings=tuple(map(_of_the_nodes, warnings)),
        cluster=cluster,
    )


def disk_gib(model: FleetModel) -> int:
    """GiB that a model's files take; 500 where that is not known."""
    weights = model.model.weights_gib
    return 500 if weights is None else math.ceil(weights * ROOM) + 10


def _of_the_nodes(found: Finding) -> Finding:
    """Which GPU it is stands with the nodes: no model of a fleet has a key of that name."""
    return replace(found, where="nodes.gpu") if re.fullmatch(r"models\..*\.gpu", found.where) else found


def _of(fleet: FleetSpec, told: fleets.Fit) -> tuple[str, ...]:
    """The overrides that one model has something of: of several models each needs its own alone."""
    codes = {each.code for each in told.findings}
    return tuple(each for each in fleet.override if each in codes)


def _model(name: str, wanted: FleetModelSpec, node: fleets.Node, told: fleets.Fit) -> ResolvedModel:
    from pulumi_llm.preflight.engine import engine
    from pulumi_llm.preflight.request import context_of, dtype_on

    data = catalog.load()
    row = data.models.get(wanted.model)
    return ResolvedModel(
        name=name,
        spec=wanted.as_model.model_copy(update={"max_num_seqs": told.max_num_seqs}),
        model=row,
        abilities=abilities_of(wanted.model, row.base_model if row else None),
        task=TASKS[wanted.kind] if wanted.kind else task_of(wanted.model, row, flags_of(wanted.extra_args)),
        dtype=dtype_on(wanted.dtype, row, data.gpus[node.gpu], engine()),
        context_length=context_of(wanted.context_length, row),
        weights_gib=placement.download_gib(row) if row is not None else None,
        cards=tuple(range(wanted.gpus)),
        memory=told.memory,
    )
