"""What the machines of a stack install, out of what their nodes are rendered to."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pulumi_llm import _bootstrap as bootstrap
from pulumi_llm._bootstrap import NodeRequest
from pulumi_llm._dataclasses import dataclass
from pulumi_llm._texts import Text
from pulumi_llm._ways_out import still
from pulumi_llm.roles import registry

LOCKS = "/opt/llm/locks/"
COMPONENTS = "main restricted universe multiverse"
"""Those that a node's list of sources names (templates/node/llm_node/apt.py)."""


SWITCHED = 8
"""GPUs of a machine whose cards a switch ties together; its manager is a package of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """Wheels of one environment: the lock's lines, and what they come to."""

    name: str
    version: str
    lock: str
    bytes: int

    @property
    def packages(self) -> int:
        """How many there are."""
        return len(self.lock.splitlines())


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where things are fetched from, best first; as a node's own."""

    pypi: tuple[str, ...]
    apt: tuple[str, ...]
    registries: tuple[str, ...]
    hubs: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """All that is to be collected; sizes are bytes."""

    names: tuple[str, ...]
    """The machines that it is for."""
    packages: tuple[str, ...]
    codename: str
    environments: tuple[Environment, ...]
    images: tuple[str, ...]
    models: tuple[Mapping[str, Any], ...]
    sources: Sources
    still: tuple[tuple[Text | str, str], ...]
    """What the machines ask for once they serve, which no bundle brings: what it is, and where."""


def of_nodes(nodes: Iterable[NodeRequest], *, extra: Sequence[str] = (), kernels: Sequence[str] = ()) -> Wanted:
    """What these nodes install, each thing once.

    ``extra``: further packages of Ubuntu's. ``kernels``: releases for which a cloud's machine gets NVIDIA's driver.
    """
    found = list(nodes)
    documents = [_documents(each) for each in found]
    first = documents[0][0]
    tools = registry.environments()
    # By their lock: two machines have the same release of an environment.
    environments: dict[str, Environment] = {}
    models: dict[str, Mapping[str, Any]] = {}
    for known, locks in documents:
        for name, lock in locks.items():
            pins = known["venvs"].get(name, {})
            # What installs them is in no list of the node's environments.
            row = pins or {"version": tools[name].version, "download_bytes": tools[name].wheels.download_bytes}
            environments[lock] = Environment(
                name=name, version=str(row["version"]), lock=lock, bytes=int(row["download_bytes"])
            )
        for each in [*([known["model"]] if "model" in known else []), *known.get("further", [])]:
            models[str(each["path"])] = each
    return Wanted(
        names=tuple(each.name for each in found),
        packages=_once(
            [
                *(name for known, __ in documents for name in [*known["base"], *known["services"]]),
                *(
                    name
                    for node, (known, __) in zip(found, documents, strict=True)
                    for name in _driver(node, known, kernels)
                ),
                *extra,
            ]
        ),
        codename=str(registry.role("node").manifest.facts["ubuntu"]["codename"]),
        environments=tuple(environments.values()),
        images=_once(name for known, __ in documents for name in known.get("images", [])),
        models=tuple(models.values()),
        sources=Sources(
            pypi=tuple(first["pypi"]),
            apt=tuple(first["apt"]),
            registries=tuple(first.get("registries", [""])),
            hubs=tuple(first.get("hubs", ())),
        ),
        still=_once(row for each in found for row in still(each)),
    )


def _documents(node: NodeRequest) -> tuple[dict[str, Any], dict[str, str]]:
    """What a node's stages read, and its locks: the very files of its settings."""
    files = {str(each["path"]): str(each["content"]) for each in bootstrap.settings(node)["files"]}
    known = json.loads(files["/opt/llm/node.json"]) | json.loads(files["/opt/llm/supply.json"])
    locks = {
        path.removeprefix(LOCKS).removesuffix(".txt"): text for path, text in files.items() if path.startswith(LOCKS)
    }
    return known, locks


def _driver(node: NodeRequest, known: Mapping[str, Any], kernels: Sequence[str]) -> Iterable[str]:
    """Packages of the driver for these kernels. A machine of one's own has its owner's."""
    if node.cloud != "ssh":
        wanted = [*known.get("signed", ()), *(known.get("nvswitch", ()) if known.get("gpus", 0) >= SWITCHED else ())]
        for kernel in kernels:
            yield from (each.format(kernel=kernel) for each in wanted)


def _once(rows: Iterable[Any]) -> tuple[Any, ...]:
    return tuple(dict.fromkeys(rows))
