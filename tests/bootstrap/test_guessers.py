"""What guesses ahead for a model is fetched beside it, and vLLM is told where it lies: it asks no hub itself."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from pulumi_llm import _nodes
from pulumi_llm._bootstrap import NodeRequest, settings
from pulumi_llm._resolve import resolve_platform
from tests.bootstrap.samples import serve, supplied

MODEL, HEAD = "meta-llama/Llama-3.1-8B-Instruct", "yuhuili/EAGLE3-LLaMA3.1-Instruct-8B"
THERE = "/srv/llm/models/yuhuili--EAGLE3-LLaMA3.1-Instruct-8B--main"
EAGLE = {"method": "eagle3", "model": HEAD, "num_speculative_tokens": 3}


def node(*flags: str, **server: Any) -> NodeRequest:
    wanted = {
        "cloud": "aliyun", "region": "cn-hangzhou", "gpu": "A10", "context_length": 2048, "model": MODEL,
        "extra_args": list(flags), **server,
    }  # fmt: skip
    server_of = resolve_platform({"server": wanted, "access": {"allowed_cidrs": ["203.0.113.0/24"]}}).server
    return _nodes.server_node("guessing", server_of)


def command(request: NodeRequest) -> list[str]:
    """The main model's command line, as systemd reads it."""
    files = {each["path"]: each["content"] for each in settings(request)["files"]}
    unit = str(files["/etc/systemd/system/llm-vllm.service"]).replace("\\\n", " ")
    return shlex.split(next(line for line in unit.splitlines() if line.startswith("ExecStart=")))


def further(request: NodeRequest) -> list[dict[str, Any]]:
    """What the stage `models` fetches."""
    files = {each["path"]: each["content"] for each in settings(request)["files"]}
    found: list[dict[str, Any]] = json.loads(files["/opt/llm/supply.json"]).get("further", [])
    return found


@pytest.mark.parametrize(
    "flags",
    [
        ("--speculative-config", json.dumps(EAGLE)),
        (f"--speculative-config={json.dumps(EAGLE)}",),
        ("--speculative-config.model", HEAD, "--spec-method=eagle3", "--spec-tokens", "3"),
        ("--spec-method", "eagle3", f"--spec-model={HEAD}", "--spec-tokens", "3"),
    ],
)
def test_a_head_is_fetched_before_vllm_starts_and_named_by_its_folder(flags: tuple[str, ...]) -> None:
    request = node(*flags)
    (row,) = further(request)
    assert (row["huggingface"], row["path"], row["revision"]) == (HEAD, THERE, None)
    line = command(request)
    assert HEAD not in " ".join(line)
    assert THERE in " ".join(line)
    units = {each["path"]: each["content"] for each in settings(request)["files"]}
    assert "After=llm-driver.service llm-python.service llm-models.service\n" in str(
        units["/etc/systemd/system/llm-vllm.service"]
    )


def test_the_rest_of_the_configuration_stays_as_it_was_given() -> None:
    line = command(node("--speculative-config", json.dumps({**EAGLE, "revision": "v2", "max_model_len": 1024})))
    told = json.loads(line[line.index("--speculative-config") + 1])
    home = THERE.replace("--main", "--v2")
    assert told == {**EAGLE, "revision": "v2", "max_model_len": 1024, "model": home}


def test_a_small_model_of_the_catalogue_comes_from_where_its_row_has_it() -> None:
    small = "Qwen/Qwen2.5-0.5B-Instruct"
    flags = ("--speculative-config", json.dumps({"model": small, "num_speculative_tokens": 3}))
    (row,) = further(node(*flags, model="Qwen/Qwen2.5-3B-Instruct"))
    assert (row["huggingface"], row["modelscope"]) == (small, small)


def test_a_model_that_guesses_for_itself_is_there_already() -> None:
    request = node("--spec-model", MODEL, "--spec-tokens", "3", context_length=1024)
    assert further(request) == []
    line = command(request)
    assert line[line.index("--spec-model") + 1] == line[2]


@pytest.mark.parametrize(
    "config",
    [
        {"method": "ngram", "num_speculative_tokens": 3},
        {"method": "ngram", "model": "a/b", "num_speculative_tokens": 3},
        {"method": "eagle3", "model": "/srv/own/head", "num_speculative_tokens": 3},
    ],
)
def test_what_no_hub_has_is_left_as_it_is(config: dict[str, Any]) -> None:
    request = node("--speculative-config", json.dumps(config))
    assert further(request) == []
    line = command(request)
    assert json.loads(line[line.index("--speculative-config") + 1]) == config


class Hub(BaseHTTPRequestHandler):
    """A hub with a head as its publisher has it: a config.json and one file of torch's."""

    def log_message(self, *_: Any) -> None: ...

    def do_GET(self) -> None:
        content = b"{}"
        if "/tree/" in self.path:
            rows = [{"type": "file", "path": path, "size": 2} for path in ("config.json", "pytorch_model.bin")]
            content = json.dumps(rows).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def test_the_stage_brings_its_files(tmp_path: Path) -> None:
    with serve(Hub) as url:
        request = node("--speculative-config", json.dumps(EAGLE))
        request = replace(request, sources=replace(request.sources, hubs=(f"huggingface={url}",)))
        machine = supplied(tmp_path, request)
        machine.impatient()
        machine.run("run", "models")
    assert machine.stage("models")["state"] == "done", machine.stage("models")
    files = json.loads(machine.path(f"{THERE}/complete.json").read_text())["files"]
    assert set(files) == {"config.json", "pytorch_model.bin"}
