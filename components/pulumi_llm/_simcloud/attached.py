"""Serves simulated packages to all runs of an engine: ``python -m ….attached PACKAGE…``.

The engine starts a plugin anew for the preview and for the change, and ends it: that is a Python process for each
simulated package, twice in an `up`. It attaches instead to one that runs where a variable names its port. Here one
process has them all, and each connection of an engine, which is one provider of a program in one run, has a simulator
of its own. It prints the ports as JSON, takes new faults from each line that it reads, and ends when killed, or when
who started it is gone.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent import futures
from pathlib import Path
from typing import Any

from pulumi_llm import _json

VARIABLE = "PULUMI_DEBUG_PROVIDERS"
"""Where an engine reads which plugins run already: ``random:1234,tls:1235``."""
ENDS = 5
"""Seconds that the process has to end by itself."""


class Attached:
    """The servers, and the variable that leads an engine to them."""

    def __init__(self, running: subprocess.Popen[str], ports: Mapping[str, int]) -> None:
        self._running, self.ports = running, ports
        self.environment = leading(ports)

    def tell(self, line: str) -> None:
        """Have a line read, and what it asks for done before this returns: of simulated plugins, new faults."""
        assert self._running.stdin is not None  # noqa: S101 - it was asked for
        with contextlib.suppress(BrokenPipeError):
            self._running.stdin.write(f"{line}\n")
            self._running.stdin.flush()
            self._running.stdout.readline()  # type: ignore[union-attr]  # it was asked for


def leading(ports: Mapping[str, int]) -> dict[str, str]:
    """The variable that leads an engine to plugins that run already."""
    return {VARIABLE: ",".join(f"{package}:{port}" for package, port in ports.items())} if ports else {}


@contextlib.contextmanager
def attached(
    packages: Sequence[str], environment: Mapping[str, str], main: Path, module: str = __name__
) -> Iterator[Attached]:
    """Have ``module`` serve ``packages`` until the block ends. If it does not start, the engine starts its plugins.

    ``main``: the program, or its folder. There the engine would start them: what the program calls a file by a path
    is looked for from there.
    """
    running = subprocess.Popen(
        [sys.executable, "-P", "-m", module, *packages],
        env=dict(environment),
        cwd=main if main.is_dir() else main.parent,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        process_group=0,  # an interrupt from the keyboard is the engine's: it lets finish what is under way
    )
    try:
        assert running.stdout is not None  # noqa: S101 - it was asked for
        line = running.stdout.readline()
        yield Attached(running, _json.loads(line) if line else {})
    finally:
        with contextlib.suppress(BrokenPipeError, subprocess.TimeoutExpired):
            running.communicate(timeout=ENDS)  # its input ends, and with it what it has started
        if running.returncode != 0:  # it was killed, or hangs: what it has started is of its group
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(running.pid, signal.SIGKILL)
        running.wait()


def main(packages: Sequence[str]) -> None:
    """Serve until the input ends."""
    import grpc

    from pulumi_llm._provider_facts import OBJECTS, schema
    from pulumi_llm._simcloud import faults
    from pulumi_llm._simcloud.objects import Objects
    from pulumi_llm._simcloud.plugin import MESSAGE_LIMIT, Plugin
    from pulumi_llm._simcloud.simulator import Simulator
    from pulumi_llm._simcloud.store import open_store
    from pulumi_llm._simcloud.wire import provider_pb2_grpc, restore
    from pulumi_llm.errors import Refusal

    schema.before_import.append(restore)
    store, suffered = open_store(), [faults.from_environment()]

    class ByCaller:
        """A plugin for each connection: two providers of a package have a region each."""

        def __init__(self, package: str) -> None:
            self._package, self._lock = package, threading.Lock()
            self._plugins: dict[str, Plugin] = {}

        def _of(self, caller: str) -> Plugin:
            with self._lock:
                if caller not in self._plugins:
                    kind = Objects if self._package in OBJECTS else Simulator
                    self._plugins[caller] = Plugin(kind(self._package, store, suffered[-1]))
                return self._plugins[caller]

        def __getattr__(self, method: str) -> Any:
            return lambda request, context: getattr(self._of(context.peer()), method)(request, context)

    options = [("grpc.max_receive_message_length", MESSAGE_LIMIT), ("grpc.max_send_message_length", MESSAGE_LIMIT)]
    ports: dict[str, int] = {}
    servers = []
    for package in packages:
        try:
            schema.sdk_version(package)
        except (Refusal, schema.MissingSdk):
            continue  # the plugin that the engine starts says so
        server = grpc.server(futures.ThreadPoolExecutor(max_workers=64), options=options)
        servicer: Any = ByCaller(package)
        provider_pb2_grpc.add_ResourceProviderServicer_to_server(servicer, server)
        ports[package] = server.add_insecure_port("127.0.0.1:0")
        server.start()
        servers.append(server)
    sys.stdout.write(json.dumps(ports) + "\n")
    sys.stdout.flush()
    for line in sys.stdin:
        suffered.append(faults.parse(line.strip()))
        sys.stdout.write("\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
    os._exit(0)  # at once: a create that was made slow may still sit in its thread
