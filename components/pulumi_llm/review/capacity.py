"""What a change makes of a model server's room: requests at once, largest context, and what is downloaded again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pulumi_llm import catalog, preflight, spec
from pulumi_llm.errors import Refusal
from pulumi_llm.plan.comparison import Comparison
from pulumi_llm.plan.model import UNKNOWN, PlannedResource, is_secret
from pulumi_llm.preflight import placement
from pulumi_llm.review.impact import role_of
from pulumi_llm.review.nodes import Nodes


@dataclass(frozen=True, slots=True)
class Room:
    """What fits, by the memory model: requests of ``context`` tokens at once, and the longest context of one."""

    context: int
    at_once: float
    longest: int


@dataclass(frozen=True, slots=True)
class Capacity:
    """A model server before and after; None where nothing can be said. ``download_gib``: weights that are fetched anew.

    ``downloads`` says whether they are, where their size is not known.
    """

    node: str
    before: Room | None
    after: Room | None
    downloads: bool = False
    download_gib: float | None = None


def capacities(comparison: Comparison, nodes: Nodes) -> Iterator[Capacity]:
    """The model servers that stay, and whose room changes or whose weights are fetched again."""
    new_disks = {
        nodes.of(step.resource)
        for step in comparison.steps
        if role_of(step.resource) == "disk" and step.before is not None and step.operation in ("replace", "delete")
    }
    before = {each.name: each for each in comparison.before.of_type("llm:index:ModelServer")}
    for each in sorted(comparison.after.of_type("llm:index:ModelServer"), key=lambda found: found.name):
        if each.name not in before:
            continue
        was, now = server_of(before[each.name]), server_of(each)
        if was is None or now is None:
            continue
        other = any(getattr(was, key) != getattr(now, key) for key in ("model", "revision", "modelscope_id"))
        downloads = other or each.name in new_disks
        old, new = room_of(was), room_of(now)
        if downloads or old != new:
            row = catalog.load().models.get(now.model) if downloads else None
            size = placement.download_gib(row) if row is not None else None
            yield Capacity(each.name, old, new, downloads, size)


def server_of(resource: PlannedResource) -> spec.ServerSpec | None:
    """The spec of a model server in a plan; None where it holds what is not known, or is refused."""
    known = {key: value for key, value in resource.inputs.items() if key in spec.ServerSpec.model_fields}
    if any(is_secret(value) or value == UNKNOWN for value in known.values()):
        return None
    try:
        return spec.parse(spec.ServerSpec, {key: value for key, value in known.items() if value is not None})
    except Refusal:
        return None


def room_of(server: spec.ServerSpec) -> Room | None:
    """What fits; None for a model that the catalogue does not know."""
    report = preflight.report_of(server)
    memory = report.case.memory if report is not None else None
    if report is None or memory is None:
        return None
    return Room(report.case.max_model_len, round(memory.max_concurrency, 1), memory.max_model_len)
