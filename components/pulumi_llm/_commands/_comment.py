"""The comment from previews that the engine made: the body of `pulumi-llm comment`."""

from __future__ import annotations

from argparse import Namespace
from datetime import UTC, datetime
from pathlib import Path

from pulumi_llm import catalog
from pulumi_llm._commands import _review as shared
from pulumi_llm._plan import preview
from pulumi_llm._plan.comparison import Comparison
from pulumi_llm._review import policy
from pulumi_llm._review.stack_review import StackReview, refusal, review
from pulumi_llm.errors import Refusal


def run(asked: Namespace) -> int:
    """Print the comment, or the JSON. Gives the exit code."""
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
