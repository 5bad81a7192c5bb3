"""`pulumi-llm render -s STACK --out DIR`: write each machine's user data to DIR/<machine>/user-data.yaml.

Exit 0: done. Exit 1: the program refuses, or a file cannot be written. Exit 2: called wrongly, or there is no such
project or stack.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from pulumi_llm import _files
from pulumi_llm.commands import DONE, WRONG_CALL, Parser, guarded
from pulumi_llm.errors import Finding, Refusal
from pulumi_llm.plan.capture import capture_stack
from pulumi_llm.texts import _

PROG = "pulumi-llm render"


def run(argv: Sequence[str]) -> int:
    """Write the files and name them. See the module for the exit codes."""
    return guarded(PROG, lambda: _run(argv), WRONG_CALL)


def _run(argv: Sequence[str]) -> int:
    parser = Parser(PROG, __doc__)
    parser.add_argument("-s", "--stack", required=True)
    parser.add_argument("--out", type=Path, required=True, help="the folder to write to")
    parser.add_argument("--project", type=Path, default=Path(), help="a folder in the project (default: this one)")
    asked = parser.parse(argv)
    for machine, text in sorted(capture_stack(asked.project, asked.stack).user_data().items()):
        path = asked.out / machine / "user-data.yaml"
        try:
            _files.write_text(path, text, below=asked.out)
        except OSError as wrong:
            raise Refusal(
                [
                    Finding(
                        "render.unwritable", _("{path} cannot be written: {problem}", path=path, problem=wrong.strerror)
                    )
                ]
            ) from None
        sys.stdout.write(f"{path}  ({len(text.encode()):,} bytes)\n")
    return DONE
