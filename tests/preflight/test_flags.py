"""Flags that vLLM 0.32.0 refuses at the start, said before anything is bought; and those that it takes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pulumi_llm import catalog
from pulumi_llm.preflight import extras
from pulumi_llm.preflight.report import check
from pulumi_llm.preflight.request import FitRequest, case_of
from pulumi_llm.preflight.rules_flags import flags_refused
from pulumi_llm.preflight.rules_model import architectures

QWEN, BGE = "Qwen/Qwen2.5-7B-Instruct", "BAAI/bge-m3"
KIMI = "moonshotai/Kimi-Linear-48B-A3B-Instruct"
NGRAM = '{"method": "ngram", "num_speculative_tokens": %d}'
NGRAM_OF = NGRAM.replace("%d", "%s")
SMALL = '{"model": "a/b", "method": "eagle3", "num_speculative_tokens": 3, "draft_tensor_parallel_size": %s}'
OTHER_WORDS = '{"model": "Qwen/Qwen2.5-0.5B-Instruct", "num_speculative_tokens": 3}'


def refused(model: str, *flags: str, gpu: str = "H200", context: int | None = None) -> list[str]:
    """What is refused of the flags, and the hints."""
    request = FitRequest(model=model, gpu=gpu, gpu_count=8, extra_args=flags, max_model_len=context)
    return [f"{each.message} {each.hint}" for each in check(request).findings if each.code == "fit.flag-refused"]


@pytest.mark.parametrize(
    ("model", "flags", "words"),
    [
        # config/lora.py: MaxLoRARanks, _validate_lora_config
        (QWEN, ("--enable-lora", "--max-lora-rank", "48"), "--max-lora-rank 64"),
        (QWEN, ("--enable-lora", "--max-lora-rank=513"), "--max-lora-rank 512"),
        (QWEN, ("--enable-lora", "--max-loras", "4", "--max-cpu-loras", "2"), "--max-cpu-loras 4"),
        # v1/worker/lora_model_runner_mixin.py: not every class is a SupportsLoRA
        ("moonshotai/Kimi-K2.6", ("--enable-lora",), "takes no adapters"),
        # config/speculative.py: _verify_args, __post_init__
        (QWEN, ("--speculative-config", '{"method": "ngram"}'), "num_speculative_tokens is not given"),
        (QWEN, ("--spec-method", "draft_model", "--spec-model", "Qwen/Qwen2.5-0.5B-Instruct"), "is not given"),
        (QWEN, ("--speculative-config", NGRAM % 0), "num_speculative_tokens is 0"),
        (QWEN, ("--speculative-config", '{"method": "ngram"'), 'no JSON object: {"method": "ngram"'),
        (QWEN, ("--speculative-config", "ngram"), "no JSON object: ngram"),
        (QWEN, ("-sc=[1]",), "no JSON object: [1]"),
        (QWEN, ("--speculative-config", "{}"), "needs a model that guesses"),
        (QWEN, ("--speculative-config", NGRAM_OF % "1.5"), "num_speculative_tokens is 1.5"),
        (QWEN, ("--speculative-config", NGRAM_OF % "NaN"), "num_speculative_tokens is NaN"),
        (QWEN, ("--speculative-config", NGRAM_OF % "false"), "num_speculative_tokens is false"),
        (QWEN, ("--speculative-config", NGRAM_OF % "null"), "num_speculative_tokens is null"),
        (QWEN, ("--speculative-config", NGRAM_OF % '"three"'), 'num_speculative_tokens is "three"'),
        (QWEN, ("--spec-method", "ngram", "--spec-tokens", "3.0"), "num_speculative_tokens is"),
        (QWEN, ("--speculative-config", NGRAM % 3, "--spec-tokens", "3"), "both say num_speculative_tokens"),
        (QWEN, ("--speculative-config", NGRAM_OF % '3, "prompt_lookup": 4'), "did you mean prompt_lookup_m"),
        (QWEN, ("--speculative-config", NGRAM_OF % '3, "prompt_lookup_max": 0'), "prompt_lookup_max is 0"),
        (QWEN, ("--speculative-config", NGRAM_OF % '3, "prompt_lookup_min": 5, "prompt_lookup_max": 4'), "is 5, above"),
        (
            QWEN,
            ("--speculative-config", NGRAM_OF % '3, "rejection_sample_method": "x"'),
            "standard or synthetic or block",
        ),
        (QWEN, ("--speculative-config", NGRAM_OF % '3, "model": 5'), "model is 5"),
        # config/speculative.py, the rest read in the source: v1/worker/gpu/model_runner.py, config/compilation.py
        (QWEN, ("--speculative-config", NGRAM % 300000), "300000 tokens are guessed at a time"),
        # each as the release's CPU build said it (run 2026-11-29): NotImplementedError, ImportError, ValidationError
        (QWEN, ("--spec-method", "mtp", "--spec-tokens", "1"), "Qwen2ForCausalLM has no heads that guess ahead"),
        ("deepseek-ai/DeepSeek-V3", ("--spec-method", "mtp"), "num_speculative_tokens is not given"),
        (QWEN, ("--spec-method", "suffix"), "needs the package arctic-inference"),
        (QWEN, ("--spec-method", "mlp_speculator", "--spec-model", "a/b", "--spec-tokens", "3"), "switched"),
        (QWEN, ("--spec-method", "eagel3", "--spec-model", "a/b", "--spec-tokens", "3"), "did you mean eagle3"),
        (QWEN, ("--spec-method", "eagle3", "--spec-tokens", "3"), "needs a model that guesses, and none is named"),
        (QWEN, ("--spec-method", "eagle3", "--spec-model", "a/b"), "num_speculative_tokens is not given"),
        (QWEN, ("--speculative-config", SMALL % "7"), "into 7 parts, and the model into 8"),
        (QWEN, ("--speculative-config", OTHER_WORDS), "a vocabulary of 151936 and"),
        (QWEN, ("--speculative-config", NGRAM_OF % '3, "use_heterogeneous_vocab": true'), "draft_model alone"),
        (QWEN, ("--speculative-config", NGRAM_OF % '3, "synthetic_acceptance_length": 2'), "synthetic rejection alone"),
        # config/scheduler.py: verify_max_model_len
        (QWEN, ("--max-num-batched-tokens", "64", "--max-num-seqs", "128"), "--max-num-batched-tokens 128"),
        (QWEN, ("--no-enable-chunked-prefill", "--max-num-batched-tokens", "4096"), "longer than a batch of 4096"),
        (BGE, ("--max-num-batched-tokens", "2048"), "longer than a batch of 2048"),
        # model_executor/layers/mamba/mamba_utils.py: kda_state_dtype
        (KIMI, ("--mamba-ssm-cache-dtype", "float16"), "--mamba-ssm-cache-dtype bfloat16"),
    ],
)
def test_a_flag_that_vllm_refuses_is_refused_with_one_that_it_takes(
    model: str, flags: tuple[str, ...], words: str
) -> None:
    (found,) = refused(model, *flags)
    assert words in found


@pytest.mark.parametrize(
    ("model", "flags"),
    [
        (QWEN, ("--enable-lora", "--max-lora-rank", "64", "--max-loras", "4", "--max-cpu-loras", "8")),
        ("deepseek-ai/DeepSeek-V3", ("--enable-lora",)),
        (QWEN, ("--speculative-config", NGRAM % 3)),
        (QWEN, ("-sc", NGRAM % 3)),
        (QWEN, ("--speculative-config", SMALL % "8")),
        (QWEN, ("--speculative-config", SMALL % "1")),
        (QWEN, ("--speculative-config", NGRAM_OF % '3, "draft_tensor_parallel_size": 7')),
        (QWEN, ("--speculative-config", OTHER_WORDS.replace("{", '{"use_heterogeneous_vocab": true, '))),
        (QWEN, ("--speculative-config", NGRAM_OF % "true")),
        (QWEN, ("--speculative-config", NGRAM_OF % "2.0")),
        (QWEN, ("--speculative-config", NGRAM_OF % '"3"')),
        (QWEN, ("--speculative-config", NGRAM_OF % '3, "prompt-lookup-max": "4", "prompt_lookup_min": null')),
        (QWEN, ("--speculative-config", "null")),
        (QWEN, ("--speculative-config.num-speculative-tokens", "4", "--speculative-config.method", "ngram")),
        (QWEN, ("--max-num-batched-tokens", "8k", "--max-num-seqs", "128")),
        (QWEN, ("--speculative-config.method", "ngram", "--speculative-config.num_speculative_tokens", "3")),
        (QWEN, ("--spec-method", "mtp", "--spec-model", "zai-org/GLM-4.5-Air", "--spec-tokens", "1")),
        (QWEN, ("--spec-method", "medusa", "--spec-model", "a/b", "--spec-tokens", "3")),
        (QWEN, ("--spec-model", "yuhuili/EAGLE3-LLaMA3.1-Instruct-8B", "--spec-tokens", "3")),
        (QWEN, ("--spec-method", "ngram", "--spec-tokens", "4")),
        ("deepseek-ai/DeepSeek-V3", ("--speculative-config", '{"method": "mtp", "num_speculative_tokens": 3}')),
        (QWEN, ("--max-num-batched-tokens", "4096")),
        (BGE, ("--max-num-batched-tokens", "16384")),
        (KIMI, ("--mamba-ssm-cache-dtype", "bfloat16")),
        ("Qwen/Qwen3.5-9B", ("--mamba-ssm-cache-dtype", "float16")),
    ],
)
def test_a_flag_that_vllm_takes_is_left_alone(model: str, flags: tuple[str, ...]) -> None:
    assert refused(model, *flags) == []


def test_true_is_one_token_and_a_letter_counts_thousands() -> None:
    model = catalog.load().models[QWEN]
    flags = ("--speculative-config", NGRAM_OF % "true", "--max-num-batched-tokens", "16k")
    load = case_of(FitRequest(model=QWEN, gpu="H200", extra_args=flags), model).load
    assert load.draft is not None
    assert (load.draft.tokens, load.max_num_batched_tokens) == (1, 16_000)


def test_each_head_is_used_as_often_as_the_others() -> None:
    """config/speculative.py: more tokens than heads must be a multiple of them."""
    flags = ("--speculative-config", '{"method": "mtp", "num_speculative_tokens": 5}')
    model = catalog.load().models["deepseek-ai/DeepSeek-V3"]
    request = FitRequest(model=model.id, gpu="H200", gpu_count=8, extra_args=flags)
    assert not list(flags_refused(case_of(request, model)))
    (found,) = flags_refused(case_of(request, replace(model, heads_ahead=3)))
    assert found.hint == '"num_speculative_tokens": 3'


def test_heads_that_the_file_denies_do_not_guess() -> None:
    """vLLM divides by their number: a ZeroDivisionError at the start."""
    flags = ("--speculative-config", '{"method": "mtp", "num_speculative_tokens": 1}')
    model = catalog.load().models["deepseek-ai/DeepSeek-V3"]
    request = FitRequest(model=model.id, gpu="H200", gpu_count=8, extra_args=flags)
    (found,) = flags_refused(case_of(request, replace(model, heads_ahead=0)))
    assert "hold no heads" in found.message


def test_a_class_whose_heads_are_counted_is_one_of_which_vllm_makes_heads() -> None:
    known, served = extras.rows("guessing"), architectures()
    assert set(extras.rows("heads_ahead")) <= set(known["classes"]) <= served.text | served.generic
    assert {*known["packages"], *known["off"], *known["counts_by_itself"]} <= set(known["methods"])
    assert set(known["needs_model"]) - {""} <= set(known["methods"])


@pytest.mark.parametrize(
    ("model", "flags", "mib"),
    [
        ("Qwen/Qwen3-Next-80B-A3B-Instruct", (), 36 * (24_576 * 2 + 32 * 128 * 128 * 2) / 2**20),
        (
            "Qwen/Qwen3-Next-80B-A3B-Instruct",
            ("--mamba-ssm-cache-dtype", "float32"),
            36 * (24_576 * 2 + 32 * 128 * 128 * 4) / 2**20,
        ),
        ("Qwen/Qwen3.5-9B", (), 24 * (24_576 * 2 + 32 * 128 * 128 * 4) / 2**20),
        ("Qwen/Qwen3.5-9B", ("--mamba-ssm-cache-dtype=float16",), 24 * (24_576 * 2 + 32 * 128 * 128 * 2) / 2**20),
    ],
)
def test_a_flag_says_in_what_a_state_is_kept(model: str, flags: tuple[str, ...], mib: float) -> None:
    case = case_of(FitRequest(model=model, gpu="H200", gpu_count=4, extra_args=flags))
    assert case.model.state_bytes / 2**20 == pytest.approx(mib)
