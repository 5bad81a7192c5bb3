"""Runs a rehearsal where there is no network but loopback: a network namespace of its own, on Linux."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

VARIABLE = "PULUMI_LLM_REHEARSAL_ALONE"
"""Set in the process that runs inside the namespace."""

ALONE = ("unshare", "--map-root-user", "--net", "--", "sh", "-c", 'ip link set lo up && exec "$@"', "sh")
"""A network namespace with loopback and nothing else. Needs root, or a kernel that lets users make namespaces."""


def is_alone() -> bool:
    """Whether this process was started inside such a namespace."""
    return bool(os.environ.get(VARIABLE))


def can_be_alone() -> bool:
    """Whether such a namespace can be made here."""
    if not (shutil.which("unshare") and shutil.which("ip")):
        return False
    return subprocess.run([*ALONE, "true"], capture_output=True, check=False).returncode == 0


def again(arguments: list[str]) -> int:
    """Run `pulumi-llm` anew with ``arguments`` inside a namespace; its exit code."""
    command = [*ALONE, sys.executable, "-m", "pulumi_llm.cli", *arguments]
    return subprocess.run(command, env={**os.environ, VARIABLE: "1"}, check=False).returncode
