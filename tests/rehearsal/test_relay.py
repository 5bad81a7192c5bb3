"""The relay between the engine and an official plugin, with a stand-in for the plugin."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest

from pulumi_llm._rehearsal import plugins, pointing
from pulumi_llm._rehearsal.gate import Gate, domain_of, opened
from pulumi_llm._rehearsal.plugins import Official
from pulumi_llm._rehearsal.rehearsal import RELAY
from pulumi_llm._rehearsal.server import wire_of
from pulumi_llm._simcloud.attached import Attached, attached
from pulumi_llm._simcloud.store import Store
from pulumi_llm._simcloud.wire import from_struct, plugin_pb2, provider_pb2, provider_pb2_grpc, restore, to_struct

restore()
ROOT = Path(__file__).parents[2]
OPTIONS = [("grpc.enable_http_proxy", 0), ("grpc.absolute_max_metadata_size", 1 << 20)]


def stand_in(folder: Path) -> Path:
    program = folder / "pulumi-resource-stand-in"
    program.write_text(f'#!/bin/sh\ncd "{ROOT}" && exec "{sys.executable}" -m tests.rehearsal.stand_in_plugin "$@"\n')
    program.chmod(0o755)
    return program


@contextmanager
def serving(folder: Path, cloud: str, gate: str = "127.0.0.1:9", **more: str) -> Iterator[Attached]:
    """A relay that serves the package ``x``."""
    official = Official("x", "1.2.3", stand_in(folder))
    settings = pointing.settings(cloud, official, "127.0.0.1:8", folder / "trusted.pem")
    environment = {**os.environ, **pointing.through(gate), pointing.SETTINGS: json.dumps({"x": settings}), **more}
    with attached(["x"], environment, folder, RELAY) as relay:
        yield relay


@contextmanager
def connected(relay: Attached) -> Iterator[Any]:
    """A stub on a connection of its own, as each provider of a run has."""
    options = [*OPTIONS, ("grpc.use_local_subchannel_pool", 1)]
    with grpc.insecure_channel(f"127.0.0.1:{relay.ports['x']}", options=options) as channel:
        yield provider_pb2_grpc.ResourceProviderStub(channel)


@contextmanager
def relayed(folder: Path, cloud: str, gate: str = "127.0.0.1:9", **more: str) -> Iterator[Any]:
    """A stub of a relay's service."""
    with serving(folder, cloud, gate, **more) as relay, connected(relay) as stub:
        yield stub


def said(stub: Any) -> dict[str, Any]:
    answer = stub.Invoke(provider_pb2.InvokeRequest(tok="say"), timeout=20)
    found: dict[str, Any] = json.loads(from_struct(getattr(answer, "return"))["said"])
    return found


def test_aliyuns_plugin_is_told_http_and_its_endpoints_without_the_program_knowing(tmp_path: Path) -> None:
    with relayed(tmp_path, "aliyun") as stub:
        inputs = to_struct({"region": "cn-beijing"})
        checked = stub.CheckConfig(provider_pb2.CheckRequest(news=inputs), timeout=20)
        assert from_struct(checked.inputs) == {"region": "cn-beijing"}  # what the state keeps
        stub.Configure(provider_pb2.ConfigureRequest(args=inputs), timeout=20)
        stub.Attach(plugin_pb2.PluginAttach(address="127.0.0.1:1"), timeout=20)
        found = said(stub)
    assert found["args"] == {"region": "cn-beijing", "protocol": "HTTP"}
    assert found["variables"] == {"x:config:protocol": "HTTP"}
    assert found["environment"]["ECS_ENDPOINT"] == found["environment"]["ALIBABA_CLOUD_ENDPOINT_VPC"] == "127.0.0.1:8"
    assert (found["arguments"], found["engine"]) == ([], "127.0.0.1:1")  # where a plugin writes its log


def test_awss_plugin_is_told_its_endpoints_without_the_program_knowing(tmp_path: Path) -> None:
    with relayed(tmp_path, "aws") as stub:
        inputs = to_struct({"region": "us-east-1"})
        checked = stub.CheckConfig(provider_pb2.CheckRequest(news=inputs), timeout=20)
        assert from_struct(checked.inputs) == {"region": "us-east-1"}  # what the state keeps
        stub.Configure(provider_pb2.ConfigureRequest(args=inputs), timeout=20)
        found = said(stub)
    (endpoints,) = found["args"]["endpoints"]
    assert set(endpoints.values()) == {"http://127.0.0.1:8"}
    # What is no text is JSON among the variables, where older engines' plugins read it.
    told = {key.removeprefix("x:config:"): value for key, value in found["variables"].items()}
    assert json.loads(told["endpoints"]) == [endpoints]
    assert told["skipCredentialsValidation"] == "true"
    assert found["environment"]["AWS_ENDPOINT_URL"] == "http://127.0.0.1:8"


def test_tencents_plugin_is_told_a_domain_that_leads_to_the_gate_alone(tmp_path: Path) -> None:
    with relayed(tmp_path, "tencent") as stub:
        found = said(stub)["environment"]
    assert found["TENCENTCLOUD_DOMAIN"] == "tencent.rehearsal.invalid"
    assert found["TENCENTCLOUD_PROTOCOL"] == "HTTP"
    assert {found[each] for each in ("HTTP_PROXY", "HTTPS_PROXY", "https_proxy")} == {"http://127.0.0.1:9"}


@pytest.mark.parametrize("cloud", ["aliyun", "aws", "tencent"])
def test_a_plugin_gets_credentials_that_are_none(cloud: str, tmp_path: Path) -> None:
    mine = dict.fromkeys(pointing.facts(cloud)["credentials"], "mine")
    with relayed(tmp_path, cloud, **mine) as stub:
        found = said(stub)["environment"]
    assert {found[name] for name in mine} == {"rehearsal"}


@pytest.mark.parametrize("cloud", ["aliyun", "aws"])
def test_an_endpoint_that_the_program_sets_is_refused_with_a_code(cloud: str, tmp_path: Path) -> None:
    with relayed(tmp_path, cloud) as stub:
        news = to_struct({"region": "cn-beijing", "endpoints": [{"ecs": "example.com"}]})
        answer = stub.CheckConfig(provider_pb2.CheckRequest(news=news), timeout=20)
    (failure,) = answer.failures
    assert failure.property == "endpoints"
    assert "[rehearse.own-endpoints]" in failure.reason


def test_a_plugins_error_arrives_whole_however_long(tmp_path: Path) -> None:
    with relayed(tmp_path, "aliyun") as stub, pytest.raises(grpc.RpcError) as failed:
        stub.Invoke(provider_pb2.InvokeRequest(tok="fail"), timeout=20)
    assert failed.value.code() is grpc.StatusCode.UNKNOWN  # type: ignore[attr-defined]
    assert failed.value.details() == "no stock: " + "x" * 20_000  # type: ignore[attr-defined]


def test_a_plugin_reaches_the_rehearsals_cloud_and_no_other(tmp_path: Path) -> None:
    wire = wire_of("tencent")
    assert wire is not None
    gate = Gate({"tencent": (wire[0](Store(None)), wire[1])}, {})
    with opened(gate) as port, relayed(tmp_path, "tencent", f"127.0.0.1:{port}") as stub:

        def ask(url: str) -> str:
            request = provider_pb2.InvokeRequest(tok="ask", args=to_struct({"url": url}))
            return str(from_struct(getattr(stub.Invoke(request, timeout=20), "return"))["answer"])

        assert ask(f"http://cvm.{domain_of('tencent')}/") == "200"  # the refusal of a call without a signature
        assert gate.refused == ()
        assert ask("http://cvm.tencentcloudapi.com/") == "403"
        assert ask("https://cvm.tencentcloudapi.com/") == "URLError"
    assert gate.refused == ("cvm.tencentcloudapi.com", "cvm.tencentcloudapi.com:443")


def test_each_provider_of_each_run_has_a_plugin_of_its_own(tmp_path: Path) -> None:
    seen: list[int] = []
    with serving(tmp_path, "aliyun") as relay:
        for _ in range(2):
            relay.tell("run")
            with connected(relay) as first, connected(relay) as second:
                seen += [said(each)["process"] for each in (first, second, first, second)]
        alive = [each for each in seen if Path(f"/proc/{each}").exists()]
    assert seen[0:2] == seen[2:4]
    assert seen[4:6] == seen[6:8]
    assert len(set(seen)) == 4
    assert set(alive) == set(seen[4:])
    assert not [each for each in seen if Path(f"/proc/{each}").exists()]


def test_of_a_plugin_that_crashes_it_is_told_what_it_said(tmp_path: Path) -> None:
    with relayed(tmp_path, "aliyun") as stub, pytest.raises(grpc.RpcError) as failed:
        stub.Invoke(provider_pb2.InvokeRequest(tok="crash"), timeout=20)
    assert failed.value.code() is grpc.StatusCode.UNAVAILABLE  # type: ignore[attr-defined]
    assert failed.value.details().endswith("; it said: panic: no such field")  # type: ignore[attr-defined]


def test_a_plugin_that_does_not_start_is_an_error_of_the_first_call(tmp_path: Path) -> None:
    with relayed(tmp_path, "aliyun", STAND_IN_FAILS="no licence") as stub, pytest.raises(grpc.RpcError) as failed:
        said(stub)
    assert "gave no port" in failed.value.details()  # type: ignore[attr-defined]
    assert "no licence" in failed.value.details()  # type: ignore[attr-defined]


def test_a_plugin_that_is_gone_is_an_error_of_the_first_call_and_the_other_runs_go_on(tmp_path: Path) -> None:
    with serving(tmp_path, "aliyun") as relay:
        program = stand_in(tmp_path)
        program.unlink()
        relay.tell("run")
        with connected(relay) as stub, pytest.raises(grpc.RpcError) as failed:
            said(stub)
        stand_in(tmp_path)
        relay.tell("run")
        with connected(relay) as stub:
            assert said(stub)
    assert failed.value.code() is grpc.StatusCode.UNAVAILABLE  # type: ignore[attr-defined]
    assert str(program) in failed.value.details()  # type: ignore[attr-defined]


def test_no_plugin_stays_where_the_relay_was_killed(tmp_path: Path) -> None:
    with serving(tmp_path, "aliyun") as relay:
        with connected(relay) as stub:
            plugin = Path(f"/proc/{said(stub)['process']}/cmdline")
            (parent,) = [each for each in children(os.getpid()) if b"relay" in each.joinpath("cmdline").read_bytes()]
        os.kill(int(parent.name), signal.SIGKILL)
    for _ in range(100):
        if not plugin.exists() or not plugin.read_bytes():  # one that nobody has asked for yet has no words either
            break
        time.sleep(0.05)
    else:
        raise AssertionError("it runs on")


def children(process: int) -> list[Path]:
    """The folders in /proc of what a process has started."""
    listed = Path(f"/proc/{process}/task/{process}/children").read_text(encoding="ascii")
    return [Path("/proc") / each for each in listed.split()]


def test_a_plugin_on_path_is_taken_for_the_version_that_it_says(tmp_path: Path) -> None:
    assert plugins.version_of(stand_in(tmp_path)) == "1.2.3"
