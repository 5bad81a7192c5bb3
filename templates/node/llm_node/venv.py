"""Python environments, one a pinned package, under /opt/llm/venv/<package>-<version>."""

from __future__ import annotations

import shutil
from urllib.parse import urlsplit

from llm_node.system import Failure, at, first, must, node, run, tail, write


def install(name: str) -> None:
    """Install a pinned package from the first index that has it; a finished environment is left alone."""
    want = node()["venvs"][name]  # such as vllm==0.32.0
    home = at(f"/opt/llm/venv/{name}-{want.rpartition('==')[2]}")
    # Wheels already fetched survive a retry and a reboot, and are dropped at the end.
    cache = at("/var/cache/llm/" + name)
    python = str(home / "bin/python")
    if (home / "complete").exists():
        return
    must("python.venv", "python3", "-m", "venv", "--clear", str(home))

    def fill(index: str) -> None:
        trust = ["--trusted-host", str(urlsplit(index).hostname)] if index.startswith("http:") else []
        get(python, "-m", "pip", "install", "-qi", index, *trust, "uv==" + node()["uv"])
        uv = (python, "-m", "uv", "pip", "install", "--python", python, "-i", index, want)
        get(*uv, UV_CACHE_DIR=str(cache), UV_HTTP_TIMEOUT="60", UV_NO_CONFIG="1", UV_SYSTEM_CERTS="1")

    first("python.index-unreachable", node()["pypi"], fill)
    write(home / "complete", want)
    shutil.rmtree(cache, ignore_errors=True)


def get(*argv: str, **env: str) -> None:
    """One installer run; its failure is told apart by what it printed."""
    rc, out = run(*argv, **env)
    if rc:
        signs = {"No space": "disk-full", "No solution": "no-such-version", "No matching": "no-such-version"}
        kind = next((kind for sign, kind in signs.items() if sign in out), "index-unreachable")
        raise Failure("python." + kind, tail(out), True)
