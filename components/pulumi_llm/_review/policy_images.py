"""Rules about images: what a machine starts from is named exactly, and does not change by itself."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pulumi_llm._review.policy_model import Breach, View, at, is_hidden, is_unknown
from pulumi_llm._review.policy_table import policy_table, user_data_of
from pulumi_llm._texts import Text, _


def image_not_pinned(view: View) -> Iterator[Breach]:
    """A machine's image is an id (written out or looked up), and no container in user data is ``:latest``."""
    latest = re.compile(policy_table().secrets["latest_image"])
    for each in view.plan.resources:
        machine = policy_table().machines.get(each.type)
        if machine is None:
            continue
        image = at(each.inputs, machine.image)
        known = isinstance(image, str) and not is_unknown(image) and not is_hidden(image)
        if known and not re.match(machine.form, str(image)):
            message = _("{image!r} is whichever image is the newest, not the id of one", image=image)
            yield Breach(each.urn, message, _("an image id, or a look-up whose result is ignored later"), machine.image)
        for path, text in user_data_of(machine, each.inputs):
            for name in dict.fromkeys(latest.findall(text)):
                yield Breach(
                    each.urn,
                    _("the container image {name} may be another one at each start", name=name),
                    _("a digest"),
                    path,
                )


def image_moves(view: View) -> Iterator[Breach]:
    """A machine whose image is looked up ignores later images: a newer one would replace or wipe it unasked."""
    table = policy_table()
    looking = {
        row["package"]
        for row in table.look_ups
        for asked in view.plan.look_ups
        if asked.token == row["token"] and row.get("name_has", "") in str(asked.args.get("name", ""))
    }
    for each in view.plan.resources:
        machine = table.machines.get(each.type)
        if machine is None or not machine.groups or each.package not in looking:
            continue
        if at(each.inputs, machine.image) is not None and machine.image not in each.ignore_changes:
            message = _(
                "the image is looked up, and a newer one {newer_image} at the next `up`",
                newer_image=Text(table.newer_image[each.package]),
            )
            yield Breach(
                each.urn,
                message,
                _("ignore_changes: [{image}], until you want it", image=machine.image),
                path=machine.image,
            )
