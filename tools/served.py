"""Asks the pinned vLLM what the classes of tests/catalog/data/served.json weigh and keep.

    PYTHON tools/served.py [NAME ...]    one line of JSON for each row that vLLM's own class gives the figures of

PYTHON is an interpreter as `tools/model_shapes.py` wants it. Classes that come with the weights have no configuration
in transformers: the file's own settings are all that there is. Run by hand, when a release moves; name a class with
experts first, as vLLM makes the group that they need but once.
"""

from __future__ import annotations

import json
import os
import sys
import warnings
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

TOP = Path(__file__).resolve().parent.parent
ROWS = TOP / "tests/catalog/data/served.json"


def register(kind: str) -> None:
    """Make a configuration for a model type that neither transformers nor vLLM has one for."""
    import torch
    from transformers import AutoConfig, PretrainedConfig
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING
    from vllm.transformers_utils.config import _CONFIG_REGISTRY

    if kind in CONFIG_MAPPING or kind in _CONFIG_REGISTRY:
        return

    class Plain(PretrainedConfig):  # type: ignore[misc]
        model_type = kind
        attribute_map = {"num_hidden_layers": "num_layers"} if kind == "exaone" else {}

        def __init__(self, **settings: Any) -> None:
            for name, value in settings.items():
                if name.endswith("_config") and name != "quantization_config" and isinstance(value, dict):
                    known = value.get("model_type") in CONFIG_MAPPING  # it is lazy: `get` finds nothing
                    settings[name] = (CONFIG_MAPPING[value["model_type"]] if known else PretrainedConfig)(**value)
                    settings[name].dtype = torch.bfloat16
            for name in ("max_position_embeddings", "num_hidden_layers"):  # asked for before they are set
                if name in settings:
                    setattr(self, name, settings[name])
            super().__init__(**settings)
            if "block_configs" in settings:  # as the class that comes with these weights has them
                whole = json.dumps(settings["block_configs"])
                self.block_configs = json.loads(whole, object_hook=lambda each: SimpleNamespace(**each))

        def to_dict(self) -> dict[str, Any]:
            blocks = self.__dict__.pop("block_configs", None)
            try:
                return dict(super().to_dict())
            finally:
                if blocks is not None:
                    self.block_configs = blocks

        def get_text_config(self, *_: Any, **__: Any) -> Any:
            return getattr(self, "text_config", self)

    AutoConfig.register(kind, Plain, exist_ok=True)


def asked(config: dict[str, Any], device: str = "meta") -> dict[str, Any]:
    """Parameters of all and of the text part, and what a request keeps."""
    import torch
    from model_shapes import OTHER_PARTS, cache
    from vllm.model_executor.model_loader import utils

    register(config["model_type"])
    counted: Counter[str] = Counter()
    build = utils.initialize_model

    def built(**given: Any) -> torch.nn.Module:
        model = build(**given)
        counted.clear()  # a model that sees or hears builds its text part in here, which is counted with the whole
        seen = {id(parameter): (name, parameter.numel()) for name, parameter in model.named_parameters()}
        for name, size in seen.values():
            counted["other" if OTHER_PARTS.search(name) else "text"] += size
        return model

    utils.initialize_model = built
    try:
        kept = cache(config, device)
    finally:
        utils.initialize_model = build
    return {"whole": counted.total(), "text": counted["text"], "cache": kept}


def main() -> None:
    """Print what vLLM says of each row."""
    warnings.filterwarnings("ignore")
    os.environ |= {"TRANSFORMERS_VERBOSITY": "error", "HF_HUB_OFFLINE": "1", "VLLM_LOGGING_LEVEL": "ERROR"}
    os.environ |= {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_NO_USAGE_STATS": "1"}
    sys.path.insert(0, str(TOP / "components"))
    rows = json.loads(ROWS.read_text(encoding="utf-8"))["classes"]
    for name, row in rows.items():
        if "cache" not in row or (sys.argv[1:] and name not in sys.argv[1:]):
            continue
        try:
            said = asked(row["config"])
        except Exception as error:
            said = {"error": repr(error)[:200]}
        print(json.dumps({"name": name, **said}), flush=True)


if __name__ == "__main__":
    main()
