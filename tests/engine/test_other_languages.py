"""Programs in YAML under the real engine: it starts the component host, and shows what the host says."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from pulumi_llm._simcloud.engine import tool_folders
from pulumi_llm.clouds import functions
from tests.engine.sim import Sim, said

pytestmark = pytest.mark.engine

STORE: dict[str, Any] = {
    "cloud": "aws",
    "region": "ap-northeast-1",
    "allowedCidrs": ["203.0.113.0/24"],
    "memoryGib": 2,
}


@pytest.fixture
def program(tmp_path: Path) -> Sim:
    """A YAML project, and this package as the plugin of its own name on PATH, where the engine finds it."""
    path = ":".join(str(folder / "bin") for folder in tool_folders())
    host = shutil.which("pulumi-language-yaml", path=path) or shutil.which("pulumi-language-yaml")
    if host is None:
        pytest.skip("there is no pulumi-language-yaml: tools/fetch yaml")
    programs = tmp_path / "programs"
    programs.mkdir()
    plugin = programs / "pulumi-resource-llm"
    plugin.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m pulumi_llm "$@"\n')
    plugin.chmod(0o755)
    (programs / "pulumi-language-yaml").symlink_to(host)
    project = tmp_path / "project"
    project.mkdir()
    (project / "Pulumi.dev.yaml").write_text("{}\n")
    return Sim(project, tmp_path / "home", "dev", environment={"PATH": f"{programs}:{os.environ['PATH']}"})


def write(sim: Sim, properties: dict[str, Any], component: str = "VectorStore") -> None:
    resource = {"type": f"llm:{component}", "properties": properties}
    text = {"name": "mine", "runtime": "yaml", "resources": {"docs": resource}, "outputs": {"url": "${docs.endpoint}"}}
    (sim.project / "Pulumi.yaml").write_text(yaml.safe_dump(text))


def test_a_yaml_program_makes_a_component_and_reads_its_outputs(program: Sim) -> None:
    write(program, STORE)
    assert program.up()["create"] > 20
    assert program.outputs()["url"].startswith("https://")
    assert program.up() == {}
    program.destroy()


def test_a_yaml_program_that_is_refused_gets_the_reasons_and_no_traceback_and_nothing_is_made(program: Sim) -> None:
    write(program, {**STORE, "memoryGib": 0, "cloud": "awss", "tags": {"team": {"fn::secret": "planted-secret"}}})
    done = program.run("up", "-s", "dev", "--yes", "--skip-preview", check=False)
    assert done.returncode != 0
    told = said(done) + done.stderr
    assert "llm:index:VectorStore resource 'docs' has a problem: docs: this cannot work, for 3 reasons:" in told
    assert "property memoryGib with value '{0}' has a problem: [spec.wrong-value]" in told
    assert "property cloud with value '{awss}' has a problem: [spec.unknown-cloud]" in told
    assert "[spec.output-not-plain] docs.tags.team" in told
    for noise in ("Traceback", "Unexpected <class", 'File "', "planted-secret"):
        assert noise not in told
    assert not [each for each in program.state().values() if "llm:" in each["type"] or "aws" in each["type"]]


PLATFORM: dict[str, Any] = {
    "server": {
        "cloud": "aws",
        "region": "ap-northeast-1",
        "gpu": "T4",
        "model": "01-ai/Yi-6B-Chat",
        "contextLength": 4096,
        "keys": {"web": {"requestsPerMinute": 30}},
        "blockedWords": ["project-x"],
        "routes": {"my_chat": {"models": {"Yi-6B-Chat": 1}}},
    },
    "access": {"allowedCidrs": ["203.0.113.0/24"], "httpsPort": 8444},
    "vectors": {"memoryGib": 2},
}


def test_a_yaml_program_writes_the_parts_of_a_platform_in_camel_case_at_every_level(program: Sim) -> None:
    write(program, PLATFORM, "Platform")
    assert program.up()["create"] > 20
    made = next(each for each in program.state().values() if each["type"] == "llm:index:Platform")
    server = made["inputs"]["server"]
    assert server["keys"]["web"]["requests_per_minute"] == 30
    assert set(server["routes"]) == {"my_chat"}
    assert program.up() == {}
    program.destroy()


def test_a_yaml_program_has_its_cloud_start_the_machine_by_a_function_whose_code_the_provider_finds(
    program: Sim,
) -> None:
    """The component's host is another process than the program's: it writes the code where the provider reads it."""
    server = {key: value for key, value in PLATFORM["server"].items() if key in ("gpu", "model", "contextLength")}
    place = {"cloud": "tencent", "region": "ap-guangzhou", "allowedCidrs": ["203.0.113.0/24"]}
    write(
        program, {**server, **place, "hours": "Mon-Fri 08:00-20:00 Asia/Shanghai", "startedBy": "cloud"}, "ModelServer"
    )
    program.up()
    made = next(each for each in program.state().values() if each["type"] == "tencentcloud:Scf/function:Function")
    assert made["inputs"]["zipFile"] == functions.code_path()
    assert (program.project / functions.code_path()).is_file()


def test_a_yaml_program_is_told_by_the_engine_which_names_a_part_has(program: Sim) -> None:
    write(program, {**PLATFORM, "access": {**PLATFORM["access"], "https_port": 8444}}, "Platform")
    done = program.run("up", "-s", "dev", "--yes", "--skip-preview", check=False)
    assert done.returncode != 0
    told = said(done) + done.stderr
    assert "https_port" in told
    assert "httpsPort" in told
    assert "Traceback" not in told


def test_the_engine_reads_the_whole_schema(program: Sim, tmp_path: Path) -> None:
    """`package get-schema` binds it: a reference to no type, or a type that is not one, is an error there."""
    plugin = tmp_path / "programs" / "pulumi-resource-llm"
    done = program.run("package", "get-schema", str(plugin))
    read = json.loads(done.stdout)
    recorded = json.loads((Path(__file__).parents[1] / "golden" / "schema.json").read_text())
    for section in ("types", "resources"):
        assert set(read[section]) == set(recorded[section])
    for token, row in recorded["types"].items():
        assert set(read["types"][token]["properties"]) == set(row["properties"])
