"""Serve a model for vectors, or one that ranks texts, on the machine's CPU: as vLLM would answer, on a loopback port.

It needs what vLLM's own environment has: torch, transformers, starlette, uvicorn, prometheus_client.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import torch
import transformers
import uvicorn
from model import MOST_WAITING, Model
from server import Server


def main(argv: Sequence[str] | None = None) -> None:
    """Load the model, then listen."""
    parser = argparse.ArgumentParser(prog="encoder", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--served-model-name", required=True)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--max-model-len", type=int)
    parser.add_argument("--threads", type=int, help="half of the processors: the others are for the models on GPUs")
    parser.add_argument("--max-waiting-tokens", type=int, default=MOST_WAITING, help="of all texts that wait")
    parser.add_argument("--trust-remote-code", action="store_true")
    asked = parser.parse_args(argv)
    torch.set_num_threads(asked.threads or max(1, len(os.sched_getaffinity(0)) // 2))
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    begun = time.monotonic()
    model = Model(asked.folder, asked.served_model_name, dtype=asked.dtype, window=asked.max_model_len,
                  code=asked.trust_remote_code, most=asked.max_waiting_tokens)  # fmt: skip
    how = f"pools by {model.pooling.kind}" if model.pooling else "ranks texts"
    sys.stdout.write(f"{asked.served_model_name}: {how}, {model.window} tokens, {torch.get_num_threads()} threads, "
          f"loaded in {time.monotonic() - begun:.1f} s\n")  # fmt: skip
    sys.stdout.flush()
    uvicorn.run(Server(model).app(), host=asked.host, port=asked.port, log_level="warning", access_log=False,
                timeout_graceful_shutdown=30)  # fmt: skip


if __name__ == "__main__":
    main()
