"""Whether a machine is what was told, and whether anything that is there would be in the way. Nothing is changed."""

from __future__ import annotations

import glob
import os
import platform
import re
import shutil
from pathlib import Path
from typing import Any, Iterator, Tuple

from pulumi_llm.clouds.ssh.remote.container import marked
from pulumi_llm.clouds.ssh.remote.machine import DATA, installed, people, read, run

PROGRAMS = {"caddy": "caddy", "docker.io": "dockerd", "postgresql-16": "postgres"}
"""Packages that a node takes over as a whole, and the program by which another copy of them is known."""
GIB = 2**30
Problems = Iterator[Tuple[str, str, str]]
"""What is in the way: a code, what is wrong, and what would help."""


def problems(told: dict[str, Any], before: dict[str, Any] | None) -> Problems:
    """What is in the way: code, message, hint. On a machine that is ours already only what may have changed since."""
    yield from of_system(told["system"], told["systems"])
    yield from of_mode(told)
    if before is not None and before["name"] != told["name"]:
        what = "the machine is in use by {} of another stack or another name".format(before["name"])
        yield "ssh.other-owner", what, "destroy that one first, or take another machine"
        return
    if before is None:
        yield from of_software(told)
        yield from of_disk(told)
        yield from of_bundle(told)
    elif before["folder"] != told["folder"]:
        what = "the data is in {}, and {} is asked for".format(before["folder"], told["folder"])
        yield "ssh.folder-moved", what, "the folder as it was; or destroy the stack and set it up anew"
    yield from of_ports(told, before)
    yield from of_gpu(told["gpu"])
    yield from of_memory(told)


def of_system(told: str, systems: dict[str, str]) -> Problems:
    """The system and the processor. ``systems``: what is known, by what such a machine says that it is."""
    release = {}
    for line in read("/etc/os-release").splitlines():
        key, __, value = line.partition("=")
        release[key] = value.strip("\"'")
    says = "{} {}".format(release.get("ID", "?"), release.get("VERSION_ID", "?"))
    if says not in systems:
        yield "ssh.old-system", "the machine runs {}".format(says), "one that is known: " + ", ".join(sorted(systems))
    elif systems[says] != told:
        what = "the machine runs {}, and {} is told".format(says, told)
        yield "ssh.other-system", what, "host.system: {}".format(systems[says])
    if platform.machine() != "x86_64":
        yield "ssh.old-system", "its processor is {}".format(platform.machine()), "a machine with x86_64"


def of_mode(told: dict[str, Any]) -> Problems:
    """Whether systemd runs the machine, or nothing does; in a container, whether the folder outlives it."""
    booted = Path("/run/systemd/system").is_dir()
    if told["mode"] == "systemd":
        if not booted:
            what = "systemd does not run the machine, as in a container that is rented out"
            yield "ssh.no-systemd", what, "host.mode: container; or a machine that boots"
        return
    if booted:
        yield "ssh.has-systemd", "systemd runs the machine", "host.mode: systemd, or leave it out: that does more"
    missed = [each for each in ("useradd", "groupadd", "apt-get", "dpkg-query") if not shutil.which(each)]
    if missed:
        what = "the container has no {}".format(", ".join(missed))
        yield "ssh.old-system", what, "an image of one of the systems that are known, which has them"
    place = existing(Path(told["folder"]))
    if place.stat().st_dev == Path("/").stat().st_dev:
        what = "{} lies on the container's own disk, and goes with the container".format(told["folder"])
        hint = "host.folder: a folder on a disk that stays, such as /root/autodl-tmp/llm on AutoDL: df -h shows them"
        yield "ssh.folder-not-kept", what, hint


def existing(place: Path) -> Path:
    """The nearest folder above that is there."""
    while not place.exists():
        place = place.parent
    return place


def of_software(told: dict[str, Any]) -> Problems:
    """What a node would take over, and somebody has already."""
    for place in ("/opt/llm", str(DATA)):
        if Path(place).exists():
            yield "ssh.in-use", "{} is there, and no stack of ours made it".format(place), "move it away"
    folder, again = Path(told["folder"]), told["mode"] == "container" and marked(told)
    if folder != DATA and folder.exists() and any(folder.iterdir()) and not again:
        yield "ssh.in-use", "{} is not empty".format(told["folder"]), "host.folder: a folder that is not there yet"
    for package in told["packages"]:
        program = PROGRAMS.get(package)
        path = program and shutil.which(program, path="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        if path or installed(package):
            what = "{} is on the machine already ({})".format(package, path or "installed")
            yield "ssh.software-in-use", what, "take it off where nothing needs it, or take another machine"
    if "docker.io" in told["packages"] and Path("/etc/docker/daemon.json").exists():
        yield "ssh.software-in-use", "/etc/docker/daemon.json is there", "take it away where nothing needs it"
    for name in told["users"]:
        if name in people():
            yield "ssh.in-use", "there is a user {} already".format(name), "userdel {}".format(name)
    # In a container nobody may close ports: Caddy itself lets in those who may call.
    if told["mode"] == "systemd" and not (shutil.which("nft") or shutil.which("iptables")):
        hint = "apt-get install nftables"
        yield "ssh.no-firewall", "there is neither nft nor iptables to keep ports closed with", hint


def of_disk(told: dict[str, Any]) -> Problems:
    """Room where the data goes, and on the system disk; on one file system, for both."""
    place = existing(Path(told["folder"]))
    wanted: dict[int, tuple[int, list[str], Path]] = {}
    for path, gib, what in ((place, told["disk_gib"], told["folder"]), (Path("/opt"), told["system_gib"], "/")):
        device = path.stat().st_dev
        asked, titles, __ = wanted.get(device, (0, [], path))
        wanted[device] = (asked + gib, [*titles, what], path)
    for gib, titles, path in wanted.values():
        free = shutil.disk_usage(path).free / GIB
        if free < gib:
            what = "{} has {:.1f} GiB free, and {} are needed".format(" and ".join(titles), free, gib)
            yield (
                "ssh.disk-full",
                what,
                "make room, or host.folder: a folder on a larger disk; model_disk_gib is its part",
            )


def of_bundle(told: dict[str, Any]) -> Problems:
    """The folder that all is installed from, where there is to be one; later it may be gone."""
    folder = told.get("bundle")
    if folder and not Path(folder, "manifest.json").is_file():
        what = "there is no manifest.json in {}, which all is to be installed from".format(folder)
        yield "ssh.no-bundle", what, "put the folder there that `pulumi-llm bundle` made, or mount its disk"


def of_ports(told: dict[str, Any], before: dict[str, Any] | None) -> Problems:
    """Who listens where a node of ours will."""
    ours = set(before["ports"]) if before else set()
    for port in sorted({*told["ports"], *(each["port"] for each in told["fence"])} - ours):
        inode = listening(port)
        if inode:
            what = "port {} is taken by {}".format(port, program_of(inode))
            yield "ssh.port-in-use", what, "end that program, or another https_port: ss -ltnp 'sport = {}'".format(port)


def of_gpu(want: dict[str, Any]) -> Problems:
    """The cards, as the driver tells them."""
    if not want:
        return
    rc, out = run("nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader,nounits")
    rows = [[part.strip() for part in line.split(",")] for line in out.splitlines() if line.count(",") == 2]
    if rc or not rows:
        what = "nvidia-smi names no GPU ({})".format(" ".join(out.split())[:200] or "no answer")
        yield "ssh.no-gpu", what, "a machine with an NVIDIA card and its driver: nvidia-smi has to name it"
        return
    known = {plain(each) for each in want["names"]}
    fit = [row for row in rows if plain(row[0]) in known]
    if len(fit) < want["count"]:
        have = ", ".join(sorted({row[0] for row in rows}))
        what = "{} x {} are told, and the machine has {} x {}".format(want["count"], want["card"], len(rows), have)
        yield "ssh.other-gpu", what, "gpu and gpu_count as the machine has them: pulumi-llm check tells what fits"
        return
    for name, memory, driver in fit[: want["count"]]:
        gib = int(memory) / 1024 if memory.isdigit() else 0.0
        if gib < want["memory_gib"]:
            what = "a {} has {:.1f} GiB of memory, and {:g} are told".format(name, gib, want["memory_gib"])
            yield (
                "ssh.less-memory",
                what,
                "host.gpu_memory_gib: {:.1f}, and a model that fits".format(int(gib * 10) / 10),
            )
            return
        if int(driver.partition(".")[0] or 0) < want["driver"]:
            what = "the driver is {}, and vLLM needs {}".format(driver, want["driver"])
            yield "ssh.old-driver", what, "a newer driver from where this one came: it is not touched from here"
            return


def of_memory(told: dict[str, Any]) -> Problems:
    """The machine's own memory, where a size was told."""
    rows = dict(re.findall(r"^(\w+):\s+(\d+) kB", read("/proc/meminfo"), re.M))
    gib = int(rows.get("MemTotal", 0)) * 1024 / GIB
    # A tenth less than what is in the machine is the kernel's, the firmware's and the graphics'.
    if told.get("memory_gib") and gib < 0.9 * told["memory_gib"]:
        what = "the machine has {:.1f} GiB of memory, and {:g} are told".format(gib, told["memory_gib"])
        yield "ssh.less-memory", what, "host.memory_gib: {}".format(int(gib))


def plain(name: str) -> str:
    """A card's name as it is compared: NVIDIA GeForce RTX 4090 D is geforcertx4090d."""
    return re.sub(r"[^a-z0-9]", "", re.sub(r"(?i)nvidia|tesla", "", name).lower())


def listening(port: int) -> str:
    """The inode of a socket that listens at a port; "" for none."""
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in read(table).splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and int(fields[1].rpartition(":")[2], 16) == port:
                return fields[9]
    return ""


def program_of(inode: str) -> str:
    """Who has a socket open."""
    for link in glob.glob("/proc/[0-9]*/fd/*"):
        try:
            if os.readlink(link) == "socket:[{}]".format(inode):
                return read("/proc/{}/comm".format(link.split("/")[2])).strip()
        except OSError:
            continue
    return "another program"
