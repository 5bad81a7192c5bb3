"""What comes about while one looks on."""

import time
from collections.abc import Callable


def until(holds: Callable[[], bool]) -> None:
    """Wait until it holds, twenty seconds at most."""
    end = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < end, "it did not come about within 20 s"
        time.sleep(0.02)
