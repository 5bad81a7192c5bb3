"""A refresh as text and as JSON: what changed, what is sold out, what went wrong."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from pulumi_llm._language import tr
from pulumi_llm._refresh.merge import Change
from pulumi_llm._refresh.run import Outcome
from pulumi_llm._texts import _, listed
from pulumi_llm.catalog import ENVIRONMENT
from pulumi_llm.errors import Finding

SCREEN = 40
"""Lines of changes, and of sold-out types, that are shown as text; JSON has all."""


def as_json(outcome: Outcome) -> dict[str, Any]:
    """The outcome for programs. Prices are per hour, as text with their currency."""
    return {
        "directory": str(outcome.directory),
        "written": outcome.written,
        "complete": outcome.complete,
        "asked": outcome.asked,
        "skipped": outcome.skipped,
        "prices": sum(each.price is not None for each in outcome.observations),
        "spot_prices": sum(each.spot is not None for each in outcome.observations),
        "changes": [asdict(each) for each in outcome.changes],
        "sold_out": [
            dict(zip(("cloud", "region", "zone", "instance_type"), each, strict=True)) for each in outcome.sold_out
        ],
        "findings": [_finding(each) for each in outcome.findings],
    }


def as_text(outcome: Outcome) -> str:
    """The outcome for people; findings are told apart, on standard error."""
    lines = [f"{name}: skipped, {why}" for name, why in sorted(outcome.skipped.items())]
    if not outcome.written:
        lines.append(tr("nothing was fetched, and nothing was written"))
        return "\n".join(lines) + "\n"
    prices = sum(each.price is not None for each in outcome.observations)
    spot = sum(each.spot is not None for each in outcome.observations)
    offers = sum(bool(each.zones) for each in outcome.observations)
    lines.append(
        tr(
            "{request}: {offers} offers, {prices} list prices, {spot} spot prices; {count} changes",
            request=listed(outcome.asked),
            offers=offers,
            prices=prices,
            spot=spot,
            count=len(outcome.changes),
        )
    )
    lines += [f"  {_line(each)}" for each in outcome.changes[:SCREEN]]
    lines += _more(len(outcome.changes))
    sold_out = outcome.sold_out
    if sold_out:
        lines.append(tr("sold out when asked"))
        lines += [f"  {cloud} {zone}: {name}" for cloud, __, zone, name in sold_out[:SCREEN]]
        lines += _more(len(sold_out))
    lines.append(
        tr(
            "written to {directory}; to use it: export {environment}={directory}",
            directory=outcome.directory,
            environment=ENVIRONMENT,
        )
    )
    return "\n".join(lines) + "\n"


def _more(count: int) -> list[str]:
    return [tr("  {count} more; --json has them all", count=count - SCREEN)] if count > SCREEN else []


def _line(each: Change) -> str:
    what = f"{each.cloud} {each.region} {each.instance_type}"
    if each.kind in ("price", "spot"):
        kind = _("spot price") if each.kind == "spot" else "price"
        percent = "" if each.factor is None else f" ({(each.factor - 1) * 100:+.1f} %)"
        return tr(
            "{what}: {kind} {before} -> {after} per hour{percent}",
            what=what,
            kind=kind,
            before=each.before,
            after=each.after,
            percent=percent,
        )
    if each.kind == "offered":
        return tr("{what}: now offered, in {after}", what=what, after=each.after)
    if each.kind == "withdrawn":
        return tr("{what}: not offered any more", what=what)
    return f"{what}: zones {each.before or 'all'} -> {each.after}"


def _finding(each: Finding) -> dict[str, str]:
    return {"code": each.code, "severity": each.severity, "message": each.message, "hint": each.hint}
