"""What a change makes of a model server's room: requests at once, largest context, and what is downloaded again."""

from __future__ import annotations

from collections.abc import Iterator

from pulumi_llm import preflight, spec
from pulumi_llm._dataclasses import dataclass
from pulumi_llm._plan.comparison import Comparison
from pulumi_llm._plan.model import UNKNOWN, Plan, PlannedResource, is_secret
from pulumi_llm._review.impact import role_of
from pulumi_llm._review.nodes import Nodes
from pulumi_llm.errors import Refusal
from pulumi_llm.preflight import placement, sharing
from pulumi_llm.preflight.memory import Memory
from pulumi_llm.preflight.request import case_of, of_server


@dataclass(frozen=True, slots=True)
class Room:
    """What fits, by the memory model: requests of ``context`` tokens at once, and the longest context of one."""

    context: int
    at_once: float
    longest: int


@dataclass(frozen=True, slots=True)
class Seen:
    """A model server: what it is, its room, and what its weights take to download; None where nothing can be said."""

    spec: spec.ServerSpec
    room: Room | None
    download_gib: float | None


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
        was, now = seen(comparison.before, before[each.name]), seen(comparison.after, each)
        if was is None or now is None:
            continue
        other = any(getattr(was.spec, key) != getattr(now.spec, key) for key in ("model", "revision", "modelscope_id"))
        downloads = other or each.name in new_disks
        if downloads or was.room != now.room:
            yield Capacity(each.name, was.room, now.room, downloads, now.download_gib if downloads else None)


def seen(plan: Plan, resource: PlannedResource) -> Seen | None:
    """A model server of a plan, as its program resolved it or else by its inputs.

    None where these hold what is not known, or are refused.
    """
    resolved = plan.servers.get(resource.urn)
    if resolved is not None:
        return Seen(resolved.spec, room_of(resolved.context_length, resolved.memory), resolved.weights_gib)
    server = server_of(resource)
    if server is None:
        return None
    try:
        case = case_of(of_server(sharing.settled(server)))
    except Refusal:
        return Seen(server, None, None)
    return Seen(server, room_of(case.max_model_len, case.memory), placement.download_gib(case.model))


def server_of(resource: PlannedResource) -> spec.ServerSpec | None:
    """The spec of a model server in a plan; None where it holds what is not known, or is refused."""
    known = spec.server_arguments(resource.inputs)
    # Below a platform they stand beside the one that is taken, which they no longer differ from.
    known = {key: value for key, value in known.items() if key not in ("alternatives", "alternative")}
    if any(is_secret(value) or value == UNKNOWN for value in known.values()):
        return None
    try:
        return spec.parse(spec.ServerSpec, {key: value for key, value in known.items() if value is not None})
    except Refusal:
        return None


def room_of(context: int | None, memory: Memory | None) -> Room | None:
    """The room that an estimate tells of, for requests of ``context`` tokens; None: there is no estimate."""
    if memory is None:
        return None
    return Room(context or preflight.DEFAULT_CONTEXT, round(memory.max_concurrency, 1), memory.max_model_len)
