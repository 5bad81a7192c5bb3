"""Disks: sparse files behind loop devices."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from llm_boot.support import run

GIB = 2**30


def make(file: Path, gib: float) -> None:
    """A disk of that size, empty; it takes room only as it is filled."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("ab") as out:
        out.truncate(int(gib * GIB))


def attach(file: Path) -> Path:
    """The loop device of a disk's file, made if there is none."""
    return device_of(file) or Path(run("losetup", "--find", "--show", file).strip())


def device_of(file: Path) -> Path | None:
    """The loop device of a disk's file, if it has one."""
    lines = run("losetup", "--noheadings", "--output", "NAME", "--associated", file).split()
    return Path(lines[0]) if lines else None


def detach(file: Path) -> None:
    """Free a disk's loop device."""
    device = device_of(file)
    if device is not None:
        run("losetup", "--detach", device)


def enlarge(file: Path, gib: float) -> None:
    """Make a disk bigger in place; a machine that has it sees the new size."""
    os.truncate(file, int(gib * GIB))
    device = device_of(file)
    if device is not None:
        run("losetup", "--set-capacity", device)


def copy(file: Path, to: Path) -> None:
    """A second disk with what the first one has by now; what a loop device still holds back is written first."""
    device = device_of(file)
    if device is not None:
        run("blockdev", "--flushbufs", device)
    run("cp", "--sparse=always", "--reflink=auto", file, to)


def numbers(device: Path) -> tuple[int, int]:
    """Major and minor number of a device."""
    entry = device.stat()
    if not stat.S_ISBLK(entry.st_mode):
        raise OSError(f"{device} is not a block device")
    return os.major(entry.st_rdev), os.minor(entry.st_rdev)
