"""aliyun-t4 as shipped, booted: what clients get from it, and what they do not."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.boot.stack import BootedStack
from tests.boot.strangers import ASKED, STACK, found_open, listeners_of, roles_on

pytestmark = pytest.mark.boot

UNGUARDED = [
    ("POST", "/invocations"),
    ("POST", "/pause"),
    ("POST", "/resume"),
    ("POST", "/update_weights"),
    ("POST", "/inference/v1/generate"),
    ("POST", "/v1/load_lora_adapter"),
    ("POST", "/tokenizer_info"),
    ("GET", "/metrics"),
    ("GET", "/health"),
    ("GET", "/version"),
    ("GET", "/docs"),
    ("GET", "/openapi.json"),
]
"""What vLLM or other gateways answer by themselves, some of it without asking for a key."""

CLOSED = [80, 2019, 4000, 4001, 4100, 8000, 8080, 2112, 6060, 7946, 7947, 8300, 8301, 50051]
"""Gateway, its metrics, status page, vLLM, Weaviate (also its metrics, profiler, cluster), Caddy's admin and HTTP."""


def test_up_ends_when_a_real_completion_came_back(stack: BootedStack) -> None:
    told = stack.client("status", **stack.access)
    assert (told["ready"], told["stage"], told["state"], told["code"]) == (True, "serve", "done", None)


def test_the_openai_client_lists_the_models(stack: BootedStack) -> None:
    assert stack.client("models", **stack.access) == ["Yi-6B-Chat", "gpt-6-luna"]


def test_the_openai_client_gets_a_completion_from_vllm(stack: BootedStack) -> None:
    answer = stack.client("complete", **stack.access, model="Yi-6B-Chat")
    assert answer["tokens"] == 8
    assert answer["content"]


def test_the_openai_client_gets_a_stream_piece_by_piece(stack: BootedStack) -> None:
    assert len([each for each in stack.client("stream", **stack.access, model="Yi-6B-Chat") if each]) > 3


def test_a_foreign_model_answers_through_both_gateways(stack: BootedStack) -> None:
    answer = stack.client("complete", **stack.access, model="gpt-6-luna")
    assert answer["content"] == "hello from upstream"
    asked = stack.world.requests(host="api.openai.com", method="POST")
    assert {each["client"] for each in asked} == {stack.machine("proxy").address}, "the GPU host itself went abroad"


def test_the_weaviate_client_imports_ten_thousand_vectors_and_finds_one(stack: BootedStack, tmp_path: Path) -> None:
    access = {**stack.vectors_access, "folder": str(tmp_path)}
    assert stack.client("remember", **access, name="Paper", count=10_000) == 0
    found = stack.client("recall", **access, name="Paper", count=10_000)
    assert (found["total"], found["nearest"]) == (10_000, 5_000)
    assert found["distance"] == pytest.approx(0, abs=1e-5)


def test_without_a_key_nothing_is_answered(stack: BootedStack) -> None:
    asked = [("POST", "/v1/chat/completions"), ("POST", "/v1/embeddings"), ("GET", "/v1/models"), ("GET", "/status")]
    where = {"ca": stack.outputs["certificate_authority"], "endpoint": stack.outputs["endpoint"], "requests": asked}
    assert set(stack.client("statuses", **where).values()) == {401}
    assert set(stack.client("statuses", **where, key="sk-wrong").values()) == {401}


def test_weaviate_answers_nothing_without_its_key(stack: BootedStack) -> None:
    where = {"ca": stack.outputs["vectors_certificate_authority"], "endpoint": stack.outputs["vectors_endpoint"]}
    assert set(stack.client("statuses", **where, requests=[("GET", "/v1/schema"), ("GET", "/v1/meta")]).values()) == {
        401
    }


def test_routes_that_vllm_leaves_unguarded_are_not_there_even_with_a_key(stack: BootedStack) -> None:
    found = stack.client("statuses", **stack.access, requests=UNGUARDED)
    assert {path: code for path, code in found.items() if code != 404} == {}


@pytest.mark.parametrize("role", ["server", "proxy"])
def test_no_port_but_those_of_ssh_and_caddy_is_open_from_outside(stack: BootedStack, role: str) -> None:
    machine = stack.machine(role)
    assert stack.client("open_ports", address=machine.address, ports=CLOSED) == []
    # and of all that listens on more than loopback there is nothing else
    rows = [line.split() for line in machine.inside("ss", "-Hlntu").splitlines()]
    listening = {row[4].rsplit(":", 1)[1] for row in rows if not re.match(r"127\.|\[::1\]|\[?::ffff:127\.", row[4])}
    outside = {"server": {"22", "18443", "18444", "18445"}, "proxy": {"22", "443"}}[role]
    assert listening == outside


def test_a_stranger_reaches_no_role_of_the_machine_behind_its_port_and_is_told_nothing_there(
    stack: BootedStack,
) -> None:
    machine = stack.machine("server")
    here = {(role.name, name) for role in roles_on(machine) for name, *__ in listeners_of(role, stack)}
    assert here == {each for each, question in ASKED.items() if question.shown_by == STACK}
    assert found_open(stack, machine) == {}


@pytest.mark.parametrize("role", ["server", "proxy"])
def test_every_service_stays_within_its_limits_without_a_restart(stack: BootedStack, role: str) -> None:
    machine = stack.machine(role)
    units = [
        each for each in machine.inside("ls", "/etc/systemd/system").split() if re.fullmatch(r"llm-\S+\.service", each)
    ]
    shown = {}
    for unit in units:
        text = machine.inside(
            "systemctl", "show", "-p", "NRestarts", "-p", "Type", "-p", "MemoryMax", "-p", "Slice", unit
        )
        shown[unit] = dict(line.split("=", 1) for line in text.split())
    running = {unit: row for unit, row in shown.items() if row["Type"] != "oneshot"}
    assert len(running) >= 4
    assert {unit: row["NRestarts"] for unit, row in running.items() if row["NRestarts"] != "0"} == {}
    unlimited = [unit for unit, row in running.items() if row["MemoryMax"] == "infinity"]
    assert unlimited == (["llm-vllm.service"] if role == "server" else [])
    if role == "server":
        assert running["llm-vllm.service"]["Slice"] == "llm-vllm.slice"
        assert machine.inside("systemctl", "show", "-P", "MemoryMax", "llm-vllm.slice").strip().isdigit()


CALL = ("curl", "-s", "-m", "5", "-o", "/dev/null", "-w", "%{http_code}", "http://mirrors.aliyun.com/ubuntu/")
"""Something that a machine may ask for, and most of its services may not."""


@pytest.mark.parametrize("unit", ["llm-vllm", "llm-status", "llm-watch", "llm-weaviate"])
def test_a_service_that_asks_nobody_outside_of_its_machine_cannot(stack: BootedStack, unit: str) -> None:
    machine = stack.machine("server")
    text = machine.inside("systemctl", "cat", unit).splitlines()
    limits = [
        part for each in text if each.startswith(("IPAddress", "RestrictAddressFamilies")) for part in ("-p", each)
    ]
    assert limits
    assert machine.inside(*CALL, check=False) == "404"
    assert machine.inside("systemd-run", "-q", "--wait", "-P", *limits, *CALL, check=False) == "000"


def test_weaviates_container_calls_nobody_and_writes_nowhere_but_beside_its_data(stack: BootedStack) -> None:
    machine, box = stack.machine("server"), "llm-weaviate-1"
    told = json.loads(machine.inside("docker", "inspect", box))[0]
    assert told["HostConfig"]["ReadonlyRootfs"]
    assert [each["Destination"] for each in told["Mounts"] if each["RW"]] == ["/var/lib/weaviate"]
    process = str(told["State"]["Pid"])
    address = machine.inside("getent", "ahostsv4", "mirrors.aliyun.com").split()[0]
    # From the container's own network, as its image has no program that calls.
    inside = ("nsenter", "--target", process, "--net", *CALL[:-1], f"http://{address}/ubuntu/")
    assert machine.inside(*CALL[:-1], f"http://{address}/ubuntu/", check=False) != "000"
    assert machine.inside(*inside, check=False) == "000"


def test_another_limit_of_memory_for_models_is_taken_over_without_a_restart(stack: BootedStack) -> None:
    machine, unit = stack.machine("server"), "/etc/systemd/system/llm-vllm.slice"

    def limit() -> int:
        return int(machine.inside("systemctl", "show", "-P", "MemoryMax", "llm-vllm.slice"))

    def write(value: str) -> None:
        machine.inside("sed", "-i", f"s/^MemoryMax=.*/{value}/", unit)
        machine.inside("systemctl", "daemon-reload")

    before, kept = limit(), machine.inside("grep", "^MemoryMax=", unit).strip()
    since = machine.inside("systemctl", "show", "-P", "ExecMainStartTimestamp", "llm-vllm")
    try:
        write("MemoryMax=50%")
        assert limit() < 0.6 * before
        assert machine.inside("systemctl", "show", "-P", "ExecMainStartTimestamp", "llm-vllm") == since
    finally:
        write(kept)


@pytest.mark.parametrize("role", ["server", "proxy"])
def test_no_secret_is_in_user_data_logs_or_process_lists(stack: BootedStack, role: str) -> None:
    machine, outputs = stack.machine(role), stack.outputs
    keys = [
        *outputs["api_keys"].values(),
        *outputs["proxy_api_keys"].values(),
        outputs["vectors_key"],
        "simulated-openaiApiKey",
    ]
    files = "/var/log/cloud-init*.log /run/llm/status.json /opt/llm/*.json"
    looked = f"journalctl --no-pager -o cat; cat {files}; ps axww -o args"
    text = machine.inside("sh", "-c", looked) + machine.spec.user_data + machine.console(10_000)
    assert [key for key in keys if key in text] == []


def test_every_file_with_a_secret_is_readable_by_one_user_alone(stack: BootedStack) -> None:
    rows = stack.machine("server").inside("find", "/srv/llm/secrets", "-type", "f", "-printf", "%m %f\n").splitlines()
    assert rows
    assert [row for row in rows if not row.startswith("600 ")] == []


def test_the_data_disk_was_found_by_its_size_and_is_mounted(stack: BootedStack) -> None:
    machine = stack.machine("server")
    size = float(machine.inside("findmnt", "-bno", "SIZE", "/srv/llm")) / 2**30
    bought = next(
        each["inputs"]["size"]
        for urn, each in stack.sim.state().items()
        if "::llm-server-disk" in urn and "size" in each["inputs"]
    )
    assert size == pytest.approx(bought, rel=0.05)


@pytest.mark.parametrize("role", ["server", "proxy"])
def test_keys_are_made_replaced_and_taken_away_while_the_gateway_runs(stack: BootedStack, role: str) -> None:
    def keys(action: str, *more: str) -> str:
        return stack.command("keys", action, *more, "-s", "aliyun-t4", "--sim", "--at", role).strip()

    def status(key: str) -> int:
        prefix = {"server": "", "proxy": "proxy_"}[role]
        where = {"endpoint": stack.outputs[f"{prefix}endpoint"]}
        where["ca"] = stack.outputs[f"{prefix}certificate_authority"]
        return int(stack.client("statuses", **where, key=key, requests=[("GET", "/v1/models")])["GET /v1/models"])

    started = stack.machine(role).inside("systemctl", "show", "-P", "ExecMainStartTimestamp", "llm-gate")
    first = keys("add", "team-b", "--requests-per-minute", "50")
    assert status(first) == 200
    assert re.search(r"^team-b .* requests per minute 50", keys("list"), re.MULTILINE)
    second = keys("rotate", "team-b", "--overlap-minutes", "30")
    assert (status(first), status(second)) == (200, 200)
    keys("revoke", "team-b")
    assert (status(first), status(second)) == (401, 401)
    assert stack.machine(role).inside("systemctl", "show", "-P", "ExecMainStartTimestamp", "llm-gate") == started


@pytest.mark.parametrize("role", ["server", "proxy"])
def test_a_restart_of_the_gateway_costs_no_call(stack: BootedStack, role: str) -> None:
    machine = stack.machine(role)
    assert machine.inside("systemctl", "is-active", "llm-gate.socket").strip() == "active"
    machine.inside("systemctl", "restart", "--no-block", "llm-gate")
    told = stack.client("complete", **stack.access, model="Yi-6B-Chat")
    assert told["tokens"] == 8
    process = machine.inside("systemctl", "show", "-P", "MainPID", "llm-gate").strip()
    assert "LISTEN_FDS=1" in machine.inside("cat", f"/proc/{process}/environ").split("\0")


def test_the_usage_report_tells_what_a_key_has_taken(stack: BootedStack) -> None:
    stack.client("complete", **stack.access, model="Yi-6B-Chat")
    told = json.loads(stack.command("usage", "-s", "aliyun-t4", "--sim", "--json"))
    row = next(each for each in told["rows"] if each["key"] == "default")
    assert row["requests"] >= 1
    assert row["tokens_out"] >= 8
    assert row["reserved"] == 0


def test_the_data_disk_says_which_weaviate_wrote_the_vectors(stack: BootedStack) -> None:
    kept = stack.machine("server").inside("cat", "/srv/llm/weaviate.yaml")
    assert kept == stack.machine("server").inside("cat", "/opt/llm/weaviate/compose.yaml")
    assert "image: cr.weaviate.io/semitechnologies/weaviate:" in kept


def test_a_second_up_changes_nothing(stack: BootedStack) -> None:
    assert stack.sim.up() == {}
