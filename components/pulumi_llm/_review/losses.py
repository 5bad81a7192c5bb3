"""Data that a change destroys: an error until somebody has said yes to it, by an exception with a reason."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from pulumi_llm._plan.comparison import Comparison
from pulumi_llm._plan.model import Plan
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
    agree = _(
        "copy the data first; to agree, an exception of diff.deletes-data for it in "
        "pulumi-llm.policy.yaml, with a reason and an end"
    )
    if _backed_up(comparison.before):
        agree = _(
            "`pulumi-llm vectors list -s {stack}` tells when the newest backup of the vectors was made, and `vectors "
            "backup` makes one; to agree, an exception of diff.deletes-data for it in pulumi-llm.policy.yaml, with a "
            "reason and an end",
            stack=comparison.before.stack,
        )
    for row in rows:
        if row.impact.code == "deletes-data":
            breach = Breach(
                row.urn,
                _("the change replaces it, and its data is lost")
                if row.operation == "replace"
                else _("the change deletes it, and its data is lost"),
                agree,
            )
            found.append(policy.judged(CODE, breach, view).finding)
    return found


def _backed_up(plan: Plan) -> bool:
    """Whether the stack had backups of its vectors before the change."""
    asked = (("llm:index:ModelServer", "vectors_backup"), ("llm:index:VectorStore", "backup"))
    return any(each.inputs.get(name) is not None for kind, name in asked for each in plan.of_type(kind))
