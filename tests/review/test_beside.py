"""A review says of a change of the main model whether it pauses."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

from pulumi_llm import catalog
from pulumi_llm._plan.capture import capture_stack
from pulumi_llm._plan.exchange import standing
from pulumi_llm._plan.forecast import Forecast
from pulumi_llm._review.comment import render
from pulumi_llm._review.stack_review import StackReview, review
from tests.review.cases import Platform, project, setting, stack_of

SMALL = {"server.model": "Qwen/Qwen2.5-1.5B-Instruct", "server.served_name": "chat"}


def edited(**more: object) -> Callable[[Platform, str], None]:
    values = SMALL | {f"server.{name}": value for name, value in more.items()}

    def edit(platform: Platform, cloud: str) -> None:
        for path, value in values.items():
            setting(path, value)(platform, cloud)

    return edit


def told(folder: Path, before: dict[str, object], after: dict[str, object]) -> StackReview:
    stack = stack_of("aws")
    forecast = Forecast(standing(project(folder, "aws", edited(**before)), stack))
    found = capture_stack(project(folder, "aws", edited(**after)), stack, forecast)
    return review(forecast.comparison(found), catalog.load(), today=date(2026, 11, 29), environment={})


BESIDE = {"model_change": "beside"}


def test_a_change_beside_the_running_model_pauses_nothing(tmp_path: Path) -> None:
    found = told(tmp_path, BESIDE, {**BESIDE, "context_length": 2048})
    rows = {each.what: each for each in found.changes.rows}
    row = rows["/etc/systemd/system/llm-vllm.service"]
    assert (row.impact.code, row.impact.note, row.services) == ("loads-beside", "no-pause", ())
    assert found.changes.worst == row.impact
    assert "⚪ loads the model beside the running one<br>no request waits or is lost" in render([found])
    assert "⚪ 在运行中的模型旁边加载新模型" in render([found], "zh")


def test_the_change_that_turns_it_on_pauses_once(tmp_path: Path) -> None:
    rows = {each.what: each for each in told(tmp_path, {}, BESIDE).changes.rows}
    row = rows["/etc/systemd/system/llm-vllm.service"]
    assert (row.impact.code, row.impact.note) == ("restarts-service", "model-loads")


def test_two_that_ask_for_more_than_the_gpu_are_told_to_fail(tmp_path: Path) -> None:
    more = {"override": ["fit.no-room-beside"], "gpu_memory_utilization": 0.7}
    rows = {each.what: each for each in told(tmp_path, BESIDE, {**BESIDE, **more}).changes.rows}
    row = rows["/etc/systemd/system/llm-vllm.service"]
    assert (row.impact.code, row.impact.note) == ("refused", "no-room")
