"""One model on several machines: what is made, who reaches whom, what engines are told, what fits, what it costs."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pulumi
import pytest

import pulumi_llm as llm
from pulumi_llm import _bootstrap as bootstrap
from pulumi_llm import _nodes, _together
from pulumi_llm._plan.capture import capture
from pulumi_llm._plan.model import UNKNOWN, Plan, PlannedResource, is_secret
from pulumi_llm.catalog.models import GIB
from pulumi_llm.errors import Finding, Refusal
from pulumi_llm.preflight import stages
from pulumi_llm.preflight.report import check
from pulumi_llm.preflight.request import FitRequest, case_of
from pulumi_llm.roles import tied

PLACES = {
    "aws": {"region": "ap-northeast-1"},
    "aliyun": {"region": "cn-hangzhou"},
    "tencent": {"region": "ap-guangzhou"},
}
MACHINES = ("aws:ec2/instance:Instance", "alicloud:ecs/instance:Instance", "tencentcloud:Instance/instance:Instance")
ADDRESSES = ("10.0.0.2", "10.0.0.3", "10.0.0.4")
NAMES = ("x", "x-node-2", "x-node-3")
UNIT = "/etc/systemd/system/llm-vllm.service"


def server(cloud: str = "aws", **more: Any) -> dict[str, Any]:
    return {
        "cloud": cloud,
        **PLACES[cloud],
        "gpu": "T4",
        "model": "01-ai/Yi-6B-Chat",
        "context_length": 4096,
        "allowed_cidrs": ["203.0.113.0/24"],
        "ssh_cidrs": ["198.51.100.7/32"],
        "nodes": 3,
        **more,
    }


def plan_of(args: dict[str, Any]) -> Plan:
    def program() -> None:
        made = llm.ModelServer("x", args)  # type: ignore[arg-type]
        for name in ("hourly_price", "node_machines", "endpoint"):
            pulumi.export(name, getattr(made, name, None))

    return capture(program)


def named(plan: Plan, name: str) -> PlannedResource:
    return next(each for each in plan.resources if each.name == name)


def document(plan: Plan, rank: int) -> dict[str, Any]:
    """What a machine is told once all addresses are known."""
    (resolved,) = plan.servers.values()
    known = ADDRESSES[: resolved.spec.nodes]
    if rank:
        return bootstrap.settings(_together.node_of(NAMES[rank], resolved, rank, known))
    return bootstrap.settings(_nodes.server_node("x", resolved, None, (), known))


def files(plan: Plan, rank: int) -> dict[str, str]:
    return {row["path"]: row["content"] for row in document(plan, rank)["files"]}


def services(settings: dict[str, Any]) -> set[str]:
    return {each.partition(".")[0] for each in settings["services"]}


def command(plan: Plan, rank: int) -> list[str]:
    unit = files(plan, rank)[UNIT]
    return shlex.split(unit.split("ExecStart=")[1].split("\nEnvironment")[0].split("\n#")[0].replace("\\\n", " "))


def needs(plan: Plan, resource: PlannedResource) -> set[str]:
    """All that a resource waits for, in the end."""
    by_urn, found, left = plan.by_urn(), set(), [resource]
    while left:
        for urn in left.pop().dependencies:
            if urn not in found and urn in by_urn:
                found.add(urn)
                left.append(by_urn[urn])
    return {by_urn[urn].name for urn in found}


@pytest.mark.parametrize("cloud", PLACES)
def test_each_node_is_a_machine_of_the_same_type_in_the_same_subnet(cloud: str) -> None:
    machines = list(plan_of(server(cloud)).of_type(*MACHINES))
    assert len(machines) == 3
    for key in ("instanceType", "vswitchId", "subnetId", "availabilityZone"):
        assert len({str(each.inputs.get(key)) for each in machines}) == 1


OPENED = {
    "aws": ("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule", "referencedSecurityGroupId"),
    "aliyun": ("alicloud:ecs/securityGroupRule:SecurityGroupRule", "sourceSecurityGroupId"),
    "tencent": ("tencentcloud:Security/groupRuleSet:GroupRuleSet", "sourceSecurityId"),
}


@pytest.mark.parametrize("cloud", PLACES)
def test_the_ports_between_the_nodes_are_open_to_the_nodes_alone(cloud: str) -> None:
    plan = plan_of(server(cloud))
    kind, source = OPENED[cloud]
    shared = [each for each in plan.of_type(kind) if each.name.startswith("x-nodes")]
    (rule,) = shared
    rows = rule.inputs["ingresses"] if cloud == "tencent" else [rule.inputs]
    (row,) = rows
    # Its source is a group, which is the one that it is a rule of, and no range of addresses.
    assert source in row
    assert not [key for key in row if "cidr" in key.lower()]
    assert needs(plan, rule) & {each.name for each in plan.resources if each.name.endswith("-nodes")} == {"x-nodes"}
    ports = row.get("portRange") or row.get("port") or f"{row['fromPort']:.0f}/{row['toPort']:.0f}"
    assert re.split("[/-]", ports) == [str(each) for each in tied.PORTS]
    for machine in plan.of_type(*MACHINES):
        groups = next(
            machine.inputs[key]
            for key in ("vpcSecurityGroupIds", "securityGroups", "orderlySecurityGroups")
            if key in machine.inputs
        )
        # The shared one comes first: on Tencent Cloud a machine's own ends with what refuses all else.
        assert len(groups) == 2
        assert "x-nodes" in needs(plan, machine)


@pytest.mark.parametrize("cloud", PLACES)
def test_a_further_node_lets_nobody_in_but_who_may_log_in(cloud: str) -> None:
    plan = plan_of(server(cloud))
    for name in NAMES[1:]:
        own = [each for each in plan.resources if each.name.startswith(f"{name}-firewall")]
        texts = " ".join(json.dumps(each.inputs) for each in own if not each.name.endswith("-out"))
        assert own
        assert "203.0.113.0/24" not in texts
        assert "198.51.100.7/32" in texts
        assert not re.search(r"\b(18)?443\b", texts)


@pytest.mark.parametrize("cloud", PLACES)
def test_one_machine_shares_no_firewall_and_is_as_it_always_was(cloud: str) -> None:
    without = {key: value for key, value in server(cloud).items() if key != "nodes"}
    one, plain = plan_of(server(cloud, nodes=1)), plan_of(without)
    assert [(each.type, each.name) for each in one.resources] == [(each.type, each.name) for each in plain.resources]
    (machine,) = one.of_type(*MACHINES)
    assert sum("-nodes" in each.name for each in one.resources) == 0
    unit = files(one, 0)[UNIT]
    assert "tie" not in unit
    assert "VLLM_HOST_IP=127.0.0.1" in unit
    assert machine.name.startswith("x-machine")


def test_the_first_engine_has_the_api_and_the_others_are_headless() -> None:
    plan = plan_of(server())
    lines = [command(plan, rank) for rank in range(3)]
    for rank, line in enumerate(lines):
        told = dict(pairwise(line))
        assert (told["--nnodes"], told["--node-rank"], told["--pipeline-parallel-size"]) == ("3", str(rank), "3")
        assert (told["--master-addr"], told["--master-port"]) == (ADDRESSES[0], str(tied.MASTER_PORT))
        assert ("--headless" in line) == (rank > 0)
        assert ("--host" in line) == (rank == 0)
    assert dict(pairwise(lines[0]))["--host"] == "127.0.0.1"


def test_all_engines_are_started_below_what_ties_them_with_the_same_word() -> None:
    plan = plan_of(server())
    words = set()
    for rank in range(3):
        line = command(plan, rank)
        assert line[:3] == ["/usr/bin/python3", "-I", tied.TIE]
        own, addresses, port, word, __ = line[3:8]
        assert (own, addresses, port) == (str(rank), ",".join(ADDRESSES), str(tied.TIE_PORT))
        assert files(plan, rank)[tied.TIE].startswith('"""Start one model')
        words.add(word)
    assert len(words) == 1
    longer = command(plan_of(server(context_length=2048)), 0)[6]
    assert words != {longer}


def test_an_engine_may_call_the_other_nodes_and_nobody_else() -> None:
    plan = plan_of(server())
    for rank in range(3):
        unit = files(plan, rank)[UNIT]
        assert "IPAddressDeny=any" in unit
        assert re.search(r"(?m)^IPAddressAllow=(.*)$", unit)[1].split() == ["localhost", *ADDRESSES]  # type: ignore[index]


def test_keys_and_the_gateway_are_on_the_first_node_alone() -> None:
    plan = plan_of(server(keys={"app": {"requests_per_minute": 5}}, vectors=True))
    assert "gateway_key_app" in document(plan, 0)["secrets"]["required"]
    assert {"llm-gate", "llm-weaviate"} <= services(document(plan, 0))
    for rank in (1, 2):
        assert not [each for each in document(plan, rank)["secrets"]["required"] if "key_" in each]
        assert not {"llm-gate", "llm-weaviate"} & services(document(plan, rank))
        assert "llm-vllm" in services(document(plan, rank))


def test_a_node_is_well_when_all_are_and_the_first_one_when_it_answers_too() -> None:
    plan = plan_of(server())
    watched = [json.loads(files(plan, rank)["/opt/llm/watch.json"]) for rank in range(3)]
    assert all(each["tied"] == {"vllm": tied.STATE} for each in watched)
    assert "vllm" in watched[0]["health"]
    assert watched[0]["models"] == ["Yi-6B-Chat"]
    assert all("vllm" not in each["health"] and each["models"] is None for each in watched[1:])


def test_all_nodes_are_told_at_the_same_time_once_all_addresses_are_known() -> None:
    plan = plan_of(server())
    for name in NAMES:
        waits = needs(plan, named(plan, f"{name}-settings"))
        assert {each.name for each in plan.of_type(*MACHINES)} <= waits
        # None is ready without the others: whoever waited for another one would wait for ever.
        assert not [each for each in needs(plan, named(plan, f"{name}-apply")) if each.endswith("-apply")]
    assert named(plan, "x-settings").inputs["stdin"] == UNKNOWN


def test_user_data_is_that_of_one_machine_and_does_not_grow() -> None:
    for cloud in PLACES:
        plan = plan_of(server(cloud))
        (resolved,), (alone,) = plan.servers.values(), plan_of(server(cloud, nodes=1)).servers.values()
        plain = bootstrap.user_data(_nodes.server_node("x", alone))
        assert bootstrap.user_data(_nodes.server_node("x", resolved)) == plain
        further = bootstrap.user_data(_together.node_of("x", resolved, 1))
        assert len(further) <= len(plain)
        assert not re.search(r"invalid|node-rank|tie", further)


def test_the_price_is_that_of_all_nodes_and_what_is_told_of_them_is_secret() -> None:
    one, three = plan_of(server(nodes=1)).outputs, plan_of(server()).outputs
    assert three["hourly_price"] == pytest.approx(3 * one["hourly_price"])
    assert is_secret(three["node_machines"])


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"nodes": 9}, "spec.wrong-value"),
        ({"nodes": 0}, "spec.wrong-value"),
        ({"replicas": 2}, "spec.nodes-and"),
        ({"model_change": "beside"}, "spec.nodes-and"),
        ({"idle_stop": {"minutes": 30}}, "spec.nodes-and"),
        ({"hours": "Mon-Fri 08:00-20:00 Asia/Shanghai"}, "spec.nodes-and"),
        ({"extra_args": ["--pipeline-parallel-size", "2"]}, "bootstrap.flag-reserved"),
        ({"extra_args": ["-pp=2"]}, "bootstrap.flag-reserved"),
        ({"extra_args": ["--distributed-executor-backend=ray"]}, "bootstrap.flag-reserved"),
        ({"extra_args": ["--data-parallel-size-local", "1"]}, "bootstrap.flag-reserved"),
        ({"extra_args": ["-dpa", "10.0.0.1"]}, "bootstrap.flag-reserved"),
        ({"nodes": 1, "extra_args": ["--nnodes=2"]}, "bootstrap.flag-reserved"),
        ({"nodes": 1, "extra_args": ["--pipeline-parallel-size", "2"]}, "bootstrap.flag-reserved"),
        ({"nodes": 1, "extra_args": ["-dp", "2"]}, "bootstrap.flag-reserved"),
        ({"nodes": 1, "extra_args": ["-pcp", "2"]}, "bootstrap.flag-reserved"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_made(more: dict[str, Any], code: str) -> None:
    with pytest.raises(Refusal) as refused:
        plan_of(server(**more))
    assert [each.code for each in refused.value.findings] == [code]


def test_a_cloud_without_such_a_firewall_is_refused() -> None:
    with pytest.raises(Refusal) as refused:
        plan_of({**server(), "cloud": "digitalocean", "region": "nyc2", "gpu": "H100-80GB"})
    assert ("cloud.cannot", "nodes") in [
        (each.code, str(each.where).rpartition(".")[2]) for each in refused.value.findings
    ]


@pytest.mark.parametrize("count", range(1, 9))
def test_every_layer_is_in_one_stage_and_no_stage_has_two_more_than_another(count: int) -> None:
    for total in range(count, 129):
        cut = stages.layers_of(total, count)
        assert (len(cut), sum(cut)) == (count, total)
        assert max(cut) - min(cut) <= 1


def asked(nodes: int, gpu: str = "A100-80GB", model: str = "Qwen/Qwen2.5-72B-Instruct") -> FitRequest:
    return FitRequest(model=model, gpu=gpu, gpu_count=4, nodes=nodes, max_model_len=8192)


def found_of(request: FitRequest) -> dict[str, Finding]:
    return {each.code: each for each in check(request).findings}


def test_weights_and_cache_are_divided_by_the_stages_and_the_largest_counts() -> None:
    one, two = (case_of(asked(nodes)).memory for nodes in (1, 2))
    assert one is not None
    assert two is not None
    # 80 layers are halved; the embedding of 152,064 words is on one end alone, and the head on the other.
    matrix = 152_064 * 8192 * 2 / GIB / 4
    assert two.weights_gib == pytest.approx((one.weights_gib - 2 * matrix) / 2 + matrix, rel=0.02)
    assert two.need_gib == pytest.approx(one.need_gib / 2)
    assert two.max_concurrency > 2 * one.max_concurrency


def test_what_fits_on_no_machine_alone_fits_on_several() -> None:
    assert "fit.weights-exceed-vram" in found_of(asked(1, "A10G"))
    assert not [each for each in found_of(asked(4, "A10G")).values() if each.severity == "error"]


def test_more_nodes_than_layers_are_refused_with_both_numbers(tmp_path: Path) -> None:
    shape = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 4096, "hidden_size": 64}
    shape |= {"intermediate_size": 128, "num_hidden_layers": 4, "num_attention_heads": 4, "num_key_value_heads": 4}
    (tmp_path / "config.json").write_text(json.dumps({**shape, "max_position_embeddings": 4096}))
    wanted = FitRequest(model=str(tmp_path / "config.json"), from_config=True, gpu="T4", max_model_len=256)
    told = found_of(replace(wanted, nodes=5))["fit.more-nodes-than-layers"]
    assert "4 layers, and 5 machines" in told.message
    assert told.hint == "nodes: 4 or fewer"
    assert "fit.more-nodes-than-layers" not in found_of(replace(wanted, nodes=4))


def test_what_the_network_costs_is_said_with_numbers_and_refuses_nothing() -> None:
    told = found_of(asked(2))["fit.between-nodes"]
    assert told.severity == "warning"
    # 8,192 numbers of two bytes, twice: 32 KiB a token, 8,192 of them at 1.25 GB/s.
    assert "32 KiB" in told.message
    assert "0.21 s" in told.message
    assert "fit.between-nodes" not in found_of(asked(1))


def test_the_platform_makes_the_nodes_of_its_server_and_counts_them_in_its_price() -> None:
    args = server()
    own = {key: args[key] for key in ("cloud", "region", "gpu", "model", "context_length")}

    def price(count: int) -> Any:
        def program() -> None:
            made = llm.Platform(
                "p", {"server": {**own, "nodes": count}, "access": {"allowed_cidrs": ["203.0.113.0/24"]}}
            )
            pulumi.export("price", made.hourly_price)

        plan = capture(program)
        assert len(list(plan.of_type(*MACHINES))) == count
        return plan.outputs["price"]

    assert price(2) == pytest.approx(2 * price(1))


@pytest.mark.parametrize(
    ("model", "gpu", "codes"),
    [
        ("BAAI/bge-m3", "T4", {"fit.no-stages"}),
        ("BAAI/bge-reranker-v2-m3", "T4", {"fit.no-stages"}),
        ("Qwen/Qwen3-Embedding-0.6B", "T4", set[str]()),
        ("Qwen/Qwen2.5-7B-Instruct", "T4", set[str]()),
    ],
)
def test_a_class_that_vllm_cannot_cut_is_not_for_several_machines(model: str, gpu: str, codes: set[str]) -> None:
    """config/model.py, verify_with_parallel_config: NotImplementedError at the start."""
    asked_for = FitRequest(model=model, gpu=gpu, gpu_count=1, nodes=2, dtype="float16", max_model_len=4096)
    assert {code for code in found_of(asked_for) if code.startswith("fit.no-s")} == codes
    assert "fit.no-stages" not in found_of(replace(asked_for, nodes=1))
