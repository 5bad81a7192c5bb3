"""A GPU host that serves one model through a gateway, with a vector store beside it where wanted."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Optional

import pulumi

from pulumi_llm import _bucket_keys, _nodes, _replicas, _together, _vectorizing
from pulumi_llm import _component as support
from pulumi_llm import _host as hosts
from pulumi_llm import _notices as notices
from pulumi_llm._args import ModelServerArgs
from pulumi_llm._arguments import checked
from pulumi_llm._bootstrap import NodeRequest, check
from pulumi_llm._dataclasses import dataclass
from pulumi_llm._existing import existing_host
from pulumi_llm._findings import gather, refuse
from pulumi_llm._network import network_for
from pulumi_llm._replica import First, Replica
from pulumi_llm._resolve import ResolvedServer, arguments, kept, resolve_server
from pulumi_llm._secrets import moderator_keys
from pulumi_llm._stopping import no_notice, nobody_starts, refuse_unable, starts, stops_itself
from pulumi_llm._texts import _
from pulumi_llm._together import ServerNode
from pulumi_llm._upstream_keys import upstream_keys
from pulumi_llm._ways_out import ways_out
from pulumi_llm.clouds.base import AddressHandle, BareHost, ExistingHost, Scope
from pulumi_llm.clouds.plans import WayOut
from pulumi_llm.errors import among
from pulumi_llm.preflight import stores
from pulumi_llm.preflight.endings import ending_models

_UNRECORDED = ("proxy_endpoint", "vectors_vectorizer")
"""Not recorded in the state. The first may be known only when the proxy is ready, and everything here would wait for
that. The second is the name of an output too, of another form: Pulumi's SDK reads what is recorded as that output."""


class ModelServer(pulumi.ComponentResource):
    """vLLM on a GPU host, behind a gateway with TLS, keys and limits. A vector store beside it where wanted."""

    endpoint: pulumi.Output[str]
    """The OpenAI-compatible base URL, ``https://…/v1``."""
    model: pulumi.Output[str]
    """What clients call the model."""
    models: pulumi.Output[list[str]]
    """Every model that the gateway serves, the proxy's included."""
    api_keys: pulumi.Output[dict[str, str]]
    """The gateway's keys by name (secret)."""
    address: pulumi.Output[str]
    """The public IPv4 address."""
    private_address: pulumi.Output[str]
    """The address within the network."""
    certificate_authority: pulumi.Output[str]
    """The authority that signed the gateway's certificate (PEM). Clients must trust it."""
    vectors_engine: pulumi.Output[Optional[str]]
    """Which vector store it is, such as ``weaviate``, where one runs here."""
    vectors_endpoint: pulumi.Output[Optional[str]]
    """The vector store's URL, where one runs here: its REST API, or what a client connects to."""
    vectors_grpc: pulumi.Output[Optional[str]]
    """The vector store's gRPC address (``host:port``, TLS), where it has one."""
    vectors_key: pulumi.Output[Optional[str]]
    """The vector store's API key or password (secret), where one runs here."""
    vectors_vectorizer: pulumi.Output[Optional[dict[str, str]]]
    """What a client names in a collection whose texts the vector store turns into vectors itself: ``module``, ``model``
    and ``base_url``, where it does."""
    vectors_backup_key: pulumi.Output[Optional[str]]
    """The key that reads its backups (secret), where there are any. Keep it elsewhere too: it goes with the stack."""
    services: pulumi.Output[Optional[dict[str, Any]]]
    """What each of ``services`` tells, its addresses and its password among it (secret)."""
    chat_endpoint: pulumi.Output[Optional[str]]
    """The chat page's URL, where there is one."""
    chat_password: pulumi.Output[Optional[str]]
    """The password of the chat page's first administrator (secret), where there is one."""
    instance_id: pulumi.Output[str]
    """The machine's id at the cloud."""
    instance_type: pulumi.Output[str]
    """The machine's type."""
    hourly_price: pulumi.Output[Optional[float]]
    """The list price of its machines per hour in ``currency``; absent where the catalogue has none (not 0)."""
    currency: pulumi.Output[Optional[str]]
    """The currency of ``hourly_price``."""
    ssh_private_key: pulumi.Output[str]
    """The key for SSH to the machine (secret)."""
    replica_machines: pulumi.Output[Optional[dict[str, Any]]]
    """The further machines, by their numbers from 2 on, where there are any: the addresses of each, its id at the cloud
    and the key for SSH to it (secret)."""
    node_machines: pulumi.Output[Optional[dict[str, Any]]]
    """The further machines that have parts of the model, by their numbers from 2 on, where there are any: the addresses
    of each, its id at the cloud and the key for SSH to it (secret)."""

    def __init__(
        self,
        name: str,
        args: ModelServerArgs,
        opts: Optional[pulumi.ResourceOptions] = None,
        *,
        _settled: Optional["Settled"] = None,
        _store: Optional[pulumi.Output[str]] = None,
    ) -> None:
        """Make the server. A wrong argument ends the program with every mistake named, and no traceback.

        ``_settled`` is what ``args`` come to, where a platform has settled it already. ``_store``: the private address
        of a vector store's own machine that asks this gateway for vectors.
        """
        with support.refusing(name):
            settled = _settled or settle(name, args, _resolve(args))
            server, node = settled.server, settled.node
            support.check_name(name, server.site.cloud.name, below=_longest(server))
            cloud = support.adapter(server.site.cloud.name)
        super().__init__(f"{support.PACKAGE}:index:ModelServer", name, support.recorded(args, *_UNRECORDED), opts)
        _keep(self, server)
        ending = ending_models(server.spec.upstreams, datetime.now(UTC).date())
        hand = [*no_notice(server.spec), *nobody_starts(server.spec)]
        notices.warn(self, name, [*server.warnings, *hand, *hosts.expired(server.keys), *ending])
        scope = support.scope_of(self, name, cloud, server.site.region.name)
        keys = hosts.gateway_keys(name, server.keys, scope.child())
        secrets: dict[str, pulumi.Input[str]] = {
            **_nodes.vendor_secrets(settled.of_vendors),
            **_nodes.authorities(server.spec.upstreams),
            **_nodes.key_secrets(keys),
            **settled.of_moderators,
        }
        vectors_key = hosts.random_key(f"{name}-vectors-key", scope) if server.vectors else None
        if server.vectors is not None and vectors_key is not None:
            secrets |= _nodes.vectors_secrets(server.vectors.engine, vectors_key)
        made = {
            secret: hosts.random_key(f"{name}-{called}", scope)
            for secret, called in _nodes.service_secrets(node).items()
        }
        secrets |= made
        backup = hosts.backup_key(name, scope) if server.vectors is not None and server.vectors.backup else None
        if backup is not None:
            secrets |= _bucket_keys.backup_secrets(server.vectors, args, backup[0])
        secrets |= _bucket_keys.weights_secrets(server, args)
        if args.get("hub_token") is not None:
            secrets |= _nodes.hub_secrets(args["hub_token"])
        if server.foreign is not None:
            secrets |= _nodes.proxy_secrets(args["proxy_key"], args["proxy_certificate_authority"])
        between = _together.secrets(name, server, scope)
        secrets |= between
        network = network_for(scope, name, args, server)
        groups = _together.firewall(name, server, network, scope)
        near = _together.near(name, server, scope)
        request = hosts.HostRequest(
            name=name,
            cloud=cloud,
            network=network,
            groups=groups,
            near=near,
            place=server.site.place,
            system_disk_gib=server.system_disk_gib,
            access=server.access,
            ports=_nodes.ports(node),
            callers=_vectorizing.callers(server, _store),
            node=node,
            secrets=secrets,
            tags={**server.tags, "pulumi-llm": "model-server"},
            ready_timeout_minutes=server.spec.ready_timeout_minutes,
            spot=server.spec.spot,
            renew=server.spec.renew,
            protect=server.protect,
            image_id=args.get("image_id"),
            address=_given_address(args),
            existing=_existing(server, node, args),
            domain=server.spec.domain,
            stops_itself=stops_itself(server.spec, 1),
            starts_others=server.spec.started_by == "request",
            starts=starts(server.spec),
            disk=server.spec.disk,
            out=settled.out,
        )
        machine = hosts.provision(request, scope)
        replicas = _further(name, server, request, machine, args, scope)
        shared = _together.Shared(network=network, groups=groups, near=near, secrets=between)
        nodes = [
            ServerNode(_together.named(name, rank + 1), rank, server, shared, args, scope)
            for rank in range(1, server.spec.nodes)
        ]
        machines = [machine, *(each.host for each in nodes)]
        for each in nodes:
            each.tell(machines)
        request = replace(request, after=_allowed(request, machine, replicas, scope))
        host = hosts.tell(_told(request, server, args, replicas, machines, _store), machine, scope)
        if _store is not None:
            self._way = _vectorizing.Way(
                address=host.bare.private_address,
                port=server.port,
                authority=host.certificate_authority,
                key=keys[stores.KEY],
                applied=host.applied,
            )
        outputs: dict[str, Any] = {
            "model": pulumi.Output.from_input(server.spec.name_served),
            "models": pulumi.Output.from_input(_nodes.server_models(server)),
            # A page's own key is good on the machine alone, and no caller's.
            "api_keys": pulumi.Output.secret(pulumi.Output.all(**{each: keys[each] for each in server.spec.keys})),
            **_nodes.server_outputs(host, server, vectors_key, made),
            **host.outputs(server.site.place),
        }
        if server.count > 1:
            price = server.site.place.price
            outputs["hourly_price"] = pulumi.Output.from_input(price and round(price.amount * server.count, 4))
        further = {"replica_machines": [each.outputs() for each in replicas]}
        further["node_machines"] = [each.outputs() for each in nodes]
        for key, rows in further.items():
            if rows:
                told = {str(number): each for number, each in enumerate(rows, 2)}
                outputs[key] = pulumi.Output.secret(told)
        if backup is not None:
            outputs["vectors_backup_key"] = backup[1]
        support.publish(self, outputs)


def _longest(server: ResolvedServer) -> str:
    """The longest name below a server's own."""
    if server.spec.nodes > 1:
        return _together.named("", server.spec.nodes)
    return "-network" if server.spec.replicas == 1 else _replicas.named("", server.spec.replicas)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """All that is settled before the first resource is made: the server, its node, and the secrets that are given."""

    server: ResolvedServer
    node: NodeRequest
    of_vendors: Mapping[str, pulumi.Output[str]]
    of_moderators: Mapping[str, pulumi.Output[str]]
    out: tuple[WayOut, ...] | None
    """What its machines may call; None: everybody."""


def settle(name: str, args: Mapping[str, Any], server: ResolvedServer) -> Settled:
    """What a server of that name is made from. Raises Refusal with what its gateway would refuse, or a secret lacks."""
    of_vendors, (node, of_moderators) = gather(
        lambda: upstream_keys(server.spec.upstreams, args), lambda: _node(name, args, server)
    )
    found = server.network.exists or args.get("vpc_id") is not None
    out = ways_out(server, node, found=found)
    return Settled(server=server, node=node, of_vendors=of_vendors, of_moderators=of_moderators, out=out)


def _node(
    name: str, args: Mapping[str, Any], server: ResolvedServer
) -> tuple[NodeRequest, Mapping[str, pulumi.Output[str]]]:
    refuse_unable(server)
    _bucket_keys.check_backup(server.vectors, args)
    _bucket_keys.check_weights(server, args)
    node = _nodes.server_node(name, server)
    _check_gateway(node, server)
    return node, moderator_keys(node, args)


def _resolve(args: ModelServerArgs) -> ResolvedServer:
    given = checked(args, ModelServerArgs)
    parts = arguments.of_server(given.fit, support.known(given.fit), given.findings)
    return arguments.named_as(
        arguments.SERVERS,
        lambda: resolve_server(parts.server, parts.shared, vectors=parts.vectors, foreign=parts.foreign),
    )


def _keep(component: pulumi.Resource, server: ResolvedServer) -> None:
    """Keep what was resolved for whoever captures the program, by the URN that the component gets."""
    servers = kept.keeper()
    if servers is not None:
        component.urn.apply(lambda urn: servers.__setitem__(urn, server))


def _check_gateway(node: NodeRequest, server: ResolvedServer) -> None:
    """Refuse now what the gateway would refuse once the proxy's address is known."""
    for name, route in server.spec.routes.items():
        for model in route.all:
            if model not in server.served:
                refuse(
                    "spec.route-to-unserved-model",
                    _("the route {name!r} names {model!r}, which is not served here", name=name, model=model),
                    among(model, server.served),
                )
    whole = node if server.foreign is None else _nodes.server_node(node.name, server, "https://proxy.invalid/v1")
    check(whole)


def _settings(
    node: NodeRequest,
    server: ResolvedServer,
    args: Mapping[str, Any],
    replicas: Sequence[Replica],
    machines: Sequence[BareHost],
    store: pulumi.Output[str] | None,
) -> pulumi.Input[str]:
    """The settings document; it waits for the proxy's address where there is one, and for those of other machines."""
    together = machines if len(machines) > 1 else ()
    if server.foreign is None and not replicas and not together and store is None:
        return hosts.settings_document(node)
    endpoint = args["proxy_endpoint"] if server.foreign is not None else None
    return pulumi.Output.all(
        endpoint,
        pulumi.Output.all(*(each.host.bare.private_address for each in replicas)),
        _together.addresses(together),
        store,
        pulumi.Output.all(*(each.host.bare.id for each in replicas)),
    ).apply(
        lambda known: hosts.settings_document(
            _nodes.server_node(node.name, server, known[0], tuple(known[1]), tuple(known[2]), known[3], tuple(known[4]))
        )
    )


def _further(
    name: str,
    server: ResolvedServer,
    request: hosts.HostRequest,
    machine: BareHost,
    args: Mapping[str, Any],
    scope: Scope,
) -> list[Replica]:
    """The further machines with the same models. Each is changed when the one before it is ready again."""
    replicas: list[Replica] = []
    if server.spec.replicas > 1:
        key = hosts.random_key(f"{name}-replica-key", scope)
        first = First(host=machine, network=request.network, key=key, out=request.out)
        for number in _replicas.numbers(server):
            after = tuple(each.host.applied for each in replicas[-1:])
            replicas.append(Replica(name, number, server, first, args, scope, after))
    return replicas


def _allowed(
    request: hosts.HostRequest, machine: BareHost, replicas: Sequence[Replica], scope: Scope
) -> tuple[pulumi.Resource, ...]:
    """What lets the first machine start the others, where a request is to do so."""
    if not request.starts_others:
        return ()
    others = [each.host.bare for each in replicas]
    return (request.cloud.let_start(f"{request.name}-role", machine, others, scope),)


def _told(
    request: hosts.HostRequest,
    server: ResolvedServer,
    args: Mapping[str, Any],
    replicas: Sequence[Replica],
    machines: Sequence[BareHost],
    store: pulumi.Output[str] | None,
) -> hosts.HostRequest:
    """What the first machine is told. It comes after replicas, so that nobody is sent to one that is not ready."""
    settings = _settings(request.node, server, args, replicas, machines, store)
    if not replicas:
        return replace(request, settings=settings)
    authorities = [each.host.certificate_authority for each in replicas]
    return replace(
        request,
        settings=settings,
        secrets={**request.secrets, **_replicas.secrets(replicas[0].first.key, authorities, server)},
        in_turn=True,
        after=(replicas[-1].host.applied, *request.after),
    )


def _existing(server: ResolvedServer, node: NodeRequest, args: Mapping[str, Any]) -> ExistingHost | None:
    return existing_host(server, node, args) if server.spec.host is not None else None


def _given_address(args: Mapping[str, Any]) -> AddressHandle | None:
    return AddressHandle(id=args["address_id"], ip=args["address"]) if args.get("address_id") is not None else None


__all__ = ["ModelServer"]
