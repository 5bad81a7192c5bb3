"""A fleet: models on the GPU nodes of a Kubernetes cluster, served by an engine that others keep."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from pulumi_llm._flags import flags_of
from pulumi_llm._texts import _, either, listed
from pulumi_llm.errors import nearest
from pulumi_llm.spec.domain import DnsName
from pulumi_llm.spec.fields import Cidr, Count, Flag, Number, Part, Text, also, covers_world, invalid, tokens
from pulumi_llm.spec.keys import Keys, KeySpec, Routes
from pulumi_llm.spec.kubernetes import Annotations, ObjectName, Registry
from pulumi_llm.spec.models import ModelSpec, Requests, model_id
from pulumi_llm.spec.namespaces import SCALER, refuse_those_of_others
from pulumi_llm.spec.nodes import ClusterSpec, NodesSpec
from pulumi_llm.spec.scaling import MOST, ScalingSpec
from pulumi_llm.spec.store import FleetVectorsSpec
from pulumi_llm.spec.upstreams import address

PRODUCTION_STACK, KUBERAY, STORE = "production-stack", "kuberay", "vectorizer"
LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")
"""What a namespace and a model's objects may be called: a DNS label, short enough for what charts put behind it."""
CHARTS: Mapping[str, str] = {"0.1.12": "v0.1.12"}
"""Versions of the production-stack chart whose values are known, with the router's tag of the same release.

Source: vllm-project/production-stack, tag vllm-stack-0.1.12 (2026-07-24) and its helm-release.yml, read 2026-11-29.
"""


def _label(value: str) -> str:
    if not LABEL.fullmatch(value):
        raise invalid(
            "fleet.bad-name",
            _("{value!r} cannot be a name in Kubernetes", value=value),
            _("small letters, digits and dashes, at most 40"),
        )
    return value


Label = Annotated[str, AfterValidator(_label)]


class FleetModelSpec(Part):
    """A model of the fleet. Its name in ``models`` is what clients call it."""

    model: Text
    """The model's id at Hugging Face or ModelScope (``organisation/name``).

    zh: 模型在 Hugging Face 或 ModelScope 的 ID（``组织/名称``）。"""
    copies: Annotated[Count, Field(ge=1, le=MOST)] = 1
    """How many engines serve it.

    zh: 由多少个引擎提供服务。"""
    scaling: ScalingSpec | None = None
    """Engines that follow the load: see ``scaling``, in place of ``copies``. Left out: there are always ``copies``.

    zh: 引擎数量随负载增减，见 ``scaling``，代替 ``copies``。不写则始终为 ``copies`` 个。"""
    gpus: Annotated[Count, Field(ge=1, le=16)] = 1
    """GPUs of one node that each copy takes (tensor parallel).

    zh: 每份占用一个节点上的 GPU 数（张量并行）。"""
    nodes: Annotated[Count, Field(ge=1, le=64)] = 1
    """Nodes over which each copy lies (pipeline parallel): more than one with ``engine: kuberay`` alone.

    zh: 每份跨多少个节点（流水线并行）；大于 1 时需要 ``engine: kuberay``。"""
    kind: Literal["chat", "embedding", "reranking"] | None = None
    """What it is for. Left out: as its name or its files say.

    zh: 用途。不写则看它的名称或文件。"""
    modelscope_id: Text | None = None
    """Its id at ModelScope, where that differs and the catalogue does not know it.

    zh: 它在 ModelScope 的 ID；仅当名称不同且目录中没有时才需要。"""
    revision: Text | None = None
    """Branch, tag or commit at the hub. Left out: the newest when an engine first fetches it.

    zh: 模型站上的分支、标签或提交。不写则取引擎首次下载时的最新版。"""
    context_length: Annotated[Count, BeforeValidator(tokens), Field(ge=16)] | None = None
    """Tokens of prompt and answer together. Left out: the model's own, at most 8192.

    zh: 提示加回答的 token 数。不写则取模型自身的上限，最多 8192。"""
    gpu_memory_utilization: Annotated[Number, Field(ge=0.01, le=0.98)] = 0.9
    """Share of each GPU's memory that vLLM may use.

    zh: vLLM 可用的显存比例。"""
    max_num_seqs: Requests | None = None
    """Requests that one copy works on at a time. Left out: vLLM's own.

    zh: 每份同时处理的请求数。不写则用 vLLM 的默认值。"""
    quantization: Literal["awq", "gptq", "fp8", "mxfp4"] | None = None
    """Left out: what the model's files say, which is nearly always right.

    zh: 不写则以模型文件为准，这几乎总是对的。"""
    dtype: Annotated[Literal["auto", "half", "bfloat16"], also(float16="half")] = "auto"
    """``auto`` takes ``half`` where the GPU has no bfloat16 (T4).

    zh: ``auto`` 在没有 bfloat16 的 GPU（T4）上取 ``half``。"""
    kv_cache_dtype: Annotated[Literal["auto", "fp8"], also(fp8_e4m3="fp8")] = "auto"
    """``fp8`` halves the KV cache, on GPUs from compute capability 8.9 on (L4, L20, H100).

    zh: ``fp8`` 把 KV 缓存减半，需要计算能力 8.9 及以上的 GPU（L4、L20、H100）。"""
    trust_remote_code: Flag = False
    """Let code from the model's repository run in its engines.

    zh: 允许模型仓库自带的代码在引擎里运行。"""
    extra_args: tuple[Text, ...] = ()
    """More flags for its ``vllm serve``, each an item of its own. Not with ``kuberay``.

    zh: 给它的 ``vllm serve`` 的其他参数，每个一项。不能用于 ``kuberay``。"""

    @field_validator("model")
    @classmethod
    def _model_is_an_id(cls, value: str) -> str:
        return model_id(value, rerankers=True)

    @model_validator(mode="after")
    def _one_number(self) -> Self:
        if self.scaling is not None and "copies" in self.model_fields_set:
            raise invalid(
                "fleet.copies-twice",
                _("copies says {copies}, and scaling from {least} to {most}", copies=self.copies,
                  least=self.scaling.least, most=self.scaling.most),
                _("leave out one or the other"),
            )  # fmt: skip
        return self

    @property
    def most(self) -> int:
        """How many engines there are at most."""
        return self.copies if self.scaling is None else self.scaling.most

    @property
    def least(self) -> int:
        """How many there are at least."""
        return self.copies if self.scaling is None else self.scaling.least

    @property
    def as_model(self) -> ModelSpec:
        """The same as the further model of a server: what is downloaded and how vLLM is started."""
        shared = {name: getattr(self, name) for name in type(self).model_fields if name in ModelSpec.model_fields}
        return ModelSpec(**{**shared, "gpus": None})


def _models(value: dict[str, FleetModelSpec]) -> dict[str, FleetModelSpec]:
    if not value:
        raise invalid("fleet.no-models", _("a fleet without models has nothing to serve"), "models: {chat: {model: …}}")
    for name in value:
        _label(name)
    return value


def _index(value: str) -> str:
    return address(value, "https://mirrors.example.com/simple")


class FleetSpec(Part):
    """Models on the GPU nodes of a Kubernetes cluster that exists, with our gateway in front."""

    models: Annotated[dict[str, FleetModelSpec], AfterValidator(_models)]
    """The models, by the names that clients call them: small letters, digits and dashes.

    zh: 模型，以客户端使用的名称为键：小写字母、数字和短横线。"""
    nodes: NodesSpec
    """The GPU nodes: see ``nodes``.

    zh: GPU 节点，见 ``nodes``。"""
    engine: Literal["production-stack", "kuberay"] = "production-stack"
    """Who runs the engines: the vLLM production-stack chart, or KubeRay's ``RayService`` for models over several nodes.

    zh: 由谁运行引擎：vLLM production-stack chart，或用 KubeRay 的 ``RayService`` 把一个模型放在多个节点上。"""
    cluster: ClusterSpec = Field(default_factory=ClusterSpec)
    """Which cluster is meant: see ``cluster``.

    zh: 指的是哪个集群，见 ``cluster``。"""
    namespace: Label = "llm"
    """The namespace that is made for all of it.

    zh: 为它新建的命名空间。"""
    chart_version: Text = "0.1.12"
    """The version of the production-stack chart, of those whose values are known here.

    zh: production-stack chart 的版本，须是这里已知其 values 的版本。"""
    routing: Literal["prefixaware", "roundrobin"] = "prefixaware"
    """How the router chooses an engine: ``prefixaware`` asks the one that has seen the beginning of a text.

    zh: 路由器如何选择引擎：``prefixaware`` 选见过相同开头的那个。"""
    hub: Literal["huggingface", "hf-mirror", "modelscope"] = "huggingface"
    """From where engines fetch weights.

    zh: 引擎从哪里下载权重。"""
    registry: Registry | None = None
    """A registry that has all images, in place of Docker Hub and others, such as ``registry.example.com/mirror``.

    zh: 存有全部镜像的仓库，代替 Docker Hub 等，如 ``registry.example.com/mirror``。"""
    package_index: Annotated[Text, AfterValidator(_index)] | None = None
    """Where the gateway's pods fetch Python packages, in place of PyPI.

    zh: 网关 Pod 安装 Python 包的来源，代替 PyPI。"""
    storage_class: ObjectName | None = None
    """A storage class that many nodes can write (ReadWriteMany), for the weights. Left out: each engine fetches them
    onto its node's own disk.

    zh: 支持多节点读写（ReadWriteMany）的存储类，用于存放权重。不写则每个引擎下载到所在节点的磁盘。"""
    runtime_class: ObjectName | None = None
    """The runtime class of engines, such as ``nvidia``, where the cluster's default runtime has no GPUs.

    zh: 引擎的 runtime class，如 ``nvidia``；集群默认运行时不支持 GPU 时填写。"""
    hostname: DnsName | None = None
    """The name by which callers reach the gateway. Left out: its name inside the cluster.

    zh: 调用方访问网关用的名字。不写则用它在集群内的名字。"""
    load_balancer: Flag = False
    """Have the cluster's cloud make a load balancer for the gateway. Left out: it is reached inside the cluster alone.

    zh: 让集群所在的云为网关建立负载均衡。不写则只能在集群内访问。"""
    load_balancer_annotations: Annotations = Field(default_factory=dict)
    """What the cloud reads of that load balancer, such as that it be an internal one.

    zh: 云厂商读取的负载均衡注解，例如声明为内网型。"""
    allowed_cidrs: tuple[Cidr, ...] = ()
    """Who may call through the load balancer.

    zh: 谁可以通过负载均衡调用。"""
    allowed_namespaces: tuple[Label, ...] = ()
    """Namespaces of the cluster whose pods may call.

    zh: 集群里哪些命名空间的 Pod 可以调用。"""
    operator_namespace: Label = "kuberay-operator"
    """Where KubeRay's operator runs. It is there already, but in a cluster that is made: there it is installed.

    zh: KubeRay operator 所在的命名空间。它应已安装；新建的集群会自动安装。"""
    keda_namespace: Label = "keda"
    """Where KEDA runs, where a model has ``scaling``. It is there already, but in a cluster that is made.

    zh: KEDA 所在的命名空间；模型写了 ``scaling`` 时才需要。它应已安装；新建的集群会自动安装。"""
    keys: Keys = Field(default_factory=lambda: {"default": KeySpec()})
    """Gateway keys by name, with their limits.

    zh: 网关密钥：名称和限额。"""
    routes: Routes = Field(default_factory=dict)
    """More names that callers may ask for: aliases, weights, fallback.

    zh: 客户端可以请求的其他名字：别名、权重、回退。"""
    vectors: FleetVectorsSpec | None = None
    """A vector store: see ``fleet.vectors``. Left out: there is none.

    zh: 向量库，见 ``fleet.vectors``。不写则没有。"""
    ready_timeout_minutes: Annotated[Count, Field(ge=5, le=480)] = 60
    """Minutes that an engine has to load its model.

    zh: 引擎载入模型的最长分钟数。"""
    override: tuple[Text, ...] = ()
    """Findings of the fit check to go on in spite of.

    zh: 明知有这些检查结果仍要继续。"""

    @property
    def all_keys(self) -> Mapping[str, KeySpec]:
        """The gateway's keys, that of the vector store among them."""
        asked = self.vectors.vectorizer if self.vectors is not None else None
        return {**self.keys, **({STORE: asked.gateway_key} if asked is not None else {})}

    @property
    def follows(self) -> bool:
        """Whether engines of some model follow the load."""
        return any(each.scaling is not None for each in self.models.values())

    @field_validator("chart_version")
    @classmethod
    def _chart_is_known(cls, value: str) -> str:
        if value not in CHARTS:
            raise invalid(
                "fleet.unknown-chart",
                _("the values of the production-stack chart {value} are not known here", value=value),
                _("known: {names}", names=listed(CHARTS)),
            )
        return value

    @model_validator(mode="after")
    def _somebody_may_call(self) -> Self:
        if self.allowed_cidrs and not self.load_balancer:
            raise invalid(
                "fleet.callers-without-a-way",
                _("ranges may call, and there is no load balancer that they could reach"),
                _("load_balancer: true, or allowed_namespaces"),
            )
        if self.load_balancer_annotations and not self.load_balancer:
            raise invalid(
                "fleet.annotations-of-nothing",
                _("load_balancer_annotations are given, and there is no load balancer whose cloud would read them"),
                _("load_balancer: true, or leave them out"),
            )
        if self.load_balancer and not self.allowed_cidrs:
            raise invalid(
                "spec.nobody-allowed",
                _("a load balancer that nobody may call"),
                _("allowed_cidrs: the ranges that may"),
            )
        if not self.allowed_cidrs and not self.allowed_namespaces:
            raise invalid(
                "spec.nobody-allowed", _("nobody may call the gateway"), _("allowed_namespaces, or a load_balancer")
            )
        if wide := covers_world(self.allowed_cidrs):
            raise invalid(
                "spec.open-to-world", _("{wide} lets the internet in", wide=wide), _("the ranges that may call")
            )
        return self

    @model_validator(mode="after")
    def _names_are_served(self) -> Self:
        served = [*self.models, *self.routes]
        for name, route in self.routes.items():
            for model in route.all:
                if model not in self.models:
                    raise invalid(
                        "spec.route-to-unserved-model",
                        _("the route {name!r} names {model!r}, which the fleet does not serve", name=name, model=model),
                        _meant(model, self.models),
                    )
        for name, key in self.keys.items():
            for model in key.models:
                if "*" not in model and model not in served:
                    raise invalid(
                        "spec.key-of-unserved-model",
                        _("the key {name!r} names {model!r}, which the fleet does not serve", name=name, model=model),
                        _meant(model, served),
                    )
        return self

    @model_validator(mode="after")
    def _the_engine_can(self) -> Self:
        for name, each in self.models.items():
            if self.engine == PRODUCTION_STACK and each.nodes > 1:
                raise invalid(
                    "fleet.ray-needed",
                    _("{name!r} is to lie over {nodes} nodes, and the production-stack has each copy on one", name=name,
                      nodes=each.nodes),
                    "engine: kuberay",
                )  # fmt: skip
            if self.engine == KUBERAY and each.scaling is not None:
                raise invalid(
                    "fleet.scaling-by-the-stack",
                    _("the engines of {name!r} are to follow the load, and KubeRay 1.5.0 takes up no other number of "
                      "workers without making its cluster anew", name=name),
                    _("engine: production-stack, or copies"),
                )  # fmt: skip
            flags = sorted(flags_of(each.extra_args))
            if self.engine == KUBERAY and (each.extra_args or each.kind not in (None, "chat")):
                raise invalid(*ray_cannot(name, listed(flags) if flags else f"kind: {each.kind}"))
        return self

    @model_validator(mode="after")
    def _what_is_made_is_named(self) -> Self:
        if self.cluster.managed is not None and self.nodes.instance_type is None:
            raise invalid(
                "fleet.half-a-machine",
                _("the cluster is to be made, and no cloud's machine is named for its nodes"),
                _("nodes: cloud, region and instance_type"),
            )
        if self.cluster.managed is None and self.nodes.min_count is not None:
            raise invalid(
                "fleet.not-its-nodes",
                _("min_count is given, and the cluster is not made here: who made it adds nodes and takes them away"),
                _("leave it out, or cluster: {{managed: {{}}}}"),
            )
        return self

    @model_validator(mode="after")
    def _the_namespace_is_its_own(self) -> Self:
        namespaces = {
            **({"operator_namespace": self.operator_namespace} if self.engine == KUBERAY else {}),
            **({"keda_namespace": self.keda_namespace} if self.follows else {}),
        }
        least, managed = self.nodes.min_count, self.cluster.managed
        installs = managed is not None and managed.operators
        scaler = (SCALER,) if installs and least is not None and least < self.nodes.count else ()
        refuse_those_of_others(
            self.namespace,
            taken=(*self.allowed_namespaces, *namespaces.values(), *scaler),
            made=namespaces if installs else {},
            given=scaler,
        )
        return self


def ray_cannot(name: str, what: str) -> tuple[str, str, str]:
    """Code, message and hint for what Ray's own vLLM is not known to serve."""
    message = _("{name!r} asks for {what}, which Ray's own vLLM is not known to take", name=name, what=what)
    return "fleet.ray-cannot", message, "engine: production-stack"


def _meant(name: str, names: Mapping[str, object] | list[str]) -> str:
    near = nearest(name, names)
    return _("did you mean {names}?", names=either(near)) if near else _("known: {names}", names=listed(sorted(names)))
