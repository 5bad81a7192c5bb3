"""vLLM's command line: what the role says, and nothing that this version would not start with."""

import json
import shlex
from dataclasses import replace
from typing import Any

import pytest

from pulumi_llm._bootstrap import settings
from pulumi_llm.catalog.abilities import abilities_of
from pulumi_llm.errors import Refusal
from pulumi_llm.roles import registry
from pulumi_llm.roles.files import data, text
from pulumi_llm.roles.requests import VllmRole
from pulumi_llm.roles.vllm_flags import command_line, quoted, vllm_arguments
from pulumi_llm.spec import ServerSpec
from tests.bootstrap.samples import gpu_node

ROLE = VllmRole(model_id="Qwen/Qwen2.5-7B-Instruct", served_name="qwen", min_driver=580)


def vllm_unit(role: VllmRole) -> str:
    """The unit of a node with this vLLM."""
    rows = registry.role("vllm").files(gpu_node().having(role))
    (unit,) = (each["content"] for each in rows if each["path"].endswith("/llm-vllm.service"))
    return str(unit)


def flags(role: VllmRole) -> list[str]:
    return [each for each in vllm_arguments(role) if each.startswith("--")]


def codes(*extra: str) -> list[str]:
    with pytest.raises(Refusal) as refused:
        vllm_arguments(replace(ROLE, extra_args=extra))
    return [each.code for each in refused.value.findings]


def test_every_rendered_flag_is_one_that_this_vllm_accepts() -> None:
    role = replace(
        ROLE,
        flags={"quantization": "awq", "max_num_seqs": 16},
        max_model_len=8192,
        kv_cache_dtype="fp8",
        trust_remote_code=True,
        tool_call_parser="hermes",
        reasoning_parser="qwen3",
    )
    assert set(flags(role)) <= set(data("vllm/flags.json")["flags"])


def test_a_key_of_the_spec_that_has_a_flag_is_given_as_it_is_and_left_out_where_it_is_none() -> None:
    table = registry.role("vllm").manifest.facts["flags"]
    with pytest.MonkeyPatch.context() as patch:
        for name in ("eager", "prefixes", "seed", "names", "empty"):
            patch.setitem(table, name, f"--{name}")
        values = {"eager": True, "prefixes": False, "seed": 7, "names": ("a", "b"), "empty": (), "quantization": None}
        arguments = vllm_arguments(replace(ROLE, flags=values))
    assert "--eager" in arguments
    assert arguments[arguments.index("--seed") + 1] == "7"
    at = arguments.index("--names")
    assert arguments[at + 1 : at + 3] == ["a", "b"]
    assert not {"--prefixes", "--empty", "--quantization", "--max-num-seqs"} & set(arguments)


def test_every_flag_of_the_table_is_one_of_this_vllm_and_a_key_of_the_spec() -> None:
    table = registry.role("vllm").manifest.facts["flags"]
    assert set(table.values()) <= set(data("vllm/flags.json")["flags"])
    assert set(table) <= set(ServerSpec.model_fields)


def test_the_flags_are_those_of_the_pinned_version() -> None:
    assert data("vllm/flags.json")["version"] == registry.environments()["vllm"].version


def test_tensor_parallel_size_and_dtype_are_always_given() -> None:
    arguments = vllm_arguments(replace(ROLE, tensor_parallel_size=8, dtype="bfloat16"))
    assert arguments[arguments.index("--tensor-parallel-size") + 1] == "8"
    assert arguments[arguments.index("--dtype") + 1] == "bfloat16"


def test_vllm_serves_from_the_disk_and_asks_no_hub() -> None:
    assert vllm_arguments(ROLE)[0] == "/srv/llm/models/Qwen--Qwen2.5-7B-Instruct--main"
    assert "HF_HUB_OFFLINE=1" in vllm_unit(ROLE)


def test_vllms_workers_listen_on_loopback_whatever_the_machine_is_called() -> None:
    for variable in ("VLLM_HOST_IP=127.0.0.1", "GLOO_SOCKET_IFNAME=lo", "NCCL_SOCKET_IFNAME=lo"):
        assert variable in vllm_unit(ROLE)


def test_two_revisions_of_a_model_lie_side_by_side() -> None:
    assert vllm_arguments(replace(ROLE, revision="v2"))[0] != vllm_arguments(ROLE)[0]


@pytest.mark.parametrize("flag", ["--swap-space", "--task", "--disable-log-requests", "--enable-reasoning"])
def test_a_flag_that_is_gone_is_refused(flag: str) -> None:
    assert codes(flag) == ["bootstrap.flag-gone"]


@pytest.mark.parametrize("flag", ["--host=0.0.0.0", "--api-key", "--port", "-q", "-qawq", "--uds", "--api-k", "--hos"])
def test_a_flag_that_is_not_the_callers_is_refused(flag: str) -> None:
    assert codes(flag) == ["bootstrap.flag-reserved"]


@pytest.mark.parametrize(
    "extra",
    [
        ("--attention-backend", "FLASHINFER"),
        ("--attention-backend=FLASHINFER_MLA",),
        ("--moe-backend", "deep_gemm"),
        ("--linear-backend=flashinfer_cutlass",),
        ("--gdn-prefill-backend", "flashinfer"),
        ("--attention-config.backend", "FLASHINFER"),
        ("--attention-config", '{"backend": "FLASHINFER"}'),
    ],
)
def test_a_backend_that_needs_a_cuda_compiler_is_refused(extra: tuple[str, ...]) -> None:
    assert codes(*extra) == ["bootstrap.needs-cuda-compiler"]


def test_another_backend_passes() -> None:
    extra = ("--attention-backend", "TRITON_ATTN", "--moe-backend=triton", "--seed", "1")
    assert vllm_arguments(replace(ROLE, extra_args=extra))[-5:] == list(extra)


def test_gated_delta_nets_take_triton_unless_told_otherwise() -> None:
    arguments = vllm_arguments(ROLE)
    assert arguments[arguments.index("--gdn-prefill-backend") + 1] == "triton"
    told = vllm_arguments(replace(ROLE, extra_args=("--gdn-prefill-backend=cutedsl",)))
    assert [each for each in told if each.startswith("--gdn")] == ["--gdn-prefill-backend=cutedsl"]


ABLE = replace(ROLE, tool_call_parser="hermes", reasoning_parser="qwen3")
TOOLS, REASONING = ["--enable-auto-tool-choice", "--tool-call-parser", "hermes"], ["--reasoning-parser", "qwen3"]


def abilities(*extra: str) -> list[str]:
    """What `ABLE` is rendered with, less what a role without abilities is."""
    plain = vllm_arguments(replace(ROLE, extra_args=extra))
    return [each for each in vllm_arguments(replace(ABLE, extra_args=extra)) if each not in plain]


def test_tool_calls_and_reasoning_are_read_where_a_parser_is_known() -> None:
    assert abilities() == [*TOOLS, *REASONING]
    assert vllm_arguments(replace(ABLE, tool_call_parser=None, reasoning_parser=None)) == vllm_arguments(ROLE)


@pytest.mark.parametrize(
    ("extra", "left"),
    [
        (("--tool-call-parser", "xlam", "--enable-auto-tool-choice"), REASONING),
        (("--tool-call-parser=xlam",), REASONING),
        (("--no-enable-auto-tool-choice",), REASONING),
        (("--enable-auto-tool-choice",), [*TOOLS[1:], *REASONING]),
        (("--reasoning-parser", "deepseek_r1"), TOOLS),
        (("--reasoning-parser=",), TOOLS),
        (("--structured-outputs-config.reasoning_parser", "deepseek_r1"), TOOLS),
        (("--structured-outputs-config", '{"reasoning_parser": "deepseek_r1"}'), TOOLS),
        (("--no-enable-auto-tool-choice", "--reasoning-parser="), []),
        (("--enable-auto-tool-choice", "--tool-call-parser", "hf"), []),
        (("--reasoning-parser=hf",), []),
    ],
)
def test_extra_args_go_before_the_parsers_of_the_catalogue(extra: tuple[str, ...], left: list[str]) -> None:
    assert abilities(*extra) == left
    assert vllm_arguments(replace(ABLE, extra_args=extra))[-len(extra) :] == list(extra)


TEMPLATE = "tool_chat_template_gemma4.jinja"
GEMMA = replace(
    ROLE,
    model_id="google/gemma-4-31B-it",
    tool_call_parser="gemma4",
    reasoning_parser="gemma4",
    chat_template=TEMPLATE,
    recommended=("--generation-config", "vllm"),
)


def templates_of(role: VllmRole) -> list[dict[str, Any]]:
    """The chat templates on a node with this vLLM."""
    return [each for each in settings(gpu_node().having(role))["files"] if each["path"].startswith("/opt/llm/vllm/")]


def chat_of(role: VllmRole) -> tuple[list[str], list[str]]:
    """The arguments about chat templates, and what lies where they lead."""
    arguments = vllm_arguments(role)
    rows = templates_of(role)
    return arguments[arguments.index("--chat-template") :][:2] if "--chat-template" in arguments else [], [
        each["content"] for each in rows
    ]


def test_a_model_whose_own_template_leaves_tools_out_gets_one_that_offers_them() -> None:
    flag, content = chat_of(GEMMA)
    assert flag == ["--chat-template", "/opt/llm/vllm/chat-template.jinja"]
    assert content == [text(f"vllm/chat/{TEMPLATE}")]
    assert chat_of(ROLE) == ([], [])


@pytest.mark.parametrize(
    "extra",
    [
        ("--no-enable-auto-tool-choice",),
        ("--tool-call-parser", "pythonic"),
        ("--enable-auto-tool-choice", "--tool-call-parser=hf"),
        ("--reasoning-parser", "hf"),
    ],
)
def test_the_template_goes_with_the_parser_that_it_was_for(extra: tuple[str, ...]) -> None:
    assert chat_of(replace(GEMMA, extra_args=extra)) == ([], [])


def test_a_template_of_ones_own_takes_the_place_of_the_catalogues() -> None:
    own = replace(GEMMA, extra_args=("--chat-template", "/srv/llm/own.jinja"))
    assert chat_of(own) == (["--chat-template", "/srv/llm/own.jinja"], [])
    assert "--tool-call-parser" in vllm_arguments(own)


def test_the_same_parser_given_by_hand_keeps_its_template() -> None:
    assert (
        len(chat_of(replace(GEMMA, extra_args=("--enable-auto-tool-choice", "--tool-call-parser", "gemma4")))[1]) == 1
    )


def test_vllm_starts_anew_when_its_chat_template_changes() -> None:
    (row,) = templates_of(GEMMA)
    assert row["restart"] == ["llm-vllm.service"]


@pytest.mark.parametrize("extra", [("--generation-config", "auto"), ("--generation-config=auto",)])
def test_extra_args_go_before_the_flags_that_the_catalogue_recommends(extra: tuple[str, ...]) -> None:
    assert vllm_arguments(GEMMA)[vllm_arguments(GEMMA).index("--generation-config") + 1] == "vllm"
    assert "vllm" not in vllm_arguments(replace(GEMMA, extra_args=extra))


def test_a_recommended_flag_that_is_set_in_part_is_left_to_whoever_did() -> None:
    role = replace(ROLE, recommended=("--default-chat-template-kwargs", '{"enable_thinking": true}'))
    assert "--default-chat-template-kwargs" in vllm_arguments(role)
    told = replace(role, extra_args=("--default-chat-template-kwargs.enable_thinking", "false"))
    assert "--default-chat-template-kwargs" not in vllm_arguments(told)


RANKS = abilities_of("Qwen/Qwen3-Reranker-4B").for_task("reranker")
RERANKER = replace(
    ROLE,
    model_id="Qwen/Qwen3-Reranker-4B",
    task="reranker",
    chat_template=RANKS.chat_template,
    recommended=RANKS.flags,
)


def test_a_decoder_that_ranks_is_told_to_be_a_reranker_and_asked_in_its_own_words() -> None:
    arguments = vllm_arguments(RERANKER)
    told = json.loads(arguments[arguments.index("--hf-overrides") + 1])
    assert told["architectures"] == ["Qwen3ForSequenceClassification"]
    assert chat_of(RERANKER)[1] == [text("vllm/chat/qwen3_reranker.jinja")]


def test_a_reranker_takes_what_extra_args_say_of_its_file_and_its_template() -> None:
    own = ("--hf-overrides", "{}", "--chat-template", "/srv/llm/own.jinja")
    arguments = vllm_arguments(replace(RERANKER, extra_args=own))
    assert [arguments.count(each) for each in own] == [1, 1, 1, 1]
    assert templates_of(replace(RERANKER, extra_args=own)) == []


def test_the_unit_of_a_reranker_keeps_the_json_in_one_argument() -> None:
    line = next(each for each in command_line(RERANKER, "/opt").splitlines() if "--hf-overrides" in each)
    assert shlex.split(line.removesuffix("\\"))[1] == RANKS.flags[1]


def test_a_misspelt_flag_is_refused_with_the_right_one() -> None:
    with pytest.raises(Refusal, match="did you mean --enable-prefix-caching"):
        vllm_arguments(replace(ROLE, extra_args=("--enable-prefix-cachin",)))


def test_a_flag_that_only_a_newer_release_has_is_refused_as_that() -> None:
    newer = data("vllm/flags.json")["newer"]
    assert not set(newer["flags"]) & set(data("vllm/flags.json")["flags"])
    for flag in (newer["flags"][0], f"{newer['flags'][-1]}.timeout=60"):
        with pytest.raises(Refusal, match=f"vLLM {newer['version']} is the first to have it"):
            vllm_arguments(replace(ROLE, extra_args=(flag,)))


def test_all_bad_flags_are_reported_at_once() -> None:
    assert codes("--swap-space", "--api-key", "--nonsense") == [
        "bootstrap.flag-gone",
        "bootstrap.flag-reserved",
        "bootstrap.unknown-flag",
    ]


@pytest.mark.parametrize("value", ["-1", "-1.5", "-0", "-2e3"])
def test_a_dotted_flag_and_a_negative_value_pass(value: str) -> None:
    extra = ("--compilation-config.mode", "3", "--seed", value)
    assert vllm_arguments(replace(ROLE, extra_args=extra))[-4:] == list(extra)


@pytest.mark.parametrize(
    "extra",
    [
        ("--speculative-config",),
        ("--speculative-config", "--seed", "1"),
        ("--max-num-batched-tokens", "--seed", "1"),
        ("--max-num-batched-tokens=",),
        ("-sc",),
        ("--seed", "1", "--block-size"),
        ("--lora-target-modules", "--seed", "1"),
        ("--speculative-config.method",),
        ("--enforce-eager", "true"),
        ("--enforce-eager=true",),
        ("--seed", "1", "2"),
    ],
)
def test_a_flag_without_its_value_or_with_one_too_many_is_refused(extra: tuple[str, ...]) -> None:
    """Each is an error of the pinned release's own parser: run on its CPU build on 2026-11-29."""
    assert codes(*extra) == ["bootstrap.flag-without-value"]


@pytest.mark.parametrize(
    "extra",
    [
        ("--speculative-config", '{"method": "ngram", "num_speculative_tokens": 3}'),
        ("--speculative-config=",),
        ("--lora-target-modules", "q_proj", "v_proj", "--enforce-eager"),
        ("--seed=-1", "--enforce-eager"),
        ("--cpu-offload-gb", "-1"),
        ("--compilation-config.mode", "3"),
    ],
)
def test_a_flag_with_as_many_values_as_it_takes_passes(extra: tuple[str, ...]) -> None:
    assert vllm_arguments(replace(ROLE, extra_args=extra))[-len(extra) :] == list(extra)


@pytest.mark.parametrize(
    ("argument", "told"), [("--nonsense", "no --nonsense, and"), ("--nonsense=1", "no --nonsense=, and")]
)
def test_an_unknown_flag_is_told_as_it_was_written_and_without_its_value(argument: str, told: str) -> None:
    with pytest.raises(Refusal, match=told):
        vllm_arguments(replace(ROLE, extra_args=(argument,)))


@pytest.mark.parametrize(
    ("plain", "in_unit"),
    [
        ("qwen", "qwen"),
        ("50%", "50%%"),
        ("$HOME", "$$HOME"),
        ('{"a": 1}', '"{\\"a\\": 1}"'),
        ("a b", '"a b"'),
        ("", '""'),
        ("back\\slash", '"back\\\\slash"'),
        ("a;b", '"a;b"'),
    ],
)
def test_arguments_reach_vllm_as_they_are_written(plain: str, in_unit: str) -> None:
    assert quoted(plain) == in_unit


def test_an_argument_with_a_line_break_is_refused() -> None:
    with pytest.raises(Refusal, match=r"bootstrap\.bad-argument"):
        vllm_unit(replace(ROLE, served_name="qwen\nExecStartPre=/bin/true"))


def test_a_model_for_vectors_is_started_as_one_and_without_parsers_for_text() -> None:
    role = replace(ROLE, task="embedding", tool_call_parser="hermes", reasoning_parser="qwen3")
    arguments = vllm_arguments(role)
    assert arguments[arguments.index("--runner") + 1] == "pooling"
    assert not {"--tool-call-parser", "--reasoning-parser", "--enable-auto-tool-choice"} & set(arguments)
    assert set(flags(role)) <= set(data("vllm/flags.json")["flags"])
    assert "--runner" not in flags(ROLE)


@pytest.mark.parametrize("given", [("--runner", "pooling"), ("--runner=pooling",)])
def test_a_runner_that_is_named_is_not_named_again(given: tuple[str, ...]) -> None:
    asked = vllm_arguments(replace(ROLE, task="embedding", extra_args=given))
    assert sum(each.startswith("--runner") for each in asked) == 1
