"""A fleet's vector store: Weaviate, by the chart of its makers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field, field_validator

from pulumi_llm._texts import _, listed
from pulumi_llm.roles import registry
from pulumi_llm.spec.fields import Count, Part, Text, invalid
from pulumi_llm.spec.kubernetes import ObjectName
from pulumi_llm.spec.vectorizer import VectorizerSpec

ENGINE = "weaviate"
STORE_CHARTS: Mapping[str, str] = {"17.8.3": "1.38.2"}
"""Versions of Weaviate's chart whose values are known, with the release of Weaviate that each names by itself.

Source: weaviate/weaviate-helm, tag v17.8.3 (2026-07-01), weaviate/values.yaml and weaviate/templates, read 2026-11-30.
"""


class FleetVectorsSpec(Part):
    """Weaviate in the fleet's namespace, one pod with a disk of its own. Callers reach it through the gateway's pod."""

    engine: Text = ENGINE
    """``weaviate`` alone: of the others no chart is known here.

    zh: 只能是 ``weaviate``：其他向量库的 chart 这里不了解。"""
    chart_version: Text = "17.8.3"
    """The version of Weaviate's chart, of those whose values are known here.

    zh: Weaviate chart 的版本，须是这里已知其 values 的版本。"""
    memory_gib: Annotated[Count, Field(ge=1, le=512)] = 4
    """GiB of memory that it has for itself.

    zh: 归它使用的内存，GiB。"""
    disk_gib: Annotated[Count, Field(ge=10, le=16000)] = 40
    """GiB of its disk. Kubernetes lets nobody change that of a StatefulSet: the claim itself is made larger.

    zh: 它的磁盘大小，GiB。Kubernetes 不允许修改 StatefulSet 的磁盘：要扩容时直接改 PVC。"""
    storage_class: ObjectName | None = None
    """The storage class of its disk. Left out: the cluster's own; of a cluster that is made, the encrypted one.

    zh: 磁盘的存储类。不写则用集群默认的；新建的集群用加密的那个。"""
    vectorizer: VectorizerSpec | None = None
    """Which model of the fleet turns texts into vectors for it: see ``vectors.vectorizer``, whose ``model`` is a name
    under ``models`` here. Left out: whoever puts them in brings vectors.

    zh: 由集群服务的哪个模型把文本变成向量，见 ``vectors.vectorizer``，这里的 ``model`` 是 ``models`` 下的名字。
    不写则由写入方自带向量。"""

    @field_validator("engine")
    @classmethod
    def _there_is_a_chart(cls, value: str) -> str:
        if value == ENGINE:
            return value
        others = [name for name in registry.answering("vectors") if name != ENGINE]
        if value in others:
            raise invalid(
                "fleet.store-without-chart",
                _("{title} is asked for, and of vector stores a fleet has Weaviate alone",
                  title=registry.of_argument("vectors", value).manifest.title),
                _("engine: weaviate, or a VectorStore on a machine of its own"),
            )  # fmt: skip
        raise invalid(
            "fleet.store-without-chart",
            _("no vector store is called {name!r}", name=value),
            _("engine: weaviate"),
        )

    @field_validator("chart_version")
    @classmethod
    def _chart_is_known(cls, value: str) -> str:
        if value not in STORE_CHARTS:
            raise invalid(
                "fleet.unknown-chart",
                _("the values of Weaviate's chart {value} are not known here", value=value),
                _("known: {names}", names=listed(STORE_CHARTS)),
            )
        return value
