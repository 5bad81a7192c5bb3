"""The components as other languages get them: schema and Construct over gRPC, without the engine."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import grpc
import pytest

from tests.host import Registered, call_hook, component_host, explained, secret

SERVER = {
    "cloud": "aliyun",
    "region": "cn-hangzhou",
    "gpu": "T4",
    "gpuCount": 1,
    "model": "01-ai/Yi-6B-Chat",
    "allowedCidrs": ["203.0.113.0/24"],
    "contextLength": 4096,
    "hubToken": secret("hf_planted"),
}


def construct(component: str, inputs: dict[str, Any]) -> tuple[dict[str, Any], list[Registered]]:
    async def drive() -> tuple[dict[str, Any], list[Registered]]:
        async with component_host() as host:
            return await host.construct(component, "qwen", inputs), host.monitor.seen

    return asyncio.run(drive())


def test_a_model_server_is_constructed_for_a_program_in_another_language() -> None:
    state, seen = construct("ModelServer", SERVER)
    assert state["model"] == "Yi-6B-Chat"
    assert [each.name for each in seen if each.type == "alicloud:ecs/instance:Instance"] == [
        "qwen-machine-cn-hangzhou-b"
    ]
    # Numbers arrive as floats from other languages, and none may leave its trace in what a node is told.
    node = next(each for each in seen if "-machine-" in each.name).inputs["userData"]
    assert "4096.0" not in node


def test_a_secret_argument_stays_a_secret_in_everything_that_is_registered() -> None:
    _, seen = construct("ModelServer", SERVER)

    def planted(value: Any, marked: bool = False) -> bool:
        if isinstance(value, dict):
            inside = marked or value.get("4dabf18193072939515e22adb298388d") is not None
            return any(planted(each, inside) for each in value.values())
        if isinstance(value, list):
            return any(planted(each, marked) for each in value)
        return not marked and isinstance(value, str) and "hf_planted" in value

    assert [each.name for each in seen if planted(each.inputs)] == []
    assert any("hf_planted" in json.dumps(each.inputs) for each in seen)


def test_a_smaller_disk_is_refused_by_the_host_while_it_serves_a_program_in_another_language() -> None:
    urn = "urn:pulumi:dev::proj::llm:index:ModelServer$alicloud:ecs/ecsDisk:EcsDisk::qwen-disk"

    async def drive() -> tuple[str, str]:
        async with component_host() as host:
            await host.construct("ModelServer", "qwen", SERVER)
            (hook,) = (each for each in host.monitor.hooks if each.name.endswith("qwen-disk"))
            assert hook.on_dry_run
            smaller = await call_hook(hook, urn, {"size": 200}, {"size": 100})
            return smaller, await call_hook(hook, urn, {"size": 200}, {"size": 300})

    smaller, larger = asyncio.run(drive())
    assert "[cloud.disk-cannot-shrink]" in smaller
    assert "`model_disk_gib: 200`" in smaller
    assert larger == ""


def test_a_bad_argument_from_another_language_is_refused_with_its_code() -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        construct("ModelServer", {**SERVER, "gpu": "T44"})
    assert "catalog.unknown-gpu" in explained(refused.value)


@pytest.mark.parametrize("arguments", [[], ["plan", "-s", "aliyun-t4"], ["--help"]])
def test_without_an_engine_the_host_says_what_it_is_and_names_the_command(arguments: list[str]) -> None:
    command = [sys.executable, "-m", "pulumi_llm", *arguments]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "pulumi-llm --help" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_schema_of_the_package_is_the_recorded_one(golden: Any) -> None:
    async def read() -> dict[str, Any]:
        async with component_host() as host:
            return await host.schema()

    schema = asyncio.run(read())
    assert sorted(schema["resources"]) == [
        f"llm:index:{name}" for name in ("ModelServer", "Network", "OverseasProxy", "Platform", "VectorStore")
    ]
    golden(Path("schema.json"), json.dumps(schema, indent=2, sort_keys=True) + "\n")
