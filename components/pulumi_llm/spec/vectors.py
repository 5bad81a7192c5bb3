"""The vector store. Sizes are GiB."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from pulumi_llm._texts import _, listed
from pulumi_llm.spec.fields import Count, Flag, Part, Text, invalid


class VectorsSpec(Part):
    """Weaviate: on the model server's host, or on a machine of its own."""

    placement: Literal["server", "own"] = "server"
    """On the model server's host, or on a machine of its own.

    zh: 与模型同机，或单独一台机器。"""
    memory_gib: Annotated[Count, Field(ge=1, le=512)] = 4
    """GiB of host memory that the container may take.

    zh: 容器可用的主机内存，GiB。"""
    disk_gib: Annotated[Count, Field(ge=10, le=16000)] = 40
    """GiB for vectors on the data disk; with ``own`` the size of that machine's data disk.

    zh: 数据盘上留给向量的空间，GiB；``own`` 时就是那台机器数据盘的大小。"""
    instance_type: Text | None = None
    """Only with ``own``, as the keys below. Left out: the cheapest type with memory enough.

    zh: 这一项和下面几项只用于 ``own``。不写则取内存足够的最便宜机型。"""
    system_disk_gib: Annotated[Count, Field(ge=40, le=500)] = 40
    """GiB.

    zh: GiB。"""
    renew: Flag = False
    """As ``renew`` of the server, for Weaviate's machine.

    zh: 与服务器的 [``renew``](#renew) 相同，用于 Weaviate 的机器。"""
    ready_timeout_minutes: Annotated[Count, Field(ge=5, le=480)] = 30
    """Minutes that ``up`` waits for Weaviate to answer.

    zh: ``up`` 等待 Weaviate 应答的分钟数。"""
    image_id: Text | None = None
    """As for the server, with ``placement: own`` only: see ``image_id``.

    zh: 与服务器相同，仅用于 ``placement: own``，见 [``image_id``](#image_id)。"""

    @model_validator(mode="after")
    def _has_a_machine_of_its_own(self) -> Self:
        alone = ("instance_type", "system_disk_gib", "renew", "ready_timeout_minutes", "image_id")
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
