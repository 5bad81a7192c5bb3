"""Roles rendered to files and user data: pure text in, text out.

`user_data` is what a machine boots with; `settings` is the complete, non-secret desired state that follows over SSH
and is put in force by `stage_command` and `apply_command`, at first and for every later change.
"""

from __future__ import annotations

from pulumi_llm._bootstrap.settings import (
    apply_command,
    check,
    optional_secret_names,
    secret_names,
    secrets_document,
    settings,
    stage_command,
)
from pulumi_llm._bootstrap.user_data import (
    SizeReport,
    first_boot,
    size_report,
    unpacked_bytes,
    user_data,
    user_data_limit,
)
from pulumi_llm.roles.kept import BackupRole, BucketRole, BundleRole, DepotRole
from pulumi_llm.roles.requests import (
    ENDPOINTS,
    GatewayKey,
    GatewayRole,
    LeaveRole,
    NodeRequest,
    RoleRequest,
    Route,
    ServiceRole,
    Sources,
    Target,
    Upstream,
    VllmRole,
    WakeRole,
)

__all__ = [
    "ENDPOINTS",
    "BackupRole",
    "BucketRole",
    "BundleRole",
    "DepotRole",
    "GatewayKey",
    "GatewayRole",
    "LeaveRole",
    "NodeRequest",
    "RoleRequest",
    "Route",
    "ServiceRole",
    "SizeReport",
    "Sources",
    "Target",
    "Upstream",
    "VllmRole",
    "WakeRole",
    "apply_command",
    "check",
    "first_boot",
    "optional_secret_names",
    "secret_names",
    "secrets_document",
    "settings",
    "size_report",
    "stage_command",
    "unpacked_bytes",
    "user_data",
    "user_data_limit",
]
