"""A vector store on a machine of its own that asks the server's gateway: who reaches whom, in which order, with what."""

from __future__ import annotations

import json
from typing import Any

import pytest

import pulumi_llm as llm
from pulumi_llm import _bootstrap, _nodes
from pulumi_llm._bootstrap import GatewayRole, NodeRequest
from pulumi_llm._plan.model import UNKNOWN, Plan, PlannedResource, is_secret
from pulumi_llm._resolve import ResolvedPlatform, resolve_platform
from pulumi_llm.errors import Refusal
from pulumi_llm.roles import weaviate
from tests.test_components import plan_of
from tests.vectors.weaviate import MODEL, rules

ADDRESS, GATEWAY = "10.60.1.9", "https://10.60.1.5:18443"
PLACES = {
    "aliyun": {"region": "cn-hangzhou", "gpu": "A100-80GB"},
    "tencent": {"region": "ap-guangzhou", "gpu": "T4"},
    "volcengine": {"region": "cn-beijing", "gpu": "A10"},
    "aws": {"region": "ap-northeast-1", "gpu": "T4"},
    "gcp": {"region": "asia-northeast1", "gpu": "T4"},
}
FIREWALLS = {
    "aliyun": ("alicloud:ecs/securityGroupRule:SecurityGroupRule", "cidrIp"),
    "tencent": ("tencentcloud:Security/groupRuleSet:GroupRuleSet", "ingresses"),
    "volcengine": ("volcengine:vpc/securityGroupRule:SecurityGroupRule", "cidrIp"),
    "aws": ("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule", "cidrIpv4"),
    "gcp": ("gcp:compute/firewall:Firewall", "sourceRanges"),
}


def raw(cloud: str = "aliyun", vectorizer: dict[str, Any] | None = None, **vectors: Any) -> dict[str, Any]:
    embedder = {"model": "Qwen/Qwen3-Embedding-0.6B", "device": "cpu"}
    return {
        "server": {
            "cloud": cloud,
            **PLACES[cloud],
            "model": "01-ai/Yi-6B-Chat",
            "context_length": 2048,
            "models": {MODEL: embedder},
            "override": ["fit.unknown-model", "fit.host-memory"],
        },
        "vectors": {"placement": "own", "memory_gib": 4, "vectorizer": vectorizer or {"model": MODEL}, **vectors},
        "access": {"allowed_cidrs": ["203.0.113.0/24"]},
    }


def resolved(**more: Any) -> ResolvedPlatform:
    return resolve_platform(raw(**more))


def server(address: str | None = ADDRESS, **more: Any) -> NodeRequest:
    return _nodes.server_node("x", resolved(**more).server, store=address)


def store(gateway: str = GATEWAY, **more: Any) -> NodeRequest:
    whole = resolved(**more)
    assert whole.vectors is not None
    return _nodes.store_node("x", whole.vectors, gateway)


def named(plan: Plan, name: str) -> PlannedResource:
    return next(each for each in plan.resources if each.name == name)


def written(node: NodeRequest) -> dict[str, str]:
    return {each["path"]: each["content"] for each in _bootstrap.settings(node)["files"]}


def test_its_key_is_good_from_its_machine_alone_for_one_path_and_one_model() -> None:
    told = rules(server(vectorizer={"model": MODEL, "key": {"daily_tokens": 1000}}))
    assert told["source_cidrs"] == [f"{ADDRESS}/32"]
    assert (told["models"], told["endpoints"], told["daily_tokens"]) == ([MODEL], ["/v1/embeddings"], 1000)
    assert told["max_concurrency"] == 64


def test_before_that_machines_address_is_known_nobody_has_that_key() -> None:
    gateway = server(None).of(GatewayRole)
    assert gateway is not None
    assert weaviate.KEY not in [each.name for each in gateway.keys]


def test_caddy_on_its_machine_leads_one_path_to_the_gateway_and_listens_on_loopback() -> None:
    text = written(store())["/opt/llm/gateway/Caddyfile"]
    way = text[text.index("http://:4000 {") :]
    assert "bind 127.0.0.1" in way
    assert '{http.request.uri} == "/v1/embeddings"' in way
    assert f"reverse_proxy {GATEWAY} {{" in way
    assert "tls_trusted_ca_certs /srv/llm/secrets/gateway-authority.pem" in way
    assert "tls_insecure_skip_verify" not in text
    assert "http://:4000" not in written(server())["/opt/llm/gateway/Caddyfile"]


def test_its_container_goes_the_same_way_as_beside_the_model() -> None:
    files = written(store())
    assert "ListenStream=192.0.2.1:4000" in files["/etc/systemd/system/llm-weaviate-gate.socket"].splitlines()
    assert "gateway:192.0.2.1" in files["/opt/llm/weaviate/compose.yaml"]
    assert weaviate.TABLE in files


def test_its_key_and_who_signed_for_the_gateway_travel_as_secrets() -> None:
    document = _bootstrap.settings(store())
    assert {"gateway_key_vectorizer", "gateway_authority"} <= {*document["secrets"]["required"]}
    rows = {each["path"].rpartition("/")[2]: each for each in document["secret_files"]}
    assert rows["gateway-authority.pem"]["owner"] == "llm-caddy"
    assert rows["gateway-authority.pem"]["restart"] == ["llm-caddy.service"]


def test_user_data_knows_nothing_that_is_known_only_later() -> None:
    assert _bootstrap.user_data(store("")) == _bootstrap.user_data(store())
    assert _bootstrap.user_data(server(None)) == _bootstrap.user_data(server())


@pytest.mark.parametrize("cloud", PLACES)
def test_each_cloud_opens_the_gateways_port_to_that_machine_besides_and_no_other_port(cloud: str) -> None:
    kind, key = FIREWALLS[cloud]

    def late(plan: Plan) -> list[str]:
        rows = [each for each in plan.of_type(kind) if each.name.startswith("x-server")]
        assert rows
        return [
            json.dumps(each.inputs, default=str)
            for each in rows
            if UNKNOWN in json.dumps(each.inputs.get(key), default=str)
        ]

    found = late(plan_of(llm.Platform, raw(cloud)))
    assert len(found) == 1
    assert "18443" in found[0] or '"443"' in found[0] or ": 443" in found[0]
    plain = raw(cloud)
    del plain["vectors"]["vectorizer"]
    assert not late(plan_of(llm.Platform, plain))


def test_nothing_waits_in_a_circle_and_the_store_is_told_after_the_server() -> None:
    plan = plan_of(llm.Platform, raw())
    apply = named(plan, "x-vectors-apply")
    assert any("x-server-apply" in str(each) for each in apply.dependencies), apply.dependencies
    assert not any("x-vectors-apply" in str(each) for each in named(plan, "x-server-apply").dependencies)
    assert is_secret(apply.inputs["stdin"])


def test_the_gateways_certificate_is_for_its_private_address_too() -> None:
    plan = plan_of(llm.Platform, raw())
    assert len(named(plan, "x-server-certificate-request").inputs["ipAddresses"]) == 2
    assert len(named(plan, "x-vectors-certificate-request").inputs["ipAddresses"]) == 1


def test_callers_are_told_what_to_name_in_a_collection() -> None:
    plan = plan_of(llm.Platform, raw())
    told = {"module": "text2vec-openai", "model": MODEL, "base_url": "http://gateway:4000"}
    assert plan.outputs["vectors_vectorizer"] == told


def test_a_store_that_is_used_alone_has_nobody_to_ask() -> None:
    args = {"cloud": "aliyun", "region": "cn-hangzhou", "allowed_cidrs": ["203.0.113.0/24"], "vectorizer": {"model": "m"}}
    with pytest.raises(Refusal) as refused:
        llm.VectorStore("x", args)  # type: ignore[arg-type]
    assert refused.value.findings
