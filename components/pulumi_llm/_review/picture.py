"""A mermaid flow chart of a stack: clients, nodes in their regions, open ports, and where requests go on to.

Drawn from the plan alone. Nodes are coloured by what happens to them; what goes is dashed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pulumi_llm._dataclasses import dataclass
from pulumi_llm._plan.comparison import Comparison
from pulumi_llm._plan.model import Plan
from pulumi_llm._review.changes import Changes
from pulumi_llm._review.impact import role_of
from pulumi_llm._review.masking import Masker
from pulumi_llm._review.nodes import REPLICA, Machine, Nodes
from pulumi_llm._review.openings import Open
from pulumi_llm.roles import registry

MOST_NODES = 30
"""Machines in a picture: with more nobody sees anything, and the text gets long."""
MOST_SOURCES = 6

_STYLES = {
    "new": "fill:#dafbe1,stroke:#1a7f37,color:#1f2328",
    "replaced": "fill:#ffebe9,stroke:#cf222e,color:#1f2328",
    "changed": "fill:#fff8c5,stroke:#9a6700,color:#1f2328",
    "gone": "fill:#f6f8fa,stroke:#59636e,color:#59636e,stroke-dasharray: 5 4",
    "same": "fill:#f6f8fa,stroke:#59636e,color:#1f2328",
    "outside": "fill:#ffffff,stroke:#59636e,color:#1f2328",
}


@dataclass(frozen=True, slots=True)
class Picture:
    """The parts of the chart; words are put in when it is written."""

    machines: tuple[tuple[Machine, str], ...]
    """Each with its state: new, replaced, changed, gone or same."""
    flows: tuple[tuple[str, str, str, bool], ...]
    """From, to, label, and whether it goes away. ``from`` and ``to`` are nodes, ranges or vendors."""
    labels: Mapping[str, tuple[str, ...]]
    """More lines for a node: its model, and the services beside it."""
    left_out: int = 0


def draw(
    comparison: Comparison,
    nodes: Nodes,
    machines: Sequence[Machine],
    was: Sequence[Machine],
    opened: Iterable[Open],
    before: Iterable[Open],
    changes: Changes,
    masker: Masker,
) -> Picture | None:
    """The picture, or none where the plan has no machine."""
    now = {each.node: each for each in machines}
    gone = [each for each in was if each.node not in now]
    opened, before = list(opened), list(before)
    touched = {each.node for each in set(opened) ^ set(before)}
    shown = [*((each, _state(each, was, changes, touched)) for each in machines), *((each, "gone") for each in gone)]
    if not shown:
        return None
    kept = shown[:MOST_NODES]
    names = {each.node for each, _ in kept}
    own = _own_addresses(comparison)
    opened, before = ([each for each in some if each.source not in own] for some in (opened, before))
    flows = [*_clients(opened, before, names), *_onward(comparison.after, comparison.before, names)]
    return Picture(
        tuple(kept),
        tuple((masker.mask(a), masker.mask(b), masker.mask(label), ends) for a, b, label, ends in flows),
        {name: tuple(masker.mask(line) for line in lines) for name, lines in _labels(comparison.after).items()},
        len(shown) - len(kept),
    )


def mermaid(picture: Picture, words: Mapping[str, str]) -> str:
    """The chart as mermaid text."""
    ids: dict[str, str] = {}

    def key(name: str) -> str:
        return ids.setdefault(name, f"n{len(ids)}")

    lines = ["flowchart LR"]
    nodes = {each.node for each, _ in picture.machines}
    outside = list(dict.fromkeys(end for flow in picture.flows for end in flow[:2] if end not in nodes))
    lines += [f"  {key(each)}([{_quoted(words.get(each, each))}]):::outside" for each in outside]
    places: dict[tuple[str, str], list[tuple[Machine, str]]] = {}
    for machine, state in picture.machines:
        places.setdefault((machine.cloud, machine.region), []).append((machine, state))
    for number, ((cloud, region), members) in enumerate(places.items()):
        lines.append(f"  subgraph place{number} [{_quoted(f'{cloud} {region}'.strip())}]")
        for machine, state in members:
            kind = words.get(machine.kind, machine.kind)
            text = [f"{machine.node}: {kind}", machine.instance_type, *picture.labels.get(machine.node, ())]
            if state not in ("same", "changed"):
                text.append(words.get(state, state))
            lines.append(f"    {key(machine.node)}[{_quoted('<br/>'.join(each for each in text if each))}]:::{state}")
        lines.append("  end")
    for start, end, label, ends in picture.flows:
        arrow = "-.->" if ends else "-->"
        lines.append(f"  {key(start)} {arrow}|{_quoted(label)}| {key(end)}")
    used = [*dict.fromkeys([state for _, state in picture.machines] + (["outside"] if outside else []))]
    lines += [f"  classDef {each} {_STYLES[each]}" for each in used]
    return "\n".join(lines)


def _own_addresses(comparison: Comparison) -> set[str]:
    """The addresses of the plan's own resources, as ranges: the flow between two nodes says what they stand for."""
    found: set[str] = set()
    for each in [*comparison.before.resources, *comparison.after.resources]:
        if role_of(each) == "address":
            texts = [value for value in each.outputs.values() if isinstance(value, str)]
            found |= {f"{value}/32" for value in texts if re.fullmatch(r"\d+(?:\.\d+){3}", value)}
    return found


def _state(machine: Machine, was: Sequence[Machine], changes: Changes, touched: set[str]) -> str:
    mine = [row for row in changes.rows if row.node == machine.node]
    if machine.node not in {each.node for each in was}:
        return "new"
    codes = {row.impact.code for row in mine}
    if codes & {"replaces-machine", "deletes-data"}:
        return "replaced"
    return "changed" if codes - {"on-recreate", "recorded"} or machine.node in touched else "same"


def _clients(opened: Iterable[Open], before: Iterable[Open], names: set[str]) -> Iterable[tuple[str, str, str, bool]]:
    now, old = set(opened), set(before)
    for ends, openings in ((False, now), (True, old - now)):
        by_source: dict[tuple[str, str], set[str]] = {}
        for each in openings:
            # A machine's own address is left to the flow between the two.
            if each.node in names and not each.source.startswith("<"):
                by_source.setdefault((each.source, each.node), set()).add(each.port)
        ranges = sorted(by_source, key=lambda pair: (pair[1], pair[0]))
        for source, node in ranges[:MOST_SOURCES]:
            yield source, node, _ports(by_source[source, node]), ends
        rest = len(ranges) - MOST_SOURCES
        if rest > 0:
            yield f"+{rest}", ranges[MOST_SOURCES][1], "", ends


def _ports(ports: set[str]) -> str:
    return ", ".join(sorted(ports, key=lambda port: (len(port), port)))


def _onward(after: Plan, before: Plan, names: set[str]) -> Iterable[tuple[str, str, str, bool]]:
    """From a model server to the proxy, and from both to the vendors, as our components' arguments say."""
    now, old = _ways(after, names), _ways(before, names)
    for start, end in now:
        yield start, end, now[start, end], False
    for start, end in old:
        if (start, end) not in now:
            yield start, end, old[start, end], True


def _ways(plan: Plan, names: set[str]) -> dict[tuple[str, str], str]:
    found: dict[tuple[str, str], str] = {}
    proxies = [each for each in plan.of_type("llm:index:OverseasProxy") if each.name in names]
    servers = [each for each in plan.of_type("llm:index:ModelServer") if each.name in names]
    for gateway in (*servers, *proxies):
        upstreams = gateway.inputs.get("upstreams")
        for vendor, asked in sorted(upstreams.items()) if isinstance(upstreams, Mapping) else ():
            models = asked.get("models") if isinstance(asked, Mapping) else None
            found[gateway.name, vendor] = ", ".join(str(each) for each in models or ())
    for each in plan.of_type(REPLICA):
        for server in servers:
            if each.name in names and each.parent == server.urn:
                found[server.name, each.name] = "HTTPS"
    for proxy in proxies:
        for server in servers:
            if server.parent == proxy.parent and server.inputs.get("proxy_models"):
                found[server.name, proxy.name] = "HTTPS"
    return found


def _labels(plan: Plan) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for each in plan.of_type("llm:index:ModelServer"):
        lines = [_plain(each.inputs.get("model"))]
        lines += registry.titles(each.inputs)
        found[each.name] = tuple(line for line in lines if line)
    for each in plan.of_type(REPLICA):
        found[each.name] = tuple(filter(None, [_plain(each.inputs.get("model"))]))
    for each in plan.of_type("llm:index:VectorStore"):
        found[each.name] = tuple(registry.titles({"vectors": True, "vectors_engine": each.inputs.get("engine")}))
    return found


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _quoted(text: str) -> str:
    """A label as mermaid takes it: in quotes, with what it would read otherwise as entities."""
    kept = re.sub(r"[\x00-\x1f]", " ", text).replace("#", "#35;").replace('"', "#quot;")
    kept = kept.replace("<br/>", "\0").replace("<", "#lt;").replace(">", "#gt;").replace("\0", "<br/>")
    return f'"{kept}"'
