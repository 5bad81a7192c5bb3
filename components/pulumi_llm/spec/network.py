"""The network that machines stand in."""

from __future__ import annotations

import ipaddress
from typing import Self

from pydantic import model_validator

from pulumi_llm._texts import _
from pulumi_llm.spec.fields import Cidr, Part, Text, invalid


class NetworkSpec(Part):
    """The network: made with ``cidr``, or one that exists, by its ids."""

    cidr: Cidr = "10.60.0.0/16"
    """The range of the network that is made: private, /16 to /24. The subnet is its first /24.

    zh: 新建网络的网段：私有地址，/16 到 /24。子网是它的第一个 /24。"""
    vpc_id: Text | None = None
    """An existing VPC. Needs ``subnet_id`` and a ``zone``.

    zh: 已有的 VPC。需同时给 ``subnet_id`` 和 ``zone``。"""
    subnet_id: Text | None = None
    """An existing subnet (a vSwitch on Aliyun).

    zh: 已有的子网（阿里云叫交换机）。"""

    @model_validator(mode="after")
    def _whole_or_none(self) -> Self:
        if (self.vpc_id is None) != (self.subnet_id is None):
            raise invalid(
                "spec.half-a-network",
                _("an existing network needs both vpc_id and subnet_id, and only one is given"),
                _("give both, or neither to have a network made"),
            )
        if self.vpc_id is None:
            network = ipaddress.IPv4Network(self.cidr)
            if not network.is_private or not 16 <= network.prefixlen <= 24:
                raise invalid(
                    "spec.bad-network-cidr",
                    _(
                        "a new network cannot be {cidr}: it must be a private range between /16 and /24",
                        cidr=self.cidr,
                    ),
                    "10.60.0.0/16",
                )
        return self

    @property
    def exists(self) -> bool:
        """Whether an existing network is named."""
        return self.vpc_id is not None

    @property
    def subnet_cidr(self) -> str:
        """The first /24 of the network."""
        return str(next(ipaddress.IPv4Network(self.cidr).subnets(new_prefix=24)))
