"""The vector store. Sizes are GiB."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from pulumi_llm._texts import _, either, listed
from pulumi_llm.errors import Refusal
from pulumi_llm.roles import registry, sizing
from pulumi_llm.spec.backup import BackupSpec
from pulumi_llm.spec.disk import DiskSpec
from pulumi_llm.spec.fields import Count, Flag, Part, Text, invalid, known
from pulumi_llm.spec.vectorizer import VectorizerSpec

DEFAULT_ENGINE = "weaviate"
"""The role that is marked as the default of the argument ``vectors``; a test holds the two together."""

SERVICES = {"pinecone": "Pinecone"}
"""Vector stores that somebody else runs: applications reach them by themselves, and no node has one."""

VECTORS_BESIDE = ("engine", "memory_gib", "disk_gib", "count", "dimensions", "vectorizer", "backup")
"""The keys of a vector store beside a model, which are ``ModelServer``'s arguments with ``vectors_`` before them."""


def _without_nothing(value: Mapping[str, Any], keys: Iterable[str]) -> dict[str, Any]:
    return {key: each for key, each in value.items() if each is not None or key not in keys}


class VectorsSpec(Part):
    """The vector store: on the model server's host, or on a machine of its own."""

    engine: Text = DEFAULT_ENGINE
    """Which one: ``weaviate``, ``qdrant``, ``pgvector``, ``chroma`` or ``milvus``. See [vectors.md](vectors.md).

    zh: ``weaviate``、``qdrant``、``pgvector``、``chroma`` 或 ``milvus``，见 [vectors.zh.md](vectors.zh.md)。"""
    placement: Literal["server", "own"] = "server"
    """On the model server's host, or on a machine of its own.

    zh: 与模型同机，或单独一台机器。"""
    memory_gib: Annotated[Count, Field(ge=1, le=512)] = 4
    """GiB of host memory that it may take. Left out: as its role says, which for Milvus is 8.

    zh: 可用的主机内存，GiB。不写则按角色的规定，Milvus 为 8。"""
    disk_gib: Annotated[Count, Field(ge=10, le=16000)] = 40
    """GiB for vectors on the data disk; with ``own`` the size of that machine's data disk. Left out: as its role says,
    which for Milvus is 60.

    zh: 数据盘上留给向量的空间，GiB；``own`` 时就是那台机器数据盘的大小。不写则按角色的规定，Milvus 为 60。"""
    count: Annotated[Count, Field(ge=1, le=10_000_000_000)] | None = None
    """How many vectors are expected, with ``dimensions``: memory and disk are then held against what the engine needs,
    and what is left out of them follows.

    zh: 预计有多少个向量，与 ``dimensions`` 一起写：内存和磁盘会与该引擎所需的比较，不写的那一项据此推算。"""
    dimensions: Annotated[Count, Field(ge=1, le=1_000_000)] | None = None
    """How many numbers each vector has.

    zh: 每个向量有多少维。"""
    vectorizer: VectorizerSpec | None = None
    """Who turns texts into vectors for it: see ``vectors.vectorizer``. Left out: whoever puts them in brings vectors.

    zh: 由谁把文本变成向量，见 ``vectors.vectorizer``。不写则由写入方自带向量。"""
    backup: BackupSpec | None = None
    """Encrypted backups. See [backups.md](backups.md).

    zh: 加密备份，见 [backups.zh.md](backups.zh.md)。"""
    disk: DiskSpec | None = None
    """As ``disk`` of the server, for the data disk of the vector store's own machine. Only with ``own``.

    zh: 与服务器的 [``disk``](#disk) 相同，用于向量库自己机器的数据盘。仅用于 ``own``。"""
    instance_type: Text | None = None
    """Only with ``own``, as the keys below. Left out: the cheapest type with memory enough.

    zh: 这一项和下面几项只用于 ``own``。不写则取内存足够的最便宜机型。"""
    system_disk_gib: Annotated[Count, Field(ge=40, le=500)] = 40
    """GiB.

    zh: GiB。"""
    renew: Flag = False
    """As ``renew`` of the server, for the vector store's machine.

    zh: 与服务器的 [``renew``](#renew) 相同，用于向量库的机器。"""
    ready_timeout_minutes: Annotated[Count, Field(ge=5, le=480)] = 30
    """Minutes that ``up`` waits for the vector store to answer.

    zh: ``up`` 等待向量库应答的分钟数。"""
    image_id: Text | None = None
    """As for the server, with ``placement: own`` only: see ``image_id``.

    zh: 与服务器相同，仅用于 ``placement: own``，见 [``image_id``](#image_id)。"""

    @model_validator(mode="before")
    @classmethod
    def _sizes_of_the_engine(cls, value: Any) -> Any:
        """What is left out is as the engine's role says; a name that there is not is told by the field itself."""
        if not isinstance(value, Mapping) or not isinstance(value.get("engine", ""), str):
            return value
        try:
            role = registry.of_argument("vectors", value.get("engine"))
        except Refusal:
            return value
        sizes = {"memory_gib": role.manifest.needs.memory_gib, "disk_gib": role.manifest.needs.disk_gib}
        count, dimensions = value.get("count"), value.get("dimensions")
        if type(count) is int and type(dimensions) is int:
            needed = sizing.sizes(role, count, dimensions)
            sizes = {key: max(size, getattr(needed, key, 0)) for key, size in sizes.items()}
        return {
            **{key: size for key, size in sizes.items() if value.get(key) is None},
            **_without_nothing(value, sizes),
        }

    @field_validator("engine")
    @classmethod
    def _engine_exists(cls, value: str) -> str:
        if value.casefold() in SERVICES:
            raise invalid(
                "vectors.engine-is-a-service",
                _(
                    "{name} is a service of its makers', and no server that a node could run",
                    name=SERVICES[value.casefold()],
                ),
                _("leave `vectors` out, and give your application the service's address and key; or another engine"),
            )
        known(lambda: registry.of_argument("vectors", value))
        return value

    @model_validator(mode="after")
    def _has_a_machine_of_its_own(self) -> Self:
        alone = ("disk", "instance_type", "system_disk_gib", "renew", "ready_timeout_minutes", "image_id")
        given = [name for name in alone if name in self.model_fields_set]
        if self.placement == "server" and given:
            raise invalid(
                "spec.vectors-on-the-server",
                _(
                    "{given}: for a vector store on a machine of its own, and it is to run on the model server's",
                    given=listed(given),
                ),
                _("placement: own, or the same key under `server`"),
            )
        return self

    @model_validator(mode="after")
    def _vectorizer_goes_with_it(self) -> Self:
        if self.vectorizer is None:
            return self
        able = [name for name, each in registry.answering("vectors").items() if each.manifest.vectorizer]
        role = registry.of_argument("vectors", self.engine)
        if role.manifest.vectorizer is None:
            raise invalid(
                "vectors.no-vectorizer",
                _("{title} keeps vectors and makes none: it cannot ask a model for them", title=role.manifest.title),
                _(
                    "engine: {names}; or leave `vectorizer` out, and have the program that puts texts in ask the "
                    "gateway at /v1/embeddings",
                    names=either(able),
                ),
            )
        return self

    @model_validator(mode="after")
    def _holds_what_is_expected(self) -> Self:
        if (self.count is None) != (self.dimensions is None):
            raise invalid(
                "vectors.half-a-size",
                _("`count` and `dimensions` belong together: how many vectors, and how long each is"),
                _("both, or neither"),
            )
        known(self._check_sizes)
        return self

    def _check_sizes(self) -> None:
        role = registry.of_argument("vectors", self.engine)
        sizes = {"memory_gib": self.memory_gib, "disk_gib": self.disk_gib}
        found = list(sizing.mistakes(role, **sizes, count=self.count, dimensions=self.dimensions))
        if found:
            raise Refusal(found)
