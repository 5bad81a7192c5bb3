"""Backups: what the node's program is told of the vector store, that store's own means, and the timer."""

from __future__ import annotations

import json

from pulumi_llm._texts import _
from pulumi_llm.errors import Finding
from pulumi_llm.roles import registry
from pulumi_llm.roles.base import SECRETS, UNITS, Role, Row, file_row, told
from pulumi_llm.roles.kept import BackupRole
from pulumi_llm.roles.requests import NodeRequest

CONFIG = "/opt/llm/backup/backup.json"
MODULE = "backup.py"
"""What a store's role has in its folder where it has means of its own, or can count."""
TIMER = "llm-backup.timer"


class Backup(Role):
    """Encrypted copies of one vector store, and of what else the node keeps that cannot be made anew."""

    def check(self, node: NodeRequest) -> list[Finding]:
        """A store whose role does not say how it is backed up."""
        asked = _asked(node)
        store = registry.role(asked.engine)
        if store.manifest.backup is not None:
            return []
        message = _("the role {name!r} does not say how it is backed up (`backup` in its role.yaml)", name=store.name)
        return [Finding("backup.no-means", message, _("leave `vectors.backup` out"))]

    def files(self, node: NodeRequest) -> list[Row]:
        """Units, programs, and what they are told."""
        asked = _asked(node)
        rows = [file_row(CONFIG, json.dumps(self._config(node), indent=1) + "\n"), *super().files(node)]
        if asked.hours is not None:
            timer = self.filled(f"{TIMER}.j2", node)
            rows.append(file_row(f"{UNITS}/{TIMER}", timer, str(self.unit)))
        return rows

    def values(self, node: NodeRequest) -> Row:
        """For the units."""
        asked = _asked(node)
        return {**super().values(node), "hours": asked.hours, "unit_of_store": registry.role(asked.engine).unit}

    def before(self, node: NodeRequest) -> tuple[str, ...]:
        """Where the machine makes backups by itself, one comes before an upgrade of what it keeps."""
        return () if _asked(node).hours is None else ("backup_before",)

    def code_on(self, node: NodeRequest) -> dict[str, str]:
        """The programs, and the means of the node's own store."""
        store = registry.role(_asked(node).engine)
        return {**self.code(), **({"llm_node/backup_of.py": store.text(MODULE)} if store.has(MODULE) else {})}

    def hints(self) -> dict[str, str]:
        """Those of its role.yaml: its unit is no service that runs, and has no others."""
        return dict(self.manifest.hints)

    def required_secrets(self, node: NodeRequest) -> list[str]:
        """Whom backups are for; the timer also needs the bucket's key."""
        timer = _asked(node).hours is not None
        return [name for name, each in self.manifest.secrets.items() if timer or not each.optional]

    def optional_secrets(self, node: NodeRequest) -> list[str]:
        """None: without a timer the node has no key to any bucket."""
        return []

    def secret_files(self, node: NodeRequest, *, optional: bool = False) -> list[Row]:
        """Of those that it has on this node."""
        rows = [*super().secret_files(node), *super().secret_files(node, optional=True)]
        wanted = self.required_secrets(node)
        return [] if optional else [row for row in rows if {*row["entries"]} <= {*wanted}]

    def _config(self, node: NodeRequest) -> Row:
        asked = _asked(node)
        store = registry.role(asked.engine)
        return {
            "node": node.name,
            "engine": store.name,
            **_kept(store),
            "module": store.has(MODULE),
            "secrets": {
                name: {"file": f"{SECRETS}/{each.file}", "variable": each.variable}
                for name, each in store.manifest.secrets.items()
                if each.generate
            },
            "target": None if asked.target is None else dict(asked.target),
            "beside": [{"name": each.name, **_kept(each)} for each in _beside(node, store)],
        }


def _kept(role: Role) -> Row:
    """What a service is called, how it is stopped and started, and where it keeps things."""
    (folder, owner), *_rest = role.manifest.folders.items()
    return {
        "title": role.manifest.title,
        "version": _version(role),
        "unit": role.unit,
        "data": f"/srv/llm/{folder}",
        "owner": owner.owner,
        "health": role.manifest.health.url if role.manifest.health else None,
    }


def _beside(node: NodeRequest, store: Role) -> list[Role]:
    """Other services on the node that say how they are backed up."""
    found = [registry.role(each.role) for each in node.roles]
    return [each for each in found if each.manifest.backup is not None and each.name != store.name]


def _version(store: Role) -> str:
    return store.manifest.version or "0"


def _asked(node: NodeRequest) -> BackupRole:
    asked = told("backup", node.of(BackupRole))
    assert isinstance(asked, BackupRole)  # noqa: S101 - of() gives no other
    return asked
