"""Further machines of a model server that have parts of the same model: see `pulumi_llm.roles.tied`.

Each has a headless engine, or Ray with vLLM's workers, and is called by the other machines alone. It has no gateway,
and no key but those that weights are fetched with, and Ray's. All are told at the same time, as none becomes ready
without the others: a change that fails is taken back on all of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import pulumi

from pulumi_llm import _bucket_keys, _nodes, _served
from pulumi_llm import _component as support
from pulumi_llm import _host as hosts
from pulumi_llm._bootstrap import GatewayRole, NodeRequest, RoleRequest
from pulumi_llm._dataclasses import dataclass
from pulumi_llm.clouds.base import BareHost, NetworkHandle, Scope
from pulumi_llm.clouds.near import Near, wanted
from pulumi_llm.clouds.peers import Peers
from pulumi_llm.roles import rayed
from pulumi_llm.roles.tied import PORTS, PORTS_OVER_RAY

if TYPE_CHECKING:
    from pulumi_llm._resolve import ResolvedServer


def named(name: str, number: int) -> str:
    """A further machine's name in the program; the server itself is number 1."""
    return f"{name}-node-{number}"


def firewall(name: str, server: ResolvedServer, network: NetworkHandle, scope: Scope) -> tuple[pulumi.Input[str], ...]:
    """What opens the machines' ports to each other; nothing where there is one machine."""
    if server.spec.nodes == 1:
        return ()
    cloud = cast("Peers", support.adapter(server.site.cloud.name))  # demanded by placement: Capability.NODES
    tags = {**server.tags, "pulumi-llm": "nodes"}
    ports = PORTS_OVER_RAY if over_ray(server) else PORTS
    return (cloud.peers(f"{name}-nodes", network.vpc_id, ports, tags, scope),)


def near(name: str, server: ResolvedServer, scope: Scope) -> pulumi.Output[str] | None:
    """What keeps the machines near each other, where that is asked for, or their type must be in one."""
    spec, place = server.spec, server.site.place
    if spec.nodes == 1 or not wanted(place.cloud, place.instance_type, spot=spec.spot, asked=spec.nodes_near):
        return None
    cloud = cast("Near", support.adapter(place.cloud))  # it says that it has one: data/near.json
    return cloud.near(f"{name}-near", place.zone, {**server.tags, "pulumi-llm": "nodes"}, scope)


def over_ray(server: ResolvedServer) -> bool:
    """Whether Ray carries the engines' calls."""
    return server.spec.nodes > 1 and server.spec.nodes_backend == "ray"


def secrets(name: str, server: ResolvedServer, scope: Scope) -> dict[str, pulumi.Input[str]]:
    """What all machines of the server have, and nobody else: what Ray asks for of each call."""
    return {rayed.TOKEN: hosts.random_key(f"{name}-ray-token", scope)} if over_ray(server) else {}


@dataclass(frozen=True, kw_only=True)
class Shared:
    """What the further machines have in common with the first one: network, the firewall between them, and secrets."""

    network: NetworkHandle
    groups: tuple[pulumi.Input[str], ...]
    near: pulumi.Input[str] | None = None
    """What keeps them near each other; None: nothing does."""
    secrets: Mapping[str, pulumi.Input[str]]


class ServerNode(pulumi.ComponentResource):
    """One further machine. Made by a model server, for itself."""

    host: BareHost

    def __init__(
        self,
        name: str,
        rank: int,
        server: ResolvedServer,
        shared: Shared,
        args: Mapping[str, Any],
        scope: Scope,
    ) -> None:
        """Provision it. ``args`` are the server's. It is told nothing yet: see `tell`."""
        place = server.site.place
        inputs: dict[str, Any] = {"cloud": place.cloud, "region": place.region}
        inputs |= {"gpu": server.spec.gpu, "model": server.spec.model}
        # Its disk holds nothing but weights, and goes with it.
        inputs["protect"] = False
        opts = pulumi.ResourceOptions(parent=scope.parent, providers=[scope.provider])
        super().__init__(f"{support.PACKAGE}:index:ServerNode", name, inputs, opts)
        cloud = support.adapter(server.site.cloud.name)
        self._scope = support.scope_of(self, name, cloud, server.site.region.name)
        self._rank, self._server = rank, server
        secrets: dict[str, pulumi.Input[str]] = {**shared.secrets, **_bucket_keys.weights_secrets(server, args)}
        if args.get("hub_token") is not None:
            secrets |= _nodes.hub_secrets(args["hub_token"])
        self._request = hosts.HostRequest(
            name=name,
            cloud=cloud,
            network=shared.network,
            place=place,
            system_disk_gib=server.system_disk_gib,
            access=server.access,
            ports={},
            within=True,
            node=node_of(name, server, rank),
            secrets=secrets,
            tags={**server.tags, "pulumi-llm": "node"},
            ready_timeout_minutes=server.spec.ready_timeout_minutes,
            spot=server.spec.spot,
            renew=server.spec.renew,
            image_id=args.get("image_id"),
            groups=shared.groups,
            near=shared.near,
        )
        self.host = hosts.provision(self._request, self._scope)

    def tell(self, machines: Sequence[BareHost]) -> None:
        """Tell it what to run, once the addresses of all are known."""
        name, server, rank = self._request.name, self._server, self._rank
        settings = addresses(machines).apply(
            lambda known: hosts.settings_document(node_of(name, server, rank, tuple(known)))
        )
        hosts.tell(replace(self._request, settings=settings), self.host, self._scope)
        self.register_outputs({})

    def outputs(self) -> dict[str, Any]:
        """What a server tells about it (secret: the key for SSH is among it)."""
        return {
            "address": self.host.address,
            "private_address": self.host.private_address,
            "instance_id": self.host.id,
            "ssh_private_key": self.host.private_key,
        }


def addresses(machines: Sequence[BareHost]) -> pulumi.Output[list[str]]:
    """The machines' private addresses, by their ranks."""
    return pulumi.Output.all(*(each.private_address for each in machines)).apply(lambda known: [*map(str, known)])


def node_of(name: str, server: ResolvedServer, rank: int, addresses: Sequence[str] = ()) -> NodeRequest:
    """The node of a further machine: a headless engine, and a status that the machine alone reads."""
    wanted = server.spec
    asked: list[RoleRequest] = [GatewayRole(https_port=server.port), _served.role(server, rank, addresses)]
    asked += _nodes.kept(server)
    if leaves := _nodes.leaving(wanted):
        asked.append(leaves)
    return NodeRequest(name=name, **_nodes.site_of(server.site), data_disk_gib=server.data_disk_gib, roles=tuple(asked))


__all__ = ["ServerNode", "Shared", "addresses", "firewall", "named", "near", "node_of", "secrets"]
