"""Ubuntu packages: the image's own archive first, then the mirrors; waits for whoever holds apt's locks."""

from __future__ import annotations

import fcntl
import os
import shutil
from importlib import import_module
from pathlib import Path
from typing import Any

from llm_node.system import Failure, at, first, must, node, run, tail, write

# Whoever holds dpkg's lock is waited for a minute, and named; the stage tries again for a quarter of an hour.
OPTIONS = ("-qyoAcquire::http::Timeout=20", "-oDPkg::Lock::Timeout=60", "--no-install-recommends", "--no-upgrade")
QUIET = {"DEBIAN_FRONTEND": "noninteractive", "NEEDRESTART_SUSPEND": "1", "LC_ALL": "C"}


def install(*packages: str) -> None:
    """Install what is missing of these packages, and upgrade nothing else."""
    missing = [each for each in packages if run("dpkg-query", "-Wf${db:Status-Status}", each) != (0, "installed")]
    if missing:
        with at("/run/llm/apt.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            known = node()
            # A machine without a network has one source alone: others would only be waited for.
            sources = [known["bundle"]] if "bundle" in known else ["", *known["apt"]]
            lent = known.get("borrowed", {"packages": []})
            own = [each for each in missing if each not in lent["packages"]]
            if own:
                first("apt.failed", sources, lambda mirror, last: install_from(mirror, last, own))
            if len(own) < len(missing):
                first("apt.failed", known["apt"], lambda mirror, last: borrow_from(mirror, last, lent))


def install_from(mirror: str, last: bool, packages: list[str]) -> None:
    """Install from one archive; "" is what the image came with. A slow one is left for the next."""
    options = [*OPTIONS]
    if mirror.startswith("/"):
        # Its files are as readable as their owner has made them, and apt's own user may not see them.
        options += ["-oAPT::Sandbox::User=root", "-oAcquire::CompressionTypes::Order::=xz"]
        options += listed(import_module("llm_node.bundle").apt_lines())
    elif mirror:
        options += listed(lines_of(mirror))
    try:
        fetched(last, options, packages)
    except Failure as failure:
        if not mirror.startswith("/") or failure.code not in ("apt.unreachable", "apt.no-package", "apt.failed"):
            raise
        raise Failure("bundle.packages", failure.message, True) from None


def lines_of(mirror: str) -> str:
    """The sources of the machine's own release at a mirror."""
    if told := node().get("apt_lines"):
        return "".join(f"deb {each.format(mirror=mirror)}\n" for each in told)
    release = dict(line.split("=", 1) for line in at("/etc/os-release").read_text().splitlines() if "=" in line)
    name, parts = release["VERSION_CODENAME"], "main restricted universe multiverse"
    return "".join(f"deb {mirror} {name}{each} {parts}\n" for each in ("", "-updates", "-security"))


def borrow_from(mirror: str, last: bool, lent: dict[str, Any]) -> None:
    """Unpack these packages of another release of the same archive, under its signature.

    They are not installed: what they depend on would take the place of the machine's own. Nor are apt's lists changed.
    """
    home = at("/opt/llm/borrowed")
    if (home / "complete").exists():
        return
    shutil.rmtree(home, ignore_errors=True)
    for each in ("lists/partial", "cache/archives/partial", "packages", "root"):
        (home / each).mkdir(parents=True)
    # apt's own user may not see the folder.
    own = [f"-oDir::State::lists={home}/lists", f"-oDir::Cache={home}/cache", "-oAPT::Sandbox::User=root"]
    options = [*OPTIONS[:1], *own, *listed("".join(f"deb {each.format(mirror=mirror)}\n" for each in lent["lines"]))]
    get("300", "update", "--error-on=any", *options)
    before = Path.cwd()
    os.chdir(home / "packages")  # apt-get downloads to where it is
    try:
        get("3600" if last else "900", "download", *options, *lent["packages"])
    finally:
        os.chdir(before)
    for each in sorted((home / "packages").glob("*.deb")):
        must("apt.failed", "dpkg-deb", "-x", str(each), str(home / "root"))
    for name in ("lists", "cache", "packages"):
        shutil.rmtree(home / name)
    write(home / "complete", "")


def listed(lines: str) -> list[str]:
    """Options by which apt knows of these sources alone."""
    write(at("/opt/llm/apt.list"), lines)
    return [f"-oDir::Etc::sourcelist={at('/opt/llm/apt.list')}", "-oDir::Etc::sourceparts=-"]


def fetched(last: bool, options: list[str], packages: list[str]) -> None:
    """Install from what the options say."""
    # What a kill or a power cut left half done: -a configures what was unpacked, -f fetches what that lacks.
    run("dpkg", "--configure", "-a")
    get("300", "update", "--error-on=any", *options)
    # Driver and kernel are held against everybody but us.
    get("3600" if last else "900", "install", "-fd", "--allow-change-held-packages", *options, *packages)
    get("3600", "install", "-f", "--allow-change-held-packages", *options, *packages)


def get(seconds: str, *arguments: str) -> None:
    """One apt-get; its failure is told apart by what it printed."""
    rc, out = run("timeout", seconds, "apt-get", *arguments, **QUIET)
    if rc:
        # The lists' lock, unlike dpkg's, is not waited for by apt itself.
        signs = {"lock": "locked", "Unable to locate": "no-package", "No space": "disk-full", "etch": "unreachable"}
        kind = "slow" if rc == 124 else next((kind for sign, kind in signs.items() if sign in out), "failed")
        raise Failure("apt." + kind, tail(out) or f"apt-get {arguments[0]} took more than {seconds} s", True)
