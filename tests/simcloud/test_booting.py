"""The harness that boots machines is outside the package, and found in a checkout."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from pulumi_llm._simcloud import booting
from pulumi_llm.errors import Refusal


def test_a_checkout_has_the_harness() -> None:
    assert booting.part("support").PROGRAMS["systemd-nspawn"] == "systemd-container"


def test_an_installed_package_says_where_it_is_to_be_had(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(booting, "CHECKOUT", tmp_path)
    with pytest.raises(Refusal) as refused:
        booting.part("session")
    (finding,) = refused.value.findings
    assert finding.code == "boot.no-harness"
    assert "from a checkout of pulumi-llm" in finding.hint
