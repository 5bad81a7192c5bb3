"""docs/ports.md is what the roles say, and a machine's firewall opens what stands there, to those who stand there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import pulumi_llm as llm
from pulumi_llm.roles import registry
from tests.test_components import PROXY, SERVER, plan_of

ROOT = Path(__file__).parents[1]
ENGINES = sorted(registry.answering("vectors"))
CALLERS = SERVER["allowed_cidrs"]
CHAT = {"chat": {"admin_email": "boss@example.com"}}
STORE = {key: SERVER[key] for key in ("cloud", "region", "allowed_cidrs")}


def rows(language: str = "") -> list[list[str]]:
    """The rows of the page's two tables, without their heads."""
    lines = (ROOT / f"docs/ports{language}.md").read_text(encoding="utf-8").splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    return [row for row in cells if re.fullmatch(r"\d+([,;；].*)?", row[0])]


def of_role(name: str) -> set[int]:
    """The open ports that the page has for a role."""
    return {int(number) for row in rows() if len(row) == 6 and row[2] == name for number in re.findall(r"\d+", row[0])}


def opened(plan: Any, name: str = "x") -> dict[int, set[str]]:
    """The ports that a machine's firewall opens, and to whom."""
    found: dict[int, set[str]] = {}
    for each in plan.resources:
        if each.name.startswith(f"{name}-firewall-in"):
            assert each.inputs["fromPort"] == each.inputs["toPort"]
            found.setdefault(int(each.inputs["fromPort"]), set()).add(each.inputs["cidrIpv4"])
    return found


def test_the_pages_are_what_the_roles_say() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "tools/ports/write.py", "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_both_languages_have_the_same_rows() -> None:
    assert [[re.findall(r"\d+", row[0]), row[2]] for row in rows()] == [
        [re.findall(r"\d+", row[0]), row[2]] for row in rows(".zh")
    ]


@pytest.mark.parametrize("engine", ENGINES)
def test_beside_a_model_a_stores_ports_are_open_to_callers_and_no_other_port_is(engine: str) -> None:
    found = opened(plan_of(llm.ModelServer, {**SERVER, "vectors": True, "vectors_engine": engine}))
    ours = of_role(engine)
    alone = {port for port, row in _listeners(engine).items() if row.to is None and row.protocol != "tls"}
    assert set(found) == {22, 443} | (ours - alone)
    assert all(who == set(CALLERS) for who in found.values())


@pytest.mark.parametrize("engine", ENGINES)
def test_on_a_machine_of_its_own_a_stores_ports_are_open_to_callers_and_no_other_port_is(engine: str) -> None:
    found = opened(plan_of(llm.VectorStore, {**STORE, "engine": engine}))
    assert set(found) == {22} | of_role(engine)
    assert all(who == set(CALLERS) for who in found.values())


def test_a_chat_pages_port_is_open_to_callers_and_no_other_port_is() -> None:
    found = opened(plan_of(llm.ModelServer, {**SERVER, "apps": CHAT}))
    assert set(found) == {22, 443} | of_role("open-webui")
    assert all(who == set(CALLERS) for who in found.values())


def test_what_listens_on_loopback_has_no_port_of_its_own_that_is_open() -> None:
    closed = {int(number) for row in rows() if len(row) == 4 for number in re.findall(r"\d+", row[0])}
    assert len(closed) > 15
    assert closed.isdisjoint(int(number) for row in rows() if len(row) == 6 for number in re.findall(r"\d+", row[0]))


@pytest.mark.parametrize("name", sorted(registry.built_in()))
def test_every_port_of_a_role_stands_on_the_page(name: str) -> None:
    manifest = registry.built_in()[name].manifest
    assert of_role(name) >= {each.port for each in manifest.listeners.values()}
    told = [row for row in rows() if len(row) == 4 and row[2] == name]
    assert [row[0] for row in told] == ([", ".join(map(str, manifest.loopback))] if manifest.loopback else [])


@pytest.mark.parametrize("name", sorted(registry.built_in()))
def test_no_listener_of_ours_goes_without_a_key(name: str) -> None:
    assert [each.title for each in _listeners(name).values() if each.key == "none"] == []


def test_a_proxy_behind_a_vendors_engine_opens_the_gateways_port_alone() -> None:
    plan = plan_of(llm.OverseasProxy, {**PROXY, "cloud": "aws", "region": "ap-southeast-1", "engine": "openai-forward"})
    assert set(opened(plan)) == {22, 443}


def _listeners(name: str) -> dict[int, Any]:
    return {each.port: each for each in registry.built_in()[name].manifest.listeners.values()}
