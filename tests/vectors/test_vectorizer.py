"""A vector store that asks a model of its machine for vectors: what is refused, what the node gets, who is told."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
import yaml

import pulumi_llm as llm
from pulumi_llm import _args, _bootstrap, _model_server, _nodes
from pulumi_llm._bootstrap import BackupRole, GatewayRole, ServiceRole
from pulumi_llm._resolve import resolve_platform
from pulumi_llm.errors import Refusal
from pulumi_llm.preflight import stores
from pulumi_llm.roles import registry, weaviate
from pulumi_llm.spec import VectorsSpec
from tests.bootstrap.samples import vector_node
from tests.test_components import PLATFORM, SERVER, codes, plan_of
from tests.test_spec import changed
from tests.vectors.bad import BAD
from tests.vectors.weaviate import MODEL, node, platform, rules

OWN = {MODEL: {"model": "Qwen/Qwen3-0.6B", "kind": "embedding", "gpu_memory_utilization": 0.1}}
BESIDE = {**SERVER, "gpu": "A100-80GB", "cloud": "aliyun", "region": "cn-hangzhou", "further_models": OWN,
          "override": ["fit.unknown-model"], "vectors": True}  # fmt: skip
ASKED = {"vectors_vectorizer": {"model": MODEL}}


def written(request: Any) -> dict[str, str]:
    return {each["path"]: each["content"] for each in _bootstrap.settings(request)["files"]}


def container(request: Any) -> dict[str, Any]:
    return dict(yaml.safe_load(written(request)["/opt/llm/weaviate/compose.yaml"]))


@pytest.mark.parametrize(("code", "where", "server", "vectors"), BAD, ids=[each[0] for each in BAD])
def test_what_cannot_work_is_refused_with_its_code_its_place_and_a_hint(
    code: str, where: str, server: dict[str, Any], vectors: dict[str, Any]
) -> None:
    with pytest.raises(Refusal) as refused:
        resolve_platform(platform(server=server, **vectors))
    assert [(each.code, each.where) for each in refused.value.findings] == [(code, where)]
    assert refused.value.findings[0].hint


def test_a_component_places_it_at_its_own_argument() -> None:
    with pytest.raises(llm.Refusal) as refused:
        llm.ModelServer("x", {**BESIDE, "vectors_vectorizer": {"model": "nobody"}})  # type: ignore[typeddict-item]
    (found,) = refused.value.findings
    assert (found.code, found.where) == ("vectors.no-embedder", "x.vectors_vectorizer.model")


def test_a_model_of_which_nothing_is_known_is_left_to_its_files() -> None:
    unlisted = {MODEL: {"model": "acme/some-model", "gpu_memory_utilization": 0.1}}
    assert resolve_platform(platform(server={"models": unlisted})).server.vectors is not None


def test_the_machines_main_model_may_be_the_one_that_embeds() -> None:
    raw = platform(model="bge-m3", server={"model": "BAAI/bge-m3", "served_name": "bge-m3", "models": {}})
    assert resolve_platform(raw).server.vectors is not None


def test_its_key_is_for_one_model_one_path_and_the_machine_itself_and_nobody_is_told_it() -> None:
    asked = resolve_platform(platform(vectorizer={"model": MODEL, "key": {"daily_tokens": 1000}})).server
    row = asked.keys[weaviate.KEY]
    assert (row.models, row.endpoints, row.source_cidrs) == ((MODEL,), ("/v1/embeddings",), ("127.0.0.0/8",))
    assert row.daily_tokens == 1000
    assert weaviate.KEY not in asked.spec.keys
    told = rules(_nodes.server_node("x", asked))
    assert (told["source_cidrs"], told["daily_tokens"]) == (["127.0.0.0/8"], 1000)
    plan = plan_of(llm.ModelServer, {**BESIDE, **ASKED})
    made = [each.name for each in plan.resources if each.type == "random:index/randomPassword:RandomPassword"]
    assert [each for each in made if weaviate.KEY in each]


def test_it_always_has_both_rates_which_weaviate_reads_off_each_answer() -> None:
    assert {"requests_per_minute": 10_000, "tokens_per_minute": 10_000_000}.items() <= rules(node()).items()
    less = rules(node(vectorizer={"model": MODEL, "key": {"tokens_per_minute": 5000}}))
    assert (less["requests_per_minute"], less["tokens_per_minute"]) == (10_000, 5000)


def test_the_container_finds_the_gateway_by_a_name_and_nobody_else() -> None:
    document = container(node())
    service = document["services"]["weaviate"]
    assert service["extra_hosts"] == [f"gateway:{weaviate.GATEWAY}"]
    assert service["dns"] == ["127.0.0.1"]
    network = document["networks"]["default"]
    assert network["driver_opts"] == {"com.docker.network.bridge.enable_ip_masquerade": "false"}
    assert network["ipam"] == {"config": [{"subnet": weaviate.NETWORK, "gateway": weaviate.GATEWAY}]}
    assert service["environment"]["ENABLE_MODULES"] == "text2vec-openai"
    assert service["environment"]["DEFAULT_VECTORIZER_MODULE"] == "none"


def test_its_way_to_the_gateway_is_open_to_its_container_alone() -> None:
    files = written(node())
    socket = files["/etc/systemd/system/llm-weaviate-gate.socket"].splitlines()
    for line in ("ListenStream=192.0.2.1:4000", "FreeBind=yes", "IPAddressDeny=any", "IPAddressAllow=192.0.2.0/29"):
        assert line in socket
    assert [each for each in socket if each.startswith("ListenStream=")] == ["ListenStream=192.0.2.1:4000"]
    way = files["/etc/systemd/system/llm-weaviate-gate.service"].splitlines()
    assert "IPAddressAllow=localhost 192.0.2.0/29" in way
    assert "IPAddressDeny=any" in way
    assert next(each for each in way if each.startswith("ExecStart=")).endswith(" 127.0.0.1:4000")
    services = _bootstrap.settings(node())["services"]
    assert services.index("llm-weaviate-gate.socket") < services.index("llm-weaviate.service")


def test_no_secret_stands_in_a_file_that_is_none_of_secrets() -> None:
    document = _bootstrap.settings(node())
    rows = {each["path"].rpartition("/")[2]: each for each in document["secret_files"]}
    row = rows["weaviate-gateway.env"]
    assert (row["owner"], row["entries"]) == ("root", {"gateway_key_vectorizer": "OPENAI_APIKEY"})
    assert "gateway_key_vectorizer" in document["secrets"]["required"]
    assert "/srv/llm/secrets/weaviate-gateway.env" in container(node())["services"]["weaviate"]["env_file"]


def test_the_table_that_it_counts_with_has_every_byte_once() -> None:
    rows = [line.split() for line in written(node())[weaviate.TABLE].splitlines()]
    assert [base64.b64decode(one) for one, __ in rows] == [bytes([each]) for each in range(256)]
    assert [int(other) for __, other in rows] == [*range(256)]


def test_modules_of_backups_and_of_vectors_stand_side_by_side() -> None:
    store = ServiceRole(role="weaviate", memory_gib=4, settings={"embeds": MODEL})
    both = container(vector_node(roles=(store, BackupRole(engine="weaviate"))))["services"]["weaviate"]["environment"]
    assert both["ENABLE_MODULES"] == "backup-filesystem,text2vec-openai"
    assert both["BACKUP_FILESYSTEM_PATH"] == "/var/lib/weaviate/backups"


def test_a_store_that_asks_nobody_has_none_of_it() -> None:
    plain = _nodes.server_node("x", resolve_platform(changed("vectors", {"memory_gib": 4})).server)
    text = json.dumps(_bootstrap.settings(plain))
    for word in ("text2vec", "192.0.2.", "TIKTOKEN", "llm-weaviate-gate", "gateway_key_vectorizer", "OPENAI_APIKEY"):
        assert word not in text, word


def test_callers_are_told_what_to_name_in_a_collection() -> None:
    named = {"module": "text2vec-openai", "model": MODEL, "base_url": "http://gateway:4000"}
    assert plan_of(llm.ModelServer, {**BESIDE, **ASKED}).outputs["vectors_vectorizer"] == named
    assert "vectors_vectorizer" not in plan_of(llm.ModelServer, BESIDE).outputs
    raw = platform()
    whole = {**PLATFORM, "server": {**raw["server"], "upstreams": {}}, "vectors": raw["vectors"], "proxy": None}
    whole = {key: value for key, value in whole.items() if value is not None}
    assert plan_of(llm.Platform, whole).outputs["vectors_vectorizer"] == named


def test_the_limits_of_its_key_go_through_every_component() -> None:
    limits = {"daily_tokens": 50_000_000}
    asked = {"vectors_vectorizer": {"model": MODEL, "key": limits}}
    assert plan_of(llm.ModelServer, {**BESIDE, **asked}).outputs["vectors_vectorizer"]["model"] == MODEL
    raw = platform(vectorizer={"model": MODEL, "key": limits})
    whole = {**PLATFORM, "server": {**raw["server"], "upstreams": {}}, "vectors": raw["vectors"]}
    assert plan_of(llm.Platform, whole).outputs["vectors_vectorizer"]["model"] == MODEL


def test_an_output_that_is_called_as_an_argument_takes_the_arguments_form() -> None:
    for component, arguments in ((llm.ModelServer, _args.ModelServerArgs), (llm.VectorStore, _args.VectorStoreArgs)):
        for name in component.__annotations__.keys() & arguments.__annotations__.keys():
            if "dict" in str(component.__annotations__[name]) and name not in _model_server._UNRECORDED:
                assert "typing.Any" in str(component.__annotations__[name]), (component, name)


def test_a_host_that_is_too_small_is_answered_with_a_machine_of_its_own_too() -> None:
    store = {"model": MODEL}
    with pytest.raises(Refusal) as refused:
        resolve_platform(platform(vectorizer=store, memory_gib=200))
    hints = [each.hint for each in refused.value.findings if each.code == "fit.host-memory"]
    assert hints
    assert any("placement: own" in each for each in hints)


def test_the_names_that_stand_twice_are_the_same() -> None:
    assert stores.KEY == weaviate.KEY
    row = registry.role("weaviate").manifest.vectorizer
    assert row is not None
    assert row.base_url.endswith(f":{weaviate.PORT}")
    gateway = node().of(GatewayRole)
    assert gateway is not None
    assert [each.name for each in gateway.keys].count(weaviate.KEY) == 1
    assert VectorsSpec.model_fields["vectorizer"].default is None


def test_codes_are_those_of_components_too() -> None:
    asked = {"vectors_vectorizer": {"model": MODEL}, "vectors_engine": "qdrant"}
    assert codes(llm.ModelServer, {**BESIDE, **asked}) == ["vectors.no-vectorizer"]
