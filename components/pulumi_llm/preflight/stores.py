"""What is to be said of a vector store before it is made: weaknesses that its makers have not mended."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from pulumi_llm import catalog
from pulumi_llm._flags import flags_of
from pulumi_llm._texts import _, either
from pulumi_llm.catalog.pooling import EMBEDDING, task_of
from pulumi_llm.errors import Finding, Refusal
from pulumi_llm.spec.upstreams import served_by

if TYPE_CHECKING:
    from pulumi_llm.spec import ModelSpec, ServerSpec, VectorsSpec
    from pulumi_llm.spec.fleet import FleetModelSpec, FleetSpec

VECTORS = "vectors"
"""The argument that asks for a vector store."""
KEY = "vectorizer"
"""What the key of a vector store that asks a model for vectors is called at the gateway."""


def mistakes(server: ServerSpec, vectors: VectorsSpec | None) -> Iterator[Finding]:
    """What is wrong with a vector store that asks for vectors on this server; ``where`` is below ``vectors``."""
    if vectors is None or (asked := vectors.vectorizer) is None:
        return
    if KEY in server.keys:
        yield _taken()
    able = [name for name in (server.name_served, *server.models) if not _makes_none(server.models.get(name, server))]
    hint = either(able) if able else "server.models: {embedder: {model: BAAI/bge-m3}}"
    where = "vectorizer.model"
    if asked.model in able:
        return
    if asked.model in served_by(server.upstreams):
        message = _(
            "{model!r} is a vendor's: most take 10 to 100 texts a call, and the vector store sends up to 2,000",
            model=asked.model,
        )
        yield Finding("vectors.embedder-elsewhere", message, hint, where=where)
    elif asked.model in (server.name_served, *server.models):
        message = _("{model!r} writes or ranks texts, and turns none into vectors", model=asked.model)
        yield Finding("vectors.no-embedder", message, hint, where=where)
    else:
        message = _("no model of this machine is called {model!r}", model=asked.model)
        yield Finding("vectors.no-embedder", message, hint, where=where)


def mistakes_of_fleet(fleet: FleetSpec) -> Iterator[Finding]:
    """What is wrong with a fleet's vector store that asks for vectors."""
    if fleet.vectors is None or (asked := fleet.vectors.vectorizer) is None:
        return
    if KEY in fleet.keys:
        yield replace(_taken(), where="vectors.vectorizer.key")
    able = [name for name, each in fleet.models.items() if not _makes_none(each)]
    if asked.model in able:
        return
    if asked.model in fleet.models:
        message = _("{model!r} writes or ranks texts, and turns none into vectors", model=asked.model)
    else:
        message = _("no model of this fleet is called {model!r}", model=asked.model)
    hint = either(able) if able else "models: {embedder: {model: BAAI/bge-m3}}"
    yield Finding("vectors.no-embedder", message, hint, where="vectors.vectorizer.model")


def _taken() -> Finding:
    return Finding(
        "vectors.key-taken",
        _("the vector store's own gateway key is called {name!r}, and so is one under `keys`", name=KEY),
        _("another name there; the store's limits stand in vectors.vectorizer.key"),
        where="vectorizer.key",
    )


def _makes_none(own: ServerSpec | ModelSpec | FleetModelSpec) -> bool:
    """Whether a model is known to be for something else than vectors."""
    if isinstance(kind := getattr(own, "kind", None), str):
        return kind != EMBEDDING
    row = catalog.load().models.get(own.model)
    task = task_of(own.model, row, flags_of(own.extra_args))
    return task != EMBEDDING if row is not None else task not in (None, EMBEDDING)


def refuse_mistakes(server: ServerSpec, vectors: VectorsSpec | None) -> None:
    """Raise Refusal with all of them."""
    if found := list(mistakes(server, vectors)):
        raise Refusal(found)


def warnings_of(vectors: VectorsSpec) -> Iterator[Finding]:
    """Warnings, which refuse nothing: ``vectors.known-weakness``."""
    from pulumi_llm.roles import registry  # a question about a model and a GPU asks for no role

    role = registry.of_argument(VECTORS, vectors.engine).manifest
    others = [name for name, each in registry.answering(VECTORS).items() if not each.manifest.weak]
    for weakness in role.weak:
        if weakness.mended is None:
            yield Finding(
                "vectors.known-weakness",
                _(
                    "{name} is published of {title} {version}, and no release mends it: here only who has the key "
                    "comes as far as {title}",
                    name=weakness.name,
                    title=role.title,
                    version=role.version,
                ),
                _(
                    "give nobody the key whom you would not let onto that machine; or engine: {names}",
                    names=either(others),
                ),
                severity="warning",
            )
