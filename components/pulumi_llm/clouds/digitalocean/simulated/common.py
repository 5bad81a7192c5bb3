"""DigitalOcean: the register of its rules, its resource types, and errors as its provider prints them.

The API answers an HTTP status and a sentence, which godo prints behind the request. The sentences are worded after the
API reference and reports of users (2026-11-29); not all of them were seen as they are here.
"""

from __future__ import annotations

from typing import Any

from pulumi_llm._simcloud.rules.base import Call, CloudError, Rules, request_id
from pulumi_llm._simcloud.store import Record

RULES = Rules()

PREFIX = "digitalocean:index/"
VPC, TAG, FIREWALL = f"{PREFIX}vpc:Vpc", f"{PREFIX}tag:Tag", f"{PREFIX}firewall:Firewall"
KEY, DROPLET = f"{PREFIX}sshKey:SshKey", f"{PREFIX}droplet:Droplet"
ADDRESS, ASSIGNMENT = f"{PREFIX}reservedIp:ReservedIp", f"{PREFIX}reservedIpAssignment:ReservedIpAssignment"
VOLUME, ATTACHMENT = f"{PREFIX}volume:Volume", f"{PREFIX}volumeAttachment:VolumeAttachment"
DNS_RECORD = f"{PREFIX}dnsRecord:DnsRecord"


def error(doing: str, request: str, message: str, status: int = 422) -> CloudError:
    """An API error as the provider prints it. ``request`` is its method and path."""
    method, _, path = request.partition(" ")
    return CloudError(
        f"1 error occurred:\n\t* {doing}: {method} https://api.digitalocean.com/v2/{path}: {status} "
        f'(request "{request_id()}") {message}'
    )


RULES.failed_delete = lambda call: error(f"Error deleting {call.token}", "DELETE it", "Server Error", 500)


def need(call: Call, type_: str, id_: Any, doing: str, request: str, message: str, status: int = 422) -> Record:
    """The resource that a call refers to, wherever it is; ``{id}`` in ``message`` is its id. Raises CloudError."""
    found = call.store.get(type_, str(id_))
    if found is None:
        raise error(doing, request, message.format(id=id_), status)
    return found


def region(call: Call, doing: str, request: str) -> str:
    """The region that a resource names. Raises CloudError for one that there is not."""
    name = str(call.inputs.get("region") or "")
    if name not in call.offers.regions:
        raise error(doing, request, "You specified an invalid region.")
    return name
