"""The components as other languages get them: schema and Construct over gRPC, without the engine."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import grpc
import pytest

from pulumi_llm.clouds.ssh.probe import SIMULATED
from tests.cluster.fleets import kubeconfig
from tests.generated import breaking
from tests.host import Refused, Registered, call_hook, component_host, explained, secret
from tests.ssh.samples import HOST_KEY

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


# Arguments that are wrong, and the properties that are named; every component has its row.
REFUSED: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "ModelServer": (
        {**SERVER, "gpu": "T44", "spot": "no", "vectorsMemoryGib": 2.5, "keys": {"a": {"requestsPerMinute": 0}}},
        {
            "gpu": "[catalog.unknown-gpu] ",
            "spot": "[spec.wrong-type] 'no' is given, but it must be true or false",
            "vectorsMemoryGib": "[spec.wrong-type] 2.5 is given, but it must be a whole number",
            "keys.a.requestsPerMinute": "[spec.wrong-value] ",
        },
    ),
    "Network": ({"cloud": "awss", "cidr": 3}, {"cidr": "[spec.wrong-type] ", "cloud": "[spec.", "region": "[spec."}),
    "OverseasProxy": (
        {"cloud": "aws", "region": "eu-west-1", "upstreams": {"openai": {"models": "x"}}, "allowedCidrs": ["x", 3.0]},
        {"allowedCidrs[1]": "[spec.wrong-type] ", "upstreams.openai.models": "[spec."},
    ),
    "Platform": (
        {"server": "x", "acess": {}},
        {"server": "[spec.", "acess": "[spec.unknown-key] ", "access": "[spec."},
    ),
    "VectorStore": ({"cloud": "aws"}, {"region": "[spec.missing-key] ", "allowedCidrs": "[spec.missing-key] "}),
    "Fleet": (
        {
            "models": {"chat": {"model": "x y"}, "more": {"model": "a/b", "scaling": {"leest": 0.0}}},
            "nodes": {"count": 1.0},
            "allowedCidr": ["x"],
            "vectors": {"engine": "qdrant", "diskGb": 40.0},
        },
        {
            "vectors.engine": "[fleet.store-without-chart] ",
            "vectors.diskGb": "[spec.unknown-key] ",
            "models.chat.model": "[spec.bad-model-id] ",
            "models.more.scaling.leest": "[spec.unknown-key] ",
            "models.more.scaling.most": "[spec.missing-key] ",
            "nodes": "[fleet.no-gpu] ",
            "allowedCidr": "[spec.unknown-key] ",
        },
    ),
    "WorkerProxy": (
        {"accountId": "x", "zoneId": 3.0, "hostname": "no name", "upstreams": {"openai": {"models": "x"}}},
        {
            "accountId": "[spec.bad-account] ",
            "zoneId": "[spec.wrong-type] ",
            "hostname": "[spec.bad-domain] ",
            "near": "[spec.missing-key] ",
            "allowedCidrs": "[spec.missing-key] ",
            "upstreams.openai.models": "[spec.",
        },
    ),
}


def refused(*calls: tuple[str, dict[str, Any]]) -> list[Refused]:
    async def drive() -> list[Refused]:
        answers = []
        async with component_host() as host:
            for component, inputs in calls:
                with pytest.raises(grpc.aio.AioRpcError) as failed:
                    await host.construct(component, "x", inputs)
                answers.append(explained(failed.value))
            assert host.monitor.seen == []
        return answers

    return asyncio.run(drive())


def test_a_refusal_of_each_component_is_a_message_with_the_property_paths_and_nothing_is_registered() -> None:
    answers = refused(*((component, inputs) for component, (inputs, _) in REFUSED.items()))
    for answer, (_, properties) in zip(answers, REFUSED.values(), strict=True):
        assert answer.code is grpc.StatusCode.INVALID_ARGUMENT
        assert answer.message.startswith("x: this cannot work, for ")
        for noise in ("Traceback", "File ", "Unexpected", "<class"):
            assert noise not in answer.text
        assert set(answer.properties) == set(properties)
        for path, start in properties.items():
            assert answer.properties[path].startswith(start), path


def test_the_names_in_a_message_are_spelt_as_its_reader_writes_them() -> None:
    wrong: dict[str, Any] = {**SERVER, "vectors": {"memory_gib": 2}, "alowedCidrs": []}
    half = {**SERVER, "addressId": "eip-1"}
    proxy = {"cloud": "aws", "region": "eu-west-1", "allowedCidrs": ["203.0.113.0/24"]}
    proxy["upstreams"] = {"openai": {"models": ["gpt-5"]}}
    named, parted, lacking = refused(("ModelServer", wrong), ("ModelServer", half), ("OverseasProxy", proxy))
    assert (
        "try: the arguments vectorsBackup, vectorsCount, vectorsDimensions, vectorsDiskGib, "
        "vectorsEngine, vectorsMemoryGib" in named.properties["vectors"]
    )
    assert "did you mean allowedCidrs?" in named.properties["alowedCidrs"]
    assert "addressId is given, but address is not" in parted.message
    assert "the argument openaiApiKey" in lacking.message


def test_the_value_of_a_secret_is_in_no_message_and_its_property_is_not_one_that_the_engine_prints() -> None:
    hidden: dict[str, Any] = {
        **SERVER,
        "hubToken": 20261128,
        "extraArgs": secret(["planted-secret"]),
        "tags": {"team": secret("planted-secret")},
        "keys": {"a": {"expires": secret("planted-secret"), "requestsPerMinute": "planted"}},
    }
    (answer,) = refused(("ModelServer", hidden))
    assert answer.properties == {}
    for path in ("x.hubToken", "x.extraArgs", "x.tags", "x.keys"):
        assert path in answer.message
    assert "planted-secret" not in answer.text
    assert "20261128" not in answer.text


def test_an_image_that_is_not_found_is_told_without_a_traceback() -> None:
    async def drive() -> Refused:
        async with component_host() as host:
            host.monitor.answers["alicloud:ecs/getImages:getImages"] = {"ids": []}
            with pytest.raises(grpc.aio.AioRpcError) as failed:
                await host.construct("ModelServer", "x", SERVER)
            return explained(failed.value)

    answer = asyncio.run(drive())
    assert answer.code is grpc.StatusCode.INVALID_ARGUMENT
    assert "[cloud.no-image]" in answer.message
    assert "Traceback" not in answer.text
    assert "File " not in answer.text


@pytest.mark.parametrize("arguments", [[], ["plan", "-s", "aliyun-t4"], ["--help"]])
def test_without_an_engine_the_host_says_what_it_is_and_names_the_command(arguments: list[str]) -> None:
    command = [sys.executable, "-m", "pulumi_llm", *arguments]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "pulumi-llm --help" in done.stderr
    assert "Traceback" not in done.stderr


@cache
def served_schema() -> dict[str, Any]:
    async def read() -> dict[str, Any]:
        async with component_host() as host:
            return await host.schema()

    return asyncio.run(read())


RECORDED = json.loads((Path(__file__).parent / "golden" / "schema.json").read_text())


def test_the_schema_that_the_host_serves_breaks_no_program_that_was_written_for_the_recorded_one() -> None:
    assert list(breaking(RECORDED, served_schema())) == []


def test_the_recorded_schema_is_the_one_that_the_host_serves() -> None:
    assert served_schema() == RECORDED, "something was added: make generate records it"


# Programs in other languages spell names in camelCase, at every level.

KEYS = {"web-1": {"requestsPerMinute": 30.0, "sourceCidrs": ["203.0.113.7/32"], "dailyBudgetUsd": 2.5}}
CONTENT = {
    "lists": {"own_words": {"action": "block", "words": ["project-x"]}},
    "moderators": {
        "my_yidun": {"kind": "yidun", "action": "block", "onError": "pass", "options": {"business_id": "b"}},
    },
}
PROXY = {
    "cloud": "aws",
    "region": "ap-southeast-1",
    "upstreams": {"openai": {"models": ["gpt_x"], "prices": {"gpt_x": {"input": 1.0, "output": 2.0}}}},
    "keys": KEYS,
    "routes": {"my_chat": {"models": {"gpt_x": 1.0}}},
}
HOME = {
    "qwen": {
        "models": ["qwen_x"],
        "servedNames": {"qwen_x": "chat_x"},
        "prices": {"qwen_x": {"input": 1.0, "output": 2.0}},
    },
    "our-eas": {
        "vendor": "pai-eas",
        "baseUrl": "https://eas.example.com/v1",
        "models": ["eas_x"],
        "prices": {"eas_x": {"input": 1.0, "output": 2.0}},
    },
}
OPEN = {"allowedCidrs": ["203.0.113.0/24"]}
MODERATION = {"yidunModerationId": secret("id"), "yidunModerationKey": secret("planted-key")}
DOMAIN = {
    "name": "llm.example.com",
    "filed": True,
    "acme": {"email": "ops@example.com", "challenge": "http"},
    "record": {"cloud": "aws", "zone": "example.com", "zoneId": "Z1"},
}
GOOD: dict[str, dict[str, Any]] = {
    "ModelServer": {
        **SERVER,
        "keys": KEYS,
        "content": CONTENT,
        **MODERATION,
        "domain": DOMAIN,
        "idleStop": {"minutes": 30.0},
        "traces": {"endpoint": "http://10.0.0.9:4318/v1/traces", "share": 0.5},
        "disk": {"snapshots": {"at": "03:00 Asia/Shanghai", "keepDays": 7.0}},
        "weights": {"bucket": "s3://kept/weights", "region": "us-east-1"},
        "weightsAccessKeyId": secret("AKIDPLANTED"),
        "weightsAccessKeySecret": secret("planted"),
        "adapters": {"support_x": {"source": "acme/support_x", "rank": 8.0}},
        "upstreams": HOME,
        "vectors": True,
        "vectorsEngine": "pgvector",
        "apps": {"chat": {"adminEmail": "ops@example.com"}, "rag": {"embeddings": "eas_x", "dimensions": 64.0}},
        "qwenApiKey": secret("sk-planted-qwen"),
        "upstreamApiKeys": {"our-eas": secret("sk-planted-eas")},
    },
    "Network": {"cloud": "aws", "region": "ap-southeast-1", "tags": {"cost_centre": "a_b"}},
    "OverseasProxy": {**PROXY, **OPEN, "content": CONTENT, **MODERATION, "openaiApiKey": secret("sk-planted")},
    "Platform": {
        "server": {
            **{name: value for name, value in SERVER.items() if name not in ("allowedCidrs", "hubToken")},
            "keys": KEYS,
            "content": CONTENT,
            "systemDiskGib": 90.0,
        },
        "access": {**OPEN, "httpsPort": 8444.0},
        "vectors": {"memoryGib": 2.0, "placement": "own"},
        "proxy": PROXY,
        "network": {"cidr": "10.9.0.0/16"},
        "hubToken": secret("hf_planted"),
        "openaiApiKey": secret("sk-planted"),
        **MODERATION,
    },
    "VectorStore": {"cloud": "aws", "region": "ap-northeast-1", "memoryGib": 2.0, **OPEN},
    "Fleet": {
        "models": {
            "chat": {
                "model": "Qwen/Qwen2.5-7B-Instruct",
                "contextLength": 4096.0,
                "scaling": {"least": 0.0, "most": 2.0, "idleMinutes": 5.0},
            }
        },
        "kedaNamespace": "keda",
        "vectors": {"memoryGib": 8.0, "diskGib": 100.0},
        "nodes": {"count": 2.0, "cloud": "aliyun", "region": "cn-hangzhou", "instanceType": "ecs.gn7i-c8g1.2xlarge"},
        "allowedNamespaces": ["apps"],
        "keys": {"web-1": {"requestsPerMinute": 30.0}},
        "hubToken": secret("hf_planted"),
        "kubeconfig": secret(kubeconfig()),
    },
    "WorkerProxy": {
        "accountId": "0" * 32,
        "zoneId": "1" * 32,
        "hostname": "llm.example.com",
        "near": "us-west-2",
        "upstreams": PROXY["upstreams"],
        "routes": PROXY["routes"],
        "keys": {"web-1": {"requestsPerMinute": 30.0}},
        **OPEN,
        "openaiApiKey": secret("sk-planted"),
    },
}

OWN: dict[str, Any] = {
    **{name: value for name, value in GOOD["ModelServer"].items() if name in ("model", "allowedCidrs")},
    "cloud": "ssh",
    "region": "us",
    "gpu": "RTX 4090",
    "sshPrivateKey": secret("planted-key"),
    "host": {
        "address": "203.0.113.7",
        "user": "ubuntu",
        "hostKey": HOST_KEY,
        "gpuMemoryGib": 24.0,
        "price": {"amount": 2.5, "currency": "CNY"},
    },
}
"""A model server on a machine that exists."""


def test_a_machine_that_exists_is_described_in_camel_case_too_and_its_key_is_recorded_nowhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(SIMULATED, "1")  # no machine is asked
    _, seen = construct("ModelServer", OWN)
    made = next(each for each in seen if each.type == "llm:index:ModelServer")
    assert made.inputs["host"]["host_key"] == HOST_KEY
    assert "planted-key" not in json.dumps(made.inputs)


@pytest.mark.parametrize("component", GOOD)
def test_a_component_takes_camel_case_at_every_level_and_leaves_the_names_of_others_as_they_are(component: str) -> None:
    _, seen = construct(component, GOOD[component])
    made = next(each for each in seen if each.type == f"llm:index:{component}")
    told = json.dumps(made.inputs)
    assert not {"requestsPerMinute", "allowedCidrs", "onError", "systemDiskGib"} & set(re.findall(r'"(\w+)":', told))
    for own in (
        "web-1",
        "own_words",
        "my_yidun",
        "business_id",
        "my_chat",
        "gpt_x",
        "cost_centre",
        "our-eas",
        "qwen_x",
    ):
        if own in json.dumps(GOOD[component]):
            assert f'"{own}":' in told or own == "gpt_x"
    if "keys" in GOOD[component]:
        assert made.inputs["keys"]["web-1"]["requests_per_minute"] == 30
    for planted in ("sk-planted", "planted-key", "hf_planted"):
        assert planted not in told


def test_every_component_of_the_schema_has_good_and_wrong_arguments_here() -> None:
    names = {each.rsplit(":", 1)[1] for each in RECORDED["resources"]}
    assert set(GOOD) == set(REFUSED) == names
    said = {name for component in [*GOOD.values(), OWN] for name in re.findall(r'"(\w+)":', json.dumps(component))}
    # Every part of the schema is in one of them.
    for token, row in RECORDED["types"].items():
        assert said & set(row["properties"]), token


# A name that nothing declares, below the top where there is anything below it: what is said of it.
UNKNOWN: list[tuple[str, dict[str, Any], str, str]] = [
    ("ModelServer", {"keys": {"web-1": {"requestPerMinute": 3}}}, "keys.web-1.requestPerMinute", "requestsPerMinute"),
    ("Platform", {"access": {**OPEN, "httpPort": 8444}}, "access.httpPort", "httpsPort"),
    ("Platform", {"proxy": {**PROXY, "upstream": {}}}, "proxy.upstream", "upstreams"),
    ("OverseasProxy", {"routes": {"r": {"models": {"gpt_x": 1}, "fallbacks": []}}}, "routes.r.fallbacks", "fallback"),
    ("Network", {"cidrs": "10.0.0.0/16"}, "cidrs", "cidr"),
    ("VectorStore", {"memoryGibs": 4.0}, "memoryGibs", "memoryGib"),
    ("WorkerProxy", {"hostnames": "x"}, "hostnames", "hostname"),
    ("Fleet", {"namespaces": "x"}, "namespaces", "namespace"),
]


def test_an_unknown_name_inside_a_part_is_refused_with_the_one_that_was_meant_as_its_reader_spells_it() -> None:
    assert {component for component, *_ in UNKNOWN} == set(GOOD)
    answers = refused(*((component, {**GOOD[component], **change}) for component, change, _, _ in UNKNOWN))
    for answer, (component, _, path, meant) in zip(answers, UNKNOWN, strict=True):
        told = answer.text
        assert f"did you mean {meant}" in told, (component, told)
        assert path in told or path in answer.properties
        assert "[spec.unknown-key]" in told
        assert "Traceback" not in told


def test_an_output_inside_a_part_is_refused_by_its_path_and_one_for_an_address_is_taken() -> None:
    late = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"  # what the engine sends for a text that is not known yet
    inside: list[tuple[str, dict[str, Any], str]] = [
        ("ModelServer", {"keys": {"web-1": {"requestsPerMinute": late}}}, "keys.web-1.requestsPerMinute"),
        ("OverseasProxy", {"routes": secret({"r": {"models": {"gpt_x": 1}}})}, "routes"),
        ("Platform", {"server": {**GOOD["Platform"]["server"], "gpu": secret("T4")}}, "server"),
        ("Network", {"zone": late}, "zone"),
        ("VectorStore", {"memoryGib": late}, "memoryGib"),
        ("WorkerProxy", {"near": late}, "near"),
        ("Fleet", {"namespace": late}, "namespace"),
    ]
    assert {component for component, *_ in inside} == set(GOOD)
    answers = refused(*((component, {**GOOD[component], **change}) for component, change, _ in inside))
    for answer, (component, _, path) in zip(answers, inside, strict=True):
        assert "[spec.output-not-plain]" in answer.text, (component, answer.text)
        assert f"x.{path}" in answer.text or path in answer.properties
        assert "Traceback" not in answer.text
    construct("OverseasProxy", {**GOOD["OverseasProxy"], "clientAddress": late})


def test_an_argument_that_is_given_in_both_spellings_is_refused() -> None:
    both = {**SERVER, "keys": {"a": {"requestsPerMinute": 3, "requests_per_minute": 4}}}
    (answer,) = refused(("ModelServer", both))
    assert answer.code is grpc.StatusCode.INVALID_ARGUMENT
    assert "requestsPerMinute is given twice" in answer.text
    assert "Traceback" not in answer.text


def test_the_value_of_a_misspelt_secret_is_not_one_that_the_engine_prints() -> None:
    (answer,) = refused(("OverseasProxy", {**GOOD["OverseasProxy"], "opnaiApiKey": "sk-typed-in-the-clear"}))
    assert "did you mean openaiApiKey" in answer.message
    assert answer.properties == {}


def test_a_provider_of_another_region_is_refused_for_a_program_in_another_language_too() -> None:
    async def drive() -> Refused:
        async with component_host() as host:
            provider = Registered("pulumi:providers:alicloud", "mine", "", {"region": "cn-shanghai"})
            host.monitor.seen.append(provider)
            with pytest.raises(grpc.aio.AioRpcError) as failed:
                await host.construct("ModelServer", "x", SERVER, providers={"alicloud": f"{provider.urn}::known"})
            made = [each.type for each in host.monitor.seen if each is not provider]
            assert [each for each in made if not each.startswith("llm:")] == []
            return explained(failed.value)

    answer = asyncio.run(drive())
    assert answer.code is grpc.StatusCode.INVALID_ARGUMENT
    assert "[cloud.other-region] x: the provider passed in is for cn-shanghai" in answer.message
    assert "Traceback" not in answer.text
