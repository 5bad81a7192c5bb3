"""Vultr: rules for VPCs, firewall groups and their rules, reserved IPs and records in DNS."""

from __future__ import annotations

import ipaddress
import re
from typing import Any

from pulumi_llm._provider_facts.values import Props
from pulumi_llm._simcloud.rules.base import Call, CloudError
from pulumi_llm._simcloud.store import Record

from .common import ADDRESS, DNS_RECORD, GROUP, INSTANCE, RULE, RULES, VPC, error, held, need, region

PORTS = re.compile(r"\d{1,5}(:\d{1,5})?")


@RULES.on_create(VPC)
def _vpc(call: Call) -> Props:
    doing = "error creating VPC"
    region(call, doing)
    given, size = call.inputs.get("v4Subnet"), call.inputs.get("v4SubnetMask")
    if given is None:
        return {"v4Subnet": "10.1.96.0", "v4SubnetMask": 20}
    try:
        range_ = ipaddress.ip_network(f"{given}/{size}")
    except ValueError:
        raise error(doing, "Invalid v4_subnet or v4_subnet_mask.") from None
    if not range_.is_private:
        raise error(doing, "v4_subnet must be a private range.")
    return {}


@RULES.on_delete(VPC)
def _delete_vpc(call: Call, record: Record) -> None:
    if any(record.id in (each.get("vpcIds") or ()) for each in call.store.list(INSTANCE)):
        raise error(f"error deleting VPC ({record.id})", "This VPC has instances that are attached to it.", 409)


@RULES.on_create(RULE)
def _rule(call: Call) -> Props:
    doing, given = "error creating firewall rule", call.inputs
    need(call, GROUP, given["firewallGroupId"], doing, "Invalid firewall group ID.")
    try:
        ipaddress.ip_network(f"{given['subnet']}/{given['subnetSize']}")
    except ValueError:
        raise error(doing, "Invalid subnet or subnet_size.") from None
    port = str(given.get("port") or "")
    if given["protocol"] in ("tcp", "udp") and (
        not PORTS.fullmatch(port) or any(int(each) > 65535 for each in port.split(":"))
    ):
        raise error(doing, "Invalid port.")
    twin = ("firewallGroupId", "ipType", "protocol", "subnet", "subnetSize", "port")
    same: dict[str, Any] = {key: given.get(key) for key in twin}
    if call.store.list(RULE, **same):
        raise error(doing, "This rule is already defined.")
    return {}


@RULES.on_delete(GROUP)
def _delete_group(call: Call, record: Record) -> None:
    if call.store.list(INSTANCE, firewallGroupId=record.id):
        raise error(f"error destroying firewall group {record.id}", "This group is in use by instances.")


@RULES.on_create(ADDRESS)
def _address(call: Call) -> Props:
    doing = "error creating reserved IP"
    region(call, doing)
    address = None if call.faults.over_quota("address") else call.store.public_address(call.token, call.id)
    if address is None:
        raise error(doing, "You have reached the maximum number of reserved IPs for your account.")
    return {"subnet": address}


@RULES.on_delete(ADDRESS)
def _delete_address(call: Call, record: Record) -> None:
    if held(call, record) is not None:
        raise error(
            f"error destroying Reserved IP ({record.id})", "Reserved IP is attached to a server. Please detach it."
        )


@RULES.on_create(DNS_RECORD)
def _record(call: Call) -> Props:
    if not re.fullmatch(r"(@|[A-Za-z0-9*]([A-Za-z0-9.*-]*[A-Za-z0-9])?)?", str(call.inputs.get("name") or "")):
        raise CloudError('error creating DNS record: {"error":"Invalid name.","status":400}')
    return {}
