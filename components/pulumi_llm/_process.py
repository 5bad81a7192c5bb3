"""The end of a process of ours."""

from __future__ import annotations

import atexit
import os
import sys
import threading
from typing import NoReturn


def end(code: int) -> NoReturn:
    """End this process without taking apart what it holds: the SDKs' classes, one by one, are a fifth of its CPU.

    What is to happen before is done: other threads end, what is registered with `atexit` is called, streams are
    written out. mypy ends the same way, for the same reason. Who traces or profiles the process sees a usual end.
    """
    if sys.getprofile() is not None or sys.gettrace() is not None:
        sys.exit(code)
    # What the interpreter itself calls first, in this order: it tells executors' threads to end, and waits for all.
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):  # nobody reads it, or it was closed
            code = code or 120  # as Python itself ends then
    os._exit(code)
