"""What the benchmarks say where something cannot be measured, and what they hand to the peers."""

from __future__ import annotations

import csv
import importlib
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture
def peers(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.setattr(sys, "path", [str(ROOT), *sys.path])
    return importlib.import_module("bench.peers")


def test_a_peer_that_cannot_be_installed_is_said_to_be_not_compared(
    peers: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(peers, "_installed", lambda peer: None)
    monkeypatch.setattr(peers, "_reachable", lambda address: False)
    peers.main()
    told = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in told] == ["gpuhunt", "SkyPilot"]
    assert all("not compared" in line for line in told)


def test_the_peers_get_every_row_that_has_a_price(peers: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    peers._for_gpuhunt(tmp_path / "a")
    peers._for_skypilot(tmp_path / "b")
    for file in (tmp_path / "a/aws.csv", tmp_path / "b/.sky/catalogs/v8/aws/vms.csv"):
        with file.open(encoding="utf-8") as content:
            rows = list(csv.DictReader(content))
        assert len(rows) == len(peers._offers()) > 100
        assert all(float(row.get("price") or row["Price"]) > 0 for row in rows)


def test_where_the_history_is_short_the_older_program_is_said_to_be_not_measured(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "path", [str(ROOT), *sys.path])
    before = importlib.import_module("bench.before")
    monkeypatch.setattr(before, "RUNS", 1)
    assert before.old_source("HEAD", tmp_path) is None
    monkeypatch.setattr(before, "old_source", lambda revision: None)
    before.main()
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("--help / 60 ms of CPU")
    assert second.startswith("plan and diff against 78bcd70: NOT measured")


def test_a_rehearsal_without_its_plugin_is_said_to_be_not_measured(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "path", [str(ROOT), *sys.path])
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    importlib.import_module("bench.rehearsal").main()
    told = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in told] == ["tencent-t4", "aliyun-a100", "aws-t4"]
    assert all("not measured: there is no plugin of" in line for line in told)
