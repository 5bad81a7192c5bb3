"""Every argument of every component has the type that the package's schema declares, or is refused by name."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pulumi
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

import pulumi_llm as llm
from pulumi_llm import spec
from pulumi_llm._arguments import checked
from pulumi_llm._plan.capture import capture
from pulumi_llm.errors import Finding, Refusal
from tests.test_components import PLATFORM, PROXY, SERVER

# What the component host made of the annotations: another reading of them than ours.
SCHEMA = json.loads((Path(__file__).parent / "golden" / "schema.json").read_text())
COMPONENTS = {name.rsplit(":", 1)[1]: row["inputProperties"] for name, row in SCHEMA["resources"].items()}
SAMPLES: dict[str, Any] = {
    "boolean": True,
    "integer": 7,
    "number": 2.5,
    "string": "false",
    "array": ["x"],
    "object": {"memory_gib": 2},
}
FITTING = {kind: {kind} for kind in SAMPLES} | {"number": {"integer", "number"}}


def snake(name: str) -> str:
    return "".join(f"_{each.lower()}" if each.isupper() else each for each in name)


def kind_of(declared: dict[str, Any]) -> str:
    return "object" if "$ref" in declared else str(declared["type"])


def wrong_for(declared: dict[str, Any]) -> Iterator[Any]:
    """Values of each other kind; and right ones with something wrong inside."""
    kind = kind_of(declared)
    for other, value in SAMPLES.items():
        if other not in FITTING[kind]:
            yield value
    yield object()
    inside = declared.get("items") if kind == "array" else declared.get("additionalProperties")
    if inside and "type" in inside:
        for value in wrong_for(inside):
            yield [value] if kind == "array" else {"key": value}


def refused(component: str, args: Any) -> list[Finding]:
    with pytest.raises(Refusal) as refusal:
        capture(lambda: getattr(llm, component)("x", args))
    return list(refusal.value.findings)


@pytest.mark.parametrize("component", COMPONENTS)
def test_each_wrong_kind_of_value_of_each_argument_is_refused_by_name_and_all_at_once(component: str) -> None:
    wrong = {snake(name): list(wrong_for(declared)) for name, declared in COMPONENTS[component].items()}
    assert all(len(values) >= 5 for values in wrong.values())
    for turn in range(max(map(len, wrong.values()))):
        args = {name: values[turn % len(values)] for name, values in wrong.items()}
        found = {each.where.split(".")[1] for each in refused(component, args) if each.code == "spec.wrong-type"}
        assert found == set(args)


def test_a_mapping_where_true_or_false_belongs_names_the_arguments_that_were_meant() -> None:
    (found,) = refused("ModelServer", {**SERVER, "vectors": {"memory_gib": 2}})
    assert (found.code, found.where) == ("spec.wrong-type", "x.vectors")
    assert found.message == "a mapping is given, but it must be true or false"
    names = ("backup", "count", "dimensions", "disk_gib", "engine", "memory_gib", "vectorizer")
    assert found.hint == "the arguments " + ", ".join(f"vectors_{each}" for each in names)


def test_text_that_looks_like_false_does_not_switch_anything_on_or_off() -> None:
    (found,) = refused("ModelServer", {**SERVER, "vectors": "false"})
    assert (found.code, found.where, found.hint) == ("spec.wrong-type", "x.vectors", "false")
    below = {**PLATFORM, "server": {**PLATFORM["server"], "spot": "false"}}
    (found,) = refused("Platform", below)
    assert found.where == "x.server.spot"


def test_mistakes_of_kind_and_of_meaning_are_told_together() -> None:
    args = {**SERVER, "spot": "no", "gpu": "T44", "gpuu": 1, "tags": {"http://x": "y"}, "vpc_id": "vpc-1"}
    found = {(each.code, each.where) for each in refused("ModelServer", args)}
    assert found == {
        ("spec.wrong-type", "x.spot"),
        ("spec.unknown-key", "x.gpuu"),
        ("catalog.unknown-gpu", "x.gpu"),
        ("spec.bad-tag", "x.tags"),
        ("spec.missing-key", "x"),
    }


@pytest.mark.parametrize("args", [None, ["cloud"], "aws", 3])
@pytest.mark.parametrize("component", COMPONENTS)
def test_arguments_that_are_no_mapping_are_refused(component: str, args: Any) -> None:
    assert "spec.wrong-type" in {each.code for each in refused(component, args)}


def test_a_secret_is_not_repeated_in_what_is_said_of_it() -> None:
    for wrong in (["sk-planted"], {"key": "sk-planted"}, 20261128):
        told = " ".join(map(str, refused("OverseasProxy", {**PROXY, "openai_api_key": wrong})))
        assert "openai_api_key" in told
        assert "sk-planted" not in told
        assert "20261128" not in told


def test_numbers_that_came_as_floats_are_whole_numbers_where_they_are_whole() -> None:
    assert checked({**SERVER, "gpu_count": 1.0, "gpu_memory_utilization": 0.9}, llm.ModelServerArgs).findings == ()
    (found,) = checked({**SERVER, "gpu_count": 1.5}, llm.ModelServerArgs).findings
    assert found.where == "gpu_count"


def test_an_output_is_taken_where_an_input_is_declared_and_nowhere_else_at_any_depth() -> None:
    async def program() -> None:
        late = pulumi.Output.from_input("x")
        assert checked({**SERVER, "vpc_id": late, "hub_token": late}, llm.ModelServerArgs).findings == ()
        args = {**SERVER, "tags": {"team": late}, "allowed_cidrs": [late], "keys": {"a": {"expires": late}}}
        found = checked(args, llm.ModelServerArgs).findings
        assert [(each.code, each.where) for each in found] == [
            ("spec.output-not-plain", "allowed_cidrs.0"),
            ("spec.output-not-plain", "tags.team"),
            ("spec.output-not-plain", "keys.a.expires"),
        ]

    asyncio.run(program())


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(args=st.dictionaries(st.sampled_from(sorted(llm.ModelServerArgs.__annotations__)) | st.text(), ANYTHING))
def test_whatever_is_given_is_sorted_into_what_fits_and_what_is_told(args: dict[str, Any]) -> None:
    found = checked(args, llm.ModelServerArgs)
    told = {each.where.split(".")[0] for each in found.findings}
    for key, value in args.items():
        assert value is None or (key in found.fit) or (key.split(".")[0] in told)
    assert not {key for key in found.fit if key in told}


# The parts of the spec, which the structured arguments are.


def parts() -> Iterator[type[BaseModel]]:
    for each in vars(spec).values():
        if isinstance(each, type) and issubclass(each, BaseModel):
            yield each


def scalar_in(annotation: Any) -> type | None:
    """The scalar that a field holds, through ``| None`` and Annotated; None where it holds anything else."""
    if annotation in (bool, int, float, str):
        return annotation  # type: ignore[no-any-return]
    inner = [each for each in get_args(annotation) if each is not type(None)]
    return scalar_in(inner[0]) if len(inner) == 1 else None


SCALARS = [(part, name, scalar_in(field.annotation)) for part in parts() for name, field in part.model_fields.items()]
KINDS = {bool: "boolean", int: "integer", float: "number", str: "string"}


@pytest.mark.parametrize(
    ("part", "name", "kind"), [each for each in SCALARS if each[2]], ids=lambda each: getattr(each, "__name__", each)
)
def test_no_key_of_the_spec_takes_a_value_of_another_kind(part: type[BaseModel], name: str, kind: type) -> None:
    for other, value in {**SAMPLES, "text of a number": "7"}.items():
        if other in FITTING[KINDS[kind]] or (kind is str and isinstance(value, str)):
            continue
        with pytest.raises(ValidationError) as wrong:
            part.model_validate({name: value})
        assert name in {each["loc"][0] for each in wrong.value.errors()}, (other, value)
