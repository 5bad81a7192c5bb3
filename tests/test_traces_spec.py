"""A collector of spans: what its address may be, and that the gateway that names it learns of it, and no other."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pulumi_llm import _nodes
from pulumi_llm._resolve.platform import resolve_platform
from pulumi_llm.roles import gateway
from pulumi_llm.roles.requests import GatewayRole
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
