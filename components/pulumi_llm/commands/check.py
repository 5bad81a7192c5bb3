"""`pulumi-llm check MODEL --gpu G`: does a model work on a GPU, with the numbers, and what would.

Exit 0: it works; 1: it does not; 2: called wrongly, or a name that is not known.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from pulumi_llm import catalog
from pulumi_llm.commands import DONE, REFUSED, Parser, UsageError, guarded, number, one_of, whole
from pulumi_llm.commands._node_size import with_user_data
from pulumi_llm.preflight.engine import engine
from pulumi_llm.preflight.report import check
from pulumi_llm.preflight.request import FitRequest

PROG = "pulumi-llm check"


def run(argv: Sequence[str]) -> int:
    """Print the verdict, as text or JSON."""
    return guarded(PROG, lambda: _run(argv))


def _run(argv: Sequence[str]) -> int:
    asked = _parser().parse(argv)
    report = with_user_data(check(_request(asked)))
    if asked.json:
        sys.stdout.write(json.dumps(report.for_json(), indent=2, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write(str(report))
    return DONE if report.ok else REFUSED


def _request(asked: argparse.Namespace) -> FitRequest:
    if not asked.model:
        raise UsageError(f"name a model: {PROG} Qwen/Qwen2.5-7B-Instruct --gpu A10, or give the path of a config.json")
    if asked.gpu is None:
        raise UsageError(
            f"name a GPU with --gpu; `pulumi-llm offers --model {asked.model}` lists those that it fits on"
        )
    if asked.concurrency and asked.max_num_seqs and asked.concurrency > asked.max_num_seqs:
        raise UsageError(
            f"--concurrency {asked.concurrency} contradicts --max-num-seqs {asked.max_num_seqs}, with which vLLM lets "
            f"the others wait: --max-num-seqs {asked.concurrency} or more, or neither"
        )
    if asked.region is not None and asked.cloud is None:
        raise UsageError("--region needs --cloud: several clouds have regions of the same name")
    if asked.zone is not None and asked.region is None:
        raise UsageError("--zone needs --region, whose zone it is")
    if asked.instance_type is not None and asked.region is None:
        raise UsageError("--instance-type needs --region, where it is to be")
    if asked.cloud is not None:
        catalog.load().cloud(asked.cloud)
        if asked.region is not None:
            catalog.load().region(asked.cloud, asked.region)
    return FitRequest(
        model=asked.model,
        from_config=_is_path(asked.model),
        gpu=catalog.load().gpu(asked.gpu).name,
        gpu_count=asked.gpu_count,
        cloud=asked.cloud,
        region=asked.region,
        zone=asked.zone,
        instance_type=asked.instance_type,
        quantization=asked.quantization,
        dtype="half" if asked.dtype == "float16" else asked.dtype,
        max_model_len=asked.max_model_len,
        concurrency=asked.concurrency,
        gpu_memory_utilization=asked.gpu_memory_utilization,
        max_num_seqs=asked.max_num_seqs,
        kv_cache_dtype=asked.kv_cache_dtype,
        driver=asked.driver,
        model_disk_gib=asked.model_disk_gib,
    )


def _is_path(model: str) -> bool:
    """Whether a model is given by its config.json, or the folder of it, rather than by its id."""
    return model.endswith(".json") or model.startswith((".", "/", "~")) or Path(model).is_dir()


def _tokens(text: str) -> int:
    """Tokens as vLLM reads them: 8192, 8K (of 1024) or 8k (of 1000)."""
    found = re.fullmatch(r"([0-9]{1,9})([kK]?)", text)
    value = int(found[1]) * {"": 1, "k": 1000, "K": 1024}[found[2]] if found else 0
    if not 1 <= value <= 100_000_000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of tokens such as 8192 or 8K")
    return value


def _parser() -> Parser:
    release = engine()
    methods = [*release.quantizations, *release.removed_quantizations]
    parser = Parser(PROG, __doc__)
    add = parser.add_argument
    add("model", nargs="?", help="a model's id, or the path of a config.json")
    add("--gpu", help="a GPU, such as T4 or A100-80GB")
    add("--gpu-count", type=whole(1, 64), default=1, metavar="N", help="GPUs in one machine (default: 1)")
    add("--cloud", help="aliyun, tencent or aws")
    add("--region", help="a region of that cloud")
    add("--zone", help="a zone of that region")
    add("--instance-type", metavar="T", help="a machine of that region (default: the cheapest that carries the GPUs)")
    add("--quantization", type=one_of("quantization", methods), metavar="Q", help="default: as the files are stored")
    add("--dtype", type=one_of("dtype", ["auto", "half", "float16", "bfloat16"]), default="auto", metavar="D")
    add("--max-model-len", type=_tokens, metavar="N", help="tokens of prompt and answer together")
    add("--concurrency", type=whole(1, 100_000), metavar="N", help="requests of that length that must fit at once")
    add("--gpu-memory-utilization", type=number(0, 1), default=0.9, metavar="U", help="default: 0.9")
    add("--max-num-seqs", type=whole(1, 100_000), metavar="N", help="default: vLLM's for the GPU")
    kinds = ["auto", "fp8", "fp8_e4m3", "fp8_e5m2"]
    add("--kv-cache-dtype", type=one_of("dtype of a KV cache", kinds), default="auto", metavar="D")
    add("--driver", type=whole(300, 2000), metavar="N", help="the branch of a driver that is there, such as 570")
    add("--model-disk-gib", type=whole(1, 100_000), metavar="N", help="GiB of the disk for the weights")
    add("--json", action="store_true", help="the verdict as JSON")
    return parser
