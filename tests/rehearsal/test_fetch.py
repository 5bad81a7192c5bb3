"""`rehearse --fetch`: Pulumi's own engine installs the plugins, here from a server on loopback."""

from __future__ import annotations

import io
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from pulumi_llm import clouds
from pulumi_llm._rehearsal import plugins
from pulumi_llm._rehearsal.rehearsal import Asked, prepared
from pulumi_llm._simcloud.engine import find_engine
from pulumi_llm.errors import Refusal

ROOT = Path(__file__).parents[2]
PACKAGES = tuple(each.package for each in clouds.folders().values())

pytestmark = pytest.mark.engine


class Downloads:
    """A server of plugins; ``asked`` are the paths that it was asked for, ``missing`` makes it have none."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.missing = False


@pytest.fixture
def downloads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Downloads]:
    served = Downloads()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.asked.append(self.path)
            packed = io.BytesIO()
            with tarfile.open(fileobj=packed, mode="w:gz") as archive:
                entry = tarfile.TarInfo(self.path.strip("/").rpartition("-v")[0])
                entry.mode, content = 0o755, b"#!/bin/sh\n"
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
            self.send_response(404 if served.missing else 200)
            self.send_header("Content-Length", str(len(packed.getvalue())))
            self.end_headers()
            self.wfile.write(packed.getvalue())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path))
    monkeypatch.setenv("PULUMI_PLUGIN_DOWNLOAD_URL_OVERRIDES", f".*=http://127.0.0.1:{server.server_address[1]}")
    monkeypatch.chdir(ROOT)  # where the engine would install nothing, as there are Pulumi.yaml and PulumiPlugin.yaml
    yield served
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("package", PACKAGES)
def test_the_plugin_that_the_sdk_asks_for_is_installed_and_then_found(downloads: Downloads, package: str) -> None:
    with pytest.raises(Refusal, match=r"rehearse\.no-plugin"):
        plugins.find(package)
    plugins.fetch(plugins.wanted(package), find_engine())
    version = plugins.wanted(package).version
    assert plugins.find(package).version == version
    (path,) = downloads.asked
    assert path.startswith(f"/pulumi-resource-{package}-v{version}-")


def test_only_what_is_missing_and_not_simulated_is_fetched(downloads: Downloads) -> None:
    prepared(Asked(ROOT, "aliyun-t4", simulated=("alicloud",)), fetch=True)  # the proxy of it is on AWS
    assert [each.partition("-v")[0] for each in downloads.asked] == ["/pulumi-resource-aws"]
    prepared(Asked(ROOT, "aliyun-t4", simulated=("alicloud",)), fetch=True)
    assert len(downloads.asked) == 1


def test_what_cannot_be_fetched_is_refused_with_the_engines_words(downloads: Downloads) -> None:
    downloads.missing = True
    with pytest.raises(Refusal) as refused:
        plugins.fetch(plugins.wanted("tencentcloud"), find_engine())
    (found,) = refused.value.findings
    assert found.code == "rehearse.not-fetched"
    assert "404" in found.message
    assert found.hint == "let this package be simulated: --sim tencentcloud"
