"""Runs a rehearsal where there is no network but loopback: a network namespace of its own, on Linux."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

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
    running = subprocess.Popen(command, env={**os.environ, VARIABLE: "1"})

    def pass_on(number: int) -> None:
        if number != signal.SIGINT:  # an interrupt from the keyboard reaches it by itself
            running.send_signal(number)

    with _signals(pass_on):
        return running.wait()


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Have the signals that end a process interrupt the block: what it has started is ended, and its folder goes.

    Once: who is told twice, such as by a terminal that closes, is not stopped in doing so.
    """
    told: list[int] = []

    def interrupt(number: int) -> None:
        told.append(number)
        if len(told) == 1:
            raise KeyboardInterrupt

    with _signals(interrupt):
        yield


@contextlib.contextmanager
def _signals(answer: Callable[[int], None]) -> Iterator[None]:
    """Have ``answer`` called with each signal that is to end this process. One that is ignored (`nohup`) stays so."""
    before: dict[signal.Signals, Any] = {}
    try:
        if threading.current_thread() is threading.main_thread():  # elsewhere signals are not ours to set
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                if signal.getsignal(number) != signal.SIG_IGN:
                    before[number] = signal.signal(number, lambda told, _: answer(told))
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
