"""Settings and secrets arrive, are checked, put in force, and end in `ready` or in a code."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pulumi_llm import _bootstrap as bootstrap
from pulumi_llm._bootstrap import BackupRole, NodeRequest, Route
from pulumi_llm.roles.backup import CONFIG
from tests.bootstrap.samples import (
    MINI,
    Node,
    booted,
    chat_node,
    gateway_of,
    gpu_node,
    proxy_node,
    vector_node,
    vllm_of,
    without,
)

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
        *.socket|llm-vllm.service|llm-gate.service|llm-caddy.service|llm-status.service|llm-weaviate.service) continue;;
        llm-*.service) ;;
        *) continue;;
      esac
      mkdir -p "$root/run/llm/stages"
      if [ -e "$root/outcome-$name" ] && grep -rqs -f "$root/outcome-when" "$root/opt/llm/node.json" \\
        "$root/etc/systemd/system"; then cp "$root/outcome-$name" "$root/run/llm/stages/$name.json"
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
    for name in ("systemd-sysusers", "apt-mark", "dpkg-query", "journalctl"):
        node.fake(name, "exit 0")
    (root / "outcome-when").write_text("LLM\\|llm\n")
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
    assert {"tls.crt", "tls.key", "gateway-keys.json", "upstream.env", "weaviate.env", "probe_key"} <= found.keys()
    assert {each.stat().st_mode & 0o777 for each in found.values()} == {0o600}
    assert f"PROXY_KEY={PLANTED}-proxy_key\n" in found["upstream.env"].read_text()
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


def test_a_new_node_starts_its_models_once_before_it_has_installed_what_others_need(tmp_path: Path) -> None:
    node = ready_node(tmp_path, chat_node())
    calls = up(node, chat_node())
    units = bootstrap.settings(chat_node())["ahead"]["units"]
    assert units == ["llm-vllm.service"]
    begun = [call for call in calls if call.split()[-1] in units and "restart" in call]
    assert begun == [f"systemctl restart --no-block {each}" for each in units]
    assert calls.index(begun[-1]) < calls.index("systemctl stop llm-watch.service")


def test_a_unit_that_starts_ahead_waits_for_every_stage_that_its_role_brings(tmp_path: Path) -> None:
    for request in (gpu_node(), chat_node()):
        document = bootstrap.settings(request)
        files = {each["path"]: each["content"] for each in document["files"]}
        assert {*document["ahead"]["files"]} <= {each["path"] for each in document["files"] if not each["early"]}
        for unit in document["ahead"]["units"]:
            text = files[f"/etc/systemd/system/{unit}"]
            for key in ("After", "Wants"):
                waited = next(line for line in text.splitlines() if line.startswith(f"{key}=")).split()
                assert {"llm-driver.service", "llm-python.service"} <= {each.removeprefix(f"{key}=") for each in waited}
                assert any("llm-weights" in each or "llm-models" in each for each in waited)


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
    calls = up(node, request.having(replace(vllm_of(request), max_model_len=2048)))
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


def test_a_new_upstream_key_restarts_nothing(tmp_path: Path) -> None:
    node = ready_node(tmp_path, proxy_node())
    up(node, proxy_node())
    calls = up(node, proxy_node(), upstream_openai="sk-new")
    assert restarted(calls) == {"llm-watch.service"}


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
    calls = up(node, request.having(replace(vllm_of(request), model_id="Qwen/Qwen3-4B", modelscope_id="Qwen/Qwen3-4B")))
    assert [call for call in calls if call.startswith("systemctl stop") and "llm-weights.service" in call]
    assert "llm-vllm.service" in restarted(calls)
    assert "Qwen--Qwen3-4B" in node.path("/opt/llm/node.json").read_text()


def test_what_is_no_longer_wanted_is_stopped_and_removed(tmp_path: Path) -> None:
    node = ready_node(tmp_path, gpu_node())
    up(node, gpu_node())
    request = without(gpu_node(), "weaviate")
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


def killed(node: Node, name: str, times: int) -> None:
    """Let a stage's program be killed so often, each time after it noted that it is at work."""
    root, at_work = node.root, {"stage": name, "state": "running", "started": "x", "updated": "x"}
    node.fake("calm-systemctl", SYSTEMCTL.format(root=root))
    (root / "kills").write_text("x\n" * times)
    script = f"""
calm-systemctl "$@"; code=$?
case "$*" in
  "start "*"llm-{name}.service"*)
    if [ -s {root}/kills ]; then sed -i 1d {root}/kills; touch {root}/dead
      echo '{json.dumps(at_work)}' > {root}/run/llm/stages/{name}.json
    else rm -f {root}/dead; fi;;
  "is-failed "*"llm-{name}.service") [ -e {root}/dead ]; exit;;
esac
exit $code
"""
    node.fake("systemctl", script)


def test_a_stage_that_was_killed_is_started_again_with_those_that_wait_for_it(tmp_path: Path) -> None:
    node = ready_node(tmp_path, proxy_node())
    killed(node, "base", 2)
    up(node, proxy_node())
    assert node.stage("base")["state"] == "done"
    starts = [call for call in node.calls if call.startswith("systemctl start") and "llm-base.service" in call]
    assert len(starts) == 3
    assert all("llm-services.service" in call for call in starts)


def test_a_stage_that_is_killed_again_and_again_is_named(tmp_path: Path) -> None:
    node = ready_node(tmp_path, proxy_node())
    killed(node, "base", 99)
    document = stage(node, proxy_node())
    done = node.run("apply", stdin=bootstrap.secrets_document(document, secrets_for(proxy_node())))
    assert done.stderr.splitlines()[-1].startswith("[base.unit-failed] llm-base.service ended before")


def test_an_interrupted_apply_is_finished_by_the_next(tmp_path: Path) -> None:
    node = ready_node(tmp_path, gpu_node())
    up(node, gpu_node())
    node.path("/etc/systemd/system/llm-vllm.service").unlink()
    node.path("/srv/llm/secrets/tls.key").write_text("half")
    assert {"llm-vllm.service", "llm-caddy.service"} <= restarted(up(node, gpu_node()))


def test_a_new_route_restarts_nothing(tmp_path: Path) -> None:
    node = ready_node(tmp_path, proxy_node())
    up(node, proxy_node())
    request = proxy_node()
    more = Route(name="gpt-6-sol", targets=(replace(MINI, model="gpt-6-sol"),))
    gateway = gateway_of(request)
    changed = request.having(replace(gateway, routes=(*gateway.routes, more)))
    assert restarted(up(node, changed)) == {"llm-watch.service"}


def test_what_changes_of_the_gateway_restarts_it_and_leaves_its_socket_to_the_callers_who_wait(tmp_path: Path) -> None:
    node = ready_node(tmp_path, proxy_node())
    up(node, proxy_node())
    node.path("/opt/llm/gateway/llm_gate/store.py").write_text("another")
    assert restarted(up(node, proxy_node())) == {"llm-gate.service", "llm-watch.service"}


def test_a_socket_that_is_new_is_opened_before_its_service_starts_anew(tmp_path: Path) -> None:
    """systemd refuses to open one for a service that runs, as an older node's gateway does when this one arrives."""
    node = ready_node(tmp_path, proxy_node())
    up(node, proxy_node())
    node.path("/etc/systemd/system/llm-gate.socket").unlink()
    calls = [each.split()[-1] for each in up(node, proxy_node()) if each.startswith("systemctl restart")]
    assert calls == ["llm-gate.socket", "llm-gate.service", "llm-watch.service"]


def test_a_vector_node_needs_no_gateway(tmp_path: Path) -> None:
    node = ready_node(tmp_path, vector_node())
    calls = up(node, vector_node())
    assert not [call for call in calls if "llm-gate.service" in call]


def test_a_failure_is_one_line_with_code_message_and_hint(tmp_path: Path) -> None:
    outcome = {"stage": "weights", "state": "failed", "code": "weights.gated", "message": "HTTP Error 401"}
    (tmp_path / "outcome-weights").write_text(json.dumps(outcome))
    node = ready_node(tmp_path, gpu_node())
    document = stage(node, gpu_node())
    done = node.run("apply", stdin=bootstrap.secrets_document(document, secrets_for(gpu_node())))
    last = done.stderr.splitlines()[-1]
    assert last.startswith("[weights.gated] weights: HTTP Error 401 -- try: accept the model's terms")


def test_a_node_that_is_not_ready_in_time_says_what_it_is_at(tmp_path: Path) -> None:
    outcome = {"stage": "weights", "state": "running", "progress": {"done": 1, "total": 2, "percent": 50}}
    (tmp_path / "outcome-weights").write_text(json.dumps(outcome))
    node = ready_node(tmp_path, gpu_node())
    document = stage(node, gpu_node())
    done = node.run("apply", "0.005", stdin=bootstrap.secrets_document(document, secrets_for(gpu_node())))
    assert done.returncode == 1
    assert "[apply.timeout] not ready after 0 minutes: weights 50 %" in done.stderr


# --- apply: the way back


def fails(root: Path, name: str, code: str, when: str) -> None:
    """Let a stage (or ``serve``) fail as long as the node's files say ``when``."""
    outcome = {"stage": name, "state": "failed", "code": code, "message": "so it is"}
    (root / f"outcome-{name}").write_text(json.dumps(outcome))
    (root / "outcome-when").write_text(when + "\n")


def with_vllm(**changes: Any) -> NodeRequest:
    request = gpu_node()
    return request.having(replace(vllm_of(request), **changes))


def refused_change(node: Node, request: NodeRequest, **changes: str) -> str:
    document = stage(node, request)
    done = node.run("apply", stdin=bootstrap.secrets_document(document, secrets_for(request, **changes)))
    assert done.returncode == 1
    return done.stderr.splitlines()[-1]


def test_flags_that_vllm_does_not_start_with_are_taken_back(tmp_path: Path) -> None:
    node = ready_node(tmp_path, gpu_node())
    up(node, gpu_node())
    unit = node.path("/etc/systemd/system/llm-vllm.service")
    before = unit.read_text()
    fails(tmp_path, "serve", "vllm.out-of-memory", "--max-model-len 99999")
    said = refused_change(node, with_vllm(max_model_len=99999))
    assert said.startswith("[vllm.out-of-memory] serve: so it is; the last good configuration is running again")
    assert "-- try: lower context_length" in said
    assert unit.read_text() == before
    assert json.loads(node.run("status").stdout)["ready"] is True
    assert node.calls.count("systemctl restart --no-block llm-vllm.service") == 3  # at first, with the flags, and back


def test_that_a_change_was_taken_back_is_told_until_the_next_one(tmp_path: Path) -> None:
    node = ready_node(tmp_path, gpu_node())
    up(node, gpu_node())
    change = node.path("/run/llm/change.json")
    assert not change.exists()
    fails(tmp_path, "serve", "vllm.out-of-memory", "--max-model-len 99999")
    refused_change(node, with_vllm(max_model_len=99999))
    told = json.loads(change.read_text())
    assert (told["state"], told["code"], told["message"]) == ("failed", "vllm.out-of-memory", "serve: so it is")
    assert told["hint"].startswith("lower context_length")
    up(node, with_vllm(max_model_len=2048))
    assert not change.exists()


def test_a_model_that_cannot_be_had_leaves_the_old_one_serving(tmp_path: Path) -> None:
    node = ready_node(tmp_path, gpu_node())
    up(node, gpu_node())
    machine, unit = node.path("/opt/llm/node.json"), node.path("/etc/systemd/system/llm-vllm.service")
    before = machine.read_text(), unit.read_text()
    count = len(node.calls)
    fails(tmp_path, "weights", "weights.gated", "Qwen3-4B")
    said = refused_change(node, with_vllm(model_id="Qwen/Qwen3-4B", modelscope_id="Qwen/Qwen3-4B"))
    assert "[weights.gated]" in said
    assert "the last good configuration is running again" in said
    assert (machine.read_text(), unit.read_text()) == before
    assert not [call for call in node.calls[count:] if "restart --no-block llm-vllm" in call]


def test_secrets_are_taken_back_with_the_settings(tmp_path: Path) -> None:
    node = ready_node(tmp_path, gpu_node())
    up(node, gpu_node(), hf_token="hf_old")
    fails(tmp_path, "serve", "vllm.crashes", "--max-model-len 99999")
    changed = {"proxy_key": "sk-new", "hf_token": "hf_new", "gateway_key_app": "sk-new-app"}
    refused_change(node, with_vllm(max_model_len=99999), **changed)
    secrets = node.path("/srv/llm/secrets")
    assert (secrets / "hf_token").read_text() == "hf_old\n"
    assert f"PROXY_KEY={PLANTED}-proxy_key\n" in (secrets / "upstream.env").read_text()
    keys = json.loads((secrets / "gateway-keys.json").read_text())
    assert hashlib.sha256(b"sk-new-app").hexdigest() not in keys


def test_what_was_taken_away_comes_back_with_the_old_configuration(tmp_path: Path) -> None:
    node = ready_node(tmp_path, gpu_node())
    up(node, gpu_node())
    request = with_vllm(max_model_len=99999)
    fails(tmp_path, "serve", "vllm.crashes", "--max-model-len 99999")
    refused_change(node, without(request, "weaviate"))
    assert node.path("/etc/systemd/system/llm-weaviate.service").exists()
    assert node.path("/srv/llm/secrets/weaviate.env").exists()


def test_an_old_configuration_that_fails_too_is_said_to(tmp_path: Path) -> None:
    node = ready_node(tmp_path, gpu_node())
    up(node, gpu_node())
    fails(tmp_path, "serve", "vllm.gpu-memory-taken", "llm")
    said = refused_change(node, with_vllm(max_model_len=99999))
    assert "does not come back either: [vllm.gpu-memory-taken]" in said


def test_the_first_configuration_has_nothing_to_go_back_to(tmp_path: Path) -> None:
    node = ready_node(tmp_path, gpu_node())
    fails(tmp_path, "serve", "vllm.crashes", "llm")
    assert "last good" not in refused_change(node, gpu_node())


def test_a_good_configuration_that_breaks_later_is_not_replaced_by_itself(tmp_path: Path) -> None:
    node = ready_node(tmp_path, gpu_node())
    up(node, gpu_node())
    fails(tmp_path, "serve", "vllm.crashes", "llm")
    assert "last good" not in refused_change(node, gpu_node())


def test_a_bad_secret_is_refused_before_anything_is_touched(tmp_path: Path) -> None:
    node = ready_node(tmp_path, gpu_node())
    up(node, gpu_node())
    count = len(node.calls)
    assert refused_change(node, with_vllm(max_model_len=2048), proxy_key="a b").startswith("[apply.bad-secret]")
    assert node.calls[count:] == []


# --- apply: keys


def keys_of(node: Node) -> dict[str, str]:
    found: dict[str, str] = json.loads(node.path("/srv/llm/secrets/gateway-keys.json").read_text())
    return found


def of(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def test_a_replaced_key_stays_valid_beside_the_new_one_until_its_time_is_over(tmp_path: Path) -> None:
    node = ready_node(tmp_path, gpu_node())
    up(node, gpu_node(), gateway_key_app="sk-old")
    calls = up(node, gpu_node(), gateway_key_app="sk-new")
    assert restarted(calls) == {"llm-watch.service"}
    assert keys_of(node)[of("sk-old")] == keys_of(node)[of("sk-new")] == "app"
    up(node, gpu_node(), gateway_key_app="sk-new")
    assert of("sk-old") in keys_of(node), "an apply in between gives it no more time, and takes none"
    node.python("from llm_node import keys; keys.retire()")
    assert of("sk-old") in keys_of(node)
    code = "import time; now = time.time(); time.time = lambda: now + 901\nfrom llm_node import keys; keys.retire()"
    assert node.python(code) == ""
    assert of("sk-old") not in keys_of(node)
    assert of("sk-new") in keys_of(node)


def test_a_key_whose_name_is_taken_away_stops_at_once(tmp_path: Path) -> None:
    node = ready_node(tmp_path, gpu_node())
    up(node, gpu_node(), gateway_key_team="sk-team")
    request = gpu_node()
    gateway = gateway_of(request)
    fewer = request.having(replace(gateway, keys=gateway.keys[:1]))
    up(node, fewer)
    assert of("sk-team") not in keys_of(node)


# --- apply: one at a time


def test_an_apply_that_nobody_listens_to_makes_way_for_the_next(tmp_path: Path) -> None:
    import subprocess
    import sys

    node = ready_node(tmp_path, gpu_node())
    document = stage(node, gpu_node())
    lock = "import fcntl, sys, time; f = open(sys.argv[1], 'a'); fcntl.flock(f, 2); print(flush=True); time.sleep(60)"
    path = str(node.path("/run/llm/apply.lock"))
    with subprocess.Popen([sys.executable, "-c", lock, path], stdout=subprocess.PIPE) as orphan:
        assert orphan.stdout
        orphan.stdout.readline()
        node.path("/run/llm/apply.alone").write_text(str(orphan.pid))
        given = bootstrap.secrets_document(document, secrets_for(gpu_node()))
        assert node.run("apply", stdin=given).returncode == 0
        assert orphan.wait() == -15
    assert not node.path("/run/llm/apply.alone").exists()


def test_two_applies_are_not_mixed(tmp_path: Path) -> None:
    import fcntl

    node = ready_node(tmp_path, gpu_node())
    document = stage(node, gpu_node())
    with node.path("/run/llm/apply.lock").open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        given = bootstrap.secrets_document(document, secrets_for(gpu_node()))
        done = node.run("apply", stdin=given, LLM_POLL_SECONDS="0.001")
    assert "[apply.busy]" in done.stderr


# --- what a change leaves behind


def lay(node: Node, name: str, size: int = 10, whole: bool = True) -> Path:
    folder = node.path(f"/srv/llm/models/{name}")
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(b"x" * size)
    if whole:
        (folder / "complete.json").write_text('{"files": {}}')
    return folder


def test_old_weights_stay_until_the_new_ones_are_ready_and_older_ones_go(tmp_path: Path) -> None:
    node = ready_node(tmp_path, gpu_node())
    up(node, gpu_node())
    yi = lay(node, "01-ai--Yi-6B-Chat--main")
    older, part = lay(node, "older--model--main"), lay(node, "given--up--main.part", whole=False)
    not_ours = lay(node, "somebodys-own", whole=False)
    request = with_vllm(model_id="Qwen/Qwen3-4B", modelscope_id="Qwen/Qwen3-4B")
    fails(tmp_path, "serve", "vllm.crashes", "Qwen3-4B")
    refused_change(node, request)
    assert yi.exists()
    (tmp_path / "outcome-serve").unlink()
    up(node, request)
    assert not older.exists()
    assert not part.exists()
    assert not_ours.exists(), "only folders with our manifest are deleted"


@pytest.mark.parametrize(("free", "stays"), [(0.5, True), (0.1, False)])
def test_the_model_before_stays_as_long_as_there_is_room(tmp_path: Path, free: float, stays: bool) -> None:
    node = ready_node(tmp_path, gpu_node())
    stage(node, gpu_node())
    before = lay(node, "01-ai--Yi-6B-Chat--main")
    lay(node, "Qwen--Qwen3-4B--main")
    for name, request in (("old", gpu_node()), ("new", with_vllm(model_id="Qwen/Qwen3-4B", modelscope_id=None))):
        (tmp_path / name).write_text(json.dumps(bootstrap.settings(request)))
    said = node.python(
        "import json, shutil, types\nfrom llm_node import sweep\n"
        f"shutil.disk_usage = lambda _: types.SimpleNamespace(free={free}, total=1)\n"
        f"sweep.after(json.load(open({str(tmp_path / 'new')!r})), json.load(open({str(tmp_path / 'old')!r})))"
    )
    assert said == ""
    assert before.exists() == stays
    assert node.path("/srv/llm/models/Qwen--Qwen3-4B--main").exists()


def test_environments_of_other_versions_go_once_the_change_is_ready(tmp_path: Path) -> None:
    node = ready_node(tmp_path, gpu_node())
    old = node.path("/opt/llm/venv/vllm-0.31.0")
    now = node.path("/opt/llm/venv/vllm-0.32.0")
    for each in (old, now):
        each.mkdir(parents=True)
    up(node, gpu_node())
    assert not old.exists()
    assert now.exists()


# --- before an upgrade


def test_an_upgrade_waits_for_a_backup_and_changes_nothing_where_it_fails(tmp_path: Path) -> None:
    """Real versitygw and a real archive: tests/backups/test_bucket.py."""
    target = {"url": "https://kept.example.com", "region": "cn-hangzhou", "prefix": "p", "keep": 7}
    request = vector_node().having(BackupRole(engine="weaviate", target=target, hours=24))
    node = ready_node(tmp_path, request)
    up(node, request)
    document = stage(node, request)
    (config,) = (each for each in document["files"] if each["path"] == CONFIG)
    older = json.loads(config["content"]) | {"version": "1.38.1"}
    good = json.loads(node.path("/opt/llm/good.json").read_text())
    node.path(CONFIG).write_text(json.dumps(older))
    last = {"error": {"code": "backup.no-room", "message": "the disk is full"}, "scheduled": True}
    node.path("/srv/llm/backup").mkdir(parents=True, exist_ok=True)
    word = f"[ \"$2\" != llm-backup.service ] || echo '{json.dumps(last)}' > {node.path('/srv/llm/backup/last.json')}"
    node.fake("systemctl", f"{word}\n{SYSTEMCTL.format(root=tmp_path)}")
    given = bootstrap.secrets_document(document, secrets_for(request))
    before = len(node.calls)
    done = node.run("apply", stdin=given)
    assert done.returncode == 1
    assert "[backup.none-before-upgrade]" in done.stderr
    assert "Weaviate 1.38.1 becomes" in done.stderr
    assert "[backup.no-room] the disk is full; nothing is changed" in done.stderr
    assert node.calls[before:] == ["systemctl start llm-backup.service"]
    assert json.loads(node.path(CONFIG).read_text()) == older
    assert json.loads(node.path("/opt/llm/good.json").read_text()) == good
    made = json.dumps({"id": "made", "scheduled": True})
    node.fake("systemctl", f"{word.replace(json.dumps(last), made)}\n{SYSTEMCTL.format(root=tmp_path)}")
    assert node.run("apply", stdin=given).returncode == 0
    assert json.loads(node.path(CONFIG).read_text()) == json.loads(config["content"])
