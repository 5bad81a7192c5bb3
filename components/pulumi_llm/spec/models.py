"""Further models beside the main one, each served by a vLLM of its own on the same machine."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from pulumi_llm import catalog
from pulumi_llm._flags import flags_of
from pulumi_llm._texts import _, either, listed
from pulumi_llm.catalog import pooling
from pulumi_llm.errors import Refusal, UnknownName, nearest
from pulumi_llm.spec.adapters import NAME, Adapters, refuse_flags
from pulumi_llm.spec.fields import Count, Flag, Number, Part, Text, also, invalid, known, tokens

MOST = 8
"""Further models on one machine: as many ports on loopback are kept for them (templates/vllm/role.yaml)."""
FURTHER_MODELS = "further_models"
"""What `models` of the server is called among ``ModelServer``'s arguments: ``models`` is what that tells."""
ON_CPU = frozenset({"model", "kind", "modelscope_id", "revision", "device", "context_length", "dtype",
                    "trust_remote_code"})  # fmt: skip
"""What can be said of a model on the CPU."""
Requests = Annotated[Count, Field(ge=1, le=4096)]
TASKS: Mapping[str, str | None] = {"chat": None, "embedding": pooling.EMBEDDING, "reranking": pooling.RERANKER}
"""What a model may be for, and what the catalogue calls it."""


def model_id(value: str, *, rerankers: bool) -> str:
    """The catalogue's own id of a model, however it was written: nothing after this looks a name up again.

    ``rerankers``: a name of a model that ranks texts is taken too.
    """
    data = catalog.load()

    def found() -> str:
        row = data.model(value).id
        if not rerankers:
            pooling.refuse_reranker(row)
        return row

    try:
        return found()
    except UnknownName:
        pass  # another model, which the fit check has something to say about
    except Refusal as refusal:
        if not rerankers or {each.code for each in refusal.findings} != {"catalog.not-a-chat-model"}:
            known(found)
    # The id is written into files on the node, so it may hold nothing but what hub ids hold.
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", value):
        near = nearest(value, data.models)
        hint = _("did you mean {names}?", names=either(near)) if near else _("an id such as Qwen/Qwen2.5-7B-Instruct")
        raise invalid("spec.bad-model-id", _("{value!r} is not a model id (organisation/name)", value=value), hint)
    return value


class ModelSpec(Part):
    """A further model on the same machine. Its name in ``models`` is what clients call it."""

    model: Text
    """The model's id at Hugging Face or ModelScope (``organisation/name``).

    zh: 模型在 Hugging Face 或 ModelScope 的 ID（``组织/名称``）。"""
    kind: Literal["chat", "embedding", "reranking"] | None = None
    """What it is for: ``embedding`` turns texts into vectors, ``reranking`` says how well they fit a question. Left
    out: as its name or its files say.

    zh: 用途：``embedding`` 把文本变成向量，``reranking`` 给文本与问题的相关性打分。不写则看它的名称或文件。"""
    modelscope_id: Text | None = None
    """Its id at ModelScope, where that differs and the catalogue does not know it.

    zh: 它在 ModelScope 的 ID；仅当名称不同且目录中没有时才需要。"""
    revision: Text | None = None
    """Branch, tag or commit at the hub. Left out: the newest when the node first fetches it.

    zh: 模型站上的分支、标签或提交。不写则取节点首次下载时的最新版。"""
    device: Literal["gpu", "cpu"] = "gpu"
    """Where it runs. ``cpu``: in the machine's memory, for models for vectors and for ranks: see "several models on a
    host".

    zh: 在哪里运行。``cpu``：在主机内存里运行，只用于向量模型和重排模型，见
    [一台机器上的多个模型](#一台机器上的多个模型)。"""
    gpus: Annotated[Count, Field(ge=1, le=7)] | None = None
    """GPUs of its own, besides those of the main model. Left out: it shares the main model's first GPU.

    zh: 主模型之外，它独占的 GPU 数。不写则与主模型共用第一张 GPU。"""
    takes_turns: Flag = False
    """It takes turns with the main model, on its GPUs: one is awake, the others sleep. See "models that take turns".

    zh: 与主模型轮流使用同一批 GPU：一个唤醒，其他休眠。见[轮流运行的模型](#轮流运行的模型)。"""
    gpu_memory_utilization: Annotated[Number, Field(ge=0.01, le=0.98)] | None = None
    """Share of a GPU's memory that its vLLM may use. Left out: on GPUs of its own 0.9; on a shared one as little as one
    request needs.

    zh: 它的 vLLM 可用的显存比例。不写时：独占 GPU 取 0.9；共用时只取一个请求所需的最小值。"""
    context_length: Annotated[Count, BeforeValidator(tokens), Field(ge=16)] | None = None
    """Tokens of a text, or of prompt and answer together. Left out: the model's own, at most 8192.

    zh: 一段文本（或提示加回答）的 token 数。不写则取模型自身的上限，最多 8192。"""
    max_num_seqs: Requests | None = None
    """Requests worked on at a time. Left out: 32 on a shared GPU, else vLLM's own.

    zh: 同时处理的请求数。不写时：共用 GPU 取 32，否则用 vLLM 的默认值。"""
    quantization: Literal["awq", "gptq", "fp8", "mxfp4"] | None = None
    """Left out: what the model's files say, which is nearly always right.

    zh: 不写则以模型文件为准，这几乎总是对的。"""
    dtype: Annotated[Literal["auto", "half", "bfloat16"], also(float16="half")] = "auto"
    """``auto`` takes ``half`` where the GPU has no bfloat16 (T4).

    zh: ``auto`` 在没有 bfloat16 的 GPU（T4）上取 ``half``。"""
    kv_cache_dtype: Annotated[Literal["auto", "fp8"], also(fp8_e4m3="fp8")] = "auto"
    """``fp8`` halves the KV cache, on GPUs from compute capability 8.9 on (L4, L20, H100).

    zh: ``fp8`` 把 KV 缓存减半，需要计算能力 8.9 及以上的 GPU（L4、L20、H100）。"""
    adapters: Adapters = Field(default_factory=dict)
    """LoRA adapters of this model, by the names that clients call them: see ``adapters``.

    zh: 这个模型的 LoRA 适配器，以客户端使用的名称为键，见 [``adapters``](#adapters)。"""
    trust_remote_code: Flag = False
    """Let code from the model's repository run on the host.

    zh: 允许模型仓库自带的代码在主机上运行。"""
    extra_args: tuple[Text, ...] = ()
    """More flags for its ``vllm serve``, each an item of its own.

    zh: 给它的 ``vllm serve`` 的其他参数，每个一项。"""

    @field_validator("model")
    @classmethod
    def _model_is_an_id(cls, value: str) -> str:
        return model_id(value, rerankers=True)

    @model_validator(mode="after")
    def _cpu_has_what_it_can(self) -> Self:
        if self.device != "cpu":
            return self
        plain = {name: field.get_default(call_default_factory=True) for name, field in ModelSpec.model_fields.items()}
        given = [name for name in sorted(self.model_fields_set - ON_CPU) if getattr(self, name) != plain[name]]
        if self.kind == "chat" or self.dtype == "half":
            given.append("kind: chat" if self.kind == "chat" else "dtype: half")
        if given:
            raise invalid(
                "spec.model-on-cpu",
                _("{given}: not for a model on the CPU", given=listed(given)),
                _("leave it out; or device: gpu"),
            )
        return self

    @model_validator(mode="after")
    def _adapters_say_it_once(self) -> Self:
        if self.adapters:
            refuse_flags(flags_of(self.extra_args))
        return self


def _models(value: dict[str, ModelSpec]) -> dict[str, ModelSpec]:
    for name in value:
        if not NAME.fullmatch(name):
            raise invalid(
                "spec.bad-model-name",
                _("a model cannot be called {name!r}", name=name),
                _("letters, digits, dot, dash, underscore, at most 48"),
            )
    folded = [name.casefold() for name in value]
    twice = sorted(name for name in value if folded.count(name.casefold()) > 1)
    if twice:
        raise invalid(
            "spec.bad-model-name",
            _("{names} differ in capital letters alone", names=listed(twice)),
            _("another name for one of them"),
        )
    if len(value) > MOST:
        raise invalid(
            "spec.too-many-models",
            _("{count} further models are asked for, and a machine takes {most}", count=len(value), most=MOST),
            _("a machine of their own for some of them"),
        )
    return value


Models = Annotated[dict[str, ModelSpec], AfterValidator(_models)]
