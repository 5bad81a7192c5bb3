"""Data that a change destroys: an error until somebody has said yes to it, by an exception with a reason."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from pulumi_llm._plan.comparison import Comparison
from pulumi_llm._review import policy
from pulumi_llm._review.changes import Change
from pulumi_llm._review.policy_model import Breach, View
from pulumi_llm._texts import _
from pulumi_llm.errors import Finding

CODE = "diff.deletes-data"


def of(comparison: Comparison, rows: Iterable[Change], settings: policy.Settings, today: date) -> list[Finding]:
    """A finding for each disk or bucket that goes with its data."""
    view = View(comparison.after, settings, today)
    found = []
    for row in rows:
        if row.impact.code == "deletes-data":
            breach = Breach(
                row.urn,
                _("the change replaces it, and its data is lost")
                if row.operation == "replace"
                else _("the change deletes it, and its data is lost"),
                _(
                    "copy the data first; to agree, an exception of diff.deletes-data for it in "
                    "pulumi-llm.policy.yaml, with a reason and an end"
                ),
            )
            found.append(policy.judged(CODE, breach, view).finding)
    return found
