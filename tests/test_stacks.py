"""The shipped stacks, as captured in process: closed, free of secrets where they do not belong, and as described."""

from __future__ import annotations

import base64
import json
import lzma
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from pulumi_llm import catalog, spec
from pulumi_llm._plan.capture import capture_stack
from pulumi_llm._plan.model import SIGNATURE, Plan, is_secret
from tests.plans import plan_of
from tests.shipped import STACKS, STEPS

ROOT = Path(__file__).parents[1]
PLANTED = "planted-7f3a9c"

INGRESS = {
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
    "alicloud:ecs/securityGroupRule:SecurityGroupRule",
    "tencentcloud:Security/groupRuleSet:GroupRuleSet",
}
MACHINES = {"aws:ec2/instance:Instance", "alicloud:ecs/instance:Instance", "tencentcloud:Instance/instance:Instance"}


@pytest.fixture(params=STACKS)
def plan(request: pytest.FixtureRequest) -> Plan:
    return plan_of(request.param)


def platform_of(stack: str) -> dict[str, Any]:
    """The platform that a shipped stack's file describes."""
    content = yaml.safe_load((ROOT / "stacks" / f"Pulumi.{stack}.yaml").read_text())
    return dict(content["config"]["pulumi-llm:platform"])


def allowed(plan: Plan) -> set[str]:
    return set(platform_of(plan.stack)["access"]["allowed_cidrs"])


def admitted(plan: Plan) -> list[tuple[str, str, str]]:
    """Every (port, source, name) that a firewall of the plan lets in."""
    found = []
    for each in plan.of_type(*INGRESS):
        given = each.inputs
        if each.package == "aws":
            found.append((str(given["fromPort"]), given["cidrIpv4"], each.name))
            assert given["fromPort"] == given["toPort"]
            assert given["ipProtocol"] == "tcp"
        elif each.package == "alicloud" and given["type"] == "ingress":
            found.append((given["portRange"].split("/")[0], given["cidrIp"], each.name))
            assert given["ipProtocol"] == "tcp"
        elif each.package == "tencentcloud":
            for rule in given["ingresses"]:
                if rule["action"] == "ACCEPT":
                    found.append((rule["port"], rule["cidrBlock"], each.name))
                    assert rule["protocol"] == "TCP"
    return found


def test_there_are_the_six_stacks_and_the_steps_beyond_one_machine() -> None:
    assert list(STEPS) == ["aws-replicas", "aws-nodes", "aws-fleet"]
    assert list(STACKS) == ["aliyun-a100", "aliyun-t4", "aws-a100", "aws-t4", "tencent-a100", "tencent-t4"]


def test_nothing_is_let_in_but_what_the_stacks_ranges_ask_for(plan: Plan) -> None:
    from pulumi_llm._plan.model import UNKNOWN

    rules = admitted(plan)
    assert {name.split("-firewall")[0] for _, _, name in rules} == {"llm-server", "llm-proxy"}
    # An unknown source is the server's own address, which the proxy lets in.
    own = {UNKNOWN}
    assert {source for _, source, _ in rules} <= allowed(plan) | own
    assert {name for _, source, name in rules if source == UNKNOWN} <= {
        name for _, _, name in rules if name.startswith("llm-proxy")
    }
    assert {port for port, source, _ in rules if source == UNKNOWN} <= {"443"}


def test_a_world_wide_rule_would_be_seen(plan: Plan) -> None:
    assert all(source != "0.0.0.0/0" for _, source, _ in admitted(plan))


def texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for each in value.values() for text in texts(each)]
    if isinstance(value, list):
        return [text for each in value for text in texts(each)]
    return [value] if isinstance(value, str) else []


def opened(user_data: str) -> str:
    """User data together with what is packed in it."""
    parts = [user_data]
    for match in re.findall(r"content: \"?([^\"\n]{200,})", user_data):
        text = yaml.safe_load(f'"{match}"') if '"' not in match else match
        parts.append(lzma.decompress(base64.b85decode(text)).decode())
    return "\n".join(parts)


@pytest.mark.parametrize("stack", STACKS)
def test_a_planted_secret_reaches_neither_user_data_nor_plan(stack: str, tmp_path: Path) -> None:
    (tmp_path / "stacks").mkdir()
    (tmp_path / "Pulumi.yaml").write_text((ROOT / "Pulumi.yaml").read_text())
    (tmp_path / "stacks/__main__.py").write_text((ROOT / "stacks/__main__.py").read_text())
    content = yaml.safe_load((ROOT / f"stacks/Pulumi.{stack}.yaml").read_text())
    (tmp_path / f"stacks/Pulumi.{stack}.yaml").write_text(yaml.safe_dump(content))

    import pulumi_llm._plan.capture as capturing

    before = capturing.PLACEHOLDER
    capturing.PLACEHOLDER = PLANTED
    try:
        plan = capture_stack(tmp_path, stack)
    finally:
        capturing.PLACEHOLDER = before
    machines = plan.user_data()
    assert len(machines) == 2
    for user_data in machines.values():
        packed = opened(user_data)
        assert len(packed) > len(user_data), "the packed part was not opened"
        assert PLANTED not in packed
    assert PLANTED not in json.dumps(plan.to_json())
    for each in plan.resources:
        assert PLANTED not in json.dumps(without_secrets(each.inputs)), each.name
    applies = [each for each in plan.resources if each.name.endswith("-apply")]
    assert applies
    assert all(is_secret(each.inputs["stdin"]) for each in applies)


def without_secrets(value: Any) -> Any:
    if isinstance(value, dict):
        return {} if SIGNATURE in value else {key: without_secrets(each) for key, each in value.items()}
    return [without_secrets(each) for each in value] if isinstance(value, list) else value


def test_user_data_stays_within_the_clouds_limit(plan: Plan) -> None:
    clouds = {"aws": "aws", "alicloud": "aliyun", "tencentcloud": "tencent"}
    for each in plan.of_type(*MACHINES):
        limit = catalog.load().clouds[clouds[each.package]].user_data_limit
        assert len(plan.user_data()[each.name].encode()) <= limit


def test_the_proxy_stands_in_a_region_that_the_vendors_serve(plan: Plan) -> None:
    proxy = spec.parse(spec.PlatformSpec, platform_of(plan.stack)).proxy
    assert proxy is not None
    assert "openai" in catalog.load().region(proxy.cloud, proxy.region).serves


def test_at_least_one_stack_has_its_proxy_on_another_cloud() -> None:
    packages = {stack: {each.package for each in plan_of(stack).of_type(*MACHINES)} for stack in STACKS}
    assert any(len(clouds) == 2 for clouds in packages.values())


def test_no_machine_takes_a_literal_image(plan: Plan) -> None:
    tokens = {each.token for each in plan.look_ups}
    assert tokens & {
        "aws:ssm/getParameter:getParameter",
        "alicloud:ecs/getImages:getImages",
        "tencentcloud:Images/getInstance:getInstance",
    }
    for path in (ROOT / "components/pulumi_llm").rglob("*.py"):
        if "simcloud" not in path.parts:
            assert not re.search(r"\b(ami-[0-9a-f]{8,}|img-[a-z0-9]{8}\b|\w+_alibase_\d{8})", path.read_text()), path


def test_everything_but_the_top_has_a_parent_within_the_platform(plan: Plan) -> None:
    by_urn = plan.by_urn()
    tops = [each.name for each in plan.resources if each.parent not in by_urn]
    assert tops == ["llm"]


def test_the_endpoint_is_on_a_high_port_in_the_mainland_and_on_443_elsewhere(plan: Plan) -> None:
    ports = {port for port, _, name in admitted(plan) if name.startswith("llm-server")} - {"22"}
    mainland = plan.stack.startswith(("aliyun", "tencent"))
    assert ports == {"18443" if mainland else "443", "18444", "18445"}
