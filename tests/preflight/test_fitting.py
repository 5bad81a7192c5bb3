"""Trying a model on every machine takes shortcuts, and says what the rules say one by one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest

from pulumi_llm import catalog
from pulumi_llm.preflight import memory, rules, suggest
from pulumi_llm.preflight.engine import engine
from pulumi_llm.preflight.objections import objects
from pulumi_llm.preflight.request import Case, FitRequest, asked_of, case_of

REQUESTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "fp8 cache": {"kv_cache_dtype": "fp8"},
    "made smaller": {"quantization": "fp8"},
    "beside another": {"beside_gpus": 1},
    "two machines": {"nodes": 2},
    "many at once": {"concurrency": 64},
    "no graphs": {"extra_args": ("--enforce-eager",)},
    "half of the memory": {"gpu_memory_utilization": 0.5},
}
PARTS = 12
"""Parts of the catalogue's models, so that a quick run tries some: all as they are, and one of each other request."""
ROWS = [("plain", part) for part in range(PARTS)] + [(name, at) for at, name in enumerate(REQUESTS) if at]


@pytest.mark.parametrize(("name", "part"), ROWS)
def test_a_model_fits_where_no_rule_tells_an_error(name: str, part: int) -> None:
    data = catalog.load()
    machines = {id(offer.instance): offer for offer in data.offers()}.values()
    for model in list(data.models.values())[part::PARTS]:
        request = FitRequest(model=model.id, gpu="", **REQUESTS[name])
        found = {id(offer.instance) for offer in suggest.fitting(request, machines, model)}
        told: dict[tuple[str, int], bool] = {}
        for offer in machines:
            row = offer.instance
            gpu, count = data.gpus.get(row.gpu or ""), row.gpu_count - request.beside_gpus
            if gpu is None or gpu.tpu or row.fractional or count < 1:
                assert id(row) not in found
                continue
            if (gpu.name, count) not in told:
                case = case_of(replace(request, gpu=gpu.name, gpu_count=count), model)
                told[gpu.name, count] = all(
                    each.severity != "error" for each in rules.findings_of(case, rules.MODEL_RULES)
                )
            image = any((each.cloud, each.arch) == (row.cloud, row.arch) for each in data.images)
            assert (id(row) in found) == (told[gpu.name, count] and image), (model.id, row.instance_type)


class Guard:
    """Something that nobody may look at."""

    def __getattribute__(self, name: str) -> object:
        raise AssertionError(f"a rule about the model looks at the GPU: {name}")


def test_a_rule_that_is_asked_once_for_all_gpus_looks_at_none() -> None:
    for model in catalog.load().models.values():
        for more in REQUESTS.values():
            asked = asked_of(FitRequest(model=model.id, gpu="", **more), model)
            guard = cast("Any", Guard())
            case = Case(
                request=asked.request,
                model=model,
                gpu=guard,
                engine=engine(),
                quantization=asked.quantization,
                bits=asked.bits,
                max_model_len=asked.max_model_len,
                load=guard,
                estimated=guard,
            )
            for rule in rules.OF_MODEL:
                objects(rule)(case)


def test_weights_that_are_too_large_leave_no_cache() -> None:
    for model in catalog.load().models.values():
        asked = asked_of(FitRequest(model=model.id, gpu=""), model)
        for name, count in (("T4", 1), ("A10", 4), ("L20", 2), ("H20", 8)):
            load = asked.load_on(catalog.load().gpus[name], count)
            parts = memory.parts_of(model, load)
            found = memory.estimate(model, load)
            assert memory.estimate(model, load, parts=parts) == found
            if memory.overfull(parts, load.gpu_gib, count, load.utilization):
                assert found is not None
                assert found.kv_gib < 0


def test_no_estimate_is_made_where_the_weights_alone_are_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    data, made, estimate = catalog.load(), [], memory.estimate

    def counted(model: catalog.Model, load: memory.Load, *given: Any, **more: Any) -> memory.Memory | None:
        made.append((load.gpu, load.gpu_count))
        return estimate(model, load, *given, **more)

    monkeypatch.setattr(memory, "estimate", counted)
    assert list(suggest.fitting(FitRequest(model="Qwen/Qwen2.5-72B-Instruct", gpu=""), data.offers()))
    assert made
    assert len(made) == len(set(made))  # once for each number of each GPU
    for gpu, count in made:
        assert data.gpus[gpu].memory_gib * count > 2 * 72
