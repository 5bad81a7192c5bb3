"""Stands between the engine and the official plugins: ``python -P -m pulumi_llm._rehearsal.relay PACKAGE…``.

The engine attaches to it as to plugins that run already (see :mod:`pulumi_llm._simcloud.attached`). It starts the
official ones in an environment that knows only loopback, hands on each call as it is, and adds to `Configure` what a
provider takes from no variable (Aliyun's `protocol`). So neither the program nor the state knows of the rehearsal.
What to add and where the plugins are stands in ``SETTINGS``.

Each connection of an engine, which is one provider of the program in one run, has a process of its own. The first ones
of a run are started while the engine still starts the program.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent import futures
from typing import Any

import grpc

from pulumi_llm import _json
from pulumi_llm._rehearsal.pointing import SETTINGS
from pulumi_llm._simcloud.plugin import MESSAGE_LIMIT
from pulumi_llm._simcloud.wire import from_struct, provider_pb2, to_struct

SERVICE = "/pulumirpc.ResourceProvider/"
OPTIONS = [
    ("grpc.max_receive_message_length", MESSAGE_LIMIT),
    ("grpc.max_send_message_length", MESSAGE_LIMIT),
    ("grpc.enable_http_proxy", 0),
    ("grpc.max_metadata_size", 1 << 20),  # a provider's error travels there, with stack traces of some KiB
    ("grpc.absolute_max_metadata_size", 1 << 20),
]

WORDS = 2000
"""Lines that are kept of what a plugin writes: a crash's reason stands above its stack."""


def configured(request: bytes, package: str, arguments: Mapping[str, Any]) -> bytes:
    """A `Configure` with ``arguments`` added."""
    asked = provider_pb2.ConfigureRequest.FromString(request)
    asked.args.CopyFrom(to_struct({**from_struct(asked.args), **arguments}))
    for key, value in arguments.items():
        # What is no text goes as JSON there (pulumi-terraform-bridge v3.118.0, pkg/tfbridge/config_encoding.go).
        asked.variables[f"{package}:config:{key}"] = value if isinstance(value, str) else json.dumps(value)
    return bytes(asked.SerializeToString())


def own_endpoints(request: bytes, own: list[str]) -> bytes | None:
    """The refusal of a `CheckConfig` that sets an endpoint itself; None where it sets none."""
    asked = provider_pb2.CheckRequest.FromString(request)
    given = from_struct(asked.news)
    named = [key for key in own if given.get(key) not in (None, "", [], {})]
    if not named:
        return None
    failures = [
        provider_pb2.CheckFailure(
            property=key,
            reason="[rehearse.own-endpoints] the program sets it itself; a rehearsal reaches no address but its own",
        )
        for key in named
    ]
    return bytes(provider_pb2.CheckResponse(inputs=asked.news, failures=failures).SerializeToString())


class Official:
    """A process of the official plugin, which one provider of one run has for itself, as in a real run."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._program = settings["program"]
        inherited = {name: value for name, value in os.environ.items() if name != SETTINGS}
        self._process = subprocess.Popen(
            [self._program],  # without the engine's address: that comes with the call `Attach`
            env={**inherited, **settings["environment"]},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )
        self._words: deque[str] = deque(maxlen=WORDS)
        self._reading = threading.Thread(target=self._read, args=(self._process.stderr, self._words), daemon=True)
        self._reading.start()
        self._lock = threading.Lock()
        self._channel: grpc.Channel | None = None

    @staticmethod
    def _read(stream: Any, kept: deque[str] | None) -> None:
        for line in stream:
            if kept is not None and line.strip():
                kept.append(line.strip())

    def channel(self) -> grpc.Channel:
        """The way to it, once it serves. Raises ``OSError`` where it does not."""
        with self._lock:
            if self._channel is None:
                port = self._process.stdout.readline().strip()  # type: ignore[union-attr]  # it was asked for
                if not port.isdigit():
                    raise OSError(f"{self._program} gave no port: {port!r}{self.last_words()}")
                threading.Thread(target=self._read, args=(self._process.stdout, None), daemon=True).start()
                self._channel = grpc.insecure_channel(f"127.0.0.1:{port}", options=OPTIONS)
            return self._channel

    def last_words(self) -> str:
        """What it wrote before it ended, such as why it crashed; empty while it runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(0.2)
            self._reading.join(1)
            crash = [each for each in self._words if each.startswith(("panic:", "fatal error:"))]
            return "".join(f"; it said: {each}" for each in (crash or [*self._words])[-1:])
        return ""

    def end(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
        if self._channel is not None:
            self._channel.close()


class Relay(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpc has no types
    """Hands each call to the plugin of the connection that it comes by."""

    def __init__(self, package: str, settings: Mapping[str, Any]) -> None:
        self._package, self._settings = package, settings
        self._lock = threading.Lock()
        self._spare: list[Official] = []
        self._taken: dict[str, Official] = {}

    def fresh(self) -> None:
        """A run begins: nobody asks those of the last one any more, and as many as it had are started ahead."""
        with self._lock:
            wanted = max(1, len(self._taken)) - len(self._spare)
            for each in self._taken.values():
                each.end()
            self._taken.clear()
            with contextlib.suppress(OSError):  # the first call of the run is told why
                for _ in range(wanted):
                    self._spare.append(Official(self._settings))

    def end(self) -> None:
        """End all of them."""
        with self._lock:
            for each in (*self._taken.values(), *self._spare):
                each.end()

    def _of(self, caller: str) -> Official:
        with self._lock:
            if caller not in self._taken:
                self._taken[caller] = self._spare.pop() if self._spare else Official(self._settings)
            return self._taken[caller]

    def service(self, details: Any) -> Any:
        """How a call of that name is answered."""
        method: str = details.method

        def answer(request: bytes, context: grpc.ServicerContext) -> bytes:
            if method == SERVICE + "Configure":
                request = configured(request, self._package, self._settings["arguments"])
            if method == SERVICE + "CheckConfig":
                refused = own_endpoints(request, self._settings["own"])
                if refused is not None:
                    return refused
            try:
                official = self._of(context.peer())
                return bytes(official.channel().unary_unary(method)(request))
            except grpc.RpcError as error:
                lost = error.code() is grpc.StatusCode.UNAVAILABLE
                context.set_trailing_metadata(error.trailing_metadata() or ())
                context.abort(error.code(), (error.details() or "") + (official.last_words() if lost else ""))
                raise
            except OSError as error:
                context.abort(grpc.StatusCode.UNAVAILABLE, str(error))
                raise

        return grpc.unary_unary_rpc_method_handler(answer)


def main(packages: Sequence[str]) -> None:
    """Serve until the input ends; each line of it says that a run begins."""
    settings = _json.loads(os.environ[SETTINGS])
    relays: dict[str, Relay] = {}
    ports: dict[str, int] = {}
    servers = []
    for package in packages:
        relays[package] = Relay(package, settings[package])
        server = grpc.server(futures.ThreadPoolExecutor(max_workers=64), options=OPTIONS)
        server.add_generic_rpc_handlers((relays[package],))
        ports[package] = server.add_insecure_port("127.0.0.1:0")
        server.start()
        servers.append(server)
    sys.stdout.write(json.dumps(ports) + "\n")
    sys.stdout.flush()
    for _ in sys.stdin:
        for each in relays.values():
            each.fresh()
        sys.stdout.write("\n")
        sys.stdout.flush()
    for each in relays.values():
        each.end()


if __name__ == "__main__":
    main(sys.argv[1:])
    os._exit(0)  # at once: a call may still wait in its thread
