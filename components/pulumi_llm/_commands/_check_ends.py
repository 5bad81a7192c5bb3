"""What ends or is published against a checked model's server, and which vendors' models end: as `outlook` tells."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from typing import Any

from pulumi_llm import catalog, spec
from pulumi_llm._commands import UsageError, meant
from pulumi_llm._commands import _outlook_text as text
from pulumi_llm._language import tr
from pulumi_llm._outlook import stack as outlook
from pulumi_llm._outlook.ends import WITHIN_DAYS, End, order
from pulumi_llm._outlook.software import node
from pulumi_llm._plan.model import Plan, PlannedResource
from pulumi_llm._texts import _

SERVER = "llm:index:ModelServer"


def ends_of(asked: Namespace, today: date | None = None) -> list[End]:
    """What is to be told, worst first: of a server on that GPU where a model is checked, and of vendors' models."""
    today = today or datetime.now(UTC).date()
    name = _("a server with it")
    found = outlook.programs([node(name, SERVER, {"gpu": asked.gpu})]) if asked.model else []
    # Python is the reader's own, and is told by `outlook`.
    found = [each for each in found if each.where or each.code != "outlook.support-ends"]
    found += _of_vendors(asked.upstream, today)
    return sorted(found, key=lambda each: order(each, today, WITHIN_DAYS))


def _of_vendors(named: Iterable[str], today: date) -> Iterator[End]:
    upstreams: dict[str, dict[str, Any]] = {}
    for each in named:
        vendor, model = _vendors_model(each)
        models = upstreams.setdefault(vendor, {"models": []})["models"]
        models += [] if model in models else [model]
    gateway = PlannedResource("urn", SERVER, "", "", False, {"upstreams": upstreams})
    told = list(outlook.models(Plan("", "", [gateway]), today))
    yield from told
    ending = {(each.where.split(".")[-2], each.name) for each in told}
    known = outlook.known()[0].as_of
    for vendor, upstream in upstreams.items():
        for model in upstream["models"]:
            if (vendor, model) not in ending:
                yield End(
                    code="outlook.no-end-known",
                    name=model,
                    message=_("no day on which {vendor} switches {model} off is known, as of {day}", vendor=vendor,
                              model=model, day=known or "?"),
                )  # fmt: skip


def _vendors_model(named: str) -> tuple[str, str]:
    """The vendor and the model that are meant, the model as its vendor writes it where its end is known.

    Raises UsageError, and Refusal for a name that no stack takes: `_outlook.stack` passes over what a stack has wrong,
    and the model would be told as one without an end.
    """
    vendors = {name.casefold(): name for name in catalog.load().upstreams}
    before, __, model = (part.strip() for part in named.partition("/"))
    vendor = vendors.get(before.casefold())
    if vendor is None:
        raise UsageError(
            _("--upstream {name!r} is no VENDOR/MODEL: {vendors}", name=named,
              vendors=meant(before, list(vendors.values())))
        )  # fmt: skip
    if not model:
        raise UsageError(
            _("--upstream {name!r} names no model of {vendor}'s: {vendor}/MODEL", name=named, vendor=vendor)
        )
    if not model.isprintable() or any(each.isspace() or each in ",;" for each in model):
        raise UsageError(_("--upstream {name!r} is not one VENDOR/MODEL: repeat it for each model", name=named))
    spec.parse(spec.UpstreamSpec, {"models": [model]})
    known = {name.casefold(): name for owner, name in catalog.load().endings if owner == vendor}
    return vendor, known.get(model.casefold(), model)


def over(ends: Iterable[End], today: date | None = None) -> bool:
    """Whether a vendor's model that was named is no more."""
    today = today or datetime.now(UTC).date()
    return any(each.code == "upstream.model-ended" and each.level(today) == "now" for each in ends)


def for_json(ends: Iterable[End], today: date | None = None) -> list[Mapping[str, Any]]:
    """As `outlook --json` has them."""
    today = today or datetime.now(UTC).date()
    return [each.to_json(today, WITHIN_DAYS) for each in ends]


def say(ends: list[End]) -> None:
    """Print them."""
    shown = Namespace(within=WITHIN_DAYS, accept=())
    lines = text.table(shown, ends, datetime.now(UTC).date()) or [tr("nothing that is known of")]
    sys.stdout.write("\n".join([tr("what ends, or is published against it:"), *lines]) + "\n")
