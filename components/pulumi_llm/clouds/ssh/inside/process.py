"""Programs of a service: begun as its unit says, found again by their session, and ended together."""

from __future__ import annotations

import contextlib
import ctypes
import grp
import os
import pwd
import resource
import signal
from pathlib import Path

from pulumi_llm.clouds.ssh.inside.unit import Unit

LISTEN = 3
"""The first descriptor of a socket that is handed on (sd_listen_fds(3))."""
NOT_STARTED = 203
"""What ends a program that never began, as systemd has it."""
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
CAPABILITIES = {"CAP_CHOWN": 0, "CAP_DAC_OVERRIDE": 1, "CAP_FOWNER": 3, "CAP_KILL": 5, "CAP_SETGID": 6,
                "CAP_SETUID": 7, "CAP_NET_BIND_SERVICE": 10}  # fmt: skip
"""Those that units name, with the kernel's numbers (linux/capability.h)."""
LAST_CAPABILITY = 63
NO_NEW_PRIVILEGES, BOUNDING_DROP, KEEP, AMBIENT, CHILD_SUBREAPER = 38, 24, 8, 47, 36
LIBC = ctypes.CDLL(None, use_errno=True)


def begin(unit: Unit, prefix: str, argv: list[str], sockets: list[int], out: int) -> int:
    """Start one program of a unit in a session of its own; its process. What goes wrong is told on its own output."""
    pid = os.fork()
    if pid:
        return pid
    try:
        os.setsid()
        become(unit, "+" in prefix, sockets, out)
        os.execve(argv[0], argv, environment(unit, sockets))
    except BaseException as error:
        os.write(2, "{}: {}\n".format(argv[0], error).encode())
    os._exit(NOT_STARTED)


def become(unit: Unit, as_root: bool, sockets: list[int], out: int) -> None:
    """In the new process: its files, limits, folders, and whom it runs as. A service never runs as root by default."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)
    signal.set_wakeup_fd(-1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(out, 1)
    os.dup2(out, 2)
    high = [os.dup(each) for each in sockets]  # none may stand where another one goes
    high = [os.dup2(each, 64 + slot) for slot, each in enumerate(high)]
    for slot, each in enumerate(high):
        os.dup2(each, LISTEN + slot)
    os.closerange(LISTEN + len(sockets), 4096)
    for key, kind in (("LimitNOFILE", resource.RLIMIT_NOFILE), ("LimitMEMLOCK", resource.RLIMIT_MEMLOCK)):
        if unit.one(key):
            limit(kind, unit.one(key))
    os.umask(int(unit.one("UMask", "0022"), 8))
    user = unit.one("User", "root") if not as_root else "root"
    who = pwd.getpwnam(user)
    with contextlib.suppress(OSError):  # to be ended later than others is a right that a container may not have
        Path("/proc/self/oom_score_adj").write_text(unit.one("OOMScoreAdjust", "0"))
    if not as_root:
        bound(unit)
    if user != "root":
        group = grp.getgrnam(unit.one("Group")).gr_gid if unit.one("Group") else who.pw_gid
        os.initgroups(user, group)
        os.setgid(group)
        LIBC.prctl(KEEP, 1, 0, 0, 0)
        os.setuid(who.pw_uid)
        keep(unit)
    if unit.one("NoNewPrivileges") == "yes":
        LIBC.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    os.chdir(unit.one("WorkingDirectory", "/"))


def environment(unit: Unit, sockets: list[int]) -> dict[str, str]:
    """The variables of a program. Of the container's own none is handed on: conda's may be among them."""
    user = unit.one("User", "root")
    found = {"PATH": PATH, "LANG": "C.UTF-8", "USER": user, "LOGNAME": user, "HOME": pwd.getpwnam(user).pw_dir}
    found.update(unit.environment)
    if sockets:
        found.update({"LISTEN_FDS": str(len(sockets)), "LISTEN_PID": str(os.getpid())})
    return found


def limit(kind: int, text: str) -> None:
    """Raise a limit as far as the container's own lets it."""
    hard = resource.getrlimit(kind)[1]
    wanted = resource.RLIM_INFINITY if text == "infinity" else int(text)
    try:
        resource.setrlimit(kind, (wanted, wanted))
    except (OSError, ValueError):
        resource.setrlimit(kind, (hard, hard))


def bound(unit: Unit) -> None:
    """Let go of every capability but those that the unit names, for good."""
    if "CapabilityBoundingSet" not in unit.values:
        return
    kept = {CAPABILITIES[each] for each in unit.one("CapabilityBoundingSet").split()}
    for each in range(LAST_CAPABILITY + 1):
        if each not in kept:
            LIBC.prctl(BOUNDING_DROP, each, 0, 0, 0)


def keep(unit: Unit) -> None:
    """Only those capabilities that the unit names; a container may have been given none to pass on."""
    wanted = sum(1 << CAPABILITIES[each] for each in unit.one("AmbientCapabilities").split())
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    LIBC.capset(header, (ctypes.c_uint32 * 6)(wanted, wanted, wanted, 0, 0, 0))
    for each in unit.one("AmbientCapabilities").split():
        LIBC.prctl(AMBIENT, 2, CAPABILITIES[each], 0, 0)


def folders(unit: Unit) -> None:
    """Make the folders that systemd would make for it."""
    who = pwd.getpwnam(unit.one("User", "root"))
    for key, place in (("StateDirectory", "/var/lib"), ("CacheDirectory", "/var/cache"), ("RuntimeDirectory", "/run")):
        for name in unit.one(key).split():
            folder = Path(place) / name
            folder.mkdir(mode=int(unit.one(key + "Mode", "0755"), 8), parents=True, exist_ok=True)
            os.chown(folder, who.pw_uid, who.pw_gid)


def processes(sessions: set[int]) -> list[int]:
    """All processes of these sessions, and all that came of them, whatever session they have made since."""
    rows = {}
    for each in Path("/proc").glob("[0-9]*"):
        try:
            fields = (each / "stat").read_text().rpartition(")")[2].split()
            rows[int(each.name)] = (fields[0], int(fields[1]), int(fields[3]))
        except (OSError, ValueError, IndexError):
            continue  # it ended meanwhile
    found = {pid for pid, (_, _, session) in rows.items() if session in sessions}
    while True:
        more = {pid for pid, (_, parent, _) in rows.items() if parent in found} - found
        if not more:
            return sorted(pid for pid in found if rows[pid][0] != "Z")
        found |= more


def tell(pids: list[int], number: int) -> None:
    """Send a signal to processes; some may have ended."""
    for each in pids:
        try:
            os.kill(each, number)
        except OSError:
            continue
