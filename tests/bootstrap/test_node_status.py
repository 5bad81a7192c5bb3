"""The status document follows its schema at every point of a boot, and neither it nor the logs tell a secret."""

import hashlib
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from pulumi_llm.roles import rayed
from pulumi_llm.roles.files import data
from tests.bootstrap.samples import SAMPLES, Node, gpu_node, proxy_node, supplied

PLANTED = {
    "hf_token": "hf_PlantedPlantedPlanted",
    "tls.key": "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIPlantedPlantedPlantedPlanted\n-----END EC PRIVATE KEY-----",
    "gate.env": "UPSTREAM_OPENAI=sk-planted-upstream-key-0123456789\nPROXY_KEY=planted.proxy.key",
    "weaviate.env": "AUTHENTICATION_APIKEY_ALLOWED_KEYS=PlantedWeaviateKey",
    "probe_key": "planted-probe-key-without-a-shape",
}
RAY_TOKEN = "PlantedTokenOfRay0123456789"
CLIENT_KEY = "PlantedClientKeyThatHasNoPrefix1234"
SECRETS = [
    "hf_PlantedPlantedPlanted",
    "MHcCAQEEIPlantedPlantedPlantedPlanted",
    "sk-planted-upstream-key-0123456789",
    "planted.proxy.key",
    "PlantedWeaviateKey",
    "planted-probe-key-without-a-shape",
    RAY_TOKEN,
    CLIENT_KEY,
    "sk-never-stored-anywhere-at-all",
    "planted-bearer-token",
    "user:planted-password",
]
LOG = "\n".join(
    [
        *(f"2026-11-25T04:00:00+0000 vllm[1]: refused {secret}!" for secret in SECRETS[:9]),
        "2026-11-25T04:00:00+0000 vllm[1]: Authorization: Bearer planted-bearer-token",
        "2026-11-25T04:00:00+0000 uv[1]: GET https://user:planted-password@mirror.example.com/simple",
        "2026-11-25T04:00:01+0000 vllm[1]: Loading safetensors checkpoint shards: 50%",
    ]
)


def valid(document: Any) -> None:
    jsonschema.Draft202012Validator(data("node/status.schema.json")).validate(document)


def shown(node: Node) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(node.run("status").stdout)
    valid(document)
    return document


def test_the_schema_is_a_schema_and_can_refuse() -> None:
    schema = data("node/status.schema.json")
    jsonschema.Draft202012Validator.check_schema(schema)
    with pytest.raises(jsonschema.ValidationError):
        valid({"schema": 1, "node": "x"})


@pytest.mark.parametrize("name", SAMPLES)
def test_a_node_that_has_done_nothing_yet_has_a_valid_document(tmp_path: Path, name: str) -> None:
    document = shown(supplied(tmp_path, SAMPLES[name]))
    assert (document["ready"], document["state"]) == (False, "waiting")
    assert document["stages"][-1]["stage"] == "serve"


@pytest.mark.parametrize(
    ("call", "stage", "state"),
    [
        ("status.record('disk', 'running')", "disk", "running"),
        ("status.record('disk', 'failed', code='disk.absent', message='none')", "disk", "failed"),
        ("status.record('weights', 'running', progress={'done': 5, 'total': 10, 'percent': 50})", "weights", "running"),
        (
            "status.record('python', 'running', code='python.index-slow', message='x', progress=None)",
            "python",
            "running",
        ),
        ("status.record('serve', 'done')", "serve", "done"),
    ],
)
def test_each_state_of_a_stage_gives_a_valid_document(tmp_path: Path, call: str, stage: str, state: str) -> None:
    node = supplied(tmp_path, gpu_node())
    assert node.python(f"from llm_node import status; {call}") == ""
    document = shown(node)
    assert (document["stage"], document["state"]) == (stage, state)
    assert document == node.status
    assert document["ready"] == (stage == "serve")


def test_the_stages_failure_comes_before_anothers_progress(tmp_path: Path) -> None:
    node = supplied(tmp_path, gpu_node())
    progress = "progress={'done': 5, 'total': 10, 'percent': 50}"
    node.python(
        f"from llm_node import status; status.record('weights', 'running', {progress});"
        "status.record('driver', 'failed', code='driver.no-gpu', message='none')"
    )
    assert shown(node)["code"] == "driver.no-gpu"
    assert shown(node)["stages"][2]["progress"]["percent"] == 50


# --- logs


def logging_node(root: Path, log: str = LOG) -> Node:
    node = supplied(root, gpu_node())
    folder = node.path("/srv/llm/secrets")
    folder.mkdir(parents=True)
    for name, value in PLANTED.items():
        (folder / name).write_text(value + "\n")
    token = node.path(rayed.TOKEN_FILE)
    token.parent.mkdir(parents=True)
    token.write_text(RAY_TOKEN + "\n")
    keys = {hashlib.sha256(CLIENT_KEY.encode()).hexdigest(): "app"}
    (folder / "gateway-keys.json").write_text(json.dumps(keys))
    (node.root / "log").write_text(log + "\n")
    node.fake("journalctl", f"cat {node.root}/log")
    units = node.path("/etc/systemd/system")
    units.mkdir(parents=True, exist_ok=True)
    for name in ("python", "vllm", "weaviate", "weights"):
        (units / f"llm-{name}.service").write_text("")
    return node


@pytest.mark.parametrize("stage", [(), ("python",), ("vllm",)])
def test_logs_are_shown_by_one_command_without_secrets(tmp_path: Path, stage: tuple[str, ...]) -> None:
    done = logging_node(tmp_path).run("logs", *stage)
    assert done.returncode == 0, done.stderr
    assert [each for each in SECRETS if each in done.stdout] == []
    assert "Loading safetensors checkpoint shards: 50%" in done.stdout
    assert done.stdout.count("[secret]") == len(SECRETS)
    assert "@mirror.example.com" in done.stdout or "[secret]mirror.example.com" in done.stdout


def test_logs_are_those_of_the_stage_that_was_asked_for(tmp_path: Path) -> None:
    node = logging_node(tmp_path)
    node.run("logs", "python")
    assert "--unit=llm-python.service" in node.calls[-1]
    node.run("logs")
    assert "--unit=llm-*.service" in node.calls[-1]


def test_logs_of_what_does_not_exist_are_refused_with_what_does(tmp_path: Path) -> None:
    done = logging_node(tmp_path).run("logs", "../../etc/passwd")
    assert done.returncode == 1
    assert "[node.unknown-stage]" in done.stderr
    assert "there are: disk, python, vllm, weaviate, weights" in done.stderr


def test_the_document_carries_the_last_lines_of_what_is_at_work_without_secrets(tmp_path: Path) -> None:
    node = logging_node(tmp_path, "\n".join([LOG, *(f"line {n} " + "x" * 500 for n in range(15))]))
    node.python(
        "from llm_node import status, logs; status.record('python', 'running'); logs.refresh(); status.publish()"
    )
    document = shown(node)
    assert len(document["log"]) == 20
    assert document["log"][-1].startswith("line 14 ")
    assert [each for each in SECRETS if each in json.dumps(document)] == []


def test_the_log_is_empty_once_the_node_is_ready(tmp_path: Path) -> None:
    node = logging_node(tmp_path)
    node.python(
        "from llm_node import status, logs, system\n"
        "for each in [*system.node()['stages'], 'serve']: status.record(each, 'done')\nlogs.refresh(); status.publish()"
    )
    assert shown(node)["log"] == []
    assert node.calls == []


def test_vllms_log_is_shown_only_until_it_serves_and_only_of_this_start(tmp_path: Path) -> None:
    node = logging_node(tmp_path)
    node.fake("systemctl", "echo 0123456789abcdef")
    node.python("from llm_node import status, logs; status.record('serve', 'running'); logs.refresh()")
    assert "_SYSTEMD_INVOCATION_ID=0123456789abcdef" in node.calls[-1]
    assert not [call for call in node.calls if call.startswith("journalctl") and "gate" in call]


def test_what_a_dying_service_said_is_told_without_secrets(tmp_path: Path) -> None:
    node = logging_node(tmp_path)
    node.fake("systemctl", "echo ActiveState=failed; echo SubState=failed; echo NRestarts=4")
    said = node.python(
        "from llm_node import watch, system\n"
        "try: watch.alive('llm-vllm.service')\nexcept system.Failure as f: print(f.message)"
    )
    assert "started 4 times" in said
    assert [each for each in SECRETS if each in said] == []


def test_a_proxy_has_logs_too(tmp_path: Path) -> None:
    node = supplied(tmp_path, proxy_node())
    node.fake("journalctl", "echo hello")
    assert node.run("logs").stdout == "hello\n"
