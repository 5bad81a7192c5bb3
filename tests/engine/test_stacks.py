"""Every shipped stack, from the first preview to the last trace of it, by the real engine."""

from __future__ import annotations

from pathlib import Path

import pytest

from pulumi_llm import _simcloud as simcloud
from tests.engine.sim import Sim
from tests.shipped import STACKS

pytestmark = pytest.mark.engine

OTHER_GPU = {
    "aliyun-t4": {"gpu": "A10"},
    "aliyun-a100": {"gpu_count": 2},
    "tencent-t4": {"gpu": "A10"},
    "tencent-a100": {"gpu_count": 2},
    "aws-t4": {"gpu": "A10G"},
    "aws-a100": {"gpu": "A100-80GB"},
}
"""Another GPU for the same stack, where the catalogue has one in the same region."""


@pytest.fixture(params=STACKS)
def sim(request: pytest.FixtureRequest, tmp_path: Path) -> Sim:
    return Sim.of_stack(tmp_path, request.param)


def machine(sim: Sim) -> dict[str, object]:
    found = [each for urn, each in sim.state().items() if "::llm-server-machine-" in urn]
    assert len(found) == 1
    return {key: found[0][key] for key in ("id", "inputs", "outputs")}


def of_machine(changes: dict[str, str]) -> list[str]:
    """What happens to the GPU machine. A machine in another zone is another resource: one goes, one comes."""
    return sorted(op for name, op in changes.items() if name.startswith("llm-server-machine-"))


def test_preview_up_and_destroy_of_a_shipped_stack(sim: Sim) -> None:
    before = (sim.project / "stacks" / f"Pulumi.{sim.stack}.yaml").read_bytes()
    previewed = sim.preview()
    assert set(previewed.summary) == {"create"}
    made = sim.up()
    assert made == previewed.summary, "preview and up disagree"
    outputs = sim.outputs()
    assert outputs["endpoint"].startswith("https://")
    assert outputs["endpoint"].endswith("/v1")
    assert "BEGIN CERTIFICATE" in outputs["certificate_authority"]
    assert outputs["api_keys"]["default"].startswith("sk-")
    assert "gpt-6-luna" in outputs["models"]

    assert sim.up() == {}, "a second up changes something"

    first = machine(sim)
    sim.edit("server.context_length", 2048)
    previewed = sim.preview()
    # The two components record what was asked; of what exists at a cloud or on a node, only the settings change.
    in_place = dict.fromkeys(("llm", "llm-server", "llm-server-settings", "llm-server-apply"), "update")
    assert previewed.changes == in_place
    assert sim.up() == previewed.summary
    assert machine(sim) == first, "a change of context length touched the GPU machine"

    sim.faults = ["image-date:20271231"]
    assert sim.preview().changes == {}, "a newer image changes something without being asked for"
    sim.faults = []

    for key, value in OTHER_GPU[sim.stack].items():
        sim.edit(f"server.{key}", value)
    previewed = sim.preview()
    assert of_machine(previewed.changes) in (["update"], ["create", "delete"])
    assert sim.up() == previewed.summary, "preview and up disagree about the change of GPU"
    assert machine(sim)["inputs"]["instanceType"] != first["inputs"]["instanceType"]  # type: ignore[index]

    sim.destroy()
    assert sim.state() == {}
    assert simcloud.left_over(sim.home) == []
    assert before != b""


@pytest.mark.parametrize("cloud", ["aliyun", "aws", "tencent"])
def test_asking_for_a_newer_image_makes_another_machine(cloud: str, tmp_path: Path) -> None:
    sim = Sim.of_stack(tmp_path, f"{cloud}-t4")
    sim.up()
    sim.edit("server.renew", True)
    sim.faults = ["image-date:20271231"]
    changes = sim.preview().changes
    assert of_machine(changes) == ["replace"]
    assert changes["llm-server-settings"] == "replace", "a fresh system disk has to be told everything again"
    assert "llm-server-disk" not in changes, "the model disk outlives the machine"
    sim.up()
    sim.destroy()
    assert simcloud.left_over(sim.home) == []
