"""The network that machines stand in."""

from __future__ import annotations

import ipaddress
import re
from typing import Self

from pydantic import Field, model_validator

from pulumi_llm._texts import _
from pulumi_llm.errors import Finding, Refusal
from pulumi_llm.spec.fields import Cidr, Part, Text, invalid


class NetworksOwn(Part):
    """What only ``Network`` takes."""

    zones: tuple[Text, ...] = ()
    """Further zones, with a subnet in each, for machines in several zones."""


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
    subnets: dict[str, Text] = Field(default_factory=dict)
    """Existing subnets of that VPC in other zones, by zone: for ``replica_zones``.

    zh: 该 VPC 在其他可用区的已有子网，以可用区为键，用于 ``replica_zones``。"""

    @model_validator(mode="after")
    def _whole_or_none(self) -> Self:
        if (self.vpc_id is None) != (self.subnet_id is None):
            raise invalid(
                "spec.half-a-network",
                _("an existing network needs both vpc_id and subnet_id, and only one is given"),
                _("give both, or neither to have a network made"),
            )
        if self.subnets and self.vpc_id is None:
            raise invalid(
                "spec.half-a-network",
                _("subnets of a network are named, and not the network"),
                _("vpc_id and subnet_id; or leave subnets out to have them made"),
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

    def subnet_in(self, zone: str) -> str:
        """The /24 of the subnet that is made in another zone than the first.

        Told by the zone's own letter or number, so that it stays what it is whichever zones there are besides.

        Raises:
            Refusal: ``spec.bad-network-cidr`` where the network is too small for it.
        """
        told = re.search(r"(\d+|[a-z])$", zone)
        number = 0 if told is None else int(told[1]) if told[1].isdigit() else ord(told[1]) - ord("a") + 1
        network = ipaddress.IPv4Network(self.cidr)
        if not 0 < number < 2 ** (24 - network.prefixlen):
            message = _("{cidr} has no room for a subnet in {zone}", cidr=self.cidr, zone=zone)
            raise Refusal([Finding("spec.bad-network-cidr", message, "10.60.0.0/16", where="network")])
        return str(ipaddress.IPv4Network((int(network.network_address) + number * 256, 24)))

    @property
    def exists(self) -> bool:
        """Whether an existing network is named."""
        return self.vpc_id is not None

    @property
    def subnet_cidr(self) -> str:
        """The first /24 of the network."""
        return str(next(ipaddress.IPv4Network(self.cidr).subnets(new_prefix=24)))
