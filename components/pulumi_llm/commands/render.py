"""`pulumi-llm render -s STACK --out DIR`: write each machine's user data to DIR/<machine>/user-data.yaml."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from pulumi_llm.errors import Finding, Refusal
from pulumi_llm.plan.capture import capture_stack


def run(argv: Sequence[str]) -> int:
    """Write the files and name them. Exit 0, or 1 where the program refuses or a file cannot be written."""
    parser = argparse.ArgumentParser(prog="pulumi-llm render", description=__doc__)
    parser.add_argument("-s", "--stack", required=True)
    parser.add_argument("--out", type=Path, required=True, help="the folder to write to")
    parser.add_argument("--project", type=Path, default=Path(), help="a folder in the project (default: this one)")
    asked = parser.parse_args(argv)
    for machine, text in sorted(capture_stack(asked.project, asked.stack).user_data().items()):
        path = asked.out / machine / "user-data.yaml"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        except OSError as wrong:
            raise Refusal([Finding("render.unwritable", f"{path} cannot be written: {wrong.strerror}")]) from None
        sys.stdout.write(f"{path}  ({len(text.encode()):,} bytes)\n")
    return 0
