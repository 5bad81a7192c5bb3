"""Stage `driver`: the NVIDIA driver, only where it is missing or too old."""

from __future__ import annotations

import os
import time
from typing import Any

from llm_node import apt, status
from llm_node.system import Failure, at, node, run, tail, write


def main() -> None:
    """End with a driver that vLLM can use and as many GPUs as it was told to use."""
    want = node()
    if version() < want["driver"]:
        provide(want)
    gpus = run("nvidia-smi", "-L")[1].count("GPU ")
    if gpus < want["gpus"]:
        raise Failure("driver.too-few-gpus", f"{gpus} GPUs are there, the model is spread over {want['gpus']}")


def version() -> int:
    """The running driver's branch, such as 580; 0 if there is none."""
    rc, out = run("nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader")
    return int(out.split(".")[0]) if rc == 0 else 0


def provide(want: dict[str, Any]) -> None:
    """Install the signed modules for this kernel, or have them compiled, and load them; reboot once if need be."""
    found, mark = version(), at("/var/lib/llm/rebooted")
    if at(
        "/opt/llm/container"
    ).is_dir():  # its driver is its host's, and such a container may be started without a card
        what = f"the driver is {found}, and {want['driver']} is needed" if found else "nvidia-smi names no driver"
        raise Failure("driver.not-of-a-container", f"{what}; a container has its host's")
    if not pci("0x03"):
        raise Failure("driver.no-gpu", "there is no NVIDIA device on the PCI bus")
    if found and run("dpkg-query", "-W", "nvidia-utils-*")[0]:
        raise Failure("driver.too-old", f"driver {found} did not come from the archive, and {want['driver']} is needed")
    nvswitch = want["nvswitch"] if pci("0x0680") else []
    try:
        apt.install(*[each.format(kernel=os.uname().release) for each in want["signed"] + nvswitch])
    except Failure as failure:
        if failure.code not in ("apt.no-package", "bundle.packages"):
            raise
        apt.install(*[each.format(kernel=os.uname().release) for each in want["compiled"] + nvswitch])
    run("modprobe", "-r", "nouveau")
    out = run("modprobe", "nvidia")[1]
    if nvswitch:
        run("systemctl", "enable", "--now", "nvidia-fabricmanager")
    if version() < want["driver"]:
        if mark.exists():
            raise Failure("driver.not-loaded", f"the driver does not load, even after a reboot: {tail(out)}")
        write(mark, "")
        message = "the machine reboots into the new driver and goes on by itself"
        status.record("driver", "running", code="driver.rebooting", message=message)
        run("systemctl", "reboot")
        time.sleep(600)  # the reboot ends this
        raise Failure("driver.rebooting", "the reboot did not happen")


def pci(kind: str) -> bool:
    """Whether an NVIDIA device of a class is there: 0x03 display or 3D, 0x0680 the switch between eight GPUs."""
    return any(
        (each / "vendor").read_text().strip() == "0x10de" and (each / "class").read_text().startswith(kind)
        for each in at("/sys/bus/pci/devices").glob("*")
    )
