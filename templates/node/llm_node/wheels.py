"""Stages `python` and `gateway`: Python environments, one a pinned package, under /opt/llm/venv/<package>-<version>.

What goes into one is a lock: each package with its version and its wheels' SHA-256 (/opt/llm/locks, which comes with
the settings). Nothing is resolved on the node, and a wheel with another digest is not installed.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from typing import Any
from urllib.parse import urlsplit

from llm_node import status, supply
from llm_node.system import Failure, at, first, must, node, write

ROOM = 2**30  # bytes that stay free on the system disk
# What is wrong with a folder of wheels, in place of an index.
BUNDLED = {"index-unreachable": "bundle.lacks", "no-such-version": "bundle.lacks", "wrong-digest": "bundle.damaged"}


def install(stage: str, name: str) -> None:
    """Install a locked package from the first index that has it; a finished environment is left alone."""
    want = node()
    pins, lock = want["venvs"][name], at(f"/opt/llm/locks/{name}.txt")
    if digest(lock.read_text()) != pins["digest"]:
        raise Failure("python.wrong-digest", f"{lock} is not the list whose digest is pinned for {name}")
    home = at(f"/opt/llm/venv/{name}-{pins['version']}")
    done = home / "complete"
    if done.exists() and done.read_text() == pins["digest"]:
        return
    # Wheels already fetched survive a retry and a reboot, and are dropped at the end. They are linked, not copied.
    cache = at("/var/cache/llm/" + name)
    cache.mkdir(parents=True, exist_ok=True)
    have = sum(each.lstat().st_size for each in cache.rglob("*") if each.is_file())
    need, free = max(0, pins["unpacked_bytes"] - have) + ROOM, shutil.disk_usage(cache).free
    if need > free:
        room = f"{need / 2**30:.1f} GiB are needed for {name}, {free / 2**30:.1f} GiB are free on the system disk"
        raise Failure("python.disk-full", room, True)
    # --clear: what a kill left half written goes away.
    python = want.get("python", "python3")
    if version := pins.get("python"):
        python = interpreter(version, python, want)
    must("python.venv", python, "-m", "venv", "--clear", str(home))
    sources = [str(at(want["bundle"]) / "wheels")] if "bundle" in want else want["pypi"]
    first("python.index-unreachable", sources, lambda index, last: fill(index, last, stage, name, want, cache))
    os.sync()  # the mark must not reach the disk before what it vouches for
    write(done, pins["digest"])
    shutil.rmtree(cache, ignore_errors=True)


def interpreter(version: str, python: str, want: dict[str, Any]) -> str:
    """A Python that the system has not, such as 3.12.16: the locked uv fetches it, and knows its SHA-256."""
    home, tool = at(f"/opt/llm/python/{version}"), at("/opt/llm/python/uv")
    done = home / "complete"
    if not done.exists():
        shutil.rmtree(home, ignore_errors=True)
        must("python.venv", python, "-m", "venv", "--clear", str(tool))
        own = str(tool / "bin/python")
        first("python.index-unreachable", want["pypi"], lambda index, last: get_uv(own, index, last))
        uv = (own, "-m", "uv", "python", "install", "--no-bin", "--install-dir", str(home), version)
        rc, out = supply.watched(True, lambda _: None, *uv, UV_NO_CONFIG="1", UV_HTTP_TIMEOUT="60", UV_SYSTEM_CERTS="1")
        if rc:
            raise Failure("python.interpreter", f"Python {version}: {' '.join(out.split())[-500:]}", True)
        os.sync()
        write(done, version)
        shutil.rmtree(tool, ignore_errors=True)
    found = sorted(home.glob(f"cpython-{version}-*/bin/python3"))
    if not found:
        raise Failure("python.interpreter", f"{home} has no Python {version}", True)
    return str(found[0])


def get_uv(python: str, index: str, last: bool) -> None:
    """The locked uv, into an environment. Watched, too: pip itself never gives up on an index that trickles."""
    source = ["--no-index", "--find-links", index] if index.startswith("/") else ["-i", index]
    if index.startswith("http:"):
        source += ["--trusted-host", str(urlsplit(index).hostname)]
    pip = (python, "-m", "pip", "install", "-q", "--disable-pip-version-check", *source)
    lock = str(at("/opt/llm/locks/uv.txt"))
    check(supply.watched(last, lambda _: None, *pip, "--no-deps", "--require-hashes", "-r", lock), index)


def digest(lock: str) -> str:
    """One SHA-256 over the resolved set: sorted rows of name, version and digests, as tools/lock computes it."""
    rows = []
    for line in lock.splitlines():
        name, version, *hashes = line.replace("==", " ").split()
        rows.append(" ".join([name, version, *sorted(each.rpartition(":")[2] for each in hashes)]))
    return hashlib.sha256("\n".join(sorted(rows)).encode()).hexdigest()


def fill(index: str, last: bool, stage: str, name: str, want: dict[str, Any], cache: Any) -> None:
    """Install from one index, or a folder of wheels. A slow one is left for the next."""
    pins = want["venvs"][name]
    source = ["--no-index", "--find-links", index] if index.startswith("/") else ["-i", index]
    python = str(at(f"/opt/llm/venv/{name}-{pins['version']}/bin/python"))
    get_uv(python, index, last)

    def tell(written: int) -> None:
        total = pins["unpacked_bytes"]
        done = min(written, total)
        status.record(stage, "running", progress={"done": done, "total": total, "percent": 100 * done // total})

    uv = (python, "-m", "uv", "pip", "install", "--python", python, *source, "--no-deps", "--require-hashes")
    env = {"UV_CACHE_DIR": str(cache), "UV_HTTP_TIMEOUT": "60", "UV_NO_CONFIG": "1", "UV_SYSTEM_CERTS": "1"}
    lock = str(at(f"/opt/llm/locks/{name}.txt"))
    check(supply.watched(last, tell, *uv, "--only-binary", ":all:", "-r", lock, **env), index)


def check(result: tuple[int, str], index: str) -> None:
    """A Failure if an installer failed, told apart by what it printed."""
    rc, out = result
    if rc:
        signs = {"Hash mismatch": "wrong-digest", "DO NOT MATCH": "wrong-digest", "No space": "disk-full"}
        signs |= {"No solution": "no-such-version", "No matching": "no-such-version", supply.TOO_SLOW: "index-slow"}
        # uv unpacks while it fetches: a damaged wheel fails before its digest is known, as a broken connection does.
        signs |= {"I/O operation failed": "index-unreachable", "Failed to extract": "wrong-digest"}
        kind = next((kind for sign, kind in signs.items() if sign in out), "index-unreachable")
        code = BUNDLED.get(kind, f"python.{kind}") if index.startswith("/") else f"python.{kind}"
        # uv names the package in the first of its lines, and pip in the last.
        raise Failure(code, f"{index}: {' '.join(out.split())[-500:]}", True)
