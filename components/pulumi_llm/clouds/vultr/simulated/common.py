"""Vultr: the register of its rules, its resource types, and errors as its provider prints them.

The API answers a sentence and an HTTP status as JSON, which govultr hands on as it is. The sentences are worded after
the API reference and reports of users (2026-11-29); not all of them were seen as they are here.
"""

from __future__ import annotations

import json
from typing import Any

from pulumi_llm._simcloud.rules.base import Call, CloudError, Rules
from pulumi_llm._simcloud.store import Record

RULES = Rules()

PREFIX = "vultr:index/"
VPC, GROUP, RULE = f"{PREFIX}vpc:Vpc", f"{PREFIX}firewallGroup:FirewallGroup", f"{PREFIX}firewallRule:FirewallRule"
KEY, INSTANCE = f"{PREFIX}sSHKey:SSHKey", f"{PREFIX}instance:Instance"
ADDRESS, VOLUME = f"{PREFIX}reservedIp:ReservedIp", f"{PREFIX}blockStorage:BlockStorage"
DNS_RECORD = f"{PREFIX}dnsRecord:DnsRecord"


def error(doing: str, message: str, status: int = 400) -> CloudError:
    """An API error as the provider prints it."""
    said = json.dumps({"error": message, "status": status}, separators=(",", ":"))
    return CloudError(f"{doing}: {said}")


RULES.failed_delete = lambda call: error(f"error deleting {call.token}", "Internal server error", 500)


def need(call: Call, type_: str, id_: Any, doing: str, message: str) -> Record:
    """The resource that a call refers to, wherever it is. Raises CloudError."""
    found = call.store.get(type_, str(id_))
    if found is None:
        raise error(doing, message, 404)
    return found


def region(call: Call, doing: str) -> str:
    """The region that a resource names. Raises CloudError for one that there is not."""
    name = str(call.inputs.get("region") or "")
    if name not in call.offers.regions:
        raise error(doing, "Invalid region.")
    return name


def held(call: Call, address: Record) -> Record | None:
    """The instance that has a reserved IP, if one has."""
    for each in call.store.list(INSTANCE):
        if each.get("reservedIpId") == address.id or address.get("instanceId") == each.id:
            return each
    return None
