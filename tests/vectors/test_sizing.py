"""How much memory and disk so many vectors need, by each makers' rule, and what is said where less is given."""

from __future__ import annotations

import json
from typing import Any

import pytest

import pulumi_llm as llm
from pulumi_llm import spec
from pulumi_llm._commands import check as command
from pulumi_llm.errors import Refusal
from pulumi_llm.roles import registry, sizing
from tests.test_components import PLATFORM, SERVER, plan_of, settings

run = command.COMMAND.run
ENGINES = tuple(registry.answering("vectors"))
MILLION = {"count": 1_000_000, "dimensions": 1024}


def needed(engine: str, count: int, dimensions: int) -> sizing.Sizes:
    found = sizing.sizes(registry.of_argument("vectors", engine), count, dimensions)
    assert found is not None
    return found


def codes(**vectors: Any) -> list[tuple[str, str]]:
    with pytest.raises(Refusal) as refused:
        spec.parse(spec.VectorsSpec, vectors)
    return [(each.code, each.hint) for each in refused.value.findings]


def test_the_makers_own_examples_come_out() -> None:
    # docs.weaviate.io, "Resource Planning": a million of 384 dimensions, 2 * 1e6 * 1536 B == 3 GB; with ours, 1.
    assert needed("weaviate", 1_000_000, 384).memory_gib == 4
    # qdrant.tech, "Capacity Planning": a million vectors of 1,024 dimensions, about 5.72 GB; with ours, 1.
    assert needed("qdrant", **MILLION).memory_gib == 7
    # docs.trychroma.com, "Single-Node Performance": R = N / 0.245, 4.08 GB (3.8 GiB) a million; with ours, 1.
    assert needed("chroma", **MILLION).memory_gib == 5
    # milvus.io, prerequisite-docker.md: 8 GB at least.
    assert needed("milvus", 1000, 128).memory_gib == 8
    # Measured of pgvector 0.6.0 at 1,024 dimensions: 8,195 bytes of index a vector, 7.63 GiB a million; with ours, 1.
    assert needed("pgvector", **MILLION).memory_gib == 9


@pytest.mark.parametrize("engine", ENGINES)
def test_every_engine_has_a_rule_with_its_source(engine: str) -> None:
    rule = registry.of_argument("vectors", engine).manifest.sizing
    assert rule is not None
    assert rule.source
    assert rule.source_date == "2026-11-28"
    assert needed(engine, 2_000_000, 1024) > needed(engine, 1_000_000, 1024)


@pytest.mark.parametrize("engine", ENGINES)
def test_less_than_an_engine_needs_is_refused_with_what_would_do(engine: str) -> None:
    much = needed(engine, 5_000_000, 1024)
    asked = {"engine": engine, "count": 5_000_000, "dimensions": 1024}
    assert codes(**asked, memory_gib=much.memory_gib - 1, disk_gib=much.disk_gib - 1) == [
        ("vectors.too-little-memory", f"memory_gib: {much.memory_gib}"),
        ("vectors.too-small-a-disk", f"disk_gib: {much.disk_gib}"),
    ]
    spec.parse(spec.VectorsSpec, {**asked, "memory_gib": much.memory_gib, "disk_gib": much.disk_gib})


@pytest.mark.parametrize("engine", ENGINES)
def test_what_is_left_out_follows_from_what_is_expected(engine: str) -> None:
    found = spec.parse(spec.VectorsSpec, {"engine": engine, "count": 5_000_000, "dimensions": 1024})
    much, needs = needed(engine, 5_000_000, 1024), registry.of_argument("vectors", engine).manifest.needs
    assert found.memory_gib == max(much.memory_gib, needs.memory_gib)
    assert found.disk_gib == max(much.disk_gib, needs.disk_gib)


@pytest.mark.parametrize(
    ("vectors", "code"),
    [
        ({"engine": "milvus", "memory_gib": 4}, "vectors.too-little-memory"),
        ({"engine": "pgvector", "count": 10, "dimensions": 2001}, "vectors.too-many-dimensions"),
        ({"engine": "milvus", "count": 10, "dimensions": 32769}, "vectors.too-many-dimensions"),
        ({"count": 10}, "vectors.half-a-size"),
        ({"dimensions": 10}, "vectors.half-a-size"),
        ({"count": 0, "dimensions": 10}, "spec.wrong-value"),
        ({"count": "many", "dimensions": 10}, "spec.wrong-type"),
        ({"count": True, "dimensions": 10}, "spec.wrong-type"),
        ({"engine": "quadrant", "count": 10, "dimensions": 10}, "roles.unknown"),
        ({"engine": 7}, "spec.wrong-type"),
        ({"engine": "pinecone"}, "vectors.engine-is-a-service"),
        ({"engine": "Pinecone", "placement": "own"}, "vectors.engine-is-a-service"),
    ],
)
def test_an_engine_and_a_setting_that_do_not_go_together_are_refused_by_a_code(
    vectors: dict[str, Any], code: str
) -> None:
    ((found, hint),) = codes(**vectors)
    assert found == code
    assert hint or code.startswith("spec.")


def test_a_stack_and_a_component_hold_the_expectation_against_the_engine() -> None:
    expected = {"engine": "qdrant", "count": 500_000, "dimensions": 768}
    plan = plan_of(llm.Platform, {**PLATFORM, "vectors": expected})
    content = {each["path"]: each["content"] for each in settings(plan, "x-server-settings")["files"]}
    assert "mem_limit: 4g" in content["/opt/llm/qdrant/compose.yaml"]
    args = {"vectors": True, "vectors_engine": "qdrant", "vectors_memory_gib": 2}
    with pytest.raises(Refusal, match=r"vectors\.too-little-memory"):
        plan_of(llm.ModelServer, {**SERVER, **args, "vectors_count": 5_000_000, "vectors_dimensions": 768})


def test_check_tells_memory_and_disk_of_each_engine_with_its_source(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--vectors", "2000000", "--dimensions", "1024"]) == 0
    told = capsys.readouterr().out
    assert told.startswith("2,000,000 vectors of 1,024 dimensions: 7.6 GiB of numbers\n")
    for engine in ENGINES:
        much = needed(engine, 2_000_000, 1024)
        (line,) = [each for each in told.splitlines() if each.startswith(f"{engine} ")]
        assert line.split()[1:4] == [str(much.memory_gib), str(much.disk_gib), "2026-11-28"]
    assert "CVE-2026-45829" in told
    assert "PostgreSQL that you have" not in told


def test_below_a_hundred_thousand_vectors_the_postgresql_that_one_has_is_advised(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["--vectors", "99999", "--dimensions", "1024"]) == 0
    assert "below 100,000 vectors the PostgreSQL that you have is enough" in capsys.readouterr().out
    for count, enough in ((99_999, True), (100_000, False)):
        assert run(["--vectors", str(count), "--dimensions", "1024", "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["postgresql_is_enough"] is enough


def test_an_engine_that_does_not_index_so_many_dimensions_has_no_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--vectors", "1000", "--dimensions", "3072", "--json"]) == 0
    rows = {each["engine"]: each for each in json.loads(capsys.readouterr().out)["engines"]}
    assert rows["pgvector"]["memory_gib"] is None
    assert rows["qdrant"]["memory_gib"] is not None
    assert run(["--vectors", "1000", "--dimensions", "3072"]) == 0
    assert "PostgreSQL (pgvector) indexes up to 2,000 dimensions" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [
        ["--vectors", "5"],
        ["--dimensions", "5"],
        ["Qwen/Qwen2.5-7B-Instruct", "--vectors", "5", "--dimensions", "5"],
        ["--gpu", "T4", "--vectors", "5", "--dimensions", "5"],
        ["--vectors", "0", "--dimensions", "5"],
    ],
)
def test_a_question_by_halves_is_a_wrong_call(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) == 2
    assert capsys.readouterr().out == ""
