"""Azure: rules for resource groups, networks, security groups, addresses and network interfaces."""

from __future__ import annotations

import ipaddress
import re
from typing import Any

from pulumi_llm._provider_facts.values import Props
from pulumi_llm._simcloud.rules.base import Call, inside, overlap, private_address
from pulumi_llm._simcloud.store import Record

from .common import (
    ADDRESS,
    DISK,
    GROUP,
    INTERFACE,
    MACHINE,
    NETWORK,
    RULES,
    SUBNET,
    WALL,
    error,
    last,
    location,
    need,
    placed,
    same_place,
)

PORTS = re.compile(r"\*|\d{1,5}(-\d{1,5})?")
TAGS_OF_SERVICE = re.compile(r"\*|[A-Z][A-Za-z.]+")
"""`Internet`, `VirtualNetwork` and their kin."""
PRIORITIES = range(100, 4097)
RESERVED = 4
"""Of a subnet's range: its first four addresses; the last one is kept too."""


@RULES.on_create(GROUP)
def _group(call: Call) -> Props:
    location(call)
    if call.store.get(GROUP, call.id) is not None:
        raise error("ResourceAlreadyExists", f"cannot create already existing resource '{call.id}'", 409)
    return {}


@RULES.on_delete(GROUP)
def _delete_group(call: Call, record: Record) -> None:
    """All that is in a group goes with it."""
    for each in call.store.list(NETWORK, SUBNET, WALL, ADDRESS, INTERFACE, DISK, MACHINE):
        if each.id.startswith(f"{record.id}/"):
            call.store.remove(each)


@RULES.on_create(NETWORK)
@RULES.on_update(NETWORK)
def _network(call: Call) -> Props:
    if call.state == {}:
        placed(call)
    prefixes = (call.inputs.get("addressSpace") or {}).get("addressPrefixes") or ()
    if not prefixes:
        raise error("InvalidAddressSpace", "The address space of a virtual network must not be empty.")
    for each in call.store.list(SUBNET):
        if each.id.startswith(f"{call.id}/") and not any(
            inside(str(each.get("addressPrefix")), one) for one in prefixes
        ):
            message = (
                f"Subnet '{each.get('name')}' is not valid because its IP address range is outside the IP "
                f"address range of virtual network '{last(call.id)}'."
            )
            raise error("NetcfgInvalidSubnet", message)
    return {}


@RULES.on_delete(NETWORK)
@RULES.on_delete(SUBNET)
def _delete_network(call: Call, record: Record) -> None:
    for each in call.store.list(INTERFACE):
        for one in each.get("ipConfigurations") or ():
            subnet = str((one.get("subnet") or {}).get("id"))
            if subnet == record.id or subnet.startswith(f"{record.id}/"):
                message = f"Subnet {last(subnet)} is in use by {each.id} and cannot be deleted."
                raise error("InUseSubnetCannotBeDeleted", message)


@RULES.on_create(SUBNET)
def _subnet(call: Call) -> Props:
    name = str(call.inputs["virtualNetworkName"])
    networks = [each for each in call.store.list(NETWORK) if call.id.startswith(f"{each.id}/")]
    if not networks:
        raise error("ResourceNotFound", f"The Resource 'Microsoft.Network/virtualNetworks/{name}' was not found.", 404)
    range_ = str(call.inputs.get("addressPrefix") or "")
    spaces = (networks[0].get("addressSpace") or {}).get("addressPrefixes") or ()
    if ipaddress.ip_network(range_, strict=False).prefixlen > 29 or not any(inside(range_, one) for one in spaces):
        message = f"Subnet '{call.inputs['subnetName']}' is not valid in virtual network '{name}'."
        raise error("NetcfgInvalidSubnet", message)
    for each in call.store.list(SUBNET):
        if each.id.startswith(f"{networks[0].id}/") and overlap(range_, str(each.get("addressPrefix"))):
            message = (
                f"Subnet '{call.inputs['subnetName']}' is not valid because its IP address range overlaps "
                f"with that of an existing subnet in virtual network '{name}'."
            )
            raise error("NetcfgSubnetRangesOverlap", message)
    return {}


@RULES.on_create(WALL)
@RULES.on_update(WALL)
def _wall(call: Call) -> Props:
    if call.state == {}:
        placed(call)
    seen: dict[tuple[Any, Any], str] = {}
    for rule in call.inputs.get("securityRules") or ():
        name, priority = str(rule.get("name") or ""), rule.get("priority")
        if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,78}[A-Za-z0-9_])?", name):
            raise error("InvalidResourceName", f"Resource name '{name}' is invalid.")
        if priority not in PRIORITIES:
            message = f"Security rule has invalid Priority. Value provided: {priority} Allowed range 100-4096."
            raise error("SecurityRuleInvalidPriority", message)
        other = seen.setdefault((rule.get("direction"), priority), name)
        if other != name:
            message = f"Security rules {other} and {name} cannot have the same Priority and Direction."
            raise error("SecurityRuleConflict", message)
        for port in _listed(rule, "destinationPortRange"):
            if not PORTS.fullmatch(port) or any(int(each) > 65535 for each in re.findall(r"\d+", port)):
                raise error(
                    "SecurityRuleInvalidPortRange", f"Security rule has invalid Port range. Value provided: {port}."
                )
        for prefix in _listed(rule, "sourceAddressPrefix"):
            _prefix(prefix)
    return {}


def _listed(rule: Props, key: str) -> list[str]:
    """One value or a list of them; a rule has one of the two. Raises CloudError."""
    one, more = rule.get(key), rule.get(f"{key}{'es' if key.endswith('Prefix') else 's'}") or []
    if (one is None) == (not more):
        raise error(
            "SecurityRuleParameterContainsInvalidValue",
            f"Security rule parameter {key} is not valid: one value or a list.",
        )
    return [str(each) for each in more] or [str(one)]


def _prefix(text: str) -> None:
    try:
        ipaddress.ip_network(text)
    except ValueError:
        if not TAGS_OF_SERVICE.fullmatch(text):
            message = f"Security rule has invalid Address prefix. Value provided: {text}"
            raise error("SecurityRuleInvalidAddressPrefix", message) from None


@RULES.on_delete(WALL)
def _delete_wall(call: Call, record: Record) -> None:
    for each in call.store.list(INTERFACE):
        if (each.get("networkSecurityGroup") or {}).get("id") == record.id:
            message = f"Network security group {record.id} cannot be deleted because it is in use by: {each.id}."
            raise error("InUseNetworkSecurityGroupCannotBeDeleted", message)


@RULES.on_create(ADDRESS)
def _address(call: Call) -> Props:
    placed(call)
    if (call.inputs.get("sku") or {}).get("name") == "Standard" and call.inputs.get(
        "publicIPAllocationMethod"
    ) != "Static":
        message = "Standard sku publicIp must have AllocationMethod set to Static."
        raise error("PublicIPAddressInvalidAllocationMethod", message)
    address = None if call.faults.over_quota("address") else call.store.public_address(call.token, call.id)
    if address is None:
        message = "Cannot create more than 3 public IP addresses for this subscription in this region."
        raise error("PublicIPCountLimitReached", message)
    return {"ipAddress": address}


@RULES.on_delete(ADDRESS)
def _delete_address(call: Call, record: Record) -> None:
    for each in call.store.list(INTERFACE):
        if record.id in _addresses(each.properties):
            message = (
                f"Public IP address {record.id} can not be deleted since it is still allocated to resource {each.id}."
            )
            raise error("PublicIPAddressCannotBeDeleted", message)


def _addresses(interface: Any) -> list[str]:
    return [str((one.get("publicIPAddress") or {}).get("id")) for one in interface.get("ipConfigurations") or ()]


@RULES.on_create(INTERFACE)
@RULES.on_update(INTERFACE)
def _interface(call: Call) -> Props:
    if call.state == {}:
        placed(call)
    if wall := (call.inputs.get("networkSecurityGroup") or {}).get("id"):
        same_place(call, need(call, WALL, wall))
    was = {each.get("name"): each for each in call.state.get("ipConfigurations") or ()}
    made = []
    for one in call.inputs.get("ipConfigurations") or ():
        subnet = need(call, SUBNET, (one.get("subnet") or {}).get("id"))
        network = next(each for each in call.store.list(NETWORK) if subnet.id.startswith(f"{each.id}/"))
        same_place(call, network)
        if address := (one.get("publicIPAddress") or {}).get("id"):
            same_place(call, need(call, ADDRESS, address))
            for other in call.store.list(INTERFACE):
                if other.id != call.id and str(address) in _addresses(other.properties):
                    message = (
                        f"Resource {call.id} is referencing public IP address {address} that is already allocated "
                        f"to resource {other.id}."
                    )
                    raise error("PublicIPAddressInUse", message)
        used = {
            str(each.get("privateIPAddress"))
            for other in call.store.list(INTERFACE)
            if other.id != call.id
            for each in other.get("ipConfigurations") or ()
        }
        kept = (was.get(one.get("name")) or {}).get("privateIPAddress")
        private = kept or private_address(str(subnet.get("addressPrefix")), used, reserved=RESERVED)
        if private is None:
            raise error(
                "SubnetIsFull",
                f"Subnet {last(subnet.id)} with address prefix {subnet.get('addressPrefix')} is already full.",
            )
        made.append({"privateIPAddress": private, **one})
    now = call.store.get(INTERFACE, call.id)
    return {"ipConfigurations": made, "virtualMachine": now.get("virtualMachine") if now else None}


@RULES.on_delete(INTERFACE)
def _delete_interface(call: Call, record: Record) -> None:
    if holder := (record.get("virtualMachine") or {}).get("id"):
        message = (
            f"Network Interface {record.id} is used by existing resource {holder}. In order to delete "
            "the network interface, it must be dissociated from the resource."
        )
        raise error("NicInUse", message)
