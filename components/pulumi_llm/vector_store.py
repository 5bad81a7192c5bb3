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
    """The encrypted data disk. Weaviate takes no more writes once it is nine tenths full. Default: 40."""
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
    vpc_id: NotRequired[pulumi.Input[str]]
    """An existing VPC. Default: a network is made."""
    subnet_id: NotRequired[pulumi.Input[str]]
    """An existing subnet; ``zone`` must then be given too."""
    network_cidr: NotRequired[str]
    """The range of the network that is made. Default: ``10.62.0.0/16``."""
    system_disk_gib: NotRequired[int]
    """Default: 40."""
    renew: NotRequired[bool]
    """Take the newest image and boot instructions at this ``up``. Default: false."""
    ready_timeout_minutes: NotRequired[int]
    """How long ``up`` waits for the node. Default: 30."""
    protect: NotRequired[bool]
    """Keep the data disk: what would delete or replace it is refused. Default: not, and the policy reminds."""
    tags: NotRequired[dict[str, str]]
    """Tags for everything that takes them."""


_SPEC_KEYS = tuple(
    key for key in VectorStoreArgs.__annotations__ if key in VectorsSpec.model_fields and key != "image_id"
)


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
            place, vectors, access, network, tags, __ = support.gather(
                lambda: spec.parse(spec.MachineSpec, support.pick_known(fit, "cloud", "region", "zone", "image_id")),
                lambda: spec.parse(VectorsSpec, {"placement": "own", **support.pick(fit, *_SPEC_KEYS)}),
                lambda: spec.parse(AccessSpec, support.pick(fit, "allowed_cidrs", "public", "ssh_cidrs")),
                lambda: spec.parse(spec.NetworkSpec, {"cidr": fit.get("network_cidr") or "10.62.0.0/16"}),
                lambda: spec.parse(spec.TagsSpec, support.pick(fit, "tags")),
                lambda: check_existing(fit),
                beside=given.findings,
            )
            support.check_name(name, place.cloud, below="-network")
            placed = placement.place_vectors(
                place.cloud, place.region, place.zone, vectors.memory_gib, vectors.instance_type
            )
            cloud = support.adapter(place.cloud)
        super().__init__(f"{support.PACKAGE}:index:VectorStore", name, support.recorded(args), opts)
        scope = support.scope_of(self, name, cloud, place.region)
        region = catalog.load().region(place.cloud, place.region)
        key = hosts.random_key(f"{name}-api-key", scope)
        host = hosts.make_host(
            hosts.HostRequest(
                name=name,
                cloud=cloud,
                network=network_for(scope, name, args, placed, network.cidr),
                place=placed,
                system_disk_gib=vectors.system_disk_gib,
                access=access,
                ports={
                    spec.VECTORS_HTTPS_PORT: "Weaviate REST and status (HTTPS)",
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
                        https_port=None,
                        vectors_https_port=spec.VECTORS_HTTPS_PORT,
                        vectors_grpc_port=spec.VECTORS_GRPC_PORT,
                        keys=(),
                        routes=(),
                        blocked_words=(),
                    ),
                ),
                secrets={"weaviate_api_key": key},
                tags={**tags.tags, "pulumi-llm": "vector-store"},
                ready_timeout_minutes=vectors.ready_timeout_minutes,
                renew=vectors.renew,
                protect=support.protection(args),
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
