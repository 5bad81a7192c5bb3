"""A vector store that turns texts into vectors itself: which model it asks, and what its key may do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import field_validator

from pulumi_llm._texts import _, listed
from pulumi_llm.spec.fields import Part, Text, invalid
from pulumi_llm.spec.keys import KeySpec

LOOPBACK = "127.0.0.0/8"
"""From where that key may be used: the store reaches the gateway on the machine itself. One on a machine of its own
calls from there (`pulumi_llm._vectorizing`)."""
ENDPOINT = "/v1/embeddings"
SETTLED = ("models", "endpoints", "source_cidrs")
"""What of the key follows from what it is for."""
RATES: Mapping[str, int] = {"requests_per_minute": 10_000, "tokens_per_minute": 10_000_000}
"""The store reads both off each answer, and sends texts one by one where they are not told
(usecases/modulecomponents/clients/openai/openai.go of 1.35.2; the same in main at adcffc54)."""
CONCURRENCY = 64
"""It never asks again after a 429: what is under way at once is for its own clients to say."""


class VectorizerSpec(Part):
    """Vectors that the store makes itself: it asks a model of the server through the gateway."""

    model: Text
    """The model that turns texts into vectors, by its name under ``server.models``.

    zh: 把文本变成向量的模型，写它在 ``server.models`` 下的名字。"""
    key: KeySpec | None = None
    """The limits of the store's own gateway key: see ``keys``. It is for this model and the store's machine alone, so
    ``models``, ``endpoints`` and ``source_cidrs`` are not for it. Left out: 10,000 requests and 10,000,000 tokens a
    minute, 64 requests at the same time.

    zh: 向量库自己的网关密钥的限额，见 ``keys``。它只能用于这个模型、只从向量库所在的机器有效，所以不能写
    ``models``、``endpoints`` 和 ``source_cidrs``。不写则每分钟 10,000 个请求、10,000,000 个 token，同时 64 个请求。"""

    @field_validator("key")
    @classmethod
    def _key_is_for_this_alone(cls, value: KeySpec | None) -> KeySpec | None:
        if value is None:
            return None
        if given := [name for name in SETTLED if getattr(value, name)]:
            raise invalid(
                "vectors.key-for-more",
                _("{given}: the vector store's key asks one model for vectors, from this machine", given=listed(given)),
                _("leave it out; another caller has a key of its own under `keys`"),
            )
        if unlimited := [name for name in RATES if name in value.model_fields_set and getattr(value, name) is None]:
            raise invalid(
                "vectors.key-without-rate",
                _(
                    "{given}: the vector store reads both rates off each answer, and where one is missing it sends "
                    "texts one by one",
                    given=listed(unlimited),
                ),
                _("a large number, or leave it out"),
            )
        return value

    @property
    def gateway_key(self) -> KeySpec:
        """The key as the gateway has it."""
        key = self.key or KeySpec()
        limits: dict[str, Any] = {**RATES, "max_concurrency": CONCURRENCY}
        told = {name: limit for name, limit in limits.items() if name not in key.model_fields_set}
        fixed = {"models": (self.model,), "endpoints": (ENDPOINT,), "source_cidrs": (LOOPBACK,)}
        return key.model_copy(update={**told, **fixed})
