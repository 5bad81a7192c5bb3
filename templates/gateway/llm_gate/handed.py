"""The socket that systemd holds for us, as sd_listen_fds(3) says: callers wait in it while we start anew."""

from __future__ import annotations

import os
import socket

FIRST = 3
"""The first file descriptor that systemd hands over."""


def handed() -> socket.socket | None:
    """The listening socket that this process was given; None where it has to listen by itself.

    Raises:
        ValueError: it was given several.
    """
    told = {name: os.environ.pop(name, "") for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")}
    # Another process's, if somebody in between has started us.
    if told["LISTEN_PID"] != str(os.getpid()) or told["LISTEN_FDS"] in ("", "0"):
        return None
    if told["LISTEN_FDS"] != "1":
        raise ValueError(f"one socket is wanted, and {told['LISTEN_FDS']} were handed over")
    held = socket.socket(fileno=FIRST)
    held.set_inheritable(False)
    return held
