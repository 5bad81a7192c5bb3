"""Several models on one machine: their shares of a card, and whether they find room on it together."""

from __future__ import annotations

import json
import math
import os
import subprocess
from typing import Any

import pytest

from pulumi_llm import catalog, preflight, spec
from pulumi_llm._resolve import ResolvedServer, resolve_platform
from pulumi_llm.errors import Finding, Refusal
from pulumi_llm.preflight import sharing
from pulumi_llm.preflight.engine import engine
from pulumi_llm.preflight.request import FitRequest, case_of
from tests.catalog.test_on_vllm import HOME, python

ACCESS = {"allowed_cidrs": ["203.0.113.0/24"]}
SERVER: dict[str, Any] = {
    "cloud": "aliyun",
    "region": "cn-hangzhou",
    "gpu": "A10",
    "model": "01-ai/Yi-6B-Chat",
    "context_length": 2048,
}
SMALL, SEVEN = "Qwen/Qwen2.5-0.5B-Instruct", "Qwen/Qwen2.5-7B-Instruct"


def resolved(**server: Any) -> ResolvedServer:
    return resolve_platform({"server": {**SERVER, **server}, "access": ACCESS}).server


def refused(**server: Any) -> list[Finding]:
    with pytest.raises(Refusal) as refusal:
        resolved(**server)
    return list(refusal.value.findings)


def used(server: ResolvedServer) -> float:
    """GiB of the first card that all its models take, with what CUDA holds for each."""
    card = catalog.load().gpus[server.spec.gpu].memory_gib
    shares = [server.spec.gpu_memory_utilization]
    shares += [each.spec.gpu_memory_utilization or 0 for each in server.models if each.cards == (0,)]
    return sum(shares) * card + len(shares) * engine().spending.reserved_gib


def test_a_share_that_nobody_says_is_what_one_request_needs_and_the_main_model_has_the_rest() -> None:
    server = resolved(models={"small": {"model": SMALL}})
    (small,) = server.models
    assert small.memory is not None
    assert small.memory.kv_gib >= small.memory.need_gib > 0
    # a hundredth of the card less, and the margin would be gone
    less = case_of(
        FitRequest(
            model=SMALL,
            gpu="A10",
            max_num_seqs=32,
            gpu_memory_utilization=(small.spec.gpu_memory_utilization or 0) - 0.01,
        )
    ).memory
    assert less is not None
    assert less.kv_gib < less.need_gib + engine().spending.error_gib
    card = catalog.load().gpus["A10"].memory_gib
    kept = engine().spending.reserved_gib / card
    expected = math.floor((0.9 - (small.spec.gpu_memory_utilization or 0) - kept) * 100) / 100
    assert server.spec.gpu_memory_utilization == pytest.approx(expected)
    assert (
        server.memory
        == case_of(
            FitRequest(model=SERVER["model"], gpu="A10", max_model_len=2048, gpu_memory_utilization=expected)
        ).memory
    )


def test_a_share_that_is_said_is_kept() -> None:
    server = resolved(gpu_memory_utilization=0.7, models={"small": {"model": SMALL, "gpu_memory_utilization": 0.2}})
    assert server.spec.gpu_memory_utilization == 0.7
    assert server.models[0].spec.gpu_memory_utilization == 0.2
    assert (
        server.models[0].memory
        == case_of(FitRequest(model=SMALL, gpu="A10", gpu_memory_utilization=0.2, max_num_seqs=32)).memory
    )


@pytest.mark.parametrize("gpu", ["A10", "A100-80GB"])
@pytest.mark.parametrize("model", [SMALL, "Qwen/Qwen2.5-1.5B-Instruct", "Qwen/Qwen3-0.6B"])
@pytest.mark.parametrize("count", [1, 3])
def test_what_is_accepted_never_takes_more_than_the_card_has(gpu: str, model: str, count: int) -> None:
    region = "cn-beijing" if gpu == "A100-80GB" else "cn-hangzhou"
    wanted = {"gpu": gpu, "region": region, "models": {f"m{number}": {"model": model} for number in range(count)}}
    try:
        server = resolved(**wanted)
    except Refusal:
        assert {each.code for each in refused(**wanted)} & {"fit.models-do-not-fit", "fit.host-memory"}
        return
    assert used(server) <= catalog.load().gpus[gpu].memory_gib + 0.01
    for memory in (server.memory, *(each.memory for each in server.models)):
        assert memory is not None
        assert memory.kv_gib >= memory.need_gib


def test_models_that_do_not_fit_are_refused_with_the_numbers_of_each_and_what_would_do() -> None:
    (found,) = refused(models={"other": {"model": SEVEN}})
    assert (found.code, found.where) == ("fit.models-do-not-fit", "server.models")
    assert "Yi-6B-Chat (0.26 of it, 5.74 GiB; needs 12.85)" in found.message
    assert "other (0.71 of it, 15.66 GiB; needs 15.49)" in found.message
    assert "22.06 GiB" in found.message
    assert "gpus: 1 for other" in found.hint
    # and what the hint says does
    assert resolved(models={"other": {"model": SEVEN, "gpus": 1}}).models[0].cards == (1,)
    bigger = resolved(gpu="A100-80GB", region="cn-beijing", models={"other": {"model": SEVEN}})
    assert used(bigger) <= 79.4


def test_a_card_of_its_own_is_no_way_for_one_that_does_not_fit_it() -> None:
    found = next(
        each for each in refused(gpu="T4", models={"other": {"model": SEVEN}}) if each.code.endswith("not-fit")
    )
    assert "14.56 GiB" in found.message
    assert "needs 15.49" in found.message
    assert "gpus: 1" not in str(found.hint)
    assert "gpu: A10" in str(found.hint) or "more memory" in str(found.hint)


def test_shares_that_are_said_and_come_to_more_than_the_card_are_refused() -> None:
    (found,) = refused(gpu_memory_utilization=0.9, models={"small": {"model": SMALL, "gpu_memory_utilization": 0.2}})
    assert found.code == "fit.models-do-not-fit"
    assert "left out everywhere" in found.hint
    resolved(models={"small": {"model": SMALL}})


def test_what_does_not_fit_together_can_be_gone_on_with() -> None:
    server = resolved(
        gpu_memory_utilization=0.9,
        models={"small": {"model": SMALL, "gpu_memory_utilization": 0.2}},
        override=["fit.models-do-not-fit"],
    )
    assert [each.code for each in server.warnings] == ["fit.models-do-not-fit"]


def test_a_share_too_small_for_its_model_is_told_at_its_place_with_the_share_that_would_do() -> None:
    found = next(
        each
        for each in refused(models={"seven": {"model": SEVEN, "gpus": 1, "gpu_memory_utilization": 0.3}})
        if each.code == "fit.weights-exceed-vram"
    )
    assert found.where.startswith("server.models.seven")
    share = float(found.hint.rpartition(" ")[2])
    server = resolved(models={"seven": {"model": SEVEN, "gpus": 1, "gpu_memory_utilization": share}})
    assert server.models[0].spec.gpu_memory_utilization == share


def test_a_model_with_gpus_of_its_own_takes_a_machine_with_more_of_them() -> None:
    alone, server = resolved(), resolved(models={"other": {"model": SEVEN, "gpus": 1}})
    gpus = [catalog.load().instance("aliyun", each.site.place.instance_type).gpu_count for each in (alone, server)]
    assert gpus == [1, 2]
    assert server.spec.gpu_memory_utilization == 0.9
    assert server.memory == alone.memory
    assert (server.models[0].cards, server.models[0].spec.gpu_memory_utilization) == ((1,), 0.9)


def test_a_model_that_is_not_known_needs_a_share_and_an_override() -> None:
    found = refused(models={"bge": {"model": "intfloat/multilingual-e5-large"}})
    assert [(each.code, each.where) for each in found] == [
        ("fit.unknown-model", "server.models.bge.model"),
        ("fit.share-unknown", "server.models.bge.gpu_memory_utilization"),
    ]
    server = resolved(
        models={
            "bge": {"model": "intfloat/multilingual-e5-large", "gpu_memory_utilization": 0.15},
            "ranks": {"model": "jinaai/jina-reranker-m0", "gpu_memory_utilization": 0.1},
        },
        override=["fit.unknown-model"],
    )
    assert [each.task for each in server.models] == ["embedding", "reranker"]
    assert used(server) <= 22.07


def test_models_for_vectors_and_for_ranking_that_the_catalogue_has_need_neither() -> None:
    server = resolved(
        models={"bge": {"model": "BAAI/bge-m3"}, "ranks": {"model": "BAAI/bge-reranker-v2-m3"}},
    )
    assert [each.task for each in server.models] == ["embedding", "reranker"]
    assert used(server) <= 22.07


def test_a_reranker_is_taken_beside_a_model_and_not_as_the_main_one() -> None:
    assert "catalog.not-a-chat-model" in {each.code for each in refused(model="BAAI/bge-reranker-v2-m3")}


def test_what_is_said_of_kind_wins_over_the_name() -> None:
    kinds = {"a": "embedding", "b": "chat", "c": "reranking"}
    server = resolved(
        gpu="A100-80GB",
        region="cn-beijing",
        models={key: {"model": SMALL, "kind": kind} for key, kind in kinds.items()},
    )
    assert [each.task for each in server.models] == ["embedding", None, "reranker"]


def test_disk_and_host_memory_have_room_for_every_model() -> None:
    alone, server = resolved(), resolved(models={"other": {"model": SEVEN, "gpus": 1}})
    assert server.data_disk_gib - alone.data_disk_gib >= 2 * 14
    small = {"cloud": "aws", "region": "us-east-1", "gpu": "T4", "instance_type": "g4dn.xlarge", "context_length": 512}
    with_three = {f"m{number}": {"model": SMALL, "context_length": 256} for number in range(3)}
    found = refused(**small, model=SMALL, models=with_three)
    assert "6 GiB for the model m0" in next(each.message for each in found if each.code == "fit.host-memory")


def test_every_share_is_settled_once_and_stays_as_it_is() -> None:
    wanted = spec.parse(spec.ServerSpec, {**SERVER, "models": {"small": {"model": SMALL}}})
    once = sharing.settled(wanted)
    assert sharing.settled(once) == once
    assert preflight.check_server(once) == preflight.check_server(wanted)


def test_a_server_with_one_model_is_not_touched() -> None:
    wanted = spec.parse(spec.ServerSpec, SERVER)
    assert sharing.settled(wanted) is wanted
    assert resolved().spec.gpu_memory_utilization == 0.9


@pytest.mark.parametrize(
    ("models", "code"),
    [
        ({"a b": {"model": SMALL}}, "spec.bad-model-name"),
        ({"a": {"model": SMALL}, "A": {"model": SMALL}}, "spec.bad-model-name"),
        ({f"m{number}": {"model": SMALL} for number in range(9)}, "spec.too-many-models"),
        ({"a": {"model": SMALL, "device": "cpu", "gpus": 1}}, "spec.model-on-cpu"),
        ({"a": {"model": "no-such"}}, "spec.bad-model-id"),
        ({"Yi-6B-Chat": {"model": SMALL}}, "spec.model-twice"),
        ({"a": {"model": SMALL, "gpu": "T4"}}, "spec.unknown-key"),
        ({"a": {}}, "spec.missing-key"),
    ],
)
def test_a_further_model_that_makes_no_sense_is_refused(models: Any, code: str) -> None:
    assert code in {each.code for each in refused(models=models)}


def test_a_further_model_that_is_called_as_another_is_told_to_have_another_name() -> None:
    taken = {"qwen": {"models": ["qwen-max"]}}
    (found,) = refused(models={"qwen-max": {"model": SMALL}}, upstreams=taken)
    assert (found.code, str(found.hint)) == ("spec.model-twice", "another name for it under models or adapters")
    (found,) = refused(served_name="qwen-max", upstreams=taken)
    assert (found.code, str(found.hint)) == ("spec.model-twice", "served_name")


ORACLE = """
import json, sys
from types import SimpleNamespace
from vllm.utils.mem_utils import MemorySnapshot
from vllm.v1.worker.utils import request_memory

GIB = 2**30
told = []
for case in json.load(sys.stdin):
    free, ok = case["card"] * GIB, True
    for share in case["shares"]:
        free -= case["cuda"] * GIB  # of this process, before it measures
        total = int(case["card"] * GIB)
        seen = MemorySnapshot(auto_measure=False, device="cpu", free_memory=int(free), total_memory=total)
        try:
            free -= request_memory(seen, SimpleNamespace(gpu_memory_utilization=share))
        except ValueError:
            ok = False
            break
    told.append(ok)
print(json.dumps(told))
"""
"""What vLLM itself says to models that start one after another on a card, each taking all that it asks for."""


@pytest.mark.artefact
def test_vllm_itself_starts_what_is_accepted_and_not_what_is_refused() -> None:
    interpreter = python()  # or nothing is held against anything
    card, cuda = catalog.load().gpus["A10"].memory_gib, engine().spending.reserved_gib
    cases = []
    for models in (
        {"small": {"model": SMALL}},
        {"small": {"model": SMALL}, "more": {"model": "Qwen/Qwen3-0.6B", "context_length": 1024}},
        {"small": {"model": SMALL, "gpu_memory_utilization": 0.35}},
    ):
        server = resolved(models=models)
        shares = [server.spec.gpu_memory_utilization, *(each.spec.gpu_memory_utilization for each in server.models)]
        cases.append({"card": card, "cuda": cuda, "shares": shares})
    too_much: dict[str, Any] = {"small": {"model": SMALL, "gpu_memory_utilization": 0.2}}
    assert refused(gpu_memory_utilization=0.85, models=too_much)[0].code == "fit.models-do-not-fit"
    cases.append({"card": card, "cuda": cuda, "shares": [0.85, 0.2]})
    (packages,) = HOME.glob("lib/python3*/site-packages")
    done = subprocess.run(
        [interpreter, "-c", ORACLE],
        input=json.dumps(cases),
        capture_output=True,
        text=True,
        env={"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], "PYTHONPATH": str(packages),
             "VLLM_NO_USAGE_STATS": "1", "HF_HUB_OFFLINE": "1"},
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert json.loads(done.stdout.splitlines()[-1]) == [True, True, True, False]


def test_a_number_of_cards_that_a_further_model_cannot_use_is_told_by_its_own_key() -> None:
    (found,) = refused(models={"small": {"model": SMALL, "gpus": 3}})
    assert (found.code, found.where) == ("fit.heads-not-divisible", "server.models.small.gpus")
    assert str(found.hint) == "gpus: 1 or 2"
    assert resolved(models={"small": {"model": SMALL, "gpus": 1}}).models
