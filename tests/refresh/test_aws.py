"""AWS's answers become rows, and its refusals become messages. The SDK's own clients run, with stubbed answers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import boto3
import botocore.session
import pytest
from botocore.stub import ANY, Stubber
from botocore.validate import ParamValidator

from pulumi_llm._refresh.observed import Answer
from pulumi_llm.clouds.aws import refresh as aws
from pulumi_llm.errors import Refusal
from tests.refresh.conftest import recorded
from tests.refresh.samples import AWS_T4, codes, scope, silent

REGION = "us-west-2"


def recording() -> dict[str, Any]:
    content = recorded("aws")
    for each in content["spot"]["SpotPriceHistory"]:
        each["Timestamp"] = datetime.fromisoformat(each["Timestamp"])
    content["products"] = {"FormatVersion": "aws_v1", "PriceList": [json.dumps(each) for each in content["products"]]}
    return content


class Session:
    """Hands out the SDK's clients, each with a stub that plays its answers in order and checks what is asked."""

    def __init__(self) -> None:
        self.stubs: dict[str, Stubber] = {}
        self.clients: dict[str, Any] = {}
        for service in ("ec2", "pricing"):
            region = REGION if service == "ec2" else aws.PRICING_REGION
            client = boto3.client(service, region_name=region, aws_access_key_id="a", aws_secret_access_key="s")
            self.clients[service], self.stubs[service] = client, Stubber(client)
            self.stubs[service].activate()

    def client(self, service: str, region_name: str, config: object) -> Any:
        assert region_name == (REGION if service == "ec2" else aws.PRICING_REGION)
        return self.clients[service]


def offers(session: Session, answer: Mapping[str, Any]) -> None:
    asked = {
        "LocationType": "availability-zone",
        "Filters": [{"Name": "instance-type", "Values": [AWS_T4, "g4dn.2xlarge"]}],
    }
    session.stubs["ec2"].add_response("describe_instance_type_offerings", answer, asked)


def spot(session: Session, answer: Mapping[str, Any]) -> None:
    asked = {
        "InstanceTypes": ["g4dn.2xlarge", AWS_T4],
        "ProductDescriptions": ["Linux/UNIX"],
        "StartTime": ANY,
    }
    session.stubs["ec2"].add_response("describe_spot_price_history", answer, asked)


def fetched(session: Session) -> Answer:
    return aws.fetch(scope("aws", REGION, AWS_T4, "g4dn.2xlarge"), silent, session)


def whole(session: Session) -> Answer:
    content = recording()
    offers(session, content["offerings"])
    spot(session, content["spot"])
    none = {"FormatVersion": "aws_v1", "PriceList": []}
    session.stubs["pricing"].add_response("get_products", none)  # g4dn.2xlarge
    session.stubs["pricing"].add_response("get_products", content["products"])
    return fetched(session)


@pytest.mark.parametrize(
    ("service", "operation", "part"),
    [
        ("ec2", "DescribeInstanceTypeOfferings", "offerings"),
        ("ec2", "DescribeSpotPriceHistory", "spot"),
        ("pricing", "GetProducts", "products"),
    ],
)
def test_the_recording_has_the_shape_of_the_service_model(service: str, operation: str, part: str) -> None:
    shape = botocore.session.get_session().get_service_model(service).operation_model(operation).output_shape
    answer = recording()[part]
    assert ParamValidator().validate(answer, shape).generate_report() == ""

    def unknown(value: Any, of: Any) -> list[str]:
        if of.type_name == "structure":
            found = [key for key in value if key not in of.members]
            return found + [name for key in value if key in of.members for name in unknown(value[key], of.members[key])]
        return [name for each in value for name in unknown(each, of.member)] if of.type_name == "list" else []

    assert unknown(answer, shape) == []


def test_a_type_is_observed_with_its_zones_and_prices() -> None:
    row = next(each for each in whole(Session()).observations if each.instance_type == AWS_T4)
    assert row.zones == {"us-west-2a": "offered", "us-west-2c": "offered"}
    assert row.price is not None
    assert (row.price.amount, row.price.currency, row.price.api) == (0.536, "USD", "GetProducts")
    assert row.source == "aws DescribeInstanceTypeOfferings on 2026-11-24"


def test_the_spot_price_is_the_newest_of_the_cheapest_zone_of_the_region() -> None:
    row = next(each for each in whole(Session()).observations if each.instance_type == AWS_T4)
    assert row.spot is not None
    assert row.spot.amount == 0.2143
    assert row.spot.notes.endswith("0.231 USD in us-west-2a, 0.2143 USD in us-west-2c")


def test_a_type_without_a_list_price_is_told_and_has_none() -> None:
    answer = whole(Session())
    row = next(each for each in answer.observations if each.instance_type == "g4dn.2xlarge")
    assert row.price is None
    assert codes(answer.findings) == ["refresh.no-price"]
    assert "g4dn.2xlarge" in answer.findings[0].message


def test_a_local_zone_is_no_zone_of_the_region() -> None:
    zones = aws.zones_by_type(recording()["offerings"]["InstanceTypeOfferings"], REGION)
    assert "us-west-2-lax-1a" not in zones[AWS_T4]


def test_a_price_of_zero_is_told_and_not_taken() -> None:
    text = recording()["products"]["PriceList"][0].replace("0.5360000000", "0.0000000000")
    found = aws.list_prices([text], AWS_T4)[REGION]
    assert isinstance(found, str)
    assert "'0.0000000000'" in found


def test_two_prices_for_one_machine_are_told_and_neither_is_taken() -> None:
    text = recording()["products"]["PriceList"][0]
    found = aws.list_prices([text, text.replace("0.5360000000", "0.6000000000")], AWS_T4)[REGION]
    assert isinstance(found, str)
    assert "0.5360000000 USD, 0.6000000000 USD" in found


def test_a_price_in_another_currency_is_not_taken() -> None:
    text = recording()["products"]["PriceList"][0].replace('"USD"', '"EUR"')
    assert "EUR" in str(aws.list_prices([text], AWS_T4)[REGION])


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("UnauthorizedOperation", "refresh.denied"),
        ("AuthFailure", "refresh.denied"),
        ("OptInRequired", "refresh.denied"),
        ("InternalError", "refresh.failed"),
    ],
)
def test_a_region_that_cannot_be_asked_is_told_and_left_as_it_was(code: str, expected: str) -> None:
    session = Session()
    session.stubs["ec2"].add_client_error("describe_instance_type_offerings", code, "as the API words it", 403)
    answer = fetched(session)
    assert answer.observations == []
    assert codes(answer.findings) == [expected]
    assert "as the API words it" in answer.findings[0].message


def test_a_throttled_price_list_is_told_once_and_the_offers_stay() -> None:
    session = Session()
    offers(session, recording()["offerings"])
    spot(session, recording()["spot"])
    session.stubs["pricing"].add_client_error("get_products", "ThrottlingException", "Rate exceeded", 400)
    answer = fetched(session)
    assert codes(answer.findings) == ["refresh.throttled"]
    assert {each.instance_type: each.price for each in answer.observations} == {AWS_T4: None, "g4dn.2xlarge": None}


def test_denied_spot_prices_leave_the_offers_and_the_list_prices() -> None:
    session, content = Session(), recording()
    offers(session, content["offerings"])
    session.stubs["ec2"].add_client_error("describe_spot_price_history", "UnauthorizedOperation", "no", 403)
    for _ in range(2):
        session.stubs["pricing"].add_response("get_products", content["products"])
    answer = fetched(session)
    assert "refresh.denied" in codes(answer.findings)
    assert [each.price.amount for each in answer.observations if each.price is not None] == [0.536]


def test_an_empty_answer_changes_nothing_for_the_region() -> None:
    session = Session()
    offers(session, {"InstanceTypeOfferings": []})
    answer = fetched(session)
    assert answer.observations == []
    assert codes(answer.findings) == ["refresh.empty-answer"]


def test_a_type_that_the_region_has_no_more_is_observed_without_zones() -> None:
    session, content = Session(), recording()
    only = [each for each in content["offerings"]["InstanceTypeOfferings"] if each["InstanceType"] == AWS_T4]
    offers(session, {"InstanceTypeOfferings": only})
    session.stubs["ec2"].add_response("describe_spot_price_history", {"SpotPriceHistory": []})
    session.stubs["pricing"].add_response("get_products", content["products"])
    gone = next(each for each in fetched(session).observations if each.instance_type == "g4dn.2xlarge")
    assert dict(gone.zones) == {}
    assert gone.price is None


def test_without_credentials_the_message_names_what_to_set() -> None:
    with pytest.raises(Refusal) as refused:
        aws.fetch(scope("aws", REGION, AWS_T4), silent)
    assert refused.value.findings[0].code == "refresh.no-credentials"
    assert "AWS_ACCESS_KEY_ID" in refused.value.findings[0].hint


def test_a_profile_that_does_not_exist_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "absent")
    with pytest.raises(Refusal, match="absent"):
        aws.fetch(scope("aws", REGION, AWS_T4), silent)
