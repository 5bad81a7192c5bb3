"""How the commands reach a machine that exists: as its owner says, whatever runs on it that they ask for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pulumi_llm import _channel as channel
from pulumi_llm import _outputs as outputs
from pulumi_llm.errors import Refusal
from tests.ssh import samples

TOLD = {"address": "203.0.113.7", "ssh_private_key": "a key", "vectors_engine": "chroma"}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return written(tmp_path)


def written(folder: Path, **host: Any) -> Path:
    (folder / "Pulumi.yaml").write_text("name: own\nruntime: python\n")
    (folder / "Pulumi.at-home.yaml").write_text(json.dumps({"config": {"own:platform": samples.platform(**host)}}))
    return folder


def test_the_vectors_beside_a_model_are_reached_as_the_gateway_is(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outputs, "read", lambda *_, **__: TOLD)
    machine = channel.machine_of_vectors(TOLD, project, "at-home")
    assert machine == channel.machine_of(project, "at-home", "server")
    assert (machine.user, machine.host_key) == ("ubuntu", samples.HOST_KEY)


def test_an_agent_answers_for_a_machine_without_a_key_among_the_outputs(tmp_path: Path) -> None:
    project = written(tmp_path, agent=True, port=2222)
    told = {name: value for name, value in TOLD.items() if name != "ssh_private_key"}
    machine = channel.machine_of_vectors(told, project, "at-home")
    assert (machine.private_key, machine.port) == ("", 2222)


def test_a_stack_without_vectors_has_no_machine_of_them(project: Path) -> None:
    with pytest.raises(Refusal) as caught:
        channel.machine_of_vectors({**TOLD, "vectors_engine": None}, project, "at-home")
    assert [each.code for each in caught.value.findings] == ["channel.no-machine"]
