"""A machine that may call nobody but its bucket: which rules are made, and what cannot be had together with it."""

from __future__ import annotations

import ipaddress
import itertools
from collections.abc import Iterator
from datetime import date
from functools import partial
from typing import Any

import pytest

import pulumi_llm as llm
from pulumi_llm import catalog, clouds
from pulumi_llm._plan.capture import capture
from pulumi_llm._plan.forecast import Forecast
from pulumi_llm._plan.model import Plan
from pulumi_llm._review.comment import render
from pulumi_llm._review.stack_review import review
from pulumi_llm.clouds.capabilities import Capability
from pulumi_llm.errors import Refusal
from pulumi_llm.spec.backup import BUCKETS
from tests.test_replicas import PLACES, server

BUCKET = {"aws": "s3://kept/llm", "aliyun": "oss://kept/llm", "tencent": "cos://kept-1250000000/llm"}
ANYWHERE = "0.0.0.0/0"
DIGEST = "0" * 64
PROXY = {"cloud": "aws", "region": "ap-southeast-1"}
KEY = {"weights_access_key_id": "id", "weights_access_key_secret": "secret"}
OSS = {"100.118.28.0/24", "100.114.102.0/24", "100.98.170.0/24", "100.118.31.0/24"}
Way = tuple[str, str, str, str]


def args(cloud: str, weights: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    kept = {"bucket": BUCKET.get(cloud, "s3://kept"), "bundle": DIGEST, "closed": True, **(weights or {})}
    return {**server(cloud), "replicas": 1, **KEY, "weights": kept, **more}


def plan_of(given: dict[str, Any]) -> Plan:
    return capture(lambda: llm.ModelServer("x", given))  # type: ignore[arg-type]


def ways(plan: Plan, machine: str = "x") -> Iterator[Way]:
    """Each rule of a machine for what goes out: what becomes of it, protocol, ports, where to."""
    for each in plan.resources:
        given = each.inputs
        if not each.name.startswith(f"{machine}-firewall"):
            continue
        if each.type.endswith(":SecurityGroupEgressRule"):
            port = str(given.get("fromPort", "all"))
            assert given.get("fromPort") == given.get("toPort")
            yield "accept", given["ipProtocol"], port, given.get("cidrIpv4") or "a list"
        elif given.get("type") == "egress":
            yield given["policy"], given["ipProtocol"], given["portRange"].partition("/")[0], given["cidrIp"]
        for rule in given.get("egresses", ()):
            yield rule["action"].lower(), rule["protocol"].lower(), rule["port"], rule["cidrBlock"]


@pytest.mark.parametrize("cloud", PLACES)
def test_without_it_everything_is_let_out(cloud: str) -> None:
    given = args(cloud, {"closed": False})
    (only,) = ways(plan_of(given))
    assert (only[0], only[3]) == ("accept", ANYWHERE)


@pytest.mark.parametrize("cloud", PLACES)
def test_nothing_is_let_out_but_to_the_bucket_and_to_the_clouds_own_services(cloud: str) -> None:
    found = list(ways(plan_of(args(cloud))))
    accepted = [each for each in found if each[0] == "accept"]
    assert not [each for each in accepted if each[3] == ANYWHERE or each[2] in ("all", "-1", "ALL")]
    assert {each[3] for each in accepted if each[1:3] == ("tcp", "443")} == {
        "aws": {"a list"}, "aliyun": OSS, "tencent": {"169.254.0.0/16"},
    }[cloud]  # fmt: skip
    assert {each[1:3] for each in accepted if each[2] != "443"} == (
        set() if cloud == "aws" else {("udp", "53"), ("tcp", "53"), ("tcp", "80"), ("udp", "123")}
    )
    # AWS holds back what no rule lets out; the others let it out, so the last rule holds it back.
    assert [each[0] for each in found if each[3] == ANYWHERE] == ([] if cloud == "aws" else ["drop"])
    if cloud == "tencent":
        assert found[-1][0] == "drop", "the first rule that fits is the one that counts"


def test_at_aliyun_the_rule_that_holds_back_is_looked_at_last() -> None:
    rules = [each.inputs for each in plan_of(args("aliyun")).resources if each.inputs.get("type") == "egress"]
    found = {(each["policy"], each["priority"]) for each in rules}
    assert found == {("accept", 1), ("drop", 100)}


@pytest.mark.parametrize("cloud", PLACES)
def test_a_server_of_s3_by_its_address_is_one_address_and_one_port(cloud: str) -> None:
    weights = {"bucket": "s3://kept", "region": "here", "endpoint": "http://10.0.0.9:9000"}
    found = [each for each in ways(plan_of(args(cloud, weights))) if each[2] not in ("53", "80", "123")]
    assert ("accept", "tcp", "9000", "10.0.0.9/32") in found
    assert not [each for each in found if each[2] == "443"]


@pytest.mark.parametrize("cloud", PLACES)
def test_machines_of_one_server_reach_each_other_in_their_own_network(cloud: str) -> None:
    plan = plan_of(args(cloud, replicas=2))
    for machine in ("x", "x-replica-2"):
        (within,) = [each for each in ways(plan, machine) if each[3] == "10.60.0.0/16"]
        assert within[:2] == ("accept", "tcp")
        assert within[2] in ("443", "18443"), "the port of a gateway, which is another one in China"


CREATED, DELETED, IN_PLACE = "creates", "deletes", "in-place"


@pytest.mark.parametrize(
    ("cloud", "done"), [("aws", {CREATED, DELETED}), ("aliyun", {CREATED, DELETED}), ("tencent", {IN_PLACE})]
)
def test_a_comment_says_that_what_gets_out_changes_and_calls_it_no_mere_record(cloud: str, done: set[str]) -> None:
    for before, after in ((False, True), (True, False)):
        given = args(cloud, {"closed": after})
        forecast = Forecast(
            capture(partial(llm.ModelServer, "x", args(cloud, {"closed": before})), standing=Forecast())
        )
        plan = capture(partial(llm.ModelServer, "x", given), standing=forecast)  # type: ignore[arg-type]
        found = review(forecast.comparison(plan), catalog.load(), today=date(2026, 11, 29), environment={})
        rows = [each for each in found.changes.rows if "-firewall" in each.resource]
        assert {each.impact.code for each in rows} == done
        assert not found.opened
        assert not found.closed
        assert "recorded only" not in render([found])


def refused(given: dict[str, Any]) -> list[tuple[str, str]]:
    with pytest.raises(Refusal) as caught:
        plan_of(given)
    return [(each.code, each.message) for each in caught.value.findings]


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ({"idle_stop": {"minutes": 30}}, ["its own stop"]),
        ({"hours": "Mon-Fri 08:00-20:00 UTC", "started_by": "hand"}, ["its own stop"]),
        ({"traces": {"endpoint": "http://10.0.0.9:4318/v1/traces"}}, ["traces (http://10.0.0.9:4318/v1/traces)"]),
        ({"upstreams": {"deepseek": {"models": ["deepseek-chat"]}}, "deepseek_api_key": "sk"}, ["api.deepseek.com"]),
        (
            {"traces": {"endpoint": "http://10.0.0.9:4318/v1/traces"}, "idle_stop": {"minutes": 30}},
            ["traces", "its own stop"],
        ),
    ],
)
def test_what_asks_for_more_is_refused_by_its_name_all_of_it_at_once(more: dict[str, Any], named: list[str]) -> None:
    found = refused(args("aliyun", **more))
    assert [code for code, __ in found] == ["egress.asks-more"] * len(named)
    for part, (__, message) in zip(named, found, strict=True):
        assert part in message


def platform(**more: Any) -> dict[str, Any]:
    """A platform whose network is its own."""
    given = server("aliyun")
    kept = {"bucket": BUCKET["aliyun"], "bundle": DIGEST, "closed": True}
    own = {key: given[key] for key in ("cloud", "region", "gpu", "model", "context_length")}
    return {
        "server": {**own, "replicas": 2, "weights": kept},
        "access": {"allowed_cidrs": ["203.0.113.0/24"]},
        **KEY,
        **more,
    }


def test_a_platform_that_makes_its_network_knows_its_range_and_one_with_a_proxy_is_refused() -> None:
    plan = capture(lambda: llm.Platform("p", platform()))  # type: ignore[arg-type]
    assert [each for each in ways(plan, "p-server") if each[3] == "10.60.0.0/16"]
    proxied = platform(proxy={**PROXY, "upstreams": {"openai": {"models": ["gpt-6-luna"]}}}, openai_api_key="sk")
    with pytest.raises(Refusal) as caught:
        capture(lambda: llm.Platform("p", proxied))  # type: ignore[arg-type]
    assert {each.code for each in caught.value.findings} == {"egress.asks-more"}
    assert "overseas proxy" in caught.value.findings[0].message


@pytest.mark.parametrize(
    ("cloud", "weights", "more", "code"),
    [
        ("aliyun", {"bucket": "oss://kept", "region": "cn-shanghai"}, {}, "egress.not-known"),
        ("aliyun", {"bucket": "s3://kept", "region": "us-east-1"}, {}, "egress.not-known"),
        ("aws", {"bucket": "s3://kept", "endpoint": "https://s3.example.com"}, {}, "egress.not-known"),
        (
            "aws",
            {},
            {"replicas": 2, "vpc_id": "vpc-1", "subnet_id": "subnet-1", "zone": "ap-northeast-1a"},
            "egress.not-known",
        ),
    ],
)
def test_what_no_rule_can_say_is_refused(cloud: str, weights: dict[str, Any], more: dict[str, Any], code: str) -> None:
    assert [found for found, __ in refused(args(cloud, weights, **more))] == [code]


def test_a_cloud_without_such_rules_is_refused_in_the_words_of_capabilities() -> None:
    given = {**args("aws", {"region": "us-east-1"}), "cloud": "gcp", "region": "us-central1"}
    ((code, message),) = refused(given)
    assert code == "cloud.cannot"
    assert "but to its bucket" in message


def test_every_cloud_that_can_says_from_where_it_is_known_and_no_range_is_open() -> None:
    able = {name for name in clouds.names() if Capability.CLOSED in catalog.load().clouds[name].can}
    assert able == set(PLACES)
    for name, folder in clouds.folders().items():
        told = folder.read("ways_out.json")
        assert bool(told) == (name in able)
        if not told:
            continue
        assert BUCKETS[told["bucket"]["scheme"]]["cloud"] == name
        for row in (told["bucket"], *told["services"]):
            source = told["sources"][row["source"]]
            assert source["title"]
            assert source["date"] >= "2026-11-28"
        ranges = [*told["bucket"].get("regions", {}).values(), told["bucket"].get("anywhere", [])]
        ranges += [row["to"] for row in told["services"]]
        for each in itertools.chain.from_iterable(ranges):
            assert ipaddress.IPv4Network(each).prefixlen >= 16, each
        regions = told["bucket"].get("regions")
        if regions is not None:
            assert {region for cloud, region in catalog.load().regions if cloud == name} <= set(regions)
