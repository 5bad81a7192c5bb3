"""Stands between the engine and an official plugin: ``python -m pulumi_llm._rehearsal.relay PACKAGE [engine address]``.

The engine starts it as the package's plugin. It starts the official one in an environment that knows only loopback,
hands on each call as it is, and adds to `Configure` what that provider takes from no variable (Aliyun's `protocol`). So
neither the program nor the state knows of the rehearsal. What to add and where the plugin is stands in ``SETTINGS``.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from concurrent import futures
from typing import Any

import grpc

from pulumi_llm import _json
from pulumi_llm._rehearsal.pointing import SETTINGS
from pulumi_llm._simcloud.plugin import MESSAGE_LIMIT, is_gone
from pulumi_llm._simcloud.wire import from_struct, provider_pb2, to_struct

SERVICE = "/pulumirpc.ResourceProvider/"
OPTIONS = [
    ("grpc.max_receive_message_length", MESSAGE_LIMIT),
    ("grpc.max_send_message_length", MESSAGE_LIMIT),
    ("grpc.enable_http_proxy", 0),
    ("grpc.max_metadata_size", 1 << 20),  # a provider's error travels there, with stack traces of some KiB
    ("grpc.absolute_max_metadata_size", 1 << 20),
]


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


class Relay(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpc has no types
    """Hands each call to the plugin behind ``channel``."""

    def __init__(self, package: str, channel: grpc.Channel, settings: Mapping[str, Any]) -> None:
        self._package, self._channel, self._settings = package, channel, settings

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
                return bytes(self._channel.unary_unary(method)(request))
            except grpc.RpcError as error:
                context.set_trailing_metadata(error.trailing_metadata() or ())
                context.abort(error.code(), error.details() or "")
                raise

        return grpc.unary_unary_rpc_method_handler(answer)


def serve(package: str, engine: str) -> int:
    """Serve until the engine or the plugin is gone; the exit code."""
    parent = os.getppid()
    settings = _json.loads(os.environ[SETTINGS])[package]
    environment = {name: value for name, value in os.environ.items() if name != SETTINGS}
    official = subprocess.Popen(
        [settings["program"], *([engine] if engine else [])],
        env={**environment, **settings["environment"]},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert official.stdout is not None  # noqa: S101 - it was asked for
    port = official.stdout.readline().strip()
    if not port.isdigit():
        sys.stderr.write(f"{settings['program']} gave no port: {port!r}\n")
        return 1
    done = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: done.set())
    try:
        with grpc.insecure_channel(f"127.0.0.1:{port}", options=OPTIONS) as channel:
            server = grpc.server(futures.ThreadPoolExecutor(max_workers=64), options=OPTIONS)
            server.add_generic_rpc_handlers((Relay(package, channel, settings),))
            own_port = server.add_insecure_port("127.0.0.1:0")
            server.start()
            sys.stdout.write(f"{own_port}\n")
            sys.stdout.flush()
            while not done.wait(0.5) and official.poll() is None and not is_gone(parent, engine):
                pass
            server.stop(grace=None)
    finally:
        official.kill()
        official.wait()
    return 0


if __name__ == "__main__":
    code = serve(*(each for each in [*sys.argv[1:], ""][:2]))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
