"""Rows of a project's own file of models: what is wrong with one is said in its own words, and what it displaces."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pulumi_llm import catalog, cli
from pulumi_llm.catalog import Catalog, Model, own
from pulumi_llm.errors import Finding, Refusal
from pulumi_llm.preflight import check_server
from pulumi_llm.spec import PlatformSpec, ServerSpec
from pulumi_llm.spec.reading import parse

QWEN = "Qwen/Qwen2.5-7B-Instruct"
Row = dict[str, Any]
Use = Callable[..., Path]


@pytest.fixture
def use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Use:
    """Put rows into a project's file, which is then in force."""

    def write(*rows: Row) -> Path:
        path = tmp_path / own.FILE
        table = {"sources": {"s": {"title": "ours", "date": "2026-11-28"}}, "rows": [{"source": "s"} | r for r in rows]}
        path.write_text(json.dumps(table), encoding="utf-8")
        monkeypatch.setenv(own.VARIABLE, str(path))
        return path

    return write


def refused(call: Callable[[], object]) -> tuple[Finding, ...]:
    with pytest.raises(Refusal) as caught:
        call()
    return caught.value.findings


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"id": "a/b", "lyers": 3}, "row 1: there is no key 'lyers'; did you mean layers?"),
        ({"id": "a/b", "layers": "many"}, "row 1: layers must be a whole number, not 'many'"),
        ({"id": "a/b", "layers": 2.5}, "row 1: layers must be a whole number, not 2.5"),
        ({"id": "a/b", "gated": 1}, "row 1: gated must be true or false, not 1"),
        ({"id": "a/b", "moe": {"expert": 8}}, "row 1: the key 'moe.experts' is missing"),
        ({"id": "a/b", "moe": [8]}, "row 1: moe must be an object, not [8]"),
        ({"id": "a/b", "caches": [{"layers": 1}]}, "row 1: the key 'caches[1].bytes' is missing"),
        ({"id": "a/b", "caches": {}}, "row 1: caches must be a list, not {}"),
        ({"layers": 3}, "row 1: the key 'id' is missing"),
        ({"id": "a b"}, "row 1: 'a b' cannot be the id of a model at a hub (organisation/name)"),
    ],
)
def test_a_row_that_is_wrong_is_told_in_words_of_the_file(use: Use, row: Row, says: str) -> None:
    path = use(row)
    messages = [each.message for each in refused(lambda: catalog.load().models)]
    assert f"{path}: {says}" in messages
    assert all("argument" not in each and "Model" not in each for each in messages)


def test_every_mistake_of_every_row_is_told_at_once_and_names_the_file_once(use: Use) -> None:
    path = use({"id": "a/b", "lyers": 3, "heads": "x"}, {"id": "a/c"}, {"id": "a/c"})
    told = refused(lambda: catalog.load().models)
    assert {each.code for each in told} == {"catalog.broken-file"}
    assert [str(each).count(path.name) for each in told] == [1, 1, 1]
    assert [each.message.partition(": ")[2] for each in told] == [
        "row 1: there is no key 'lyers'; did you mean layers?",
        "row 1: heads must be a whole number, not 'x'",
        "row 3: there is a row for a/c already",
    ]


def test_a_stack_tells_every_mistake_of_the_file_too(use: Use) -> None:
    use({"id": "a/b", "lyers": 3, "heads": "x"})
    server = {"cloud": "aliyun", "region": "cn-beijing", "gpu": "T4", "model": "a/b"}
    told = refused(lambda: parse(PlatformSpec, {"server": server, "access": {"allowed_cidrs": ["203.0.113.0/24"]}}))
    assert [(each.code, each.where) for each in told] == [("catalog.broken-file", "server.model")] * 2


def test_a_broken_row_of_the_package_is_told_in_the_same_words(tmp_path: Path) -> None:
    catalog.load(catalog.DATA).copy_to(tmp_path)
    table = json.loads((tmp_path / "gpus.json").read_text(encoding="utf-8"))
    table["rows"][0]["memory_gb"] = table["rows"][0].pop("memory_gib")
    (tmp_path / "gpus.json").write_text(json.dumps(table), encoding="utf-8")
    told = refused(lambda: Catalog(tmp_path).gpus)
    assert "row 1: there is no key 'memory_gb'; did you mean memory_gib" in told[0].message
    assert told[1].message.endswith("row 1: the key 'memory_gib' is missing")


def displaced(path: Path, **changes: Any) -> Model:
    listed = Catalog().models[QWEN]
    own.add(path, replace(listed, source="ours", **changes))
    return listed


def server() -> ServerSpec:
    return ServerSpec(cloud="aliyun", region="cn-beijing", gpu="A10", model=QWEN)


def test_a_row_that_takes_the_place_of_the_catalogues_is_said_with_what_differs(
    use: Use, capsys: pytest.CaptureFixture[str]
) -> None:
    listed = displaced(use(), layers=4, max_context=1024)
    (told,) = [each for each in check_server(server()) if each.code == "catalog.own-row-differs"]
    assert (told.severity, told.where) == ("warning", "model")
    assert told.message == (
        f"pulumi-llm.models.json has a row for {QWEN} that takes the place of the catalogue's of "
        f"{listed.source_date}; they differ in layers, max_context, caches"
    )
    assert cli.main(["check", QWEN, "--gpu", "A10"]) == 0
    assert told.message in capsys.readouterr().out
    assert cli.main(["catalog", "show"]) == 0
    assert told.message in capsys.readouterr().out


def test_a_row_that_says_the_same_as_the_catalogue_is_no_warning(use: Use) -> None:
    displaced(use(), notes="ours")
    assert [each.code for each in check_server(server())] == []
    assert [each.severity for each in catalog.load().taken_over()] == ["info"]


def test_a_row_for_a_model_that_the_catalogue_lacks_takes_nobodys_place(use: Use) -> None:
    own.add(use(), replace(Catalog().models[QWEN], id="a/b"))
    assert catalog.load().model("a/b").layers == Catalog().models[QWEN].layers
    assert catalog.load().taken_over() == []
