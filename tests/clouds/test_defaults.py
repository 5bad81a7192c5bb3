"""Each safe option is said aloud, and the checks here notice when one is not."""

from __future__ import annotations

import ast
import copy
import dataclasses
import inspect
import types
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from pulumi_llm import clouds
from tests.clouds import harness
from tests.clouds.defaults import DEFAULTS, SPOT, broken

CASES = [
    (name, spot, row) for spot, table in ((False, DEFAULTS), (True, SPOT)) for name in table for row in table[name]
]
ADAPTERS = [(name, spot) for name in clouds.names() for spot in (False, True) if not spot or name in harness.SELL_SPOT]
TABLES = {False: DEFAULTS, True: SPOT}


@pytest.fixture(scope="module")
def recordings() -> dict[tuple[str, bool], harness.Recording]:
    return {case: harness.record(harness.everything(clouds.get(case[0]), spot=case[1])) for case in ADAPTERS}


@pytest.mark.parametrize(
    ("name", "spot", "row"),
    CASES,
    ids=[f"{row[0].rsplit(':', 1)[-1]}.{row[1]}-{name}{'-spot' if spot else ''}" for name, spot, row in CASES],
)
def test_a_safe_option_is_set_explicitly(
    recordings: dict[tuple[str, bool], harness.Recording], name: str, spot: bool, row: Any
) -> None:
    assert broken(recordings[name, spot], (row,)) == []


@pytest.mark.parametrize(("name", "spot"), ADAPTERS)
def test_switching_off_any_option_is_noticed(
    recordings: dict[tuple[str, bool], harness.Recording], name: str, spot: bool
) -> None:
    """Changes every constant in the adapter, and looks at what became of each input, one input at a time."""
    sound, changed = recordings[name, spot], harness.record(harness.everything(_mutant(name), spot=spot))
    differences = list(_differences(sound, changed))

    unnoticed = [
        f"{made.name}: {'.'.join(map(str, path))}"
        for made, path, value in differences
        if not broken(_with(sound, made, path, value), TABLES[spot][name])
    ]

    assert differences
    assert unnoticed == []


@pytest.mark.parametrize("name", clouds.names())
def test_every_constant_of_an_adapter_reaches_the_cloud(
    recordings: dict[tuple[str, bool], harness.Recording], name: str
) -> None:
    # Some inputs have whole words in capitals: `enableIPForwarding`.
    said = Counter(_camel(argument).lower() for argument, _ in _constants(ast.parse(_source(name))))
    seen: dict[str, set[str]] = {}
    pairs = [
        (recordings[name, spot], harness.record(harness.everything(_mutant(name), spot=spot)))
        for each, spot in ADAPTERS
        if each == name
    ]
    more = {"stops": name in harness.STOP, "copied": name in harness.COPY, "started": name in harness.START}
    pairs.append(
        (
            harness.record(harness.everything(clouds.get(name), **more)),
            harness.record(harness.everything(_mutant(name), **more)),
        )
    )
    for sound, changed in pairs:
        for made, path, _ in _differences(sound, changed):
            seen.setdefault(str(path[-1]).lower(), set()).add(f"{made.name}.{path}")

    assert said
    assert [argument for argument, times in said.items() if len(seen.get(argument, ())) < times] == []


def _constants(tree: ast.AST) -> Iterator[tuple[str, ast.Constant]]:
    """The constants that the source says to the cloud, each with the name of its argument."""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and _is_sdk(ast.unparse(node.func))]
    for argument in (argument for call in calls for argument in call.keywords):
        if argument.arg and isinstance(argument.value, ast.Constant):
            yield argument.arg, argument.value


def _is_sdk(function: str) -> bool:
    return function.startswith(
        ("aws.", "azure.", "alicloud.", "digitalocean.", "gcp.", "tencentcloud.", "volcengine.", "vultr.")
    ) and not function.endswith("_output")


def _mutant(name: str) -> Any:
    """The adapter with every such constant changed: what was on is off, and the rest is something else."""
    tree = ast.parse(_source(name))
    for _, constant in _constants(tree):
        value = constant.value
        constant.value = not value if isinstance(value, bool) else value + 1 if isinstance(value, int) else f"x{value}"
    module = types.ModuleType(f"mutant_{name}")
    exec(compile(tree, module.__name__, "exec"), module.__dict__)
    return module.ADAPTER


def _source(name: str) -> str:
    module = inspect.getmodule(type(clouds.get(name)))
    assert module is not None
    return inspect.getsource(module)


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(each.capitalize() for each in rest)


def _differences(
    one: harness.Recording, other: harness.Recording
) -> Iterator[tuple[harness.Made, tuple[str | int, ...], Any]]:
    others = {each.urn: dict(_leaves(each.inputs)) for each in other.made}
    for made in one.made:
        for path, value in _leaves(made.inputs):
            if others[made.urn].get(path) != value and path != ("keyName",):
                yield made, path, others[made.urn].get(path)


def _leaves(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    if isinstance(value, dict):
        for key, each in value.items():
            yield from _leaves(each, (*path, key))
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _leaves(each, (*path, index))
    else:
        yield path, value


def _with(
    recording: harness.Recording, made: harness.Made, path: tuple[str | int, ...], value: Any
) -> harness.Recording:
    inputs = copy.deepcopy(made.inputs)
    here: Any = inputs
    for step in path[:-1]:
        here = here[step]
    here[path[-1]] = value
    others = [each for each in recording.made if each is not made]
    return harness.Recording([*others, dataclasses.replace(made, inputs=inputs)])
