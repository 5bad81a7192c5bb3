"""Roles rendered to files and user data: pure text in, text out.

`user_data` is what a machine boots with; `settings` is the complete, non-secret desired state that follows over SSH
and is put in force by `stage_command` and `apply_command`, at first and for every later change.
"""

from __future__ import annotations

from pulumi_llm.bootstrap.gateway import check as check_gateway
from pulumi_llm.bootstrap.roles import (
    ENDPOINTS,
    GatewayKey,
    GatewayRole,
    NodeRequest,
    Route,
    Sources,
    Target,
    Upstream,
    VllmRole,
    WeaviateRole,
)
from pulumi_llm.bootstrap.settings import (
    apply_command,
    optional_secret_names,
    secret_names,
    secrets_document,
    settings,
    stage_command,
)
from pulumi_llm.bootstrap.user_data import SizeReport, size_report, user_data, user_data_limit

__all__ = [
    "ENDPOINTS",
    "GatewayKey",
    "GatewayRole",
    "NodeRequest",
    "Route",
    "SizeReport",
    "Sources",
    "Target",
    "Upstream",
    "VllmRole",
    "WeaviateRole",
    "apply_command",
    "check_gateway",
    "optional_secret_names",
    "secret_names",
    "secrets_document",
    "settings",
    "size_report",
    "stage_command",
    "user_data",
    "user_data_limit",
]
