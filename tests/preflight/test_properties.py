"""What must hold for any request: more never turns yes into no, and hints keep their word."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pulumi_llm import catalog
from pulumi_llm.preflight import memory, suggest
from pulumi_llm.preflight.engine import engine
from pulumi_llm.preflight.request import FitRequest, case_of
from pulumi_llm.preflight.rules import passes

MODELS = sorted(catalog.load().models)
GPUS = sorted(catalog.load().gpus)

requests = st.builds(
    FitRequest,
    model=st.sampled_from(MODELS),
    gpu=st.sampled_from(GPUS),
    gpu_count=st.sampled_from([1, 2, 4, 8]),
    max_model_len=st.none() | st.integers(128, 200_000),
    concurrency=st.none() | st.integers(1, 200),
    gpu_memory_utilization=st.floats(0.2, 0.98),
    max_num_seqs=st.none() | st.integers(1, 2048),
    kv_cache_dtype=st.sampled_from(["auto", "fp8"]),
    quantization=st.sampled_from([None, "fp8", "awq", "gptq"]),
    dtype=st.sampled_from(["auto", "half", "bfloat16"]),
)

loads = st.builds(
    memory.Load,
    gpu=st.just("A10"),
    gpu_gib=st.floats(4, 200),
    nvlink=st.booleans(),
    gpu_count=st.sampled_from([1, 2, 4, 8]),
    quantization=st.none(),
    bits=st.none(),
    utilization=st.floats(0.2, 1.0),
    max_model_len=st.integers(1, 200_000),
    max_num_seqs=st.integers(1, 4096),
    max_num_batched_tokens=st.integers(16, 65_536),
    fp8_kv_cache=st.booleans(),
    eager=st.booleans(),
)

plain = st.sampled_from([row for row in catalog.load().models.values() if row.quantization is None])


def spare(model: catalog.Model, load: memory.Load) -> float:
    found = memory.estimate(model, load)
    assert found is not None
    return found.kv_gib - found.need_gib


@given(plain, loads, st.floats(0, 100))
def test_more_memory_never_leaves_less(model: catalog.Model, load: memory.Load, more: float):
    assert spare(model, replace(load, gpu_gib=load.gpu_gib + more)) >= spare(model, load)


@given(plain, loads, st.integers(0, 200_000))
def test_a_shorter_context_never_leaves_less(model: catalog.Model, load: memory.Load, less: int):
    shorter = replace(load, max_model_len=max(1, load.max_model_len - less))
    assert spare(model, shorter) >= spare(model, load)


@given(plain, loads, st.integers(0, 4096))
def test_fewer_requests_never_leave_less(model: catalog.Model, load: memory.Load, fewer: int):
    assert spare(model, replace(load, max_num_seqs=max(1, load.max_num_seqs - fewer))) >= spare(model, load)


@given(plain, loads, st.integers(0, 65_536))
def test_a_smaller_batch_of_tokens_never_leaves_less(model: catalog.Model, load: memory.Load, fewer: int):
    smaller = replace(load, max_num_batched_tokens=max(16, load.max_num_batched_tokens - fewer))
    assert spare(model, smaller) >= spare(model, load)


@given(requests, st.data())
def test_asking_for_less_never_turns_yes_into_no(request: FitRequest, data: st.DataObject):
    case = case_of(request)
    if not passes(case):
        return
    shorter = data.draw(st.integers(1, case.max_model_len))
    assert passes(case_of(replace(request, max_model_len=shorter)))
    if request.concurrency is not None:
        assert passes(case_of(replace(request, concurrency=data.draw(st.integers(1, request.concurrency)))))
    fewer = data.draw(
        st.integers(max(1, request.concurrency or 1), max(case.load.max_num_seqs, request.concurrency or 1))
    )
    assert passes(case_of(replace(request, max_num_seqs=fewer)))


@given(requests)
def test_more_of_the_card_never_turns_yes_into_no_while_it_is_free(request: FitRequest):
    case = case_of(request)
    if passes(case):
        free = 1 - engine().spending.reserved_gib / case.gpu.memory_gib
        assert passes(
            case_of(replace(request, gpu_memory_utilization=max(request.gpu_memory_utilization, free - 1e-9)))
        )


FITS = FitRequest(
    model="cognitivecomputations/Qwen3-30B-A3B-AWQ",
    gpu="RTX-5090",
    gpu_count=4,
    concurrency=1,
    gpu_memory_utilization=0.203125,
)
"""Passes with room for 1.82 requests of the full context: fewer than the one that is asked for there are not."""


@given(requests)
@example(FITS)
@example(replace(FITS, concurrency=200, max_num_seqs=1, max_model_len=128))
def test_every_alternative_passes_and_changes_something(request: FitRequest):
    for way in suggest.alternatives(case_of(request)):
        assert way.request != request
        assert passes(case_of(way.request))
        if way.text.startswith("a context of"):
            context = way.request.max_model_len or 0
            assert suggest.SHORTEST_CONTEXT <= context < case_of(request).max_model_len
            assert context % 256 == 0
        if way.text.endswith("requests at once"):
            assert (way.request.concurrency or 0) < (request.concurrency or 0)


@given(requests)
def test_every_quantized_sibling_that_passes_is_an_alternative_to_a_model_in_16_bit(request: FitRequest):
    case = case_of(request)
    data = catalog.load()
    siblings = [] if case.model.quantization or case.memory is None else data.variants(case.model.id)
    changed = [replace(request, model=row.id, quantization=None) for row in siblings]
    fit = {each.model for each in changed if passes(case_of(each))}
    found = {way.request.model for way in suggest.alternatives(case, limit=99)} - {request.model}
    assert found == fit


@pytest.mark.parametrize("concurrency", [None, 2])
def test_a_context_that_is_too_long_is_told_a_shorter_one(concurrency: int | None):
    model = "Qwen/Qwen2.5-14B-Instruct-AWQ"
    case = case_of(FitRequest(model=model, gpu="T4", max_model_len=32_768, concurrency=concurrency))
    assert not passes(case)
    assert case.memory is not None
    (way,) = [way for way in suggest.alternatives(case, limit=99) if way.text.startswith("a context of")]
    longest = case.memory.max_model_len / (concurrency or 1)
    assert longest - 256 < (way.request.max_model_len or 0) <= longest


def test_a_model_that_is_too_large_is_told_its_sibling_that_is_not():
    case = case_of(FitRequest(model="Qwen/Qwen2.5-14B-Instruct", gpu="A10", max_model_len=4096))
    assert not passes(case)
    assert "Qwen/Qwen2.5-14B-Instruct-AWQ on the same GPU" in [way.text for way in suggest.alternatives(case)]


@settings(max_examples=settings.default.max_examples * 2 // 5)
@given(requests)
def test_the_suggested_machine_passes_and_none_that_costs_less_does(request: FitRequest):
    found = suggest.cheapest(case_of(request))
    if found is None:
        return
    assert passes(case_of(found.request))
    data = catalog.load()
    offers = data.offers(gpu=found.request.gpu, gpu_count=found.request.gpu_count, region=found.offer.region)
    assert any(offer.instance == found.offer.instance for offer in offers)
    if found.request.model != request.model or found.offer.price is None:
        return
    rate = data.exchange_rate
    cost = rate.convert(found.offer.price.amount, found.offer.price.currency, "CNY")
    for offer in suggest.fitting(request, data.offers(cloud=request.cloud)):
        if offer.price is None or offer.instance.bare_metal or offer.instance.access != "self-service":
            continue
        if offer.instance.gpu_count <= suggest.MAX_GPUS:
            assert rate.convert(offer.price.amount, offer.price.currency, "CNY") >= cost


@given(requests)
def test_figures_of_a_verdict_agree_with_each_other(request: FitRequest):
    case = case_of(request)
    if case.memory is None:
        return
    figures = case.memory.for_json()
    assert figures["kv_tokens"] >= 0
    assert figures["max_model_len"] <= (case.model.max_context or 2**24)
    assert (figures["max_concurrency"] >= 1) == (case.memory.kv_gib >= case.memory.need_gib)
