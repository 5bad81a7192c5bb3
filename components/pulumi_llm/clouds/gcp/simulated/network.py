"""Google Cloud: rules for networks, subnets, firewall rules and addresses."""

from __future__ import annotations

import ipaddress
import re

from pulumi_llm._provider_facts.values import Props
from pulumi_llm._simcloud.rules.base import Call, CloudError, overlap
from pulumi_llm._simcloud.store import Record

from .common import ADDRESS, FIREWALL, INSTANCE, NETWORK, RULES, SUBNET, error, need, once, relative

PORTS = re.compile(r"\d{1,5}(-\d{1,5})?")
TAG = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?")


@RULES.on_create(NETWORK)
def _network(call: Call) -> Props:
    doing = "Error creating Network"
    once(call, doing)
    if call.faults.over_quota("network"):
        raise error(doing, "Quota 'NETWORKS' exceeded.  Limit: 15.0 globally.", "quotaExceeded", 403)
    return {}


@RULES.on_delete(NETWORK)
def _delete_network(call: Call, record: Record) -> None:
    for each in call.store.list(SUBNET, FIREWALL):
        if relative(each.get("network")) == record.id:
            message = f"The network resource '{record.id}' is already being used by '{each.id}'"
            raise error("Error waiting for Deleting Network", message, "resourceInUseByAnotherResource")


@RULES.on_create(SUBNET)
def _subnet(call: Call) -> Props:
    doing = "Error creating Subnetwork"
    once(call, doing)
    network = need(call, NETWORK, call.inputs["network"], doing)
    if network.get("autoCreateSubnetworks"):
        raise error(doing, "Cannot create a subnetwork in an auto mode network without a range outside 10.128.0.0/9")
    cidr = call.inputs.get("ipCidrRange")
    if cidr is None:
        raise CloudError("Error creating Subnetwork: ip_cidr_range or reserved_internal_range must be set")
    range_ = ipaddress.ip_network(cidr, strict=False)
    if not 4 <= range_.prefixlen <= 29:
        raise error(doing, f"Invalid value for field 'resource.ipCidrRange': '{cidr}'. Must be from /4 to /29.")
    for each in call.store.list(SUBNET):
        if relative(each.get("network")) == network.id and overlap(cidr, each.get("ipCidrRange")):
            message = f"Invalid IPCidrRange: {cidr} conflicts with existing subnetwork '{each.id}'"
            raise error(doing, message)
    return {"gatewayAddress": str(range_.network_address + 1)}


@RULES.on_delete(SUBNET)
def _delete_subnet(call: Call, record: Record) -> None:
    for each in call.store.list(INSTANCE):
        if any(relative(card.get("subnetwork")) == record.id for card in each.get("networkInterfaces") or ()):
            message = f"The subnetwork resource '{record.id}' is already being used by '{each.id}'"
            raise error("Error waiting for Deleting Subnetwork", message, "resourceInUseByAnotherResource")


@RULES.on_create(FIREWALL)
@RULES.on_update(FIREWALL)
def _firewall(call: Call) -> Props:
    doing, given = "Error creating Firewall", call.inputs
    if not call.old:
        once(call, doing)
    need(call, NETWORK, given["network"], doing)
    if given.get("direction") != "EGRESS" and not any(
        given.get(name) for name in ("sourceRanges", "sourceTags", "sourceServiceAccounts")
    ):
        raise CloudError("one of source_tags, source_ranges, or source_service_accounts must be defined")
    for tag in given.get("targetTags") or ():
        if not TAG.fullmatch(str(tag)):
            raise error(doing, f"Invalid value for field 'resource.targetTags[0]': '{tag}'. Must be a match of regex")
    for cidr in given.get("sourceRanges") or ():
        try:
            ipaddress.ip_network(cidr)
        except ValueError:
            message = (
                f"Invalid value for field 'resource.sourceRanges[0]': '{cidr}'. Must be a valid CIDR address range."
            )
            raise error(doing, message) from None
    for rule in [*(given.get("allows") or ()), *(given.get("denies") or ())]:
        for port in rule.get("ports") or ():
            if not PORTS.fullmatch(str(port)) or any(int(each) > 65535 for each in str(port).split("-")):
                raise error(doing, f"Invalid value for field 'resource.allowed[0].ports[0]': '{port}'")
    return {}


@RULES.on_create(ADDRESS)
def _address(call: Call) -> Props:
    doing = "Error creating Address"
    once(call, doing)
    if call.region not in call.offers.regions:
        raise error(doing, f"Invalid value for field 'region': '{call.region}'. Unknown region.")
    address = None if call.faults.over_quota("address") else call.store.public_address(call.token, call.id)
    if address is None:
        message = f"Quota 'STATIC_ADDRESSES' exceeded.  Limit: 8.0 in region {call.region}."
        raise error(doing, message, "quotaExceeded", 403)
    return {"address": address}


@RULES.on_delete(ADDRESS)
def _delete_address(call: Call, record: Record) -> None:
    for each in call.store.list(INSTANCE):
        if record.get("address") in held(each):
            message = f"The address resource '{record.id}' is already being used by '{each.id}'"
            raise error("Error waiting for Deleting Address", message, "resourceInUseByAnotherResource")


def held(machine: Record) -> list[str]:
    """The public addresses of a machine."""
    return [
        str(access["natIp"])
        for card in machine.get("networkInterfaces") or ()
        for access in card.get("accessConfigs") or ()
        if access.get("natIp")
    ]
