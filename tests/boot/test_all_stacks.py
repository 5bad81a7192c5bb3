"""Every other shipped stack, booted: its GPU host and its proxy end ready, with flags, images and disks as rendered."""

from __future__ import annotations

from pathlib import Path

import pytest

from pulumi_llm import simcloud
from tests.boot.stack import BootedStack
from tests.engine.sim import STACKS

pytestmark = [pytest.mark.boot, pytest.mark.boot_all]


@pytest.mark.parametrize("name", [each for each in STACKS if each != "aliyun-t4"])
def test_a_shipped_stack_boots_answers_and_goes_without_a_trace(name: str, tmp_path: Path) -> None:
    booted = BootedStack.up(tmp_path, name)
    try:
        assert booted.client("complete", **booted.access, model=booted.outputs["model"])["tokens"] == 8
        served = booted.client("models", **booted.access)
        assert served == sorted(booted.outputs["models"])
        booted.sim.destroy()
        assert simcloud.left_over(booted.sim.home) == []
        assert not booted.world.folder.exists()
        assert not booted.world.is_alive
    finally:
        if booted.world.folder.exists():
            booted.world.destroy()
