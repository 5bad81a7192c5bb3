"""The components, used from somebody's own program: what they make, what they refuse, and what they tell."""

from __future__ import annotations

import json
from typing import Any

import pulumi
import pulumi_aws as aws
import pytest

import pulumi_llm as llm
from pulumi_llm.errors import Refusal
from pulumi_llm.plan.capture import capture
from pulumi_llm.plan.model import UNKNOWN, Plan, is_secret

SERVER: dict[str, Any] = {
    "cloud": "aws",
    "region": "ap-northeast-1",
    "gpu": "T4",
    "model": "01-ai/Yi-6B-Chat",
    "context_length": 4096,
    "allowed_cidrs": ["203.0.113.0/24"],
}
PROXY: dict[str, Any] = {
    "cloud": "tencent",
    "region": "ap-singapore",
    "upstreams": {"openai": {"models": ["gpt-6-luna"]}},
    "allowed_cidrs": ["203.0.113.0/24"],
    "openai_api_key": "sk-planted",
}
PLATFORM: dict[str, Any] = {
    "server": {key: SERVER[key] for key in ("cloud", "region", "gpu", "model", "context_length")},
    "access": {"allowed_cidrs": ["203.0.113.0/24"]},
}
WITH_PROXY: dict[str, Any] = {
    **PLATFORM,
    "proxy": {key: PROXY[key] for key in ("cloud", "region", "upstreams")},
    "openai_api_key": "sk-planted",
}
MACHINES = ("aws:ec2/instance:Instance", "alicloud:ecs/instance:Instance", "tencentcloud:Instance/instance:Instance")


def plan_of(component: Any, args: dict[str, Any], opts: Any = None) -> Plan:
    def program() -> None:
        made = component("x", args, opts() if opts else None)
        for name in component.__annotations__:
            value = getattr(made, name, None)
            if value is not None:
                pulumi.export(name, value)

    return capture(program)


def codes(component: Any, args: dict[str, Any]) -> list[str]:
    with pytest.raises(Refusal) as refused:
        plan_of(component, args)
    return sorted(finding.code for finding in refused.value.findings)


def machine(plan: Plan) -> dict[str, Any]:
    return dict(next(plan.of_type(*MACHINES)).inputs)


def settings(plan: Plan, name: str = "x-settings") -> dict[str, Any]:
    return dict(json.loads(next(each for each in plan.resources if each.name == name).inputs["stdin"]))


def test_a_model_server_tells_what_it_is_and_costs() -> None:
    outputs = plan_of(llm.ModelServer, SERVER).outputs
    assert outputs["model"] == "Yi-6B-Chat"
    assert outputs["instance_type"] == "g4dn.xlarge"
    assert outputs["currency"] == "USD"
    assert 0.3 < outputs["hourly_price"] < 2
    assert is_secret(outputs["api_keys"])
    assert "vectors_endpoint" not in outputs


def test_the_flags_of_vllm_come_from_the_gpu_and_the_spec() -> None:
    text = json.dumps(settings(plan_of(llm.ModelServer, SERVER)))
    assert "--dtype half" in text or '"half"' in text or "--dtype=half" in text
    assert "4096" in text


def test_every_mistake_in_the_arguments_is_told_at_once() -> None:
    wrong = {**SERVER, "gpuu": 1}
    assert codes(llm.ModelServer, wrong) == ["spec.unknown-key"]
    wrong = {**SERVER, "gpu": "T44", "allowed_cidrs": ["0.0.0.0/0"], "network_cidr": "8.8.8.0/24"}
    assert codes(llm.ModelServer, wrong) == ["catalog.unknown-gpu", "spec.bad-network-cidr", "spec.open-to-world"]
    assert codes(llm.ModelServer, {}) == ["spec.missing-key"] * 5


def test_a_model_that_does_not_fit_is_refused_before_anything_is_made() -> None:
    assert "fit.weights-exceed-vram" in codes(llm.ModelServer, {**SERVER, "model": "Qwen/Qwen2.5-72B-Instruct"})


def test_an_override_goes_on_in_spite_of_a_finding() -> None:
    args = {**SERVER, "model": "somebody/some-model", "context_length": 4096}
    assert codes(llm.ModelServer, args) == ["fit.unknown-model"]
    assert machine(plan_of(llm.ModelServer, {**args, "override": ["fit.unknown-model"]}))


def test_an_output_where_a_plain_value_is_needed_is_refused() -> None:
    def program() -> None:
        llm.ModelServer("x", {**SERVER, "region": pulumi.Output.from_input("ap-northeast-1")})  # type: ignore[typeddict-item]

    with pytest.raises(Refusal) as refused:
        capture(program)
    assert [finding.code for finding in refused.value.findings] == ["spec.output-not-plain"]


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"vpc_id": "vpc-1"}, "spec.missing-key"),
        ({"vpc_id": "vpc-1", "subnet_id": "subnet-1"}, "spec.zone-needed"),
        ({"address": "203.0.113.9"}, "spec.missing-key"),
        ({"proxy_endpoint": "https://203.0.113.9/v1"}, "spec.missing-key"),
    ],
)
def test_arguments_that_belong_together_are_refused_by_halves(given: dict[str, Any], code: str) -> None:
    assert codes(llm.ModelServer, {**SERVER, **given}) == [code]


def test_an_existing_network_is_used_and_none_is_made() -> None:
    given = {"vpc_id": "vpc-0123456789abcdef0", "subnet_id": "subnet-0123456789abcdef0", "zone": "ap-northeast-1a"}
    plan = plan_of(llm.ModelServer, {**SERVER, **given})
    assert not list(plan.of_type("aws:ec2/vpc:Vpc", "llm:index:Network"))
    assert machine(plan)["subnetId"] == "subnet-0123456789abcdef0"


def test_weaviate_beside_the_model_gets_ports_a_key_and_room() -> None:
    alone, beside = plan_of(llm.ModelServer, SERVER), plan_of(llm.ModelServer, {**SERVER, "vectors": True})

    def of_weaviate(plan: Plan) -> list[str]:
        return [each["path"] for each in settings(plan)["files"] if "weaviate" in each["path"]]

    assert not of_weaviate(alone)
    assert of_weaviate(beside)
    assert is_secret(beside.outputs["vectors_key"]) or beside.outputs["vectors_key"] == UNKNOWN

    def size(plan: Plan) -> int:
        return int(next(plan.of_type("aws:ebs/volume:Volume")).inputs["size"])

    assert size(beside) - size(alone) == 40


def test_a_vector_store_is_a_machine_of_its_own_without_a_model() -> None:
    plan = plan_of(llm.VectorStore, {k: SERVER[k] for k in ("cloud", "region", "allowed_cidrs")} | {"memory_gib": 6})
    text = json.dumps(settings(plan, "x-settings"))
    assert "vllm" not in text.lower() or "--model" not in text
    assert plan.outputs["instance_type"] != "g4dn.xlarge"


def test_a_proxy_needs_the_key_of_each_upstream() -> None:
    without = {key: value for key, value in PROXY.items() if key != "openai_api_key"}
    assert codes(llm.OverseasProxy, without) == ["secret.missing"]


@pytest.mark.parametrize("region", ["ap-guangzhou", "ap-hongkong"])
def test_a_proxy_in_china_is_refused(region: str) -> None:
    assert codes(llm.OverseasProxy, {**PROXY, "region": region}) == ["spec.proxy-region"]


def test_the_upstream_key_reaches_neither_inputs_in_the_clear_nor_user_data() -> None:
    plan = plan_of(llm.OverseasProxy, PROXY)
    assert "sk-planted" not in json.dumps(plan.to_json())
    assert "sk-planted" not in "".join(plan.user_data().values())


def test_a_provider_that_is_handed_in_is_used_and_none_is_made() -> None:
    def opts() -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(providers=[aws.Provider("mine", region="ap-northeast-1")])

    plan = plan_of(llm.ModelServer, SERVER, opts)
    assert [each.name for each in plan.resources if each.type.startswith("pulumi:providers:aws")] == ["mine"]


def test_spot_is_asked_for_only_where_it_is_wanted() -> None:
    assert "instanceMarketOptions" not in machine(plan_of(llm.ModelServer, SERVER))
    assert machine(plan_of(llm.ModelServer, {**SERVER, "spot": True}))["instanceMarketOptions"]["marketType"] == "spot"


def test_renew_lets_image_and_user_data_take_effect() -> None:
    def ignored(args: dict[str, Any]) -> set[str]:
        return set(next(plan_of(llm.ModelServer, args).of_type(*MACHINES)).ignore_changes)

    assert {"ami", "userData"} <= ignored(SERVER)
    assert not {"ami", "userData"} & ignored({**SERVER, "renew": True})


def test_a_platform_with_vectors_of_its_own_makes_a_second_machine_in_the_same_network() -> None:
    args = {**PLATFORM, "vectors": {"placement": "own", "memory_gib": 2}}
    plan = plan_of(llm.Platform, args)
    machines = list(plan.of_type(*MACHINES))
    assert {each.name.split("-machine")[0] for each in machines} == {"x-server", "x-vectors"}
    assert len(list(plan.of_type("aws:ec2/vpc:Vpc"))) == 1
    assert plan.outputs["hourly_price"] > 0


def test_the_proxy_lets_the_servers_address_in_and_its_key_opens_it() -> None:
    plan = plan_of(llm.Platform, WITH_PROXY)
    rules = next(plan.of_type("tencentcloud:Security/groupRuleSet:GroupRuleSet")).inputs["ingresses"]
    assert [rule["port"] for rule in rules if rule.get("cidrBlock") == UNKNOWN] == ["443"]
    keys = [each.name for each in plan.of_type("random:index/randomPassword:RandomPassword")]
    assert "x-proxy-key-server" in keys
    assert plan.outputs["models"] == ["Yi-6B-Chat", "gpt-6-luna"]


def waits_for(plan: Plan, name: str) -> set[str]:
    """The names of everything that has to be there before this resource is made."""
    by_urn = {each.urn: each for each in plan.resources}
    found: set[str] = set()
    left = [each.urn for each in plan.resources if each.name.startswith(name)]
    assert left
    while left:
        each = by_urn.get(left.pop())
        if each is not None and each.name not in found:
            found.add(each.name)
            left += [*each.dependencies, each.parent, each.provider.rpartition("::")[0]]
    return found


def test_the_gpu_host_does_not_wait_for_the_proxy() -> None:
    plan = plan_of(llm.Platform, WITH_PROXY)
    told = waits_for(plan, "x-server-apply")
    assert "x-proxy-address" in told
    assert not {each for each in told if each.startswith(("x-proxy-machine", "x-proxy-apply"))}


def test_a_gpu_host_that_is_given_a_proxys_endpoint_boots_while_the_proxy_does() -> None:
    def program() -> None:
        proxy = llm.OverseasProxy("p", PROXY)  # type: ignore[arg-type]
        given: Any = {
            **SERVER,
            "proxy_endpoint": proxy.endpoint,
            "proxy_key": proxy.api_keys.apply(lambda keys: keys["default"]),
            "proxy_certificate_authority": proxy.certificate_authority,
            "proxy_models": ["gpt-6-luna"],
        }
        llm.ModelServer("x", given)

    plan = capture(program)
    assert "p-apply" not in waits_for(plan, "x-machine")
    assert "p-apply" in waits_for(plan, "x-settings")


def test_the_node_looks_for_a_disk_of_the_size_that_the_cloud_sells() -> None:
    plan = plan_of(llm.OverseasProxy, {**PROXY, "disk_gib": 15})
    size = next(plan.of_type("tencentcloud:Cbs/storage:Storage")).inputs["storageSize"]
    assert size == 20
    assert f'"data_disk_gib": {size}' in next(iter(plan.user_data().values()))


def moderated(kind: str) -> dict[str, Any]:
    return {"moderators": {"m": {"kind": kind, "action": "block", "on_error": "block"}}}


def required(plan: Plan, name: str) -> set[str]:
    """The secrets that a node's settings ask for, but for those that every node has."""
    names = settings(plan, name)["secrets"]["required"]
    return {each for each in names if each.startswith("moderation_")}


@pytest.mark.parametrize(("component", "args"), [(llm.ModelServer, SERVER), (llm.OverseasProxy, PROXY)])
def test_a_moderators_secrets_are_all_asked_for_and_travel_in_the_secrets_document_alone(
    component: Any, args: dict[str, Any]
) -> None:
    args = {**args, "content": moderated("tencent")}
    assert codes(component, args) == ["secret.missing"] * 2
    args |= {"tencent_moderation_id": "AKID-planted", "tencent_moderation_key": "planted-key"}
    plan = plan_of(component, args)
    assert required(plan, "x-settings") == {"moderation_tencent_id", "moderation_tencent_key"}
    for planted in ("AKID-planted", "planted-key"):
        assert planted not in json.dumps(plan.to_json())
        assert planted not in "".join(plan.user_data().values())
    applied = next(each for each in plan.resources if each.name == "x-apply")
    assert is_secret(applied.inputs["stdin"])


def test_each_gateway_of_a_platform_gets_the_secrets_of_its_own_moderators_alone() -> None:
    args = {
        "server": {key: SERVER[key] for key in ("cloud", "region", "gpu", "model", "context_length")}
        | {"content": moderated("aliyun")},
        "access": {"allowed_cidrs": ["203.0.113.0/24"]},
        "proxy": {key: PROXY[key] for key in ("cloud", "region", "upstreams")} | {"content": moderated("openai")},
        "openai_api_key": "sk-planted",
        "aliyun_moderation_id": "LTAI-planted",
        "aliyun_moderation_key": "planted-key",
    }
    plan = plan_of(llm.Platform, args)
    assert required(plan, "x-proxy-settings") == set()
    made = next(each for each in plan.resources if each.name == "x-server-settings").inputs["stdin"]
    if made != UNKNOWN:
        assert required(plan, "x-server-settings") == {"moderation_aliyun_id", "moderation_aliyun_key"}
    for planted in ("LTAI-planted", "planted-key", "sk-planted"):
        assert planted not in json.dumps(plan.to_json())
