"""The simulated plugins that all runs of a rehearsal's engine share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from pulumi_llm._simcloud.attached import VARIABLE, Attached, attached
from pulumi_llm._simcloud.store import HOME
from pulumi_llm._simcloud.wire import from_struct, provider_pb2, provider_pb2_grpc, restore, to_struct
from pulumi_llm.clouds import functions

restore()

ZONES = "tencentcloud:Availability/getZonesByProduct:getZonesByProduct"
FUNCTION = "tencentcloud:Scf/function:Function"
IMAGES = "tencentcloud:Images/getInstance:getInstance"


@pytest.fixture
def warm(tmp_path: Path) -> Iterator[Attached]:
    with attached(("tencentcloud", "random"), {**os.environ, HOME: str(tmp_path)}, tmp_path) as found:
        yield found


def ports(found: Attached) -> dict[str, str]:
    return dict(each.split(":") for each in found.environment[VARIABLE].split(","))


class Provider:
    """A provider of a program: a connection of its own, configured for a region."""

    def __init__(self, port: str, region: str) -> None:
        self.channel = grpc.insecure_channel(f"127.0.0.1:{port}", options=[("grpc.use_local_subchannel_pool", 1)])
        self.stub = provider_pb2_grpc.ResourceProviderStub(self.channel)
        self.stub.Configure(provider_pb2.ConfigureRequest(args=to_struct({"region": region})))

    def ask(self, token: str, **arguments: Any) -> Any:
        request = provider_pb2.InvokeRequest(tok=token, args=to_struct(arguments))
        return from_struct(getattr(self.stub.Invoke(request), "return"))

    def zones(self) -> set[str]:
        return {each["name"].rpartition("-")[0] for each in self.ask(ZONES)["zones"]}

    def newest(self) -> str:
        return str(max(each["createdTime"] for each in self.ask(IMAGES, imageTypes=["PUBLIC_IMAGE"])["images"]))


def test_each_package_has_a_port_and_two_providers_of_one_have_a_region_each(warm: Attached) -> None:
    found = ports(warm)
    assert found.keys() == {"tencentcloud", "random"}
    first, second = (Provider(found["tencentcloud"], region) for region in ("ap-shanghai", "ap-guangzhou"))
    assert (first.zones(), second.zones()) == ({"ap-shanghai"}, {"ap-guangzhou"})


def test_who_connects_later_has_the_faults_of_then(warm: Attached) -> None:
    port = ports(warm)["tencentcloud"]
    before = Provider(port, "ap-shanghai")
    was = before.newest()
    warm.tell("image-date:20271231")
    assert before.newest() == was
    assert Provider(port, "ap-shanghai").newest() > was


def test_a_file_that_a_program_names_is_looked_for_where_the_program_runs(warm: Attached, tmp_path: Path) -> None:
    """As the plugins that an engine starts do: Tencent Cloud's provider is given the path of a function's code."""
    functions.write_code(tmp_path)
    given = {"name": "f", "handler": functions.HANDLER, "zipFile": functions.code_path(), "enablePublicNet": True}
    provider = Provider(ports(warm)["tencentcloud"], "ap-shanghai")
    request = provider_pb2.CreateRequest(urn=f"urn:pulumi:s::p::{FUNCTION}::f", properties=to_struct(given))
    assert provider.stub.Create(request).id


def test_where_it_does_not_start_the_engine_starts_the_plugins_itself(tmp_path: Path) -> None:
    with attached(("random",), {"PATH": os.defpath, "PYTHONHOME": str(tmp_path)}, tmp_path) as found:
        assert found.environment == {}
        found.tell("image-date:20271231")


def test_it_ends_with_its_block(tmp_path: Path) -> None:
    with attached(("random",), {**os.environ, HOME: str(tmp_path)}, tmp_path) as found:
        port = ports(found)["random"]
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel, pytest.raises(grpc.FutureTimeoutError):
        grpc.channel_ready_future(channel).result(timeout=1)
