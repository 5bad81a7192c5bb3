"""What runs on a node is a list of roles: each a folder with a ``role.yaml``. docs/roles.md tells how to write one.

>>> from pulumi_llm import roles
>>> roles.role("weaviate").manifest.title
'Weaviate'
"""

from __future__ import annotations

from pulumi_llm.roles.base import Role
from pulumi_llm.roles.kept import BackupRole, BucketRole, BundleRole, DepotRole
from pulumi_llm.roles.registry import GROUP, built_in, every, role
from pulumi_llm.roles.requests import (
    ENDPOINTS,
    Authority,
    ContentRole,
    GatewayKey,
    GatewayRole,
    NodeRequest,
    RoleRequest,
    Route,
    ServiceRole,
    Sources,
    Target,
    Upstream,
    VllmRole,
)

__all__ = [
    "ENDPOINTS",
    "GROUP",
    "Authority",
    "BackupRole",
    "BucketRole",
    "BundleRole",
    "ContentRole",
    "DepotRole",
    "GatewayKey",
    "GatewayRole",
    "NodeRequest",
    "Role",
    "RoleRequest",
    "Route",
    "ServiceRole",
    "Sources",
    "Target",
    "Upstream",
    "VllmRole",
    "built_in",
    "every",
    "role",
]
