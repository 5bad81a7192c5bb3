"""The node's own modules, a clock that a test moves, and a machine's surroundings on loopback."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from tests.node_library import importable, laid_out

TEMPLATES = Path(__file__).parents[2] / "templates"
MACHINE = "i-0123456789abcdef0"
ROLE = "llm-may-stop"
REGIONS = {"aliyun": "cn-hangzhou", "tencent": "ap-guangzhou", "aws": "us-east-1", "gcp": "us-central1"}
DENIALS = {
    "aliyun": (403, {"Code": "Forbidden.RAM", "Message": "User not authorized to operate."}),
    "tencent": (200, {"Response": {"Error": {"Code": "UnauthorizedOperation", "Message": "not authorized"}}}),
    "aws": (403, "<Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>no</Message></Error></Errors>"),
}


@pytest.fixture(scope="session")
def lib(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The node's library as it lies on a node that has the role."""
    return laid_out(tmp_path_factory.mktemp("lib"), "leave", "backup")


@pytest.fixture
def node(lib: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The modules `leave`, `leave_clouds`, `leave_hours` and `leave_signing`, on a machine whose root is a folder."""
    importable(lib, monkeypatch)
    from llm_node import leave, leave_clouds, leave_hours, leave_signing, serve_status, system

    monkeypatch.setattr(system, "ROOT", tmp_path)
    for path, document in {
        "opt/llm/node.json": {"name": "llm-server", "stages": []},
        "opt/llm/leave.json": {},
        "opt/llm/hints.json": {"leave.denied": "put its policy back"},
        "run/llm/status.json": {"ready": True, "code": None},
        "run/llm/stages/serve.json": {"stage": "serve", "state": "done"},
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(json.dumps(document))
    yield SimpleNamespace(
        leave=leave,
        status=serve_status,
        clouds=leave_clouds,
        hours=leave_hours,
        signing=leave_signing,
        system=system,
        root=tmp_path,
    )
    for name in [each for each in sys.modules if each.partition(".")[0] == "llm_node"]:
        del sys.modules[name]


class World:
    """The gateway's own port, the metadata service and the cloud's API, all on one port of loopback."""

    def __init__(self, cloud: str) -> None:
        self.cloud = cloud
        self.used: dict[str, Any] | None = {"active": 0, "idle_seconds": 0.0}
        self.meta: dict[str, str] = {
            "meta-data/instance-id": MACHINE,
            "meta-data/region-id": REGIONS[cloud],
            "meta-data/placement/region": REGIONS[cloud],
        }
        ids = {
            "aliyun": ("AccessKeyId", "AccessKeySecret", "SecurityToken"),
            "aws": ("AccessKeyId", "SecretAccessKey", "Token"),
        }
        names = ids.get(cloud, ("TmpSecretId", "TmpSecretKey", "Token"))
        folder = {"aliyun": "ram", "tencent": "cam", "aws": "iam", "gcp": "none"}[cloud]
        self.roles = f"meta-data/{folder}/security-credentials/"
        self.meta[self.roles] = ROLE
        self.meta[self.roles + ROLE] = json.dumps(dict(zip(names, ("AKID", "SECRET", "TOKEN"), strict=True)))
        self.stops: list[dict[str, Any]] = []
        self.answer: tuple[int, Any] = (200, {})
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                pass

            def say(self, status: int, body: Any) -> None:
                text = (body if isinstance(body, str) else json.dumps(body)).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def do_PUT(self) -> None:
                lasting = {
                    "aws": "X-aws-ec2-metadata-token-ttl-seconds",
                    "aliyun": "X-aliyun-ecs-metadata-token-ttl-seconds",
                }
                good = self.path == "/latest/api/token" and self.headers.get(lasting.get(owner.cloud, "")) is not None
                self.say(200 if good else 404, "a-token" if good else "")

            def do_GET(self) -> None:
                if self.path == "/use":
                    self.say(200 if owner.used is not None else 503, owner.used or {})
                    return
                shown = {"aws": "X-aws-ec2-metadata-token", "aliyun": "X-aliyun-ecs-metadata-token"}.get(owner.cloud)
                if shown is not None and self.headers.get(shown) != "a-token":
                    self.say(401 if owner.cloud == "aws" else 403, "")
                    return
                if owner.cloud == "gcp" and self.headers.get("Metadata-Flavor") != "Google":
                    self.say(403, "")
                    return
                found = owner.meta.get(
                    self.path.removeprefix("/computeMetadata/v1/" if owner.cloud == "gcp" else "/latest/")
                )
                self.say(200 if found is not None else 404, found or "")

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
                query = dict(parse_qsl(urlsplit(self.path).query))
                owner.stops.append({"headers": dict(self.headers), "query": query, "body": body})
                self.say(*owner.answer)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture(params=["aliyun", "tencent", "aws"])
def world(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A machine of each cloud."""
    made = World(request.param)
    for name in ("LLM_METADATA", "LLM_CLOUD_API", "LLM_GATE_MEASURED"):
        monkeypatch.setenv(name, made.url)
    yield made
    made.close()


class Time:
    """Time that passes only where somebody waits, and what happens meanwhile."""

    def __init__(self, world: World, start: float = 1_800_000_000.0) -> None:
        self.world, self.now, self.booted = world, start, start - 3600
        self.events: list[tuple[float, Any]] = []

    def at(self, seconds: float, event: Any) -> None:
        """Have something happen so long after the start."""
        self.events.append((self.now + seconds, event))

    def pause(self, seconds: float) -> None:
        self.now += seconds
        if self.world.used is not None:
            self.world.used["idle_seconds"] += seconds
        for when, event in [each for each in self.events if each[0] <= self.now]:
            self.events.remove((when, event))
            event()

    def clock(self, node: Any) -> Any:
        return node.leave.Clock(
            wall=lambda: self.now, steady=lambda: self.now, pause=self.pause, up=lambda: self.now - self.booted
        )


@pytest.fixture
def passing(world: World) -> Time:
    return Time(world)
