"""`pulumi-llm outlook`: what it prints, and when it fails."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from pulumi_llm import cli

ROOT = Path(__file__).parents[2]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The shipped project, in the working directory, with a model that has ended and a key with a last day."""
    shutil.copytree(ROOT / "stacks", tmp_path / "stacks")
    shutil.copy(ROOT / "Pulumi.yaml", tmp_path)
    file = tmp_path / "stacks/Pulumi.aliyun-t4.yaml"
    text = file.read_text()
    assert "models: [gpt-6-luna]" in text
    file.write_text(text.replace("models: [gpt-6-luna]", "models: [gpt-6-luna, gpt-4]"))
    (tmp_path / "pulumi-llm.policy.yaml").write_text(
        "exceptions: [{rule: policy.missing-tag, reason: a trial, expires: 2999-12-31}]\n"
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *more: str) -> tuple[int, str]:
    code = cli.main(["outlook", "-s", "aliyun-t4", *more])
    return code, capsys.readouterr().out


def told(capsys: pytest.CaptureFixture[str], *more: str) -> tuple[int, dict[str, Any]]:
    code, out = run(capsys, "--json", *more)
    return code, json.loads(out)


def test_what_has_ended_fails_the_job_until_it_is_accepted(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, found = told(capsys)
    rows = {each["name"]: each for each in found["ends"]}
    assert code == 1
    assert rows["gpt-4"]["level"] == "now"
    assert rows["gpt-4"]["day"] == "2026-10-23"
    assert rows["gpt-4"]["days_left"] < 0
    assert rows["gpt-4"]["source_date"]
    assert "gpt-6-luna" not in rows
    assert rows["policy.missing-tag"]["level"] == "later"
    assert found["certificates"] == "not looked at"
    assert {each["what"] for each in found["data"]} >= {"advisories", "ends of support"}
    accepted = ["--accept", "gpt-4", "--accept", "outlook.advisory"]
    code, found = told(capsys, *accepted)
    assert code == 0
    assert {each["name"] for each in found["ends"] if each["accepted"]} >= {"gpt-4"}


def test_what_ends_within_the_days_asked_for_fails_it_too(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    accepted = ["--accept", "gpt-4", "--accept", "outlook.advisory"]
    assert run(capsys, *accepted, "--within", "3650")[0] == 1
    assert run(capsys, *accepted, "--within", "3650", "--fail-on", "now")[0] == 0
    assert run(capsys, "--fail-on", "never")[0] == 0


def test_a_name_that_is_accepted_and_gone_is_told(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["outlook", "-s", "aliyun-t4", "--accept", "gpt-4o", "--fail-on", "never"])
    told = capsys.readouterr()
    assert "[outlook.accepted-nothing] nothing here is called gpt-4o" in told.err


def test_the_page_says_day_days_left_what_to_do_source_and_how_old_it_is(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    __, out = run(capsys)
    (line,) = [each for each in out.splitlines() if "gpt-4 " in each]
    assert line.startswith("now    2026-10-23")
    assert "[upstream.model-ended] llm-proxy.upstreams.openai.models: openai switched gpt-4 off" in line
    below = out.partition(line)[2].splitlines()[1:3]
    assert below[0].strip().startswith("try: models: [gpt-5.6-sol]")
    assert below[1].strip().startswith("source: ")
    assert "advisories as of 20" in out
    assert "certificates: not looked at" in out


def test_it_is_told_in_chinese(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = cli.main(["--lang", "zh", "outlook", "-s", "aliyun-t4"])
    out = capsys.readouterr().out
    assert code == 1
    assert "到期情况" in out
    assert out.splitlines()[2].startswith("现在")


def test_a_stack_that_is_none_is_a_wrong_call(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["outlook", "-s", "aliyun-t5"]) == 2
    assert "did you mean" in capsys.readouterr().err
