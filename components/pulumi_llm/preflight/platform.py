"""Everything that is wrong with a platform, in one go: its shape, its placement, its fit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pulumi_llm import preflight, spec
from pulumi_llm.errors import Finding, Refusal
from pulumi_llm.preflight import placement


def parse(raw: object, *, where: str = "") -> spec.PlatformSpec:
    """The platform that ``raw`` describes.

    Raises :class:`Refusal` with every finding at once: what is wrong in one part hides neither what is wrong in another
    nor what the catalogue and the fit check have against a part that is well formed.
    """
    findings: list[Finding] = []
    wanted: spec.PlatformSpec | None = _kept(findings, lambda: spec.parse(spec.PlatformSpec, raw, where=where))
    server = wanted.server if wanted else _part(raw, "server", spec.ServerSpec)
    proxy = wanted.proxy if wanted else _part(raw, "proxy", spec.ProxySpec)
    vectors = wanted.vectors if wanted else _part(raw, "vectors", spec.VectorsSpec)
    if server is not None:
        place = f"{where}.server" if where else "server"
        placed = _kept(findings, lambda: placement.place_server(server), place)
        _kept(findings, lambda: preflight.require(preflight.check_server(server, vectors), server.override), place)
        if placed is not None and vectors is not None and vectors.placement == "own":
            _kept(findings, lambda: place_vectors(placed, vectors), f"{where}.vectors" if where else "vectors")
    if proxy is not None:
        _kept(findings, lambda: placement.place_proxy(proxy), f"{where}.proxy" if where else "proxy")
    if findings or wanted is None:
        raise Refusal(dict.fromkeys(findings))
    return wanted


def place_vectors(server: placement.Placement, vectors: spec.VectorsSpec) -> placement.Placement:
    """Where Weaviate goes that has a machine of its own: beside the model server's, in its zone."""
    return placement.place_vectors(server.cloud, server.region, server.zone, vectors.memory_gib, vectors.instance_type)


def _part(raw: object, name: str, kind: Any) -> Any:
    """One part of an ill-formed platform, where that part itself is well formed."""
    part = raw.get(name) if isinstance(raw, Mapping) else None
    try:
        return spec.parse(kind, part) if part is not None else None
    except Refusal:
        return None  # its own findings are among the whole's already


def _kept(findings: list[Finding], task: Callable[[], Any], where: str = "") -> Any:
    try:
        return task()
    except Refusal as refusal:
        findings += [each.placed(where) for each in refusal.findings]
        return None
