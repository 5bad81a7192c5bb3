"""A GPU's machine that becomes a TPU's starts from the image for TPUs, though one that stands ignores other images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.engine.sim import Sim

pytestmark = pytest.mark.engine


def inputs(sim: Sim, kind: str) -> dict[str, Any]:
    (found,) = [each["inputs"] for each in sim.state().values() if each["type"] == f"gcp:compute/{kind}"]
    return dict(found)


def test_a_gpus_machine_becomes_a_tpus_and_a_gpus_again_each_from_its_own_image(tmp_path: Path) -> None:
    sim = Sim.of_stack(tmp_path, "aliyun-t4")
    file = sim.project / "stacks" / f"Pulumi.{sim.stack}.yaml"
    content = yaml.safe_load(file.read_text())
    for each in ("proxy", "vectors"):
        del content["config"]["pulumi-llm:platform"][each]
    file.write_text(yaml.safe_dump(content))
    for key, value in {"cloud": "gcp", "region": "europe-west4", "model": "Qwen/Qwen3-8B"}.items():
        sim.edit(f"server.{key}", value)
    addresses = []
    for gpu, image, disk in (
        ("L4", "ubuntu-2404-noble", "pd-balanced"),
        ("TPU-v6e", "ubuntu-accel-2204-amd64-tpu", "hyperdisk-balanced"),
        ("L4", "ubuntu-2404-noble", "pd-balanced"),
    ):
        sim.edit("server.gpu", gpu)
        sim.up()
        boot = inputs(sim, "instance:Instance")["bootDisk"]["initializeParams"]
        assert image in boot["image"]
        assert {boot["type"], inputs(sim, "disk:Disk")["type"]} == {disk}
        addresses.append(sim.outputs()["address"])
    assert addresses[0] != addresses[1] != addresses[2], "an address is handed from one machine to the next"
    sim.destroy()
    assert sim.state() == {}
