"""What a change breaks for whoever calls: names, keys, addresses and authorities that are no longer what they were.

It is read from what the nodes are told (the routes, keys and ports in their settings), so that a name that follows from
another setting counts too: another ``server.model`` is another ``model`` for callers. What only a cloud or a random
generator knows is read from the resources: an address that is replaced, an authority that is made anew.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pulumi_llm._dataclasses import dataclass
from pulumi_llm._plan.comparison import Comparison, Step
from pulumi_llm._plan.model import Plan
from pulumi_llm._review import documents
from pulumi_llm._review.impact import role_of
from pulumi_llm._review.nodes import INNER, NODE_TYPES, Nodes
from pulumi_llm._review.openings import Open

ROUTES, POLICY, CADDY = "/opt/llm/gateway/routes.json", "/opt/llm/gateway/policy.json", "/opt/llm/gateway/Caddyfile"
PROBE = "node-probe"
"""The gateway's key that only the node itself uses."""

KINDS = (
    "node-gone", "address", "port-moved", "port-gone", "shut-out", "model-renamed", "model-gone", "key-gone", "key-new",
    "key-narrower", "authority",
)  # fmt: skip
"""In the order in which they are told; each is a key of the words."""


@dataclass(frozen=True, slots=True)
class Broken:
    """What callers of a node have to know: ``what`` it was, and what is ``now`` in its place (may be empty)."""

    node: str
    kind: str
    what: tuple[str, ...] = ()
    now: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Service:
    """What a node's callers see of it, from its settings."""

    models: tuple[str, ...]
    own_models: tuple[str, ...]
    """Those that the node answers itself, with vLLM."""
    keys: Mapping[str, Mapping[str, Any]]
    ports: tuple[str, ...]


def broken(comparison: Comparison, nodes: Nodes, closed: Iterable[Open], opened: Iterable[Open]) -> list[Broken]:
    """Everything that breaks a caller, in a fixed order."""
    found: list[Broken] = []
    unseen = nodes.replicas()
    before, after = (
        {node: each for node, each in services(plan, nodes).items() if node not in unseen}
        for plan in (comparison.before, comparison.after)
    )
    gone = {each.resource.name for each in comparison.steps if _is_node(each) and each.operation == "delete"}
    found += [Broken(node, "node-gone") for node in sorted(gone)]
    for node in sorted(before.keys() & after.keys()):
        found += _of_service(node, before[node], after[node])
    told = {"address": "address", "secret": "key-new", "certificate": "authority"}
    for step in comparison.steps:
        role, node = role_of(step.resource), nodes.of(step.resource)
        name = step.resource.name.removeprefix(f"{node}-")
        if node in gone or node in unseen or step.before is None or role not in told:
            continue
        if role == "address" and step.operation in ("replace", "delete"):
            found.append(Broken(node, "address"))
        elif role == "secret" and step.operation == "replace" and step.resource.type.endswith("RandomPassword"):
            found.append(Broken(node, "key-new", (name.removeprefix("key-"),)))
        elif step.resource.type.endswith(":SelfSignedCert") and step.operation == "replace":
            found.append(Broken(node, "authority"))
    found += _shut_out([each for each in closed if each.node not in unseen], opened, gone, found)
    return sorted(dict.fromkeys(found), key=lambda each: (each.node, KINDS.index(each.kind), each.what))


def services(plan: Plan, nodes: Nodes) -> dict[str, Service]:
    """What each node of ours serves, where its settings are known."""
    found = {}
    for each in plan.resources:
        content = documents.settings_document(each.inputs.get("stdin")) if role_of(each) == "command" else None
        if content is None:
            continue
        files = {str(one["path"]): str(one["content"]) for one in content["files"]}
        routes = _json(files.get(ROUTES)).get("routes", {})
        keys = _json(files.get(POLICY)).get("keys", {})
        own = [
            name
            for name, route in routes.items()
            if _own([str(target.get("upstream")) for target in route.get("targets", ())])
        ]
        ports = re.findall(r"(?m)^:(\d+) \{", files.get(CADDY, ""))
        ports += re.findall(r"(?m)^\s*:(\d+) \{", files.get(CADDY, "")) if not ports else []
        shown = {name: row for name, row in keys.items() if name != PROBE}
        found[nodes.of(each)] = Service(tuple(routes), tuple(own), shown, tuple(dict.fromkeys(ports)))
    return found


def _of_service(node: str, before: Service, after: Service) -> Iterator[Broken]:
    ports_gone = [each for each in before.ports if each not in after.ports]
    ports_new = [each for each in after.ports if each not in before.ports]
    if ports_gone:
        yield Broken(node, "port-moved" if ports_new else "port-gone", tuple(ports_gone), tuple(ports_new))
    gone = [each for each in before.models if each not in after.models]
    own = [each for each in gone if each in before.own_models]
    instead = [each for each in after.own_models if each not in before.models]
    if own and instead:
        yield Broken(node, "model-renamed", tuple(own), tuple(instead))
        gone = [each for each in gone if each not in own]
    if gone:
        yield Broken(node, "model-gone", tuple(gone))
    keys = [each for each in before.keys if each not in after.keys]
    if keys:
        yield Broken(node, "key-gone", tuple(keys))
    for name in before.keys:
        limits = _narrower(before.keys[name], after.keys[name]) if name in after.keys else []
        if limits:
            yield Broken(node, "key-narrower", (name,), tuple(limits))


def _narrower(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """The limits of a key that let less through than before: none, or a larger one, was there."""
    found = []
    for limit, now in after.items():
        was = before.get(limit)
        if isinstance(now, list):
            less = bool(now) and (not was or bool(set(map(str, was)) - set(map(str, now))))
        elif isinstance(now, (int, float)) and not isinstance(now, bool):
            less = was is None or (isinstance(was, (int, float)) and now < was)
        else:
            less = False
        if less:
            found.append(limit)
    return found


def _shut_out(
    closed: Iterable[Open], opened: Iterable[Open], gone: set[str], found: Iterable[Broken]
) -> Iterator[Broken]:
    """Ranges that could reach a port that is still served, and no longer can."""
    moved = {(each.node, port) for each in found if each.kind.startswith("port-") for port in each.what}
    by_node: dict[str, set[str]] = {}
    for each in closed:
        own = re.fullmatch(r"[0-9./]+", each.source) is None  # another machine of the stack, by what stands for it
        if (
            each.node
            and each.node not in gone
            and (each.node, each.port) not in moved
            and each.port != "22"
            and not own
        ):
            by_node.setdefault(each.node, set()).add(each.source)
    for node, sources in sorted(by_node.items()):
        yield Broken(node, "shut-out", tuple(sorted(sources)))


def _is_node(step: Step) -> bool:
    return step.resource.type in NODE_TYPES and step.resource.type not in INNER


def _own(upstreams: list[str]) -> bool:
    """Whether a route leads to the main model's engine, on this machine or on its replicas too."""
    return upstreams[:1] == ["vllm"] and all(each.startswith("replica.") for each in upstreams[1:])


def _json(text: str | None) -> dict[str, Any]:
    try:
        content = json.loads(text or "{}")
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}
