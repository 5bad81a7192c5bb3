"""Stage `disk`: find the data disk, format it if it is empty, mount it at /srv/llm."""

from __future__ import annotations

import json
import sys
from typing import Any

from llm_node.system import Failure, at, must, node, own, run, write

LABEL = "llm-data"
MOUNT = "/srv/llm"
GIB = 2**30
FSTAB = f"LABEL={LABEL} {MOUNT} ext4 defaults,noatime,nofail,x-systemd.device-timeout=300 0 2\n"


def main() -> None:
    """Mount the data disk; a node without one keeps /srv/llm on its system disk."""
    size = node()["data_disk_gib"]
    if size and run("mountpoint", "-q", str(at(MOUNT)))[0]:
        mount(size)
    elif size:
        # Mounted at boot, and perhaps enlarged since: its new room is there for the asking.
        grow(run("findmnt", "-no", "SOURCE", str(at(MOUNT)))[1].strip())
    for name, owner in node()["folders"].items():
        folder = at(f"{MOUNT}/{name}")
        folder.mkdir(parents=True, exist_ok=True)
        own(folder, owner)


def mount(size: int) -> None:
    """Choose, format and mount; nothing that carries a signature is ever formatted."""
    path, ours = choose(json.loads(must("disk.lsblk", "lsblk", "-JbO"))["blockdevices"], size)
    if not ours:
        must("disk.format", "mkfs.ext4", "-q", "-m0", "-L", LABEL, path)
    fstab = at("/etc/fstab").read_text()
    if FSTAB not in fstab:
        write(at("/etc/fstab"), fstab + FSTAB)
        run("systemctl", "daemon-reload")
    at(MOUNT).mkdir(parents=True, exist_ok=True)
    must("disk.mount", "mount", "-onoatime", path, str(at(MOUNT)))
    # A disk that was enlarged in place gets its new room without asking.
    grow(path)


def grow(path: str) -> None:
    """Let the filesystem take all of its disk. If it cannot, the log says so, and there is the room that there was."""
    failed, out = run("resize2fs", path)
    if failed:
        sys.stdout.write(out)


def choose(found: list[dict[str, Any]], gib: int) -> tuple[str, bool]:
    """The disk with our label (True), else the only empty whole disk of the size that was bought (GiB; False)."""
    # blkid reads the device itself: lsblk knows a label only where udev has seen it, which may be later
    probed = {each["path"]: run("blkid", "-p", each["path"]) for each in found}
    ours = [path for path, (_, out) in probed.items() if f' LABEL="{LABEL}"' in out]
    sized = [
        each
        for each in found
        if each["type"] in ("disk", "loop")
        and abs(each["size"] - gib * GIB) < GIB // 2
        # AWS's instance store is lost when the machine stops
        and "Instance Storage" not in (each["model"] or "")
    ]
    # 2: it found no signature
    empty = [each["path"] for each in sized if not each.get("children") and probed[each["path"]][0] == 2]
    fit = ours or empty
    if len(fit) == 1:
        return fit[0], bool(ours)
    code = "disk.ambiguous" if fit else "disk.not-empty" if sized else "disk.absent"
    seen = [f"{each['path']} {each['size'] // GIB} GiB {each['fstype']}" for each in found]
    raise Failure(code, f"wanted one empty disk of {gib} GiB or one labelled {LABEL}; there are {seen}", True)
