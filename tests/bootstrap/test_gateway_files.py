"""The gateway's configuration allows what was asked for, exactly."""

import json
from dataclasses import replace
from typing import Any

import pytest

from pulumi_llm.bootstrap import GatewayKey, GatewayRole, Route, gateway
from pulumi_llm.bootstrap.roles import ENDPOINTS
from pulumi_llm.errors import Refusal
from tests.bootstrap.samples import gpu_node, vector_node

ROLE = GatewayRole(
    https_port=443,
    keys=(GatewayKey(name="app"),),
    routes=(Route(model_name="mini", litellm_model="openai/gpt-4o-mini", secret="upstream_openai"),),
)


def codes(**changes: Any) -> list[str]:
    with pytest.raises(Refusal) as refused:
        gateway.check(replace(ROLE, **changes))
    return [each.code for each in refused.value.findings]


def test_a_sound_gateway_is_not_refused() -> None:
    gateway.check(ROLE)
    gateway.check(gpu_node().gateway)
    gateway.check(vector_node().gateway)


def test_two_listeners_cannot_share_a_port() -> None:
    assert codes(vectors_https_port=443) == ["bootstrap.bad-port"]


@pytest.mark.parametrize("port", [0, 70000, 22, 4000, 8000, 8080])
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
    assert codes(keys=(GatewayKey(name="a", daily_budget_usd=0),)) == ["bootstrap.bad-limit"]


def test_all_that_is_wrong_is_reported_at_once() -> None:
    found = codes(https_port=0, keys=(GatewayKey(name="a b", models=("x",)),), routes=ROLE.routes * 2)
    assert found == [
        "bootstrap.bad-port",
        "bootstrap.bad-key-name",
        "bootstrap.duplicate-route",
        "bootstrap.unknown-model",
    ]


def test_litellm_is_told_twice_to_enforce_models_or_it_does_not() -> None:
    config = json.loads(gateway.litellm_config(ROLE))
    assert config["general_settings"]["custom_auth_run_common_checks"] is True
    assert config["litellm_settings"]["enable_post_custom_auth_checks"] is True
    assert "enable_post_custom_auth_checks" not in config["general_settings"]


def test_litellm_reads_upstream_keys_from_its_environment() -> None:
    config = json.loads(gateway.litellm_config(ROLE))
    assert config["model_list"][0]["litellm_params"]["api_key"] == "os.environ/UPSTREAM_OPENAI"


def test_prompts_are_not_logged() -> None:
    config = json.loads(gateway.litellm_config(ROLE))
    assert config["litellm_settings"]["turn_off_message_logging"] is True
    assert "log {" not in gateway.caddyfile(ROLE)


def test_no_endpoints_means_all_that_are_served() -> None:
    keys = json.loads(gateway.policy(ROLE))["keys"]
    assert keys["app"]["endpoints"] == list(ENDPOINTS)


def test_a_gateway_without_routes_serves_no_model_endpoint() -> None:
    text = gateway.caddyfile(vector_node().gateway)
    assert "127.0.0.1:4000" not in text
    assert "127.0.0.1:8080" in text
    assert "h2c://127.0.0.1:50051" in text


def test_nobody_finds_weaviate_where_no_port_was_given() -> None:
    text = gateway.caddyfile(ROLE)
    assert "8080" not in text
    assert "50051" not in text
