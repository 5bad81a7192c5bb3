"""Components in a program of somebody's own, under the real engine: what is refused, and what an upgrade changes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.engine.sim import Sim, said

pytestmark = pytest.mark.engine

HEAD = """\
import pulumi, pulumi_aws as aws, pulumi_llm as llm
def providers(region):
    return pulumi.ResourceOptions(providers=[aws.Provider("mine", region=region)])
"""
STORE = """{"cloud": "aws", "region": "ap-northeast-1", "allowed_cidrs": ["203.0.113.0/24"], "memory_gib": 2}"""


@pytest.fixture
def sim(tmp_path: Path) -> Sim:
    project = tmp_path / "project"
    project.mkdir()
    (project / "Pulumi.yaml").write_text("name: mine\nruntime: python\n")
    (project / "Pulumi.dev.yaml").write_text("{}\n")
    return Sim(project, tmp_path / "home", "dev")


def write(sim: Sim, text: str) -> None:
    (sim.project / "__main__.py").write_text(HEAD + text)


def refused(sim: Sim, *command: str) -> str:
    done = sim.run(*command, "-s", "dev", check=False)
    assert done.returncode != 0
    told = said(done) + done.stderr
    assert "Traceback" not in told
    assert 'File "' not in told
    return told


def made(sim: Sim) -> dict[str, dict[str, Any]]:
    ours = ("pulumi:pulumi", "pulumi:providers")
    return {urn: each for urn, each in sim.state().items() if not each["type"].startswith(ours)}


def test_a_provider_of_another_region_is_refused_in_the_preview_and_by_up_which_makes_nothing(sim: Sim) -> None:
    write(sim, f'llm.VectorStore("docs", {STORE}, providers("us-west-2"))\n')
    for command in (("preview",), ("up", "--yes", "--skip-preview")):
        told = refused(sim, *command)
        assert "[cloud.other-region] docs: the provider passed in is for us-west-2" in told
    # A component is registered before its provider's region is known; it is nothing at any cloud.
    assert [each["type"] for each in made(sim).values() if not each["type"].startswith("llm:")] == []


def test_up_is_refused_in_the_language_of_the_environment(sim: Sim, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PULUMI_LLM_LANG")
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    write(sim, 'llm.VectorStore("docs", {"cloud": "aws", "region": "us-west-2", "memory_gib": "2"})\n')
    told = refused(sim, "up", "--yes", "--skip-preview")
    assert "无法执行，原因有 2 条：" in told
    assert "[spec.wrong-type] docs.memory_gib: 给的是 '2'，应为 整数" in told


def test_a_wrong_argument_ends_a_python_program_with_its_message_and_makes_nothing(sim: Sim) -> None:
    write(sim, 'llm.VectorStore("docs", {"cloud": "aws", "region": "us-west-2", "memory_gib": "2"})\n')
    told = refused(sim, "up", "--yes", "--skip-preview")
    assert "[spec.wrong-type] docs.memory_gib: '2' is given, but it must be a whole number" in told
    assert "[spec.missing-key] docs.allowed_cidrs" in told
    assert made(sim) == {}


def test_a_name_beyond_what_a_certificate_takes_comes_up(sim: Sim) -> None:
    write(sim, f'llm.VectorStore("{"d" * 90}", {STORE})\n')
    assert sim.up()["create"] > 20


def test_a_network_that_was_made_with_a_provider_of_its_own_stays_when_it_gets_the_components(sim: Sim) -> None:
    """What earlier releases made: a second provider of the same region, for the network alone."""
    before = f"""\
from pulumi_llm import _vector_store as vector_store
from pulumi_llm._network import Network
from pulumi_llm.clouds.base import NetworkHandle
def alone(scope, name, args, machine):
    place, cidr = machine.site.place, machine.network.cidr
    wanted = {{"cloud": place.cloud, "region": place.region, "zone": place.zone, "cidr": cidr, "tags": {{}}}}
    own = aws.Provider(f"{{name}}-network-aws-{{place.region}}", region=place.region)
    network = Network(f"{{name}}-network", wanted, pulumi.ResourceOptions(parent=scope.parent, providers=[own]))
    return NetworkHandle(vpc_id=network.vpc_id, subnet_id=network.subnet_id, zone=place.zone)
vector_store.network_for = alone
llm.VectorStore("docs", {STORE})
"""
    write(sim, before)
    sim.up()
    vpcs = {urn: each["id"] for urn, each in made(sim).items() if each["type"] == "aws:ec2/vpc:Vpc"}
    write(sim, f'llm.VectorStore("docs", {STORE})\n')
    changed = sim.up()
    assert set(changed) <= {"update", "delete"}, changed
    assert changed.get("delete", 0) == 1  # the provider that nobody uses any more
    assert {urn: each["id"] for urn, each in made(sim).items() if each["type"] == "aws:ec2/vpc:Vpc"} == vpcs
