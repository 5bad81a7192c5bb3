"""A comparison as text: a table of prices per month, where machines and services cost the same, notes and sources."""

from __future__ import annotations

from collections.abc import Iterator

from pulumi_llm._compare.comparison import Comparison, short
from pulumi_llm._compare.machines import Machine
from pulumi_llm._compare.services import Service
from pulumi_llm._language import told, tr
from pulumi_llm._review.money import Amounts, plain
from pulumi_llm._tables import aligned
from pulumi_llm._texts import _, listed

INDENT = "  "
HEAD = (_("a month"), "", "CNY", "USD", _("price of"))
NUMBERS = {2, 3}

Source = tuple[str, str]
"""The day of a price, and where it is known from."""


def text(found: Comparison) -> str:
    """All of it, as lines."""
    sources = _sources(found)
    parts = [
        [*_head(found)],
        _table(found, sources),
        [*_break_even(found)],
        [*_rate(found)],
        [tr("notes:"), *_notes(found)],
        [
            tr("sources:"),
            *(f"{INDENT}[{number}] {told(_day(day))}  {title}" for (day, title), number in sources.items()),
        ],
    ]
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


def _head(found: Comparison) -> Iterator[str]:
    month, rate = found.month, found.rate
    yield tr(
        "{model}: {input} tokens in and {output} out a month; a machine runs {hours} hours",
        model=found.wanted.model.id,
        input=short(month.input_tokens),
        output=short(month.output_tokens),
        hours=plain(month.hours),
    )
    yield tr(
        "list prices; 1 {base} = {rate} {quote} ({source_date})",
        base=rate.base,
        rate=rate.rate,
        quote=rate.quote,
        source_date=rate.source_date,
    )
    context = next((each.context for each in found.machines if each.context), None)
    if context is not None:
        yield tr(
            "on a machine a prompt and its answer have {context:,} tokens at most (--max-model-len)", context=context
        )


def _table(found: Comparison, sources: dict[Source, int]) -> list[str]:
    groups = (
        (_("your own machine"), [_machine(each, sources) for each in found.machines]),
        (_("managed service"), [_service(each, sources) for each in found.services if each.vendor.managed]),
        (_("vendor's API"), [_service(each, sources) for each in found.services if not each.vendor.managed]),
    )
    rows = [HEAD]
    for name, group in groups:
        rows += [(told(name), "", "", "", ""), *group] if group else []
    return aligned(rows, right=NUMBERS)


def _machine(each: Machine, sources: dict[Source, int]) -> tuple[str, str, str, str, str]:
    least = tr("at least") if each.at_least and each.per_month else ""
    return (f"{INDENT}{each.name}", least, *_figures(each.per_month), _numbered(_of_machine(each), sources))


def _service(each: Service, sources: dict[Source, int]) -> tuple[str, str, str, str, str]:
    return (f"{INDENT}{each.name}", "", *_figures(each.per_month), _numbered(_of_service(each), sources))


def _figures(amounts: Amounts | None) -> tuple[str, str]:
    if amounts is None:
        return tr("not known"), tr("not known")
    return f"{amounts.cny:,.2f}", f"{amounts.usd:,.2f}"


def _break_even(found: Comparison) -> Iterator[str]:
    month = found.month
    if not found.break_even:
        return
    head = _("both cost the same, with {share} of the tokens in", share=f"{month.input_tokens / month.tokens:.0%}")
    rows = [(head, "", _("tokens a month"))]
    for each in found.break_even:
        names = f"{INDENT}{each.service.name} = {each.machine.name}"
        rows.append((names, tr("at least") if each.at_least else "", short(each.tokens)))
    yield from aligned(rows, right={2})


def _rate(found: Comparison) -> Iterator[str]:
    month = found.month
    yield tr(
        "not known: whether one machine takes and writes so many tokens; no rate of a model on a card is known here"
    )
    yield tr(
        "the average over its hours is {input} tokens a second in and {output} out",
        input=f"{month.a_second(month.input_tokens):,.1f}",
        output=f"{month.a_second(month.output_tokens):,.1f}",
    )


def _notes(found: Comparison) -> Iterator[str]:
    noted: dict[str, list[str]] = {}  # what is said, and of whom
    for machine in found.machines:
        for said in _said_of_machine(machine):
            noted.setdefault(told(said), []).append(machine.name)
    for service in found.services:
        for said in filter(None, (service.why_unknown, *service.differs)):
            noted.setdefault(told(said), []).append(service.name)
    for said, names in noted.items():
        yield f"{INDENT}{told(listed(names))}: {said}"
    yield INDENT + tr("prices per token are the highest tier's; cached, batched and audio tokens are not reckoned with")
    if not any(each.chosen for each in found.services):
        yield INDENT + tr("a vendor's model of another name is compared where it is named: --with VENDOR/MODEL")


def _said_of_machine(each: Machine) -> Iterator[str]:
    if each.why_unknown is not None:
        yield each.why_unknown
    elif each.at_least:
        yield _(
            "not known, and not in its price: {missing}",
            missing=listed(line.what for line in each.lines if line.per_month is None),
        )
    if each.per_month is not None:
        old = sorted({line.price.source_date for line in each.lines if line.price and line.price.stale})
        if old:
            yield _("prices of {old} are more than a year old, or undated", old=listed(map(_day, old)))
    yield from (finding.message for finding in each.warnings)


def _sources(found: Comparison) -> dict[Source, int]:
    """Each source of a figure that is shown, with its number."""
    shown = [source for each in found.machines for source in _of_machine(each)]
    shown += [source for each in found.services for source in _of_service(each)]
    shown.append((found.rate.source_date, found.rate.source))
    return {source: number for number, source in enumerate(dict.fromkeys(shown), start=1)}


def _of_machine(each: Machine) -> list[Source]:
    if each.per_month is None:
        return []
    return list(dict.fromkeys((line.price.source_date, line.price.source) for line in each.lines if line.price))


def _of_service(each: Service) -> list[Source]:
    return [(each.price.source_date, each.price.source)] if each.price and each.per_month else []


def _numbered(shown: list[Source], sources: dict[Source, int]) -> str:
    return told(listed(f"{told(_day(source[0]))} [{sources[source]}]" for source in shown))


def _day(day: str) -> str:
    return _("undated") if day == "undated" else day
