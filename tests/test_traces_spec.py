"""A collector of spans: what its address may be, and that the gateway that names it learns of it, and no other."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pulumi_llm import _host as hosts
from pulumi_llm import _nodes, _replica
from pulumi_llm._resolve.platform import resolve_platform
from pulumi_llm.roles import gateway
from pulumi_llm.roles.requests import GatewayRole, VllmRole
from tests.test_spec import changed, codes

COLLECTOR = "http://10.0.0.9:4318/v1/traces"


def told(platform: dict[str, Any]) -> dict[str, Any]:
    """What the policy of each gateway says of traces."""
    wanted = resolve_platform(platform)
    assert wanted.proxy is not None
    nodes = {"server": _nodes.server_node("s", wanted.server), "proxy": _nodes.proxy_node("p", wanted.proxy)}
    roles = {name: next(each for each in node.roles if isinstance(each, GatewayRole)) for name, node in nodes.items()}
    return {name: json.loads(gateway.policy(role)).get("traces") for name, role in roles.items()}


@pytest.mark.parametrize("where", ["server", "proxy"])
def test_the_gateway_that_names_a_collector_learns_of_it_and_the_other_does_not(where: str) -> None:
    found = told(changed(f"{where}.traces", {"endpoint": COLLECTOR, "share": 0.25}))
    assert found.pop(where) == {"endpoint": COLLECTOR, "share": 0.25}
    assert list(found.values()) == [None]


@pytest.mark.parametrize("endpoint", [COLLECTOR, "https://otel.example.com/v1/traces", "http://otel.internal:4318/t"])
def test_a_collector_is_at_a_private_address_or_behind_tls(endpoint: str) -> None:
    assert told(changed("server.traces", {"endpoint": endpoint}))["server"] == {"endpoint": endpoint, "share": 1.0}


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://otel.example.com:4318/v1/traces",
        "https://user:word@otel.example.com/v1/traces",
        "https://otel.example.com/v1/traces?token=1",
        "https://localhost/v1/traces",
        "http://100.100.100.200/v1/traces",
        "grpc://10.0.0.9:4317",
        "otel",
    ],
)
def test_any_other_address_is_refused(endpoint: str) -> None:
    assert codes(changed("server.traces", {"endpoint": endpoint})) == ["spec.bad-url"]


@pytest.mark.parametrize("share", [0, -0.5, 1.5, "half", True])
def test_a_share_is_above_0_and_at_most_1(share: object) -> None:
    assert len(codes(changed("server.traces", {"endpoint": COLLECTOR, "share": share}))) == 1


@pytest.mark.parametrize("endpoint", ["http://otel.internal:4318/v1/traces", "https://otel.example.com/v1/traces"])
def test_an_engine_tells_a_collector_at_an_ip_address_alone(endpoint: str) -> None:
    assert codes(changed("server.traces", {"endpoint": endpoint, "engine": True})) == ["spec.engine-traces"]


def test_a_proxy_has_no_engine() -> None:
    assert codes(changed("proxy.traces", {"endpoint": COLLECTOR, "engine": True})) == ["spec.engine-traces"]


def units(**traces: Any) -> dict[str, str]:
    wanted = resolve_platform(changed("server.traces", {"endpoint": COLLECTOR, **traces}))
    found = json.loads(hosts.settings_document(_nodes.server_node("s", wanted.server)))["files"]
    return {each["path"]: each["content"] for each in found if each["path"].endswith("/llm-vllm.service")}


def test_the_engine_may_speak_to_the_collector_and_to_nobody_else() -> None:
    (unit,) = units(engine=True).values()
    assert f"--otlp-traces-endpoint {COLLECTOR} " in unit
    assert "\nIPAddressDeny=any\nIPAddressAllow=localhost 10.0.0.9\n" in unit
    assert "OTEL_TRACES_SAMPLER=parentbased_always_off" in unit
    (plain,) = units().values()
    assert "\nIPAddressDeny=any\nIPAddressAllow=localhost\n" in plain
    assert "otlp" not in plain.lower()


def test_a_further_machine_tells_the_same_collector_of_what_the_first_one_traces() -> None:
    platform = changed("server.traces", {"endpoint": COLLECTOR, "engine": True, "share": 0.5})
    platform["server"]["replicas"] = 2
    server = resolve_platform(platform).server
    node = _replica.node_of("s", 2, server)
    role = next(each for each in node.roles if isinstance(each, GatewayRole))
    assert json.loads(gateway.policy(role))["traces"] == {"share": 1.0, "engine": True}
    engine = next(each for each in node.roles if isinstance(each, VllmRole))
    assert engine.traces == COLLECTOR
