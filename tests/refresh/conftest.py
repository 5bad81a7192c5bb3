"""What the refresh tests share: no credentials of this machine, and a server on it that speaks as the clouds do."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

RECORDED = Path(__file__).parent / "data"

Reply = Callable[[dict[str, Any]], tuple[int, dict[str, Any] | str]]


def recorded(cloud: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((RECORDED / f"{cloud}.json").read_text(encoding="utf-8"))
    content.pop("about")
    return content


class Server:
    """Answers each action with what was set for it, and keeps what was asked."""

    def __init__(self) -> None:
        self.replies: dict[str, Reply] = {}
        self.asked: list[tuple[str, dict[str, Any]]] = []
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
                if "X-TC-Action" in self.headers:
                    action, arguments = self.headers["X-TC-Action"], json.loads(body)
                else:
                    arguments = dict(parse_qsl(urlsplit(self.path).query) + parse_qsl(body))
                    action = self.headers["x-acs-action"]
                owner.asked.append((action, arguments))
                status, answer = owner.replies[action](arguments)
                content = (answer if isinstance(answer, str) else json.dumps(answer)).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it so
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self._http.server_address[1]}"
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()

    def answers(self, action: str, answer: dict[str, Any], status: int = 200) -> None:
        self.replies[action] = lambda arguments: (status, answer)

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join(timeout=5)


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.close()


@pytest.fixture(autouse=True)
def no_account(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """No credentials, proxies or catalogue of whoever runs the tests; metadata services are not asked."""
    for name in list(os.environ):
        if name.startswith(
            (
                *("AWS_", "ALIBABA_CLOUD_", "DIGITALOCEAN_", "GOOGLE_", "CLOUDSDK_"),
                *("TENCENTCLOUD_", "VOLCENGINE_", "PULUMI_LLM_"),
            )
        ) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)


@pytest.fixture
def pauses() -> list[float]:
    """Where tests collect the seconds that would have been waited."""
    return []
