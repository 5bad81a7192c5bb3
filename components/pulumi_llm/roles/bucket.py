"""The bucket of weights: what its stage is told, and the program that it sends and fetches with."""

from __future__ import annotations

from pulumi_llm.roles import registry
from pulumi_llm.roles.base import Role, Row, told
from pulumi_llm.roles.kept import BucketRole
from pulumi_llm.roles.requests import NodeRequest

SENDS = "backup_send.py"
"""The module of backups that signs, sends and fetches."""


class Bucket(Role):
    """A model's weights, kept where the next machine finds them."""

    def supply(self, node: NodeRequest) -> Row:
        """Where they are kept."""
        return {"bucket": dict(told(self.name, node.of(BucketRole)).target)}

    def code_on(self, node: NodeRequest) -> dict[str, str]:
        """Its stage, and how backups send and fetch."""
        return {**self.code(), f"llm_node/{SENDS}": registry.role("backup").text(f"stages/{SENDS}")}
