"""`pulumi-llm comment --preview FILE…`: the comment of `pulumi-llm diff`, from the engine's own `preview --json`.

For whoever has credentials and a state: `pulumi preview --json --show-sames > preview.json`, once for each stack. What
the program tells the engine to ignore (other boot instructions, say) is not in it. A preview that failed is told by its
errors, never by what it planned before them. Options and exit codes are those of `pulumi-llm diff`; policy settings are
read from the project that one stands in, where there is one.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from pulumi_llm import catalog
from pulumi_llm.commands import Parser, guarded
from pulumi_llm.commands import _review as shared
from pulumi_llm.errors import Refusal
from pulumi_llm.plan import preview
from pulumi_llm.plan.comparison import Comparison
from pulumi_llm.review import policy
from pulumi_llm.review.stack_review import StackReview, refusal, review

PROG = "pulumi-llm comment"


def run(argv: Sequence[str]) -> int:
    """Print the comment, or the JSON. See the module for the exit codes."""
    return guarded(PROG, lambda: _run(argv))


def _run(argv: Sequence[str]) -> int:
    asked = _parser().parse(argv)
    shared.check_gates(asked.fail_on)
    return shared.write([_one(path, asked.project) for path in asked.preview], asked, None)


def _one(path: Path, project: Path) -> StackReview:
    try:
        comparison = preview.read(path)
    except preview.PreviewFailed as failed:
        return refusal(failed.stack or path.stem, failed.findings)
    return review(comparison, catalog.load(), policy=_settings(project, comparison), today=datetime.now(UTC).date())


def _settings(project: Path, comparison: Comparison) -> policy.Settings:
    try:
        return policy.of_stack(project, comparison.after.stack)
    except Refusal as refused:
        if {each.code for each in refused.findings} <= {"project.not-found", "project.unreadable"}:
            return policy.Settings()
        raise


def _parser() -> Parser:
    parser = Parser(prog=PROG, description="One comment from the engine's `preview --json --show-sames`.")
    parser.add_argument(
        "--preview",
        required=True,
        nargs="+",
        action="extend",
        type=Path,
        metavar="FILE",
        help="one file for each stack",
    )
    parser.add_argument("--project", type=Path, default=Path(), help="where policy settings are (default: this folder)")
    shared.add_options(parser)
    return parser
