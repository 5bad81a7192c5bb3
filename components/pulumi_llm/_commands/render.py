"""`pulumi-llm render -s STACK --out DIR`: write each machine's user data to DIR/<machine>/user-data.yaml.

`pulumi-llm render --script MODEL --gpu G --out FILE` writes a shell script in its place, for a notebook to learn with:
the locked vLLM, the model's files, `vllm serve` with the flags of a node, on loopback and without keys. With -s STACK
and no MODEL it is made for each model server of the stack, and --out is a folder. See docs/notebook.md.

Exit 0: done. Exit 1: the program or the fit check refuses, or a file cannot be written. Exit 2: called wrongly, or
there is no such project or stack.
"""

from __future__ import annotations

from pathlib import Path

from pulumi_llm._commands import WRONG_CALL, Command, option
from pulumi_llm._commands._options import PROJECT
from pulumi_llm._commands._values import whole

COMMAND = Command(
    name="render",
    help="write each machine's user data to files, or a script for a notebook",
    about=__doc__,
    options=(
        option("model", nargs="?", help="with --script and without a stack: the model's id"),
        option("-s", "--stack", help="the stack"),
        option("--out", type=Path, required=True, help="the folder to write to; with a MODEL, the file"),
        PROJECT,
        option("--script", action="store_true", help="a script for a notebook to learn with, in place of user data"),
        option("--gpu", help="the notebook's GPU, such as T4"),
        option("--gpu-count", type=whole(1, 8), metavar="N", help="GPUs that it has (default: 1)"),
        option(
            "--max-model-len", type=whole(128, 100_000_000), metavar="N", help="tokens of prompt and answer together"
        ),
        option(
            "--country", metavar="CC", help="where the notebook is, such as cn or us, for what is near (default: us)"
        ),
        option("--hub", metavar="H", help="huggingface, hf-mirror, modelscope or KIND=URL (default: the country's)"),
    ),
    wrong_call=(*WRONG_CALL, "catalog.unknown-*", "catalog.ambiguous-*", "bootstrap.unknown-hub", "hub.bad-address"),
    of_machines="render",
)
