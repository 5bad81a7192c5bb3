"""Scopes and observations that the refresh tests use."""

from __future__ import annotations

from datetime import date
from typing import Any

from pulumi_llm._refresh.observed import Observation, Quote, Scope
from pulumi_llm.catalog import DATA, Catalog
from pulumi_llm.errors import Finding

TODAY = date(2026, 11, 24)
SHIPPED = Catalog(DATA)

AWS_T4, ALIYUN_T4, TENCENT_T4 = "g4dn.xlarge", "ecs.gn6i-c4g1.xlarge", "GN7.2XLARGE32"


def scope(cloud: str, region: str, *types: str) -> Scope:
    rows = tuple(SHIPPED.instance(cloud, name) for name in types)
    return Scope(cloud=cloud, regions=(region,), types=rows, today=TODAY)


def seen(**given: Any) -> Observation:
    """A T4 in cn-hangzhou, with what is given instead."""
    usual: dict[str, Any] = {
        "cloud": "aliyun",
        "instance_type": ALIYUN_T4,
        "region": "cn-hangzhou",
        "zones": {"cn-hangzhou-h": "available", "cn-hangzhou-i": "available"},
        "source": "aliyun DescribeAvailableResource on 2026-11-24",
        "source_date": "2026-11-24",
    }
    return Observation(**{**usual, **given}).dated()


def cny(amount: float, **given: Any) -> Quote:
    return Quote(amount=amount, currency="CNY", api="DescribePrice", **given)


def codes(findings: list[Finding]) -> list[str]:
    return [each.code for each in findings]


def silent(line: str) -> None:
    """Takes progress and says nothing."""
