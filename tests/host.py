"""Drive the component host over gRPC as the engine does, with a resource monitor of our own and no engine."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf import empty_pb2, json_format, struct_pb2
from pulumi.runtime.proto import (
    callback_pb2,
    callback_pb2_grpc,
    engine_pb2_grpc,
    errors_pb2,
    provider_pb2,
    provider_pb2_grpc,
    resource_pb2,
    resource_pb2_grpc,
    status_pb2,
)

from pulumi_llm._simcloud.simulator import for_package

SIGNATURE = "4dabf18193072939515e22adb298388d"
SECRET = "1b47061264138c4ac30d75fd1eb44270"


def secret(value: Any) -> dict[str, Any]:
    return {SIGNATURE: SECRET, "value": value}


@dataclass
class Registered:
    type: str
    name: str
    parent: str
    inputs: dict[str, Any]

    @property
    def urn(self) -> str:
        return f"urn:pulumi:dev::proj::{self.type}::{self.name}"


@dataclass
class Monitor(resource_pb2_grpc.ResourceMonitorServicer):
    seen: list[Registered] = field(default_factory=list)
    hooks: list[Any] = field(default_factory=list)
    answers: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Look-ups that are answered otherwise than by the simulated clouds."""

    async def SupportsFeature(self, request: Any, context: Any) -> Any:
        return resource_pb2.SupportsFeatureResponse(hasSupport=True)

    async def GetDeploymentInfo(self, request: Any, context: Any) -> Any:
        names = ["SECRETS", "RESOURCE_REFERENCES", "OUTPUT_VALUES", "ALIAS_SPECS", "TRANSFORMS"]
        names += ["REPLACEMENT_TRIGGER", "RESOURCE_HOOKS"]
        features = [getattr(resource_pb2, f"RESOURCE_MONITOR_FEATURE_{name}") for name in names]
        return resource_pb2.DeploymentInfo(supportedFeatures=features)

    async def RegisterResourceHook(self, request: Any, context: Any) -> Any:
        self.hooks.append(request)
        return empty_pb2.Empty()

    async def RegisterResource(self, request: Any, context: Any) -> Any:
        inputs = json_format.MessageToDict(request.object)
        self.seen.append(Registered(request.type, request.name, request.parent, inputs))
        outputs = struct_pb2.Struct()
        outputs.CopyFrom(request.object)
        if request.custom and request.type.lower().endswith(("eipaddress", "eip")):
            outputs.update(dict.fromkeys(("ipAddress", "publicIp"), "198.51.100.7"))
        urn = f"urn:pulumi:dev::proj::{request.type}::{request.name}"
        identity = f"{request.name}-id" if request.custom else ""
        return resource_pb2.RegisterResourceResponse(urn=urn, id=identity, object=outputs)

    async def RegisterResourceOutputs(self, request: Any, context: Any) -> Any:
        return empty_pb2.Empty()

    async def Invoke(self, request: Any, context: Any) -> Any:
        if request.tok == "pulumi:pulumi:getResource":  # as the engine's built-in provider
            urn = request.args["urn"]
            state = next(each.inputs for each in self.seen if each.urn == urn)
            answer = struct_pb2.Struct()
            answer.update({"urn": urn, "id": "known", "state": state})
            return resource_pb2.ResourceInvokeResponse(**{"return": answer})
        provider = request.provider.rsplit("::", 2)[1]
        region = next(each.inputs["region"] for each in self.seen if each.name == provider)
        simulator = for_package(request.tok.split(":", 1)[0])
        simulator.configure({"region": region})
        answer = struct_pb2.Struct()
        args = json_format.MessageToDict(request.args)
        answer.update(self.answers[request.tok] if request.tok in self.answers else simulator.invoke(request.tok, args))
        return resource_pb2.ResourceInvokeResponse(**{"return": answer})

    async def SignalAndWaitForShutdown(self, request: Any, context: Any) -> Any:
        return empty_pb2.Empty()


class _Engine(engine_pb2_grpc.EngineServicer):
    async def Log(self, request: Any, context: Any) -> Any:
        return empty_pb2.Empty()


@dataclass
class Host:
    """A running component host."""

    stub: Any
    monitor: Monitor
    endpoint: str

    async def schema(self) -> dict[str, Any]:
        answer = await self.stub.GetSchema(provider_pb2.GetSchemaRequest())
        return dict(json.loads(answer.schema))

    async def construct(
        self, component: str, name: str, inputs: dict[str, Any], providers: dict[str, str] | None = None
    ) -> dict[str, Any]:
        message = struct_pb2.Struct()
        json_format.ParseDict(inputs, message)
        answer = await self.stub.Construct(
            provider_pb2.ConstructRequest(
                project="proj",
                stack="dev",
                parallel=4,
                monitorEndpoint=self.endpoint,
                type=f"llm:index:{component}",
                name=name,
                inputs=message,
                providers=providers or {},
            )
        )
        return dict(json_format.MessageToDict(answer.state))


async def call_hook(hook: Any, urn: str, old: dict[str, Any], new: dict[str, Any]) -> str:
    """Call a registered hook as the engine does before an update; gives its error."""
    request = resource_pb2.ResourceHookRequest(urn=urn)
    request.old_inputs.update(old)
    request.new_inputs.update(new)
    async with grpc.aio.insecure_channel(hook.callback.target) as channel:
        call = callback_pb2.CallbackInvokeRequest(token=hook.callback.token, request=request.SerializeToString())
        answer = await callback_pb2_grpc.CallbacksStub(channel).Invoke(call)
    return str(resource_pb2.ResourceHookResponse.FromString(answer.response).error)


@contextlib.asynccontextmanager
async def component_host(python: str = sys.executable) -> AsyncIterator[Host]:
    """Start the host the way the engine's language plugin does for a source-based plugin."""
    monitor = Monitor()
    server = grpc.aio.server()
    resource_pb2_grpc.add_ResourceMonitorServicer_to_server(monitor, server)
    engine_pb2_grpc.add_EngineServicer_to_server(_Engine(), server)
    endpoint = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    process = await asyncio.create_subprocess_exec(
        python, "-m", "pulumi.run.plugin", "pulumi-llm", endpoint, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        port = int((await asyncio.wait_for(process.stdout.readline(), 60)).decode())
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield Host(provider_pb2_grpc.ResourceProviderStub(channel), monitor, endpoint)
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()
        await server.stop(0)


@dataclass(frozen=True)
class Refused:
    """What the engine is told of a call that failed: a message, and what is wrong with which property."""

    code: grpc.StatusCode
    message: str
    properties: dict[str, str]

    @property
    def text(self) -> str:
        return "\n".join([self.message, *(f"{path}: {reason}" for path, reason in self.properties.items())])


def explained(error: grpc.aio.AioRpcError) -> Refused:
    """An error as the engine reads it (pulumi's sdk/go/common/util/rpcutil/rpcerror)."""
    properties: dict[str, str] = {}
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            status = status_pb2.Status()
            status.ParseFromString(value)
            for detail in status.details:
                message = errors_pb2.InputPropertiesError()
                assert detail.Unpack(message)
                properties |= {each.property_path: each.reason for each in message.errors}
    return Refused(error.code(), error.details() or "", properties)
