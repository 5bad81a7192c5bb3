"""LoRA adapters of a model, each served under a name of its own by the same vLLM."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated

from pydantic import AfterValidator, Field, field_validator

from pulumi_llm._texts import _, listed
from pulumi_llm.spec.fields import Count, Part, Text, invalid

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,47}")
"""What callers ask for; a further model's is part of its unit's name and of a folder's too."""
MOST = 16
"""Adapters of one vLLM. Each has a slot in the GPU's memory, so that none is loaded for a request."""
LARGEST = 512
"""The largest rank that vLLM 0.32.0 has slots for (config/lora.py, MaxLoRARanks)."""
SET_HERE = ("--enable-lora", "--no-enable-lora", "--lora-modules", "--max-loras", "--max-lora-rank")
"""Flags of vLLM that follow from the adapters."""


class AdapterSpec(Part):
    """A LoRA adapter of a model. Its name in ``adapters`` is what clients call it."""

    source: Text
    """The adapter's id at Hugging Face or ModelScope (``organisation/name``): a repository with
    ``adapter_config.json`` and ``adapter_model.safetensors``, as PEFT writes them.

    zh: 适配器在 Hugging Face 或 ModelScope 的 ID（``组织/名称``）：仓库里有 PEFT 写出的
    ``adapter_config.json`` 和 ``adapter_model.safetensors``。"""
    modelscope_id: Text | None = None
    """Its id at ModelScope, where the stack fetches from there and the id differs.

    zh: 从 ModelScope 下载且 ID 不同时，它在那里的 ID。"""
    revision: Text | None = None
    """Branch, tag or commit at the hub. Left out: the newest when the node first fetches it.

    zh: 模型站上的分支、标签或提交。不写则取节点首次下载时的最新版。"""
    base: Text | None = None
    """What its ``adapter_config.json`` calls the model that it was made for, where that is another name of ``model``.

    zh: 它的 ``adapter_config.json`` 对基础模型的称呼；仅当那是 ``model`` 的另一个名称时才需要。"""
    rank: Annotated[Count, Field(ge=1, le=LARGEST)] = 16
    """Its rank (``r`` in ``adapter_config.json``), or more. All slots have the size of the largest.

    zh: 它的秩（``adapter_config.json`` 里的 ``r``）或更大的数。所有槽位都按最大的秩分配。"""

    @field_validator("source", "modelscope_id")
    @classmethod
    def _source_is_an_id(cls, value: str | None) -> str | None:
        # The id is written into files on the node, so it may hold nothing but what hub ids hold.
        if value is not None and not re.fullmatch(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", value):
            message = _("{value!r} is not a model id (organisation/name)", value=value)
            raise invalid("spec.bad-model-id", message, _("an id such as organisation/adapter-name"))
        return value


def _adapters(value: dict[str, AdapterSpec]) -> dict[str, AdapterSpec]:
    for name in value:
        if not NAME.fullmatch(name):
            message = _("an adapter cannot be called {name!r}", name=name)
            raise invalid("spec.bad-model-name", message, _("letters, digits, dot, dash, underscore, at most 48"))
    if len(value) > MOST:
        message = _("{count} adapters are asked for, and a model takes {most}", count=len(value), most=MOST)
        raise invalid("spec.too-many-models", message, _("a server of their own for some of them"))
    return value


def refuse_flags(flags: Iterable[str]) -> None:
    """Refuse flags beside adapters that say otherwise than they do; ``flags``: those that a user gave."""
    if found := sorted(set(SET_HERE) & set(flags)):
        message = _("{flags} follows from the adapters, and is given in extra_args too", flags=listed(found))
        raise invalid("spec.adapter-flags", message, _("leave it out, or leave adapters out"))


Adapters = Annotated[dict[str, AdapterSpec], AfterValidator(_adapters)]
