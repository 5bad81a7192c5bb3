"""What a machine calls: what it asks for once it serves, and, where it may call nobody else, what stays open."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pulumi_llm import clouds
from pulumi_llm._stopping import stops_itself
from pulumi_llm._texts import Text, _
from pulumi_llm.clouds.capabilities import Capability
from pulumi_llm.clouds.plans import WayOut
from pulumi_llm.errors import Finding, Refusal
from pulumi_llm.preflight import capabilities
from pulumi_llm.roles.kept import BackupRole
from pulumi_llm.roles.requests import GatewayRole
from pulumi_llm.spec import bucket_of
from pulumi_llm.spec.backup import BUCKETS

if TYPE_CHECKING:
    from pulumi_llm._bootstrap import NodeRequest
    from pulumi_llm._resolve import ResolvedServer

FILE = "ways_out.json"
WHERE = "weights.closed"
LOCAL = ("http://127.0.0.1:", "http://localhost:")


def still(node: NodeRequest) -> Iterator[tuple[Text | str, str]]:
    """What a node asks for once it serves: what it is, and where."""
    gateway, backup = node.of(GatewayRole), node.of(BackupRole)
    if gateway is not None:
        for each in gateway.upstreams:
            if not each.base_url.startswith(LOCAL) and not each.replica:
                yield _("models of the upstream {name}", name=each.name), each.base_url
        if gateway.traces is not None:
            yield _("traces"), gateway.traces.endpoint
        for moderator in gateway.content.document.get("moderators", []) if gateway.content else []:
            yield _("the content moderator {name}", name=moderator["name"]), str(moderator.get("endpoint") or "–")
    if backup is not None and backup.target is not None:
        yield _("backups of the vector store"), str(backup.target["url"])
    if node.authority is not None:
        yield _("the certificate for {name}", name=node.domain), node.authority.directory


def ways_out(server: ResolvedServer, node: NodeRequest, *, found: bool) -> tuple[WayOut, ...] | None:
    """What the server's machines may call; None where they may call everybody.

    ``found``: their network was there before.

    Raises:
        Refusal: ``cloud.cannot`` for a cloud without such rules, ``egress.asks-more`` for each thing that the machine
            asks for besides, ``egress.not-known`` where no rule can say where the bucket is.
    """
    weights, site = server.spec.weights, server.site
    if weights is None or not weights.closed:
        return None
    findings = [
        *capabilities.lacking(site.cloud.name, [Capability.CLOSED]),
        *(_asks(what, where) for what, where in (*still(node), *_besides(server))),
    ]
    facts = clouds.folders()[site.cloud.name].read(FILE)
    made = list(_to_bucket(server, facts)) if facts else []
    if facts and not made:
        findings.append(_not_known(server))
    if server.spec.replicas > 1:
        if found:
            message = _("the other machines are somewhere in a network that exists, and its range is not known here")
            hint = _("a network of its own: leave vpc_id out; or replicas: 1")
            findings.append(Finding("egress.not-known", message, hint, where=WHERE))
        made.append(_way("tcp", server.port, server.network.cidr, "The other machines of the server"))
    if findings:
        raise Refusal(findings)
    return (*made, *_services(facts))


def _asks(what: Text | str, where: str) -> Finding:
    message = _("the machine asks for {what} ({where}), and nothing is to get out of it", what=what, where=where)
    return Finding("egress.asks-more", message, _("leave weights.closed out, or what it asks for"), where=WHERE)


def _besides(server: ResolvedServer) -> Iterator[tuple[Text | str, str]]:
    if stops_itself(server.spec):
        yield _("its own stop"), _("the cloud's API")
    if server.foreign is not None:
        yield _("models of the overseas proxy"), "proxy"
    if server.spec.nodes > 1:
        yield _("the other machines that have the model together"), "nodes"


def _to_bucket(server: ResolvedServer, facts: Mapping[str, Any]) -> Iterator[WayOut]:
    """The ways to the bucket; none where that is not known."""
    weights, region = server.spec.weights, server.site.region.name
    assert weights is not None  # noqa: S101 - asked by the caller
    bucket, row, text = bucket_of(weights.bucket), facts["bucket"], "The bucket"
    assert bucket is not None  # noqa: S101 - the spec refuses others
    if weights.endpoint is not None:
        url = urlsplit(weights.endpoint)
        if url.hostname is not None and (address := _address(url.hostname)) is not None:
            yield _way("tcp", url.port or (443 if url.scheme == "https" else 80), f"{address}/32", text)
        return
    if BUCKETS[bucket.scheme]["cloud"] != server.site.cloud.name or weights.region not in (None, region):
        return
    if "prefix_list" in row:
        name = str(row["prefix_list"]).format(region=region)
        yield WayOut(protocol="tcp", port=443, to=name, listed=True, description=text)
    ranges: Sequence[str] = row.get("anywhere") or row.get("regions", {}).get(region, ())
    yield from (_way("tcp", 443, each, text) for each in ranges)


def _address(host: str) -> str | None:
    """An address by numbers; None for a name, which may lead anywhere tomorrow."""
    try:
        return str(ipaddress.IPv4Address(host))
    except ValueError:
        return None


def _services(facts: Mapping[str, Any]) -> Iterable[WayOut]:
    for row in facts.get("services", ()):
        for protocol in row["protocols"]:
            yield from (_way(protocol, int(row["port"]), each, f"The cloud's own {row['what']}") for each in row["to"])


def _way(protocol: Any, port: int, to: str, text: str) -> WayOut:
    return WayOut(protocol=protocol, port=port, to=to, description=text)


def _not_known(server: ResolvedServer) -> Finding:
    weights = server.spec.weights
    assert weights is not None  # noqa: S101 - asked by the caller
    message = _(
        "no rule of {cloud} can say where {bucket} is, as far as is known here",
        cloud=server.site.cloud.title,
        bucket=weights.endpoint or weights.bucket,
    )
    hint = _(
        "a bucket of the same cloud in the server's region, or an endpoint by its address, such as http://10.0.0.9:9000"
    )
    return Finding("egress.not-known", message, hint, where=WHERE)
