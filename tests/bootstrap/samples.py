"""Requests that the tests render, and a node's root directory to run its code in."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from pulumi_llm._bootstrap import (
    GatewayKey,
    GatewayRole,
    NodeRequest,
    Route,
    ServiceRole,
    Sources,
    Target,
    Upstream,
    VllmRole,
    settings,
)
from pulumi_llm._bootstrap.user_data import boot_files
from pulumi_llm.roles import engines

CHINA = Sources(
    pypi=(
        "http://mirrors.tencentyun.com/pypi/simple",
        "https://mirrors.cloud.tencent.com/pypi/simple",
        "https://pypi.tuna.tsinghua.edu.cn/simple",
    ),
    apt=("http://mirrors.tencentyun.com/ubuntu", "https://mirrors.cloud.tencent.com/ubuntu"),
    registries=("m.daocloud.io/", ""),
    hubs=("modelscope", "hf-mirror"),
)
LOCAL = "http://127.0.0.1:8000/v1"
OWN = Target(upstream="vllm", model="yi-6b-chat", price_in=0, price_out=0)
MINI_BY_PROXY = Target(upstream="proxy", model="gpt-6-luna")
OPENAI = Upstream(name="openai", kind="openai", base_url="https://api.openai.com/v1", secret="upstream_openai")
MINI = Target(upstream="openai", model="gpt-6-luna", price_in=0.2, price_out=0.75)

GPU_GATEWAY = GatewayRole(
    https_port=18443,
    keys=(GatewayKey(name="app"), GatewayKey(name="team", models=("yi-6b-chat",), limits={"requests_per_minute": 30})),
    upstreams=(
        Upstream(name="vllm", kind="vllm", base_url=LOCAL),
        Upstream(
            name="proxy",
            kind="gateway",
            base_url="https://203.0.113.9:443/v1",
            secret="proxy_key",
            ca_secret="proxy_ca",
        ),
    ),
    routes=(
        Route(name="yi-6b-chat", targets=(OWN,), fallback=(MINI_BY_PROXY,)),
        Route(name="gpt-6-luna", targets=(MINI_BY_PROXY,)),
    ),
    blocked_words=("敏感词",),
)


def gpu_node(**changes: Any) -> NodeRequest:
    """A mainland GPU host with everything on it."""
    request = NodeRequest(
        name="tencent-t4",
        cloud="tencent",
        region="ap-guangzhou",
        login_user="ubuntu",
        in_china=True,
        data_disk_gib=200,
        sources=CHINA,
        roles=(
            GPU_GATEWAY,
            VllmRole(
                model_id="01-ai/Yi-6B-Chat",
                modelscope_id="01ai/Yi-6B-Chat",
                served_name="yi-6b-chat",
                min_driver=580,
                dtype="half",
                max_model_len=4096,
                weights_gib=11.3,
            ),
            ServiceRole(role="weaviate", memory_gib=4),
        ),
    )
    return replace(request, **changes)


def proxy_node(**changes: Any) -> NodeRequest:
    """A node overseas in front of foreign APIs."""
    request = NodeRequest(
        name="proxy",
        cloud="aws",
        region="ap-southeast-1",
        login_user="ubuntu",
        in_china=False,
        data_disk_gib=20,
        roles=(
            GatewayRole(
                https_port=443,
                keys=(GatewayKey(name="home", endpoints=("/v1/chat/completions",), limits={"daily_budget_usd": 5}),),
                upstreams=(OPENAI,),
                routes=(Route(name="gpt-6-luna", targets=(MINI,)),),
            ),
        ),
    )
    return replace(request, **changes)


def vector_node(**changes: Any) -> NodeRequest:
    """Weaviate on a machine of its own."""
    request = NodeRequest(
        name="vectors",
        cloud="aliyun",
        region="cn-hangzhou",
        login_user="root",
        in_china=True,
        data_disk_gib=100,
        sources=CHINA,
        roles=(ServiceRole(role="weaviate", memory_gib=8),),
    )
    return replace(request, **changes)


def asked(request: NodeRequest, kind: Any) -> Any:
    """What the sample asks of a role that has a class of its own."""
    found = request.of(kind)
    assert found is not None
    return found


def gateway_of(request: NodeRequest) -> GatewayRole:
    """A sample's gateway."""
    found: GatewayRole = asked(request, GatewayRole)
    return found


def vllm_of(request: NodeRequest) -> VllmRole:
    """A sample's vLLM."""
    found: VllmRole = asked(request, VllmRole)
    return found


def without(request: NodeRequest, *roles: str) -> NodeRequest:
    """A sample without some of its roles."""
    return replace(request, roles=tuple(each for each in request.roles if each.role not in roles))


def forward_node() -> NodeRequest:
    """The same node overseas, with another server between its gateway and the vendor."""
    request = proxy_node()
    gateway = gateway_of(request)
    gateway = replace(gateway, upstreams=engines.behind(gateway.upstreams, "openai-forward"))
    return replace(request, roles=(gateway, ServiceRole(role="openai-forward")))


def engine_node(engine: str) -> NodeRequest:
    """A vector store by its role's name, on a machine of its own."""
    return vector_node(roles=(ServiceRole(role=engine, memory_gib=8),))


def chat_node() -> NodeRequest:
    """A GPU host with a chat page that answers out of documents."""
    key = GatewayKey(name="chat", limits={"requests_per_minute": 60}, source_cidrs=("127.0.0.0/8",))
    told = {"admin_email": "ops@example.com", "embeddings": "bge-m3", "dimensions": 1024, "reranker": "bge-reranker"}
    beside = Upstream(name="beside", kind="vllm", base_url="http://10.0.0.9:8000/v1")
    routes = [Route(name=each, targets=(Target(upstream="beside", model=each),)) for each in ("bge-m3", "bge-reranker")]
    gateway = replace(
        GPU_GATEWAY,
        keys=(*GPU_GATEWAY.keys, key),
        upstreams=(*GPU_GATEWAY.upstreams, beside),
        routes=(*GPU_GATEWAY.routes, *routes),
    )
    page = ServiceRole(role="open-webui", memory_gib=2, ports={"page": 18447}, settings=told)
    return without(gpu_node(), "weaviate").having(gateway, ServiceRole(role="pgvector", memory_gib=4), page)


def embedding_node() -> NodeRequest:
    """A GPU host whose Weaviate asks a model for vectors."""
    limits = {"requests_per_minute": 10_000, "tokens_per_minute": 10_000_000}
    scope: dict[str, Any] = {"models": ("bge-m3",), "endpoints": ("/v1/embeddings",), "source_cidrs": ("127.0.0.0/8",)}
    beside = Upstream(name="beside", kind="vllm", base_url="http://10.0.0.9:8000/v1")
    gateway = replace(
        GPU_GATEWAY,
        keys=(*GPU_GATEWAY.keys, GatewayKey(name="vectorizer", limits=limits, **scope)),
        upstreams=(*GPU_GATEWAY.upstreams, beside),
        routes=(*GPU_GATEWAY.routes, Route(name="bge-m3", targets=(Target(upstream="beside", model="bge-m3"),))),
    )
    return gpu_node().having(gateway, ServiceRole(role="weaviate", memory_gib=4, settings={"embeds": "bge-m3"}))


SAMPLES = {
    "gpu": gpu_node(),
    "proxy": proxy_node(),
    "vectors": vector_node(),
    "chat": chat_node(),
    "embedding": embedding_node(),
    **{engine: engine_node(engine) for engine in ("qdrant", "pgvector", "chroma", "milvus")},
    "openai-forward": forward_node(),
}


@dataclass
class Node:
    """A directory that stands for a machine; commands are looked for in its ``fake`` folder first."""

    root: Path
    seconds: int = 300
    """How long its code may take."""

    def path(self, name: str) -> Path:
        """A path of the node."""
        return self.root / name.lstrip("/")

    def fake(self, name: str, script: str) -> None:
        """A program that the node's code will find in place of the real one. Every call is logged."""
        program = self.root / "fake" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(f'#!/bin/bash\necho "{name} $*" >> "{self.root}/calls"\n{script}\n')
        program.chmod(0o755)

    @property
    def calls(self) -> list[str]:
        """Programs that were started, with their arguments."""
        log = self.root / "calls"
        return log.read_text().splitlines() if log.exists() else []

    def run(self, *arguments: str, stdin: str = "", **env: str) -> subprocess.CompletedProcess[str]:
        """Run llm-node."""
        environment = os.environ | {
            "LLM_ROOT": str(self.root),
            "PATH": f"{self.root}/fake:{os.environ['PATH']}",
            "LLM_POLL_SECONDS": "0.05",
            "LLM_PROBE_SECONDS": "0",
            **env,
        }
        argv = [sys.executable, "-I", str(self.path("/opt/llm/bin/llm-node")), *arguments]
        return subprocess.run(argv, input=stdin, env=environment, capture_output=True, text=True, timeout=self.seconds)

    def python(self, code: str) -> str:
        """Run Python in the node's code and return what it printed."""
        prelude = f"import sys; sys.path.insert(0, {str(self.path('/opt/llm/lib'))!r}); "
        environment = os.environ | {"LLM_ROOT": str(self.root), "PATH": f"{self.root}/fake:{os.environ['PATH']}"}
        done = subprocess.run(
            [sys.executable, "-c", prelude + code], env=environment, capture_output=True, text=True, timeout=60
        )
        return done.stdout + done.stderr

    @property
    def status(self) -> dict[str, Any]:
        """The status document."""
        document: dict[str, Any] = json.loads(self.path("/run/llm/status.json").read_text())
        return document

    def stage(self, name: str) -> dict[str, Any]:
        """One stage's part of it."""
        document: dict[str, Any] = json.loads(self.path(f"/run/llm/stages/{name}.json").read_text())
        return document

    def impatient(self) -> None:
        """Let a stage fail at once where it would try again for a quarter of an hour."""
        main = self.path("/opt/llm/lib/llm_node/main.py")
        source = main.read_text()
        changed, count = re.subn(r"^PATIENCE ?= ?(900|-1)", "PATIENCE=-1", source, flags=re.MULTILINE)
        assert count == 1
        main.write_text(changed)


def booted(root: Path, request: NodeRequest, **node: Any) -> Node:
    """A root directory as cloud-init leaves it, with ``node`` written over node.json."""
    from pulumi_llm._bootstrap.node_document import node_document

    files = boot_files(request)
    files["/opt/llm/node.json"] = json.dumps(node_document(request) | node)
    for name, content in files.items():
        path = root / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    (root / "etc/fstab").write_text("LABEL=root / ext4 defaults 0 1\n")
    (root / "run/llm").mkdir(parents=True)
    return Node(root)


def supplied(root: Path, request: NodeRequest, **node: Any) -> Node:
    """A root directory as it is once the settings have arrived: with all of the node's code, lists and digests."""
    machine = booted(root, request, **node)
    document = settings(request)
    for name, content in document["code"].items():
        machine.path(f"/opt/llm/lib/{name}").write_text(content)
    for each in document["files"]:
        if each["path"].startswith("/opt/llm/") and each["early"] and not each["path"].endswith("node.json"):
            machine.path(each["path"]).parent.mkdir(parents=True, exist_ok=True)
            machine.path(each["path"]).write_text(each["content"])
    machine.path("/opt/llm/bin/llm-node").chmod(0o755)
    return machine


@contextmanager
def serve(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """An HTTP server on loopback; yields its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
