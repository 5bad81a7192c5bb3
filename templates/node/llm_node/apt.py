"""Ubuntu packages: the image's own archive first, then the mirrors; waits for whoever holds apt's locks."""

from __future__ import annotations

import fcntl

from llm_node.system import Failure, at, first, node, run, tail, write


def install(*packages: str) -> None:
    """Install what is missing of these packages, and upgrade nothing else."""
    missing = [each for each in packages if run("dpkg-query", "-Wf${db:Status-Status}", each) != (0, "installed")]
    if missing:
        with at("/run/llm/apt.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            first("apt.failed", ["", *node()["apt"]], lambda mirror: install_from(mirror, missing))


def install_from(mirror: str, packages: list[str]) -> None:
    """Install from one archive; "" is what the image came with."""
    options = ["-qo", "Acquire::http::Timeout=20"]
    if mirror:
        release = dict(line.split("=", 1) for line in at("/etc/os-release").read_text().splitlines() if "=" in line)
        name, parts = release["VERSION_CODENAME"], "main restricted universe multiverse"
        pockets = (name, name + "-updates", name + "-security")
        write(at("/opt/llm/apt.list"), "".join(f"deb {mirror} {each} {parts}\n" for each in pockets))
        options += ["-o", f"Dir::Etc::sourcelist={at('/opt/llm/apt.list')}", "-o", "Dir::Etc::sourceparts=-"]
    run("dpkg", "--configure", "-a")
    get("update", "--error-on=any", *options)
    get("install", "-y", "--no-install-recommends", "--no-upgrade", *options, *packages)


def get(*arguments: str) -> None:
    """One apt-get; its failure is told apart by what it printed."""
    rc, out = run("apt-get", *arguments, DEBIAN_FRONTEND="noninteractive", NEEDRESTART_SUSPEND="1", LC_ALL="C")
    if rc:
        # The lists' lock, unlike dpkg's, is not waited for by apt itself.
        signs = {"lock": "locked", "Unable to locate": "no-package", "No space": "disk-full", "etch": "unreachable"}
        kind = next((kind for sign, kind in signs.items() if sign in out), "failed")
        raise Failure("apt." + kind, tail(out), True)
