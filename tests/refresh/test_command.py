"""`pulumi-llm catalog` as it is called: what is written, what is said, and with which exit code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pulumi_llm import catalog as catalogue
from pulumi_llm import clouds
from pulumi_llm._commands import catalog
from pulumi_llm._refresh import store
from pulumi_llm._refresh.run import asked_clouds
from pulumi_llm._refresh.show import as_json, as_text
from pulumi_llm.clouds.aliyun import refresh as aliyun
from pulumi_llm.clouds.aws import refresh as aws
from pulumi_llm.clouds.tencent import refresh as tencent
from pulumi_llm.errors import Refusal
from tests.refresh.conftest import Server
from tests.refresh.samples import SHIPPED, TENCENT_T4, TODAY, cny, seen
from tests.refresh.test_tencent import ACTION, answers, connect_to, items, refused

T4_IN_GUANGZHOU = ["--cloud", "tencent", "--region", "ap-guangzhou", "--gpu", "T4", "--tencent-site", "china"]


@pytest.fixture
def account(server: Server, monkeypatch: pytest.MonkeyPatch) -> Server:
    """Keys for Tencent Cloud, whose API is a server on this machine."""
    monkeypatch.setenv("TENCENTCLOUD_SECRET_ID", "id")
    monkeypatch.setenv("TENCENTCLOUD_SECRET_KEY", "key")
    monkeypatch.setattr(tencent, "_connector", lambda: connect_to(server.address))
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    answers(server, items())
    return server


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = catalog.COMMAND.run(arguments)
    shown = capsys.readouterr()
    return code, shown.out, shown.err


def refreshed(capsys: pytest.CaptureFixture[str], *more: str) -> tuple[int, dict[str, Any]]:
    code, out, _ = said(capsys, "refresh", *T4_IN_GUANGZHOU, "--json", *more)
    return code, json.loads(out)


def test_a_refresh_writes_a_catalogue_and_tells_what_changed(
    account: Server, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    code, told = refreshed(capsys, "--out", str(tmp_path / "new"))
    price = catalogue.load(tmp_path / "new").price("tencent", TENCENT_T4, "ap-guangzhou")
    assert code == 0
    assert price is not None
    assert (price.amount, price.currency) == (8.68, "CNY")
    assert price.source.startswith(f"tencent {ACTION} on ")
    before = {each["kind"]: each["before"] for each in told["changes"] if each["instance_type"] == TENCENT_T4}
    assert before["price"] == "1.26 USD"
    assert told["sold_out"] == [
        {"cloud": "tencent", "region": "ap-guangzhou", "zone": "ap-guangzhou-3", "instance_type": TENCENT_T4}
    ]


def test_as_text_it_names_prices_before_and_after_and_sold_out_zones(
    account: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = said(capsys, "refresh", *T4_IN_GUANGZHOU)
    assert code == 0
    assert "1.26 USD -> 8.68 CNY per hour" in out
    assert f"tencent ap-guangzhou-3: {TENCENT_T4}" in out
    assert f"export PULUMI_LLM_CATALOG={store.default_directory()}" in out


def test_the_second_refresh_of_the_same_finds_nothing_changed(
    account: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    refreshed(capsys)
    _, told = refreshed(capsys)
    assert told["changes"] == []


def test_a_failed_region_keeps_what_an_earlier_refresh_had(account: Server, capsys: pytest.CaptureFixture[str]) -> None:
    refreshed(capsys)
    account.answers(ACTION, refused("InternalError"))
    code, told = refreshed(capsys)
    price = catalogue.load(store.default_directory()).price("tencent", TENCENT_T4, "ap-guangzhou")
    assert (code, told["written"]) == (1, False)
    assert price is not None
    assert price.amount == 8.68


def test_another_region_s_refresh_keeps_the_first(account: Server, capsys: pytest.CaptureFixture[str]) -> None:
    refreshed(capsys)
    elsewhere = [{**each, "Zone": each["Zone"].replace("guangzhou", "shanghai")} for each in items()]
    answers(account, elsewhere)
    asked = [each.replace("guangzhou", "shanghai") for each in T4_IN_GUANGZHOU]
    assert catalog.COMMAND.run(["refresh", *asked]) == 0
    made = catalogue.load(store.default_directory())
    prices = [made.price("tencent", TENCENT_T4, region) for region in ("ap-guangzhou", "ap-shanghai")]
    assert [each and each.amount for each in prices] == [8.68, 8.68]


def test_a_price_in_the_wrong_site_s_currency_is_held_back(account: Server, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = said(capsys, "refresh", *T4_IN_GUANGZHOU[:-1], "international")
    assert code == 0
    assert "[refresh.held-back]" in err
    assert "6.89 times" in err
    assert "8.68 USD per hour" not in out


def test_without_a_site_the_refresh_says_which_to_name(account: Server, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = said(capsys, "refresh", *T4_IN_GUANGZHOU[:-2])
    assert code == 1
    assert "[refresh.site-needed]" in err
    assert "nothing was written" in out


def test_clouds_without_credentials_are_named_and_skipped(account: Server, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = said(capsys, "refresh", "--gpu", "T4", "--tencent-site", "china")
    assert "aliyun: skipped, no credentials: set ALIBABA_CLOUD_ACCESS_KEY_ID" in out
    assert "aws: skipped, no credentials: set AWS_ACCESS_KEY_ID" in out
    assert code == 1  # the server answers Guangzhou's zones for every region: those of the others are not theirs


def test_no_credentials_at_all_is_an_error_that_names_what_to_set(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = said(capsys, "refresh")
    assert code == 1
    for name in ("ALIBABA_CLOUD_ACCESS_KEY_ID", "AWS_ACCESS_KEY_ID", "TENCENTCLOUD_SECRET_ID"):
        assert name in err


@pytest.mark.parametrize(
    ("cloud", "module"),
    [
        ("aws", "boto3"),
        ("aliyun", "alibabacloud_ecs20140526.client"),
        ("tencent", "tencentcloud.cvm.v20170312"),
        ("gcp", "gpuhunt"),
        ("vultr", "gpuhunt.providers.vultr"),
    ],
)
def test_an_sdk_that_is_missing_is_named_with_the_extra_that_brings_it(
    cloud: str, module: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    gpu = "A16" if cloud == "vultr" else "T4"
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setitem(sys.modules, "tencentcloud.cvm.v20170312.cvm_client", None)
    code, _, err = said(capsys, "refresh", "--cloud", cloud, "--gpu", gpu, "--tencent-site", "china")
    assert code == 1
    assert "[refresh.no-sdk]" in err
    assert "(the extra 'refresh' of pulumi-llm)" in err


@pytest.mark.parametrize(
    ("arguments", "said_of"),
    [
        (["--cloud", "alyun"], "did you mean aliyun"),
        (["--gpu", "T5"], "catalog.unknown-gpu"),
        (["--region", "cn-hangzou"], "did you mean cn-hangzhou"),
        (["--cloud", "aws", "--region", "cn-hangzhou"], "no region of aws called 'cn-hangzhou'"),
        (["--regoin", "x"], "did you mean --region"),
        (["--tencent-site", "moon"], "invalid choice"),
    ],
)
def test_a_wrong_call_says_what_would_be_right(
    arguments: list[str], said_of: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = said(capsys, "refresh", *arguments)
    assert (code, said_of in err) == (2, True), err


def test_the_regions_of_aws_in_china_are_not_asked(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = said(capsys, "refresh", "--cloud", "aws", "--region", "cn-north-1")
    assert code == 1
    assert "[refresh.nothing-to-ask]" in err


def test_help_says_that_no_real_account_was_ever_asked(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["--help"], ["refresh", "--help"]):
        code, out, _ = said(capsys, *arguments)
        assert code == 0
        assert "never run" in out


def test_a_cloud_whose_folder_says_not_how_it_is_asked_is_refused(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pulumi_llm._refresh.run.asked_clouds", dict)
    code, _, err = said(capsys, "refresh", "--cloud", "digitalocean")
    assert code != 0
    assert "[refresh.nothing-to-ask]" in err


@pytest.mark.parametrize("cloud", sorted(clouds.folders().keys() - asked_clouds().keys()))
def test_a_cloud_whose_prices_cannot_be_asked_for_is_told_as_that_and_not_as_one_without_machines(
    cloud: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = said(capsys, "refresh", "--cloud", cloud)
    assert code == 1
    assert f"how {cloud} is asked for its prices is not known" in err
    assert f"one of {', '.join(sorted(asked_clouds()))}" in err


def test_asking_without_a_subcommand_is_a_wrong_call(capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys)[0] == 2
    code, _, err = said(capsys, "refrehs")
    assert (code, "did you mean refresh" in err) == (2, True)


@pytest.mark.parametrize(
    ("cloud", "names"),
    [
        (aws, ["AWS_ACCESS_KEY_ID"]),
        (aws, ["AWS_PROFILE"]),
        (aliyun, ["ALIBABA_CLOUD_ACCESS_KEY_ID", "ALIBABA_CLOUD_ACCESS_KEY_SECRET"]),
        (aliyun, ["ALIBABA_CLOUD_ECS_METADATA"]),
        (tencent, ["TENCENTCLOUD_SECRET_ID", "TENCENTCLOUD_SECRET_KEY"]),
    ],
)
def test_credentials_in_the_environment_are_seen(cloud: Any, names: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert not cloud.has_credentials()
    for name in names:
        monkeypatch.setenv(name, "set")
    assert cloud.has_credentials()


@pytest.mark.parametrize(
    ("cloud", "file"),
    [(aws, ".aws/credentials"), (aliyun, ".aliyun/config.json"), (tencent, ".tencentcloud/credentials")],
)
def test_credentials_in_the_usual_files_are_seen(cloud: Any, file: str) -> None:
    path = Path.home() / file
    path.parent.mkdir()
    path.write_text("", encoding="utf-8")
    assert cloud.has_credentials()


# The rest of the program


def program(directory: str) -> subprocess.CompletedProcess[str]:
    code = (
        "from pulumi_llm import catalog;"
        "print(catalog.load().price('aliyun', 'ecs.gn6i-c4g1.xlarge', 'cn-hangzhou').amount)"
    )
    environment = {**os.environ, "PULUMI_LLM_CATALOG": directory}
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)


def test_the_variable_makes_the_whole_program_use_a_refreshed_catalogue(tmp_path: Path) -> None:
    store.write(tmp_path / "new", [seen(price=cny(12.02))])
    assert program(str(tmp_path / "new")).stdout == "12.02\n"
    assert program("").stdout == "11.63\n"


@pytest.mark.parametrize(
    ("directory", "why"),
    [("new", "not an absolute path"), ("{}/absent", "no such folder"), ("{}", "no instances.json")],
)
def test_a_variable_that_names_no_catalogue_is_refused(
    directory: str, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PULUMI_LLM_CATALOG", directory.format(tmp_path))
    with pytest.raises(Refusal) as refusal:
        catalogue.load()
    assert refusal.value.findings[0].code == "catalog.bad-directory"
    assert why in refusal.value.findings[0].message


def test_show_refuses_such_a_variable_with_exit_code_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PULUMI_LLM_CATALOG", "/nowhere/at/all")
    code, _, err = said(capsys, "show")
    assert code == 1
    assert "[catalog.bad-directory]" in err


def test_importing_the_command_imports_no_sdk() -> None:
    code = (
        "import sys, pulumi_llm._commands._catalog, pulumi_llm._refresh.run;"
        "print([n for n in ('boto3', 'botocore', 'tencentcloud', 'alibabacloud_ecs20140526') if n in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"


# show


def test_show_counts_what_the_catalogue_holds() -> None:
    kinds = {each["kind"]: each for each in as_json(SHIPPED, TODAY)["kinds"]}
    assert kinds["prices"]["rows"] == len(SHIPPED.prices)
    assert kinds["prices"]["oldest"] == min(row.source_date for row in SHIPPED.prices)
    assert kinds["prices"]["old"] == sum(row.stale(TODAY) for row in SHIPPED.prices)


def test_show_sets_the_guide_s_six_prices_beside_today_s() -> None:
    rows = as_json(SHIPPED, TODAY)["guide_prices"]
    assert len(rows) == 6
    t4 = next(each for each in rows if (each["cloud"], each["gpu"]) == ("aliyun", "T4"))
    known = SHIPPED.price("aliyun", "ecs.gn6i-c4g1.xlarge", "cn-hangzhou")
    assert known is not None
    assert t4["guide"]["amount"] == 11.63
    assert (t4["today"]["amount"], t4["today"]["region"]) == (known.amount, "cn-hangzhou")


def test_show_says_unknown_where_today_s_price_is_not_known() -> None:
    assert "today unknown" in as_text(SHIPPED, TODAY)
    rows = [each for each in as_json(SHIPPED, TODAY)["guide_prices"] if each["cloud"] == "volcengine"]
    assert [each["today"] for each in rows] == [None, None]


def test_show_tells_a_refreshed_catalogue_and_the_version_under_it(tmp_path: Path) -> None:
    made = store.write(tmp_path / "new", [seen(zones={"cn-hangzhou-h": "sold-out"})])
    path = tmp_path / "new" / store.OBSERVATIONS
    assert "refreshed over the data of pulumi-llm" in as_text(made, TODAY)
    path.write_text(path.read_text().replace('"made_with": "', '"made_with": "0.0.'), encoding="utf-8")
    text = as_text(made, TODAY)
    assert "its data is not in it" in text
    assert "1 times a type was sold out" in text


def test_show_s_json_is_json(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = said(capsys, "show", "--json")
    assert code == 0
    assert json.loads(out)["directory"] == str(catalogue.DATA)
