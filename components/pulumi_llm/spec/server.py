"""The GPU host and the model on it. Sizes are GiB."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field, field_validator

from pulumi_llm import catalog
from pulumi_llm.errors import Refusal, UnknownName, nearest
from pulumi_llm.spec.content import ContentSpec
from pulumi_llm.spec.fields import Count, Flag, Number, Text, invalid, known
from pulumi_llm.spec.keys import Keys, KeySpec, Routes
from pulumi_llm.spec.place import MachineSpec


class ServerSpec(MachineSpec):
    """The GPU host and the model on it."""

    gpu: Text
    gpu_count: Annotated[Count, Field(ge=1, le=8)] = 1
    instance_type: Text | None = None
    """Only to choose among several types with the same GPU; by default the cheapest one is taken."""
    model: Text
    """By its id at Hugging Face or ModelScope; of a model that the catalogue has, in any case, or by its last part."""
    modelscope_id: Text | None = None
    revision: Text | None = None
    served_name: Text | None = None
    quantization: Literal["awq", "gptq", "fp8", "mxfp4"] | None = None
    dtype: Literal["auto", "half", "bfloat16"] = "auto"
    context_length: Annotated[Count, Field(ge=128)] | None = None
    """Tokens of prompt and answer together; default: what the model was trained for, capped at 8192."""
    gpu_memory_utilization: Annotated[Number, Field(gt=0.1, le=0.98)] = 0.9
    max_num_seqs: Annotated[Count, Field(ge=1, le=4096)] | None = None
    kv_cache_dtype: Literal["auto", "fp8"] = "auto"
    trust_remote_code: Flag = False
    extra_args: tuple[Text, ...] = ()
    """More flags for ``vllm serve``, as they are."""
    system_disk_gib: Annotated[Count, Field(ge=40, le=500)] = 80
    model_disk_gib: Annotated[Count, Field(ge=20, le=16000)] | None = None
    """The encrypted data disk for weights, keys and vectors; default: by the size of the weights."""
    spot: Flag = False
    renew: Flag = False
    """Take the newest image and the newest boot instructions at the next ``up``. A newer image replaces the machine on
    AWS and reinstalls its system disk on Aliyun and Tencent Cloud; other boot instructions replace the machine on all
    three. The model disk stays. Set it back to false afterwards."""
    keys: Keys = Field(default_factory=lambda: {"default": KeySpec()})
    routes: Routes = Field(default_factory=dict)
    blocked_words: tuple[Text, ...] = ()
    content: ContentSpec | None = None
    ready_timeout_minutes: Annotated[Count, Field(ge=5, le=480)] = 90
    override: tuple[Text, ...] = ()
    """Codes of the fit check's findings to go on in spite of; each is still shown, as a warning."""

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
            hint = f"did you mean {' or '.join(near)}?" if near else "an id such as Qwen/Qwen2.5-7B-Instruct"
            raise invalid("spec.bad-model-id", f"{value!r} is not a model id (organisation/name)", hint)
        return value

    @property
    def name_served(self) -> str:
        """What clients call the model."""
        return self.served_name or self.model.rsplit("/", 1)[-1]
