"""A machine that stops by itself: whether its cloud ends the charge then, and who starts it again."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pulumi_llm import catalog, clouds
from pulumi_llm._texts import Text, _
from pulumi_llm.clouds.capabilities import Capability
from pulumi_llm.clouds.plans import StartPlan
from pulumi_llm.errors import Finding, Refusal
from pulumi_llm.preflight import capabilities
from pulumi_llm.spec.hours import EXAMPLE, starts_of, windows_of

if TYPE_CHECKING:
    from pulumi_llm._resolve import ResolvedServer
    from pulumi_llm.catalog import Catalog
    from pulumi_llm.spec import ServerSpec


def facts(cloud: str) -> Mapping[str, Any]:
    """A cloud's `power.json`. Raises Refusal ``power.not-supported`` for a cloud that has none."""
    found = clouds.folders()[cloud].read("power.json")
    if not found:
        raise not_supported(cloud)
    return found


def not_supported(cloud: str) -> Refusal:
    """The refusal for a cloud whose folder does not say how its machines stop."""
    return Refusal(
        [
            Finding(
                "power.not-supported",
                _("how to stop and start a machine of {cloud} is not known to pulumi-llm", cloud=cloud),
                _("the cloud's own console or command line; docs/clouds.md says what its folder lacks"),
            )
        ]
    )


def why_not(cloud: str, instance_type: str, data: Catalog, *, spot: bool) -> tuple[str, str]:
    """Why a stop of such a machine would not end its charge, and the source of that; both empty where it would."""
    known = facts(cloud)
    if spot and not known["spot_stops"]["is"]:
        return Text(known["spot_stops"]["why"]), known["spot_stops"]["source"]
    families = known.get("families")
    if families and re.fullmatch(families["pattern"], instance_type):
        return Text(families["why"]), families["source"]
    row = data.find_instance(cloud, instance_type)
    if row is not None and row.local_nvme_gib and not known["local_disks"]["stop"]:
        return Text(known["local_disks"]["why"]), known["local_disks"]["source"]
    return "", ""


def stops_itself(server: ServerSpec, number: int | None = None) -> bool:
    """Whether a machine asks its cloud to stop it: the one with that number among replicas, or (None) any of them."""
    idle = server.idle_stop is not None and (number is None or server.idle_stop.stops(number))
    return idle or server.hours is not None


def starts(server: ServerSpec) -> tuple[StartPlan, ...]:
    """When the cloud starts the machine; empty: it does not."""
    if server.started_by != "cloud" or server.hours is None:
        return ()
    zone = windows_of(server.hours)[1]
    rows = starts_of(server.hours)
    return tuple(StartPlan(days=days, hour=at // 60, minute=at % 60, zone=zone) for days, at in rows)


def refuse_unable(server: ResolvedServer) -> None:
    """Refuse a machine that is to stop itself, and that its cloud would go on charging for, or would not start.

    Raises:
        Refusal: ``power.cannot-stop`` for its type or a spot machine; ``power.not-supported`` for its cloud;
            ``power.no-hours`` and ``cloud.cannot`` for who is to start it.
    """
    wanted, type_ = server.spec, server.site.place.instance_type
    if wanted.started_by == "cloud":
        if wanted.hours is None:
            message = _("the cloud is to start the machine when its hours begin, and it has none")
            hint = _("hours: {example}; or leave started_by out", example=EXAMPLE)
            raise Refusal([Finding("power.no-hours", message, hint, where="started_by")])
        capabilities.demand(wanted.cloud, [Capability.STARTS])
    if wanted.started_by == "request":
        capabilities.demand(wanted.cloud, [Capability.WAKES])
    if not stops_itself(wanted):
        return
    why, source = why_not(wanted.cloud, type_, catalog.load(), spot=wanted.spot)
    alone = facts(wanted.cloud).get("itself")
    if not why and alone and not alone["is"]:
        why, source = Text(alone["why"]), alone["source"]
    if not why:
        return
    raise Refusal(
        [
            Finding(
                "power.cannot-stop",
                _("the {type} cannot stop by itself: {why}", type=type_, why=why),
                _(
                    "leave out idle_stop and hours, or take another type (source: {source})",
                    source=facts(wanted.cloud)["sources"][source]["title"],
                ),
                where="hours" if wanted.idle_stop is None else "idle_stop",
            )
        ]
    )


def is_told(server: ServerSpec) -> bool:
    """Whether it is a spot machine that its cloud tells before it takes it back. Any other is not to ask for that."""
    return server.spot and Capability.NOTICE in catalog.load().cloud(server.cloud).can


def no_notice(server: ServerSpec) -> list[Finding]:
    """A note that a spot machine goes without a word."""
    if not server.spot or is_told(server):
        return []
    cloud = catalog.load().cloud(server.cloud)
    message = _(
        "{title} tells a spot machine nothing that is known here before it takes it back: answers under way are cut "
        "off, and nothing says so beforehand",
        title=cloud.title,
    )
    hint = _("spot: false; or let your callers ask again")
    return [Finding("power.no-notice", message, hint, severity="warning", where="spot")]


def nobody_starts(server: ServerSpec) -> list[Finding]:
    """A note that hours begin by themselves nowhere."""
    if server.hours is None or server.started_by == "cloud":
        return []
    message = _(
        "the machine stops by itself at the end of {hours}, and nobody starts it when they begin", hours=server.hours
    )
    hint = _("`pulumi-llm start -s STACK`, by hand or from a scheduled job of your CI")
    if Capability.STARTS in catalog.load().cloud(server.cloud).can:
        hint = _("started_by: cloud; or {command}", command=hint)
    return [Finding("power.nobody-starts", message, hint, severity="warning", where="hours")]
