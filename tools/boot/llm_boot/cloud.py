"""The simulated clouds' resources as machines: what a program makes of instances, disks and addresses, booted.

A home has booted machines where it holds a world (``pulumi-llm sim --boot`` makes one). Everything else of a simulated
cloud stays as it is; this follows after a rule has let a resource pass.
"""

from __future__ import annotations

import base64
import contextlib
import os
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llm_boot import disks, network, roles
from llm_boot.machine import Machine, MachineSpec, ssh
from llm_boot.world import World
from pulumi_llm import clouds
from pulumi_llm._simcloud.rules.base import Call, CloudError
from pulumi_llm._simcloud.rules.reach import instance_types, key_pairs_of, reaches
from pulumi_llm._simcloud.store import HOME

if TYPE_CHECKING:
    from pulumi_llm._provider_facts.values import Props
    from pulumi_llm._simcloud.store import Record, Store

FOLDER = "world"
"""Where in the simulation's home the machines lie."""

SUBNETS = {each.instance: (each.machine_subnet, each.subnet) for each in reaches()}
DISKS = {each.disk: each.disk_size for each in reaches()}
"""Disk type to the property with its size in GiB."""

ATTACHMENTS = {each.attachment: (each.attachment_disk, each.disk) for each in reaches()}
IMAGES = ("imageId", "ami")
REMOTE = "command:remote:Command"
MACHINES = frozenset(instance_types())
ASSOCIATIONS = {
    each.association: (each.address, each.address_ip, each.association_address, each.association_instance)
    for each in reaches()
}


def world() -> World | None:
    """The world of this simulation's home, if its machines are booted."""
    home = os.environ.get(HOME)
    return World.find(Path(home) / FOLDER) if home else None


def created(call: Call, made: Props) -> Props:
    """A resource was let pass and noted: make what it stands for. Gives outputs that only that can give."""
    return _followed(call, _create, made)


def updated(call: Call, made: Props) -> Props:
    """A resource was changed in place."""
    return _followed(call, _update, made)


def deleted(call: Call, record: Record) -> None:
    """A resource is gone."""
    _followed(call, lambda place, call, _: _delete(place, call, record), {})


def copied(home: Path, disk: str, snapshot: str) -> None:
    """A snapshot of a disk is made: what a machine has written to it, as after a power cut at this moment."""
    place = World.find(home / "world")
    if place is not None:
        disks.copy(place.disk(disk, 0), place.folder / "disks" / f"{snapshot}.img")


def _followed(call: Call, what: Any, made: Props) -> Props:
    place = world()
    if place is None:
        return {}
    try:
        outputs: Props = what(place, call, made)
        if roles.concerns(call.token):
            roles.tell(place, call.store)
    except OSError as error:
        raise CloudError(f"[boot.failed] {call.name}: {error}") from error
    return outputs


def _create(place: World, call: Call, made: Props) -> Props:
    token = call.token
    if token in MACHINES:
        machine = place.machine(_spec(call, made))
        if made.get("publicIp"):
            machine.give_address(str(made["publicIp"]))
        machine.start()
    elif token in DISKS and call.inputs.get("snapshotId"):
        file = place.folder / "disks" / f"{call.id}.img"
        disks.copy(place.disk(str(call.inputs["snapshotId"]), 0), file)
        disks.enlarge(file, float(call.inputs[DISKS[token]]))
    elif token in ATTACHMENTS:
        key, type_ = ATTACHMENTS[token]
        disk = call.store.get(type_, str(call.inputs[key]))
        if disk is not None:
            file = place.disk(disk.id, float(disk.get(DISKS[type_]) or 0))
            _machine(place, call.inputs["instanceId"]).attach_disk(file)
    elif token in ASSOCIATIONS:
        type_, field, key, target = ASSOCIATIONS[token]
        address = call.store.get(type_, str(call.inputs[key]))
        if address is not None:
            machine = _machine(place, call.inputs[target])
            machine.take_address()
            machine.give_address(str(address.get(field)))
    elif token == REMOTE and call.inputs.get("create"):
        return _over_ssh(place, call, call.inputs["create"])
    return {}


def _update(place: World, call: Call, made: Props) -> Props:
    if call.token == REMOTE:
        line = call.inputs.get("update") or call.inputs.get("create")
        return _over_ssh(place, call, line) if line else {}
    if call.token in MACHINES and call.changed(*IMAGES):
        machine = _machine(place, call.id)
        machine.reinstall(_spec(call, made))
        machine.start()
    elif call.token in DISKS and call.changed(DISKS[call.token]):
        disks.enlarge(place.disk(call.id, 0), float(call.inputs[DISKS[call.token]]))
    return {}


def _delete(place: World, call: Call, record: Record) -> Props:
    if record.type in MACHINES:
        machine = place.find_machine(record.id)
        if machine is not None:
            machine.destroy()
    elif record.type in ATTACHMENTS:
        key, _ = ATTACHMENTS[record.type]
        machine = place.find_machine(str(record.get("instanceId")))
        if machine is not None:
            stop = bool(record.get("stopInstanceBeforeDetaching"))
            machine.detach_disk(place.disk(str(record.get(key)), 0), stop=stop)
    elif record.type in DISKS:
        place.disk(record.id, 0).unlink(missing_ok=True)
    elif record.type in ASSOCIATIONS:
        machine = place.find_machine(str(record.get(ASSOCIATIONS[record.type][3])))
        if machine is not None:
            machine.take_address()
    elif record.type == REMOTE and call.state.get("delete"):
        call.inputs = dict(call.state)
        _over_ssh(place, call, str(call.state["delete"]))
    return {}


def _machine(place: World, id_: Any) -> Machine:
    machine = place.find_machine(str(id_))
    if machine is None:
        raise OSError(f"there is no booted machine {id_}: it was made without --boot; destroy the stack first")
    return machine


def _spec(call: Call, made: Props) -> MachineSpec:
    from pulumi_llm import catalog

    given = call.inputs
    key, type_ = SUBNETS[call.token]
    subnet = call.store.get(type_, str(given.get(key)))
    prefix = network.prefix_of(str(subnet.get("cidrBlock"))) if subnet else 24
    private = made.get("primaryIpAddress") or made.get("privateIp")
    folder = clouds.of_package(call.token.partition(":")[0])
    assert folder is not None
    row = call.offers.types.get(str(given.get("instanceType")))
    root = given.get("rootBlockDevice") or {}
    return MachineSpec(
        name=call.id,
        user_data=_user_data(given),
        login_user=catalog.load().cloud(folder.name).login_user,
        public_key=_public_key(call.store, call.token, given),
        private_address=f"{private}/{prefix}",
        gpus=row.gpu_count if row else 0,
        system_disk_gib=float(given.get("systemDiskSize") or root.get("volumeSize") or 40),
    )


def _user_data(given: Props) -> str:
    text = str(given.get("userData") or given.get("userDataRaw") or given.get("userDataBase64") or "")
    if not text.startswith("#"):
        with contextlib.suppress(ValueError):
            return base64.b64decode(text, validate=True).decode()
    return text


def _public_key(store: Store, type_: str, given: Props) -> str:
    named = key_pairs_of(type_, given)
    return next(
        (str(each.get("publicKey")) for each in store.list(*(each.key_pair for each in reaches())) if each.id in named),
        "",
    )


def _over_ssh(place: World, call: Call, line: str) -> Props:
    """Run a line on the machine as the command package does: dial until it answers, then run, with standard input."""
    given = call.inputs
    to: Props = given["connection"]
    tries, patience = int(to.get("dialErrorLimit") or 10), float(to.get("perDialTimeout") or 15)
    with tempfile.TemporaryDirectory(prefix="sim") as folder:
        key = Path(folder) / "key"
        key.touch(mode=0o600)
        key.write_text(str(to.get("privateKey") or "").rstrip() + "\n", encoding="utf-8")

        def run(command: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
            asked = ssh(
                place.name, str(to.get("user") or "root"), str(to["host"]), key, command, port=int(to.get("port") or 22)
            )
            # It ends with this process, whatever ends that.
            return subprocess.run(
                ["setpriv", "--pdeathsig", "KILL", *asked], input=stdin, capture_output=True, text=True, check=False
            )

        for left in reversed(range(tries)):
            started = time.monotonic()
            dialled = run("true")
            if dialled.returncode == 0:
                break
            if not left:
                raise CloudError(f"after {tries} failed attempts: {dialled.stderr.strip()}")
            time.sleep(max(0.0, min(patience, 5.0) - (time.monotonic() - started)))
        done = run(line, str(given.get("stdin") or ""))
    if done.returncode:
        raise CloudError(f"Process exited with status {done.returncode}: running {line!r}:\n{done.stdout}{done.stderr}")
    return {"stdout": done.stdout.rstrip("\n"), "stderr": done.stderr.rstrip("\n")}
