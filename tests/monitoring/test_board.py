"""The board, by Grafana's own types, and drawn by Grafana's own code from the answers of a real Prometheus."""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pulumi_llm._monitoring import files
from tests.monitoring import grafana
from tests.monitoring.test_prometheus import Prometheus, answers, tool

pytestmark = [
    pytest.mark.artefact,
    pytest.mark.skipif(grafana.lacking() is not None, reason=grafana.lacking() or ""),
]
NODE = 'stack="prod",node="server"'
HOURS, STEP, DAY = 6, 30, 86400
Value = Callable[[float], float]
Ask = Callable[[str, float, float], list[Any]]


def wave(most: float, turn: float = 0.0) -> Value:
    """A working day in six hours."""
    return lambda at: most * (0.55 + 0.45 * math.sin(at * math.tau / HOURS + turn))


def steady(value: float) -> Value:
    return lambda at: value


def whole(value: Value) -> Value:
    return lambda at: float(round(value(at)))


def series() -> Iterator[tuple[str, str, bool, Value]]:
    """The numbers of a node: name, labels, whether it is a counter, and its value or its rate by the hour."""
    for key, most in (("app", 2.0), ("batch", 0.8), ("search", 0.3)):
        of = f'{NODE},key="{key}"'
        for status, part in (("200", 0.97), ("429", 0.02), ("502", 0.01)):
            yield "llm_gateway_requests_total", f'{of},model="qwen",status="{status}"', True, wave(most * part, most)
        yield "llm_gateway_cost_usd_total", f'{of},model="qwen"', True, wave(most * 2e-5)
        yield "llm_gateway_active_requests", of, False, whole(wave(4 * most, most))
        yield "llm_gateway_budget", f'{of},unit="usd",period="day"', False, steady(5)
        yield "llm_gateway_budget_used", f'{of},unit="usd",period="day"', False, lambda at, m=most: min(5, m * at / 2)
    yield "llm_gateway_refused_total", f'{NODE},key="app",code="rate_limit"', True, wave(0.05)
    for way, most in (("in", 900), ("out", 300)):
        yield "llm_gateway_tokens_total", f'{NODE},model="qwen",direction="{way}"', True, wave(most)
    for edge, part in (("0.1", 0.1), ("0.25", 0.3), ("0.5", 0.6), ("1", 0.8), ("2.5", 0.95), ("+Inf", 1.0)):
        for name, more in (
            ("llm_gateway_first_byte_seconds_bucket", 1.0),
            ("vllm:time_to_first_token_seconds_bucket", 1.1),
            ("vllm:request_queue_time_seconds_bucket", 1.5),
        ):
            yield name, f'{NODE},le="{edge}"', True, wave(3 * min(1, part * more))
    engine = f'{NODE},model_name="qwen"'
    yield "vllm:num_requests_running", engine, False, whole(wave(8))
    yield "vllm:num_requests_waiting", engine, False, whole(lambda at: max(0, wave(6)(at) - 4))
    yield "vllm:kv_cache_usage_perc", engine, False, wave(0.8)
    for name, most in (("prompt_tokens", 900), ("generation_tokens", 300), ("num_preemptions", 0.02)):
        yield f"vllm:{name}_total", engine, True, wave(most)
    for name, rate in (("hits", wave(500)), ("queries", wave(900, 0.2))):
        yield f"vllm:prefix_cache_{name}_total", engine, True, rate
    yield "llm_gateway_calls_waiting", NODE, False, whole(wave(3))
    for turn, name in enumerate(("qwen", "coder")):
        of = f'{NODE},upstream="{name}"'
        yield "llm_gateway_model_awake", of, False, lambda at, t=turn: float((int(at * 2) + t) % 2)
        for what, seconds in (("sleep", 3), ("wake", 7)):
            yield "llm_gateway_turns_total", f'{of},what="{what}"', True, steady(1 / 900)
            yield "llm_gateway_turns_seconds_total", f'{of},what="{what}"', True, steady(seconds / 900)
    for path, size in (("/", 40e9), ("/srv/llm", 200e9)):
        yield "llm_node_disk_bytes", f'{NODE},path="{path}"', False, steady(size)
        yield "llm_node_disk_free_bytes", f'{NODE},path="{path}"', False, lambda at, s=size: s * (0.6 - at / 50)
    yield "llm_node_leaving", f'{NODE},state="watching"', False, steady(0)
    yield "llm_gateway_upstream_up", f'{NODE},upstream="local",model="qwen"', False, steady(1)
    yield "llm_gateway_upstream_up", f'{NODE},upstream="deepseek",model="v4"', False, lambda at: float(not 2 < at < 2.3)
    now = time.time()
    yield "llm_node_certificate_end_timestamp_seconds", NODE, False, steady(now + 400 * DAY)
    ending = 'stack="prod",vendor="openai",model="gpt-4o"'
    yield "llm_model_end_timestamp_seconds", ending, False, steady(now + 20 * DAY)
    yield "llm_gateway_key_end_timestamp_seconds", f'{NODE},key="batch"', False, steady(now - 2 * DAY)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Ask, float]]:
    """A Prometheus with six hours of a stack in it: what it says to an expression over them, and when they end."""
    folder = tmp_path_factory.mktemp("prometheus")
    start = int(time.time()) - HOURS * 3600 - 2 * STEP
    lines: dict[str, list[str]] = {}
    for name, labels, counts, value in series():
        total, rows = 0.0, lines.setdefault(name, [f"# TYPE {name} unknown"])
        for at in range(0, HOURS * 3600 + STEP, STEP):
            total += value(at / 3600) * STEP
            rows.append(f"{name}{{{labels}}} {total if counts else value(at / 3600)} {start + at}")
    (folder / "numbers").write_text("\n".join(line for rows in lines.values() for line in rows) + "\n# EOF\n")
    made = [tool("promtool"), "tsdb", "create-blocks-from", "openmetrics", "numbers", "data"]
    subprocess.run(made, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    (folder / "prometheus.yml").write_text("global: {scrape_interval: 30s}\n")
    server = Prometheus(folder)
    try:
        until = time.monotonic() + 60
        while not answers(f"http://127.0.0.1:{server.port}/-/ready"):
            assert time.monotonic() < until
            time.sleep(0.2)

        def ask(expression: str, begun: float, ended: float) -> list[Any]:
            plain = expression.replace("$__rate_interval", "2m").replace("$stack", ".*")
            return list(server.api("query_range", query=plain, start=str(begun), end=str(ended), step="60")["result"])

        yield ask, start + HOURS * 3600
    finally:
        server.stop()


def board(language: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(files.board(language))
    return found


def drawn(panels: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [each for each in panels if each["type"] != "row"]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_board_is_one_by_grafanas_own_types(language: str, tmp_path: Path) -> None:
    assert grafana.refused(board(language), tmp_path) == ""


def test_a_board_that_is_wrong_is_not_one(tmp_path: Path) -> None:
    """Were the types loose, the test above would say nothing."""
    for number, change in enumerate(
        (
            lambda it: it.update(timePicker={}),
            lambda it: it["templating"]["list"][0].update(sorted=True),
            lambda it: drawn(it["panels"])[0]["fieldConfig"]["defaults"].update(decimal=1),
            lambda it: drawn(it["panels"])[0]["fieldConfig"]["defaults"]["custom"].update(lineWidth="1"),
            lambda it: drawn(it["panels"])[0]["options"]["legend"].update(displayMode="lists"),
        )
    ):
        wrong, folder = board("en"), tmp_path / str(number)
        folder.mkdir()
        change(wrong)
        assert "error TS" in grafana.refused(wrong, folder), number


@pytest.mark.parametrize("language", ["en", "zh"])
def test_each_panel_is_drawn_by_grafanas_own_code_with_a_line_for_each_series(
    language: str, told: tuple[Ask, float], tmp_path: Path
) -> None:
    made, (ask, end) = board(language), told
    span = (end - HOURS * 3600 + 300, end)
    answered = {
        each["id"]: [ask(target["expr"], *span) for target in each["targets"]] for each in drawn(made["panels"])
    }
    file = tmp_path / "page.html"
    grafana.page(made, answered, span, file)
    tall = 40 * max(each["gridPos"]["y"] + each["gridPos"]["h"] for each in made["panels"])
    shown = grafana.browse(file, f"--window-size=1400,{tall}", "--dump-dom")
    assert 'id="wrong"' not in shown, shown[-3000:]
    pieces = {each.partition('"')[0]: each for each in shown.split('data-panel="')[1:]}
    for panel in drawn(made["panels"]):
        html = pieces[panel["title"].replace("&", "&amp;")]
        assert "<canvas" in html, panel["title"]
        count = sum(len(each) for each in answered[panel["id"]])
        assert count, f"{panel['title']}: no series"
        named = re.findall(r'aria-label="(?:data-testid )?VizLegend series', html)
        labels = re.findall(r'data-testid="data-testid VizLegend series ([^"]+)"', html)
        assert len(labels or named) == count, (panel["title"], labels)
        assert not [each for each in labels if "{{" in each or not each.strip()], labels
    picture = Path(os.environ.get("PULUMI_LLM_PICTURES", tmp_path)) / f"board.{language}.webp"
    grafana.browse(file, f"--window-size=1400,{tall}", f"--screenshot={picture}")
    assert picture.stat().st_size > 20_000
