"""What is asked of a cloud, held against what it can."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pulumi_llm import catalog
from pulumi_llm._texts import _, any_of, listed
from pulumi_llm.clouds.capabilities import Capability
from pulumi_llm.errors import Finding, Refusal

EVERY_HOST = (Capability.FIREWALL, Capability.DISK)
"""What every host of the components is made with. It is in a private network too, but that may be there already."""

_ASKED: Mapping[Capability, tuple[str, str, str]] = {
    Capability.FIREWALL: (_("every host is behind a firewall"), _("has none that could be asked for"), ""),
    Capability.DISK: (_("data is on a disk that outlives its machine"), _("has no such disks"), ""),
    Capability.IMAGE: (
        _("the newest Ubuntu image is looked up"),
        _("has no list to look in"),
        _("image_id: an image of its own"),
    ),
    Capability.SPOT: (_("a spot machine is asked for"), _("sells none"), "spot: false"),
    Capability.NOTICE: (
        _("a spot machine is to know before it is taken"),
        _("tells its machines nothing of it, as far as is known here"),
        "spot: false",
    ),
    Capability.RECOVER: (
        _("another machine is to be tried where there is none left"),
        _("says so by no code that is known here"),
        _("leave alternatives out; `pulumi up` with another zone or type"),
    ),
    Capability.PRIVATE_NET: (
        _("a host is in a private network"),
        _("makes none"),
        _("vpc_id and subnet_id of a network that is there"),
    ),
    Capability.SNAPSHOTS: (
        _("snapshots of the data disk are asked for"),
        _("makes none on a schedule, as far as is known here"),
        _("leave disk out"),
    ),
    Capability.STARTS: (
        _("the machine is to be started by its cloud when its hours begin"),
        _("has no scheduler that can be asked for that here"),
        _("started_by: hand, and `pulumi-llm start` from a scheduled job of your CI"),
    ),
    Capability.WAKES: (
        _("a machine is to start others when calls need them"),
        _("has no role for that, as far as is known here"),
        _("started_by: hand, and leave idle_stop out"),
    ),
    Capability.NODES: (
        _("several machines have one model together"),
        _("has no firewall that lets only these reach each other, as far as is known here"),
        "nodes: 1",
    ),
    Capability.ZONES: (
        _("machines are to stand in several zones"),
        _("makes one subnet, as far as is known here"),
        _("leave replica_zones out"),
    ),
    Capability.CLOSED: (
        _("nothing is to get out of the machine but to its bucket"),
        _("has no rules for that, as far as is known here"),
        _("leave weights.closed out"),
    ),
    Capability.DNS: (
        _("a record in DNS is to be made"),
        _("keeps no names"),
        _("leave record out, and make it where the domain is kept"),
    ),
}
"""What asks for it, how a cloud that cannot is told of, and what would work instead."""

_WHERE: Mapping[Capability, str] = {
    Capability.SPOT: "spot",
    Capability.NOTICE: "spot",
    Capability.RECOVER: "alternatives",
    Capability.IMAGE: "image_id",
    Capability.NODES: "nodes",
    Capability.ZONES: "replica_zones",
    Capability.CLOSED: "weights.closed",
    Capability.SNAPSHOTS: "disk",
    Capability.STARTS: "started_by",
    Capability.WAKES: "started_by",
}


def of_host(*, spot: bool = False, nodes: int = 1) -> tuple[Capability, ...]:
    """What is asked of a cloud for a host of the components; ``nodes`` of them have one model together."""
    more = ((Capability.SPOT, spot), (Capability.NODES, nodes > 1))
    return (*EVERY_HOST, *(each for each, asked in more if asked))


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
        elsewhere = _("a cloud that can: {others}", others=listed(others)) if others else ""
        hint = any_of(filter(None, (instead, elsewhere)))
        findings.append(
            Finding(
                "cloud.cannot",
                _("{request}, and {title} {cannot}", request=asked, title=facts.title, cannot=cannot),
                hint,
                where=_WHERE.get(each, "cloud"),
            )
        )
    return findings


def demand(cloud: str, wanted: Iterable[Capability]) -> None:
    """Refuse (``cloud.cannot``) what ``cloud`` cannot be asked for."""
    findings = lacking(cloud, wanted)
    if findings:
        raise Refusal(findings)
