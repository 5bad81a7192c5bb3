"""`pulumi-llm comment --preview FILE…`: the comment of `pulumi-llm diff`, from the engine's own `preview --json`.

For whoever has credentials and a state: `pulumi preview --json --show-sames > preview.json`, once for each stack. What
the program tells the engine to ignore (other boot instructions, say) is not in it. A preview that failed is told by its
errors, never by what it planned before them. Options and exit codes are those of `pulumi-llm diff`; policy settings are
read from the project that one stands in, where there is one.
"""

from __future__ import annotations

from pathlib import Path

from pulumi_llm._commands import EVERY, Command, option
from pulumi_llm._commands._options import REVIEW
from pulumi_llm._texts import _

COMMAND = Command(
    name="comment",
    help="the same comment from the engine's own `preview --json`",
    about=_("One comment from the engine's `preview --json --show-sames`."),
    options=(
        option(
            "--preview",
            required=True,
            nargs="+",
            action="extend",
            type=Path,
            metavar="FILE",
            help="one file for each stack",
        ),
        option("--project", type=Path, default=Path(), help="where policy settings are (default: this folder)"),
        *REVIEW,
    ),
    wrong_call=EVERY,
)
