"""Rules that demand a value of an input: encryption, metadata tokens, what stopping does, and the like."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pulumi_llm._plan.model import PlannedResource
from pulumi_llm._review.policy_model import Breach, View, is_hidden, is_unknown, parts
from pulumi_llm._review.policy_table import Demand, policy_table, user_data_of
from pulumi_llm._texts import Text, _


def demanding(code: str) -> Callable[[View], Iterator[Breach]]:
    """The rule that every demand of the table under that code is met."""

    def rule(view: View) -> Iterator[Breach]:
        by_type: dict[str, list[Demand]] = {}
        for row in policy_table().demands:
            if row.code == code:
                by_type.setdefault(row.type, []).append(row)
        for each in view.plan.resources:
            for demand in by_type.get(each.type, ()):
                yield from _unmet(each, demand)

    rule.__doc__ = f"What the table demands under {code} holds."
    return rule


disk_not_encrypted = demanding("policy.disk-not-encrypted")
metadata_without_token = demanding("policy.metadata-without-token")
shutdown_destroys = demanding("policy.shutdown-destroys")
disk_dies_with_machine = demanding("policy.disk-dies-with-machine")
public_load_balancer = demanding("policy.public-load-balancer")
public_storage = demanding("policy.public-storage")
_password_input = demanding("policy.password-login")


def password_login(view: View) -> Iterator[Breach]:
    """Nobody logs in with a password: none is set, and user data does not allow it."""
    yield from _password_input(view)
    form = policy_table().secrets["password_user_data"]
    for each in view.plan.resources:
        machine = policy_table().machines.get(each.type)
        for path, text in user_data_of(machine, each.inputs) if machine else ():
            for line in lines_of(form, text):
                yield Breach(
                    each.urn, _("line {line} allows logins with a password", line=line), "ssh_pwauth: false", path=path
                )


def disk_not_protected(view: View) -> Iterator[Breach]:
    """A data disk is protected, so that no change and no `destroy` takes its data along."""
    for each in view.plan.resources:
        if each.type not in policy_table().data_disks or each.protect:
            continue
        message = _("nothing stops a change, or `destroy`, from deleting the disk with its data")
        maker = view.by_urn.get(each.parent)
        if maker is None or not maker.type.startswith("llm:index:"):
            yield Breach(each.urn, message, _("the resource option protect: true"))
        elif maker.inputs.get("protect") is not False:  # who says false has decided
            yield Breach(each.urn, message, _("`protect: true`; or `protect: false`, where the data may go"))


def cannot_be_had(view: View) -> Iterator[Breach]:
    """What one would demand, and the cloud or its package does not offer."""
    for each in view.plan.resources:
        for row in policy_table().cannot:
            if row["type"] == each.type:
                yield Breach(each.urn, Text(row["message"]), Text(row["hint"]))


def lines_of(form: str, text: str) -> Iterator[int]:
    """The numbers of the lines in which something of that form begins."""
    yield from sorted({text.count("\n", 0, match.end()) + 1 for match in re.finditer(form, text)})


def _unmet(resource: PlannedResource, demand: Demand) -> Iterator[Breach]:
    inputs = resource.inputs
    if not all(is_unknown(inputs.get(key)) or inputs.get(key) in values for key, values in demand.when.items()):
        return
    if any(_value(inputs, path) in values for path, values in demand.or_.items()):
        return
    if demand.set_too is not None and inputs.get(demand.set_too):
        return
    for path, part in parts(inputs, f"{demand.each}[]") if demand.each else [("", inputs)]:
        value = _value(part, demand.at) if isinstance(part, Mapping) else part
        if value is None and demand.unless is not None and inputs.get(demand.unless):
            continue
        where = ".".join(filter(None, (path, demand.at)))
        fault = policy_table().faults[demand.code]
        if is_unknown(value) or (is_hidden(value) and None not in demand.good):
            message = _("whether {what} {fault} is not in the plan", what=Text(demand.what), fault=Text(fault))
            yield Breach(resource.urn, message, Text(demand.set), path=where, undecided=True)
        elif value not in demand.good:
            said = _(" (not set, and that is the default)") if value is None else ""
            yield Breach(
                resource.urn,
                _("{what} {fault}{said}", what=Text(demand.what), fault=Text(fault), said=said),
                Text(demand.set),
                path=where,
            )


def _value(part: Mapping[str, Any], path: str) -> Any:
    return next((value for __, value in parts(part, path)), None)
