"""Google Cloud: the register of its rules, its resource types, and errors as its provider prints them.

The API answers an HTTP status, a sentence and a reason, which `googleapi.Error` prints in one line. The sentences are
worded after the API's own and reports of users (2026-11-29); not all of them were seen as they are here.
"""

from __future__ import annotations

from typing import Any

from pulumi_llm._simcloud.rules.base import Call, CloudError, Rules
from pulumi_llm._simcloud.store import Record

RULES = Rules()

PREFIX = "gcp:compute/"
NETWORK, SUBNET, FIREWALL = f"{PREFIX}network:Network", f"{PREFIX}subnetwork:Subnetwork", f"{PREFIX}firewall:Firewall"
ADDRESS, INSTANCE = f"{PREFIX}address:Address", f"{PREFIX}instance:Instance"
DISK, ATTACHMENT = f"{PREFIX}disk:Disk", f"{PREFIX}attachedDisk:AttachedDisk"
API = "https://www.googleapis.com/compute/v1/"


def error(doing: str, message: str, reason: str = "invalid", status: int = 400) -> CloudError:
    """An API error as the provider prints it."""
    return CloudError(f"{doing}: googleapi: Error {status}: {message}, {reason}")


RULES.failed_delete = lambda call: error(f"Error deleting {call.token}", "Internal error", "backendError", 503)


def relative(link: Any) -> str:
    """A resource's relative name, which is its id, from a link or that name itself."""
    return str(link).removeprefix(API).removeprefix("https://compute.googleapis.com/compute/v1/")


def need(call: Call, type_: str, link: Any, doing: str) -> Record:
    """The resource that a call refers to, wherever it is. Raises CloudError."""
    found = call.store.get(type_, relative(link))
    if found is None:
        raise error(doing, f"The resource '{relative(link)}' was not found", "notFound", 404)
    return found


def once(call: Call, doing: str) -> None:
    """No two resources of a type have one name in a project, a region or a zone. Raises CloudError."""
    if call.store.get(call.token, call.id) is not None:
        raise error(doing, f"The resource '{call.id}' already exists", "alreadyExists", 409)


def zone_of(call: Call, doing: str) -> str:
    """The zone that a resource names. Raises CloudError for one that there is not."""
    zone = str(call.inputs.get("zone") or "")
    if not any(zone in zones for zones in call.offers.regions.values()):
        message = f"Invalid value for field 'zone': '{zone}'. Unknown zone."
        raise error(doing, message)
    return zone


def region_of(zone: str) -> str:
    """A zone's region: all but its last letter."""
    return zone.rpartition("-")[0]
