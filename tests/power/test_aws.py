"""AWS's machines are stopped and started by boto3, against moto's EC2 and, where that knows no such thing, a stub."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from moto import mock_aws

from pulumi_llm._power.act import bring
from pulumi_llm.clouds.aws import power
from pulumi_llm.errors import Finding, Refusal
from tests.power.conftest import Passing, hand_of

REGION = "us-east-1"


@pytest.fixture
def region(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "planted")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "plantedsecret")
    with mock_aws():
        yield power.connect(REGION)


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Any, Stubber]]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "planted")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "plantedsecret")
    made = power.connect(REGION)
    with Stubber(made.client) as stubber:
        yield made, stubber


def launched(client: Any) -> str:
    image = client.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    made = client.run_instances(ImageId=image, MinCount=1, MaxCount=1, InstanceType="g4dn.xlarge")
    return str(made["Instances"][0]["InstanceId"])


def brought(region: Any, goal: Any, time: Passing, said: list[str], identity: str = "i-1") -> list[Finding]:
    return bring([hand_of("aws", region, identity)], goal, seconds=600, say=said.append, clock=time.clock())


def seen(state: str, **more: Any) -> dict[str, Any]:
    row = {"InstanceId": "i-1", "State": {"Code": 0, "Name": state}, "RootDeviceType": "ebs", **more}
    return {"Reservations": [{"Instances": [row]}]}


def test_a_machine_is_stopped_and_started_again(region: Any, time: Passing, said: list[str]) -> None:
    identity = launched(boto3.client("ec2", region_name=REGION))

    def state() -> str:
        found = boto3.client("ec2", region_name=REGION).describe_instances(InstanceIds=[identity])
        return str(found["Reservations"][0]["Instances"][0]["State"]["Name"])

    assert brought(region, "stopped", time, said, identity) == []
    assert state() == "stopped"
    assert brought(region, "stopped", time, said, identity) == []
    assert brought(region, "running", time, said, identity) == []
    assert state() == "running"


def test_a_machine_that_was_ended_is_gone(region: Any, time: Passing, said: list[str]) -> None:
    identity = launched(region.client)
    region.client.terminate_instances(InstanceIds=[identity])
    (finding,) = brought(region, "stopped", time, said, identity)
    assert finding.code == "power.gone"


def test_a_machine_that_is_not_known_is_gone(region: Any, time: Passing, said: list[str]) -> None:
    (finding,) = brought(region, "stopped", time, said, "i-0123456789abcdef0")
    assert finding.code == "power.gone"


def test_the_orders_name_the_machine_alone(stub: tuple[Any, Stubber], time: Passing, said: list[str]) -> None:
    made, answers = stub
    only = {"InstanceIds": ["i-1"]}
    answers.add_response("describe_instances", seen("running"), only)
    answers.add_response("stop_instances", {}, only)
    answers.add_response("describe_instances", seen("stopping"), only)
    answers.add_response("describe_instances", seen("stopped"), only)
    assert brought(made, "stopped", time, said) == []
    answers.assert_no_pending_responses()


def test_a_denied_stop_names_the_action(stub: tuple[Any, Stubber], time: Passing, said: list[str]) -> None:
    made, answers = stub
    answers.add_response("describe_instances", seen("running"))
    answers.add_client_error("stop_instances", "UnauthorizedOperation", "You are not authorized", 403)
    (finding,) = brought(made, "stopped", time, said)
    assert finding.code == "power.denied"
    assert "ec2:StopInstances" in finding.hint


def test_a_one_time_spot_machine_that_nobody_knew_of_is_not_called_a_failure(
    stub: tuple[Any, Stubber], time: Passing, said: list[str]
) -> None:
    made, answers = stub
    answers.add_response("describe_instances", seen("running"))
    answers.add_client_error("stop_instances", "UnsupportedOperation", "it is of a one-time Spot Instance request", 400)
    (finding,) = brought(made, "stopped", time, said)
    assert finding.code == "power.cannot-stop"


def test_a_type_that_is_sold_out_at_the_start_is_told_as_that(
    stub: tuple[Any, Stubber], time: Passing, said: list[str]
) -> None:
    made, answers = stub
    answers.add_response("describe_instances", seen("stopped"))
    answers.add_client_error("start_instances", "InsufficientInstanceCapacity", "Insufficient capacity.", 500)
    (finding,) = brought(made, "running", time, said)
    assert finding.code == "power.sold-out"


def test_a_machine_that_falls_back_for_want_of_capacity_is_sold_out_too(
    stub: tuple[Any, Stubber], time: Passing, said: list[str]
) -> None:
    made, answers = stub
    reason = {"Code": "Server.InsufficientInstanceCapacity", "Message": "There was insufficient capacity available"}
    answers.add_response("describe_instances", seen("stopped"))
    answers.add_response("start_instances", {})
    for state in ("pending", "stopped"):
        answers.add_response("describe_instances", seen(state, StateReason=reason))
    (finding,) = brought(made, "running", time, said)
    assert finding.code == "power.sold-out"
    assert "insufficient capacity" in finding.message


def test_a_system_disk_in_the_machine_itself_is_told_before(stub: tuple[Any, Stubber]) -> None:
    made, answers = stub
    answers.add_response(
        "describe_instances",
        {
            "Reservations": [
                {"Instances": [{"InstanceId": "i-1", "State": {"Name": "running"}, "RootDeviceType": "instance-store"}]}
            ]
        },
    )
    assert "instance store" in made.look("i-1").unfit


def test_without_credentials_the_message_names_what_to_set() -> None:
    with pytest.raises(Refusal) as refused:
        power.connect(REGION)
    assert refused.value.findings[0].code == "power.no-credentials"
    assert "AWS_ACCESS_KEY_ID" in refused.value.findings[0].hint
