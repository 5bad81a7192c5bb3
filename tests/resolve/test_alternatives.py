"""What is taken in place of a server is settled like the server itself, before it is needed."""

from __future__ import annotations

from typing import Any

import pytest

import pulumi_llm as llm
from pulumi_llm._commands._recover_engine import failures_of, sold_out
from pulumi_llm._plan.capture import capture
from pulumi_llm._resolve import ResolvedPlatform, resolve_platform
from pulumi_llm.clouds import folders
from pulumi_llm.errors import Refusal
from tests.test_components import SERVER as ALONE

SERVER = {
    "cloud": "aliyun",
    "region": "cn-hangzhou",
    "zone": "cn-hangzhou-b",
    "gpu": "T4",
    "model": "01-ai/Yi-6B-Chat",
    "context_length": 4096,
    "spot": True,
}
ALTERNATIVES = [{"zone": "cn-hangzhou-h"}, {"instance_type": "ecs.gn6i-c16g1.4xlarge", "spot": False}]


def resolved(**more: Any) -> ResolvedPlatform:
    network = more.pop("network", {})
    platform = {"server": {**SERVER, **more}, "access": {"allowed_cidrs": ["203.0.113.0/24"]}}
    return resolve_platform(platform | ({"network": network} if network else {}))


WEIGHTS = {"bucket": "oss://models/llm"}


def test_another_region_has_a_zone_of_its_own_and_buckets_stay_where_they_are() -> None:
    others = [{"region": "cn-shanghai"}, {"region": "cn-beijing", "zone": "cn-beijing-c", "spot": False}]
    platform = {"server": {**SERVER, "weights": WEIGHTS, "alternatives": others, "alternative": 1}}
    backup = {"to": "oss://copies/llm"}
    found = resolve_platform(
        {**platform, "vectors": {"backup": backup}, "access": {"allowed_cidrs": ["203.0.113.0/24"]}}
    )
    place, spec = found.server.site.place, found.server.spec
    assert (place.region, place.zone, place.instance_type) == (
        "cn-shanghai",
        "cn-shanghai-a",
        "ecs.gn6i-c4g1.xlarge",
    )
    assert spec.weights is not None
    assert spec.weights.target(spec.region)["url"] == "https://models.s3.oss-cn-hangzhou.aliyuncs.com"
    assert found.server.vectors is not None
    assert found.server.vectors.backup is not None
    assert found.server.vectors.backup.url(spec.region) == "https://copies.s3.oss-cn-hangzhou.aliyuncs.com"
    assert [(each.place.zone, each.server.spot) for each in found.server.choices] == [
        ("cn-hangzhou-b", True),
        ("cn-shanghai-a", True),
        ("cn-beijing-c", False),
    ]


def test_a_region_is_looked_at_like_the_servers_own() -> None:
    """Its GPU, its vendors, its domain's certificate and the store's own machine there, before any is needed."""
    server = {
        **SERVER,
        "cloud": "aws",
        "region": "us-east-1",
        "zone": "us-east-1a",
        "spot": False,
        "keys": {"default": {}},
    }
    access = {"allowed_cidrs": ["203.0.113.0/24"]}

    def codes(region: str, **more: Any) -> list[tuple[str, str]]:
        given = {**server, **more.pop("server", {}), "alternatives": [{"region": region}]}
        with pytest.raises(Refusal) as refused:
            resolve_platform({"server": given, "access": access, **more})
        return [(each.code, each.where) for each in refused.value.findings]

    at = "server.alternatives.0"
    assert codes("cn-north-1", server={"gpu": "L40S"}) == [("placement.gpu-not-offered", f"{at}.gpu")]
    openai = {"upstreams": {"openai": {"models": ["gpt-6-luna"]}}}
    assert ("spec.upstream-region", at) in codes("ap-east-1", server=openai)
    own = {"placement": "own", "instance_type": "t3.large"}
    assert ("placement.host-not-offered", f"{at}.region") in codes("sa-east-1", vectors=own)
    name = {"domain": {"name": "llm.example.com", "acme": {"email": "a@example.com"}}}
    server |= {"cloud": "aliyun", "region": "cn-hongkong", "zone": "cn-hongkong-b"}
    assert codes("cn-shanghai", server=name) == [("spec.domain-needs-filing", f"{at}.domain.acme")]


def codes_of(**more: Any) -> list[tuple[str, str]]:
    with pytest.raises(Refusal) as refused:
        resolved(**more)
    return [(each.code, each.where) for each in refused.value.findings]


@pytest.mark.parametrize(
    ("number", "zone", "type_", "spot"),
    [
        (0, "cn-hangzhou-b", "ecs.gn6i-c4g1.xlarge", True),
        (1, "cn-hangzhou-h", "ecs.gn6i-c4g1.xlarge", True),
        (2, "cn-hangzhou-b", "ecs.gn6i-c16g1.4xlarge", False),
    ],
)
def test_an_alternative_changes_what_it_names_and_nothing_else(number: int, zone: str, type_: str, spot: bool) -> None:
    found = resolved(alternatives=ALTERNATIVES, alternative=number).server
    assert (found.site.place.zone, found.site.place.instance_type, found.spec.spot) == (zone, type_, spot)
    assert found.spec.model == SERVER["model"]


def test_each_alternative_is_named_beforehand_with_its_price() -> None:
    (note,) = [
        each for each in resolved(alternatives=ALTERNATIVES).server.warnings if each.code == "placement.alternatives"
    ]
    assert "1: ecs.gn6i-c4g1.xlarge in cn-hangzhou-h, spot (price unknown)" in note.message
    assert "2: ecs.gn6i-c16g1.4xlarge in cn-hangzhou-b (16.41 CNY per hour)" in note.message


def test_a_server_without_alternatives_says_nothing_of_them() -> None:
    assert not [each for each in resolved().server.warnings if each.code == "placement.alternatives"]


def test_an_alternative_that_does_not_exist_or_fit_is_refused_before_it_is_needed() -> None:
    wrong = [{"instance_type": "ecs.gn7-c12g1.3xlarge"}, {"zone": "cn-hangzhou-zz"}]
    assert codes_of(alternatives=wrong) == [
        ("placement.type-mismatch", "server.alternatives.0.instance_type"),
        ("placement.zone-not-offered", "server.alternatives.1.zone"),
    ]


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"alternatives": [{}]}, "spec.empty-alternative"),
        ({"alternatives": ALTERNATIVES, "alternative": 3}, "spec.no-such-alternative"),
        ({"alternatives": [{"zone": "cn-shanghai-b"}]}, "spec.zone-of-other-region"),
        ({"alternatives": [{"zone": "cn-hangzhou-b"}]}, "spec.alternative-twice"),
        ({"alternatives": [{"region": "cn-hangzhou"}]}, "spec.alternative-twice"),
        ({"alternatives": [{"region": "cn-mars"}]}, "catalog.unknown-region"),
        ({"alternatives": [{"region": "cn-shanghai", "zone": "cn-hangzhou-b"}]}, "spec.zone-of-other-region"),
        ({"alternatives": [{"region": "cn-shanghai"}], "image_id": "m-bp1"}, "spec.alternative-of-region"),
        (
            {"alternatives": [{"region": "cn-shanghai"}], "alternative": 1, "disk": {"from_snapshot": "s-1"}},
            "spec.alternative-of-region",
        ),
        (
            {"alternatives": ALTERNATIVES, "network": {"vpc_id": "vpc-1", "subnet_id": "vsw-1"}},
            "spec.alternative-of-subnet",
        ),
    ],
)
def test_a_list_that_cannot_be_meant_is_refused(more: dict[str, Any], code: str) -> None:
    assert [each for each, __ in codes_of(**more)] == [code]


SAID = """Previewing update (x):

Diagnostics:
  llm:index:ModelServer (llm-server):
    warning: something

Updating (x):

Diagnostics:
  pulumi:pulumi:Stack (p-x):
    error: update failed

  {type} ({name}):
    error: 1 error occurred:
    \t* {code}

{more}Resources:
    + 52 created
"""
OTHER = "  random:index:RandomPassword (k):\n    error: something else\n\n"


def code_of(name: str, code: str, more: str = "", type_: str = "alicloud:ecs:Instance") -> str:
    facts = folders()["aliyun"].read("power.json")
    text = SAID.format(type=type_, name=name, code=code, more=more)
    return sold_out(failures_of(text), facts["type"], facts["sold_out"]["pattern"])


def test_only_the_servers_own_machine_that_is_not_in_stock_leads_to_an_alternative() -> None:
    name, code = "llm-server-machine-cn-hangzhou-b", "Code: OperationDenied.NoStock"
    assert code_of(name, code) == "OperationDenied.NoStock"
    assert code_of("llm-proxy-machine-cn-hongkong-b", code) == ""
    assert code_of(name, "Code: QuotaExceed.ElasticQuota") == ""
    assert code_of(name, code, OTHER) == ""
    assert code_of("llm-server-disk", code, type_="alicloud:ecs:EcsDisk") == ""


@pytest.mark.parametrize(("zone", "refused"), [("ap-northeast-1c", True), ("ap-northeast-1a", False)])
def test_a_server_alone_in_a_subnet_that_exists_has_no_alternative_in_another_zone(zone: str, refused: bool) -> None:
    args: Any = {**ALONE, "zone": "ap-northeast-1a", "vpc_id": "vpc-1", "subnet_id": "subnet-1"}
    args["alternatives"] = [{"zone": zone, "spot": True}]
    found = []
    try:
        capture(lambda: llm.ModelServer("x", args))
    except Refusal as refusal:
        found = [(each.code, each.where) for each in refusal.findings]
    assert found == ([("spec.alternative-of-subnet", "x.alternatives.0")] if refused else [])


def test_a_server_alone_at_an_address_that_exists_has_no_alternative_in_another_region() -> None:
    args: Any = {**ALONE, "address_id": "eip-1", "address": "198.51.100.7", "alternatives": [{"region": "us-east-1"}]}
    with pytest.raises(Refusal) as refused:
        capture(lambda: llm.ModelServer("x", args))
    assert [(each.code, each.where) for each in refused.value.findings] == [
        ("spec.alternative-of-region", "x.alternatives.0")
    ]
