"""The server and what is taken in its place: each looked at beforehand, so that none fails only when it is needed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from pulumi_llm._dataclasses import dataclass
from pulumi_llm._texts import _, listed
from pulumi_llm.errors import Finding, Refusal

if TYPE_CHECKING:
    from pulumi_llm.preflight.placement import Placement
    from pulumi_llm.spec import NetworkSpec, ServerSpec

ALTERNATIVES = "placement.alternatives"
"""The code of the note that names them."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the servers that may be made: 0 is the one that is written, the others are its alternatives."""

    number: int
    server: ServerSpec
    place: Placement

    def __str__(self) -> str:
        place, price = self.place, self.place.price
        where = {"type": place.instance_type, "zone": place.zone}
        words = _("{type} in {zone}, spot", **where) if self.server.spot else _("{type} in {zone}", **where)
        if price is None:
            return _("{number}: {words} (price unknown)", number=self.number, words=words)
        return _(
            "{number}: {words} ({amount:.2f} {currency} per hour)",
            number=self.number,
            words=words,
            amount=price.amount,
            currency=price.currency,
        )


Look = Callable[["ServerSpec"], "Placement"]
"""Where a server would stand; raises Refusal with what the catalogue and the fit check have against it."""


def choices_of(server: ServerSpec, look: Look, network: NetworkSpec | None = None) -> list[Choice]:
    """All that may be made, in the order of the tries. ``server`` as it is written, whichever is taken.

    Raises:
        Refusal: with what the catalogue and the fit check have against each alternative, placed at it, and
            ``spec.alternative-of-subnet`` for another zone than that of an existing subnet.
    """
    found, findings = [], []
    for number in range(len(server.alternatives) + 1):
        chosen = server.choice(number)
        where = f"alternatives.{number - 1}" if number else ""
        if network is not None and network.exists and chosen.zone != server.zone:
            findings.append(of_subnet(number))
        try:
            found.append(Choice(number, chosen, look(chosen)))
        except Refusal as refusal:
            findings += [each.placed(where) if where else each for each in refusal.findings]
    if findings:
        raise Refusal(dict.fromkeys(findings))
    return found


def of_subnet(number: int) -> Finding:
    """What is said of an alternative in another zone than an existing subnet's."""
    message = _("an existing subnet is in one zone, and alternative {number} is in another", number=number)
    hint = _("leave its zone out, or let the network be made")
    return Finding("spec.alternative-of-subnet", message, hint, where=f"alternatives.{number - 1}")


def notes_of(server: ServerSpec, look: Look, network: NetworkSpec | None = None) -> tuple[Finding, ...]:
    """A note of what may be made in place of the server, in its order and with its prices.

    Raises Refusal as :func:`choices_of` does.
    """
    if not server.alternatives:
        return ()
    choices: Sequence[Choice] = choices_of(server, look, network)
    message = _(
        "where the cloud has none left, `pulumi-llm recover` takes the next of these: {choices}; taken now: {taken}",
        choices=listed(str(each) for each in choices),
        taken=server.alternative,
    )
    hint = _("a data disk stays in its zone: another zone is taken only while nothing is on it")
    return (Finding(ALTERNATIVES, message, hint, severity="warning", where="alternatives"),)
