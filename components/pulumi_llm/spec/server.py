"""The GPU host and the model on it. Sizes are GiB."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from pulumi_llm import catalog
from pulumi_llm._flags import flags_of
from pulumi_llm._texts import _, listed
from pulumi_llm.spec.adapters import Adapters, refuse_flags
from pulumi_llm.spec.alternatives import AlternativeSpec
from pulumi_llm.spec.apps import AppsSpec
from pulumi_llm.spec.content import ContentSpec, Word
from pulumi_llm.spec.disk import DiskSpec
from pulumi_llm.spec.domain import DomainSpec
from pulumi_llm.spec.fields import Count, Flag, Number, Text, also, invalid, known, tokens
from pulumi_llm.spec.host import OF_SELLERS, HostSpec, refuse_bought
from pulumi_llm.spec.hours import Hours, IdleStopSpec, StartedBy
from pulumi_llm.spec.keys import Keys, KeySpec, Routes
from pulumi_llm.spec.models import FURTHER_MODELS, Models, model_id
from pulumi_llm.spec.origins import Origin
from pulumi_llm.spec.place import OWN, MachineSpec
from pulumi_llm.spec.services import Services
from pulumi_llm.spec.several import known_change, refuse_apart
from pulumi_llm.spec.traces import TracesSpec
from pulumi_llm.spec.turns import TurnsSpec, refuse_turns
from pulumi_llm.spec.upstreams import Upstreams, refuse_twice, served_by, unserved
from pulumi_llm.spec.weights import WeightsSpec, refuse_two_bundles


class ServerSpec(MachineSpec):
    """The GPU host and the model on it."""

    gpu: Text
    """The GPU by name, such as ``T4`` or ``A100-80GB``.

    zh: GPU 名称，如 ``T4``、``A100-80GB``。"""
    gpu_count: Annotated[Count, Field(ge=1, le=8)] = 1
    """GPUs of one machine over which the model is spread (tensor parallelism).

    zh: 一台机器上用几张 GPU 跑这个模型（张量并行）。"""
    replicas: Annotated[Count, Field(ge=1, le=8)] = 1
    """Machines with the same model behind one gateway, which is on the first: see "several machines with one model".
    Each is paid for.

    zh: 同一个网关后面运行同一模型的机器台数，网关在第一台上，见[多台机器运行同一模型](#多台机器运行同一模型)。
    每台都计费。"""
    replica_zones: tuple[Text, ...] = ()
    """The zones of the further machines, one for each in their order, such as ``[cn-hangzhou-i]``. Left out: the first
    one's.

    zh: 其余各台机器的可用区，按顺序每台一个，如 ``[cn-hangzhou-i]``。不写则与第一台相同。"""
    nodes: Annotated[Count, Field(ge=1, le=8)] = 1
    """Machines that have one model together, each with a part of its layers (pipeline parallelism), for a model that no
    machine alone has room for: see "one model on several machines". Each is paid for.

    zh: 共同承载一个模型的机器台数，每台放一部分层（流水线并行），用于单台放不下的模型，
    见[多台机器共同承载一个模型](#多台机器共同承载一个模型)。每台都计费。"""
    nodes_backend: Literal["native", "ray"] = "native"
    """What carries the engines' calls between these machines: vLLM itself, or Ray, which is one program more.

    zh: 这些机器上的引擎之间靠什么调用：vLLM 自己，或者 Ray，后者要多装多跑一个程序。"""
    nodes_near: Flag = False
    """Have the cloud keep these machines near each other, where it can of their type: see there.

    zh: 让云平台把这些机器放得彼此靠近（机型支持时），见该节。"""
    instance_type: Text | None = None
    """Only to choose among several types with the same GPU. Left out: the cheapest.

    zh: 只在多个机型有同一种 GPU 时用来挑选。不写则取最便宜的。"""
    model: Text
    """The model's id at Hugging Face or ModelScope (``organisation/name``). A model that the catalogue has may be
    written in any case, or by the part after the slash; it is always the catalogue's own id that is used.

    zh: 模型在 Hugging Face 或 ModelScope 的 ID（``组织/名称``）。目录里有的模型不分大小写，也可以只写斜杠后的部分；
    实际使用的总是目录中的 ID。"""
    modelscope_id: Text | None = None
    """Its id at ModelScope, where that differs and the catalogue does not know it.

    zh: 它在 ModelScope 的 ID；仅当名称不同且目录中没有时才需要。"""
    revision: Text | None = None
    """Branch, tag or commit at the hub. Left out: the newest when the node first fetches it.

    zh: 模型站上的分支、标签或提交。不写则取节点首次下载时的最新版。"""
    served_name: Text | None = None
    """What clients call the model. Left out: the part of the id after the slash.

    zh: 客户端使用的模型名。不写则取 ID 斜杠后的部分。"""
    quantization: Literal["awq", "gptq", "fp8", "mxfp4"] | None = None
    """Left out: what the model's files say, which is nearly always right.

    zh: 不写则以模型文件为准，这几乎总是对的。"""
    dtype: Annotated[Literal["auto", "half", "bfloat16"], also(float16="half")] = "auto"
    """``auto`` takes ``half`` where the GPU has no bfloat16 (T4).

    zh: ``auto`` 在没有 bfloat16 的 GPU（T4）上取 ``half``。"""
    context_length: Annotated[Count, BeforeValidator(tokens), Field(ge=128)] | None = None
    """Tokens of prompt and answer together. Left out: the model's own, at most 8192.

    zh: 提示和回答合计的 token 数。不写则取模型自身的上限，最多 8192。"""
    gpu_memory_utilization: Annotated[Number, Field(ge=0.1, le=0.98)] = 0.9
    """Share of the GPU's memory that vLLM may use.

    zh: vLLM 可用的显存比例。"""
    max_num_seqs: Annotated[Count, Field(ge=1, le=4096)] | None = None
    """Requests worked on at a time. Left out: vLLM's own.

    zh: 同时处理的请求数。不写则用 vLLM 的默认值。"""
    kv_cache_dtype: Annotated[Literal["auto", "bfloat16", "float16", "fp8"], also(fp8_e4m3="fp8")] = "auto"
    """``fp8`` halves the KV cache, on GPUs from compute capability 8.9 on (L4, L20, H100). Some models, most NVFP4 ones
    among them, ask for it in their own files: ``bfloat16`` (``float16`` on a T4) keeps their cache in 16 bit.

    zh: ``fp8`` 把 KV 缓存减半，需要计算能力 8.9 及以上的 GPU（L4、L20、H100）。有些模型（多数 NVFP4 模型）自己的文件
    要求 fp8 缓存：用 ``bfloat16``（T4 上用 ``float16``）让缓存保持 16 位。"""
    trust_remote_code: Flag = False
    """Let code from the model's repository run on the host.

    zh: 允许模型仓库自带的代码在主机上运行。"""
    extra_args: tuple[Text, ...] = ()
    """More flags for ``vllm serve``, each an item of its own. Flags that the pinned vLLM lacks, and those that the spec
    sets itself, are refused. See "tool calls and reasoning".

    zh: 给 ``vllm serve`` 的其他参数，每个一项。固定版本的 vLLM 没有的、或由规格自己设置的参数会被拒绝。
    见[工具调用和推理](#工具调用和推理)。"""
    system_disk_gib: Annotated[Count, Field(ge=40, le=500)] = 80
    """GiB. System, driver and Python environments: about 30 GiB.

    zh: GiB。系统、驱动和 Python 环境约占 30 GiB。"""
    model_disk_gib: Annotated[Count, Field(ge=20, le=16000)] | None = None
    """GiB. The encrypted data disk for weights, keys and vectors. Left out: 2.1 times the weights plus 20, at least 60,
    plus ``vectors.disk_gib``, and so much that all of it, with a second model while one is changed, takes no more
    than nine tenths. Disks only grow.

    zh: GiB。加密数据盘，存放权重、密钥和向量。不写则为权重的 2.1 倍加 20（至少 60），再加 ``vectors.disk_gib``，
    并保证全部内容（包括换模型时的第二份）不超过磁盘的九成。磁盘只能变大。"""
    weights: WeightsSpec | None = None
    """A bucket that keeps the weights for the next machine: see ``weights``. Left out: they come from a model hub.

    zh: 为下一台机器保存权重的存储桶，见 [``weights``](#weights)。不写则从模型站下载。"""
    disk: DiskSpec | None = None
    """Snapshots of the data disk, and the one that it is made from: see ``disk``. Left out: none, and an empty one.

    zh: 数据盘的快照，以及由哪个快照创建，见 [``disk``](#disk)。不写则没有快照，数据盘为空盘。"""
    spot: Flag = False
    """A spot machine: cheaper, and the cloud may take it back at any time.

    zh: 竞价实例：便宜，但随时可能被收回。"""
    alternatives: tuple[AlternativeSpec, ...] = ()
    """What ``pulumi-llm recover`` takes, in this order, where the cloud has no such machine left: see
    ``alternatives``.

    zh: 云上没有这种机器时，``pulumi-llm recover`` 依次采用的备选，见 [``alternatives``](#alternatives)。"""
    alternative: Annotated[Count, Field(ge=0)] = 0
    """Which of ``alternatives`` is taken, counted from 1; 0: the server as it is written. ``pulumi-llm recover``
    writes it.

    zh: 采用 ``alternatives`` 中的第几个，从 1 数起；0 为照原样。由 ``pulumi-llm recover`` 写入。"""
    idle_stop: IdleStopSpec | None = None
    """Stop the machine by itself when nobody asks it: see ``idle_stop``. Left out: it runs on.

    zh: 没有人请求时让机器自己停下，见 [``idle_stop``](#idle_stop)。不写则一直运行。"""
    hours: Hours | None = None
    """The hours in which it runs, such as ``Mon-Fri 08:00-20:00 Asia/Shanghai``: it stops by itself at their end, and
    ``started_by`` says who starts it. See ``idle_stop``. Left out: all of them.

    zh: 运行时段，如 ``Mon-Fri 08:00-20:00 Asia/Shanghai``：时段结束时机器自己停下，由谁启动见 ``started_by``。
    见 [``idle_stop``](#idle_stop)。不写则全天运行。"""
    started_by: StartedBy = "hand"
    """Who starts it when its hours begin. ``hand``: ``pulumi-llm start``. ``cloud``: the cloud itself (AWS by its
    scheduler, Aliyun and Tencent Cloud by a function), with a role that may start this machine and nothing else.
    ``request``: with ``replicas`` and ``idle_stop.keep``, the first machine starts a further one when calls need it.

    zh: 时段开始时由谁启动。``hand``：``pulumi-llm start``。``cloud``：由云平台自己启动（AWS 用定时服务，
    阿里云和腾讯云用一个云函数），所用角色只能启动这台机器。``request``：与 ``replicas`` 和 ``idle_stop.keep``
    一起用，请求需要时由第一台机器启动其他机器。"""
    model_change: Annotated[Literal["restart", "beside"], BeforeValidator(known_change)] = "restart"
    """How a change of the model, or of how vLLM is started, is made. ``restart``: minutes without answers. ``beside``:
    the new one loads while the old one serves and takes over once it has answered, so that no request is lost; the GPU
    must hold both, and each gets about half of it. See "another model without a pause".

    zh: 更换模型（或更改 vLLM 启动方式）时如何进行。``restart``：几分钟内没有应答。``beside``：新的在旧的服务期间加载，
    答出一次后接管，不丢请求；GPU 必须同时容纳两者，各用约一半显存。见[不停机换模型](#不停机换模型)。"""
    renew: Flag = False
    """Take the newest image and boot instructions at the next ``up``: see ``renew``.

    zh: 下次 ``up`` 时采用最新镜像和启动指令，见 [``renew``](#renew)。"""
    keys: Keys = Field(default_factory=lambda: {"default": KeySpec()})
    """Gateway keys by name, with their limits.

    zh: 网关密钥：名称和限额。"""
    upstreams: Upstreams = Field(default_factory=dict)
    """Vendors and other servers whose models this gateway serves too, called from the server itself: see
    ``upstreams``.

    zh: 网关一并提供的厂商和其他服务的模型，由服务器直接调用，见 [``upstreams``](#upstreams)。"""
    routes: Routes = Field(default_factory=dict)
    """More names that callers may ask for: aliases, weights, fallback.

    zh: 客户端可以请求的其他名字：别名、权重、回退。"""
    cors_origins: tuple[Origin, ...] = ()
    """Web pages that may ask from a browser, such as ``https://chat.example.com``. Empty: none.

    zh: 可以在浏览器里直接调用的网页来源，如 ``https://chat.example.com``。空：没有。"""
    domain: DomainSpec | None = None
    """A name for the gateway, and a certificate for it: see ``domain``. Left out: it is called by its address.

    zh: 网关的域名和证书，见 [``domain``](#domain)。不写则按地址访问。"""
    traces: TracesSpec | None = None
    """Tell a collector of OpenTelemetry what each call was: see ``traces``. Left out: nobody is told.

    zh: 把每个请求的情况发给 OpenTelemetry 采集器，见 [``traces``](#traces)。不写则不发。"""
    blocked_words: tuple[Word, ...] = ()
    """Requests and answers that hold one of these are refused.

    zh: 含有这些词的请求和回答会被拒绝。"""
    content: ContentSpec | None = None
    """Word lists and moderators: see ``content``.

    zh: 词表和审核服务：见 [``content``](#content)。"""
    models: Models = Field(default_factory=dict)
    """Further models on the same machine, by the names that clients call them: see "several models on a host".

    zh: 同一台机器上的其他模型，以客户端使用的名称为键，见[一台机器上的多个模型](#一台机器上的多个模型)。"""
    turns: TurnsSpec | None = None
    """How models take turns that say ``takes_turns``: see "models that take turns".

    zh: 写了 ``takes_turns`` 的模型如何轮流运行，见[轮流运行的模型](#轮流运行的模型)。"""
    adapters: Adapters = Field(default_factory=dict)
    """LoRA adapters of the model, by the names that clients call them: see ``adapters``.

    zh: 模型的 LoRA 适配器，以客户端使用的名称为键，见 [``adapters``](#adapters)。"""
    services: Services = Field(default_factory=dict)
    """More services on the same host, by the names of their roles: see ``services``.

    zh: 同一台机器上的其他服务，见 [``services``](#services)。"""
    apps: AppsSpec | None = None
    """Pages for people on the same host, such as a chat page: see ``apps``. Left out: none.

    zh: 同一台机器上给人用的页面，如聊天页面，见 [``apps``](#apps)。不写就没有。"""
    host: HostSpec | None = None
    """A machine that exists, with ``cloud: ssh``: see ``host``.

    zh: 已有的机器，与 ``cloud: ssh`` 一起用，见 [``host``](#host)。"""
    ready_timeout_minutes: Annotated[Count, Field(ge=5, le=480)] = 90
    """Minutes that ``up`` waits for the node to answer a completion.

    zh: ``up`` 等待节点答出一次补全的分钟数。"""
    override: tuple[Text, ...] = ()
    """Findings of the fit check to go on in spite of: see ``override``.

    zh: 明知有这些检查结果仍要继续，见 [``override``](#override)。"""

    @field_validator("gpu")
    @classmethod
    def _gpu_exists(cls, value: str) -> str:
        known(lambda: catalog.load().gpu(value))
        return catalog.load().gpu(value).name

    @field_validator("model")
    @classmethod
    def _model_is_an_id(cls, value: str) -> str:
        """The catalogue's own id of the model, however it was written: nothing after this looks a name up again."""
        return model_id(value, rerankers=False)

    @model_validator(mode="after")
    def _host_is_told(self) -> Self:
        if (self.cloud == OWN) != (self.host is not None):
            if self.host is None:
                raise invalid(
                    "spec.host-needed",
                    _("a machine of your own is meant, and nothing says how it is reached"),
                    _("host: its address, user and host_key"),
                )
            raise invalid(
                "spec.host-of-a-cloud",
                _("a machine that exists is described, and {cloud} makes a new one", cloud=self.cloud),
                _("cloud: ssh, or leave host out"),
            )
        if self.host is None:
            return self
        bought = [name for name in OF_SELLERS if getattr(self, name)]
        if self.system_disk_gib != type(self).model_fields["system_disk_gib"].default:
            bought.append("system_disk_gib")
        bought += [name for name in ("replicas", "nodes") if getattr(self, name) > 1]
        refuse_bought(bought)
        refuse_two_bundles(self.host.bundle, self.weights)
        return self

    @model_validator(mode="after")
    def _machines_stay_together(self) -> Self:
        refuse_apart(self)
        refuse_turns(self)
        return self

    @model_validator(mode="after")
    def _bucket_is_somewhere(self) -> Self:
        if self.weights is not None and self.weights.needs_region(self.cloud):
            message = _("the bucket {bucket} is in another cloud than the server", bucket=self.weights.bucket)
            raise invalid("spec.bucket-region", message, _("weights.region: the bucket's"))
        return self

    @model_validator(mode="after")
    def _others_keep_off_the_card(self) -> Self:
        sharing = [name for name, each in self.models.items() if each.gpus is None and each.device == "gpu"]
        if self.model_change == "beside" and sharing:
            raise invalid(
                "spec.beside-on-a-shared-card",
                _(
                    "{names} share the main model's GPU, which two main models need while one is changed",
                    names=listed(sharing),
                ),
                _("gpus: 1 for each of them, or model_change: restart"),
            )
        return self

    @model_validator(mode="after")
    def _alternatives_differ(self) -> Self:
        if self.alternative > len(self.alternatives):
            raise invalid(
                "spec.no-such-alternative",
                _(
                    "alternative {number} is taken, and there are {count}",
                    number=self.alternative,
                    count=len(self.alternatives),
                ),
                _("alternative: 0, or as many alternatives"),
            )
        seen = [(self.region, self.zone, self.instance_type, self.spot)]
        for number, each in enumerate(self.alternatives, 1):
            region = each.region or self.region
            known(partial(catalog.load().region, self.cloud, region))
            if each.zone is not None and not catalog.lies_in(each.zone, region):
                message = _("zone {value!r} is not in region {region!r}", value=each.zone, region=region)
                raise invalid("spec.zone-of-other-region", message, _("region: the zone's"))
            found = self.choice(number)
            told = (found.region, found.zone, found.instance_type, found.spot)
            if told in seen:
                message = _("alternative {number} is the same as one before it", number=number)
                raise invalid("spec.alternative-twice", message, _("leave it out"))
            seen.append(told)
        return self

    @model_validator(mode="after")
    def _upstreams_serve_it(self) -> Self:
        refused = unserved(self.cloud, self.region, self.upstreams)
        if refused:
            raise invalid(
                "spec.upstream-region",
                _(
                    "{unserved} do not serve callers in {region}, or are not known to, and the server would call them",
                    unserved=listed(refused),
                    region=self.region,
                ),
                _("give them to an overseas proxy (proxy.upstreams), whose models the server's gateway serves too"),
            )
        refuse_twice([*self.own_models, *served_by(self.upstreams)], "served_name", set(self.own_models[1:]))
        return self

    @model_validator(mode="after")
    def _adapters_say_it_once(self) -> Self:
        if self.adapters:
            refuse_flags(flags_of(self.extra_args))
        return self

    def choice(self, number: int) -> ServerSpec:
        """The server with that alternative taken, counted from 1; 0: as it is written."""
        changes = self.alternatives[number - 1].changes(self) if number else {}
        return self.model_copy(update={**changes, "alternative": number})

    @property
    def name_served(self) -> str:
        """What clients call the model."""
        return self.served_name or self.model.rsplit("/", 1)[-1]

    @property
    def own_models(self) -> tuple[str, ...]:
        """What clients call the models that this machine serves itself, the main one first, and its adapters last."""
        further = [name for each in self.models.values() for name in each.adapters]
        return (self.name_served, *self.models, *self.adapters, *further)

    @property
    def cards(self) -> int:
        """GPUs of the machine: the main model's, and those that further models have for themselves."""
        return self.gpu_count + sum(each.gpus or 0 for each in self.models.values())


def server_arguments(given: Mapping[str, Any]) -> dict[str, Any]:
    """Those of ``ModelServer``'s arguments that are keys of `ServerSpec`, by these keys."""
    named = {key: value for key, value in given.items() if key != "models" and key in ServerSpec.model_fields}
    return named | ({"models": given[FURTHER_MODELS]} if FURTHER_MODELS in given else {})


def arguments_of_server(keys: Mapping[str, Any]) -> dict[str, Any]:
    """Keys of `ServerSpec` as ``ModelServer``'s arguments."""
    return {FURTHER_MODELS if key == "models" else key: value for key, value in keys.items()}
