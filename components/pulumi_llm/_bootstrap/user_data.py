"""User data: cloud-config text that a machine boots with. Deterministic, without secrets, within the cloud's limit."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pulumi_llm import catalog
from pulumi_llm._bootstrap import system
from pulumi_llm._bootstrap.files import node_code, packed, squeezed
from pulumi_llm._bootstrap.node_document import early_users, environments, node_document, supply_document
from pulumi_llm._dataclasses import dataclass
from pulumi_llm._texts import _
from pulumi_llm.catalog import systems
from pulumi_llm.errors import Finding, Refusal, UnknownName
from pulumi_llm.roles import order
from pulumi_llm.roles.files import fill, text

if TYPE_CHECKING:
    from pulumi_llm.catalog import CloudFacts
    from pulumi_llm.roles.manifest import Stage
    from pulumi_llm.roles.requests import NodeRequest

# What the first boot needs of the node's code beside its stages; the rest comes with the settings, over SSH.
STAND_INS = 'os.environ["PATH"] = "/opt/llm/container/bin:" + os.environ.get("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")'
BOOT_MODULES = ("__init__", "main", "receive", "status", "system")


@dataclass(frozen=True, slots=True)
class SizeReport:
    """How much of the cloud's user data limit a node takes. Bytes, before any encoding by provider or cloud."""

    size: int
    limit: int
    source: str

    @property
    def share(self) -> float:
        """Size divided by limit."""
        return self.size / self.limit


def boot_files(request: NodeRequest) -> dict[str, str]:
    """What user data packs: absolute path to content."""
    wanted = (*BOOT_MODULES, *(each.name for each in boot_stages(request)))
    code = node_code()
    files = {f"/opt/llm/lib/llm_node/{name}.py": squeezed(code[f"llm_node/{name}.py"]) for name in wanted}
    files["/opt/llm/bin/llm-node"] = squeezed(launcher(request))
    files.update(stage_units(request, at_boot=True))
    files["/etc/systemd/system/llm.target"] = _without_comments(text("node/llm.target"))
    files["/etc/sysusers.d/llm.conf"] = early_users()
    files["/etc/apt/apt.conf.d/52llm"] = _without_comments(text("node/apt.conf"))
    return files


def launcher(request: NodeRequest) -> str:
    """The node's own command. In a container it looks first among what stands in for systemd's commands."""
    plain = text("node/llm-node")
    if request.callers is None:
        return plain
    above, sign, rest = plain.partition("import sys\n")
    return f"{above}import os\n{sign}{rest}".replace("\n\nfrom llm_node.main", f"\n{STAND_INS}\n\nfrom llm_node.main")


def boot_stages(request: NodeRequest) -> list[Stage]:
    """The stages that begin with the user data alone; the others need what only the settings carry."""
    return [each for each in order.stages(request) if each.starts == "user-data"]


def stage_units(request: NodeRequest, *, at_boot: bool = False) -> dict[str, str]:
    """One oneshot unit per stage; their After= and Requires= are the boot graph. ``at_boot``: see `boot_stages`."""
    wanted = boot_stages(request) if at_boot else order.stages(request)
    return {
        f"/etc/systemd/system/llm-{each.name}.service": fill(
            "node/stage.service.j2",
            name=each.name,
            title=each.title,
            after=" ".join(f"llm-{before}.service" for before in each.after),
        )
        for each in wanted
    }


def user_data(request: NodeRequest) -> str:
    """The machine's cloud-config.

    Raises:
        Refusal: ``bootstrap.user-data-too-big`` if it is over the cloud's limit.
        UnknownName: ``bootstrap.unknown-cloud``, and what `node_document` raises.
    """
    rendered = _render(request)
    report = _report(request, rendered)
    if report.size > report.limit:
        raise Refusal(
            [
                Finding(
                    "bootstrap.user-data-too-big",
                    _(
                        "the user data of {name!r} has {size} bytes, and {cloud} takes {limit} ({source})",
                        name=request.name,
                        size=report.size,
                        cloud=request.cloud,
                        limit=report.limit,
                        source=report.source,
                    ),
                    _("name fewer sources: each mirror's address is part of the user data"),
                    where=request.name,
                )
            ]
        )
    return rendered


def size_report(request: NodeRequest) -> SizeReport:
    """How big the user data is and what the cloud takes; refuses what is over the limit as `user_data` does."""
    return _report(request, user_data(request))


def first_boot(request: NodeRequest) -> dict[str, Any]:
    """What user data does on a machine that a cloud makes, for one that exists: files, units, and what they need.

    Raises:
        Refusal: ``ssh.not-on-this-system`` for roles that the machine's system cannot have.
    """
    if found := list(system.findings(request)):
        raise Refusal(found)
    supply = supply_document(request)
    roles = order.listed(request)
    return {
        "system": request.system,
        "systems": {each.told: name for name, each in systems.known().items()},
        "files": {"/opt/llm/node.json": one_key_a_line(node_document(request)), **boot_files(request)},
        "units": [f"llm-{each.name}.service" for each in boot_stages(request)],
        "packages": supply["services"],
        "ports": sorted({*order.ports(request), *(port for role in roles for port in role.manifest.loopback)}),
        "users": sorted({name for role in roles for name in role.manifest.users}),
    }


def unpacked_bytes(request: NodeRequest) -> int:
    """What the node's Python environments take on its system disk."""
    return sum(each.wheels.unpacked_bytes for each in environments(request).values())


def user_data_limit(cloud: str) -> int:
    """A cloud's user data limit in bytes before encoding."""
    return _facts(cloud).user_data_limit


def _facts(cloud: str) -> CloudFacts:
    clouds = catalog.load().clouds
    if cloud not in clouds:
        raise UnknownName("bootstrap.unknown-cloud", _("cloud"), cloud, clouds)
    return clouds[cloud]


def _report(request: NodeRequest, rendered: str) -> SizeReport:
    facts = _facts(request.cloud)
    return SizeReport(len(rendered.encode()), facts.user_data_limit, facts.user_data_source)


def _render(request: NodeRequest) -> str:
    units = " ".join(f"llm-{each.name}" for each in boot_stages(request))
    return fill(
        "node/user_data.yaml.j2",
        name=request.name,
        node=one_key_a_line(node_document(request)),
        archive=packed(boot_files(request)),
        units=units,
    )


def one_key_a_line(document: dict[str, Any]) -> str:
    """JSON that a person can read and that wastes no bytes on it."""
    rows = [f"{json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}" for key, value in document.items()]
    return "{" + ",\n".join(rows) + "}"


def _without_comments(content: str) -> str:
    return "".join(
        line for line in content.splitlines(keepends=True) if line.strip() and not line.startswith(("#", "//"))
    )
