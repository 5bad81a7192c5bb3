"""What a cloud can be asked for. Its catalogue row says which of these it can; the program asks for nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from pulumi_llm._texts import _
from pulumi_llm.errors import among


class Capability(StrEnum):
    """One thing that a cloud can. The value is what its row says."""

    FIREWALL = "firewall"
    """Keep a host's ports closed to all but the addresses that are let in."""
    DISK = "disk"
    """Keep a disk apart from the machine, so that it outlives it."""
    IMAGE = "image"
    """Look up the newest Ubuntu image; without it an image has to be named."""
    SPOT = "spot"
    """Sell machines at a lower price that it may take back."""
    NOTICE = "notice"
    """Tell a spot machine, in its metadata, that it will be taken back."""
    RECOVER = "recover"
    """Say by a code that is known here that it has no such machine left, so that another may be tried."""
    PRIVATE_NET = "private-net"
    """Make a network of one's own for machines to be in."""
    SNAPSHOTS = "snapshots"
    """Copy a disk on a schedule, and make a disk from such a copy."""
    STARTS = "starts"
    """Start a machine on a schedule, with nothing of ours running meanwhile."""
    WAKES = "wakes"
    """Let one machine start others that are named, by a role that may do nothing else."""
    ZONES = "zones"
    """Make further subnets of a network, in other zones."""
    NODES = "nodes"
    """Let the machines of one server reach each other, and nobody else reach them."""
    CLOSED = "closed"
    """Let nothing out of a machine but to where its bucket is, and to the cloud's own names and clock."""
    DNS = "dns"
    """Keep the records of a domain, for machines of any cloud."""


def capabilities(words: Iterable[str]) -> frozenset[Capability]:
    """The capabilities that a row names. Raises ValueError for a word that is none."""
    known = {each.value: each for each in Capability}
    found = list(words)
    for word in found:
        if word not in known:
            raise ValueError(
                _(
                    "can: {word!r} is nothing that a cloud can be asked for; {among}",
                    word=word,
                    among=among(word, known),
                )
            )
    return frozenset(known[word] for word in found)
