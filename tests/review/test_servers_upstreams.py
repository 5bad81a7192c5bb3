"""A change of the model server's own upstreams, as a comment tells it."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

from pulumi_llm import catalog
from pulumi_llm._plan.exchange import standing
from pulumi_llm._review.comment import render
from pulumi_llm._review.stack_review import review
from tests.review.cases import base, compared, project, setting, stack_of

HOME: dict[str, Any] = {
    "qwen": {"models": ["qwen-turbo"]},
    "lab": {"vendor": "vllm", "base_url": "http://10.0.0.8:8000/v1", "keyless": True, "models": ["Qwen3-8B"]},
}


def test_a_new_upstream_is_told_in_place_with_its_way_its_end_and_nothing_opened(tmp_path: Path) -> None:
    before = base(tmp_path / "before", "aliyun")
    comparison = compared(tmp_path / "after", "aliyun", before, setting("server.upstreams", HOME))
    found = review(comparison, catalog.load(), today=date(2026, 11, 28), environment={})
    assert found.opened == found.closed == found.broken == []
    assert {each.impact.code for each in found.changes.rows} == {"applied-over-ssh"}
    assert [each.message for each in found.findings if each.code == "upstream.model-ended"] == [
        "qwen switched qwen-turbo off on 2026-10-10"
    ]
    assert found.difference is not None
    assert found.difference.changes == ()  # what tokens cost is no line of a machine's bill
    assert found.picture is not None
    ways = {(start, end, label) for start, end, label, __ in found.picture.flows}
    assert ways >= {("llm-server", "qwen", "qwen-turbo"), ("llm-server", "lab", "Qwen3-8B")}
    assert "switched qwen-turbo off" in render([found])


def test_an_upstream_that_goes_breaks_those_who_call_its_models(tmp_path: Path) -> None:
    before = standing(project(tmp_path / "before", "aliyun", setting("server.upstreams", HOME)), stack_of("aliyun"))
    comparison = compared(tmp_path / "after", "aliyun", before, setting("server.upstreams", {"lab": HOME["lab"]}))
    found = review(comparison, catalog.load(), today=date(2026, 11, 28), environment={})
    assert [(each.kind, each.what) for each in found.broken] == [("model-gone", ("qwen-turbo",))]
