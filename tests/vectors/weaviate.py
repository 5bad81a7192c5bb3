"""A real Weaviate with the environment that its compose file has, the real gateway with the policy that the same node
has, and what answers for the model: everything between a client that puts texts in and the model that reads them."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import yaml

from pulumi_llm import _bootstrap, _nodes
from pulumi_llm._bootstrap import GatewayRole, NodeRequest
from pulumi_llm._resolve import resolve_platform
from pulumi_llm.roles.weaviate import KEY as NAME
from pulumi_llm.roles.weaviate import TABLE, VARIABLE
from tests.backups.node import TOOLS
from tests.gateway.front import free_port
from tests.gateway.harness import Home, Running
from tests.test_spec import changed

SERVER = TOOLS / "bin" / "weaviate-server"
MODEL = "embedder"
STORE_KEY, GATEWAY_KEY = "w" * 40, "g" * 40


def platform(*, model: str = MODEL, server: dict[str, Any] | None = None, **vectors: Any) -> dict[str, Any]:
    """A platform whose Weaviate asks a model beside the main one for vectors."""
    raw = changed("vectors", {"memory_gib": 4, "vectorizer": {"model": model}, **vectors})
    own = {MODEL: {"model": "Qwen/Qwen3-0.6B", "kind": "embedding", "gpu_memory_utilization": 0.1}}
    raw["server"] |= {"models": own, "gpu": "A100-80GB", "override": ["fit.unknown-model"], **(server or {})}
    return raw


def node(**more: Any) -> NodeRequest:
    """That platform's server."""
    return _nodes.server_node("x", resolve_platform(platform(**more)).server)


def rules(request: NodeRequest) -> dict[str, Any]:
    """What the gateway lets the store's key do."""
    gateway = request.of(GatewayRole)
    assert gateway is not None
    (path,) = [each for each in _bootstrap.settings(request)["files"] if each["path"].endswith("policy.json")]
    return dict(json.loads(path["content"])["keys"][NAME])


@dataclass
class Store:
    """A Weaviate that runs, and where it finds the gateway."""

    port: int
    grpc: int
    base_url: str

    def call(self, path: str, body: Any = None, method: str | None = None) -> Any:
        """What its REST answers to whoever has its key."""
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {STORE_KEY}"}
        data = None if body is None else json.dumps(body).encode()
        with urlopen(
            Request(f"http://127.0.0.1:{self.port}/v1{path}", data, headers, method=method), timeout=120
        ) as it:
            return json.loads(it.read() or b"null")

    @contextmanager
    def client(self) -> Iterator[Any]:
        """Its makers' own client."""
        import weaviate
        from weaviate.classes.init import Auth

        host = "127.0.0.1"
        with weaviate.connect_to_custom(
            http_host=host, http_port=self.port, http_secure=False, grpc_host=host, grpc_port=self.grpc,
            grpc_secure=False, auth_credentials=Auth.api_key(STORE_KEY),
        ) as found:  # fmt: skip
            yield found


@contextmanager
def running(folder: Path, request: NodeRequest, base_url: str) -> Iterator[Store]:
    """Weaviate as the node starts it, but for ports and folders, and for the name by which it finds the gateway."""
    files = {each["path"]: each["content"] for each in _bootstrap.settings(request)["files"]}
    told = yaml.safe_load(files["/opt/llm/weaviate/compose.yaml"])["services"]["weaviate"]
    tokens = folder / "tokens"
    tokens.mkdir(parents=True)
    if TABLE in files:  # only one that asks for vectors counts tokens
        (tokens / Path(TABLE).name).write_text(files[TABLE])
    places = {"/var/lib/weaviate": str(folder / "data"), "/opt/llm/tokens": str(tokens)}
    env = {"PATH": os.environ["PATH"], "HOME": str(folder)}
    for name, value in told["environment"].items():
        env[name] = places.get(str(value), str(value))
    store = Store(free_port(), free_port(), base_url)
    env |= {"AUTHENTICATION_APIKEY_ALLOWED_KEYS": STORE_KEY, VARIABLE: GATEWAY_KEY, "GRPC_PORT": str(store.grpc)}
    for name in ("CLUSTER_GOSSIP_BIND_PORT", "CLUSTER_DATA_BIND_PORT", "RAFT_PORT", "RAFT_INTERNAL_RPC_PORT"):
        env[name] = str(free_port())
    # Whoever would fetch something from abroad is told that there is nobody.
    env |= {"GO_PROFILING_DISABLE": "true", "HTTPS_PROXY": "http://127.0.0.1:9"}
    log = (folder / "weaviate.log").open("wb")
    argv = [str(SERVER), "--host", "127.0.0.1", "--port", str(store.port), "--scheme", "http"]
    process = subprocess.Popen(argv, env=env, stdout=log, stderr=log, cwd=folder)
    try:
        until = time.monotonic() + 60
        while True:
            try:
                urlopen(f"http://127.0.0.1:{store.port}/v1/.well-known/ready", timeout=5).close()
                break
            except OSError:
                told = (folder / "weaviate.log").read_text()[-3000:]
                assert process.poll() is None, told
                assert time.monotonic() < until, told
                time.sleep(0.1)
        yield store
    finally:
        process.terminate()
        process.wait(60)
        log.close()


@asynccontextmanager
async def gateway(folder: Path, request: NodeRequest, upstream: str) -> AsyncIterator[Running]:
    """The gateway with the store's key, as the node's policy has it, before what answers for the model."""
    home = Home(folder).key(NAME, GATEWAY_KEY, **rules(request))
    home.routes(upstream, kind="vllm", routes={MODEL: {"targets": [{"upstream": "fake", "model": MODEL}]}})
    async with home.running() as gate:
        yield gate
