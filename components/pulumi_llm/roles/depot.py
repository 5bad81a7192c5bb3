"""The bucket that a machine's bundle comes from: what its stage is told, and what waits for it."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, cast

from pulumi_llm.roles import registry
from pulumi_llm.roles.base import Role, Row, told
from pulumi_llm.roles.bucket import SENDS
from pulumi_llm.roles.kept import DepotRole
from pulumi_llm.roles.requests import NodeRequest

if TYPE_CHECKING:
    from pulumi_llm.roles.manifest import Stage

LATER = {"node": "base", "bundle": "bundle"}
"""The stages of other roles that begin once the bundle is there; all others come after these."""


class Depot(Role):
    """A bundle that comes from a bucket."""

    def supply(self, node: NodeRequest) -> Row:
        """Where it is, and its digest."""
        asked = told(self.name, node.of(DepotRole))
        return {"depot": {**asked.target, "digest": asked.digest}}

    def stages(self, node: NodeRequest) -> tuple[Stage, ...]:
        """Its own, and those that begin only after it in place of those of other roles."""
        found = [*super().stages(node)]
        for role, name in LATER.items():
            (stage,) = (each for each in registry.role(role).manifest.stages if each.name == name)
            found.append(dataclasses.replace(cast("Any", stage), after=(*stage.after, self.name)))
        return tuple(found)

    def code_on(self, node: NodeRequest) -> dict[str, str]:
        """Its stage, how weights are fetched from a bucket, and how backups send and fetch."""
        others = {"bucket.py": "bucket", SENDS: "backup"}
        shared = {f"llm_node/{file}": registry.role(role).text(f"stages/{file}") for file, role in others.items()}
        return {**self.code(), **shared}
