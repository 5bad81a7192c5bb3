"""A platform on a machine that exists, from the first preview to the last trace of it, by the real engine."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.engine.sim import Sim
from tests.ssh.samples import CONTAINER, platform

pytestmark = pytest.mark.engine


def test_preview_up_change_and_destroy_on_a_machine_that_exists(tmp_path: Path) -> None:
    sim = Sim.of_stack(tmp_path, "own")
    content = {"config": {"pulumi-llm:platform": {**platform(agent=True), "protect": False}}}
    (sim.project / "stacks" / "Pulumi.own.yaml").write_text(yaml.safe_dump(content))
    previewed = sim.preview()
    assert sim.up() == previewed.summary, "preview and up disagree"
    assert sim.outputs()["address"] == "203.0.113.7"
    assert sim.up() == {}, "a second up changes something"
    sim.edit("server.context_length", 2048)
    changes = {name: op for name, op in sim.preview().changes.items() if op != "same"}
    # What the machine is told at first is no part of what changes: it stays taken.
    assert "llm-server-host" not in changes
    assert changes["llm-server-settings"] == changes["llm-server-apply"] == "update"
    sim.up()
    sim.destroy()
    assert [urn for urn in sim.state() if "::llm" in urn] == []


def test_a_container_is_told_again_where_that_is_asked_and_its_settings_stay(tmp_path: Path) -> None:
    sim = Sim.of_stack(tmp_path, "box")
    content = {"config": {"pulumi-llm:platform": {**platform(agent=True, **CONTAINER), "protect": False}}}
    (sim.project / "stacks" / "Pulumi.box.yaml").write_text(yaml.safe_dump(content))
    sim.up()
    assert sim.outputs()["endpoint"] == "https://203.0.113.7:6006/v1"
    assert sim.up() == {}, "a second up changes something"
    sim.edit("server.host.again", 1)
    changes = {name: op for name, op in sim.preview().changes.items() if op != "same"}
    assert changes["llm-server-host"] == "update"
    sim.up()
    sim.destroy()
    assert [urn for urn in sim.state() if "::llm" in urn] == []
