"""A container without systemd: what is planned for it, what is refused of it, and what runs its services."""

from __future__ import annotations

import ast
import json
import re
import sys
from typing import Any

import pytest

from pulumi_llm import Platform
from pulumi_llm import _bootstrap as bootstrap
from pulumi_llm._existing import in_container
from pulumi_llm._plan.capture import capture
from pulumi_llm._plan.model import Plan
from pulumi_llm._resolve import resolve_platform
from pulumi_llm.clouds.ssh.program import supervisor
from pulumi_llm.errors import Refusal
from pulumi_llm.roles import without_systemd
from pulumi_llm.roles.caddy import caddyfile
from tests.ssh.samples import CONTAINER, PLATFORM, in_a_container, platform
from tests.ssh.test_plan import commands
from tests.ssh.test_spec import refused


def planned(made: dict[str, Any]) -> Plan:
    def program() -> None:
        Platform("llm", {**made, "ssh_private_key": "a key"})  # type: ignore[typeddict-item]

    return capture(program, project="own", stack_name="own")


def codes_in_a_container(made: dict[str, Any]) -> list[str]:
    with pytest.raises(Refusal) as caught:
        planned(made)
    return sorted({each.code for each in caught.value.findings})


def test_the_gateway_takes_the_one_port_that_others_reach() -> None:
    assert resolve_platform(platform(**CONTAINER)).server.port == 6006
    assert resolve_platform(platform(**CONTAINER | {"public_port": None})).server.port == 443
    made = platform(**CONTAINER)
    made["access"] = {**PLATFORM["access"], "https_port": 18443}
    assert codes_in_a_container(made) == ["ssh.not-the-public-port"]


@pytest.mark.parametrize(
    ("host", "code"),
    [
        ({"mode": "container"}, "spec.container-needs-root"),
        ({"mode": "container", "user": "root", "folder": None}, "spec.container-needs-folder"),
        ({"public_port": 6006}, "spec.of-a-container"),
        ({"again": 1}, "spec.of-a-container"),
    ],
)
def test_what_only_a_container_has_and_needs_is_asked_of_it_alone(host: dict[str, Any], code: str) -> None:
    assert refused(platform(**host)) == {(code, "server.host")}


def test_every_command_to_a_container_does_without_sudo() -> None:
    found = commands(planned(platform(**CONTAINER)))
    assert list(found) == ["llm-server-host", "llm-server-settings", "llm-server-apply"]
    for name, inputs in found.items():
        for key in ("create", "update", "delete"):
            assert not re.search(r"\\bsudo ", inputs.get(key) or ""), (name, key)
    told = json.loads(found["llm-server-host"]["stdin"])
    assert told["mode"] == "container"
    assert told["fence"] == [], "nobody may close ports there"
    assert told["supervisor"] == supervisor()


def test_the_certificate_is_good_at_the_end_of_a_tunnel_too_and_elsewhere_for_the_address_alone() -> None:
    for host, loopback in ((CONTAINER, ["127.0.0.1"]), ({}, [])):
        plan = planned(platform(**host))
        (asked,) = [each for each in plan.resources if each.type.endswith(":CertRequest")]
        assert list(asked.inputs["ipAddresses"]) == ["203.0.113.7", *loopback]


def test_caddy_lets_in_who_may_call_where_nobody_can_close_ports_and_asks_nobody_elsewhere() -> None:
    config = caddyfile(in_a_container(platform(**CONTAINER))[1])
    assert "@elsewhere not remote_ip 127.0.0.0/8 ::1 203.0.113.0/24" in config
    assert config.index("handle @elsewhere") < config.index("reverse_proxy")
    assert "elsewhere" not in caddyfile(in_a_container(platform())[1])


def test_the_nodes_command_finds_the_stand_ins_first_in_a_container_and_only_there() -> None:
    for host, there in ((CONTAINER, True), ({}, False)):
        node = in_a_container(platform(**host))[1]
        (row,) = [each for each in bootstrap.settings(node)["files"] if each["path"] == "/opt/llm/bin/llm-node"]
        first = bootstrap.first_boot(node)["files"]["/opt/llm/bin/llm-node"]
        for text in (row["content"], first):
            assert ("/opt/llm/container/bin" in text) is there
            ast.parse(text)


def test_what_a_container_cannot_run_is_refused_with_what_it_lacks() -> None:
    for change, lacks in (
        ({"vectors": {"memory_gib": 4}}, "containers of its own"),
        ({"vectors": {"engine": "pgvector", "memory_gib": 4}}, "Type=notify"),
        ({"vectors": {"engine": "chroma", "memory_gib": 4}}, "IPAddressDeny"),
    ):
        with pytest.raises(Refusal) as caught:
            in_container(*in_a_container(platform(**CONTAINER | {"public_port": None}) | change))
        assert {each.code for each in caught.value.findings} == {"ssh.not-in-a-container"}
        assert any(lacks in str(each.message) for each in caught.value.findings), change


def test_every_unit_of_a_node_in_a_container_is_one_that_the_supervisor_understands() -> None:
    node = in_a_container(platform(**CONTAINER))[1]
    units = {each["path"]: each["content"] for each in bootstrap.settings(node)["files"] if "/systemd/" in each["path"]}
    assert len(units) > 10
    assert {path: lacks for path, text in units.items() if (lacks := without_systemd.lacking(path, text))} == {}
    assert without_systemd.lacking("x.service", "[Service]\nDelegate=yes\nAmbientCapabilities=CAP_SYS_ADMIN\n") == {
        "Delegate", "CAP_SYS_ADMIN"
    }  # fmt: skip


def test_the_supervisor_reads_every_key_that_it_is_said_to_act_upon() -> None:
    text = supervisor()
    for key in without_systemd.DOES | without_systemd.CAPABILITIES:
        assert f'"{key}"' in text, key


def test_the_supervisor_is_one_text_that_an_old_python_can_read_and_that_needs_nothing_of_ours() -> None:
    tree = ast.parse(supervisor(), feature_version=(3, 8))
    imported = {
        name.split(".")[0]
        for each in ast.walk(tree)
        for name in ([each.module or ""] if isinstance(each, ast.ImportFrom) else [])
        + ([alias.name for alias in each.names] if isinstance(each, ast.Import) else [])
    }
    assert imported <= sys.stdlib_module_names
    defined = [each.name for each in tree.body if isinstance(each, (ast.FunctionDef, ast.ClassDef))]
    assert len(defined) == len(set(defined)), "two parts have a name in common"
