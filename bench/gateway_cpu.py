"""What a stream costs the gateway's process, and the chain of Caddy with TLS and the gateway.

CPU is the processes' own, as the kernel counts it, so whatever else the machine does falls into it only by way of its
caches. BENCH_GATEWAY_CODE: the `templates/gateway` of an older checkout, measured turn about with this one's. Both are
compared in the round in which each took least, and in the median of all. BENCH_ALONE=1: without Caddy.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from bench._cpu import STREAMS, Start, measured
from bench._gateway import CODE, Subject, behind_caddy, gateway
from bench._ratio import report

OLDER = os.environ.get("BENCH_GATEWAY_CODE")
GOAL = 0.6
"""Of the CPU of the gateway that was there before HTTP was read by httptools."""


def _alone(code: Path) -> Start:
    return lambda port: gateway(port, code=code)


def _chain(code: Path) -> Start:
    @contextlib.contextmanager
    def start(port: int) -> Iterator[Subject]:
        with gateway(port, code=code) as gate, behind_caddy(gate) as subject:
            yield subject

    return start


def main() -> None:
    codes = {"now": CODE, **({"older": Path(OLDER)} if OLDER else {})}
    starts = {name: _alone(code) for name, code in codes.items()}
    if not os.environ.get("BENCH_ALONE"):
        starts |= {f"{name}, with Caddy": _chain(code) for name, code in codes.items()}
    for found in measured(starts, "now"):
        if OLDER:
            for place, each in enumerate(STREAMS):
                middle = found.cpu["now"][place] / found.cpu["older"][place]
                least = found.least["now"][place] / found.least["older"][place]
                report(f"{found.how}, {each} at a time: CPU now / older (medians: {middle:.2f})", least, GOAL)


if __name__ == "__main__":
    main()
