"""A review as JSON, and whether it passes a gate.

docs/review.md tells the format.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict
from typing import Any

from pulumi_llm._review.impact import impact_table
from pulumi_llm._review.stack_review import StackReview
from pulumi_llm.errors import Finding

FORMAT = 1
GATES = ("errors", "warnings", "changes", "callers", "dearer", "never")
"""What `--fail-on` takes besides the names of impacts, each of which stands for itself and everything worse."""


def gates() -> tuple[str, ...]:
    """Every name that a gate can have."""
    return (*GATES, *impact_table().order[:-1])


def failed(reviews: Iterable[StackReview], asked: Collection[str]) -> list[str]:
    """The gates that the reviews do not pass. A program that refuses passes none but ``never``."""
    found: dict[str, None] = {}
    for each in reviews:
        if each.refused and "never" not in asked:
            found["errors"] = None
        for gate in asked:
            if _fails(each, gate):
                found[gate] = None
    return list(found)


def _fails(review: StackReview, gate: str) -> bool:
    severities = {each.severity for each in review.findings}
    if gate == "errors":
        return "error" in severities
    if gate == "warnings":
        return bool(severities & {"error", "warning"})
    if gate == "changes":
        return review.changed
    if gate == "callers":
        return bool(review.broken)
    if gate == "dearer":
        return review.difference is not None and review.difference.per_month.cny > 0
    if gate == "never":
        return False
    limit = impact_table().order.index(gate)
    opens = bool(review.opened or review.closed) and limit >= impact_table().order.index("in-place")
    return opens or any(row.impact.rank <= limit for row in review.changes.rows)


def to_json(reviews: Sequence[StackReview], base: dict[str, str] | None, not_passed: Sequence[str]) -> dict[str, Any]:
    """The reviews as JSON-ready data, in the format above."""
    return {"format": FORMAT, "base": base, "failed": list(not_passed), "stacks": [_stack(each) for each in reviews]}


def _stack(review: StackReview) -> dict[str, Any]:
    changes = review.changes
    worst = changes.worst
    bill = review.bill
    return {
        "stack": review.stack,
        "project": review.project,
        "source": review.source,
        "refused": [_finding(each) for each in review.refused],
        "resources": changes.resources,
        "worst": worst.code if worst else None,
        "asked": [{"path": path, "before": before, "after": after} for path, before, after in changes.asked],
        "changes": [
            {
                key: getattr(each, key)
                for key in ("node", "urn", "type", "resource", "operation", "what", "before", "after")
            }
            | {"impact": each.impact.code, "note": each.impact.note, "source": each.impact.source}
            | {"services": list(each.services), "files": list(each.files)}
            for each in changes.rows
        ],
        "texts": [_plain(each, "node", "resource", "name", "before", "after") for each in changes.texts],
        "opened": [_plain(each, "node", "port", "source") for each in review.opened],
        "closed": [_plain(each, "node", "port", "source") for each in review.closed],
        "callers": [
            {"node": each.node, "kind": each.kind, "what": list(each.what), "now": list(each.now)}
            for each in review.broken
        ],
        "growths": [asdict(each) for each in review.growths],
        "capacities": [asdict(each) for each in review.capacities],
        "machines": [
            _plain(each, "node", "kind", "cloud", "region", "zone", "instance_type") for each in review.machines
        ],
        "bill": {
            "per_month": bill.per_month.to_json(),
            "at_least": bill.at_least,
            "fewest_per_month": bill.fewest.per_month.to_json() if bill.fewest else None,
        }
        if bill
        else None,
        "difference": review.difference.to_json() if review.difference else None,
        "findings": [_finding(each) for each in review.findings],
    }


def _plain(thing: object, *keys: str) -> dict[str, Any]:
    return {key: getattr(thing, key) for key in keys}


def _finding(each: Finding) -> dict[str, str]:
    return {key: str(getattr(each, key)) for key in ("code", "severity", "message", "hint", "where")}
