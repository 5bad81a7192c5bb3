"""Upstreams by name: what is accepted and refused, what the gateways of both machines are told, where the keys go."""

from __future__ import annotations

import json
import subprocess
from datetime import date
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml

import pulumi_llm as llm
from pulumi_llm import catalog, spec
from pulumi_llm import stack as stack_program
from pulumi_llm._nodes import server_node
from pulumi_llm._plan.capture import capture, capture_stack
from pulumi_llm._plan.model import Plan
from pulumi_llm._resolve import resolve_platform
from pulumi_llm._review.stack_review import endings
from pulumi_llm.errors import Finding, Refusal
from pulumi_llm.preflight.endings import ending_models
from pulumi_llm.roles import gateway
from pulumi_llm.roles.registry import role
from tests.test_components import settings
from tests.test_spec import changed

ROOT = Path(__file__).parents[1]
EAS = "http://1234567890.vpc.cn-beijing.pai-eas.aliyuncs.com/api/predict/chat/v1"
LAB = "http://10.0.0.8:8000/v1"
HOME: dict[str, Any] = {
    "qwen": {"models": ["qwen3.8-max"]},
    "ark": {"models": ["doubao-seed-2-1-pro-260628"], "served_names": {"doubao-seed-2-1-pro-260628": "doubao"}},
    "qianfan": {"models": ["ernie-5.1"], "prices": {"ernie-5.1": {"input": 0.5, "output": 2}}},
    "our-eas": {"vendor": "pai-eas", "base_url": EAS, "models": ["Qwen3-8B"]},
    "lab": {"vendor": "vllm", "base_url": LAB, "keyless": True, "models": ["Qwen2.5-7B-Instruct"]},
    "partner": {"base_url": "https://models.example.com/v1/", "models": ["theirs"]},
}
SERVER = {"cloud": "aliyun", "region": "cn-beijing", "gpu": "T4", "model": "01-ai/Yi-6B-Chat", "context_length": 4096}
ACCESS = {"allowed_cidrs": ["203.0.113.0/24"]}
KEYS: dict[str, Any] = {
    "qwen_api_key": "planted-qwen",
    "ark_api_key": "planted-ark",
    "qianfan_api_key": "planted-qianfan",
    "upstream_api_keys": {"our-eas": "planted-eas", "partner": "planted-partner"},
}
ALONE: dict[str, Any] = {**SERVER, **ACCESS, "upstreams": HOME, **KEYS}
SECRETS = ["upstream_ark", "upstream_our_eas", "upstream_partner", "upstream_qianfan", "upstream_qwen"]


def refused(path: str, value: Any) -> list[Finding]:
    with pytest.raises(Refusal) as told:
        spec.parse(spec.PlatformSpec, changed(path, value))
    return list(told.value.findings)


def plan_of(component: Any, args: Any) -> Plan:
    return capture(lambda: component("x", args))


# -- what is refused


@pytest.mark.parametrize(
    ("upstreams", "code", "word"),
    [
        ({"qwne": {"models": ["m"]}}, "spec.unknown-vendor", "did you mean qwen?"),
        ({"mine": {"models": ["m"], "vendor": "dep-seek"}}, "spec.unknown-vendor", "did you mean deepseek?"),
        ({"qwen": {"models": ["m"], "vendor": "ark"}}, "spec.bad-upstream-name", "another name, such as ark-2"),
        ({"vllm": {"models": ["m"], "base_url": LAB}}, "spec.bad-upstream-name", "vendor: vllm"),
        ({"proxy": {"models": ["m"], "base_url": LAB}}, "spec.bad-upstream-name", "small letters"),
        ({"My Lab": {"models": ["m"], "base_url": LAB}}, "spec.bad-upstream-name", "small letters"),
        ({"lab-1": {"models": ["m"], "base_url": LAB}}, "spec.bad-upstream-name", "small letters"),
        ({"pai-eas": {"models": ["m"]}}, "spec.upstream-without-url", "base_url: https://"),
        ({"lab": {"models": ["m"], "vendor": "vllm"}}, "spec.upstream-without-url", "base_url: https://"),
        ({"lab": {"models": ["m"], "base_url": "http://models.example.com/v1"}}, "spec.bad-url", "https://models"),
        ({"lab": {"models": ["m"], "base_url": "http://203.0.113.9/v1"}}, "spec.bad-url", "https://203.0.113.9/v1"),
        ({"lab": {"models": ["m"], "base_url": "http://100.64.0.9/v1"}}, "spec.bad-url", "https://"),
        ({"lab": {"models": ["m"], "base_url": EAS}}, "spec.bad-url", "https://"),  # PAI-EAS's names are its own
        ({"qwen": {"models": ["m"], "base_url": "http://dashscope.aliyuncs.com/v1"}}, "spec.bad-url", "https://dash"),
        ({"lab": {"models": ["m"], "base_url": "https://u:p@models.example.com/v1"}}, "spec.bad-url", "https://"),
        ({"qwen": {"models": ["m"], "keyless": True}}, "spec.keyless-upstream", "10.0.0.8"),
        ({"lab": {"models": ["m"], "keyless": True, "base_url": "https://x.example/v1"}}, "spec.keyless-upstream", ""),
        ({"qwen": {"models": ["m"]}, "ark": {"models": ["m"]}}, "spec.model-twice", "served_names"),
        ({"qwen": {"models": ["m", "m"]}}, "spec.model-twice", "served_names"),
        ({"qwen": {"models": ["Yi-6B-Chat"]}}, "spec.model-twice", "served_name"),
        ({"qwen": {"models": ["a"], "served_names": {"a": "Yi-6B-Chat"}}}, "spec.model-twice", "served_name"),
        ({"qwen": {"models": ["gpt-6-luna"]}}, "spec.model-twice", "served_name"),  # the proxy's
        ({"qwen": {"models": ["a"], "served_names": {"b": "c"}}}, "spec.name-of-unserved-model", "one of a"),
        ({"qwen": {"models": ["a"], "prices": {"b": {"input": 1}}}}, "spec.price-of-unserved-model", "one of a"),
        ({"qwen": {"models": []}}, "spec.wrong-value", ""),
        ({"openai": {"models": ["gpt-6-sol"]}}, "spec.upstream-region", "proxy.upstreams"),
        ({"mine": {"models": ["x"], "vendor": "anthropic"}}, "spec.upstream-region", "proxy.upstreams"),
    ],
)
def test_an_upstream_of_the_server_that_cannot_work_is_refused_with_what_would(
    upstreams: Any, code: str, word: str
) -> None:
    (found,) = refused("server.upstreams", upstreams)
    assert found.code == code
    assert word in found.hint


@pytest.mark.parametrize("host", ["models.example.com:99999", "models.example.com:0", "models..example.com", ".com"])
def test_an_address_that_no_request_can_go_to_is_refused(host: str) -> None:
    (found,) = refused("server.upstreams", {"lab": {"models": ["m"], "base_url": f"https://{host}/v1"}})
    assert found.code == "spec.bad-url"


@pytest.mark.parametrize(
    "address",
    [
        "https://user:planted-key@models.example.com/v1",
        "https://models.example.com/v1?api_key=planted-key",
        "https://models.example.com/v1#planted-key",
        f"https://user:planted-key@models.example.com/{'v' * 300}",
        ["https://user:planted-key@models.example.com/v1"],
    ],
)
def test_a_key_that_stands_in_an_address_is_not_shown_with_the_refusal(address: object) -> None:
    (found,) = refused("server.upstreams", {"lab": {"models": ["m"], "base_url": address}})
    assert found.code in ("spec.bad-url", "spec.wrong-value", "spec.wrong-type")
    assert "planted-key" not in f"{found.message} {found.hint}"


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "a.localhost",
        "0.0.0.0",
        "169.254.169.254",
        "100.100.100.200",
        "metadata.tencentyun.com",
        "instance-data.ec2.internal",
    ]
    + ["2130706433", "127.1", "0x7f000001", "224.0.0.1"],
)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_the_machine_itself_and_its_clouds_metadata_are_no_upstreams(scheme: str, host: str) -> None:
    for path in ("server.upstreams", "proxy.upstreams"):
        (found,) = refused(path, {"lab": {"models": ["m"], "base_url": f"{scheme}://{host}/v1"}})
        assert found.code == "spec.bad-url"


@pytest.mark.parametrize("host", ["10.1.2.3", "172.31.0.9", "192.168.7.7:8000", "gpu-2.lab.internal"])
def test_a_private_address_may_be_asked_without_tls_and_without_a_key(host: str) -> None:
    upstreams = {"lab": {"models": ["m"], "base_url": f"http://{host}/v1", "keyless": True}}
    assert spec.parse(spec.PlatformSpec, changed("server.upstreams", upstreams)).server.upstreams["lab"].keyless


@pytest.mark.parametrize("name", ["weaviate.io", "dead.beef", "face", "10.models.example.com"])
def test_a_name_that_only_looks_like_a_number_is_a_name(name: str) -> None:
    upstreams = {"lab": {"models": ["m"], "base_url": f"https://{name}/v1"}}
    assert spec.parse(spec.PlatformSpec, changed("server.upstreams", upstreams))


def authority(folder: Path, name: str = "second") -> tuple[str, Path, Path]:
    """A certificate for 127.0.0.1 that is its own authority: its text, its file, and its key's."""
    certificate, key = folder / f"{name}.crt", folder / f"{name}.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    return certificate.read_text(), certificate, key


def test_an_authority_is_taken_as_certificates_alone_and_beside_https_alone(tmp_path: Path) -> None:
    pem, __, key = authority(tmp_path)

    def second(text: str, url: str | None = "https://203.0.113.9:18443/v1", name: str = "second") -> dict[str, Any]:
        return {name: {"base_url": url, "models": ["m"], "certificate_authority": text}}

    for good in (pem, pem + pem, pem.replace("\n", "\r\n"), f"\n{pem}\n"):
        platform = spec.parse(spec.PlatformSpec, changed("server.upstreams", second(good)))
        assert platform.server.upstreams["second"].certificate_authority.startswith("-----BEGIN CERTIFICATE-----")
    wrong = [second(pem + key.read_text()), second(key.read_text()), second("x"), second(pem.replace("MII", "AAA"))]
    for each in [*wrong, second(pem, LAB), second(pem, None, "qwen")]:
        (found,) = refused("server.upstreams", each)
        assert found.code == "spec.bad-authority"
        assert "PRIVATE" not in str(found)


def test_each_upstreams_authority_lies_in_a_file_of_its_own(tmp_path: Path) -> None:
    pem, *_ = authority(tmp_path)
    second = {"base_url": "https://203.0.113.9:18443/v1", "models": ["m"], "certificate_authority": pem}
    plan = plan_of(llm.ModelServer, {**ALONE, "upstreams": {"second": second}, "upstream_api_keys": {"second": "k"}})
    told = settings(plan, "x-settings")
    assert {"upstream_second", "upstream_second_authority"} <= set(told["secrets"]["required"])
    files = {row["path"]: row["entries"] for row in told["secret_files"]}
    assert files["/srv/llm/secrets/upstream-ca-second.pem"] == {"upstream_second_authority": ""}
    assert files["/srv/llm/secrets/upstream-ca.pem"] == {}
    (written,) = [each["content"] for each in told["files"] if each["path"].endswith("/routes.json")]
    row = json.loads(written)["upstreams"]["second"]
    assert (row["private_ca"], row["ca"]) == (True, "upstream-ca-second.pem")


# -- who serves where


@pytest.mark.parametrize(("cloud", "region"), [("aliyun", "cn-beijing"), ("tencent", "ap-hongkong")])
def test_a_proxy_in_china_is_refused_for_the_vendors_that_do_not_serve_it_and_for_no_other(
    cloud: str, region: str
) -> None:
    proxy = {"cloud": cloud, "region": region, "upstreams": {"qwen": {"models": ["qwen3.8-max"]}}}
    platform = resolve_platform(changed("proxy", proxy))
    assert platform.proxy is not None
    # Without an ICP filing a port below 18443 would answer nobody.
    assert platform.proxy.port == (18443 if cloud == "aliyun" else 443)
    proxy["upstreams"]["mine"] = {"vendor": "openai", "models": ["gpt-6-luna"]}
    (found,) = refused("proxy", proxy)
    assert found.code == "spec.proxy-region"
    assert "which mine do not serve" in found.message
    assert "qwen" not in found.message


def test_an_american_server_calls_openai_itself() -> None:
    server = {"cloud": "aws", "region": "us-east-1", "gpu": "T4", "model": "01-ai/Yi-6B-Chat"}
    upstreams = {"openai": {"models": ["gpt-6-sol"]}}
    assert spec.parse(spec.PlatformSpec, changed("server", {**server, "upstreams": upstreams}))


# -- what the node is told


def resolved(**more: Any) -> Any:
    server = {**SERVER, "upstreams": HOME, **more}
    return resolve_platform({"server": server, "access": ACCESS}).server


def test_the_servers_gateway_is_told_of_each_upstream_where_it_answers_and_under_which_secret() -> None:
    node = server_node("x", resolved())
    told = json.loads(gateway.routes(node.of(gateway.GatewayRole)))
    found = {name: (row["kind"], row["base_url"], row["secret"]) for name, row in told["upstreams"].items()}
    assert found == {
        "vllm": ("vllm", "http://127.0.0.1:8000/v1", None),
        "qwen": ("qwen", "https://dashscope.aliyuncs.com/compatible-mode/v1", "upstream_qwen"),
        "ark": ("ark", "https://ark.cn-beijing.volces.com/api/v3", "upstream_ark"),
        "qianfan": ("qianfan", "https://qianfan.baidubce.com/v2", "upstream_qianfan"),
        "our-eas": ("pai-eas", EAS, "upstream_our_eas"),
        "lab": ("vllm", LAB, None),
        "partner": ("custom", "https://models.example.com/v1", "upstream_partner"),
    }
    assert told["routes"]["doubao"]["targets"] == [{"upstream": "ark", "model": "doubao-seed-2-1-pro-260628"}]
    assert told["routes"]["ernie-5.1"]["targets"][0]["price_out"] == 2
    # The catalogue's price of the vendor's model, and none where it has none: unknown is not free.
    assert told["routes"]["qwen3.8-max"]["targets"][0]["price_in"] > 0
    assert "price_in" not in told["routes"]["doubao"]["targets"][0]
    assert told["routes"]["Yi-6B-Chat"]["targets"][0]["price_in"] == 0


def test_a_node_is_ready_by_its_own_model_whatever_its_upstreams_do() -> None:
    assert role("gateway").watched(server_node("x", resolved())) == {"models": ["Yi-6B-Chat"]}


def test_an_upstreams_model_may_be_a_fallback_and_a_budget_needs_its_price() -> None:
    routes = {"chat": {"models": {"Yi-6B-Chat": 1}, "fallback": ["doubao"]}}
    node = server_node("x", resolved(routes=routes))
    assert [each.code for each in gateway.mistakes(node.of(gateway.GatewayRole))] == []
    keys = {"team": {"daily_budget_usd": 5}}
    node = server_node("x", resolved(routes=routes, keys=keys))
    unknown = gateway.mistakes(node.of(gateway.GatewayRole))
    assert {each.code for each in unknown} == {"gateway.unknown-price"}
    assert any("'chat'" in each.message for each in unknown)
    keys = {"team": {"daily_budget_usd": 5, "models": ["ernie-5.1", "qwen3.8-max", "Yi-6B-Chat"]}}
    node = server_node("x", resolved(routes=routes, keys=keys))
    assert gateway.mistakes(node.of(gateway.GatewayRole)) == []


def test_a_vendors_regional_address_is_taken_by_where_the_gateway_stands() -> None:
    for cloud, region, host in (
        ("aliyun", "cn-hangzhou", "dashscope.aliyuncs.com"),
        ("aliyun", "cn-hongkong", "cn-hongkong.dashscope.aliyuncs.com"),
        ("aws", "us-east-1", "dashscope-intl.aliyuncs.com"),
    ):
        country = catalog.load().region(cloud, region).country
        upstream = spec.UpstreamSpec(models=("qwen3.8-max",))
        for name in ("qwen", "other"):
            asked = upstream if name == "qwen" else upstream.model_copy(update={"vendor": "qwen"})
            assert spec.url_of(name, asked, country) == f"https://{host}/compatible-mode/v1"


# -- keys


def test_the_keys_of_the_servers_upstreams_go_into_the_secrets_document_and_nowhere_else() -> None:
    plan = plan_of(llm.ModelServer, ALONE)
    told = json.dumps(plan.to_json()) + "".join(plan.user_data().values())
    assert "planted" not in told
    required = settings(plan, "x-settings")["secrets"]["required"]
    assert [each for each in sorted(required) if each.startswith("upstream_")] == SECRETS
    (made,) = plan.of_type("llm:index:ModelServer")
    assert set(made.inputs["upstreams"]) == set(HOME)
    assert not [each for each in made.inputs if each.endswith(("ApiKey", "ApiKeys", "api_key", "api_keys"))]


@pytest.mark.parametrize(
    ("lacking", "hint"),
    [
        ("qwen_api_key", "`pulumi config set --secret qwenApiKey`, or the argument qwen_api_key"),
        (
            "upstream_api_keys",
            "`pulumi config set --secret ourEasApiKey`, or the argument upstream_api_keys: {our-eas:",
        ),
    ],
)
@pytest.mark.parametrize("component", ["server", "platform"])
def test_an_upstream_without_its_key_is_refused_before_anything_is_made(
    component: str, lacking: str, hint: str
) -> None:
    keys = {name: value for name, value in KEYS.items() if name != lacking}
    args: Any = {**SERVER, **ACCESS, "upstreams": HOME, **keys}
    if component == "platform":
        args = {"server": {**SERVER, "upstreams": HOME}, "access": ACCESS, **keys}
    with pytest.raises(Refusal) as told:
        plan_of(llm.ModelServer if component == "server" else llm.Platform, args)
    (found,) = told.value.findings
    assert found.code == "secret.missing"
    assert hint in found.hint
    assert "planted" not in str(found)


def test_a_key_that_is_known_only_later_is_taken() -> None:
    def program(name: str, whole: bool) -> None:
        late = {each: pulumi.Output.secret(value) for each, value in KEYS["upstream_api_keys"].items()}
        given: Any = pulumi.Output.all(**late) if whole else late
        llm.ModelServer(name, {**ALONE, "upstream_api_keys": given})

    for whole in (False, True):
        assert "planted" not in json.dumps(capture(lambda whole=whole: program("x", whole)).to_json())


def test_each_gateway_of_a_platform_gets_the_keys_of_its_own_upstreams_alone() -> None:
    proxy = {"cloud": "aws", "region": "ap-southeast-1", "upstreams": {"openai": {"models": ["gpt-6-luna"]}}}
    proxy["upstreams"]["qwen-abroad"] = {"vendor": "qwen", "models": ["qwen3.8-flash"]}
    args: Any = {
        "server": {**SERVER, "upstreams": HOME},
        "proxy": proxy,
        "access": ACCESS,
        **KEYS,
        "openai_api_key": "planted-openai",
    }
    args["upstream_api_keys"] = {**KEYS["upstream_api_keys"], "qwen-abroad": "planted-abroad"}
    plan = plan_of(llm.Platform, args)
    alone = plan_of(llm.Platform, {**args, "proxy": None})
    found = [settings(plan, "x-proxy-settings"), settings(alone, "x-server-settings")]
    assert [
        [name for name in sorted(each["secrets"]["required"]) if name.startswith("upstream_")] for each in found
    ] == [
        ["upstream_openai", "upstream_qwen_abroad"],
        SECRETS,
    ]
    assert "planted" not in json.dumps(plan.to_json())
    (server,) = plan.of_type("llm:index:ModelServer")
    assert set(server.inputs["upstreams"]) == set(HOME)


def test_what_nobody_asked_for_is_not_recorded() -> None:
    args: Any = {"server": SERVER, "access": ACCESS}
    (server,) = plan_of(llm.Platform, args).of_type("llm:index:ModelServer")
    assert "upstreams" not in server.inputs
    plain = spec.UpstreamSpec(models=("m",)).model_dump(exclude_none=True)
    assert plain == {"models": ("m",), "prices": {}}


# -- a stack's file


def stack(folder: Path, config: dict[str, Any]) -> Path:
    (folder / "stacks").mkdir()
    for name in ("Pulumi.yaml", "stacks/__main__.py"):
        (folder / name).write_text((ROOT / name).read_text())
    platform = {"server": {**SERVER, "upstreams": HOME}, "access": ACCESS}
    content = {"config": {"pulumi-llm:platform": platform, **config}}
    (folder / "stacks/Pulumi.home.yaml").write_text(yaml.safe_dump(content))
    return folder


def test_a_plan_says_which_upstreams_keys_the_stack_still_needs(tmp_path: Path) -> None:
    plan = capture_stack(stack(tmp_path, {}), "home")
    notes = [each.message for each in plan.notes if each.code == "secret.missing"]
    assert sorted(notes) == [
        f"{key} is not set; `up` needs it"
        for key in ("arkApiKey", "ourEasApiKey", "partnerApiKey", "qianfanApiKey", "qwenApiKey")
    ]
    required = settings(plan, "llm-server-settings")["secrets"]["required"]
    assert [each for each in sorted(required) if each.startswith("upstream_")] == SECRETS


@pytest.mark.parametrize("key", ["ourEasApiKey", "qwenApiKey"])
def test_an_upstreams_key_in_plain_text_is_refused(tmp_path: Path, key: str) -> None:
    with pytest.raises(Refusal) as told:
        capture_stack(stack(tmp_path, {f"pulumi-llm:{key}": "planted-key"}), "home")
    (found,) = told.value.findings
    assert (found.code, key in found.message, "planted" in str(found)) == ("secret.in-the-clear", True, False)


def test_a_key_of_no_upstream_is_refused_with_the_one_that_was_meant(tmp_path: Path) -> None:
    with pytest.raises(Refusal) as told:
        capture_stack(stack(tmp_path, {"pulumi-llm:ourEsaApiKey": "planted-key"}), "home")
    (found,) = [each for each in told.value.findings if each.code == "stack.unknown-key"]
    assert "did you mean pulumi-llm:ourEasApiKey" in found.hint


def test_the_key_of_an_upstream_that_is_gone_may_stay_and_a_misspelt_one_may_not(tmp_path: Path) -> None:
    namespace = "pulumi-llm"
    given = dict.fromkeys(("qwenApiKey", "arkApiKey", "qianfanApiKey", "ourEasApiKey", "partnerApiKey"), "planted")

    def unknown(keys: dict[str, str], secret: bool = True) -> list[str]:
        values = {f"{namespace}:{key}": value for key, value in keys.items()}
        values[f"{namespace}:platform"] = json.dumps({"server": {**SERVER, "upstreams": HOME}, "access": ACCESS})
        secrets = {name for name in values if secret and not name.endswith(":platform")}
        try:
            capture(lambda: stack_program.run("x"), project=namespace, config=values, secret_keys=secrets)
        except Refusal as told:
            return [each.message for each in told.findings if each.code == "stack.unknown-key"]
        return []

    gone = {**given, "formerApiKey": "planted"}
    assert unknown(gone) == []
    assert len(unknown({**given, "former": "planted"})) == 1
    assert len(unknown(gone, secret=False)) == 1
    misspelt = {("ourEsaApiKey" if key == "ourEasApiKey" else key): value for key, value in given.items()}
    (found,) = unknown(misspelt)
    assert "ourEsaApiKey" in found


# -- ends


def test_a_model_past_its_end_is_warned_of_under_whatever_name_its_vendor_has() -> None:
    upstreams = {
        "deepseek": spec.UpstreamSpec(models=("deepseek-chat",)),
        "second": spec.UpstreamSpec(models=("deepseek-reasoner",), vendor="deepseek"),
        "lab": spec.UpstreamSpec(models=("deepseek-chat",), vendor="vllm", base_url=LAB),
    }
    found = ending_models(upstreams, date(2026, 11, 28))
    assert [(each.code, each.where) for each in found] == [
        ("upstream.model-ended", "upstreams.deepseek.models"),
        ("upstream.model-ended", "upstreams.second.models"),
    ]
    assert "deepseek-v4-flash" in found[0].hint


def test_a_review_warns_of_the_servers_models_that_end_too() -> None:
    upstreams = {"qwen": {"models": ["qwen-turbo"]}}
    plan = plan_of(llm.ModelServer, {**ALONE, "upstreams": upstreams})
    found = endings(plan, date(2026, 11, 28))
    assert [each.code for each in found] == ["upstream.model-ended"]
    assert "2026-10-10" in found[0].message
    # And the component itself, at `up`.
    assert "upstream.model-ended" in {each.code for each in plan.notes}
