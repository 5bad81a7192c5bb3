"""A stack's picture as it stands, without a change: what a pull request's comment draws, with nothing new in it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from pulumi_llm import catalog
from pulumi_llm._plan.capture import capture_stack
from pulumi_llm._plan.comparison import Comparison
from pulumi_llm._plan.forecast import Forecast
from pulumi_llm._review.comment import Language, words_of
from pulumi_llm._review.picture import mermaid
from pulumi_llm._review.stack_review import review


def portrait(folder: Path, stack: str, language: Language = "en") -> str:
    """The Mermaid text of the stack in the project at ``folder``; empty where it makes no machine.

    The program runs as if `up` had been carried out, so that the machines' own addresses are told from those of others.
    Raises Refusal as the program does.
    """
    plan = capture_stack(folder, stack, Forecast(None))
    drawn = review(Comparison(plan, plan), catalog.load(), today=datetime.now(UTC).date()).picture
    return mermaid(drawn, words_of(language).content["kinds"]) + "\n" if drawn else ""
