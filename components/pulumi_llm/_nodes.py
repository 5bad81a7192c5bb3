"""What runs on each machine: its node, the ports that callers need, its secrets by name, and what it tells about them.

Plain functions of the resolved parts. Nothing is made here: what is known only later is passed through as it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import pulumi

from pulumi_llm import _replicas, _served, _vectorizing, catalog, roles, spec
from pulumi_llm._bootstrap import (
    BackupRole,
    BucketRole,
    BundleRole,
    DepotRole,
    GatewayRole,
    LeaveRole,
    NodeRequest,
    RoleRequest,
    ServiceRole,
    Target,
    Upstream,
)
from pulumi_llm._gateway import content_role, key_rows, priced, routes_of, vendor_targets, vendor_upstreams
from pulumi_llm._sources import node_sources
from pulumi_llm._stopping import is_told
from pulumi_llm.catalog import systems
from pulumi_llm.roles import Authority, engines, order
from pulumi_llm.roles.requests import Traces

if TYPE_CHECKING:
    from pulumi_llm._host import Host
    from pulumi_llm._resolve import ResolvedProxy, ResolvedServer, ResolvedVectors, Site
    from pulumi_llm.preflight.placement import Placement
    from pulumi_llm.spec import DomainSpec, ProxySpec, ServerSpec, UpstreamSpec, VectorsSpec

PROXY_SECRET = "upstream_proxy"  # noqa: S105 - the name of a secret
"""A model server's key of the overseas proxy."""
PROXY_AUTHORITY = "proxy_certificate_authority"

DEPOT = "/srv/llm/bundle"
"""Where a bundle from a bucket lies: on the data disk, so that weights are not there twice."""

Value = TypeVar("Value")


def server_node(
    name: str,
    server: ResolvedServer,
    proxy_endpoint: str | None = None,
    replicas: Sequence[str] = (),
    among: Sequence[str] = (),
    store: str | None = None,
    ids: Sequence[str] = (),
) -> NodeRequest:
    """A model server's node. Without the proxy's endpoint it is what user data needs: nothing that is known only later.

    ``replicas``: the private addresses of the other machines that serve the same models, once they are known (``ids``:
    theirs at the cloud);
    ``among``: those of all machines that have one model together. ``store``: that of a vector store's own machine,
    which asks the gateway for vectors.

    Raises:
        Refusal: for what is wrong with word files or hooks (:func:`pulumi_llm._gateway.content_role`).
    """
    wanted, vectors = server.spec, server.vectors
    upstreams = [*_served.upstreams(server), *vendor_upstreams(wanted.upstreams, server.site.region.country)]
    targets = {**_served.targets(server), **vendor_targets(wanted.upstreams, server.prices)}
    if proxy_endpoint is not None and server.foreign is not None:
        upstreams.append(
            Upstream(
                name="proxy",
                kind="gateway",
                base_url=proxy_endpoint,
                secret=PROXY_SECRET,
                ca_secret=PROXY_AUTHORITY,
            )
        )
        for model in server.foreign.models:
            targets[model] = Target(upstream="proxy", model=model, **priced(server.foreign.prices.get(model)))
    upstreams += (further := _replicas.upstreams(server, replicas))
    several = dict.fromkeys(_served.targets(server), tuple(each.name for each in further)) if further else {}
    # Before the proxy's address is known, a route to one of its models is not there yet.
    routes = {key: route for key, route in wanted.routes.items() if set(route.all) <= targets.keys()}
    gateway = GatewayRole(
        https_port=server.port,
        keys=key_rows(_vectorizing.keys(server, store)),
        upstreams=tuple(upstreams),
        routes=routes_of(targets, routes, several),
        blocked_words=wanted.blocked_words,
        content=content_role(wanted.content, upstreams),
        origins=wanted.cors_origins,
        traces=_traces(wanted),
        turns=_served.turns(server),
        starts=wanted.started_by == "request",
    )
    asked: list[RoleRequest] = [gateway, _served.role(server, 0, among)]
    if vectors:
        told = {"embeds": vectors.vectorizer.model} if vectors.vectorizer else {}
        beside = ServiceRole(role=vectors.engine, memory_gib=vectors.memory_gib, settings=told)
        asked += [beside, *backups(vectors, server.site)]
    asked += kept(server)
    if wanted.host is not None and wanted.host.bundle is not None:
        asked.append(BundleRole(folder=wanted.host.bundle))
    asked += services(server)
    asked += pages(server)
    asked += _replicas.waking(server, ids)
    if leaves := leaving(wanted):
        asked.append(leaves)
    return NodeRequest(
        name=name,
        **site_of(server.site, _system(wanted)),
        **_named(wanted.domain),
        # A machine that exists keeps its data in a folder.
        data_disk_gib=0 if server.site.place.exists else server.data_disk_gib,
        callers=server.access.allowed_cidrs if wanted.host is not None and wanted.host.mode == "container" else None,
        roles=tuple(asked),
    )


def _system(wanted: ServerSpec) -> str:
    """What the machine runs: what its owner says, or what is bought."""
    if wanted.host is not None:
        return wanted.host.system
    return systems.OF_TPUS if catalog.load().gpus[wanted.gpu].tpu else systems.DEFAULT


def _traces(wanted: ServerSpec | ProxySpec) -> Traces | None:
    asked = wanted.traces
    return Traces(endpoint=asked.endpoint, share=asked.share, engine=asked.engine) if asked else None


def kept(server: ResolvedServer) -> tuple[RoleRequest, ...]:
    """What a machine of the server takes from the bucket: nothing, its weights, or all that it installs."""
    wanted, site = server.spec.weights, server.site
    if wanted is None:
        return ()
    if wanted.bundle is None:
        return (BucketRole(target=wanted.target(site.region.name)),)
    depot = DepotRole(target=wanted.depot(site.region.name, site.cloud.name), digest=wanted.bundle)
    return (BundleRole(folder=DEPOT), depot)


def leaving(wanted: ServerSpec, number: int = 1) -> LeaveRole | None:
    """When a server stops by itself; None: never, and no cloud says that it takes it. ``number``: among replicas."""
    windows, zone = spec.windows_of(wanted.hours) if wanted.hours else ((), "")
    idle = wanted.idle_stop if wanted.idle_stop and wanted.idle_stop.stops(number) else None
    if not ((told := is_told(wanted)) or idle or windows):
        return None
    return LeaveRole(idle_minutes=idle.minutes if idle else None, windows=windows, zone=zone, spot=told)


def store_node(name: str, store: ResolvedVectors, gateway: str = "") -> NodeRequest:
    """The node of a vector store on a machine of its own. ``gateway``: where it asks for vectors, once known."""
    wants = store.spec.vectorizer
    told = {"embeds": wants.model, "gateway": gateway} if wants else {}
    asked = ServiceRole(role=store.spec.engine, memory_gib=store.spec.memory_gib, settings=told)
    wanted: tuple[RoleRequest, ...] = (asked, *backups(store.spec, store.site))
    return NodeRequest(name=name, **site_of(store.site), data_disk_gib=store.data_disk_gib, roles=wanted)


def proxy_node(name: str, proxy: ResolvedProxy) -> NodeRequest:
    """An overseas proxy's node.

    Raises:
        Refusal: for what is wrong with word files or hooks (:func:`pulumi_llm._gateway.content_role`).
    """
    wanted = proxy.spec
    upstreams = engines.behind(vendor_upstreams(wanted.upstreams, proxy.site.region.country), wanted.engine)
    gateway = GatewayRole(
        https_port=proxy.port,
        keys=key_rows(wanted.keys),
        upstreams=upstreams,
        routes=routes_of(vendor_targets(wanted.upstreams, proxy.prices), wanted.routes),
        blocked_words=wanted.blocked_words,
        content=content_role(wanted.content, upstreams),
        origins=wanted.cors_origins,
        traces=_traces(wanted),
    )
    return NodeRequest(
        name=name,
        **site_of(proxy.site),
        **_named(wanted.domain),
        data_disk_gib=proxy.data_disk_gib,
        roles=(gateway,) if wanted.engine == engines.NONE else (gateway, ServiceRole(role=wanted.engine)),
    )


def ports(node: NodeRequest) -> dict[int, str]:
    """The ports of a node that callers need, each with what answers there."""
    return order.ports(node)


def key_secrets(keys: Mapping[str, Value]) -> dict[str, Value]:
    """The gateway's keys, by the names that the node knows them by."""
    return {f"gateway_key_{key}": value for key, value in keys.items()}


def vendor_secrets(keys: Mapping[str, Value]) -> dict[str, Value]:
    """The upstreams' keys, by the names that the node knows them by."""
    return {spec.upstream_key(name).name: value for name, value in keys.items()}


def authorities(upstreams: Mapping[str, UpstreamSpec]) -> dict[str, str]:
    """The upstreams' own certificate authorities, by the names that the node knows them by."""
    return {
        spec.authority_secret(name): each.certificate_authority
        for name, each in upstreams.items()
        if each.certificate_authority is not None
    }


def vectors_secrets(engine: str, key: Value) -> dict[str, Value]:
    """A vector store's key, by the name that the node knows it by."""
    return {name: key for name, each in roles.role(engine).manifest.secrets.items() if each.generate}


def backups(vectors: VectorsSpec, site: Site) -> tuple[BackupRole, ...]:
    """Backups of a vector store, where they are asked for; the timer's lie below the names of project and stack."""
    wanted = vectors.backup
    if wanted is None:
        return ()
    if wanted.hours is None or wanted.to is None:
        return (BackupRole(engine=vectors.engine),)
    bucket, place = spec.bucket_of(wanted.to), f"{pulumi.get_project()}/{pulumi.get_stack()}"
    region = wanted.region or site.region.name
    target = {
        "url": wanted.url(site.region.name),
        "region": region,
        "prefix": "/".join(filter(None, (bucket.prefix if bucket else "", place))),
        "keep": wanted.keep,
    }
    return (BackupRole(engine=vectors.engine, target=target, hours=wanted.hours),)


def services(server: ResolvedServer) -> list[ServiceRole]:
    """The services beside a model that are asked for by their roles' names."""
    return [
        ServiceRole(role=name, memory_gib=each.memory_gib, disk_gib=each.disk_gib)
        for name, each in server.spec.services.items()
    ]


def pages(server: ResolvedServer) -> list[ServiceRole]:
    """The pages beside a model."""
    apps = server.spec.apps
    if apps is None or apps.chat is None:
        return []
    chat, rag = apps.chat, apps.rag
    told = {"embeddings": rag.embeddings, "dimensions": rag.dimensions, "reranker": rag.reranker} if rag else {}
    return [
        ServiceRole(
            role=chat.engine,
            memory_gib=chat.memory_gib,
            disk_gib=chat.disk_gib,
            ports=dict.fromkeys(roles.role(chat.engine).manifest.listeners, chat.port),
            settings={"admin_email": chat.admin_email, **told},
        )
    ]


def service_secrets(node: NodeRequest) -> dict[str, str]:
    """The secrets that are made for a node's services: the node's name of each, and what its resource is called after.

    Those of a vector store that is asked for by the components' own argument are not among them: it has a resource of
    its own name.
    """
    return {
        secret: f"{role.name}-{secret.removeprefix(role.name.replace('-', '_')).strip('_').replace('_', '-')}"
        for role in order.listed(node)
        if role.manifest.argument is None or node.asked(role.name) is None
        for secret, row in role.manifest.secrets.items()
        if row.generate
    }


def hub_secrets(token: Value) -> dict[str, Value]:
    """The model hub's token, by the name that the node knows it by."""
    return {"hf_token": token}


def proxy_secrets(key: Value, authority: Value) -> dict[str, Value]:
    """A model server's key of the proxy, and the authority that signed the proxy's certificate."""
    return {PROXY_SECRET: key, PROXY_AUTHORITY: authority}


def models(node: NodeRequest) -> list[str]:
    """Every model that a node's gateway answers for."""
    gateway = node.of(GatewayRole)
    return [each.name for each in gateway.routes] if gateway else []


def server_models(server: ResolvedServer) -> list[str]:
    """Every name that callers of a model server may ask for."""
    return list(dict.fromkeys([*server.served, *server.spec.routes]))


def server_outputs(
    host: Host, server: ResolvedServer, vectors_key: Any = None, made: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """What a model server tells about what runs on it; what is known only when the node is ready waits for that.

    ``made`` are the secrets of its services, by the names of :func:`service_secrets`.
    """
    outputs: dict[str, Any] = {"endpoint": host.url(server.port, "/v1")}
    if server.vectors:
        told = vectors_outputs(host, server.vectors.engine, vectors_key)
        outputs |= {f"vectors_{name}": value for name, value in told.items()}
        if server.vectors.vectorizer is not None:
            outputs["vectors_vectorizer"] = pulumi.Output.from_input(vectorizer(server.vectors))
    if asked := services(server):
        told = {each.role: service_outputs(host, each, made or {}) for each in asked}
        outputs["services"] = pulumi.Output.secret(told)
    for each in pages(server):
        rows = roles.role(each.role).manifest.outputs
        for name, value in service_outputs(host, each, made or {}).items():
            outputs[f"chat_{name}"] = pulumi.Output.secret(value) if rows[name].secret else value
    return outputs


def store_outputs(host: Host, engine: str, key: Any) -> dict[str, Any]:
    """What a vector store's own machine tells about it."""
    told = vectors_outputs(host, engine, key)
    return {"api_key": told.pop("key"), **told}


def vectors_outputs(host: Host, engine: str, key: Any) -> dict[str, Any]:
    """What is told about a vector store: which one it is, its addresses, its key."""
    told = service_outputs(host, ServiceRole(role=engine), vectors_secrets(engine, key))
    return {**told, "engine": pulumi.Output.from_input(engine)}


def vectorizer(vectors: VectorsSpec) -> dict[str, str]:
    """What a client names in a collection whose texts the store turns into vectors itself."""
    row = roles.role(vectors.engine).manifest.vectorizer
    if vectors.vectorizer is None or row is None:
        return {}
    return {"module": row.module, "model": vectors.vectorizer.model, "base_url": row.base_url}


def service_outputs(host: Host, asked: ServiceRole, secrets: Mapping[str, Any]) -> dict[str, Any]:
    """What is told about a service: the addresses and secrets that its role.yaml lists under ``outputs``."""
    manifest = roles.role(asked.role).manifest
    port = {name: asked.ports.get(name, each.port) for name, each in manifest.listeners.items()}
    outputs: dict[str, Any] = {}
    for name, each in manifest.outputs.items():
        if each.url:
            outputs[name] = host.url(port[each.url])
        elif each.authority:
            own_tls = manifest.listeners[each.authority].protocol == "tls"
            authority = host.authority(port[each.authority], own_tls=own_tls)
            around = each.before or each.after
            outputs[name] = (
                pulumi.Output.concat(each.before or "", authority, each.after or "") if around else authority
            )
        elif each.secret:
            outputs[name] = secrets[each.secret]
    return outputs


def proxy_outputs(host: Host, proxy: ResolvedProxy) -> dict[str, Any]:
    """What an overseas proxy tells about what runs on it."""
    return {"endpoint": host.url(proxy.port, "/v1")}


def site_of(site: Site, system: str = systems.DEFAULT) -> dict[str, Any]:
    """What a node is told of the place where it stands, and of what it runs."""
    cloud, region = site.cloud, site.region
    return {
        "cloud": cloud.name,
        "region": region.name,
        "login_user": cloud.login_user,
        "in_china": region.in_china,
        "sources": node_sources(cloud.name, region.name, system),
        "system": system,
        "memory_gib": _memory_gib(site.place),
    }


def _memory_gib(place: Placement) -> float | None:
    """What the machine has; of one that exists what its owner says."""
    if place.exists:
        return place.memory_gib
    row = catalog.load().find_instance(place.cloud, place.instance_type)
    return row.memory_gib if row else None


def _named(domain: DomainSpec | None) -> dict[str, Any]:
    if domain is None:
        return {}
    acme = domain.acme
    return {
        "domain": domain.name,
        "authority": acme and Authority(directory=acme.url, email=acme.email, challenge=acme.challenge),
    }
