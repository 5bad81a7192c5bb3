"""In one plan each part is parsed, placed and fitted once, and nobody looks again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pydantic
import pytest

import pulumi_llm as llm
from pulumi_llm import preflight, spec
from pulumi_llm._plan.capture import capture, capture_stack
from pulumi_llm._plan.forecast import Forecast
from pulumi_llm._review.capacity import capacities
from pulumi_llm._review.nodes import Nodes
from pulumi_llm._review.stack_review import fit
from pulumi_llm.catalog.catalog import Catalog
from pulumi_llm.preflight import memory, placement, report
from tests.shipped import STACKS
from tests.test_components import PLACE, PLATFORM, PROXY, SERVER, WITH_PROXY

ROOT = Path(__file__).parents[2]
PARTS = ("PlatformSpec", "ServerSpec", "ProxySpec", "VectorsSpec", "AccessSpec")


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often a place is looked for, a fit is checked, and a part of the spec is parsed by itself."""
    counted: Counter[str] = Counter()

    def count(owner: Any, name: str) -> None:
        real: Callable[..., Any] = getattr(owner, name)

        def counting(*args: Any, **options: Any) -> Any:
            counted[name] += 1
            return real(*args, **options)

        monkeypatch.setattr(owner, name, counting)

    for name in ("place_server", "place_proxy", "place_vectors", "place_host", "download_gib"):
        count(placement, name)
    count(preflight, "judge")
    count(report, "findings_of")
    count(memory, "estimate")
    validate = pydantic.BaseModel.model_validate.__func__  # type: ignore[attr-defined]

    def validating(kind: Any, *args: Any, **options: Any) -> Any:
        counted[kind.__name__] += 1
        return validate(kind, *args, **options)

    monkeypatch.setattr(pydantic.BaseModel, "model_validate", classmethod(validating))
    return counted


def of_parts(calls: Counter[str]) -> dict[str, int]:
    return {each: calls[each] for each in PARTS if calls[each]}


@pytest.mark.parametrize("stack", STACKS)
def test_a_plan_of_a_shipped_stack_parses_places_and_fits_once(stack: str, calls: Counter[str]) -> None:
    capture_stack(ROOT, stack)
    assert of_parts(calls) == {"PlatformSpec": 1}
    once = ("place_server", "place_proxy", "place_host", "judge", "findings_of", "estimate", "download_gib")
    assert {each: calls[each] for each in once} == dict.fromkeys(once, 1)


@pytest.mark.parametrize(
    ("component", "args", "parsed", "placed"),
    [
        (llm.ModelServer, SERVER, {"ServerSpec": 1, "VectorsSpec": 1, "AccessSpec": 1}, "place_server"),
        (llm.VectorStore, PLACE, {"VectorsSpec": 1, "AccessSpec": 1}, "place_vectors"),
        (llm.OverseasProxy, PROXY, {"ProxySpec": 1, "AccessSpec": 1}, "place_proxy"),
        (llm.Platform, {**WITH_PROXY, "vectors": {"placement": "own"}}, {"PlatformSpec": 1}, "place_vectors"),
    ],
)  # fmt: skip
def test_a_component_used_alone_parses_and_places_once(
    component: Any, args: Any, parsed: dict[str, int], placed: str, calls: Counter[str]
) -> None:
    capture(lambda: component("x", args))
    assert of_parts(calls) == parsed
    assert calls[placed] == 1


def test_vectors_that_share_the_hosts_memory_are_counted_on_the_place_that_was_found(calls: Counter[str]) -> None:
    told = preflight.check_server(
        spec.ServerSpec.model_validate(
            {key: SERVER[key] for key in ("cloud", "region", "gpu", "model", "context_length")}
        ),
        spec.VectorsSpec.model_validate({"memory_gib": 12}),
    )
    assert [each.code for each in told] == ["fit.host-memory"]
    assert calls["place_server"] == 1


def test_a_machine_is_looked_for_only_where_a_finding_has_to_say_what_would_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[Any] = []
    offers = Catalog.offers
    monkeypatch.setattr(Catalog, "offers", lambda *args, **options: asked.append(options) or offers(*args, **options))
    keys = ("cloud", "region", "gpu", "model")
    wanted = spec.ServerSpec.model_validate({**{key: SERVER[key] for key in keys}, "context_length": 4096})
    assert preflight.check_server(wanted) == []
    assert len(asked) == 1  # for its place
    large = wanted.model_copy(update={"model": "Qwen/Qwen2.5-14B-Instruct"})
    [found] = [each for each in preflight.check_server(large) if each.code == "fit.weights-exceed-vram"]
    assert "the cheapest that passes" in found.hint


def test_a_review_of_a_program_fits_no_model_again(calls: Counter[str]) -> None:
    override = {**SERVER, "model": "example/unheard-of", "override": ["fit.unknown-model"], "model_disk_gib": 100}
    for args in (SERVER, override):
        plan = capture(lambda args=args: llm.ModelServer("x", args))
        calls.clear()
        told = fit(plan)
        assert set(told) <= set(plan.notes)
        assert bool(told) is (args is override)
        assert not calls


def test_what_a_review_says_of_a_server_is_the_same_whether_it_was_resolved_here_or_is_read_from_inputs(
    calls: Counter[str],
) -> None:
    before = Forecast()
    old = capture(lambda: llm.ModelServer("x", {**SERVER, "vectors": True}), standing=before)
    old.stand_ins = before.labels
    changed = {**SERVER, "vectors": True, "context_length": 2048, "model": "Qwen/Qwen2.5-3B-Instruct"}
    after = Forecast(old)
    new = capture(lambda: llm.ModelServer("x", changed), standing=after)
    comparison = after.comparison(new)
    calls.clear()
    told = list(capacities(comparison, Nodes(comparison)))
    assert not calls
    [only] = told
    assert only.downloads
    assert only.after is not None
    assert only.after.context == 2048
    for plan in (old, new):
        plan.servers.clear()
    assert list(capacities(comparison, Nodes(comparison))) == told
    assert calls["ServerSpec"] == 2


def test_what_a_platform_hands_to_its_parts_is_not_recorded() -> None:
    plan = capture(lambda: llm.Platform("x", {**PLATFORM, "vectors": {"placement": "own"}}))
    for each in plan.of_type("llm:index:ModelServer", "llm:index:VectorStore", "llm:index:Platform"):
        assert not {"_settled", "_resolved", "settled", "resolved"} & set(each.inputs)


def test_the_graph_that_a_stack_made_is_the_one_that_its_platform_makes(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[Any] = []
    made = llm.ModelServer.__init__

    def keep(self: Any, name: str, args: Any, opts: Any = None, **rest: Any) -> None:
        given.append(rest["_settled"].server)
        made(self, name, args, opts, **rest)

    monkeypatch.setattr(llm.ModelServer, "__init__", keep)
    plan = capture_stack(ROOT, "aws-t4")
    assert list(plan.servers.values()) == given
