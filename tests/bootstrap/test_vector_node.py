"""A vector store on a machine of its own: what listens there, and who may read its status."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from pulumi_llm import _bootstrap as bootstrap
from pulumi_llm._commands._status_ask import Target, ask
from pulumi_llm.errors import Refusal
from pulumi_llm.roles import RoleRequest, ServiceRole, caddy
from tests.bootstrap.samples import Node, supplied, vector_node
from tests.gateway.front import certificate, free_port, program

KEY = "weaviate-key-planted"


def caddyfile(root: Path, **ports: int) -> str:
    """The node's own, with its paths and ports moved."""
    text = caddy.caddyfile(vector_node())
    text = text.replace("/srv/llm/secrets", str(root)).replace("/var/lib/llm-caddy", str(root / "caddy"))
    for old, new in ports.items():
        text = text.replace(old.removeprefix("p"), str(new))
    return text


def status_page(node: Node, port: int) -> subprocess.Popen[bytes]:
    """The node's own page, with the keys that its settings let in."""
    entries = next(
        each["entries"]
        for each in bootstrap.settings(vector_node())["secret_files"]
        if each["path"].endswith("gateway-keys.json")
    )
    known = {"weaviate_api_key": KEY, "probe_key": "of-the-node-itself"}
    node.path("/srv/llm/secrets").mkdir(parents=True)
    node.python(
        "from llm_node import keys, status; from llm_node.system import at; status.publish(); "
        f"at('/srv/llm/secrets/gateway-keys.json').write_text(keys.hashes({entries!r}, {known!r}))"
    )
    argv = [sys.executable, "-I", str(node.path("/opt/llm/bin/llm-node")), "serve-status"]
    return subprocess.Popen(argv, env=os.environ | {"LLM_ROOT": str(node.root), "LLM_STATUS_PORT": str(port)})


@pytest.mark.artefact
def test_the_status_is_told_over_tls_to_whoever_has_weaviates_key(tmp_path: Path) -> None:
    port, grpc, page = free_port(), free_port(), free_port()
    certificate(tmp_path)
    (tmp_path / "Caddyfile").write_text(caddyfile(tmp_path, p18444=port, p18445=grpc, p4100=page))
    node = supplied(tmp_path / "node", vector_node())
    running: list[subprocess.Popen[Any]] = [status_page(node, page)]
    argv = [program("caddy"), "run", "--config", str(tmp_path / "Caddyfile"), "--adapter", "caddyfile"]
    log = (tmp_path / "caddy.log").open("wb")
    running.append(subprocess.Popen(argv, stdout=log, stderr=log, env=os.environ | {"HOME": str(tmp_path)}))
    authority = (tmp_path / "ca.crt").read_text()

    def answer(key: str) -> Any:
        return ask(Target("vectors", f"https://127.0.0.1:{port}", key, authority))

    try:
        deadline = time.monotonic() + 20
        while (told := answer(KEY)).document is None and time.monotonic() < deadline:
            time.sleep(0.1)
        assert told.document is not None, (told.problem, (tmp_path / "caddy.log").read_text())
        assert told.document["node"] == "vectors"
        for wrong in ("another", "x" * 40):
            refused = answer(wrong)
            assert refused.document is None
            assert refused.problem.code == "status.key-refused"
    finally:
        for each in running:
            each.kill()
            each.wait()


@pytest.mark.artefact
def test_only_weaviates_two_ports_are_listened_on(tmp_path: Path) -> None:
    (tmp_path / "Caddyfile").write_text(caddy.caddyfile(vector_node()))
    argv = [program("caddy"), "adapt", "--config", str(tmp_path / "Caddyfile"), "--adapter", "caddyfile"]
    adapted = json.loads(subprocess.run(argv, capture_output=True, check=True).stdout)
    servers = adapted["apps"]["http"]["servers"].values()
    assert sorted(each for server in servers for each in server["listen"]) == [":18444", ":18445"]


def test_the_node_asks_itself_where_its_status_is() -> None:
    files = {each["path"]: each["content"] for each in bootstrap.settings(vector_node())["files"]}
    assert json.loads(files["/opt/llm/watch.json"])["https_port"] == 18444


@pytest.mark.parametrize(
    "roles",
    [(ServiceRole(role="docker"),), (ServiceRole(role="caddy"),)],
    ids=["nothing", "a listener for nothing"],
)
def test_a_node_that_nobody_could_ask_is_refused(roles: tuple[RoleRequest, ...]) -> None:
    with pytest.raises(Refusal, match=r"bootstrap\.bad-port"):
        bootstrap.check(vector_node(roles=roles))


def test_the_nodes_own_key_is_let_in_beside_weaviates() -> None:
    (entries,) = [
        each["entries"]
        for each in bootstrap.settings(vector_node())["secret_files"]
        if each["path"].endswith("gateway-keys.json")
    ]
    assert entries == {"probe_key": "node-probe", "weaviate_api_key": "weaviate"}
