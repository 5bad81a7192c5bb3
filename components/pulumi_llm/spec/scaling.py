"""Engines of a fleet that follow the load."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from pulumi_llm._texts import _
from pulumi_llm.spec.fields import Count, Part, invalid

MOST = 5000
"""Engines of one model at most."""


class ScalingSpec(Part):
    """How many engines serve a model: as many as its calls need, between two numbers. KEDA, which must be in the
    cluster, adds them and takes them away."""

    most: Annotated[Count, Field(ge=1, le=MOST)]
    """How many there are at most: nodes, quota and bill reckon with as many.

    zh: 最多多少个：节点数、配额和账单都按它计算。"""
    least: Annotated[Count, Field(ge=0, le=MOST)] = 1
    """How many there are at least. With 0 none is there once nobody has asked for ``idle_minutes`` and for as long as
    an engine takes to start besides, and the first call after that starts one.

    zh: 最少多少个。写 0 时，没有请求的时间超过 ``idle_minutes`` 再加启动一次所需的时间，就一个也不留，
    之后的第一个请求会启动一个。"""
    queue: Annotated[Count, Field(ge=1, le=4096)] = 8
    """Calls that may wait for each engine, besides those that it works on at once: with more another engine is added.

    zh: 每个引擎除正在处理的请求外允许排队的请求数；超过就增加一个引擎。"""
    idle_minutes: Annotated[Count, Field(ge=1, le=60)] = 10
    """Minutes for which fewer engines would have done, before one goes.

    zh: 引擎多余的状态持续多少分钟后才减少。"""

    @model_validator(mode="after")
    def _from_less_to_more(self) -> Self:
        if self.least > self.most:
            raise invalid(
                "fleet.more-at-least-than-at-most",
                _("{least} at least is more than {most} at most", least=self.least, most=self.most),
                f"least: {self.most}",
            )
        if self.least == self.most:
            raise invalid(
                "fleet.nothing-to-follow",
                _("{count} engines at least and at most leave nothing to follow the load", count=self.most),
                f"copies: {self.most}",
            )
        return self
