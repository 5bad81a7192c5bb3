"""What a collector of OpenTelemetry is told of each call, and what it is not."""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from opentelemetry.semconv._incubating.attributes import gen_ai_attributes as generative
from opentelemetry.semconv.attributes import error_attributes, http_attributes, url_attributes

from tests.gateway.fake import ANSWER, Fake
from tests.gateway.harness import KEY, PROMPT, UPSTREAM_KEY, Home, Running, chat, client_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

OURS = "llm_gateway."


class Collector:
    """Takes spans over HTTP as OpenTelemetry's own would, read by its published schema."""

    def __init__(self) -> None:
        self.answers: list[int] = []
        """What it says to the next requests; 200 after them."""
        self.bodies: list[bytes] = []
        self.headers: list[dict[str, str]] = []
        self.spans: list[Span] = []
        self.services: set[str] = set()

    async def take(self, request: web.BaseRequest) -> web.Response:
        body = await request.read()
        status = self.answers.pop(0) if self.answers else 200
        if status == 200:
            assert (request.method, request.path) == ("POST", "/v1/traces")
            self.bodies.append(body)
            self.headers.append(dict(request.headers))
            told = json_format.ParseDict(_bytes_in_base64(json.loads(body)), ExportTraceServiceRequest())
            for each in told.resource_spans:
                self.services |= {one.value.string_value for one in each.resource.attributes}
                self.spans += [span for scope in each.scope_spans for span in scope.spans]
        return web.json_response({}, status=status)


def _bytes_in_base64(document: Any) -> Any:
    """OTLP writes ids in hexadecimal, where protobuf's own JSON has base 64. Nothing else differs."""
    if isinstance(document, list):
        return [_bytes_in_base64(each) for each in document]
    if not isinstance(document, dict):
        return document
    found = {key: _bytes_in_base64(value) for key, value in document.items()}
    for key in ("traceId", "spanId", "parentSpanId"):
        if key in found:
            found[key] = base64.b64encode(bytes.fromhex(found[key])).decode()
    return found


@asynccontextmanager
async def collector() -> AsyncIterator[tuple[Collector, str]]:
    taking = Collector()
    runner = web.ServerRunner(web.Server(taking.take, access_log=None))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield taking, f"http://127.0.0.1:{runner.addresses[0][1]}/v1/traces"
    finally:
        await runner.cleanup()


def asked(home: Home, endpoint: str | None, share: float = 1.0, *, engine: bool = False) -> Home:
    rules = {who: rules for who, (_, rules) in home.keys.items()}
    traces = {} if endpoint is None else {"traces": {"endpoint": endpoint, "share": share, "engine": engine}}
    home.write("settings/policy.json", {"keys": rules, "content": {}, **traces})
    return home


@asynccontextmanager
async def traced(root: Path, share: float = 1.0) -> AsyncIterator[tuple[Running, Collector]]:
    async with Fake() as fake, collector() as (taking, endpoint):
        home = asked(Home(root).key(), endpoint, share).routes(fake.url)
        async with home.here() as gate:
            yield gate, taking


async def call(gate: Running, model: str = "plain", **more: Any) -> int:
    headers = more.pop("headers", {})
    path, body = "/v1/chat/completions", chat(model, **more)
    async with client_of(gate) as client, client.post(path, json=body, headers=headers) as reply:
        await reply.read()
        return reply.status


async def sent(gate: Running) -> None:
    await gate.settled()
    await gate.gateway.traces.send()


def values(span: Span) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in span.attributes}


@pytest.mark.parametrize("stream", [False, True])
async def test_a_call_is_one_span_with_what_it_took_and_nothing_that_was_said(tmp_path: Path, stream: bool) -> None:
    async with traced(tmp_path) as (gate, taking):
        assert await call(gate, stream=stream) == 200
        await sent(gate)
        ((request, tokens_in, tokens_out),) = gate.calls("request, tokens_in, tokens_out")
        (span,) = taking.spans
        found = values(span)
        assert found == {
            generative.GEN_AI_OPERATION_NAME: generative.GenAiOperationNameValues.CHAT.value,
            generative.GEN_AI_PROVIDER_NAME: "openai",
            generative.GEN_AI_REQUEST_MODEL: "plain",
            generative.GEN_AI_REQUEST_STREAM: stream,
            generative.GEN_AI_USAGE_INPUT_TOKENS: tokens_in,
            generative.GEN_AI_USAGE_OUTPUT_TOKENS: tokens_out,
            generative.GEN_AI_RESPONSE_TIME_TO_FIRST_CHUNK: found[generative.GEN_AI_RESPONSE_TIME_TO_FIRST_CHUNK],
            http_attributes.HTTP_RESPONSE_STATUS_CODE: 200,
            url_attributes.URL_PATH: "/v1/chat/completions",
            f"{OURS}key": "app",
            f"{OURS}request_id": request,
            f"{OURS}cost_usd": 0.0,
            f"{OURS}upstream": "fake",
        }
        assert span.name == "chat plain"
        assert span.kind == Span.SPAN_KIND_SERVER
        assert span.status.code == Status.STATUS_CODE_UNSET
        assert not span.parent_span_id
        took = (span.end_time_unix_nano - span.start_time_unix_nano) / 1e9
        assert 0 < found[generative.GEN_AI_RESPONSE_TIME_TO_FIRST_CHUNK] <= took < 60
        assert taking.services == {"llm-gateway"}
        for secret in (KEY, UPSTREAM_KEY, PROMPT, ANSWER):
            assert secret not in str(taking.bodies) + str(taking.headers)


async def test_a_call_that_fails_at_its_upstream_is_a_span_that_says_so(tmp_path: Path) -> None:
    async with traced(tmp_path) as (gate, taking):
        status = await call(gate, "status-500")
        await sent(gate)
        (span,) = taking.spans
        assert status >= 500
        assert values(span)[error_attributes.ERROR_TYPE] == str(status)
        assert span.status.code == Status.STATUS_CODE_ERROR


async def test_a_callers_trace_goes_on_and_one_that_traces_nothing_is_obeyed(tmp_path: Path) -> None:
    trace, parent = secrets.token_hex(16), secrets.token_hex(8)
    async with traced(tmp_path) as (gate, taking):
        await call(gate, headers={"traceparent": f"00-{trace}-{parent}-00"})
        await call(gate, headers={"traceparent": f"00-{trace}-{parent}-01"})
        await sent(gate)
        (span,) = taking.spans
        assert (span.trace_id.hex(), span.parent_span_id.hex()) == (trace, parent)


@pytest.mark.parametrize("header", ["", "00-xyz", f"00-{'0' * 32}-{'1' * 16}-01", f"00-{'1' * 32}-{'0' * 16}-01"])
async def test_a_traceparent_that_is_none_begins_a_trace_of_its_own(tmp_path: Path, header: str) -> None:
    async with traced(tmp_path) as (gate, taking):
        await call(gate, headers={"traceparent": header})
        await sent(gate)
        (span,) = taking.spans
        assert any(span.trace_id)
        assert not span.parent_span_id


def traceparents(fake: Fake) -> list[str | None]:
    return [each.headers.get("traceparent") for each in fake.seen]


@pytest.mark.parametrize(("kind", "told"), [("vllm", True), ("openai", False), ("gateway", False)])
async def test_an_engine_learns_the_trace_that_it_is_to_tell_its_part_of_and_no_vendor_does(
    tmp_path: Path, kind: str, told: bool
) -> None:
    async with Fake() as fake, collector() as (taking, endpoint):
        home = asked(Home(tmp_path).key(), endpoint, engine=True).routes(fake.url, kind=kind)
        async with home.here() as gate:
            await call(gate)
            await sent(gate)
            (span,) = taking.spans
            says = f"00-{span.trace_id.hex()}-{span.span_id.hex()}-01" if told else None
            assert traceparents(fake) == [says]


async def test_an_engine_is_told_of_no_call_that_is_not_traced_and_of_none_unless_it_is_asked(tmp_path: Path) -> None:
    trace = f"{'1' * 32}-{'2' * 16}"
    async with Fake() as fake, collector() as (_, endpoint):
        home = asked(Home(tmp_path).key(), endpoint, engine=True).routes(fake.url, kind="vllm")
        async with home.here() as gate:
            await call(gate, headers={"traceparent": f"00-{trace}-00"})
        home = asked(Home(tmp_path / "other").key(), endpoint).routes(fake.url, kind="vllm")
        async with home.here() as gate:
            await call(gate, headers={"traceparent": f"00-{trace}-01"})
        assert traceparents(fake) == [None, None]


async def test_a_further_machines_gateway_hands_on_what_the_first_one_says(tmp_path: Path) -> None:
    trace = f"{'1' * 32}-{'2' * 16}"
    async with Fake() as fake:
        home = asked(Home(tmp_path).key(), "", engine=True).routes(fake.url, kind="vllm")
        async with home.here() as gate:
            for header in (f"00-{trace}-01", f"00-{trace}-00", "nonsense", ""):
                await call(gate, headers={"traceparent": header})
        assert traceparents(fake) == [f"00-{trace}-01", None, None, None]


async def test_of_a_share_a_trace_is_in_or_out_by_its_id_alone(tmp_path: Path) -> None:
    low, high = "1" * 16 + "0" * 15 + "1", "1" * 16 + "f" * 16
    async with traced(tmp_path, share=0.5) as (gate, taking):
        for trace in (low, high, low, high):
            await call(gate, headers={"traceparent": f"00-{trace}-{'2' * 16}-01"})
        await sent(gate)
        assert [each.trace_id.hex() for each in taking.spans] == [low, low]


async def test_calls_wait_for_no_collector_and_it_gets_what_it_missed(tmp_path: Path) -> None:
    async with traced(tmp_path) as (gate, taking):
        taking.answers = [503]
        assert await call(gate) == 200
        await sent(gate)
        assert await call(gate) == 200
        await sent(gate)  # too early to ask again
        assert not taking.spans
        await asyncio.sleep(1.1)
        await sent(gate)
        assert len(taking.spans) == 2
        assert "llm_gateway_spans_lost_total 0" not in await metrics(gate)


async def test_what_a_collector_refuses_is_lost_and_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with traced(tmp_path) as (gate, taking):
        taking.answers = [400]
        await call(gate)
        await sent(gate)
        await sent(gate)
        assert not taking.spans
        assert "llm_gateway_spans_lost_total 1" in await metrics(gate)
        assert "[gate.traces] the collector refuses spans: it answers 400" in capsys.readouterr().err


async def test_of_too_many_that_wait_the_oldest_are_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from llm_gate import traces

    monkeypatch.setattr(traces, "MOST", 2)
    async with traced(tmp_path) as (gate, taking):
        for model in ("plain", "echo", "no-usage"):
            await call(gate, model)
        await sent(gate)
        assert [values(each)[generative.GEN_AI_REQUEST_MODEL] for each in taking.spans] == ["echo", "no-usage"]
        assert "llm_gateway_spans_lost_total 1" in await metrics(gate)


async def test_nobody_is_told_until_the_settings_name_a_collector_and_no_more_once_they_do_not(tmp_path: Path) -> None:
    async with Fake() as fake, collector() as (taking, endpoint):
        home = asked(Home(tmp_path).key(), None).routes(fake.url)
        async with home.here() as gate:
            await call(gate)
            asked(home, endpoint)
            await call(gate)
            await sent(gate)
            assert len(taking.spans) == 1
            await call(gate)
            asked(home, None)
            await call(gate)
            await sent(gate)
            assert len(taking.spans) == 1


async def test_the_process_sends_by_itself_and_once_more_at_its_end(tmp_path: Path) -> None:
    async with Fake() as fake, collector() as (taking, endpoint):
        home = asked(Home(tmp_path).key(), endpoint).routes(fake.url)
        async with home.running() as gate:
            await call(gate)
            async with asyncio.timeout(20):
                while not taking.spans:
                    await asyncio.sleep(0.05)
            await call(gate)
            await gate.logged()
        assert len(taking.spans) == 2


async def metrics(gate: Running) -> str:
    async with client_of(gate) as client, client.get(f"{gate.metrics}/metrics") as reply:
        return await reply.text()
