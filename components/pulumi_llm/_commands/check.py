"""`pulumi-llm check MODEL --gpu G`: does a model work on a GPU, with the numbers, and what would.

`--ends` and `--upstream` add `"ends"` to the JSON, as `pulumi-llm outlook` has them.

Exit 0: it works; 1: it does not, or a vendor has switched off a model of `--upstream`; 2: called wrongly, or a name
that is not known.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from pulumi_llm._commands import EVERY, Command, option
from pulumi_llm._commands._options import HUB
from pulumi_llm._commands._values import between, number, one_of, unfit, whole
from pulumi_llm._language import tr
from pulumi_llm._texts import _

DTYPES = ("auto", "half", "float16", "bfloat16")
CACHE_DTYPES = ("auto", "bfloat16", "float16", "fp8", "fp8_e4m3")
QUANTIZATIONS = ("awq", "gptq", "fp8", "mxfp4")
"""What a stack takes; of files that are stored in another way it says nothing, and vLLM reads it from them."""


def _methods() -> Iterable[str]:
    from pulumi_llm.preflight.engine import engine

    return [*QUANTIZATIONS, *engine().removed_quantizations]


def _tokens(text: str) -> int:
    """Tokens as vLLM reads them: 8192, 8K (of 1024) or 8k (of 1000)."""
    found = re.fullmatch(r"([0-9]{1,9})([kK]?)", text)
    value = int(found[1]) * {"": 1, "k": 1000, "K": 1024}[found[2]] if found else 0
    if not 1 <= value <= 100_000_000:
        raise unfit(tr("{text!r} is not a number of tokens such as 8192 or 8K", text=text))
    return value


COMMAND = Command(
    name="check",
    help="does a model fit on a GPU, and what would",
    about=__doc__,
    options=(
        option("model", nargs="?", help="a model's id in the catalogue or at a hub, or the path of a config.json"),
        *HUB,
        option("--gpu", help="a GPU, such as T4 or A100-80GB"),
        option("--gpu-count", type=whole(1, 64), default=1, metavar="N", help="GPUs in one machine (default: 1)"),
        option("--cloud", help="a cloud, such as aliyun"),
        option("--region", help="a region of that cloud"),
        option("--zone", help="a zone of that region"),
        option(
            "--instance-type",
            metavar="T",
            help="a machine of that region (default: the cheapest that carries the GPUs)",
        ),
        option(
            "--quantization",
            type=one_of("quantization", _methods),
            metavar="Q",
            help="default: as the files are stored",
        ),
        option("--dtype", type=one_of("dtype", DTYPES), default="auto", metavar="D"),
        option("--max-model-len", type=_tokens, metavar="N", help="tokens of prompt and answer together"),
        option(
            "--concurrency", type=whole(1, 100_000), metavar="N", help="requests of that length that must fit at once"
        ),
        option("--gpu-memory-utilization", type=number(0, 1), metavar="U", help="default: 0.9"),
        option(
            "--beside",
            action="append",
            default=[],
            metavar="MODEL[=SHARE]",
            help="another model on the same machine, with its share of the card, =own for a GPU of its own, or =cpu "
            "for the machine's memory; may be repeated",
        ),
        option(
            "--adapters", type=whole(1, 16), default=0, metavar="N", help="LoRA adapters that are served with the model"
        ),
        option("--adapter-rank", type=whole(1, 512), metavar="R", help="the largest rank of them (default: 16)"),
        option("--max-num-seqs", type=whole(1, 100_000), metavar="N", help="default: vLLM's for the GPU"),
        option("--kv-cache-dtype", type=one_of(_("dtype of a KV cache"), CACHE_DTYPES), default="auto", metavar="D"),
        option(
            "--driver", type=whole(300, 2000), metavar="N", help="the branch of a driver that is there, such as 570"
        ),
        option("--model-disk-gib", type=whole(1, 100_000), metavar="N", help="GiB of the disk for the weights"),
        option(
            "--fleet",
            type=between(0, 1_000_000),
            metavar="N[-M]",
            help="how many nodes N requests at once take, with --gpu-count GPUs for each copy, and what an hour costs; "
            "N-M: with copies that follow the load, at both ends",
        ),
        option(
            "--vectors",
            type=whole(1, 10_000_000_000),
            metavar="N",
            help="what each vector store needs for N vectors; with --dimensions, and without a model",
        ),
        option("--dimensions", type=whole(1, 1_000_000), metavar="D", help="numbers of each vector"),
        option(
            "--ends",
            action="store_true",
            help="also what is published against the things that such a server installs, and until when its system and "
            "driver are mended, as `pulumi-llm outlook` tells of a stack",
        ),
        option(
            "--upstream",
            action="append",
            default=[],
            metavar="VENDOR/MODEL",
            help="also when a vendor switches a model off, such as openai/gpt-4o; exit 1 where it has; may be "
            "repeated, and needs no MODEL",
        ),
        option("--json", action="store_true", help="the verdict as JSON"),
    ),
    wrong_call=EVERY,
)
