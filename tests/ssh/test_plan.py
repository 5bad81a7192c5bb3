"""What is planned on a machine that exists, and what its bill is."""

from __future__ import annotations

import json
import socket
import threading
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from pulumi_llm import Platform, catalog
from pulumi_llm._plan.capture import capture
from pulumi_llm._plan.model import Plan
from pulumi_llm._resolve import resolve_platform
from pulumi_llm._review.bill import make_bill
from pulumi_llm._review.item import Usage
from pulumi_llm.clouds.ssh import probe
from pulumi_llm.errors import Refusal
from tests.ssh.samples import HOST_KEY, platform

REMOTE = "command:remote:Command"


def planned(**host: Any) -> Plan:
    made = platform(**host)

    def program() -> None:
        Platform("llm", {**made, "ssh_private_key": "a key"})  # type: ignore[typeddict-item]

    return capture(program, project="own", stack_name="own")


def commands(plan: Plan) -> dict[str, dict[str, Any]]:
    return {each.name: dict(each.inputs) for each in plan.resources if each.type == REMOTE}


def connection_of(inputs: dict[str, Any]) -> dict[str, Any]:
    """The connection, all of which is a secret as the key in it is one."""
    found = inputs["connection"]
    return dict(found.get("value", found))


def test_nothing_is_bought_and_three_commands_reach_the_machine() -> None:
    plan = planned()
    packages = {each.type.split(":")[0] for each in plan.resources} - {"pulumi", "llm"}
    assert packages == {"command", "random", "tls"}
    assert list(commands(plan)) == ["llm-server-host", "llm-server-settings", "llm-server-apply"]


def test_every_connection_names_the_host_key_the_port_and_the_user() -> None:
    for name, inputs in commands(planned(port=2222)).items():
        connection = connection_of(inputs)
        assert connection["hostKey"] == HOST_KEY, name
        assert (connection["host"], connection["port"], connection["user"]) == ("203.0.113.7", 2222, "ubuntu")


def test_what_takes_the_machine_is_told_of_a_bundle_where_there_is_one() -> None:
    def wants(**host: Any) -> dict[str, Any]:
        return dict(json.loads(commands(planned(**host))["llm-server-host"]["stdin"]))

    assert "bundle" not in wants()
    assert wants(bundle="/mnt/bundle")["bundle"] == "/mnt/bundle"


def test_an_agent_answers_for_the_key_where_that_is_said() -> None:
    for inputs in commands(planned(agent=True)).values():
        assert not connection_of(inputs).get("privateKey")


def test_what_takes_the_machine_leaves_it_too_and_only_as_that() -> None:
    inputs = commands(planned())["llm-server-host"]
    assert inputs["delete"].endswith("leave llm-server@203.0.113.7")
    assert inputs["triggers"] == ["203.0.113.7"]


def test_the_machine_is_told_what_it_must_have_and_no_secret() -> None:
    told = json.loads(commands(planned())["llm-server-host"]["stdin"])
    assert told["gpu"] | {"names": []} == {
        "card": "RTX-4090",
        "names": [],
        "count": 1,
        "memory_gib": catalog.load().gpus["RTX-4090"].memory_gib,
        "driver": 580,
    }
    assert told["fence"] == [{"port": 443, "cidrs": ["203.0.113.0/24"]}], "SSH is its owner's business"
    assert {443, 4100} <= set(told["ports"])
    assert told["folder"] == "/data/llm"
    assert "a key" not in json.dumps(told)
    assert json.loads(told["files"]["/opt/llm/node.json"])["data_disk_gib"] == 0, "a folder is not a disk to look for"


def test_the_bill_takes_the_price_that_its_owner_gives_and_says_where_there_is_none() -> None:
    def bill(**host: Any) -> Any:
        return make_bill(planned(**host), catalog.load(), Usage(), today=date(2026, 11, 28))

    (line,) = bill(price={"amount": 2.5, "currency": "CNY"}).lines
    assert line.price is not None
    assert (float(line.price.amount), line.price.currency, line.price.source) == (2.5, "CNY", "host.price")
    assert float(line.per_month.cny) == 1825.0
    (line,) = bill().lines
    assert line.unknown is not None
    assert line.per_month is None


def test_the_bill_counts_all_cards_of_the_machine_those_of_further_models_too() -> None:
    made = platform()
    made["server"]["gpu_count"] = 2
    made["server"]["models"] = {"small": {"model": "Qwen/Qwen2.5-0.5B-Instruct", "gpus": 1}}

    def program() -> None:
        Platform("llm", {**made, "ssh_private_key": "a key"})  # type: ignore[typeddict-item]

    plan = capture(program, project="own", stack_name="own")
    (line,) = make_bill(plan, catalog.load(), Usage(), today=date(2026, 11, 28)).lines
    assert str(line.what).startswith("3 x RTX-4090")
    assert resolve_platform(made).server.site.place.instance_type == "3 x RTX-4090"


@pytest.mark.parametrize("port", [443, 8000, 18444])
def test_a_port_where_the_machine_answers_ssh_is_nobody_elses(port: int) -> None:
    made = platform(port=port)
    made["vectors"] = {"memory_gib": 4}

    def program() -> None:
        Platform("llm", {**made, "ssh_private_key": "a key"})  # type: ignore[typeddict-item]

    with pytest.raises(Refusal) as caught:
        capture(program, project="own", stack_name="own")
    (found,) = caught.value.findings
    assert (found.code, str(port) in str(found.message)) == ("bootstrap.bad-port", True)
    assert found.where.endswith("host.port")


def test_a_plan_asks_no_machine_and_needs_no_key_file(tmp_path: Path) -> None:
    plan = planned(address="192.0.2.1", private_key_file=str(tmp_path / "nowhere"))
    assert len(commands(plan)) == 3


def test_a_machine_that_does_not_answer_is_named() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (found,) = probe.problems("127.0.0.1", port, HOST_KEY)
    assert found.code == "ssh.unreachable"
    assert f"127.0.0.1:{port}" in found.message


def test_what_answers_and_is_not_ssh_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            line, __ = server.accept()
            line.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            line.close()

        threading.Thread(target=answer, daemon=True).start()
        (found,) = probe.problems("127.0.0.1", server.getsockname()[1], HOST_KEY)
    assert (found.code, found.where) == ("ssh.unreachable", "host.port")
