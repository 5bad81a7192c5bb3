"""A chat page as the components make it: its secrets, its port, what is told of it, and what the picture calls it."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

import pulumi_llm as llm
from pulumi_llm._plan.model import Plan, is_secret
from pulumi_llm._review import picture
from pulumi_llm.roles.caddy import caddyfile
from tests.apps.bad import CHAT, UPSTREAMS
from tests.bootstrap.samples import chat_node
from tests.gateway.front import certificate, nodes_caddy
from tests.test_components import PLATFORM, SERVER, plan_of

APPS: dict[str, Any] = {"chat": CHAT, "rag": {"embeddings": "text-embedding-v4", "dimensions": 1024}}
WITH = {
    **SERVER,
    "upstreams": UPSTREAMS,
    "qwen_api_key": "sk-of-the-vendor",
    "vectors": True,
    "vectors_engine": "pgvector",
    "apps": APPS,
}


@pytest.fixture(scope="module")
def plan() -> Plan:
    return plan_of(llm.ModelServer, WITH)


def test_its_secrets_are_made_each_for_itself(plan: Plan) -> None:
    made = {each.name for each in plan.resources if each.type.endswith(":RandomPassword")}
    assert made >= {"x-key-chat", "x-open-webui-password", "x-open-webui-session", "x-vectors-key"}


def test_its_address_and_password_are_outputs_and_its_key_is_none(plan: Plan) -> None:
    assert is_secret(plan.outputs["chat_password"])
    assert "chat_endpoint" in plan.outputs
    assert "chat_endpoint" not in plan_of(llm.ModelServer, SERVER).outputs


def test_its_port_is_open_to_those_who_may_call_and_to_nobody_else(plan: Plan) -> None:
    rules = [each.inputs for each in plan.resources if "18447" in str(each.inputs) and "firewall" in each.name]
    assert rules
    assert "0.0.0.0/0" not in str([each for rule in rules for each in rule.get("ingress", [])])


def test_the_picture_calls_it_by_its_title(plan: Plan) -> None:
    assert "Open WebUI" in picture._labels(plan)["x"]


def test_a_platform_tells_it_too() -> None:
    described = {**PLATFORM, "server": {**PLATFORM["server"], "apps": {"chat": CHAT}}}
    outputs = plan_of(llm.Platform, described).outputs
    assert is_secret(outputs["chat_password"])
    assert "chat_endpoint" in outputs


def test_the_caddy_of_nodes_reads_its_site(tmp_path: Path) -> None:
    program = nodes_caddy(tmp_path)
    certificate(tmp_path)
    config = tmp_path / "Caddyfile"
    config.write_text(caddyfile(chat_node()).replace("/srv/llm/secrets", str(tmp_path)))
    argv = [program, "validate", "--config", str(config), "--adapter", "caddyfile"]
    done = subprocess.run(argv, capture_output=True, text=True, env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"})
    assert done.returncode == 0, done.stderr
