"""A whole platform from one spec: model server, vectors, overseas proxy, and the ways between them."""

from collections.abc import Mapping
from typing import Any, NotRequired, Optional, TypedDict

import pulumi

from pulumi_llm import _component as support
from pulumi_llm import catalog
from pulumi_llm._arguments import checked
from pulumi_llm._gateway import foreign_models, prices_of
from pulumi_llm.model_server import ModelServer
from pulumi_llm.network import Network
from pulumi_llm.overseas_proxy import OverseasProxy
from pulumi_llm.preflight import placement
from pulumi_llm.preflight import platform as platforms
from pulumi_llm.spec import MODERATOR_SECRETS, VENDOR_SECRETS, ContentSpec, KeySpec, PlatformSpec, secrets_named
from pulumi_llm.texts import _
from pulumi_llm.vector_store import VectorStore

SERVER_KEY = "server"
"""The proxy's key that the model server's gateway uses."""


class PlatformArgs(TypedDict):
    """The spec of a platform (see docs/user-guide.md), and the secrets that it needs."""

    server: dict[str, Any]
    """The GPU host and the model: see ``ServerSpec``."""
    access: dict[str, Any]
    """Who may call: see ``AccessSpec``."""
    vectors: NotRequired[dict[str, Any]]
    """Weaviate: see ``VectorsSpec``. Default: none."""
    proxy: NotRequired[dict[str, Any]]
    """The overseas proxy: see ``ProxySpec``. Default: none."""
    network: NotRequired[dict[str, Any]]
    """The model server's network: see ``NetworkSpec``. Default: one is made."""
    protect: NotRequired[bool]
    """Keep all data disks: what would delete or replace one is refused. Default: not, and the policy reminds."""
    tags: NotRequired[dict[str, str]]
    """Tags for everything that takes them."""
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
    hub_token: NotRequired[pulumi.Input[str]]
    """The model hub's token, for gated models. Keep it secret."""


_VENDOR_KEYS = tuple(f"{vendor}_api_key" for vendor in VENDOR_SECRETS)
_MODERATOR_KEYS = tuple(each.argument for each in MODERATOR_SECRETS.values())
_SECRETS = (*_VENDOR_KEYS, *_MODERATOR_KEYS, "hub_token")


class Platform(pulumi.ComponentResource):
    """All of it: a GPU host with the model, Weaviate, the gateway in front, and a proxy overseas."""

    endpoint: pulumi.Output[str]
    """The model server's OpenAI-compatible base URL, ``https://…/v1``."""
    model: pulumi.Output[str]
    """What clients call the model."""
    models: pulumi.Output[list[str]]
    """Every model that the endpoint serves, the foreign ones included."""
    api_keys: pulumi.Output[dict[str, str]]
    """The gateway's keys by name (secret)."""
    address: pulumi.Output[str]
    """The model server's public IPv4 address."""
    certificate_authority: pulumi.Output[str]
    """The authority that signed the model server's certificate (PEM). Clients must trust it."""
    vectors_endpoint: pulumi.Output[Optional[str]]
    """Weaviate's REST URL, where there is one."""
    vectors_grpc: pulumi.Output[Optional[str]]
    """Weaviate's gRPC address (``host:port``, TLS), where there is one."""
    vectors_key: pulumi.Output[Optional[str]]
    """Weaviate's API key (secret), where there is one."""
    vectors_certificate_authority: pulumi.Output[Optional[str]]
    """The authority that signed Weaviate's certificate (PEM), where there is one."""
    vectors_address: pulumi.Output[Optional[str]]
    """Weaviate's public IPv4 address, where it has a machine of its own."""
    proxy_endpoint: pulumi.Output[Optional[str]]
    """The proxy's own base URL, where there is one."""
    proxy_api_keys: pulumi.Output[Optional[dict[str, str]]]
    """The proxy's keys by name (secret), where there is one."""
    proxy_address: pulumi.Output[Optional[str]]
    """The proxy's public IPv4 address, where there is one."""
    proxy_certificate_authority: pulumi.Output[Optional[str]]
    """The authority that signed the proxy's certificate (PEM), where there is one."""
    hourly_price: pulumi.Output[Optional[float]]
    """List price of all machines per hour in ``currency``, without disks and traffic; absent where one is unknown."""
    currency: pulumi.Output[Optional[str]]
    """The currency of ``hourly_price``: that of the model server's price."""
    ssh_private_key: pulumi.Output[str]
    """The key for SSH to the model server (secret)."""
    proxy_ssh_private_key: pulumi.Output[Optional[str]]
    """The key for SSH to the proxy (secret), where there is one."""
    vectors_ssh_private_key: pulumi.Output[Optional[str]]
    """The key for SSH to Weaviate's machine (secret), where it has one of its own."""

    def __init__(self, name: str, args: PlatformArgs, opts: Optional[pulumi.ResourceOptions] = None) -> None:
        """Make the platform. A wrong argument ends the program with every mistake named, and no traceback."""
        with support.refusing(name):
            given = checked(args, PlatformArgs)
            parts = {key: value for key, value in given.fit.items() if key not in _SECRETS}
            (wanted,) = support.gather(lambda: platforms.parse(parts), beside=given.findings)
            on = {wanted.server.cloud, *([wanted.proxy.cloud] if wanted.proxy else ())}
            support.check_name(name, *sorted(on), below="-vectors-network")
            place = placement.place_server(wanted.server)
            if wanted.network.exists and wanted.server.zone is None:
                support.refuse(
                    "spec.zone-needed",
                    _("an existing subnet is named, but not its zone"),
                    _("server.zone: the subnet's zone"),
                )
            # Both SDKs before anything is made.
            places = [wanted.server.cloud, *([wanted.proxy.cloud] if wanted.proxy else [])]
            cloud, *__ = support.gather(*[lambda each=each: support.adapter(each) for each in places])
        super().__init__(f"{support.PACKAGE}:index:Platform", name, support.recorded(args), opts)
        scope = support.scope_of(self, name, cloud, wanted.server.region)
        at_server = pulumi.ResourceOptions(parent=self, providers=[scope.provider])
        network = self._network(name, wanted, place, at_server)
        # The address comes first: the proxy's firewall lets it in, and the server's settings name the proxy.
        address = cloud.address(f"{name}-address", wanted.tags, scope)
        proxy = self._proxy(name, wanted, args, address.ip) if wanted.proxy else None
        server_args: Any = {
            **wanted.server.model_dump(exclude_none=True),
            **_access(wanted),
            **network,
            "zone": place.zone,
            "address_id": address.id,
            "address": address.ip,
            "tags": wanted.tags,
            "hub_token": args.get("hub_token"),
            **support.pick(args, *_moderator_keys(wanted.server.content)),
            **_protection(wanted),
        }
        if proxy is not None:
            # Not its `endpoint`, which is known only when it is ready: the GPU host would wait for that.
            port = wanted.access.port(in_china=False)
            server_args |= {
                "proxy_endpoint": pulumi.Output.concat("https://", proxy.address, f":{port}/v1"),
                "proxy_key": proxy.api_keys.apply(lambda keys: str(keys[SERVER_KEY])),
                "proxy_certificate_authority": proxy.certificate_authority,
            }
        if wanted.proxy is not None:
            prices = prices_of(wanted.proxy.upstreams)
            server_args |= {
                "proxy_models": list(foreign_models(wanted.proxy.upstreams)),
                "proxy_prices": {model: price.model_dump() for model, price in prices.items()},
            }
        beside = wanted.vectors is not None and wanted.vectors.placement == "server"
        if beside and wanted.vectors is not None:
            server_args |= {
                "vectors": True,
                "vectors_memory_gib": wanted.vectors.memory_gib,
                "vectors_disk_gib": wanted.vectors.disk_gib,
            }
        server = ModelServer(f"{name}-server", server_args, at_server)
        outputs: dict[str, Any] = {
            key: getattr(server, key)
            for key in (
                "endpoint",
                "model",
                "models",
                "api_keys",
                "address",
                "certificate_authority",
                "ssh_private_key",
            )
        }
        hosts: list[ModelServer | OverseasProxy | VectorStore] = [server]
        if beside:
            outputs |= {
                "vectors_endpoint": server.vectors_endpoint,
                "vectors_grpc": server.vectors_grpc,
                "vectors_key": server.vectors_key,
                "vectors_certificate_authority": server.certificate_authority,
            }
        elif wanted.vectors is not None:
            store = self._vectors(name, wanted, network, place, at_server)
            hosts.append(store)
            outputs |= {
                "vectors_endpoint": store.endpoint,
                "vectors_grpc": store.grpc,
                "vectors_key": store.api_key,
                "vectors_certificate_authority": store.certificate_authority,
                "vectors_address": store.address,
                "vectors_ssh_private_key": store.ssh_private_key,
            }
        if proxy is not None:
            hosts.append(proxy)
            outputs |= {
                "proxy_endpoint": proxy.endpoint,
                "proxy_api_keys": proxy.api_keys,
                "proxy_address": proxy.address,
                "proxy_certificate_authority": proxy.certificate_authority,
                "proxy_ssh_private_key": proxy.ssh_private_key,
            }
        total = pulumi.Output.all(*[[each.hourly_price, each.currency] for each in hosts]).apply(_total)
        outputs["hourly_price"] = total.apply(lambda both: both[0])
        outputs["currency"] = total.apply(lambda both: both[1])
        support.publish(self, outputs)

    def _network(
        self, name: str, wanted: PlatformSpec, place: placement.Placement, opts: pulumi.ResourceOptions
    ) -> dict[str, Any]:
        if wanted.network.exists:
            return {"vpc_id": wanted.network.vpc_id, "subnet_id": wanted.network.subnet_id}
        network = Network(
            f"{name}-network",
            {
                "cloud": place.cloud,
                "region": place.region,
                "zone": place.zone,
                "cidr": wanted.network.cidr,
                "tags": wanted.tags,
            },
            opts,
        )
        return {"vpc_id": network.vpc_id, "subnet_id": network.subnet_id}

    def _proxy(
        self, name: str, wanted: PlatformSpec, args: Mapping[str, Any], server_address: pulumi.Input[str]
    ) -> OverseasProxy:
        assert wanted.proxy is not None  # noqa: S101 - asked by the caller
        proxy = wanted.proxy
        keys = {SERVER_KEY: KeySpec(requests_per_minute=None, max_concurrency=None), **proxy.keys}
        network: dict[str, Any] = {"network_cidr": proxy.network.cidr}
        if proxy.network.exists:
            network = {"vpc_id": proxy.network.vpc_id, "subnet_id": proxy.network.subnet_id}
        proxy_args: Any = {
            **proxy.model_dump(exclude_none=True, exclude={"network", "keys"}),
            **_access(wanted),
            **network,
            "keys": {key: value.model_dump() for key, value in keys.items()},
            "client_address": server_address,
            "tags": wanted.tags,
            **_protection(wanted),
            **support.pick(args, *_VENDOR_KEYS, *_moderator_keys(proxy.content, proxy.upstreams)),
        }
        # A provider fixes the region, so the server's serves the proxy only if nobody needs another one.
        cloud = support.adapter(proxy.cloud)
        given = self.get_provider(f"{cloud.package}:index:any") if proxy.cloud != wanted.server.cloud else None
        provider = given or support.regional_provider(f"{name}-proxy", cloud, proxy.region, self)
        return OverseasProxy(f"{name}-proxy", proxy_args, pulumi.ResourceOptions(parent=self, providers=[provider]))

    def _vectors(
        self,
        name: str,
        wanted: PlatformSpec,
        network: dict[str, Any],
        place: placement.Placement,
        opts: pulumi.ResourceOptions,
    ) -> VectorStore:
        assert wanted.vectors is not None  # noqa: S101 - asked by the caller
        access = {key: value for key, value in _access(wanted).items() if key != "https_port"}
        store_args: Any = {
            "cloud": place.cloud,
            "region": place.region,
            "zone": place.zone,
            **wanted.vectors.model_dump(exclude_none=True, exclude={"placement"}),
            **access,
            **_protection(wanted),
            **network,
            "tags": wanted.tags,
        }
        return VectorStore(f"{name}-vectors", store_args, opts)


def _moderator_keys(content: ContentSpec | None, upstreams: Mapping[str, Any] | None = None) -> list[str]:
    """The arguments that the moderators of one gateway need; another's are not given to it."""
    rows = content.model_dump()["moderators"] if content else {}
    names = [name for __, __, name in secrets_named(rows, upstreams)]
    return [MODERATOR_SECRETS[name].argument for name in names if name in MODERATOR_SECRETS]


def _access(wanted: PlatformSpec) -> dict[str, Any]:
    return {key: value for key, value in wanted.access.model_dump().items() if value is not None}


def _protection(wanted: PlatformSpec) -> dict[str, Any]:
    return {} if wanted.protect is None else {"protect": wanted.protect}


def _total(prices: list[list[Any]]) -> tuple[float | None, str | None]:
    """The sum in the first price's currency, or nothing where one is unknown."""
    currency = prices[0][1]
    if any(amount is None or each is None for amount, each in prices):
        return None, currency
    convert = catalog.load().exchange_rate.convert
    return round(sum(convert(amount, each, currency) for amount, each in prices), 4), currency
