"""What these tests share: no credentials of this machine, a server that speaks as clouds do, a clock."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pulumi_llm._power.act import Clock, Hand
from pulumi_llm._power.base import Power
from pulumi_llm._power.machines import Machine
from tests.refresh.conftest import no_account, server

__all__ = ["no_account", "server"]


class Passing:
    """Time that passes only while something waits."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def clock(self) -> Clock:
        return Clock(now=lambda: self.seconds, pause=self._pass)

    def _pass(self, seconds: float) -> None:
        self.seconds += seconds


@pytest.fixture
def time() -> Passing:
    return Passing()


@pytest.fixture
def said() -> list[str]:
    """What would be told meanwhile."""
    return []


def machine_at(cloud: str, identity: str, **other: object) -> Machine:
    region, zone, type_ = {
        "aliyun": ("cn-hangzhou", "cn-hangzhou-i", "ecs.gn6i-c4g1.xlarge"),
        "tencent": ("ap-guangzhou", "ap-guangzhou-6", "GN7.2XLARGE32"),
        "aws": ("us-east-1", "us-east-1a", "g4dn.xlarge"),
        "gcp": ("us-central1", "us-central1-a", "g2-standard-4"),
    }[cloud]
    facts = {"place": "server", "name": "llm-server", "urn": "urn:x", "id": identity, "cloud": cloud}
    facts |= {"region": region, "zone": zone, "instance_type": type_, "spot": False, **other}
    return Machine(**facts)  # type: ignore[arg-type]


Grip = Callable[..., Hand]


def hand_of(cloud: str, power: Power, identity: str, **other: object) -> Hand:
    import importlib

    actions = importlib.import_module(f"pulumi_llm.clouds.{cloud}.power").ACTIONS
    return Hand(machine_at(cloud, identity, **other), power, actions)
