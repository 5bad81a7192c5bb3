"""Google Cloud: rules for machines and disks."""

from __future__ import annotations

from typing import Any

from pulumi_llm._provider_facts.values import Props
from pulumi_llm._simcloud.rules.base import Call, CloudError, private_address
from pulumi_llm._simcloud.store import Record
from pulumi_llm.clouds.cards import joined

from .common import ADDRESS, ATTACHMENT, DISK, INSTANCE, RULES, SUBNET, error, need, once, region_of, relative, zone_of
from .images import of_link
from .network import TAG, held

METADATA_LIMIT = 256 * 1024
CREATING = "Error creating instance"
TPUS = "ct6e-"
"""How the types of machines with a TPU v6e begin."""
RESERVED = 4
"""Of a subnet's range: its first two addresses and its last two."""


@RULES.on_create(INSTANCE)
def _instance(call: Call) -> Props:
    once(call, CREATING)
    zone = zone_of(call, CREATING)
    _type(call, zone)
    for tag in call.inputs.get("tags") or ():
        if not TAG.fullmatch(str(tag)):
            raise error(
                CREATING, f"Invalid value for field 'resource.tags.items[0]': '{tag}'. Must be a match of regex"
            )
    for key, value in (call.inputs.get("metadata") or {}).items():
        if len(str(value).encode()) > METADATA_LIMIT:
            message = f"Value for field 'resource.metadata.items[0].value' is too large: maximum size 262144 ({key})"
            raise error(CREATING, message, "fieldSizeTooLarge", 413)
    _tpu_disk(call, (call.inputs["bootDisk"].get("initializeParams") or {}).get("type"))
    return {"bootDisk": _boot_disk(call), "networkInterfaces": [*_cards(call, region_of(zone))]}


def _type(call: Call, zone: str) -> None:
    wanted = _sold_as(call)
    zones = call.offers.zones_of(wanted, region_of(zone))
    if wanted not in call.offers.types or zone not in zones:
        field = f"'resource.machineType': 'zones/{zone}/machineTypes/{call.inputs['machineType']}'"
        message = f"Invalid value for field {field}. Machine type does not exist in zone."
        raise error(CREATING, message, "notFound", 404)
    _scheduling(call)
    if call.faults.over_quota(wanted):
        message = f"Quota 'CPUS' exceeded.  Limit: 8.0 in region {region_of(zone)}."
        if _listed(call):
            message = "Quota 'GPUS_ALL_REGIONS' exceeded.  Limit: 0.0 globally."
        if wanted.startswith(TPUS):
            message = f"Quota 'TPUS_PER_TPU_FAMILY' exceeded.  Limit: 0.0 in region {region_of(zone)}."
        raise error(CREATING, message, "quotaExceeded", 403)
    _stock(call, wanted, zone, "Error waiting for instance to create")


def _stock(call: Call, wanted: str, zone: str, doing: str) -> None:
    if call.faults.no_stock(wanted, zone) or call.faults.no_stock(wanted, region_of(zone)):
        raise CloudError(
            f"{doing}: The zone 'projects/simulated-project/zones/{zone}' does not have "
            "enough resources available to fulfill the request.  '(resource type:compute)'."
        )


def _listed(call: Call) -> list[tuple[str, int]]:
    cards = call.inputs.get("guestAccelerators") or ()
    return [(str(each.get("type")).rpartition("/")[2], int(each.get("count") or 0)) for each in cards]


def _sold_as(call: Call) -> str:
    """The machine's name in the catalogue. Raises CloudError for cards that do not go with its type."""
    wanted, listed = str(call.inputs["machineType"]), _listed(call)
    if not listed:
        return wanted
    if wanted.startswith("n1-"):
        return joined(wanted, listed)
    row = call.offers.types.get(wanted)
    if row is not None and (row.gpu is None or sum(count for __, count in listed) != row.gpu_count):
        told = ", ".join(f"{count} x {type_}" for type_, count in listed)
        raise error(CREATING, f"[{wanted}, {told}] features are not compatible for creating instance", "badRequest")
    return wanted


def _scheduling(call: Call) -> None:
    asked = call.inputs.get("scheduling") or {}
    tpu = str(call.inputs["machineType"]).startswith(TPUS)
    if tpu and _listed(call):
        message = f"[{call.inputs['machineType']}] features are not compatible for creating instance"
        raise error(CREATING, message, "badRequest")
    if (tpu or _listed(call)) and asked.get("onHostMaintenance") != "TERMINATE":
        message = "Instances with guest accelerators do not support live migration."
        raise error(CREATING, message, "unsupportedOperation")
    if asked.get("preemptible") and asked.get("automaticRestart", True):
        message = "Scheduling must have preemptible be false when AutomaticRestart is true."
        raise error(CREATING, message)


def _tpu_disk(call: Call, type_: Any, machine: Any = None, doing: str = CREATING) -> None:
    """A machine with a TPU takes Hyperdisk alone."""
    machine_type = str(machine or call.inputs["machineType"])
    if machine_type.startswith(TPUS) and not str(type_ or "pd-standard").startswith("hyperdisk-"):
        raise error(doing, f"{type_ or 'pd-standard'} disk type cannot be used by {machine_type} machine type.")


def _boot_disk(call: Call) -> Props:
    disk: Props = {**call.inputs["bootDisk"]}
    wanted: Props = {**(disk.get("initializeParams") or {})}
    image = of_link(str(wanted.get("image") or ""))
    if image is None:
        message = f"Could not find image or family {wanted.get('image')}"
        raise CloudError(f"{CREATING}: Error resolving image name '{wanted.get('image')}': {message}")
    size = wanted.get("size") or image.size_gib
    if size < image.size_gib:
        message = f"Requested disk size cannot be smaller than the image size ({image.size_gib} GB)"
        raise error(
            CREATING, f"Invalid value for field 'resource.disks[0].initializeParams.diskSizeGb': '{size}'. {message}"
        )
    return {
        "mode": "READ_WRITE",
        "deviceName": "persistent-disk-0",
        "source": f"{call.id.rpartition('/instances/')[0]}/disks/{call.inputs['name']}",
        **disk,
        "initializeParams": {"type": "pd-standard", **wanted, "size": size},
    }


def _cards(call: Call, region: str) -> list[Props]:
    found = []
    for number, card in enumerate(call.inputs["networkInterfaces"]):
        subnet = need(call, SUBNET, card.get("subnetwork") or card.get("network"), CREATING)
        if subnet.get("region") != region:
            field = f"'resource.networkInterfaces[{number}].subnetwork': '{subnet.id}'"
            message = f"Invalid value for field {field}. Subnetwork is not in region {region}."
            raise error(CREATING, message)
        used = {
            each.get("networkIp")
            for machine in call.store.list(INSTANCE)
            for each in machine.get("networkInterfaces") or ()
        }
        for access in card.get("accessConfigs") or ():
            _free(call, access.get("natIp"), region, number)
        found.append(
            {
                "name": f"nic{number}",
                "network": subnet.get("network"),
                "subnetworkProject": "simulated-project",
                "networkIp": private_address(str(subnet.get("ipCidrRange")), used, reserved=RESERVED),
                "queueCount": 0,
                **card,
                "accessConfigs": [{"networkTier": "PREMIUM", **access} for access in card.get("accessConfigs") or ()],
            }
        )
    return found


def _free(call: Call, address: Any, region: str, number: int) -> None:
    """A static address is of the region, and of one machine at a time."""
    if not address:
        return
    where = f"Invalid value for field 'resource.networkInterfaces[{number}].accessConfigs[0].natIP': '{address}'."
    kept = [each for each in call.store.list(ADDRESS, address=address) if each.get("region") == region]
    if not kept:
        raise error(
            CREATING, f"{where} The specified external IP address '{address}' was not found in region '{region}'."
        )
    for other in call.store.list(INSTANCE):
        if other.id != call.id and address in held(other):
            message = f"External IP address: {address} is already in-use."
            raise error(CREATING, message, "invalidParameter")


@RULES.on_update(INSTANCE)
def _update_instance(call: Call) -> Props:
    zone = zone_of(call, CREATING)
    if call.changed("machineType"):
        if not call.inputs.get("allowStoppingForUpdate"):
            raise CloudError(
                "Changing the machine_type, min_cpu_platform, service_account, enable_display, "
                "shielded_instance_config, scheduling.node_affinities, scheduling.min_node_cpus or "
                "network_interface.[#d].(network/subnetwork/subnetwork_project) or advanced_machine_features on a "
                "started instance requires stopping it. To acknowledge this, please set "
                "allow_stopping_for_update = true in your config."
            )
        _type(call, zone)
    # As the provider does: what is wanted to run, and stands still, is started.
    started = call.state.get("currentStatus") == "TERMINATED" and call.inputs.get("desiredStatus") == "RUNNING"
    if started:
        _stock(call, _sold_as(call), zone, "Error waiting for starting instance")
    before = (call.old.get("bootDisk") or {}).get("initializeParams") or {}
    after = (call.inputs.get("bootDisk") or {}).get("initializeParams") or {}
    if (after.get("size") or 0) < (before.get("size") or 0):
        message = "New disk size must be larger than the current size"
        raise error("Error resizing disk", f"Invalid value for field 'sizeGb': '{after.get('size')}'. {message}.")
    return {
        **({"currentStatus": "RUNNING"} if started else {}),
        "bootDisk": {**(call.state.get("bootDisk") or {}), **call.inputs["bootDisk"]},
        "networkInterfaces": [
            {**old, **new}
            for old, new in zip(call.state["networkInterfaces"], call.inputs["networkInterfaces"], strict=False)
        ],
    }


@RULES.on_delete(INSTANCE)
def _delete_instance(call: Call, record: Record) -> None:
    if record.get("deletionProtection"):
        raise CloudError(f"Cannot delete instance {record.get('name')}: instance Deletion Protection is enabled.")


@RULES.on_create(DISK)
def _disk(call: Call) -> Props:
    doing = "Error creating Disk"
    once(call, doing)
    zone_of(call, doing)
    size, low = call.inputs.get("size"), 10
    if size is not None and not low <= size <= 65536:
        message = (
            f"Disk size: '{size} GB' is {'smaller' if size < low else 'larger'} than what is sold ({low} to 65536 GB)"
        )
        raise error(doing, f"Invalid value for field 'resource.sizeGb': '{size}'. {message}.")
    return {}


@RULES.on_update(DISK)
def _update_disk(call: Call) -> Props:
    if (call.inputs.get("size") or 0) < (call.old.get("size") or 0):
        raise error("Error updating Disk", "Invalid value for field 'sizeGb': New disk size must be larger.")
    return {}


@RULES.on_delete(DISK)
def _delete_disk(call: Call, record: Record) -> None:
    for each in call.store.list(ATTACHMENT):
        if relative(each.get("disk")) == record.id:
            message = f"The disk resource '{record.id}' is already being used by '{relative(each.get('instance'))}'"
            raise error("Error waiting for Deleting Disk", message, "resourceInUseByAnotherResource")


@RULES.on_create(ATTACHMENT)
def _attachment(call: Call) -> Props:
    doing = "Error waiting for disk to attach"
    disk = need(call, DISK, call.inputs["disk"], doing)
    machine = need(call, INSTANCE, call.inputs["instance"], doing)
    if disk.get("zone") != machine.get("zone"):
        message = (
            f"Invalid value for field 'resource.source': '{disk.id}'. Disk must be in the same zone as the instance."
        )
        raise error(doing, message)
    _tpu_disk(call, disk.get("type"), machine.get("machineType"), doing)
    for each in call.store.list(ATTACHMENT):
        if relative(each.get("disk")) == disk.id:
            message = f"The disk resource '{disk.id}' is already being used by '{relative(each.get('instance'))}'"
            raise error(doing, message, "resourceInUseByAnotherResource")
    call.id = f"{machine.id}/{disk.get('name')}"
    return {"zone": machine.get("zone"), "deviceName": call.inputs.get("deviceName") or "persistent-disk-1"}
