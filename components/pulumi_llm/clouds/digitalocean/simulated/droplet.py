"""DigitalOcean: rules for SSH keys, droplets and volumes."""

from __future__ import annotations

import hashlib

from pulumi_llm._provider_facts.values import Props
from pulumi_llm._simcloud.rules.base import Call, CloudError, private_address, public_key
from pulumi_llm._simcloud.store import Record

from .common import ATTACHMENT, DROPLET, KEY, RULES, VOLUME, VPC, error, need, region
from .images import of_id

USER_DATA_LIMIT = 64 * 1024
CREATING, DROPLETS = "Error creating droplet", "POST droplets"


@RULES.on_create(KEY)
def _key(call: Call) -> Props:
    doing, request = "Error creating SSH Key", "POST account/keys"
    blob = public_key(str(call.inputs["publicKey"]).strip())
    if blob is None:
        raise error(doing, request, "Key invalid, key should be of the format `type key [comment]`")
    digest = hashlib.md5(blob, usedforsecurity=False).hexdigest()
    fingerprint = ":".join(digest[at : at + 2] for at in range(0, 32, 2))
    if call.store.list(KEY, fingerprint=fingerprint):
        raise error(doing, request, "SSH Key is already in use on your account")
    return {"fingerprint": fingerprint}


@RULES.on_create(DROPLET)
def _droplet(call: Call) -> Props:
    given = call.inputs
    place = region(call, CREATING, DROPLETS)
    if of_id(str(given["image"])) is None:
        raise error(CREATING, DROPLETS, "You specified an invalid image for Droplet creation.")
    _size(call, place)
    for key in given.get("sshKeys") or ():
        if call.store.get(KEY, key) is None and not call.store.list(KEY, fingerprint=key):
            raise error(CREATING, DROPLETS, f"{key} are invalid key identifiers for Droplet creation.")
    if len((given.get("userData") or "").encode()) > USER_DATA_LIMIT:
        raise error(CREATING, DROPLETS, "user_data is too long (maximum is 65536 bytes)")
    outputs: Props = {"memory": int(call.offers.types[given["size"]].memory_gib * 1024)}
    outputs["vcpus"] = call.offers.types[given["size"]].vcpu
    if network := given.get("vpcUuid"):
        vpc = need(call, VPC, network, CREATING, DROPLETS, "VPC {id} was not found")
        if vpc.get("region") != place:
            raise error(CREATING, DROPLETS, "VPC and Droplet must be in the same region.")
        used = {each.get("ipv4AddressPrivate") for each in call.store.list(DROPLET, vpcUuid=network)}
        outputs["ipv4AddressPrivate"] = private_address(vpc.get("ipRange"), used, reserved=2)
    address = call.store.public_address(call.token, call.id)
    if address is None:
        raise error(CREATING, DROPLETS, "No public addresses are left in this region.")
    return {**outputs, "ipv4Address": address}


def _size(call: Call, place: str) -> None:
    size = str(call.inputs["size"])
    if size not in call.offers.types:
        raise error(CREATING, DROPLETS, "You specified an invalid size for Droplet creation.")
    if call.faults.over_quota(size):
        raise error(CREATING, DROPLETS, "creating this/these droplet(s) will exceed your droplet limit")
    if not call.offers.zones_of(size, place) or call.faults.no_stock(size, place):
        raise error(CREATING, DROPLETS, f"The size {size} is not available in region {place}.")


@RULES.on_update(DROPLET)
def _update_droplet(call: Call) -> Props:
    if not call.changed("size"):
        return {}
    _size(call, str(call.state["region"]))
    row = call.offers.types[call.inputs["size"]]
    return {"memory": int(row.memory_gib * 1024), "vcpus": row.vcpu}


@RULES.on_create(VOLUME)
def _volume(call: Call) -> Props:
    doing, request = "Error creating Volume", "POST volumes"
    place = region(call, doing, request)
    name, size = str(call.inputs["name"]), call.inputs["size"]
    if not (name[:1].isalpha() and name == name.lower() and len(name) <= 64 and name.replace("-", "").isalnum()):
        raise error(
            doing, request, "name must begin with a letter and hold lower-case letters, digits and dashes alone"
        )
    if not 1 <= size <= 16384:
        raise error(doing, request, "size must be between 1GB and 16384GB")
    if call.store.list(VOLUME, name=name, region=place):
        raise error(doing, request, "a volume with that name already exists in this region", 409)
    return {}


@RULES.on_update(VOLUME)
def _update_volume(call: Call) -> Props:
    if call.inputs["size"] < call.old.get("size", 0):
        raise CloudError("volumes `size` can only be expanded and not shrunk")
    return {}


@RULES.on_delete(VOLUME)
def _delete_volume(call: Call, record: Record) -> None:
    if call.store.list(ATTACHMENT, volumeId=record.id):
        raise error(
            "Error deleting volume", f"DELETE volumes/{record.id}", "a volume that is attached cannot be deleted", 409
        )


@RULES.on_create(ATTACHMENT)
def _attachment(call: Call) -> Props:
    volume_id, droplet = str(call.inputs["volumeId"]), call.inputs["dropletId"]
    doing = f"[WARN] Error attaching volume ({volume_id}) to Droplet ({droplet})"
    request = f"POST volumes/{volume_id}/actions"
    volume = need(call, VOLUME, volume_id, doing, request, "volume {id} was not found", 404)
    holder = need(call, DROPLET, droplet, doing, request, "Droplet {id} was not found", 404)
    if volume.get("region") != holder.get("region"):
        raise error(doing, request, "Volume and Droplet must be in the same region.")
    if call.store.list(ATTACHMENT, volumeId=volume_id):
        raise error(doing, request, "Storage volume is already attached to a droplet")
    return {}
