"""Small plans, and a catalogue with round prices, so that a test's figures can be checked in one's head."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

from pulumi_llm._plan.model import Plan, PlannedResource
from pulumi_llm._review.bill import Bill, Line, make_bill
from pulumi_llm._review.item import Usage
from pulumi_llm.catalog import DATA, Catalog

TODAY = date(2026, 7, 1)

INSTANCE = {
    "aws": "aws:ec2/instance:Instance",
    "aliyun": "alicloud:ecs/instance:Instance",
    "tencent": "tencentcloud:Instance/instance:Instance",
}
DISK = {
    "aws": "aws:ebs/volume:Volume",
    "aliyun": "alicloud:ecs/ecsDisk:EcsDisk",
    "tencent": "tencentcloud:Cbs/storage:Storage",
}
ADDRESS = {
    "aws": "aws:ec2/eip:Eip",
    "aliyun": "alicloud:ecs/eipAddress:EipAddress",
    "tencent": "tencentcloud:Eip/instance:Instance",
}
ASSOCIATION = {
    "aws": "aws:ec2/eipAssociation:EipAssociation",
    "aliyun": "alicloud:ecs/eipAssociation:EipAssociation",
    "tencent": "tencentcloud:Eip/association:Association",
}
PACKAGE = {"aws": "aws", "aliyun": "alicloud", "tencent": "tencentcloud"}
REGION = {"aws": "us-east-1", "aliyun": "cn-hangzhou", "tencent": "ap-guangzhou"}


def catalogue(folder: Path) -> Catalog:
    """The shipped catalogue with prices, extras and exchange rate of our own; 1 USD is 8 CNY."""
    folder.mkdir()
    Catalog(DATA).copy_to(folder)
    sources = {"new": {"title": "a list", "date": "2026-06-01"}, "old": {"title": "an old list", "date": "2024-01-01"}}
    prices = [
        ("aws", "g4dn.xlarge", "us-east-1", 0.5, "USD", "new", {}),
        ("aws", "g4dn.xlarge", "us-east-1", 0.25, "USD", "new", {"spot": True}),
        ("aws", "g4dn.xlarge", "us-west-2", 1, "USD", "new", {"derived": True}),
        ("aws", "g4dn.xlarge", "cn-north-1", 4, "CNY", "new", {}),
        ("aws", "g5.xlarge", "us-east-1", 2, "USD", "new", {}),
        ("aliyun", "ecs.gn6i-c4g1.xlarge", "cn-hangzhou", 8, "CNY", "old", {}),
        ("tencent", "GN7.2XLARGE32", "ap-guangzhou", 1, "USD", "new", {}),
    ]
    extras = [
        ("aws", "disk", "gp3", "us-east-1", 0.073, "USD", "GiB-month"),
        ("aws", "public-address", "in-use", "*", 0.01, "USD", "hour"),
        ("aws", "public-address", "idle", "*", 0.01, "USD", "hour"),
        ("aws", "traffic-out", "internet", "us-east-1", 0.1, "USD", "GiB"),
        ("aliyun", "disk", "cloud_essd-PL0", "cn-hangzhou", 0.001, "CNY", "GiB-hour"),
        ("aliyun", "disk", "cloud_essd-PL1", "cn-hangzhou", 0.002, "CNY", "GiB-hour"),
        ("tencent", "public-address", "in-use", "ap-guangzhou", 0, "USD", "hour"),
        ("tencent", "public-address", "idle", "ap-guangzhou", 0.05, "USD", "hour"),
        ("tencent", "traffic-out", "internet", "ap-guangzhou", 0.1, "USD", "GiB"),
    ]
    keys = ("cloud", "instance_type", "region", "amount", "currency", "source")
    extra_keys = ("cloud", "kind", "item", "region", "amount", "currency", "unit")
    _write(folder / "prices.json", sources, [dict(zip(keys, row[:6], strict=True)) | row[6] for row in prices])
    _write(
        folder / "extras.json",
        sources,
        [{**dict(zip(extra_keys, row, strict=True)), "source": "new"} for row in extras],
    )
    rate = {"base": "USD", "quote": "CNY", "rate": 8.0, "source": "new"}
    _write(folder / "exchange_rates.json", sources, [rate])
    return Catalog(folder)


def _write(path: Path, sources: object, rows: object) -> None:
    path.write_text(json.dumps({"sources": sources, "rows": rows}), encoding="utf-8")


class Program:
    """A plan that is put together by hand, as the engine's monitor would be told of it."""

    def __init__(self) -> None:
        self.plan = Plan("project", "dev")

    def provider(self, package: str, region: str) -> str:
        urn = self.add(f"pulumi:providers:{package}", f"{package}-{region}", {"region": region})
        return f"{urn}::04da6b54-80e4-46f7-96ec-b56ff0331ba9"

    def add(
        self,
        type_: str,
        name: str,
        inputs: dict[str, Any],
        *,
        provider: str = "",
        needs: tuple[str, ...] = (),
        custom: bool = True,
    ) -> str:
        urn = f"urn:pulumi:dev::project::{type_}::{name}"
        self.plan.resources.append(
            PlannedResource(urn, type_, name, "", custom, inputs, provider=provider, dependencies=needs)
        )
        return urn

    def in_region(self, cloud: str, type_: str, name: str, inputs: dict[str, Any], needs: tuple[str, ...] = ()) -> str:
        """A resource behind a provider of the cloud's region in these tests."""
        region = REGION[cloud]
        found = [each for each in self.plan.resources if each.name == f"{PACKAGE[cloud]}-{region}"]
        provider = f"{found[0].urn}::id" if found else self.provider(PACKAGE[cloud], region)
        return self.add(type_, name, inputs, provider=provider, needs=needs)

    def attached_address(self, cloud: str, inputs: dict[str, Any], machine: dict[str, Any]) -> None:
        """A machine called ``machine`` with an address called ``address``."""
        address = self.in_region(cloud, ADDRESS[cloud], "address", inputs)
        held = self.in_region(cloud, INSTANCE[cloud], "machine", machine)
        self.in_region(cloud, ASSOCIATION[cloud], "attachment", {}, (address, held))

    def bill(self, catalog: Catalog, usage: Usage | None = None, **more: Any) -> Bill:
        return make_bill(self.plan, catalog, usage or Usage(), today=TODAY, **more)

    def lines(self, catalog: Catalog, usage: Usage | None = None, **more: Any) -> dict[tuple[str, str], Line]:
        return {(line.resource, line.slot): line for line in self.bill(catalog, usage, **more).lines}
