"""Rules about the account: tags, regions and money."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pulumi_llm import _json, catalog
from pulumi_llm._plan.model import PlannedResource
from pulumi_llm._provider_facts import table
from pulumi_llm._review.bill import Bill, make_bill
from pulumi_llm._review.item import Usage
from pulumi_llm._review.policy_model import Breach, View, is_hidden, is_unknown
from pulumi_llm._review.policy_settings import Budget
from pulumi_llm._review.table import cost_table
from pulumi_llm._texts import _, listed

COSTS = {"machine", "disk", "address"}


def missing_tag(view: View) -> Iterator[Breach]:
    """What costs money carries every tag of ``required_tags``, itself or by its provider's default tags."""
    for __, each in view.of_clouds():
        rule = cost_table().rules.get(each.type)
        if rule is None or rule.kind not in COSTS:
            continue
        name, facts = table.tags_of(each.type), table.find(each.type)
        tags = each.inputs.get(name)
        if is_unknown(tags) or is_hidden(tags) or (facts is not None and name not in facts.inputs):
            continue
        given = {**_default_tags(view.provider_of(each)), **_by_name(tags)}
        missing = [name for name in view.settings.required_tags if not given.get(name)]
        if missing:
            names = listed(missing)
            yield Breach(
                each.urn,
                _("the tags {names} must be set", names=names)
                if len(missing) > 1
                else _("the tag {names} must be set", names=names),
                f"{name}: {{{missing[0]}: …}}",
            )


def region_not_allowed(view: View) -> Iterator[Breach]:
    """Everything is in one of ``allowed_regions``; a cloud that is not listed there is not allowed at all."""
    allowed = view.settings.allowed_regions
    if not allowed:
        return
    by_region: dict[tuple[str, str | None], list[PlannedResource]] = {}
    for cloud, each in view.of_clouds():
        region = view.region_of(each)
        if region is None and table.is_everywhere(each.type):
            continue
        by_region.setdefault((cloud, region), []).append(each)
    for (cloud, region), found in by_region.items():
        names = {table.region_named(found[0].package, str(each)) for each in allowed.get(cloud, ())}
        others = _(" ({count} more there)", count=len(found) - 1) if len(found) > 1 else ""
        if region is None:
            message = _(
                "the plan does not say in which region of {cloud} this is made{others}", cloud=cloud, others=others
            )
            yield Breach(
                found[0].urn, message, _("an explicit provider, or the stack's region setting"), undecided=True
            )
        elif region not in names:
            what = _(
                "{cloud} {region} is none of the allowed regions{others}", cloud=cloud, region=region, others=others
            )
            yield Breach(
                found[0].urn,
                what,
                _("allowed: {names}", names=listed(sorted(names)) or _("nothing on {cloud}", cloud=cloud)),
            )


def over_budget(view: View) -> Iterator[Breach]:
    """What is known of the month's bill is within ``budget``."""
    for budget, bill in _bill(view):
        cost = bill.per_month.of(budget.currency)
        if cost > budget.per_month:
            least = _("at least ") if bill.at_least else ""
            yield Breach(
                "",
                _(
                    "the stack costs {least}{cost:,.2f} {currency} a month; the budget is {per_month:,.2f}",
                    least=least,
                    cost=cost,
                    currency=budget.currency,
                    per_month=budget.per_month,
                ),
                _("fewer hours, a smaller machine (`pulumi-llm offers`), or a new budget"),
            )


def budget_undecided(view: View) -> Iterator[Breach]:
    """No unknown price hides behind a bill that is within ``budget``."""
    for budget, bill in _bill(view):
        cost, count = bill.per_month.of(budget.currency), len(bill.unknown)
        if count and cost <= budget.per_month:
            prices = _("1 price is") if count == 1 else _("{count} prices are", count=count)
            yield Breach(
                "",
                _(
                    "what is known costs {cost:,.2f} of {per_month:,.2f} {currency} a month, but {prices} unknown",
                    cost=cost,
                    per_month=budget.per_month,
                    currency=budget.currency,
                    prices=prices,
                ),
                _("`pulumi-llm bill` names them; look up their prices and take them off the budget"),
            )


def _bill(view: View) -> Iterator[tuple[Budget, Bill]]:
    """The budget and the bill, where there is a budget."""
    budget = view.settings.budget
    if budget is not None:
        usage = Usage(running=budget.running_hours)
        yield (
            budget,
            make_bill(view.plan, catalog.load(), usage, today=view.today, default_regions=view.default_regions),
        )


def _by_name(tags: Any) -> Mapping[str, Any]:
    """Tags by their names: a map, a list of keys and values, or mere words, of which ours are `name:value`."""
    if isinstance(tags, (list, tuple)):
        words = dict(each.split(":", 1) for each in tags if isinstance(each, str) and ":" in each)
        return {
            **words,
            **{each["key"]: each.get("value") for each in tags if isinstance(each, Mapping) and "key" in each},
        }
    return tags if isinstance(tags, Mapping) else {}


def _default_tags(provider: Mapping[str, Any]) -> Mapping[str, Any]:
    """The tags that AWS's provider puts on everything; the engine sends them as JSON in a text."""
    given = provider.get("defaultTags")
    if isinstance(given, str):
        try:
            given = _json.loads(given)
        except ValueError:
            return {}
    tags = given.get("tags") if isinstance(given, Mapping) else None
    return tags if isinstance(tags, Mapping) else {}
