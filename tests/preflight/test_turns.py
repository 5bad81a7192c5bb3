"""Models that take turns: what each has of the card, what sleeping ones keep, and what the host's memory must hold."""

from __future__ import annotations

import json
import os
import subprocess
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from pulumi_llm import catalog, cli
from pulumi_llm._resolve import ResolvedServer, resolve_platform
from pulumi_llm.errors import Finding, Refusal
from pulumi_llm.preflight import sharing, turning, weights
from pulumi_llm.preflight.engine import engine
from tests.catalog.test_on_vllm import HOME, python
from tests.preflight.test_sharing import ORACLE

ACCESS = {"allowed_cidrs": ["203.0.113.0/24"]}
SEVEN, CODER, SMALL = "Qwen/Qwen2.5-7B-Instruct", "Qwen/Qwen2.5-Coder-7B-Instruct", "Qwen/Qwen2.5-0.5B-Instruct"
SERVER: dict[str, Any] = {
    "cloud": "aliyun", "region": "cn-hangzhou", "gpu": "A10", "model": SEVEN, "context_length": 2048,
    "turns": {"weights": "disk"},
}  # fmt: skip
IN_TURN: dict[str, Any] = {"coder": {"model": CODER, "takes_turns": True}}


def resolved(**server: Any) -> ResolvedServer:
    return resolve_platform({"server": {**SERVER, "models": IN_TURN, **server}, "access": ACCESS}).server


def refused(**server: Any) -> list[Finding]:
    with pytest.raises(Refusal) as refusal:
        resolved(**server)
    return list(refusal.value.findings)


def shares(server: ResolvedServer) -> list[float]:
    return [server.spec.gpu_memory_utilization, *(each.spec.gpu_memory_utilization or 0 for each in server.models)]


def test_two_that_do_not_fit_together_fit_in_turn_and_each_has_nearly_all_of_the_card() -> None:
    together = refused(turns=None, models={"coder": {"model": CODER}})
    assert [each.code for each in together] == ["fit.models-do-not-fit"]
    assert together[0].hint.startswith("takes_turns: true for coder")
    server = resolved()
    assert all(each > 0.7 for each in shares(server))
    assert server.memory is not None
    assert server.memory.kv_gib >= server.memory.need_gib > 0


@settings(max_examples=40, deadline=None)
@given(
    turning_too=st.lists(st.sampled_from([SEVEN, CODER, SMALL]), min_size=1, max_size=3),
    always=st.lists(st.sampled_from([SMALL, "BAAI/bge-m3"]), max_size=2),
    gpu=st.sampled_from(["A10", "L20", "A100-80GB"]),
)
def test_whoever_is_awake_the_card_has_room_for_it_and_for_what_the_others_keep(
    turning_too: list[str], always: list[str], gpu: str
) -> None:
    from pulumi_llm.preflight.request import FitRequest

    def wish(name: str, model: str, *, turns: bool) -> sharing.Wish:
        request = FitRequest(model=model, gpu=gpu, max_model_len=2048)
        return sharing.further(name, request, share=None, shares=True, turns=turns)

    main = FitRequest(model=SEVEN, gpu=gpu, max_model_len=2048)
    asked = [sharing.Wish(name="main", request=main, given=False, shares=True, turns=True)]
    asked += [wish(f"t{place}", model, turns=True) for place, model in enumerate(turning_too)]
    asked += [wish(f"a{place}", model, turns=False) for place, model in enumerate(always)]
    seats = sharing.seats(asked)
    card, each = catalog.load().gpu(gpu).memory_gib, engine().spending.reserved_gib
    said = {one.code for one in sharing.findings(seats, ()) if one.severity == "error"}
    for awake in [seat for seat in seats if seat.wish.turns]:
        taken = sum(seat.share * card for seat in seats if not seat.wish.turns or seat is awake)
        taken += sum(turning.asleep_gib(seat) for seat in seats if seat.wish.turns and seat is not awake)
        assert taken + each * len(seats) <= card + 0.011 or "fit.models-do-not-fit" in said
        assert awake.memory is not None
        assert awake.memory.kv_gib >= awake.memory.need_gib or "fit.models-do-not-fit" in said


def test_shares_that_leave_no_room_for_what_sleeps_are_refused_with_the_numbers() -> None:
    models = {"coder": {"model": CODER, "takes_turns": True, "gpu_memory_utilization": 0.96}}
    (finding,) = [each for each in refused(models=models, gpu_memory_utilization=0.96) if each.severity == "error"]
    assert finding.code == "fit.models-do-not-fit"
    assert "0.96 of it" in finding.message
    assert "in turn, and 1." in finding.message
    assert "gpu_memory_utilization left out everywhere" in finding.hint


def test_the_hosts_memory_holds_the_weights_of_all_of_them_twice_rounded_or_it_is_refused() -> None:
    (finding,) = refused(turns={"weights": "memory"})
    assert finding.code == "fit.host-memory"
    row = catalog.load().model(SEVEN)
    one = weights.weights_gib(row, row.quantization, row.quantization_bits)
    assert one is not None
    kept = turning.host_gib([one, one])
    assert kept == pytest.approx(4 * one, abs=1)
    assert f"{kept} GiB for the weights of models that sleep" in finding.message
    assert finding.hint.startswith("turns.weights: disk")
    assert "instance_type: " in finding.hint
    roomy = resolved(turns={"weights": "memory"}, instance_type="ecs.gn7i-c32g1.8xlarge")
    assert roomy.site.place.memory_gib is None or roomy.site.place.memory_gib > kept


def test_to_sleep_without_memory_is_told_only_where_that_is_enough() -> None:
    others = {f"bge{each}": {"model": "BAAI/bge-m3", "device": "cpu"} for each in range(5)}
    found = refused(turns={"weights": "memory"}, models={**IN_TURN, **others}, instance_type="ecs.gn7i-c8g1.2xlarge")
    (memory,) = [each for each in found if each.code == "fit.host-memory"]
    assert "turns.weights" not in memory.hint


def test_a_model_for_vectors_and_one_that_would_not_fit_in_turn_either_are_not_told_to_take_turns() -> None:
    for models in (
        {"coder": {"model": "Qwen/Qwen2.5-14B-Instruct"}},
        {"vectors": {"model": "Qwen/Qwen3-Embedding-4B", "context_length": 32768}},
    ):
        hints = [each.hint for each in refused(turns=None, models=models)]
        assert hints
        assert not [hint for hint in hints if "takes_turns" in hint]


def test_each_plan_says_that_it_was_not_run_on_a_gpu() -> None:
    assert [each.code for each in resolved().warnings] == ["fit.turns-not-run"]
    assert not resolve_platform({"server": {**SERVER, "turns": None}, "access": ACCESS}).server.warnings


@pytest.mark.parametrize(
    ("server", "code", "told"),
    [
        ({"models": {}}, "spec.turns-without", "none does"),
        ({"models": {"coder": {**IN_TURN["coder"], "gpus": 1}}}, "spec.turns-and", "models.coder.gpus"),
        ({"replicas": 2}, "spec.turns-and", "replicas"),
        ({"nodes": 2}, "spec.nodes-and", "models"),
        ({"model_change": "beside"}, "spec.beside-on-a-shared-card", "coder"),
        ({"adapters": {"a": {"source": "x/y"}}}, "spec.turns-and", "adapters"),
        (
            {"models": {"coder": {**IN_TURN["coder"], "extra_args": ["--speculative-config", "{}"]}}},
            "spec.turns-and", "models.coder.--speculative-config",
        ),
        (
            {"extra_args": ["--speculative-config.method=ngram", "--speculative-config.num_speculative_tokens=3"]},
            "spec.turns-and", "--speculative-config.method",
        ),
        ({"extra_args": ["--spec-method", "ngram", "--spec-tokens", "3"]}, "spec.turns-and", "--spec-tokens"),
        (
            {"turns": {}, "extra_args": ["--no-enable-sleep-mode"]},
            "spec.turns-and", "--no-enable-sleep-mode",
        ),
        ({"turns": {"awake_seconds": 0}}, "spec.out-of-bounds", ""),
    ],
)  # fmt: skip
def test_what_cannot_be_with_turns_is_refused(server: dict[str, Any], code: str, told: str) -> None:
    found = refused(**server)
    assert any(told in each.message for each in found)
    if told:
        assert code in {each.code for each in found}


def test_weights_in_memory_may_have_adapters() -> None:
    assert resolved(gpu="A100-80GB", turns={"weights": "memory"}, adapters={"a": {"source": "x/y"}},
                    override=["fit.host-memory"])  # fmt: skip


def test_check_shows_what_sleeps_in_a_column_and_says_that_it_was_not_run(capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["check", SEVEN, "--gpu", "L20", "--beside", f"{CODER}=turns", "--beside", "BAAI/bge-m3"]
    cli.main(asked)
    out = "".join(capsys.readouterr())
    table = out.rstrip().splitlines()[-4:]
    assert table[0].split()[-1] == "asleep"
    assert [row.split()[0] for row in table[1:]] == ["Qwen2.5-7B-Instruct", "Qwen2.5-Coder-7B-Instruct", "bge-m3"]
    assert table[3].split()[-1] == "–"
    assert "not run on a GPU" in out
    cli.main([*asked, "--json"])
    models = json.loads(capsys.readouterr().out)["models"]
    assert ["asleep_gib" in each for each in models] == [True, True, False]


@pytest.mark.artefact
def test_vllm_itself_starts_each_while_the_others_keep_what_is_reckoned() -> None:
    """vLLM's own `request_memory`, of each model in the order in which they load: those before it sleep."""
    interpreter = python()
    card, cuda = catalog.load().gpus["A10"].memory_gib, engine().spending.reserved_gib
    server = resolved()
    seats = sharing.seats(sharing.wishes(server.spec))
    kept = [turning.asleep_gib(each) / card for each in seats]
    first, second = shares(server)
    cases = [
        {"card": card, "cuda": cuda, "shares": [kept[0], second]},  # the first sleeps
        {"card": card, "cuda": cuda, "shares": [kept[1], first]},  # and is loaded again while the second does
        {"card": card, "cuda": cuda, "shares": [first, second]},  # awake, it leaves no room
    ]
    (packages,) = HOME.glob("lib/python3*/site-packages")
    done = subprocess.run(
        [interpreter, "-c", ORACLE], input=json.dumps(cases), capture_output=True, text=True, check=False,
        env={"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], "PYTHONPATH": str(packages),
             "VLLM_NO_USAGE_STATS": "1", "HF_HUB_OFFLINE": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert json.loads(done.stdout.splitlines()[-1]) == [True, True, False]
