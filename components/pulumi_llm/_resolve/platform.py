"""A whole platform, from its raw description: everything that is wrong with it in one go, or all of it settled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pulumi_llm import spec
from pulumi_llm._findings import keep
from pulumi_llm._resolve import choices, parts
from pulumi_llm._resolve.graph import Foreign, ResolvedPlatform, ResolvedProxy
from pulumi_llm._texts import _
from pulumi_llm.errors import Finding, Refusal
from pulumi_llm.preflight import placement, stores
from pulumi_llm.spec import KeySpec, PlatformSpec, ProxySpec, ServerSpec, VectorsSpec

SERVER_KEY = "server"
"""The proxy's key that the model server's gateway uses."""


def resolve_platform(raw: object, *, where: str = "") -> ResolvedPlatform:
    """The platform that ``raw`` describes, a mapping as it stands in a stack's file or what that was parsed to.

    Raises:
        Refusal: with every finding at once, each placed below ``where``: what is wrong in one part hides neither what
            is wrong in another nor what the catalogue and the fit check have against a part that is well formed.
    """
    findings: list[Finding] = []

    def kept(task: Any, part: str = "") -> Any:
        return keep(findings, task, ".".join(filter(None, (where, part))) if part else "")

    wanted: PlatformSpec | None = (
        raw if isinstance(raw, PlatformSpec) else kept(lambda: spec.parse(PlatformSpec, raw, where=where))
    )
    server = wanted.server if wanted else _part(raw, "server", ServerSpec)
    proxy = wanted.proxy if wanted else _part(raw, "proxy", ProxySpec)
    written = server
    given: VectorsSpec | None = wanted.vectors if wanted else _part(raw, "vectors", VectorsSpec)
    vectors = given
    if written is not None and written.alternative:
        server = written.choice(written.alternative)
        vectors = choices.store_of(given, written, server)
        wanted = wanted and wanted.model_copy(update={"server": server, "vectors": vectors})
    own = vectors if vectors is not None and vectors.placement == "own" else None
    of_server = of_vectors = of_proxy = None
    if server is not None:
        placing = placement.attempt(lambda: placement.place_server(server))
        of_server = kept(lambda: parts.stand_of_server(server, vectors, placing), "server")
        if written is not None and (stand := of_server) is not None:
            network, access = (wanted.network, wanted.access) if wanted else (None, None)
            of_server = kept(lambda: parts.with_alternatives(stand, written, given, network, access), "server") or stand
        if own is not None and placing.place is not None and not placing.place.exists:
            # Beside the model server, in its zone. That nothing is bought beside a machine that exists is said above.
            place = placing.place
            of_vectors = kept(lambda: parts.stand_of_vectors(place.cloud, place.region, place.zone, own), "vectors")
    if proxy is not None:
        of_proxy = kept(lambda: parts.stand_of_proxy(proxy), "proxy")
    if server is not None:
        kept(lambda: stores.refuse_mistakes(server, vectors), "vectors")
    if wanted is not None:
        findings += [each.placed(where) for each in _zones_are_named(wanted)]
        for part, machine in (("server", wanted.server), ("proxy", wanted.proxy)):
            if machine is not None:
                found = spec.domain_mistakes(machine.domain, machine.cloud, machine.region, wanted.access)
                findings += [each.placed(part).placed(where) for each in found]
    if findings or wanted is None:
        raise Refusal(dict.fromkeys(findings))
    shared = parts.Shared(access=wanted.access, network=wanted.network, tags=wanted.tags, protect=bool(wanted.protect))
    theirs = _proxy(wanted, shared, of_proxy) if wanted.proxy is not None else None
    foreign = Foreign(models=theirs.models, prices=theirs.prices) if theirs is not None else None
    resolved = kept(
        lambda: parts.resolve_server(wanted.server, shared, vectors=vectors, foreign=foreign, stand=of_server), "server"
    )
    if resolved is None:
        raise Refusal(findings)
    return ResolvedPlatform(
        spec=wanted,
        server=resolved,
        vectors=parts.resolve_vectors(own, shared, of_vectors) if own is not None and of_vectors is not None else None,
        proxy=theirs,
    )


def _proxy(wanted: PlatformSpec, shared: parts.Shared, stand: parts.Stand | None) -> ResolvedProxy:
    assert wanted.proxy is not None  # noqa: S101 - asked by the caller
    # What may be asked twice is for the keys of the server's gateway to say, which tells it with each call.
    own = KeySpec(requests_per_minute=None, max_concurrency=None, ask_twice=True)
    keys = {SERVER_KEY: own, **wanted.proxy.keys}
    proxy = wanted.proxy.model_copy(update={"keys": keys})
    return parts.resolve_proxy(proxy, replace(shared, network=proxy.network), stand)


def _zones_are_named(wanted: PlatformSpec) -> list[Finding]:
    """What is said of existing networks whose zone is not: the machine would be placed in another than its subnet."""
    what, code = _("an existing subnet is named, but not its zone"), "spec.zone-needed"
    found = []
    if wanted.network.exists and wanted.server.zone is None:
        found.append(Finding(code, what, _("server.zone: the subnet's zone"), where="server"))
    if wanted.proxy is not None and wanted.proxy.network.exists and wanted.proxy.zone is None:
        found.append(Finding(code, what, _("zone: the subnet's zone"), where="proxy"))
    return found


def _part(raw: object, name: str, kind: Any) -> Any:
    """One part of an ill-formed platform, where that part itself is well formed."""
    part = raw.get(name) if isinstance(raw, Mapping) else None
    try:
        return spec.parse(kind, part) if part is not None else None
    except Refusal:
        return None  # its own findings are among the whole's already
