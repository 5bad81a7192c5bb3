"""A whole platform: its parts, and what they ask of each other."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Self

from pydantic import Field, model_validator

from pulumi_llm import catalog
from pulumi_llm._texts import _
from pulumi_llm.errors import among
from pulumi_llm.spec.access import FILED_PORTS, AccessSpec
from pulumi_llm.spec.backup import BUCKETS, bucket_of
from pulumi_llm.spec.fields import Flag, Part, invalid
from pulumi_llm.spec.host import refuse_bought
from pulumi_llm.spec.keys import KeySpec
from pulumi_llm.spec.network import NetworkSpec
from pulumi_llm.spec.place import image_of
from pulumi_llm.spec.proxy import ProxySpec
from pulumi_llm.spec.server import ServerSpec
from pulumi_llm.spec.tags import Tags
from pulumi_llm.spec.upstreams import refuse_twice, served_by
from pulumi_llm.spec.vectors import VectorsSpec


class PlatformSpec(Part):
    """A whole platform: what ``stacks/Pulumi.<stack>.yaml`` holds under ``platform``."""

    server: ServerSpec
    """The GPU host and the model: see ``server``.

    zh: GPU 主机和模型，见 [``server``](#server)。"""
    access: AccessSpec
    """Who may reach the machines: see ``access``.

    zh: 谁可以访问这些机器，见 [``access``](#access)。"""
    vectors: VectorsSpec | None = None
    """The vector store: see ``vectors``. Left out: none.

    zh: 向量库，见 [``vectors``](#vectors)。不写就不装。"""
    proxy: ProxySpec | None = None
    """The overseas proxy: see ``proxy``. Left out: none.

    zh: 海外代理，见 [``proxy``](#proxy)。不写就没有。"""
    network: NetworkSpec = Field(default_factory=NetworkSpec)
    """The network of the server (and of a vector store on its own machine): see ``network``.

    zh: 服务器（以及独立的向量库机器）所在的网络，见 [``network``](#network)。"""
    protect: Flag | None = None
    """Keep all data disks from being deleted or replaced; ``false`` says that the data may go: see ``protect``.

    zh: 数据盘不许删除或重建；``false`` 表示数据可以丢弃，见 [``protect``](#protect)。"""
    tags: Tags = Field(default_factory=dict)
    """Tags for everything that takes them. Keys and values must suit all three clouds.

    zh: 打在所有支持标签的资源上；键和值必须三家云都接受。"""

    @model_validator(mode="after")
    def _image_is_of_the_cloud(self) -> Self:
        if self.vectors is not None and self.vectors.image_id is not None:
            image_of(self.server.cloud, self.vectors.image_id)
        return self

    @model_validator(mode="after")
    def _nothing_is_bought_beside_a_host(self) -> Self:
        if self.server.host is None:
            return self
        bought = ["network"] * bool(self.network.model_fields_set)
        if self.vectors is not None and self.vectors.placement == "own":
            bought.append("vectors.placement: own")
        refuse_bought(bought)
        return self

    @model_validator(mode="after")
    def _buckets_region_is_known(self) -> Self:
        """A bucket of another cloud than the store's is in no region of the store's."""
        backup = self.vectors.backup if self.vectors is not None else None
        bucket = bucket_of(backup.to) if backup is not None and backup.to is not None else None
        if backup is None or bucket is None or backup.region is not None or backup.endpoint is not None:
            return self
        if BUCKETS[bucket.scheme]["cloud"] != self.server.cloud:
            raise invalid(
                "vectors.backup-place",
                _("{to} is in another cloud than the vector store, and nothing says in which region", to=backup.to),
                _("vectors.backup.region: the bucket's region"),
            )
        return self

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        for place in (self.server, self.proxy):
            if place is None or self.access.https_port is None:
                continue
            if catalog.load().region(place.cloud, place.region).in_china and self.access.https_port in FILED_PORTS:
                raise invalid(
                    "spec.port-needs-filing",
                    _(
                        "port {https_port} needs an ICP filing on a host in {region}",
                        https_port=self.access.https_port,
                        region=place.region,
                    ),
                    _("leave https_port out (18443 is taken), or a high port"),
                )
        ours = [*self.server.own_models, *served_by(self.server.upstreams)]
        theirs = served_by(self.proxy.upstreams) if self.proxy is not None else []
        refuse_twice([*ours, *theirs], "served_name", self.server.models)
        for where, keys, routes, models in (
            ("server", self.server.keys, self.server.routes, [*ours, *theirs]),
            ("proxy", self._proxy_keys(), self.proxy.routes if self.proxy else {}, theirs),
        ):
            for name, route in routes.items():
                for model in route.all:
                    if model not in models:
                        raise invalid(
                            "spec.route-to-unserved-model",
                            _(
                                "the {where}'s route {name!r} names {model!r}, which that gateway does not serve",
                                where=where,
                                name=name,
                                model=model,
                            ),
                            among(model, models),
                        )
            served = [*models, *routes]
            for name, key in keys.items():
                for model in key.models:
                    if not any(fnmatchcase(each, model) for each in served):
                        raise invalid(
                            "spec.key-of-unserved-model",
                            _(
                                "the {where}'s key {name!r} names {model!r}, which that gateway does not serve",
                                where=where,
                                name=name,
                                model=model,
                            ),
                            among(model, served),
                        )
        return self

    def _proxy_keys(self) -> Mapping[str, KeySpec]:
        return self.proxy.keys if self.proxy else {}
