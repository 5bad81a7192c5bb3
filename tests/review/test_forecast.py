"""What a later program would do to what stands: the engine's rules, without the engine."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pulumi
import pulumi_alicloud as alicloud
import pulumi_aws as aws
import pulumi_random as random
import pytest

from pulumi_llm import catalog
from pulumi_llm._plan import exchange
from pulumi_llm._plan.capture import capture
from pulumi_llm._plan.comparison import Comparison
from pulumi_llm._plan.forecast import Forecast, hidden, labelled, without_stand_ins
from pulumi_llm._plan.model import UNKNOWN, Plan
from pulumi_llm._review.stack_review import review
from tests.clouds.harness import PUBLIC_KEY as KEY

Program = Callable[[], Any]
TODAY = date(2026, 11, 25)


def stands(program: Program) -> Plan:
    forecast = Forecast()
    plan = capture(program, standing=forecast)
    plan.stand_ins = forecast.labels
    return plan


def compare(before: Program, after: Program) -> Comparison:
    forecast = Forecast(stands(before))
    return forecast.comparison(capture(after, standing=forecast))


def operations(before: Program, after: Program) -> dict[str, str]:
    return {each.resource.name: each.operation for each in compare(before, after).changes}


def network(cidr: str = "10.0.0.0/16", region: str = "ap-northeast-1", **options: Any) -> Program:
    def program() -> None:
        provider = aws.Provider("p", region=region)
        opts = pulumi.ResourceOptions(provider=provider, **options)
        vpc = aws.ec2.Vpc("net", cidr_block=cidr, tags={"a": "b"}, opts=opts)
        aws.ec2.Subnet("sub", vpc_id=vpc.id, cidr_block="10.0.0.0/24", opts=pulumi.ResourceOptions(provider=provider))

    return program


def key(region: str, public_key: str = KEY, provider: str = "p", **options: Any) -> Program:
    def program() -> None:
        opts = pulumi.ResourceOptions(provider=alicloud.Provider(provider, region=region), **options)
        alicloud.ecs.EcsKeyPair("door", key_name_prefix="door-", public_key=public_key, opts=opts)
        alicloud.vpc.Network("net", cidr_block="10.0.0.0/16", opts=opts)

    return program


def test_what_keeps_its_place_while_its_provider_moves_is_told_as_left_behind() -> None:
    found = review(compare(key("cn-hangzhou"), key("cn-shanghai")), catalog.load(), today=TODAY, environment={})
    assert {(row.resource, row.impact.code, row.impact.note) for row in found.changes.rows} == {
        ("door", "refused", "left-behind"),
        ("net", "refused", "left-behind"),
    }


def test_what_a_provider_would_have_to_delete_where_it_is_no_more_is_told_as_staying_there() -> None:
    before, moved = key("cn-hangzhou", replacement_trigger="a"), key("cn-shanghai", replacement_trigger="b")
    found = review(compare(before, moved), catalog.load(), today=TODAY, environment={})
    (told,) = (each for each in found.findings if each.code == "diff.provider-moved")
    assert told.where == "p"
    assert "in cn-hangzhou (door and 1 more)" in told.message
    renamed = key("cn-shanghai", provider="q", replacement_trigger="b")
    found = review(compare(before, renamed), catalog.load(), today=TODAY, environment={})
    assert [each for each in found.findings if each.code == "diff.provider-moved"] == []
    assert {row.operation for row in found.changes.rows} == {"replace"}


@pytest.mark.parametrize(
    ("before", "after", "operation"),
    [("a", "a", "same"), ("a", "b", "replace"), (None, "b", "same"), ("a", None, "same")],
)
def test_another_trigger_replaces_and_one_that_comes_or_goes_does_not(
    before: str | None, after: str | None, operation: str
) -> None:
    programs = [key("cn-hangzhou", replacement_trigger=each) for each in (before, after)]
    steps = {each.resource.name: each.operation for each in compare(*programs).steps}
    assert steps["net"] == operation


def test_the_same_program_changes_nothing() -> None:
    assert operations(network(), network()) == {}


def test_what_is_replaced_replaces_what_needs_its_id() -> None:
    found = compare(network(), network("10.1.0.0/16"))
    steps = {each.resource.name: each for each in found.changes}
    assert {name: each.operation for name, each in steps.items()} == {"net": "replace", "sub": "replace"}
    assert steps["net"].replaced_by == ("cidrBlock",)
    assert steps["sub"].replaced_by == ("vpcId",)


def test_an_ignored_input_changes_nothing_and_is_still_seen() -> None:
    found = compare(network(), network("10.1.0.0/16", ignore_changes=["cidrBlock"]))
    assert found.changes == []
    (step,) = [each for each in found.steps if each.resource.name == "net"]
    assert step.before is not None
    assert step.after is not None
    assert (step.before.inputs["cidrBlock"], step.after.inputs["cidrBlock"]) == ("10.0.0.0/16", "10.1.0.0/16")


def test_an_ignored_entry_of_an_input_changes_nothing_however_its_path_is_written() -> None:
    def tagged(value: str, path: str) -> Program:
        def program() -> None:
            own = pulumi.ResourceOptions(provider=aws.Provider("p", region="ap-northeast-1"), ignore_changes=[path])
            aws.ec2.Vpc("net", cidr_block="10.0.0.0/16", tags={"my-tag": value}, opts=own)

        return program

    for path in ('tags["my-tag"]', "tags.my-tag"):
        assert operations(tagged("a", path), tagged("b", path)) == {}


def test_another_region_replaces_what_is_in_it() -> None:
    assert operations(network(), network(region="us-west-2")) == {"p": "update", "net": "replace", "sub": "replace"}


def test_replace_on_changes_replaces_what_would_change_in_place() -> None:
    def tagged(value: str, **options: Any) -> Program:
        def program() -> None:
            opts = pulumi.ResourceOptions(provider=aws.Provider("p", region="ap-northeast-1"), **options)
            aws.ec2.Vpc("net", cidr_block="10.0.0.0/16", tags={"v": value}, opts=opts)

        return program

    assert operations(tagged("1"), tagged("2")) == {"net": "update"}
    assert operations(tagged("1"), tagged("2", replace_on_changes=["tags"])) == {"net": "replace"}


def test_what_is_gone_is_deleted_and_what_is_new_is_created() -> None:
    def pets(*names: str) -> Program:
        return lambda: [random.RandomPet(name) for name in names]

    assert operations(pets("a", "b"), pets("b", "c")) == {"a": "delete", "c": "create"}


def test_a_changed_keeper_makes_another_secret_and_what_is_made_of_it_changes() -> None:
    def program(keeper: str) -> Program:
        def run() -> None:
            password = random.RandomPassword("key", length=20, keepers={"generation": keeper})
            random.RandomId("user", byte_length=4, keepers={"k": password.result.apply(lambda text: f"sk-{text}")})

        return run

    assert operations(program("1"), program("1")) == {}
    assert operations(program("1"), program("2")) == {"key": "replace", "user": "replace"}


def test_an_image_changes_in_place_on_aliyun_and_replaces_on_aws() -> None:
    def on_aliyun(image: str) -> Program:
        def run() -> None:
            opts = pulumi.ResourceOptions(provider=alicloud.Provider("p", region="cn-hangzhou"))
            given = {"instance_type": "ecs.gn6i-c4g1.xlarge", "vswitch_id": "v", "security_groups": ["s"]}
            alicloud.ecs.Instance("m", image_id=image, opts=opts, **given)

        return run

    def on_aws(image: str) -> Program:
        def run() -> None:
            opts = pulumi.ResourceOptions(provider=aws.Provider("p", region="ap-northeast-1"))
            aws.ec2.Instance("m", ami=image, instance_type="g4dn.xlarge", opts=opts)

        return run

    assert operations(on_aliyun("a"), on_aliyun("b")) == {"m": "update"}
    assert operations(on_aws("ami-1"), on_aws("ami-2")) == {"m": "replace"}


def test_a_component_with_other_arguments_is_recorded_anew() -> None:
    class Part(pulumi.ComponentResource):
        def __init__(self, name: str, size: int) -> None:
            super().__init__("test:index:Part", name, {"size": size})

    assert operations(lambda: Part("a", 1), lambda: Part("a", 2)) == {"a": "update"}


def test_a_plan_goes_through_a_pipe_unchanged() -> None:
    plan = stands(network())
    again = exchange.from_wire(exchange.to_wire(plan))
    assert again.resources == plan.resources
    assert again.stand_ins == plan.stand_ins


def test_stand_ins_are_unknown_to_whoever_prices_or_judges_a_plan() -> None:
    plan = stands(network())
    subnet = next(without_stand_ins(plan).of_type("aws:ec2/subnet:Subnet"))
    assert subnet.inputs["vpcId"] == UNKNOWN
    held = next(plan.of_type("aws:ec2/subnet:Subnet")).inputs["vpcId"]
    assert labelled(f"x {held} y", plan.stand_ins) == "x <net.id> y"
    assert hidden({"a": [held, "b"]}, plan.stand_ins) == {"a": [UNKNOWN, "b"]}


@pytest.mark.parametrize("address", ["240.0.0.1", "255.1.2.3"])
def test_an_address_that_is_no_stand_in_stays(address: str) -> None:
    assert labelled(address, {"241.1.1.1": "x.ip"}) == address
    assert hidden(address, {"241.1.1.1": "x.ip"}) == address
