"""Tencent Cloud's machines are stopped without charge. The SDK's own client talks to a local server."""

from __future__ import annotations

from typing import Any

import pytest

from pulumi_llm._power.act import bring
from pulumi_llm.clouds.tencent import account, power
from pulumi_llm.errors import Finding, Refusal
from tests.power.conftest import Passing, hand_of
from tests.refresh.conftest import Server

ID, REGION = "ins-planted1", "ap-guangzhou"
CLOUD_DISK = {"DiskType": "CLOUD_BSSD", "DiskSize": 80}


class Cloud:
    """A machine at Tencent Cloud: the states that it shows, one a look; the last one stays."""

    def __init__(self, server: Server, *states: str, mode: str = "STOP_CHARGING", **more: Any) -> None:
        self.server, self.states, self.mode, self.more = server, list(states), mode, more
        server.replies["DescribeInstances"] = self._describe
        for action in ("StopInstances", "StartInstances"):
            server.answers(action, {"Response": {"RequestId": f"order-{action}"}})

    def _describe(self, asked: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        row = {"InstanceId": ID, "InstanceState": state, "InstanceChargeType": "POSTPAID_BY_HOUR"}
        row |= {"SystemDisk": CLOUD_DISK, "DataDisks": [CLOUD_DISK]}
        row |= {"StopChargingMode": self.mode if state == "STOPPED" else "NOT_APPLICABLE", **self.more}
        return 200, {"Response": {"TotalCount": 1, "InstanceSet": [row], "RequestId": "1"}}

    def refuses(self, action: str, code: str, message: str = "the API's words") -> None:
        self.server.answers(action, {"Response": {"Error": {"Code": code, "Message": message}, "RequestId": "1"}})

    @property
    def orders(self) -> list[tuple[str, dict[str, Any]]]:
        return [each for each in self.server.asked if each[0] != "DescribeInstances"]


@pytest.fixture
def region(server: Server, monkeypatch: pytest.MonkeyPatch) -> Any:
    from tencentcloud.common import credential
    from tencentcloud.common.profile.client_profile import ClientProfile
    from tencentcloud.common.profile.http_profile import HttpProfile
    from tencentcloud.cvm.v20170312.cvm_client import CvmClient

    def connector(*codes: str) -> account.Connect:
        profile = ClientProfile(httpProfile=HttpProfile(protocol="http", endpoint=server.address))
        return lambda region: CvmClient(credential.Credential("id", "key"), region, profile)

    monkeypatch.setattr(account, "connector", connector)
    return power.connect(REGION)


def brought(region: Any, goal: Any, time: Passing, said: list[str], minutes: float = 10) -> list[Finding]:
    return bring([hand_of("tencent", region, ID)], goal, seconds=60 * minutes, say=said.append, clock=time.clock())


def test_a_stop_asks_for_no_charge_and_for_a_soft_shutdown_first(
    server: Server, region: Any, time: Passing, said: list[str]
) -> None:
    cloud = Cloud(server, "RUNNING", "STOPPING", "STOPPED")
    assert brought(region, "stopped", time, said) == []
    asked = {"InstanceIds": [ID], "StopType": "SOFT_FIRST", "StoppedMode": "STOP_CHARGING"}
    assert cloud.orders == [("StopInstances", asked)]
    assert dict(server.asked)["DescribeInstances"] == {"InstanceIds": [ID]}
    assert said[-1] == f"server {ID}: stopped (10 s)"


def test_a_start_waits_until_it_runs(server: Server, region: Any, time: Passing, said: list[str]) -> None:
    cloud = Cloud(server, "STOPPED", "STARTING", "RUNNING")
    assert brought(region, "running", time, said) == []
    assert cloud.orders == [("StartInstances", {"InstanceIds": [ID]})]


@pytest.mark.parametrize(("goal", "state"), [("stopped", "STOPPED"), ("running", "RUNNING")])
def test_what_is_there_already_is_not_ordered(
    server: Server, region: Any, time: Passing, said: list[str], goal: str, state: str
) -> None:
    cloud = Cloud(server, state)
    assert brought(region, goal, time, said) == []
    assert cloud.orders == []


@pytest.mark.parametrize("mode", ["KEEP_CHARGING", "NOT_APPLICABLE"])
def test_a_machine_that_stands_still_and_is_charged_for_is_no_success(
    server: Server, region: Any, time: Passing, said: list[str], mode: str
) -> None:
    Cloud(server, "STOPPED", mode=mode)
    (finding,) = brought(region, "stopped", time, said)
    assert finding.code == "power.still-charged"


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"InstanceChargeType": "SPOTPAID"}, "not paid by the hour (SPOTPAID)"),
        ({"InstanceChargeType": "PREPAID"}, "not paid by the hour (PREPAID)"),
        ({"SystemDisk": {"DiskType": "LOCAL_BASIC"}}, "local disk (LOCAL_BASIC)"),
        ({"DataDisks": [CLOUD_DISK, {"DiskType": "LOCAL_NVME"}]}, "local disk (LOCAL_NVME)"),
    ],
)
def test_what_is_charged_for_while_it_stands_still_is_told_before(
    server: Server, region: Any, more: dict[str, Any], why: str
) -> None:
    Cloud(server, "RUNNING", **more)
    assert why in region.look(ID).unfit


def test_a_type_that_cannot_be_stopped_without_charge_is_not_stopped_with_one(
    server: Server, region: Any, time: Passing, said: list[str]
) -> None:
    cloud = Cloud(server, "RUNNING")
    cloud.refuses("StopInstances", "UnsupportedOperation.StoppedModeStopCharging")
    (finding,) = brought(region, "stopped", time, said)
    assert finding.code == "power.cannot-stop"
    assert len(cloud.orders) == 1


def test_a_denied_start_names_the_action(server: Server, region: Any, time: Passing, said: list[str]) -> None:
    cloud = Cloud(server, "STOPPED")
    cloud.refuses("StartInstances", "UnauthorizedOperation", "you are not authorized to perform operation")
    (finding,) = brought(region, "running", time, said)
    assert finding.code == "power.denied"
    assert "cvm:StartInstances" in finding.hint


@pytest.mark.parametrize(
    "code", ["ResourceInsufficient.SpecifiedInstanceType", "ResourcesSoldOut.SpecifiedInstanceType"]
)
def test_a_type_that_is_sold_out_at_the_start_is_told_as_that(
    server: Server, region: Any, time: Passing, said: list[str], code: str
) -> None:
    cloud = Cloud(server, "STOPPED")
    cloud.refuses("StartInstances", code)
    (finding,) = brought(region, "running", time, said)
    assert (finding.code, code in finding.message) == ("power.sold-out", True)


def test_an_order_that_was_taken_and_failed_is_told_with_the_clouds_words(
    server: Server, region: Any, time: Passing, said: list[str]
) -> None:
    last = {"LatestOperation": "StartInstances", "LatestOperationState": "FAILED"}
    last |= {"LatestOperationRequestId": "order-StartInstances"}
    Cloud(server, "STOPPED", **last, LatestOperationErrorMsg="ResourceInsufficient.SpecifiedInstanceType: sold out")
    (finding,) = brought(region, "running", time, said)
    assert finding.code == "power.sold-out"
    assert "sold out" in finding.message


def test_what_failed_before_our_order_does_not_count(
    server: Server, region: Any, time: Passing, said: list[str]
) -> None:
    last = {"LatestOperation": "StartInstances", "LatestOperationState": "FAILED", "LatestOperationRequestId": "older"}
    Cloud(server, "STOPPED", "STOPPED", "STOPPED", "RUNNING", **last, LatestOperationErrorMsg="then")
    assert brought(region, "running", time, said) == []


@pytest.mark.parametrize("state", ["SHUTDOWN", "TERMINATING"])
def test_a_machine_on_its_way_out_is_gone(
    server: Server, region: Any, time: Passing, said: list[str], state: str
) -> None:
    Cloud(server, state)
    (finding,) = brought(region, "running", time, said)
    assert finding.code == "power.gone"


def test_a_machine_that_is_not_known_is_gone(server: Server, region: Any, time: Passing, said: list[str]) -> None:
    cloud = Cloud(server, "RUNNING")
    cloud.refuses("DescribeInstances", "InvalidInstanceId.NotFound")
    (finding,) = brought(region, "stopped", time, said)
    assert (finding.code, cloud.orders) == ("power.gone", [])


def test_without_credentials_the_message_names_what_to_set() -> None:
    with pytest.raises(Refusal) as refused:
        power.connect(REGION)
    assert refused.value.findings[0].code == "power.no-credentials"
    assert "TENCENTCLOUD_SECRET_ID" in refused.value.findings[0].hint
