"""Writes the catalogue's rows of models that a class of transformers is documented with.

    PYTHONPATH=components python tools/class_rows.py

Such a class's defaults are the shape of the checkpoint that its documentation names. Laguna's and Mellum 2's add up to
what vLLM's recipes say, A.X K1's and Olmo Hybrid's to the 519 and 7 billion of their names; no config.json was read.
What transformers counts is in tests/catalog/data/shapes.json.
Run by hand, when a release of transformers brings new classes.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from pathlib import Path

from pulumi_llm.catalog import Model, model_from_config, own

TOP = Path(__file__).resolve().parent.parent
MODELS = TOP / "components/pulumi_llm/catalog/data/models.json"
SHAPES = TOP / "tests/catalog/data/shapes.json"
LABEL = "transformers"
TOLERANCE = 0.005

MELLUM = "shape of JetBrains/Mellum2-12B-A2.5B-Base; vLLM's recipe says 12 billion"
OF_CLASSES: dict[str, tuple[str, str]] = {
    "poolside/Laguna-XS.2": ("laguna", "vLLM's recipe says 33 billion"),
    "JetBrains/Mellum2-12B-A2.5B-Instruct": ("mellum", MELLUM),
    "JetBrains/Mellum2-12B-A2.5B-Thinking": ("mellum", MELLUM),
    "skt/A.X-K1": ("axk1", "519 billion by its name alone; read on 2026-11-29"),
    "allenai/Olmo-Hybrid-7B": ("olmo_hybrid", "7 billion by its name alone; read on 2026-11-29"),
}
"""Model type and note of each (transformers 5.19.0, models/*/configuration_*.py)."""


def row(name: str, title: str, day: str) -> Model:
    """One row. Raises ValueError where transformers counts otherwise than we do."""
    kind, note = OF_CLASSES[name]
    shapes = json.loads(SHAPES.read_text(encoding="utf-8"))["shapes"]
    plain = (each for each in shapes if each["config"].keys() == {"architectures", "model_type"})
    shape = next(each for each in plain if each["config"]["model_type"] == kind)
    with tempfile.TemporaryDirectory() as home:
        (Path(home) / "config.json").write_text(json.dumps(shape["config"]), encoding="utf-8")
        found = model_from_config(Path(home))
    counted = shape["parameters"] / 1e9
    if found.parameters_b is None or abs(found.parameters_b / counted - 1) > TOLERANCE:
        raise ValueError(f"{name}: {found.parameters_b} billion by us, {counted} by transformers")
    return replace(
        found,
        id=name,
        parameters_b=round(counted, 3),
        expert_parameters_b=found.expert_parameters_b and round(found.expert_parameters_b, 3),
        dtype="bfloat16",
        notes=note,
        source=title,
        source_date=day,
    )


def main() -> None:
    """Write the rows into the catalogue's file, after those that are there."""
    text = MODELS.read_text(encoding="utf-8")
    content = json.loads(text)
    told = content["sources"][LABEL]
    rows = {each["id"]: each for each in content["rows"]}
    for name in OF_CLASSES:
        rows[name] = {**own.row(row(name, told["title"], told["date"])), "source": LABEL}
        rows[name].pop("source_date", None)
    head = text[: text.index('"rows": [')]
    lines = ",\n".join(f"    {json.dumps(each, ensure_ascii=False)}" for each in rows.values())
    MODELS.write_text(f'{head}"rows": [\n{lines}\n  ]\n}}\n', encoding="utf-8")


if __name__ == "__main__":
    main()
