"""Tencent's answers become rows, and its refusals become messages. The SDK's own client talks to a local server."""

from __future__ import annotations

import json
import warnings
from typing import Any

import pytest
from tencentcloud.common.credential import Credential
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile
from tencentcloud.cvm.v20170312 import models
from tencentcloud.cvm.v20170312.cvm_client import CvmClient

from pulumi_llm._refresh.calls import PAUSES
from pulumi_llm._refresh.observed import Answer
from pulumi_llm.clouds.tencent import refresh as tencent
from pulumi_llm.errors import Refusal
from tests.refresh.conftest import Server, recorded
from tests.refresh.samples import TENCENT_T4, codes, scope, silent

REGION = "ap-guangzhou"
ACTION = "DescribeZoneInstanceConfigInfos"


def connect_to(address: str) -> tencent.Connect:
    def connect(region: str) -> CvmClient:
        profile = ClientProfile(httpProfile=HttpProfile(protocol="http", endpoint=address))
        return CvmClient(Credential("id", "key"), region, profile)

    return connect


def refused(code: str) -> dict[str, Any]:
    return {"Response": {"Error": {"Code": code, "Message": f"the API's words for {code}"}, "RequestId": "1"}}


def items() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = recorded("tencent")["InstanceTypeQuotaSet"]
    return found


def answers(server: Server, found: list[dict[str, Any]]) -> None:
    server.answers(ACTION, {"Response": {"InstanceTypeQuotaSet": found, "RequestId": "1"}})


def fetched(server: Server, pauses: list[float], site: str | None = "china", *types: str) -> Answer:
    wanted = scope("tencent", REGION, *(types or (TENCENT_T4,)))
    return tencent.fetch(wanted, silent, site, connect_to(server.address), pauses.append)


def test_the_recording_survives_the_sdk_s_model_unchanged() -> None:
    response = models.DescribeZoneInstanceConfigInfosResponse()
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # the SDK warns of fields that it does not know
        response._deserialize(recorded("tencent"))
    kept = json.loads(response.to_json_string())

    def filled(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: filled(each) for key, each in value.items() if each is not None}
        return [filled(each) for each in value] if isinstance(value, list) else value

    assert filled(kept) == recorded("tencent")


def test_stock_is_that_of_machines_paid_by_the_hour(server: Server, pauses: list[float]) -> None:
    answers(server, items())
    (row,) = fetched(server, pauses).observations
    assert row.zones == {"ap-guangzhou-3": "sold-out", "ap-guangzhou-6": "available"}


def test_the_list_price_is_before_discount_and_the_highest_of_the_zones(server: Server, pauses: list[float]) -> None:
    answers(server, items())
    (row,) = fetched(server, pauses).observations
    assert row.price is not None
    assert (row.price.amount, row.price.currency, row.price.api) == (8.68, "CNY", ACTION)
    assert "8.5 CNY in ap-guangzhou-3" in row.price.notes
    assert "first 96 hours" in row.price.notes


def test_the_spot_price_is_what_is_charged(server: Server, pauses: list[float]) -> None:
    answers(server, items())
    (row,) = fetched(server, pauses).observations
    assert row.spot is not None
    assert row.spot.amount == 1.3


def test_the_international_site_s_prices_are_in_dollars(server: Server, pauses: list[float]) -> None:
    answers(server, items())
    (row,) = fetched(server, pauses, "international").observations
    assert row.price is not None
    assert row.price.currency == "USD"


def test_without_a_site_nothing_is_asked_as_the_currency_is_not_known(server: Server, pauses: list[float]) -> None:
    with pytest.raises(Refusal) as refusal:
        fetched(server, pauses, None)
    assert refusal.value.findings[0].code == "refresh.site-needed"
    assert server.asked == []


def test_what_is_asked_names_the_types(server: Server, pauses: list[float]) -> None:
    answers(server, items())
    fetched(server, pauses)
    filters = {each["Name"]: each["Values"] for each in server.asked[0][1]["Filters"]}
    assert filters == {"instance-type": [TENCENT_T4], "instance-charge-type": ["POSTPAID_BY_HOUR", "SPOTPAID"]}


@pytest.mark.parametrize(
    ("price", "said"),
    [
        (None, "no price by the hour"),
        ({"UnitPrice": 0, "ChargeUnit": "HOUR"}, "the price 0"),
        ({"UnitPrice": 8.68, "ChargeUnit": "GB"}, "a price per GB"),
        ({"OriginalPrice": 3000.0}, "no price by the hour"),
    ],
)
def test_what_is_no_price_by_the_hour_is_told_and_not_taken(
    server: Server, pauses: list[float], price: dict[str, Any] | None, said: str
) -> None:
    answers(server, [{**items()[0], "Price": price}])
    answer = fetched(server, pauses)
    assert [each.price for each in answer.observations] == [None]
    assert codes(answer.findings) == ["refresh.no-price"]
    assert said in answer.findings[0].message


def test_a_spot_price_of_zero_is_told_and_the_list_price_stays(server: Server, pauses: list[float]) -> None:
    spot = {**items()[2], "Price": {"UnitPrice": 8.68, "UnitPriceDiscount": 0, "ChargeUnit": "HOUR"}}
    answers(server, [items()[0], spot])
    answer = fetched(server, pauses)
    (row,) = answer.observations
    assert row.spot is None
    assert row.price is not None
    assert codes(answer.findings) == ["refresh.no-price"]


def test_a_throttled_call_is_tried_again_and_then_told(server: Server, pauses: list[float]) -> None:
    server.answers(ACTION, refused("RequestLimitExceeded"))
    answer = fetched(server, pauses)
    assert codes(answer.findings) == ["refresh.throttled"]
    assert pauses == list(PAUSES)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("AuthFailure.SecretIdNotFound", "refresh.denied"),
        ("UnauthorizedOperation", "refresh.denied"),
        ("InternalServerError", "refresh.failed"),
    ],
)
def test_a_refusal_is_told_and_the_region_left_as_it_was(
    server: Server, pauses: list[float], code: str, expected: str
) -> None:
    server.answers(ACTION, refused(code))
    answer = fetched(server, pauses)
    assert answer.observations == []
    assert codes(answer.findings) == [expected]
    assert code in answer.findings[0].message


def test_an_empty_answer_changes_nothing_for_the_region(server: Server, pauses: list[float]) -> None:
    answers(server, [])
    answer = fetched(server, pauses)
    assert answer.observations == []
    assert codes(answer.findings) == ["refresh.empty-answer"]


def test_a_type_that_the_region_does_not_list_is_observed_without_zones(server: Server, pauses: list[float]) -> None:
    answers(server, items())
    rows = {
        each.instance_type: each for each in fetched(server, pauses, "china", TENCENT_T4, "GT4.4XLARGE96").observations
    }
    assert dict(rows["GT4.4XLARGE96"].zones) == {}


def test_a_cloud_that_is_not_reached_is_told(pauses: list[float]) -> None:
    closed = Server()
    closed.close()
    assert codes(fetched(closed, pauses).findings) == ["refresh.unreachable"]
