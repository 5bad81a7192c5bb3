"""Models that their vendors switch off: a warning, not a refusal, as another server may go on serving the name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

from pulumi_llm._texts import _
from pulumi_llm.errors import Finding

if TYPE_CHECKING:
    from pulumi_llm.catalog.rows import Ending
    from pulumi_llm.spec import UpstreamSpec

NOTICE_DAYS = 90
"""How long before its end a model is warned of."""


def ending_models(
    upstreams: Mapping[str, UpstreamSpec], today: date, notice_days: int | None = NOTICE_DAYS
) -> list[Finding]:
    """A warning for each model that has ended by ``today``, or ends within ``notice_days`` (None: ever):
    ``upstream.model-ended``, ``upstream.model-ends``.

    A price or a ``base_url`` of one's own changes nothing: the name is the vendor's, and who serves it after the end
    is for the reader to know.
    """
    rows = endings_of(upstreams)
    return [
        told(row, today, name) for name, row in rows if notice_days is None or (row.day - today).days <= notice_days
    ]


def endings_of(upstreams: Mapping[str, UpstreamSpec]) -> list[tuple[str, Ending]]:
    """The ends that are known of the upstreams' models, each with its upstream's name."""
    from pulumi_llm import catalog
    from pulumi_llm.spec import vendor_of

    known = catalog.load().endings
    return [
        (name, known[key])
        for name in sorted(upstreams)
        for model in dict.fromkeys(upstreams[name].models)
        if (key := (vendor_of(name, upstreams[name]), model)) in known
    ]


def told(row: Ending, today: date, upstream: str) -> Finding:
    """The warning of one end."""
    vendor, model, ends = row.vendor, row.model, row.ends
    hint = (
        _("models: [{instead}], which {vendor} names in its place", instead=row.instead, vendor=vendor)
        if row.instead
        else ""
    )
    if row.day <= today:
        message = _("{vendor} switched {model} off on {ends}", vendor=vendor, model=model, ends=ends)
        found = Finding("upstream.model-ended", message, hint)
    else:
        message = _("{vendor} switches {model} off on {ends}", vendor=vendor, model=model, ends=ends)
        found = Finding("upstream.model-ends", message, hint)
    return replace(found, severity="warning", where=f"upstreams.{upstream}.models")
