"""Each role's ports: closed to whoever is not named, and silent without a key.

A role that is new has to say how, but where the gateway asks for the key: it does so in one place for all.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest

import pulumi_llm as llm
from pulumi_llm import _bootstrap as bootstrap
from pulumi_llm.roles import Role, registry
from tests.boot.strangers import ASKED, ELSEWHERE
from tests.roles.test_hardening import NODES
from tests.sources import nodes
from tests.test_components import PROXY, SERVER, plan_of
from tests.test_ports import CALLERS, CHAT, ENGINES, opened

ROOT = Path(__file__).parents[2]
BUILT_IN = registry.built_in()
LISTENING = sorted(name for name, role in BUILT_IN.items() if role.manifest.listeners)
MADE: dict[str, tuple[Any, dict[str, Any]]] = {
    "gateway": (llm.OverseasProxy, {**PROXY, "cloud": "aws", "region": "ap-southeast-1"}),
    "open-webui": (llm.ModelServer, {**SERVER, "apps": CHAT}),
    **{engine: (llm.ModelServer, {**SERVER, "vectors": True, "vectors_engine": engine}) for engine in ENGINES},
}
"""What asks for a role that listens; any other is a service that is asked for by its name."""


def reachable(role: Role) -> list[str]:
    """The listeners that lead to the service, not to the status alone."""
    return [name for name, each in role.manifest.listeners.items() if each.to is not None or each.protocol == "tls"]


@pytest.mark.parametrize("name", LISTENING)
def test_a_roles_ports_are_open_to_callers_alone(name: str) -> None:
    component, arguments = MADE.get(name, (llm.ModelServer, {**SERVER, "services": {name: {}}}))
    found = opened(plan_of(component, arguments))
    role = BUILT_IN[name]
    ports = {443} if name == "gateway" else {role.manifest.listeners[each].port for each in reachable(role)}
    assert ports <= set(found)
    assert all(found[port] == set(CALLERS) for port in ports)
    assert found.keys().isdisjoint(port for each in BUILT_IN.values() for port in each.manifest.loopback)


@pytest.mark.parametrize("name", LISTENING)
def test_a_role_is_asked_without_its_key_for_real(name: str) -> None:
    asked = {listener for role, listener in ASKED if role == name}
    if name in ELSEWHERE:
        assert not asked
        module, __, test = ELSEWHERE[name].partition("::")
        assert test in {each.name for each in nodes(ROOT / module) if isinstance(each, ast.FunctionDef)}
    else:
        role = BUILT_IN[name]
        own = {each for each in reachable(role) if role.manifest.listeners[each].key != "gate"}
        assert own <= asked <= set(reachable(role))


@pytest.mark.parametrize("name", sorted(NODES))
def test_what_is_started_with_a_port_or_given_a_socket_is_on_loopback(name: str) -> None:
    """Containers' ports are held to it where the other rules of containers are.

    A container's own network is of the machine too: a socket there takes callers from that network alone.
    """
    started = []
    for each in bootstrap.settings(NODES[name])["files"]:
        of_network = re.findall(r"^ListenStream=192\.0\.2\.1:\d+$", each["content"], re.MULTILINE)
        if of_network:  # of a range that no real network has (RFC 5737)
            allowed = re.findall(r"^IPAddress(?:Deny|Allow)=.*$", each["content"], re.MULTILINE)
            assert allowed == ["IPAddressDeny=any", "IPAddressAllow=192.0.2.0/29"]
            continue
        if each["path"].startswith("/etc/systemd/system/llm-"):
            started += re.findall(r"^ExecStart=.*--port.*$|^Listen\w+=.*$", each["content"], re.MULTILINE)
    wide = [
        line
        for line in started
        if not re.search(
            r"--host 127\.0\.0\.1 --port \d+\b|^ListenStream=127\.0\.0\.1:|^ListenDatagram=/run/llm/", line
        )
    ]
    assert wide == []
