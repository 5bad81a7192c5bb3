"""Stage `models`: the files of further models, one model after the other, as the stage `weights` fetches the main one.

What it fetches with is in every machine's user data, knows of one model alone, and speaks in the name of its stage:
user data is not to grow, so that it is told otherwise from here.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from llm_node import status, weights
from llm_node.system import node, run


class Told:
    """The module `status`, but for whose progress is noted."""

    def __init__(self, stage: str) -> None:
        self.stage = stage

    def __getattr__(self, name: str) -> Any:
        return getattr(status, name)

    def record(self, stage: str, state: str, **fields: Any) -> None:
        """Note it as this stage's."""
        status.record(self.stage if stage == "weights" else stage, state, **fields)


def main() -> None:
    """Fetch those that are not there yet."""
    known = node()
    if "bucket" in known:
        bucket = import_module("llm_node.bucket")
        for model in known["further"]:
            bucket.model("models", model)
        run("systemctl", "start", "--no-block", bucket.UNIT)
        return
    if "bundle" in known:
        for model in known["further"]:
            import_module("llm_node.bundle").model("models", model)
        return
    weights.status = Told("models")  # type: ignore[assignment]
    for model in known["further"]:
        weights.node = {**known, "model": model}.copy
        weights.main()
