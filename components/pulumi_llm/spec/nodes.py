"""The cluster that a fleet is in, and its GPU nodes."""

from __future__ import annotations

import re
from typing import Annotated, Self

from pydantic import Field, field_validator, model_validator

from pulumi_llm import catalog
from pulumi_llm._texts import _, listed
from pulumi_llm.spec.fields import Count, Part, Text, invalid, known
from pulumi_llm.spec.host import HostPriceSpec
from pulumi_llm.spec.kubernetes import Labels, TaintKeys
from pulumi_llm.spec.managed import ManagedSpec

OLDEST = (1, 25)
"""The oldest Kubernetes whose API has what is made: Pod Security Admission is stable since 1.25 (kubernetes.io)."""


class ClusterSpec(Part):
    """Which cluster is meant, so that no other one is changed by a kubeconfig that points elsewhere."""

    context: Text | None = None
    """The kubeconfig's context. Left out: its current one.

    zh: kubeconfig 中的 context。不写则用当前的。"""
    server: Text | None = None
    """The address of its API server, such as ``https://203.0.113.7:6443``. Given, a kubeconfig that leads to another
    one is refused.

    zh: API server 的地址，如 ``https://203.0.113.7:6443``。写了之后，指向别处的 kubeconfig 会被拒绝。"""
    version: Text | None = None
    """Its Kubernetes version, such as ``1.34``. Left out: not checked; of a cluster that is made, the newest that is
    known here.

    zh: 集群的 Kubernetes 版本，如 ``1.34``。不写则不检查；新建集群则取这里已知的最新版本。"""
    managed: ManagedSpec | None = None
    """Make the cluster: see ``cluster.managed``. Left out: it is there already, and a kubeconfig leads to it.

    zh: 新建集群，见 ``cluster.managed``。不写则集群已存在，由 kubeconfig 指向。"""

    @field_validator("version")
    @classmethod
    def _is_new_enough(cls, value: str | None) -> str | None:
        if value is None:
            return None
        found = re.fullmatch(r"v?([0-9]+)\.([0-9]+)([.+-].*)?", value)
        if found is None:
            raise invalid("fleet.bad-version", _("{value!r} is not a version of Kubernetes", value=value), "1.34")
        if (int(found[1]), int(found[2])) < OLDEST:
            raise invalid(
                "fleet.cluster-too-old",
                _("the cluster has Kubernetes {value}, and what is made needs {oldest}", value=value,
                  oldest=".".join(map(str, OLDEST))),
                _("upgrade the cluster"),
            )  # fmt: skip
        return value

    @model_validator(mode="after")
    def _made_or_there(self) -> Self:
        given = [name for name in ("context", "server") if getattr(self, name) is not None]
        if self.managed is not None and given:
            raise invalid(
                "fleet.made-and-there",
                _("the cluster is to be made, and {named} is said of one that is there", named=listed(given)),
                _("leave out one or the other"),
            )
        return self

    @field_validator("server")
    @classmethod
    def _is_an_address(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"https://[^/\s]+/?", value):
            raise invalid(
                "fleet.bad-server",
                _("{value!r} is not an API server's address", value=value),
                "https://203.0.113.7:6443",
            )
        return value.rstrip("/") if value else value


class NodesSpec(Part):
    """The cluster's GPU nodes that the fleet may use: all alike."""

    count: Annotated[Count, Field(ge=1, le=5000)]
    """How many there are; with ``min_count`` at most.

    zh: 节点数；写了 ``min_count`` 时为最多。"""
    min_count: Annotated[Count, Field(ge=0, le=5000)] | None = None
    """How many there are at least, in a cluster that is made: its cloud makes and deletes the others as pods need
    them. Left out: as many as ``count``.

    zh: 新建集群时最少的节点数：其余由云按 Pod 需要增减。不写则等于 ``count``。"""
    gpu: Text | None = None
    """The GPU that each has. Left out: that of ``instance_type``.

    zh: 每个节点的 GPU。不写则按 ``instance_type``。"""
    gpus: Annotated[Count, Field(ge=1, le=16)] | None = None
    """GPUs of each node. Left out: those of ``instance_type``, else 1.

    zh: 每个节点的 GPU 数。不写则按 ``instance_type``，否则为 1。"""
    cloud: Text | None = None
    """The cloud whose machines they are, for their price: with ``region`` and ``instance_type``.

    zh: 节点所在的云，用于取价格；与 ``region``、``instance_type`` 一起写。"""
    region: Text | None = None
    """The cloud's own name of their region.

    zh: 所在地域，用云厂商自己的名称。"""
    instance_type: Text | None = None
    """What the cloud calls such a machine.

    zh: 云厂商的机型名。"""
    price: HostPriceSpec | None = None
    """What one node costs, where no cloud's price is meant.

    zh: 单个节点的价格；不按云目录取价时填写。"""
    gpu_quota: Annotated[Count, Field(ge=0)] | None = None
    """GPUs that the cloud, or the cluster's owner, grants. Left out: not checked.

    zh: 云或集群管理者批准的 GPU 数。不写则不检查。"""
    vcpus: Annotated[Count, Field(ge=1)] | None = None
    """vCPUs of each node. Left out: those of ``instance_type``; engines then ask for 4 for each GPU.

    zh: 每个节点的 vCPU。不写则按 ``instance_type``；都没有时每个 GPU 申请 4 个。"""
    memory_gib: Annotated[Count, Field(ge=4)] | None = None
    """GiB of memory of each node. Left out: those of ``instance_type``; engines then ask for 16 for each GPU.

    zh: 每个节点的内存 GiB。不写则按 ``instance_type``；都没有时每个 GPU 申请 16。"""
    labels: Labels = Field(default_factory=dict)
    """Labels that a node must have to be used, such as ``nvidia.com/gpu.product``.

    zh: 可用节点必须带有的标签，如 ``nvidia.com/gpu.product``。"""
    taints: TaintKeys = ("nvidia.com/gpu",)
    """Keys of taints that engines tolerate, whatever their value and effect.

    zh: 推理引擎容忍的污点键，不论值和效果。"""

    @field_validator("gpu")
    @classmethod
    def _gpu_exists(cls, value: str | None) -> str | None:
        if value is None:
            return None
        known(lambda: catalog.load().gpu(value))
        return catalog.load().gpu(value).name

    @model_validator(mode="after")
    def _machine_is_known(self) -> Self:
        named = [name for name in ("cloud", "region", "instance_type") if getattr(self, name) is not None]
        if named and len(named) < 3:
            raise invalid(
                "fleet.half-a-machine",
                _("of a cloud's machine {named} is given alone", named=listed(named)),
                _("cloud, region and instance_type together, or gpu and price"),
            )
        if self.min_count is not None and self.min_count > self.count:
            raise invalid(
                "fleet.more-at-least-than-at-most",
                _("{least} at least is more than {most} at most", least=self.min_count, most=self.count),
                "min_count: 0",
            )
        if not named and self.gpu is None:
            raise invalid("fleet.no-gpu", _("nothing says which GPU the nodes have"), _("gpu, or instance_type"))
        if self.cloud is not None and self.region is not None and self.instance_type is not None:
            cloud, region, type_ = self.cloud, self.region, self.instance_type
            known(lambda: catalog.load().region(cloud, region))
            known(lambda: catalog.load().instance(cloud, type_))
            row = catalog.load().instance(cloud, type_)
            wanted = (self.gpu or row.gpu, self.gpus or row.gpu_count)
            if row.gpu is None or wanted != (row.gpu, row.gpu_count):
                raise invalid(
                    "fleet.gpus-differ",
                    _("{type} carries {count} x {gpu}, and {wanted_count} x {wanted} is said", type=type_,
                      count=row.gpu_count, gpu=row.gpu or "-", wanted_count=wanted[1], wanted=wanted[0] or "-"),
                    _("leave gpu and gpus out, or another instance_type"),
                )  # fmt: skip
        return self
