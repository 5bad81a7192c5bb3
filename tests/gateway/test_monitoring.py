"""What a key for monitoring reads, and that no other key does."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from tests.gateway.fake import Fake
from tests.gateway.front import front
from tests.gateway.harness import KEY, PROMPT, UPSTREAM_KEY, Home, Running, chat, client_of
from tests.outlook.test_certificates import made, served

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

WATCH = "sk-watch-PLANTED-0123456789abcdef"
ENGINE = '# TYPE vllm:num_requests_running gauge\nvllm:num_requests_running{engine="0",model_name="m"} 3.0\n'


def home(root: Path, **limits: Any) -> Home:
    made = Home(root).key(monthly_tokens=1000).key("rich", "sk-rich", daily_budget_usd=5)
    return made.key("watch", WATCH, endpoints=["/metrics"], **limits)


async def read(gate: Running, key: str = WATCH, **headers: str) -> tuple[int, str]:
    async with client_of(gate, key) as client, client.get("/metrics", headers=headers) as reply:
        return reply.status, await reply.text()


def values(text: str) -> dict[str, float]:
    rows = (line.rpartition(" ") for line in text.splitlines() if line and not line.startswith("#"))
    return {name: float(value) for name, __, value in rows}


@asynccontextmanager
async def engine(answer: bytes | None) -> AsyncIterator[int]:
    """A server on loopback that answers so; None: it never does."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        if answer is None:
            await asyncio.sleep(60)
        writer.write(answer or b"")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


def ok(body: str) -> bytes:
    return f"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n{body}".encode()


async def test_a_key_that_names_the_path_reads_it_and_can_do_nothing_else(tmp_path: Path) -> None:
    async with Fake() as fake, home(tmp_path).routes(fake.url).here() as gate:
        async with client_of(gate, KEY) as client, client.post("/v1/chat/completions", json=chat()) as reply:
            assert reply.status == 200
        await gate.settled()
        status, text = await read(gate)
        assert status == 200
        found = values(text)
        assert found['llm_gateway_tokens_total{key="app",model="plain",direction="in"}'] == 10
        assert found['llm_gateway_budget{key="rich",unit="usd",period="day"}'] == 5
        assert found['llm_gateway_budget_used{key="app",unit="tokens",period="month"}'] == 17
        assert found['llm_node_disk_bytes{path="/"}'] >= found['llm_node_disk_free_bytes{path="/"}'] > 0
        assert "llm_gateway_engine_up" not in found
        for secret in (KEY, WATCH, UPSTREAM_KEY, PROMPT):
            assert secret not in text
        async with client_of(gate, WATCH) as client, client.post("/v1/chat/completions", json=chat()) as reply:
            assert reply.status == 403


@pytest.mark.parametrize("endpoints", [None, [], ["/v1/chat/completions", "/v1/models"]])
async def test_no_key_reads_it_that_does_not_name_it(tmp_path: Path, endpoints: list[str] | None) -> None:
    async with Fake() as fake:
        limits = {} if endpoints is None else {"endpoints": endpoints}
        async with Home(tmp_path).key(**limits).routes(fake.url).here() as gate:
            status, text = await read(gate, KEY)
            assert status == 404
            assert "llm_" not in text
            assert (await read(gate, "sk-none"))[0] == 401


async def test_it_is_read_from_the_addresses_of_the_key_alone(tmp_path: Path) -> None:
    async with Fake() as fake:
        stood = home(tmp_path, source_cidrs=["192.0.2.0/24"]).routes(fake.url)
        async with stood.here() as gate:
            assert (await read(gate))[0] == 403
            assert (await read(gate, **{"X-Llm-Client": "192.0.2.9"}))[0] == 200


async def test_an_end_of_a_key_is_told(tmp_path: Path) -> None:
    end = int(time.time()) + 86400
    async with Fake() as fake, home(tmp_path).key("brief", "sk-brief", expires=end).routes(fake.url).here() as gate:
        found = values((await read(gate))[1])
        assert found['llm_gateway_key_end_timestamp_seconds{key="brief"}'] == end


@pytest.mark.parametrize(
    ("document", "row"),
    [
        ({"state": "watching", "reason": None, "code": None}, ('state="watching"', 0)),
        ({"state": "stopping", "reason": "idle", "code": None}, ('state="stopping"', 1)),
        ({"state": "draining", "code": "leave.spot-notice"}, ('state="draining",code="leave.spot-notice"', 1)),
        ({"state": "failed", "reason": "hours", "code": "leave.denied"}, ('state="failed",code="leave.denied"', 1)),
        (None, None),
        ("half a docu", None),
        ([], None),
        ({"state": 7, "code": {}}, None),
    ],
)
async def test_a_machine_that_leaves_is_told_as_its_status_tells_it(
    tmp_path: Path, document: Any, row: tuple[str, int] | None
) -> None:
    from llm_gate import metrics, monitoring

    if document is not None:
        text = document if isinstance(document, str) else json.dumps(document)
        (tmp_path / "leave.json").write_text(text)
    found = await monitoring.Machine((), leave=tmp_path / "leave.json").gauges(None)
    assert {name for name, __ in found} <= {"llm_node_leaving"}
    shown = metrics.Metrics().render(found)
    if row is None:
        assert "llm_node_leaving{" not in shown
    else:
        assert f"llm_node_leaving{{{row[0]}}} {row[1]}" in shown


async def test_the_row_goes_with_the_document_and_follows_it(tmp_path: Path) -> None:
    from llm_gate import monitoring

    told, machine = tmp_path / "leave.json", monitoring.Machine((), leave=tmp_path / "leave.json")
    told.write_text('{"state": "watching"}')
    assert set((await machine.gauges(None)).values()) == {0.0}
    told.write_text('{"state": "draining", "code": "leave.spot-notice"}')
    assert set((await machine.gauges(None)).values()) == {1.0}
    told.unlink()
    assert await machine.gauges(None) == {}


# -- the engine beside it


async def told(root: Path, port: int, kind: str = "vllm") -> tuple[dict[str, float], str]:
    async with home(root).routes(f"http://127.0.0.1:{port}/v1", kind=kind).here() as gate:
        __, text = await read(gate)
        return values(text), text


async def test_the_numbers_of_the_vllm_on_the_machine_stand_below_as_they_are(tmp_path: Path) -> None:
    async with engine(ok(ENGINE.rstrip("\n"))) as port:
        found, text = await told(tmp_path, port)
    assert found["llm_gateway_engine_up"] == 1
    assert text.endswith(ENGINE)


@pytest.mark.parametrize(
    "answer", [b"HTTP/1.1 500 no\r\n\r\nx", b"", ok(""), ok("x" * (9 << 20)), b"HTTP/1.1 200 OK\r\n\r\n\xff"]
)
async def test_an_engine_that_tells_nothing_is_down_and_the_gateways_numbers_are_there(
    tmp_path: Path, answer: bytes
) -> None:
    async with engine(answer) as port:
        found, __ = await told(tmp_path, port)
    assert found["llm_gateway_engine_up"] == 0
    assert 'llm_node_disk_bytes{path="/"}' in found


async def test_an_engine_that_does_not_answer_is_not_waited_for_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from llm_gate import monitoring

    monkeypatch.setattr(monitoring, "SECONDS", 0.2)
    async with engine(None) as port:
        began = time.monotonic()
        found, __ = await told(tmp_path, port)
    assert found["llm_gateway_engine_up"] == 0
    assert time.monotonic() - began < 5


async def test_a_vendor_is_not_asked_for_numbers(tmp_path: Path) -> None:
    async with engine(ok(ENGINE)) as port:
        found, __ = await told(tmp_path, port, kind="openai")
    assert "llm_gateway_engine_up" not in found


def test_the_engines_of_this_machine_are_asked_and_no_others() -> None:
    from llm_gate import monitoring
    from llm_gate.routes import Upstream

    rows = [Upstream("a", "openai", "http://127.0.0.1:1"), Upstream("b", "vllm", "http://10.0.0.8:8000/v1")]
    assert monitoring.engines(rows) == []
    rows += [Upstream("vllm/e", "vllm", "http://127.0.0.1:8011/v1"), Upstream("vllm", "vllm", "http://127.0.0.1:8000")]
    assert monitoring.engines(rows) == [rows[3], rows[2]]
    assert [monitoring.labels_of(each) for each in (rows[3], rows[2])] == [(), (("engine", "vllm/e"),)]


async def test_a_monitor_reads_the_numbers_of_every_model_and_no_name_twice(tmp_path: Path) -> None:
    process = "# TYPE process_open_fds gauge\nprocess_open_fds 7.0\n"
    second = ENGINE.replace('"m"', '"bge"').replace("3.0", "5.0")
    more = '# HELP vllm:prompt_tokens x\n# TYPE vllm:prompt_tokens counter\nvllm:prompt_tokens{model_name="bge"} 9.0\n'
    async with engine(ok(ENGINE + process)) as one, engine(ok(process + second + more)) as two:
        other = {"vllm/bge": {"kind": "vllm", "base_url": f"http://127.0.0.1:{two}/v1"}}
        row = {"bge": {"targets": [{"upstream": "vllm/bge", "model": "bge"}]}}
        made = home(tmp_path).routes(f"http://127.0.0.1:{one}/v1", kind="vllm", upstreams=other, routes=row)
        async with made.here() as gate:
            text = (await read(gate))[1]
    found = values(text)
    assert (found["llm_gateway_engine_up"], found['llm_gateway_engine_up{engine="vllm/bge"}']) == (1, 1)
    assert found['vllm:num_requests_running{engine="0",model_name="m"}'] == 3
    assert found['vllm:num_requests_running{engine="0",model_name="bge"}'] == 5
    assert found['vllm:prompt_tokens{model_name="bge"}'] == 9
    told = [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE ")]
    assert len(told) == len(set(told))
    assert text.count("process_open_fds 7.0") == 1
    rows = [line for line in text.splitlines() if "vllm:num_requests_running" in line]
    assert "\n".join(rows) in text  # together, as the format has it
    assert len(rows) == 3


# -- the certificate


@pytest.mark.parametrize("days", [40, 400, 9000, 12000])  # beyond 2049 the form of the time is another
def test_the_end_of_a_certificate_is_what_a_library_for_certificates_reads(days: int) -> None:
    from llm_gate import monitoring

    certificate = made(days)[0]
    der = certificate.public_bytes(Encoding.DER)
    assert monitoring.not_after(der) == certificate.not_valid_after_utc.timestamp()
    assert x509.load_der_x509_certificate(der).not_valid_after_utc > datetime.now(UTC)


@pytest.mark.parametrize("der", [b"", b"\x30", b"\x30\x82\xff\xff", b"\x30\x03\x02\x01\x01", bytes(200)])
def test_what_is_no_certificate_has_no_end(der: bytes) -> None:
    from llm_gate import monitoring

    with pytest.raises((ValueError, IndexError)):
        monitoring.not_after(der)


async def test_the_machine_is_asked_at_its_own_port_for_its_certificate(tmp_path: Path) -> None:
    from llm_gate import monitoring

    with served(tmp_path, 40) as target:
        port = int(target.endpoint.rpartition(":")[2])
        gauges = await monitoring.Machine(disks=()).gauges(port)
        assert gauges["llm_node_certificate_end_timestamp_seconds", ()] == pytest.approx(
            time.time() + 40 * 86400, abs=120
        )
    assert await monitoring.Machine(disks=("/nowhere",)).gauges(port) == {}
    assert await monitoring.Machine(disks=()).gauges(None) == {}


# -- behind Caddy


SPELT = [("GET", each) for each in ("/metrics", "/metrics/", "/Metrics", "//metrics", "/metrics?x=1", "/%6detrics")]


async def test_caddy_lets_it_through_as_it_is_written_and_in_no_other_spelling(tmp_path: Path) -> None:
    async with front(tmp_path, endpoints=["/metrics"]) as it:
        seen = {}
        for method, path in [*SPELT, ("POST", "/metrics"), ("HEAD", "/metrics")]:
            head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\nConnection: close\r\n\r\n"
            seen[method, path] = (await it.raw(head.encode())).split(b" ", 2)[1]
        assert seen.pop(("GET", "/metrics")) == b"200"
        assert set(seen.values()) == {b"404"}


def test_a_stacks_key_may_name_the_path_and_one_that_is_misspelt_is_told() -> None:
    from pulumi_llm.roles import gateway
    from pulumi_llm.roles.requests import GatewayKey, GatewayRole, Route
    from tests.bootstrap.samples import MINI, OPENAI

    for path, codes in (("/metrics", []), ("/metric", ["bootstrap.unknown-endpoint"])):
        key = GatewayKey(name="monitoring", endpoints=(path,), source_cidrs=("203.0.113.9/32",))
        routes = (Route(name="mini", targets=(MINI,)),)
        role = GatewayRole(https_port=443, upstreams=(OPENAI,), routes=routes, keys=(key,))
        assert [each.code for each in gateway.mistakes(role)] == codes
