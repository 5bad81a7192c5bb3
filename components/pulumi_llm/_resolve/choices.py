"""The server and what is taken in its place: each looked at beforehand, so that none fails only when it is needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from pulumi_llm._dataclasses import dataclass
from pulumi_llm._texts import _, listed
from pulumi_llm.clouds.capabilities import Capability
from pulumi_llm.errors import Finding, Refusal
from pulumi_llm.preflight import capabilities
from pulumi_llm.spec.upstreams import unserved

if TYPE_CHECKING:
    from pulumi_llm._resolve.parts import Stand
    from pulumi_llm.preflight.placement import Placement
    from pulumi_llm.spec import NetworkSpec, ServerSpec, VectorsSpec

ALTERNATIVES = "placement.alternatives"
"""The code of the note that names them."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the servers that may be made: 0 is the one that is written, the others are its alternatives."""

    number: int
    server: ServerSpec
    stand: Stand

    @property
    def place(self) -> Placement:
        """Where it would stand."""
        return self.stand.place

    def __str__(self) -> str:
        price = self.place.price
        words = self.words
        if price is None:
            return _("{number}: {words} (price unknown)", number=self.number, words=words)
        return _(
            "{number}: {words} ({amount:.2f} {currency} per hour)",
            number=self.number,
            words=words,
            amount=price.amount,
            currency=price.currency,
        )

    @property
    def words(self) -> str:
        """What machine it is, and where."""
        where = {"type": self.place.instance_type, "zone": self.place.zone}
        return _("{type} in {zone}, spot", **where) if self.server.spot else _("{type} in {zone}", **where)


Look = Callable[["ServerSpec"], "Stand"]
"""How a server would stand; raises Refusal with what the catalogue and the fit check have against it."""


def choices_of(server: ServerSpec, look: Look, network: NetworkSpec | None = None) -> list[Choice]:
    """All that may be made, in the order of the tries. ``server`` as it is written, whichever is taken.

    Raises:
        Refusal: ``cloud.cannot`` for alternatives of a cloud that has no known word for "none left"; with what the
            catalogue and the fit check have against each alternative, placed at it,
            ``spec.alternative-of-subnet`` for another zone than that of an existing subnet, and
            ``spec.alternative-of-region`` for another region than that of something else that is named.
    """
    found = []
    findings = [*capabilities.lacking(server.cloud, [Capability.RECOVER])] if server.alternatives else []
    for number in range(len(server.alternatives) + 1):
        chosen = server.choice(number)
        where = f"alternatives.{number - 1}" if number else ""
        if network is not None and network.exists and chosen.zone != server.zone:
            findings.append(of_subnet(number))
        if chosen.region != server.region:
            findings += of_region(number, server)
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


def of_region(number: int, server: ServerSpec) -> Iterator[Finding]:
    """What is said of an alternative in another region than what the server names by an id; and of upstreams there."""
    chosen, where = server.choice(number), f"alternatives.{number - 1}"
    # A snapshot stands in the way only where it would be used: `pulumi-llm recover` writes it for one region's disk.
    copied = server.alternative == number and server.disk is not None and server.disk.from_snapshot
    for name in [*(["image_id"] if server.image_id else []), *(["disk.from_snapshot"] if copied else [])]:
        yield tied(number, name, server.region)
    if refused := unserved(chosen.cloud, chosen.region, chosen.upstreams):
        what, region = listed(refused), chosen.region
        message = _("{unserved} do not serve callers in {region}, or are not known to", unserved=what, region=region)
        hint = _("give them to an overseas proxy, or leave that region out")
        yield Finding("spec.upstream-region", message, hint, where=where)


def tied(number: int, name: str, region: str) -> Finding:
    """What is said of an alternative in another region than something that is named by its id."""
    message = _("{name} is of {region}, and alternative {number} is in another region", name=name, region=region,
                number=number)  # fmt: skip
    hint = _("leave {name} out, or that region", name=name)
    return Finding("spec.alternative-of-region", message, hint, where=f"alternatives.{number - 1}")


def store_of(vectors: VectorsSpec | None, written: ServerSpec, chosen: ServerSpec) -> VectorsSpec | None:
    """The vector store of the server that is ``chosen``: a bucket of its backups stays where it is."""
    if vectors is None or vectors.backup is None or chosen.region == written.region:
        return vectors
    return vectors.model_copy(update={"backup": vectors.backup.staying(written.region)})


def note_of(server: ServerSpec, choices: Sequence[Choice]) -> Finding:
    """A note of what may be made in place of the server, in its order and with its prices."""
    message = _(
        "where the cloud has none left, `pulumi-llm recover` takes the next of these: {choices}; taken now: {taken}",
        choices=listed(str(each) for each in choices),
        taken=server.alternative,
    )
    hint = _("a data disk stays in its zone: another zone or region is taken only while nothing is on it")
    return Finding(ALTERNATIVES, message, hint, severity="warning", where="alternatives")
