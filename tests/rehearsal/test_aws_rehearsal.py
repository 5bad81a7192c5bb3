"""A stack on AWS is rehearsed with moto, here by a stand-in for the plugin (see ``stand_in_aws``)."""

from __future__ import annotations

import json
import re
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
import yaml

from pulumi_llm._rehearsal import pointing, report
from pulumi_llm._rehearsal.plugins import Official
from pulumi_llm._rehearsal.rehearsal import Asked, Rehearsal, rehearse
from tests.rehearsal.changes import ROOT, edits, written
from tests.rehearsal.plugin_home import installed

GUIDE = ROOT / "docs" / "real-account.md"


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The program that is found in place of AWS's plugin: it lies where Pulumi installs that."""
    return installed(tmp_path, monkeypatch)


def rehearsed(stack: str, *changes: Path, **more: Any) -> Rehearsal:
    return rehearse(Asked(ROOT, stack, changes, ("alicloud", "tencentcloud"), **more))


def actions(done: Rehearsal, phase: str) -> list[str]:
    (found,) = (each for each in done.phases if each.name == phase)
    return [each.name for each in found.calls]


def _policy() -> list[str]:
    blocks = re.findall(r"```json\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    block = json.loads(next(each for each in blocks if "ec2:RunInstances" in each))
    return [name for each in block["Statement"] if isinstance(each["Action"], list) for name in each["Action"]]


@pytest.mark.engine
def test_a_stack_comes_up_is_changed_and_goes_away_and_each_preview_is_clean(stand_in: Path, tmp_path: Path) -> None:
    done = rehearsed("aws-t4", *written("aws-t4", tmp_path, edits("aws-t4")), newer_image="20271231")
    assert report.findings(done) == []
    assert [each.package for each in done.plugins] == ["aws"]
    for name in ("change context", "change key"):
        assert not [each for each in actions(done, name) if not re.search(r":(Describe|Get|List)", each)]
    assert {"ec2:StopInstances", "ec2:ModifyInstanceAttribute", "ec2:StartInstances"} <= set(
        actions(done, "change gpu")
    )
    assert "ec2:ModifyVolume" in actions(done, "change disk")
    assert {"ec2:RunInstances", "ec2:TerminateInstances"} <= set(actions(done, "change renew"))
    made = report.policies(done)["aws"]["Statement"][0]["Action"]
    # Who one is, everybody may ask.
    assert [each for each in made if not any(fnmatchcase(each, one) for one in [*_policy(), "sts:*"])] == []
    kept = json.dumps(report.data(done))
    assert not re.search(r"I2Nsb3VkLWNvbmZpZ|#cloud-config|ssh-(rsa|ed25519) ", kept)


@pytest.mark.engine_all
@pytest.mark.engine
def test_eight_gpus_come_up_and_go_away(stand_in: Path) -> None:
    done = rehearsed("aws-a100")
    assert report.findings(done) == []
    (run,) = (
        each for each in done.phases[0].calls if each.name == "ec2:RunInstances" and "p4d" in str(each.parameters)
    )
    assert run.refused == ""


@pytest.mark.engine_all
@pytest.mark.engine
def test_a_name_is_a_record_in_route_53_while_the_stack_is_there(stand_in: Path, tmp_path: Path) -> None:
    content = yaml.safe_load((ROOT / "stacks" / "Pulumi.aws-t4.yaml").read_text(encoding="utf-8"))
    record = {"cloud": "aws", "zone": "example.com", "zone_id": "Z0123456789ABCDEFGHIJ"}
    content["config"]["pulumi-llm:platform"]["server"]["domain"] = {"name": "llm.example.com", "record": record}
    named = tmp_path / "named.yaml"
    named.write_text(yaml.safe_dump(content), encoding="utf-8")
    done = rehearsed("aws-t4", named)
    assert report.findings(done) == []
    assert "route53:ChangeResourceRecordSets" in actions(done, "change named")
    assert "route53:ChangeResourceRecordSets" in actions(done, "destroy")


@pytest.mark.engine_all
@pytest.mark.engine
def test_a_machine_that_runs_is_given_the_role_by_which_it_stops_itself_and_is_not_replaced(
    stand_in: Path, tmp_path: Path
) -> None:
    content = yaml.safe_load((ROOT / "stacks" / "Pulumi.aws-t4.yaml").read_text(encoding="utf-8"))
    server = content["config"]["pulumi-llm:platform"]["server"]
    files = []
    for name, idle in (("stops", {"minutes": 30}), ("never", None)):
        server["idle_stop"] = idle
        if idle is None:
            del server["idle_stop"]
        files.append(tmp_path / f"{name}.yaml")
        files[-1].write_text(yaml.safe_dump(content), encoding="utf-8")
    done = rehearsed("aws-t4", *files)
    assert report.findings(done) == []
    given, taken = actions(done, "change stops"), actions(done, "change never")
    for name in ("iam:CreateRole", "iam:CreateInstanceProfile", "iam:PutRolePolicy", "ec2:AssociateIamInstanceProfile"):
        assert name in given
    assert {"iam:DeleteRolePolicy", "iam:DeleteInstanceProfile", "iam:DeleteRole"} <= {*taken}
    # What is left out is not taken back: the provider reads it from EC2 (optional and computed).
    assert "ec2:DisassociateIamInstanceProfile" not in taken
    assert not {"ec2:RunInstances", "ec2:TerminateInstances", "ec2:StopInstances"} & {*given, *taken}
    assert "iam:PassRole" in report.policies(done)["aws"]["Statement"][0]["Action"]


@pytest.mark.engine
def test_a_machine_begins_with_the_role_by_which_it_stops_itself(stand_in: Path, tmp_path: Path) -> None:
    content = yaml.safe_load((ROOT / "stacks" / "Pulumi.aws-t4.yaml").read_text(encoding="utf-8"))
    content["config"]["pulumi-llm:platform"]["server"]["hours"] = "Mon-Fri 08:00-20:00 Asia/Shanghai"
    stopping = tmp_path / "renewed.yaml"
    content["config"]["pulumi-llm:platform"]["server"]["renew"] = True
    stopping.write_text(yaml.safe_dump(content), encoding="utf-8")
    done = rehearsed("aws-t4", stopping, newer_image="20271231")
    assert report.findings(done) == []
    (run,) = (
        each
        for phase in done.phases
        for each in phase.calls
        if each.name == "ec2:RunInstances" and phase.name == "change renewed"
    )
    assert "IamInstanceProfile.Name" in run.parameters


@pytest.mark.engine
def test_no_stock_ends_in_the_clouds_own_words(stand_in: Path) -> None:
    done = rehearsed("aws-t4", faults="no-stock:g4dn.xlarge")
    (found, *__) = [each for each in report.findings(done) if each.code == "rehearse.failed"]
    assert "InsufficientInstanceCapacity" in found.message
    assert done.left == ()


def test_awss_plugin_is_led_to_loopback_by_argument_and_by_variable(tmp_path: Path) -> None:
    official = Official("aws", "7", tmp_path / "pulumi-resource-aws")
    told = pointing.settings("aws", official, "127.0.0.1:8", tmp_path / "trusted.pem")
    (endpoints,) = told["arguments"]["endpoints"]
    assert endpoints.keys() >= {"ec2", "route53", "ssm", "sts"}
    assert {*endpoints.values(), told["environment"]["AWS_ENDPOINT_URL"]} == {"http://127.0.0.1:8"}
    # Before it is configured the plugin would ask the real STS who one is.
    assert told["environment"]["AWS_SKIP_CREDENTIALS_VALIDATION"] == "true"
    assert told["environment"]["AWS_CONFIG_FILE"] == told["environment"]["AWS_SHARED_CREDENTIALS_FILE"] != ""
    assert told["environment"]["AWS_ACCESS_KEY_ID"] == "rehearsal"


def test_awss_arguments_are_those_of_the_sdk() -> None:
    import inspect

    import pulumi_aws

    source = inspect.getsource(pulumi_aws.provider)
    for name in pointing.facts("aws")["arguments"]:
        assert f'"{name}"' in source, name
