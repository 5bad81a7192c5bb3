"""`pulumi-llm render -s STACK --out DIR`: write each machine's user data to DIR/<machine>/user-data.yaml.

Exit 0: done. Exit 1: the program refuses, or a file cannot be written. Exit 2: called wrongly, or there is no such
project or stack.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pulumi_llm import _system as system
from pulumi_llm._commands import DONE, WRONG_CALL, Command, option
from pulumi_llm._commands._options import PROJECT, STACK
from pulumi_llm._texts import _

if TYPE_CHECKING:
    from argparse import Namespace


def _render(asked: Namespace) -> int:
    from pulumi_llm import _files
    from pulumi_llm._plan.capture import capture_stack
    from pulumi_llm.errors import Finding, Refusal

    for machine, text in sorted(capture_stack(asked.project, asked.stack).user_data().items()):
        path = asked.out / machine / "user-data.yaml"
        try:
            _files.write_text(path, text, below=asked.out)
        except OSError as wrong:
            raise Refusal(
                [
                    Finding(
                        "render.unwritable",
                        _("{path} cannot be written: {problem}", path=path, problem=system.why(wrong)),
                    )
                ]
            ) from None
        sys.stdout.write(f"{path}  ({len(text.encode()):,} bytes)\n")
    return DONE


COMMAND = Command(
    name="render",
    help="write each machine's user data to files",
    about=__doc__,
    options=(STACK, option("--out", type=Path, required=True, help="the folder to write to"), PROJECT),
    body=_render,
    wrong_call=WRONG_CALL,
)
