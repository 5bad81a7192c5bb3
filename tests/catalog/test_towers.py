"""The part that reads pictures is counted within 5 % of what transformers builds, or not at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pulumi_llm import catalog
from pulumi_llm.catalog.towers import other_parameters
from pulumi_llm.preflight import weights
from pulumi_llm.preflight.report import check
from pulumi_llm.preflight.request import FitRequest

DATA = Path(__file__).parent / "data"
TOWERS: list[dict[str, Any]] = json.loads((DATA / "towers.json").read_text(encoding="utf-8"))["towers"]
QWEN: dict[str, Any] = json.loads((DATA / "published.json").read_text(encoding="utf-8"))["models"][
    "whole: Qwen/Qwen3-VL-8B-Instruct"
]["config"]
VISION = next(row["vision_config"] for row in TOWERS if row.get("name") == "Qwen/Qwen3-VL-8B-Instruct")


def read(folder: Path, config: dict[str, Any]) -> catalog.Model:
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return catalog.model_from_config(folder)


@pytest.mark.parametrize("row", TOWERS, ids=[f"{row['model_type']}-{at}" for at, row in enumerate(TOWERS)])
def test_it_has_the_parameters_that_transformers_builds(row: dict[str, Any]) -> None:
    assert other_parameters(row, row["hidden"]) == pytest.approx(row["parameters"], rel=0.05)


def test_it_is_loaded_in_16_bit_beside_the_text_part(tmp_path: Path) -> None:
    model = read(tmp_path, {**QWEN, "vision_config": VISION})
    plain = read(tmp_path, {key: value for key, value in QWEN.items() if key != "vision_config"})
    assert model.other_parameters_b == pytest.approx(0.576, rel=0.01)
    assert not model.other_parts
    for method, bits in ((None, None), ("fp8", 8)):
        whole, text = (weights.weights_gib(each, method, bits) for each in (model, plain))
        assert whole is not None
        assert text is not None
        assert whole - text == pytest.approx(0.576e9 * 2 / 2**30, rel=0.02)


@pytest.mark.parametrize(
    "change",
    [
        {"audio_config": {"hidden_size": 1280}},
        {"vision_config": {**VISION, "depth": -3}},
        {"vision_config": {**VISION, "hidden_size": "wide"}},
        {"vision_config": {**VISION, "intermediate_size": 10**9, "hidden_size": 10**6}},
    ],
)
def test_what_is_not_counted_is_said(tmp_path: Path, change: dict[str, Any]) -> None:
    config = {**QWEN, "vision_config": VISION, **change}
    model = read(tmp_path, config)
    assert (model.other_parts, model.other_parameters_b) == (True, None)
    report = check(FitRequest(model=str(tmp_path), from_config=True, gpu="A100-80GB"))
    assert "fit.vision-not-counted" in {each.code for each in report.findings}
