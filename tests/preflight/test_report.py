"""What `check` says in words: the verdict, the memory where it is known, the findings, and what would work."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest

from pulumi_llm.preflight.report import check
from pulumi_llm.preflight.request import FitRequest

FITS = FitRequest(model="01-ai/Yi-6B-Chat", gpu="A10", max_model_len=4096)
TOO_LARGE = FitRequest(model="Qwen/Qwen2.5-14B-Instruct", gpu="T4", quantization=None)


def test_a_request_that_works_is_told_with_its_memory():
    report = check(FITS)
    text = str(report)
    assert text.startswith("01-ai/Yi-6B-Chat on 1 x A10: works\n")
    assert report.case.memory is not None
    for line in ("GiB per GPU", "budget", "weights", "overhead", "KV cache", "longest context"):
        assert f"\n  {line} " in text
    assert f"{report.case.memory.weights_gib:.2f}  16 bit" in text
    assert "one request of 4,096 needs" in text
    assert "cheapest that passes: 01-ai/Yi-6B-Chat on 1 x " in text
    assert report.for_json()["ok"] is True


def test_a_request_that_does_not_is_told_why_first_and_what_would():
    report = check(TOO_LARGE)
    text = str(report)
    assert text.startswith("Qwen/Qwen2.5-14B-Instruct on 1 x T4: does not work\n")
    assert "\nerror: [fit.weights-exceed-vram]" in text
    severities = [finding.severity for finding in report.findings]
    assert severities == sorted(severities, key=["error", "warning", "info"].index)
    assert "cheapest that passes: Qwen/Qwen2.5-14B-Instruct" in text
    assert report.for_json()["ok"] is False


def test_memory_that_is_not_known_is_not_told():
    report = check(replace(FITS, quantization="bitsandbytes-that-nobody-knows"))
    assert report.case.memory is None
    assert "GiB per GPU" not in str(report)
    assert report.for_json()["memory"] is None


@pytest.mark.parametrize(("request_", "works"), [(FITS, True), (TOO_LARGE, False)])
def test_that_nothing_would_work_is_said_of_what_does_not_alone(request_: FitRequest, works: bool):
    report = replace(check(request_), suggestion=None)
    assert report.ok is works
    assert ("cheapest that passes: nothing in the catalogue does" in str(report)) is not works
    assert report.for_json()["suggestion"] is None


def test_a_check_loads_nothing_that_only_fills_templates_in() -> None:
    """Jinja was a quarter of what a cold `check` took: more than `import gpuhunt` does."""
    code = (
        "import sys; from pulumi_llm import cli; cli.main(['check', 'Qwen/Qwen3-32B', '--gpu', 'H20']);"
        "sys.exit(bool({'jinja2', 'transformers', 'pulumi'} & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL).returncode == 0
