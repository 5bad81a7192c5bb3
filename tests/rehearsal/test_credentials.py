"""Credentials of the caller's environment are in nothing that a rehearsal, a plan or a review writes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pulumi_llm import cli
from pulumi_llm._rehearsal import rehearsal, report
from pulumi_llm._rehearsal.phases import Runner

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
