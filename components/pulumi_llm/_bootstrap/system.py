"""What a node's system changes of what is installed: names of packages, wheels for its Python, where they come from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pulumi_llm._texts import _
from pulumi_llm.catalog import systems
from pulumi_llm.errors import Finding
from pulumi_llm.roles import order

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pulumi_llm.catalog.systems import System
    from pulumi_llm.roles.base import Role
    from pulumi_llm.roles.requests import NodeRequest


def of(request: NodeRequest) -> System:
    """The node's system."""
    return systems.system(request.system)


def called(request: NodeRequest, packages: Iterable[str]) -> list[str]:
    """What its archive calls these packages."""
    found = of(request)
    return list(dict.fromkeys(name for each in packages for name in found.called(each)))


def supply(request: NodeRequest) -> dict[str, Any]:
    """What its stages have to know of a system that is not the usual one."""
    found = of(request)
    if found.name == systems.DEFAULT:
        return {}
    told: dict[str, Any] = {"python": found.interpreter, "apt_lines": list(found.lines)}
    if found.borrowed is not None:
        lent = found.borrowed
        told["borrowed"] = {"packages": list(lent.packages), "lines": list(lent.lines)}
    return told


def findings(request: NodeRequest) -> Iterator[Finding]:
    """A refusal for each role of the node that its system cannot have."""
    found = of(request)
    for role in order.listed(request):
        for reason in dict.fromkeys(_lacking(role, request, found)) if role.runs(request) else ():
            yield Finding(
                "ssh.not-on-this-system",
                _(
                    "{role} does not run on {system}: {reason}",
                    role=role.manifest.title,
                    system=found.title,
                    reason=reason,
                ),
                _("a machine with {system}, or leave it out", system=systems.system(systems.DEFAULT).title),
                where="host.system",
            )


def _lacking(role: Role, request: NodeRequest, found: System) -> Iterator[str]:
    """What the system has not, that the role needs."""
    if packages := role.manifest.install.packages:
        for each in [*packages.base, *packages.services]:
            if each in found.lacks:
                yield _("its archive has {have} in place of {package}", have=found.lacks[each], package=each)
    if role.name == "bundle" and found.name != systems.DEFAULT:
        yield _("`pulumi-llm bundle` collects the packages of {system}", system=systems.system(systems.DEFAULT).title)
    for name in role.environments(request):
        if role.wheels(name, found.python) is None:
            yield _("{name} has no wheels for Python {python}", name=name, python=found.python)
