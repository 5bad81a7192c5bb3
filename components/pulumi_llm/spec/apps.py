"""What people use in a browser beside the model: a chat page, and its answers out of documents. Sizes are GiB."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from pulumi_llm._texts import _
from pulumi_llm.spec.fields import Count, Email, Part, Text, invalid
from pulumi_llm.spec.keys import KeySpec

LOOPBACK = "127.0.0.0/8"
"""From where that key may be used: a page that gives it away gives away nothing that others could use."""


class ChatSpec(Part):
    """A chat page on the model server's host, with accounts of its own."""

    engine: Literal["open-webui", "nextchat", "lobehub"] = "open-webui"
    """``open-webui``. ``nextchat`` and ``lobehub`` are refused, with the reason: see [apps.md](apps.md).

    zh: ``open-webui``。``nextchat`` 和 ``lobehub`` 会被拒绝并说明原因，见 [apps.zh.md](apps.zh.md)。"""
    admin_email: Email
    """The first administrator's log-in. The password is the output ``chat_password``.

    zh: 第一个管理员的登录邮箱。密码是输出 ``chat_password``。"""
    port: Annotated[Count, Field(ge=1, le=65535)] = 18447
    """Where the page answers, by TLS; ``allowed_cidrs`` may call it.

    zh: 页面的端口（TLS），``allowed_cidrs`` 可以访问。"""
    memory_gib: Annotated[Count, Field(ge=1, le=512)] = 2
    """GiB of host memory that it may take.

    zh: 可用的主机内存，GiB。"""
    disk_gib: Annotated[Count, Field(ge=5, le=16000)] = 10
    """GiB on the data disk for accounts, chats and uploaded files.

    zh: 数据盘上留给账号、对话和上传文件的空间，GiB。"""
    key: KeySpec | None = None
    """The limits of its own gateway key, for all its users together: see ``keys``. It works on this machine alone, so
    ``source_cidrs`` is not for it. Left out: as those of a key are.

    zh: 它自己的网关密钥的限额，由所有用户共用，见 ``keys``。该密钥只在本机有效，所以不能写
    ``source_cidrs``。不写则与一般密钥相同。"""

    @field_validator("engine")
    @classmethod
    def _engine_can_be_had(cls, value: str) -> str:
        if value == "nextchat":
            raise invalid(
                "apps.nextchat",
                _(
                    "NextChat 2.16.1 hands the key that it was given to whoever asks (CVE-2026-82639), and no release "
                    "mends that"
                ),
                "engine: open-webui",
            )
        if value == "lobehub":
            raise invalid(
                "apps.lobehub",
                _(
                    "LobeHub 2 needs a PostgreSQL with extensions that Ubuntu's packages lack, and object storage that "
                    "browsers reach, and neither is on this host"
                ),
                _("engine: open-webui; or run LobeHub elsewhere, with the output `endpoint` and a key of its own"),
            )
        return value

    @field_validator("key")
    @classmethod
    def _key_is_for_this_machine(cls, value: KeySpec | None) -> KeySpec | None:
        if value is not None and value.source_cidrs:
            raise invalid(
                "apps.key-from-elsewhere",
                _("the chat page's key works on the machine itself, and `source_cidrs` would open it to others"),
                _("leave source_cidrs out; another caller has a key of its own under `keys`"),
            )
        return value

    @property
    def gateway_key(self) -> KeySpec:
        """The key as the gateway has it."""
        return (self.key or KeySpec()).model_copy(update={"source_cidrs": (LOOPBACK,)})


class RagSpec(Part):
    """Answers out of documents that people put into the chat page."""

    engine: Literal["open-webui", "verba"] = "open-webui"
    """``open-webui``. ``verba`` is refused, with the reason: see [apps.md](apps.md).

    zh: ``open-webui``。``verba`` 会被拒绝并说明原因，见 [apps.zh.md](apps.zh.md)。"""
    embeddings: Text
    """The served model that turns texts into vectors, by the name that callers ask for.

    zh: 把文本变成向量的模型，写调用方使用的名字。"""
    dimensions: Annotated[Count, Field(ge=1, le=65_535)]
    """How many numbers each of its vectors has, in PostgreSQL 2,000 at most. It stays: another needs an empty table.

    zh: 该模型的向量有多少维，PostgreSQL 最多 2,000。此后不能改，改则需要清空表。"""
    reranker: Text | None = None
    """The served model that puts what was found in order. Left out: none.

    zh: 对检索结果重新排序的模型。不写就没有。"""

    @field_validator("engine")
    @classmethod
    def _engine_can_be_had(cls, value: str) -> str:
        if value == "verba":
            raise invalid(
                "apps.verba",
                _(
                    "Verba has had no release since 2025-07, is gone from the package index, and asks nobody for a "
                    "password: a node has nowhere to install it from by a locked list"
                ),
                "engine: open-webui",
            )
        return value


class AppsSpec(Part):
    """Pages beside the model."""

    chat: ChatSpec | None = None
    """A chat page: see ``apps.chat``. Left out: none.

    zh: 聊天页面，见 ``apps.chat``。不写就没有。"""
    rag: RagSpec | None = None
    """Its answers out of documents: see ``apps.rag``. Left out: a document goes whole into the question.

    zh: 依据文档回答，见 ``apps.rag``。不写则整篇文档放进提问里。"""

    @model_validator(mode="after")
    def _documents_have_a_page(self) -> Self:
        if self.rag is not None and self.chat is None:
            raise invalid(
                "apps.rag-without-chat",
                _("documents are put in and asked about on the chat page, and there is none"),
                "apps: {chat: {admin_email: ops@example.com}}",
            )
        return self

    def asks_for(self) -> Iterator[tuple[str, str, str]]:
        """The served models that it names: the key that names each, its name, and the path that it is asked at."""
        if self.rag is not None:
            yield "apps.rag.embeddings", self.rag.embeddings, "/v1/embeddings"
            if self.rag.reranker is not None:
                yield "apps.rag.reranker", self.rag.reranker, "/v1/rerank"
