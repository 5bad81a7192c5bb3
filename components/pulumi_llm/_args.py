"""The components' arguments, as Pulumi's analyzer reads them. Written by tools/generate from spec/.

No ``from __future__ import annotations`` here: the analyzer (pulumi 3.272) reads the annotations as they are.
"""

from typing import Any, NotRequired, Optional, TypedDict

import pulumi

__all__ = [
    "AccessArgs",
    "AcmeArgs",
    "AdapterArgs",
    "AlternativeArgs",
    "AppsArgs",
    "BackupArgs",
    "ChatArgs",
    "ClusterArgs",
    "ContentArgs",
    "DiskArgs",
    "DomainArgs",
    "FleetArgs",
    "FleetModelArgs",
    "FleetVectorsArgs",
    "HostArgs",
    "HostPriceArgs",
    "IdleStopArgs",
    "KeyArgs",
    "ManagedArgs",
    "ModelArgs",
    "ModelServerArgs",
    "ModeratorArgs",
    "NetworkArgs",
    "NetworkChoiceArgs",
    "NodesArgs",
    "OverseasProxyArgs",
    "PlatformArgs",
    "PriceArgs",
    "ProxyArgs",
    "RagArgs",
    "RecordArgs",
    "RouteArgs",
    "ScalingArgs",
    "ServerArgs",
    "ServiceArgs",
    "SnapshotsArgs",
    "TracesArgs",
    "TurnsArgs",
    "UpstreamArgs",
    "VectorStoreArgs",
    "VectorizerArgs",
    "VectorsArgs",
    "WeightsArgs",
    "WordListArgs",
    "WorkerProxyArgs",
]


class WeightsArgs(TypedDict):
    """A bucket that keeps the weights: the first machine puts them there, the next ones take them from there."""

    bucket: str
    """``oss://BUCKET/PREFIX``, ``cos://BUCKET/PREFIX`` or ``s3://BUCKET/PREFIX``. It exists already, and is yours."""
    region: NotRequired[str]
    """The bucket's region. Left out: the server's, where both are in the same cloud."""
    endpoint: NotRequired[str]
    """The URL of another server that speaks S3, with ``s3://``."""
    bundle: NotRequired[str]
    """The SHA-256 of a bundle in the bucket, as ``pulumi-llm bundle --upload`` says it: the machine installs from there alone, and asks nobody else. Left out: only weights are kept there."""
    closed: NotRequired[bool]
    """With ``bundle``: the machine's firewall lets nothing out but to the bucket, and to the cloud's own names, clock and metadata. What asks for more (vendors' models, traces, backups, ``idle_stop``) is refused. Default: ``false``."""


class SnapshotsArgs(TypedDict):
    """When the cloud makes a snapshot of the data disk, and how long it keeps each."""

    every: NotRequired[str]
    """``day``, or days of the week: ``Sun``, ``Mon,Thu``, ``Mon-Fri``. Default: ``day``."""
    at: str
    """The time of day and its time zone, such as ``03:00 Asia/Shanghai``: the zone's standard time, in summer too."""
    keep_days: NotRequired[int]
    """Days that each snapshot is kept. What a cloud keeps at most is checked. From 1 to 3650. Default: ``7``."""


class DiskArgs(TypedDict):
    """Copies of the data disk."""

    snapshots: NotRequired[SnapshotsArgs]
    """Have the cloud make snapshots on a schedule. Left out: none are made."""
    from_snapshot: NotRequired[str]
    """The snapshot that the disk is made from. ``pulumi-llm snapshots restore`` writes it, and it stays: without it the disk is another, empty one. Left out: an empty disk."""


class AlternativeArgs(TypedDict):
    """Another region, zone, type or way of paying, at the same cloud. What is left out stays as it is."""

    region: NotRequired[str]
    """Another region of the same cloud. It has another network, address and disk: it is taken only while the server has never had a machine. The zone is the first there that has the type, unless it is named."""
    zone: NotRequired[str]
    """Another zone of the region. A data disk does not move there: it is taken only while nothing is on the disk."""
    instance_type: NotRequired[str]
    """Another type with the same GPU."""
    spot: NotRequired[bool]
    """``false``: on demand, after a spot machine. ``true``: a spot machine."""


class IdleStopArgs(TypedDict):
    """Stop the machine when nobody asks it."""

    minutes: NotRequired[int]
    """Minutes without a request, after which the machine stops itself. The start does not count, and a request that runs keeps it. From 5 to 1440. Default: ``30``."""
    keep: NotRequired[int]
    """With ``replicas``: so many machines do not stop for that, the first one with the gateway and those after it. From 0 to 7. Default: ``0``."""
    fill: NotRequired[int]
    """With ``replicas``: calls at once that a machine gets before the next one gets any, so that machines which are not needed stand idle. Left out: 8. From 1 to 4096."""
    starts_per_day: NotRequired[int]
    """With ``started_by: request``: so many starts of further machines within 24 hours, and no more. Left out: 12. From 1 to 200."""


class KeyArgs(TypedDict):
    """What one gateway key may do. A limit that is left out does not exist."""

    models: NotRequired[list[str]]
    """Served models that the key may ask, by name or by a pattern such as ``gpt-*``. Empty: all."""
    endpoints: NotRequired[list[str]]
    """Paths that the key may use, such as ``/v1/chat/completions``. Empty: all but ``/metrics``, which has to be named."""
    requests_per_minute: NotRequired[Optional[int]]
    """Requests in any 60 seconds. ``null``: no limit. At least 1. Default: ``60``."""
    tokens_per_minute: NotRequired[int]
    """Tokens in any 60 seconds, prompt and answer. At least 1."""
    max_concurrency: NotRequired[Optional[int]]
    """Requests at the same time. ``null``: no limit. At least 1. Default: ``8``."""
    daily_budget_usd: NotRequired[float]
    """USD per UTC day at the upstream vendors' prices. Your own models cost nothing here. Above 0."""
    monthly_budget_usd: NotRequired[float]
    """The same per UTC month. Above 0."""
    daily_tokens: NotRequired[int]
    """Tokens per UTC day. At least 1."""
    monthly_tokens: NotRequired[int]
    """Tokens per UTC month. At least 1."""
    expires: NotRequired[str]
    """The last day (UTC) on which the key works: ``2027-12-31``."""
    source_cidrs: NotRequired[list[str]]
    """From where the key may be used, within ``allowed_cidrs``. Empty: from all of them."""
    ask_twice: NotRequired[bool]
    """Whether a request to a paid upstream goes out once more where the upstream closes a connection that was used before without a word. It may charge for both, so both count. Default: ``false``."""
    generation: NotRequired[int]
    """Raise it to have a new key made; the old one stays valid for 15 minutes. At least 1. Default: ``1``."""


class PriceArgs(TypedDict):
    """What a model's vendor charges, USD per million tokens."""

    input: float
    """USD per million tokens of prompts. At least 0."""
    output: NotRequired[float]
    """USD per million tokens of answers. Left out, it is not known: 0 for a model that answers with no text. At least 0."""


class UpstreamArgs(TypedDict):
    """A vendor's or another server's models that a gateway may be asked for."""

    models: list[str]
    """The vendor's model names, at least one, such as ``gpt-6-luna``."""
    vendor: NotRequired[str]
    """Whose server it is, where the upstream has a name of its own: ``openai``, ``anthropic``, ``gemini``, ``groq``, ``deepseek``, ``qwen``, ``qianfan``, ``ark``, ``pai-eas``, ``hai``, ``vllm``, ``custom``. Left out: the vendor of that name, or ``custom``, any server that speaks the OpenAI protocol."""
    base_url: NotRequired[str]
    """Where it answers, up to ``/v1``. Required where the vendor has no address of its own: ``custom``, ``vllm``, ``pai-eas``, ``hai``. ``http://`` for private addresses only."""
    served_names: NotRequired[dict[str, str]]
    """By model: what callers ask for, where that is another name, such as one that two vendors do not share."""
    certificate_authority: NotRequired[str]
    """The authority (PEM) that signed its certificate, where that is one of its own: for another model server of yours, the output ``certificate_authority``."""
    keyless: NotRequired[bool]
    """It asks for no key. At private addresses only. Default: ``false``."""
    prices: NotRequired[dict[str, PriceArgs]]
    """By model, where the catalogue has no price or you pay another one. Needed only for budgets in USD."""


class RouteArgs(TypedDict):
    """A name that callers may ask for, and the served models that answer for it."""

    models: dict[str, float]
    """Served model to its share of the requests."""
    fallback: NotRequired[list[str]]
    """Served models to ask, in order, where none of those begins to answer."""


class AcmeArgs(TypedDict):
    """An authority that signs by itself, once it has seen that the name leads to the host (ACME, RFC 8555)."""

    email: str
    """Whom the authority writes to about the certificate."""
    directory: NotRequired[str]
    """The authority: ``letsencrypt``, ``letsencrypt-staging`` (for trials: no browser trusts it), or the URL of the directory of another one. Default: ``letsencrypt``."""
    challenge: NotRequired[str]
    """How it sees that: ``http`` asks port 80, which is opened to the world for that alone; ``tls-alpn`` asks port 443, which has to be open to the world. Default: ``http``."""


class RecordArgs(TypedDict):
    """The record in DNS that leads to the host, made and kept by Pulumi."""

    cloud: str
    """Whose DNS: ``aliyun`` (Alidns), ``tencent`` (DNSPod), ``aws`` (Route 53), ``digitalocean`` or ``vultr``. It may be another cloud than the machine's."""
    zone: str
    """The domain that is kept there, such as ``example.com``."""
    zone_id: NotRequired[str]
    """The hosted zone's id, which Route 53 asks for."""


class DomainArgs(TypedDict):
    """The name by which a gateway is called instead of its address."""

    name: str
    """The name, such as ``llm.example.com``. The outputs use it."""
    acme: NotRequired[AcmeArgs]
    """Have the certificate signed by an authority that browsers trust, and renewed. Left out: our own authority signs it, as it does for the address."""
    record: NotRequired[RecordArgs]
    """Have Pulumi make the record in DNS. Left out: you make it, with the output ``address``."""
    filed: NotRequired[bool]
    """Say that the name has an ICP filing with the machine's cloud. Only mainland hosts need one. Default: ``false``."""


class TracesArgs(TypedDict):
    """``traces`` of the server or the proxy: a span for each admitted call goes to a collector, without what was said. See [traces](monitoring.md#traces). zh: 服务器或代理的 ``traces``：每个被放行的请求向采集器发送一个 span，不含对话内容。 见[链路追踪](monitoring.zh.md#链路追踪)。"""

    endpoint: str
    """The collector's address for traces (OTLP over HTTP), such as ``http://10.0.0.9:4318/v1/traces``. ``http://`` for private addresses only. It is asked without a key."""
    share: NotRequired[float]
    """The share of the calls that are traced. A caller's ``traceparent`` that traces nothing is obeyed. Above 0, at most 1. Default: ``1.0``."""
    engine: NotRequired[bool]
    """vLLM tells the collector of its part of each traced call too: the time in its queue, for the prompt and for the answer, and tokens. Of a model server only, and of a collector that is named by its IP address: vLLM may speak to that one alone. Default: ``false``."""


class WordListArgs(TypedDict):
    """One word list: ``words``, or a ``file`` with one word a line, relative to the project's folder."""

    action: str
    """What happens where a word is found. One of ``block``, ``mask``, ``log``."""
    words: NotRequired[list[str]]
    """The words; either these or a file."""
    file: NotRequired[str]
    """One word a line, UTF-8; relative to the project's folder."""
    on: NotRequired[list[str]]
    """Requests, answers, or both. Of ``input``, ``output``. Default: ``["input", "output"]``."""
    separators: NotRequired[str]
    """What may stand between the letters. One of ``guarded``, ``any``, ``none``. Default: ``guarded``."""
    leet: NotRequired[bool]
    """Read digits and signs as letters too. Default: ``false``."""
    keys: NotRequired[list[str]]
    """The keys that it is for. Default: ``["*"]``."""
    models: NotRequired[list[str]]
    """The models that it is for. Default: ``["*"]``."""


class ModeratorArgs(TypedDict):
    """One remote moderator. Whether a failure blocks has no default, so that nobody is surprised by it."""

    kind: str
    """The service. One of ``openai``, ``yidun``, ``baidu``, ``aliyun``, ``tencent``, ``hook``."""
    action: str
    """What its refusal means. One of ``block``, ``log``."""
    on_error: str
    """What a failure of the service means. One of ``block``, ``pass``."""
    secret: NotRequired[str]
    """The name of the secret with its key, such as ``upstream_openai``; default: its kind's own, see "Content safety"."""
    secret_id: NotRequired[str]
    """The name of the secret with the key's id; default: its kind's own."""
    timeout_seconds: NotRequired[float]
    """Seconds for one question. From 0.05 to 60. Default: ``5.0``."""
    on: NotRequired[list[str]]
    """Requests, answers, or both. Of ``input``, ``output``. Default: ``["input", "output"]``."""
    output: NotRequired[str]
    """What it sees of a streamed answer. One of ``batches``, ``end``. Default: ``batches``."""
    batch_chars: NotRequired[int]
    """Characters after which a batch may end. From 1 to 10000. Default: ``120``."""
    review: NotRequired[str]
    """What a doubtful verdict means. One of ``block``, ``log``. Default: ``block``."""
    longest_chars: NotRequired[int]
    """Longer texts count as a failure. From 100 to 10000000. Default: ``100000``."""
    keys: NotRequired[list[str]]
    """The keys that it is for. Default: ``["*"]``."""
    models: NotRequired[list[str]]
    """The models that it is for. Default: ``["*"]``."""
    file: NotRequired[str]
    """For ``hook``: the Python file with it; relative to the project's folder."""
    options: NotRequired[dict[str, Any]]
    """What the kind takes."""


class ContentArgs(TypedDict):
    """What is looked for in requests and answers. Names are shown in logs and metrics."""

    lists: NotRequired[dict[str, WordListArgs]]
    """Word lists by name."""
    moderators: NotRequired[dict[str, ModeratorArgs]]
    """Remote moderators by name."""
    mask: NotRequired[str]
    """What each letter of a masked word becomes. Default: ``*``."""


class TurnsArgs(TypedDict):
    """``turns`` of the server: how models take turns that say ``takes_turns``. See "models that take turns". zh: 服务器的 ``turns``：写了 ``takes_turns`` 的模型如何轮流运行，见[轮流运行的模型](#轮流运行的模型)。"""

    weights: NotRequired[str]
    """Where a sleeping model's weights are. ``memory``: the host's, from which they are back in seconds; all of them must find room there. ``disk``: nowhere else, and they are read again. Default: ``memory``."""
    awake_seconds: NotRequired[int]
    """Seconds that a busy model stays awake while another one is asked for. From 1 to 3600. Default: ``30``."""
    wait_seconds: NotRequired[int]
    """Seconds that a call waits for its model, and that answers under way may take to end. Then the caller gets 503 with ``Retry-After``; no answer is cut off. From 5 to 600. Default: ``120``."""


class AdapterArgs(TypedDict):
    """A LoRA adapter of a model. Its name in ``adapters`` is what clients call it."""

    source: str
    """The adapter's id at Hugging Face or ModelScope (``organisation/name``): a repository with ``adapter_config.json`` and ``adapter_model.safetensors``, as PEFT writes them."""
    modelscope_id: NotRequired[str]
    """Its id at ModelScope, where the stack fetches from there and the id differs."""
    revision: NotRequired[str]
    """Branch, tag or commit at the hub. Left out: the newest when the node first fetches it."""
    base: NotRequired[str]
    """What its ``adapter_config.json`` calls the model that it was made for, where that is another name of ``model``."""
    rank: NotRequired[int]
    """Its rank (``r`` in ``adapter_config.json``), or more. All slots have the size of the largest. From 1 to 512. Default: ``16``."""


class ServiceArgs(TypedDict):
    """A service beside the model: how much of the machine it may take. What is left out is as its role says."""

    memory_gib: NotRequired[int]
    """GiB of host memory that it may take. Left out: as its role says. From 1 to 512."""
    disk_gib: NotRequired[int]
    """GiB for it on the data disk. Left out: as its role says. From 1 to 16000."""


class ChatArgs(TypedDict):
    """A chat page on the model server's host, with accounts of its own."""

    engine: NotRequired[str]
    """``open-webui``. ``nextchat`` and ``lobehub`` are refused, with the reason: see [apps.md](apps.md). Default: ``open-webui``."""
    admin_email: str
    """The first administrator's log-in. The password is the output ``chat_password``."""
    port: NotRequired[int]
    """Where the page answers, by TLS; ``allowed_cidrs`` may call it. From 1 to 65535. Default: ``18447``."""
    memory_gib: NotRequired[int]
    """GiB of host memory that it may take. From 1 to 512. Default: ``2``."""
    disk_gib: NotRequired[int]
    """GiB on the data disk for accounts, chats and uploaded files. From 5 to 16000. Default: ``10``."""
    key: NotRequired[KeyArgs]
    """The limits of its own gateway key, for all its users together: see ``keys``. It works on this machine alone, so ``source_cidrs`` is not for it. Left out: as those of a key are."""


class RagArgs(TypedDict):
    """Answers out of documents that people put into the chat page."""

    engine: NotRequired[str]
    """``open-webui``. ``verba`` is refused, with the reason: see [apps.md](apps.md). Default: ``open-webui``."""
    embeddings: str
    """The served model that turns texts into vectors, by the name that callers ask for."""
    dimensions: int
    """How many numbers each of its vectors has, in PostgreSQL 2,000 at most. It stays: another needs an empty table. From 1 to 65535."""
    reranker: NotRequired[str]
    """The served model that puts what was found in order. Left out: none."""


class AppsArgs(TypedDict):
    """Pages beside the model."""

    chat: NotRequired[ChatArgs]
    """A chat page: see ``apps.chat``. Left out: none."""
    rag: NotRequired[RagArgs]
    """Its answers out of documents: see ``apps.rag``. Left out: a document goes whole into the question."""


class HostPriceArgs(TypedDict):
    """What the machine costs, by whom rents it out or by your own sum."""

    amount: float
    """Per hour. From 0 to 10000."""
    currency: str
    """``CNY`` or ``USD``."""


class HostArgs(TypedDict):
    """A machine that exists, with ``cloud: ssh``: how it is reached, and what it has."""

    mode: NotRequired[str]
    """``systemd``: a machine that boots. ``container``: one that is rented out without systemd, in which root logs in. Default: ``systemd``."""
    address: str
    """Its IPv4 address, at which it answers SSH and its callers."""
    port: NotRequired[int]
    """Where it answers SSH. From 1 to 65535. Default: ``22``."""
    user: str
    """Who logs in: root, or somebody whom sudo asks no password."""
    host_key: str
    """The machine's own key, ``ssh-ed25519 AAAA…``; a machine that has another one is refused."""
    private_key_file: NotRequired[str]
    """The file with the key that lets in, such as ``~/.ssh/id_ed25519``. Left out: the secret ``sshPrivateKey``."""
    agent: NotRequired[bool]
    """Let the SSH agent of whoever runs Pulumi answer for the key. Default: ``false``."""
    folder: NotRequired[str]
    """Where weights, keys and vectors go, such as a folder on a large disk. Left out: ``/srv/llm``."""
    public_port: NotRequired[int]
    """The one port of a container that others reach, such as 6006; the gateway listens there. Left out: no port is told apart, and a tunnel leads to any: ``ssh -L``. From 1 to 65535."""
    again: NotRequired[int]
    """Raise it once a container was stopped and started, or made anew: ``up`` then starts what was there, or puts it there again. The data in ``folder`` stays. From 0 to 1000000. Default: ``0``."""
    system: NotRequired[str]
    """What the machine runs: ``ubuntu-24.04``, ``ubuntu-22.04``, ``debian-13`` or ``debian-12``. It is asked at ``up``. Default: ``ubuntu-24.04``."""
    bundle: NotRequired[str]
    """The folder on the machine that ``pulumi-llm bundle`` made: it installs from there alone, and needs no network."""
    gpu_memory_gib: NotRequired[float]
    """GiB of one card, where it has other than the catalogue says. It is asked at ``up``. From 4 to 1024."""
    memory_gib: NotRequired[float]
    """GiB of the machine's own memory. Left out, nothing is held against it before ``up``. From 1 to 65536."""
    price: NotRequired[HostPriceArgs]
    """What an hour of it costs, for the bill. Left out: unknown."""


class ModelArgs(TypedDict):
    """A further model on the same machine. Its name in ``models`` is what clients call it."""

    model: str
    """The model's id at Hugging Face or ModelScope (``organisation/name``)."""
    kind: NotRequired[str]
    """What it is for: ``embedding`` turns texts into vectors, ``reranking`` says how well they fit a question. Left out: as its name or its files say. One of ``chat``, ``embedding``, ``reranking``."""
    modelscope_id: NotRequired[str]
    """Its id at ModelScope, where that differs and the catalogue does not know it."""
    revision: NotRequired[str]
    """Branch, tag or commit at the hub. Left out: the newest when the node first fetches it."""
    device: NotRequired[str]
    """Where it runs. ``cpu``: in the machine's memory, for models for vectors and for ranks: see "several models on a host". One of ``gpu``, ``cpu``. Default: ``gpu``."""
    gpus: NotRequired[int]
    """GPUs of its own, besides those of the main model. Left out: it shares the main model's first GPU. From 1 to 7."""
    takes_turns: NotRequired[bool]
    """It takes turns with the main model, on its GPUs: one is awake, the others sleep. See "models that take turns". Default: ``false``."""
    gpu_memory_utilization: NotRequired[float]
    """Share of a GPU's memory that its vLLM may use. Left out: on GPUs of its own 0.9; on a shared one as little as one request needs. From 0.01 to 0.98."""
    context_length: NotRequired[int]
    """Tokens of a text, or of prompt and answer together. Left out: the model's own, at most 8192. At least 16."""
    max_num_seqs: NotRequired[int]
    """Requests worked on at a time. Left out: 32 on a shared GPU, else vLLM's own. From 1 to 4096."""
    quantization: NotRequired[str]
    """Left out: what the model's files say, which is nearly always right. One of ``awq``, ``gptq``, ``fp8``, ``mxfp4``."""
    dtype: NotRequired[str]
    """``auto`` takes ``half`` where the GPU has no bfloat16 (T4). One of ``auto``, ``half``, ``bfloat16``. Default: ``auto``."""
    kv_cache_dtype: NotRequired[str]
    """``fp8`` halves the KV cache, on GPUs from compute capability 8.9 on (L4, L20, H100). One of ``auto``, ``fp8``. Default: ``auto``."""
    adapters: NotRequired[dict[str, AdapterArgs]]
    """LoRA adapters of this model, by the names that clients call them."""
    trust_remote_code: NotRequired[bool]
    """Let code from the model's repository run on the host. Default: ``false``."""
    extra_args: NotRequired[list[str]]
    """More flags for its ``vllm serve``, each an item of its own."""


class VectorizerArgs(TypedDict):
    """Vectors that the store makes itself: it asks a model of the server through the gateway."""

    model: str
    """The model that turns texts into vectors, by its name under ``server.models``."""
    key: NotRequired[KeyArgs]
    """The limits of the store's own gateway key: see ``keys``. It is for this model and the store's machine alone, so ``models``, ``endpoints`` and ``source_cidrs`` are not for it. Left out: 10,000 requests and 10,000,000 tokens a minute, 64 requests at the same time."""


class BackupArgs(TypedDict):
    """Encrypted backups of the vector store. ``{}`` is enough for `pulumi-llm vectors backup`."""

    to: NotRequired[str]
    """Where backups go: ``oss://BUCKET/PREFIX``, ``cos://BUCKET/PREFIX``, ``s3://BUCKET/PREFIX``, or a folder on the machine that the command is run on. Left out: the command's ``--to`` says it."""
    region: NotRequired[str]
    """The bucket's region. Left out: the vector store's, where both are in the same cloud."""
    endpoint: NotRequired[str]
    """The URL of another server that speaks S3, with ``s3://``."""
    every: NotRequired[str]
    """How often the machine makes one by itself: ``6h``, ``1d``. Needs a bucket, and a key to it as a secret. Left out: only the command makes them."""
    keep: NotRequired[int]
    """How many are kept; older ones are deleted after a newer one is whole. From 1 to 1000. Default: ``7``."""


class ScalingArgs(TypedDict):
    """How many engines serve a model: as many as its calls need, between two numbers. KEDA, which must be in the cluster, adds them and takes them away."""

    most: int
    """How many there are at most: nodes, quota and bill reckon with as many. From 1 to 5000."""
    least: NotRequired[int]
    """How many there are at least. With 0 none is there once nobody has asked for ``idle_minutes`` and for as long as an engine takes to start besides, and the first call after that starts one. From 0 to 5000. Default: ``1``."""
    queue: NotRequired[int]
    """Calls that may wait for each engine, besides those that it works on at once: with more another engine is added. From 1 to 4096. Default: ``8``."""
    idle_minutes: NotRequired[int]
    """Minutes for which fewer engines would have done, before one goes. From 1 to 60. Default: ``10``."""


class FleetModelArgs(TypedDict):
    """A model of the fleet. Its name in ``models`` is what clients call it."""

    model: str
    """The model's id at Hugging Face or ModelScope (``organisation/name``)."""
    copies: NotRequired[int]
    """How many engines serve it. From 1 to 5000. Default: ``1``."""
    scaling: NotRequired[ScalingArgs]
    """Engines that follow the load, in place of ``copies``. Left out: there are always ``copies``."""
    gpus: NotRequired[int]
    """GPUs of one node that each copy takes (tensor parallel). From 1 to 16. Default: ``1``."""
    nodes: NotRequired[int]
    """Nodes over which each copy lies (pipeline parallel): more than one with ``engine: kuberay`` alone. From 1 to 64. Default: ``1``."""
    kind: NotRequired[str]
    """What it is for. Left out: as its name or its files say. One of ``chat``, ``embedding``, ``reranking``."""
    modelscope_id: NotRequired[str]
    """Its id at ModelScope, where that differs and the catalogue does not know it."""
    revision: NotRequired[str]
    """Branch, tag or commit at the hub. Left out: the newest when an engine first fetches it."""
    context_length: NotRequired[int]
    """Tokens of prompt and answer together. Left out: the model's own, at most 8192. At least 16."""
    gpu_memory_utilization: NotRequired[float]
    """Share of each GPU's memory that vLLM may use. From 0.01 to 0.98. Default: ``0.9``."""
    max_num_seqs: NotRequired[int]
    """Requests that one copy works on at a time. Left out: vLLM's own. From 1 to 4096."""
    quantization: NotRequired[str]
    """Left out: what the model's files say, which is nearly always right. One of ``awq``, ``gptq``, ``fp8``, ``mxfp4``."""
    dtype: NotRequired[str]
    """``auto`` takes ``half`` where the GPU has no bfloat16 (T4). One of ``auto``, ``half``, ``bfloat16``. Default: ``auto``."""
    kv_cache_dtype: NotRequired[str]
    """``fp8`` halves the KV cache, on GPUs from compute capability 8.9 on (L4, L20, H100). One of ``auto``, ``fp8``. Default: ``auto``."""
    trust_remote_code: NotRequired[bool]
    """Let code from the model's repository run in its engines. Default: ``false``."""
    extra_args: NotRequired[list[str]]
    """More flags for its ``vllm serve``, each an item of its own. Not with ``kuberay``."""


class NodesArgs(TypedDict):
    """The cluster's GPU nodes that the fleet may use: all alike."""

    count: int
    """How many there are; with ``min_count`` at most. From 1 to 5000."""
    min_count: NotRequired[int]
    """How many there are at least, in a cluster that is made: its cloud makes and deletes the others as pods need them. Left out: as many as ``count``. From 0 to 5000."""
    gpu: NotRequired[str]
    """The GPU that each has. Left out: that of ``instance_type``."""
    gpus: NotRequired[int]
    """GPUs of each node. Left out: those of ``instance_type``, else 1. From 1 to 16."""
    cloud: NotRequired[str]
    """The cloud whose machines they are, for their price: with ``region`` and ``instance_type``."""
    region: NotRequired[str]
    """The cloud's own name of their region."""
    instance_type: NotRequired[str]
    """What the cloud calls such a machine."""
    price: NotRequired[HostPriceArgs]
    """What one node costs, where no cloud's price is meant."""
    gpu_quota: NotRequired[int]
    """GPUs that the cloud, or the cluster's owner, grants. Left out: not checked. At least 0."""
    vcpus: NotRequired[int]
    """vCPUs of each node. Left out: those of ``instance_type``; engines then ask for 4 for each GPU. At least 1."""
    memory_gib: NotRequired[int]
    """GiB of memory of each node. Left out: those of ``instance_type``; engines then ask for 16 for each GPU. At least 4."""
    labels: NotRequired[dict[str, str]]
    """Labels that a node must have to be used, such as ``nvidia.com/gpu.product``."""
    taints: NotRequired[list[str]]
    """Keys of taints that engines tolerate, whatever their value and effect. Default: ``["nvidia.com/gpu"]``."""


class ManagedArgs(TypedDict):
    """A managed cluster that is made: ACK on Aliyun, TKE on Tencent Cloud, EKS on AWS. The GPU nodes are ``nodes``."""

    api_cidrs: NotRequired[list[str]]
    """Who may ask the cluster's API from outside its network. Left out: it answers inside the network alone, and `up` must run there."""
    zones: NotRequired[list[str]]
    """Where the nodes stand. Left out: at most two zones in which the catalogue knows the machine."""
    cidr: NotRequired[str]
    """The range of the network that is made: private, a /16. Default: ``10.64.0.0/16``."""
    vpc_id: NotRequired[str]
    """An existing VPC, with a way out. Needs ``subnets``."""
    subnets: NotRequired[dict[str, str]]
    """Its subnets (vSwitches on Aliyun), by zone."""
    system_type: NotRequired[str]
    """The machine type of what needs no GPU: gateway, router, DNS. Left out: see docs/fleet.md."""
    system_count: NotRequired[int]
    """How many of those. From 1 to 20. Default: ``2``."""
    secrets_key: NotRequired[str]
    """A key of the cloud's key service that Kubernetes' secrets are encrypted with. Left out: one is made, where the cloud sells keys one by one."""
    gpu_driver: NotRequired[str]
    """The driver of the GPU nodes, where the cloud lets one choose. Left out: the cloud's choice."""
    admins: NotRequired[list[str]]
    """On AWS: ARNs of further roles or users that may do everything in the cluster."""
    operators: NotRequired[bool]
    """Install what the fleet needs besides: KubeRay's operator with ``engine: kuberay``, KEDA where a model has ``scaling``, on EKS the cluster-autoscaler with ``nodes.min_count``. ``false``: you install them yourself. Default: ``true``."""
    protect: NotRequired[bool]
    """Keep the cluster from being deleted or replaced. Default: ``false``."""
    tags: NotRequired[dict[str, str]]
    """Tags for everything of the cluster's that takes them. Keys and values must suit all three clouds."""


class ClusterArgs(TypedDict):
    """Which cluster is meant, so that no other one is changed by a kubeconfig that points elsewhere."""

    context: NotRequired[str]
    """The kubeconfig's context. Left out: its current one."""
    server: NotRequired[str]
    """The address of its API server, such as ``https://203.0.113.7:6443``. Given, a kubeconfig that leads to another one is refused."""
    version: NotRequired[str]
    """Its Kubernetes version, such as ``1.34``. Left out: not checked; of a cluster that is made, the newest that is known here."""
    managed: NotRequired[ManagedArgs]
    """Make the cluster: see ``cluster.managed``. Left out: it is there already, and a kubeconfig leads to it."""


class FleetVectorsArgs(TypedDict):
    """Weaviate in the fleet's namespace, one pod with a disk of its own. Callers reach it through the gateway's pod."""

    engine: NotRequired[str]
    """``weaviate`` alone: of the others no chart is known here. Default: ``weaviate``."""
    chart_version: NotRequired[str]
    """The version of Weaviate's chart, of those whose values are known here. Default: ``17.8.3``."""
    memory_gib: NotRequired[int]
    """GiB of memory that it has for itself. From 1 to 512. Default: ``4``."""
    disk_gib: NotRequired[int]
    """GiB of its disk. Kubernetes lets nobody change that of a StatefulSet: the claim itself is made larger. From 10 to 16000. Default: ``40``."""
    storage_class: NotRequired[str]
    """The storage class of its disk. Left out: the cluster's own; of a cluster that is made, the encrypted one."""
    vectorizer: NotRequired[VectorizerArgs]
    """Which model of the fleet turns texts into vectors for it: see ``vectors.vectorizer``, whose ``model`` is a name under ``models`` here. Left out: whoever puts them in brings vectors."""


class ServerArgs(TypedDict):
    """The GPU host and the model on it."""

    cloud: str
    """``aliyun``, ``tencent``, ``aws``, ``gcp``, ``volcengine`` or ``vultr``; for a machine without a GPU (a proxy, say) ``azure`` and ``digitalocean`` too. The server's may be ``ssh``: a machine that exists."""
    region: str
    """The cloud's own name of the region, such as ``cn-hangzhou``."""
    zone: NotRequired[str]
    """A certain zone. Left out: the first in which the catalogue has the type."""
    image_id: NotRequired[str]
    """An image of your own. Left out: the newest Ubuntu 24.04 that the cloud lists."""
    gpu: str
    """The GPU by name, such as ``T4`` or ``A100-80GB``."""
    gpu_count: NotRequired[int]
    """GPUs of one machine over which the model is spread (tensor parallelism). From 1 to 8. Default: ``1``."""
    replicas: NotRequired[int]
    """Machines with the same model behind one gateway, which is on the first: see "several machines with one model". Each is paid for. From 1 to 8. Default: ``1``."""
    replica_zones: NotRequired[list[str]]
    """The zones of the further machines, one for each in their order, such as ``[cn-hangzhou-i]``. Left out: the first one's."""
    nodes: NotRequired[int]
    """Machines that have one model together, each with a part of its layers (pipeline parallelism), for a model that no machine alone has room for: see "one model on several machines". Each is paid for. From 1 to 8. Default: ``1``."""
    nodes_backend: NotRequired[str]
    """What carries the engines' calls between these machines: vLLM itself, or Ray, which is one program more. One of ``native``, ``ray``. Default: ``native``."""
    nodes_near: NotRequired[bool]
    """Have the cloud keep these machines near each other, where it can of their type: see there. Default: ``false``."""
    instance_type: NotRequired[str]
    """Only to choose among several types with the same GPU. Left out: the cheapest."""
    model: str
    """The model's id at Hugging Face or ModelScope (``organisation/name``). A model that the catalogue has may be written in any case, or by the part after the slash; it is always the catalogue's own id that is used."""
    modelscope_id: NotRequired[str]
    """Its id at ModelScope, where that differs and the catalogue does not know it."""
    revision: NotRequired[str]
    """Branch, tag or commit at the hub. Left out: the newest when the node first fetches it."""
    served_name: NotRequired[str]
    """What clients call the model. Left out: the part of the id after the slash."""
    quantization: NotRequired[str]
    """Left out: what the model's files say, which is nearly always right. One of ``awq``, ``gptq``, ``fp8``, ``mxfp4``."""
    dtype: NotRequired[str]
    """``auto`` takes ``half`` where the GPU has no bfloat16 (T4). One of ``auto``, ``half``, ``bfloat16``. Default: ``auto``."""
    context_length: NotRequired[int]
    """Tokens of prompt and answer together. Left out: the model's own, at most 8192. At least 128."""
    gpu_memory_utilization: NotRequired[float]
    """Share of the GPU's memory that vLLM may use. From 0.1 to 0.98. Default: ``0.9``."""
    max_num_seqs: NotRequired[int]
    """Requests worked on at a time. Left out: vLLM's own. From 1 to 4096."""
    kv_cache_dtype: NotRequired[str]
    """``fp8`` halves the KV cache, on GPUs from compute capability 8.9 on (L4, L20, H100). Some models, most NVFP4 ones among them, ask for it in their own files: ``bfloat16`` (``float16`` on a T4) keeps their cache in 16 bit. One of ``auto``, ``bfloat16``, ``float16``, ``fp8``. Default: ``auto``."""
    trust_remote_code: NotRequired[bool]
    """Let code from the model's repository run on the host. Default: ``false``."""
    extra_args: NotRequired[list[str]]
    """More flags for ``vllm serve``, each an item of its own. Flags that the pinned vLLM lacks, and those that the spec sets itself, are refused. See "tool calls and reasoning"."""
    system_disk_gib: NotRequired[int]
    """GiB. System, driver and Python environments: about 30 GiB. From 40 to 500. Default: ``80``."""
    model_disk_gib: NotRequired[int]
    """GiB. The encrypted data disk for weights, keys and vectors. Left out: 2.1 times the weights plus 20, at least 60, plus ``vectors.disk_gib``, and so much that all of it, with a second model while one is changed, takes no more than nine tenths. Disks only grow. From 20 to 16000."""
    weights: NotRequired[WeightsArgs]
    """A bucket that keeps the weights for the next machine. Left out: they come from a model hub."""
    disk: NotRequired[DiskArgs]
    """Snapshots of the data disk, and the one that it is made from. Left out: none, and an empty one."""
    spot: NotRequired[bool]
    """A spot machine: cheaper, and the cloud may take it back at any time. Default: ``false``."""
    alternatives: NotRequired[list[AlternativeArgs]]
    """What ``pulumi-llm recover`` takes, in this order, where the cloud has no such machine left."""
    alternative: NotRequired[int]
    """Which of ``alternatives`` is taken, counted from 1; 0: the server as it is written. ``pulumi-llm recover`` writes it. At least 0. Default: ``0``."""
    idle_stop: NotRequired[IdleStopArgs]
    """Stop the machine by itself when nobody asks it. Left out: it runs on."""
    hours: NotRequired[str]
    """The hours in which it runs, such as ``Mon-Fri 08:00-20:00 Asia/Shanghai``: it stops by itself at their end, and ``started_by`` says who starts it. See ``idle_stop``. Left out: all of them."""
    started_by: NotRequired[str]
    """Who starts it when its hours begin. ``hand``: ``pulumi-llm start``. ``cloud``: the cloud itself (AWS by its scheduler, Aliyun and Tencent Cloud by a function), with a role that may start this machine and nothing else. ``request``: with ``replicas`` and ``idle_stop.keep``, the first machine starts a further one when calls need it. Default: ``hand``."""
    model_change: NotRequired[str]
    """How a change of the model, or of how vLLM is started, is made. ``restart``: minutes without answers. ``beside``: the new one loads while the old one serves and takes over once it has answered, so that no request is lost; the GPU must hold both, and each gets about half of it. See "another model without a pause". Default: ``restart``."""
    renew: NotRequired[bool]
    """Take the newest image and boot instructions at the next ``up``. Default: ``false``."""
    keys: NotRequired[dict[str, KeyArgs]]
    """Gateway keys by name, with their limits. Default: ``{"default": {}}``."""
    upstreams: NotRequired[dict[str, UpstreamArgs]]
    """Vendors and other servers whose models this gateway serves too, called from the server itself."""
    routes: NotRequired[dict[str, RouteArgs]]
    """More names that callers may ask for: aliases, weights, fallback."""
    cors_origins: NotRequired[list[str]]
    """Web pages that may ask from a browser, such as ``https://chat.example.com``. Empty: none."""
    domain: NotRequired[DomainArgs]
    """A name for the gateway, and a certificate for it. Left out: it is called by its address."""
    traces: NotRequired[TracesArgs]
    """Tell a collector of OpenTelemetry what each call was. Left out: nobody is told."""
    blocked_words: NotRequired[list[str]]
    """Requests and answers that hold one of these are refused."""
    content: NotRequired[ContentArgs]
    """Word lists and moderators."""
    models: NotRequired[dict[str, ModelArgs]]
    """Further models on the same machine, by the names that clients call them: see "several models on a host"."""
    turns: NotRequired[TurnsArgs]
    """How models take turns that say ``takes_turns``: see "models that take turns"."""
    adapters: NotRequired[dict[str, AdapterArgs]]
    """LoRA adapters of the model, by the names that clients call them."""
    services: NotRequired[dict[str, ServiceArgs]]
    """More services on the same host, by the names of their roles."""
    apps: NotRequired[AppsArgs]
    """Pages for people on the same host, such as a chat page. Left out: none."""
    host: NotRequired[HostArgs]
    """A machine that exists, with ``cloud: ssh``."""
    ready_timeout_minutes: NotRequired[int]
    """Minutes that ``up`` waits for the node to answer a completion. From 5 to 480. Default: ``90``."""
    override: NotRequired[list[str]]
    """Findings of the fit check to go on in spite of."""


class AccessArgs(TypedDict):
    """Who may reach the machines. Nothing is open to the world unless ``public: true`` is written out, SSH never."""

    allowed_cidrs: list[str]
    """Who may call the gateway and the services. The machine that runs Pulumi must be among them, unless ``ssh_cidrs`` names it."""
    public: NotRequired[bool]
    """Say that ranges as wide as the internet are meant. Never applies to SSH. Default: ``false``."""
    ssh_cidrs: NotRequired[list[str]]
    """From where SSH is open. Left out: ``allowed_cidrs``."""
    https_port: NotRequired[int]
    """The gateways' port. Left out: 443; 18443 in mainland China. Applies to the proxy too. From 1 to 65535."""


class VectorsArgs(TypedDict):
    """The vector store: on the model server's host, or on a machine of its own."""

    engine: NotRequired[str]
    """Which one: ``weaviate``, ``qdrant``, ``pgvector``, ``chroma`` or ``milvus``. See [vectors.md](vectors.md). Default: ``weaviate``."""
    placement: NotRequired[str]
    """On the model server's host, or on a machine of its own. One of ``server``, ``own``. Default: ``server``."""
    memory_gib: NotRequired[int]
    """GiB of host memory that it may take. Left out: as its role says, which for Milvus is 8. From 1 to 512. Default: ``4``."""
    disk_gib: NotRequired[int]
    """GiB for vectors on the data disk; with ``own`` the size of that machine's data disk. Left out: as its role says, which for Milvus is 60. From 10 to 16000. Default: ``40``."""
    count: NotRequired[int]
    """How many vectors are expected, with ``dimensions``: memory and disk are then held against what the engine needs, and what is left out of them follows. From 1 to 10000000000."""
    dimensions: NotRequired[int]
    """How many numbers each vector has. From 1 to 1000000."""
    vectorizer: NotRequired[VectorizerArgs]
    """Who turns texts into vectors for it: see ``vectors.vectorizer``. Left out: whoever puts them in brings vectors."""
    backup: NotRequired[BackupArgs]
    """Encrypted backups. See [backups.md](backups.md)."""
    disk: NotRequired[DiskArgs]
    """As ``disk`` of the server, for the data disk of the vector store's own machine. Only with ``own``."""
    instance_type: NotRequired[str]
    """Only with ``own``, as the keys below. Left out: the cheapest type with memory enough."""
    system_disk_gib: NotRequired[int]
    """GiB. From 40 to 500. Default: ``40``."""
    renew: NotRequired[bool]
    """As ``renew`` of the server, for the vector store's machine. Default: ``false``."""
    ready_timeout_minutes: NotRequired[int]
    """Minutes that ``up`` waits for the vector store to answer. From 5 to 480. Default: ``30``."""
    image_id: NotRequired[str]
    """As for the server, with ``placement: own`` only."""


class NetworkChoiceArgs(TypedDict):
    """The network: made with ``cidr``, or one that exists, by its ids."""

    cidr: NotRequired[str]
    """The range of the network that is made: private, /16 to /24. The subnet is its first /24. Default: ``10.60.0.0/16``."""
    vpc_id: NotRequired[str]
    """An existing VPC. Needs ``subnet_id`` and a ``zone``."""
    subnet_id: NotRequired[str]
    """An existing subnet (a vSwitch on Aliyun)."""
    subnets: NotRequired[dict[str, str]]
    """Existing subnets of that VPC in other zones, by zone: for ``replica_zones``."""


class ProxyArgs(TypedDict):
    """The overseas proxy: a small machine in a region that the upstream vendors serve."""

    cloud: str
    """``aliyun``, ``tencent``, ``aws``, ``gcp``, ``volcengine`` or ``vultr``; for a machine without a GPU (a proxy, say) ``azure`` and ``digitalocean`` too. The server's may be ``ssh``: a machine that exists."""
    region: str
    """The cloud's own name of the region, such as ``cn-hangzhou``."""
    zone: NotRequired[str]
    """A certain zone. Left out: the first in which the catalogue has the type."""
    image_id: NotRequired[str]
    """An image of your own. Left out: the newest Ubuntu 24.04 that the cloud lists."""
    engine: NotRequired[str]
    """What asks the vendors: ``llm-gate``, the gateway itself, or ``openai-forward`` behind it, for people who have it. Keys, limits and filters are the gateway's either way. See [proxy-engines.md](proxy-engines.md). Default: ``llm-gate``."""
    upstreams: dict[str, UpstreamArgs]
    """The vendors and their models, by the vendor's name: ``openai``, ``anthropic``, ``gemini``, ``groq``, ``deepseek``, ``qwen``, ``qianfan``, ``ark``, ``pai-eas``, ``hai``, ``custom``. A name of your own needs a ``vendor`` or a ``base_url``."""
    keys: NotRequired[dict[str, KeyArgs]]
    """The proxy's own keys. One more, ``server``, is made for the model server's gateway. Default: ``{"default": {}}``."""
    routes: NotRequired[dict[str, RouteArgs]]
    """More names that callers may ask for: aliases, weights, fallback."""
    cors_origins: NotRequired[list[str]]
    """Web pages that may ask from a browser, such as ``https://chat.example.com``. Empty: none."""
    domain: NotRequired[DomainArgs]
    """A name for the proxy's gateway, and a certificate for it."""
    traces: NotRequired[TracesArgs]
    """Tell a collector of OpenTelemetry what each call was. Left out: nobody is told."""
    blocked_words: NotRequired[list[str]]
    """Requests and answers that hold one of these are refused."""
    content: NotRequired[ContentArgs]
    """Word lists and moderators."""
    network: NotRequired[NetworkChoiceArgs]
    """The proxy's own network: the keys of ``network``. Default: ``{"cidr": "10.61.0.0/16"}``."""
    instance_type: NotRequired[str]
    """Left out: the cheapest with 2 vCPU and 2 GiB."""
    system_disk_gib: NotRequired[int]
    """GiB. System and gateway. From 40 to 500. Default: ``40``."""
    disk_gib: NotRequired[int]
    """GiB. The encrypted data disk, which holds the keys. From 10 to 1000. Default: ``20``."""
    renew: NotRequired[bool]
    """As for the server. Default: ``false``."""
    ready_timeout_minutes: NotRequired[int]
    """Minutes that ``up`` waits for the node. From 5 to 480. Default: ``30``."""


class NetworkArgs(TypedDict):
    """Where the network is made, and its range."""

    cloud: str
    """``aliyun``, ``tencent``, ``aws``, ``gcp``, ``volcengine`` or ``vultr``; for a machine without a GPU (a proxy, say) ``azure`` and ``digitalocean`` too. The server's may be ``ssh``: a machine that exists."""
    region: str
    """The cloud's own name of the region, such as ``cn-hangzhou``."""
    zone: NotRequired[str]
    """A certain zone. Left out: the first in which the catalogue has the type."""
    cidr: NotRequired[str]
    """The range of the network that is made: private, /16 to /24. The subnet is its first /24. Default: ``10.60.0.0/16``."""
    zones: NotRequired[list[str]]
    """Further zones, with a subnet in each, for machines in several zones."""
    tags: NotRequired[dict[str, str]]
    """Tags for everything that takes them. Keys and values must suit all three clouds."""


class ModelServerArgs(TypedDict):
    """Which model, on which GPU, and who may call it."""

    cloud: str
    """``aliyun``, ``tencent``, ``aws``, ``gcp``, ``volcengine`` or ``vultr``; for a machine without a GPU (a proxy, say) ``azure`` and ``digitalocean`` too. The server's may be ``ssh``: a machine that exists."""
    region: str
    """The cloud's own name of the region, such as ``cn-hangzhou``."""
    gpu: str
    """The GPU by name, such as ``T4`` or ``A100-80GB``."""
    model: str
    """The model's id at Hugging Face or ModelScope (``organisation/name``). A model that the catalogue has may be written in any case, or by the part after the slash; it is always the catalogue's own id that is used."""
    allowed_cidrs: list[str]
    """Who may call the gateway and the services. The machine that runs Pulumi must be among them, unless ``ssh_cidrs`` names it."""
    zone: NotRequired[str]
    """A certain zone. Left out: the first in which the catalogue has the type."""
    image_id: NotRequired[pulumi.Input[str]]
    """An image of your own. Left out: the newest Ubuntu 24.04 that the cloud lists."""
    gpu_count: NotRequired[int]
    """GPUs of one machine over which the model is spread (tensor parallelism). From 1 to 8. Default: ``1``."""
    replicas: NotRequired[int]
    """Machines with the same model behind one gateway, which is on the first: see "several machines with one model". Each is paid for. From 1 to 8. Default: ``1``."""
    replica_zones: NotRequired[list[str]]
    """The zones of the further machines, one for each in their order, such as ``[cn-hangzhou-i]``. Left out: the first one's."""
    nodes: NotRequired[int]
    """Machines that have one model together, each with a part of its layers (pipeline parallelism), for a model that no machine alone has room for: see "one model on several machines". Each is paid for. From 1 to 8. Default: ``1``."""
    nodes_backend: NotRequired[str]
    """What carries the engines' calls between these machines: vLLM itself, or Ray, which is one program more. One of ``native``, ``ray``. Default: ``native``."""
    nodes_near: NotRequired[bool]
    """Have the cloud keep these machines near each other, where it can of their type: see there. Default: ``false``."""
    instance_type: NotRequired[str]
    """Only to choose among several types with the same GPU. Left out: the cheapest."""
    modelscope_id: NotRequired[str]
    """Its id at ModelScope, where that differs and the catalogue does not know it."""
    revision: NotRequired[str]
    """Branch, tag or commit at the hub. Left out: the newest when the node first fetches it."""
    served_name: NotRequired[str]
    """What clients call the model. Left out: the part of the id after the slash."""
    quantization: NotRequired[str]
    """Left out: what the model's files say, which is nearly always right. One of ``awq``, ``gptq``, ``fp8``, ``mxfp4``."""
    dtype: NotRequired[str]
    """``auto`` takes ``half`` where the GPU has no bfloat16 (T4). One of ``auto``, ``half``, ``bfloat16``. Default: ``auto``."""
    context_length: NotRequired[int]
    """Tokens of prompt and answer together. Left out: the model's own, at most 8192. At least 128."""
    gpu_memory_utilization: NotRequired[float]
    """Share of the GPU's memory that vLLM may use. From 0.1 to 0.98. Default: ``0.9``."""
    max_num_seqs: NotRequired[int]
    """Requests worked on at a time. Left out: vLLM's own. From 1 to 4096."""
    kv_cache_dtype: NotRequired[str]
    """``fp8`` halves the KV cache, on GPUs from compute capability 8.9 on (L4, L20, H100). Some models, most NVFP4 ones among them, ask for it in their own files: ``bfloat16`` (``float16`` on a T4) keeps their cache in 16 bit. One of ``auto``, ``bfloat16``, ``float16``, ``fp8``. Default: ``auto``."""
    trust_remote_code: NotRequired[bool]
    """Let code from the model's repository run on the host. Default: ``false``."""
    extra_args: NotRequired[list[str]]
    """More flags for ``vllm serve``, each an item of its own. Flags that the pinned vLLM lacks, and those that the spec sets itself, are refused. See "tool calls and reasoning"."""
    system_disk_gib: NotRequired[int]
    """GiB. System, driver and Python environments: about 30 GiB. From 40 to 500. Default: ``80``."""
    model_disk_gib: NotRequired[int]
    """GiB. The encrypted data disk for weights, keys and vectors. Left out: 2.1 times the weights plus 20, at least 60, plus ``vectors.disk_gib``, and so much that all of it, with a second model while one is changed, takes no more than nine tenths. Disks only grow. From 20 to 16000."""
    weights: NotRequired[WeightsArgs]
    """A bucket that keeps the weights for the next machine. Left out: they come from a model hub."""
    disk: NotRequired[DiskArgs]
    """Snapshots of the data disk, and the one that it is made from. Left out: none, and an empty one."""
    spot: NotRequired[bool]
    """A spot machine: cheaper, and the cloud may take it back at any time. Default: ``false``."""
    alternatives: NotRequired[list[AlternativeArgs]]
    """What ``pulumi-llm recover`` takes, in this order, where the cloud has no such machine left."""
    alternative: NotRequired[int]
    """Which of ``alternatives`` is taken, counted from 1; 0: the server as it is written. ``pulumi-llm recover`` writes it. At least 0. Default: ``0``."""
    idle_stop: NotRequired[IdleStopArgs]
    """Stop the machine by itself when nobody asks it. Left out: it runs on."""
    hours: NotRequired[str]
    """The hours in which it runs, such as ``Mon-Fri 08:00-20:00 Asia/Shanghai``: it stops by itself at their end, and ``started_by`` says who starts it. See ``idle_stop``. Left out: all of them."""
    started_by: NotRequired[str]
    """Who starts it when its hours begin. ``hand``: ``pulumi-llm start``. ``cloud``: the cloud itself (AWS by its scheduler, Aliyun and Tencent Cloud by a function), with a role that may start this machine and nothing else. ``request``: with ``replicas`` and ``idle_stop.keep``, the first machine starts a further one when calls need it. Default: ``hand``."""
    model_change: NotRequired[str]
    """How a change of the model, or of how vLLM is started, is made. ``restart``: minutes without answers. ``beside``: the new one loads while the old one serves and takes over once it has answered, so that no request is lost; the GPU must hold both, and each gets about half of it. See "another model without a pause". Default: ``restart``."""
    renew: NotRequired[bool]
    """Take the newest image and boot instructions at the next ``up``. Default: ``false``."""
    keys: NotRequired[dict[str, KeyArgs]]
    """Gateway keys by name, with their limits. Default: ``{"default": {}}``."""
    upstreams: NotRequired[dict[str, UpstreamArgs]]
    """Vendors and other servers whose models this gateway serves too, called from the server itself."""
    routes: NotRequired[dict[str, RouteArgs]]
    """More names that callers may ask for: aliases, weights, fallback."""
    cors_origins: NotRequired[list[str]]
    """Web pages that may ask from a browser, such as ``https://chat.example.com``. Empty: none."""
    domain: NotRequired[DomainArgs]
    """A name for the gateway, and a certificate for it. Left out: it is called by its address."""
    traces: NotRequired[TracesArgs]
    """Tell a collector of OpenTelemetry what each call was. Left out: nobody is told."""
    blocked_words: NotRequired[list[str]]
    """Requests and answers that hold one of these are refused."""
    content: NotRequired[ContentArgs]
    """Word lists and moderators."""
    turns: NotRequired[TurnsArgs]
    """How models take turns that say ``takes_turns``: see "models that take turns"."""
    adapters: NotRequired[dict[str, AdapterArgs]]
    """LoRA adapters of the model, by the names that clients call them."""
    services: NotRequired[dict[str, ServiceArgs]]
    """More services on the same host, by the names of their roles."""
    apps: NotRequired[AppsArgs]
    """Pages for people on the same host, such as a chat page. Left out: none."""
    host: NotRequired[HostArgs]
    """A machine that exists, with ``cloud: ssh``."""
    ready_timeout_minutes: NotRequired[int]
    """Minutes that ``up`` waits for the node to answer a completion. From 5 to 480. Default: ``90``."""
    override: NotRequired[list[str]]
    """Findings of the fit check to go on in spite of."""
    further_models: NotRequired[dict[str, ModelArgs]]
    """Further models on the same machine, by the names that clients call them: see "several models on a host"."""
    public: NotRequired[bool]
    """Say that ranges as wide as the internet are meant. Never applies to SSH. Default: ``false``."""
    ssh_cidrs: NotRequired[list[str]]
    """From where SSH is open. Left out: ``allowed_cidrs``."""
    https_port: NotRequired[int]
    """The gateways' port. Left out: 443; 18443 in mainland China. Applies to the proxy too. From 1 to 65535."""
    vectors_engine: NotRequired[str]
    """Which one: ``weaviate``, ``qdrant``, ``pgvector``, ``chroma`` or ``milvus``. See [vectors.md](vectors.md). Default: ``weaviate``."""
    vectors_memory_gib: NotRequired[int]
    """GiB of host memory that it may take. Left out: as its role says, which for Milvus is 8. From 1 to 512. Default: ``4``."""
    vectors_disk_gib: NotRequired[int]
    """GiB for vectors on the data disk; with ``own`` the size of that machine's data disk. Left out: as its role says, which for Milvus is 60. From 10 to 16000. Default: ``40``."""
    vectors_count: NotRequired[int]
    """How many vectors are expected, with ``dimensions``: memory and disk are then held against what the engine needs, and what is left out of them follows. From 1 to 10000000000."""
    vectors_dimensions: NotRequired[int]
    """How many numbers each vector has. From 1 to 1000000."""
    vectors_vectorizer: NotRequired[VectorizerArgs]
    """Who turns texts into vectors for it: see ``vectors.vectorizer``. Left out: whoever puts them in brings vectors."""
    vectors_backup: NotRequired[BackupArgs]
    """Encrypted backups. See [backups.md](backups.md)."""
    vectors: NotRequired[bool]
    """Run a vector store on the same host. Default: ``false``."""
    address_id: NotRequired[pulumi.Input[str]]
    """The id of a public address that exists; ``address`` must then be given too. Left out: one is made."""
    address: NotRequired[pulumi.Input[str]]
    """The public IPv4 address that ``address_id`` stands for."""
    proxy_endpoint: NotRequired[pulumi.Input[str]]
    """The ``endpoint`` of an ``OverseasProxy``: its models are then served here too."""
    proxy_key: NotRequired[pulumi.Input[str]]
    """A key of that proxy. Keep it secret."""
    proxy_certificate_authority: NotRequired[pulumi.Input[str]]
    """The certificate authority of that proxy (PEM)."""
    proxy_models: NotRequired[list[str]]
    """The models of that proxy."""
    proxy_prices: NotRequired[dict[str, PriceArgs]]
    """What those models cost, by model, for keys with a budget in USD."""
    upstream_api_keys: NotRequired[pulumi.Input[dict[str, pulumi.Input[str]]]]
    """The keys of upstreams that have names of your own, by those names. Keep them secret."""
    network_cidr: NotRequired[str]
    """The range of the network that is made: private, /16 to /24. The subnet is its first /24. Default: ``10.60.0.0/16``."""
    vpc_id: NotRequired[pulumi.Input[str]]
    """An existing VPC. Needs ``subnet_id`` and a ``zone``."""
    subnet_id: NotRequired[pulumi.Input[str]]
    """An existing subnet (a vSwitch on Aliyun)."""
    subnet_ids: NotRequired[pulumi.Input[dict[str, pulumi.Input[str]]]]
    """Existing subnets of that VPC in other zones, by zone: for ``replica_zones``."""
    protect: NotRequired[bool]
    """Keep all data disks from being deleted or replaced; ``false`` says that the data may go."""
    tags: NotRequired[dict[str, str]]
    """Tags for everything that takes them. Keys and values must suit all three clouds."""
    openai_api_key: NotRequired[pulumi.Input[str]]
    """The key for OpenAI; needed where ``upstreams`` of the server or the proxy names ``openai``. Keep it secret."""
    anthropic_api_key: NotRequired[pulumi.Input[str]]
    """The key for Anthropic; needed where ``upstreams`` of the server or the proxy names ``anthropic``. Keep it secret."""
    gemini_api_key: NotRequired[pulumi.Input[str]]
    """The key for Gemini; needed where ``upstreams`` of the server or the proxy names ``gemini``. Keep it secret."""
    groq_api_key: NotRequired[pulumi.Input[str]]
    """The key for Groq; needed where ``upstreams`` of the server or the proxy names ``groq``. Keep it secret."""
    deepseek_api_key: NotRequired[pulumi.Input[str]]
    """The key for DeepSeek; needed where ``upstreams`` of the server or the proxy names ``deepseek``. Keep it secret."""
    qwen_api_key: NotRequired[pulumi.Input[str]]
    """The key for Qwen (Bailian); needed where ``upstreams`` of the server or the proxy names ``qwen``. Keep it secret."""
    qianfan_api_key: NotRequired[pulumi.Input[str]]
    """The key for Qianfan (Baidu); needed where ``upstreams`` of the server or the proxy names ``qianfan``. Keep it secret."""
    ark_api_key: NotRequired[pulumi.Input[str]]
    """The key for Volcengine Ark; needed where ``upstreams`` of the server or the proxy names ``ark``. Keep it secret."""
    pai_eas_api_key: NotRequired[pulumi.Input[str]]
    """The key for PAI-EAS; needed where ``upstreams`` of the server or the proxy names ``pai-eas``. Keep it secret."""
    hai_api_key: NotRequired[pulumi.Input[str]]
    """The key for Tencent Cloud HAI; needed where ``upstreams`` of the server or the proxy names ``hai``. Keep it secret."""
    custom_api_key: NotRequired[pulumi.Input[str]]
    """The key for an upstream of your own; needed where ``upstreams`` of the server or the proxy names ``custom``. Keep it secret."""
    openai_moderation_key: NotRequired[pulumi.Input[str]]
    """The key of a content moderator of kind ``openai``, where no upstream ``openai`` lends its own. Keep it secret."""
    yidun_moderation_id: NotRequired[pulumi.Input[str]]
    """The SecretId of a content moderator of kind ``yidun``. Keep it secret."""
    yidun_moderation_key: NotRequired[pulumi.Input[str]]
    """The SecretKey of a content moderator of kind ``yidun``. Keep it secret."""
    baidu_moderation_id: NotRequired[pulumi.Input[str]]
    """The API key of a content moderator of kind ``baidu``. Keep it secret."""
    baidu_moderation_key: NotRequired[pulumi.Input[str]]
    """The secret key of a content moderator of kind ``baidu``. Keep it secret."""
    aliyun_moderation_id: NotRequired[pulumi.Input[str]]
    """The AccessKey id of a content moderator of kind ``aliyun``. Keep it secret."""
    aliyun_moderation_key: NotRequired[pulumi.Input[str]]
    """The AccessKey secret of a content moderator of kind ``aliyun``. Keep it secret."""
    tencent_moderation_id: NotRequired[pulumi.Input[str]]
    """The SecretId of a content moderator of kind ``tencent``. Keep it secret."""
    tencent_moderation_key: NotRequired[pulumi.Input[str]]
    """The SecretKey of a content moderator of kind ``tencent``. Keep it secret."""
    hook_moderation_key: NotRequired[pulumi.Input[str]]
    """The key of a content moderator of kind ``hook``, where it names ``moderation_hook_key``. Keep it secret."""
    hub_token: NotRequired[pulumi.Input[str]]
    """The model hub's token; needed for models whose licence has to be accepted there. Keep it secret."""
    ssh_private_key: NotRequired[pulumi.Input[str]]
    """The key that lets in to the machine of ``server.host``; needed where that names neither a file nor an agent. Keep it secret."""
    backup_access_key_id: NotRequired[pulumi.Input[str]]
    """The id of a key that may write to the bucket of ``vectors.backup``; needed where ``every`` is given. Keep it secret."""
    backup_access_key_secret: NotRequired[pulumi.Input[str]]
    """That key; give it the right to put and to delete objects below the prefix, and no other. Keep it secret."""
    weights_access_key_id: NotRequired[pulumi.Input[str]]
    """The id of a key to the bucket of ``weights``; needed where that is given. Keep it secret."""
    weights_access_key_secret: NotRequired[pulumi.Input[str]]
    """That key; give it the right to get and to put objects below the prefix, and no other. Keep it secret."""


class VectorStoreArgs(TypedDict):
    """Which vector store, where it runs, how big it is, and who may call it."""

    cloud: str
    """``aliyun``, ``tencent``, ``aws``, ``gcp``, ``volcengine`` or ``vultr``; for a machine without a GPU (a proxy, say) ``azure`` and ``digitalocean`` too. The server's may be ``ssh``: a machine that exists."""
    region: str
    """The cloud's own name of the region, such as ``cn-hangzhou``."""
    allowed_cidrs: list[str]
    """Who may call the gateway and the services. The machine that runs Pulumi must be among them, unless ``ssh_cidrs`` names it."""
    zone: NotRequired[str]
    """A certain zone. Left out: the first in which the catalogue has the type."""
    image_id: NotRequired[pulumi.Input[str]]
    """An image of your own. Left out: the newest Ubuntu 24.04 that the cloud lists."""
    public: NotRequired[bool]
    """Say that ranges as wide as the internet are meant. Never applies to SSH. Default: ``false``."""
    ssh_cidrs: NotRequired[list[str]]
    """From where SSH is open. Left out: ``allowed_cidrs``."""
    engine: NotRequired[str]
    """Which one: ``weaviate``, ``qdrant``, ``pgvector``, ``chroma`` or ``milvus``. See [vectors.md](vectors.md). Default: ``weaviate``."""
    memory_gib: NotRequired[int]
    """GiB of host memory that it may take. Left out: as its role says, which for Milvus is 8. From 1 to 512. Default: ``4``."""
    disk_gib: NotRequired[int]
    """GiB for vectors on the data disk; with ``own`` the size of that machine's data disk. Left out: as its role says, which for Milvus is 60. From 10 to 16000. Default: ``40``."""
    count: NotRequired[int]
    """How many vectors are expected, with ``dimensions``: memory and disk are then held against what the engine needs, and what is left out of them follows. From 1 to 10000000000."""
    dimensions: NotRequired[int]
    """How many numbers each vector has. From 1 to 1000000."""
    backup: NotRequired[BackupArgs]
    """Encrypted backups. See [backups.md](backups.md)."""
    disk: NotRequired[DiskArgs]
    """As ``disk`` of the server, for the data disk of the vector store's own machine. Only with ``own``."""
    instance_type: NotRequired[str]
    """Only with ``own``, as the keys below. Left out: the cheapest type with memory enough."""
    system_disk_gib: NotRequired[int]
    """GiB. From 40 to 500. Default: ``40``."""
    renew: NotRequired[bool]
    """As ``renew`` of the server, for the vector store's machine. Default: ``false``."""
    ready_timeout_minutes: NotRequired[int]
    """Minutes that ``up`` waits for the vector store to answer. From 5 to 480. Default: ``30``."""
    network_cidr: NotRequired[str]
    """The range of the network that is made: private, /16 to /24. The subnet is its first /24. Default: ``10.62.0.0/16``."""
    vpc_id: NotRequired[pulumi.Input[str]]
    """An existing VPC. Needs ``subnet_id`` and a ``zone``."""
    subnet_id: NotRequired[pulumi.Input[str]]
    """An existing subnet (a vSwitch on Aliyun)."""
    protect: NotRequired[bool]
    """Keep all data disks from being deleted or replaced; ``false`` says that the data may go."""
    tags: NotRequired[dict[str, str]]
    """Tags for everything that takes them. Keys and values must suit all three clouds."""
    backup_access_key_id: NotRequired[pulumi.Input[str]]
    """The id of a key that may write to the bucket of ``vectors.backup``; needed where ``every`` is given. Keep it secret."""
    backup_access_key_secret: NotRequired[pulumi.Input[str]]
    """That key; give it the right to put and to delete objects below the prefix, and no other. Keep it secret."""


class OverseasProxyArgs(TypedDict):
    """Where the proxy stands, what it serves, and who may call it."""

    cloud: str
    """``aliyun``, ``tencent``, ``aws``, ``gcp``, ``volcengine`` or ``vultr``; for a machine without a GPU (a proxy, say) ``azure`` and ``digitalocean`` too. The server's may be ``ssh``: a machine that exists."""
    region: str
    """The cloud's own name of the region, such as ``cn-hangzhou``."""
    upstreams: dict[str, UpstreamArgs]
    """The vendors and their models, by the vendor's name: ``openai``, ``anthropic``, ``gemini``, ``groq``, ``deepseek``, ``qwen``, ``qianfan``, ``ark``, ``pai-eas``, ``hai``, ``custom``. A name of your own needs a ``vendor`` or a ``base_url``."""
    allowed_cidrs: list[str]
    """Who may call the gateway and the services. The machine that runs Pulumi must be among them, unless ``ssh_cidrs`` names it."""
    zone: NotRequired[str]
    """A certain zone. Left out: the first in which the catalogue has the type."""
    image_id: NotRequired[pulumi.Input[str]]
    """An image of your own. Left out: the newest Ubuntu 24.04 that the cloud lists."""
    engine: NotRequired[str]
    """What asks the vendors: ``llm-gate``, the gateway itself, or ``openai-forward`` behind it, for people who have it. Keys, limits and filters are the gateway's either way. See [proxy-engines.md](proxy-engines.md). Default: ``llm-gate``."""
    keys: NotRequired[dict[str, KeyArgs]]
    """The proxy's own keys. One more, ``server``, is made for the model server's gateway. Default: ``{"default": {}}``."""
    routes: NotRequired[dict[str, RouteArgs]]
    """More names that callers may ask for: aliases, weights, fallback."""
    cors_origins: NotRequired[list[str]]
    """Web pages that may ask from a browser, such as ``https://chat.example.com``. Empty: none."""
    domain: NotRequired[DomainArgs]
    """A name for the proxy's gateway, and a certificate for it."""
    traces: NotRequired[TracesArgs]
    """Tell a collector of OpenTelemetry what each call was. Left out: nobody is told."""
    blocked_words: NotRequired[list[str]]
    """Requests and answers that hold one of these are refused."""
    content: NotRequired[ContentArgs]
    """Word lists and moderators."""
    instance_type: NotRequired[str]
    """Left out: the cheapest with 2 vCPU and 2 GiB."""
    system_disk_gib: NotRequired[int]
    """GiB. System and gateway. From 40 to 500. Default: ``40``."""
    disk_gib: NotRequired[int]
    """GiB. The encrypted data disk, which holds the keys. From 10 to 1000. Default: ``20``."""
    renew: NotRequired[bool]
    """As for the server. Default: ``false``."""
    ready_timeout_minutes: NotRequired[int]
    """Minutes that ``up`` waits for the node. From 5 to 480. Default: ``30``."""
    public: NotRequired[bool]
    """Say that ranges as wide as the internet are meant. Never applies to SSH. Default: ``false``."""
    ssh_cidrs: NotRequired[list[str]]
    """From where SSH is open. Left out: ``allowed_cidrs``."""
    https_port: NotRequired[int]
    """The gateways' port. Left out: 443; 18443 in mainland China. Applies to the proxy too. From 1 to 65535."""
    client_address: NotRequired[pulumi.Input[str]]
    """The public IPv4 address of a machine that may call too, such as a ``ModelServer``'s ``address``."""
    upstream_api_keys: NotRequired[pulumi.Input[dict[str, pulumi.Input[str]]]]
    """The keys of upstreams that have names of your own, by those names. Keep them secret."""
    network_cidr: NotRequired[str]
    """The range of the network that is made: private, /16 to /24. The subnet is its first /24. Default: ``10.61.0.0/16``."""
    vpc_id: NotRequired[pulumi.Input[str]]
    """An existing VPC. Needs ``subnet_id`` and a ``zone``."""
    subnet_id: NotRequired[pulumi.Input[str]]
    """An existing subnet (a vSwitch on Aliyun)."""
    protect: NotRequired[bool]
    """Keep all data disks from being deleted or replaced; ``false`` says that the data may go."""
    tags: NotRequired[dict[str, str]]
    """Tags for everything that takes them. Keys and values must suit all three clouds."""
    openai_api_key: NotRequired[pulumi.Input[str]]
    """The key for OpenAI; needed where ``upstreams`` of the server or the proxy names ``openai``. Keep it secret."""
    anthropic_api_key: NotRequired[pulumi.Input[str]]
    """The key for Anthropic; needed where ``upstreams`` of the server or the proxy names ``anthropic``. Keep it secret."""
    gemini_api_key: NotRequired[pulumi.Input[str]]
    """The key for Gemini; needed where ``upstreams`` of the server or the proxy names ``gemini``. Keep it secret."""
    groq_api_key: NotRequired[pulumi.Input[str]]
    """The key for Groq; needed where ``upstreams`` of the server or the proxy names ``groq``. Keep it secret."""
    deepseek_api_key: NotRequired[pulumi.Input[str]]
    """The key for DeepSeek; needed where ``upstreams`` of the server or the proxy names ``deepseek``. Keep it secret."""
    qwen_api_key: NotRequired[pulumi.Input[str]]
    """The key for Qwen (Bailian); needed where ``upstreams`` of the server or the proxy names ``qwen``. Keep it secret."""
    qianfan_api_key: NotRequired[pulumi.Input[str]]
    """The key for Qianfan (Baidu); needed where ``upstreams`` of the server or the proxy names ``qianfan``. Keep it secret."""
    ark_api_key: NotRequired[pulumi.Input[str]]
    """The key for Volcengine Ark; needed where ``upstreams`` of the server or the proxy names ``ark``. Keep it secret."""
    pai_eas_api_key: NotRequired[pulumi.Input[str]]
    """The key for PAI-EAS; needed where ``upstreams`` of the server or the proxy names ``pai-eas``. Keep it secret."""
    hai_api_key: NotRequired[pulumi.Input[str]]
    """The key for Tencent Cloud HAI; needed where ``upstreams`` of the server or the proxy names ``hai``. Keep it secret."""
    custom_api_key: NotRequired[pulumi.Input[str]]
    """The key for an upstream of your own; needed where ``upstreams`` of the server or the proxy names ``custom``. Keep it secret."""
    openai_moderation_key: NotRequired[pulumi.Input[str]]
    """The key of a content moderator of kind ``openai``, where no upstream ``openai`` lends its own. Keep it secret."""
    yidun_moderation_id: NotRequired[pulumi.Input[str]]
    """The SecretId of a content moderator of kind ``yidun``. Keep it secret."""
    yidun_moderation_key: NotRequired[pulumi.Input[str]]
    """The SecretKey of a content moderator of kind ``yidun``. Keep it secret."""
    baidu_moderation_id: NotRequired[pulumi.Input[str]]
    """The API key of a content moderator of kind ``baidu``. Keep it secret."""
    baidu_moderation_key: NotRequired[pulumi.Input[str]]
    """The secret key of a content moderator of kind ``baidu``. Keep it secret."""
    aliyun_moderation_id: NotRequired[pulumi.Input[str]]
    """The AccessKey id of a content moderator of kind ``aliyun``. Keep it secret."""
    aliyun_moderation_key: NotRequired[pulumi.Input[str]]
    """The AccessKey secret of a content moderator of kind ``aliyun``. Keep it secret."""
    tencent_moderation_id: NotRequired[pulumi.Input[str]]
    """The SecretId of a content moderator of kind ``tencent``. Keep it secret."""
    tencent_moderation_key: NotRequired[pulumi.Input[str]]
    """The SecretKey of a content moderator of kind ``tencent``. Keep it secret."""
    hook_moderation_key: NotRequired[pulumi.Input[str]]
    """The key of a content moderator of kind ``hook``, where it names ``moderation_hook_key``. Keep it secret."""


class WorkerProxyArgs(TypedDict):
    """Which account the proxy runs in, what it serves, and who may call it."""

    account_id: str
    """The id of the Cloudflare account that it runs in."""
    hostname: str
    """Its name, such as ``llm.example.com``, in a zone of that account. At ``workers.dev`` it does not answer."""
    zone_id: str
    """The id of the zone that ``hostname`` is in."""
    near: str
    """The region of AWS near which it runs, such as ``us-west-2``: it asks the vendors from there, whoever calls."""
    upstreams: dict[str, UpstreamArgs]
    """The vendors and their models, as those of ``OverseasProxy``."""
    allowed_cidrs: list[str]
    """Who may call the gateway and the services. The machine that runs Pulumi must be among them, unless ``ssh_cidrs`` names it."""
    keys: NotRequired[dict[str, KeyArgs]]
    """Its keys by name, with their limits. Default: ``{"default": {}}``."""
    routes: NotRequired[dict[str, RouteArgs]]
    """More names that callers may ask for: aliases, weights, fallback."""
    public: NotRequired[bool]
    """Say that ranges as wide as the internet are meant. Never applies to SSH. Default: ``false``."""
    upstream_api_keys: NotRequired[pulumi.Input[dict[str, pulumi.Input[str]]]]
    """The keys of upstreams that have names of your own, by those names. Keep them secret."""
    openai_api_key: NotRequired[pulumi.Input[str]]
    """The key for OpenAI; needed where ``upstreams`` of the server or the proxy names ``openai``. Keep it secret."""
    anthropic_api_key: NotRequired[pulumi.Input[str]]
    """The key for Anthropic; needed where ``upstreams`` of the server or the proxy names ``anthropic``. Keep it secret."""
    gemini_api_key: NotRequired[pulumi.Input[str]]
    """The key for Gemini; needed where ``upstreams`` of the server or the proxy names ``gemini``. Keep it secret."""
    groq_api_key: NotRequired[pulumi.Input[str]]
    """The key for Groq; needed where ``upstreams`` of the server or the proxy names ``groq``. Keep it secret."""
    deepseek_api_key: NotRequired[pulumi.Input[str]]
    """The key for DeepSeek; needed where ``upstreams`` of the server or the proxy names ``deepseek``. Keep it secret."""
    qwen_api_key: NotRequired[pulumi.Input[str]]
    """The key for Qwen (Bailian); needed where ``upstreams`` of the server or the proxy names ``qwen``. Keep it secret."""
    qianfan_api_key: NotRequired[pulumi.Input[str]]
    """The key for Qianfan (Baidu); needed where ``upstreams`` of the server or the proxy names ``qianfan``. Keep it secret."""
    ark_api_key: NotRequired[pulumi.Input[str]]
    """The key for Volcengine Ark; needed where ``upstreams`` of the server or the proxy names ``ark``. Keep it secret."""
    pai_eas_api_key: NotRequired[pulumi.Input[str]]
    """The key for PAI-EAS; needed where ``upstreams`` of the server or the proxy names ``pai-eas``. Keep it secret."""
    hai_api_key: NotRequired[pulumi.Input[str]]
    """The key for Tencent Cloud HAI; needed where ``upstreams`` of the server or the proxy names ``hai``. Keep it secret."""
    custom_api_key: NotRequired[pulumi.Input[str]]
    """The key for an upstream of your own; needed where ``upstreams`` of the server or the proxy names ``custom``. Keep it secret."""


class FleetArgs(TypedDict):
    """Which models, on which nodes of which cluster, and who may call them."""

    models: dict[str, FleetModelArgs]
    """The models, by the names that clients call them: small letters, digits and dashes."""
    nodes: NodesArgs
    """The GPU nodes."""
    engine: NotRequired[str]
    """Who runs the engines: the vLLM production-stack chart, or KubeRay's ``RayService`` for models over several nodes. One of ``production-stack``, ``kuberay``. Default: ``production-stack``."""
    cluster: NotRequired[ClusterArgs]
    """Which cluster is meant."""
    namespace: NotRequired[str]
    """The namespace that is made for all of it. Default: ``llm``."""
    chart_version: NotRequired[str]
    """The version of the production-stack chart, of those whose values are known here. Default: ``0.1.12``."""
    routing: NotRequired[str]
    """How the router chooses an engine: ``prefixaware`` asks the one that has seen the beginning of a text. One of ``prefixaware``, ``roundrobin``. Default: ``prefixaware``."""
    hub: NotRequired[str]
    """From where engines fetch weights. One of ``huggingface``, ``hf-mirror``, ``modelscope``. Default: ``huggingface``."""
    registry: NotRequired[str]
    """A registry that has all images, in place of Docker Hub and others, such as ``registry.example.com/mirror``."""
    package_index: NotRequired[str]
    """Where the gateway's pods fetch Python packages, in place of PyPI."""
    storage_class: NotRequired[str]
    """A storage class that many nodes can write (ReadWriteMany), for the weights. Left out: each engine fetches them onto its node's own disk."""
    runtime_class: NotRequired[str]
    """The runtime class of engines, such as ``nvidia``, where the cluster's default runtime has no GPUs."""
    hostname: NotRequired[str]
    """The name by which callers reach the gateway. Left out: its name inside the cluster."""
    load_balancer: NotRequired[bool]
    """Have the cluster's cloud make a load balancer for the gateway. Left out: it is reached inside the cluster alone. Default: ``false``."""
    load_balancer_annotations: NotRequired[dict[str, str]]
    """What the cloud reads of that load balancer, such as that it be an internal one."""
    allowed_cidrs: NotRequired[list[str]]
    """Who may call through the load balancer."""
    allowed_namespaces: NotRequired[list[str]]
    """Namespaces of the cluster whose pods may call."""
    operator_namespace: NotRequired[str]
    """Where KubeRay's operator runs. It is there already, but in a cluster that is made: there it is installed. Default: ``kuberay-operator``."""
    keda_namespace: NotRequired[str]
    """Where KEDA runs, where a model has ``scaling``. It is there already, but in a cluster that is made. Default: ``keda``."""
    keys: NotRequired[dict[str, KeyArgs]]
    """Gateway keys by name, with their limits. Default: ``{"default": {}}``."""
    routes: NotRequired[dict[str, RouteArgs]]
    """More names that callers may ask for: aliases, weights, fallback."""
    vectors: NotRequired[FleetVectorsArgs]
    """A vector store: see ``fleet.vectors``. Left out: there is none."""
    ready_timeout_minutes: NotRequired[int]
    """Minutes that an engine has to load its model. From 5 to 480. Default: ``60``."""
    override: NotRequired[list[str]]
    """Findings of the fit check to go on in spite of."""
    carried_keys: NotRequired[pulumi.Input[dict[str, pulumi.Input[str]]]]
    """Keys that callers have already, by their names among ``keys``, such as a ``ModelServer``'s ``api_keys``. The others are made. Keep them secret."""
    hub_token: NotRequired[pulumi.Input[str]]
    """The model hub's token; needed for models whose licence has to be accepted there. Keep it secret."""
    kubeconfig: NotRequired[pulumi.Input[str]]
    """The kubeconfig of the cluster of a ``Fleet``, as text; needed where no Kubernetes provider is handed in. Keep it secret."""


class PlatformArgs(TypedDict):
    """The spec of a platform (see docs/user-guide.md), and the secrets that it needs."""

    server: ServerArgs
    """The GPU host and the model."""
    access: AccessArgs
    """Who may reach the machines."""
    vectors: NotRequired[VectorsArgs]
    """The vector store. Left out: none."""
    proxy: NotRequired[ProxyArgs]
    """The overseas proxy. Left out: none."""
    network: NotRequired[NetworkChoiceArgs]
    """The network of the server (and of a vector store on its own machine). Default: ``{"cidr": "10.60.0.0/16"}``."""
    protect: NotRequired[bool]
    """Keep all data disks from being deleted or replaced; ``false`` says that the data may go."""
    tags: NotRequired[dict[str, str]]
    """Tags for everything that takes them. Keys and values must suit all three clouds."""
    upstream_api_keys: NotRequired[pulumi.Input[dict[str, pulumi.Input[str]]]]
    """The keys of upstreams that have names of your own, by those names. Keep them secret."""
    openai_api_key: NotRequired[pulumi.Input[str]]
    """The key for OpenAI; needed where ``upstreams`` of the server or the proxy names ``openai``. Keep it secret."""
    anthropic_api_key: NotRequired[pulumi.Input[str]]
    """The key for Anthropic; needed where ``upstreams`` of the server or the proxy names ``anthropic``. Keep it secret."""
    gemini_api_key: NotRequired[pulumi.Input[str]]
    """The key for Gemini; needed where ``upstreams`` of the server or the proxy names ``gemini``. Keep it secret."""
    groq_api_key: NotRequired[pulumi.Input[str]]
    """The key for Groq; needed where ``upstreams`` of the server or the proxy names ``groq``. Keep it secret."""
    deepseek_api_key: NotRequired[pulumi.Input[str]]
    """The key for DeepSeek; needed where ``upstreams`` of the server or the proxy names ``deepseek``. Keep it secret."""
    qwen_api_key: NotRequired[pulumi.Input[str]]
    """The key for Qwen (Bailian); needed where ``upstreams`` of the server or the proxy names ``qwen``. Keep it secret."""
    qianfan_api_key: NotRequired[pulumi.Input[str]]
    """The key for Qianfan (Baidu); needed where ``upstreams`` of the server or the proxy names ``qianfan``. Keep it secret."""
    ark_api_key: NotRequired[pulumi.Input[str]]
    """The key for Volcengine Ark; needed where ``upstreams`` of the server or the proxy names ``ark``. Keep it secret."""
    pai_eas_api_key: NotRequired[pulumi.Input[str]]
    """The key for PAI-EAS; needed where ``upstreams`` of the server or the proxy names ``pai-eas``. Keep it secret."""
    hai_api_key: NotRequired[pulumi.Input[str]]
    """The key for Tencent Cloud HAI; needed where ``upstreams`` of the server or the proxy names ``hai``. Keep it secret."""
    custom_api_key: NotRequired[pulumi.Input[str]]
    """The key for an upstream of your own; needed where ``upstreams`` of the server or the proxy names ``custom``. Keep it secret."""
    hub_token: NotRequired[pulumi.Input[str]]
    """The model hub's token; needed for models whose licence has to be accepted there. Keep it secret."""
    ssh_private_key: NotRequired[pulumi.Input[str]]
    """The key that lets in to the machine of ``server.host``; needed where that names neither a file nor an agent. Keep it secret."""
    openai_moderation_key: NotRequired[pulumi.Input[str]]
    """The key of a content moderator of kind ``openai``, where no upstream ``openai`` lends its own. Keep it secret."""
    yidun_moderation_id: NotRequired[pulumi.Input[str]]
    """The SecretId of a content moderator of kind ``yidun``. Keep it secret."""
    yidun_moderation_key: NotRequired[pulumi.Input[str]]
    """The SecretKey of a content moderator of kind ``yidun``. Keep it secret."""
    baidu_moderation_id: NotRequired[pulumi.Input[str]]
    """The API key of a content moderator of kind ``baidu``. Keep it secret."""
    baidu_moderation_key: NotRequired[pulumi.Input[str]]
    """The secret key of a content moderator of kind ``baidu``. Keep it secret."""
    aliyun_moderation_id: NotRequired[pulumi.Input[str]]
    """The AccessKey id of a content moderator of kind ``aliyun``. Keep it secret."""
    aliyun_moderation_key: NotRequired[pulumi.Input[str]]
    """The AccessKey secret of a content moderator of kind ``aliyun``. Keep it secret."""
    tencent_moderation_id: NotRequired[pulumi.Input[str]]
    """The SecretId of a content moderator of kind ``tencent``. Keep it secret."""
    tencent_moderation_key: NotRequired[pulumi.Input[str]]
    """The SecretKey of a content moderator of kind ``tencent``. Keep it secret."""
    hook_moderation_key: NotRequired[pulumi.Input[str]]
    """The key of a content moderator of kind ``hook``, where it names ``moderation_hook_key``. Keep it secret."""
    backup_access_key_id: NotRequired[pulumi.Input[str]]
    """The id of a key that may write to the bucket of ``vectors.backup``; needed where ``every`` is given. Keep it secret."""
    backup_access_key_secret: NotRequired[pulumi.Input[str]]
    """That key; give it the right to put and to delete objects below the prefix, and no other. Keep it secret."""
    weights_access_key_id: NotRequired[pulumi.Input[str]]
    """The id of a key to the bucket of ``weights``; needed where that is given. Keep it secret."""
    weights_access_key_secret: NotRequired[pulumi.Input[str]]
    """That key; give it the right to get and to put objects below the prefix, and no other. Keep it secret."""
