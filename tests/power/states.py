"""States as `pulumi stack export` writes them, of what a shipped stack has of machines, disks and addresses."""

from __future__ import annotations

from typing import Any

HEAD = "urn:pulumi:aliyun-t4::pulumi-llm::"
COMPONENTS = {"server": "llm:index:ModelServer", "proxy": "llm:index:OverseasProxy", "vectors": "llm:index:VectorStore"}


def urn(type_: str, name: str) -> str:
    return f"{HEAD}{type_}::{name}"


def resource(type_: str, name: str, id_: str, inputs: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"urn": urn(type_, name), "custom": True, "id": id_, "type": type_, "inputs": inputs, **more}


def component(place: str) -> dict[str, Any]:
    type_ = COMPONENTS[place]
    return {"urn": urn(type_, f"llm-{place}"), "custom": False, "type": type_, "inputs": {}}


def aliyun(place: str = "server", *, type_: str = "ecs.gn6i-c4g1.xlarge", spot: bool = False) -> list[dict[str, Any]]:
    provider = resource("pulumi:providers:alicloud", f"ali-{place}", "p1", {"region": "cn-hangzhou"})
    inside = {"provider": f"{provider['urn']}::p1", "parent": component(place)["urn"]}
    inputs = {"instanceType": type_, "availabilityZone": "cn-hangzhou-i", "instanceChargeType": "PostPaid"}
    inputs |= {"spotStrategy": "SpotAsPriceGo" if spot else "NoSpot", "systemDiskSize": 80}
    inputs |= {"systemDiskCategory": "cloud_essd", "systemDiskPerformanceLevel": "PL0"}
    machine = resource("alicloud:ecs/instance:Instance", f"{place}-machine", f"i-ali{place}", inputs, **inside)
    disk = resource(
        "alicloud:ecs/ecsDisk:EcsDisk",
        f"{place}-disk",
        "d-1",
        {"category": "cloud_essd", "performanceLevel": "PL1", "size": 100, "zoneId": "cn-hangzhou-i"},
        **inside,
    )
    return [provider, component(place), machine, disk]


def aws(place: str = "proxy", *, type_: str = "t3.small", spot: bool = False) -> list[dict[str, Any]]:
    provider = resource("pulumi:providers:aws", f"aws-{place}", "p2", {"region": "ap-southeast-1"})
    inside = {"provider": f"{provider['urn']}::p2", "parent": component(place)["urn"]}
    inputs: dict[str, Any] = {"instanceType": type_, "availabilityZone": "ap-southeast-1a"}
    inputs |= {"rootBlockDevice": {"volumeSize": 40, "volumeType": "gp3"}, "associatePublicIpAddress": True}
    inputs |= {"instanceMarketOptions": {"marketType": "spot"}} if spot else {}
    machine = resource("aws:ec2/instance:Instance", f"{place}-machine", f"i-aws{place}", inputs, **inside)
    address = resource("aws:ec2/eip:Eip", f"{place}-address", "eipalloc-1", {"domain": "vpc"}, **inside)
    tie = resource("aws:ec2/eipAssociation:EipAssociation", f"{place}-tie", "eipassoc-1", {}, **inside)
    tie["dependencies"] = [address["urn"], machine["urn"]]
    return [provider, component(place), machine, address, tie]


def tencent(place: str = "server", *, type_: str = "GN7.2XLARGE32", spot: bool = False) -> list[dict[str, Any]]:
    provider = resource("pulumi:providers:tencentcloud", f"tc-{place}", "p3", {"region": "ap-guangzhou"})
    inputs = {"instanceType": type_, "availabilityZone": "ap-guangzhou-6", "systemDiskSize": 80}
    inputs |= {"systemDiskType": "CLOUD_BSSD", "instanceChargeType": "SPOTPAID" if spot else "POSTPAID_BY_HOUR"}
    inside = {"provider": f"{provider['urn']}::p3", "parent": component(place)["urn"]}
    name = "tencentcloud:Instance/instance:Instance"
    return [provider, component(place), resource(name, f"{place}-machine", "ins-1", inputs, **inside)]


def state(*parts: list[dict[str, Any]]) -> dict[str, Any]:
    return {"version": 3, "deployment": {"manifest": {}, "resources": [each for part in parts for each in part]}}
