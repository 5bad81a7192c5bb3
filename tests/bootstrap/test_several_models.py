"""Further models on a node: their units, ports, weights, routes, and what the watch asks of them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from pulumi_llm import _nodes, spec
from pulumi_llm._bootstrap import NodeRequest, check, settings, user_data
from pulumi_llm._resolve import resolve_platform
from pulumi_llm.errors import Refusal
from pulumi_llm.roles import registry
from pulumi_llm.roles.requests import SECOND_PORT, VllmRole
from pulumi_llm.spec.models import MOST
from tests.bootstrap.samples import Node, gpu_node, serve, supplied, vllm_of
from tests.bootstrap.test_artefacts import tool

SMALL = "Qwen/Qwen2.5-0.5B-Instruct"
MODELS = {
    "writer": {"model": SMALL},
    "bge-m3": {"model": SMALL, "kind": "embedding"},
    "ranks": {"model": SMALL, "kind": "reranking"},
    "own": {"model": "Qwen/Qwen2.5-7B-Instruct", "gpus": 1},
}


def node(models: dict[str, Any] | None = None, **server: Any) -> NodeRequest:
    wanted = {
        "cloud": "aliyun",
        "region": "cn-hangzhou",
        "gpu": "A10",
        "model": "01-ai/Yi-6B-Chat",
        "context_length": 1024,
        "models": MODELS if models is None else models,
        **server,
    }
    whole = resolve_platform({"server": wanted, "access": {"allowed_cidrs": ["203.0.113.0/24"]}})
    return _nodes.server_node("several", whole.server)


def contents(request: NodeRequest) -> dict[str, str]:
    return {each["path"]: each["content"] for each in settings(request)["files"]}


def unit(request: NodeRequest, name: str) -> str:
    return contents(request)[f"/etc/systemd/system/llm-vllm-{name}.service"]


def test_each_model_is_a_unit_of_its_own_on_a_loopback_port_of_its_own() -> None:
    request = node()
    services = settings(request)["services"]
    assert services[1:6] == ["llm-vllm.service", *(f"llm-vllm-{name}.service" for name in MODELS)]
    ports = []
    for name in MODELS:
        lines = [line.strip(" \\") for line in unit(request, name).splitlines()]
        assert "--host 127.0.0.1" in lines
        assert f"--served-model-name {name}" in lines
        ports += [int(line.split()[1]) for line in lines if line.startswith("--port ")]
    assert len({8000, *ports}) == 5
    assert set(ports) < set(registry.role("vllm").manifest.loopback)


def test_there_is_a_port_for_as_many_models_as_the_spec_takes() -> None:
    first, *further, second = registry.role("vllm").manifest.loopback
    assert len(further) == MOST
    assert (first, second) == (8000, SECOND_PORT)


def waited_for(text: str) -> list[str]:
    """The addresses that a unit's vLLM waits for before it looks at the card."""
    (found,) = re.findall(r'^Environment=PYTHONPATH=\S+/waits "LLM_WAITS_FOR=(.*)"$', text, re.M) or [""]
    return found.split()


def test_a_model_on_a_shared_card_waits_for_those_before_it_and_one_with_its_own_for_nobody() -> None:
    request = node()
    waits = {name: waited_for(unit(request, name)) for name in MODELS}
    assert waits["writer"] == ["http://127.0.0.1:8000/health"]
    assert waits["ranks"] == [f"http://127.0.0.1:{port}/health" for port in (8000, 8011, 8012)]
    assert waits["own"] == []
    assert "CUDA_VISIBLE_DEVICES=1" in unit(request, "own")
    assert "CUDA_VISIBLE_DEVICES" not in unit(request, "ranks")
    assert (
        "After=llm-driver.service llm-python.service llm-models.service llm-vllm.service llm-vllm-writer.service\n"
        in unit(request, "bge-m3")
    )


def test_the_watch_does_not_wait_for_what_waits_for_its_turn() -> None:
    watch = contents(node())["/etc/systemd/system/llm-watch.service"]
    assert "llm-vllm.service" in watch
    assert "llm-vllm-" not in watch


def test_models_for_vectors_and_ranks_are_started_as_such() -> None:
    request = node()
    assert [name for name in MODELS if "--runner pooling" in unit(request, name)] == ["bge-m3", "ranks"]


def test_the_unit_of_the_main_model_is_as_it_is_without_others() -> None:
    path, alone = "/etc/systemd/system/llm-vllm.service", contents(node({}))
    several = contents(node(gpu_memory_utilization=0.6))[path]
    assert several == contents(node({}, gpu_memory_utilization=0.6))[path]
    assert not [name for name in alone if "vllm-" in name or "/waits/" in name]


def test_what_user_data_carries_is_the_same_whatever_stands_beside_the_main_model() -> None:
    def archive(request: NodeRequest) -> str:
        return user_data(request).partition("- path: /opt/llm/boot\n")[2].partition("runcmd:")[0]

    plain, several = node({}), node({key: MODELS[key] for key in ("writer", "ranks")})
    assert archive(several) == archive(plain)
    assert SMALL not in user_data(several)
    assert len(user_data(several)) - len(user_data(plain)) < 20  # the stage's name, and the disk's size


@pytest.mark.artefact
def test_units_say_nothing_that_systemd_does_not_understand(tmp_path: Path) -> None:
    request = node()
    for name in MODELS:
        (tmp_path / f"llm-vllm-{name}.service").write_text(unit(request, name))
    command = [tool("systemd-analyze"), "verify", "--man=no", *map(str, tmp_path.iterdir())]
    said = subprocess.run(command, capture_output=True, text=True, check=False).stderr.splitlines()
    assert not [line for line in said if "Unknown" in line or "Invalid" in line or "gnoring" in line]


def test_the_gateway_routes_each_name_to_its_own_server() -> None:
    document = json.loads(contents(node())["/opt/llm/gateway/routes.json"])
    found = {}
    for name, route in document["routes"].items():
        (target,) = route["targets"]
        found[name] = document["upstreams"][target["upstream"]]["base_url"]
        assert (target["price_in"], target["model"]) == (0, name)
    assert found == {
        "Yi-6B-Chat": "http://127.0.0.1:8000/v1",
        "writer": "http://127.0.0.1:8011/v1",
        "bge-m3": "http://127.0.0.1:8012/v1",
        "ranks": "http://127.0.0.1:8013/v1",
        "own": "http://127.0.0.1:8014/v1",
    }


def test_the_watch_asks_each_model_for_what_it_gives() -> None:
    watch = json.loads(contents(node())["/opt/llm/watch.json"])
    assert (watch["models"], watch["embed"], watch["rerank"]) == (
        ["Yi-6B-Chat", "writer", "own"],
        ["bge-m3"],
        ["ranks"],
    )
    assert watch["health"]["vllm-bge-m3"] == "http://127.0.0.1:8012/health"
    assert watch["codes"]["vllm-bge-m3"] == "vllm"


def test_no_other_role_may_have_the_port_of_a_further_model() -> None:
    request = node()
    assert vllm_of(request).more
    check(request)
    gateway = replace(request.roles[0], https_port=8012)  # type: ignore[arg-type]
    with pytest.raises(Refusal) as refusal:
        check(request.having(gateway))
    assert [each.code for each in refusal.value.findings] == ["bootstrap.bad-port"]


def test_what_is_wrong_with_a_further_models_flags_is_told_at_its_place() -> None:
    request = node({"writer": {"model": SMALL, "extra_args": ["--no-such-flag"]}})
    with pytest.raises(Refusal) as refusal:
        check(request)
    assert [(each.code, each.where.partition(" ")[0]) for each in refusal.value.findings] == [
        ("bootstrap.unknown-flag", "models.writer.extra_args")
    ]


# -- on the node


def several(*more: VllmRole) -> NodeRequest:
    request = gpu_node()
    return request.having(replace(vllm_of(request), more=more))


ONE = VllmRole(model_id="org/one", served_name="one", name="one", port=8011)
TWO = VllmRole(model_id="org/two", served_name="two", name="two", port=8012, modelscope_id="org/two")


class Hub(BaseHTTPRequestHandler):
    """A hub that has a file of each model, and remembers who was asked for."""

    asked: list[str] = []

    def log_message(self, *_: Any) -> None: ...

    def do_GET(self) -> None:
        self.asked.append(self.path)
        content = b"{}"
        if "/tree/" in self.path:
            rows = [{"type": "file", "path": name, "size": 2} for name in ("config.json", "model.safetensors")]
            content = json.dumps(rows).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def test_the_weights_of_every_model_are_fetched_and_progress_is_noted_in_the_stages_own_name(tmp_path: Path) -> None:
    Hub.asked.clear()
    with serve(Hub) as url:
        request = several(ONE, TWO)
        request = replace(request, sources=replace(request.sources, hubs=(f"huggingface={url}",)))
        machine = supplied(tmp_path, request)
        done = machine.run("run", "models")
    assert done.returncode == 0, done.stderr
    assert machine.stage("models")["state"] == "done"
    assert not machine.path("/run/llm/stages/weights.json").exists()
    for name in ("org--one--main", "org--two--main"):
        assert json.loads(machine.path(f"/srv/llm/models/{name}/complete.json").read_text())["files"]
    # and what is there is not fetched again
    before = len(Hub.asked)
    assert machine.run("run", "models").returncode == 0
    assert len(Hub.asked) == before


def test_a_change_of_one_model_deletes_none_of_the_others(tmp_path: Path) -> None:
    request, machine = several(ONE, TWO), supplied(tmp_path, several(ONE, TWO))
    for name in ("01-ai--Yi-6B-Chat--main", "org--one--main", "org--two--main", "org--old--main"):
        folder = machine.path(f"/srv/llm/models/{name}")
        folder.mkdir(parents=True)
        (folder / "complete.json").write_text("{}")
    machine.path("/settings.json").write_text(json.dumps(settings(request)))
    read = f"json.load(open({str(machine.path('/settings.json'))!r}))"
    code = f"from llm_node import sweep; import json; sweep.after({read}, {read})"
    assert machine.python(code) == ""
    left = sorted(each.name for each in machine.path("/srv/llm/models").iterdir())
    assert left == ["01-ai--Yi-6B-Chat--main", "org--one--main", "org--two--main"]


def test_a_further_model_that_dies_has_the_codes_of_vllm_and_is_named(tmp_path: Path) -> None:
    machine: Node = supplied(tmp_path, several(ONE))
    machine.path("/opt/llm/watch.json").write_text(json.dumps({"codes": {"vllm-one": "vllm"}}))
    machine.path("/opt/llm/signs.json").write_text(json.dumps({"out of memory": "out-of-memory"}))
    machine.fake("systemctl", 'echo "ActiveState=activating"; echo "NRestarts=5"; echo "SubState=auto-restart"')
    machine.fake("journalctl", "echo CUDA out of memory")
    machine.fake("docker", "exit 1")
    code = (
        "from llm_node import watch; from llm_node.system import Failure\n"
        "try: watch.alive('llm-vllm-one.service')\n"
        "except Failure as failure: print(failure.code, failure.message)"
    )
    told = machine.python(code)
    assert told.startswith("vllm.out-of-memory llm-vllm-one.service started 5 times")
    assert any("llm-vllm-one.service" in call for call in machine.calls if call.startswith("journalctl"))


PROCESS = """
import importlib.metadata, multiprocessing, sys, types
class WorkerWrapperBase:
    def init_device(self): print("looked at the card")
sys.modules |= {name: types.ModuleType(name) for name in ("vllm", "vllm.v1", "vllm.v1.worker")}
sys.modules["vllm.v1.worker.worker_base"] = types.SimpleNamespace(WorkerWrapperBase=WorkerWrapperBase)
multiprocessing.current_process().name = sys.argv[1]
# As vLLM 0.32.0 calls what is in this group, in each of its processes (vllm/plugins/__init__.py), and then its worker.
for plugin in importlib.metadata.entry_points(group="vllm.general_plugins"):
    plugin.load()()
print("imported", flush=True)
WorkerWrapperBase().init_device()
"""


@pytest.fixture
def waits(tmp_path: Path) -> Path:
    """The folder of what waits, as a node has it."""
    rows = {path: text for path, text in contents(node()).items() if "/waits/" in path}
    for path, text in rows.items():
        file = tmp_path / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return tmp_path / "opt/llm/vllm/waits"


@contextmanager
def a_model_that_loads() -> Iterator[tuple[str, threading.Event]]:
    """Its address, and what says that it has loaded."""
    ready = threading.Event()

    class Loading(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None: ...

        def do_GET(self) -> None:
            self.send_response(200 if ready.is_set() else 503)
            self.end_headers()

    with serve(Loading) as url:
        yield f"{url}/health", ready


@pytest.mark.parametrize("process", ["EngineCore", "EngineCore_DP1", "VllmWorker-0"])
def test_a_model_imports_all_and_waits_before_it_looks_at_the_card(process: str, waits: Path) -> None:
    with a_model_that_loads() as (url, ready):
        environment = os.environ | {"PYTHONPATH": str(waits), "LLM_WAITS_FOR": url}
        command = [sys.executable, "-c", PROCESS, process]
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as held:
            assert held.stdout is not None
            assert held.stdout.readline() == "imported\n"
            time.sleep(0.5)
            assert held.poll() is None
            ready.set()
            assert held.stdout.read() == "looked at the card\n"


def test_a_process_of_vllms_without_a_card_waits_for_nobody(waits: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(waits), "LLM_WAITS_FOR": "http://127.0.0.1:9/health"}
    command = [sys.executable, "-c", PROCESS, "MainProcess"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30)
    assert done.stdout == "imported\nlooked at the card\n", done.stderr


def test_as_a_program_it_waits_until_those_before_it_answer_and_not_longer(waits: Path) -> None:
    with a_model_that_loads() as (url, ready):
        process = subprocess.Popen([sys.executable, "-I", str(waits / "llm_waits.py"), url])
        time.sleep(0.5)
        assert process.poll() is None
        ready.set()
        assert process.wait(timeout=30) == 0


def test_a_spec_without_further_models_has_none_on_its_node() -> None:
    assert (
        spec.parse(spec.ServerSpec, {"cloud": "aws", "region": "us-east-1", "gpu": "T4", "model": SMALL}).models == {}
    )
    assert vllm_of(node({})).more == ()


# -- on the CPU


CPU = {
    "bge-m3": {"model": "BAAI/bge-m3", "device": "cpu"},
    "ranks": {"model": "BAAI/bge-reranker-base", "device": "cpu"},
}


def test_a_model_on_the_cpu_is_a_program_of_ours_with_a_limit_of_memory_on_a_loopback_port() -> None:
    request = node(CPU)
    text = unit(request, "bge-m3")
    (command,) = (line for line in text.splitlines() if line.startswith("ExecStart="))
    assert command == (
        "ExecStart=/opt/llm/venv/vllm-0.32.0/bin/python -I /opt/llm/vllm/encoder /srv/llm/models/BAAI--bge-m3--main "
        "--served-model-name bge-m3 --port 8011 --dtype float32 --max-model-len 8192"
    )
    for line in ("User=llm-vllm", "MemoryMax=5G", "IPAddressDeny=any", "PrivateDevices=yes", "ProtectSystem=strict"):
        assert line in text.splitlines()
    assert "llm-driver" not in text
    assert {each for each in contents(request) if each.startswith("/opt/llm/vllm/")} == {
        f"/opt/llm/vllm/encoder/{name}.py" for name in ("__main__", "model", "server")
    }


def test_a_change_of_the_program_restarts_every_model_on_the_cpu_and_no_other() -> None:
    rows = {each["path"]: each for each in settings(node({**CPU, "writer": MODELS["writer"]}))["files"]}
    assert rows["/opt/llm/vllm/encoder/server.py"]["restart"] == ["llm-vllm-bge-m3.service", "llm-vllm-ranks.service"]


def test_a_model_on_a_shared_card_waits_for_none_on_the_cpu() -> None:
    request = node({**CPU, "writer": MODELS["writer"], "last": MODELS["writer"]})
    assert waited_for(unit(request, "last")) == [f"http://127.0.0.1:{port}/health" for port in (8000, 8011)]


def test_the_gateway_and_the_watch_ask_a_model_on_the_cpu_as_any_other() -> None:
    request = node(CPU)
    document = json.loads(contents(request)["/opt/llm/gateway/routes.json"])
    (target,) = document["routes"]["ranks"]["targets"]
    assert document["upstreams"][target["upstream"]]["base_url"] == "http://127.0.0.1:8012/v1"
    watch = json.loads(contents(request)["/opt/llm/watch.json"])
    assert (watch["embed"], watch["rerank"]) == (["bge-m3"], ["ranks"])
    assert watch["health"]["vllm-ranks"] == "http://127.0.0.1:8012/health"


@pytest.mark.artefact
def test_the_unit_of_a_model_on_the_cpu_says_nothing_that_systemd_does_not_understand(tmp_path: Path) -> None:
    file = tmp_path / "llm-vllm-bge-m3.service"
    file.write_text(unit(node(CPU), "bge-m3"))
    command = [tool("systemd-analyze"), "verify", "--man=no", str(file)]
    said = subprocess.run(command, capture_output=True, text=True, check=False).stderr.splitlines()
    assert not [line for line in said if "Unknown" in line or "Invalid" in line or "gnoring" in line]
