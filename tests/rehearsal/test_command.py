"""`pulumi-llm rehearse`: what it refuses before anything is started, and what it says afterwards."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from typing import Any

import pytest

from pulumi_llm import _extras as extras
from pulumi_llm import cli
from pulumi_llm._rehearsal import phases, plugins, pointing, report
from pulumi_llm._rehearsal.calls import Record, Recorded, WireCall
from pulumi_llm._rehearsal.gate import Gate, domain_of
from pulumi_llm._rehearsal.phases import Phase, Step
from pulumi_llm._rehearsal.rehearsal import Asked, Rehearsal, chosen, rehearse
from pulumi_llm._rehearsal.server import wire_of
from pulumi_llm._simcloud.store import Store
from pulumi_llm.errors import Refusal

ROOT = Path(__file__).parents[2]


@pytest.fixture
def nothing_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without plugins; gives the folder in which Pulumi would install them."""
    for name in [each for each in os.environ if "ENDPOINT" in each]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return tmp_path / "plugins"


def codes(refused: pytest.ExceptionInfo[Refusal]) -> list[str]:
    return [each.code for each in refused.value.findings]


def installed(folder: Path, package: str, version: str) -> Path:
    program = folder / f"resource-{package}-v{version}" / f"pulumi-resource-{package}"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    return program


# -- plugins


def test_a_plugin_that_is_not_here_is_refused_with_the_command_that_fetches_it(nothing_installed: Path) -> None:
    with pytest.raises(Refusal) as refused:
        plugins.find("tencentcloud")
    assert codes(refused) == ["rehearse.no-plugin"]
    version = plugins.wanted("tencentcloud").version
    line = f"pulumi plugin install resource tencentcloud {version} --server github://api.github.com/tencentcloudstack"
    assert line in str(refused.value)


def test_a_plugin_of_another_version_than_the_sdk_is_refused(nothing_installed: Path) -> None:
    installed(nothing_installed, "alicloud", "3.98.0")
    with pytest.raises(Refusal) as refused:
        plugins.find("alicloud")
    assert codes(refused) == ["rehearse.plugin-version"]
    assert "3.98.0" in str(refused.value)
    assert plugins.wanted("alicloud").version in str(refused.value)


def test_the_plugin_of_the_sdks_version_is_found_where_pulumi_installs_it(nothing_installed: Path) -> None:
    installed(nothing_installed, "alicloud", "3.98.0")
    program = installed(nothing_installed, "alicloud", plugins.wanted("alicloud").version)
    assert plugins.find("alicloud").path == program


def test_a_plugin_on_path_that_does_not_say_its_version_is_not_taken(nothing_installed: Path) -> None:
    place = nothing_installed.parent / "bin"
    place.mkdir()
    (place / "pulumi-resource-alicloud").write_text("#!/bin/sh\necho no port\n")
    (place / "pulumi-resource-alicloud").chmod(0o755)
    with pytest.raises(Refusal) as refused:
        plugins.find("alicloud")
    assert codes(refused) == ["rehearse.plugin-version"]


def test_every_plugin_that_is_missing_is_told_at_once(nothing_installed: Path) -> None:
    asked = Asked(ROOT, "aliyun-t4")
    with pytest.raises(Refusal) as refused:
        chosen(asked, ["alicloud", "aws", "tencentcloud"])
    assert codes(refused) == ["rehearse.no-plugin"] * 3


def test_a_package_that_we_have_no_server_for_is_refused(
    nothing_installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pulumi_llm._rehearsal.rehearsal.wire_of_package", lambda package: None)
    with pytest.raises(Refusal) as refused:
        chosen(Asked(ROOT, "aws-t4"), ["aws"])
    assert codes(refused) == ["rehearse.no-wire"]


def test_aws_without_moto_is_refused_with_what_to_install(
    nothing_installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extras, "missing", lambda extra: ("moto>=5.2,<6",) if extra == "rehearse" else ())
    with pytest.raises(Refusal) as refused:
        chosen(Asked(ROOT, "aws-t4"), ["aws"])
    assert codes(refused) == ["rehearse.not-installed"]
    assert "pip install 'moto>=5.2,<6' (the extra 'rehearse' of pulumi-llm)" in str(refused.value)
    with pytest.raises(Refusal) as refused:
        chosen(Asked(ROOT, "tencent-t4"), ["tencentcloud"])  # which needs none
    assert codes(refused) == ["rehearse.no-plugin"]


def test_a_package_that_is_simulated_needs_no_plugin(nothing_installed: Path) -> None:
    assert chosen(Asked(ROOT, "aliyun-t4", simulated=("alicloud", "aws")), ["alicloud", "aws"]) == []


def test_only_a_clouds_package_can_be_simulated(nothing_installed: Path) -> None:
    with pytest.raises(Refusal) as refused:
        chosen(Asked(ROOT, "aliyun-t4", simulated=("tencent",)), [])
    assert codes(refused) == ["rehearse.unknown-package"]
    assert "tencentcloud" in str(refused.value)


def test_the_command_says_what_is_missing_and_how_to_get_it(
    nothing_installed: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", os.defpath)
    monkeypatch.setattr("pulumi_llm._rehearsal.rehearsal.find_engine", lambda: None)  # none is needed for that
    monkeypatch.setattr("pulumi_llm._rehearsal.alone.can_be_alone", lambda: False)
    assert cli.main(["rehearse", "-s", "tencent-t4", "--project", str(ROOT), "--port", "0"]) == 1
    assert "pulumi plugin install resource tencentcloud" in capfd.readouterr().err


def test_every_option_of_the_command_reaches_the_rehearsal(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked: list[Asked] = []

    def kept(wanted: Asked, **_: Any) -> Rehearsal:
        asked.append(wanted)
        return _rehearsal(UP, CLEAN)

    monkeypatch.setattr("pulumi_llm._rehearsal.rehearsal.prepared", lambda *_, **__: None)
    monkeypatch.setattr("pulumi_llm._rehearsal.rehearsal.rehearse", kept)
    monkeypatch.setattr("pulumi_llm._rehearsal.alone.can_be_alone", lambda: False)
    line = ["rehearse", "-s", "aws-t4", "--project", str(ROOT), "--change", str(tmp_path), "--sim", "alicloud"]
    line += ["--newer-image", "20271231", "--fault", "quota:*", "--fault", "no-stock:*", "--port", "4711"]
    assert cli.main(line) == 0
    assert asked == [Asked(ROOT, "aws-t4", (tmp_path,), ("alicloud",), "quota:*;no-stock:*", 4711, "20271231")]


# -- endpoints of the user's own


@pytest.mark.parametrize(
    "name",
    ["ECS_ENDPOINT", "ALIBABA_CLOUD_ENDPOINT_VPC", "TENCENTCLOUD_DOMAIN", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_EC2"],
)
def test_an_endpoint_in_the_environment_is_refused(
    name: str, nothing_installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "example.com")
    with pytest.raises(Refusal) as refused:
        rehearse(Asked(ROOT, "tencent-t4"))
    assert codes(refused) == ["rehearse.own-endpoints"]
    assert name in str(refused.value)


def test_an_endpoint_in_the_stacks_file_is_refused() -> None:
    with pytest.raises(Refusal) as refused:
        pointing.refuse_own_endpoints({}, {"alicloud:endpoints": [{"ecs": "example.com"}], "tencentcloud:domain": "x"})
    assert codes(refused) == ["rehearse.own-endpoints"]
    assert "alicloud:endpoints" in str(refused.value)
    assert "tencentcloud:domain" in str(refused.value)


def test_an_ordinary_environment_and_stack_are_not_refused() -> None:
    pointing.refuse_own_endpoints({"PATH": "/bin", "ALIBABA_CLOUD_REGION": "cn-beijing"}, {"alicloud:region": "x"})


# -- the gate


def _gate() -> Gate:
    wire = wire_of("tencent")
    assert wire is not None
    here = (wire[0](Store(None)), wire[1])
    return Gate({"tencent": here}, {"127.0.0.1:4": here})


@pytest.mark.parametrize(
    "address", ["cvm.tencent.rehearsal.invalid", "vpc.tencent.rehearsal.invalid:80", "127.0.0.1:4"]
)
def test_the_gate_knows_the_rehearsals_own_addresses(address: str) -> None:
    gate = _gate()
    assert gate.find(address) is not None
    assert gate.refused == ()


@pytest.mark.parametrize(
    "address",
    [
        *(
            "cvm.tencentcloudapi.com",
            "127.0.0.1:5",
            "tencent.rehearsal.invalid.example.com",
            "eviltencent.rehearsal.invalid",
        ),
        *("api.pulumi.com:443", "", f"cvm.{domain_of('aliyun')}"),
    ],
)
def test_every_other_address_leads_nowhere_and_is_told(address: str) -> None:
    gate = _gate()
    assert gate.find(address) is None
    assert gate.refused == (address,)


def test_a_port_that_is_taken_is_refused_with_a_code(
    nothing_installed: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from pulumi_llm._rehearsal import rehearsal, tls
    from pulumi_llm._simcloud.faults import Faults

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        clouds = rehearsal._clouds([], Store(None), Record(), Faults(), port, tls.made(tmp_path, ()))
        with pytest.raises(Refusal) as refused, clouds:
            pass
    assert codes(refused) == ["rehearse.port-taken"]
    assert str(port) in str(refused.value)


@pytest.mark.parametrize("port", [-1, 65536])
def test_a_port_that_cannot_be_is_refused_with_a_code(port: int, tmp_path: Path) -> None:
    from pulumi_llm._rehearsal import rehearsal, tls
    from pulumi_llm._simcloud.faults import Faults

    clouds = rehearsal._clouds([], Store(None), Record(), Faults(), port, tls.made(tmp_path, ()))
    with pytest.raises(Refusal) as refused, clouds:
        pass
    assert codes(refused) == ["rehearse.port-taken"]
    assert "0-65535" in str(refused.value)


@pytest.mark.parametrize("more", [{"newer_image": "soon"}, {"faults": "no-stok:*"}])
def test_a_day_or_a_fault_that_is_none_is_refused_before_anything_is_started(
    more: dict[str, str], nothing_installed: Path
) -> None:
    with pytest.raises(Refusal) as refused:
        rehearse(Asked(ROOT, "tencent-t4", **more))  # type: ignore[arg-type]
    assert codes(refused) == ["sim.unknown-fault"]


@pytest.mark.parametrize("stack", ["aliyun-t4", "aws-t4", "tencent-t4"])
def test_a_changed_file_that_is_not_there_is_refused_before_anything_is_started(
    stack: str, nothing_installed: Path, tmp_path: Path
) -> None:
    with pytest.raises(Refusal) as refused:
        rehearse(Asked(ROOT, stack, (tmp_path / "nowhere.yaml",)))
    assert codes(refused) == ["project.unreadable"]


# -- what it says


def _call(name: str, package: str = "tencentcloud", refused: str = "") -> Recorded:
    return Recorded(name, "ap-guangzhou", {}, refused, package)


def _rehearsal(*found: Phase, **more: Any) -> Rehearsal:
    official = (plugins.Official("tencentcloud", "0.2.3", Path("/p/pulumi-resource-tencentcloud")),)
    rest: dict[str, Any] = {"unknown": (), "refused": (), "left": (), "alone": True, **more}
    return Rehearsal("tencent-t4", official, ("aws",), found, **rest)


UP = Phase("up", (Step("create", "t", "a"),), (_call("cvm:RunInstances"), _call("vpc:X", refused="No")), (), 3.0, True)
CLEAN = Phase("preview", (), (_call("cvm:DescribeImages"),), (), 1.0, True)


def test_a_rehearsal_in_which_all_went_well_finds_nothing() -> None:
    assert report.findings(_rehearsal(UP, CLEAN)) == []


def test_calls_are_told_in_order_with_the_codes_they_were_refused_with() -> None:
    said = report.text(_rehearsal(UP, CLEAN))
    assert said.index("cvm:RunInstances") < said.index("vpc:X") < said.index("cvm:DescribeImages")
    assert "No" in said.splitlines()[said[: said.index("vpc:X")].count("\n")]
    assert "up: 1 create; 2 calls, 3 s" in said


def test_the_policy_allows_what_was_answered_and_no_more() -> None:
    policy = report.policies(_rehearsal(UP, CLEAN))["tencentcloud"]
    assert policy["statement"][0]["action"] == ["cvm:DescribeImages", "cvm:RunInstances"]


def test_two_clouds_calls_of_one_name_are_not_mixed_up() -> None:
    up = Phase("up", (), (_call("vpc:CreateVpc", "alicloud"), _call("cvm:RunInstances")), (), 1.0, True)
    assert report.policies(_rehearsal(up))["tencentcloud"]["statement"][0]["action"] == ["cvm:RunInstances"]


@pytest.mark.parametrize(
    ("phase", "more", "code"),
    [
        (Phase("up", (), (), ("no stock",), 1.0, False), {}, "rehearse.failed"),
        (Phase("preview", (Step("update", "t", "a"),), (), (), 1.0, True), {}, "rehearse.not-clean"),
        (CLEAN, {"unknown": ("cvm:NewAction",)}, "rehearse.unknown-action"),
        (CLEAN, {"left": ("t vpc-1",)}, "rehearse.left-over"),
        (CLEAN, {"refused": ("api.pulumi.com:443",)}, "rehearse.asked-outside"),
    ],
)
def test_what_is_wrong_is_a_finding_with_a_code(phase: Phase, more: dict[str, Any], code: str) -> None:
    (found,) = report.findings(_rehearsal(UP, phase, **more))
    assert found.code == code


def test_the_steps_and_errors_are_read_from_what_the_engine_says() -> None:
    urn = "urn:pulumi:s::p::a$tencentcloud:Vpc/instance:Instance::net"
    event = {"resourcePreEvent": {"metadata": {"op": "create", "urn": urn}}}
    same = {"resourcePreEvent": {"metadata": {"op": "same", "urn": urn}}}
    error = {
        "diagnosticEvent": {"severity": "error", "message": "boom\n  Traceback (most recent call last):\n  x\nlast"}
    }
    steps, errors = phases.read("\n".join(["words", *map(json.dumps, (event, same, error))]))
    assert steps == [Step("create", "tencentcloud:Vpc/instance:Instance", "net")]
    assert errors == ["boom last"]
    document = {"steps": [{"op": "update", "urn": urn, "diffReasons": ["name"]}], "diagnostics": []}
    assert phases.read(json.dumps(document, indent=2)) == (
        [Step("update", "tencentcloud:Vpc/instance:Instance", "net", ("name",))],
        [],
    )


def test_of_a_call_nothing_secret_is_kept() -> None:
    record = Record()
    record.add(WireCall("cvm", "", "RunInstances", "r", {"UserData": "c2VjcmV0", "SecretId": "AKID"}))
    kept = json.dumps(record.calls[0].parameters)
    assert "c2VjcmV0" not in kept
    assert "AKID" not in kept
