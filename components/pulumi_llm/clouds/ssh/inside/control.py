"""What stands in for `systemctl`, `journalctl` and `systemd-sysusers`, as far as a node's programs use them."""

from __future__ import annotations

import fnmatch
import grp
import json
import pwd
import shlex
import subprocess
import sys
from pathlib import Path

from pulumi_llm.clouds.ssh.inside.keeper import Keeper, ask, enable, up
from pulumi_llm.clouds.ssh.inside.service import LOGS

USERS = "/etc/sysusers.d/llm.conf"


def main(arguments: list[str]) -> int:
    """`up`, `serve`, or one of the commands that are stood in for, with its arguments."""
    word, *rest = arguments or [""]
    known = {"systemctl": systemctl, "journalctl": journalctl, "systemd-sysusers": sysusers}
    if word in known:
        return known[word](rest)
    if word == "serve":
        return Keeper().serve()
    return up() if word == "up" else 2


def systemctl(arguments: list[str]) -> int:
    """The verbs that a node's programs use. What has no meaning without systemd does nothing, and well."""
    flags = [each for each in arguments if each.startswith("-")]
    verb, *names = [each for each in arguments if not each.startswith("-")] or [""]
    if verb in ("daemon-reload", "mask", "unmask"):
        return 0  # units are read anew at each start; nobody else starts anything
    if verb in ("enable", "disable"):
        ours = [each for each in names if each.startswith("llm")]
        enable(ours, verb == "enable")
        if "--now" not in flags:
            return 0 if ours == names else 1
        verb = "start" if verb == "enable" else "stop"
    if verb in ("start", "stop", "restart", "reset-failed", "exit"):
        rc, out = ask(verb, names, "--no-block" not in flags)
        if out:
            print(out, file=sys.stderr)
        return rc
    if verb in ("show", "is-active", "is-failed"):
        rc, out = ask("show", names)
        if rc:
            print(out, file=sys.stderr)
            return rc
        rows = json.loads(out)
        if verb == "show":
            keys = next((each.partition("=")[2].split(",") for each in flags if each.startswith("--property=")), None)
            for row in rows.values():
                for key in keys or row:
                    print(row.get(key, "") if "--value" in flags else "{}={}".format(key, row.get(key, "")))
            return 0
        states = [row["ActiveState"] for row in rows.values()]
        if not {"-q", "--quiet"} & set(flags):
            print("\n".join(states))
        return 0 if verb[3:] in states else 3 if verb == "is-active" else 1
    print("systemctl {}: not there without systemd".format(verb), file=sys.stderr)
    return 1


def journalctl(arguments: list[str]) -> int:
    """The last lines of units' logs, oldest first; the form is short-iso, or bare with `--output cat`."""
    patterns, lines, bare, run = [], 1000, False, ""
    rest: list[str] = []
    for each in arguments:
        rest += each.split("=", 1) if each.startswith("--") else [each]
    while rest:
        word = rest.pop(0)
        if word in ("--unit", "-u"):
            patterns.append(rest.pop(0))
        elif word in ("--lines", "-n"):
            lines = int(rest.pop(0))
        elif word in ("--output", "-o"):
            bare = rest.pop(0) == "cat"
        elif word.startswith("_SYSTEMD_INVOCATION_ID="):
            run = word.partition("=")[2]
    found = []
    for file in sorted(LOGS.glob("*.log.1")) + sorted(LOGS.glob("*.log")):
        unit = file.name.split(".log")[0]
        if patterns and not any(fnmatch.fnmatch(unit, each) for each in patterns):
            continue
        for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
            when, _, more = line.partition(" ")
            invocation, _, text = more.partition(" ")
            if not run or invocation == run:
                found.append((when, text if bare else "{} {}: {}".format(when, unit.rpartition(".")[0], text)))
    found.sort(key=lambda pair: pair[0])  # stable: within a second the order of each log is kept
    for _, text in found[-lines:]:
        print(text)
    return 0


def sysusers(_arguments: list[str]) -> int:
    """Make the users of the node that are not there yet, with their fixed numbers."""
    for row in Path(USERS).read_text(encoding="utf-8").splitlines():
        if not row.startswith("u "):
            continue
        _, name, number, title, home = shlex.split(row)
        if name not in {each.gr_name for each in grp.getgrall()}:
            subprocess.run(["groupadd", "--gid", number, name], check=True)
        if name not in {each.pw_name for each in pwd.getpwall()}:
            made = ["useradd", "--system", "--no-create-home", "--uid", number, "--gid", name, "--home-dir", home]
            subprocess.run([*made, "--comment", title, "--shell", "/usr/sbin/nologin", name], check=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
