"""Changes each setting of each class in turn, and writes down what transformers builds then.

    PYTHON tools/changed_settings.py    writes tests/catalog/data/changes.json, and prints where we say otherwise

PYTHON is an interpreter as `tools/model_shapes.py` wants it. A class is built without weights from one small shape, and
once more for each of its settings: a switch turned over, a number doubled and halved, what is not given given. So a
setting that weighs and that nothing here reads is found, whatever it is called. A change that the class does not take
is left out, and so is one of no weight. Run by hand, when a release moves; it takes a minute.
"""

from __future__ import annotations

import dataclasses
import json
import os
import random
import sys
import tempfile
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

TOP = Path(__file__).resolve().parent.parent
CHANGES = TOP / "tests/catalog/data/changes.json"
ENCODERS = ("bert", "roberta", "xlm-roberta")
LAYERS = 4

EXCUSED = {
    **{(kind, "tie_word_embeddings"): "vLLM serves encoders without a head" for kind in ENCODERS},
    ("deepseek_v4", "n_shared_experts"): "transformers builds one shared expert whatever is said; vLLM as many as said",
    ("zamba2", "tie_word_embeddings"): "transformers counts shared blocks once a layer then; vLLM shares them",
}
"""Where we say otherwise than transformers, and why."""

UNCOUNTED = {"longcat_flash"}
"""Of which transformers counts experts that have no weights: tests/catalog/test_shapes.py holds its published total."""


def altered(value: object, kinds: str) -> Iterator[object]:
    """Other values for a setting: `kinds` says which types its class takes."""
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, int):
        yield value * 2 or 1
        if value >= LAYERS and value % 2 == 0:
            yield value // 2
    elif value is None:
        yield from (True,) if "bool" in kinds else ()
        yield from (64, 2) if "int" in kinds else ()


def built(name: str, kind: str, given: dict[str, Any]) -> int:
    """Parameters that the class has with these settings."""
    import torch
    import transformers
    from model_shapes import count
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    with torch.device("meta"):
        model = getattr(transformers, name)(CONFIG_MAPPING[kind](**given))
    if kind in ENCODERS:
        return sum(each.numel() for each in model.parameters())
    return count(model)


def ours(name: str, kind: str, given: dict[str, Any]) -> float | None:
    """What we say of a file with these settings; None: nothing."""
    from pulumi_llm.catalog import model_from_config
    from pulumi_llm.errors import Refusal

    with tempfile.TemporaryDirectory() as home:
        text = json.dumps({"architectures": [name], "model_type": kind, **given})
        (Path(home) / "config.json").write_text(text, encoding="utf-8")
        try:
            found = model_from_config(Path(home)).parameters_b
        except Refusal:
            return None
    return None if found is None else found * 1e9


def base(kind: str) -> Iterator[dict[str, Any]]:
    """Small shapes to begin with: the second is for classes that do not take the first."""
    from model_shapes import aliases, fields, variants

    own, small = fields(kind), list(variants(kind, random.Random(7)))[2]
    layers = {each: LAYERS for each in aliases(kind)("num_hidden_layers") if each in own}
    yield {**small, **layers}
    yield {name: value for name, value in small.items() if name in ("tie_word_embeddings", "pad_token_id")}


def tried(name: str, kind: str) -> dict[str, Any] | None:
    """A class's row: the shape to begin with, its parameters, and those after each change that weighs."""
    from model_shapes import fields
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    kinds = {each.name: str(each.type) for each in dataclasses.fields(CONFIG_MAPPING[kind])}
    for given in base(kind):
        try:
            plain = built(name, kind, given)
        except Exception as error:
            print(f"{kind}: {error!r}"[:160], file=sys.stderr)
            continue
        changes = []
        for key, value in fields(kind).items():
            if key.endswith("_token_id") or isinstance(value, float | str | dict):
                continue
            for other in altered(given.get(key, value), kinds.get(key, "")):
                try:
                    number = built(name, kind, {**given, key: other})
                except Exception:
                    continue  # the class does not take it
                said = ours(name, kind, {**given, key: other})
                if (kind, key) in EXCUSED:
                    continue
                if said is not None and abs(said / number - 1) > 0.01:
                    print(f"{kind}: {key} {other}: {number:,} by transformers, {said:,.0f} by us", file=sys.stderr)
                if abs(number / plain - 1) > 0.001:
                    changes.append([key, other, number])
        return {"architecture": name, "config": given, "parameters": plain, "changes": changes}
    return None


def main() -> None:
    """Write the file."""
    warnings.filterwarnings("ignore")
    os.environ |= {"TRANSFORMERS_VERBOSITY": "error", "HF_HUB_OFFLINE": "1"}
    sys.path[:0] = [str(TOP / "tools"), str(TOP / "components")]
    import model_shapes
    from transformers import __version__

    known = json.loads(model_shapes.CLASSES.read_text(encoding="utf-8"))["classes"]
    rows: dict[str, Any] = {}
    for name, kind in model_shapes.architectures():
        alone = model_shapes.text_part(kind)[0] is None
        if kind in known and kind not in {*rows, *UNCOUNTED} and alone and ("ForCausalLM" in name or kind in ENCODERS):
            row = tried(name, kind)
            rows |= {} if row is None else {kind: row}
    head = {
        "about": "Classes in one small shape, and what each setting that weighs changes: [name, value, parameters].",
        "source": f"transformers {__version__} on the meta device (tools/changed_settings.py)",
        "source_date": datetime.now(UTC).date().isoformat(),
    }
    body = ",\n".join(f"  {json.dumps(kind)}: {json.dumps(row)}" for kind, row in sorted(rows.items()))
    CHANGES.write_text(json.dumps(head, indent=1)[:-2] + ',\n "classes": {\n' + body + "\n }\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
