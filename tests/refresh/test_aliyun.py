"""Aliyun's answers become rows, and its refusals become messages. The SDK's own client talks to a local server."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from alibabacloud_ecs20140526 import models
from alibabacloud_ecs20140526.client import Client
from alibabacloud_tea_openapi.utils_models import Config

from pulumi_llm._refresh.calls import PAUSES
from pulumi_llm._refresh.observed import Answer, Observation
from pulumi_llm.clouds.aliyun import refresh as aliyun
from pulumi_llm.errors import Refusal
from tests.refresh.conftest import Server, recorded
from tests.refresh.samples import ALIYUN_T4, codes, scope, silent

REGION, A100 = "cn-hangzhou", "ecs.gn7e-c16g1.4xlarge"


def connect_to(address: str) -> aliyun.Connect:
    def connect(region: str) -> Client:
        keys = {"access_key_id": "id", "access_key_secret": "secret"}
        return Client(Config(region_id=region, endpoint=address, protocol="HTTP", **keys))

    return connect


def refusal(code: str) -> dict[str, Any]:
    return {"RequestId": "1", "HostId": "ecs.aliyuncs.com", "Code": code, "Message": f"the API's words for {code}"}


@pytest.fixture
def cloud(server: Server) -> Server:
    for action, answer in recorded("aliyun").items():
        server.answers(action, answer)
    return server


def fetched(cloud: Server, pauses: list[float], *types: str) -> Answer:
    return aliyun.fetch(
        scope("aliyun", REGION, *(types or (ALIYUN_T4, A100))), silent, connect_to(cloud.address), pauses.append
    )


def of(answer: Answer, name: str) -> Observation:
    return next(each for each in answer.observations if each.instance_type == name)


@pytest.mark.parametrize("action", ["DescribeAvailableResource", "DescribePrice", "DescribeSpotPriceHistory"])
def test_the_recording_survives_the_sdk_s_model_unchanged(action: str) -> None:
    body = getattr(models, f"{action}ResponseBody")()
    assert body.from_map(copy.deepcopy(recorded("aliyun")[action])).to_map() == recorded("aliyun")[action]


def test_stock_is_told_zone_by_zone(cloud: Server, pauses: list[float]) -> None:
    answer = fetched(cloud, pauses)
    assert of(answer, ALIYUN_T4).zones == {"cn-hangzhou-h": "sold-out", "cn-hangzhou-i": "available"}
    assert of(answer, A100).zones == {"cn-hangzhou-i": "sold-out"}


def test_the_list_price_is_the_machine_s_alone_and_before_discount(cloud: Server, pauses: list[float]) -> None:
    price = of(fetched(cloud, pauses), ALIYUN_T4).price
    assert price is not None
    assert (price.amount, price.currency, price.api) == (12.02, "CNY", "DescribePrice")


def test_the_spot_price_is_the_newest_of_the_cheapest_zone(cloud: Server, pauses: list[float]) -> None:
    spot = of(fetched(cloud, pauses), ALIYUN_T4).spot
    assert spot is not None
    assert spot.amount == 1.85
    assert "2.4 CNY in cn-hangzhou-h" in spot.notes


def test_what_is_asked_is_a_machine_paid_by_the_hour(cloud: Server, pauses: list[float]) -> None:
    fetched(cloud, pauses, ALIYUN_T4)
    asked = dict(cloud.asked)
    assert asked["DescribeAvailableResource"]["InstanceChargeType"] == "PostPaid"
    assert asked["DescribePrice"]["PriceUnit"] == "Hour"
    assert asked["DescribePrice"]["InstanceType"] == ALIYUN_T4
    assert asked["DescribePrice"]["SystemDisk.Category"] == "cloud_essd"


def test_a_type_that_takes_another_disk_is_asked_with_that(cloud: Server, pauses: list[float]) -> None:
    def reply(asked: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if asked["SystemDisk.Category"] == "cloud_essd":
            return 400, refusal("InvalidSystemDiskCategory.ValueNotSupported")
        return 200, recorded("aliyun")["DescribePrice"]

    cloud.replies["DescribePrice"] = reply
    price = of(fetched(cloud, pauses, ALIYUN_T4), ALIYUN_T4).price
    assert price is not None
    assert price.amount == 12.02


def test_a_type_without_a_price_does_not_keep_the_others_from_theirs(cloud: Server, pauses: list[float]) -> None:
    def reply(asked: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if asked["InstanceType"] == ALIYUN_T4:
            return 400, refusal("PriceNotFound")
        return 200, recorded("aliyun")["DescribePrice"]

    cloud.replies["DescribePrice"] = reply
    answer = fetched(cloud, pauses)
    assert of(answer, ALIYUN_T4).price is None
    assert of(answer, A100).price is not None
    assert codes(answer.findings) == ["refresh.no-price"]
    assert "PriceNotFound" in answer.findings[0].message


@pytest.mark.parametrize("amount", [0, 0.0, -1.5])
def test_a_price_that_is_none_is_told_and_not_taken(cloud: Server, pauses: list[float], amount: float) -> None:
    answer = recorded("aliyun")["DescribePrice"]
    answer["PriceInfo"]["Price"]["DetailInfos"]["DetailInfo"][0]["OriginalPrice"] = amount
    cloud.answers("DescribePrice", answer)
    told = fetched(cloud, pauses, ALIYUN_T4)
    assert of(told, ALIYUN_T4).price is None
    assert codes(told.findings) == ["refresh.no-price"]


def test_a_sum_without_the_machine_s_own_part_is_not_taken_for_its_price(cloud: Server, pauses: list[float]) -> None:
    answer = recorded("aliyun")["DescribePrice"]
    del answer["PriceInfo"]["Price"]["DetailInfos"]
    cloud.answers("DescribePrice", answer)
    told = fetched(cloud, pauses, ALIYUN_T4)
    assert of(told, ALIYUN_T4).price is None
    assert "0 prices of the instance type itself" in told.findings[0].message


def test_a_type_never_sold_on_spot_has_no_spot_price_and_no_complaint(cloud: Server, pauses: list[float]) -> None:
    cloud.answers(
        "DescribeSpotPriceHistory", {"RequestId": "1", "Currency": "CNY", "SpotPrices": {"SpotPriceType": []}}
    )
    answer = fetched(cloud, pauses, ALIYUN_T4)
    assert of(answer, ALIYUN_T4).spot is None
    assert answer.findings == []


def test_a_throttled_call_is_tried_again_after_a_pause(cloud: Server, pauses: list[float]) -> None:
    def reply(asked: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if len(pauses) < 2:
            return 400, refusal("Throttling.User")
        return 200, recorded("aliyun")["DescribePrice"]

    cloud.replies["DescribePrice"] = reply
    answer = fetched(cloud, pauses, ALIYUN_T4)
    assert of(answer, ALIYUN_T4).price is not None
    assert pauses == list(PAUSES[:2])


def test_throttled_to_the_end_is_told_and_the_stock_stays(cloud: Server, pauses: list[float]) -> None:
    cloud.answers("DescribePrice", refusal("Throttling"), status=400)
    answer = fetched(cloud, pauses)
    assert codes(answer.findings) == ["refresh.throttled"]
    assert pauses == list(PAUSES)
    assert [each.price for each in answer.observations] == [None, None]


@pytest.mark.parametrize("code", ["Forbidden.RAM", "InvalidAccessKeyId.NotFound", "SignatureDoesNotMatch"])
def test_denied_is_told_and_the_region_left_as_it_was(cloud: Server, pauses: list[float], code: str) -> None:
    cloud.answers("DescribeAvailableResource", refusal(code), status=403)
    answer = fetched(cloud, pauses)
    assert answer.observations == []
    assert codes(answer.findings) == ["refresh.denied"]
    assert code in answer.findings[0].message


def test_an_empty_answer_changes_nothing_for_the_region(cloud: Server, pauses: list[float]) -> None:
    cloud.answers("DescribeAvailableResource", {"RequestId": "1"})
    answer = fetched(cloud, pauses)
    assert answer.observations == []
    assert codes(answer.findings) == ["refresh.empty-answer"]


def test_an_answer_that_is_no_json_is_told(cloud: Server, pauses: list[float]) -> None:
    cloud.replies["DescribeAvailableResource"] = lambda asked: (502, "<html>bad gateway</html>")
    assert codes(fetched(cloud, pauses).findings) == ["refresh.failed"]


def test_a_cloud_that_is_not_reached_is_told(pauses: list[float]) -> None:
    closed = Server()
    closed.close()
    answer = fetched(closed, pauses)
    assert codes(answer.findings) == ["refresh.unreachable"]


def test_without_credentials_the_message_names_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    from alibabacloud_credentials.utils import auth_util

    monkeypatch.setattr(auth_util, "environment_ecs_metadata_disabled", "true")  # the SDK reads it when imported
    with pytest.raises(Refusal) as refused:
        aliyun.fetch(scope("aliyun", REGION, ALIYUN_T4), silent)
    assert refused.value.findings[0].code == "refresh.no-credentials"
    assert "ALIBABA_CLOUD_ACCESS_KEY_ID" in refused.value.findings[0].hint
