"""Vultr: rules for SSH keys, instances and block storage."""

from __future__ import annotations

from pulumi_llm._provider_facts.values import Props
from pulumi_llm._simcloud import images
from pulumi_llm._simcloud.rules.base import Call, CloudError, private_address, public_key

from .common import ADDRESS, GROUP, INSTANCE, KEY, RULES, VOLUME, VPC, error, held, need, region

USER_DATA_LIMIT = 64 * 1024
CREATING = "error creating server"


@RULES.on_create(KEY)
@RULES.on_update(KEY)
def _key(call: Call) -> Props:
    if public_key(str(call.inputs["sshKey"]).strip()) is None:
        raise error("error creating SSH key", "Invalid SSH key.")
    return {}


@RULES.on_create(INSTANCE)
def _instance(call: Call) -> Props:
    given = call.inputs
    place = region(call, CREATING)
    sources = [key for key in ("osId", "appId", "imageId", "isoId", "snapshotId") if given.get(key)]
    if not sources:
        raise CloudError("error occurred while getting your intended os type")
    if len(sources) > 1:
        raise CloudError(f"Please do not set {sources[1]} with os_id")
    if "osId" in sources and str(given["osId"]) not in {each.id for each in images.public("vultr", "", call.faults)}:
        raise error(CREATING, "Invalid OS.")
    row = _plan(call, place)
    for key in given.get("sshKeyIds") or ():
        need(call, KEY, key, CREATING, "Invalid SSH key.")
    if group := given.get("firewallGroupId"):
        need(call, GROUP, group, CREATING, "Invalid firewall group ID.")
    if len((given.get("userData") or "").encode()) > USER_DATA_LIMIT:
        raise error(CREATING, "Invalid user_data.")
    outputs: Props = {**row, "internalIp": ""}
    for network in given.get("vpcIds") or ():
        vpc = need(call, VPC, network, CREATING, "Invalid VPC ID.")
        if vpc.get("region") != place:
            raise error(CREATING, "VPC must be in the same region as the server.")
        used = {each.get("internalIp") for each in call.store.list(INSTANCE)}
        range_ = f"{vpc.get('v4Subnet')}/{vpc.get('v4SubnetMask')}"
        outputs["internalIp"] = private_address(range_, used, reserved=3)
    outputs["mainIp"] = _address(call, place)
    return outputs


def _address(call: Call, place: str) -> str:
    """The main address: the reserved IP, where one is named."""
    if not (wanted := call.inputs.get("reservedIpId")):
        address = call.store.public_address(call.token, call.id)
        if address is None:
            raise error(CREATING, "No addresses are left in this region.")
        return address
    kept = need(call, ADDRESS, wanted, CREATING, "Invalid reserved IP.")
    if kept.get("region") != place:
        raise error(CREATING, "Reserved IP must be in the same region as the server.")
    other = held(call, kept)
    if other is not None and other.id != call.id:
        raise error(CREATING, "Floating IPv4 address is already attached to another server")
    return str(kept.get("subnet"))


def _plan(call: Call, place: str) -> Props:
    plan = str(call.inputs["plan"])
    row = call.offers.types.get(plan)
    if row is None:
        raise error(CREATING, "Invalid plan chosen.")
    if call.faults.over_quota(plan):
        raise error(CREATING, "You have reached the maximum monthly fee limit for this account.")
    if not call.offers.zones_of(plan, place) or call.faults.no_stock(plan, place):
        raise error(CREATING, "The selected plan is not available in the selected region.")
    return {"ram": int(row.memory_gib * 1024), "vcpuCount": row.vcpu, "disk": 80}


@RULES.on_update(INSTANCE)
def _update_instance(call: Call) -> Props:
    return _plan(call, str(call.state["region"])) if call.changed("plan") else {}


@RULES.on_create(VOLUME)
def _volume(call: Call) -> Props:
    doing = "error creating block storage"
    place = region(call, doing)
    low = 40 if call.inputs.get("blockType") == "storage_opt" else 10
    if not low <= call.inputs["sizeGb"] <= 40_000:
        raise error(doing, f"Invalid size_gb: it must be from {low} to 40000.")
    _holder(call, place)
    return {} if call.inputs.get("blockType") else {"blockType": "high_perf"}


def _holder(call: Call, place: str) -> None:
    """The instance that a volume names. Raises CloudError."""
    doing = f"error attaching block storage ({call.id})"
    if not (wanted := call.inputs.get("attachedToInstance")):
        return
    holder = need(call, INSTANCE, wanted, doing, "Invalid server.")
    if holder.get("region") != place:
        raise error(doing, "Block storage must be in the same region as the server.")


@RULES.on_update(VOLUME)
def _update_volume(call: Call) -> Props:
    if not call.changed("label", "sizeGb"):
        # The provider sends a change of them all the same, which is empty (v2.27.1; dirien/pulumi-vultr#650).
        raise error("error getting block storage", "Nothing to change")
    if call.inputs["sizeGb"] < call.old.get("sizeGb", 0):
        raise error("error getting block storage", "Block storage volumes can not be made smaller.")
    _holder(call, str(call.state["region"]))
    return {}
