"""Credentials of the caller's environment are in nothing that a rehearsal, a plan or a review writes."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pulumi_llm import cli
from pulumi_llm._plan import project as projects
from pulumi_llm._rehearsal import rehearsal, report
from pulumi_llm._rehearsal.calls import Record
from pulumi_llm._rehearsal.phases import Runner
from pulumi_llm._simcloud.engine import find_engine
from tests.rehearsal.record import as_text, kept

ROOT = Path(__file__).parents[2]
MINE = {
    "ALIBABA_CLOUD_ACCESS_KEY_ID": "LTAI-of-mine-0001",
    "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "aliyun-secret-of-mine-0002",
    "ALIBABA_CLOUD_SECURITY_TOKEN": "aliyun-token-of-mine-0003",
    "TENCENTCLOUD_SECRET_ID": "AKID-of-mine-0004",
    "TENCENTCLOUD_SECRET_KEY": "tencent-secret-of-mine-0005",
    "TENCENTCLOUD_SECURITY_TOKEN": "tencent-token-of-mine-0006",
    "AWS_ACCESS_KEY_ID": "AKIA-of-mine-0007",
    "AWS_SECRET_ACCESS_KEY": "aws-secret-of-mine-0008",
    "AWS_SESSION_TOKEN": "aws-token-of-mine-0009",
}


@pytest.fixture(autouse=True)
def with_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in MINE.items():
        monkeypatch.setenv(name, value)


def none_in(text: str) -> bool:
    return "of-mine" not in text


@pytest.mark.parametrize("stack", ["aliyun-t4", "tencent-t4"])
def test_no_plan_holds_them(stack: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["plan", "-s", stack, "--json", "--project", str(ROOT)]) == 0
    said = capsys.readouterr()
    assert len(said.out) > 10_000
    assert none_in(said.out + said.err)


@contextmanager
def keeping(states: list[str]) -> Iterator[None]:
    """Keep the text of every file that a rehearsal has written, before each run of the engine and at the end."""
    run = Runner.run

    def watched(self: Runner, *arguments: str) -> Any:
        done = run(self, *arguments)
        home = self.folder.parent
        for file in home.rglob("*"):
            if file.is_file() and file.suffix in (".json", ".yaml", ".bak", ".sqlite", ".sqlite-wal", ".attrs"):
                states.append(file.read_bytes().decode("latin-1"))
        return done

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Runner, "run", watched)
        yield


@pytest.mark.engine
@pytest.mark.parametrize("stack", ["aliyun-a100", "tencent-t4"])
def test_no_state_and_no_report_holds_them(stack: str) -> None:
    states: list[str] = []
    with keeping(states):
        done = rehearsal.rehearse(rehearsal.Asked(ROOT, stack, simulated=("alicloud", "aws", "tencentcloud")))
    assert report.findings(done) == []
    assert any("pulumi:providers:" in each for each in states), "no state was read"
    assert all(none_in(each) for each in states)
    assert none_in(json.dumps(report.data(done)) + report.text(done))


@pytest.fixture(scope="module")
def previewed(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[Path, list[str]]]:
    """What the engine says and keeps of a stack whose program has the credentials in its own environment.

    (`sim` and `rehearse` do not pass them on; a real run does.)
    """

    def run(stack: str) -> tuple[Path, list[str]]:
        home = tmp_path_factory.mktemp(stack)
        project, asked = projects.find(ROOT), rehearsal.Asked(ROOT, stack)
        made = rehearsal._runner(asked, project, home, find_engine(), [], Record(), "127.0.0.1:9", {}, home / "none")
        runner = replace(made, environment={**made.environment, **MINE})
        assert runner.run("up", "up").errors == ()
        command = [
            str(runner.engine.pulumi),
            "--non-interactive",
            "preview",
            "--stack",
            stack,
            "--json",
            "--show-sames",
        ]
        done = subprocess.run(
            command, env=dict(runner.environment), cwd=runner.folder, capture_output=True, text=True, check=True
        )
        file = home / "preview.json"
        file.write_text(done.stdout, encoding="utf-8")
        return file, [each.read_text("utf-8") for each in (home / "state").rglob("*.json")]

    return run


@pytest.mark.engine
@pytest.mark.parametrize("stack", ["aliyun-t4", "aws-t4", "tencent-t4"])
def test_no_comment_preview_or_state_holds_them_though_the_program_has_them(
    stack: str,
    previewed: Callable[[str], tuple[Path, list[str]]],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(ROOT)
    preview, states = previewed(stack)
    assert any("pulumi:providers:" in each for each in states), "no state was read"
    assert all(none_in(each) for each in [*states, preview.read_text("utf-8")])
    for more in (["--lang", "en"], ["--lang", "zh"], ["--json"]):
        assert cli.main(["comment", "--preview", str(preview), *more]) == 0
        said = capsys.readouterr()
        assert stack in said.out
        assert none_in(said.out + said.err)


@pytest.mark.engine
def test_no_golden_file_would_hold_them() -> None:
    done = rehearsal.rehearse(rehearsal.Asked(ROOT, "tencent-t4", simulated=("alicloud", "aws", "tencentcloud")))
    assert none_in(as_text(kept(done)))


def test_no_golden_file_holds_a_key_of_any_cloud() -> None:
    """By their forms: Aliyun's ``LTAI…``, Tencent Cloud's ``AKID…``, AWS's ``AKIA…`` and ``ASIA…``."""
    forms = re.compile(r"\b(?:LTAI[0-9A-Za-z]{12,}|AKID[0-9A-Za-z]{13,}|A(?:KI|SI)A[0-9A-Z]{16})\b")
    files = [each for each in (ROOT / "tests" / "golden").rglob("*") if each.is_file()]
    assert len(files) > 20
    assert [each.name for each in files if forms.search(each.read_bytes().decode("latin-1"))] == []
