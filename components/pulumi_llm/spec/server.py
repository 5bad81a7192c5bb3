"""The GPU host and the model on it. Sizes are GiB."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from pulumi_llm import catalog
from pulumi_llm._texts import _, either, listed
from pulumi_llm.errors import Refusal, UnknownName, nearest
from pulumi_llm.spec.content import ContentSpec, Word
from pulumi_llm.spec.fields import Count, Flag, Number, Text, invalid, known
from pulumi_llm.spec.keys import Keys, KeySpec, Routes
from pulumi_llm.spec.origins import Origin
from pulumi_llm.spec.place import MachineSpec
from pulumi_llm.spec.services import Services
from pulumi_llm.spec.upstreams import Upstreams, refuse_twice, served_by, unserved


class ServerSpec(MachineSpec):
    """The GPU host and the model on it."""

    gpu: Text
    """The GPU by name, such as ``T4`` or ``A100-80GB``."""
    gpu_count: Annotated[Count, Field(ge=1, le=8)] = 1
    """GPUs of one machine over which the model is spread (tensor parallelism)."""
    instance_type: Text | None = None
    """Only to choose among several types with the same GPU. Left out: the cheapest."""
    model: Text
    """The model's id at Hugging Face or ModelScope (``organisation/name``). A model that the catalogue has may be
    written in any case, or by the part after the slash; it is always the catalogue's own id that is used."""
    modelscope_id: Text | None = None
    """Its id at ModelScope, where that differs and the catalogue does not know it."""
    revision: Text | None = None
    """Branch, tag or commit at the hub. Left out: the newest when the node first fetches it."""
    served_name: Text | None = None
    """What clients call the model. Left out: the part of the id after the slash."""
    quantization: Literal["awq", "gptq", "fp8", "mxfp4"] | None = None
    """Left out: what the model's files say, which is nearly always right."""
    dtype: Literal["auto", "half", "bfloat16"] = "auto"
    """``auto`` takes ``half`` where the GPU has no bfloat16 (T4)."""
    context_length: Annotated[Count, Field(ge=128)] | None = None
    """Tokens of prompt and answer together. Left out: the model's own, at most 8192."""
    gpu_memory_utilization: Annotated[Number, Field(gt=0.1, le=0.98)] = 0.9
    """Share of the GPU's memory that vLLM may use."""
    max_num_seqs: Annotated[Count, Field(ge=1, le=4096)] | None = None
    """Requests worked on at a time. Left out: vLLM's own."""
    kv_cache_dtype: Literal["auto", "fp8"] = "auto"
    """``fp8`` halves the KV cache, on GPUs from compute capability 8.9 on (L4, L20, H100)."""
    trust_remote_code: Flag = False
    """Let code from the model's repository run on the host."""
    extra_args: tuple[Text, ...] = ()
    """More flags for ``vllm serve``, each an item of its own. Flags that the pinned vLLM lacks, and those that the spec
    sets itself, are refused. See "tool calls and reasoning"."""
    system_disk_gib: Annotated[Count, Field(ge=40, le=500)] = 80
    """GiB. System, driver and Python environments: about 30 GiB."""
    model_disk_gib: Annotated[Count, Field(ge=20, le=16000)] | None = None
    """GiB. The encrypted data disk for weights, keys and vectors. Left out: 2.1 times the weights plus 20, at least 60,
    plus ``vectors.disk_gib``, and so much that all of it, with a second model while one is changed, takes no more
    than nine tenths. Disks only grow."""
    spot: Flag = False
    """A spot machine: cheaper, and the cloud may take it back at any time."""
    renew: Flag = False
    """Take the newest image and boot instructions at the next ``up``: see ``renew``."""
    keys: Keys = Field(default_factory=lambda: {"default": KeySpec()})
    """Gateway keys by name, with their limits."""
    upstreams: Upstreams = Field(default_factory=dict)
    """Vendors and other servers whose models this gateway serves too, called from the server itself: see
    ``upstreams``."""
    routes: Routes = Field(default_factory=dict)
    """More names that callers may ask for: aliases, weights, fallback."""
    cors_origins: tuple[Origin, ...] = ()
    """Web pages that may ask from a browser, such as ``https://chat.example.com``. Empty: none."""
    blocked_words: tuple[Word, ...] = ()
    """Requests and answers that hold one of these are refused."""
    content: ContentSpec | None = None
    """Word lists and moderators: see ``content``."""
    services: Services = Field(default_factory=dict)
    """More services on the same host, by the names of their roles: see ``services``."""
    ready_timeout_minutes: Annotated[Count, Field(ge=5, le=480)] = 90
    """Minutes that ``up`` waits for the node to answer a completion."""
    override: tuple[Text, ...] = ()
    """Findings of the fit check to go on in spite of: see ``override``."""

    @field_validator("gpu")
    @classmethod
    def _gpu_exists(cls, value: str) -> str:
        known(lambda: catalog.load().gpu(value))
        return catalog.load().gpu(value).name

    @field_validator("model")
    @classmethod
    def _model_is_an_id(cls, value: str) -> str:
        """The catalogue's own id of the model, however it was written: nothing after this looks a name up again."""
        data = catalog.load()
        try:
            return data.model(value).id
        except UnknownName:
            pass  # another model, which the fit check has something to say about
        except Refusal:
            known(lambda: data.model(value))
        # The id is written into files on the node, so it may hold nothing but what hub ids hold.
        if not re.fullmatch(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", value):
            near = nearest(value, data.models)
            hint = (
                _("did you mean {names}?", names=either(near)) if near else _("an id such as Qwen/Qwen2.5-7B-Instruct")
            )
            raise invalid("spec.bad-model-id", _("{value!r} is not a model id (organisation/name)", value=value), hint)
        return value

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
        refuse_twice([self.name_served, *served_by(self.upstreams)], "served_name")
        return self

    @property
    def name_served(self) -> str:
        """What clients call the model."""
        return self.served_name or self.model.rsplit("/", 1)[-1]
