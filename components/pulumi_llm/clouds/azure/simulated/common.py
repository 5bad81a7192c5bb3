"""Azure: the register of its rules, its resource types, and errors as its provider prints them.

The API answers a code and a sentence, which the provider prints in one line. The sentences are worded after the API's
own and reports of users (2026-11-30); not all of them were seen as they are here.
"""

from __future__ import annotations

import json
from typing import Any

from pulumi_llm._simcloud.rules.base import Call, CloudError, Rules
from pulumi_llm._simcloud.store import Record

RULES = Rules()

PREFIX = "azure-native:"
GROUP = f"{PREFIX}resources:ResourceGroup"
NETWORK, SUBNET = f"{PREFIX}network:VirtualNetwork", f"{PREFIX}network:Subnet"
WALL, ADDRESS = f"{PREFIX}network:NetworkSecurityGroup", f"{PREFIX}network:PublicIPAddress"
INTERFACE = f"{PREFIX}network:NetworkInterface"
DISK, MACHINE = f"{PREFIX}compute:Disk", f"{PREFIX}compute:VirtualMachine"


def error(code: str, message: str, status: int = 400, target: str = "") -> CloudError:
    """An API error as the provider prints it."""
    told = f"Status={status} Code={json.dumps(code)} Message={json.dumps(message)}"
    return CloudError(f"{told} Target={json.dumps(target)}" if target else told)


RULES.failed_delete = lambda call: error("InternalServerError", "Encountered internal server error.", 500)


def last(id_: Any) -> str:
    """A resource's own name, which its id ends with."""
    return str(id_).rpartition("/")[2]


def need(call: Call, type_: str, id_: Any) -> Record:
    """The resource that a call refers to, wherever it is. Raises CloudError."""
    found = call.store.get(type_, str(id_))
    if found is None:
        message = f"Resource {id_} referenced by resource {call.id} was not found."
        raise error("InvalidResourceReference", message)
    return found


def placed(call: Call) -> str:
    """The location of what is made in a resource group. Raises CloudError where either is not there, or is taken."""
    group = str(call.inputs["resourceGroupName"])
    if not call.store.list(GROUP, name=group):
        raise error("ResourceGroupNotFound", f"Resource group '{group}' could not be found.", 404)
    if call.store.get(call.token, call.id) is not None:
        raise error("ResourceAlreadyExists", f"cannot create already existing resource '{call.id}'", 409)
    location(call)
    return call.region


def location(call: Call) -> None:
    """Raises CloudError for a location that there is not."""
    if call.region not in call.offers.regions:
        message = f"The provided location '{call.region}' is not available for resource type '{call.token}'."
        raise error("LocationNotAvailableForResourceType", message)


def same_place(call: Call, other: Record) -> None:
    """Raises CloudError where another resource is in another location."""
    if other.region != call.region:
        message = f"Resource {call.id} in location {call.region} cannot refer to {other.id} in {other.region}."
        raise error("InvalidResourceReference", message)
