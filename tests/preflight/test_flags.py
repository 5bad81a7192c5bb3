"""Flags that vLLM 0.32.0 refuses at the start, said before anything is bought; and those that it takes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pulumi_llm import catalog
from pulumi_llm.preflight.report import check
from pulumi_llm.preflight.request import FitRequest, case_of
from pulumi_llm.preflight.rules_flags import flags_refused

QWEN, BGE = "Qwen/Qwen2.5-7B-Instruct", "BAAI/bge-m3"
NGRAM = '{"method": "ngram", "num_speculative_tokens": %d}'


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
        # config/scheduler.py: verify_max_model_len
        (QWEN, ("--max-num-batched-tokens", "64", "--max-num-seqs", "128"), "--max-num-batched-tokens 128"),
        (QWEN, ("--no-enable-chunked-prefill", "--max-num-batched-tokens", "4096"), "longer than a batch of 4096"),
        (BGE, ("--max-num-batched-tokens", "2048"), "longer than a batch of 2048"),
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
        (QWEN, ("--speculative-config.method", "ngram", "--speculative-config.num_speculative_tokens", "3")),
        (QWEN, ("--spec-method", "suffix")),
        (QWEN, ("--spec-method", "ngram", "--spec-tokens", "4")),
        ("deepseek-ai/DeepSeek-V3", ("--speculative-config", '{"method": "mtp", "num_speculative_tokens": 3}')),
        (QWEN, ("--max-num-batched-tokens", "4096")),
        (BGE, ("--max-num-batched-tokens", "16384")),
    ],
)
def test_a_flag_that_vllm_takes_is_left_alone(model: str, flags: tuple[str, ...]) -> None:
    assert refused(model, *flags) == []


def test_each_head_is_used_as_often_as_the_others() -> None:
    """config/speculative.py: more tokens than heads must be a multiple of them."""
    flags = ("--speculative-config", '{"method": "mtp", "num_speculative_tokens": 5}')
    model = catalog.load().models["deepseek-ai/DeepSeek-V3"]
    request = FitRequest(model=model.id, gpu="H200", gpu_count=8, extra_args=flags)
    assert not list(flags_refused(case_of(request, model)))
    (found,) = flags_refused(case_of(request, replace(model, heads_ahead=3)))
    assert found.hint == '"num_speculative_tokens": 3'
