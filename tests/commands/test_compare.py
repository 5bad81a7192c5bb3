"""`pulumi-llm compare`: machines, managed services and APIs per month; what has no price is not known, no guess."""

from __future__ import annotations

import json
import shutil
import sys
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulumi_llm import catalog
from pulumi_llm._commands import bill, compare
from pulumi_llm._compare.comparison import short
from pulumi_llm._compare.month import Month
from pulumi_llm._compare.services import Service, services

ROOT = Path(__file__).parents[2]
YI = "01-ai/Yi-6B-Chat"
TOKENS = ("--input-tokens", "50M", "--output-tokens", "10M")
MONTH = Month(input_tokens=50_000_000, output_tokens=10_000_000, hours=Decimal(730), traffic_gib=Decimal(50))
TENCENT = "pulumi_llm.clouds.tencent.adapter"
AUTUMN = date(2026, 11, 1)

run = compare.COMMAND.run


def found(capsys: pytest.CaptureFixture[str], model: str, *arguments: str) -> Any:
    assert run([model, *TOKENS, *arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def shown(capsys: pytest.CaptureFixture[str], model: str, *arguments: str) -> str:
    assert run([model, *TOKENS, *arguments]) == 0
    return capsys.readouterr().out


def complaint(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert run(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Traceback" not in captured.err
    return captured.err


def offered(model: str, *chosen: tuple[str, str], today: date = AUTUMN) -> list[Service]:
    return list(services(catalog.load().model(model), MONTH, chosen, today))


def of(rows: list[Service], vendor: str) -> list[Service]:
    return [each for each in rows if each.vendor.vendor == vendor]


# A machine of one's own.


def test_each_cloud_with_gpu_machines_has_its_cheapest_that_the_model_fits_on(
    capsys: pytest.CaptureFixture[str],
) -> None:
    from pulumi_llm._commands import offers

    machines = {each["cloud"]: each for each in found(capsys, YI)["machines"]}
    assert {"aliyun", "aws", "tencent"} <= set(machines)
    assert "ssh" not in machines
    for cloud, machine in machines.items():
        assert offers.COMMAND.run(["--model", YI, "--cloud", cloud, "--json"]) == 0
        listed = [each for each in json.loads(capsys.readouterr().out)["offers"] if each["access"] == "self-service"]
        assert (machine["instance_type"], machine["region"]) == (listed[0]["instance_type"], listed[0]["region"])


def test_a_machine_costs_what_the_bill_of_a_stack_with_it_says(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (machine,) = found(capsys, YI, "--cloud", "aws", "--hours", "200")["machines"]
    shutil.copy(ROOT / "Pulumi.yaml", tmp_path)
    shutil.copytree(ROOT / "stacks", tmp_path / "stacks")
    server = {"cloud": "aws", "model": YI} | {key: machine[key] for key in ("region", "gpu", "instance_type")}
    platform = {"server": server, "access": {"allowed_cidrs": ["203.0.113.0/24"]}}
    (tmp_path / "stacks/Pulumi.mine.yaml").write_text(json.dumps({"config": {"pulumi-llm:platform": platform}}))
    assert (
        bill.COMMAND.run(["-s", "mine", "--project", str(tmp_path), "--hours-per-day", "10", "--days", "20", "--json"])
        == 0
    )
    billed = json.loads(capsys.readouterr().out)
    assert billed["total"]["per_month"] == machine["per_month"]
    assert len(billed["lines"]) == len(machine["lines"])
    assert machine["at_least"] is False


def test_the_price_of_a_machine_is_the_sum_of_its_lines(capsys: pytest.CaptureFixture[str]) -> None:
    for each in found(capsys, YI)["machines"]:
        known = [line["per_month"]["USD"] for line in each["lines"] if line["per_month"]]
        told = each["per_month"]["USD"] if each["per_month"] else None
        # A sum of nothing is not known, rather than nothing.
        assert told == (pytest.approx(sum(known), abs=0.001) if known else None)


def test_fewer_hours_cost_less_and_disks_are_paid_for_all_the_month(capsys: pytest.CaptureFixture[str]) -> None:
    (whole,) = found(capsys, YI, "--cloud", "aws")["machines"]
    (part,) = found(capsys, YI, "--cloud", "aws", "--hours", "73")["machines"]
    prices = [{line["kind"]: line["per_month"]["USD"] for line in each["lines"]} for each in (whole, part)]
    assert prices[1]["machine"] == pytest.approx(prices[0]["machine"] / 10, abs=0.01)
    assert prices[1]["disk"] == prices[0]["disk"]


def test_a_part_without_a_price_is_named_and_makes_the_price_a_lower_bound(capsys: pytest.CaptureFixture[str]) -> None:
    (machine,) = found(capsys, YI, "--cloud", "aliyun")["machines"]
    assert machine["at_least"] is True
    unknown = [line["what"] for line in machine["lines"] if line["per_month"] is None]
    assert unknown
    told = shown(capsys, YI, "--cloud", "aliyun")
    assert "at least" in told
    assert f"not known, and not in its price: {', '.join(unknown)}" in told


def test_a_machine_without_a_price_is_not_known_and_breaks_even_with_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    content = found(capsys, "openai/gpt-oss-120b", "--cloud", "tencent")
    (machine,) = content["machines"]
    assert machine["per_month"] is None
    assert "the catalogue has no price of" in machine["why_unknown"]
    assert content["break_even"] == []
    assert "not known" in shown(capsys, "openai/gpt-oss-120b", "--cloud", "tencent")


def test_a_model_that_fits_on_no_machine_of_a_cloud_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    (machine,) = found(capsys, "deepseek-ai/DeepSeek-V3.2", "--cloud", "tencent")["machines"]
    assert (machine["instance_type"], machine["per_month"]) == (None, None)
    assert "it fits on none of the machines" in machine["why_unknown"]


def test_where_a_clouds_sdk_is_not_installed_its_machine_has_no_price_and_the_others_have(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in [each for each in sys.modules if each.startswith(("tencentcloud_iac_pulumi", TENCENT))]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "tencentcloud_iac_pulumi", None)
    machines = {each["cloud"]: each for each in found(capsys, YI)["machines"]}
    assert machines["tencent"]["per_month"] is None
    assert "its Pulumi SDK (tencentcloud_iac_pulumi) is not installed" in machines["tencent"]["why_unknown"]
    assert machines["aws"]["per_month"]["USD"] > 0


def test_a_longer_context_is_asked_of_the_machine_too(capsys: pytest.CaptureFixture[str]) -> None:
    usual, longer = (
        found(capsys, "Qwen/Qwen3-8B", "--cloud", "aws", *more)["machines"][0]
        for more in ((), ("--max-model-len", "40960"))
    )
    assert (usual["context_length"], longer["context_length"]) == (8192, 40960)
    assert longer["per_month"]["USD"] > usual["per_month"]["USD"]


# Services.


def test_every_managed_service_has_a_row_and_servers_of_ones_own_have_none() -> None:
    rows = offered(YI)
    assert {"qwen", "qianfan", "ark", "pai-eas", "hai"} <= {each.vendor.vendor for each in rows}
    assert not {"vllm", "custom"} & {each.vendor.vendor for each in rows}
    assert all(each.vendor.managed for each in rows)


def test_what_has_no_price_is_not_known_and_says_why() -> None:
    for each in offered(YI):
        assert each.per_month is None
        assert each.why_unknown
    assert "hours of machines" in str(of(offered(YI), "pai-eas")[0].why_unknown)


def test_the_tokens_cost_the_price_of_the_catalogue_and_it_has_source_and_date() -> None:
    (groq,) = of(offered("openai/gpt-oss-120b"), "groq")
    row = catalog.load().token_prices["groq", "openai/gpt-oss-120b"]
    assert groq.per_month is not None
    assert float(groq.per_month.usd) == pytest.approx(50 * row.input + 10 * row.output)
    assert float(groq.per_month.cny) == pytest.approx(
        float(groq.per_month.usd) * catalog.load().exchange_rate.rate, abs=0.01
    )
    assert groq.price is not None
    assert (groq.price.source, groq.price.source_date) == (row.source, row.source_date)


def test_a_vendors_model_of_the_same_name_is_found_however_it_is_spelt_and_what_differs_is_said() -> None:
    (qwen,) = of(offered("moonshotai/Kimi-K2.7-Code"), "qwen")
    assert (qwen.model, qwen.same, qwen.chosen) == ("kimi-k2.7-code", True, False)
    assert any("precision" in each and "not known" in each for each in qwen.differs)


def test_a_quantized_copy_is_told_from_what_the_vendor_has() -> None:
    (groq,) = of(offered("Qwen/Qwen3.8-27B-FP8"), "groq")
    assert groq.differs[0] == "of Qwen/Qwen3.8-27B, of which Qwen/Qwen3.8-27B-FP8 is a copy in fp8"


def test_a_vendors_own_model_is_compared_only_by_the_callers_choice() -> None:
    assert not of(offered(YI), "openai")
    (openai,) = of(offered(YI, ("openai", "gpt-6-luna")), "openai")
    assert (openai.same, openai.chosen) == (False, True)
    assert "another model, which is comparable by your choice alone" in openai.differs
    assert "not for callers in mainland China" in openai.differs
    assert openai.per_month is not None


def test_a_chosen_model_without_a_price_is_not_known_with_those_that_may_be_meant() -> None:
    (openai,) = of(offered(YI, ("openai", "gpt-6-lunaa")), "openai")
    assert openai.per_month is None
    assert "did you mean gpt-6-luna" in str(openai.why_unknown)
    (ark,) = of(offered(YI, ("ark", "doubao-seed-2-1-pro-260628")), "ark")
    assert ark.why_unknown == "the catalogue has no price of ark/doubao-seed-2-1-pro-260628"


def test_a_model_that_its_vendor_has_switched_off_costs_nothing_that_is_known() -> None:
    name = "Qwen/Qwen3-Next-80B-A3B-Instruct"
    (before,) = of(offered(name, today=date(2026, 10, 10)), "qwen")
    assert before.per_month is not None
    assert "the vendor switches it off on 2026-10-11" in before.differs
    (after,) = of(offered(name, today=date(2026, 10, 11)), "qwen")
    assert after.per_month is None
    assert after.why_unknown == "the vendor has switched it off on 2026-10-11"


def test_every_vendor_says_what_it_sells() -> None:
    rows = catalog.load().upstreams
    assert {name for name, row in rows.items() if row.managed} == {"qwen", "qianfan", "ark", "pai-eas", "hai"}
    assert {name for name, row in rows.items() if row.sells == "nothing"} == {"vllm", "custom"}
    assert all(row.base_url is None for row in rows.values() if row.sells != "tokens")


# Both.


def test_at_the_break_even_the_service_costs_what_the_machine_does(capsys: pytest.CaptureFixture[str]) -> None:
    content = found(capsys, "openai/gpt-oss-120b", "--with", "openai/gpt-6-luna")
    machines = {each["cloud"]: each for each in content["machines"]}
    prices = {(each["vendor"], each["model"]): each["usd_per_million"] for each in content["services"]}
    assert {each["vendor"] for each in content["break_even"]} == {"groq", "openai"}
    for each in content["break_even"]:
        price, machine = prices[each["vendor"], each["model"]], machines[each["cloud"]]
        cost = each["tokens"] / 1e6 * (price["input"] * 5 / 6 + price["output"] / 6)
        assert cost == pytest.approx(machine["per_month"]["USD"], rel=1e-6)
        assert each["at_least"] is machine["at_least"]


def test_what_one_machine_can_write_is_not_known_and_the_average_that_it_would_have_to_is_told(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rate = found(capsys, YI, "--cloud", "aws", "--hours", "100")["throughput"]
    assert rate["enough"] is None
    assert rate["needs_output_tokens_per_second"] == pytest.approx(10e6 / 360_000, abs=0.001)
    assert rate["needs_input_tokens_per_second"] == pytest.approx(50e6 / 360_000, abs=0.001)
    told = shown(capsys, YI, "--cloud", "aws", "--hours", "100")
    assert "not known: whether one machine takes and writes so many tokens" in told
    assert "138.9 tokens a second in and 27.8 out" in told


def test_each_figure_has_a_source_with_its_date_in_the_list(capsys: pytest.CaptureFixture[str]) -> None:
    content = found(capsys, "openai/gpt-oss-120b")
    for each in content["machines"]:
        assert all(line["source"] and line["source_date"] for line in each["lines"] if line["per_month"])
    for each in content["services"]:
        assert (each["source"] is not None and each["source_date"] is not None) or each["per_month"] is None
    told = shown(capsys, "openai/gpt-oss-120b")
    table, sources = told.split("\nsources:\n")
    numbers = {int(part.split("]")[0]) for part in table.split("[")[1:]}
    listed = [line.split()[0] for line in sources.splitlines()]
    assert listed == [f"[{number}]" for number in range(1, len(listed) + 1)]
    assert numbers == set(range(1, len(listed)))  # the last one is that of the exchange rate


def test_it_is_told_in_chinese(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULUMI_LLM_LANG", "zh")
    told = shown(capsys, "openai/gpt-oss-120b", "--with", "openai/gpt-6-luna")
    for word in ("自有机器", "托管服务", "厂商 API", "未知", "来源："):
        assert word in told


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((YI,), "--input-tokens"),
        ((YI, "--input-tokens", "1M", "--output-tokens", "ten"), "'ten' is not a number of tokens such as 50M"),
        ((YI, "--input-tokens", "1M", "--output-tokens", "0.5"), "is not a number of tokens"),
        ((YI, "--input-tokens", "1M", "--output-tokens", "9999999B"), "is not a number of tokens"),
        ((YI, "--input-tokens", "0", "--output-tokens", "0"), "no tokens at all"),
        ((YI, *TOKENS, "--hours", "731"), "not between 0 and 730"),
        ((YI, *TOKENS, "--hours", "0"), "not between 0 and 730"),
        ((YI, *TOKENS, "--region", "us-east-1"), "--region needs --cloud"),
        ((YI, *TOKENS, "--cloud", "ovh"), "there is no cloud called 'ovh'"),
        ((YI, *TOKENS, "--cloud", "aws", "--region", "us-est-1"), "us-east-1"),
        ((YI, *TOKENS, "--with", "opnai/gpt-6-luna"), "did you mean openai?"),
        ((YI, *TOKENS, "--with", "openai"), "the vendor's model is missing"),
        ((YI, *TOKENS, "--with", "vllm/x"), "is a server of your own"),
        (("Qwen/Qwen3-8C", *TOKENS), "Qwen/Qwen3-8B"),
    ],
)
def test_a_wrong_call_says_what_is_right(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str
) -> None:
    assert said in complaint(capsys, *arguments)


@pytest.mark.parametrize(
    ("tokens", "said"),
    [(0, "0"), (999, "999"), (1_500, "1.5k"), (50_000_000, "50M"), (1_234_567, "1.23M"), (11 * 10**9, "11B"),
     (44_132_340_000, "44.1B"), (10**15, "1e+06B")],
)  # fmt: skip
def test_a_number_of_tokens_is_told_as_one_says_it(tokens: int, said: str) -> None:
    assert short(tokens) == said


@given(st.integers(0, 10**12), st.integers(0, 10**12), st.decimals(0, 600, places=4), st.decimals(0, 600, places=4))
def test_what_tokens_cost_is_exact(tokens_in: int, tokens_out: int, price_in: Decimal, price_out: Decimal) -> None:
    month = Month(input_tokens=tokens_in, output_tokens=tokens_out, hours=Decimal(1), traffic_gib=Decimal(0))
    exact = (tokens_in * int(price_in * 10**4) + tokens_out * int(price_out * 10**4)) / Decimal(10**10)
    assert month.price(price_in, price_out) == exact
