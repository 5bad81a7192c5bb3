"""What the real engine makes of `protect`: nothing goes until the author takes it back, in an `up` of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engine.sim import Sim

pytestmark = pytest.mark.engine


def test_a_protected_disk_stops_a_destroy_before_anything_goes_and_lets_go_when_told(tmp_path: Path) -> None:
    sim = Sim.of_stack(tmp_path, "aws-t4")

    def say(value: bool) -> None:
        file = sim.project / "stacks/Pulumi.aws-t4.yaml"
        text = file.read_text(encoding="utf-8")
        file.write_text(text.replace(f"protect: {str(not value).lower()}", f"protect: {str(value).lower()}"))

    say(True)
    sim.up()
    before = sim.state()

    done = sim.run("destroy", "-s", sim.stack, "--yes", check=False)
    assert done.returncode != 0
    assert "llm-server-disk" in done.stdout + done.stderr
    assert "protect" in done.stdout + done.stderr
    assert sim.state().keys() == before.keys()

    # Without the preview some of the rest is gone by the time that the engine comes to the disks.
    done = sim.run("destroy", "-s", sim.stack, "--yes", "--skip-preview", check=False)
    assert done.returncode != 0
    left = {urn.rsplit("::", 1)[-1] for urn in sim.state()}
    assert {"llm-server-disk", "llm-proxy-disk"} <= left

    say(False)
    sim.up()
    sim.run("destroy", "-s", sim.stack, "--yes", "--skip-preview")
    assert not [urn for urn in sim.state() if "disk" in urn]
