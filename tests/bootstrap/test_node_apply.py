"""Settings and secrets arrive, are checked, put in force, and end in `ready` or in a code."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pulumi_llm import bootstrap
from pulumi_llm.bootstrap import NodeRequest, Route
from tests.bootstrap.samples import Node, booted, gpu_node, proxy_node, vector_node

PLANTED = "planted-secret-value"

# systemd as far as apply sees it: a stage or the watch that is started has soon done its work.
SYSTEMCTL = """
root={root}
case "$1 $2" in
  "start "*|"restart "*)
    for unit in "$@"; do
      name=${{unit#llm-}}; name=${{name%.service}}
      case "$unit" in
        llm-watch.service) name=serve;;
        llm-vllm.service|llm-litellm.service|llm-caddy.service|llm-status.service|llm-weaviate.service) continue;;
        llm-*.service) ;;
        *) continue;;
      esac
      mkdir -p "$root/run/llm/stages"
      if [ -e "$root/outcome-$name" ]; then cp "$root/outcome-$name" "$root/run/llm/stages/$name.json"
      else
        entry='{{"stage": "'$name'", "state": "done", "started": "now", "updated": "now"}}'
        echo "$entry" > "$root/run/llm/stages/$name.json"
      fi
    done;;
  "is-failed "*) exit 1;;
esac
exit 0
"""


def ready_node(root: Path, request: NodeRequest) -> Node:
    node = booted(root, request)
    node.fake("systemctl", SYSTEMCTL.format(root=root))
    for name in ("systemd-sysusers", "apt-mark", "dpkg-query"):
        node.fake(name, "exit 0")
    return node


def secrets_for(request: NodeRequest, **changes: str) -> dict[str, str]:
    return {name: f"{PLANTED}-{name}" for name in bootstrap.secret_names(request)} | changes


def stage(node: Node, request: NodeRequest) -> Any:
    document = bootstrap.settings(request)
    done = node.run("stage", stdin=json.dumps(document))
    assert done.returncode == 0, done.stderr
    return document


def up(node: Node, request: NodeRequest, **changes: str) -> list[str]:
    """Stage and apply; returns what systemctl was asked meanwhile."""
    document = stage(node, request)
    before = len(node.calls)
    given = bootstrap.secrets_document(document, secrets_for(request, **changes))
    done = node.run("apply", stdin=given)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["ready"] is True
    return [call for call in node.calls[before:] if call.startswith("systemctl")]


def restarted(calls: list[str]) -> set[str]:
    return {call.split()[-1] for call in calls if call.startswith("systemctl restart")}


# --- stage


def test_staged_settings_are_kept_and_nothing_is_touched(tmp_path: Path) -> None:
    node = ready_node(tmp_path, proxy_node())
    document = stage(node, proxy_node())
    assert json.loads(node.path("/opt/llm/staged.json").read_text())["digest"] == document["digest"]
    assert not node.path("/opt/llm/gateway").exists()
    assert node.calls == []


def test_the_nodes_own_code_is_brought_up_to_date_by_staging(tmp_path: Path) -> None:
    node = ready_node(tmp_path, proxy_node())
    assert not node.path("/opt/llm/lib/llm_node/apply.py").exists()
    stage(node, proxy_node())
    assert node.path("/opt/llm/lib/llm_node/apply.py").exists()
    assert node.path("/opt/llm/lib/llm_node/system.py").read_text().startswith('"""')


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"digest": 1}', "null", '"x"'])
def test_what_is_no_settings_document_is_refused(tmp_path: Path, text: str) -> None:
    done = ready_node(tmp_path, proxy_node()).run("stage", stdin=text)
    assert done.returncode == 1
    assert done.stderr.startswith("[stage.")
    assert "Traceback" not in done.stderr


def test_settings_that_changed_on_the_way_are_refused(tmp_path: Path) -> None:
    document = bootstrap.settings(proxy_node())
    document["files"][0]["content"] += "x"
    node = ready_node(tmp_path, proxy_node())
    done = node.run("stage", stdin=json.dumps(document))
    assert done.returncode == 1
    assert "[stage.wrong-digest]" in done.stderr
    assert not node.path("/opt/llm/staged.json").exists()


# --- apply: what is refused


def refused(node: Node, text: str) -> str:
    done = node.run("apply", stdin=text)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert PLANTED not in done.stderr + done.stdout
    assert "try:" in done.stderr
    assert not node.path("/srv/llm/secrets").exists()
    return done.stderr.split("]")[0].removeprefix("[")


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", f'{{"secrets": "{PLANTED}"', '{"settings_digest": "x", "secrets": []}']
)
def test_what_is_no_secrets_document_is_refused(tmp_path: Path, text: str) -> None:
    node = ready_node(tmp_path, proxy_node())
    stage(node, proxy_node())
    assert refused(node, text) in ("apply.malformed", "apply.wrong-digest")


def test_secrets_for_other_settings_are_refused(tmp_path: Path) -> None:
    node = ready_node(tmp_path, proxy_node())
    stage(node, proxy_node())
    text = json.dumps({"settings_digest": "0" * 64, "secrets": secrets_for(proxy_node())})
    assert refused(node, text) == "apply.wrong-digest"


def test_missing_secrets_are_named(tmp_path: Path) -> None:
    node = ready_node(tmp_path, proxy_node())
    document = stage(node, proxy_node())
    given = secrets_for(proxy_node()) | {"upstream_openai": " ", "tls_private_key": ""}
    text = json.dumps({"settings_digest": document["digest"], "secrets": given})
    done = node.run("apply", stdin=text)
    assert "[apply.missing-secret] not given: tls_private_key, upstream_openai" in done.stderr
    assert refused(node, text) == "apply.missing-secret"


def test_a_secret_that_would_break_the_environment_file_is_refused(tmp_path: Path) -> None:
    node = ready_node(tmp_path, proxy_node())
    document = stage(node, proxy_node())
    given = secrets_for(proxy_node(), upstream_openai=f"{PLANTED}\nLD_PRELOAD=/x")
    done = node.run("apply", stdin=bootstrap.secrets_document(document, given))
    assert "[apply.bad-secret] upstream_openai" in done.stderr
    assert PLANTED not in done.stderr


def test_one_key_under_two_names_is_refused(tmp_path: Path) -> None:
    node = ready_node(tmp_path, gpu_node())
    document = stage(node, gpu_node())
    given = secrets_for(gpu_node(), gateway_key_app="sk-x", gateway_key_team="sk-x")
    assert "[apply.same-key]" in node.run("apply", stdin=bootstrap.secrets_document(document, given)).stderr


def test_apply_without_settings_is_refused(tmp_path: Path) -> None:
    node = ready_node(tmp_path, proxy_node())
    stage(node, proxy_node())
    node.path("/opt/llm/staged.json").unlink()
    assert refused(node, "{}") == "apply.nothing-staged"


# --- apply: the first time


def test_the_first_apply_puts_everything_in_place(tmp_path: Path) -> None:
    node = ready_node(tmp_path, gpu_node())
    calls = up(node, gpu_node())
    for each in bootstrap.settings(gpu_node())["files"]:
        assert node.path(each["path"]).read_text() == each["content"]
        assert node.path(each["path"]).stat().st_mode & 0o777 == int(each["mode"], 8)
    services = set(bootstrap.settings(gpu_node())["services"])
    assert services <= {call.split()[-1] for call in calls}
    enabled = next(call for call in calls if call.startswith("systemctl enable llm-status"))
    assert services <= set(enabled.split())


def test_secrets_lie_on_the_data_disk_readable_by_nobody_else(tmp_path: Path) -> None:
    node = ready_node(tmp_path, gpu_node())
    up(node, gpu_node())
    found = {each.name: each for each in node.path("/srv/llm/secrets").iterdir() if each.is_file()}
    assert {"tls.crt", "tls.key", "gateway-keys.json", "litellm.env", "weaviate.env", "probe_key"} <= found.keys()
    assert {each.stat().st_mode & 0o777 for each in found.values()} == {0o600}
    assert f"PROXY_KEY={PLANTED}-proxy_key\n" in found["litellm.env"].read_text()
    assert found["weaviate.env"].read_text() == f"AUTHENTICATION_APIKEY_ALLOWED_KEYS={PLANTED}-weaviate_api_key\n"
    assert f"{PLANTED}-proxy_ca" in found["upstream-ca.pem"].read_text()


def test_secrets_are_nowhere_but_in_their_files(tmp_path: Path) -> None:
    node = ready_node(tmp_path, gpu_node())
    up(node, gpu_node())
    for path in node.root.rglob("*"):
        if path.is_file() and "srv/llm/secrets" not in str(path):
            assert PLANTED.encode() not in path.read_bytes(), path


def test_gateway_keys_are_kept_as_hashes_alone(tmp_path: Path) -> None:
    node = ready_node(tmp_path, gpu_node())
    up(node, gpu_node())
    kept = node.path("/srv/llm/secrets/gateway-keys.json").read_text()
    assert PLANTED not in kept
    digest = hashlib.sha256(f"{PLANTED}-gateway_key_app".encode()).hexdigest()
    assert json.loads(kept)[digest] == "app"
    assert sorted(json.loads(kept).values()) == ["app", "node-probe", "team"]


def test_driver_and_kernel_are_held(tmp_path: Path) -> None:
    node = ready_node(tmp_path, gpu_node())
    node.fake(
        "dpkg-query", "echo nvidia-utils-580-server installed; echo linux-image-6.8 installed; echo x not-installed"
    )
    up(node, gpu_node())
    assert "apt-mark hold linux-image-6.8 nvidia-utils-580-server" in node.calls


# --- apply: again


def test_a_second_apply_of_the_same_restarts_nothing_but_the_watch(tmp_path: Path) -> None:
    node = ready_node(tmp_path, gpu_node())
    up(node, gpu_node())
    calls = up(node, gpu_node())
    assert restarted(calls) == {"llm-watch.service"}
    assert [call for call in calls if call.startswith("systemctl stop")] == ["systemctl stop llm-watch.service"]


def test_a_new_context_length_restarts_vllm_alone(tmp_path: Path) -> None:
    node = ready_node(tmp_path, gpu_node())
    up(node, gpu_node())
    request = gpu_node()
    assert request.vllm
    calls = up(node, replace(request, vllm=replace(request.vllm, max_model_len=2048)))
    assert restarted(calls) == {"llm-vllm.service", "llm-watch.service"}
    assert "--max-model-len 2048" in node.path("/etc/systemd/system/llm-vllm.service").read_text()


def test_a_new_gateway_key_restarts_nothing(tmp_path: Path) -> None:
    node = ready_node(tmp_path, gpu_node())
    up(node, gpu_node())
    calls = up(node, gpu_node(), gateway_key_app="sk-new")
    assert restarted(calls) == {"llm-watch.service"}
    assert hashlib.sha256(b"sk-new").hexdigest() in node.path("/srv/llm/secrets/gateway-keys.json").read_text()


def test_a_new_certificate_restarts_caddy_alone(tmp_path: Path) -> None:
    node = ready_node(tmp_path, gpu_node())
    up(node, gpu_node())
    assert restarted(up(node, gpu_node(), tls_certificate="new")) == {"llm-caddy.service", "llm-watch.service"}


def test_a_new_upstream_key_restarts_litellm_alone(tmp_path: Path) -> None:
    node = ready_node(tmp_path, proxy_node())
    up(node, proxy_node())
    calls = up(node, proxy_node(), upstream_openai="sk-new")
    assert restarted(calls) == {"llm-litellm.service", "llm-watch.service"}


def test_keys_that_the_node_made_for_itself_stay(tmp_path: Path) -> None:
    node = ready_node(tmp_path, proxy_node())
    up(node, proxy_node())
    made = node.path("/srv/llm/secrets/probe_key").read_text()
    up(node, proxy_node())
    assert node.path("/srv/llm/secrets/probe_key").read_text() == made
    assert len(made) > 60


def test_a_new_model_makes_the_stages_look_again(tmp_path: Path) -> None:
    node = ready_node(tmp_path, gpu_node())
    up(node, gpu_node())
    request = gpu_node()
    assert request.vllm
    calls = up(
        node, replace(request, vllm=replace(request.vllm, model_id="Qwen/Qwen3-4B", modelscope_id="Qwen/Qwen3-4B"))
    )
    assert [call for call in calls if call.startswith("systemctl stop") and "llm-weights.service" in call]
    assert "llm-vllm.service" in restarted(calls)
    assert "Qwen--Qwen3-4B" in node.path("/opt/llm/node.json").read_text()


def test_what_is_no_longer_wanted_is_stopped_and_removed(tmp_path: Path) -> None:
    node = ready_node(tmp_path, gpu_node())
    up(node, gpu_node())
    request = replace(gpu_node(), weaviate=None)
    request = replace(request, gateway=replace(request.gateway, vectors_https_port=None, vectors_grpc_port=None))
    calls = up(node, request)
    assert "systemctl disable --now llm-weaviate.service" in calls
    assert not node.path("/etc/systemd/system/llm-weaviate.service").exists()
    assert not node.path("/srv/llm/secrets/weaviate.env").exists()
    assert "llm-caddy.service" in restarted(calls)


def test_a_token_that_is_taken_back_is_removed(tmp_path: Path) -> None:
    node = ready_node(tmp_path, gpu_node())
    up(node, gpu_node(), hf_token="hf_x")
    assert node.path("/srv/llm/secrets/hf_token").read_text() == "hf_x\n"
    up(node, gpu_node())
    assert not node.path("/srv/llm/secrets/hf_token").exists()


# --- apply: when something is in the way


@pytest.mark.parametrize("name", ["disk", "weights", "serve"])
def test_what_fails_ends_apply_with_its_code_and_hint(tmp_path: Path, name: str) -> None:
    code = {"disk": "disk.absent", "weights": "weights.gated", "serve": "vllm.out-of-memory"}[name]
    outcome = {"stage": name, "state": "failed", "code": code, "message": "so it is"}
    (tmp_path / f"outcome-{name}").write_text(json.dumps(outcome))
    node = ready_node(tmp_path, gpu_node())
    document = stage(node, gpu_node())
    done = node.run("apply", stdin=bootstrap.secrets_document(document, secrets_for(gpu_node())))
    assert done.returncode == 1
    assert f"[{code}] {name}: so it is" in done.stderr
    assert "try:" in done.stderr


def test_a_stage_that_failed_before_is_tried_again(tmp_path: Path) -> None:
    node = ready_node(tmp_path, proxy_node())
    stages = node.path("/run/llm/stages")
    stages.mkdir(parents=True)
    old = {"stage": "base", "state": "failed", "code": "apt.locked", "message": "old", "started": "x", "updated": "x"}
    (stages / "base.json").write_text(json.dumps(old))
    up(node, proxy_node())
    assert node.stage("base")["state"] == "done"


def test_an_interrupted_apply_is_finished_by_the_next(tmp_path: Path) -> None:
    node = ready_node(tmp_path, gpu_node())
    up(node, gpu_node())
    node.path("/etc/systemd/system/llm-vllm.service").unlink()
    node.path("/srv/llm/secrets/tls.key").write_text("half")
    assert {"llm-vllm.service", "llm-caddy.service"} <= restarted(up(node, gpu_node()))


def test_a_new_route_restarts_litellm(tmp_path: Path) -> None:
    node = ready_node(tmp_path, proxy_node())
    up(node, proxy_node())
    request = proxy_node()
    more = Route(model_name="gpt-4o", litellm_model="openai/gpt-4o", secret="upstream_openai")
    changed = replace(request, gateway=replace(request.gateway, routes=(*request.gateway.routes, more)))
    assert restarted(up(node, changed)) == {"llm-litellm.service", "llm-watch.service"}


def test_a_vector_node_needs_no_litellm(tmp_path: Path) -> None:
    node = ready_node(tmp_path, vector_node())
    calls = up(node, vector_node())
    assert not [call for call in calls if "litellm" in call]
