"""Weaviate with API-key auth and TLS: on a machine of its own, or the one on a model server's host."""

from typing import NotRequired, Optional, TypedDict

import pulumi

from pulumi_llm import _component as support
from pulumi_llm import _host as hosts
from pulumi_llm import catalog, spec
from pulumi_llm._arguments import checked
from pulumi_llm._sources import node_sources
from pulumi_llm.bootstrap import GatewayRole, NodeRequest, WeaviateRole
from pulumi_llm.clouds.support import sold_size
from pulumi_llm.network import check_existing, network_for
from pulumi_llm.preflight import placement
from pulumi_llm.spec import AccessSpec, VectorsSpec

SYSTEM_DISK_GIB = 40
READY_MINUTES = 30
OVERHEAD_GIB = 2
"""Host memory besides Weaviate's own, for the system, Docker and Caddy."""


class VectorStoreArgs(TypedDict):
    """Where Weaviate runs, how big it is, and who may call it."""

    cloud: str
    """``aliyun``, ``tencent`` or ``aws``."""
    region: str
    """The cloud's own name of the region, such as ``cn-hangzhou``."""
    allowed_cidrs: list[str]
    """The IPv4 ranges that may call it. The whole internet is refused unless ``public`` is true."""
    memory_gib: NotRequired[int]
    """Memory for Weaviate. Default: 4."""
    disk_gib: NotRequired[int]
    """The encrypted data disk. Default: 40."""
    zone: NotRequired[str]
    """A certain zone. Default: the first that offers the type."""
    instance_type: NotRequired[str]
    """Default: the cheapest with 2 vCPU and memory enough."""
    image_id: NotRequired[pulumi.Input[str]]
    """The id of your own Ubuntu 24.04 image. Default: the newest. A machine that runs takes it with ``renew`` only."""
    public: NotRequired[bool]
    """Say that ranges as wide as the internet are meant. Never applies to SSH."""
    ssh_cidrs: NotRequired[list[str]]
    """The ranges that SSH is open to. Default: ``allowed_cidrs``."""
    https_port: NotRequired[int]
    """The port of the status document. Default: 443; 18443 in China. REST is on 18444, gRPC on 18445."""
    vpc_id: NotRequired[pulumi.Input[str]]
    """An existing VPC. Default: a network is made."""
    subnet_id: NotRequired[pulumi.Input[str]]
    """An existing subnet; ``zone`` must then be given too."""
    network_cidr: NotRequired[str]
    """The range of the network that is made. Default: ``10.62.0.0/16``."""
    renew: NotRequired[bool]
    """Take the newest image and boot instructions at this ``up``. Default: false."""
    tags: NotRequired[dict[str, str]]
    """Tags for everything that takes them."""


class VectorStore(pulumi.ComponentResource):
    """Weaviate on a machine of its own. Beside a model it is ``ModelServer``'s argument ``vectors``."""

    endpoint: pulumi.Output[str]
    """Weaviate's REST URL."""
    grpc: pulumi.Output[str]
    """Weaviate's gRPC address (``host:port``, TLS)."""
    api_key: pulumi.Output[str]
    """Weaviate's API key (secret)."""
    address: pulumi.Output[str]
    """The public IPv4 address."""
    private_address: pulumi.Output[str]
    """The address within the network."""
    certificate_authority: pulumi.Output[str]
    """The authority that signed the certificate (PEM). Clients must trust it."""
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

    def __init__(self, name: str, args: VectorStoreArgs, opts: Optional[pulumi.ResourceOptions] = None) -> None:
        """Make the store. A wrong argument ends the program with every mistake named, and no traceback."""
        with support.refusing(name):
            given = checked(args, VectorStoreArgs)
            fit = given.fit
            place, vectors, access, network, tags, _ = support.gather(
                lambda: spec.parse(spec.MachineSpec, support.pick_known(fit, "cloud", "region", "zone", "image_id")),
                lambda: spec.parse(VectorsSpec, {"placement": "own", **support.pick(fit, "memory_gib", "disk_gib")}),
                lambda: spec.parse(AccessSpec, support.pick(fit, "allowed_cidrs", "public", "ssh_cidrs", "https_port")),
                lambda: spec.parse(spec.NetworkSpec, {"cidr": fit.get("network_cidr") or "10.62.0.0/16"}),
                lambda: spec.parse(spec.TagsSpec, support.pick(fit, "tags")),
                lambda: check_existing(fit),
                beside=given.findings,
            )
            support.check_name(name, place.cloud, below="-network")
            placed = placement.place_host(
                place.cloud,
                place.region,
                place.zone,
                min_vcpu=2,
                min_memory_gib=vectors.memory_gib + OVERHEAD_GIB,
                instance_type=args.get("instance_type"),
            )
            cloud = support.adapter(place.cloud)
        super().__init__(f"{support.PACKAGE}:index:VectorStore", name, support.recorded(args), opts)
        scope = support.scope_of(self, name, cloud, place.region)
        region = catalog.load().region(place.cloud, place.region)
        port = access.port(in_china=region.in_china)
        key = hosts.random_key(f"{name}-api-key", scope)
        host = hosts.make_host(
            hosts.HostRequest(
                name=name,
                cloud=cloud,
                network=network_for(scope, name, args, placed, network.cidr),
                place=placed,
                system_disk_gib=SYSTEM_DISK_GIB,
                access=access,
                ports={
                    port: "status (HTTPS)",
                    spec.VECTORS_HTTPS_PORT: "Weaviate REST (HTTPS)",
                    spec.VECTORS_GRPC_PORT: "Weaviate gRPC (TLS)",
                },
                node=NodeRequest(
                    name=name,
                    cloud=place.cloud,
                    region=place.region,
                    login_user=catalog.load().clouds[place.cloud].login_user,
                    in_china=region.in_china,
                    data_disk_gib=sold_size(place.cloud, "data", vectors.disk_gib),
                    sources=node_sources(place.cloud, place.region),
                    vllm=None,
                    weaviate=WeaviateRole(memory_gib=vectors.memory_gib),
                    gateway=GatewayRole(
                        https_port=port,
                        vectors_https_port=spec.VECTORS_HTTPS_PORT,
                        vectors_grpc_port=spec.VECTORS_GRPC_PORT,
                        keys=(),
                        routes=(),
                        blocked_words=(),
                    ),
                ),
                secrets={"weaviate_api_key": key},
                tags={**tags.tags, "pulumi-llm": "vector-store"},
                ready_timeout_minutes=READY_MINUTES,
                renew=bool(args.get("renew")),
                image_id=args.get("image_id"),
            ),
            scope,
        )
        support.publish(
            self,
            {
                "endpoint": host.url(spec.VECTORS_HTTPS_PORT),
                "grpc": host.authority(spec.VECTORS_GRPC_PORT),
                "api_key": key,
                **host.outputs(placed),
            },
        )
