"""A small machine overseas that runs the gateway in front of the foreign model APIs."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Optional

import pulumi

from pulumi_llm import _component as support
from pulumi_llm import _host as hosts
from pulumi_llm import _nodes
from pulumi_llm import _notices as notices
from pulumi_llm._args import OverseasProxyArgs
from pulumi_llm._arguments import checked
from pulumi_llm._bootstrap import NodeRequest, check
from pulumi_llm._dataclasses import dataclass
from pulumi_llm._findings import gather
from pulumi_llm._network import network_for
from pulumi_llm._resolve import ResolvedProxy, arguments, resolve_proxy
from pulumi_llm._secrets import moderator_keys
from pulumi_llm._upstream_keys import upstream_keys
from pulumi_llm.preflight.endings import ending_models


class OverseasProxy(pulumi.ComponentResource):
    """The gateway, overseas: foreign models under your own keys and limits. The vendors' keys never leave it."""

    endpoint: pulumi.Output[str]
    """The OpenAI-compatible base URL, ``https://…/v1``."""
    models: pulumi.Output[list[str]]
    """The models that it serves."""
    api_keys: pulumi.Output[dict[str, str]]
    """The gateway's keys by name (secret)."""
    address: pulumi.Output[str]
    """The public IPv4 address."""
    private_address: pulumi.Output[str]
    """The address within the network."""
    certificate_authority: pulumi.Output[str]
    """The authority that signed the gateway's certificate (PEM). Clients must trust it."""
    instance_id: pulumi.Output[str]
    """The machine's id at the cloud."""
    instance_type: pulumi.Output[str]
    """The machine's type."""
    hourly_price: pulumi.Output[Optional[float]]
    """The machine's list price per hour in ``currency``; absent where the catalogue has none (not 0)."""
    currency: pulumi.Output[Optional[str]]
    """The currency of ``hourly_price``."""
    ssh_private_key: pulumi.Output[str]
    """The key for SSH to the machine (secret)."""

    def __init__(
        self,
        name: str,
        args: OverseasProxyArgs,
        opts: Optional[pulumi.ResourceOptions] = None,
        *,
        _settled: Optional["Settled"] = None,
    ) -> None:
        """Make the proxy. A wrong argument ends the program with every mistake named, and no traceback.

        ``_settled`` is what ``args`` come to, where a platform has settled it already.
        """
        with support.refusing(name):
            settled = _settled or _settle_alone(name, args)
            proxy, node = settled.proxy, settled.node
            support.check_name(name, proxy.site.cloud.name, below="-network")
            cloud = support.adapter(proxy.site.cloud.name)
        super().__init__(f"{support.PACKAGE}:index:OverseasProxy", name, support.recorded(args), opts)
        scope = support.scope_of(self, name, cloud, proxy.site.region.name)
        today = datetime.now(UTC).date()
        notices.warn(self, name, [*hosts.expired(proxy.spec.keys), *ending_models(proxy.spec.upstreams, today)])
        keys = hosts.gateway_keys(name, proxy.spec.keys, scope.child())
        client = args.get("client_address")
        host = hosts.make_host(
            hosts.HostRequest(
                name=name,
                cloud=cloud,
                network=network_for(scope, name, args, proxy),
                place=proxy.site.place,
                system_disk_gib=proxy.system_disk_gib,
                access=proxy.access,
                clients=(pulumi.Output.concat(client, "/32"),) if client is not None else (),
                ports=_nodes.ports(node),
                node=node,
                secrets={
                    **_nodes.vendor_secrets(settled.of_vendors),
                    **_nodes.authorities(proxy.spec.upstreams),
                    **_nodes.key_secrets(keys),
                    **settled.of_moderators,
                },
                tags={**proxy.tags, "pulumi-llm": "overseas-proxy"},
                ready_timeout_minutes=proxy.spec.ready_timeout_minutes,
                renew=proxy.spec.renew,
                protect=proxy.protect,
                image_id=args.get("image_id"),
                domain=proxy.spec.domain,
            ),
            scope,
        )
        support.publish(
            self,
            {
                **_nodes.proxy_outputs(host, proxy),
                "models": pulumi.Output.from_input(_nodes.models(node)),
                "api_keys": pulumi.Output.secret(pulumi.Output.all(**keys)),
                **host.outputs(proxy.site.place),
            },
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """All that is settled before the first resource is made: the proxy, its node, and the secrets that are given."""

    proxy: ResolvedProxy
    node: NodeRequest
    of_vendors: Mapping[str, pulumi.Input[str]]
    of_moderators: Mapping[str, pulumi.Output[str]]


def settle(name: str, args: Mapping[str, Any], proxy: ResolvedProxy) -> Settled:
    """What a proxy of that name is made from. Raises Refusal with what its gateway would refuse, or a secret lacks."""
    of_vendors, (node, of_moderators) = gather(
        lambda: upstream_keys(proxy.spec.upstreams, args), lambda: _node(name, args, proxy)
    )
    return Settled(proxy=proxy, node=node, of_vendors=of_vendors, of_moderators=of_moderators)


def _node(
    name: str, args: Mapping[str, Any], proxy: ResolvedProxy
) -> tuple[NodeRequest, Mapping[str, pulumi.Output[str]]]:
    node = _nodes.proxy_node(name, proxy)
    check(node)
    return node, moderator_keys(node, args)


def _settle_alone(name: str, args: OverseasProxyArgs) -> Settled:
    given = checked(args, OverseasProxyArgs)
    parts = arguments.of_proxy(given.fit, support.known(given.fit), given.findings)
    keys = parts.proxy.upstreams
    proxy, __ = gather(lambda: resolve_proxy(parts.proxy, parts.shared), lambda: upstream_keys(keys, args))
    return settle(name, args, proxy)
