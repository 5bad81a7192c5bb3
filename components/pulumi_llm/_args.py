"""The components' arguments, as Pulumi's analyzer reads them: one TypedDict a component.

No ``from __future__ import annotations`` here: the analyzer (pulumi 3.272) reads the annotations as they are.
"""

from typing import Any, NotRequired, TypedDict

import pulumi


class NetworkArgs(TypedDict):
    """Where the network is made, and its range."""

    cloud: str
    """``aliyun``, ``tencent`` or ``aws``."""
    region: str
    """The cloud's own name of the region, such as ``cn-hangzhou``."""
    zone: NotRequired[str]
    """The zone of the subnet; default: the first zone of the region that the catalogue knows."""
    cidr: NotRequired[str]
    """A private range between /16 and /24; the subnet is its first /24. Default: ``10.60.0.0/16``."""
    tags: NotRequired[dict[str, str]]
    """Tags for everything that takes them."""


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
