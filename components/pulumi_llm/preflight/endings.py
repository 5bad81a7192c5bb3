"""Models that their vendors switch off: a warning, not a refusal, as another server may go on serving the name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

from pulumi_llm._texts import _
from pulumi_llm.errors import Finding

if TYPE_CHECKING:
    from pulumi_llm.spec import UpstreamSpec

NOTICE_DAYS = 90
"""How long before its end a model is warned of."""


def ending_models(upstreams: Mapping[str, UpstreamSpec], today: date) -> list[Finding]:
    """A warning for each model that has ended by ``today``, or ends within 90 days: ``upstream.model-ended``,
    ``upstream.model-ends``.

    A price or a ``base_url`` of one's own changes nothing: the name is the vendor's, and who serves it after the end
    is for the reader to know.
    """
    from pulumi_llm import catalog
    from pulumi_llm.spec import vendor_of

    known = catalog.load().endings
    found = []
    for name in sorted(upstreams):
        vendor = vendor_of(name, upstreams[name])
        for model in dict.fromkeys(upstreams[name].models):
            row = known.get((vendor, model))
            if row is None or (row.day - today).days > NOTICE_DAYS:
                continue
            hint = (
                _("models: [{instead}], which {vendor} names in its place", instead=row.instead, vendor=vendor)
                if row.instead
                else ""
            )
            if row.day <= today:
                told = Finding(
                    "upstream.model-ended",
                    _("{vendor} switched {model} off on {ends}", vendor=vendor, model=model, ends=row.ends),
                    hint,
                )
            else:
                told = Finding(
                    "upstream.model-ends",
                    _("{vendor} switches {model} off on {ends}", vendor=vendor, model=model, ends=row.ends),
                    hint,
                )
            found.append(replace(told, severity="warning", where=f"upstreams.{name}.models"))
    return found
