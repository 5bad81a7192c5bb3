"""The bundle that a machine without a network installs from: where it lies there."""

from __future__ import annotations

from pulumi_llm.roles.base import Role, Row, told
from pulumi_llm.roles.kept import BundleRole
from pulumi_llm.roles.requests import NodeRequest


class Bundle(Role):
    """Packages, wheels, images and weights from one folder."""

    def supply(self, node: NodeRequest) -> Row:
        """Where it lies."""
        return {"bundle": told(self.name, node.of(BundleRole)).folder}
