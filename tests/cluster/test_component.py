"""`Fleet`: what is planned. No cluster is asked here; `tests/cluster/test_gateway.py` runs what the pod would run."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import sys
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes
import pytest

import pulumi_llm as llm
from pulumi_llm._cluster import gate
from pulumi_llm._plan.capture import capture
from pulumi_llm._plan.model import is_secret
from pulumi_llm.errors import Refusal
from tests.cluster.fleets import FLEET, SERVER, TOKEN, WIDE, kubeconfig, named, planned, policies_of, values_of
from tests.plans import ROOT
from tests.test_components import plan_of

SECRET = "kubernetes:core/v1:Secret"


def codes(args: dict[str, Any]) -> list[str]:
    with pytest.raises(Refusal) as refused:
        plan_of(llm.Fleet, args)
    return [each.code for each in refused.value.findings]


def test_what_is_secret_is_in_secrets_and_in_the_providers_kubeconfig_alone() -> None:
    plan = planned({**FLEET, "hub_token": "hf_planted"})
    for each in plan.of_type(SECRET):
        assert is_secret(each.inputs["stringData"]) or all(map(is_secret, each.inputs["stringData"].values())), (
            each.name
        )
    (provider,) = plan.of_type("pulumi:providers:kubernetes")
    assert is_secret(provider.inputs["kubeconfig"])
    for each in plan.resources:
        if each.type == SECRET or each is provider:
            continue
        text = json.dumps(each.inputs, default=str)
        assert "hf_planted" not in text, each.name
        assert TOKEN not in text, each.name
    assert is_secret(plan.outputs["api_keys"])
    assert {each.inputs["metadata"]["name"] for each in plan.of_type(SECRET)} == {
        "llm-engine", "llm-gateway-keys", "llm-gateway-tls", "llm-hub",
    }  # fmt: skip


def test_the_chart_is_told_where_a_secret_is_and_never_what_it_is() -> None:
    values = values_of(planned({**FLEET, "hub_token": "hf_planted"}))
    (model,) = values["servingEngineSpec"]["modelSpec"]
    assert model["hf_token"] == {"secretName": "llm-hub", "secretKey": "token"}
    key = {"secretName": "llm-engine", "secretKey": "key"}
    assert values["servingEngineSpec"]["vllmApiKey"] == values["routerSpec"]["vllmApiKey"] == key
    assert "hf_token" not in values_of(planned(FLEET))["servingEngineSpec"]["modelSpec"][0]


def test_nothing_may_talk_to_anything_but_for_what_is_listed() -> None:
    policies = policies_of(planned(FLEET))
    assert policies["llm-closed"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    ingress = {name: each["ingress"] for name, each in policies.items() if "ingress" in each}
    assert ingress.keys() == {"llm-gateway", "llm-router", "llm-engines"}
    callers = [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "apps"}}}]
    assert ingress["llm-gateway"] == [{"from": callers, "ports": [{"port": 8443, "protocol": "TCP"}]}]
    assert all(rule["from"] for rules in ingress.values() for rule in rules), "an empty list would let everybody in"
    gateway, router = ({"podSelector": {"matchLabels": each}} for each in (
        {"app.kubernetes.io/name": "llm-gateway"}, {"app.kubernetes.io/component": "router"},
    ))  # fmt: skip
    assert ingress["llm-router"][0]["from"] == [gateway]
    assert ingress["llm-engines"][0]["from"] == [router]


def test_it_is_reached_inside_the_cluster_alone_unless_a_load_balancer_is_asked_for() -> None:
    (service,) = planned(FLEET).of_type("kubernetes:core/v1:Service")
    assert service.inputs["spec"]["type"] == "ClusterIP"
    quota = named(planned(FLEET), "x-llm-gpus-resourcequota").inputs["spec"]["hard"]
    assert (quota["services.loadbalancers"], quota["requests.nvidia.com/gpu"]) == ("0", "2")
    open_ = planned(
        {**FLEET, "load_balancer": True, "allowed_cidrs": ["203.0.113.0/24"], "hostname": "llm.example.com"}
    )
    (service,) = open_.of_type("kubernetes:core/v1:Service")
    spec = service.inputs["spec"]
    assert (spec["type"], spec["loadBalancerSourceRanges"]) == ("LoadBalancer", ["203.0.113.0/24"])
    assert spec["externalTrafficPolicy"] == "Local", "else the pod would not see who calls"
    assert {"ipBlock": {"cidr": "203.0.113.0/24"}} in policies_of(open_)["llm-gateway"]["ingress"][0]["from"]
    assert open_.outputs["endpoint"] == "https://llm.example.com/v1"
    assert planned(FLEET).outputs["endpoint"] == "https://llm-gateway.llm/v1"


def test_no_pod_is_privileged_and_the_gateways_can_write_nothing_but_its_own() -> None:
    labels = named(planned(FLEET), "x-namespace").inputs["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "baseline"
    pod = named(planned(FLEET), "x-llm-gateway-deployment").inputs["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert not pod["automountServiceAccountToken"]
    for each in (*pod["initContainers"], *pod["containers"]):
        assert each["securityContext"] == {
            "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
        }, each["name"]  # fmt: skip
    written = {
        mount["name"] for each in pod["containers"] for mount in each["volumeMounts"] if not mount.get("readOnly")
    }
    assert written == {"state", "tmp", "caddy"}


def test_every_image_has_a_version_and_comes_from_the_registry_that_is_named() -> None:
    plan = planned({**FLEET, "registry": "registry.example.com/mirror"})
    values = values_of(plan)
    (model,) = values["servingEngineSpec"]["modelSpec"]
    pod = named(plan, "x-llm-gateway-deployment").inputs["spec"]["template"]["spec"]
    images = [f"{each['repository']}:{each['tag']}" for each in (model, values["routerSpec"])]
    images += [each["image"] for each in (*pod["initContainers"], *pod["containers"])]
    assert all(each.startswith("registry.example.com/mirror/") for each in images)
    assert not any(each.endswith((":latest", ":")) or ":" not in each for each in images)
    head = named(planned(WIDE), "x-engines").inputs["spec"]["rayClusterConfig"]["headGroupSpec"]
    assert "latest" not in head["template"]["spec"]["containers"][0]["image"]


def test_limits_are_counted_in_one_place_and_a_new_limit_is_no_new_pod() -> None:
    before = planned(FLEET)
    after = planned({**FLEET, "keys": {"default": {"requests_per_minute": 7}}})
    changed = [each.name for each, old in zip(after.resources, before.resources, strict=True)
               if each.custom and each.inputs != old.inputs]  # fmt: skip
    assert changed == ["x-llm-gateway-settings-configmap"]
    deployment = named(after, "x-llm-gateway-deployment").inputs["spec"]
    assert (deployment["replicas"], deployment["strategy"]) == (1, {"type": "Recreate"})
    settings = json.loads(named(after, "x-llm-gateway-settings-configmap").inputs["data"]["policy.json"])
    assert settings["keys"]["default"]["requests_per_minute"] == 7


def test_other_code_of_the_gateway_is_another_pod(monkeypatch: pytest.MonkeyPatch) -> None:
    def noted() -> str:
        plan = plan_of(llm.Fleet, FLEET)
        template = named(plan, "x-llm-gateway-deployment").inputs["spec"]["template"]
        return str(template["metadata"]["annotations"]["pulumi-llm/code"])

    before = noted()
    assert noted() == before, "the same files are the same bytes"
    monkeypatch.setattr(gate, "archive", lambda: b"other")
    assert noted() != before


def test_the_code_is_small_enough_for_what_a_cluster_stores() -> None:
    held = named(planned(FLEET), "x-llm-gateway-code-configmap").inputs
    assert sum(len(each) for each in (*held["data"].values(), *held["binaryData"].values())) < 2**20
    packed = base64.b64decode(held["binaryData"][gate.ARCHIVE])
    assert hashlib.sha256(packed).digest() == hashlib.sha256(gate.archive()).digest()


def test_the_provider_asks_that_cluster_and_neither_a_file_nor_the_environment() -> None:
    (provider,) = planned(FLEET).of_type("pulumi:providers:kubernetes")
    assert json.loads(provider.inputs["enableConfigMapMutable"])
    everything = [each for each in planned(FLEET).resources if each.type.startswith("kubernetes:")]
    assert everything
    assert all(provider.urn in each.provider for each in everything)


def test_a_provider_that_is_handed_in_needs_no_kubeconfig() -> None:
    args = {key: value for key, value in FLEET.items() if key != "kubeconfig"}
    assert codes(args) == ["secret.missing"]

    def handed_in() -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(providers=[kubernetes.Provider("mine", kubeconfig="anything")])

    plan = plan_of(llm.Fleet, args, handed_in)
    (provider,) = plan.of_type("pulumi:providers:kubernetes")
    assert provider.name == "mine"


def test_a_kubeconfig_that_leads_elsewhere_is_refused_whether_it_comes_early_or_late() -> None:
    elsewhere = kubeconfig(**{"current-context": "other"})
    assert codes({**FLEET, "kubeconfig": elsewhere}) == ["fleet.other-cluster"]

    def late() -> None:
        llm.Fleet("x", {**FLEET, "kubeconfig": pulumi.Output.secret(elsewhere)})

    with pytest.raises(Refusal) as refused:
        capture(late)
    assert [each.code for each in refused.value.findings] == ["fleet.other-cluster"]
    assert codes({**FLEET, "cluster": {"context": "nowhere"}}) == ["fleet.no-context"]
    plan = planned({**FLEET, "kubeconfig": elsewhere, "cluster": {"context": "lab", "server": SERVER + "/"}})
    (provider,) = plan.of_type("pulumi:providers:kubernetes")
    assert provider.inputs["context"] == "lab"


def test_what_a_refusal_tells_of_a_kubeconfig_holds_no_secret_of_it() -> None:
    for text in (
        kubeconfig(contexts=[]),
        kubeconfig(clusters=[]),
        f"contexts: [\n{TOKEN}",
        "text",
        kubeconfig(**{"current-context": None}),
    ):
        with pytest.raises(Refusal) as refused:
            plan_of(llm.Fleet, {**FLEET, "kubeconfig": text})
        assert TOKEN not in str(refused.value), text


def test_a_model_over_several_nodes_is_a_ray_service() -> None:
    plan = planned(WIDE)
    assert not list(plan.of_type("kubernetes:helm.sh/v3:Release"))
    engines = named(plan, "x-engines")
    assert engines.type == "kubernetes:ray.io/v1:RayService"
    config = json.loads(engines.inputs["spec"]["serveConfigV2"])
    (llm_config,) = config["applications"][0]["args"]["llm_configs"]
    kwargs = llm_config["engine_kwargs"]
    assert (kwargs["tensor_parallel_size"], kwargs["pipeline_parallel_size"]) == (2, 2)
    (group,) = engines.inputs["spec"]["rayClusterConfig"]["workerGroupSpecs"]
    assert (group["replicas"], group["rayStartParams"]) == (2, {"num-gpus": "2"})
    container = group["template"]["spec"]["containers"][0]
    assert container["resources"]["limits"] == {"nvidia.com/gpu": "2"}
    assert policies_of(plan)["llm-ray"]["ingress"][2]["from"] == [
        {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kuberay-operator"}}}
    ]
    routes = json.loads(named(plan, "x-llm-gateway-settings-configmap").inputs["data"]["routes.json"])
    assert routes["upstreams"]["vllm"]["base_url"] == "http://llm-serve-svc.llm.svc:8000/v1"


def test_what_stands_in_the_state_of_the_component_is_what_was_asked_without_secrets() -> None:
    (fleet,) = planned(FLEET).of_type("llm:index:Fleet")
    assert "kubeconfig" not in fleet.inputs
    assert fleet.inputs["nodes"]["count"] == 2


def test_who_has_no_fleet_never_imports_the_sdk() -> None:
    program = (
        "import sys\nsys.argv = ['pulumi-llm', 'plan', '-s', 'aliyun-t4']\n"
        "from pulumi_llm.cli import main\nassert main() == 0\n"
        "assert not [name for name in sys.modules if name.startswith('pulumi_kubernetes')]\n"
        "assert 'pulumi_llm._cluster' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_a_fleet_of_two_hundred_nodes_is_planned_as_fast_as_one_of_two() -> None:
    large = {**FLEET, "models": {"chat": {"model": "Qwen/Qwen2.5-7B-Instruct", "copies": 200}},
             "nodes": {**FLEET["nodes"], "count": 200}}  # fmt: skip
    plan_of(llm.Fleet, FLEET)
    assert len(planned(large).resources) == len(planned(FLEET).resources)

    def steps(args: dict[str, Any]) -> int:
        """Calls of functions in this thread: what it costs, whatever else the machine does meanwhile."""
        calls = 0

        def counted(frame: Any, event: str, given: Any) -> None:
            nonlocal calls
            calls += event == "call"

        sys.setprofile(counted)
        try:
            plan_of(llm.Fleet, args)
        finally:
            sys.setprofile(None)
        return calls

    two, many = steps(FLEET), steps(large)
    assert 1000 < many <= 1.1 * two, (many, two)
