"""Every other shipped stack, booted: its GPU host and its proxy end ready, with flags, images and disks as rendered."""

from __future__ import annotations

from pathlib import Path

import pytest

from pulumi_llm import _simcloud as simcloud
from tests.boot.stack import booted
from tests.shipped import STACKS

pytestmark = [pytest.mark.boot, pytest.mark.boot_all]


@pytest.mark.parametrize("name", [each for each in STACKS if each != "aliyun-t4"])
def test_a_shipped_stack_boots_answers_and_goes_without_a_trace(name: str, tmp_path: Path) -> None:
    with booted(tmp_path, name) as stack:
        assert stack.client("complete", **stack.access, model=stack.outputs["model"])["tokens"] == 8
        assert stack.client("models", **stack.access) == sorted(stack.outputs["models"])
        world = stack.world
        stack.sim.destroy()
        assert simcloud.left_over(stack.sim.home) == []
        assert not world.folder.exists()
        assert not world.is_alive
