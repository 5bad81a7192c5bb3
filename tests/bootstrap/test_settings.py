"""The settings are complete, carry their digest, and hold no secret."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from pulumi_llm import _bootstrap as bootstrap
from pulumi_llm import _host
from pulumi_llm._bootstrap import NodeRequest
from pulumi_llm._bootstrap.settings import digest
from pulumi_llm.errors import Refusal
from pulumi_llm.roles.requests import ContentRole
from tests.bootstrap.samples import SAMPLES, gateway_of, gpu_node, proxy_node, vector_node, vllm_of


def files(request: bootstrap.NodeRequest) -> dict[str, str]:
    return {each["path"]: each["content"] for each in bootstrap.settings(request)["files"]}


@pytest.mark.parametrize("name", SAMPLES)
def test_settings_are_as_the_golden_file_says(name: str, golden: object) -> None:
    document = bootstrap.settings(SAMPLES[name])
    shown = {key: value for key, value in document.items() if key not in ("files", "code", "hints", "digest")}
    code = sorted(document["code"])
    rows = "".join(
        f"\n--- {each['path']} {each['mode']} {each['owner']} restart={each['restart']} early={each['early']}\n"
        + ("" if each["path"].endswith(".py") or each["early"] else each["content"])
        for each in document["files"]
    )
    golden(Path(f"bootstrap/{name}.settings.txt"), json.dumps(shown | {"code": code}, indent=1) + "\n" + rows)  # type: ignore[operator]


@pytest.mark.parametrize("name", SAMPLES)
def test_the_digest_covers_all_that_is_in_the_settings(name: str) -> None:
    document = bootstrap.settings(SAMPLES[name])
    assert document["digest"] == digest(document)
    document["files"][0]["content"] += " "
    assert document["digest"] != digest(document)


def test_the_digest_survives_the_journey_as_json() -> None:
    document = json.loads(json.dumps(bootstrap.settings(gpu_node()), indent=2))
    assert document["digest"] == digest(document)


def test_the_names_of_the_secrets_follow_from_the_request() -> None:
    assert bootstrap.secret_names(gpu_node()) == (
        "tls_certificate",
        "tls_private_key",
        "gateway_key_app",
        "gateway_key_team",
        "proxy_key",
        "proxy_ca",
        "weaviate_api_key",
    )
    assert bootstrap.optional_secret_names(gpu_node()) == ("hf_token",)
    assert bootstrap.secret_names(vector_node()) == ("tls_certificate", "tls_private_key", "weaviate_api_key")
    assert bootstrap.optional_secret_names(proxy_node()) == ()


@pytest.mark.parametrize("name", SAMPLES)
def test_every_secret_is_written_to_some_file(name: str) -> None:
    document = bootstrap.settings(SAMPLES[name])
    written = {secret for file in document["secret_files"] for secret in file["entries"]}
    assert written == {each for group in document["secrets"].values() for each in group}


def test_secrets_are_for_one_user_each() -> None:
    owners = {each["path"].rsplit("/")[-1]: each["owner"] for each in bootstrap.settings(gpu_node())["secret_files"]}
    assert owners["tls.key"] == "llm-caddy"
    assert owners["gateway-keys.json"] == "llm-gateway"
    assert owners["upstream.env"] == "llm-gateway"
    assert owners["weaviate.env"] == owners["hf_token"] == "root"


def test_the_secrets_document_carries_what_is_asked_for_and_nothing_else() -> None:
    document = bootstrap.settings(proxy_node())
    given = {name: f"value-{name}" for name in document["secrets"]["required"]}
    made = json.loads(bootstrap.secrets_document(document, given | {"other": "thing"}))
    assert made == {"settings_digest": document["digest"], "secrets": given}


def test_the_digest_is_read_from_a_document_as_it_is_written_whatever_else_it_holds() -> None:
    """Without reading it whole, and without being led astray by a text that looks like the line."""
    node = proxy_node()
    written = _host.settings_document(node)
    assert _host.digest_in(written) == json.loads(written)["digest"]
    held = json.loads(written) | {"also": [{"digest": "0" * 64}], "text": f'\n "digest": "{"1" * 64}"\n'}
    assert _host.digest_in(json.dumps(held, indent=1, sort_keys=True)) == held["digest"]
    assert _host.digest_in(json.dumps(held)) == held["digest"]


def test_missing_secrets_are_all_named_at_once() -> None:
    with pytest.raises(Refusal) as refused:
        bootstrap.secrets_document(bootstrap.settings(proxy_node()), {"tls_certificate": "x", "tls_private_key": " "})
    message = refused.value.findings[0].message
    assert "tls_private_key, gateway_key_home, upstream_openai" in message
    assert "tls_certificate" not in message


def test_a_new_context_length_changes_vllm_alone() -> None:
    request = gpu_node()
    before, after = files(request), files(request.having(replace(vllm_of(request), max_model_len=2048)))
    assert [path for path in after if after[path] != before[path]] == ["/etc/systemd/system/llm-vllm.service"]


def test_a_new_limit_changes_a_file_that_nothing_is_restarted_for() -> None:
    request = proxy_node()
    gateway = gateway_of(request)
    changed = request.having(replace(gateway, keys=(replace(gateway.keys[0], limits={"requests_per_minute": 5}),)))
    before, after = files(request), files(changed)
    paths = [path for path in after if after[path] != before[path]]
    assert paths == ["/opt/llm/gateway/policy.json"]
    row = next(each for each in bootstrap.settings(changed)["files"] if each["path"] == paths[0])
    assert row["restart"] == []


def test_user_data_and_settings_agree_on_what_the_stages_read() -> None:
    import yaml

    from pulumi_llm._bootstrap.files import unpacked

    for request in SAMPLES.values():
        written = {
            each["path"]: each["content"] for each in yaml.safe_load(bootstrap.user_data(request))["write_files"]
        }
        boot, now = unpacked(written["/opt/llm/boot"]), files(request)
        assert written["/opt/llm/node.json"] == now["/opt/llm/node.json"]
        for path in boot.keys() & now.keys():
            if path.endswith((".json", ".service")):
                assert boot[path] == now[path], path


def test_everything_listens_on_loopback_but_caddy() -> None:
    now = files(gpu_node())
    assert "--host 127.0.0.1" in now["/etc/systemd/system/llm-vllm.service"]
    code = now["/opt/llm/gateway/llm_gate/__main__.py"]
    assert code.count("create_server(") == code.count('create_server(("127.0.0.1", ') == 2
    assert "ListenStream=127.0.0.1:4000\n" in now["/etc/systemd/system/llm-gate.socket"]
    assert '"127.0.0.1:8080:8080", "127.0.0.1:50051:50051"' in now["/opt/llm/weaviate/compose.yaml"]


def test_weaviate_refuses_whoever_has_no_key() -> None:
    compose = files(vector_node())["/opt/llm/weaviate/compose.yaml"]
    assert 'AUTHENTICATION_ANONYMOUS_ACCESS_ENABLED: "false"' in compose
    assert 'AUTHENTICATION_APIKEY_ENABLED: "true"' in compose
    assert "restart: unless-stopped" in compose


@pytest.mark.parametrize("service", ["vllm", "gate", "caddy", "status"])
def test_services_run_as_their_own_users_without_new_privileges(service: str) -> None:
    unit = files(gpu_node())[f"/etc/systemd/system/llm-{service}.service"]
    user = next(line for line in unit.splitlines() if line.startswith("User="))
    assert user in ("User=llm-vllm", "User=llm-gateway", "User=llm-caddy")
    assert "NoNewPrivileges=yes" in unit
    assert "ProtectSystem=strict" in unit


def test_staging_waits_for_cloud_init_and_then_says_what_it_says() -> None:
    command = bootstrap.stage_command()
    assert "until [ -x /opt/llm/bin/llm-node ]" in command
    assert "cloud-init status --long" in command
    assert "\n" not in command
    assert command.endswith("sudo -n /opt/llm/bin/llm-node stage")


def test_applying_is_one_short_command_with_its_time_limit() -> None:
    # It stands in front of what `up` says when it fails.
    assert bootstrap.apply_command(89) == "exec sudo -n /opt/llm/bin/llm-node apply 89"


def test_every_code_that_a_node_can_fail_with_has_a_hint() -> None:
    import re

    document = bootstrap.settings(gpu_node())
    source = "".join(document["code"].values())
    codes = set(re.findall(r'"((?:apply|stage|disk|driver|weights|python|images|gateway)\.[a-z-]+)"', source))
    assert {"disk.absent", "apply.missing-secret", "weights.slow"} <= codes
    without = codes - document["hints"].keys() - {"gateway.not-ready", "driver.rebooting"}
    assert not without


def moderated(*kinds: str) -> NodeRequest:
    """A proxy with moderators of these kinds."""
    rows = [
        {"name": each, "kind": each, "secret_id": f"moderation_{each}_id", "secret": f"moderation_{each}_key"}
        for each in kinds
    ]
    request = proxy_node()
    content = ContentRole(document={"moderators": rows}, files={})
    return request.having(replace(gateway_of(request), content=content))


def test_moderators_secrets_go_into_the_file_that_the_gateway_reads_and_restart_nothing() -> None:
    document = bootstrap.settings(moderated("yidun"))
    assert {"moderation_yidun_id", "moderation_yidun_key"} <= set(document["secrets"]["required"])
    row = next(each for each in document["secret_files"] if each["path"].endswith("upstream.env"))
    assert row["entries"]["moderation_yidun_key"] == "MODERATION_YIDUN_KEY"
    assert (row["owner"], row["restart"]) == ("llm-gateway", [])


@pytest.mark.parametrize(
    ("kinds", "environment"),
    [((), "gate"), (("yidun", "baidu"), "gate"), (("aliyun",), "gate-sdks"), (("yidun", "tencent"), "gate-sdks")],
)
def test_the_clouds_sdks_are_installed_only_where_a_moderator_needs_them(
    kinds: tuple[str, ...], environment: str
) -> None:
    now = files(moderated(*kinds))
    assert [path for path in now if "/locks/gate" in path] == [f"/opt/llm/locks/{environment}.txt"]
    assert list(json.loads(now["/opt/llm/supply.json"])["venvs"]) == [environment]
    assert f"/opt/llm/venv/{environment}-3." in now["/etc/systemd/system/llm-gate.service"]
