"""Aliyun's machines are stopped in the mode that ends the charge. The SDK's own client talks to a local server."""

from __future__ import annotations

from typing import Any

import pytest

from pulumi_llm._power.act import bring
from pulumi_llm.clouds.aliyun import account, power
from pulumi_llm.errors import Finding, Refusal
from tests.power.conftest import Passing, hand_of
from tests.refresh.conftest import Server

ID, REGION = "i-bp1planted0000000000", "cn-hangzhou"


class Cloud:
    """A machine at Aliyun: the statuses that it shows, one a look; the last one stays."""

    def __init__(self, server: Server, *statuses: str, mode: str = "StopCharging", **more: Any) -> None:
        self.server, self.statuses, self.mode, self.more = server, list(statuses), mode, more
        server.replies["DescribeInstances"] = self._describe
        for action in ("StopInstance", "StartInstance"):
            server.answers(action, {"RequestId": "473469C7-AA6F-4DC5-B3DB-A3DC0DE3C83E"})

    def _describe(self, asked: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        row = {"InstanceId": ID, "Status": status, "InstanceChargeType": "PostPaid", "InstanceNetworkType": "vpc"}
        row |= {"StoppedMode": self.mode if status == "Stopped" else "Not-applicable", **self.more}
        rows = [row] if status else []
        return 200, {"RequestId": "1", "TotalCount": len(rows), "Instances": {"Instance": rows}}

    def refuses(self, action: str, code: str, message: str = "the API's words", status: int = 403) -> None:
        words = {"RequestId": "1", "HostId": "ecs.cn-hangzhou.aliyuncs.com", "Code": code, "Message": message}
        self.server.answers(action, words, status)

    @property
    def orders(self) -> list[tuple[str, dict[str, Any]]]:
        return [each for each in self.server.asked if each[0] != "DescribeInstances"]


@pytest.fixture
def region(server: Server, monkeypatch: pytest.MonkeyPatch) -> Any:
    from alibabacloud_ecs20140526.client import Client
    from alibabacloud_tea_openapi.utils_models import Config

    def connector(*codes: str) -> account.Connect:
        keys = {"access_key_id": "LTAIconfidential", "access_key_secret": "confidential"}
        return lambda region: Client(Config(region_id=region, endpoint=server.address, protocol="HTTP", **keys))

    monkeypatch.setattr(account, "connector", connector)
    return power.connect(REGION)


def brought(region: Any, goal: Any, time: Passing, said: list[str], minutes: float = 10) -> list[Finding]:
    return bring([hand_of("aliyun", region, ID)], goal, seconds=60 * minutes, say=said.append, clock=time.clock())


def test_a_stop_asks_for_the_mode_that_ends_the_charge_and_not_by_force(
    server: Server, region: Any, time: Passing, said: list[str]
) -> None:
    cloud = Cloud(server, "Running", "Stopping", "Stopping", "Stopped")
    assert brought(region, "stopped", time, said) == []
    assert cloud.orders == [("StopInstance", {"InstanceId": ID, "StoppedMode": "StopCharging"})]
    assert dict(server.asked)["DescribeInstances"] == {"RegionId": REGION, "InstanceIds": f'["{ID}"]'}
    assert said == [
        f"server {ID}: running (0 s)",
        f"server {ID}: stopping (5 s)",
        f"server {ID}: stopped (15 s)",
    ]


def test_a_start_waits_until_it_runs(server: Server, region: Any, time: Passing, said: list[str]) -> None:
    cloud = Cloud(server, "Stopped", "Starting", "Running")
    assert brought(region, "running", time, said) == []
    assert cloud.orders == [("StartInstance", {"InstanceId": ID})]


@pytest.mark.parametrize(("goal", "status"), [("stopped", "Stopped"), ("running", "Running")])
def test_what_is_there_already_is_not_ordered(
    server: Server, region: Any, time: Passing, said: list[str], goal: str, status: str
) -> None:
    cloud = Cloud(server, status)
    assert brought(region, goal, time, said) == []
    assert cloud.orders == []


def test_a_machine_in_between_is_waited_for_before_it_is_ordered(
    server: Server, region: Any, time: Passing, said: list[str]
) -> None:
    cloud = Cloud(server, "Starting", "Starting", "Running", "Stopped")
    assert brought(region, "stopped", time, said) == []
    assert [name for name, _ in server.asked] == [*["DescribeInstances"] * 3, "StopInstance", "DescribeInstances"]
    assert len(cloud.orders) == 1


@pytest.mark.parametrize("mode", ["KeepCharging", "Not-applicable"])
def test_a_machine_that_stands_still_and_is_charged_for_is_no_success(
    server: Server, region: Any, time: Passing, said: list[str], mode: str
) -> None:
    Cloud(server, "Running", "Stopped", mode=mode)
    (finding,) = brought(region, "stopped", time, said)
    assert finding.code == "power.still-charged"


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"InstanceChargeType": "PrePaid"}, "paid for in advance (PrePaid)"),
        ({"InstanceNetworkType": "classic"}, "classic network"),
        ({"LocalStorageAmount": 2, "LocalStorageCapacity": 894}, "local disks"),
    ],
)
def test_what_aliyun_would_stop_and_go_on_charging_for_is_told_before(
    server: Server, region: Any, more: dict[str, Any], why: str
) -> None:
    Cloud(server, "Running", **more)
    assert why in region.look(ID).unfit


def test_nothing_speaks_against_a_machine_of_ours(server: Server, region: Any) -> None:
    Cloud(server, "Running", LocalStorageAmount=0)
    assert region.look(ID).unfit == ""


def test_a_denied_stop_names_the_action(server: Server, region: Any, time: Passing, said: list[str]) -> None:
    cloud = Cloud(server, "Running")
    cloud.refuses("StopInstance", "Forbidden.RAM", "User not authorized to operate on the specified resource.")
    (finding,) = brought(region, "stopped", time, said)
    assert finding.code == "power.denied"
    assert "ecs:StopInstance" in finding.hint
    assert "Forbidden.RAM" in finding.message
    assert "confidential" not in f"{finding.text()}{said}"


def test_a_denied_look_names_its_own(server: Server, region: Any, time: Passing, said: list[str]) -> None:
    cloud = Cloud(server, "Running")
    cloud.refuses("DescribeInstances", "Forbidden.RAM")
    (finding,) = brought(region, "stopped", time, said)
    assert (finding.code, "ecs:DescribeInstances" in finding.hint) == ("power.denied", True)
    assert cloud.orders == []


@pytest.mark.parametrize("code", ["OperationDenied.NoStock", "LackResource", "Zone.NotOnSale"])
def test_a_type_that_is_sold_out_at_the_start_is_told_as_that(
    server: Server, region: Any, time: Passing, said: list[str], code: str
) -> None:
    cloud = Cloud(server, "Stopped")
    cloud.refuses("StartInstance", code, "The resource is out of stock in the specified zone.")
    (finding,) = brought(region, "running", time, said)
    assert finding.code == "power.sold-out"
    assert code in finding.message
    assert len(cloud.orders) == 1


def test_a_machine_that_is_gone_is_told_with_refresh(
    server: Server, region: Any, time: Passing, said: list[str]
) -> None:
    Cloud(server, "")
    (finding,) = brought(region, "stopped", time, said)
    assert finding.code == "power.gone"
    assert "pulumi refresh" in finding.hint


def test_waiting_ends(server: Server, region: Any, time: Passing, said: list[str]) -> None:
    Cloud(server, "Running", "Stopping")
    (finding,) = brought(region, "stopped", time, said, minutes=3)
    assert finding.code == "power.timeout"
    assert "is stopping and not stopped after 3 minutes" in finding.message
    assert 180 <= time.seconds < 190


def test_a_throttled_order_is_given_again(server: Server, region: Any, time: Passing, said: list[str]) -> None:
    cloud = Cloud(server, "Running", "Stopped")
    tries: list[int] = []

    def reply(asked: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        tries.append(1)
        return (503, {"Code": "Throttling.User", "Message": "x"}) if len(tries) < 3 else (200, {"RequestId": "1"})

    server.replies["StopInstance"] = reply
    assert brought(region, "stopped", time, said) == []
    assert len(cloud.orders) == 3


def test_another_refusal_is_told_with_its_code(server: Server, region: Any, time: Passing, said: list[str]) -> None:
    cloud = Cloud(server, "Running")
    cloud.refuses("StopInstance", "InstanceLockedForSecurity", "The instance is locked due to security.")
    (finding,) = brought(region, "stopped", time, said)
    assert finding.code == "power.failed"
    assert "InstanceLockedForSecurity" in finding.message


def test_without_credentials_the_message_names_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    from alibabacloud_credentials.utils import auth_util

    monkeypatch.setattr(auth_util, "environment_ecs_metadata_disabled", "true")  # the SDK reads it when imported
    with pytest.raises(Refusal) as refused:
        power.connect(REGION)
    assert refused.value.findings[0].code == "power.no-credentials"
    assert "ALIBABA_CLOUD_ACCESS_KEY_ID" in refused.value.findings[0].hint
