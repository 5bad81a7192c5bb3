"""What a machine shall be, as its stages read it: /opt/llm/node.json and /opt/llm/supply.json. No secrets."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from pulumi_llm._bootstrap import system
from pulumi_llm.roles import order, registry
from pulumi_llm.roles.base import Role
from pulumi_llm.roles.manifest import Environment, User
from pulumi_llm.roles.requests import NodeRequest


def node_document(request: NodeRequest) -> dict[str, Any]:
    """The document, complete and in a fixed order.

    Raises:
        Refusal: what `Role.document` of its roles raises.
    """
    document: dict[str, Any] = {
        "name": request.name,
        "cloud": request.cloud,
        "region": request.region,
        "stages": [each.name for each in order.stages(request)],
        "data_disk_gib": request.data_disk_gib,
        "folders": folders(request, early=True),
    }
    for role in order.listed(request):
        document |= role.document(request)
    return document


def folders(request: NodeRequest, *, early: bool) -> dict[str, str]:
    """Folders of the data disk and whose they are: those made at boot, or those that come with the settings."""
    return {
        name: each.owner
        for role in order.started(request)
        if role.runs(request)
        for name, each in role.manifest.folders.items()
        if each.early is early
    }


def environments(request: NodeRequest) -> dict[str, Environment]:
    """The Python environments that a node has, each with a lock."""
    python = system.of(request).python
    return {
        name: dataclasses.replace(role.manifest.install.environments[name], wheels=wheels)  # type: ignore[type-var]
        for role in order.started(request)
        for name in role.environments(request)
        if (wheels := role.wheels(name, python)) is not None
    }


def supply_document(request: NodeRequest) -> dict[str, Any]:
    """/opt/llm/supply.json: packages, images, digests, and where they come from, in the order in which it is tried."""
    have = [each for each in order.listed(request) if each.runs(request)]
    packages = [each.manifest.install.packages for each in have if each.manifest.install.packages]
    document: dict[str, Any] = {
        "base": system.called(request, [name for each in packages for name in each.base]),
        "services": system.called(request, [name for each in packages for name in each.services]),
        "apt": list(dict.fromkeys(request.sources.apt)),
        "pypi": list(dict.fromkeys(request.sources.pypi)),
        "venvs": {
            name: {
                "version": each.version,
                "digest": each.wheels.digest,
                "download_bytes": each.wheels.download_bytes,
                "unpacked_bytes": each.wheels.unpacked_bytes,
                **({"python": each.python} if each.python else {}),
            }
            for name, each in environments(request).items()
        },
    }
    if mine := [name for name, each in environments(request).items() if each.stage == "environments"]:
        document["environments"] = mine
    images = [each.image for role in have for each in role.manifest.install.images.values()]
    if images:
        document["registries"] = list(dict.fromkeys(request.sources.registries)) or [""]
        document["images"] = images
    if steps := [step for role in have for step in role.takes_over()]:
        document["takes_over"] = steps
    for role in have:
        document |= role.supply(request)
    return document | system.supply(request)


def early_users() -> str:
    """Lines of sysusers.d for the users that every machine has from its first boot on, with fixed numbers."""
    return _lines({name: each for role in registry.built_in().values() for name, each in _users(role) if each.early})


def users(request: NodeRequest) -> str:
    """/etc/sysusers.d/llm.conf: the users that every machine has, and those of this node's roles."""
    found = {name: each for role in registry.built_in().values() for name, each in _users(role) if each.early}
    for role in order.listed(request):
        found |= dict(_users(role))
    about = "# Fixed numbers: the data disk outlives the machine, and files on it must belong to the same users on the"
    return f"{about} next one.\n{_lines(found)}"


def _users(role: Role) -> Iterable[tuple[str, User]]:
    return role.manifest.users.items()


def _lines(found: Mapping[str, User]) -> str:
    rows = sorted(found.items(), key=lambda pair: pair[1].id)
    return "".join(f'u {name} {each.id} "{each.title}" {each.home}\n' for name, each in rows)
