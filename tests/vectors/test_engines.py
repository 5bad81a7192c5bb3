"""Rules that hold for every vector store, whichever is chosen: closed, limited, with a key, one folder each."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

import pulumi_llm as llm
from pulumi_llm import _bootstrap as bootstrap
from pulumi_llm import preflight, spec
from pulumi_llm._plan.model import UNKNOWN
from pulumi_llm.errors import Refusal
from pulumi_llm.roles import Role, registry
from tests.bootstrap.samples import engine_node
from tests.test_components import PLATFORM, PROXY, SERVER, codes, plan_of, settings

ENGINES = tuple(registry.answering("vectors"))
DOCS = Path(__file__).parents[2] / "docs"
MACHINE = {"cloud": "aliyun", "region": "cn-hangzhou", "allowed_cidrs": ["203.0.113.0/24"]}
PASSWORD = "random:index/randomPassword:RandomPassword"
PORTS = ("18444", "18445")


def role(engine: str) -> Role:
    return registry.of_argument("vectors", engine)


def rows(engine: str) -> dict[str, str]:
    return {each["path"]: each["content"] for each in bootstrap.settings(engine_node(engine))["files"]}


def test_the_default_of_the_spec_is_the_one_that_the_roles_name() -> None:
    assert registry.of_argument("vectors").name == spec.VectorsSpec().engine == ENGINES[0]


@pytest.mark.parametrize("language", ["", ".zh"])
def test_every_engine_is_in_the_key_s_description_and_on_the_page(language: str) -> None:
    guide = (DOCS / f"user-guide{language}.md").read_text(encoding="utf-8")
    __, __, table = guide.partition("<!-- VectorsSpec -->")
    row = next(line for line in table.splitlines() if line.startswith("| `engine` |"))
    page = (DOCS / f"vectors{language}.md").read_text(encoding="utf-8")
    for engine in ENGINES:
        assert f"`{engine}`" in row
        assert re.search(rf"^\| {re.escape(role(engine).manifest.title)}", page, re.MULTILINE), engine


def test_an_engine_that_there_is_not_is_answered_with_the_nearest() -> None:
    with pytest.raises(Refusal) as refused:
        spec.parse(spec.VectorsSpec, {"engine": "quadrant"})
    (found,) = refused.value.findings
    assert (found.code, found.where) == ("roles.unknown", "engine")
    assert "did you mean qdrant?" in found.hint


def test_a_role_that_is_no_vector_store_is_no_engine() -> None:
    for other in ("caddy", "vllm", "docker"):
        with pytest.raises(Refusal, match=r"roles\.unknown"):
            spec.parse(spec.VectorsSpec, {"engine": other})


@pytest.mark.parametrize("engine", ENGINES)
def test_it_asks_for_a_key_that_pulumi_makes_and_no_file_holds(engine: str) -> None:
    made = [each for each in role(engine).manifest.secrets.values() if each.generate]
    assert len(made) == 1
    assert all(each.key in ("own", "front") for each in role(engine).manifest.listeners.values())
    plan = plan_of(llm.VectorStore, {**MACHINE, "engine": engine, "memory_gib": 8})
    (key,) = [each for each in plan.resources if each.type == PASSWORD]
    assert key.name == "x-api-key"
    assert plan.outputs["api_key"] == UNKNOWN  # Pulumi makes it while `up` runs, and keeps it encrypted
    assert plan.outputs["engine"] == engine


@pytest.mark.parametrize("engine", ENGINES)
def test_beside_a_model_it_is_told_by_the_same_outputs(engine: str) -> None:
    args = {**SERVER, "vectors": True, "vectors_engine": engine, "vectors_memory_gib": 8, "gpu": "A10G"}
    plan = plan_of(llm.ModelServer, args)
    assert plan.outputs["vectors_engine"] == engine
    assert plan.outputs["vectors_key"] == UNKNOWN
    assert role(engine).unit in settings(plan)["services"]
    own = {each for each in ENGINES if role(each).unit in settings(plan)["services"]}
    assert own == {engine}
    assert [each.name for each in plan.resources if each.name.startswith("x-vectors")] == ["x-vectors-key"]


@pytest.mark.parametrize("placement", ["server", "own"])
def test_a_platform_hands_its_engine_on(placement: str) -> None:
    plan = plan_of(llm.Platform, {**PLATFORM, "vectors": {"engine": "qdrant", "memory_gib": 2, "placement": placement}})
    assert plan.outputs["vectors_engine"] == "qdrant"
    where = "x-server-settings" if placement == "server" else "x-vectors-settings"
    assert "llm-qdrant.service" in settings(plan, where)["services"]


@pytest.mark.parametrize("engine", ENGINES)
def test_nothing_of_it_is_in_the_user_data(engine: str) -> None:
    text = bootstrap.user_data(engine_node(engine))
    if not role(engine).manifest.users[f"llm-{engine}"].early:
        assert engine not in text


@pytest.mark.parametrize("engine", [each for each in ENGINES if role(each).manifest.compose])
def test_a_container_is_held_to_its_memory_its_user_and_its_folder(engine: str) -> None:
    services: dict[str, dict[str, Any]] = yaml.safe_load(rows(engine)[f"/opt/llm/{engine}/compose.yaml"])["services"]
    number = role(engine).manifest.users[f"llm-{engine}"].id
    for each in services.values():
        assert each["mem_limit"] == "8g"
        assert each["user"] == f"{number}:{number}"
        assert each["cap_drop"] == ["ALL"]
        assert each["security_opt"] == ["no-new-privileges:true"]
        assert {port.rpartition(":")[0].rpartition(":")[0] for port in each["ports"]} == {"127.0.0.1"}
        assert all(volume.startswith((f"/srv/llm/{engine}:", "/opt/llm/")) for volume in each["volumes"])
        assert each.get("read_only") is True or engine in WRITABLE


WRITABLE = {
    "weaviate": "as it was before there were others: what it writes outside of its folder was not looked up",
    "milvus": "its image could not be run here, and what it writes outside of its folder is not documented",
}
"""Containers whose root is not read-only, and why."""


@pytest.mark.parametrize("engine", ENGINES)
def test_it_takes_the_sizes_of_its_role_where_nobody_gives_any(engine: str) -> None:
    needs = role(engine).manifest.needs
    left_out = spec.parse(spec.VectorsSpec, {"engine": engine})
    assert (left_out.memory_gib, left_out.disk_gib) == (needs.memory_gib, needs.disk_gib)
    given = spec.parse(spec.VectorsSpec, {"engine": engine, "memory_gib": 16, "disk_gib": 100})
    assert (given.memory_gib, given.disk_gib) == (16, 100)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_ports_are_the_same_whichever_it_is(engine: str) -> None:
    listeners = role(engine).manifest.listeners
    assert {str(each.port) for each in listeners.values()} <= {*PORTS, "18446"}
    assert len({each.port for each in listeners.values()}) == len(listeners)


@pytest.mark.parametrize("engine", ENGINES)
def test_it_has_a_hint_for_what_can_happen_to_a_service(engine: str) -> None:
    for kind in ("crashes", "port-taken", "missing-file", "permission-denied", "disk-full", "out-of-memory"):
        assert f"{engine}.{kind}" in role(engine).manifest.hints


def test_the_fit_check_counts_the_engine_by_its_own_name() -> None:
    wanted = {"cloud": "aliyun", "region": "cn-hangzhou", "gpu": "T4", "model": "01-ai/Yi-6B-Chat"}
    server = spec.parse(spec.ServerSpec, {**wanted, "context_length": 4096})
    found = preflight.check_server(server, spec.parse(spec.VectorsSpec, {"engine": "qdrant", "memory_gib": 400}))
    (memory,) = [each for each in found if each.code == "fit.host-memory"]
    assert "400 GiB for Qdrant" in memory.message


def test_users_have_numbers_of_their_own() -> None:
    numbers = [user.id for each in registry.built_in().values() for user in each.manifest.users.values()]
    assert len(numbers) == len(set(numbers))
    assert all(470 <= each < registry.FIRST_OF_OTHERS for each in numbers)


def test_keys_list_tells_whose_key_it_is_by_the_engine_that_is_up(monkeypatch: pytest.MonkeyPatch) -> None:
    from argparse import Namespace

    from pulumi_llm._commands import _keys

    monkeypatch.setattr(_keys.outputs, "read", lambda *_, **__: {"vectors_engine": "qdrant", "vectors_key": "planted"})
    asked = Namespace(project=Path(), stack="dev", sim=False, at="vectors")
    assert json.dumps(_keys._of_vectors(asked, "list")).count('"llm"') == 1
    with pytest.raises(Refusal, match="Qdrant has one key"):
        _keys._of_vectors(asked, "add")


def test_the_default_has_the_largest_user_data_so_that_check_measures_that() -> None:
    sizes = {name: len(bootstrap.user_data(engine_node(name))) for name in ENGINES}
    assert max(sizes, key=sizes.__getitem__) == ENGINES[0]


def test_a_weakness_that_nobody_mended_is_warned_of_in_the_plan() -> None:
    beside = {**SERVER, "vectors": True, "vectors_engine": "chroma"}
    for component, args in ((llm.VectorStore, {**MACHINE, "engine": "chroma"}), (llm.ModelServer, beside)):
        (note,) = [each for each in plan_of(component, args).notes if each.code == "vectors.known-weakness"]
        assert note.severity == "warning"
        assert "CVE-2026-45829 is published of Chroma 1.5.9" in note.message
    quiet = plan_of(llm.VectorStore, {**MACHINE, "engine": "qdrant"})
    assert not [each for each in quiet.notes if each.code.startswith("vectors.")]


def test_what_is_weak_has_its_source_and_the_release_that_mends_it_is_older_than_the_pin() -> None:
    for name in ENGINES:
        for each in role(name).manifest.weak:
            assert each.source
            if each.mended:
                pinned = [int(part) for part in role(name).manifest.version.split(".")]
                assert pinned >= [int(part) for part in each.mended.split(".")]


@pytest.mark.parametrize("vectors", [{}, {"vectors": False}])
def test_backups_of_a_store_that_is_not_there_are_refused(vectors: dict[str, Any]) -> None:
    assert codes(llm.ModelServer, {**SERVER, **vectors, "vectors_backup": {}}) == ["vectors.backup-of-nothing"]
    assert plan_of(llm.ModelServer, {**SERVER, "vectors": True, "vectors_backup": {}}).outputs["vectors_backup_key"]


@pytest.mark.parametrize(
    ("engine", "code"), [("one-api", "spec.engine-not-built"), ("agi-proxy", "spec.engine-is-hosted")]
)
def test_a_proxy_engine_that_is_not_there_is_refused_with_what_to_do_instead(engine: str, code: str) -> None:
    with pytest.raises(Refusal) as refused:
        plan_of(llm.OverseasProxy, {**PROXY, "engine": engine})
    (found,) = refused.value.findings
    assert found.code == code
    assert "base_url" in found.hint
