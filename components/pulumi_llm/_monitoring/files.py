"""Each file of `pulumi-llm monitoring`, made from the package's data and from a stack."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, time
from functools import cache
from importlib import resources
from typing import Any

from pulumi_llm import _json
from pulumi_llm import _yaml as yaml
from pulumi_llm._dataclasses import dataclass
from pulumi_llm._outlook.ends import End

RULES, BOARD, SCRAPE, ENDS = "llm-alerts.yml", "llm-board.json", "llm-scrape.yml", "llm-ends.yml"
JOB = "pulumi-llm"
WIDE, HIGH = 24, 8
"""A board's columns, and the height of a panel in Grafana's units."""
SCHEMA = 39
"""Of the board's JSON: Grafana 10.4, which later ones read."""


@dataclass(frozen=True, slots=True)
class Scraped:
    """A node to scrape: what it is called, and its host and port."""

    name: str
    address: str

    @property
    def authority_file(self) -> str:
        """The file with its certificate authority."""
        return f"llm-{self.name}-ca.pem"

    @property
    def key_file(self) -> str:
        """The file with a key of its gateway: each gateway makes its own, so no two have the same."""
        return f"llm-{self.name}.key"


@cache
def _data(name: str) -> Sequence[Mapping[str, Any]]:
    text = (resources.files("pulumi_llm") / "_monitoring" / "data" / f"{name}.json").read_text(encoding="utf-8")
    return list(_json.loads(text)["rows"])


def alerts() -> str:
    """The alerts, as a rule file of Prometheus."""
    rules = [
        {
            "alert": row["alert"],
            "expr": row["expr"],
            "for": row["for"],
            "labels": {"severity": row["severity"]},
            "annotations": {"summary": row["summary"], "description": row["do"]},
        }
        for row in _data("alerts")
    ]
    return yaml.dump({"groups": [{"name": JOB, "rules": rules}]})


def ends(stack: str, models: Iterable[End]) -> str:
    """The days on which vendors switch the stack's models off, as series that the alerts and the board read.

    They stand in the package and not on the machines, so that a newer package tells newer ones.
    """
    rules = [
        {
            "record": "llm_model_end_timestamp_seconds",
            "expr": f"vector({int(datetime.combine(each.day, time(), UTC).timestamp())})",
            "labels": {"stack": stack, "vendor": each.where.split(".")[-2], "model": each.name},
        }
        for each in models
        if each.day is not None
    ]
    return yaml.dump({"groups": [{"name": f"{JOB}-ends-{stack}", "rules": rules}]})


def scrape(stack: str, nodes: Iterable[Scraped]) -> str:
    """The part of prometheus.yml that reads the nodes; each has an authority of its own, so each is a job."""
    jobs = [
        {
            "job_name": f"{JOB}-{stack}-{each.name}",
            "scheme": "https",
            "metrics_path": "/metrics",
            "authorization": {"credentials_file": each.key_file},
            "tls_config": {"ca_file": each.authority_file},
            "static_configs": [{"targets": [each.address], "labels": {"stack": stack, "node": each.name}}],
        }
        for each in nodes
    ]
    return yaml.dump({"scrape_configs": jobs, "rule_files": [RULES, ENDS]})


def board(language: str = "en") -> str:
    """The board, as Grafana imports it: it asks for the data source, and has the stacks as a variable."""
    panels: list[dict[str, Any]] = []
    at = 0
    for row in _data("panels"):
        panels.append(_row(len(panels) + 1, _said(row, "title", language), at))
        at += 1
        across = 2
        for place, panel in enumerate(row["panels"]):
            grid = {"h": HIGH, "w": WIDE // across, "x": (place % across) * WIDE // across, "y": at}
            panels.append(_panel(len(panels) + 1, panel, grid, language))
            if place % across == across - 1 or place == len(row["panels"]) - 1:
                at += HIGH
    return json.dumps(_board(panels), indent=2, ensure_ascii=False) + "\n"


def _said(row: Mapping[str, Any], name: str, language: str) -> str:
    """A title or a legend in a language; what is the same in all has one form."""
    return str(row.get(language, row[name]))


def _board(panels: list[dict[str, Any]]) -> dict[str, Any]:
    source = {"type": "prometheus", "uid": "${DS_PROMETHEUS}"}
    variable = {
        "name": "stack",
        "label": "stack",
        "type": "query",
        "datasource": source,
        "query": {"query": "label_values(llm_gateway_upstream_up, stack)", "refId": "stack"},
        "refresh": 2,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": "All", "value": "$__all"},
        "sort": 1,
    }
    return {
        "__inputs": [
            {
                "name": "DS_PROMETHEUS",
                "label": "Prometheus",
                "type": "datasource",
                "pluginId": "prometheus",
                "pluginName": "Prometheus",
            }
        ],
        "uid": "pulumi-llm",
        "title": "pulumi-llm",
        "tags": ["llm"],
        "schemaVersion": SCHEMA,
        "editable": True,
        "timezone": "browser",
        "time": {"from": "now-6h", "to": "now"},
        "refresh": "1m",
        "templating": {"list": [variable]},
        "panels": panels,
    }


def _row(number: int, title: str, at: int) -> dict[str, Any]:
    grid = {"h": 1, "w": WIDE, "x": 0, "y": at}
    return {"id": number, "type": "row", "title": title, "collapsed": False, "gridPos": grid, "panels": []}


def _panel(number: int, panel: Mapping[str, Any], grid: Mapping[str, int], language: str) -> dict[str, Any]:
    source = {"type": "prometheus", "uid": "${DS_PROMETHEUS}"}
    # Days left go below 0, and are worth seeing there. They have no unit: Grafana would write them as weeks.
    defaults: dict[str, Any] = {"unit": panel["unit"], **({} if "least" in panel else {"min": 0})}
    defaults |= {key: panel[key] for key in ("max", "decimals") if key in panel}
    defaults |= {"color": {"mode": "palette-classic"}, "custom": {"lineWidth": 1, "fillOpacity": 10}}
    return {
        "id": number,
        "type": "timeseries",
        "title": _said(panel, "title", language),
        "datasource": source,
        "gridPos": dict(grid),
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": {
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
        "targets": [
            {
                "refId": chr(65 + at),
                "datasource": source,
                "expr": each["expr"],
                "legendFormat": _said(each, "legend", language),
            }
            for at, each in enumerate(panel["queries"])
        ],
    }
