"""A further machine of a model server: the engines alone, reached by the first machine's gateway and by nobody else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pulumi

from pulumi_llm import _bucket_keys, _nodes, _replicas, _served
from pulumi_llm import _component as support
from pulumi_llm import _host as hosts
from pulumi_llm._bootstrap import GatewayKey, GatewayRole, NodeRequest, RoleRequest
from pulumi_llm._dataclasses import dataclass
from pulumi_llm._gateway import routes_of
from pulumi_llm._stopping import starts, stops_itself
from pulumi_llm.clouds.base import BareHost, NetworkHandle, Scope
from pulumi_llm.clouds.plans import WayOut
from pulumi_llm.roles.requests import Traces

if TYPE_CHECKING:
    from pulumi_llm._resolve import ResolvedServer


@dataclass(frozen=True, kw_only=True)
class First:
    """What the further machines need of the first one: where it is, their network, and the key that it asks with."""

    host: BareHost
    network: NetworkHandle
    key: pulumi.Output[str]
    out: tuple[WayOut, ...] | None = None
    """What all of them may call; None: everybody."""


class Replica(pulumi.ComponentResource):
    """One further machine. Made by a model server, for itself."""

    host: hosts.Host
    first: First

    def __init__(
        self,
        of: str,
        number: int,
        server: ResolvedServer,
        first: First,
        args: Mapping[str, Any],
        scope: Scope,
        after: tuple[pulumi.Resource, ...],
    ) -> None:
        """Make the machine ``number`` of the server ``of``. ``args`` are the server's; ``after``: whoever is to be
        ready, and changed, before it."""
        name = _replicas.named(of, number)
        cloud = support.adapter(server.site.cloud.name)
        place = server.place_of(number)
        inputs: dict[str, Any] = {"cloud": place.cloud, "region": place.region}
        inputs |= {"gpu": server.spec.gpu, "model": server.spec.model}
        # Its disk holds nothing but weights, and goes with it: fewer replicas are a change of a number.
        inputs["protect"] = False
        opts = pulumi.ResourceOptions(parent=scope.parent, providers=[scope.provider])
        super().__init__(f"{support.PACKAGE}:index:Replica", name, inputs, opts)
        own = support.scope_of(self, name, cloud, server.site.region.name)
        node = node_of(of, number, server)
        secrets = {**_nodes.key_secrets({_replicas.KEY: first.key}), **_bucket_keys.weights_secrets(server, args)}
        if args.get("hub_token") is not None:
            secrets |= _nodes.hub_secrets(args["hub_token"])
        self.first = first
        self.host = hosts.make_host(
            hosts.HostRequest(
                name=name,
                cloud=cloud,
                network=first.network.within(place.zone),
                place=place,
                system_disk_gib=server.system_disk_gib,
                access=server.access,
                ports=_nodes.ports(node),
                clients=(pulumi.Output.concat(first.host.private_address, "/32"),),
                within=True,
                node=node,
                secrets=secrets,
                tags={**server.tags, "pulumi-llm": "replica"},
                ready_timeout_minutes=server.spec.ready_timeout_minutes,
                spot=server.spec.spot,
                stops_itself=stops_itself(server.spec, number),
                starts=starts(server.spec),
                renew=server.spec.renew,
                image_id=args.get("image_id"),
                out=first.out,
                in_turn=True,
                after=after,
            ),
            own,
        )
        self.register_outputs({})

    def outputs(self) -> dict[str, Any]:
        """What a server tells about it (secret: the key for SSH is among it)."""
        bare = self.host.bare
        return {
            "address": bare.address,
            "private_address": bare.private_address,
            "instance_id": bare.id,
            "ssh_private_key": bare.private_key,
        }


def node_of(of: str, number: int, server: ResolvedServer) -> NodeRequest:
    """The node of a server's further machine: the engines of its models, behind a gateway with the first one's key."""
    wanted = server.spec
    gateway = GatewayRole(
        https_port=server.port,
        keys=(GatewayKey(name=_replicas.KEY),),
        upstreams=tuple(_served.upstreams(server)),
        routes=routes_of(_served.targets(server), {}),
        # Which calls are traced is for the first machine to say.
        traces=Traces(endpoint="", engine=True) if wanted.traces is not None and wanted.traces.engine else None,
    )
    asked: list[RoleRequest] = [gateway, _served.role(server)]
    asked += _nodes.kept(server)
    if leaves := _nodes.leaving(wanted, number):
        asked.append(leaves)
    name, disk = _replicas.named(of, number), server.data_disk_gib
    return NodeRequest(name=name, **_nodes.site_of(server.site), data_disk_gib=disk, roles=tuple(asked))


__all__ = ["First", "Replica", "node_of"]
