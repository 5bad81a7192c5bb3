"""What a plan shows comes in the same order each time, in the same process or in another."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_a_plan_is_the_same_text_in_every_process(form: tuple[str, ...]) -> None:
    command = [sys.executable, "-m", "pulumi_llm.cli", "plan", "-s", "aliyun-t4", *form]
    told = {
        subprocess.run(
            command, cwd=ROOT, env={**os.environ, "PYTHONHASHSEED": seed}, check=True, capture_output=True, text=True
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(told) == 1
    if form:
        outputs = list(json.loads(told.pop())["outputs"])
        assert outputs == sorted(outputs)
