"""A real vLLM tells a collector of its part of a call that the gateway traces, and of nothing that was said."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.clients.engine import FLAGS, can_start, engine
from tests.gateway.front import free_port
from tests.gateway.harness import Home, client_of
from tests.gateway.test_traces import asked, collector, sent, values

pytestmark = [pytest.mark.clients, pytest.mark.on_vllm, pytest.mark.xdist_group("vllm")]
SECRET = "the-colour-of-my-house-is-mauve"
SAMPLED = {
    "OTEL_SERVICE_NAME": "vllm",
    "OTEL_TRACES_SAMPLER": "parentbased_always_off",
    "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf",
    "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT": "3",
    "OTEL_BSP_SCHEDULE_DELAY": "200",
}
"""As the unit has it; sent sooner, so that nobody waits five seconds."""


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory, port: int) -> Iterator[str]:
    if not can_start():
        pytest.skip("vLLM for the CPU or Python 3.13 is not there: tools/fetch boot")
    flags = (*FLAGS, "--otlp-traces-endpoint", f"http://127.0.0.1:{port}/v1/traces")
    with engine(tmp_path_factory.mktemp("vllm"), flags, more=SAMPLED) as found:
        yield found


class OfEngine:
    """What vLLM sends: OTLP over HTTP in protobuf."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.spans: list[Span] = []
        self.services: set[str] = set()

    async def take(self, request: web.BaseRequest) -> web.Response:
        body = await request.read()
        if request.headers.get("Content-Encoding") == "gzip":
            raise AssertionError("nobody asked for that")
        self.bodies.append(body)
        for each in ExportTraceServiceRequest.FromString(body).resource_spans:
            found = {one.key: one.value.string_value for one in each.resource.attributes}
            self.services.add(found["service.name"])
            self.spans += [span for scope in each.scope_spans for span in scope.spans]
        return web.Response(content_type="application/x-protobuf")


@asynccontextmanager
async def taking_at(port: int) -> AsyncIterator[OfEngine]:
    taking = OfEngine()
    runner = web.ServerRunner(web.Server(taking.take, access_log=None))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield taking
    finally:
        await runner.cleanup()


async def test_its_span_is_below_the_gateways_and_has_numbers_alone(tmp_path: Path, address: str, port: int) -> None:
    async with collector() as (gateways, endpoint), taking_at(port) as engines:
        home = asked(Home(tmp_path).key(), endpoint, engine=True).routes(f"{address}/v1", kind="vllm")
        body: dict[str, Any] = {"model": "plain", "max_tokens": 8, "messages": [{"role": "user", "content": SECRET}]}
        async with home.here() as gate, client_of(gate) as client:
            untraced = f"00-{'1' * 32}-{'2' * 16}-00"
            for headers in ({"traceparent": untraced}, {}):
                async with client.post("/v1/chat/completions", json=body, headers=headers) as reply:
                    answer = await reply.json()
                    assert reply.status == 200, answer
            await sent(gate)
            for _ in range(100):
                if engines.spans:
                    break
                await asyncio.sleep(0.1)
        (above,), (below,) = gateways.spans, engines.spans
        assert (below.trace_id, below.parent_span_id) == (above.trace_id, above.span_id)
        assert (below.name, engines.services) == ("llm_request", {"vllm"})
        found = values(below)
        assert found["gen_ai.usage.prompt_tokens"] == answer["usage"]["prompt_tokens"]
        assert found["gen_ai.usage.completion_tokens"] == answer["usage"]["completion_tokens"]
        assert {"gen_ai.latency.time_in_queue", "gen_ai.latency.time_in_model_prefill"} <= set(found)
        texts = {name for name, value in found.items() if isinstance(value, str)}
        assert texts == {"gen_ai.request.id"}
        said = answer["choices"][0]["message"]["content"]
        assert SECRET.encode() not in b"".join(engines.bodies)
        assert not said or len(said) < 4 or said.encode() not in b"".join(engines.bodies)
        assert not below.events
