"""Data that a change destroys: an error until somebody has said yes to it, by an exception with a reason."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from pulumi_llm._plan.comparison import Comparison
from pulumi_llm._plan.model import Plan
from pulumi_llm._review import policy
from pulumi_llm._review.changes import Change
from pulumi_llm._review.policy_model import Breach, View
from pulumi_llm._review.table import cost_table
from pulumi_llm._texts import _
from pulumi_llm.errors import Finding

CODE = "diff.deletes-data"


def of(comparison: Comparison, rows: Iterable[Change], settings: policy.Settings, today: date) -> list[Finding]:
    """A finding for each disk or bucket that goes with its data, with what is known of copies of it.

    A review asks no cloud: which snapshot is the newest is for a command to tell.
    """
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
    copied, remade = _copied(comparison.before), _remade(comparison.after)
    for row in rows:
        if row.impact.code == "deletes-data":
            hint = agree
            if row.urn in copied:
                hint = _(
                    "snapshots of it are made on a schedule, and stay when it goes: `pulumi-llm snapshots list -s "
                    "{stack}` tells the newest; to agree, an exception of diff.deletes-data for it in "
                    "pulumi-llm.policy.yaml, with a reason and an end",
                    stack=comparison.before.stack,
                )
            snapshot = remade.get((row.type, _parent(comparison, row.urn)))
            message = (
                _("the change replaces it, and its data is lost")
                if row.operation == "replace"
                else _("the change deletes it, and its data is lost")
            )
            if snapshot:
                message = _(
                    "the change deletes it, and the disk in its place is made from the snapshot {snapshot}: what was "
                    "written after that is lost",
                    snapshot=snapshot,
                )
            found.append(policy.judged(CODE, Breach(row.urn, message, hint), view).finding)
    return found


def _parent(comparison: Comparison, urn: str) -> str:
    """The component that the resource belonged to before the change."""
    before = comparison.before.by_urn().get(urn)
    return before.parent if before is not None else ""


def _copied(plan: Plan) -> set[str]:
    """What a schedule of snapshots depends on: its disk among it."""
    rules = cost_table().rules
    schedules = [each for each in plan.resources if each.type in rules and rules[each.type].kind == "snapshots"]
    return {urn for each in schedules for urn in each.dependencies}


def _remade(plan: Plan) -> dict[tuple[str, str], str]:
    """The snapshot that a component's disk is made from, by its type and its component."""
    rules = cost_table().rules
    return {
        (each.type, each.parent): str(each.inputs["snapshotId"])
        for each in plan.resources
        if each.type in rules and rules[each.type].kind == "disk" and each.inputs.get("snapshotId")
    }


def _backed_up(plan: Plan) -> bool:
    """Whether the stack had backups of its vectors before the change."""
    asked = (("llm:index:ModelServer", "vectors_backup"), ("llm:index:VectorStore", "backup"))
    return any(each.inputs.get(name) is not None for kind, name in asked for each in plan.of_type(kind))
