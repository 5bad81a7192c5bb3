"""The components, used from somebody's own program: what they make, what they refuse, and what they tell."""

from __future__ import annotations

import json
from typing import Any

import pulumi
import pulumi_aws as aws
import pytest

import pulumi_llm as llm
from pulumi_llm._plan import capture as capturing
from pulumi_llm._plan.capture import capture
from pulumi_llm._plan.model import UNKNOWN, Plan, is_secret
from pulumi_llm.errors import Refusal

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
PLACE: dict[str, Any] = {key: SERVER[key] for key in ("cloud", "region", "allowed_cidrs")}
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


@pytest.mark.parametrize(
    ("component", "args"),
    [(llm.ModelServer, {**SERVER, "vectors": True}), (llm.OverseasProxy, PROXY), (llm.Platform, WITH_PROXY)],
)
def test_every_generated_key_is_letters_and_digits_that_no_shell_reads(component: Any, args: dict[str, Any]) -> None:
    made = list(plan_of(component, args).of_type("random:index/randomPassword:RandomPassword"))
    assert made
    for each in made:
        assert each.inputs["special"] is False, each.name
        assert each.inputs["length"] == 40, each.name
        assert not each.inputs.keys() & {"overrideSpecial", "minSpecial"}, each.name


def test_the_flags_of_vllm_come_from_the_gpu_and_the_spec() -> None:
    text = json.dumps(settings(plan_of(llm.ModelServer, SERVER)))
    assert "--dtype half" in text or '"half"' in text or "--dtype=half" in text
    assert "4096" in text


@pytest.mark.parametrize(
    ("model", "flags"),
    [
        ("Qwen/Qwen3-0.6B", "--enable-auto-tool-choice|--tool-call-parser hermes|--reasoning-parser qwen3"),
        ("Qwen/Qwen2.5-1.5B-Instruct-AWQ", "--enable-auto-tool-choice|--tool-call-parser hermes"),
        ("deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B", "--reasoning-parser deepseek_r1"),
        ("01-ai/Yi-6B-Chat", ""),
    ],
)
def test_a_server_is_started_with_the_parsers_that_the_catalogue_has_for_its_model(model: str, flags: str) -> None:
    rows = settings(plan_of(llm.ModelServer, SERVER | {"model": model, "context_length": 2048}))["files"]
    [unit] = [row["content"] for row in rows if row["path"].endswith("/llm-vllm.service")]
    lines = [line.removesuffix("\\").strip() for line in unit.splitlines()]
    assert "|".join(line for line in lines if "parser" in line or "tool" in line) == flags


def test_a_server_for_vectors_is_started_and_watched_as_one() -> None:
    args = SERVER | {"model": "BAAI/bge-m3", "context_length": 8192, "override": ["fit.unknown-model"]}
    files = {row["path"]: row["content"] for row in settings(plan_of(llm.ModelServer, args))["files"]}
    [unit] = [text for path, text in files.items() if path.endswith("/llm-vllm.service")]
    assert "--runner pooling" in unit
    want = json.loads(files["/opt/llm/watch.json"])
    assert (want["models"], want["embed"]) == ([], ["bge-m3"])
    chat = {row["path"]: row["content"] for row in settings(plan_of(llm.ModelServer, SERVER))["files"]}
    assert "embed" not in json.loads(chat["/opt/llm/watch.json"])


@pytest.mark.parametrize("written", ["01ai/Yi-6B-Chat", "01-ai/yi-6b-chat", "Yi-6B-Chat"])
def test_a_model_by_another_of_its_names_makes_the_same_node(written: str) -> None:
    wanted = {key: value for key, value in SERVER.items() if key != "context_length"}
    one, other = (plan_of(llm.ModelServer, wanted | {"model": each}) for each in (SERVER["model"], written))
    assert settings(other) == settings(one)
    assert machine(other) == machine(one)
    node = json.loads(
        next(each["content"] for each in settings(other)["files"] if each["path"] == "/opt/llm/node.json")
    )
    assert (node["model"]["huggingface"], node["model"]["modelscope"]) == ("01-ai/Yi-6B-Chat", "01ai/Yi-6B-Chat")
    assert "--max-model-len 4096" in json.dumps(settings(other))


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


def test_a_mistake_below_an_argument_is_told_by_the_arguments_own_name() -> None:
    small = {"model": "Qwen/Qwen2.5-0.5B-Instruct"}
    for given, where in (
        ({"further_models": {"a": {**small, "gpuz": 1}}}, "x.further_models.a.gpuz"),
        ({"further_models": {"a": {**small, "gpus": 3}}}, "x.further_models.a.gpus"),
        ({"vectors": True, "vectors_memory_gib": 0}, "x.vectors_memory_gib"),
        ({"vectors": True, "vectors_backup": {"to": "gs://x"}}, "x.vectors_backup.to"),
    ):
        with pytest.raises(Refusal) as refused:
            plan_of(llm.ModelServer, {**SERVER, **given})
        assert [each.where for each in refused.value.findings] == [where]


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


def ports(plan: Plan, name: str) -> set[int]:
    """The ports that a machine's firewall opens."""
    rules = [each for each in plan.resources if each.name.startswith(f"{name}-firewall-in")]
    return {int(each.inputs["fromPort"]) for each in rules}


def test_a_vector_store_opens_weaviates_ports_and_ssh_alone() -> None:
    plan = plan_of(llm.VectorStore, PLACE)
    assert ports(plan, "x") == {22, 18444, 18445}
    assert codes(llm.VectorStore, {**PLACE, "https_port": 8443}) == ["spec.unknown-key"]


def test_a_vector_store_takes_what_is_said_of_its_machine() -> None:
    asked = {"system_disk_gib": 60, "instance_type": "t3.xlarge", "ready_timeout_minutes": 45, "renew": True}
    plan = plan_of(llm.VectorStore, {**PLACE, **asked})
    made = next(plan.of_type(*MACHINES))
    assert made.inputs["rootBlockDevice"]["volumeSize"] == 60
    assert made.inputs["instanceType"] == "t3.xlarge"
    assert not {"ami", "userData"} & set(made.ignore_changes)
    assert "llm-node apply 44" in next(each for each in plan.resources if each.name == "x-apply").inputs["create"]


SHARED = frozenset(
    ["cloud", "region", "zone", "instance_type", "allowed_cidrs", "public", "ssh_cidrs", "vpc_id", "subnet_id",
     "network_cidr", "system_disk_gib", "image_id", "renew", "protect", "ready_timeout_minutes", "tags"]
)  # fmt: skip
"""What every component with a machine takes."""
OF_GATEWAYS = frozenset(
    [
        "https_port",
        "keys",
        "routes",
        "blocked_words",
        "content",
        "upstreams",
        "upstream_api_keys",
        "cors_origins",
        "domain",
        "traces",
    ]
)
ALONE = {
    llm.VectorStore: {"engine", "memory_gib", "disk_gib", "count", "dimensions", "backup", "disk"},
    llm.OverseasProxy: {"disk_gib", "engine", "client_address"},  # the server's address, which may call it
}


def test_components_with_a_machine_take_the_same_of_it() -> None:
    taken = {each: set(getattr(llm, f"{each.__name__}Args").__annotations__) for each in (*ALONE, llm.ModelServer)}
    for each, names in taken.items():
        assert names >= SHARED, each
    for each in (llm.OverseasProxy, llm.ModelServer):
        assert taken[each] >= OF_GATEWAYS
    for each, own in ALONE.items():
        of_gateway = OF_GATEWAYS if each is llm.OverseasProxy else frozenset()
        secrets = {name for name in taken[each] if name.endswith(("_api_key", "_moderation_key", "_moderation_id"))}
        secrets |= {name for name in taken[each] if name.startswith("backup_access_key")}
        assert taken[each] - SHARED - of_gateway - secrets == own


@pytest.mark.parametrize("component", [llm.ModelServer, llm.OverseasProxy])
def test_pages_of_named_origins_may_ask_and_by_default_none(component: Any) -> None:
    args = PROXY if component is llm.OverseasProxy else SERVER
    page = "https://chat.example.com"
    asked = json.dumps(settings(plan_of(component, {**args, "cors_origins": [page]})))
    assert f"header Origin {page}" in asked
    assert "Access-Control" not in json.dumps(settings(plan_of(component, args)))


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
    assert is_secret(plan.outputs["vectors_ssh_private_key"]) or plan.outputs["vectors_ssh_private_key"] == UNKNOWN
    assert "vectors_address" in plan.outputs


def test_a_platforms_vectors_are_renewed_where_that_is_asked_of_them() -> None:
    def ignored(**vectors: Any) -> set[str]:
        plan = plan_of(llm.Platform, {**PLATFORM, "vectors": {"placement": "own", **vectors}})
        return set(next(each for each in plan.of_type(*MACHINES) if each.name.startswith("x-vectors")).ignore_changes)

    assert {"ami", "userData"} <= ignored()
    assert not {"ami", "userData"} & ignored(renew=True)


def test_vectors_beside_the_model_have_no_machine_to_log_in_to() -> None:
    outputs = plan_of(llm.Platform, {**PLATFORM, "vectors": {"memory_gib": 2}}).outputs
    assert "vectors_key" in outputs
    assert not {"vectors_address", "vectors_ssh_private_key"} & set(outputs)


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


# An image of one's own.

IMAGES = {"aws": "ami-0123456789abcdef0", "aliyun": "m-bp1234567890abcdefgh", "tencent": "img-0123abcd"}
PLACES: dict[str, dict[str, Any]] = {
    "aws": {"cloud": "aws", "region": "ap-northeast-1"},
    "aliyun": {"cloud": "aliyun", "region": "ap-southeast-1"},
    "tencent": {"cloud": "tencent", "region": "ap-singapore"},
}
IMAGE_INPUTS = {"aws": "ami", "aliyun": "imageId", "tencent": "imageId"}


def made_from(plan: Plan, cloud: str) -> list[str]:
    return [each.inputs[IMAGE_INPUTS[cloud]] for each in plan.of_type(*MACHINES)]


@pytest.mark.parametrize("cloud", IMAGES)
def test_a_machine_starts_from_the_image_that_is_named_and_none_is_looked_up(cloud: str) -> None:
    server = {**SERVER, **PLACES[cloud], "image_id": IMAGES[cloud]}
    store = {**PLACES[cloud], "allowed_cidrs": SERVER["allowed_cidrs"], "image_id": IMAGES[cloud]}
    proxy = {**PROXY, **PLACES[cloud], "image_id": IMAGES[cloud]}
    for component, args in ((llm.ModelServer, server), (llm.VectorStore, store), (llm.OverseasProxy, proxy)):
        plan = plan_of(component, args)
        assert made_from(plan, cloud) == [IMAGES[cloud]]
        assert plan.look_ups == []


@pytest.mark.parametrize("cloud", IMAGES)
def test_a_platform_hands_each_machine_its_own_image(cloud: str) -> None:
    others = {"aws": "ami-0fedcba9876543210", "aliyun": "m-uf6other", "tencent": "img-other123"}
    args = {
        **PLATFORM,
        "server": {**PLATFORM["server"], **PLACES[cloud], "image_id": IMAGES[cloud]},
        "vectors": {"placement": "own", "image_id": others[cloud]},
    }
    assert sorted(made_from(plan_of(llm.Platform, args), cloud)) == sorted([IMAGES[cloud], others[cloud]])


def test_another_image_waits_for_renew_as_a_newer_one_does() -> None:
    named = {**SERVER, "image_id": IMAGES["aws"]}
    assert "ami" in next(plan_of(llm.ModelServer, named).of_type(*MACHINES)).ignore_changes
    assert "ami" not in next(plan_of(llm.ModelServer, {**named, "renew": True}).of_type(*MACHINES)).ignore_changes


def test_an_image_may_be_an_output_and_a_wrong_id_is_refused_beforehand() -> None:
    def program() -> None:
        late: Any = {**SERVER, "image_id": pulumi.Output.from_input(IMAGES["aws"])}
        llm.ModelServer("x", late)

    assert made_from(capture(program), "aws") == [IMAGES["aws"]]
    for wrong in ("ubuntu-24.04", IMAGES["tencent"]):
        assert codes(llm.ModelServer, {**SERVER, "image_id": wrong}) == ["spec.bad-image-id"]
    beside = {**PLATFORM, "vectors": {"image_id": IMAGES["aws"]}}
    assert codes(llm.Platform, beside) == ["spec.vectors-on-the-server"]
    own = {**PLATFORM, "vectors": {"placement": "own", "image_id": IMAGES["tencent"]}}
    assert codes(llm.Platform, own) == ["spec.bad-image-id"]


# Providers, and names.


def test_a_component_makes_one_provider_for_one_region() -> None:
    store = {key: SERVER[key] for key in ("cloud", "region", "allowed_cidrs")}
    for component, args in ((llm.ModelServer, SERVER), (llm.VectorStore, store), (llm.Platform, PLATFORM)):
        plan = plan_of(component, args)
        made = [each.name for each in plan.resources if each.type == "pulumi:providers:aws"]
        assert len(made) == 1
        assert {each.provider.split("::")[-2] for each in plan.of_type("aws:ec2/vpc:Vpc")} == set(made)


@pytest.mark.parametrize(
    ("component", "args"),
    [
        (llm.ModelServer, SERVER),
        (llm.VectorStore, {key: SERVER[key] for key in ("cloud", "region", "allowed_cidrs")}),
        (llm.OverseasProxy, {**PROXY, "cloud": "aws", "region": "ap-northeast-1"}),
        (llm.Platform, PLATFORM),
        (llm.Network, {"cloud": "aws", "region": "ap-northeast-1"}),
    ],
)
def test_a_provider_of_another_region_is_refused_with_both_regions_before_anything_is_registered(
    component: Any, args: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []

    def program() -> None:
        region = pulumi.Output.from_input("us-west-2") if component is llm.ModelServer else "us-west-2"
        provider = aws.Provider("mine", region=region)
        component("x", args, pulumi.ResourceOptions(providers=[provider]))

    def note(monitor: Any, request: Any) -> Any:
        made.append(request.type)
        return registered(monitor, request)

    registered = capturing._Monitor.RegisterResource
    monkeypatch.setattr(capturing._Monitor, "RegisterResource", note)
    with pytest.raises(Refusal) as refused:
        capture(program)
    (found,) = {str(each) for each in refused.value.findings}
    assert "[cloud.other-region]" in found
    assert "for us-west-2, but the region asked for is ap-northeast-1" in found
    assert {each for each in made if not each.startswith(("pulumi:", "llm:"))} == set()


def test_a_provider_whose_region_is_not_known_is_taken() -> None:
    def program() -> None:
        provider = aws.Provider("mine", profile="production")
        llm.Network("x", {"cloud": "aws", "region": "us-west-2"}, pulumi.ResourceOptions(providers=[provider]))

    assert list(capture(program, config={"aws:region": "us-west-2"}).of_type("aws:ec2/vpc:Vpc"))


def test_a_long_name_is_cut_where_a_certificate_would_not_take_it_and_two_stay_two() -> None:
    def common_names(name: str) -> set[str]:
        plan = capture(lambda: llm.ModelServer(name, SERVER))  # type: ignore[arg-type,return-value]
        kinds = ("tls:index/selfSignedCert:SelfSignedCert", "tls:index/certRequest:CertRequest")
        return {each.inputs["subject"]["commonName"] for each in plan.of_type(*kinds)}

    assert common_names("x") == {"x", "x authority"}
    assert common_names("y" * 54) == {"y" * 54, f"{'y' * 54} authority"}
    one, other = common_names("z" * 150 + "1"), common_names("z" * 150 + "2")
    assert all(len(each) <= 64 for each in one | other)
    assert one.isdisjoint(other)


@pytest.mark.parametrize("name", ["sg-chat", "模型", "x" * 221])
def test_a_name_that_the_cloud_would_not_take_is_refused_beforehand(name: str) -> None:
    for component, args in ((llm.ModelServer, SERVER), (llm.Platform, PLATFORM)):
        with pytest.raises(Refusal) as refused:
            capture(lambda component=component, args=args: component(name, args))
        assert [each.code for each in refused.value.findings] == ["spec.bad-name"]
    long = capture(lambda: llm.OverseasProxy(name, PROXY))  # type: ignore[arg-type,return-value]
    assert long.resources  # Tencent Cloud: our names are made to fit


def test_the_longest_name_that_is_taken_passes_every_check_of_its_cloud() -> None:
    args = {**PLATFORM, "vectors": {"placement": "own"}}
    plan = capture(lambda: llm.Platform("x" * 204, args))  # type: ignore[arg-type,return-value]
    for each in plan.resources:
        tag = (each.inputs.get("tags") or {}).get("Name", "") if isinstance(each.inputs.get("tags"), dict) else ""
        assert len(tag) <= 256
        if each.type == "aws:ec2/securityGroup:SecurityGroup":
            assert len(each.name) + len("-1234567") <= 255


def test_flags_that_vllm_lacks_end_a_platform_with_a_proxy_before_anything_is_made() -> None:
    # Its settings wait for the proxy's address: what is wrong with them has to be known before.
    wanted = {**WITH_PROXY, "server": {**WITH_PROXY["server"], "extra_args": ["--nosuch", "--model=foo"]}}
    with pytest.raises(Refusal) as refused:
        plan_of(llm.Platform, wanted)
    assert "bootstrap.unknown-flag" in {each.code for each in refused.value.findings}


def test_a_proxy_with_an_engine_has_it_behind_its_gateway_which_keeps_the_keys_and_the_limits() -> None:
    plan = plan_of(llm.OverseasProxy, {**PROXY, "engine": "openai-forward"})
    document = settings(plan)
    files = {each["path"]: each["content"] for each in document["files"]}
    assert json.loads(files["/opt/llm/gateway/routes.json"])["upstreams"]["openai"]["base_url"] == (
        "http://127.0.0.1:7320/openai"
    )
    assert "https://api.openai.com/v1" in files["/etc/systemd/system/llm-forward.service"]
    assert "127.0.0.1:7320" not in files["/opt/llm/gateway/Caddyfile"]
    assert not [each for each in document["secret_files"] if each["owner"] == "llm-forward"]
