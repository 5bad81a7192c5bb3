"""A plugin for the relay's tests: it says what it was given. Not a cloud's; those are recorded in test_records."""

from __future__ import annotations

import json
import os
import sys
import time
import urllib.error
import urllib.request
from concurrent import futures
from typing import Any

import grpc

from pulumi_llm._simcloud.wire import empty_pb2, from_struct, plugin_pb2, provider_pb2, provider_pb2_grpc, to_struct


class Plugin(provider_pb2_grpc.ResourceProviderServicer):  # type: ignore[misc]
    """Answers with what came in."""

    configured: dict[str, Any] = {}
    engine = ""

    def Attach(self, request: Any, context: Any) -> Any:
        self.engine = request.address
        return empty_pb2.Empty()

    def GetPluginInfo(self, request: Any, context: Any) -> Any:
        return plugin_pb2.PluginInfo(version=os.environ.get("STAND_IN_VERSION", "1.2.3"))

    def CheckConfig(self, request: Any, context: Any) -> Any:
        return provider_pb2.CheckResponse(inputs=request.news)

    def Configure(self, request: Any, context: Any) -> Any:
        self.configured = {"args": from_struct(request.args), "variables": dict(request.variables)}
        return provider_pb2.ConfigureResponse(acceptSecrets=True)

    def Invoke(self, request: Any, context: Any) -> Any:
        if request.tok == "fail":
            context.abort(grpc.StatusCode.UNKNOWN, "no stock: " + "x" * 20_000)
        if request.tok == "crash":
            sys.stderr.write("panic: no such field\n\ngoroutine 1 [running]:\n")
            sys.stderr.flush()
            os._exit(2)
        if request.tok == "ask":
            return provider_pb2.InvokeResponse(
                **{"return": to_struct({"answer": ask(from_struct(request.args)["url"])})}
            )
        said = {**self.configured, "environment": dict(os.environ), "arguments": sys.argv[1:]}
        said |= {"engine": self.engine, "process": os.getpid()}
        return provider_pb2.InvokeResponse(**{"return": to_struct({"said": json.dumps(said)})})

    def Cancel(self, request: Any, context: Any) -> Any:
        return empty_pb2.Empty()


def ask(url: str) -> str:
    """The status of an answer, as a program gets it that heeds the proxies of its environment."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return str(answer.status)
    except urllib.error.HTTPError as error:
        return str(error.code)
    except OSError as error:
        return type(error).__name__


def main() -> None:
    """Serve until killed."""
    if "STAND_IN_FAILS" in os.environ:
        raise SystemExit(os.environ["STAND_IN_FAILS"])
    server = grpc.server(futures.ThreadPoolExecutor(), options=[("grpc.absolute_max_metadata_size", 1 << 20)])
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(Plugin(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    time.sleep(600)


if __name__ == "__main__":
    main()
