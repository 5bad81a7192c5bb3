"""Which roles a container without systemd can run: those whose units ask for no more than the supervisor there does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pulumi_llm._texts import _, listed
from pulumi_llm.errors import Finding
from pulumi_llm.roles import order
from pulumi_llm.roles.base import UNITS

if TYPE_CHECKING:
    from pulumi_llm.roles.base import Role
    from pulumi_llm.roles.requests import NodeRequest

DOES = frozenset(
    {
        "Requires",
        "After",
        "Wants",
        "Type",
        "RemainAfterExit",
        "ExecStart",
        "ExecStartPre",
        "User",
        "Group",
        "WorkingDirectory",
        "Environment",
        "EnvironmentFile",
        "StateDirectory",
        "CacheDirectory",
        "UMask",
        "Restart",
        "RestartSec",
        "TimeoutStopSec",
        "LimitNOFILE",
        "LimitMEMLOCK",
        "NoNewPrivileges",
        "CapabilityBoundingSet",
        "AmbientCapabilities",
        "OOMScoreAdjust",
        "ListenStream",
        "Backlog",
        "ReceiveBuffer",
    }
)
"""Keys of units that the supervisor (clouds/ssh/inside) acts upon."""
NO_MEANING = frozenset(
    {
        "Description",
        "WantedBy",
        "RequiresMountsFor",
        "StartLimitIntervalSec",
        "TriggerLimitIntervalSec",
        "TimeoutStartSec",
    }
)
"""Keys that change nothing without systemd: a folder is there or not, and nothing is ever given up or cut short."""
WALLS = frozenset(
    {
        "PrivateTmp",
        "PrivateDevices",
        "ProtectSystem",
        "ProtectHome",
        "ProtectKernelTunables",
        "ProtectKernelModules",
        "ProtectControlGroups",
        "RestrictSUIDSGID",
        "RestrictAddressFamilies",
        "ReadWritePaths",
        "InaccessiblePaths",
        "LockPersonality",
        "MemoryMax",
        "Slice",
        "OOMPolicy",
        "ProtectKernelLogs",
        "ProtectClock",
        "ProtectHostname",
        "ProtectProc",
        "RestrictNamespaces",
        "RestrictRealtime",
        "SystemCallArchitectures",
        "IPAddressDeny",
        "IPAddressAllow",
    }
)
"""Second walls that a container has no right to put up; the first one, a user of its own for each service, stands."""
CAPABILITIES = frozenset(
    {
        "CAP_CHOWN",
        "CAP_DAC_OVERRIDE",
        "CAP_FOWNER",
        "CAP_KILL",
        "CAP_SETGID",
        "CAP_SETUID",
        "CAP_NET_BIND_SERVICE",
    }
)
"""Those that the supervisor knows the numbers of."""
RIGHTS = ("CapabilityBoundingSet", "AmbientCapabilities")
NEEDS_WALLS = "needs_walls"
"""A fact of a role: the second walls without which it is not safe to run."""
TYPES = frozenset(("simple", "exec", "oneshot"))


def findings(node: NodeRequest) -> Iterator[Finding]:
    """A refusal for each role of the node that a container cannot run."""
    for role in order.listed(node):
        needed = sorted(_needed(role, node))
        if needed and role.runs(node):
            yield Finding(
                "ssh.not-in-a-container",
                _(
                    "{title} does not run in a container: it needs {needed}",
                    title=role.manifest.title,
                    needed=listed(needed),
                ),
                _("a machine with systemd (host.mode: systemd), or leave it out"),
                where="host.mode",
            )


def _needed(role: Role, node: NodeRequest) -> set[str]:
    """What a role asks for that is not there."""
    if role.manifest.install.images or role.name == "docker":
        return {_("containers of its own")}
    return set(role.manifest.facts.get(NEEDS_WALLS, ())) | {
        each
        for row in role.files(node)
        if row["path"].startswith(UNITS)
        for each in lacking(row["path"], row["content"])
    }


def lacking(path: str, text: str) -> set[str]:
    """The keys of a unit that the supervisor does not know."""
    if path.endswith(".timer"):
        return {_("timers of systemd")}
    rows = [line.partition("=") for line in text.splitlines() if line[:1] not in ("#", ";", "[", "") and "=" in line]
    found = {key for key, __, value in rows if key not in DOES | NO_MEANING | WALLS}
    found |= {each for key, __, value in rows if key in RIGHTS for each in value.split() if each not in CAPABILITIES}
    return found | {f"Type={value}" for key, __, value in rows if key == "Type" and value not in TYPES}
