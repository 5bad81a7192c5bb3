"""Both revisions of the stacks, compared: the body of `pulumi-llm diff`."""

from __future__ import annotations

import contextlib
import sys
from argparse import Namespace
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial

from pulumi_llm import catalog
from pulumi_llm._commands import _review as shared
from pulumi_llm._plan import project as projects
from pulumi_llm._plan.capture import capture_stack
from pulumi_llm._plan.forecast import Forecast
from pulumi_llm._review import policy
from pulumi_llm._review.base import Base, plans_at
from pulumi_llm._review.stack_review import StackReview, refusal, review
from pulumi_llm._texts import _
from pulumi_llm.errors import Finding, Refusal, UnknownName, nearest


def run(asked: Namespace) -> int:
    """Print the comment, or the JSON. Gives the exit code."""
    shared.check_gates(asked.fail_on)
    project = projects.find(asked.project)
    stacks = list(dict.fromkeys(asked.stack or project.stacks()))
    if not stacks:
        hint = _("a file Pulumi.<stack>.yaml in {stack_folder}", stack_folder=project.stack_folder)
        raise Refusal(
            [Finding("diff.no-stacks", _("the project {project} has no stack's file", project=project.name), hint)]
        )
    warm = partial(_warm, project, stacks)
    base = plans_at(asked.base, asked.project, stacks, asked.base_python, meanwhile=warm)
    known = {*project.stacks(), *base.stacks}
    for each in stacks:  # a stack needs no file, but one that is nearly another's name is a typing error
        if each not in known and nearest(each, known):
            raise UnknownName("stack.unknown", _("stack"), each, known)
    reviews = [_one(project, each, base) for each in stacks]
    return shared.write(reviews, asked, {"name": base.name, "commit": base.commit})


def _warm(project: projects.Project, stacks: Sequence[str]) -> None:
    """Load what the program needs while the other process is at work: the SDKs take longer than all the rest."""
    present = [each for each in stacks if each in project.stacks()] or stacks
    with contextlib.suppress(Exception), contextlib.redirect_stdout(sys.stderr):
        capture_stack(project.folder, present[0])


def _one(project: projects.Project, stack: str, base: Base) -> StackReview:
    if stack not in project.stacks() and stack in base.stacks:
        message = _("the stack's file is there at {base} and gone now; nothing destroys what it made", base=base.name)
        return refusal(
            stack,
            [Finding("diff.stack-gone", message, _("`pulumi destroy -s {stack}` before the file goes", stack=stack))],
        )
    forecast = Forecast(base.plans.get(stack))
    notes = list(base.notes)
    if stack in base.refused:
        first = base.refused[stack][0]
        message = _(
            "the program at {base} refuses ({code}: {message}): all of it is shown as new",
            base=base.name,
            code=first.code,
            message=first.message,
        )
        notes.append(Finding("diff.base-refused", message, severity="warning"))
    elif stack not in base.plans:
        notes.append(
            Finding("diff.new-stack", _("{base} has no such stack: all of it is new", base=base.name), severity="info")
        )
    try:
        with contextlib.redirect_stdout(sys.stderr):  # what the program itself prints is not part of the comment
            after = capture_stack(project.folder, stack, forecast)
        settings = policy.of_stack(project.folder, stack)
    except Refusal as refused:
        return refusal(stack, refused.findings)
    except Exception as failed:  # the program's own mistake
        words = _("the program fails with {name}: {failed}", name=type(failed).__name__, failed=failed)
        return refusal(
            stack, [Finding("diff.program-failed", words, _("`pulumi-llm plan -s {stack}` shows where", stack=stack))]
        )
    after.notes[:0] = notes
    comparison = forecast.comparison(after)
    return review(comparison, catalog.load(), policy=settings, today=datetime.now(UTC).date())
