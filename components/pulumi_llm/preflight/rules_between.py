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


def network_between(case: Case) -> Iterator[Finding]:
    """What the type's own network does to a prompt; the other rule knows of no type."""
    place, model, nodes = case.placing.place, case.model, case.request.nodes
    row = None if place is None or nodes == 1 else catalog.load().instances_of(place.cloud).get(place.instance_type)
    if row is None or model.hidden is None:
        return
    group, asked = near.group_of(row.cloud), case.request.nodes_near
    hint = ""
    if group is not None and group.takes(row.instance_type, spot=case.request.spot) and not (asked or group.required):
        hint = _("nodes_near: true has the cloud keep them near each other ({group})", group=group.title)
    if row.network_gbps is None:
        message = _("no source tells here how fast the network of {type} is", type=row.instance_type)
    else:
        message = _(
            "{type} has {gbps:g} Gbit/s by the cloud's list, which all of its traffic shares: a prompt of 8,192 tokens "
            "is on the wire for {prompt:.2f} s",
            type=row.instance_type,
            gbps=row.network_gbps,
            prompt=(nodes - 1) * stages.seconds(model, PROMPT, row.network_gbps),
        )
    yield Finding("fit.nodes-network", message, hint, severity="info", where="nodes")
    rdma = near.rdma_of(row.cloud, row.instance_type)
    if rdma is not None:
        yield Finding(
            "fit.rdma-not-used",
            _(
                "{type} has {name}, which needs {needs}; none of that is set up here, so the engines talk TCP",
                type=row.instance_type,
                name=rdma.name,
                needs=rdma.needs,
            ),
            _("pay for it only for another reason; pipeline parallelism sends little"),
            severity="info",
            where="nodes",
        )


def not_near(case: Case) -> Iterator[Finding]:
    """Near each other is asked for, and the cloud has nothing for it that takes this type."""
    place, request = case.placing.place, case.request
    if place is None or request.nodes == 1 or not request.nodes_near:
        return
    group, title = near.group_of(place.cloud), catalog.load().cloud(place.cloud).title
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
