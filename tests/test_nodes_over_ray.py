"""One model on several machines over Ray: what is told, who reaches whom, what Ray asks for, what is refused."""

from __future__ import annotations

import json
import re
from functools import cache
from itertools import pairwise
from typing import Any

import pytest

from pulumi_llm import _bootstrap as bootstrap
from pulumi_llm import _nodes, _together
from pulumi_llm._outlook import software
from pulumi_llm._plan.model import Plan, is_secret
from pulumi_llm.errors import Refusal
from pulumi_llm.roles import rayed, tied
from tests.test_nodes import (
    ADDRESSES,
    MACHINES,
    NAMES,
    OPENED,
    PLACES,
    UNIT,
    command,
    document,
    files,
    named,
    needs,
    plan_of,
)
from tests.test_nodes import server as native


def server(cloud: str = "aws", **more: Any) -> dict[str, Any]:
    return native(cloud, nodes_backend="ray", **more)


@cache
def over() -> Plan:
    return plan_of(server())


@cache
def plain() -> Plan:
    return plan_of(native())


def ray_of(line: list[str]) -> list[str]:
    """`ray start` out of a unit's command."""
    begin = next(at for at, each in enumerate(line) if each.endswith("/bin/ray"))
    return line[begin : line.index("--")] if "--" in line else line[begin:]


def settled(line: list[str]) -> dict[str, str]:
    return dict(each.split("=", 1) for each in ray_of(line) if "=" in each)


def test_ray_is_started_on_every_node_and_vllm_on_the_first_alone() -> None:
    plan = plan_of(server(gpu_count=4, gpu="A10G"))
    for rank in range(3):
        line = command(plan, rank)
        assert line[:3] == ["/usr/bin/python3", "-I", tied.TIE]
        home = "/opt/llm/venv/vllm-ray-0.32.0/bin"
        assert line[8:12] == [f"{home}/python", rayed.OVER_RAY, f"{ADDRESSES[0]}:{rayed.GCS_PORT}", "3"]
        assert ray_of(line)[:3] == [f"{home}/ray", "start", "--block"]
        assert ("--head" in ray_of(line)) == (rank == 0)
        assert (f"--address={ADDRESSES[0]}:{rayed.GCS_PORT}" in line) == (rank > 0)
        assert (settled(line)["--node-ip-address"], settled(line)["--num-gpus"]) == (ADDRESSES[rank], "4")
        assert (f"{home}/vllm" in line) == (rank == 0)
        assert {tied.TIE, rayed.OVER_RAY} <= files(plan, rank).keys()
    vllm = command(plan, 0)[command(plan, 0).index("--") + 1 :]
    assert vllm[:2] == ["/opt/llm/venv/vllm-ray-0.32.0/bin/vllm", "serve"]
    flags = dict(pairwise(vllm))
    assert flags["--distributed-executor-backend"] == "ray"
    assert (flags["--pipeline-parallel-size"], flags["--tensor-parallel-size"]) == ("3", "4")
    assert not tied.STAGES & {"--nnodes", "--node-rank", "--master-addr", "--headless"} & set(vllm)


def test_the_word_differs_from_that_of_vllms_own_mode_and_is_the_same_on_all() -> None:
    plan = over()
    words = {command(plan, rank)[6] for rank in range(3)}
    assert len(words) == 1
    assert words != {command(plain(), 0)[6]}


@pytest.mark.parametrize("cloud", PLACES)
def test_what_the_firewall_opens_between_the_nodes_has_rays_ports_and_not_those_of_the_first_node_alone(
    cloud: str,
) -> None:
    plan = plan_of(server(cloud))
    kind, source = OPENED[cloud]
    (rule,) = [each for each in plan.of_type(kind) if each.name.startswith("x-nodes")]
    (row,) = rule.inputs["ingresses"] if cloud == "tencent" else [rule.inputs]
    assert source in row
    ports = row.get("portRange") or row.get("port") or f"{row['fromPort']:.0f}/{row['toPort']:.0f}"
    low, high = map(int, re.split("[/-]", ports))
    assert [low, high] == [*tied.PORTS_OVER_RAY]
    opened = {rayed.GCS_PORT, *rayed.NODE_PORTS.values(), *rayed.WORKER_PORTS, tied.TIE_PORT}
    assert all(low <= port <= high for port in opened)
    assert not [port for port in (rayed.CLIENT_PORT, rayed.DASHBOARD_PORT, rayed.SCALER_PORT) if low <= port <= high]
    # None of them is one that Linux hands out by itself, nor twice there.
    fixed = [rayed.GCS_PORT, *rayed.NODE_PORTS.values(), tied.TIE_PORT, tied.MASTER_PORT]
    assert len({*fixed}) == len(fixed)
    assert max(*fixed, *rayed.WORKER_PORTS) < 32768
    assert not set(fixed) & set(range(rayed.WORKER_PORTS[0], rayed.WORKER_PORTS[1] + 1))


def test_rays_own_page_is_off_and_nobody_is_told_of_its_use() -> None:
    plan = over()
    head = ray_of(command(plan, 0))
    assert {"--include-dashboard=false", "--dashboard-host=127.0.0.1", "--disable-usage-stats"} <= set(head)
    for rank in range(3):
        assert "--disable-usage-stats" in ray_of(command(plan, rank))
        assert "RAY_USAGE_STATS_ENABLED=0" in files(plan, rank)[UNIT]


def test_ray_asks_for_a_token_that_all_nodes_have_and_that_stands_nowhere_in_plain() -> None:
    plan = over()
    made = [each for each in plan.resources if each.name.endswith("ray-token")]
    assert [(each.type, each.name) for each in made] == [("random:index/randomPassword:RandomPassword", "x-ray-token")]
    for rank in range(3):
        settings = document(plan, rank)
        assert rayed.TOKEN in settings["secrets"]["required"]
        (row,) = [each for each in settings["secret_files"] if rayed.TOKEN in each["entries"]]
        assert (row["path"], row["owner"], row["restart"]) == (rayed.TOKEN_FILE, "llm-vllm", ["llm-vllm.service"])
        assert f"RAY_AUTH_MODE=token RAY_AUTH_TOKEN_PATH={rayed.TOKEN_FILE}" in files(plan, rank)[UNIT]
        # It goes with what else is secret to that machine, and into no settings.
        apply = named(plan, f"{NAMES[rank]}-apply")
        assert is_secret(apply.inputs["stdin"])
        assert "x-ray-token" in needs(plan, apply)
        assert "x-ray-token" not in needs(plan, named(plan, f"{NAMES[rank]}-settings"))


def test_no_unit_may_call_anybody_but_the_nodes_and_rays_programs_outlive_vllms_last_answer() -> None:
    plan = over()
    for rank in range(3):
        unit = files(plan, rank)[UNIT]
        assert "IPAddressDeny=any" in unit
        assert re.search(r"(?m)^IPAddressAllow=(.*)$", unit)[1].split() == ["localhost", *ADDRESSES]  # type: ignore[index]
        assert "KillMode=mixed" in unit
        for rule in ("User=llm-vllm", "NoNewPrivileges=yes", "ProtectSystem=strict", "CapabilityBoundingSet=\n"):
            assert rule in unit


def test_vllms_own_mode_has_nothing_of_ray() -> None:
    plan = plain()
    for rank in range(3):
        settings = json.dumps(document(plan, rank))
        assert not re.search(r"ray[ _.-]token|RAY_|over-ray|vllm-ray", settings)
    assert not [each for each in plan.resources if "ray" in each.name]


def test_vllm_and_ray_are_one_locked_environment_that_differs_from_vllms_by_ray_and_what_it_needs() -> None:
    plan = over()
    for rank in range(3):
        locks = {path for path in files(plan, rank) if path.startswith("/opt/llm/locks/vllm")}
        assert locks == {"/opt/llm/locks/vllm-ray.txt"}
        supply = json.loads(files(plan, rank)["/opt/llm/supply.json"])
        assert {each for each in supply["venvs"] if each.startswith("vllm")} == {"vllm-ray"}
    lines = {
        name: set(files(each, 0)[f"/opt/llm/locks/{name}.txt"].splitlines())
        for name, each in (("vllm", plain()), ("vllm-ray", over()))
    }
    assert lines["vllm"] < lines["vllm-ray"]
    assert {each.split("==")[0] for each in lines["vllm-ray"] - lines["vllm"]} == {"ray", "msgpack"}


def test_what_is_known_against_ray_is_told_of_nodes_that_have_it_alone() -> None:
    asked = {"cloud": "aws", "gpu": "T4", "nodes": 2}
    pins = {
        backend: {each.name for each in software.pins(software.node("x", "llm:index:ModelServer", inputs))}
        for backend, inputs in (("native", asked), ("ray", {**asked, "nodes_backend": "ray"}))
    }
    assert pins["ray"] - pins["native"] == {"ray", "msgpack"}
    assert "vllm" in pins["ray"]
    # As a program in YAML gives it.
    assert software.node("x", "llm:index:ModelServer", {**asked, "nodesBackend": "ray"}).ray


def test_user_data_is_that_of_one_machine() -> None:
    plan = over()
    (resolved,), (alone,) = plan.servers.values(), plan_of(native(nodes=1)).servers.values()
    told = bootstrap.user_data(_nodes.server_node("x", alone))
    assert bootstrap.user_data(_nodes.server_node("x", resolved)) == told
    assert "ray_token" not in bootstrap.user_data(_together.node_of("x", resolved, 1))


def test_machines_and_price_are_those_of_vllms_own_mode() -> None:
    assert over().outputs["hourly_price"] == plain().outputs["hourly_price"]
    assert [each.name for each in over().of_type(*MACHINES)] == [each.name for each in plain().of_type(*MACHINES)]


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"nodes": 1}, "spec.nodes-backend"),
        ({"nodes_backend": "mpi"}, "spec.wrong-value"),
        ({"replicas": 2}, "spec.nodes-and"),
        ({"extra_args": ["--distributed-executor-backend=mp"]}, "bootstrap.flag-reserved"),
        ({"extra_args": ["--nnodes", "3"]}, "bootstrap.flag-reserved"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_made(more: dict[str, Any], code: str) -> None:
    with pytest.raises(Refusal) as refused:
        plan_of({**server(), **more})
    assert [each.code for each in refused.value.findings] == [code]
