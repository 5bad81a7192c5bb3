"""What runs beside the model, as its roles say it: it shares the host's memory and the one data disk. Sizes are GiB."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from pulumi_llm import catalog
from pulumi_llm._dataclasses import dataclass
from pulumi_llm._texts import _
from pulumi_llm.preflight import on_cpu, turning, weights
from pulumi_llm.preflight.engine import engine

if TYPE_CHECKING:
    from pulumi_llm.catalog import Model
    from pulumi_llm.spec import ServerSpec, VectorsSpec

UNKNOWN_GIB = 10
BUNDLE_GIB = 10
"""Packages, wheels and images of a bundle, as docs/bundle.md's example shows them; its weights are linked."""
VECTORS = "vectors"
"""The argument that asks for the vector store; which role that is, the roles tell."""
CHAT = "server.apps.chat"
"""The key in the spec that asks for a chat page."""


@dataclass(frozen=True, slots=True)
class Beside:
    """A service beside the model: its role's name, what people call it, and what it takes of the host and of the disk.

    ``disk_percent``: how full the disk may be for it to write; ``argument``: the components' own argument that asks for
    it, or the key in the spec ("": it is asked for under ``services``).
    """

    name: str
    title: str
    memory_gib: int
    disk_gib: int
    disk_percent: int = 100
    argument: str = ""
    fixed: bool = False
    """It takes what it takes: nobody can give it less."""


def of_server(server: ServerSpec, vectors: VectorsSpec | None) -> tuple[Beside, ...]:
    """The services on a model server's host: the vector store where ``vectors`` places it there, then the others."""
    from pulumi_llm.roles import registry  # a question about a model and a GPU asks for no role

    found = []
    if vectors is not None and vectors.placement == "server":
        role = registry.of_argument(VECTORS, vectors.engine)
        percent = role.manifest.needs.disk_percent
        sizes = (vectors.memory_gib, vectors.disk_gib)
        found.append(Beside(role.name, role.manifest.title, *sizes, percent, argument=VECTORS))
    for name, each in server.services.items():
        manifest = registry.role(name).manifest
        sizes = (each.memory_gib or 0, each.disk_gib or 0)
        found.append(Beside(name, manifest.title, *sizes, manifest.needs.disk_percent))
    if server.apps is not None and (chat := server.apps.chat) is not None:
        manifest = registry.role(chat.engine).manifest
        sizes = (chat.memory_gib, chat.disk_gib)
        found.append(Beside(chat.engine, manifest.title, *sizes, manifest.needs.disk_percent, argument=CHAT))
    if server.weights is not None and server.weights.bundle is not None:
        title = _("the bundle's packages, wheels and images")
        found.append(Beside("bundle", title, 0, BUNDLE_GIB, fixed=True))
    return (*found, *of_models(server))


def of_models(server: ServerSpec) -> Iterator[Beside]:
    """The further models of a server."""
    from pulumi_llm.spec import turns  # who asks about models and a GPU alone has no spec

    for name, each in server.models.items():
        if each.device == on_cpu.CPU:
            yield of_cpu(on_cpu.of_spec(name, each))
        else:
            yield of_model(name, catalog.load().models.get(each.model), each.gpus or 1)
    if turns.level(server) == 1:
        names = [server.model, *(server.models[name].model for name in turns.taking(server))]
        yield of_sleepers(catalog.load().models.get(each) for each in names)


def of_sleepers(models: Iterable[Model | None]) -> Beside:
    """The weights of models that take turns, in the host's memory; of one that is not known `UNKNOWN_GIB`."""
    sizes = (weights.weights_gib(each, each.quantization, each.quantization_bits) if each else None for each in models)
    kept = turning.host_gib(UNKNOWN_GIB if size is None else size for size in sizes)
    return Beside(turning.TAKES_TURNS, _("the weights of models that sleep"), kept, 0, fixed=True)


def of_cpu(model: on_cpu.OnCpu) -> Beside:
    """A further model on the CPU, whose weights are in the host's memory."""
    found = of_model(model.name, model.model, 1)
    title = _("the model {name} on the CPU", name=model.name)
    return replace(found, title=title, memory_gib=model.memory_gib)


def of_model(name: str, model: Model | None, gpus: int) -> Beside:
    """A further model: its vLLM in the host's memory, and its files twice over, as a model is changed in place.

    Of a model that is not known `UNKNOWN_GIB` of files are reckoned with.
    """
    stored = weights.weights_gib(model, model.quantization, model.quantization_bits) if model else None
    disk = math.ceil(2.1 * (UNKNOWN_GIB if stored is None else stored))
    return Beside(name, _("the model {name}", name=name), math.ceil(engine().host_gib_per_gpu * gpus), disk, fixed=True)


def disk_gib(services: Iterable[Beside]) -> int:
    """What they take of the data disk together."""
    return sum(each.disk_gib for each in services)


def memory_gib(services: Iterable[Beside]) -> int:
    """What they take of the host's memory together."""
    return sum(each.memory_gib for each in services)


def disk_percent(services: Iterable[Beside]) -> int:
    """How full the disk may be for all of them to write."""
    return min((each.disk_percent for each in services if each.disk_gib), default=100)
