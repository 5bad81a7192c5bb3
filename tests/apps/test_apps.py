"""Pages beside a model: what is refused, what the node is given, and what callers are told."""

from __future__ import annotations

import json
import re
from typing import Any, get_args

import pytest

from pulumi_llm import _bootstrap, _nodes
from pulumi_llm._bootstrap import GatewayRole, NodeRequest, check
from pulumi_llm._resolve import ResolvedServer, resolve_platform
from pulumi_llm.errors import Finding, Refusal
from pulumi_llm.preflight import apps, beside
from pulumi_llm.roles import registry
from pulumi_llm.roles.caddy import caddyfile
from pulumi_llm.roles.chat import KEY, _quoted
from pulumi_llm.spec import ChatSpec
from tests.apps.bad import BAD, CHAT, RAG, UPSTREAMS
from tests.apps.page import node, platform, variables, written
from tests.test_spec import changed

RAGGED: dict[str, Any] = {"apps": {"rag": {"embeddings": "text-embedding-v4", "dimensions": 1024}}}


def server(**more: Any) -> ResolvedServer:
    return resolve_platform(platform(**more)).server


def found(keys: dict[str, Any], vectors: dict[str, Any]) -> list[Finding]:
    """What is said of a platform with these keys of ``server`` and ``vectors``."""
    raw = changed("vectors", {"memory_gib": 4, **vectors})
    raw["server"] |= {"upstreams": UPSTREAMS, **keys}
    try:
        check(_nodes.server_node("bad", resolve_platform(raw).server))
    except Refusal as refusal:
        return list(refusal.findings)
    return []


@pytest.mark.parametrize(("code", "keys", "vectors"), BAD, ids=[each[0] for each in BAD])
def test_what_cannot_work_is_refused_with_its_code_and_a_hint(
    code: str, keys: dict[str, Any], vectors: dict[str, Any]
) -> None:
    told = found(keys, vectors)
    assert [each.code for each in told] == [code]
    assert told[0].hint


def hint(code: str, keys: dict[str, Any]) -> str:
    (told,) = [each for each in found(keys, {"engine": "pgvector"}) if each.code == code]
    return str(told.hint)


def test_a_model_that_cannot_answer_is_answered_with_one_that_can() -> None:
    own = {"apps": {"chat": CHAT, "rag": {**RAG, "embeddings": "Yi-6B-Chat"}}, "override": ["fit.host-memory"]}
    beside = {
        "vectors": {"model": "BAAI/bge-m3", "device": "cpu"},
        "ranks": {"model": "BAAI/bge-reranker-v2-m3", "device": "cpu"},
    }
    assert hint("apps.cannot-answer", {**own, "upstreams": {}}).startswith("server.models: {own: {model: BAAI/bge-m3}}")
    assert "vectors" in hint("apps.cannot-answer", {**own, "models": beside, "upstreams": {}})
    ranked = {**own, "apps": {"chat": CHAT, "rag": {**RAG, "embeddings": "vectors", "reranker": "vectors"}}}
    assert hint("apps.cannot-answer", {**ranked, "models": beside, "upstreams": {}}) == "ranks"


def test_a_column_is_as_long_as_the_models_vectors() -> None:
    def of(model: str, dimensions: int) -> dict[str, Any]:
        rag = {"embeddings": "vectors", "dimensions": dimensions}
        models = {"vectors": {"model": model, "kind": "embedding", "gpus": 1}}
        return {
            "apps": {"chat": CHAT, "rag": rag},
            "models": models,
            "override": ["fit.host-memory", "fit.unknown-model"],
        }

    codes = [each.code for each in found(of("BAAI/bge-m3", 1024), {"engine": "pgvector"})]
    assert "apps.rag-dimensions" not in codes
    assert hint("apps.rag-dimensions", of("BAAI/bge-m3", 1536)) == "dimensions: 1024"
    # Its vectors have 2560 numbers, and a column of pgvector with an index 2000 at most.
    other = "dimensions: 2560, with vectors: {engine: weaviate}; or another model"
    assert hint("apps.rag-dimensions", of("Qwen/Qwen3-Embedding-4B", 2000)) == other
    longer = of("Qwen/Qwen3-Embedding-4B", 2560)
    assert "apps.rag-dimensions" in [each.code for each in found(longer, {"engine": "pgvector"})]
    assert "apps.rag-dimensions" not in [each.code for each in found(longer, {"engine": "weaviate"})]


def test_the_page_is_not_on_the_port_that_is_opened_to_the_world_for_a_certificate() -> None:
    place = {"cloud": "aws", "region": "us-east-1", "gpu": "A10G", "model": "Qwen/Qwen2.5-7B-Instruct"}
    name = {"name": "llm.example.com", "acme": {"email": "ops@example.com"}}
    for port, codes in ((80, ["bootstrap.bad-port"]), (8443, [])):
        more = {**place, "domain": name, "apps": {"chat": {**CHAT, "port": port}}}
        assert [each.code for each in found(more, {})] == codes


def test_a_key_of_the_pages_is_named_by_its_whole_path() -> None:
    for code, keys, vectors in BAD:
        for told in found(keys, vectors):
            if code.startswith("apps."):
                assert told.where.split(".")[0] == "server", told


def test_what_the_tests_call_good_is_taken() -> None:
    assert found({"apps": {"chat": CHAT, "rag": RAG}}, {"engine": "pgvector"}) == []


def test_an_embedding_model_of_the_machine_itself_turns_documents_into_vectors() -> None:
    own = {"embedder": {"model": "BAAI/bge-m3", "kind": "embedding", "gpu_memory_utilization": 0.1}}
    keys = {"apps": {"chat": CHAT, "rag": {**RAG, "embeddings": "embedder"}}, "models": own}
    assert found({**keys, "gpu": "A100-80GB", "override": ["fit.unknown-model"]}, {"engine": "pgvector"}) == []


def test_a_port_that_needs_a_filing_in_mainland_china_is_taken_elsewhere() -> None:
    elsewhere = {"cloud": "aws", "region": "us-east-1", "apps": {"chat": {**CHAT, "port": 8443}}}
    assert found(elsewhere, {}) == []


def test_a_page_without_a_name_in_mainland_china_is_told_its_port() -> None:
    told = [each for each in server().warnings if each.code == "apps.no-name"]
    assert [each.severity for each in told] == ["warning"]
    assert ":18447" in told[0].message
    named = {"name": "llm.example.com", "filed": True}
    assert "apps.no-name" not in [each.code for each in server(server={"domain": named}).warnings]
    abroad = {"cloud": "aws", "region": "us-east-1", "upstreams": {}}
    assert "apps.no-name" not in [each.code for each in server(server=abroad).warnings]


def test_its_key_is_good_on_the_machine_alone_and_callers_are_not_told_it() -> None:
    asked = server(server={"apps": {"chat": {**CHAT, "key": {"daily_tokens": 1000, "models": ["Qwen*"]}}}})
    row = asked.keys[KEY]
    assert row.source_cidrs == ("127.0.0.0/8",)
    assert (row.daily_tokens, row.models) == (1000, ("Qwen*",))
    assert KEY not in asked.spec.keys
    gateway = _nodes.server_node("x", asked).of(GatewayRole)
    assert gateway is not None
    (key,) = [each for each in gateway.keys if each.name == KEY]
    assert key.source_cidrs == ("127.0.0.0/8",)


def test_no_secret_stands_in_what_the_node_is_given_beside_its_secrets() -> None:
    document = _bootstrap.settings(node(**RAGGED, vectors={"engine": "pgvector"}))
    told = variables(written(document, "/opt/llm/open-webui/settings.env"))
    assert not {"WEBUI_ADMIN_PASSWORD", "WEBUI_SECRET_KEY", "OPENAI_API_KEY", "PGPASSWORD"} & {*told}
    assert "@127.0.0.1:18446/" in told["PGVECTOR_DB_URL"]
    rows = {each["path"].rpartition("/")[2]: each for each in document["secret_files"]}
    assert rows["open-webui.env"]["owner"] == "root"
    assert rows["open-webui.env"]["entries"] == {
        "open_webui_password": "WEBUI_ADMIN_PASSWORD",
        "open_webui_session": "WEBUI_SECRET_KEY",
        "gateway_key_chat": "OPENAI_API_KEY",
        "pgvector_password": "PGPASSWORD",
    }
    assert rows["open-webui-embeddings.env"]["entries"] == {"gateway_key_chat": "RAG_OPENAI_API_KEY"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ENABLE_SIGNUP", "false"), ("ENABLE_INITIAL_ADMIN_SIGNUP", "false"), ("DEFAULT_USER_ROLE", "pending"),
        ("ENABLE_CODE_EXECUTION", "false"), ("ENABLE_CODE_INTERPRETER", "false"), ("ENABLE_PLUGINS", "false"),
        ("ENABLE_COMMUNITY_SHARING", "false"), ("ENABLE_WEB_SEARCH", "false"), ("OFFLINE_MODE", "true"),
        ("ENABLE_PERSISTENT_CONFIG", "false"), ("WEBUI_AUTH", "true"), ("WEBUI_AUTH_COOKIE_SECURE", "true"),
        ("OPENAI_API_BASE_URL", "http://127.0.0.1:4000/v1"), ("DATA_DIR", "/srv/llm/open-webui"),
    ],
)  # fmt: skip
def test_what_would_open_it_is_off(name: str, value: str) -> None:
    told = variables(written(_bootstrap.settings(node()), "/opt/llm/open-webui/settings.env"))
    assert told[name] == value


def test_whoever_has_chosen_no_model_asks_the_machines_own_and_not_one_for_vectors() -> None:
    own = {"abc": {"model": "BAAI/bge-m3", "kind": "embedding", "gpu_memory_utilization": 0.1}}
    keys = {"models": own, "gpu": "A100-80GB", "override": ["fit.unknown-model"]}
    told = variables(written(_bootstrap.settings(node(server=keys)), "/opt/llm/open-webui/settings.env"))
    assert told["DEFAULT_MODELS"] == "Qwen2.5-7B-Instruct-AWQ"


@pytest.mark.parametrize(
    "line",
    [
        "User=llm-open-webui", "IPAddressDeny=any", "IPAddressAllow=localhost", "NoNewPrivileges=yes", "MemoryMax=3G",
        "ProtectSystem=strict", "ReadWritePaths=/srv/llm/open-webui", "CapabilityBoundingSet=", "PrivateDevices=yes",
        "InaccessiblePaths=-/srv/llm/secrets",
    ],
)  # fmt: skip
def test_its_unit_is_shut_in(line: str) -> None:
    document = _bootstrap.settings(node(server={"apps": {"chat": {**CHAT, "memory_gib": 3}}}))
    unit = written(document, "/etc/systemd/system/llm-chat.service")
    assert line in unit.splitlines()
    assert "--host 127.0.0.1" in unit


def test_it_answers_by_tls_at_its_own_port_and_under_the_nodes_name() -> None:
    domain = {"name": "llm.example.com", "filed": True, "acme": {"email": "ops@example.com"}}
    plain, named = caddyfile(node()), caddyfile(node(server={"domain": domain}))
    assert re.search(r"^:18447 \{\n\timport tls$", plain, re.MULTILINE)
    assert re.search(r"^llm\.example\.com:18447 \{\n\timport acme$", named, re.MULTILINE)
    told = variables(written(_bootstrap.settings(node(server={"domain": domain})), "/opt/llm/open-webui/settings.env"))
    assert told["WEBUI_URL"] == told["CORS_ALLOW_ORIGIN"] == "https://llm.example.com:18447"


def test_with_weaviate_beside_it_documents_are_kept_there_and_the_page_waits_for_it() -> None:
    document = _bootstrap.settings(node(**RAGGED, vectors={"engine": "weaviate"}))
    told = variables(written(document, "/opt/llm/open-webui/settings.env"))
    assert (told["VECTOR_DB"], told["USE_SLIM_DOCKER"]) == ("weaviate", "false")
    addresses = {name: told[name] for name in told if name.startswith("WEAVIATE_")}
    assert addresses == {
        "WEAVIATE_HTTP_HOST": "127.0.0.1", "WEAVIATE_HTTP_PORT": "8080",
        "WEAVIATE_GRPC_HOST": "127.0.0.1", "WEAVIATE_GRPC_PORT": "50051", "WEAVIATE_SKIP_INIT_CHECKS": "true",
    }  # fmt: skip
    (row,) = [each for each in document["secret_files"] if each["path"].endswith("/open-webui.env")]
    assert row["entries"]["weaviate_api_key"] == "WEAVIATE_API_KEY"
    unit = written(document, "/etc/systemd/system/llm-chat.service")
    assert "After=llm-environments.service llm-gate.service llm-weaviate.service" in unit.splitlines()
    (waits,) = [each for each in unit.splitlines() if each.startswith("ExecStartPre=")]
    assert waits.endswith("http://127.0.0.1:8080/v1/.well-known/ready")
    assert written(document, waits.split()[2]).startswith('"""Waits until')


def test_documents_in_weaviate_are_warned_of_and_in_postgresql_they_are_not() -> None:
    for engine, wanted in (("weaviate", ["warning"]), ("pgvector", [])):
        found = server(**RAGGED, vectors={"engine": engine}).warnings
        assert [each.severity for each in found if each.code == "apps.rag-keeps-deleted"] == wanted


def test_who_empties_the_page_of_documents_would_empty_all_of_weaviate_and_may_not() -> None:
    refused = re.compile(
        r"@empties path /api/v1/files/all /api/v1/retrieval/reset/db\n\thandle @empties \{\n\t\trespond 403"
    )
    assert refused.search(caddyfile(node(**RAGGED, vectors={"engine": "weaviate"})))
    assert not refused.search(caddyfile(node(**RAGGED, vectors={"engine": "pgvector"})))


def test_without_retrieval_it_asks_for_no_vectors_and_has_no_password_of_a_store() -> None:
    document = _bootstrap.settings(node(vectors={"engine": "pgvector"}))
    told = variables(written(document, "/opt/llm/open-webui/settings.env"))
    assert told["BYPASS_EMBEDDING_AND_RETRIEVAL"] == "true"
    assert "PGVECTOR_DB_URL" not in told
    (row,) = [each for each in document["secret_files"] if each["path"].endswith("open-webui.env")]
    assert "pgvector_password" not in row["entries"]


def test_a_node_without_a_page_has_none_of_it() -> None:
    asked: NodeRequest = _nodes.server_node("x", resolve_platform(changed("server.gpu_count", 1)).server)
    document = json.dumps(_bootstrap.settings(asked))
    assert "open-webui" not in document
    assert "gateway_key_chat" not in document


def test_the_fit_check_counts_its_memory_and_its_disk() -> None:
    wanted = server(server={"apps": {"chat": {**CHAT, "memory_gib": 6, "disk_gib": 33}}}).spec
    (page,) = beside.of_server(wanted, None)
    assert (page.title, page.memory_gib, page.disk_gib) == ("Open WebUI", 6, 33)
    told = [
        each for each in found({"apps": {"chat": {**CHAT, "memory_gib": 400}}}, {}) if each.code == "fit.host-memory"
    ]
    assert "400 GiB for Open WebUI" in told[0].message
    assert "placement: own" not in str(told[0].hint).replace("vectors.placement: own", "")


def test_the_names_that_stand_twice_are_the_same() -> None:
    assert apps.CHAT == KEY
    assert ChatSpec.model_fields["engine"].default == registry.DEFAULT_CHAT
    assert get_args(ChatSpec.model_fields["engine"].annotation)[0] == registry.DEFAULT_CHAT
    assert registry.role(registry.DEFAULT_CHAT).manifest.listeners["page"].port == ChatSpec.model_fields["port"].default


@pytest.mark.parametrize("name", ["plain", "a b", 'a"b', "a\\b", "a$b", "a`b", "it's", "a;b#c"])
def test_a_models_name_is_taken_literally(name: str) -> None:
    quoted = _quoted(name)
    assert quoted is not None
    assert variables(f"X={quoted}") == {"X": name}
