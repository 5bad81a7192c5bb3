"""DigitalOcean: rules for VPCs, tags, firewalls, reserved IPs and records in DNS."""

from __future__ import annotations

import ipaddress
import re

from pulumi_llm._provider_facts.values import Props
from pulumi_llm._simcloud.rules.base import Call, CloudError, overlap
from pulumi_llm._simcloud.store import Record

from .common import ADDRESS, ASSIGNMENT, DNS_RECORD, DROPLET, FIREWALL, RULES, TAG, VPC, error, need, region

PORTS = re.compile(r"\d{1,5}(-\d{1,5})?|all")


@RULES.on_create(VPC)
def _vpc(call: Call) -> Props:
    doing, request = "Error creating VPC", "POST vpcs"
    region(call, doing, request)
    cidr = call.inputs.get("ipRange")
    if cidr is None:
        return {"ipRange": "10.116.0.0/20"}
    network = ipaddress.ip_network(cidr, strict=False)
    if not network.is_private or not 16 <= network.prefixlen <= 28:
        raise error(doing, request, "IP range must be a private one, from /16 to /28")
    for other in call.store.list(VPC):
        if overlap(cidr, other.get("ipRange")):
            raise error(doing, request, "This range/size overlaps with another VPC network in your account", 422)
    return {}


@RULES.on_delete(VPC)
def _delete_vpc(call: Call, record: Record) -> None:
    if call.store.list(DROPLET, vpcUuid=record.id):
        raise error(
            f"Error deleting VPC: {record.id}", f"DELETE vpcs/{record.id}", "Can not delete VPC with members", 403
        )


@RULES.on_create(TAG)
def _tag(call: Call) -> Props:
    name = str(call.inputs["name"]).lower()
    if any(each.id.lower() == name for each in call.store.list(TAG)):
        raise error("Error creating tag", "POST tags", "Tag name has already been taken")
    return {}


@RULES.on_create(FIREWALL)
@RULES.on_update(FIREWALL)
def _firewall(call: Call) -> Props:
    doing, request = "Error creating firewall", "POST firewalls"
    given = call.inputs
    rules = [*(given.get("inboundRules") or ()), *(given.get("outboundRules") or ())]
    if not rules:
        raise CloudError("At least one rule must be specified")
    for name in given.get("tags") or ():
        need(call, TAG, name, doing, request, "tag {id} does not exist")
    for droplet in given.get("dropletIds") or ():
        need(call, DROPLET, droplet, doing, request, "droplet {id} does not exist")
    for rule in rules:
        _rule(rule, doing, request)
    return {}


def _rule(rule: Props, doing: str, request: str) -> None:
    port = str(rule.get("portRange") or "")
    if rule.get("protocol") == "icmp":
        return
    if not port:
        raise CloudError("`port_range` of inbound rules is required if protocol is `tcp` or `udp`")
    if not PORTS.fullmatch(port) or any(int(each) > 65535 for each in re.findall(r"\d+", port)):
        raise error(doing, request, f"invalid ports: {port}")
    for cidr in [*(rule.get("sourceAddresses") or ()), *(rule.get("destinationAddresses") or ())]:
        try:
            ipaddress.ip_network(cidr, strict=False)
        except ValueError:
            raise error(doing, request, f"invalid address: {cidr}") from None


@RULES.on_create(ADDRESS)
def _address(call: Call) -> Props:
    doing, request = "Error creating reserved IP", "POST reserved_ips"
    region(call, doing, request)
    address = None if call.faults.over_quota("reservedIp") else call.store.public_address(call.token, call.id)
    if address is None:
        raise error(doing, request, "You have reached the reserved IP limit of your account")
    # A reserved IP is its own id.
    call.id = address
    return {"ipAddress": address, "reservedIpUrn": f"do:reservedip:{address}"}


@RULES.on_create(ASSIGNMENT)
def _assignment(call: Call) -> Props:
    address, droplet = str(call.inputs["ipAddress"]), call.inputs["dropletId"]
    doing, request = f"Error Assigning reserved IP ({address}) to the droplet", f"POST reserved_ips/{address}/actions"
    message = "The resource you were accessing could not be found."
    kept = need(call, ADDRESS, address, doing, request, message, 404)
    holder = need(call, DROPLET, droplet, doing, request, "Droplet {id} was not found")
    if kept.get("region") != holder.get("region"):
        raise error(doing, request, "The reserved IP and the Droplet must be in the same region.")
    if call.store.list(ASSIGNMENT, dropletId=droplet):
        raise error(doing, request, "Droplet already has a reserved IP.")
    for each in call.store.list(ASSIGNMENT, ipAddress=address):
        call.store.remove(each)  # it moves to the new one
    return {}


@RULES.on_create(DNS_RECORD)
def _record(call: Call) -> Props:
    given = {key: call.inputs.get(key) for key in ("domain", "name", "type", "value")}
    for other in call.store.list(DNS_RECORD):
        if other.id != call.id and all(other.get(key) == value for key, value in given.items()):
            doing, request = "Failed to create record", f"POST domains/{given['domain']}/records"
            raise error(doing, request, "Data needs to be unique")
    return {}
