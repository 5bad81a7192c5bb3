"""The plugin as the engine drives it: a process, a port, and the provider protocol."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from pulumi_llm import _simcloud as simcloud
from pulumi_llm._provider_facts.values import UNKNOWN
from pulumi_llm._simcloud import plugin
from pulumi_llm._simcloud.wire import empty_pb2, from_struct, to_struct

Start = Callable[..., tuple[subprocess.Popen[str], Any]]
VPC, INSTANCE = "aws:ec2/vpc:Vpc", "aws:ec2/instance:Instance"


def urn(token: str) -> str:
    return f"urn:pulumi:dev::project::{token}::it"


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a plugin: its process, and a stub that speaks to it."""
    running: list[subprocess.Popen[str]] = []

    def begin(package: str, **environment: str) -> tuple[subprocess.Popen[str], Any]:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "pulumi_llm._simcloud.plugin", package, "127.0.0.1:9", "--logtostderr"],
            env={**os.environ, "PULUMI_LLM_SIM_HOME": str(tmp_path), **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        running.append(process)
        assert process.stdout is not None
        port = int(process.stdout.readline())
        return process, provider_pb2_grpc.ResourceProviderStub(grpc.insecure_channel(f"127.0.0.1:{port}"))

    yield begin
    for each in running:
        each.terminate()
        each.communicate(timeout=20)


def configured(start: Start, **environment: str) -> Any:
    _, stub = start("aws", **environment)
    stub.Configure(provider_pb2.ConfigureRequest(args=to_struct({"region": "us-east-1"})), timeout=30)
    return stub


def test_the_plugin_introduces_itself(start: Start) -> None:
    _, stub = start("aws")
    shaken = stub.Handshake(provider_pb2.ProviderHandshakeRequest(engine_address="127.0.0.1:9"), timeout=30)
    assert (shaken.accept_secrets, shaken.accept_outputs) == (True, False)
    assert stub.GetPluginInfo(empty_pb2.Empty(), timeout=30).version == "99.0.0"
    assert '"aws"' in stub.GetSchema(provider_pb2.GetSchemaRequest(), timeout=30).schema
    accepted = stub.Configure(provider_pb2.ConfigureRequest(args=to_struct({"region": "us-east-1"})), timeout=30)
    assert (accepted.acceptSecrets, accepted.supportsPreview) == (True, True)


def test_a_resource_is_checked_made_read_changed_and_deleted(start: Start, tmp_path: Path) -> None:
    stub = configured(start)
    news = to_struct({"cidrBlock": "10.0.0.0/16", "tags": {"a": "b"}})
    checked = stub.Check(provider_pb2.CheckRequest(urn=urn(VPC), news=news, randomSeed=b"s"), timeout=30)
    assert list(checked.failures) == []
    preview = provider_pb2.CreateRequest(urn=urn(VPC), properties=checked.inputs, preview=True)
    planned = stub.Create(preview, timeout=30)
    assert planned.id == ""
    assert from_struct(planned.properties)["arn"] == UNKNOWN

    made = stub.Create(provider_pb2.CreateRequest(urn=urn(VPC), properties=checked.inputs), timeout=30)
    assert [each.id for each in simcloud.left_over(tmp_path)] == [made.id]
    read = stub.Read(provider_pb2.ReadRequest(id=made.id, urn=urn(VPC), properties=made.properties), timeout=30)
    assert read.id == made.id

    retagged = to_struct({**from_struct(checked.inputs), "tags": {"a": "c"}})
    both = {"olds": made.properties, "old_inputs": checked.inputs, "news": retagged}
    found = stub.Diff(provider_pb2.DiffRequest(id=made.id, urn=urn(VPC), **both), timeout=30)
    assert (found.changes, list(found.replaces)) == (provider_pb2.DiffResponse.DIFF_SOME, [])
    assert found.detailedDiff["tags.a"].kind == provider_pb2.PropertyDiff.UPDATE
    updated = stub.Update(provider_pb2.UpdateRequest(id=made.id, urn=urn(VPC), **both), timeout=30)
    assert from_struct(updated.properties)["tagsAll"] == {"a": "c"}

    gone = provider_pb2.DeleteRequest(id=made.id, urn=urn(VPC), properties=updated.properties)
    stub.Delete(gone, timeout=30)
    assert simcloud.left_over(tmp_path) == []
    assert (
        stub.Read(provider_pb2.ReadRequest(id=made.id, urn=urn(VPC), properties=made.properties), timeout=30).id == ""
    )


def test_a_replacing_change_says_so_per_property(start: Start) -> None:
    stub = configured(start)
    old, new = to_struct({"ami": "ami-1", "userData": "a"}), to_struct({"ami": "ami-2", "userData": "b"})
    request = provider_pb2.DiffRequest(id="i-1", urn=urn(INSTANCE), olds=old, old_inputs=old, news=new)
    found = stub.Diff(request, timeout=30)
    assert list(found.replaces) == ["ami"]
    assert found.detailedDiff["ami"].kind == provider_pb2.PropertyDiff.UPDATE_REPLACE
    assert found.detailedDiff["userData"].kind == provider_pb2.PropertyDiff.UPDATE
    request.ignoreChanges.append("ami")
    assert list(stub.Diff(request, timeout=30).replaces) == []


def test_failures_name_the_property(start: Start) -> None:
    stub = configured(start)
    request = provider_pb2.CheckRequest(urn=urn(VPC), news=to_struct({"cidr": "10.0.0.0/16"}))
    failures = stub.Check(request, timeout=30).failures
    assert [each.property for each in failures] == ["cidr"]


def test_a_refusal_reaches_the_engine_in_the_clouds_words(start: Start) -> None:
    stub = configured(start, PULUMI_LLM_SIM_FAULTS="quota:eip")
    with pytest.raises(grpc.RpcError, match="AddressLimitExceeded"):
        stub.Create(provider_pb2.CreateRequest(urn=urn("aws:ec2/eip:Eip"), properties=to_struct({})), timeout=30)


def test_look_ups_are_answered_and_unknown_ones_refused(start: Start) -> None:
    stub = configured(start)
    request = provider_pb2.InvokeRequest(tok="aws:index/getRegion:getRegion", args=to_struct({}))
    assert from_struct(getattr(stub.Invoke(request, timeout=30), "return"))["region"] == "us-east-1"
    request.tok = "aws:index/getNothing:getNothing"
    with pytest.raises(grpc.RpcError, match="does not answer the look-up"):
        stub.Invoke(request, timeout=30)


def test_it_listens_on_loopback_only(start: Start) -> None:
    process, _ = start("random")
    inodes = {str(each.readlink()) for each in Path(f"/proc/{process.pid}/fd").iterdir() if each.is_symlink()}
    listening = []
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{process.pid}/net/{table}").read_text().splitlines()[1:]:
            parts = line.split()
            if parts[3] == "0A" and f"socket:[{parts[9]}]" in inodes:
                listening.append(parts[1].split(":")[0])
    assert listening in (["0100007F"], ["0000000000000000FFFF00000100007F"])  # 127.0.0.1, as IPv4 or mapped into IPv6


def test_it_ends_when_it_is_asked_to(start: Start) -> None:
    process, _ = start("random")
    process.terminate()
    assert process.wait(timeout=20) == 0


@pytest.mark.parametrize(
    ("package", "environment", "words"),
    [
        ("venus", {}, "there is no simulated package 'venus'"),
        ("aws", {"PULUMI_LLM_SIM_FAULTS": "no-stok:*"}, "sim.unknown-fault"),
    ],
)
def test_it_says_why_it_cannot_start(package: str, environment: dict[str, str], words: str) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "pulumi_llm._simcloud.plugin", package],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_it_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    port = tmp_path / "port"
    command = f"{sys.executable} -P -m pulumi_llm._simcloud.plugin random > {port} 2> {port}.errors & echo $!"
    waiting = f"while [ ! -s {port} ]; do sleep 0.1; done"
    done = subprocess.run(["sh", "-c", f"{command}; {waiting}"], capture_output=True, text=True, timeout=60, check=True)
    place = Path(f"/proc/{done.stdout.strip()}")
    deadline = time.monotonic() + 20
    while place.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not place.exists()


def test_an_orphan_asks_whether_its_engine_is_still_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getppid", lambda: 1)
    with socket.create_server(("127.0.0.1", 0)) as engine:
        address = f"127.0.0.1:{engine.getsockname()[1]}"
        assert plugin.is_gone(1, address) is False
    assert plugin.is_gone(1, address) is True
    assert plugin.is_gone(1, "") is False
    assert plugin.is_gone(7, address) is True
