"""A model that is about to be restarted gets nothing new, and what it is at work on comes to its end.

Where other machines have the same model, their gateway sends them what callers ask meanwhile. Without any, nothing of
this is done: whoever asks would be refused for longer.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.request import ProxyHandler, build_opener

from llm_node.system import at, write

RESTING = "/run/llm/resting.json"
LONGEST = float(os.environ.get("LLM_REST_SECONDS", "300"))
"""Seconds that answers under way may take. Then they are cut off: a change that waits for ever is none."""
PAUSE = 0.5
_OPENER = build_opener(ProxyHandler({}))


@contextmanager
def before(settings: dict[str, Any], restart: set[str]) -> Iterator[None]:
    """While units are restarted their upstreams rest; before that, what is under way at them comes to its end."""
    names = sorted({name for unit, name in settings.get("rests", {}).items() if unit in restart})
    if not names:
        yield
        return
    write(at(RESTING), json.dumps({"upstreams": names}))
    try:
        until = time.monotonic() + LONGEST
        while under_way(names) and time.monotonic() < until:
            time.sleep(PAUSE)
        yield
    finally:
        at(RESTING).unlink(missing_ok=True)


def under_way(names: list[str]) -> int:
    """Calls that the gateway has at these upstreams; 0 where it does not say, as it does not run yet."""
    base = os.environ.get("LLM_GATE_MEASURED", "http://127.0.0.1:4001")
    try:
        with _OPENER.open(f"{base}/use", timeout=5) as reply:
            told = json.loads(reply.read())["upstreams"]
            return sum(int(told.get(each, 0)) for each in names)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return 0
