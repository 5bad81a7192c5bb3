"""Azure: rules for managed disks and virtual machines."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import replace
from typing import Any

from pulumi_llm._provider_facts.values import Props
from pulumi_llm._simcloud.rules.base import Call, public_key
from pulumi_llm._simcloud.store import Record

from .common import DISK, INTERFACE, MACHINE, RULES, error, last, need, placed, same_place
from .images import of_reference

CUSTOM_DATA_LIMIT = 65535
NOT_ALLOWED_USERS = frozenset(("admin", "administrator", "guest", "root", "server", "support", "test", "user"))
"""Some of the names that `adminUsername` must not be: docstring of OSProfileArgs."""
FIXED = (
    "osProfile.adminUsername",
    "osProfile.computerName",
    "osProfile.customData",
    "osProfile.linuxConfiguration.ssh.publicKeys",
    "storageProfile.imageReference",
    "storageProfile.osDisk.createOption",
    "securityProfile.securityType",
    "zones",
)
"""What cannot be changed once a machine is there: docstrings of VirtualMachineArgs and of OSProfileArgs;
pulumi/pulumi-azure-native#577 and #1117, Azure/azure-sdk-for-node#2297, Azure/azure-powershell#7621."""


def at(value: Any, path: str) -> Any:
    """What is at a dotted path, None where nothing is."""
    for step in path.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    return value


@RULES.on_create(DISK)
def _disk(call: Call) -> Props:
    placed(call)
    _size(call)
    return {}


def _size(call: Call) -> None:
    size = call.inputs.get("diskSizeGB")
    if at(call.inputs, "creationData.createOption") == "Empty" and not (isinstance(size, int) and 1 <= size <= 32767):
        message = f"The value of parameter diskSizeGB is invalid: {size}. It has to be between 1 and 32767."
        raise error("InvalidParameter", message, target="diskSizeGB")


@RULES.on_update(DISK)
def _update_disk(call: Call) -> Props:
    _size(call)
    if (call.inputs.get("diskSizeGB") or 0) < (call.old.get("diskSizeGB") or 0):
        message = (
            f"New disk size must be larger than the current one of disk '{last(call.id)}': shrinking is not supported."
        )
        raise error("OperationNotAllowed", message, 409)
    now = call.store.get(DISK, call.id)
    return {key: now.get(key) for key in ("managedBy", "diskState")} if now else {}


@RULES.on_delete(DISK)
def _delete_disk(call: Call, record: Record) -> None:
    if holder := record.get("managedBy"):
        raise error("OperationNotAllowed", f"Disk {last(record.id)} is attached to VM {holder}.", 409)


@RULES.on_create(MACHINE)
def _machine(call: Call) -> Props:
    placed(call)
    _vm_size(call)
    _os_profile(call.inputs.get("osProfile") or {})
    image = _image(call)
    for each in _interfaces(call):
        held = (each.get("virtualMachine") or {}).get("id")
        if held and held != call.id:
            raise error("NicInUse", f"Network Interface {each.id} is used by existing resource {held}.")
        same_place(call, each)
    for each in _disks(call):
        if each.get("managedBy"):
            message = (
                f"Cannot attach data disk '{last(each.id)}' to VM '{last(call.id)}' because the disk is "
                f"currently attached to VM {each.get('managedBy')}."
            )
            raise error("AttachDiskWhileBeingDetached", message, 409)
        same_place(call, each)
    _hold(call)
    return {"storageProfile": _storage(call, image)}


def _vm_size(call: Call) -> None:
    size = str(at(call.inputs, "hardwareProfile.vmSize"))
    if size not in call.offers.types:
        message = f"The value {size} provided for the VM size is not valid."
        raise error("InvalidParameter", message, target="vmSize")
    if call.faults.over_quota(size):
        message = "Operation could not be completed as it results in exceeding approved Total Regional Cores quota."
        raise error("OperationNotAllowed", message, 409)
    if not call.offers.zones_of(size, call.region) or call.faults.no_stock(size, call.region):
        message = (
            "The requested VM size for resource 'Following SKUs have failed for Capacity Restrictions: "
            f"{size}' is currently not available in location '{call.region}'. Please try another size or deploy to a "
            "different location or different zone."
        )
        raise error("SkuNotAvailable", message, 409)


def _os_profile(profile: Props) -> None:
    user = str(profile.get("adminUsername") or "")
    if not user or user.lower() in NOT_ALLOWED_USERS:
        raise error(
            "InvalidParameter", f"The Admin Username specified is not allowed: '{user}'.", target="adminUsername"
        )
    if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9-]{0,62}[A-Za-z0-9])?", str(profile.get("computerName") or "")):
        message = (
            "Linux host name cannot exceed 64 characters in length or contain anything but letters, digits and hyphens."
        )
        raise error("InvalidParameter", message, target="computerName")
    text = profile.get("customData")
    if text is not None:
        try:
            plain = base64.b64decode(str(text), validate=True)
        except binascii.Error:
            raise error(
                "InvalidParameter", "Custom data in OSProfile must be in Base64 encoding.", target="customData"
            ) from None
        if len(plain) > CUSTOM_DATA_LIMIT:
            message = (
                "Custom data in OSProfile must be in Base64 encoding and with a maximum length of "
                f"{(CUSTOM_DATA_LIMIT + 2) // 3 * 4} characters."
            )
            raise error("InvalidParameter", message, target="customData")
    for key in at(profile, "linuxConfiguration.ssh.publicKeys") or ():
        if key.get("path") != f"/home/{user}/.ssh/authorized_keys":
            message = (
                "Destination path for SSH public keys is currently limited to its default value "
                f"/home/{user}/.ssh/authorized_keys due to a known issue in Linux provisioning agent."
            )
            raise error("InvalidParameter", message, target="linuxConfiguration.ssh.publicKeys.path")
        if public_key(str(key.get("keyData"))) is None:
            message = "The value of parameter linuxConfiguration.ssh.publicKeys.keyData is invalid."
            raise error("InvalidParameter", message, target="linuxConfiguration.ssh.publicKeys.keyData")


def _image(call: Call) -> Props:
    """The image as the machine tells it then. Raises CloudError."""
    wanted: Props = dict(at(call.inputs, "storageProfile.imageReference") or {})
    if wanted.get("id"):
        return wanted
    found = of_reference(wanted, call.faults.image_date)
    if found is None:
        named = ":".join(str(wanted.get(key) or "") for key in ("publisher", "offer", "sku", "version"))
        message = (
            f"The platform image '{named}' is not available. Verify that all fields in the storage profile are correct."
        )
        raise error("PlatformImageNotFound", message, 404, "imageReference")
    size = at(call.inputs, "storageProfile.osDisk.diskSizeGB")
    if size is not None and size < found.size_gib:
        message = (
            f"The specified disk size {size} GB is smaller than the size of the corresponding disk in "
            f"the VM image: {found.size_gib} GB."
        )
        raise error("OperationNotAllowed", message, 409)
    return {**wanted, "exactVersion": found.id.rpartition(":")[2]}


def _storage(call: Call, image: Props) -> Props:
    given: Props = {**call.inputs["storageProfile"], "imageReference": image}
    given["osDisk"] = {"name": f"{last(call.id)}_OsDisk_1", "osType": "Linux", **given["osDisk"]}
    return given


def _interfaces(call: Call) -> list[Record]:
    named = at(call.inputs, "networkProfile.networkInterfaces") or ()
    if not named:
        raise error("NetworkProfileMissing", "The virtual machine has no network interface.")
    return [need(call, INTERFACE, each.get("id")) for each in named]


def _disks(call: Call) -> list[Record]:
    named = at(call.inputs, "storageProfile.dataDisks") or ()
    return [need(call, DISK, at(each, "managedDisk.id")) for each in named if each.get("createOption") == "Attach"]


def _hold(call: Call) -> None:
    """The machine's interfaces and disks say whose they are, and no others do."""
    _let_go(call, call.id)
    for each in _interfaces(call):
        call.store.put(replace(each, properties={**each.properties, "virtualMachine": {"id": call.id}}))
    for each in _disks(call):
        call.store.put(replace(each, properties={**each.properties, "managedBy": call.id, "diskState": "Attached"}))


def _let_go(call: Call, machine: str) -> None:
    for each in call.store.list(INTERFACE):
        if (each.get("virtualMachine") or {}).get("id") == machine:
            call.store.put(replace(each, properties={**each.properties, "virtualMachine": None}))
    for each in call.store.list(DISK):
        if each.get("managedBy") == machine:
            call.store.put(replace(each, properties={**each.properties, "managedBy": None, "diskState": "Unattached"}))


@RULES.on_update(MACHINE)
def _update_machine(call: Call) -> Props:
    for path in FIXED:
        if at(call.old, path) != at(call.inputs, path):
            name = path.partition(".")[2] or path
            raise error("PropertyChangeNotAllowed", f"Changing property '{name}' is not allowed.", 409, name)
    if at(call.old, "storageProfile.osDisk.diskSizeGB") != at(call.inputs, "storageProfile.osDisk.diskSizeGB"):
        message = (
            f"Managed disk resize via Virtual Machine '{last(call.id)}' is allowed only when creating "
            "the Virtual Machine or when the Virtual Machine is deallocated."
        )
        raise error("ResizeDiskError", message, 409)
    if at(call.old, "hardwareProfile.vmSize") != at(call.inputs, "hardwareProfile.vmSize"):
        _vm_size(call)
    for each in _disks(call):
        if each.get("managedBy") not in (None, call.id):
            message = f"Disk {last(each.id)} is attached to VM {each.get('managedBy')}."
            raise error("AttachDiskWhileBeingDetached", message, 409)
    _hold(call)
    return {"storageProfile": _storage(call, dict(at(call.state, "storageProfile.imageReference") or {}))}


@RULES.on_delete(MACHINE)
def _delete_machine(call: Call, record: Record) -> None:
    _let_go(call, record.id)
