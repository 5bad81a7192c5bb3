"""`pulumi-llm offers`: cheapest first, one screen, dated prices, and nothing that is unknown shown as free."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pulumi_llm import catalog
from pulumi_llm._commands import _offers, offers

run = offers.COMMAND.run


def listed(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    assert run([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert run(arguments) == 0
    return capsys.readouterr().out


def complaint(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert run(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Traceback" not in captured.err
    return captured.err


def test_the_cheapest_come_first_and_unknown_prices_last(capsys: pytest.CaptureFixture[str]):
    prices = [each["price_per_hour"] for each in listed(capsys)["offers"]]
    known = [price for price in prices if price is not None]
    assert known == sorted(known)
    assert all(price is not None for price in prices[: len(known)])
    assert 0 < len(known) < len(prices)


def test_where_no_spot_price_is_known_one_sentence_says_so(capsys: pytest.CaptureFixture[str]):
    text = shown(capsys, "--spot", "--cloud", "tencent")
    assert text.startswith("no spot price is known on tencent, for 2")
    assert "unknown" not in text
    assert len(text.splitlines()) == 2
    assert shown(capsys, "--spot", "--cloud", "tencent", "--all").count("unknown") > 100
    assert len(listed(capsys, "--spot", "--cloud", "tencent")["offers"]) > 100


def test_no_price_is_zero(capsys: pytest.CaptureFixture[str]):
    assert all(each["price_per_hour"] != 0 for each in listed(capsys)["offers"])


def test_an_unknown_price_is_called_unknown(capsys: pytest.CaptureFixture[str]):
    assert "unknown" in shown(capsys, "--all")


def test_the_price_per_gpu_is_the_price_over_the_gpus(capsys: pytest.CaptureFixture[str]):
    for each in listed(capsys, "--gpu", "A100-80GB")["offers"]:
        if each["price_per_hour"] is not None:
            assert each["price_per_gpu_hour"] == pytest.approx(each["price_per_hour"] / each["gpu_count"], abs=1e-4)


def test_every_known_price_has_source_and_date(capsys: pytest.CaptureFixture[str]):
    for each in listed(capsys)["offers"]:
        if each["price_per_hour"] is not None:
            assert each["source"]
            assert each["source_date"]


def test_currencies_convert_at_the_dated_rate(capsys: pytest.CaptureFixture[str]):
    yuan, dollars = listed(capsys, "--gpu", "T4"), listed(capsys, "--gpu", "T4", "--currency", "usd")
    rate = catalog.load().exchange_rate.rate
    assert yuan["currency"] == "CNY"
    assert dollars["currency"] == "USD"
    assert yuan["exchange_rate"]["source_date"]
    for one, other in zip(yuan["offers"], dollars["offers"], strict=True):
        if one["price_per_hour"] is not None:
            assert one["price_per_hour"] == pytest.approx(other["price_per_hour"] * rate, rel=1e-3)


def test_the_filters_hold(capsys: pytest.CaptureFixture[str]):
    found = listed(capsys, "--gpu", "tesla t4", "--count", "4", "--cloud", "aws", "--region", "us-east-1")["offers"]
    assert found
    for each in found:
        assert (each["gpu"], each["gpu_count"], each["cloud"], each["region"]) == ("T4", 4, "aws", "us-east-1")


def test_the_highest_price_is_in_the_currency_shown(capsys: pytest.CaptureFixture[str]):
    found = listed(capsys, "--max-price", "1", "--currency", "USD")["offers"]
    assert found
    assert all(each["price_per_hour"] <= 1 for each in found)


def test_spot_prices_are_other_prices(capsys: pytest.CaptureFixture[str]):
    usual, spot = (listed(capsys, "--gpu", "T4", "--cloud", "aws", *more)["offers"] for more in ((), ("--spot",)))
    assert min(each["price_per_hour"] for each in spot if each["price_per_hour"]) < usual[0]["price_per_hour"]
    assert all(each["spot"] is True for each in spot if each["price_per_hour"] is not None)


def test_only_what_a_model_fits_on_is_listed(capsys: pytest.CaptureFixture[str]):
    every, fitting = listed(capsys)["offers"], listed(capsys, "--model", "Qwen/Qwen2.5-14B-Instruct")["offers"]
    assert 0 < len(fitting) < len(every)
    pairs = {(each["gpu"], each["gpu_count"]) for each in fitting}
    assert ("A100-80GB", 1) in pairs
    assert not {("T4", 1), ("A10", 1), ("V100-32GB", 1)} & pairs


def test_a_model_that_fits_on_nothing_of_the_kind_says_so(capsys: pytest.CaptureFixture[str]):
    assert "fits on nothing of the kind" in shown(capsys, "--model", "deepseek-ai/DeepSeek-V3", "--gpu", "T4")


def test_one_screen_is_shown_and_how_many_more_there_are(capsys: pytest.CaptureFixture[str]):
    lines = shown(capsys).splitlines()
    assert len(lines) <= 26
    assert any("more; --all shows them" in line for line in lines)


def test_old_prices_are_marked(capsys: pytest.CaptureFixture[str]):
    told = shown(capsys, "--cloud", "aliyun", "--gpu", "T4", "--limit", "3")
    assert "2024-12-31*" in told
    assert "* dated more than a year ago" in told


def test_the_guide_s_price_is_shown_beside_today_s(capsys: pytest.CaptureFixture[str]):
    told = shown(capsys, "--gpu", "T4", "--cloud", "aliyun", "--limit", "1")
    assert "the guide of 2024 gave 11.63 for ecs.gn6i-c4g1.xlarge (aliyun, 1 x T4)" in told
    assert len(listed(capsys, "--gpu", "T4")["guide_prices"]) == 3
    assert listed(capsys)["guide_prices"] == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--gpu", "T44"), "did you mean"),
        (("--gpu", "A100"), "A100-40GB or A100-80GB"),
        (("--cloud", "ovh"), "there is no cloud called 'ovh'"),
        (("--cloud", "aws", "--region", "us-est-1"), "us-east-1"),
        (("--model", "Qwen/Qwen3-8C"), "Qwen/Qwen3-8B"),
        (("--currency", "EUR"), "there are: CNY, USD"),
        (("--max-price", "free"), "'free' is not a number"),
        (("--count", "-1"), "--count"),
        (("--limt", "3"), "did you mean --limit"),
        (("T4",), "'T4' is one argument too many"),
    ],
)
def test_a_wrong_call_says_what_is_right(capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str):
    assert said in complaint(capsys, *arguments)


def test_nothing_found_is_no_error_and_says_why(capsys: pytest.CaptureFixture[str]):
    assert "nothing with a known price costs 0.01 CNY" in shown(capsys, "--max-price", "0.01")


def test_a_broken_catalogue_is_told_and_gives_no_price(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "data").mkdir()
    catalog.load(catalog.DATA).copy_to(tmp_path / "data")
    (tmp_path / "data" / "prices.json").write_text("{", encoding="utf-8")
    broken = catalog.load(tmp_path / "data")
    monkeypatch.setattr(_offers.catalog, "load", lambda: broken)
    assert "catalog.broken-file" in complaint(capsys, "--gpu", "T4")
