"""`pulumi-llm monitoring`: what it writes, with and without a stack that is up."""

from __future__ import annotations

import json
import os
import shlex
from pathlib import Path

import pytest
import yaml

from pulumi_llm import cli

ROOT = Path(__file__).parents[2]
KEY, PRIVATE = "sk-PLANTED-0123456789", "-----BEGIN KEY-----PLANTED"
UP = {
    "endpoint": "https://203.0.113.7:18443/v1",
    "certificate_authority": "-----BEGIN CERTIFICATE-----\nSERVER\n",
    "api_keys": {"default": KEY},
    "ssh_private_key": PRIVATE,
}
PROXY = {
    "proxy_endpoint": "https://203.0.113.9/v1",
    "proxy_certificate_authority": "PROXY",
    "proxy_api_keys": {"a": KEY},
}


def outputs(folder: Path, monkeypatch: pytest.MonkeyPatch, **told: object) -> None:
    """A program `pulumi` that tells these outputs."""
    program = folder / "bin/pulumi"
    program.parent.mkdir()
    program.write_text(f"#!/bin/bash\necho {shlex.quote(json.dumps(told))}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.chdir(ROOT / "stacks")


def test_without_a_stack_it_writes_the_alerts_and_the_board(tmp_path: Path) -> None:
    assert cli.main(["monitoring", "--out", str(tmp_path / "new/m")]) == 0
    assert {each.name for each in (tmp_path / "new/m").iterdir()} == {"llm-alerts.yml", "llm-board.json"}


def test_of_a_stack_that_is_up_each_node_is_scraped_by_its_address_and_authority(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    outputs(tmp_path, monkeypatch, **UP, **PROXY)
    out = tmp_path / "m"
    assert cli.main(["monitoring", "--out", str(out), "-s", "aliyun-t4"]) == 0
    jobs = yaml.safe_load((out / "llm-scrape.yml").read_text())["scrape_configs"]
    targets = {job["job_name"]: job["static_configs"][0]["targets"] for job in jobs}
    assert targets == {
        "pulumi-llm-aliyun-t4-server": ["203.0.113.7:18443"],
        "pulumi-llm-aliyun-t4-proxy": ["203.0.113.9:443"],
    }
    assert (out / "llm-server-ca.pem").read_text() == UP["certificate_authority"]
    assert (out / "llm-proxy-ca.pem").read_text() == "PROXY"
    told = capsys.readouterr().out
    for each in ("server", "proxy"):
        assert f"--at {each} --endpoint /metrics" in told
    written = "".join(each.read_text() for each in out.iterdir())
    assert KEY not in written + told
    assert "PLANTED" not in written + told


def test_a_stack_that_is_not_up_is_told_and_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    outputs(tmp_path, monkeypatch)
    assert cli.main(["monitoring", "--out", str(tmp_path / "m"), "-s", "aliyun-t4"]) == 1
    assert "[status.no-outputs]" in capsys.readouterr().err
    assert not (tmp_path / "m").exists()


def test_a_link_in_a_files_place_is_not_followed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "theirs").write_text("theirs")
    (tmp_path / "m").mkdir()
    (tmp_path / "m/llm-alerts.yml").symlink_to(tmp_path / "theirs")
    assert cli.main(["monitoring", "--out", str(tmp_path / "m")]) == 1
    assert "[monitoring.unwritable]" in capsys.readouterr().err
    assert (tmp_path / "theirs").read_text() == "theirs"
