"""`pulumi-llm check --fleet N`, and the bill of a fleet."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from pulumi_llm import _language, catalog
from pulumi_llm._review.bill import Bill, make_bill
from pulumi_llm._review.items import Usage
from pulumi_llm.cli import main
from pulumi_llm.preflight import clusters
from tests.cluster.fleets import FLEET, planned, resolved
from tests.cluster.managed import fleet as made_cluster


def asked(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: str) -> tuple[int, str]:
    monkeypatch.setattr("sys.argv", ["pulumi-llm", "check", *arguments])
    code = main()
    return code, capsys.readouterr().out


def bill_of(args: dict[str, Any]) -> Bill:
    return make_bill(planned(args), catalog.load(), Usage(), today=date(2026, 11, 29))


def test_it_says_how_many_nodes_and_what_an_hour_costs(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    given = ("Qwen/Qwen2.5-72B-Instruct", "--gpu", "A100-80GB", "--gpu-count", "4", "--fleet", "500")
    code, text = asked(capsys, monkeypatch, *given, "--json")
    found = json.loads(text)
    fleet = found["fleet"]
    assert code == 0
    assert fleet["requests_per_copy"] == int(found["memory"]["max_concurrency"])
    assert fleet["copies"] == -(-500 // fleet["requests_per_copy"])
    assert fleet["gpus"] == 4 * fleet["copies"]
    for row in fleet["nodes"]:
        price = catalog.load().price(row["cloud"], row["instance_type"], row["region"])
        assert row["count"] == -(-fleet["copies"] // (row["gpus"] // 4))
        assert price is None or row["per_hour"] == pytest.approx(price.amount * row["count"])
    assert [row["cloud"] for row in fleet["nodes"]] == list(dict.fromkeys(row["cloud"] for row in fleet["nodes"]))
    __, text = asked(capsys, monkeypatch, *given)
    assert f"500 requests of 8,192 tokens at once: {fleet['copies']} copies" in text


def test_of_copies_that_follow_the_load_both_ends_are_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    given = ("Qwen/Qwen2.5-72B-Instruct", "--gpu", "A100-80GB", "--gpu-count", "4", "--fleet")
    whole = json.loads(asked(capsys, monkeypatch, *given, "500", "--json")[1])["fleet"]
    found = json.loads(asked(capsys, monkeypatch, *given, "60-500", "--json")[1])["fleet"]
    least = -(-60 // found["requests_per_copy"])
    assert found["least"] == {"requests": 60, "copies": least}
    assert (found["copies"], found["requests"]) == (whole["copies"], 500)
    for row, same in zip(found["nodes"], whole["nodes"], strict=True):
        assert (row["count"], row["per_hour"]) == (same["count"], same["per_hour"])
        assert row["fewest"] == -(-least // (row["gpus"] // 4))
        assert row["per_hour"] is None or row["per_hour_at_least"] == pytest.approx(
            row["per_hour"] * row["fewest"] / row["count"]
        )
    text = asked(capsys, monkeypatch, *given, "0-500")[1]
    assert f"0 to 500 requests of 8,192 tokens at once: 0 to {found['copies']} copies" in text
    assert f"scaling: {{least: 0, most: {found['copies']}}}" in text
    assert "0.00 USD" in text
    # The file that is shown is one that is taken: a fleet has 5,000 engines of a model at most.
    assert "scaling:" not in asked(capsys, monkeypatch, *given, "0-1000000")[1]
    spec = {"model": "Qwen/Qwen2.5-72B-Instruct", "gpus": 4, "scaling": {"least": 0, "most": found["copies"]}}
    assert (
        resolved({**FLEET, "models": {"chat": spec}, "nodes": {"count": 5, "gpu": "A100-80GB", "gpus": 8}}).gpus == 40
    )


@pytest.mark.parametrize("ends", ["0", "0-0", "9-3", "3-", "-3", "a-b", "1-2-3", "1-9999999"])
def test_ends_that_are_none_are_refused(
    ends: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    given = ("Qwen/Qwen2.5-7B-Instruct", "--gpu", "A100-80GB", f"--fleet={ends}")
    code, told = asked(capsys, monkeypatch, *given)
    assert (code, told) == (2, "")


def test_the_bill_says_how_many_of_the_nodes_engines_take_at_either_end() -> None:
    scaled = {**FLEET, "models": {"chat": {"model": "Qwen/Qwen2.5-7B-Instruct", "scaling": {"least": 0, "most": 2}}}}
    (line,) = [each for each in bill_of(scaled).lines if each.kind == "machine"]
    assert line.note.endswith("on top; engines follow the load, and take 0 to 2 of them")
    in_chinese = _language.told(line.note, "zh")
    assert "引擎随负载增减，占用其中 0 到 2 个" in in_chinese
    assert "engines" not in in_chinese
    assert "on top" not in in_chinese
    assert not any("of them" in each.note for each in bill_of(FLEET).lines)


def test_a_named_machine_is_the_one_that_is_counted(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    place = ("--cloud", "aliyun", "--region", "cn-hangzhou", "--instance-type", "ecs.gn7i-c8g1.2xlarge")
    __, text = asked(capsys, monkeypatch, "Qwen/Qwen2.5-7B-Instruct", *place, "--fleet", "100", "--json")
    (row,) = json.loads(text)["fleet"]["nodes"]
    assert (row["instance_type"], row["region"]) == ("ecs.gn7i-c8g1.2xlarge", "cn-hangzhou")


def test_of_a_model_that_does_not_fit_no_fleet_is_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, text = asked(capsys, monkeypatch, "Qwen/Qwen2.5-72B-Instruct", "--gpu", "T4", "--fleet", "9", "--json")
    assert code == 1
    assert json.loads(text)["fleet"] is None


def test_the_bill_has_every_node_at_the_price_that_is_said() -> None:
    bill = bill_of(FLEET)
    (nodes,) = [line for line in bill.lines if line.slot == "nodes"]
    assert (nodes.quantity, nodes.price and nodes.price.amount) == (Decimal(2), Decimal("12.5"))
    assert nodes.per_hour is not None
    assert nodes.per_hour.cny == Decimal("25.0000")


def test_a_price_that_is_said_is_the_one_of_the_bill_and_of_the_output() -> None:
    place = {"cloud": "aliyun", "region": "cn-hangzhou", "instance_type": "ecs.gn7i-c8g1.2xlarge"}
    args = {**FLEET, "nodes": {"count": 3, **place, "price": {"amount": 5, "currency": "USD"}}}
    assert resolved(args).hourly_price == 15
    (line,) = [each for each in bill_of(args).lines if each.slot == "nodes"]
    assert line.per_hour is not None
    assert line.per_hour.usd == 15


def test_the_bill_has_a_clouds_machines_at_its_list_price() -> None:
    nodes = {"count": 3, "cloud": "aliyun", "region": "cn-hangzhou", "instance_type": "ecs.gn7i-c8g1.2xlarge"}
    bill = bill_of({**FLEET, "nodes": nodes})
    (line,) = [line for line in bill.lines if line.slot == "nodes"]
    price = catalog.load().price("aliyun", "ecs.gn7i-c8g1.2xlarge", "cn-hangzhou")
    assert price is not None
    assert line.price is not None
    assert (line.price.amount, line.quantity) == (Decimal(str(price.amount)), Decimal(3))
    assert planned({**FLEET, "nodes": nodes}).outputs["hourly_price"] == pytest.approx(3 * price.amount)


def test_what_is_not_known_is_unknown_and_never_nothing() -> None:
    bill = bill_of({**FLEET, "nodes": {"count": 2, "gpu": "A100-80GB"}})
    unknown = {line.slot: line.unknown for line in bill.unknown}
    assert unknown["nodes"] == "nobody says what it costs: nodes.price"
    assert {line.resource for line in bill.unknown} == {"x", "x-llm-gateway-state-persistentvolumeclaim"}
    open_ = {**FLEET, "load_balancer": True, "allowed_cidrs": ["203.0.113.0/24"]}
    assert "x-llm-gateway-service" in {line.resource for line in bill_of(open_).unknown}


@pytest.mark.parametrize("managed", [False, True])
def test_the_disk_of_the_vector_store_is_told_as_unknown_as_that_of_the_gateway_is(managed: bool) -> None:
    args = made_cluster("aws", nodes={"min_count": 1}) if managed else FLEET
    before = {line.slot for line in bill_of(args).lines}
    bill = bill_of({**args, "vectors": {"memory_gib": 8, "disk_gib": 100}})
    assert "vectors" not in before
    assert {line.slot for line in bill.lines} == {*before, "vectors"}
    (line,) = [each for each in bill.unknown if each.slot == "vectors"]
    (claim,) = [each for each in bill.unknown if each.resource == "x-llm-gateway-state-persistentvolumeclaim"]
    assert line.what == "the vector store's disk, 100 GiB"
    assert line.unknown == claim.unknown
    assert (line.note, line.per_hour) == ("", None)
    (usual,) = [each for each in bill_of({**args, "vectors": {}}).unknown if each.slot == "vectors"]
    assert usual.what == "the vector store's disk, 40 GiB"


def test_what_a_made_cluster_costs_besides_its_gpu_nodes_is_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    given = ("Qwen/Qwen2.5-7B-Instruct", "--gpu", "L40S", "--fleet", "100")
    __, text = asked(capsys, monkeypatch, *given, "--json")
    rows = {row["cloud"]: row for row in json.loads(text)["fleet"]["nodes"]}
    aws = rows["aws"]
    bill = bill_of(
        {
            **{key: value for key, value in FLEET.items() if key != "kubeconfig"},
            "models": {"chat": {"model": "Qwen/Qwen2.5-7B-Instruct", "copies": aws["count"]}},
            "nodes": {key: aws[key] for key in ("count", "cloud", "region", "instance_type")},
            "cluster": {"managed": {"api_cidrs": ["203.0.113.0/24"]}},
        }
    )
    told = {each.slot: each.per_hour for each in bill.lines if each.type == "llm:index:Fleet"}
    besides = [told["control-plane"], told["system"]]
    assert aws["per_hour_of_a_made_cluster"] == pytest.approx(float(sum(each.usd for each in besides if each)))
    assert aws["per_hour"] == pytest.approx(float(told["nodes"].usd)) if told["nodes"] else False
    for cloud, row in rows.items():
        if clusters.service_of(cloud) is None:
            assert row["per_hour_of_a_made_cluster"] is None, "nothing here makes one there"
    __, text = asked(capsys, monkeypatch, *given)
    assert f"{aws['per_hour_of_a_made_cluster']:,.2f} USD" in text
    assert "cluster.managed" in text
