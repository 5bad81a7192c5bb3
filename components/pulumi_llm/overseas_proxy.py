"""A small machine overseas that runs the gateway in front of the foreign model APIs."""

from datetime import UTC, datetime
from typing import Any, NotRequired, Optional, TypedDict

import pulumi

from pulumi_llm import _component as support
from pulumi_llm import _host as hosts
from pulumi_llm import catalog, notices, spec
from pulumi_llm._arguments import checked
from pulumi_llm._gateway import content_role, routes_of, vendor_targets, vendor_upstreams
from pulumi_llm._secrets import moderator_keys
from pulumi_llm._sources import node_sources
from pulumi_llm.bootstrap import GatewayRole, NodeRequest, check_gateway
from pulumi_llm.clouds.support import sold_size
from pulumi_llm.network import check_existing, network_for
from pulumi_llm.preflight import placement
from pulumi_llm.preflight.endings import ending_models
from pulumi_llm.spec import AccessSpec, ProxySpec
from pulumi_llm.texts import _, all_of


class OverseasProxyArgs(TypedDict):
    """Where the proxy stands, what it serves, and who may call it."""

    cloud: str
    """``aliyun``, ``tencent`` or ``aws``."""
    region: str
    """A region that the vendors serve: never mainland China or Hong Kong."""
    upstreams: dict[str, Any]
    """Vendor (``openai``, ``anthropic``, ``gemini``, ``groq``, ``deepseek``, ``qwen``, ``custom``) to
    ``{"models": [...], "base_url": ..., "prices": {...}}``."""
    allowed_cidrs: list[str]
    """The IPv4 ranges that may call the gateway. The whole internet is refused unless ``public`` is true."""
    openai_api_key: NotRequired[pulumi.Input[str]]
    """Needed for the upstream ``openai``. Keep it secret."""
    anthropic_api_key: NotRequired[pulumi.Input[str]]
    """Needed for the upstream ``anthropic``. Keep it secret."""
    gemini_api_key: NotRequired[pulumi.Input[str]]
    """Needed for the upstream ``gemini``. Keep it secret."""
    groq_api_key: NotRequired[pulumi.Input[str]]
    """Needed for the upstream ``groq``. Keep it secret."""
    deepseek_api_key: NotRequired[pulumi.Input[str]]
    """Needed for the upstream ``deepseek``. Keep it secret."""
    qwen_api_key: NotRequired[pulumi.Input[str]]
    """Needed for the upstream ``qwen``. Keep it secret."""
    custom_api_key: NotRequired[pulumi.Input[str]]
    """Needed for the upstream ``custom``. Keep it secret."""
    openai_moderation_key: NotRequired[pulumi.Input[str]]
    """The key of a moderator of kind ``openai``; an upstream ``openai`` lends its own. Keep it secret."""
    yidun_moderation_id: NotRequired[pulumi.Input[str]]
    """The SecretId of a moderator of kind ``yidun``. Keep it secret."""
    yidun_moderation_key: NotRequired[pulumi.Input[str]]
    """The SecretKey of a moderator of kind ``yidun``. Keep it secret."""
    baidu_moderation_id: NotRequired[pulumi.Input[str]]
    """The API key of a moderator of kind ``baidu``. Keep it secret."""
    baidu_moderation_key: NotRequired[pulumi.Input[str]]
    """The secret key of a moderator of kind ``baidu``. Keep it secret."""
    aliyun_moderation_id: NotRequired[pulumi.Input[str]]
    """The AccessKey id of a moderator of kind ``aliyun``. Keep it secret."""
    aliyun_moderation_key: NotRequired[pulumi.Input[str]]
    """The AccessKey secret of a moderator of kind ``aliyun``. Keep it secret."""
    tencent_moderation_id: NotRequired[pulumi.Input[str]]
    """The SecretId of a moderator of kind ``tencent``. Keep it secret."""
    tencent_moderation_key: NotRequired[pulumi.Input[str]]
    """The SecretKey of a moderator of kind ``tencent``. Keep it secret."""
    hook_moderation_key: NotRequired[pulumi.Input[str]]
    """The key of a moderator of one's own, which names it ``moderation_hook_key``. Keep it secret."""
    client_address: NotRequired[pulumi.Input[str]]
    """The public IPv4 address of a machine that may call too, such as a ``ModelServer``'s ``address``."""
    zone: NotRequired[str]
    """A certain zone. Default: the first that offers the type."""
    instance_type: NotRequired[str]
    """Default: the cheapest with 2 vCPU and 2 GiB."""
    image_id: NotRequired[pulumi.Input[str]]
    """The id of your own Ubuntu 24.04 image. Default: the newest. A machine that runs takes it with ``renew`` only."""
    public: NotRequired[bool]
    """Say that ranges as wide as the internet are meant. Never applies to SSH."""
    ssh_cidrs: NotRequired[list[str]]
    """The ranges that SSH is open to. Default: ``allowed_cidrs``."""
    https_port: NotRequired[int]
    """Default: 443."""
    keys: NotRequired[dict[str, Any]]
    """Gateway keys by name, each with its limits: see ``KeySpec``. Default: one called ``default``."""
    routes: NotRequired[dict[str, Any]]
    """More names that callers may ask for, each with the models that answer for it: see ``RouteSpec``."""
    blocked_words: NotRequired[list[str]]
    """Prompts that hold one of these are refused."""
    content: NotRequired[dict[str, Any]]
    """Word lists and moderators for requests and answers: see ``ContentSpec``."""
    vpc_id: NotRequired[pulumi.Input[str]]
    """An existing VPC. Default: a network is made."""
    subnet_id: NotRequired[pulumi.Input[str]]
    """An existing subnet; ``zone`` must then be given too."""
    network_cidr: NotRequired[str]
    """The range of the network that is made. Default: ``10.61.0.0/16``."""
    system_disk_gib: NotRequired[int]
    """Default: 40."""
    disk_gib: NotRequired[int]
    """The encrypted data disk, which holds the keys. Default: 20."""
    renew: NotRequired[bool]
    """Take the newest image and boot instructions at this ``up``. Default: false."""
    protect: NotRequired[bool]
    """Keep the data disk: what would delete or replace it is refused. Default: not, and the policy reminds."""
    ready_timeout_minutes: NotRequired[int]
    """How long ``up`` waits for the node. Default: 30."""
    tags: NotRequired[dict[str, str]]
    """Tags for everything that takes them."""


_SPEC_KEYS = tuple(key for key in OverseasProxyArgs.__annotations__ if key in ProxySpec.model_fields)


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

    def __init__(self, name: str, args: OverseasProxyArgs, opts: Optional[pulumi.ResourceOptions] = None) -> None:
        """Make the proxy. A wrong argument ends the program with every mistake named, and no traceback."""
        with support.refusing(name):
            given = checked(args, OverseasProxyArgs)
            fit = given.fit
            proxy, access, network, tags, __ = support.gather(
                lambda: spec.parse(ProxySpec, support.pick_known(fit, *_SPEC_KEYS)),
                lambda: spec.parse(AccessSpec, support.pick(fit, "allowed_cidrs", "public", "ssh_cidrs", "https_port")),
                lambda: spec.parse(spec.NetworkSpec, {"cidr": fit.get("network_cidr") or "10.61.0.0/16"}),
                lambda: spec.parse(spec.TagsSpec, support.pick(fit, "tags")),
                lambda: check_existing(fit),
                beside=given.findings,
            )
            support.check_name(name, proxy.cloud, below="-network")
            upstream_keys, place = support.gather(
                lambda: _upstream_keys(proxy, args), lambda: placement.place_proxy(proxy)
            )
            cloud = support.adapter(proxy.cloud)
            port = access.port(in_china=False)
            node = _node(name, proxy, port)
            check_gateway(node.gateway)
            of_moderators = moderator_keys(node.gateway, args)
        super().__init__(f"{support.PACKAGE}:index:OverseasProxy", name, support.recorded(args), opts)
        scope = support.scope_of(self, name, cloud, proxy.region)
        today = datetime.now(UTC).date()
        notices.warn(self, name, [*hosts.expired(proxy.keys), *ending_models(proxy.upstreams, today)])
        keys = hosts.gateway_keys(name, proxy.keys, scope)
        client = args.get("client_address")
        host = hosts.make_host(
            hosts.HostRequest(
                name=name,
                cloud=cloud,
                network=network_for(scope, name, args, place, network.cidr),
                place=place,
                system_disk_gib=proxy.system_disk_gib,
                access=access,
                clients=(pulumi.Output.concat(client, "/32"),) if client is not None else (),
                ports={port: "gateway (HTTPS)"},
                node=node,
                secrets={
                    **{f"upstream_{vendor}": value for vendor, value in upstream_keys.items()},
                    **{f"gateway_key_{key}": value for key, value in keys.items()},
                    **of_moderators,
                },
                tags={**tags.tags, "pulumi-llm": "overseas-proxy"},
                ready_timeout_minutes=proxy.ready_timeout_minutes,
                renew=proxy.renew,
                protect=support.protection(args),
                image_id=args.get("image_id"),
            ),
            scope,
        )
        support.publish(
            self,
            {
                "endpoint": host.url(port, "/v1"),
                "models": pulumi.Output.from_input([each.name for each in node.gateway.routes]),
                "api_keys": pulumi.Output.secret(pulumi.Output.all(**keys)),
                **host.outputs(place),
            },
        )


def _upstream_keys(proxy: ProxySpec, args: OverseasProxyArgs) -> dict[str, pulumi.Input[str]]:
    keys: dict[str, pulumi.Input[str]] = {}
    missing = []
    for vendor in sorted(proxy.upstreams):
        value: Any = args.get(f"{vendor}_api_key")
        if value is None:
            missing.append(vendor)
        else:
            keys[vendor] = pulumi.Output.secret(value)
    if missing:
        support.refuse(
            "secret.missing",
            _("the upstream {missing} needs an API key, and none is given", missing=all_of(missing)),
            all_of(
                _(
                    "`pulumi config set --secret {vendor_secrets}`, or the argument {vendor}_api_key",
                    vendor_secrets=spec.VENDOR_SECRETS[vendor],
                    vendor=vendor,
                )
                for vendor in missing
            ),
        )
    return keys


def _node(name: str, proxy: ProxySpec, port: int) -> NodeRequest:
    data = catalog.load()
    return NodeRequest(
        name=name,
        cloud=proxy.cloud,
        region=proxy.region,
        login_user=data.clouds[proxy.cloud].login_user,
        in_china=False,
        data_disk_gib=sold_size(proxy.cloud, "data", proxy.disk_gib),
        sources=node_sources(proxy.cloud, proxy.region),
        vllm=None,
        weaviate=None,
        gateway=GatewayRole(
            https_port=port,
            vectors_https_port=None,
            vectors_grpc_port=None,
            keys=hosts.gateway_key_rows(proxy.keys),
            upstreams=vendor_upstreams(proxy.upstreams),
            routes=routes_of(vendor_targets(proxy.upstreams), proxy.routes),
            blocked_words=proxy.blocked_words,
            content=content_role(proxy.content, vendor_upstreams(proxy.upstreams)),
        ),
    )
