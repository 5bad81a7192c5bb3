"""A fleet's vector store: its chart's values, who reaches it, its keys, and what a client is told."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pulumi_llm._cluster import gate, names, store, store_values
from pulumi_llm._plan.model import Plan, is_secret
from pulumi_llm.errors import Refusal
from pulumi_llm.roles import registry
from pulumi_llm.spec.store import STORE_CHARTS
from tests.cluster.fleets import FLEET, WIDE, named, planned, policies_of, resolved, spec_of
from tests.cluster.managed import MANAGED
from tests.cluster.managed import fleet as made_cluster

CHART = os.environ.get("PULUMI_LLM_WEAVIATE_CHART")
WITH: dict[str, Any] = {**FLEET, "vectors": {}}
ASKING: dict[str, Any] = {
    **FLEET,
    "models": {**FLEET["models"], "embedder": {"model": "BAAI/bge-m3"}},
    "nodes": {**FLEET["nodes"], "count": 3},
    "vectors": {"memory_gib": 8, "disk_gib": 100, "vectorizer": {"model": "embedder"}},
}


def values_of(plan: Plan) -> dict[str, Any]:
    return dict(named(plan, "x-vectors").inputs["values"])


def codes(args: dict[str, Any]) -> list[tuple[str, str]]:
    with pytest.raises(Refusal) as refused:
        resolved(args)
    return [(each.code, each.where) for each in refused.value.findings]


def test_it_is_the_makers_chart_by_name_and_version_with_the_release_that_machines_have() -> None:
    release = named(planned(WITH), "x-vectors").inputs
    assert (release["chart"], release["version"]) == ("weaviate", "17.8.3")
    assert release["repositoryOpts"]["repo"] == store_values.REPOSITORY
    assert release["namespace"] == "llm"
    image = values_of(planned(WITH))["image"]
    (row,) = registry.role("weaviate").manifest.install.images.values()
    assert f"{image['registry']}/{image['repo']}:{image['tag']}" == row.image.partition("@")[0]
    mirrored = values_of(planned({**WITH, "registry": "registry.example.com/mirror"}))["image"]
    assert mirrored["registry"] == "registry.example.com/mirror"
    assert not [each for each in planned(FLEET).resources if "vectors" in each.name]


def test_what_the_chart_would_open_to_everybody_is_closed() -> None:
    values = values_of(planned(WITH))
    assert (values["service"], values["grpcService"]) == ({"type": "ClusterIP"}, {"type": "ClusterIP"})
    assert values["authentication"]["anonymous_access"] == {"enabled": False}
    assert values["authorization"]["admin_list"] == {"enabled": True, "users": ["llm"]}
    # The namespace takes no pod that is privileged, and the chart's own has one.
    assert values["initContainers"]["sysctlInitContainer"] == {"enabled": False}
    assert values["containerSecurityContext"]["readOnlyRootFilesystem"]
    assert values["securityContext"]["runAsNonRoot"]


def test_its_key_is_in_a_secret_and_nowhere_else() -> None:
    plan = planned(ASKING)
    secret = named(plan, "x-llm-vectors-secret")
    assert is_secret(secret.inputs["stringData"])
    assert values_of(plan)["envSecrets"] == dict.fromkeys((names.VECTORS_KEY, "OPENAI_APIKEY"), names.VECTORS)
    assert not {*values_of(plan)["env"]} & {names.VECTORS_KEY, "OPENAI_APIKEY"}
    assert is_secret(plan.outputs["vectors_key"])


@pytest.mark.parametrize("args", [WITH, {**WIDE, "vectors": {}}])
def test_its_ports_are_open_to_the_gateways_pod_alone_and_it_calls_nobody(args: dict[str, Any]) -> None:
    policies = policies_of(planned(args))
    own, gateway = policies[names.VECTORS], policies[names.GATEWAY]
    assert own["egress"] == []
    (rule,) = own["ingress"]
    assert rule["from"] == [{"podSelector": {"matchLabels": {names.APP: names.GATEWAY}}}]
    assert [each["port"] for each in rule["ports"]] == [8080, 50051]
    assert [each["port"] for each in gateway["ingress"][0]["ports"]] == [8443, 18444, 18445]
    assert {"to": [{"podSelector": store.POD}], "ports": rule["ports"]} in gateway["egress"]
    quota = named(planned(args), "x-llm-gpus-resourcequota").inputs["spec"]["hard"]
    assert quota["persistentvolumeclaims"] == "3"


def test_callers_come_by_the_gateways_pod_to_the_paths_that_a_machine_lets_through() -> None:
    made = gate.caddyfile(spec_of(WITH))
    listeners = registry.role("weaviate").manifest.listeners
    for name, to in (("vectors", "weaviate:80"), ("grpc", "h2c://weaviate-grpc:50051")):
        site = made.partition(f"\n:{listeners[name].port} {{")[2].partition("\n}\n")[0]
        assert "import tls" in site
        assert f"reverse_proxy {to}" in site
        assert "respond 404" in site
    assert "/v1/backups" not in made
    assert f":{names.VECTORIZER_PORT}" not in made
    ports = named(planned(WITH), "x-llm-gateway-service").inputs["spec"]["ports"]
    assert [(each["name"], each["port"]) for each in ports] == [
        ("https", 443), ("vectors", 18444), ("vectors-grpc", 18445),
    ]  # fmt: skip
    containers = named(planned(WITH), "x-llm-gateway-deployment").inputs["spec"]["template"]["spec"]["containers"]
    open_ports = {each["name"]: each["containerPort"] for row in containers for each in row.get("ports", ())}
    assert {each["targetPort"] for each in ports} <= open_ports.keys()


def test_outputs_are_called_as_those_of_a_machine() -> None:
    told = planned(ASKING).outputs
    assert told["vectors_engine"] == "weaviate"
    assert told["vectors_endpoint"] == "https://llm-gateway.llm:18444"
    assert told["vectors_grpc"] == "llm-gateway.llm:18445"
    assert told["vectors_vectorizer"] == {
        "module": "text2vec-openai", "model": "embedder", "base_url": "http://llm-vectorizer.llm.svc:4002",
    }  # fmt: skip
    assert planned(WITH).outputs.get("vectors_vectorizer") is None
    assert planned(FLEET).outputs.get("vectors_endpoint") is None


def test_it_asks_a_model_of_the_fleet_with_a_key_that_is_good_for_that_alone() -> None:
    plan = planned(ASKING)
    policy = json.loads(named(plan, "x-llm-gateway-settings-configmap").inputs["data"]["policy.json"])
    key = policy["keys"]["vectorizer"]
    assert (key["models"], key["endpoints"]) == (["embedder"], ["/v1/embeddings"])
    assert key["source_cidrs"] == ["127.0.0.0/8"]
    policies = policies_of(plan)
    asks = [{"port": names.VECTORIZER_PORT, "protocol": "TCP"}]
    assert policies[names.VECTORS]["egress"] == [
        {"to": [{"podSelector": {"matchLabels": {names.APP: names.GATEWAY}}}], "ports": asks}
    ]
    assert {"from": [{"podSelector": store.POD}], "ports": asks} in policies[names.GATEWAY]["ingress"]
    site = gate.caddyfile(spec_of(ASKING)).partition(f"http://:{names.VECTORIZER_PORT} {{")[2]
    assert '{http.request.uri} == "/v1/embeddings"' in site
    values = values_of(plan)
    assert values["modules"]["text2vec-openai"] == {"enabled": True}
    folder = values["env"]["TIKTOKEN_CACHE_DIR"]
    assert folder in [each["mountPath"] for each in values["extraVolumeMounts"]]
    (table,) = named(plan, "x-llm-vectors-tokens-configmap").inputs["data"]
    assert re.fullmatch("[0-9a-f]{40}", table)
    assert "vectorizer" not in plan.outputs["api_keys"]


def test_its_disk_is_encrypted_and_it_stands_on_no_gpu_node_of_a_cluster_that_is_made() -> None:
    values = store.values(spec_of({**made_cluster("aws"), "vectors": {}}))
    assert values["storage"] == {"size": "40Gi", "storageClassName": "llm-encrypted"}
    assert values["nodeSelector"] == {"pulumi-llm/pool": "system"}
    there = store.values(spec_of({**WITH, "vectors": {"storage_class": "fast", "disk_gib": 200}}))
    assert there["storage"] == {"size": "200Gi", "storageClassName": "fast"}
    assert "nodeSelector" not in there


@pytest.mark.parametrize("engine", ["qdrant", "milvus", "chroma", "pgvector"])
def test_another_store_has_no_chart_here_and_what_would_do_is_said(engine: str) -> None:
    with pytest.raises(Refusal) as refused:
        resolved({**FLEET, "vectors": {"engine": engine}})
    (found,) = refused.value.findings
    assert (found.code, found.where) == ("fleet.store-without-chart", "vectors.engine")
    assert "VectorStore on a machine of its own" in found.hint


@pytest.mark.parametrize(
    ("changed", "code", "where"),
    [
        ({"vectors": {"engine": "oracle"}}, "fleet.store-without-chart", "vectors.engine"),
        ({"vectors": {"chart_version": "1.0.0"}}, "fleet.unknown-chart", "vectors.chart_version"),
        ({"vectors": {"vectorizer": {"model": "chat"}}}, "vectors.no-embedder", "vectors.vectorizer.model"),
        ({"vectors": {"vectorizer": {"model": "other"}}}, "vectors.no-embedder", "vectors.vectorizer.model"),
        ({"keys": {"vectorizer": {}}}, "vectors.key-taken", "vectors.vectorizer.key"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_made(changed: dict[str, Any], code: str, where: str) -> None:
    assert (code, where) in codes({**ASKING, **changed})


def test_it_has_no_more_memory_than_a_node_of_a_made_cluster_without_the_systems_part() -> None:
    for cloud in MANAGED:  # each with 16 GiB
        made = made_cluster(cloud)
        assert resolved({**made, "vectors": {"memory_gib": 12}})
        with pytest.raises(Refusal) as refused:
            resolved({**made, "vectors": {"memory_gib": 13}})
        (found,) = refused.value.findings
        assert (found.code, found.where) == ("fleet.node-too-small", "vectors.memory_gib")
        assert found.hint == "memory_gib: 12 at most, or a cluster.managed.system_type that has 17 GiB"
    assert resolved({**made_cluster("aws", system_type="m6i.2xlarge"), "vectors": {"memory_gib": 25}})
    # Of a cluster that is there nobody knows the nodes without GPUs, and of some types not what they have.
    assert resolved({**WITH, "vectors": {"memory_gib": 512}})
    assert resolved({**made_cluster("aws", system_type="r9.huge"), "vectors": {"memory_gib": 512}})


def test_a_key_that_the_chart_would_drop_cannot_be_written() -> None:
    with pytest.raises(TypeError):
        store_values.Storage(size="40Gi", storageClass="fast")  # type: ignore[call-arg]


def paths_of(made: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    if isinstance(made, dict) and made:
        for key, value in made.items():
            yield from paths_of(value, (*path, key))
    else:
        yield path


@pytest.mark.skipif(CHART is None, reason="PULUMI_LLM_WEAVIATE_CHART names no folder of the chart (weaviate, unpacked)")
def test_every_key_is_one_that_the_chart_knows() -> None:
    import yaml

    folder = Path(str(CHART))
    about = yaml.safe_load((folder / "Chart.yaml").read_text())
    assert STORE_CHARTS[about["version"]] == about["appVersion"]
    known = yaml.safe_load((folder / "values.yaml").read_text())
    stateful = (folder / "templates" / "weaviateStatefulset.yaml").read_text()
    free = ("env", "envSecrets", "resources", "securityContext", "containerSecurityContext", "nodeSelector")
    for path in paths_of(store.values(spec_of(ASKING))):
        here: Any = known
        for key in path[:1] if path[0] in free else path:
            if path[:2] == ("authorization", "admin_list") and key == "users":
                break  # a comment in the chart's values; its ConfigMap takes all of it
            assert key in here, path
            here = here[key]
    for variable in store.values(spec_of(ASKING))["envSecrets"]:
        assert "envSecrets" in stateful, variable
