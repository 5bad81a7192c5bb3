"""The gateway's configuration allows what was asked for, exactly."""

import json
import sys
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pulumi_llm import _bootstrap as bootstrap
from pulumi_llm._bootstrap import GatewayKey, GatewayRole, Route, ServiceRole
from pulumi_llm.errors import Refusal
from pulumi_llm.roles import caddy, gateway, registry
from pulumi_llm.roles.requests import ENDPOINTS
from tests.bootstrap.samples import MINI, OPENAI, gateway_of, gpu_node, proxy_node, vector_node

CHECKOUT = Path(__file__).parents[2]
sys.path.insert(0, str(CHECKOUT / "templates" / "gateway"))  # the node's own code

ROLE = GatewayRole(
    https_port=443,
    keys=(GatewayKey(name="app"),),
    upstreams=(OPENAI,),
    routes=(Route(name="mini", targets=(MINI,)),),
)


def check(role: GatewayRole, *others: ServiceRole) -> None:
    bootstrap.check(proxy_node(roles=(role, *others)))


def codes(*others: ServiceRole, **changes: Any) -> list[str]:
    with pytest.raises(Refusal) as refused:
        check(replace(ROLE, **changes), *others)
    return [each.code for each in refused.value.findings]


def test_a_sound_gateway_is_not_refused() -> None:
    check(ROLE)
    for node in (gpu_node(), proxy_node(), vector_node()):
        bootstrap.check(node)


def test_two_listeners_cannot_share_a_port() -> None:
    assert codes(ServiceRole(role="weaviate", ports={"vectors": 443})) == ["bootstrap.bad-port"]


@pytest.mark.parametrize("port", [0, 70000, 22, 4000, 4001, 8000, 8080])
def test_a_port_that_is_taken_or_none_is_refused(port: int) -> None:
    assert codes(https_port=port) == ["bootstrap.bad-port"]


def test_two_keys_of_one_name_are_refused() -> None:
    assert codes(keys=(GatewayKey(name="a"), GatewayKey(name="a"))) == ["bootstrap.duplicate-key"]


def test_the_nodes_own_key_name_is_not_free() -> None:
    assert codes(keys=(GatewayKey(name="node-probe"),)) == ["bootstrap.bad-key-name"]


def test_a_key_for_a_model_without_a_route_is_refused() -> None:
    assert codes(keys=(GatewayKey(name="a", models=("minni",)),)) == ["bootstrap.unknown-model"]


def test_a_key_for_an_endpoint_that_is_not_served_is_refused() -> None:
    assert codes(keys=(GatewayKey(name="a", endpoints=("/v1/images/generations",)),)) == ["bootstrap.unknown-endpoint"]


def test_a_limit_of_zero_is_refused() -> None:
    assert codes(keys=(GatewayKey(name="a", limits={"daily_budget_usd": 0}),)) == ["bootstrap.bad-limit"]


def test_all_that_is_wrong_is_reported_at_once() -> None:
    found = codes(https_port=0, keys=(GatewayKey(name="a b", models=("x",)),), routes=ROLE.routes * 2)
    assert found == [
        "bootstrap.bad-port",
        "bootstrap.bad-key-name",
        "bootstrap.duplicate-route",
        "bootstrap.unknown-model",
    ]


def test_a_budget_in_money_needs_every_price_that_it_may_meet() -> None:
    unknown = replace(MINI, model="new-model", price_in=None, price_out=None)
    new = Route(name="new", targets=(MINI,), fallback=(unknown,))
    for budget in ("daily_budget_usd", "monthly_budget_usd"):
        poor = GatewayKey(name="poor", limits={budget: 1.0})
        assert codes(keys=(poor,), routes=(*ROLE.routes, new)) == ["gateway.unknown-price"]
        # Of what it may not ask it need not know the price.
        check(replace(ROLE, keys=(replace(poor, models=("mini",)),), routes=(*ROLE.routes, new)))
    check(replace(ROLE, keys=(GatewayKey(name="poor", limits={"daily_tokens": 9}),), routes=(*ROLE.routes, new)))


def test_a_route_to_an_upstream_that_is_not_there_is_refused() -> None:
    lost = Route(name="lost", targets=(replace(MINI, upstream="opanai"),))
    assert codes(routes=(lost,)) == ["bootstrap.unknown-upstream"]


def test_a_keys_models_may_be_a_pattern() -> None:
    check(replace(ROLE, keys=(GatewayKey(name="a", models=("m*",)),)))
    assert codes(keys=(GatewayKey(name="a", models=("x*",)),)) == ["bootstrap.unknown-model"]


def test_the_gateway_reads_what_is_written_for_it(tmp_path: Path) -> None:
    from llm_gate.policy import LIMITS, rules_of
    from llm_gate.routes import Routes

    for role in (ROLE, gateway_of(gpu_node())):
        routes = Routes()
        routes.load(json.loads(gateway.routes(role)))
        assert set(routes.table) == {each.name for each in role.routes}
        rows = json.loads(gateway.policy(role))["keys"]
        read = {name: rules_of(name, row) for name, row in rows.items()}
        for key in role.keys:
            for limit in LIMITS:
                assert getattr(read[key.name], limit) == key.limits.get(limit)
    assert routes.table["yi-6b-chat"].fallback[0].upstream.private_ca


def test_kinds_of_upstream_and_paths_are_the_same_on_both_sides() -> None:
    from llm_gate.passing import _FIELDS
    from llm_gate.routes import KINDS

    from pulumi_llm.spec import VENDORS

    assert set(KINDS) == {"vllm", "gateway", *VENDORS}
    assert {name: KINDS[name] for name in VENDORS} == {name: each.endpoints for name, each in VENDORS.items()}
    assert {*KINDS["gateway"], "/v1/models"} == set(ENDPOINTS)
    assert set(_FIELDS["endpoints"]) == set(KINDS["gateway"]) == set(KINDS["vllm"])


def locked(name: str) -> dict[str, str]:
    """A lock's packages and their versions."""
    rows = (CHECKOUT / f"templates/locks/{name}.txt").read_text().splitlines()
    return dict(row.split(" ")[0].split("==") for row in rows)


def test_the_environment_with_the_clouds_sdks_has_all_of_the_other_in_the_same_versions() -> None:
    assert locked("gate").items() < locked("gate-sdks").items()
    pins = registry.environments()
    assert pins["gate-sdks"].requirement.startswith(pins["gate"].requirement + "\n")


def test_what_is_tested_is_what_a_node_gets() -> None:
    lock = tomllib.loads((CHECKOUT / "uv.lock").read_text())
    tested = {each["name"]: each["version"] for each in lock["package"]}
    pinned = locked("gate")
    for sdk in ("alibabacloud-green20220302", "tencentcloud-sdk-python-tms"):
        assert locked("gate-sdks")[sdk] == tested[sdk]
    assert {"aiohttp", "pyahocorasick", "yarl", "multidict"} <= set(pinned)
    assert {name: tested[name] for name in pinned} == pinned
    assert registry.environments()["gate"].version == pinned["aiohttp"]


def test_upstream_keys_are_in_no_file_of_the_settings() -> None:
    document = json.loads(gateway.routes(ROLE))
    assert document["upstreams"]["openai"]["secret"] == "upstream_openai"
    assert "key" not in document["upstreams"]["openai"]


def test_prompts_are_not_logged() -> None:
    text = caddy.caddyfile(proxy_node(roles=(ROLE,)))
    assert "request>headers delete" in text
    assert text.count("log {") == 1  # of Caddy itself; no site logs accesses


def test_no_endpoints_means_all_that_are_served() -> None:
    keys = json.loads(gateway.policy(ROLE))["keys"]
    assert "endpoints" not in keys["app"]


def test_a_gateway_without_routes_serves_no_model_endpoint() -> None:
    text = caddy.caddyfile(vector_node())
    assert "127.0.0.1:4000" not in text
    assert "127.0.0.1:8080" in text
    assert "h2c://127.0.0.1:50051" in text


def test_nobody_finds_weaviate_where_no_port_was_given() -> None:
    text = caddy.caddyfile(proxy_node(roles=(ROLE,)))
    assert "8080" not in text
    assert "50051" not in text
