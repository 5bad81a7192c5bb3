"""A model on several machines: what is made, who reaches whom, in which order they change, and what it costs."""

from __future__ import annotations

import json
import re
from datetime import date
from decimal import Decimal
from typing import Any

import pulumi
import pytest

import pulumi_llm as llm
from pulumi_llm import _bootstrap as bootstrap
from pulumi_llm import _nodes, catalog
from pulumi_llm._plan.capture import capture
from pulumi_llm._plan.model import UNKNOWN, Plan, PlannedResource, is_secret
from pulumi_llm._review.bill import make_bill
from pulumi_llm._review.item import Usage
from pulumi_llm.errors import Refusal

PLACES = {
    "aws": {"region": "ap-northeast-1"},
    "aliyun": {"region": "cn-hangzhou"},
    "tencent": {"region": "ap-guangzhou"},
}
MACHINES = ("aws:ec2/instance:Instance", "alicloud:ecs/instance:Instance", "tencentcloud:Instance/instance:Instance")
ADDRESSES = tuple(f"10.0.0.{each}" for each in range(2, 9))
NAMES = ("x", "x-replica-2", "x-replica-3")


def server(cloud: str = "aws", **more: Any) -> dict[str, Any]:
    return {
        "cloud": cloud,
        **PLACES[cloud],
        "gpu": "T4",
        "model": "01-ai/Yi-6B-Chat",
        "context_length": 4096,
        "allowed_cidrs": ["203.0.113.0/24"],
        "ssh_cidrs": ["198.51.100.7/32"],
        "replicas": 3,
        **more,
    }


def plan_of(args: dict[str, Any]) -> Plan:
    def program() -> None:
        made = llm.ModelServer("x", args)  # type: ignore[arg-type]
        for name in ("hourly_price", "replica_machines", "endpoint"):
            if (value := getattr(made, name, None)) is not None:
                pulumi.export(name, value)

    return capture(program)


def named(plan: Plan, name: str) -> PlannedResource:
    return next(each for each in plan.resources if each.name == name)


def files(plan: Plan, name: str) -> dict[str, str]:
    return {row["path"]: row["content"] for row in document(plan, name)["files"]}


def document(plan: Plan, name: str) -> dict[str, Any]:
    """The settings of a machine; the first one's name the others' addresses, which a plan does not know."""
    told = named(plan, f"{name}-settings").inputs["stdin"]
    if told != UNKNOWN:
        return dict(json.loads(told))
    (server,) = plan.servers.values()
    return bootstrap.settings(_nodes.server_node(name, server, None, ADDRESSES[: server.spec.replicas - 1]))


@pytest.mark.parametrize("cloud", PLACES)
def test_each_replica_is_a_machine_of_the_same_type_in_the_same_subnet(cloud: str) -> None:
    machines = list(plan_of(server(cloud)).of_type(*MACHINES))
    assert len(machines) == 3
    for key in ("instanceType", "vswitchId", "subnetId", "availabilityZone"):
        assert len({str(each.inputs.get(key)) for each in machines}) == 1


@pytest.mark.parametrize("cloud", PLACES)
def test_a_replica_is_reached_by_the_first_machine_alone_and_by_who_may_log_in(cloud: str) -> None:
    plan = plan_of(server(cloud))
    for name in NAMES[1:]:
        rules = [
            each for each in plan.resources
            if each.name.startswith(f"{name}-firewall") and "out" not in each.name.split("-")
            and re.search("(?i)ingress|rule", each.type)
        ]  # fmt: skip
        texts = " ".join(json.dumps(each.inputs) for each in rules)
        assert "203.0.113.0/24" not in texts
        assert "198.51.100.7/32" in texts
        # The first machine's address, which only the cloud knows.
        assert len(re.findall(rf'"cidr\w*": "{UNKNOWN}"', texts)) == 1
        assert any("x-machine" in need for each in rules for need in needs(plan, each))


def test_the_first_machines_gateway_chooses_among_all_and_a_replicas_has_its_own_engine_alone() -> None:
    plan = plan_of(server())
    first = json.loads(files(plan, "x")["/opt/llm/gateway/routes.json"])
    assert list(first["upstreams"]) == ["vllm", "replica.2", "replica.3"]
    assert all(each["replica"] and each["kind"] == "vllm" for each in first["upstreams"].values())
    far = first["upstreams"]["replica.2"]
    assert far["base_url"].startswith("https://")
    assert (far["private_ca"], far["ca"], far["secret"]) == (True, "upstream-ca-replica.2.pem", "replica_key")
    targets = first["routes"]["Yi-6B-Chat"]["targets"]
    assert [each["upstream"] for each in targets] == ["vllm", "replica.2", "replica.3"]
    for name in NAMES[1:]:
        own = json.loads(files(plan, name)["/opt/llm/gateway/routes.json"])
        assert list(own["upstreams"]) == ["vllm"]
        keys = json.loads(files(plan, name)["/opt/llm/gateway/policy.json"])["keys"]
        assert set(keys) == {"front", "node-probe"}
        assert not [each for each in keys["front"] if each not in ("models", "endpoints")]  # limits are the first's


def test_keys_limits_words_and_what_stands_beside_the_model_are_on_the_first_machine_alone() -> None:
    args = server(keys={"app": {"requests_per_minute": 5}}, blocked_words=["forbidden"], vectors=True)
    plan = plan_of(args)
    assert "forbidden" in files(plan, "x")["/opt/llm/gateway/policy.json"]
    assert "llm-weaviate.service" in document(plan, "x")["services"]
    for name in NAMES[1:]:
        assert "forbidden" not in json.dumps(document(plan, name))
        assert "llm-weaviate.service" not in document(plan, name)["services"]
        assert "gateway_key_app" not in document(plan, name)["secrets"]["required"]
    assert "gateway_key_app" in document(plan, "x")["secrets"]["required"]


def test_the_engines_command_line_is_the_same_on_all() -> None:
    plan = plan_of(server())
    assert len({files(plan, name)["/etc/systemd/system/llm-vllm.service"] for name in NAMES}) == 1


def test_further_models_are_on_every_machine() -> None:
    args = server(
        gpu="A10G", further_models={"bge-m3": {"model": "BAAI/bge-m3", "gpu_memory_utilization": 0.1}},
        gpu_memory_utilization=0.8, override=["fit.unknown-model"],
    )  # fmt: skip
    plan = plan_of(args)
    rows = json.loads(files(plan, "x")["/opt/llm/gateway/routes.json"])
    assert [each["upstream"] for each in rows["routes"]["bge-m3"]["targets"]] == [
        "vllm/bge-m3",
        "replica.2",
        "replica.3",
    ]
    assert document(plan, "x-replica-3")["rests"] == {
        "llm-vllm.service": "vllm",
        "llm-vllm-bge-m3.service": "vllm/bge-m3",
    }


def test_a_route_shares_a_models_weight_among_its_machines() -> None:
    args = server(routes={"chat": {"models": {"Yi-6B-Chat": 3}}}, replicas=3)
    rows = json.loads(files(plan_of(args), "x")["/opt/llm/gateway/routes.json"])
    targets = rows["routes"]["chat"]["targets"]
    assert [each["upstream"] for each in targets] == ["vllm", "replica.2", "replica.3"]
    assert sum(each.get("weight", 1) for each in targets) == 3


def needs(plan: Plan, resource: PlannedResource) -> set[str]:
    """All that a resource waits for, in the end."""
    by_urn, found, left = plan.by_urn(), set(), [resource]
    while left:
        for urn in left.pop().dependencies:
            if urn not in found and urn in by_urn:
                found.add(urn)
                left.append(by_urn[urn])
    return {by_urn[urn].name for urn in found}


def test_machines_are_changed_one_after_the_other_and_the_first_comes_last() -> None:
    plan = plan_of(server())
    applied = {name: needs(plan, named(plan, f"{name}-apply")) for name in NAMES}
    assert "x-replica-2-apply" in applied["x-replica-3"]
    assert {"x-replica-2-apply", "x-replica-3-apply"} <= applied["x"]
    assert not {"x-apply", "x-replica-3-apply"} & applied["x-replica-2"]
    # They are bought at once, and what takes long and needs no secret is begun at once.
    for name in NAMES[1:]:
        told = needs(plan, named(plan, f"{name}-settings"))
        assert not {each for each in told if each.endswith("-apply")}
        assert "llm-node begin" in named(plan, f"{name}-settings").inputs["create"]


def test_an_engine_rests_before_it_is_restarted_where_others_go_on_and_only_there() -> None:
    assert document(plan_of(server()), "x")["rests"] == {"llm-vllm.service": "vllm"}
    assert "rests" not in document(plan_of(server(replicas=1)), "x")


def test_the_price_is_that_of_all_machines_and_what_is_told_of_them_is_secret() -> None:
    one, three = plan_of(server(replicas=1)).outputs, plan_of(server()).outputs
    assert three["hourly_price"] == pytest.approx(3 * one["hourly_price"])
    assert "replica_machines" not in one
    assert is_secret(three["replica_machines"])


def test_one_replica_is_the_server_as_it_always_was() -> None:
    without = {key: value for key, value in server().items() if key != "replicas"}
    one, plain = plan_of(server(replicas=1)), plan_of(without)
    assert [(each.type, each.name) for each in one.resources] == [(each.type, each.name) for each in plain.resources]
    assert document(one, "x") == document(plain, "x")


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"replicas": 9}, "spec.wrong-value"),
        ({"replicas": 0}, "spec.wrong-value"),
        ({"idle_stop": {"keep": 3}}, "spec.replicas-stop"),
        ({"replicas": 1, "idle_stop": {"keep": 1}}, "spec.replicas-stop"),
        ({"replicas": 1, "idle_stop": {"fill": 4}}, "spec.replicas-stop"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_made(more: dict[str, Any], code: str) -> None:
    with pytest.raises(Refusal) as refused:
        plan_of(server(**more))
    assert [each.code for each in refused.value.findings] == [code]


HOURS = "Mon-Fri 08:00-20:00 Asia/Shanghai"


ROLES = ("aws:iam/rolePolicy:RolePolicy", "alicloud:ram/policy:Policy", "tencentcloud:Cam/policy:Policy")


def leave(plan: Plan, name: str) -> dict[str, Any] | None:
    told = files(plan, name).get("/opt/llm/leave.json")
    return None if told is None else dict(json.loads(told))


@pytest.mark.parametrize("cloud", PLACES)
@pytest.mark.parametrize("keep", [0, 1, 2])
def test_machines_that_nobody_asks_stop_by_roles_of_their_own_but_those_that_are_to_stay(cloud: str, keep: int) -> None:
    plan = plan_of(server(cloud, idle_stop={"minutes": 20, "keep": keep}))
    leaves = [leave(plan, name) for name in NAMES]
    assert leaves[:keep] == [None] * keep
    assert [each and each["idle_minutes"] for each in leaves[keep:]] == [20] * (3 - keep)
    assert {each.name for each in plan.of_type(*ROLES)} == {f"{name}-role-policy" for name in NAMES[keep:]}


def test_machines_that_stay_have_their_hours_all_the_same() -> None:
    plan = plan_of(server(idle_stop={"minutes": 20, "keep": 1}, hours=HOURS))
    first, second = leave(plan, "x"), leave(plan, "x-replica-2")
    assert first is not None
    assert second is not None
    assert "idle_minutes" not in first
    assert first["hours"] == second["hours"]
    assert second["idle_minutes"] == 20


@pytest.mark.parametrize(("idle", "fill"), [({"minutes": 30}, 8), ({"fill": 20}, 20)])
def test_calls_are_gathered_where_machines_stop_and_spread_where_they_do_not(idle: dict[str, Any], fill: int) -> None:
    rows = json.loads(files(plan_of(server(idle_stop=idle)), "x")["/opt/llm/gateway/routes.json"])["upstreams"]
    assert {each["fill"] for each in rows.values()} == {fill}
    for more in ({}, {"replicas": 1, "idle_stop": {"minutes": 30}}):
        assert "fill" not in files(plan_of(server(**more)), "x")["/opt/llm/gateway/routes.json"]


@pytest.mark.parametrize("cloud", PLACES)
def test_hours_are_those_of_every_machine_and_each_has_a_role_that_may_stop_it_alone(cloud: str) -> None:
    plan = plan_of(server(cloud, hours=HOURS))
    leaves = [json.loads(files(plan, name)["/opt/llm/leave.json"]) for name in NAMES]
    assert [each["hours"]["windows"][0] for each in leaves] == [[480, 1200]] * 3
    kinds = ("aws:iam/rolePolicy:RolePolicy", "alicloud:ram/policy:Policy", "tencentcloud:Cam/policy:Policy")
    assert {each.name for each in plan.of_type(*kinds)} == {f"{name}-role-policy" for name in NAMES}
    bill = make_bill(plan, catalog.load(), Usage(), today=date(2026, 11, 29))
    machines = [each for each in bill.lines if each.kind == "machine"]
    assert [each.hours for each in machines] == [Decimal("260.71")] * 3
    assert not [each for each in bill.lines if each.slot == "address" and each.hours != Decimal("260.71")]


def test_the_cloud_starts_every_machine_when_their_hours_begin() -> None:
    plan = plan_of(server("aws", hours=HOURS, started_by="cloud"))
    found = list(plan.of_type("aws:scheduler/schedule:Schedule"))
    assert {each.name for each in found} == {f"{name}-start-0800" for name in NAMES}
    assert len({each.inputs["name"] for each in found}) == 3
    assert {each.inputs["scheduleExpression"] for each in found} == {"cron(0 8 ? * MON,TUE,WED,THU,FRI *)"}


def test_the_platform_makes_replicas_of_its_server_and_counts_them_in_its_price() -> None:
    args = server()
    own = {key: args[key] for key in ("cloud", "region", "gpu", "model", "context_length")}

    def price(count: int) -> Any:
        def program() -> None:
            made = llm.Platform(
                "p", {"server": {**own, "replicas": count}, "access": {"allowed_cidrs": ["203.0.113.0/24"]}}
            )
            pulumi.export("price", made.hourly_price)

        plan = capture(program)
        assert len(list(plan.of_type(*MACHINES))) == count
        return plan.outputs["price"]

    assert price(2) == pytest.approx(2 * price(1))
