"""An engine plugin for one simulated package: ``python -m pulumi_llm._simcloud.plugin <package> [engine address]``.

It listens on loopback and prints its port as the first line, as the engine expects of a resource plugin. When the
process that started it is gone it ends too, so that a killed engine leaves nothing running.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from concurrent import futures
from typing import Any

import grpc

from pulumi_llm._provider_facts import OBJECTS, schema
from pulumi_llm._provider_facts.values import Props
from pulumi_llm.errors import Refusal

from .faults import from_environment
from .objects import Objects
from .rules.base import CloudError
from .simulator import Simulator
from .store import open_store
from .wire import empty_pb2, from_struct, plugin_pb2, provider_pb2, provider_pb2_grpc, restore, to_struct

VERSION = "99.0.0"
"""Above any SDK's, so that the engine does not warn that the plugin is older than the SDK."""

MESSAGE_LIMIT = 400 * 1024 * 1024
"""Bytes; the engine's own limit for one message."""


def token_of(urn: str) -> str:
    """The type token in a URN."""
    return urn.split("::")[2].rsplit("$", 1)[-1]


class Plugin(provider_pb2_grpc.ResourceProviderServicer):
    """The engine's provider protocol over a :class:`Simulator`."""

    def __init__(self, simulator: Simulator) -> None:
        self.simulator = simulator

    def _refuse(self, context: Any, error: Exception) -> None:
        context.abort(grpc.StatusCode.UNKNOWN, str(error))

    def _failures(self, found: Any) -> list[Any]:
        return [provider_pb2.CheckFailure(property=each.path, reason=each.reason) for each in found]

    # -- the provider

    def Handshake(self, request: Any, context: Any) -> Any:
        return provider_pb2.ProviderHandshakeResponse(accept_secrets=True, accept_resources=False, accept_outputs=False)

    def Attach(self, request: Any, context: Any) -> Any:
        return empty_pb2.Empty()

    def GetPluginInfo(self, request: Any, context: Any) -> Any:
        return plugin_pb2.PluginInfo(version=VERSION)

    def GetSchema(self, request: Any, context: Any) -> Any:
        return provider_pb2.GetSchemaResponse(schema=f'{{"name": "{self.simulator.package}", "version": "{VERSION}"}}')

    def CheckConfig(self, request: Any, context: Any) -> Any:
        inputs, failures = self.simulator.check_config(from_struct(request.news))
        return provider_pb2.CheckResponse(inputs=to_struct(inputs), failures=self._failures(failures))

    def DiffConfig(self, request: Any, context: Any) -> Any:
        old, new = from_struct(request.old_inputs), from_struct(request.news)
        changed = sorted(
            key
            for key in {*old, *new}
            if not key.startswith("__") and key != "version" and old.get(key) != new.get(key)
        )
        kind = provider_pb2.DiffResponse.DIFF_SOME if changed else provider_pb2.DiffResponse.DIFF_NONE
        return provider_pb2.DiffResponse(changes=kind, diffs=changed)

    def Configure(self, request: Any, context: Any) -> Any:
        try:
            self.simulator.configure(from_struct(request.args))
        except CloudError as error:
            self._refuse(context, error)
        return provider_pb2.ConfigureResponse(
            acceptSecrets=True, supportsPreview=True, acceptResources=False, acceptOutputs=False
        )

    def Cancel(self, request: Any, context: Any) -> Any:
        return empty_pb2.Empty()

    # -- resources

    def Check(self, request: Any, context: Any) -> Any:
        news, olds = from_struct(request.news), from_struct(request.olds)
        seed = bytes(request.randomSeed)
        inputs, failures = self.simulator.check(token_of(request.urn), request.urn, olds, news, seed)
        return provider_pb2.CheckResponse(inputs=to_struct(inputs), failures=self._failures(failures))

    def Diff(self, request: Any, context: Any) -> Any:
        found = self.simulator.diff(
            token_of(request.urn),
            from_struct(request.olds),
            from_struct(request.old_inputs),
            from_struct(request.news),
            list(request.ignoreChanges),
        )
        some = provider_pb2.DiffResponse.DIFF_SOME if found.changes else provider_pb2.DiffResponse.DIFF_NONE
        detailed = {
            path: provider_pb2.PropertyDiff(
                kind=provider_pb2.PropertyDiff.Kind.Value(
                    f"{change.kind.upper()}{'_REPLACE' if change.replace else ''}"
                ),
                inputDiff=True,
            )
            for path, change in found.changes.items()
        }
        return provider_pb2.DiffResponse(
            changes=some,
            diffs=found.changed,
            replaces=found.replaces,
            detailedDiff=detailed,
            hasDetailedDiff=True,
            deleteBeforeReplace=found.delete_before_replace,
        )

    def Create(self, request: Any, context: Any) -> Any:
        inputs = from_struct(request.properties)
        id_, outputs = "", Props()
        try:
            id_, outputs = self.simulator.create(
                token_of(request.urn), request.urn, inputs, preview=bool(request.preview)
            )
        except CloudError as error:
            self._refuse(context, error)
        return provider_pb2.CreateResponse(id=id_, properties=to_struct(outputs))

    def Read(self, request: Any, context: Any) -> Any:
        found = self.simulator.read(token_of(request.urn), request.id, from_struct(request.properties))
        if found is None:
            return provider_pb2.ReadResponse()
        id_, outputs = found
        inputs = from_struct(request.inputs) or self.simulator.inputs_of(token_of(request.urn), outputs)
        for key in inputs.keys() & self.simulator.drifting(token_of(request.urn)):
            inputs[key] = outputs.get(key, inputs[key])
        return provider_pb2.ReadResponse(id=id_, properties=to_struct(outputs), inputs=to_struct(inputs))

    def Update(self, request: Any, context: Any) -> Any:
        outputs = Props()
        try:
            outputs = self.simulator.update(
                token_of(request.urn),
                request.urn,
                request.id,
                from_struct(request.olds),
                from_struct(request.old_inputs),
                from_struct(request.news),
                preview=bool(request.preview),
            )
        except CloudError as error:
            self._refuse(context, error)
        return provider_pb2.UpdateResponse(properties=to_struct(outputs))

    def Delete(self, request: Any, context: Any) -> Any:
        try:
            self.simulator.delete(token_of(request.urn), request.urn, request.id, from_struct(request.properties))
        except CloudError as error:
            self._refuse(context, error)
        return empty_pb2.Empty()

    def Invoke(self, request: Any, context: Any) -> Any:
        answer = Props()
        try:
            answer = self.simulator.invoke(request.tok, from_struct(request.args))
        except CloudError as error:
            self._refuse(context, CloudError(f"invoking {request.tok}: {error}"))
        return provider_pb2.InvokeResponse(**{"return": to_struct(answer)})


def is_gone(parent: int, engine: str) -> bool:
    """Whether the engine is gone: our parent has changed, or, for an orphan from the start, it does not answer."""
    if os.getppid() != parent:
        return True
    host, _, port = engine.rpartition(":")
    if parent != 1 or not port.isdigit():
        return False
    try:
        socket.create_connection((host, int(port)), timeout=5).close()
    except ConnectionRefusedError:
        return True
    except OSError:
        return False
    return False


def serve(package: str, engine: str = "") -> None:
    """Serve a package until the engine (its address is ``engine``) is gone. Raises ``Refusal`` and ``MissingSdk``."""
    parent = os.getppid()
    schema.sdk_version(package)
    schema.before_import.append(restore)
    kind = Objects if package in OBJECTS else Simulator
    plugin = Plugin(kind(package, open_store(), from_environment()))
    options = [("grpc.max_receive_message_length", MESSAGE_LIMIT), ("grpc.max_send_message_length", MESSAGE_LIMIT)]
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=64), options=options)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(plugin, server)
    done = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):  # the engine starts each plugin in a group of its own and asks so
        signal.signal(number, lambda *_: done.set())
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    while not done.wait(1.0) and not is_gone(parent, engine):
        pass
    server.stop(grace=None)


def main(arguments: list[str] | None = None) -> int:
    """Run the plugin; the exit code."""
    given = [each for each in (arguments if arguments is not None else sys.argv[1:]) if not each.startswith("-")]
    if not given:
        sys.stderr.write("usage: python -m pulumi_llm._simcloud.plugin <package> [engine address]\n")
        return 2
    try:
        serve(*given[:2])
    except (Refusal, schema.MissingSdk) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # at once: a create that was made slow may still sit in its thread
