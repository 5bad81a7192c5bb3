"""The golden table: verdicts that must stand, whatever changes in the estimator or the rules."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pulumi_llm import catalog
from pulumi_llm.preflight.report import check
from pulumi_llm.preflight.request import FitRequest, case_of
from pulumi_llm.preflight.rules import findings_of, passes
from tests.preflight.records import DATA

ROOT = Path(__file__).parents[2]

Verdict = Mapping[str, Any]
OF_PLACE = ("placement.", "fit.disk-too-small")

VERDICTS: list[Verdict] = json.loads((DATA / "verdicts.json").read_text(encoding="utf-8"))["verdicts"]


def asked(row: Verdict) -> FitRequest:
    return FitRequest(model=row["model"], gpu=row["gpu"], gpu_count=row["gpu_count"], **row.get("options", {}))


def name(row: Verdict) -> str:
    options = "-".join(f"{key}={value}" for key, value in row.get("options", {}).items())
    return f"{row['model'].rpartition('/')[2]}-{row['gpu_count']}x{row['gpu']}{'-' if options else ''}{options}"


@pytest.mark.parametrize("row", VERDICTS, ids=[name(row) for row in VERDICTS])
def test_the_verdict_stands(row: Verdict):
    errors = {finding.code for finding in findings_of(case_of(asked(row))) if finding.severity == "error"}
    assert errors == set(row["errors"]), row["reason"]


@pytest.mark.parametrize("row", VERDICTS, ids=[name(row) for row in VERDICTS])
def test_a_request_passes_where_the_verdict_has_no_error_whatever_it_warns_of(row: Verdict):
    # The disk and the place are no matter of the model on its GPU.
    assert passes(case_of(asked(row))) is (not [code for code in row["errors"] if not code.startswith(OF_PLACE)])


@pytest.mark.parametrize("model", sorted(catalog.load().models))
def test_a_count_that_is_proposed_divides_what_the_refused_one_did_not(model: str):
    uneven = ("fit.heads-not-divisible", "fit.groups-not-divisible")
    for count in range(1, 9):
        request = FitRequest(model=model, gpu="H100-80GB", gpu_count=count)
        for finding in findings_of(case_of(request)):
            if finding.code not in uneven:
                continue
            proposed = [int(each) for each in re.findall(r"\b\d+\b", finding.hint.split(",")[0])]
            assert proposed
            assert count not in proposed
            for each in proposed:
                found = {one.code for one in findings_of(case_of(replace(request, gpu_count=each)))}
                # Heads are told first, and groups once the heads divide.
                assert not found & set(uneven if finding.code == uneven[1] else uneven[:1]), (count, each)


def test_some_that_pass_are_warned_of():
    found = [findings_of(case_of(asked(row))) for row in VERDICTS if not row["errors"]]
    assert any(finding.severity == "warning" for findings in found for finding in findings)


def test_every_verdict_says_why_and_from_where():
    assert len(VERDICTS) >= 80
    assert all(len(row["reason"]) > 3 and len(row["source"]) > 10 for row in VERDICTS)
    assert len({name(row) for row in VERDICTS}) == len(VERDICTS)


@pytest.mark.parametrize(
    "gpu",
    [
        "T4",
        "V100-16GB",
        "V100-32GB",
        "A10",
        "A100-40GB",
        "A100-80GB",
        "A800-80GB",
        "H100-80GB",
        "RTX-4090",
        "RTX-A6000",
    ],
)
def test_every_gpu_of_the_guide_is_covered(gpu: str):
    assert any(row["gpu"] == gpu for row in VERDICTS)


@pytest.mark.parametrize("number", ["1126", "1136", "1613", "1707", "2101", "2118", "2646"])
def test_every_bug_of_gpustack_s_history_is_covered(number: str):
    assert any(f"#{number}" in row["source"] for row in VERDICTS)


def test_cases_where_the_marketed_memory_would_do_are_among_them():
    assert sum("marketed" in row["reason"] and row["errors"] != [] for row in VERDICTS) >= 5


@pytest.mark.parametrize("row", VERDICTS, ids=[name(row) for row in VERDICTS])
def test_a_refusal_tells_what_would_do(row: Verdict):
    report = check(asked(row))
    for finding in report.findings:
        if finding.severity == "error":
            assert finding.hint, finding.code
            assert finding.message != finding.hint


BUGS: list[Mapping[str, Any]] = json.loads((DATA / "peer_bugs.json").read_text(encoding="utf-8"))["bugs"]


@pytest.mark.parametrize("bug", BUGS, ids=[bug["failure"].replace(" ", "-") for bug in BUGS])
def test_every_bug_of_the_peers_is_kept_out_by_verdicts_or_tests_or_named_as_out_of_scope(bug: Mapping[str, Any]):
    sources = " ".join(row["source"] for row in VERDICTS)
    assert len(bug.keys() & {"verdicts", "tests", "out_of_scope"}) == 1
    if "verdicts" in bug:
        missing = [each for each in bug["numbers"] if not re.search(rf"{number_of(each)}\b", sources)]
        assert missing == []
    for test in bug.get("tests", ()):
        path, _, function = test.partition("::")
        assert f"def {function}(" in (ROOT / path).read_text(encoding="utf-8"), test
    assert len(bug.get("out_of_scope", "a reason that says why")) > 20


def number_of(issue: str) -> str:
    """The number as a source names it, where one repository's name stands before several: vllm#1157, #946."""
    number = issue.partition("#")[2]
    return rf"(?:#|PR ){number}"


def test_no_bug_of_the_peers_is_listed_twice():
    numbers = [number for bug in BUGS for number in bug["numbers"]]
    assert len(numbers) == len(set(numbers)) >= 50
