"""Upstreams of the model server's own, by the real engine: their keys, and what a change of them does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.engine.sim import Sim

pytestmark = pytest.mark.engine

HOME = {
    "qwen": {"models": ["qwen3.8-max"]},
    "our-eas": {
        "vendor": "pai-eas",
        "base_url": "http://1234567890.vpc.cn-beijing.pai-eas.aliyuncs.com/api/predict/chat/v1",
        "models": ["Qwen3-8B"],
    },
}


def test_a_stack_with_upstreams_at_home_comes_up_and_changes_them_in_place(tmp_path: Path) -> None:
    sim = Sim.of_stack(tmp_path, "aliyun-t4")
    sim.edit("server.upstreams", HOME)
    made = sim.up()
    assert set(made) == {"create"}
    assert {"qwen3.8-max", "Qwen3-8B", "gpt-6-luna"} <= set(sim.outputs()["models"])
    assert sim.up() == {}, "a second up changes something"
    settings = next(each for urn, each in sim.state().items() if urn.endswith("::llm-server-settings"))
    told = json.dumps(settings)
    assert "https://dashscope.aliyuncs.com/compatible-mode/v1" in told
    assert "upstream_our_eas" in told
    key = sim.run("config", "get", "ourEasApiKey", "-s", sim.stack).stdout.strip()
    assert len(key) > 10
    assert key not in json.dumps(sim.state())

    sim.edit("server.upstreams", {"qwen": HOME["qwen"]})
    previewed = sim.preview()
    in_place = dict.fromkeys(("llm", "llm-server", "llm-server-settings", "llm-server-apply"), "update")
    assert previewed.changes == in_place
    sim.up()
    assert "Qwen3-8B" not in sim.outputs()["models"]
