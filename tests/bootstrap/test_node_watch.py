"""Ready means that a real completion came back; and the status page asks for a key."""

import hashlib
import json
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from pulumi_llm import _bootstrap as bootstrap
from pulumi_llm.roles.requests import NodeRequest, VllmRole
from tests.bootstrap.samples import Node, booted, gpu_node, serve

KEY = "sk-probe"
ACTIVE = "echo ActiveState=active; echo SubState=running; echo NRestarts=0"


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of our own, for a name that loopback does not have."""
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
         "-keyout", folder / "tls.key", "-out", folder / "tls.crt", "-days", "2", "-subj", "/CN=llm",
         "-addext", "subjectAltName=IP:203.0.113.7"],
        check=True, capture_output=True,
    )  # fmt: skip
    return folder


@contextmanager
def gateway(folder: Path, completion: int = 200, guarded: bool = True, vectors: bool = True) -> Iterator[int]:
    """A gateway's outside: TLS, keys, one model."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def reply(self, code: int, body: Any) -> None:
            text = json.dumps(body).encode()
            self.send_response(code)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def do_GET(self) -> None:
            known = self.headers.get("Authorization") == f"Bearer {KEY}" or not guarded
            self.reply(200 if known else 401, {})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            assert body["model"] == "yi-6b-chat"
            if self.path == "/v1/embeddings":
                self.reply(200, {"data": [{"embedding": [0.5]}] if vectors else []})
                return
            assert self.path == "/v1/chat/completions"
            self.reply(completion, {"choices": [{"message": {"content": "pong"}}]} if completion == 200 else {})

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "tls.crt", folder / "tls.key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


class Healthy(BaseHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()


def watched(root: Path, certificate: Path, port: int, health: str, request: NodeRequest | None = None) -> Node:
    node = booted(root, gpu_node())
    document = bootstrap.settings(request or gpu_node())
    assert node.run("stage", stdin=json.dumps(document)).returncode == 0
    now = {each["path"]: each["content"] for each in document["files"]}
    want = json.loads(now["/opt/llm/watch.json"])
    want |= {"https_port": port, "health": dict.fromkeys(want["health"], health)}
    node.path("/opt/llm/watch.json").write_text(json.dumps(want))
    node.path("/opt/llm/signs.json").write_text(now["/opt/llm/signs.json"])
    secrets = node.path("/srv/llm/secrets")
    secrets.mkdir(parents=True)
    (secrets / "tls.crt").write_bytes((certificate / "tls.crt").read_bytes())
    (secrets / "probe_key").write_text(KEY)
    node.fake("systemctl", ACTIVE)
    node.fake("journalctl", "exit 0")
    node.fake("docker", "exit 1")
    return node


def look(node: Node) -> dict[str, Any]:
    printed = node.python("from llm_node import watch; print(watch.look(False))")
    assert printed.strip() in ("True", "False"), printed
    return node.stage("serve")


def test_a_node_that_answers_a_completion_is_ready(tmp_path: Path, certificate: Path) -> None:
    with serve(Healthy) as health, gateway(certificate) as port:
        node = watched(tmp_path, certificate, port, health)
        assert look(node)["state"] == "done"
        assert node.status["ready"] is True


def test_a_model_that_does_not_answer_is_not_ready(tmp_path: Path, certificate: Path) -> None:
    with serve(Healthy) as health, gateway(certificate, completion=500) as port:
        node = watched(tmp_path, certificate, port, health)
        assert look(node)["code"] == "gateway.no-completion"
        assert node.status["ready"] is False


@pytest.mark.parametrize("vectors", [True, False])
def test_a_model_for_vectors_is_ready_when_it_gives_one_and_is_not_asked_for_text(
    tmp_path: Path, certificate: Path, vectors: bool
) -> None:
    with serve(Healthy) as health, gateway(certificate, completion=400, vectors=vectors) as port:
        served = VllmRole(model_id="BAAI/bge-m3", served_name="yi-6b-chat", min_driver=580, task="embedding")
        node = watched(tmp_path, certificate, port, health, gpu_node().having(served))
        assert look(node).get("code") == (None if vectors else "gateway.no-completion")
        assert node.status["ready"] is vectors


def test_a_gateway_that_answers_without_a_key_has_failed(tmp_path: Path, certificate: Path) -> None:
    with serve(Healthy) as health, gateway(certificate, guarded=False) as port:
        entry = look(watched(tmp_path, certificate, port, health))
        assert (entry["state"], entry["code"]) == ("failed", "gateway.open")


def test_a_gateway_with_another_certificate_is_not_ready(tmp_path: Path, certificate: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
         "-keyout", other / "tls.key", "-out", other / "tls.crt", "-days", "2", "-subj", "/CN=other"],
        check=True, capture_output=True,
    )  # fmt: skip
    with serve(Healthy) as health, gateway(other) as port:
        entry = look(watched(tmp_path / "root", certificate, port, health))
        assert entry["code"] == "gateway.not-ready"
        assert "certificate" in entry["message"].lower()


def test_a_server_that_still_loads_is_waited_for(tmp_path: Path, certificate: Path) -> None:
    with gateway(certificate) as port:
        entry = look(watched(tmp_path, certificate, port, "http://127.0.0.1:9/health"))
        assert (entry["state"], entry["code"]) == ("running", "vllm.not-ready")


@pytest.mark.parametrize(
    ("log", "code"),
    [
        ("vllm serve: error: unrecognized arguments: --swap-space", "vllm.unknown-flag"),
        ("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate", "vllm.out-of-memory"),
        ("ValueError: No available memory for the cache blocks.", "vllm.out-of-memory"),
        ("OSError: [Errno 98] Address already in use", "vllm.port-taken"),
        ("ValueError: Bfloat16 is only supported on GPUs", "vllm.no-bfloat16"),
        ("something that nobody has seen before", "vllm.crashes"),
    ],
)
def test_a_service_that_keeps_dying_is_named_by_what_it_said(
    tmp_path: Path, certificate: Path, log: str, code: str
) -> None:
    node = watched(tmp_path, certificate, 9, "http://127.0.0.1:9")
    dying = "echo ActiveState=activating; echo SubState=auto-restart; echo NRestarts=4"
    node.fake("systemctl", f'if [ "$2" = llm-vllm.service ]; then {dying}; else {ACTIVE}; fi')
    node.fake("journalctl", f'echo "{log}"; for each in 1 2 3 4 5 6; do echo "  of a traceback"; done')
    entry = look(node)
    assert (entry["state"], entry["code"]) == ("failed", code)
    assert (log in entry["message"]) == (code != "vllm.crashes")
    assert entry["hint"]


@pytest.mark.parametrize(("times", "code"), [(1, "weaviate.not-ready"), (7, "weaviate.crashes")])
def test_a_container_that_keeps_dying_is_named_though_its_unit_is_active(
    tmp_path: Path, certificate: Path, times: int, code: str
) -> None:
    with serve(Healthy) as health:
        node = watched(tmp_path, certificate, 9, health)
        want = json.loads(node.path("/opt/llm/watch.json").read_text())
        want["health"]["weaviate"] = "http://127.0.0.1:9/"
        node.path("/opt/llm/watch.json").write_text(json.dumps(want))
        node.fake("docker", f'if [ "$1" = inspect ]; then echo {times}; else echo "panic: not a database"; fi')
        entry = look(node)
        assert entry["code"] == code
        assert ("panic: not a database" in entry["message"]) == (times > 3)


def test_a_service_that_died_once_is_given_time(tmp_path: Path, certificate: Path) -> None:
    node = watched(tmp_path, certificate, 9, "http://127.0.0.1:9")
    node.fake("systemctl", "echo ActiveState=activating; echo SubState=auto-restart; echo NRestarts=1")
    assert look(node)["state"] == "running"


def get(url: str, key: str = "") -> tuple[int, bytes]:
    try:
        with urlopen(Request(url, headers={"Authorization": f"Bearer {key}"} if key else {}), timeout=5) as answer:
            return answer.status, answer.read()
    except HTTPError as error:
        return error.code, error.read()


def test_the_status_page_answers_those_who_have_a_key(tmp_path: Path, certificate: Path) -> None:
    import os

    node = watched(tmp_path, certificate, 9, "http://127.0.0.1:9")
    look(node)
    hashes = {hashlib.sha256(b"sk-app").hexdigest(): "app"}
    node.path("/srv/llm/secrets/gateway-keys.json").write_text(json.dumps(hashes))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    argv = [sys.executable, "-I", str(node.path("/opt/llm/bin/llm-node")), "serve-status"]
    page = subprocess.Popen(argv, env=os.environ | {"LLM_ROOT": str(tmp_path), "LLM_STATUS_PORT": str(port)})
    try:
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        url = f"http://127.0.0.1:{port}"
        assert get(f"{url}/status")[0] == 401
        assert get(f"{url}/status", "sk-wrong")[0] == 401
        assert get(f"{url}/", "sk-app")[0] == 404
        code, body = get(f"{url}/status", "sk-app")
        assert code == 200
        assert json.loads(body)["node"] == "tencent-t4"
    finally:
        page.kill()
        page.wait()
