"""What is asked of a cloud, held against what it can."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pulumi_llm import catalog
from pulumi_llm.clouds.capabilities import Capability
from pulumi_llm.errors import Finding, Refusal

EVERY_HOST = (Capability.FIREWALL, Capability.DISK)
"""What every host of the components is made with. It is in a private network too, but that may be there already."""

_ASKED: Mapping[Capability, tuple[str, str, str]] = {
    Capability.FIREWALL: ("every host is behind a firewall", "has none that could be asked for", ""),
    Capability.DISK: ("data is on a disk that outlives its machine", "has no such disks", ""),
    Capability.IMAGE: (
        "the newest Ubuntu image is looked up",
        "has no list to look in",
        "image_id: an image of its own",
    ),
    Capability.SPOT: ("a spot machine is asked for", "sells none", "spot: false"),
    Capability.PRIVATE_NET: (
        "a host is in a private network",
        "makes none",
        "vpc_id and subnet_id of a network that is there",
    ),
}
"""What asks for it, how a cloud that cannot is told of, and what would work instead."""

_WHERE: Mapping[Capability, str] = {Capability.SPOT: "spot", Capability.IMAGE: "image_id"}


def of_host(*, spot: bool = False) -> tuple[Capability, ...]:
    """What is asked of a cloud for a host of the components."""
    return (*EVERY_HOST, Capability.SPOT) if spot else EVERY_HOST


def lacking(cloud: str, wanted: Iterable[Capability]) -> list[Finding]:
    """Why ``cloud`` cannot be asked for what is ``wanted``: ``cloud.cannot``, one finding each, with what can."""
    clouds = catalog.load().clouds
    facts = catalog.load().cloud(cloud)
    findings = []
    for each in wanted:
        if each in facts.can:
            continue
        asked, cannot, instead = _ASKED[each]
        others = sorted(name for name, row in clouds.items() if each in row.can)
        elsewhere = f"a cloud that can: {', '.join(others)}" if others else ""
        hint = "; or ".join(filter(None, (instead, elsewhere)))
        findings.append(
            Finding("cloud.cannot", f"{asked}, and {facts.title} {cannot}", hint, where=_WHERE.get(each, "cloud"))
        )
    return findings


def demand(cloud: str, wanted: Iterable[Capability]) -> None:
    """Refuse (``cloud.cannot``) what ``cloud`` cannot be asked for."""
    findings = lacking(cloud, wanted)
    if findings:
        raise Refusal(findings)
