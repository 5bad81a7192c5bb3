"""The three steps beyond one machine, each a shipped stack: up, a change in place, and away, by the real engine."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from pulumi_llm import _simcloud as simcloud
from pulumi_llm._commands import find
from tests.engine.sim import Sim
from tests.shipped import FLEET, STEPS

pytestmark = pytest.mark.engine

ENGINES = {
    "aws-replicas": "aws:ec2/instance:Instance",
    "aws-nodes": "aws:ec2/instance:Instance",
    "aws-fleet": "aws:eks/nodeGroup:NodeGroup",
}
"""What of each step there are two of: machines, and the groups of nodes with and without GPUs."""
OF_MACHINES = {
    "status": [], "stop": ["--yes"], "start": ["--yes"], "recover": ["--yes"], "usage": [], "keys": ["list"],
    "vectors": ["list"], "snapshots": ["list"],
}  # fmt: skip
"""Commands about a platform's machines, with what each needs besides the stack's name."""


def types(sim: Sim) -> list[str]:
    return [each["type"] for each in sim.state().values()]


@pytest.mark.parametrize("stack", STEPS)
def test_a_step_comes_up_changes_in_place_and_goes_without_a_trace(stack: str, tmp_path: Path) -> None:
    sim = Sim.of_stack(tmp_path, stack)
    previewed = sim.preview()
    assert set(previewed.summary) == {"create"}
    assert sim.up() == previewed.summary, "preview and up disagree"
    assert sim.up() == {}, "a second up changes something"
    assert types(sim).count(ENGINES[stack]) == 2
    outputs = sim.outputs()
    assert outputs["endpoint"].startswith("https://")
    assert outputs["api_keys"]["default"].startswith("sk-")
    assert "BEGIN CERTIFICATE" in outputs["certificate_authority"]
    sim.edit(f"{'' if stack == FLEET else 'server.'}keys.default.requests_per_minute", 7)
    assert set(sim.preview().summary) == {"update"}, "a limit replaces or makes something"
    sim.destroy()
    assert sim.state() == {}
    assert simcloud.left_over(sim.home) == []


def test_a_comment_on_a_fleet_has_the_disks_of_its_nodes_by_the_engines_own_preview(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sim = Sim.of_stack(tmp_path, FLEET)
    preview = tmp_path / "preview.json"
    preview.write_text(json.dumps(sim.preview().digest))
    assert find("comment").run(["--preview", str(preview), "--project", str(sim.project)]) == 0
    shown = capsys.readouterr().out
    for pool in ("gpu", "system"):
        assert re.search(rf"`llm-{pool}` \| \+ 2 x disk, \d+ GiB gp3 \| \+[\d.]+ ", shown), pool


def test_commands_about_machines_say_what_does_it_for_a_fleet(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sim = Sim.of_stack(tmp_path, "aws-fleet")
    for name, words in OF_MACHINES.items():
        own = [words[0], *words[1:]] if words and not words[0].startswith("-") else words
        assert find(name).run([*own, "-s", "aws-fleet", "--project", str(sim.project)]) == 1, name
        shown = capsys.readouterr()
        assert shown.out == ""
        assert "fleet.no-command" in shown.err, name
        assert "Traceback" not in shown.err
    for name, option in (("monitoring", "--out"), ("render", "--out"), ("bundle", "--to")):
        folder = tmp_path / name
        called = ["-s", "aws-fleet", "--project", str(sim.project), option, str(folder)]
        assert find(name).run(called) == 1, name
        assert "fleet.no-command" in capsys.readouterr().err
        assert not folder.exists()


def test_of_a_platform_beside_it_they_are_not_refused_for_that(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sim = Sim.of_stack(tmp_path, "aws-nodes")
    out = tmp_path / "out"
    assert find("render").run(["-s", "aws-nodes", "--project", str(sim.project), "--out", str(out)]) == 0
    assert list(out.iterdir())
