"""Each expression, asked of a real Prometheus that scrapes a real gateway behind Caddy, with a real vLLM beside it."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest
import yaml

from pulumi_llm._monitoring import files
from pulumi_llm._outlook.ends import End
from pulumi_llm.roles import turning
from tests.catalog.test_on_vllm import HOME
from tests.catalog.test_on_vllm import python as python_of_vllm
from tests.gateway.front import free_port, front
from tests.gateway.harness import Home, chat
from tests.gateway.test_turns import TURNS_KEY, Sleeper, World
from tests.monitoring.test_files import alerts, board

pytestmark = pytest.mark.artefact

ROOT = Path(__file__).parents[2]
TOOLS = Path(os.environ.get("PULUMI_LLM_TOOLS", ROOT / ".tools")) / "bin"
WATCH, APP = "sk-watch-0123456789", "sk-app-0123456789"
TURNS = ("first", "second")
"""Models that take turns."""
COMPARED = re.compile(r" (?:==|>|<) [\d.* ]+$")
"""The end of an alert: with what its value is compared."""


def tool(name: str) -> str:
    found = shutil.which(name, path=f"{TOOLS}:{os.environ['PATH']}")
    if found is None:
        pytest.skip(f"there is no {name}: tools/fetch prometheus")
    return found


# -- promtool


def test_promtool_reads_the_rules_and_the_scrape(tmp_path: Path) -> None:
    end = End(code="x.y", name="m", message="", where="p.upstreams.openai.models", day=date(2030, 1, 1))
    nodes = [files.Scraped(each, f"127.0.0.1:{port}") for each, port in (("server", 1), ("proxy", 2))]
    for name, text in (
        (files.RULES, files.alerts()),
        (files.ENDS, files.ends("prod", [end])),
        (files.SCRAPE, files.scrape("prod", nodes)),
        *((each.key_file, "sk-none") for each in nodes),
        *((each.authority_file, "") for each in nodes),
    ):
        (tmp_path / name).write_text(text)
    for asked in (["rules", files.RULES, files.ENDS], ["config", files.SCRAPE]):
        done = subprocess.run(
            [tool("promtool"), "check", *asked], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert "SUCCESS" in done.stdout


NODE = 'stack="s",node="server"'
HOUR, DAY = 3600, 86400
CASES: dict[str, tuple[dict[str, str], dict[str, str]]] = {
    "LlmNodeUnreachable": (
        {f'up{{job="pulumi-llm-s-server",{NODE}}}': "0x60"},
        {f'up{{job="pulumi-llm-s-server",{NODE}}}': "1x60", 'up{job="theirs"}': "0x60"},
    ),
    "LlmEngineDown": (
        {f"llm_gateway_engine_up{{{NODE}}}": "0x60"},
        {f"llm_gateway_engine_up{{{NODE}}}": "1x60"},
    ),
    "LlmErrors": (
        {
            f'llm_gateway_requests_total{{{NODE},status="200"}}': "0+9x60",
            f'llm_gateway_requests_total{{{NODE},status="502"}}': "0+1x60",
        },
        {
            f'llm_gateway_requests_total{{{NODE},status="200"}}': "0+99x60",
            f'llm_gateway_requests_total{{{NODE},status="502"}}': "0+1x60",
            f'llm_gateway_requests_total{{{NODE},status="429"}}': "0+99x60",
        },
    ),
    "LlmUpstreamDown": (
        {f'llm_gateway_upstream_up{{{NODE},upstream="openai",model="m"}}': "0x60"},
        {f'llm_gateway_upstream_up{{{NODE},upstream="openai",model="m"}}': "1x60"},
    ),
    "LlmFirstTokenSlow": (
        {
            f'llm_gateway_first_byte_seconds_bucket{{{NODE},le="10"}}': "0+1x60",
            f'llm_gateway_first_byte_seconds_bucket{{{NODE},le="60"}}': "0+9x60",
            f'llm_gateway_first_byte_seconds_bucket{{{NODE},le="+Inf"}}': "0+9x60",
        },
        {
            f'llm_gateway_first_byte_seconds_bucket{{{NODE},le="10"}}': "0+9x60",
            f'llm_gateway_first_byte_seconds_bucket{{{NODE},le="+Inf"}}': "0+9x60",
        },
    ),
    "LlmQueueNeverEmpty": (
        {f"vllm:num_requests_waiting{{{NODE}}}": "1x60"},
        {f"vllm:num_requests_waiting{{{NODE}}}": "1x28 0 1x28 0 1x28"},
    ),
    "LlmCacheFull": (
        {f"vllm:kv_cache_usage_perc{{{NODE}}}": "0.99x60"},
        {f"vllm:kv_cache_usage_perc{{{NODE}}}": "0.9x60"},
    ),
    "LlmPreempting": (
        {f"vllm:num_preemptions_total{{{NODE}}}": "0+60x60"},
        {f"vllm:num_preemptions_total{{{NODE}}}": "7x60"},
    ),
    "LlmDiskNearlyFull": (
        {
            f'llm_node_disk_free_bytes{{{NODE},path="/"}}': "9x60",
            f'llm_node_disk_bytes{{{NODE},path="/"}}': "100x60",
        },
        {
            f'llm_node_disk_free_bytes{{{NODE},path="/"}}': "50x60",
            f'llm_node_disk_bytes{{{NODE},path="/"}}': "100x60",
        },
    ),
    "LlmDiskFillsUp": (
        {f'llm_node_disk_free_bytes{{{NODE},path="/"}}': "1000-1x90"},
        {f'llm_node_disk_free_bytes{{{NODE},path="/"}}': "1000x90"},
    ),
    "LlmNodeLeaving": (
        {f'llm_node_leaving{{{NODE},state="draining",code="leave.spot-notice"}}': "_x55 1 _x30"},
        {
            f'llm_node_leaving{{{NODE},state="stopping"}}': "1x90",
            f'llm_node_leaving{{{NODE},state="watching"}}': "0x90",
        },
    ),
    "LlmCertificateEnds": (
        {f"llm_node_certificate_end_timestamp_seconds{{{NODE}}}": f"{29 * DAY}x90"},
        {f"llm_node_certificate_end_timestamp_seconds{{{NODE}}}": f"{31 * DAY}x90"},
    ),
    "LlmKeyEnds": (
        {f'llm_gateway_key_end_timestamp_seconds{{{NODE},key="k"}}': f"{13 * DAY}x90"},
        {
            f'llm_gateway_key_end_timestamp_seconds{{{NODE},key="k"}}': f"{15 * DAY}x90",
            f'llm_gateway_key_end_timestamp_seconds{{{NODE},key="gone"}}': "1x90",
        },
    ),
    "LlmBudgetNearlyUsed": (
        {
            f'llm_gateway_budget_used{{{NODE},key="k",unit="usd",period="day"}}': "4.6x60",
            f'llm_gateway_budget{{{NODE},key="k",unit="usd",period="day"}}': "5x60",
        },
        {
            f'llm_gateway_budget_used{{{NODE},key="k",unit="usd",period="day"}}': "4.6x60",
            f'llm_gateway_budget{{{NODE},key="k",unit="usd",period="day"}}': "50x60",
        },
    ),
    "LlmModelEnds": (
        {'llm_model_end_timestamp_seconds{stack="s",vendor="v",model="m"}': f"{29 * DAY}x90"},
        {'llm_model_end_timestamp_seconds{stack="s",vendor="v",model="m"}': f"{99 * DAY}x90"},
    ),
}
"""For each alert, series with which it fires after an hour and a half, and series with which it does not."""


def test_each_alert_has_its_cases() -> None:
    assert set(CASES) == {each["alert"] for each in alerts()}


def test_each_alert_fires_when_it_should_and_not_otherwise(tmp_path: Path) -> None:
    (tmp_path / files.RULES).write_text(files.alerts())
    tests = []
    for alert, cases in CASES.items():
        for fires, series in zip((True, False), cases, strict=True):
            # Counted in the number of alerts that are firing: what each says is another matter.
            ask = f'count(ALERTS{{alertname="{alert}",alertstate="firing"}}) or vector(0)'
            tests.append(
                {
                    "interval": "1m",
                    "name": f"{alert} {'fires' if fires else 'does not'}",
                    "input_series": [{"series": name, "values": values} for name, values in series.items()],
                    "promql_expr_test": [
                        {"expr": ask, "eval_time": "59m" if "90" not in next(iter(series.values())) else "85m",
                         "exp_samples": [{"labels": "{}", "value": int(fires)}]}
                    ],
                }
            )  # fmt: skip
    (tmp_path / "test.yml").write_text(
        yaml.safe_dump({"rule_files": [files.RULES], "evaluation_interval": "1m", "tests": tests})
    )
    done = subprocess.run(
        [tool("promtool"), "test", "rules", "test.yml"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


# -- a real Prometheus


@contextmanager
def vllm(folder: Path) -> Iterator[int]:
    """The pinned vLLM's CPU build with a tiny model; the port that it listens on."""
    sys.path.insert(0, str(ROOT / "tools/boot"))
    from llm_boot import model

    interpreter, (packages,) = python_of_vllm(), HOME.glob("lib/python3*/site-packages")
    for name, content in model.files().items():
        (folder / name).write_bytes(content)
    port, log = free_port(), (folder / "log").open("wb")
    serve = ["serve", str(folder), "--host", "127.0.0.1", "--port", str(port), "--served-model-name", "tiny"]
    server = subprocess.Popen(
        [interpreter, "-m", "vllm.entrypoints.cli.main", *serve]
        + ["--dtype", "bfloat16", "--max-model-len", "1024", "--enforce-eager"],
        cwd=folder,
        stdout=log,
        stderr=log,
        env={
            **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
            **dict.fromkeys(("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "VLLM_NO_USAGE_STATS", "DO_NOT_TRACK"), "1"),
            "VLLM_CPU_KVCACHE_SPACE": "1",
            "OMP_NUM_THREADS": "2",
            "PYTHONPATH": str(packages),
        },
    )
    try:
        until = time.monotonic() + 400
        while not answers(f"http://127.0.0.1:{port}/health"):
            assert server.poll() is None, (folder / "log").read_text()[-2000:]
            assert time.monotonic() < until, "vLLM did not start"
            time.sleep(1)
        yield port
    finally:
        server.terminate()
        server.wait(60)


def answers(url: str) -> bool:
    try:
        with urlopen(url, timeout=5) as reply:
            return bool(reply.status == 200)
    except OSError:
        return False


class Prometheus:
    """A server over a folder with its configuration."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.log = (folder / "prometheus.log").open("wb")
        self.process = subprocess.Popen(
            [tool("prometheus"), "--config.file=prometheus.yml", "--storage.tsdb.path=data"]
            + [f"--web.listen-address=127.0.0.1:{self.port}"],
            cwd=folder,
            stdout=self.log,
            stderr=self.log,
        )

    def api(self, path: str, **asked: str) -> Any:
        with urlopen(f"http://127.0.0.1:{self.port}/api/v1/{path}?{urlencode(asked)}", timeout=20) as reply:
            told = json.load(reply)
        assert told["status"] == "success", told
        return told["data"]

    def ask(self, expression: str) -> list[Any]:
        return list(self.api("query", query=expression)["result"])

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(30)


def filled(expression: str) -> str:
    return expression.replace("$__rate_interval", "1m").replace("$stack", ".*")


async def load(url: str, tls: Any) -> None:
    """Requests that are answered, that fail, and that are refused."""
    import aiohttp

    connector = aiohttp.TCPConnector(ssl=tls)
    async with aiohttp.ClientSession(connector=connector, headers={"Authorization": f"Bearer {APP}"}) as client:
        for model, status in (
            *((each, 200) for each in ("tiny", "plain", *TURNS)),
            ("status-500", 502),
            ("nowhere", 404),
        ):
            async with client.post(f"{url}/v1/chat/completions", json=chat(model, max_tokens=8)) as reply:
                assert reply.status == status, await reply.text()


async def run(folder: Path, engine: int) -> None:
    world = World(folder, 0.01)
    first, second = (Sleeper(world, name, asleep=name != TURNS[0]) for name in TURNS)
    async with front(folder) as it, first, second:
        home = Home(folder / "gate").key("app", APP, monthly_tokens=10**6, expires=int(time.time()) + 99 * DAY)
        home.key("monitoring", WATCH, endpoints=["/metrics"])
        engines = {"engine": {"kind": "vllm", "base_url": f"http://127.0.0.1:{engine}/v1"}}
        home.routes(
            it.fake.url, upstreams=engines, routes={"tiny": {"targets": [{"upstream": "engine", "model": "tiny"}]}}
        )
        table = json.loads((folder / "gate/settings/routes.json").read_text())
        for name, each in zip(TURNS, (first, second), strict=True):
            table["upstreams"][name] = {"kind": "vllm", "base_url": each.url}
            table["routes"][name] = {"targets": [{"upstream": name, "model": "plain"}]}
        members = {name: str(folder / f"{name}.card") for name in TURNS}
        home.write("settings/routes.json", {**table, "turns": {"members": members, "awake_seconds": 0.1}})
        (folder / "gate/secrets" / turning.GATES).write_text(TURNS_KEY)
        home.write("leave.json", {"state": "draining", "code": "leave.spot-notice"})
        policy = json.loads((folder / "gate/settings/policy.json").read_text())
        home.write("settings/policy.json", policy | {"port": it.port})
        end = End(
            code="x.y", name="gpt-4o", message="", where="p.upstreams.openai.models", day=date.today() + timedelta(9)
        )
        written = {
            files.RULES: files.alerts(),
            files.ENDS: files.ends("s", [end]),
            "llm-server.key": WATCH,
            "llm-server-ca.pem": it.ca.read_text(),
            "prometheus.yml": "global: {scrape_interval: 1s, evaluation_interval: 1s}\n"
            + files.scrape("s", [files.Scraped("server", f"127.0.0.1:{it.port}")]),
        }
        for name, text in written.items():
            (folder / name).write_text(text)
        await load(it.url, it.tls)
        server = Prometheus(folder)
        try:
            for __ in range(8):
                await asyncio.sleep(2)
                await load(it.url, it.tls)
            await asyncio.sleep(3)
            await asyncio.to_thread(judge, server)
        finally:
            server.stop()


def judge(server: Prometheus) -> None:
    (target,) = server.api("targets", state="active")["activeTargets"]
    assert (target["health"], target["lastError"]) == ("up", "")
    for group in server.api("rules")["groups"]:
        for rule in group["rules"]:
            assert (rule["health"], rule.get("lastError")) == ("ok", None), rule
    silent = []
    for each in [*(row["expr"] for row in alerts()), *panels()]:
        server.ask(filled(each))
        # What an alert compares is there, whether or not it fires; `A and B` is looked at by its first part.
        told = server.ask(COMPARED.sub("", filled(each).partition(" and ")[0]))
        if not told:
            silent.append(each)
    assert silent == []
    values = {
        row["metric"]["key"]: float(row["value"][1]) for row in server.ask("sum by (key) (llm_gateway_requests_total)")
    }
    assert values["app"] >= 8 * 3
    assert server.ask("sum(rate(vllm:generation_tokens_total[1m])) > 0")
    assert server.ask("histogram_quantile(0.95, sum by (le) (rate(llm_gateway_first_byte_seconds_bucket[1m]))) > 0")
    days = float(server.ask("(llm_node_certificate_end_timestamp_seconds - time()) / 86400")[0]["value"][1])
    assert 1.9 < days < 2.1  # as the test's own authority made it
    firing = {row["metric"]["alertname"] for row in server.ask('ALERTS{alertname="LlmModelEnds"}')}
    assert firing == {"LlmModelEnds"}


def panels() -> Iterator[str]:
    yield from (target["expr"] for panel in board()["panels"] for target in panel.get("targets", ()))


def test_prometheus_evaluates_each_expression_over_a_gateway_and_a_vllm_that_run(tmp_path: Path) -> None:
    tool("prometheus")
    (tmp_path / "model").mkdir()
    with vllm(tmp_path / "model") as port:
        asyncio.run(run(tmp_path, port))
