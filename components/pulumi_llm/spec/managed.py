"""A cluster that is made for a fleet: its network, who asks its API, and the machines that are no GPU nodes."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Self

from pydantic import Field, model_validator

from pulumi_llm._texts import _
from pulumi_llm.spec.fields import Cidr, Count, Flag, Part, Text, covers_world, invalid
from pulumi_llm.spec.tags import Tags


class ManagedSpec(Part):
    """A managed cluster that is made: ACK on Aliyun, TKE on Tencent Cloud, EKS on AWS. The GPU nodes are ``nodes``."""

    api_cidrs: tuple[Cidr, ...] = ()
    """Who may ask the cluster's API from outside its network. Left out: it answers inside the network alone, and `up`
    must run there.

    zh: 谁可以从网络外访问集群的 API。不写则只在网络内部应答，``up`` 必须在网络内运行。"""
    zones: tuple[Text, ...] = ()
    """Where the nodes stand. Left out: at most two zones in which the catalogue knows the machine.

    zh: 节点所在的可用区。不写则取目录中有该机型的可用区，最多两个。"""
    cidr: Cidr = "10.64.0.0/16"
    """The range of the network that is made: private, a /16.

    zh: 新建网络的网段：私有地址，/16。"""
    vpc_id: Text | None = None
    """An existing VPC, with a way out. Needs ``subnets``.

    zh: 已有的 VPC，须能访问公网。需同时给 ``subnets``。"""
    subnets: dict[str, Text] = Field(default_factory=dict)
    """Its subnets (vSwitches on Aliyun), by zone.

    zh: 该 VPC 的子网（阿里云叫交换机），以可用区为键。"""
    system_type: Text | None = None
    """The machine type of what needs no GPU: gateway, router, DNS. Left out: see docs/fleet.md.

    zh: 不需要 GPU 的部分（网关、路由器、DNS）所用的机型。不写则见 docs/fleet.zh.md。"""
    system_count: Annotated[Count, Field(ge=1, le=20)] = 2
    """How many of those.

    zh: 这类机器的数量。"""
    secrets_key: Text | None = None
    """A key of the cloud's key service that Kubernetes' secrets are encrypted with. Left out: one is made, where the
    cloud sells keys one by one.

    zh: 用于加密 Kubernetes Secret 的云 KMS 密钥。不写则在可单独购买密钥的云上新建一个。"""
    gpu_driver: Text | None = None
    """The driver of the GPU nodes, where the cloud lets one choose. Left out: the cloud's choice.

    zh: GPU 节点的驱动版本，仅在云允许选择时可写。不写则由云决定。"""
    admins: tuple[Text, ...] = ()
    """On AWS: ARNs of further roles or users that may do everything in the cluster.

    zh: AWS：还有哪些角色或用户（ARN）可以管理整个集群。"""
    operators: Flag = True
    """Install what the fleet needs besides: KubeRay's operator with ``engine: kuberay``, KEDA where a model has
    ``scaling``, on EKS the cluster-autoscaler with ``nodes.min_count``. ``false``: you install them yourself.

    zh: 安装集群服务还需要的程序：``engine: kuberay`` 时的 KubeRay operator，模型写了 ``scaling`` 时的 KEDA，
    EKS 上写了 ``nodes.min_count`` 时的 cluster-autoscaler。``false`` 表示由你自己安装。"""
    protect: Flag = False
    """Keep the cluster from being deleted or replaced.

    zh: 防止集群被删除或替换。"""
    tags: Tags = Field(default_factory=dict)
    """Tags for everything of the cluster's that takes them. Keys and values must suit all three clouds.

    zh: 打在集群中所有支持标签的资源上；键和值必须三家云都接受。"""

    @model_validator(mode="after")
    def _the_api_is_not_the_worlds(self) -> Self:
        if wide := covers_world(self.api_cidrs):
            raise invalid(
                "spec.open-to-world", _("{wide} lets the internet in", wide=wide), _("the ranges that may call")
            )
        return self

    @model_validator(mode="after")
    def _the_network_is_whole(self) -> Self:
        if (self.vpc_id is None) != (not self.subnets):
            raise invalid(
                "spec.half-a-network",
                _("an existing network needs both vpc_id and subnets, and only one is given"),
                _("give both, or neither to have a network made"),
            )
        if stray := [each for each in self.zones if self.subnets and each not in self.subnets]:
            raise invalid(
                "spec.half-a-network",
                _("nodes are to stand in {zone}, and no subnet of it is named", zone=stray[0]),
                _("subnets: {{{zone}: …}}", zone=stray[0]),
            )
        network = ipaddress.IPv4Network(self.cidr)
        if not network.is_private or network.prefixlen != 16:
            raise invalid(
                "spec.bad-network-cidr",
                _("{cidr} cannot be a cluster's network: each pod has an address of it", cidr=self.cidr),
                "10.64.0.0/16",
            )
        return self
