"""Imports have one direction: by the contracts in pyproject.toml, and file by file."""

from __future__ import annotations

import tomllib
from pathlib import Path

import grimp
import pytest
from importlinter.cli import lint_imports

ROOT = Path(__file__).parents[1]


def cycles(graph: grimp.ImportGraph) -> list[list[str]]:
    """Files that import each other, around however many others; each group sorted."""
    return sorted(
        sorted(group)
        for group in _groups({each: sorted(graph.find_modules_directly_imported_by(each)) for each in graph.modules})
        if len(group) > 1
    )


def _groups(imported: dict[str, list[str]]) -> list[list[str]]:
    """The strongly connected parts of a graph, by Tarjan's algorithm."""
    number: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(module: str) -> None:
        number[module] = lowest[module] = len(number)
        stack.append(module)
        for each in imported.get(module, ()):
            if each not in number:
                visit(each)
                lowest[module] = min(lowest[module], lowest[each])
            elif each in stack:
                lowest[module] = min(lowest[module], number[each])
        if lowest[module] == number[module]:
            place = stack.index(module)
            found.append(stack[place:])
            del stack[place:]

    for module in imported:
        if module not in number:
            visit(module)
    return found


def test_no_two_files_of_ours_import_each_other() -> None:
    # An import for annotations alone brings no code, so it is no direction; one inside a function is.
    graph = grimp.build_graph("pulumi_llm", exclude_type_checking_imports=True, cache_dir=None)
    assert len(graph.modules) > 100
    assert cycles(graph) == []


def test_a_circle_is_found_however_long_it_is() -> None:
    graph = grimp.ImportGraph()
    for importer, imported in (("a", "b"), ("b", "c"), ("c", "a"), ("c", "d"), ("d", "e"), ("e", "d"), ("f", "a")):
        for each in (importer, imported):
            graph.add_module(each)
        graph.add_import(importer=importer, imported=imported)
    assert cycles(graph) == [["a", "b", "c"], ["d", "e"]]


def test_nothing_points_back_up_and_what_judges_imports_no_cloud_sdk(capsys: pytest.CaptureFixture[str]) -> None:
    code = lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True)
    assert code == 0, capsys.readouterr().out


@pytest.mark.parametrize(
    ("module", "imported", "broken"),
    [
        ("pulumi_llm.spec.parts", "pulumi_aws", "What judges needs no cloud's SDK"),
        ("pulumi_llm.catalog.rows", "pulumi_llm.spec.parts", "Nothing points back up"),
        ("pulumi_llm.preflight.memory", "pulumi", "What is known before a program runs needs no Pulumi"),
    ],
)
def test_a_contract_is_broken_by_what_it_forbids(
    module: str, imported: str, broken: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    build = grimp.build_graph

    def with_one_more(*arguments: object, **options: object) -> grimp.ImportGraph:
        graph = build(*arguments, **options)  # type: ignore[arg-type]
        graph.add_import(importer=module, imported=imported, line_number=1, line_contents=f"import {imported}")
        return graph

    monkeypatch.setattr(grimp, "build_graph", with_one_more)
    assert lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True) == 1
    assert f"{broken} BROKEN" in capsys.readouterr().out


def test_every_module_that_a_contract_names_is_there_unless_it_says_that_it_need_not_be() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = next(each["layers"] for each in contracts if each["type"] == "layers")
    names = [name.strip() for layer in layers for name in layer.replace("|", ":").split(":")]
    package = ROOT / "components" / "pulumi_llm"
    for name in (each for each in names if not each.startswith("(")):
        assert (package / name).is_dir() or (package / f"{name}.py").is_file(), name


def test_what_is_public_fits_one_screen() -> None:
    package = ROOT / "components" / "pulumi_llm"
    names = {path.stem for path in package.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()}
    public = {name for name in names if not name.startswith("_")}
    # What a program, a test, another package or a shell asks for; all else may change without notice.
    assert public == {"catalog", "cli", "clouds", "errors", "preflight", "roles", "spec", "stack", "testing"}
