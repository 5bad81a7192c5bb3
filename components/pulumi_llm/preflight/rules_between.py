"""What lies between the machines of one model: the network of their type, and whether the cloud keeps them near."""

from __future__ import annotations

from collections.abc import Iterator

from pulumi_llm import catalog
from pulumi_llm._texts import _
from pulumi_llm.clouds import near
from pulumi_llm.errors import Finding
from pulumi_llm.preflight import stages
from pulumi_llm.preflight.request import Case

PROMPT = 8192
"""Tokens of the prompt that the wire is judged by."""
USUAL_GBPS = 10
"""What it is judged at where no source tells how fast the type's own network is."""


def between_nodes(case: Case) -> Iterator[Finding]:
    """What several machines cost: no request is faster by them, and what goes over the wire of their type."""
    model, nodes = case.model, case.request.nodes
    if nodes == 1 or model.hidden is None:
        return
    gbps = _network_gbps(case)
    wire = (
        _("at 10 Gbit/s, as an example,")
        if gbps is None
        else _(
            "at {gbps:g} Gbit/s, which {type} has by the cloud's list and all of its traffic shares,",
            gbps=gbps,
            type=case.placing.place.instance_type if case.placing.place else "",
        )
    )
    gbps = gbps or USUAL_GBPS
    hint = _(
        "one machine with more or larger GPUs where there is one, or a quantized model; nodes is for what fits in none"
    )
    yield Finding(
        "fit.between-nodes",
        _(
            "each token passes {nodes} machines one after the other, {kib:.0f} KiB from each to the next: {wire} a "
            "prompt of 8,192 tokens is on the wire for {prompt:.2f} s, and each further token for {token:.2f} ms and "
            "{hops} times the network's delay; one caller alone gets no more tokens a second than from one machine "
            "that had room for the model",
            nodes=nodes,
            kib=stages.bytes_per_token(model) / 1024,
            wire=wire,
            prompt=(nodes - 1) * stages.seconds(model, PROMPT, gbps),
            token=1000 * (nodes - 1) * stages.seconds(model, 1, gbps),
            hops=nodes,
        ),
        _("{hint}; {near}", hint=hint, near=near_each_other) if (near_each_other := _nearer(case)) else hint,
        severity="warning",
        where="nodes",
    )


def _network_gbps(case: Case) -> float | None:
    """What a source tells of the type's network; None where it has RDMA, whose figure is not that of TCP."""
    place = case.placing.place
    row = catalog.load().instances_of(place.cloud).get(place.instance_type) if place is not None else None
    return None if row is None or near.rdma_of(row.cloud, row.instance_type) is not None else row.network_gbps


def _nearer(case: Case) -> str | None:
    """What would keep the machines near each other, where nothing does yet."""
    place, request = case.placing.place, case.request
    group = near.group_of(place.cloud) if place is not None else None
    if place is None or group is None or not group.takes(place.instance_type, spot=request.spot):
        return None
    if request.nodes_near or group.required:
        return None
    return _("nodes_near: true has the cloud keep them near each other ({group})", group=group.title)


def rdma_not_used(case: Case) -> Iterator[Finding]:
    """The type has a network with RDMA, which somebody may pay for, and the engines talk TCP."""
    place = case.placing.place
    rdma = near.rdma_of(place.cloud, place.instance_type) if place is not None and case.request.nodes > 1 else None
    if place is not None and rdma is not None:
        yield Finding(
            "fit.rdma-not-used",
            _(
                "{type} has {name}, which needs {needs}; none of that is set up here, so the engines talk TCP, and no "
                "source tells how fast that is",
                type=place.instance_type,
                name=rdma.name,
                needs=rdma.needs,
            ),
            _("pay for it only for another reason; pipeline parallelism sends little"),
            severity="warning",
            where="nodes",
        )


def not_near(case: Case) -> Iterator[Finding]:
    """Near each other is asked for, and the cloud has nothing for it that takes this type; or it is a must."""
    place, request = case.placing.place, case.request
    if place is None or (request.nodes == 1 and place.exists) or (request.nodes > 1 and not request.nodes_near):
        return
    group, title = near.group_of(place.cloud), catalog.load().cloud(place.cloud).title
    if request.nodes == 1:
        if group is not None and group.required and group.takes(place.instance_type):
            yield Finding(
                "fit.nodes-not-near",
                _(
                    "{title} has {type} in {group} alone, and one is made here for several machines with one model",
                    title=title,
                    type=place.instance_type,
                    group=group.title,
                ),
                _("nodes: 2 or more, or an instance_type that stands by itself"),
                where="nodes",
            )
        return
    # Where a cloud has none, `nodes` is refused as a whole: it has no firewall between machines either.
    if group is None or group.takes(place.instance_type, spot=request.spot):
        return
    if group.takes(place.instance_type):
        message = _("{title} takes no spot machines into {group}", title=title, group=group.title)
    else:
        message = _("{title} takes no {type} into {group}", title=title, type=place.instance_type, group=group.title)
    yield Finding(
        "fit.nodes-not-near",
        _("{problem}: these machines stand wherever their zone has room", problem=message),
        _("leave nodes_near out, or an instance_type that it takes"),
        severity="warning",
        where="nodes_near",
    )
