"""A GPU host that serves one model through a gateway, with Weaviate beside it where wanted."""

from collections.abc import Mapping
from typing import Any, NotRequired, Optional, TypedDict, cast

import pulumi

from pulumi_llm import _component as support
from pulumi_llm import _host as hosts
from pulumi_llm import catalog, notices, preflight, spec
from pulumi_llm._arguments import checked
from pulumi_llm._gateway import content_role, priced, routes_of
from pulumi_llm._secrets import moderator_keys
from pulumi_llm._sources import node_sources
from pulumi_llm.bootstrap import (
    GatewayRole,
    NodeRequest,
    Target,
    Upstream,
    VllmRole,
    WeaviateRole,
    check_gateway,
)
from pulumi_llm.catalog.abilities import abilities_of
from pulumi_llm.clouds.base import AddressHandle
from pulumi_llm.clouds.support import sold_size
from pulumi_llm.errors import Finding, among
from pulumi_llm.network import check_existing, network_for
from pulumi_llm.preflight import placement
from pulumi_llm.spec import AccessSpec, ServerSpec

MIN_DRIVER = 580
"""The NVIDIA driver branch that vLLM's CUDA 13 wheels need (vLLM docs, getting_started/installation/gpu)."""


class ModelServerArgs(TypedDict):
    """Which model, on which GPU, and who may call it."""

    cloud: str
    """``aliyun``, ``tencent`` or ``aws``."""
    region: str
    """The cloud's own name of the region, such as ``cn-hangzhou``."""
    gpu: str
    """The GPU by name, such as ``T4`` or ``A100-80GB``."""
    model: str
    """The model's id at the hub, such as ``Qwen/Qwen2.5-7B-Instruct``."""
    allowed_cidrs: list[str]
    """The IPv4 ranges that may call the gateway. The whole internet is refused unless ``public`` is true."""
    gpu_count: NotRequired[int]
    """How many GPUs of one machine the model is spread over (tensor parallelism). Default: 1."""
    instance_type: NotRequired[str]
    """A certain instance type, where several have the GPU. Default: the cheapest."""
    zone: NotRequired[str]
    """A certain zone. Default: the first that offers the type."""
    image_id: NotRequired[pulumi.Input[str]]
    """The id of your own Ubuntu 24.04 image. Default: the newest. A machine that runs takes it with ``renew`` only."""
    modelscope_id: NotRequired[str]
    """The model's id at ModelScope, where it differs and the catalogue does not know it."""
    revision: NotRequired[str]
    """The model's revision at the hub. Default: the newest when the node first fetches it."""
    served_name: NotRequired[str]
    """What clients call the model. Default: the part of its id after the slash."""
    quantization: NotRequired[str]
    """``awq``, ``gptq``, ``fp8`` or ``mxfp4``. Default: what the model's files say."""
    dtype: NotRequired[str]
    """``auto``, ``half`` or ``bfloat16``. Default: by the GPU."""
    context_length: NotRequired[int]
    """Tokens of prompt and answer together. Default: the model's own, at most 8192."""
    gpu_memory_utilization: NotRequired[float]
    """The share of the GPU's memory that vLLM may use. Default: 0.9."""
    max_num_seqs: NotRequired[int]
    """How many requests are worked on at a time. Default: vLLM's own."""
    kv_cache_dtype: NotRequired[str]
    """``auto`` or ``fp8``."""
    trust_remote_code: NotRequired[bool]
    """Let the model's repository run its own code on the host. Default: false."""
    extra_args: NotRequired[list[str]]
    """More flags for ``vllm serve``."""
    system_disk_gib: NotRequired[int]
    """Default: 80."""
    model_disk_gib: NotRequired[int]
    """The encrypted data disk. Default: by the size of the weights."""
    protect: NotRequired[bool]
    """Keep the data disk: what would delete or replace it is refused. Default: not, and the policy reminds."""
    spot: NotRequired[bool]
    """Take a spot machine, which the cloud may take back. Default: false."""
    renew: NotRequired[bool]
    """Take the newest image and boot instructions at this ``up``. Default: false."""
    public: NotRequired[bool]
    """Say that ranges as wide as the internet are meant. Never applies to SSH."""
    ssh_cidrs: NotRequired[list[str]]
    """The ranges that SSH is open to. Default: ``allowed_cidrs``."""
    https_port: NotRequired[int]
    """Default: 443; 18443 in mainland China."""
    keys: NotRequired[dict[str, Any]]
    """Gateway keys by name, each with its limits: see ``KeySpec``. Default: one called ``default``."""
    routes: NotRequired[dict[str, Any]]
    """More names that callers may ask for, each with the models that answer for it: see ``RouteSpec``."""
    blocked_words: NotRequired[list[str]]
    """Prompts that hold one of these are refused."""
    content: NotRequired[dict[str, Any]]
    """Word lists and moderators for requests and answers: see ``ContentSpec``."""
    vectors: NotRequired[bool]
    """Run Weaviate on the same host. Default: false."""
    vectors_memory_gib: NotRequired[int]
    """Host memory for Weaviate. Default: 4."""
    vectors_disk_gib: NotRequired[int]
    """Room for vectors on the data disk. Default: 40."""
    vpc_id: NotRequired[pulumi.Input[str]]
    """An existing VPC. Default: a network is made."""
    subnet_id: NotRequired[pulumi.Input[str]]
    """An existing subnet; ``zone`` must then be given too."""
    network_cidr: NotRequired[str]
    """The range of the network that is made. Default: ``10.60.0.0/16``."""
    address_id: NotRequired[pulumi.Input[str]]
    """The id of a public address that exists. Default: one is made."""
    address: NotRequired[pulumi.Input[str]]
    """The public address that ``address_id`` stands for."""
    proxy_endpoint: NotRequired[pulumi.Input[str]]
    """The ``endpoint`` of an ``OverseasProxy``: its models are then served here too."""
    proxy_key: NotRequired[pulumi.Input[str]]
    """A key of that proxy. Keep it secret."""
    proxy_certificate_authority: NotRequired[pulumi.Input[str]]
    """The certificate authority of that proxy (PEM)."""
    proxy_models: NotRequired[list[str]]
    """The models of that proxy."""
    proxy_prices: NotRequired[dict[str, Any]]
    """What those models cost, USD per million tokens, for keys with a budget in USD: see ``PriceSpec``."""
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
    ready_timeout_minutes: NotRequired[int]
    """How long ``up`` waits for the node to answer a completion. Default: 90."""
    override: NotRequired[list[str]]
    """Codes of the fit check's findings to go on in spite of, such as ``fit.unknown-model``; shown as warnings."""
    tags: NotRequired[dict[str, str]]
    """Tags for everything that takes them."""


_SERVER_KEYS = tuple(key for key in ModelServerArgs.__annotations__ if key in ServerSpec.model_fields)
_WAITS = ("proxy_endpoint",)
"""Not recorded in the state: it may be known only when the proxy is ready, and everything here would wait for that."""


class ModelServer(pulumi.ComponentResource):
    """vLLM on a GPU host, behind a gateway with TLS, keys and limits. Weaviate beside it where wanted."""

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
    vectors_endpoint: pulumi.Output[Optional[str]]
    """Weaviate's REST URL, where it runs here."""
    vectors_grpc: pulumi.Output[Optional[str]]
    """Weaviate's gRPC address (``host:port``, TLS), where it runs here."""
    vectors_key: pulumi.Output[Optional[str]]
    """Weaviate's API key (secret), where it runs here."""
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

    def __init__(self, name: str, args: ModelServerArgs, opts: Optional[pulumi.ResourceOptions] = None) -> None:
        """Make the server. A wrong argument ends the program with every mistake named, and no traceback."""
        with support.refusing(name):
            plan = _Plan(args)
            support.check_name(name, plan.server.cloud, below="-network")
            cloud = support.adapter(plan.server.cloud)
            of_moderators = moderator_keys(plan.node(name).gateway, args)
        super().__init__(f"{support.PACKAGE}:index:ModelServer", name, support.recorded(args, *_WAITS), opts)
        notices.warn(self, name, [*plan.warnings, *hosts.expired(plan.server.keys)])
        scope = support.scope_of(self, name, cloud, plan.server.region)
        keys = hosts.gateway_keys(name, plan.server.keys, scope)
        secrets: dict[str, pulumi.Input[str]] = {f"gateway_key_{key}": value for key, value in keys.items()}
        secrets |= of_moderators
        vectors_key = hosts.random_key(f"{name}-vectors-key", scope) if plan.vectors else None
        if vectors_key is not None:
            secrets["weaviate_api_key"] = vectors_key
        if args.get("hub_token") is not None:
            secrets["hf_token"] = args["hub_token"]
        if plan.proxied:
            secrets["upstream_proxy"] = args["proxy_key"]
            secrets["proxy_certificate_authority"] = args["proxy_certificate_authority"]
        host = hosts.make_host(
            hosts.HostRequest(
                name=name,
                cloud=cloud,
                network=network_for(scope, name, args, plan.place, plan.network_cidr),
                place=plan.place,
                system_disk_gib=plan.server.system_disk_gib,
                access=plan.access,
                ports=plan.ports,
                node=plan.node(name),
                settings=plan.settings(name, args),
                secrets=secrets,
                tags={**plan.tags, "pulumi-llm": "model-server"},
                ready_timeout_minutes=plan.server.ready_timeout_minutes,
                spot=plan.server.spot,
                renew=plan.server.renew,
                protect=support.protection(args),
                image_id=args.get("image_id"),
                address=_given_address(args),
            ),
            scope,
        )
        outputs: dict[str, Any] = {
            "endpoint": host.url(plan.port, "/v1"),
            "model": pulumi.Output.from_input(plan.server.name_served),
            "models": pulumi.Output.from_input(plan.models),
            "api_keys": pulumi.Output.secret(pulumi.Output.all(**keys)),
            **host.outputs(plan.place),
        }
        if vectors_key is not None:
            outputs["vectors_endpoint"] = host.url(spec.VECTORS_HTTPS_PORT)
            outputs["vectors_grpc"] = host.authority(spec.VECTORS_GRPC_PORT)
            outputs["vectors_key"] = vectors_key
        support.publish(self, outputs)


class _Plan:
    """Everything that is settled before the first resource is made."""

    def __init__(self, args: ModelServerArgs) -> None:
        given = checked(args, ModelServerArgs)
        fit = given.fit
        vectors = {"memory_gib": fit.get("vectors_memory_gib"), "disk_gib": fit.get("vectors_disk_gib")}
        prices: Mapping[str, Any] = fit.get("proxy_prices") or {}
        server, access, of_vectors, network, tags, proxy_prices, proxied, *_ = support.gather(
            lambda: spec.parse(ServerSpec, support.pick_known(fit, *_SERVER_KEYS)),
            lambda: spec.parse(AccessSpec, support.pick(fit, "allowed_cidrs", "public", "ssh_cidrs", "https_port")),
            lambda: spec.parse(spec.VectorsSpec, support.pick(vectors, *vectors)),
            lambda: spec.parse(spec.NetworkSpec, support.pick({"cidr": fit.get("network_cidr")}, "cidr")),
            lambda: spec.parse(spec.TagsSpec, support.pick(fit, "tags")),
            lambda: spec.parse_each(spec.PriceSpec, prices, where="proxy_prices"),
            lambda: support.all_or_none(
                fit, "proxy_endpoint", "proxy_key", "proxy_certificate_authority", "proxy_models"
            ),
            lambda: support.all_or_none(fit, "address_id", "address"),
            lambda: check_existing(fit),
            beside=given.findings,
        )
        self.server: ServerSpec = server
        self.access: AccessSpec = access
        self.vectors: spec.VectorsSpec | None = of_vectors if args.get("vectors") else None
        self.network_cidr: str = network.cidr
        self.tags: Mapping[str, str] = tags.tags
        self.proxied: bool = proxied
        self.proxy_models: tuple[str, ...] = tuple(args.get("proxy_models") or ())
        self.proxy_prices: Mapping[str, spec.PriceSpec] = proxy_prices
        place, warnings = support.gather(
            lambda: placement.place_server(self.server),
            lambda: preflight.require(preflight.check_server(self.server, self.vectors), self.server.override),
        )
        self.place: placement.Placement = place
        self.warnings: list[Finding] = warnings
        self.region = catalog.load().region(self.server.cloud, self.server.region)
        asked_gib = placement.model_disk_gib(self.server, self.vectors.disk_gib if self.vectors else 0)
        # The node knows its disk by its size, and a cloud sells disks in steps.
        self.data_disk_gib = sold_size(self.server.cloud, "data", asked_gib)
        self.port = self.access.port(in_china=self.region.in_china)
        self._check_gateway()

    def _check_gateway(self) -> None:
        """Refuse now what the gateway would refuse once the proxy's address is known."""
        served = [self.server.name_served, *self.proxy_models]
        for name, route in self.server.routes.items():
            for model in route.all:
                if model not in served:
                    support.refuse(
                        "spec.route-to-unserved-model",
                        f"the route {name!r} names {model!r}, which is not served here",
                        among(model, served),
                    )
        check_gateway(self.node("server", "https://proxy.invalid/v1" if self.proxied else None).gateway)

    @property
    def models(self) -> list[str]:
        """Every name that callers may ask for."""
        return list(dict.fromkeys([self.server.name_served, *self.proxy_models, *self.server.routes]))

    @property
    def ports(self) -> dict[int, str]:
        """The ports that callers need."""
        ports = {self.port: "gateway (HTTPS)"}
        if self.vectors:
            ports |= {spec.VECTORS_HTTPS_PORT: "Weaviate REST (HTTPS)", spec.VECTORS_GRPC_PORT: "Weaviate gRPC (TLS)"}
        return ports

    def node(self, name: str, proxy_endpoint: str | None = None) -> NodeRequest:
        """The node. Without the proxy's endpoint it is what user data needs: nothing that is known only later."""
        data, server = catalog.load(), self.server
        model = data.models.get(server.model)
        able = abilities_of(server.model, model.base_model if model else None)
        upstreams = [Upstream(name="vllm", kind="vllm", base_url="http://127.0.0.1:8000/v1")]
        own = server.name_served
        targets = {own: Target(upstream="vllm", model=own, price_in=0, price_out=0)}
        if proxy_endpoint is not None:
            upstreams.append(
                Upstream(
                    name="proxy",
                    kind="gateway",
                    base_url=proxy_endpoint,
                    secret="upstream_proxy",  # noqa: S106 - the name of a secret
                    ca_secret="proxy_certificate_authority",  # noqa: S106 - the name of a secret
                )
            )
            for model_name in self.proxy_models:
                price = priced(self.proxy_prices.get(model_name))
                targets[model_name] = Target(upstream="proxy", model=model_name, **price)
        # Before the proxy's address is known, a route to one of its models is not there yet.
        routes = {name: route for name, route in server.routes.items() if set(route.all) <= targets.keys()}
        return NodeRequest(
            name=name,
            cloud=server.cloud,
            region=server.region,
            login_user=data.clouds[server.cloud].login_user,
            in_china=self.region.in_china,
            data_disk_gib=self.data_disk_gib,
            sources=node_sources(server.cloud, server.region),
            vllm=VllmRole(
                model_id=server.model,
                modelscope_id=server.modelscope_id or (model.modelscope_id if model else None),
                revision=server.revision,
                served_name=server.name_served,
                dtype=cast("Any", preflight.dtype_for(server)),
                quantization=server.quantization,
                tensor_parallel_size=server.gpu_count,
                max_model_len=server.context_length
                or (min(preflight.DEFAULT_CONTEXT, model.max_context) if model and model.max_context else None),
                gpu_memory_utilization=server.gpu_memory_utilization,
                max_num_seqs=preflight.max_num_seqs_for(server),
                kv_cache_dtype=None if server.kv_cache_dtype == "auto" else server.kv_cache_dtype,
                trust_remote_code=server.trust_remote_code,
                tool_call_parser=able.tool_call_parser,
                reasoning_parser=able.reasoning_parser,
                extra_args=server.extra_args,
                weights_gib=placement.download_gib(server),
                min_driver=MIN_DRIVER,
            ),
            weaviate=WeaviateRole(memory_gib=self.vectors.memory_gib) if self.vectors else None,
            gateway=GatewayRole(
                https_port=self.port,
                vectors_https_port=spec.VECTORS_HTTPS_PORT if self.vectors else None,
                vectors_grpc_port=spec.VECTORS_GRPC_PORT if self.vectors else None,
                keys=hosts.gateway_key_rows(server.keys),
                upstreams=tuple(upstreams),
                routes=routes_of(targets, routes),
                blocked_words=server.blocked_words,
                content=content_role(server.content, upstreams),
            ),
        )

    def settings(self, name: str, args: Mapping[str, Any]) -> pulumi.Input[str]:
        """The settings document; it waits for the proxy where there is one."""
        if not self.proxied:
            return hosts.settings_document(self.node(name))
        endpoint = pulumi.Output.from_input(args["proxy_endpoint"])
        return endpoint.apply(lambda url: hosts.settings_document(self.node(name, url)))


def _given_address(args: Mapping[str, Any]) -> AddressHandle | None:
    return AddressHandle(id=args["address_id"], ip=args["address"]) if args.get("address_id") is not None else None


__all__ = ["ModelServer", "ModelServerArgs"]
