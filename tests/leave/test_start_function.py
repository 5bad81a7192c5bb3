"""The function that starts a machine on Aliyun and Tencent Cloud: when, how it signs, and what it does after a no."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest

import pulumi_llm as llm
from pulumi_llm import catalog
from pulumi_llm._review.bill import make_bill
from pulumi_llm._review.item import Usage
from pulumi_llm.clouds import functions
from pulumi_llm.clouds.aliyun import starts as aliyun
from pulumi_llm.clouds.plans import StartPlan
from pulumi_llm.clouds.tencent import starts as tencent
from pulumi_llm.errors import Refusal
from tests.leave.conftest import DENIALS, MACHINE, REGIONS, World
from tests.leave.test_signing import header
from tests.leave.test_stack import HOURS, server
from tests.node_library import importable
from tests.test_components import plan_of

HOSTS = {"aliyun": "ecs-cn-hangzhou.aliyuncs.com", "tencent": tencent.ENDPOINT}
NO_STOCK = {
    "aliyun": (403, {"Code": "OperationDenied.NoStock", "Message": "sold out"}),
    "tencent": (200, {"Response": {"Error": {"Code": "ResourceInsufficient.SpecifiedInstanceType", "Message": "no"}}}),
}
CONTEXT = SimpleNamespace(
    credentials=SimpleNamespace(access_key_id="AKIDexample", access_key_secret="secret/+=Ex", security_token="tok/+==")
)
WORKDAYS = (0, 1, 2, 3, 4)


def plan(hour: int, minute: int, zone: str, days: tuple[int, ...] = WORKDAYS) -> StartPlan:
    return StartPlan(days=days, hour=hour, minute=minute, zone=zone)


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The function, from the archive that a cloud is given."""
    zipfile.ZipFile(io.BytesIO(functions.code())).extractall(tmp_path / "code")
    importable(tmp_path / "code", monkeypatch)
    monkeypatch.setenv("TZ", os.environ.get("TZ", "UTC"))
    for variable, value in {"ID": "AKIDexample", "KEY": "secret/+=Ex"}.items():
        monkeypatch.setenv(f"TENCENTCLOUD_SECRET{variable}", value)
    monkeypatch.setenv("TENCENTCLOUD_SESSIONTOKEN", "tok/+==")
    import start

    yield start
    monkeypatch.undo()
    time.tzset()
    for name in [each for each in sys.modules if each == "start" or each.partition(".")[0] == "llm_node"]:
        del sys.modules[name]


@pytest.fixture(params=["aliyun", "tencent"])
def cloud(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    made = World(request.param)
    monkeypatch.setenv("LLM_CLOUD_API", made.url)
    yield made
    made.close()


def settings(cloud: str, *plans: StartPlan) -> dict[str, Any]:
    given = plans or (plan(8, 0, "Asia/Shanghai"),)
    return dict(json.loads(functions.settings(cloud, REGIONS[cloud], HOSTS[cloud], MACHINE, given)))


@pytest.mark.parametrize(
    ("zone", "hour", "minute"),
    [
        ("Asia/Shanghai", 8, 0),
        ("Asia/Kolkata", 8, 0),
        ("Europe/Berlin", 8, 0),
        ("America/New_York", 7, 45),
        ("Australia/Lord_Howe", 9, 10),
    ],
)
def test_over_a_year_it_is_due_once_a_day_at_the_time_of_its_zone_summer_or_not(
    start: Any, zone: str, hour: int, minute: int
) -> None:
    told = settings("tencent", plan(hour, minute, zone), plan(21, 30, zone, (6,)))
    found = []
    moment = datetime(2026, 1, 5, tzinfo=UTC)
    while moment < datetime(2027, 1, 4, tzinfo=UTC):
        if moment.minute in told["minutes"] and start.due(moment.timestamp() + 3, told):
            found.append(moment.astimezone(ZoneInfo(zone)))
        moment += timedelta(minutes=5)
    assert len(found) == 52 * 6
    assert {(each.weekday(), each.hour, each.minute) for each in found} == {
        *((day, hour, minute) for day in WORKDAYS),
        (6, 21, 30),
    }


def test_a_beginning_that_the_clock_skips_is_when_it_has_passed_it_and_one_that_comes_twice_is_the_first(
    start: Any,
) -> None:
    told = settings("aliyun", plan(2, 30, "Europe/Berlin", (6,)), plan(20, 0, "Europe/Berlin", (6,)))
    assert told["minutes"] == [0, 30]
    for day, expected in (("2026-03-29", "03:00+02:00"), ("2026-10-25", "02:30+02:00"), ("2026-11-01", "02:30+01:00")):
        runs = [
            datetime.fromisoformat(f"{day}T00:00:00+00:00") + timedelta(minutes=30 * each) for each in range(-4, 44)
        ]
        found = [each.astimezone(ZoneInfo("Europe/Berlin")) for each in runs if start.due(each.timestamp(), told)]
        assert next(each.isoformat()[11:16] + each.isoformat()[19:] for each in found) == expected
        assert len(found) == 2, found


def test_a_timer_that_is_late_starts_it_all_the_same(start: Any) -> None:
    told = settings("tencent")
    begins = datetime(2026, 11, 30, 0, 0, tzinfo=UTC).timestamp()
    assert [start.due(begins + late, told) for late in (-60, 0, 59, 900, 3599, 3600)] == [
        False, True, True, True, True, False,
    ]  # fmt: skip


def test_the_rule_of_each_zone_that_this_machine_knows_is_understood() -> None:
    import zoneinfo

    known = [each for each in zoneinfo.available_timezones() if "/" in each]
    assert len(known) > 300
    now = datetime(2026, 11, 29, tzinfo=UTC)
    for zone in known:
        behind = {(-each.astimezone(ZoneInfo(zone)).utcoffset() // timedelta(minutes=1)) % 60
                  for each in (now, now + timedelta(days=182))}  # fmt: skip
        assert behind <= set(functions.minutes([plan(0, 0, zone)])), zone


def test_it_signs_as_each_clouds_own_sdk_signs(start: Any) -> None:
    from alibabacloud_tea_openapi.utils import Utils
    from darabonba.request import DaraRequest
    from tencentcloud.common.credential import Credential
    from tencentcloud.common.http.request import RequestInternal
    from tencentcloud.cvm.v20170312.cvm_client import CvmClient

    now = 1_801_234_567.0
    ours = start.aliyun(settings("aliyun"), CONTEXT, now)
    theirs = DaraRequest()
    theirs.method, theirs.pathname, theirs.query = "POST", "/", {"InstanceId": MACHINE}
    left_out = ("authorization", "content-length", "content-type")
    theirs.headers = {name.lower(): value for name, value in ours.header_items() if name.lower() not in left_out}
    digest = header(ours, "x-acs-content-sha256")
    expected = Utils.get_authorization(theirs, "ACS3-HMAC-SHA256", digest, "AKIDexample", "secret/+=Ex")
    assert header(ours, "authorization") == expected
    assert (header(ours, "x-acs-action"), header(ours, "x-acs-version")) == ("StartInstance", "2014-05-26")

    ours = start.tencent(settings("tencent"), None, now)
    client = CvmClient(Credential("AKIDexample", "secret/+=Ex", "tok/+=="), "ap-guangzhou")
    request = RequestInternal(header(ours, "host"), "POST", "/")
    request.data = ours.data
    request.header = {
        "Content-Type": header(ours, "content-type"),
        "Host": header(ours, "host"),
        "X-TC-Timestamp": str(int(now)),
    }
    day = time.strftime("%Y-%m-%d", time.gmtime(now))
    signature = client._get_tc3_signature({}, request, day, "cvm", "secret/+=Ex")
    assert header(ours, "authorization").endswith(f"Signature={signature}")
    assert (header(ours, "x-tc-action"), header(ours, "x-tc-region")) == ("StartInstances", "ap-guangzhou")
    assert header(ours, "x-tc-token") == "tok/+=="


def test_it_calls_where_the_sdk_calls_and_names_fields_that_the_sdk_has() -> None:
    from alibabacloud_ecs20140526 import models as ecs
    from alibabacloud_ecs20140526.client import Client
    from alibabacloud_tea_openapi.utils_models import Config
    from tencentcloud.cvm.v20170312 import models as cvm

    from pulumi_llm import catalog

    for name, region in catalog.load().regions:
        if name == "aliyun":
            host = aliyun.ENDPOINTS.get(region, f"ecs.{region}.aliyuncs.com")
            assert Client(Config(access_key_id="x", access_key_secret="x", region_id=region))._endpoint == host
    assert ecs.StartInstanceRequest(instance_id="i-1").to_map() == {"InstanceId": "i-1"}
    request = cvm.StartInstancesRequest()
    request.from_json_string('{"InstanceIds": ["ins-1"]}')
    assert request.InstanceIds == ["ins-1"]


def test_it_starts_the_machine_by_one_call(start: Any, cloud: World) -> None:
    found = start.start(settings(cloud.cloud), CONTEXT, pytest.fail)
    assert (found["state"], found["tries"], len(cloud.stops)) == ("started", 1, 1)
    assert MACHINE in json.dumps(cloud.stops)


def test_sold_out_is_tried_again_so_many_times_and_no_more(start: Any, cloud: World) -> None:
    cloud.answer = NO_STOCK[cloud.cloud]
    pauses: list[float] = []
    found = start.start(settings(cloud.cloud), CONTEXT, pauses.append)
    assert (found["state"], found["tries"], len(cloud.stops)) == ("failed", 5, 5)
    assert found["code"].endswith(("NoStock", "SpecifiedInstanceType"))
    assert sum(pauses) + 5 * start.SECONDS <= functions.SECONDS

    def restocked(seconds: float) -> None:
        cloud.answer = (200, {})

    cloud.answer = NO_STOCK[cloud.cloud]
    assert start.start(settings(cloud.cloud), CONTEXT, restocked)["tries"] == 2


def test_a_no_for_good_is_asked_once_and_told(start: Any, cloud: World) -> None:
    cloud.answer = DENIALS[cloud.cloud]
    found = start.start(settings(cloud.cloud), CONTEXT, pytest.fail)
    assert (found["state"], found["tries"], len(cloud.stops)) == ("failed", 1, 1)
    assert found["code"] in ("Forbidden.RAM", "UnauthorizedOperation")


def test_a_machine_that_runs_already_is_no_failure(start: Any, cloud: World) -> None:
    from tencentcloud.cvm.v20170312 import errorcodes

    told = [each for each in vars(errorcodes).values() if isinstance(each, str) and re.search(start.NOT_STOPPED, each)]
    assert len(told) == 5
    codes = {"aliyun": "IncorrectInstanceStatus", "tencent": "UnsupportedOperation.InstanceStateRunning"}
    code = codes[cloud.cloud]
    cloud.answer = (403, {"Code": code}) if cloud.cloud == "aliyun" else (200, {"Response": {"Error": {"Code": code}}})
    assert start.start(settings(cloud.cloud), CONTEXT, pytest.fail)["state"] == "not-stopped"


def test_what_it_does_is_one_line_of_its_log_and_never_an_exception(
    start: Any, cloud: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told = settings(cloud.cloud)
    monkeypatch.setenv(functions.VARIABLE, json.dumps(told))
    monkeypatch.setattr(start, "due", lambda now, settings: False)
    assert json.loads(start.handler({}, CONTEXT)) == {"state": "not-due"}
    assert not cloud.stops
    assert not capsys.readouterr().out
    monkeypatch.setattr(start, "due", lambda now, settings: True)
    assert json.loads(start.handler({}, CONTEXT))["state"] == "started"
    assert json.loads(capsys.readouterr().out)["machine"] == MACHINE
    monkeypatch.delenv("TENCENTCLOUD_SECRETID")
    assert json.loads(start.handler({}, SimpleNamespace()))["code"] == "NoCredentials"


def test_a_plain_python_runs_it_from_the_archive_with_no_database_of_zones(tmp_path: Path) -> None:
    archive = tmp_path / "code.zip"
    archive.write_bytes(functions.code())
    run = "import json, os, start; print(start.due(1_795_996_800, json.loads(os.environ['LLM_START'])))"
    given = {"PYTHONPATH": str(archive), "LLM_START": json.dumps(settings("tencent")), "PYTHONTZPATH": ""}
    found = subprocess.run([sys.executable, "-S", "-c", run], env=given, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "True"
    assert functions.code() == functions.code.__wrapped__()


def test_the_code_fits_where_a_cloud_takes_it_inline_and_the_path_is_everybodys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    functions.write_code()
    assert (tmp_path / functions.code_path()).read_bytes() == functions.code()
    assert (tmp_path / ".pulumi-llm/.gitignore").read_text() == "*\n"
    assert len(functions.code()) < 50_000_000 // 4
    before = (tmp_path / functions.code_path()).stat()
    functions.write_code()
    assert (tmp_path / functions.code_path()).stat() == before, "a provider may be at reading it"
    (tmp_path / functions.code_path()).write_bytes(b"half")
    functions.write_code()
    assert (tmp_path / functions.code_path()).read_bytes() == functions.code()
    assert len(list((tmp_path / functions.FOLDER).iterdir())) == 2
    with pytest.raises(Refusal) as caught:
        functions.write_code(Path("/proc"))
    assert [each.code for each in caught.value.findings] == ["power.no-code-file"]


@pytest.mark.parametrize("name", ["aliyun", "tencent"])
def test_a_plan_has_a_function_with_one_timer_and_a_role_for_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    made = plan_of(llm.ModelServer, server(name, hours=HOURS, started_by="cloud"))
    of = {each.name: each for each in made.resources if each.name.startswith("x-start")}
    assert sorted(of) == sorted(
        ["x-start", "x-start-grant", "x-start-policy", "x-start-role"] + (["x-start-timer"] if name == "aliyun" else [])
    )
    timer = of["x-start-timer"].inputs["triggerConfig"] if name == "aliyun" else of["x-start"].inputs["triggers"][0]
    told = timer["triggerDesc"] if name == "tencent" else json.loads(timer)["cronExpression"]
    assert told == ("0 0 * * * *" if name == "aliyun" else "0 0 * * * * *")
    assert not list(tmp_path.iterdir()), "a preview writes nothing"
    assert not [each for each in plan_of(llm.ModelServer, server(name, hours=HOURS)).resources if "-start" in each.name]


@pytest.mark.parametrize(
    ("name", "what", "each"), [("aliyun", "Function Compute", "0.04"), ("tencent", "SCF basic package", "1.83")]
)
def test_the_bill_has_the_function_and_an_accounts_package_once(name: str, what: str, each: str) -> None:
    args = server(name, hours=HOURS, started_by="cloud")
    args["replicas"] = 2
    bill = make_bill(
        plan_of(llm.ModelServer, args),
        catalog.load(),
        Usage(),
        today=date(2026, 11, 29),
        default_regions={name: args["region"]},
    )
    lines = [line for line in bill.lines if line.what == what]
    assert [line.per_month and str(line.per_month.usd) for line in lines] == [each] * (2 if name == "aliyun" else 1)


def test_the_roles_may_start_one_machine_for_their_cloud_s_functions_and_nothing_else() -> None:
    assert json.loads(aliyun.policy("cn-hangzhou", "i-7")) == {
        "Version": "1",
        "Statement": [
            {"Effect": "Allow", "Action": ["ecs:StartInstance"], "Resource": ["acs:ecs:cn-hangzhou:*:instance/i-7"]}
        ],
    }
    assert json.loads(tencent.policy("ap-guangzhou", "ins-7"))["statement"] == [
        {
            "effect": "allow",
            "action": ["cvm:StartInstances"],
            "resource": ["qcs::cvm:ap-guangzhou::instance/ins-7"],
        }
    ]
    assert json.loads(aliyun.trust())["Statement"][0]["Principal"] == {"Service": ["fc.aliyuncs.com"]}
    assert json.loads(tencent.trust())["statement"][0]["principal"] == {"service": ["scf.qcloud.com"]}


def test_a_machine_without_a_zones_rule_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Refusal) as caught:
        functions.rule("Nowhere/At-All")
    assert [each.code for each in caught.value.findings] == ["power.no-zone-rule"]
