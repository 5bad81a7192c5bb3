"""What is asked: a model on GPUs, as plain data that costs nothing to import."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from pulumi_llm import catalog
from pulumi_llm._dataclasses import dataclass
from pulumi_llm._flags import flags_of, number_of
from pulumi_llm.catalog import pooling
from pulumi_llm.catalog.models import Model
from pulumi_llm.catalog.rows import Gpu
from pulumi_llm.preflight import adapters, beside, drafts, encoders, memory, placement, requests, served_adapters
from pulumi_llm.preflight.cache import with_states
from pulumi_llm.preflight.defaults import DEFAULT_CONTEXT
from pulumi_llm.preflight.engine import Capability, Engine, Quantization, engine
from pulumi_llm.preflight.memory import Load, Memory

if TYPE_CHECKING:
    from pulumi_llm.spec import HostSpec, ServerSpec, VectorsSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class FitRequest:
    """A model on so many GPUs of one kind. What is None is left to the defaults of vLLM or of the components.

    ``model`` is an id, or the path of a config.json when ``from_config``. ``model_disk_gib`` is the disk for the
    weights, ``driver`` the branch of an NVIDIA driver that is already there (None: the one that nodes install).
    ``services`` share that disk and the host's memory with the model.
    """

    model: str
    gpu: str
    gpu_count: int = 1
    nodes: int = 1
    """Machines that have the model together, each with ``gpu_count`` of the GPUs and some of the layers."""
    nodes_near: bool = False
    """Whether the cloud is to keep these machines near each other."""
    from_config: bool = False
    cloud: str | None = None
    region: str | None = None
    zone: str | None = None
    instance_type: str | None = None
    spot: bool = False
    quantization: str | None = None
    dtype: str = "auto"
    max_model_len: int | None = None
    concurrency: int | None = None
    gpu_memory_utilization: float = 0.9
    max_num_seqs: int | None = None
    kv_cache_dtype: str = "auto"
    driver: int | None = None
    model_disk_gib: int | None = None
    services: tuple[beside.Beside, ...] = ()
    adapters: tuple[str, ...] = ()
    """The flags that follow from the adapters which the spec names."""
    extra_args: tuple[str, ...] = ()
    beside_gpus: int = 0
    """GPUs of the same machine that other models have for themselves."""
    hub_id: str | None = None
    """The model's id, where ``model`` is the folder with what a hub told of it."""
    host: HostSpec | None = None
    """A machine that exists, as its owner describes it."""
    changes_beside: bool = False
    """Another one like it is loaded beside it while it is changed, on the same GPUs."""
    trust_remote_code: bool | None = None
    """Whether the server may run code that comes with the weights; None where nobody asks for a server yet."""
    count_key: str = "gpu_count"
    """The key of the spec under which the number of GPUs stands."""

    @property
    def cards(self) -> int:
        """GPUs of the machine."""
        return self.gpu_count + self.beside_gpus

    @property
    def named(self) -> str:
        """The model as a message names it."""
        return self.hub_id or self.model


def of_server(server: ServerSpec, vectors: VectorsSpec | None = None) -> FitRequest:
    """What a server's spec asks, with a vector store beside the model where ``vectors`` places it there."""
    return FitRequest(
        model=server.model,
        gpu=server.gpu,
        gpu_count=server.gpu_count,
        nodes=server.nodes,
        nodes_near=server.nodes_near,
        cloud=server.cloud,
        region=server.region,
        zone=server.zone,
        instance_type=server.instance_type,
        spot=server.spot,
        quantization=server.quantization,
        dtype=server.dtype,
        max_model_len=server.context_length,
        gpu_memory_utilization=server.gpu_memory_utilization,
        max_num_seqs=server.max_num_seqs,
        kv_cache_dtype=server.kv_cache_dtype,
        model_disk_gib=server.model_disk_gib,
        services=beside.of_server(server, vectors),
        adapters=served_adapters.slots(server),
        extra_args=server.extra_args,
        beside_gpus=server.cards - server.gpu_count,
        host=server.host,
        changes_beside=server.model_change == "beside",
        trust_remote_code=server.trust_remote_code,
    )


@dataclass(frozen=True, kw_only=True)
class Case:
    """A request with its rows of the catalogue and the estimate: what each rule looks at.

    ``found``: what came of looking for a place, where somebody has looked already; ``estimated``: likewise of memory,
    and ``parts`` of what that is made from.
    """

    request: FitRequest
    model: Model
    gpu: Gpu
    engine: Engine
    quantization: str | None
    bits: int | None
    max_model_len: int
    load: Load
    found: placement.Placing | None = None
    estimated: Memory | None = None
    parts: memory.Parts | None = None

    @cached_property
    def memory(self) -> Memory | None:
        """The estimate, made where somebody looks: many a card is refused for less. None: not known."""
        if self.gpu.tpu:
            from pulumi_llm.preflight import tpu  # few have one

            return self.estimated or tpu.estimate(self.model, self.load)
        return self.estimated or memory.estimate(self.model, self.load, parts=self.parts)

    @cached_property
    def placing(self) -> placement.Placing:
        """What came of looking for a place in the request's region; nothing at all where it names none."""
        return self.found or placing_of(self.request)

    @property
    def plain_cache(self) -> str:
        """What ``kv_cache_dtype`` keeps the cache in 16 bit, on a GPU with or without bfloat16."""
        return "bfloat16" if "bfloat16" in self.gpu.dtypes else "float16"

    @property
    def method(self) -> Quantization | None:
        """How the weights are stored or made, as far as vLLM knows the method."""
        return self.engine.quantizations.get(self.quantization) if self.quantization else None

    @property
    def scheme(self) -> tuple[str, Capability, Capability | None] | None:
        """The form that the weights are stored in, where it has kernels on some GPUs only, and on which."""
        form, method = self.model.quantization_scheme, self.method
        if form is None or method is None or method.name != self.model.quantization or form not in method.schemes:
            return None
        return (form, *method.schemes[form])

    @property
    def in_other_bits(self) -> bool:
        """Whether the weights are stored in so many bits as the method has no kernels for."""
        method = self.method
        same = method is not None and self.quantization == self.model.quantization
        served = method.served_bits if method is not None and same else ()
        return bool(served) and self.bits is not None and self.bits not in served

    @cached_property
    def task(self) -> str | None:
        """What the server is for, if not for chat: see `pooling.task_of`."""
        return pooling.task_of(self.request.named, self.model, flags_of(self.request.extra_args))

    @property
    def dtype(self) -> str:
        """What vLLM computes in: ``half``, ``bfloat16`` or what the model's files say."""
        return dtype_on(self.request.dtype, self.model, self.gpu, self.engine)


def dtype_on(asked: str, model: Model | None, gpu: Gpu, release: Engine) -> str:
    """What is passed to vLLM as ``--dtype``: ``half``, ``bfloat16`` or ``auto`` (as the model's files say).

    What was asked, else ``half`` on GPUs that have no bfloat16 (T4), unless the model is refused in it.
    """
    if asked != "auto":
        return "half" if asked == "float16" else asked
    if gpu.tpu:
        return "bfloat16"
    if gpu.capability < release.bfloat16_capability and (model is None or not model.no_fp16):
        return "half"
    return "auto"


def placing_of(request: FitRequest) -> placement.Placing:
    """What comes of looking for a place in the request's region; nothing at all where it names none."""
    if request.cloud is None or request.region is None or (request.cloud == placement.OWN and request.host is None):
        return placement.Placing(None)
    # A request has all the fields of a spec that a placement looks at.
    return placement.attempt(lambda: placement.place_server(cast("ServerSpec", request)))


def context_of(asked: int | None, model: Model | None) -> int | None:
    """Tokens of prompt and answer together: what was asked, else what vLLM takes by itself, within the default.

    None: what the model was trained for is not known, and vLLM takes it from the model's files.
    """
    if asked is not None:
        return asked
    if model is None or not model.max_context:
        return None
    return min(DEFAULT_CONTEXT, model.max_context, model.served_context or DEFAULT_CONTEXT)


def max_num_seqs_of(case: Case) -> int | None:
    """What is passed to vLLM as ``--max-num-seqs``; None where its own number, or one in ``extra_args``, will do.

    What was asked, else for models that keep a state for each request as many as the GPU's memory has room for: vLLM
    refuses to start with more (see `requests.number_that_starts`).
    """
    asked = case.request.max_num_seqs
    if asked is not None or not case.model.state_layers or "--max-num-seqs" in flags_of(case.request.extra_args):
        return asked
    own = case.engine.defaults(case.gpu.name, case.gpu.memory_gib).max_num_seqs
    return None if case.load.max_num_seqs == own else case.load.max_num_seqs


def find_model(request: FitRequest) -> Model:
    """The model's row. Raises UnknownName, or Refusal ``catalog.bad-config-…`` for a config.json."""
    if request.from_config:
        return catalog.model_from_config(Path(request.model))
    return catalog.load().model(request.model)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request with its model, and what the two say of any GPU: made once where many GPUs are tried.

    ``seqs`` is the number of requests at once that somebody named, ``batched`` that of tokens (None: vLLM's own);
    ``load`` is what is the same of the load on each GPU.
    """

    request: FitRequest
    model: Model
    quantization: str | None
    bits: int | None
    max_model_len: int
    seqs: int | None
    batched: int | None
    load: Mapping[str, Any]

    def load_on(self, gpu: Gpu, count: int) -> Load:
        """What is asked of so many of the GPU, with vLLM's own number of requests where nobody says one."""
        defaults = engine().defaults(gpu.name, gpu.memory_gib)
        return Load(
            gpu=gpu.name,
            gpu_gib=gpu.memory_gib,
            nvlink=gpu.nvlink != "none" and "bridge" not in gpu.nvlink,
            gpu_count=count,
            stages=self.request.nodes,
            max_num_seqs=self.seqs or defaults.max_num_seqs,
            max_num_batched_tokens=self.batched or defaults.max_num_batched_tokens,
            **self.load,
        )

    def on(
        self,
        gpu: Gpu,
        request: FitRequest,
        placing: placement.Placing | None = None,
        load: Load | None = None,
        parts: memory.Parts | None = None,
    ) -> Case:
        """The request on that GPU. ``request`` is this one or differs in the GPU, its number and the place alone.

        ``load`` and ``parts``: what `load_on` and `memory.parts_of` say, where somebody has asked them.
        """
        model = self.model
        load = load or self.load_on(gpu, request.gpu_count)
        if self.seqs is None and not gpu.tpu:
            starts = requests.number_that_starts(model, load, parts)
            if starts != load.max_num_seqs:
                load = replace(load, max_num_seqs=starts)
        return Case(
            request=request,
            model=model,
            gpu=gpu,
            engine=engine(),
            quantization=self.quantization,
            bits=self.bits,
            max_model_len=self.max_model_len,
            load=load,
            found=placing,
            parts=parts,
        )


def asked_of(request: FitRequest, model: Model | None = None) -> Asked:
    """What the request says whatever the GPU. Raises UnknownName for a model that the catalogue does not have.

    ``model``: its row, where somebody has looked it up.
    """
    flags = flags_of(request.extra_args)
    model = with_states(model or find_model(request), flags)
    quantization = request.quantization or model.quantization
    bits = model.quantization_bits if quantization == model.quantization else None
    longest = context_of(request.max_model_len, model) or DEFAULT_CONTEXT
    task = pooling.task_of(request.named, model, flags)
    return Asked(
        request=request,
        model=model,
        quantization=quantization,
        bits=bits,
        max_model_len=longest,
        seqs=request.max_num_seqs or _number(flags, "--max-num-seqs"),
        batched=_number(flags, "--max-num-batched-tokens"),
        load={
            "quantization": quantization,
            "bits": bits,
            "utilization": request.gpu_memory_utilization,
            "max_model_len": longest,
            "fp8_kv_cache": cache_dtype_of(request, model, flags).startswith("fp8"),
            "eager": "--enforce-eager" in flags,
            "adapters": adapters.asked(flags_of((*request.adapters, *request.extra_args))),
            "draft": drafts.asked(flags),
            "sees": not encoders.off(flags),
            "rehearses": encoders.rehearses(flags),
            "writes": task is None,
            "head": task != pooling.EMBEDDING,
        },
    )


def case_of(request: FitRequest, model: Model | None = None, placing: placement.Placing | None = None) -> Case:
    """The request made whole. Raises UnknownName for a model or GPU that the catalogue does not have.

    ``model``: its row, where somebody has looked it up.
    """
    return asked_of(request, model).on(gpu_of(request), request, placing)


def gpu_of(request: FitRequest) -> Gpu:
    """The GPU's row, as the machine's owner describes it where it is one that exists. Raises UnknownName."""
    gpu = catalog.load().gpus.get(request.gpu) or catalog.load().gpu(request.gpu)
    if request.host is not None and request.host.gpu_memory_gib is not None:
        gpu = replace(gpu, memory_gib=request.host.gpu_memory_gib)
    return gpu


def cache_dtype_of(request: FitRequest, model: Model, flags: Mapping[str, str]) -> str:
    """In what the cache is kept: as asked, by the field or by a flag, else as the model's own file says."""
    asked = request.kv_cache_dtype if request.kv_cache_dtype != "auto" else flags.get("--kv-cache-dtype") or "auto"
    return asked if asked != "auto" else model.cache_dtype or "auto"


def _number(flags: dict[str, str], name: str) -> int | None:
    return number_of(flags.get(name, "")) or None
