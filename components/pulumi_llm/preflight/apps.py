"""What is to be said of pages beside a model before they are made: what they ask for and is not there."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from pulumi_llm import catalog
from pulumi_llm._flags import flags_of
from pulumi_llm._texts import _, either
from pulumi_llm.catalog.pooling import EMBEDDING, RERANKER, kind_of, task_of
from pulumi_llm.errors import Finding, among
from pulumi_llm.spec.access import FILED_PORTS
from pulumi_llm.spec.models import TASKS
from pulumi_llm.spec.upstreams import vendor_of

if TYPE_CHECKING:
    from pulumi_llm.spec import ModelSpec, ServerSpec, VectorsSpec
    from pulumi_llm.spec.apps import RagSpec

CHAT = "chat"
"""What the chat page's key is called at the gateway."""
EMBEDDINGS = "/v1/embeddings"


def mistakes(server: ServerSpec, vectors: VectorsSpec | None) -> Iterator[Finding]:
    """What is wrong with them on this server: ``apps.key-taken``, ``apps.rag-store``."""
    apps = server.apps
    if apps is None or apps.chat is None:
        return
    from pulumi_llm.roles import chat, registry  # a question about a model and a GPU asks for no role

    if CHAT in server.keys:
        yield Finding(
            "apps.key-taken",
            _("the chat page's own gateway key is called {name!r}, and so is one under `keys`", name=CHAT),
            _("another name there; the page's limits stand in apps.chat.key"),
            where="keys",
        )
    if apps.chat.port in FILED_PORTS and catalog.load().region(server.cloud, server.region).in_china:
        yield Finding(
            "spec.port-needs-filing",
            _(
                "port {https_port} needs an ICP filing on a host in {region}",
                https_port=apps.chat.port,
                region=server.region,
            ),
            _("leave port out (18447 is taken), or a high port"),
            where="apps.chat.port",
        )
    here = vectors is not None and vectors.placement == "server" and vectors.engine in chat.STORES
    if apps.rag is not None and not here:
        yield Finding(
            "apps.rag-store",
            _(
                "Open WebUI keeps documents in a store beside the model ({stores}), and there is none of these",
                stores=either(registry.role(each).manifest.title for each in chat.STORES),
            ),
            either([f"vectors: {{engine: {each}, placement: server}}" for each in chat.STORES]),
            where="apps.rag.engine",
        )
    if apps.rag is not None and here and vectors is not None and apps.rag.dimensions > chat.LONGEST[vectors.engine]:
        yield Finding(
            "apps.rag-dimensions",
            _(
                "apps.rag.dimensions says {asked}, and an index of {title} takes {most} numbers at most",
                asked=apps.rag.dimensions,
                title=registry.role(vectors.engine).manifest.title,
                most=chat.LONGEST[vectors.engine],
            ),
            either([*(f"vectors: {{engine: {name}}}" for name, most in chat.LONGEST.items()
                      if most >= apps.rag.dimensions), _("another model")]),
            where="apps.rag.dimensions",
        )  # fmt: skip


def unserved(server: ServerSpec, served: Collection[str]) -> Iterator[Finding]:
    """What they ask the gateway for in vain: ``apps.unserved-model``, ``…cannot-answer``, ``…key-cannot-ask``,
    ``…rag-dimensions``."""
    apps = server.apps
    if apps is None or apps.chat is None:
        return
    models = apps.chat.gateway_key.models
    for where, name, path in apps.asks_for():
        if name not in served:
            message = _("{where} names {model!r}, which this gateway does not serve", where=where, model=name)
            yield Finding("apps.unserved-model", message, among(name, served), where=where)
            continue
        if (title := _deaf(server, name, path)) is not None:
            message = _("{where} names {model!r}, and {title} does not answer at {path}", where=where, model=name,
                        title=title, path=path)  # fmt: skip
            yield Finding("apps.cannot-answer", message, _able(server, path, served), where=where)
        elif (length := _length(server, name)) is not None and path == EMBEDDINGS:
            yield from _other_length(apps.rag, name, length)
        if models and not any(fnmatchcase(name, each) for each in models):
            message = _("the chat page's key may not ask {model!r}, which {where} names", model=name, where=where)
            hint = _("add it to apps.chat.key.models, or leave those out")
            yield Finding("apps.key-cannot-ask", message, hint, where="apps.chat.key.models")


def _able(server: ServerSpec, path: str, served: Collection[str]) -> str:
    """Who answers at that path: a model that is served already, or one that could be."""
    known = [name for name in sorted(served) if _answers(server, name, path)]
    hint = _("a model of an upstream that does: docs/clients.md lists what each vendor answers")
    if known:
        return either(known)
    # A reranker of this machine is served by a vLLM, as no vendor's path is the same.
    own = "BAAI/bge-m3" if path == EMBEDDINGS else "BAAI/bge-reranker-v2-m3"
    return _("server.models: {{own: {{model: {model}}}}}; or {other}", model=own, other=hint)


def _answers(server: ServerSpec, name: str, path: str) -> bool:
    """Whether a served model is known to be for that path."""
    if name in server.own_models:
        own = server.models.get(name, server)
        known = getattr(own, "kind", None) is not None or own.model in catalog.load().models
        return known and not _mute(own, path)
    for called, upstream in server.upstreams.items():
        vendor = catalog.load().upstreams[vendor_of(called, upstream)]
        if name in upstream.served:
            said = kind_of(upstream.served[name])
            return path in (vendor.endpoints or ()) and said == (EMBEDDING if path == EMBEDDINGS else RERANKER)
    return False


def _length(server: ServerSpec, name: str) -> int | None:
    """How many numbers a vector of that model has, where it is this machine's and known."""
    if name not in server.own_models:
        return None
    row = catalog.load().models.get(server.models.get(name, server).model)
    return row.hidden if row is not None else None


def _other_length(rag: RagSpec | None, name: str, length: int) -> Iterator[Finding]:
    """The page cuts off what a column is too short for, and fills up what is missing, and says neither."""
    if rag is None or rag.dimensions == length:
        return
    from pulumi_llm.roles import chat  # a question about a model and a GPU asks for no role

    fits = [f"vectors: {{engine: {name}}}" for name, most in chat.LONGEST.items() if most >= length]
    alone = len(fits) == len(chat.LONGEST)
    yield Finding(
        "apps.rag-dimensions",
        _(
            "a vector of {model!r} has {length} numbers, and apps.rag.dimensions says {asked}: the page would cut each "
            "off, or fill it up",
            model=name,
            length=length,
            asked=rag.dimensions,
        ),
        f"dimensions: {length}"
        if alone
        else _("dimensions: {length}, with {stores}; or another model", length=length, stores=either(fits)),
        where="apps.rag.dimensions",
    )


def _deaf(server: ServerSpec, name: str, path: str) -> str | None:
    """Who serves the model and does not answer at that path; None: somebody who does, or of whom that is not known."""
    if name in server.own_models:
        own = server.models.get(name, server)
        return own.model if _mute(own, path) else None
    for called, upstream in server.upstreams.items():
        vendor = catalog.load().upstreams[vendor_of(called, upstream)]
        if name in upstream.served and vendor.endpoints and path not in vendor.endpoints:
            return vendor.title
    return None


def _mute(own: ServerSpec | ModelSpec, path: str) -> bool:
    """Whether a model of this machine is known not to answer at that path.

    vLLM ranks with a model for vectors too, by how near they are; what serves it on the CPU does not.
    """
    task: str | None
    if isinstance(kind := getattr(own, "kind", None), str):
        task = TASKS[kind]
    elif (row := catalog.load().models.get(own.model)) is not None:
        task = task_of(own.model, row, flags_of(own.extra_args))
    else:
        return False
    if path == EMBEDDINGS:
        return task != EMBEDDING
    return task is None or (task == EMBEDDING and getattr(own, "device", "gpu") == "cpu")


def warnings_of(server: ServerSpec, vectors: VectorsSpec | None) -> Iterator[Finding]:
    """Warnings, which refuse nothing: ``apps.no-name``, ``apps.rag-keeps-deleted``."""
    if server.apps is None or server.apps.chat is None:
        return
    from pulumi_llm.roles import chat, registry  # a question about a model and a GPU asks for no role

    if server.apps.rag is not None and vectors is not None and vectors.engine in chat.KEEP_DELETED:
        yield Finding(
            "apps.rag-keeps-deleted",
            _(
                "Open WebUI deletes nothing in {title} when a document is deleted: its text stays there, and each "
                "document has a collection of its own",
                title=registry.role(vectors.engine).manifest.title,
            ),
            f"vectors: {{engine: {chat.SLIM}}}",
            severity="warning",
            where="apps.rag.engine",
        )
    if server.domain is not None:
        return
    if catalog.load().region(server.cloud, server.region).in_china:
        yield Finding(
            "apps.no-name",
            _(
                "in {region} the chat page has no name: it answers at https://ADDRESS:{port}, with a certificate that "
                "browsers do not know",
                region=server.region,
                port=server.apps.chat.port,
            ),
            _(
                "give people that address, and have them trust the output `certificate_authority`; or `domain`, with a "
                "port other than 80, 443, 8080 and 8443, which want an ICP filing"
            ),
            severity="warning",
            where="apps.chat.port",
        )
