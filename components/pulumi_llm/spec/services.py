"""Services beside the model, by the names of their roles. Sizes are GiB."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from pydantic import AfterValidator, Field

from pulumi_llm._texts import _
from pulumi_llm.errors import Finding, Refusal, UnknownName
from pulumi_llm.roles import Role, registry
from pulumi_llm.spec.fields import Count, Part, known


class ServiceSpec(Part):
    """A service beside the model: how much of the machine it may take. What is left out is as its role says."""

    memory_gib: Annotated[Count, Field(ge=1, le=512)] | None = None
    """GiB of host memory that it may take. Left out: as its role says.

    zh: 可用的主机内存，GiB。不写则按角色的规定。"""
    disk_gib: Annotated[Count, Field(ge=1, le=16000)] | None = None
    """GiB for it on the data disk. Left out: as its role says.

    zh: 数据盘上留给它的空间，GiB。不写则按角色的规定。"""


def _refusal(role: Role) -> tuple[str, str]:
    """Why a role cannot be asked for by its name, and what would be asked for instead; ("", ""): it can."""
    manifest = role.manifest
    if manifest.argument is not None:
        return _("it has a key of its own"), f"{manifest.argument}: {{}}"
    given = [secret for secret, each in manifest.secrets.items() if not each.generate and not each.optional]
    if given and manifest.service is not None:
        return _("it needs the secret {given}", given=given[0]), "docs/roles.md"
    if manifest.service is None or manifest.code is not None or manifest.needs.gpu:
        return _("it is no service of its own"), "docs/roles.md"
    return "", ""


def _role(name: str) -> Role:
    """A role that can be asked for. Raises UnknownName ``roles.unknown``, Refusal ``spec.not-a-service``."""
    try:
        role = registry.role(name)
    except UnknownName:
        others = [each for each, other in registry.every().items() if not _refusal(other)[0]]
        hint = _("docs/roles.md: a role of one's own")
        raise UnknownName("roles.unknown", _("role"), name, others, hint=hint) from None
    why, instead = _refusal(role)
    if why:
        message = _("the role {name!r} cannot be asked for here: {why}", name=name, why=why)
        raise Refusal([Finding("spec.not-a-service", message, instead)])
    return role


def _services_exist(value: dict[str, ServiceSpec]) -> dict[str, ServiceSpec]:
    """Each is a role that can be asked for, with the sizes that it really takes; what it needs comes beside it."""
    found: dict[str, ServiceSpec] = {}
    todo = dict(value)
    while todo:
        name = next(iter(todo))
        asked = todo.pop(name)
        known(partial(_role, name))
        role = _role(name).manifest
        sizes = {"memory_gib": role.needs.memory_gib or None, "disk_gib": role.needs.disk_gib or None}
        found[name] = ServiceSpec(**sizes | asked.model_dump(exclude_none=True))
        for need in role.needs.roles:
            other = registry.role(need).manifest
            if other.service and not other.code and not other.argument and need not in found:
                todo.setdefault(need, ServiceSpec())
    return found


Services = Annotated[dict[str, ServiceSpec], AfterValidator(_services_exist)]
