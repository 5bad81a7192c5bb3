"""What a node shall be: plain, frozen data. Everything that lands on a node is rendered from one `NodeRequest`.

No cloud SDK and no Pulumi here. Unless a field says otherwise, sizes are GiB and times are minutes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, TypeVar

from pulumi_llm._dataclasses import dataclass
from pulumi_llm.roles.kept import BackupRole, BucketRole, BundleRole, DepotRole

Dtype = Literal["auto", "half", "float16", "bfloat16", "float32", "float"]

ENDPOINTS: tuple[str, ...] = (
    "/v1/chat/completions",
    "/v1/completions",
    "/v1/embeddings",
    "/v1/responses",
    "/v1/messages",
    "/v1/messages/count_tokens",
    "/v1/rerank",
    "/v1/score",
    "/v1/audio/transcriptions",
    "/tokenize",
    "/detokenize",
    "/v1/models",
)
"""The paths that a gateway serves, and those below ``/v1/models``. All others answer 404, whatever stands behind."""
METRICS = "/metrics"
"""What a key for monitoring reads. A key that names no endpoints may use all but this one: it has to name it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sources:
    """Where a node fetches from, best first. What fits a region is the catalogue's to say.

    ``pypi``: package index URLs (``…/simple``). ``apt``: Ubuntu archive URLs, tried after the image's own.
    ``registries``: prefixes put before a full image name (``"m.daocloud.io/"``); ``""`` is the image's own registry.
    ``hubs``: ``modelscope``, ``hf-mirror``, ``huggingface``, or ``huggingface=https://host`` and
    ``modelscope=https://host`` for a hub of one's own that speaks that protocol.
    """

    pypi: tuple[str, ...] = ("https://pypi.org/simple",)
    apt: tuple[str, ...] = ()
    registries: tuple[str, ...] = ("",)
    hubs: tuple[str, ...] = ("huggingface",)


SECOND_PORT = 8010
"""Where the main model's server is once it was loaded beside the one at its first port, and the other way round."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Adapter:
    """A LoRA adapter of a model: what callers call it, and its ids at the hubs as of a model.

    ``bases``: what its own file may call the model that it was made for.
    """

    name: str
    model_id: str
    modelscope_id: str | None = None
    revision: str | None = None
    bases: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Among:
    """One of several machines that have one model together: each has some of its layers.

    ``rank`` is its number among them, from 0, which has the API. ``addresses`` are the private ones of all by their
    ranks; empty: not known yet. ``ray``: Ray carries the engines' calls, and not vLLM itself.
    """

    rank: int
    count: int
    addresses: tuple[str, ...] = ()
    ray: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Guesser:
    """A model or a head that guesses ahead for the one that is served, and its ids at the hubs as of a model."""

    model_id: str
    modelscope_id: str | None = None
    revision: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class VllmRole:
    """A vLLM server for one model, listening on loopback only.

    ``model_id`` is the Hugging Face id, ``modelscope_id`` that hub's own id for the same model (None: not there).
    ``revision`` pins the hub's branch, tag or commit. ``gpu_memory_utilization`` is a share of the whole card (0 to 1).
    ``weights_gib`` is what the download is expected to take (None: unknown, then only the hub's own numbers are
    checked). ``min_driver`` is the lowest NVIDIA driver branch that will do, such as 580. ``tool_call_parser`` and
    ``reasoning_parser`` are names that vLLM registers (None: none fits), ``chat_template`` is a file of the role's
    folder ``chat`` (None: the model's own is used) and ``recommended`` are further flags of the model's, each with its
    value; ``extra_args`` go before all of them. ``task`` is ``embedding`` for a model that turns text into vectors,
    ``reranker`` for one that ranks texts (None: it writes text). ``flags`` are values by the names that its role.yaml
    has flags for (`facts.flags`); what is None is not given.
    """

    role: ClassVar[str] = "vllm"

    model_id: str
    served_name: str
    min_driver: int = 0
    modelscope_id: str | None = None
    revision: str | None = None
    dtype: Dtype = "auto"
    tensor_parallel_size: int = 1
    max_model_len: int | None = None
    gpu_memory_utilization: float = 0.9
    kv_cache_dtype: str | None = None
    trust_remote_code: bool = False
    tool_call_parser: str | None = None
    reasoning_parser: str | None = None
    chat_template: str | None = None
    recommended: tuple[str, ...] = ()
    task: str | None = None
    flags: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    extra_args: tuple[str, ...] = ()
    weights_gib: float | None = None
    name: str = ""
    """Of a further model: what callers call it, and its unit is called after ("": it is the main one)."""
    port: int = 8000
    beside: bool = False
    """Of the main model: a change loads it beside the one that runs, as the unit and on the port that are free."""
    cards: tuple[int, ...] = ()
    """Of a further model: the GPUs that it uses, by their numbers; none: the first, which is the main model's too."""
    host_gib: int = 0
    """Of a further model on the CPU: the memory of the machine that it may take (0: it is on GPUs)."""
    more: tuple[VllmRole, ...] = ()
    """Further models, each with a server of its own, in the order in which those start that share a card."""
    adapters: tuple[Adapter, ...] = ()
    """Served by the same server, each in a slot of its own."""
    traces: str = ""
    """The collector that it tells of its part of each traced call, at an IP address; empty: it tells nobody."""
    slots: tuple[str, ...] = ()
    """The flags for these slots, the largest rank last."""
    turns: int = 0
    """How deep it sleeps while another model has its card, as vLLM counts it (1, 2); 0: it takes no turns."""
    among: Among | None = None
    """Of the main model: the machine has some of its layers, and other machines have the others."""
    guesser: Guesser | None = None
    """What ``--speculative-config`` in ``extra_args`` names by its id at a hub."""
    tpu: bool = False
    """It runs on the chips of a TPU: another build of vLLM, and no driver."""

    @property
    def all(self) -> tuple[VllmRole, ...]:
        """The main model and the further ones."""
        return (self, *self.more)

    @property
    def names(self) -> tuple[str, ...]:
        """What callers ask this one server for: the model, and its adapters."""
        return (self.served_name, *(each.name for each in self.adapters))


@dataclass(frozen=True, kw_only=True, slots=True)
class ServiceRole:
    """A service that needs no code, by its role: one of ours, or one that somebody else's package brings.

    ``memory_gib`` and ``disk_gib`` are host memory and room on the data disk (None: what its role.yaml says).
    ``ports`` are listeners' ports by name, where they are others than its role.yaml has. ``settings`` are for the code
    of a role that has some.
    """

    role: str
    memory_gib: int | None = None
    disk_gib: int | None = None
    ports: Mapping[str, int] = dataclasses.field(default_factory=dict)
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class GatewayKey:
    """One client of the gateway and its limits; the key itself is the secret ``gateway_key_<name>``.

    ``models`` (names, or patterns with ``*``) and ``endpoints`` (paths out of `ENDPOINTS`): empty means all.
    ``limits`` are numbers by the names that the gateway has for them, such as ``requests_per_minute``; one that is not
    there does not apply. Minutes slide; days and months are UTC's. Those that end with ``_usd`` are USD at the upstream
    vendors' prices. ``expires`` is in seconds since 1970.
    """

    name: str
    models: tuple[str, ...] = ()
    endpoints: tuple[str, ...] = ()
    limits: Mapping[str, float] = dataclasses.field(default_factory=dict)
    expires: int | None = None
    source_cidrs: tuple[str, ...] = ()
    ask_twice: bool = False
    """A paid request goes out once more where its upstream closes without a word."""

    @property
    def counts_money(self) -> bool:
        """Whether the key has a budget in money, for which every price has to be known."""
        return any(each.endswith("_usd") for each in self.limits)


@dataclass(frozen=True, kw_only=True, slots=True)
class Upstream:
    """A server that answers for models. ``base_url`` ends where ``/v1`` does.

    ``secret`` names the secret that holds the key for it; ``ca_secret`` the one that holds the certificate authority
    (PEM) of an upstream with a certificate of our own.
    """

    name: str
    kind: str
    base_url: str
    secret: str | None = None
    ca_secret: str | None = None
    through: str | None = None
    """Where a proxy engine on the same node takes what is meant for it; None: it is asked directly."""
    replica: bool = False
    """One of several machines that serve the same models: the gateway chooses among them."""
    fill: int = 0
    """Calls at once that it gets before the next of them gets any; 0: calls are spread."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """Where requests may go: an upstream by its name, and what the model is called there.

    ``weight`` is its share among a route's targets. Prices are USD per million tokens; None: not known, 0: our own.
    ``window``: the tokens that prompt and answer may have together; None: not known. ``wakes``: seconds that an engine
    takes to start, where engines follow the load and there may be none; 0: some are always there; None: they do not.
    """

    upstream: str
    model: str
    weight: float = 1
    price_in: float | None = None
    price_out: float | None = None
    window: int | None = None
    wakes: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Route:
    """A model name that the gateway answers to. ``fallback`` is tried in order where no target begins to answer."""

    name: str
    targets: tuple[Target, ...]
    fallback: tuple[Target, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class ContentRole:
    """Content safety: the ``content`` part of the policy (templates/gateway/llm_gate/content), and word files by path.

    ``hooks`` are moderators of one's own, as Python, by path. Paths are relative to the policy's folder. Secrets are
    names.
    """

    document: Mapping[str, Any]
    files: Mapping[str, str]
    hooks: Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Traces:
    """The collector that is told of each call, and of which share of them (above 0, up to 1)."""

    endpoint: str
    share: float = 1.0
    engine: bool = False
    """The machine's engines tell of their part too. Without an endpoint they do so of what another gateway traces."""


@dataclass(frozen=True, kw_only=True, slots=True)
class GatewayRole:
    """The gateway behind Caddy's port ``https_port``: who may ask, which models, and where the requests go."""

    role: ClassVar[str] = "gateway"

    https_port: int
    keys: tuple[GatewayKey, ...] = ()
    upstreams: tuple[Upstream, ...] = ()
    routes: tuple[Route, ...] = ()
    blocked_words: tuple[str, ...] = ()
    content: ContentRole | None = None
    origins: tuple[str, ...] = ()
    """Web pages' origins that may ask from a browser; nobody's by default."""
    traces: Traces | None = None
    turns: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """Models that take turns: see `turning.document`."""
    starts: bool = False
    """Further machines are started for a request that finds none with room (`WakeRole`)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Authority:
    """Who signs the certificate for a node's name by ACME: its directory's URL, and whom it writes to.

    ``challenge`` is ``http`` (the authority asks on port 80) or ``tls-alpn`` (on port 443).
    """

    directory: str
    email: str
    challenge: Literal["http", "tls-alpn"] = "http"


@dataclass(frozen=True, kw_only=True, slots=True)
class LeaveRole:
    """When the machine stops by itself.

    ``idle_minutes``: without a call (None: it does not). ``windows`` are the hours in which it shall run, as minutes
    since Monday 00:00 by the clock of ``zone``, from and to; empty: all. ``spot``: the cloud may take it back.
    """

    role: ClassVar[str] = "leave"

    idle_minutes: int | None = None
    windows: tuple[tuple[int, int], ...] = ()
    zone: str = ""
    spot: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class WakeRole:
    """Further machines that this one starts for a request: ids at the cloud by the names of their upstreams.

    ``most`` starts a day; ``sold_out`` is what the cloud's code says where it has none left.
    """

    role: ClassVar[str] = "wake"

    machines: Mapping[str, str] = dataclasses.field(default_factory=dict)
    most: int
    sold_out: str


RoleRequest = (
    VllmRole | GatewayRole | ServiceRole | LeaveRole | WakeRole | BackupRole | BucketRole | BundleRole | DepotRole
)
"""A role that is asked for, with what is asked of it; ``role`` is its name."""

Asked = TypeVar(
    "Asked", VllmRole, GatewayRole, ServiceRole, LeaveRole, WakeRole, BackupRole, BucketRole, BundleRole, DepotRole
)


@dataclass(frozen=True, kw_only=True, slots=True)
class NodeRequest:
    """One machine and all that runs on it.

    ``name`` is the resource's name, ``login_user`` who pulumi-command logs in as. ``data_disk_gib`` 0 means that
    there is no data disk and that ``/srv/llm`` lies on the (then encrypted) system disk. ``roles`` are those that are
    asked for; what they need comes with them (see `pulumi_llm.roles.order`).
    """

    name: str
    cloud: str
    region: str
    login_user: str
    in_china: bool
    data_disk_gib: int
    roles: tuple[RoleRequest, ...]
    sources: Sources = Sources()
    domain: str | None = None
    """The name by which it is called besides its address."""
    authority: Authority | None = None
    """Who signs for that name; None: the certificate for the address is for the name too."""
    callers: tuple[str, ...] | None = None
    """In a container without systemd, where nobody closes ports: the ranges that Caddy lets in. None: elsewhere."""
    memory_gib: float | None = None
    """GiB of memory that the machine has; None: nobody says."""
    system: str = "ubuntu-24.04"
    """What it runs, by the names of the catalogue's systems."""

    def of(self, kind: type[Asked]) -> Asked | None:
        """What is asked of the role that has a class of its own; None: it is not on this node."""
        return next((each for each in self.roles if isinstance(each, kind)), None)

    def asked(self, role: str) -> RoleRequest | None:
        """What is asked of a role, by its name; None: it is not asked for, though another one may bring it."""
        return next((each for each in self.roles if each.role == role), None)

    def having(self, *roles: RoleRequest) -> NodeRequest:
        """The same node, with these in the place of the roles of their names, or besides."""
        new = {each.role: each for each in roles}
        kept = [new.pop(each.role, each) for each in self.roles]
        return dataclasses.replace(self, roles=(*kept, *new.values()))
