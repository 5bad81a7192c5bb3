"""What a component warns of is told by the engine's preview and by a plan made in process, in the same words."""

from __future__ import annotations

from datetime import date
from typing import Any

import pulumi
import pytest

import pulumi_llm as llm
from pulumi_llm import _host as hosts
from pulumi_llm import spec
from pulumi_llm._plan.capture import capture
from pulumi_llm._review.stack_review import fit
from tests.test_components import PROXY, SERVER


def told(monkeypatch: pytest.MonkeyPatch, component: Any, args: Any) -> tuple[list[str], list[str]]:
    """What the engine is told, and what the plan notes."""
    said: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", lambda text, *_: said.append(text))
    plan = capture(lambda: component("x", args))
    return said, [str(each) for each in plan.notes]


def test_an_overridden_finding_is_warned_of_in_a_plan_as_in_a_preview(monkeypatch: pytest.MonkeyPatch) -> None:
    args = {**SERVER, "model": "example/unheard-of", "override": ["fit.unknown-model"], "model_disk_gib": 100}
    engine, plan = told(monkeypatch, llm.ModelServer, args)
    assert engine == plan
    assert [each for each in plan if each.startswith("[fit.unknown-model] x.model: overridden: ")]


def test_a_finding_of_the_fit_check_is_the_same_in_a_plan_and_in_a_comment() -> None:
    args: Any = {**SERVER, "model": "example/unheard-of", "override": ["fit.unknown-model"], "model_disk_gib": 100}
    plan = capture(lambda: llm.ModelServer("x", args))
    assert set(fit(plan)) <= set(plan.notes)  # so a comment, which tells both, tells it once


@pytest.mark.parametrize(("component", "args"), [(llm.ModelServer, SERVER), (llm.OverseasProxy, PROXY)])
def test_a_key_whose_last_day_is_over_is_warned_of(component: Any, args: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    ended = {**args, "keys": {"old": {"expires": "2020-01-31"}, "new": {"expires": "2999-01-01"}, "ever": {}}}
    engine, plan = told(monkeypatch, component, ended)
    warned = [each for each in plan if "spec.key-expired" in each]
    assert [each.splitlines()[0] for each in warned] == [
        "[spec.key-expired] x.keys.old.expires: the key 'old' has stopped working: its last day was 2020-01-31"
    ]
    assert engine == plan


def test_a_key_works_to_the_end_of_its_last_day() -> None:
    keys = {"app": spec.KeySpec(expires="2026-11-28")}
    assert hosts.expired(keys, date(2026, 11, 28)) == []
    assert [each.code for each in hosts.expired(keys, date(2026, 11, 29))] == ["spec.key-expired"]
