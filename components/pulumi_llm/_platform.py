"""A whole platform from one spec: model server, vectors, overseas proxy, and the ways between them."""

from collections.abc import Mapping
from typing import Any, Optional, cast

import pulumi

from pulumi_llm import _component as support
from pulumi_llm import _model_server as model_server
from pulumi_llm import _nodes
from pulumi_llm import _overseas_proxy as overseas_proxy
from pulumi_llm._args import PlatformArgs
from pulumi_llm._arguments import checked, is_late
from pulumi_llm._findings import gather, keep, pick
from pulumi_llm._model_server import ModelServer
from pulumi_llm._network import Network, network_args
from pulumi_llm._overseas_proxy import OverseasProxy
from pulumi_llm._refusal import ending
from pulumi_llm._resolve import SERVER_KEY, ResolvedPlatform, ResolvedVectors, resolve_platform
from pulumi_llm._vector_store import VectorStore
from pulumi_llm.clouds.base import AddressHandle
from pulumi_llm.clouds.support import address_name
from pulumi_llm.errors import Finding
from pulumi_llm.spec import (
    BACKUP_SECRETS,
    DEFAULT_ENGINE,
    FURTHER_MODELS,
    HOST_KEY,
    MODERATOR_SECRETS,
    OWN_KEYS,
    SECRETS,
    WEIGHTS_SECRETS,
    ContentSpec,
    arguments_of_server,
    secrets_named,
    upstream_key,
)

_APART = ("network", "keys")
"""What the proxy's component takes in another form than the spec has."""
_SECRETS = (OWN_KEYS, *(each.argument for each in SECRETS))


class Platform(pulumi.ComponentResource):
    """All of it: a GPU host with the model, a vector store, the gateway in front, and a proxy overseas."""

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
    services: pulumi.Output[Optional[dict[str, Any]]]
    """What each of the server's ``services`` tells (secret), where there are any."""
    vectors_engine: pulumi.Output[Optional[str]]
    """Which vector store it is, such as ``weaviate``, where there is one."""
    vectors_endpoint: pulumi.Output[Optional[str]]
    """The vector store's URL, where there is one: its REST API, or what a client connects to."""
    vectors_grpc: pulumi.Output[Optional[str]]
    """The vector store's gRPC address (``host:port``, TLS), where it has one."""
    vectors_key: pulumi.Output[Optional[str]]
    """The vector store's API key or password (secret), where there is one."""
    vectors_vectorizer: pulumi.Output[Optional[dict[str, str]]]
    """What a client names in a collection whose texts the vector store turns into vectors itself: ``module``, ``model``
    and ``base_url``, where it does."""
    chat_endpoint: pulumi.Output[Optional[str]]
    """The chat page's URL, where there is one."""
    chat_password: pulumi.Output[Optional[str]]
    """The password of the chat page's first administrator (secret), where there is one."""
    vectors_certificate_authority: pulumi.Output[Optional[str]]
    """The authority that signed the vector store's certificate (PEM), where there is one."""
    vectors_address: pulumi.Output[Optional[str]]
    """The vector store's public IPv4 address, where it has a machine of its own."""
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
    vectors_backup_key: pulumi.Output[Optional[str]]
    """The key that reads the vectors' backups (secret), where there are any. Keep it elsewhere too: it goes with the
    stack."""
    vectors_ssh_private_key: pulumi.Output[Optional[str]]
    """The key for SSH to the vector store's machine (secret), where it has one of its own."""

    def __init__(
        self,
        name: str,
        args: PlatformArgs,
        opts: Optional[pulumi.ResourceOptions] = None,
        *,
        _resolved: Optional[ResolvedPlatform] = None,
    ) -> None:
        """Make the platform. A wrong argument ends the program with every mistake named, and no traceback.

        ``_resolved`` is what ``args`` come to, where a stack's program has settled it already.
        """
        with support.refusing(name):
            wanted = _resolved or _resolve(args)
            on = {each.site.cloud.name for each in wanted.machines}
            support.check_name(name, *sorted(on), below="-vectors-network")
            # Every SDK before anything is made.
            cloud, *_ = gather(*[lambda each=each: support.adapter(each.site.cloud.name) for each in wanted.machines])
        of_server, of_proxy = _settled(name, args, wanted)
        super().__init__(f"{support.PACKAGE}:index:Platform", name, support.recorded(args), opts)
        scope = support.scope_of(self, name, cloud, wanted.server.site.region.name)
        at_server = pulumi.ResourceOptions(parent=self, providers=[scope.provider])
        host = wanted.spec.server.host
        network = self._network(name, wanted, at_server) if host is None else {}
        # The address comes first: the proxy's firewall lets it in, and the server's settings name the proxy.
        address = None
        if host is None:
            named = address_name(name, cloud, wanted.server.site.place.instance_type)
            address = cloud.address(named, wanted.spec.tags, scope)
        caller = address.ip if address is not None else host.address if host is not None else ""
        proxy = self._proxy(name, wanted, args, caller, of_proxy) if of_proxy is not None else None
        store = None
        if wanted.vectors is not None:
            store = self._vectors(name, wanted, wanted.vectors, args, network, at_server)
        asks = store._host.private_address if store is not None and wanted.server.store is not None else None
        server = self._server(name, wanted, args, network, address, proxy, at_server, of_server, asks)
        if store is not None and wanted.server.store is not None:
            store._tell(server._way)
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
        if wanted.spec.server.services:
            outputs["services"] = server.services
        if wanted.spec.server.apps is not None:
            outputs |= _present(server, "chat_endpoint", "chat_password")
        if wanted.server.vectors is not None:
            outputs |= {
                **_present(
                    server,
                    *(f"vectors_{each}" for each in ("engine", "endpoint", "grpc", "key", "vectorizer", "backup_key")),
                ),
                "vectors_certificate_authority": server.certificate_authority,
            }
        elif wanted.vectors is not None and store is not None:
            if wanted.vectors.spec.vectorizer is not None:
                told = _nodes.vectorizer(wanted.vectors.spec)
                outputs["vectors_vectorizer"] = pulumi.Output.from_input(told)
            outputs |= {
                **{f"vectors_{name}": value for name, value in _present(store, "engine", "endpoint", "grpc").items()},
                "vectors_key": store.api_key,
                "vectors_certificate_authority": store.certificate_authority,
                "vectors_address": store.address,
                "vectors_ssh_private_key": store.ssh_private_key,
                **{f"vectors_{name}": value for name, value in _present(store, "backup_key").items()},
            }
        if proxy is not None:
            outputs |= {
                "proxy_endpoint": proxy.endpoint,
                "proxy_api_keys": proxy.api_keys,
                "proxy_address": proxy.address,
                "proxy_certificate_authority": proxy.certificate_authority,
                "proxy_ssh_private_key": proxy.ssh_private_key,
            }
        outputs["hourly_price"] = pulumi.Output.from_input(wanted.hourly_price)
        outputs["currency"] = pulumi.Output.from_input(wanted.currency)
        support.publish(self, outputs)

    def _network(self, name: str, wanted: ResolvedPlatform, opts: pulumi.ResourceOptions) -> dict[str, Any]:
        asked = wanted.spec.network
        if asked.exists:
            more = {"subnet_ids": dict(asked.subnets)} if asked.subnets else {}
            return {"vpc_id": asked.vpc_id, "subnet_id": asked.subnet_id, **more}
        network = Network(f"{name}-network", network_args(wanted.server), opts)
        ids = _present(network, "subnet_ids")
        return {"vpc_id": network.vpc_id, "subnet_id": network.subnet_id, **ids}

    def _server(
        self,
        name: str,
        wanted: ResolvedPlatform,
        args: PlatformArgs,
        network: dict[str, Any],
        address: AddressHandle | None,
        proxy: OverseasProxy | None,
        opts: pulumi.ResourceOptions,
        settled: model_server.Settled,
        store: pulumi.Output[str] | None,
    ) -> ModelServer:
        server, vectors, foreign = wanted.server.spec, wanted.server.vectors, wanted.server.foreign
        server_args: Any = {
            **arguments_of_server(_written(wanted, server=server)["server"]),
            **_shared(wanted),
            **network,
            **_placed(wanted, address),
            "hub_token": args.get("hub_token"),
            **_upstream_keys(args, server.upstreams),
            **pick(args, *_moderator_keys(server.content, server.upstreams)),
            **(pick(args, HOST_KEY.argument) if server.host is not None else {}),
        }
        if proxy is not None:
            # Not its `endpoint`, which is known only when it is ready: the GPU host would wait for that.
            port = wanted.proxy.port if wanted.proxy else None
            server_args |= {
                "proxy_endpoint": pulumi.Output.concat("https://", proxy.address, f":{port}/v1"),
                "proxy_key": proxy.api_keys.apply(lambda keys: str(keys[SERVER_KEY])),
                "proxy_certificate_authority": proxy.certificate_authority,
            }
        if foreign is not None:
            server_args |= {
                "proxy_models": list(foreign.models),
                "proxy_prices": {model: price.model_dump() for model, price in foreign.prices.items()},
            }
        if vectors is not None:
            server_args |= {
                "vectors": True,
                **({} if vectors.engine == DEFAULT_ENGINE else {"vectors_engine": vectors.engine}),
                **({} if vectors.count is None else {"vectors_count": vectors.count}),
                **({} if vectors.dimensions is None else {"vectors_dimensions": vectors.dimensions}),
                "vectors_memory_gib": vectors.memory_gib,
                "vectors_disk_gib": vectors.disk_gib,
                **(
                    {}
                    if vectors.vectorizer is None
                    else {"vectors_vectorizer": vectors.vectorizer.model_dump(exclude_none=True)}
                ),
                **({} if vectors.backup is None else {"vectors_backup": vectors.backup.model_dump(exclude_none=True)}),
                **pick(args, *(each.argument for each in BACKUP_SECRETS)),
            }
        if wanted.spec.server.weights is not None:
            server_args |= pick(args, *(each.argument for each in WEIGHTS_SECRETS))
        for part in ("services", "upstreams", FURTHER_MODELS):
            if not server_args[part]:
                del server_args[part]  # what nobody asked for is not recorded
        return ModelServer(f"{name}-server", server_args, opts, _settled=settled, _store=store)

    def _proxy(
        self,
        name: str,
        wanted: ResolvedPlatform,
        args: PlatformArgs,
        server_address: pulumi.Input[str],
        settled: overseas_proxy.Settled,
    ) -> OverseasProxy:
        proxy = settled.proxy.spec
        network: dict[str, Any] = {"network_cidr": proxy.network.cidr}
        if proxy.network.exists:
            network = {"vpc_id": proxy.network.vpc_id, "subnet_id": proxy.network.subnet_id}
        proxy_args: Any = {
            **{key: each for key, each in _written(wanted, proxy=proxy)["proxy"].items() if key not in _APART},
            **_shared(wanted),
            **network,
            "keys": {key: value.model_dump() for key, value in proxy.keys.items()},
            "client_address": server_address,
            **_upstream_keys(args, proxy.upstreams),
            **pick(args, *_moderator_keys(proxy.content, proxy.upstreams)),
        }
        # A provider fixes the region, so the server's serves the proxy only if nobody needs another one.
        cloud = support.adapter(proxy.cloud)
        given = self.get_provider(f"{cloud.package}:index:any") if proxy.cloud != wanted.spec.server.cloud else None
        provider = given or support.regional_provider(f"{name}-proxy", cloud, proxy.region, self)
        opts = pulumi.ResourceOptions(parent=self, providers=[provider])
        return OverseasProxy(f"{name}-proxy", proxy_args, opts, _settled=settled)

    def _vectors(
        self,
        name: str,
        wanted: ResolvedPlatform,
        vectors: ResolvedVectors,
        args: PlatformArgs,
        network: dict[str, Any],
        opts: pulumi.ResourceOptions,
    ) -> VectorStore:
        place = vectors.site.place
        store_args: Any = {
            "cloud": place.cloud,
            "region": place.region,
            "zone": place.zone,
            **vectors.spec.model_dump(exclude_none=True, exclude={"placement", "vectorizer"}),
            **{key: value for key, value in _shared(wanted).items() if key != "https_port"},
            **network,
            **pick(args, *(each.argument for each in BACKUP_SECRETS)),
        }
        store_args.pop("subnet_ids", None)  # it is one machine
        return VectorStore(f"{name}-vectors", store_args, opts, _resolved=vectors)


def _placed(wanted: ResolvedPlatform, address: AddressHandle | None) -> dict[str, Any]:
    """The zone and the address of the server; a machine that exists has its own."""
    if address is None:
        return {}
    return {"zone": wanted.server.site.place.zone, "address_id": address.id, "address": address.ip}


def _present(component: pulumi.ComponentResource, *names: str) -> dict[str, Any]:
    """Those outputs of a component that it has: not every vector store speaks gRPC."""
    return {name: getattr(component, name) for name in names if hasattr(component, name)}


def _resolve(args: PlatformArgs) -> ResolvedPlatform:
    given = checked(args, PlatformArgs)
    parts = {key: value for key, value in given.fit.items() if key not in _SECRETS}
    (resolved,) = gather(lambda: resolve_platform(parts), beside=given.findings)
    return cast("ResolvedPlatform", resolved)


def _settled(
    name: str, args: PlatformArgs, wanted: ResolvedPlatform
) -> tuple[model_server.Settled, overseas_proxy.Settled | None]:
    """What the gateways' machines are made from. What is wrong with one ends the program before anything is made."""
    findings: list[Finding] = []
    at_server, at_proxy = f"{name}-server", f"{name}-proxy"
    server = keep(findings, lambda: model_server.settle(at_server, args, wanted.server), at_server)
    proxy = None
    if wanted.proxy is not None:
        asked = wanted.proxy
        proxy = keep(findings, lambda: overseas_proxy.settle(at_proxy, args, asked), at_proxy)
    if findings or server is None:
        raise ending(findings)
    return server, proxy


def _upstream_keys(args: Mapping[str, Any], upstreams: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments with the keys of one gateway's upstreams; another's are not given to it."""
    names = {upstream_key(name).argument for name in upstreams}
    found = pick(args, *sorted(names - {OWN_KEYS}))
    own = args.get(OWN_KEYS)
    if OWN_KEYS in names and own is not None:
        found[OWN_KEYS] = own if is_late(own) else pick(own, *upstreams)
    return found


def _moderator_keys(content: ContentSpec | None, upstreams: Mapping[str, Any] | None = None) -> list[str]:
    """The arguments that the moderators of one gateway need; another's are not given to it."""
    rows = content.model_dump()["moderators"] if content else {}
    names = [name for _, _, name in secrets_named(rows, upstreams)]
    return [MODERATOR_SECRETS[name].argument for name in names if name in MODERATOR_SECRETS]


def _written(wanted: ResolvedPlatform, **parts: Any) -> dict[str, Any]:
    """Parts of the platform as plain data, without what is None.

    The platform's own serializer is there since it was read; one of each part would first have to be built.
    """
    return wanted.spec.model_copy(update=parts).model_dump(exclude_none=True, include=set(parts))


def _shared(wanted: ResolvedPlatform) -> dict[str, Any]:
    """What the platform gives to each of its machines, as the arguments of a component."""
    asked = wanted.spec
    access = _written(wanted, access=asked.access)["access"]
    protect = {} if asked.protect is None else {"protect": asked.protect}
    return {**access, **protect, "tags": asked.tags}
