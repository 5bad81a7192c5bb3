"""What vLLM makes of texts with each of these models, one after the other in one process: OUT TEXTS FOLDER…

TEXTS is a JSON list; into OUT go, by folder, the vectors of the texts, or the marks of all of them against the first.
"""

import json
import sys
from pathlib import Path

from vllm import LLM
from vllm.distributed import cleanup_dist_env_and_memory


def numbers(folder: str, texts: list[str]) -> list[list[float]]:
    """A vector for each text, or a mark."""
    model = LLM(folder, runner="pooling", dtype="float32", max_model_len=64, enforce_eager=True, max_num_seqs=8)
    try:
        if "SequenceClassification" in (Path(folder) / "config.json").read_text():
            return [[each.outputs.score] for each in model.score(texts[0], texts)]
        return [list(each.outputs.embedding) for each in model.embed(texts)]
    finally:
        del model
        cleanup_dist_env_and_memory()


if __name__ == "__main__":
    made = {folder: numbers(folder, json.loads(sys.argv[2])) for folder in sys.argv[3:]}
    Path(sys.argv[1]).write_text(json.dumps(made))
