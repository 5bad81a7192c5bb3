"""What the components call: all findings of a server at once, the refusal, and the dtype."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from pulumi_llm import _engine_yaml, catalog, clouds, preflight, spec
from pulumi_llm.errors import Finding, Refusal
from pulumi_llm.preflight.engine import DATA, engine
from pulumi_llm.preflight.request import FitRequest, case_of, dtype_on
from pulumi_llm.preflight.rules import REMARKS, findings_of, passes, rules_about
from pulumi_llm.roles import registry
from tests.shipped import PLATFORMS

ROOT = Path(__file__).parents[2]
STACKS = [ROOT / "stacks" / f"Pulumi.{each}.yaml" for each in PLATFORMS]


def server(**changes: object) -> spec.ServerSpec:
    usual = {"cloud": "aws", "region": "us-east-1", "gpu": "T4", "model": "01-ai/Yi-6B-Chat"}
    return spec.ServerSpec.model_validate({**usual, **changes})


def codes(findings: list[Finding]) -> set[str]:
    return {finding.code for finding in findings}


def test_a_server_that_works_has_no_findings():
    assert preflight.check_server(server()) == []


@pytest.mark.parametrize("path", STACKS, ids=[path.stem for path in STACKS])
def test_the_shipped_stacks_pass_without_a_warning_but_those_of_several_nodes(path: Path):
    platform = yaml.safe_load(path.read_text(encoding="utf-8"))["config"]["pulumi-llm:platform"]
    server = spec.ServerSpec.model_validate(platform["server"])
    codes = [each.code for each in preflight.check_server(server)]
    # The only machine with eight A100 has EFA.
    assert codes == (["fit.between-nodes", "fit.rdma-not-used"] if server.nodes > 1 else [])


def test_all_findings_are_told_at_once():
    found = preflight.check_server(
        server(
            model="Qwen/Qwen2.5-7B-Instruct",
            dtype="bfloat16",
            kv_cache_dtype="fp8",
            model_disk_gib=20,
            context_length=65536,
        )
    )
    assert codes(found) == {
        "fit.dtype-needs-capability",
        "fit.kv-cache-needs-capability",
        "fit.context-beyond-model",
        "fit.weights-exceed-vram",
        "fit.disk-too-small",
    }


def test_errors_come_before_warnings():
    found = preflight.check_server(server(model="meta-llama/Llama-3.1-8B-Instruct"))
    assert [finding.severity for finding in found] == sorted(
        (f.severity for f in found), key=["error", "warning"].index
    )
    assert codes(found) == {"fit.weights-exceed-vram", "fit.licence-gate"}


@pytest.mark.parametrize(
    ("gpu", "capability", "warned"),
    [
        ("T4", "7.5", True),
        ("A10", "8.6", True),
        ("A100-80GB", "8.0", True),
        ("L20", "8.9", False),
        ("H100-80GB", "9.0", False),
    ],
)
@pytest.mark.parametrize(
    ("model", "quantization"),
    [
        ("Qwen/Qwen2.5-1.5B-Instruct", "fp8"),
        ("Qwen/Qwen3-4B-FP8", None),
    ],
)
def test_fp8_on_a_gpu_without_fp8_units_is_told_to_save_memory_and_no_time(
    gpu: str, capability: str, warned: bool, model: str, quantization: str | None
):
    assert catalog.load().gpus[gpu].compute_capability == capability
    found = findings_of(case_of(FitRequest(model=model, gpu=gpu, quantization=quantization)))
    severities = [finding.severity for finding in found if finding.code == "fit.fp8-weight-only"]
    assert severities == (["warning"] if warned else [])


def test_a_gated_model_is_told_with_its_licence_and_where_else_it_is():
    (told,) = [
        finding
        for finding in findings_of(case_of(FitRequest(model="meta-llama/Llama-3.2-1B-Instruct", gpu="A10")))
        if finding.code == "fit.licence-gate"
    ]
    assert told.severity == "warning"
    assert told.message.endswith("accepted the licence (llama3.2)")
    assert told.hint.endswith("ModelScope has it as LLM-Research/Llama-3.2-1B-Instruct")
    assert not {"fit.licence-gate"} & codes(findings_of(case_of(FitRequest(model="01-ai/Yi-6B-Chat", gpu="A10"))))


def test_remarks_that_are_no_findings_stay_out_of_a_component():
    found = preflight.check_server(server(cloud="aliyun", region="cn-hangzhou"))
    assert all(finding.severity != "info" for finding in found)


def test_a_model_that_the_catalogue_does_not_have_is_an_error_with_the_nearest_names():
    (found,) = preflight.check_server(server(model="Qwen/Qwen2.5-7B-Instruckt"))
    assert found.code == "fit.unknown-model"
    assert found.severity == "error"
    assert "Qwen/Qwen2.5-7B-Instruct" in found.hint
    assert "override fit.unknown-model" in found.hint


def test_a_gpu_that_the_region_does_not_sell_is_among_the_findings():
    found = preflight.check_server(server(gpu="A100-40GB", gpu_count=2))
    assert "placement.gpu-not-offered" in codes(found)


@pytest.mark.parametrize("cloud", sorted(clouds.folders()))
def test_a_gpu_that_a_cloud_does_not_sell_is_told_with_what_there_is(cloud: str):
    for gpu in sorted({gpu for gpu in catalog.load().gpus if not catalog.load().offers(gpu=gpu, cloud=cloud)}):
        case = case_of(FitRequest(model="01-ai/Yi-6B-Chat", gpu=gpu, cloud=cloud))
        (told,) = [each for each in findings_of(case) if each.code == "placement.gpu-not-offered"]
        assert re.fullmatch(r"(it has|cloud:) \S.*|", told.hint), told
        if catalog.load().offers(gpu=gpu):
            assert told.hint


def test_memory_flags_among_the_extra_arguments_count():
    tight = server(gpu="A10", region="us-east-1", model="Qwen/Qwen2.5-7B-Instruct")
    flagged = tight.model_copy(update={"extra_args": ("--max-num-batched-tokens=65536",)})
    eager = tight.model_copy(update={"extra_args": ("--enforce-eager", "--max-num-batched-tokens", "16")})
    from pulumi_llm.preflight.request import case_of, of_server

    used = [case_of(of_server(each)).memory for each in (tight, flagged, eager)]
    assert all(each is not None for each in used)
    plain, batch, none = (each.overhead_gib for each in used if each is not None)
    assert none < plain < batch


def test_require_refuses_with_every_error():
    errors = [Finding("a.b", "one"), Finding("c.d", "two"), Finding("e.f", "three", severity="warning")]
    with pytest.raises(Refusal) as refused:
        preflight.require(errors)
    assert [finding.code for finding in refused.value.findings] == ["a.b", "c.d"]


def test_require_returns_the_warnings():
    warning = Finding("e.f", "three", severity="warning")
    assert preflight.require([warning]) == [warning]


def test_an_overridden_error_stays_visible_as_a_warning():
    (told,) = preflight.require([Finding("a.b", "it will not fit", "less")], override=["a.b"])
    assert told == Finding("a.b", "overridden: it will not fit", "less", severity="warning")


def test_an_override_does_not_hide_other_errors():
    with pytest.raises(Refusal, match="two"):
        preflight.require([Finding("a.b", "one"), Finding("c.d", "two")], override=["a.b"])


def test_an_override_of_nothing_is_told():
    (told,) = preflight.require([], override=["fit.contxt-too-long"])
    assert told.code == "preflight.override-unused"
    assert told.severity == "warning"


@pytest.mark.parametrize(
    ("changes", "dtype"),
    [
        ({}, "half"),
        ({"gpu": "A10"}, "auto"),
        ({"dtype": "bfloat16", "gpu": "A10"}, "bfloat16"),
        ({"dtype": "half", "gpu": "A10"}, "half"),
        ({"model": "google/gemma-2-9b-it"}, "auto"),
        ({"model": "somebody/unheard-of"}, "half"),
    ],
)
def test_the_dtype_that_is_passed_is_what_the_gpu_has(changes: dict[str, object], dtype: str):
    wanted, data = server(**changes), catalog.load()
    assert dtype_on(wanted.dtype, data.models.get(wanted.model), data.gpus[wanted.gpu], engine()) == dtype


def test_the_release_is_the_one_that_nodes_install():
    assert engine().version == registry.environments()["vllm"].version
    assert engine().min_driver == registry.role("vllm").manifest.facts["engine"]["min_driver"]


def test_the_driver_that_nodes_install_is_the_one_that_the_release_needs():
    # No newer one: a branch that a node installs over one that would do is a change of machines that work.
    facts = _engine_yaml.load((ROOT / "templates" / "vllm" / "role.yaml").read_text(encoding="utf-8"))["facts"]
    driver = facts["driver"]
    assert driver["branch"] == facts["engine"]["min_driver"] == engine().min_driver
    for names in ("signed", "compiled", "nvswitch"):
        assert f"-{driver['branch']}" in driver[names][0]
    for page in ("troubleshooting.md", "user-guide.md", "user-guide.zh.md"):
        assert str(engine().min_driver) in (ROOT / "docs" / page).read_text(encoding="utf-8"), page


def test_every_fact_about_the_release_names_its_source():
    raw = json.loads(DATA.read_text(encoding="utf-8"))
    for name, row in raw["quantizations"].items():
        assert len(row["source"]) > 20, name
    facts = ["min_capability", "arm_min_capability", "bfloat16", "fp8_arithmetic", "fp8_kv_cache", "min_driver"]
    for name in facts:
        assert len(raw[f"{name}_source"]) > 20, name
    assert raw["memory"]["source"]
    assert raw["defaults"]["source"]


def test_preflight_loads_no_cloud_sdk_and_reaches_no_network():
    program = (
        "import socket, sys\n"
        "def refuse(*args, **kwargs): raise AssertionError('network')\n"
        "socket.socket.connect = refuse\n"
        "from pulumi_llm.preflight.report import check\n"
        "from pulumi_llm.preflight.request import FitRequest\n"
        "check(FitRequest(model='Qwen/Qwen2.5-72B-Instruct', gpu='A10'))\n"
        "loaded = {name.partition('.')[0] for name in sys.modules}\n"
        "heavy = {'pulumi', 'pydantic', 'pulumi_aws', 'pulumi_alicloud', 'tencentcloud_iac_pulumi', 'yaml', 'jinja2'}\n"
        "bad = loaded & heavy\n"
        "assert not bad, bad\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_a_rule_that_is_left_out_of_a_bare_verdict_never_objects() -> None:
    for model in catalog.load().models.values():
        for gpu in ("T4", "A10", "L20", "H20", "H100-80GB", "TPU-v6e"):
            case = case_of(FitRequest(model=model.id, gpu=gpu, gpu_count=8), model)
            assert not [each for each in findings_of(case, REMARKS) if each.severity == "error"]
            assert passes(case) == (
                not [each for each in findings_of(case, rules_about(case)) if each.severity == "error"]
            )
