"""What `stop` and `start` say before they act: the machines, what it ends or begins to cost, what is given up."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pulumi_llm import _tables as tables
from pulumi_llm._language import told, tr
from pulumi_llm._power.act import WORDS, Goal, Hand
from pulumi_llm._power.charges import Charge, Charges
from pulumi_llm._power.machines import facts
from pulumi_llm._review.money import CURRENCIES
from pulumi_llm._texts import _, all_of
from pulumi_llm.catalog import Catalog


def announcement(goal: Goal, stack: str, hands: Sequence[Hand], costs: Charges, data: Catalog) -> str:
    """All of it, with a line feed at its end."""
    head = tr("{stack}: to be stopped", stack=stack) if goal == "stopped" else tr("{stack}: to be started", stack=stack)
    rows = [
        (
            e.machine.place,
            e.machine.id,
            e.machine.instance_type,
            e.machine.cloud,
            e.machine.zone or e.machine.region,
            told(WORDS[e.state]),
        )
        for e in hands
    ]
    lines = [head, *(f"  {line}" for line in tables.aligned(rows)), ""]
    if goal == "stopped":
        lines += _charges(tr("this stops costing, per hour"), costs.running)
        lines += _charges(tr("this goes on costing, per hour"), costs.always)
        lines += _given_up(hands, data)
    else:
        lines += _charges(tr("this costs again, per hour"), costs.running)
    return "\n".join(lines) + "\n"


def already(goal: Goal, hand: Hand) -> str:
    """A machine for which there is nothing to do."""
    if goal == "stopped":
        return _("{machine} stands still already, and is not charged for", machine=hand.machine)
    return _("{machine} runs already", machine=hand.machine)


def done(goal: Goal, hands: Sequence[Hand]) -> str:
    """That it is done."""
    names = all_of(str(each.machine) for each in hands)
    if goal == "stopped":
        return _("{machines}: stopped, and not charged for any more", machines=names)
    return _("{machines}: running", machines=names)


def _charges(head: str, rows: Iterable[Charge]) -> list[str]:
    listed = list(rows)
    table: list[tuple[str, ...]] = [(head, *CURRENCIES)]
    for each in listed:
        cells = [tr("unknown") if each.per_hour is None else f"{each.per_hour.of(c):.4f}" for c in CURRENCIES]
        table.append((f"  {each.line.resource}: {told(each.line.what)}", *cells))
    known, unsure = Charges.sum_of(listed)
    if len(listed) != 1:
        word = f"  {tr('at least')}" if unsure else f"  {tr('together')}"
        table.append((word, *(f"{known.of(each):.4f}" for each in CURRENCIES)))
    return [*tables.aligned(table, right={1, 2}), ""]


def _given_up(hands: Sequence[Hand], data: Catalog) -> list[str]:
    """What a stop gives up, cloud by cloud."""
    lines = []
    for cloud in dict.fromkeys(each.machine.cloud for each in hands):
        known = facts(cloud)
        if known["gives_up"]["is"]:
            lines.append(
                tr(
                    "{cloud} takes the machine back: when you start it again, its type may be sold out ({source}).",
                    cloud=data.cloud(cloud).title,
                    source=known["gives_up"]["page"],
                )
            )
    lines.append(tr("Calls under way are cut off. Disks, addresses and keys are kept."))
    return [*lines, ""]
