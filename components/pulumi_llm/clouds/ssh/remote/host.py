"""On a machine that exists: look at it, put the node's first files there, and take everything away again.

It travels over SSH as a text and runs as root with the machine's own Python (3.8 or newer) and nothing else. What it
finds before it changes anything is kept in `before.json`: what was there then is nobody's business here, and stays.
"""

from __future__ import annotations

import glob
import grp
import json
import os
import re
import shutil
import sys
import uuid
from pathlib import Path
from typing import Any

from pulumi_llm.clouds.ssh.remote.container import begin, close_way, closed, end, furnish, inside
from pulumi_llm.clouds.ssh.remote.container import is_container, mark, open_way
from pulumi_llm.clouds.ssh.remote.fence import FENCE_UNIT, fence
from pulumi_llm.clouds.ssh.remote.look import problems
from pulumi_llm.clouds.ssh.remote.machine import BEFORE, DATA, HOME, UNITS
from pulumi_llm.clouds.ssh.remote.machine import installed, kept, machine, missing, must, packages, people
from pulumi_llm.clouds.ssh.remote.machine import read, run, write

FENCE = "llm-fence.service"
BROUGHT = ("caddy", "docker", "postgres", "dnsmasq", "systemd-coredump")
"""Users and groups that come with packages and do not go with them."""
LEFT = (
    *("/opt/llm", "/run/llm", "/var/lib/llm", "/var/cache/llm", "/var/lib/llm-caddy", "/var/lib/caddy"),
    *("/var/lib/docker", "/var/lib/containerd", "/etc/docker", "/var/lib/postgresql", "/etc/postgresql"),
    *("/etc/postgresql-common", "/etc/systemd/system/docker.service.d", "/etc/caddy", "/opt/containerd"),
    *("/etc/containerd", "/run/docker", "/run/containerd", "/var/log/llm"),
)
"""Folders that are ours, or that packages of ours leave behind; one that was there before stays."""
GIVEN = {"State": "/var/lib", "Cache": "/var/cache", "Runtime": "/run"}
"""Where services are given folders by their units."""


def main(arguments: list[str], told: dict[str, Any]) -> int:
    """`leave TOKEN`, `fence up`, `fence down`; without arguments, `take` what is told."""
    if arguments[:1] == ["leave"]:
        return leave(*arguments[1:])
    if arguments[:1] == ["fence"]:
        return fence(arguments[1])
    return take(told)


# -- take


def take(told: dict[str, Any]) -> int:
    """Look, and only where nothing is in the way, begin."""
    before = kept()
    found = list(problems(told, before))
    for code, message, hint in found:
        print("[{}] {} -- try: {}".format(code, message, hint), file=sys.stderr)
    if found:
        return 1
    if before is None:
        before = noted(told)
    before.update({"token": told["token"], "ports": told["ports"], "fence": told["fence"]})
    HOME.mkdir(mode=0o700, parents=True, exist_ok=True)
    write(BEFORE, json.dumps(before, indent=1), 0o600)
    write(HOME / "host.py", told["program"], 0o600)
    lay_out(before)
    if is_container(before):
        return occupy(told, before)
    write(UNITS / FENCE, FENCE_UNIT)
    run("systemctl", "daemon-reload")
    run("systemctl", "enable", FENCE)
    must("ssh.fence", "systemctl", "reload-or-restart", FENCE)
    if lay_down(told["files"]):
        run("systemd-sysusers")
        run("systemctl", "daemon-reload")
        run("systemctl", "enable", "llm.target", *told["units"])
        run("systemctl", "start", "--no-block", "llm.target")
    print(json.dumps({"machine": machine(), "name": before["name"]}))
    return 0


def lay_down(files: dict[str, str]) -> bool:
    """Put the first boot's files there; False: they are. Later changes come with the settings, and these would only
    set them back."""
    if Path("/opt/llm/bin/llm-node").exists():
        return False
    for name, text in files.items():
        write(Path(name), text, 0o755 if "/bin/" in name else 0o644)
    return True


def occupy(told: dict[str, Any], before: dict[str, Any]) -> int:
    """What is put into a container, and started there. It is the same after the container stopped, or was made anew."""
    inside()
    open_way(before["closed"])
    mark(told)
    furnish(told)
    if lay_down(told["files"]):
        must("ssh.supervisor", "systemd-sysusers", "")
        run("systemctl", "enable", "llm.target", *told["units"])
    begin()
    # Where the container was made anew this is another, and settings and secrets are sent again.
    print(json.dumps({"machine": machine(), "name": before["name"], "taken": before["taken"]}))
    return 0


def noted(told: dict[str, Any]) -> dict[str, Any]:
    """What is there before anything is changed."""
    there = [each for place in GIVEN.values() for each in glob.glob(place + "/llm-*")]
    return {
        "name": told["name"],
        "mode": told["mode"],
        "taken": uuid.uuid4().hex,
        "folder": told["folder"],
        "packages": packages(),
        "held": run("apt-mark", "showhold")[1].split(),
        "people": sorted(people()),
        "groups": sorted(each.gr_name for each in grp.getgrall()),
        "folders": [each for each in [*LEFT, *there] if Path(each).exists()],
        "made": [str(each) for folder in places(told) for each in missing(folder)],
        "masked": [str(each) for each in UNITS.glob("*")],
        "closed": closed(Path(told["folder"])) if told["mode"] == "container" else [],
    }


def given() -> list[str]:
    """The folders that our services were given."""
    lines = re.findall(
        r"^(State|Cache|Runtime)Directory=(.+)$", "\n".join(map(read, map(str, UNITS.glob("llm*")))), re.M
    )
    return sorted("{}/{}".format(GIVEN[kind], name) for kind, names in lines for name in names.split())


def places(told: dict[str, Any]) -> list[Path]:
    """The folders that may have to be made for what is put on the machine."""
    folders = [Path(told["folder"])]
    return [*folders, UNITS, Path("/etc/sysusers.d"), DATA.parent] if told["mode"] == "container" else folders


def lay_out(before: dict[str, Any]) -> None:
    """The data's folder; elsewhere than in its usual place, that place leads to it."""
    folder = Path(before["folder"])
    folder.mkdir(parents=True, exist_ok=True)
    if folder != DATA and not DATA.is_symlink():
        DATA.parent.mkdir(parents=True, exist_ok=True)
        DATA.symlink_to(folder)


# -- leave


def leave(token: str) -> int:
    """Take away what is ours. Whoever has taken the machine since, by another token, keeps it."""
    before = kept()
    if before is None or before["token"] != token:
        return 0
    if is_container(before):
        inside()
    names = sorted({each.name for each in UNITS.glob("llm*")})
    run("systemctl", "disable", "--now", *[each for each in names if each.endswith((".service", ".target", ".timer"))])
    if is_container(before):
        end()
    gone = ours(set(packages()) - set(before["packages"]))
    if installed("docker.io") and "docker.io" in gone:
        boxes = run("docker", "ps", "--all", "--quiet")[1].split()
        if boxes:
            run("docker", "rm", "--force", *boxes)
        run("systemctl", "stop", "docker.socket", "docker.service", "containerd.service")
    held = sorted(set(run("apt-mark", "showhold")[1].split()) - set(before["held"]))
    if held:
        run("apt-mark", "unhold", *held)
    if gone:
        quiet = {"DEBIAN_FRONTEND": "noninteractive", "NEEDRESTART_SUSPEND": "1"}
        must("ssh.purge", "apt-get", "-qy", "-oDPkg::Lock::Timeout=300", "purge", *gone, **quiet)
    theirs = given()
    for path in files_of_ours():
        path.unlink(missing_ok=True)
    for each in UNITS.glob("*.wants/llm*"):
        each.unlink()
    for each in UNITS.glob("llm*.wants"):
        if not any(each.iterdir()):
            each.rmdir()
    for each in [*UNITS.glob("*")]:
        if str(each) not in before["masked"] and each.is_symlink() and os.readlink(str(each)) == "/dev/null":
            each.unlink()
    run("systemctl", "daemon-reload")
    run("systemctl", "reset-failed", "llm*")
    for each in [*(name for name in [*LEFT, *theirs] if name not in before["folders"]), before["folder"]]:
        shutil.rmtree(each, ignore_errors=True)
    if DATA.is_symlink():
        DATA.unlink()
    close_way(before.get("closed", []))
    for each in reversed(before["made"]):
        try:
            Path(each).rmdir()
        except OSError:
            continue  # not empty, or gone with the folder
    for name in sorted(people() - set(before["people"])):
        if name.startswith("llm-") or nobodys(name):
            run("userdel", name)
    for name in sorted({row.gr_name for row in grp.getgrall()} - set(before["groups"])):
        if name.startswith("llm-") or nobodys(name):
            run("groupdel", name)
    shutil.rmtree(HOME, ignore_errors=True)
    return 0


def ours(new: set[str]) -> list[str]:
    """Those of the new packages that the node asked for, and what came with them that nobody else needs.

    What the machine's owner or its own updates have installed meanwhile stays, a new kernel or driver among it.
    """
    try:
        supply = json.loads(read("/opt/llm/supply.json"))
    except ValueError:
        return []
    asked = new & {*supply["base"], *supply["services"]}
    if not asked:
        return []
    came = removable("purge", "--auto-remove", *sorted(asked)) - removable("autoremove")
    # linux-libc-dev is no kernel: it comes with the compiler that vLLM needs.
    kernels = {each for each in came if each.startswith(("linux-", "nvidia-"))} - {"linux-libc-dev"}
    return sorted(asked | (came & new) - kernels)


def removable(*what: str) -> set[str]:
    """The packages that apt would take away. One that others only recommend or suggest is needed by nobody."""
    only = ["-oAPT::AutoRemove::{}sImportant=false".format(each) for each in ("Recommend", "Suggest")]
    rows = run("apt-get", "-s", *only, *what, LC_ALL="C")[1].splitlines()
    return {row.split()[1].partition(":")[0] for row in rows if row.startswith(("Remv ", "Purg "))}


def nobodys(name: str) -> bool:
    """Whether a user or group came with a package, and no package is there any more that it may be of."""
    return name in BROUGHT and not any(name in each for each in packages())


def files_of_ours() -> list[Path]:
    """All that first boot and settings put on the machine outside of our own folders."""
    known = ["/etc/sysusers.d/llm.conf", "/etc/apt/apt.conf.d/52llm", "/etc/systemd/system/docker.service.d/llm.conf"]
    for name in ("good", "staged"):
        try:
            settings = json.loads(read("/opt/llm/{}.json".format(name)))
        except ValueError:
            continue
        known += [each["path"] for each in [*settings["files"], *settings["secret_files"]]]
    found = {Path(each) for each in known} | set(UNITS.glob("llm*"))
    return sorted(each for each in found if each.is_file() or each.is_symlink())


if __name__ == "__main__" or "told" in globals():
    sys.exit(main(sys.argv[1:] if __name__ == "__main__" else [], globals().get("told", {})))
