"""What of a plan ends: its vendors' models, what its nodes run, its keys, the exceptions from its policy."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import date
from typing import Any

from pulumi_llm import catalog, spec
from pulumi_llm._outlook import software
from pulumi_llm._outlook.ends import Data, End, after
from pulumi_llm._plan.model import Plan, PlannedResource
from pulumi_llm._texts import _
from pulumi_llm.catalog.rows import source_day
from pulumi_llm.errors import Finding, Refusal
from pulumi_llm.preflight import clusters
from pulumi_llm.preflight.endings import endings_of, told

GATEWAYS = ("llm:index:ModelServer", "llm:index:OverseasProxy")
NODES = (*GATEWAYS, "llm:index:VectorStore")
FLEET = "llm:index:Fleet"
OLD_DATA_DAYS = 90
"""From when on what the package knows is called old: vendors announce ends half a year ahead."""


def ends_of(plan: Plan, today: date) -> list[End]:
    """Everything in the plan that ends, however late."""
    return [*models(plan, today), *programs(nodes_of(plan)), *keys(plan), *of_clusters(plan)]


def nodes_of(plan: Plan) -> list[software.Node]:
    """The nodes that the plan's components make."""
    return [software.node(each.name, each.type, each.inputs) for each in plan.of_type(*NODES)]


def programs(nodes: Iterable[software.Node]) -> list[End]:
    """What ends of what the nodes run, and what is known against it."""
    nodes = list(nodes)
    return [*software.supports(nodes), *software.advisories(nodes)] if nodes else []


def models(plan: Plan, today: date) -> Iterator[End]:
    """The models of the plan's gateways whose end their vendors have told."""
    for each in plan.of_type(*GATEWAYS):
        for vendor, upstream in _upstreams(each).items():
            for name, row in endings_of({vendor: upstream}):
                warned = told(row, today, name).placed(each.name)
                yield End(
                    code=warned.code,
                    name=row.model,
                    message=warned.message,
                    hint=warned.hint,
                    where=warned.where,
                    day=row.day,
                    source=row.source,
                    source_date=row.source_date,
                )


def _upstreams(resource: PlannedResource) -> dict[str, spec.UpstreamSpec]:
    """The upstreams that are settled before it is deployed; what is wrong with one the component itself says."""
    given = resource.inputs.get("upstreams")
    found = {}
    for vendor, raw in given.items() if isinstance(given, Mapping) else ():
        try:
            found[str(vendor)] = spec.parse(spec.UpstreamSpec, raw)
        except Refusal:
            continue
    return found


def keys(plan: Plan) -> Iterator[End]:
    """The gateways' keys that have a last day."""
    for each in plan.of_type(*GATEWAYS):
        given = each.inputs.get("keys")
        for name, key in sorted(given.items()) if isinstance(given, Mapping) else ():
            day = key.get("expires") if isinstance(key, Mapping) else None
            last = source_day(day) if isinstance(day, str) else None
            if last is not None:
                yield End(
                    code="outlook.key-expires",
                    name=name,
                    message=_("the key {name!r} works until {day}", name=name, day=day),
                    hint=_("a later day in `expires`, or another key for those who use it"),
                    where=f"{each.name}.keys.{name}",
                    day=after(last),
                )


def of_clusters(plan: Plan) -> Iterator[End]:
    """The versions of Kubernetes of the clusters that are made for fleets."""
    for each in plan.of_type(FLEET):
        cluster, nodes = each.inputs.get("cluster"), each.inputs.get("nodes")
        if not isinstance(cluster, Mapping) or not isinstance(nodes, Mapping) or cluster.get("managed") is None:
            continue
        found = clusters.ending_of(str(nodes.get("cloud")), cluster.get("version"))
        if found is None:
            continue
        service, row = found
        yield End(
            code="outlook.cluster-ends",
            name=f"{service.title} {row.version}",
            message=_("{service} supports Kubernetes {version} until {day}", service=service.title,
                      version=row.version, day=row.until),
            hint=_("cluster.version one minor version higher, and `pulumi up`, before that day: a cloud may take the "
                   "step by itself then"),
            where=f"{each.name}.cluster.version",
            day=after(date.fromisoformat(row.until or "")),
            source=row.source,
            source_date=service.as_of,
        )  # fmt: skip


def exceptions(excepted: Iterable[Any]) -> Iterator[End]:
    """A policy's exceptions that have a last day (`pulumi_llm._review.policy_settings.Exemption`)."""
    for each in excepted:
        if each.expires is not None:
            yield End(
                code="outlook.exception-ends",
                name=each.rule,
                message=_(
                    "the exception from {rule} holds until {expires} ({reason})",
                    rule=each.rule,
                    expires=each.expires,
                    reason=each.reason,
                ),
                hint=_("fix what it covers, or extend it"),
                where=each.resource,
                day=after(each.expires),
            )


def known() -> list[Data]:
    """What all of it is told from, and as of when."""
    rows = catalog.load().endings.values()
    newest = max((day for row in rows if (day := source_day(row.source_date)) is not None), default=None)
    return [Data(what=_("ends of vendors' models"), as_of=newest), *software.known()]


def old_data(today: date) -> Iterator[End]:
    """A note for each kind of data that is old."""
    for each in known():
        if each.as_of is None or (today - each.as_of).days > OLD_DATA_DAYS:
            yield End(
                code="outlook.old-data",
                name="old-data",
                message=_(
                    "{what} are known as of {day}, more than {days} days ago",
                    what=each.what,
                    day=each.as_of or "?",
                    days=OLD_DATA_DAYS,
                ),
                hint=_("a newer pulumi-llm brings newer ones"),
            )


def _besides(now: software.Node, before: software.Node) -> software.Node:
    """What of a node was not on it before."""
    more = now.sdks and not before.sdks
    return replace(
        now, roles=tuple(each for each in now.roles if each not in before.roles or (more and each == "gateway"))
    )


def concerning(before: Plan, after: Plan, remade: Collection[str], today: date) -> list[Finding]:
    """What a change brings that has ended, ends within 90 days, or is at fault: keys that were not there with that
    day, and what runs on nodes that are new or are made again (``remade``: their names), or is new on one that stays.
    """
    had = {each.name: each for each in nodes_of(before) if each.name not in remade}
    new = [each if each.name not in had else _besides(each, had[each.name]) for each in nodes_of(after)]
    stood = set(keys(before))
    found = [*(each for each in programs(new) if each.where), *(each for each in keys(after) if each not in stood)]
    return [each.finding() for each in found if each.level(today) in ("now", "soon")]
