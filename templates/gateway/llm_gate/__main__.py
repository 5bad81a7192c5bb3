"""`python -m llm_gate`: serve until SIGTERM, then let what is under way come to its end."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import itertools
import signal
import socket
import sys
from pathlib import Path

import uvloop

from llm_gate.attempt import Patience
from llm_gate.handed import handed
from llm_gate.listening import BACKLOG
from llm_gate.paths import Paths
from llm_gate.server import LAST_WORDS, PARTING, Gateway, server
from llm_gate.store import checkpoint


def main() -> None:
    """Read the arguments and serve."""
    parser = argparse.ArgumentParser(prog="llm_gate", description=__doc__)
    parser.add_argument("--settings", type=Path, default=Paths.settings)
    parser.add_argument("--secrets", type=Path, default=Paths.secrets)
    parser.add_argument("--state", type=Path, default=Paths.state)
    parser.add_argument("--run", type=Path, default=Paths.run)
    parser.add_argument("--port", type=int, default=4000, help="loopback only; 0: any; systemd's socket goes before it")
    parser.add_argument("--metrics-port", type=int, default=4001, help="loopback only; 0: any")
    parser.add_argument("--first-byte", type=float, default=Patience.first_byte, help="seconds; see Patience")
    parser.add_argument("--between", type=float, default=Patience.between, help="seconds; see Patience")
    asked = parser.parse_args()
    gateway = Gateway(
        Paths(asked.settings, asked.secrets, asked.state, asked.run),
        patience=Patience(first_byte=asked.first_byte, between=asked.between),
    )
    uvloop.run(serve(gateway, asked.port, asked.metrics_port))


async def serve(gateway: Gateway, port: int, metrics_port: int) -> None:
    """Serve until told to stop. Says on standard output where it listens, once it does."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    # Whoever means "read your files again" ends nothing: each request looks at them.
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, lambda: None)
    front = server(gateway.handle)
    back = server(gateway.measure)
    # Before anybody can ask: what is to be checked is never let through because the check is not there yet.
    await gateway.content.load()
    await front.start(handed() or socket.create_server(("127.0.0.1", port), backlog=BACKLOG))
    # Never handed over: who asks here wants to know whether this process is there.
    await back.start(socket.create_server(("127.0.0.1", metrics_port), backlog=BACKLOG))
    ports = [each.addresses[0][1] for each in (front, back)]
    # What is alive now stays: the collector need not look at it again with every request.
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    sys.stdout.write(f"listening 127.0.0.1:{ports[0]} metrics 127.0.0.1:{ports[1]}\n")
    sys.stdout.flush()
    chores = [asyncio.create_task(each) for each in (_chores(gateway), _spans(gateway))]
    await stop.wait()
    for each in chores:
        each.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await each
    await front.stop(LAST_WORDS, PARTING)
    await back.stop(1)
    await gateway.traces.send()
    await gateway.close()
    await asyncio.to_thread(checkpoint, gateway.store.path)


async def _chores(gateway: Gateway, pause: float = 1.0) -> None:
    for second in itertools.count():
        await asyncio.sleep(pause)
        try:
            gateway.starting.look()
            await gateway.content.load()
            await gateway.store.tidy(now=second % 5 == 0)
            # Each second a few: as many as may come in a second, so that the file does not grow for good.
            gateway.store.prune()
        except Exception as error:
            # A full disk, say, must not end the other chores; what is asked of the disk for a call fails by itself.
            sys.stderr.write(f"[gate.chores] {type(error).__name__}\n")


async def _spans(gateway: Gateway, pause: float = 1.0) -> None:
    """Send what is traced. Not among the chores, which wait for no collector."""
    while True:
        await asyncio.sleep(pause)
        try:
            await gateway.traces.send()
        except Exception as error:
            sys.stderr.write(f"[gate.traces] {type(error).__name__}\n")


if __name__ == "__main__":
    main()
