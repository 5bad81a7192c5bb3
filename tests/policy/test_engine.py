"""The pack on the real engine: `--policy-pack policy` stops what breaks a rule, on each cloud, before it is made."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from pulumi_llm._review.policy_settings import FILE
from tests.engine.sim import ROOT, Sim, said

pytestmark = pytest.mark.engine

PROGRAM = """\
import json, os
import pulumi

def aws(world):
    import pulumi_aws as aws
    options = pulumi.ResourceOptions(provider=aws.Provider("aws", region="us-west-2"))
    vpc = aws.ec2.Vpc("net", cidr_block="10.0.0.0/16", opts=options)
    group = aws.ec2.SecurityGroup("group", vpc_id=vpc.id, description="ours", opts=options)
    aws.vpc.SecurityGroupIngressRule("door", security_group_id=group.id, ip_protocol="tcp",
        from_port=8000, to_port=8000, cidr_ipv4=world, opts=options)

def aliyun(world):
    import pulumi_alicloud as alicloud
    options = pulumi.ResourceOptions(provider=alicloud.Provider("aliyun", region="cn-hangzhou"))
    net = alicloud.vpc.Network("net", vpc_name="net", cidr_block="10.0.0.0/16", opts=options)
    group = alicloud.ecs.SecurityGroup("group", vpc_id=net.id, security_group_name="ours", opts=options)
    alicloud.ecs.SecurityGroupRule("door", security_group_id=group.id, type="ingress", ip_protocol="tcp",
        port_range="8000/8000", cidr_ip=world, nic_type="intranet", opts=options)

def tencent(world):
    import tencentcloud_iac_pulumi as tencentcloud
    options = pulumi.ResourceOptions(provider=tencentcloud.Provider("tencent", region="ap-guangzhou"))
    group = tencentcloud.security.Group("group", name="ours", description="ours", opts=options)
    tencentcloud.security.GroupRuleSet("door", security_group_id=group.id, opts=options, egresses=[
        tencentcloud.security.GroupRuleSetEgressArgs(action="DROP", protocol="ALL", port="ALL", cidr_block="0.0.0.0/0"),
    ], ingresses=[
        tencentcloud.security.GroupRuleSetIngressArgs(action="ACCEPT", protocol="TCP", port="8000", cidr_block=world),
    ])

wishes = json.loads(os.environ["WISHES"])
{"aws": aws, "aliyun": aliyun, "tencent": tencent}[wishes["cloud"]](wishes["from"])
if "output" in wishes:
    pulumi.export("admin_password", wishes["output"])
"""


class Foreign:
    """A project that knows nothing of this library, in a simulated account."""

    def __init__(self, folder: Path, cloud: str, allowed: str = "203.0.113.0/24", **wishes: Any) -> None:
        project = folder / "project"
        project.mkdir()
        (project / "Pulumi.yaml").write_text("name: shop\nruntime: python\n")
        (project / "Pulumi.dev.yaml").write_text("{}\n")
        (project / "__main__.py").write_text(PROGRAM)
        environment = {"WISHES": json.dumps({"cloud": cloud, "from": allowed, **wishes})}
        environment["PYTHONPATH"] = os.pathsep.join([str(ROOT / "components")])
        self.sim = Sim(project, folder / "home", "dev", environment=environment)

    def run(self, command: str, *more: str) -> tuple[int, str]:
        done = self.sim.run(command, "-s", "dev", "--policy-pack", str(ROOT / "policy"), *more, check=False)
        return done.returncode, said(done)

    def names(self) -> set[str]:
        return {urn.rsplit("::", 1)[-1] for urn in self.sim.state()}


@pytest.mark.parametrize("cloud", ["aws", "aliyun", "tencent"])
def test_an_up_stops_before_a_door_is_opened_to_the_world(tmp_path: Path, cloud: str) -> None:
    foreign = Foreign(tmp_path, cloud, "0.0.0.0/0")
    code, text = foreign.run("up", "--yes", "--skip-preview")
    assert code != 0
    assert "policy.open-to-world" in text
    assert "port 8000 is open to the whole internet (0.0.0.0/0)" in text
    assert "door" not in foreign.names()


def test_an_exception_with_a_reason_lets_the_up_pass(tmp_path: Path) -> None:
    foreign = Foreign(tmp_path, "aliyun", "0.0.0.0/0")
    exception = "{rule: policy.open-to-world, resource: door, reason: the front door of the shop}"
    (foreign.sim.project / FILE).write_text(f"exceptions: [{exception}]\n")
    code, text = foreign.run("up", "--yes", "--skip-preview")
    assert code == 0, text
    assert "the front door of the shop" in text
    assert "door" in foreign.names()


def test_demands_of_the_settings_and_of_the_whole_stack_stop_an_up_in_its_preview(tmp_path: Path) -> None:
    foreign = Foreign(tmp_path, "aws", output="horse-staple")
    (foreign.sim.project / FILE).write_text("allowed_regions: {aws: [us-east-1]}\n")
    code, text = foreign.run("up", "--yes")
    assert code != 0
    assert "aws us-west-2 is none of the allowed regions" in text
    assert "the output admin_password shows a secret" in text
    assert foreign.names() <= {"shop-dev"}


def test_a_shipped_stack_comes_up_under_the_pack(tmp_path: Path) -> None:
    sim = Sim.of_stack(tmp_path, "tencent-t4")
    (sim.project / FILE).write_text((ROOT / FILE).read_text())
    done = sim.run("up", "-s", sim.stack, "--yes", "--skip-preview", "--policy-pack", str(ROOT / "policy"))
    assert "Loading policy packs...: done" in said(done)
    assert "[mandatory]" not in said(done)
