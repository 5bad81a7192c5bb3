"""Models of classes that came after the pinned transformers: the right number or none, and no server of theirs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pulumi_llm.preflight.report import check
from pulumi_llm.preflight.request import FitRequest

FILE = Path(__file__).parent / "data/later_classes.json"
ROWS: dict[str, dict[str, Any]] = {row["name"]: row for row in json.loads(FILE.read_text(encoding="utf-8"))["models"]}
COUNTED = {"exaone", "internlm3", "iquestcoder", "minicpm_ocr", "molmo2", "sarvam_mla", "sarvam_moe"}
"""Those of which we know the shape; all but one are classes of vLLM's that came with their weights until then."""

HEAD = {"minicpm_ocr": 248320 * 4096}
"""Its whole says that the head is the words, and its text part that it is not: the head is counted then."""


@pytest.mark.parametrize("name", ROWS)
def test_a_class_of_a_later_release_is_counted_right_or_not_at_all(tmp_path: Path, name: str) -> None:
    row = ROWS[name]
    (tmp_path / "config.json").write_text(json.dumps(row["config"]), encoding="utf-8")
    report = check(FitRequest(model=str(tmp_path), from_config=True, gpu="H200", gpu_count=8))
    model, codes = report.case.model, {each.code for each in report.findings}
    if name in COUNTED:
        wanted = row["parameters"] + HEAD.get(name, 0)
        assert model.parameters_b == pytest.approx(wanted / 1e9, rel=0.01)
        assert model.unknown_shape is None
    else:
        assert "fit.unknown-shape" in codes
        assert model.parameters_b is None
    served = name in COUNTED - {"minicpm_ocr"}
    assert served == ({"fit.unknown-architecture", "fit.needs-newer-vllm"}.isdisjoint(codes))
