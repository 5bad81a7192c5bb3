"""`pulumi-llm check`: exit codes, JSON, and errors that say what would be right."""

from __future__ import annotations

import dataclasses
import importlib
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pulumi_llm import catalog
from pulumi_llm._commands import check as command
from pulumi_llm._commands._node_size import with_user_data
from pulumi_llm.preflight.report import check
from pulumi_llm.preflight.request import FitRequest

run = command.COMMAND.run
FITS = ("Qwen/Qwen2.5-7B-Instruct", "--gpu", "A10")
DOES_NOT = ("Qwen/Qwen2.5-72B-Instruct", "--gpu", "A10")


def verdict(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, Any]:
    code = run([*arguments, "--json"])
    return code, json.loads(capsys.readouterr().out)


def complaint(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert run(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Traceback" not in captured.err
    return captured.err


def test_what_fits_is_exit_code_0(capsys: pytest.CaptureFixture[str]):
    assert run(FITS) == 0
    assert "Qwen/Qwen2.5-7B-Instruct on 1 x A10: works" in capsys.readouterr().out


def test_what_does_not_is_exit_code_1_with_the_numbers_and_what_would(capsys: pytest.CaptureFixture[str]):
    assert run(DOES_NOT) == 1
    told = capsys.readouterr().out
    assert "does not work" in told
    assert "136.11 GiB for weights" in told
    assert "0.9 of the 22.06 GiB that the driver reports for A10 is 19.85 GiB" in told
    assert re.search(
        r"cheapest that passes: Qwen/Qwen2.5-72B-Instruct on \d x \S+: \w+ \S+ in \S+, [\d.]+ (CNY|USD)", told
    )


def test_the_json_has_exactly_the_agreed_keys(capsys: pytest.CaptureFixture[str]):
    code, found = verdict(capsys, *DOES_NOT)
    assert code == 1
    assert list(found) == ["ok", "findings", "memory", "suggestion"]
    assert found["ok"] is False
    assert list(found["findings"][0]) == ["code", "severity", "message", "hint"]
    assert list(found["memory"]) == [
        "gpu_gib",
        "budget_gib",
        "weights_gib",
        "overhead_gib",
        "kv_gib",
        "kv_tokens",
        "max_model_len",
        "max_concurrency",
    ]
    assert found["suggestion"]["hourly_price"] > 0


def test_the_json_of_what_fits_says_so(capsys: pytest.CaptureFixture[str]):
    code, found = verdict(capsys, *FITS)
    assert code == 0
    assert found["ok"] is True
    assert found["findings"] == []
    memory = found["memory"]
    assert memory["budget_gib"] == pytest.approx(
        memory["weights_gib"] + memory["overhead_gib"] + memory["kv_gib"], abs=0.02
    )


def test_the_suggestion_stays_in_the_region_that_is_asked_for(capsys: pytest.CaptureFixture[str]):
    place = ("--cloud", "aliyun", "--region", "cn-hangzhou")
    _, found = verdict(capsys, "Qwen/Qwen2.5-14B-Instruct", "--gpu", "T4", *place)
    assert (found["suggestion"]["cloud"], found["suggestion"]["region"]) == ("aliyun", "cn-hangzhou")


def test_a_mainland_region_is_remarked_on_and_changes_no_verdict(capsys: pytest.CaptureFixture[str]):
    code, found = verdict(capsys, "01-ai/Yi-6B-Chat", "--gpu", "T4", "--cloud", "aliyun", "--region", "cn-hangzhou")
    assert code == 0
    remarks = {each["code"] for each in found["findings"] if each["severity"] == "info"}
    assert remarks == {"fit.mainland-ports", "fit.upstreams-not-served", "fit.user-data-size"}
    assert len(remarks) == len(found["findings"])


@pytest.mark.parametrize(
    ("option", "value", "code"),
    [
        ("--max-model-len", "64K", "fit.context-beyond-model"),
        ("--concurrency", "100", "fit.concurrency-too-high"),
        ("--gpu-memory-utilization", "0.5", "fit.weights-exceed-vram"),
        ("--gpu-memory-utilization", "0.995", "fit.utilization-too-high"),
        ("--quantization", "awq", "fit.quantization-not-in-files"),
        ("--quantization", "bitsandbytes", "fit.quantization-removed"),
        ("--driver", "550", "fit.driver-too-old"),
        ("--model-disk-gib", "10", "fit.disk-too-small"),
        ("--gpu-count", "8", "fit.heads-not-divisible"),
        ("--kv-cache-dtype", "fp8", "fit.kv-cache-needs-capability"),
    ],
)
def test_each_option_counts(capsys: pytest.CaptureFixture[str], option: str, value: str, code: str):
    status, found = verdict(capsys, *FITS, option, value)
    assert status == 1
    assert code in {each["code"] for each in found["findings"]}


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--max-model-len", "8K"),
        ("--max-num-seqs", "16"),
        ("--kv-cache-dtype", "auto"),
        ("--dtype", "float16"),
        ("--dtype", "BFloat16"),
        ("--driver", "580"),
        ("--quantization", "fp8"),
    ],
)
def test_each_option_is_taken(capsys: pytest.CaptureFixture[str], option: str, value: str):
    assert verdict(capsys, *FITS, option, value)[0] == 0


@pytest.mark.parametrize(("gpu", "refused"), [("T4", 1), ("A100-80GB", 1), ("A10", 1), ("L20", 0), ("H100-80GB", 0)])
def test_an_fp8_cache_is_taken_where_a_kernel_that_needs_no_compiler_reads_it(
    capsys: pytest.CaptureFixture[str], gpu: str, refused: int
):
    code, found = verdict(capsys, "Qwen/Qwen3-8B", "--gpu", gpu, "--max-model-len", "4096", "--kv-cache-dtype", "fp8")
    assert code == refused
    assert ("fit.kv-cache-needs-capability" in json.dumps(found)) == bool(refused)


def test_8k_is_1024_times_8_and_lower_case_is_1000(capsys: pytest.CaptureFixture[str]):
    capital, lower = (
        verdict(capsys, *FITS, "--max-model-len", each)[1]["memory"]["max_concurrency"] for each in ("8K", "8k")
    )
    assert lower > capital


def test_a_model_can_be_given_by_its_config(capsys: pytest.CaptureFixture[str], tmp_path: Path):
    config = {
        "model_type": "llama",
        "hidden_size": 4096,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "intermediate_size": 14336,
        "vocab_size": 128256,
        "max_position_embeddings": 8192,
    }
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    for path in (tmp_path, tmp_path / "config.json"):
        code, found = verdict(capsys, str(path), "--gpu", "A10")
        assert code == 0
        assert found["memory"]["weights_gib"] == pytest.approx(15.0, abs=0.1)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "name a model"),
        (("Qwen/Qwen3-8B",), "offers --model Qwen/Qwen3-8B"),
        (("Qwen/Qwen3-8B", "--gpu", "T5"), "there is no GPU called 'T5'"),
        (("Qwen/Qwen3-8B", "--gpu", "A100"), "A100-40GB or A100-80GB"),
        (("Qwen/Qwen3-8C", "--gpu", "T4"), "Qwen/Qwen3-8B"),
        (("Qwen/Qwen3-8B", "--gpus", "T4"), "did you mean --gpu"),
        (("Qwen/Qwen3-8B", "extra", "--gpu", "T4"), "'extra' is one argument too many"),
        ((*FITS, "--cloud", "alyun"), "aliyun"),
        ((*FITS, "--region", "us-east-1"), "--region needs --cloud"),
        ((*FITS, "--adapter-rank", "8"), "--adapter-rank needs --adapters"),
        ((*FITS, "--adapters", "17"), "'17' is not a whole number"),
        ((*FITS, "--adapters", "0"), "'0' is not a whole number"),
        ((*FITS, "--cloud", "aws", "--region", "us-esat-1"), "us-east-1"),
        ((*FITS, "--gpu-count", "0"), "'0' is not a whole number"),
        ((*FITS, "--gpu-count", "two"), "'two' is not a whole number"),
        ((*FITS, "--max-model-len", "8M"), "'8M' is not a number of tokens"),
        ((*FITS, "--max-model-len", "0"), "'0' is not a number of tokens"),
        ((*FITS, "--max-model-len", "-1"), "--max-model-len"),
        ((*FITS, "--gpu-memory-utilization", "1.5"), "'1.5' is not a number above 0 and up to 1"),
        ((*FITS, "--gpu-memory-utilization", "nan"), "'nan' is not a number"),
        ((*FITS, "--dtype", "bfloat"), "did you mean bfloat16"),
        ((*FITS, "--quantization", "awk"), "did you mean awq"),
        ((*FITS, "--kv-cache-dtype", "int4"), "there are: auto, bfloat16, float16, fp8"),
        ((*FITS, "--concurrency", "999999999999999999999999"), "is not a whole number"),
        (("./nowhere/config.json", "--gpu", "T4"), "it cannot be read"),
        (("/dev/zero", "--gpu", "T4"), "a config.json at most"),
        (("", "--gpu", "T4"), "name a model"),
        ((*FITS, "--concurrency", "50", "--max-num-seqs", "2"), "--concurrency 50 contradicts --max-num-seqs 2"),
    ],
)
def test_a_wrong_call_says_what_is_right(capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str):
    assert said in complaint(capsys, *arguments)


def test_a_config_that_is_no_json_is_told(capsys: pytest.CaptureFixture[str], tmp_path: Path):
    (tmp_path / "config.json").write_text("not json", encoding="utf-8")
    assert "catalog.bad-config-json" in complaint(capsys, str(tmp_path / "config.json"), "--gpu", "T4")


def test_more_requests_than_vllm_takes_by_itself_are_told_apart_from_memory(capsys: pytest.CaptureFixture[str]):
    _, found = verdict(
        capsys, "Qwen/Qwen2.5-0.5B-Instruct", "--gpu", "T4", "--concurrency", "2000", "--max-model-len", "1024"
    )
    batch, memory = found["findings"]
    assert batch["code"] == memory["code"] == "fit.concurrency-too-high"
    assert batch["hint"] == "max_num_seqs: 2000"
    assert "23.44 GiB of KV cache" in memory["message"]
    assert found["suggestion"]["max_num_seqs"] == 2000


def test_help_is_exit_code_0(capsys: pytest.CaptureFixture[str]):
    assert run(["--help"]) == 0
    assert "--max-model-len" in capsys.readouterr().out


@pytest.mark.parametrize(("cloud", "limit"), [("aws", "16,384"), ("aliyun", "16,384"), ("tencent", "12,288")])
def test_where_a_cloud_is_named_the_size_of_the_user_data_is_told(
    capsys: pytest.CaptureFixture[str], cloud: str, limit: str
):
    _, found = verdict(capsys, "01-ai/Yi-6B-Chat", "--gpu", "T4", "--cloud", cloud)
    (told,) = [each for each in found["findings"] if each["code"] == "fit.user-data-size"]
    assert told["severity"] == "info"
    size = re.search(r"has ([\d,]+) bytes, and (\w+) takes ([\d,]+)", told["message"])
    assert size is not None
    assert 5_000 < int(size[1].replace(",", "")) < int(limit.replace(",", ""))
    assert size.groups()[1:] == (cloud, limit)


def test_the_size_that_is_told_is_that_of_a_server_that_is_planned():
    from tests.plans import plan_of

    report = with_user_data(
        check(FitRequest(model="01-ai/Yi-6B-Chat", gpu="T4", cloud="aliyun", region="cn-hangzhou", max_model_len=4096))
    )
    (told,) = [each for each in report.findings if each.code == "fit.user-data-size"]
    (planned,) = [text for name, text in plan_of("aliyun-t4").user_data().items() if "server" in name]
    size = int(re.findall(r"has ([\d,]+) bytes", told.message)[0].replace(",", ""))
    assert size == pytest.approx(len(planned.encode()), abs=100)


def test_user_data_over_the_limit_is_an_error_of_the_verdict(monkeypatch: pytest.MonkeyPatch):
    module = importlib.import_module("pulumi_llm._bootstrap.user_data")
    facts = dataclasses.replace(catalog.load().cloud("aws"), user_data_limit=100)
    monkeypatch.setattr(module, "_facts", lambda cloud: facts)
    report = with_user_data(check(FitRequest(model="01-ai/Yi-6B-Chat", gpu="T4", cloud="aws")))
    assert report.findings[0].code == "bootstrap.user-data-too-big"
    assert not report.ok


def test_a_zone_that_sells_the_gpu_passes_and_another_is_refused_with_those_that_do(
    capsys: pytest.CaptureFixture[str],
):
    place = ("01-ai/Yi-6B-Chat", "--gpu", "T4", "--cloud", "aliyun", "--region", "cn-hangzhou")
    assert run([*place, "--zone", "cn-hangzhou-b"]) == 0
    capsys.readouterr()
    code, found = verdict(capsys, *place, "--zone", "cn-hangzhou-z")
    assert code == 1
    (finding,) = [each for each in found["findings"] if each["severity"] == "error"]
    assert finding["code"] == "placement.zone-not-offered"
    assert "did you mean cn-hangzhou-" in finding["hint"]


def test_a_zone_without_its_region_is_a_wrong_call(capsys: pytest.CaptureFixture[str]):
    assert "--zone needs --region" in complaint(capsys, *FITS, "--cloud", "aliyun", "--zone", "cn-hangzhou-b")


def test_a_check_with_a_cloud_loads_neither_pydantic_nor_pulumi():
    code = (
        "import sys; from pulumi_llm.cli import main; main(['check', *sys.argv[1:]]);"
        "print({'pydantic', 'pulumi'} & set(sys.modules))"
    )
    arguments = [*FITS, "--cloud", "aliyun"]
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "set()"


def test_a_machine_that_is_named_names_its_gpus(capsys: pytest.CaptureFixture[str]) -> None:
    from pulumi_llm import cli

    place = ("--cloud", "aws", "--region", "us-east-1", "--instance-type", "g4dn.12xlarge")
    assert cli.main(["check", "Qwen/Qwen2.5-7B-Instruct", *place]) == 0
    assert "on 4 x T4" in capsys.readouterr().out


def test_adapters_are_counted_by_their_number_and_rank(capsys: pytest.CaptureFixture[str]) -> None:
    from pulumi_llm import cli

    seven = ("check", "Qwen/Qwen2.5-7B-Instruct", "--gpu", "A10", "--adapters")
    assert cli.main([*seven, "4", "--json"]) == 0
    few = json.loads(capsys.readouterr().out)["memory"]["adapters_gib"]
    assert cli.main([*seven, "4", "--adapter-rank", "20", "--json"]) == 0
    # vLLM has slots of 32, and none of 20.
    assert json.loads(capsys.readouterr().out)["memory"]["adapters_gib"] == pytest.approx(2 * few, abs=0.02)
    assert cli.main([*seven, "16", "--adapter-rank", "512"]) == 1
    assert "with slots for 16 adapters of rank 512" in capsys.readouterr().out


@pytest.mark.parametrize("text", ["=0.2", "", " =own", "Qwen/Qwen2.5-0.5B-Instruct=", "Qwen/Qwen2.5-0.5B-Instruct=2"])
def test_what_names_no_model_or_no_share_beside_another_is_called_wrongly(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    from pulumi_llm import cli

    assert cli.main(["check", "Qwen/Qwen2.5-7B-Instruct", "--gpu", "A10", f"--beside={text}"]) == 2
    assert f"--beside {text!r} names no model" in (told := capsys.readouterr().err) or "the share is a number" in told
