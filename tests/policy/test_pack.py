"""The pack speaks the engine's analyzer protocol, and keeps what it is told."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
import pytest
import yaml
from google.protobuf import empty_pb2, struct_pb2
from pulumi.runtime.proto import analyzer_pb2, analyzer_pb2_grpc

from pulumi_llm._plan.model import UNKNOWN
from pulumi_llm._review import policy
from pulumi_llm._review.policy_pack import Analyzer
from pulumi_llm._review.policy_settings import CONFIG_KEY, FILE
from pulumi_llm._simcloud.arguments import parse
from pulumi_llm._simcloud.engine import Engine
from pulumi_llm._simcloud.invocation import POLICY_PACK, prepare
from tests.policy.samples import secret

PACK = Path(__file__).parents[2] / "policy"
UNKNOWN_LIST = "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2"
MANDATORY, ADVISORY = analyzer_pb2.MANDATORY, analyzer_pb2.ADVISORY
INGRESS = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"

Start = Callable[..., Any]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Serves the pack for a project of its own, in this process."""
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=1))
    port = server.add_insecure_port("127.0.0.1:0")
    (tmp_path / "Pulumi.yaml").write_text("name: shop\nruntime: python\n")

    def begin(file: str | None = None, config: dict[str, str] | None = None) -> Any:
        if file is not None:
            (tmp_path / FILE).write_text(file)
        analyzer_pb2_grpc.add_AnalyzerServicer_to_server(Analyzer(tmp_path), server)
        server.start()
        return configured(port, config)

    yield begin
    server.stop(None)


def configured(port: int, config: dict[str, str] | None = None) -> Any:
    client = analyzer_pb2_grpc.AnalyzerStub(grpc.insecure_channel(f"127.0.0.1:{port}"))
    client.ConfigureStack(analyzer_pb2.AnalyzerStackConfigureRequest(stack="dev", project="shop", config=config or {}))
    return client


def struct(data: dict[str, Any]) -> struct_pb2.Struct:
    message = struct_pb2.Struct()
    message.update(data)
    return message


def asked(type_: str, inputs: dict[str, Any], name: str = "it", region: str | None = None, **options: Any) -> Any:
    package = type_.split(":")[0]
    made_by = analyzer_pb2.AnalyzerProviderResource(
        type=f"pulumi:providers:{package}",
        urn=f"urn:pulumi:dev::shop::pulumi:providers:{package}::p",
        name="p",
        properties=struct({"region": region} if region else {}),
    )
    return analyzer_pb2.AnalyzeRequest(
        type=type_,
        urn=f"urn:pulumi:dev::shop::{type_}::{name}",
        name=name,
        properties=struct(inputs),
        options=analyzer_pb2.AnalyzerResourceOptions(**options),
        provider=made_by,
    )


def told(response: Any) -> dict[str, int]:
    return {each.policyName: each.enforcementLevel for each in response.diagnostics}


def test_the_pack_lists_every_rule_with_its_weight(start: Start) -> None:
    info = start("severity: {policy.password-login: warning}\n").GetAnalyzerInfo(empty_pb2.Empty())
    levels = {each.name: each.enforcementLevel for each in info.policies}
    assert levels.keys() == policy.RULES.keys()
    assert levels["policy.open-to-world"] == MANDATORY
    assert levels["policy.disk-not-protected"] == ADVISORY
    assert levels["policy.password-login"] == ADVISORY
    assert levels["policy.cannot-be-had"] == analyzer_pb2.DISABLED
    assert all(each.description for each in info.policies)


def test_a_bad_resource_is_told_before_it_is_made(start: Start) -> None:
    response = start().Analyze(asked(INGRESS, {"ipProtocol": "tcp", "cidrIpv4": "0.0.0.0/0"}, "web"))
    (found,) = response.diagnostics
    assert (found.policyName, found.enforcementLevel) == ("policy.open-to-world", MANDATORY)
    assert found.urn.endswith("::web")
    assert "0.0.0.0/0" in found.message


@pytest.mark.parametrize("unknown", [UNKNOWN, UNKNOWN_LIST])
def test_what_only_up_knows_is_left_to_up(start: Start, unknown: str) -> None:
    client = start()
    group = {"ingress": [{"protocol": "tcp", "fromPort": 22, "toPort": 22, "cidrBlocks": unknown}]}
    assert told(client.Analyze(asked("aws:ec2/securityGroup:SecurityGroup", group))) == {}
    assert told(client.Analyze(asked(INGRESS, {"ipProtocol": "tcp", "cidrIpv4": unknown}))) == {}


def test_the_marks_of_secrets_are_kept_and_values_are_never_told(start: Start) -> None:
    client = start()
    kind = "command:local:Command"
    marked = client.Analyze(asked(kind, {"environment": {"API_KEY": secret("horse-staple")}}))
    plain = client.Analyze(asked(kind, {"environment": {"API_KEY": "horse-staple"}}))
    assert told(marked) == {}
    assert told(plain) == {"policy.plain-secret": MANDATORY}
    assert "horse" not in str(plain)


def test_options_of_a_resource_count(start: Start) -> None:
    client = start()
    assert told(client.Analyze(asked("aws:ebs/volume:Volume", {"encrypted": True}))) == {
        "policy.disk-not-protected": ADVISORY
    }
    assert told(client.Analyze(asked("aws:ebs/volume:Volume", {"encrypted": True}, protect=True))) == {}


def test_the_providers_region_counts_and_so_does_the_stacks(start: Start) -> None:
    file = "allowed_regions: {aws: [us-west-2]}\n"
    client = start(file, {"aws:region": "us-east-1"})
    assert told(client.Analyze(asked("aws:ec2/vpc:Vpc", {}, region="us-west-2"))) == {}
    assert told(client.Analyze(asked("aws:ec2/vpc:Vpc", {}, region="eu-west-1"))) == {
        "policy.region-not-allowed": MANDATORY
    }
    assert told(client.Analyze(asked("aws:ec2/vpc:Vpc", {}))) == {"policy.region-not-allowed": MANDATORY}


def test_an_exception_lets_it_pass_and_its_reason_is_told(start: Start) -> None:
    file = "exceptions: [{rule: policy.open-to-world, resource: web, reason: the front door}]\n"
    (found,) = start(file).Analyze(asked(INGRESS, {"cidrIpv4": "0.0.0.0/0"}, "web")).diagnostics
    assert found.enforcementLevel == ADVISORY
    assert "the front door" in found.message


def test_the_engines_own_configuration_comes_over_the_settings(start: Start) -> None:
    client = start()
    config = {"policy.open-to-world": analyzer_pb2.PolicyConfig(enforcementLevel=analyzer_pb2.DISABLED)}
    client.Configure(analyzer_pb2.ConfigureAnalyzerRequest(policyConfig=config))
    assert told(client.Analyze(asked(INGRESS, {"cidrIpv4": "0.0.0.0/0"}))) == {}


def test_the_whole_stack_is_asked_about_money_firewalls_and_outputs(start: Start) -> None:
    client = start(None, {CONFIG_KEY: '{"budget": {"per_month": 100}, "severity": {"policy.missing-tag": "info"}}'})
    machine = asked(
        "aws:ec2/instance:Instance",
        {
            "instanceType": "g4dn.xlarge",
            "rootBlockDevice": {"encrypted": True, "volumeSize": 50, "volumeType": "gp3"},
            "metadataOptions": {"httpTokens": "required"},
            "associatePublicIpAddress": True,
        },
        region="us-west-2",
    )
    assert told(client.Analyze(machine)) == {}
    provider = analyzer_pb2.AnalyzeRequest(
        type=machine.provider.type, urn=machine.provider.urn, name="p", properties=machine.provider.properties
    )
    assert told(client.Analyze(provider)) == {}
    resources = [
        analyzer_pb2.AnalyzerResource(type=each.type, urn=each.urn, name=each.name, properties=each.properties)
        for each in (provider, machine)
    ]
    stack = "pulumi:pulumi:Stack"
    outputs = struct({"api_key": "horse-staple", "endpoint": "https://…"})
    resources.append(analyzer_pb2.AnalyzerResource(type=stack, urn=f"urn:{stack}::shop-dev", properties=outputs))
    response = client.AnalyzeStack(analyzer_pb2.AnalyzeStackRequest(resources=resources))
    assert told(response) == {
        "policy.no-firewall": MANDATORY,
        "policy.over-budget": MANDATORY,
        "policy.plain-secret": MANDATORY,
    }
    assert "horse" not in str(response)


def test_settings_that_are_wrong_stop_the_engine_with_what_is_wrong(start: Start) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        start("required_tag: [team]\n")
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert "did you mean required_tags?" in str(caught.value.details())


@pytest.fixture
def command() -> list[str]:
    """How the engine's language host starts a pack."""
    return [sys.executable, "-u", "-m", "pulumi.policy", "127.0.0.1:1", str(PACK)]


def test_the_packs_folder_is_what_a_language_host_can_start(command: list[str], tmp_path: Path) -> None:
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            client = configured(int(process.stdout.readline()))
            assert told(client.Analyze(asked(INGRESS, {"cidrIpv4": "::/0"}))) == {"policy.open-to-world": MANDATORY}
        finally:
            process.terminate()
    runtime = yaml.safe_load((PACK / "PulumiPolicy.yaml").read_text())["runtime"]
    program = yaml.safe_load((PACK.parent / "Pulumi.yaml").read_text())["runtime"]
    assert runtime["name"] == program["name"] == "python"
    assert runtime["options"]["virtualenv"] == f"../{program['options']['virtualenv']}"


def test_the_settings_are_those_of_the_project_that_is_run_wherever_the_pack_is(
    command: list[str], tmp_path: Path
) -> None:
    for name in ("shop", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "Pulumi.yaml").write_text(f"name: {name}\nruntime: python\n")
    (tmp_path / "shop" / FILE).write_text("severity: {policy.open-to-world: warning}\n")
    (tmp_path / "other" / FILE).write_text("severity: {policy.open-to-world: info}\n")
    environment = {**os.environ, "PWD": str(tmp_path / "shop")}
    with subprocess.Popen(
        command, cwd=tmp_path / "other", env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            client = configured(int(process.stdout.readline()))
            assert told(client.Analyze(asked(INGRESS, {"cidrIpv4": "::/0"}))) == {"policy.open-to-world": ADVISORY}
        finally:
            process.terminate()
        assert process.stderr is not None
        assert process.stderr.read() == ""


def test_a_project_that_is_not_found_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    request = analyzer_pb2.AnalyzerStackConfigureRequest(stack="dev", project="shop")
    Analyzer(tmp_path).ConfigureStack(request, None)
    assert "PULUMI_LLM_POLICY" in capsys.readouterr().err


def test_the_simulation_starts_the_pack_where_the_language_host_does_not_say_which(tmp_path: Path) -> None:
    asked_for = parse(["preview", "-s", "dev", "--policy-pack", str(PACK)])
    assert asked_for.policy_packs == [str(PACK)]
    engine = Engine(tmp_path / "pulumi", tmp_path / "pulumi-language-python", "3.259.0", "nowhere")
    environment = {**prepare(tmp_path / "home", engine), POLICY_PACK: asked_for.policy_packs[0]}
    as_the_old_host_does = [str(tmp_path / "home/bin/python"), "", "127.0.0.1:1"]
    with subprocess.Popen(
        as_the_old_host_does, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            assert configured(int(process.stdout.readline())).GetAnalyzerInfo(empty_pb2.Empty()).name == "pulumi-llm"
        finally:
            process.terminate()


def test_the_pack_ends_when_whoever_started_it_is_gone(command: list[str]) -> None:
    program = f"""
import subprocess
started = subprocess.Popen({command!r}, stdout=subprocess.PIPE)
started.stdout.readline()
print(started.pid)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    subprocess.run(["tail", f"--pid={int(done.stdout)}", "-s", "0.1", "-f", "/dev/null"], timeout=60, check=True)
