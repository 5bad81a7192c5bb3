"""Machines that are not ours: ``systems.py BOOT_DIR``, as root on Debian.

For each system of parts.json a folder of ``BOOT_DIR/systems``, in which a world finds its parts:

base/       the distribution as debootstrap makes it, with systemd, sshd, sudo, Python and one user; nothing of ours
mirror/     its own archive as far as a node asks for it: the real indexes with the real signatures, and the packages
wheels/     the real wheels of the locks for its Python

Each is made once; a folder that is there is left alone unless its pins changed.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path
from urllib.parse import unquote

import image
from build import PARTS, TEMPLATES, Builder, Chroot, Failed, quietly, say

ROOT = TEMPLATES.parent
ROWS = {row["name"]: row for row in json.loads(
    (ROOT / "components/pulumi_llm/catalog/data/systems.json").read_text(encoding="utf-8"))["rows"]}  # fmt: skip
ASKED = ("python3-venv", "caddy")
"""What a node of the tests asks the archive for, as the roles call it: one with a gateway alone."""
ENVIRONMENTS = ("uv", "gate")
USED = ("codename", "id", "python", "packages", "borrowed")
"""Keys of a system's row that its parts depend on."""


def fetch(url: str) -> bytes:
    """A file. Raises OSError."""
    with urllib.request.urlopen(url, timeout=60) as answer:
        return bytes(answer.read())


class Systems(Builder):
    """The parts of each system."""

    def system(self, name: str) -> None:
        """Make what is missing of one."""
        told, row = PARTS["systems"][name], ROWS[name]
        pins = [told, {each: row.get(each) for each in USED}, PARTS["plain"], ASKED, self.locks(row["python"])]
        digest = hashlib.sha256(json.dumps(pins, sort_keys=True).encode()).hexdigest()
        home = self.folder / "systems" / name
        if (home / "stamp").is_file() and (home / "stamp").read_text() == digest:
            return
        say(f"{row['title']}, and what a node asks it for: a minute or two, once")
        if not (home / "begun").is_file() or (home / "begun").read_text() != digest:
            shutil.rmtree(home, ignore_errors=True)
            home.mkdir(parents=True)
            (home / "begun").write_text(digest)
        makers = {
            "base": lambda new: self.plain(new, name),
            "mirror": lambda new: self.mirrored(new, name),
            "wheels": lambda new: self.wheels(new, row["python"]),
        }
        for part, make in makers.items():
            if not (home / part).is_dir():
                shutil.rmtree(home / f"{part}.new", ignore_errors=True)
                make(home / f"{part}.new")
                (home / f"{part}.new").rename(home / part)
        shutil.rmtree(home / "work", ignore_errors=True)
        for each in ("vllm-cpu", "archive", "page", "images"):
            (home / each).mkdir(exist_ok=True)
        shutil.copy(self.folder / "archive/nvidia-smi", home / "archive/nvidia-smi")
        if not (home / "signing").is_symlink():
            (home / "signing").symlink_to("../../signing")
        (home / "stamp").write_text(digest)

    def keyring(self, name: str, work: Path) -> str:
        """The archive's keys: Debian's own, or Ubuntu's out of their Debian package."""
        named = str(PARTS["systems"][name]["keyring"])
        if named.startswith("/"):
            return named
        if not (work / "keys").is_dir():
            shutil.rmtree(work / "scratch", ignore_errors=True)
            scratch = Chroot.scratch(self.folder / "base", work / "scratch", self.mirror, {})
            scratch.run("apt-get update", "apt-get", "-q", "update")
            scratch.run("apt-get", "sh", "-c", f"cd /root && apt-get -q download {named}")
            (deb,) = (scratch.root / "root").glob("*.deb")
            quietly("dpkg-deb", "dpkg-deb", "--extract", deb, work / "keys")
            quietly("umount", "umount", "-lR", scratch.root)
        return str(work / "keys/usr/share/keyrings/ubuntu-archive-keyring.gpg")

    def plain(self, base: Path, name: str) -> None:
        """The distribution, and one user with all rights."""
        told, suite = PARTS["systems"][name], ROWS[name]["codename"]
        mirror = self.mirror if ROWS[name]["id"] == "debian" else "http://archive.ubuntu.com/ubuntu"
        options = ("--variant=minbase", f"--keyring={self.keyring(name, base.parent / 'work')}")
        parts = "main,universe" if ROWS[name]["id"] == "ubuntu" else "main"
        wanted = f"--include={','.join(PARTS['plain'])}"
        quietly("debootstrap", "debootstrap", *options, f"--components={parts}", wanted, suite, base, mirror)
        self.up_to_date(base, told["sources"])
        (base / "etc/apt/apt.conf.d/90boot").write_text(image.FILES["etc/apt/apt.conf.d/90boot"])
        (base / "etc/fstab").write_text(image.FILES["etc/fstab"])
        shutil.copy(self.folder / "signing/ca.crt", base / "usr/local/share/ca-certificates/booted-machines.crt")
        quietly("update-ca-certificates", "chroot", base, "/usr/sbin/update-ca-certificates")
        quietly("useradd", "chroot", base, "/usr/sbin/useradd", "-m", "-s", "/bin/bash", told["user"])
        (base / "etc/sudoers.d/90-user").write_text(f"{told['user']} ALL=(ALL) NOPASSWD:ALL\n")
        (base / "var/log/journal").mkdir(parents=True, exist_ok=True)
        for unit in image.MASKED:
            link = base / "etc/systemd/system" / unit
            link.unlink(missing_ok=True)
            link.symlink_to("/dev/null")
        for each in ("etc/machine-id", "etc/hostname"):
            (base / each).write_text("")
        for each in (base / "var/cache/apt/archives").glob("*.deb"):
            each.unlink()

    def up_to_date(self, base: Path, sources: str) -> None:
        """With the updates of its sources, as a machine is whose owner keeps it."""
        inside = Chroot(base, self.mirror, {})
        (base / "etc/apt/sources.list").write_text(f"{sources}\n")
        inside.run("apt-get update", "apt-get", "-q", "update")
        inside.run("apt-get", "apt-get", "-qy", "dist-upgrade")
        for each in inside.mounts:
            quietly("umount", "umount", "-l", each)
        for name in ("usr/sbin/policy-rc.d", "etc/pip.conf", "etc/resolv.conf"):
            (base / name).unlink(missing_ok=True)
        for each in (base / "var/lib/apt/lists").glob("*_*"):
            each.unlink()

    def mirrored(self, mirror: Path, name: str) -> None:
        """The indexes of its sources, and of what it borrows from, as they are signed; and the packages."""
        told, row, home = PARTS["systems"][name], ROWS[name], mirror.parent
        lines = [*told["sources"].splitlines(), *told.get("lends", "").splitlines()]
        for line in lines:
            __, url, suite, *parts = line.split()
            self.index(mirror, url, suite, parts)
        shutil.rmtree(home / "work/apt", ignore_errors=True)
        scratch = Chroot.scratch(home / "base", home / "work/apt", self.mirror, {})
        lent = row.get("borrowed", {"packages": []})["packages"]
        wanted = [each for asked in ASKED for each in row["packages"].get(asked, [asked]) if each not in lent]
        (scratch.root / "etc/apt/sources.list").write_text(told["sources"] + "\n")
        scratch.run("apt-get update", "apt-get", "-q", "update")
        self.collect(mirror, scratch, "install", wanted)
        if lent:
            (scratch.root / "etc/apt/sources.list").write_text(told["lends"] + "\n")
            scratch.run("apt-get update", "apt-get", "-q", "update")
            self.collect(mirror, scratch, "download", lent)
        quietly("umount", "umount", "-lR", scratch.root)

    def collect(self, mirror: Path, scratch: Chroot, word: str, packages: list[str]) -> None:
        """The files that apt would fetch for these packages."""
        argv = [
            "chroot",
            str(scratch.root),
            "apt-get",
            "-qy",
            "--print-uris",
            "--no-install-recommends",
            word,
            *packages,
        ]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Failed(f"{done.stdout}{done.stderr}")
        for line in done.stdout.splitlines():
            if line.startswith("'"):
                url = line.split("'")[1]
                file = mirror / unquote(url.partition("//")[2].partition("/")[2])
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(fetch(url))

    def index(self, mirror: Path, url: str, suite: str, parts: list[str]) -> None:
        """InRelease of a suite and the lists of its parts, where apt looks for them by their digests."""
        here = mirror / url.partition("//")[2].partition("/")[2] / "dists" / suite
        here.mkdir(parents=True, exist_ok=True)
        signed = fetch(f"{url}/dists/{suite}/InRelease")
        (here / "InRelease").write_bytes(signed)
        listed = signed.decode().partition("SHA256:")[2]
        for part in parts:
            path = f"{part}/binary-amd64/Packages.xz"
            digest = next(line.split()[0] for line in listed.splitlines() if line.endswith(f" {path}"))
            held = f"{part}/binary-amd64/by-hash/SHA256/{digest}"
            data = fetch(f"{url}/dists/{suite}/{held}")
            (here / held).parent.mkdir(parents=True, exist_ok=True)
            (here / held).write_bytes(data)
            (here / path).write_bytes(data)

    def locks(self, python: str) -> dict[str, str]:
        """The locks for a Python."""
        return {name: (TEMPLATES / "locks" / python / f"{name}.txt").read_text() for name in ENVIRONMENTS}

    def wheels(self, folder: Path, python: str) -> None:
        """Every wheel whose digest is in a lock, from the index."""
        for name, lock in self.locks(python).items():
            (folder / name).mkdir(parents=True)
            for line in lock.splitlines():
                package, *hashes = line.replace("==", " ").split()
                wanted = {each.rpartition(":")[2] for each in hashes[1:]}
                request = urllib.request.Request(
                    f"https://pypi.org/simple/{package}/", headers={"Accept": "application/vnd.pypi.simple.v1+json"}
                )
                with urllib.request.urlopen(request, timeout=60) as answer:
                    files = json.load(answer)["files"]
                for each in files:
                    # A machine's C library is glibc.
                    if each["hashes"].get("sha256") in wanted and "musllinux" not in each["filename"]:
                        (folder / name / each["filename"]).write_bytes(fetch(each["url"]))


def main(argv: list[str]) -> int:
    """Build what is missing; 0 where all is there."""
    if len(argv) != 1:
        say("usage: systems.py BOOT_DIR")
        return 2
    if os.environ.get("LLM_BOOT_NAMESPACE") != "1":
        own = ["unshare", "--mount", "--propagation", "private", sys.executable, __file__, *argv]
        return subprocess.run(own, env={**os.environ, "LLM_BOOT_NAMESPACE": "1"}, check=False).returncode
    builder = Systems(Path(argv[0]).resolve(), Path(argv[0]))
    try:
        for name in PARTS["systems"]:
            builder.system(name)
    except (Failed, OSError, StopIteration) as error:
        say(str(error) or repr(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
