"""Engines that follow the load: what KEDA is told, whom it may ask, what it costs, and what is refused."""

from __future__ import annotations

import asyncio
import json
import os
import re
from datetime import date
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from pulumi_llm import catalog
from pulumi_llm._cluster import following, gate, names, objects, values
from pulumi_llm._provider_facts import rows
from pulumi_llm._review.bill import make_bill
from pulumi_llm._review.items import Usage
from pulumi_llm.errors import Refusal
from pulumi_llm.preflight import following as estimates
from tests.cluster.fleets import FLEET, FOLLOWING, WIDE, named, planned, policies_of, resolved, spec_of, values_of
from tests.cluster.managed import fleet as made
from tests.gateway.fake import Fake
from tests.gateway.front import free_port
from tests.gateway.harness import Home, chat, client_of

MODEL = "Qwen/Qwen2.5-7B-Instruct"


def scaled(model: str = MODEL, **scaling: Any) -> dict[str, Any]:
    return {**FLEET, "nodes": {**FLEET["nodes"], "count": 4}, "models": {"chat": {"model": model, "scaling": scaling}}}


def keda_of(args: dict[str, Any]) -> dict[str, Any]:
    engines = values_of(planned(args))["servingEngineSpec"]["modelSpec"]
    return dict(engines[0]["keda"])


def codes(args: dict[str, Any]) -> list[str]:
    with pytest.raises(Refusal) as refused:
        resolved(args)
    return [each.code for each in refused.value.findings]


def test_another_engine_comes_when_more_calls_wait_than_are_allowed_to() -> None:
    fleet = resolved(scaled(most=4, queue=20)).models[0]
    assert fleet.requests is not None
    asked = keda_of(scaled(most=4, queue=20))["triggers"][0]["metadata"]
    assert asked["targetValue"] == str(fleet.requests + 20)
    few = {**scaled(most=4, queue=20)}
    few["models"] = {"chat": {**few["models"]["chat"], "max_num_seqs": 16}}
    assert keda_of(few)["triggers"][0]["metadata"]["targetValue"] == "36"


@pytest.mark.parametrize("page", ["fleet.md", "fleet.zh.md"])
def test_the_guide_says_what_the_autoscaler_leaves_unheeded(page: str) -> None:
    """Kubernetes' replica_calculator.go, GetExternalPerPodMetricReplicas: nothing is done up to a ratio of 1.1."""
    text = (Path(__file__).parents[2] / "docs" / page).read_text(encoding="utf-8")
    (line,) = [each for each in text.splitlines() if each.startswith(("Kubernetes' own autoscaler", "KEDA 把"))]
    works, wait, acts, other = map(int, re.findall(r"(?<![.\d])\d+(?![.\d])", line))
    assert other == works + wait + 1
    assert next(each for each in range(1000) if each / (works + wait) > 1.1) == acts


def test_keda_is_told_what_is_of_use_and_nothing_that_it_warns_of() -> None:
    always, sometimes = keda_of(scaled(least=1, most=4)), keda_of(scaled(least=0, most=4, idle_minutes=7))
    assert (always["minReplicaCount"], always["maxReplicaCount"]) == (1, 4)
    assert not {"pollingInterval", "cooldownPeriod", "initialCooldownPeriod"} & set(always)
    # An engine that takes longer to start than calls stay away would never be there.
    starts_in = resolved(scaled(least=0, most=4)).models[0].starts_in
    assert sometimes["cooldownPeriod"] == 7 * 60 + starts_in
    assert sometimes["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]["scaleDown"][
        "stabilizationWindowSeconds"
    ] == (7 * 60)
    assert sometimes["initialCooldownPeriod"] == 3600


def test_the_longest_name_of_a_model_makes_no_name_that_keda_or_kubernetes_refuses() -> None:
    long = "a" * 40
    args = {**scaled(most=4), "models": {long: {"model": MODEL, "scaling": {"most": 4}}}}
    made = values_of(planned(args))["servingEngineSpec"]["modelSpec"][0]
    # KEDA's webhook takes 63 letters of either (apis/keda/v1alpha1/scaledobject_webhook.go, verifyName).
    assert len(f"{names.RELEASE}-{long}-scaledobject") <= 63
    assert len(made["keda"]["advanced"]["horizontalPodAutoscalerConfig"]["name"]) <= 63


def test_a_key_that_keda_would_not_know_cannot_be_written() -> None:
    with pytest.raises(TypeError):
        values.Asked(url="x", valueLocation="y", targetValue="1", threshhold="1")  # type: ignore[call-arg]


def test_keda_may_ask_for_the_load_and_nothing_else_and_nobody_else_may() -> None:
    plan = planned({**FOLLOWING, "keda_namespace": "scaling"})
    rows = policies_of(plan)[names.GATEWAY]["ingress"]
    (asked,) = [each for each in rows if each["ports"] == [{"port": names.HEALTH_PORT, "protocol": "TCP"}]]
    assert asked["from"] == [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "scaling"}}}]
    assert all("scaling" not in json.dumps(each) for each in rows if each is not asked)
    engines = policies_of(plan)["llm-engines"]
    assert "scaling" not in json.dumps(engines)
    assert not any(
        port["port"] == names.HEALTH_PORT
        for each in policies_of(planned(FLEET))[names.GATEWAY]["ingress"]
        for port in each["ports"]
    )


def test_the_key_that_keda_asks_with_is_in_a_secret_alone() -> None:
    plan = planned(FOLLOWING)
    secret = named(plan, f"x-{names.LOAD}-secret")
    hidden = secret.inputs["stringData"]
    # What is secret is marked as such, whole.
    assert names.LOAD_KEY not in hidden
    assert "value" in hidden
    authentication = named(plan, f"x-{names.LOAD}-triggerauthentication")
    assert authentication.inputs["spec"] == following.authentication()
    container = named(plan, f"x-{names.GATEWAY}-deployment").inputs["spec"]["template"]["spec"]["containers"][1]
    (told,) = [each for each in container["env"] if each["name"] == gate.LOAD_VARIABLE]
    assert told["valueFrom"] == {"secretKeyRef": {"name": names.LOAD, "key": names.LOAD_KEY}}
    assert named(plan, f"x-{names.LOAD}-service").inputs["spec"]["type"] == "ClusterIP"


def test_nothing_of_it_is_of_unknown_price_or_unknown_to_the_review() -> None:
    plan = planned(FOLLOWING)
    lines = make_bill(plan, catalog.load(), Usage(), today=date(2026, 11, 30)).lines
    assert not [each.resource for each in lines if names.LOAD in each.resource]
    told = rows("kubernetes")["roles"]
    kinds = {each.type for each in plan.resources if each.type.startswith("kubernetes:")}
    assert kinds - set(told) == set()


def test_a_fleet_whose_engines_stay_has_nothing_of_it() -> None:
    assert "keda" not in values_of(planned(FLEET))["servingEngineSpec"]["modelSpec"][0]
    assert not [each for each in planned(FLEET).resources if "load" in each.name or "keda" in each.type]
    assert names.LOAD_PATH not in gate.caddyfile(spec_of(FLEET))
    assert f"path {names.LOAD_PATH}" in gate.caddyfile(spec_of(FOLLOWING))


def test_nodes_quota_and_claims_are_for_as_many_engines_as_there_may_be() -> None:
    fleet = resolved(scaled(least=0, most=4))
    assert fleet.gpus == 4
    quota = next(each for each in objects.inside(fleet) if each["kind"] == "ResourceQuota")
    assert quota["spec"]["hard"]["requests.nvidia.com/gpu"] == "4"
    assert codes({**scaled(most=5)}) == ["fleet.too-few-nodes"]
    assert codes({**scaled(most=4), "nodes": {**FLEET["nodes"], "count": 4, "gpu_quota": 3}}) == ["fleet.gpu-quota"]


def one(**more: Any) -> dict[str, Any]:
    return {"chat": {"model": MODEL, **more}}


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"models": one(copies=2, scaling={"most": 2})}, "fleet.copies-twice"),
        ({"models": one(scaling={"least": 3, "most": 2})}, "fleet.more-at-least-than-at-most"),
        ({"models": one(scaling={"least": 2, "most": 2})}, "fleet.nothing-to-follow"),
        ({"models": one(scaling={"most": 2}), "engine": "kuberay"}, "fleet.scaling-by-the-stack"),
        ({"models": FOLLOWING["models"], "namespace": "keda"}, "fleet.namespace-of-others"),
    ],
)
def test_what_cannot_follow_the_load_is_refused(changed: dict[str, Any], code: str) -> None:
    assert codes({**FLEET, **changed}) == [code]


def test_keda_s_namespace_is_of_no_concern_to_a_fleet_whose_engines_stay() -> None:
    assert resolved({**FLEET, "namespace": "keda"}).spec.namespace == "keda"
    assert resolved({**WIDE, "keda_namespace": "llm"}).spec.keda_namespace == "llm"


def test_a_model_of_which_nobody_knows_how_much_one_engine_takes_needs_a_number() -> None:
    unknown = {**scaled("acme/own", most=2), "override": ["fit.unknown-model"]}
    assert codes(unknown) == ["fleet.calls-unknown"]
    unknown["models"] = {"chat": {**unknown["models"]["chat"], "max_num_seqs": 32}}
    assert resolved(unknown).models[0].calls == 40
    # As long as nobody has said that the model may be unknown, that is what there is to say.
    assert codes({**unknown, "override": []}) == ["fit.unknown-model"]


def test_no_engine_at_all_is_named_with_its_cold_start() -> None:
    fleet = resolved(scaled(least=0, most=4))
    (told,) = [each for each in fleet.warnings if each.code == "fleet.cold-start"]
    minutes = -(-fleet.models[0].starts_in // 60)
    assert f"for about {minutes} minutes" in told.message
    # KEDA takes the last one away when both have gone by since the last call, and so that is what is told.
    cooldown = keda_of(scaled(least=0, most=4))["cooldownPeriod"]
    assert f"after about {-(-cooldown // 60)} minutes" in told.message
    assert not [each for each in resolved(scaled(least=1, most=4)).warnings if each.code == "fleet.cold-start"]
    # The gateway tells callers the same.
    (target,) = gate.role(fleet).routes[0].targets
    assert target.wakes == fleet.models[0].starts_in
    (target,) = gate.role(resolved(scaled(least=1, most=4))).routes[0].targets
    assert target.wakes == 0


def test_a_larger_model_and_a_node_that_is_made_first_take_longer() -> None:
    small, large = scaled(least=0, most=4), scaled("Qwen/Qwen2.5-32B-Instruct", least=0, most=4)
    assert resolved(large).models[0].starts_in > resolved(small).models[0].starts_in
    there = {**made("tencent"), "models": small["models"]}
    there["nodes"] = {**there["nodes"], "count": 4}
    grown = {**there, "nodes": {**there["nodes"], "min_count": 0}}
    assert resolved(grown).models[0].starts_in > resolved(there).models[0].starts_in


def test_engines_that_go_from_nodes_that_stay_save_nothing_and_that_is_said() -> None:
    there = {**made("tencent"), "models": {"chat": {"model": MODEL, "scaling": {"most": 4}}}}
    there["nodes"] = {**there["nodes"], "count": 4}
    (told,) = [each for each in resolved(there).warnings if each.code == "fleet.nodes-stay"]
    assert told.hint == "nodes.min_count: 1"
    there["nodes"] = {**there["nodes"], "min_count": 1}
    assert "fleet.nodes-stay" not in [each.code for each in resolved(there).warnings]


def test_engines_that_always_run_hold_their_nodes_and_that_is_said() -> None:
    there = {**made("tencent"), "models": {"chat": {"model": MODEL, "scaling": {"least": 2, "most": 4}}}}
    there["nodes"] = {**there["nodes"], "count": 4, "min_count": 0}
    (told,) = [each for each in resolved(there).warnings if each.code == "fleet.nodes-held"]
    assert told.hint == "nodes.min_count: 2"


@pytest.mark.parametrize("more", [{"scaling": {"most": 2}}, {"copies": 1}])
def test_copies_that_no_node_holds_are_refused_as_that_where_engines_follow_the_load(more: dict[str, Any]) -> None:
    wide = {"wide": {"model": MODEL, "gpus": 4, **more}, "chat": {"model": MODEL, "scaling": {"most": 2}}}
    assert codes({**FLEET, "models": wide}) == ["fleet.gpus-of-a-node"]


def test_each_figure_of_a_cold_start_says_where_it_is_from() -> None:
    document = json.loads(estimates.DATA.read_text(encoding="utf-8"))
    figures = {name for name, value in document.items() if isinstance(value, (int, float))}
    assert figures == {"image_gib", "gib_per_second", "engine_seconds", "node_seconds"}
    assert all(len(value) > 20 for name, value in document.items() if name not in figures)
    assert {name.removesuffix("_source") for name in document if name not in figures} == {
        "image", "gib_per_second", "engine", "node"
    }  # fmt: skip


@pytest.mark.artefact
async def test_what_keda_asks_is_answered_to_its_key_alone_by_the_caddy_and_the_gateway_of_the_pod(
    tmp_path: Path,
) -> None:
    """As KEDA's scaler ``metrics-api`` asks: GET, with ``Authorization: Bearer …``, and looks in the JSON."""
    inner = gate.caddyfile(spec_of(FOLLOWING)).partition(f"http://:{names.HEALTH_PORT} {{")[2]
    key, port = "planted-of-keda", free_port()
    rows = {"chat": {"targets": [{"upstream": "fake", "model": "plain", "wakes": 300}]}}
    async with Fake() as fake:
        home = Home(tmp_path).key().routes(fake.url, kind="vllm", routes=rows)
        async with home.here() as gateway, client_of(gateway) as client, aiohttp.ClientSession() as keda:
            measured = gateway.metrics.removeprefix("http://")
            site = f"{{\n\tadmin off\n}}\nhttp://127.0.0.1:{port} {{{inner.replace('127.0.0.1:4001', measured)}"
            (tmp_path / "Caddyfile").write_text(site)
            caddy = await asyncio.create_subprocess_exec(
                "caddy", "run", "--config", str(tmp_path / "Caddyfile"), "--adapter", "caddyfile",
                env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), gate.LOAD_VARIABLE: key},
                stderr=asyncio.subprocess.DEVNULL,
            )  # fmt: skip
            try:
                url = f"http://127.0.0.1:{port}"

                async def asked(path: str, **headers: str) -> tuple[int, str]:
                    async with keda.get(f"{url}{path}", headers=headers) as answer:
                        return answer.status, await answer.text()

                for _ in range(200):
                    try:
                        assert (await asked("/health"))[0] == 200
                        break
                    except aiohttp.ClientConnectorError:
                        await asyncio.sleep(0.1)
                assert (await client.post("/v1/chat/completions", json=chat("chat"))).status == 200
                for wrong in (
                    {},
                    {"Authorization": "Bearer wrong"},
                    {"Authorization": key},
                    {"Authorization": "Bearer "},
                ):
                    assert (await asked(names.LOAD_PATH, **wrong))[0] == 404
                status, text = await asked(names.LOAD_PATH, Authorization=f"Bearer {key}")
                assert (status, json.loads(text)) == (200, {"models": {"plain": 1}})
                for other in ("/metrics", "/use", "/turns", "/load/", "/v1/models"):
                    assert (await asked(other, Authorization=f"Bearer {key}"))[0] == 404
            finally:
                caddy.terminate()
                await caddy.wait()
