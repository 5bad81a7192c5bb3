"""`WorkerProxy`: what is planned, what is refused, and that what is planned answers under Cloudflare's own runtime."""

from __future__ import annotations

import base64
import hashlib
import importlib
import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import pulumi_llm as llm
from pulumi_llm import catalog
from pulumi_llm._plan.model import Plan, PlannedResource, is_secret
from pulumi_llm._review.bill import make_bill
from pulumi_llm._review.items import Usage
from pulumi_llm._worker import files
from pulumi_llm.errors import Refusal
from tests.gateway.fake import Fake
from tests.gateway.harness import KEY, chat
from tests.test_components import plan_of
from tests.worker.harness import client_of, serve

WORKER: dict[str, Any] = {
    "account_id": "0" * 32,
    "zone_id": "1" * 32,
    "hostname": "llm.example.com",
    "near": "us-west-2",
    "upstreams": {"openai": {"models": ["gpt-6-luna"]}},
    "allowed_cidrs": ["203.0.113.0/24"],
    "openai_api_key": "sk-planted",
}


def script_of(plan: Plan) -> PlannedResource:
    (script,) = plan.of_type("cloudflare:index/workersScript:WorkersScript")
    return script


def modules_of(plan: Plan) -> dict[str, str]:
    inputs = script_of(plan).inputs
    others = {name: base64.b64decode(each["contentBase64"]).decode() for name, each in inputs["files"].items()}
    return {inputs["mainModule"]: inputs["content"], **others}


def findings(args: dict[str, Any]) -> list[tuple[str, str]]:
    with pytest.raises(Refusal) as refused:
        plan_of(llm.WorkerProxy, args)
    return [(each.code, each.where) for each in refused.value.findings]


def test_the_vendors_keys_and_what_tells_the_callers_are_secrets_of_the_worker_and_nowhere_else() -> None:
    plan = plan_of(llm.WorkerProxy, WORKER)
    bindings = {each["name"]: each for each in script_of(plan).inputs["bindings"]}
    assert bindings.keys() == {"LEDGER", "UPSTREAM_OPENAI", "GATE_KEYS_0"}
    for name in ("UPSTREAM_OPENAI", "GATE_KEYS_0"):
        assert bindings[name]["type"] == "secret_text"
        assert is_secret(bindings[name]["text"])
    assert is_secret(plan.outputs["api_keys"])
    for resource in plan.resources:
        plain = {key: value for key, value in resource.inputs.items() if key != "bindings"}
        assert "sk-planted" not in json.dumps(plain, default=str), resource.name
    assert not any("sk-planted" in text for text in modules_of(plan).values())


def test_it_answers_at_its_own_name_alone_and_cloudflare_logs_no_call() -> None:
    plan = plan_of(llm.WorkerProxy, WORKER)
    (subdomain,) = plan.of_type("cloudflare:index/workersScriptSubdomain:WorkersScriptSubdomain")
    assert (subdomain.inputs["enabled"], subdomain.inputs["previewsEnabled"]) == (False, False)
    (named,) = plan.of_type("cloudflare:index/workersCustomDomain:WorkersCustomDomain")
    assert named.inputs["hostname"] == "llm.example.com"
    assert script_of(plan).inputs["observability"] == {"enabled": False}
    assert script_of(plan).inputs["placement"] == {"region": "aws:us-west-2"}
    assert plan.outputs["endpoint"] == "https://llm.example.com/v1"
    assert plan.outputs["models"] == ["gpt-6-luna"]


def test_a_change_of_any_module_is_a_change_of_the_plan() -> None:
    inputs = script_of(plan_of(llm.WorkerProxy, WORKER)).inputs
    for name, each in inputs["files"].items():
        assert each["contentSha256"] == hashlib.sha256(base64.b64decode(each["contentBase64"])).hexdigest(), name
    assert {inputs["mainModule"], *inputs["files"]} == {*files.modules(), files.SETTINGS}
    keys = {"default": {"requests_per_minute": 7}}
    others = script_of(plan_of(llm.WorkerProxy, {**WORKER, "keys": keys})).inputs["files"]
    assert [name for name in others if others[name] != inputs["files"][name]] == [files.SETTINGS]


@pytest.fixture(scope="module")
def planned() -> dict[str, str]:
    """The modules of a planned Worker with a key that may ask twice a minute."""
    keys = {"app": {"requests_per_minute": 2, "models": ["gpt-6-luna"]}}
    return modules_of(plan_of(llm.WorkerProxy, {**WORKER, "keys": keys}))


async def test_what_is_planned_answers_under_workerd_and_only_to_those_who_are_allowed(
    tmp_path: Path, planned: dict[str, str]
) -> None:
    modules = dict(planned)
    async with Fake() as fake:
        address = "https://api.openai.com/v1"
        assert address in modules[files.SETTINGS]
        modules[files.SETTINGS] = modules[files.SETTINGS].replace(address, fake.url)
        secrets = {
            **files.key_table({hashlib.sha256(KEY.encode()).hexdigest(): "app"}),
            "UPSTREAM_OPENAI": "sk-planted",
        }
        async with serve(tmp_path, modules, secrets) as gate, client_of(gate) as client:
            body = chat("gpt-6-luna")
            for headers, status in (
                ({"CF-Connecting-IP": "203.0.113.9"}, 200),
                ({"CF-Connecting-IP": "198.51.100.9"}, 403),
                ({}, 403),
                ({"CF-Connecting-IP": "198.51.100.9", "Authorization": "Bearer wrong"}, 403),
                ({"CF-Connecting-IP": "203.0.113.9", "Authorization": "Bearer wrong"}, 401),
                ({"CF-Connecting-IP": "203.0.113.9"}, 200),
                ({"CF-Connecting-IP": "203.0.113.9"}, 429),
            ):
                async with client.post("/v1/chat/completions", json=body, headers=headers) as reply:
                    assert reply.status == status, headers
        assert fake.last.headers["authorization"] == "Bearer sk-planted"
        assert len(fake.seen) == 2


OWN = {"gpu": {"models": ["m"], "vendor": "vllm", "base_url": "https://gpu.example.com/v1"}}


@pytest.mark.parametrize(
    ("more", "code", "where"),
    [
        ({"account_id": "x"}, "spec.bad-account", "account_id"),
        ({"hostname": "no name"}, "spec.bad-domain", "hostname"),
        ({"near": "us-west-9"}, "catalog.unknown-region", "near"),
        ({"near": "cn-north-1"}, "spec.proxy-region", ""),
        ({"upstreams": {}}, "spec.no-upstreams", "upstreams"),
        ({"upstreams": OWN, "upstream_api_keys": {"gpu": "k"}}, "spec.worker-cannot", "upstreams"),
        ({"keys": {"app": {"ask_twice": True}}}, "spec.worker-cannot", "keys"),
        ({"keys": {"app": {"endpoints": ["/v1/audio/transcriptions"]}}}, "spec.worker-cannot", "keys"),
        ({"blocked_words": ["x"]}, "spec.worker-cannot", "blocked_words"),
        ({"content": {"lists": {}}}, "spec.worker-cannot", "content"),
        ({"cors_origins": ["https://chat.example.com"]}, "spec.worker-cannot", "cors_origins"),
        ({"engine": "openai-forward"}, "spec.worker-cannot", "engine"),
        ({"allowed_cidrs": ["0.0.0.0/0"]}, "spec.open-to-world", ""),
        ({"allowed_cidrs": []}, "spec.nobody-allowed", "allowed_cidrs"),
        ({"openai_api_key": None}, "secret.missing", ""),
    ],
)
def test_what_a_worker_cannot_do_is_refused_by_name(more: dict[str, Any], code: str, where: str) -> None:
    assert findings({**WORKER, **more}) == [(code, f"x.{where}".rstrip(".") if where else "x")]


def test_it_is_open_to_the_world_where_that_is_written_out() -> None:
    plan = plan_of(llm.WorkerProxy, {**WORKER, "allowed_cidrs": ["0.0.0.0/0"], "public": True})
    assert '"0.0.0.0/0"' in modules_of(plan)[files.SETTINGS]


def test_without_its_sdk_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = importlib.import_module

    def without(name: str, *rest: Any) -> Any:
        if name == "pulumi_llm._worker.resources":
            raise ModuleNotFoundError(name="pulumi_cloudflare")
        return whole(name, *rest)

    monkeypatch.setattr(importlib, "import_module", without)
    assert findings(WORKER) == [("cloud.sdk-missing", "x")]


def test_the_bill_has_what_the_account_pays_and_what_may_come_on_top() -> None:
    usage = Usage()
    bill = make_bill(plan_of(llm.WorkerProxy, WORKER), catalog.load(), usage, today=date(2026, 11, 29))
    (line,) = bill.lines
    assert (line.resource, line.what, line.per_month and line.per_month.usd) == ("x", "Workers Paid", Decimal("5.00"))
    assert line.price is not None
    assert "workers/platform/pricing" in line.price.source
    assert "on top" in line.note
    assert not bill.at_least
