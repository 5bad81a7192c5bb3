"""Chroma from its locked wheels, started as its unit starts it, behind the real Caddy, asked by its own client."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from pulumi_llm import _bootstrap as bootstrap
from tests.bootstrap.samples import engine_node
from tests.gateway.front import free_port
from tests.vectors.front import Front, fronted
from tests.vectors.wheels import environment

pytestmark = pytest.mark.clients

KEY = "k" * 40
CLIENT = Path(__file__).with_name("chroma_client.py")


@dataclass(frozen=True)
class Running:
    front: Front
    python: Path
    log: Path
    port: int


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder, home = Path(tmp_path_factory.mktemp("chroma")), environment("chroma")
    files = {each["path"]: each["content"] for each in bootstrap.settings(engine_node("chroma"))["files"]}
    unit = files["/etc/systemd/system/llm-chroma.service"]
    port = free_port()
    line = re.search(r"^ExecStart=(.*)$", unit, re.MULTILINE)
    variables = dict(each.split("=", 1) for each in re.findall(r"^Environment=(.*)$", unit, re.MULTILINE)[0].split())
    assert line
    argv = shlex.split(line[1].replace("7310", str(port)).replace("/srv/llm/chroma", str(folder / "data")))
    (folder / "data").mkdir()
    argv[0] = str(home / "bin" / Path(argv[0]).name)
    log = folder / "log"
    with log.open("wb") as out:
        env = {**variables, "HOME": str(folder / "data"), "PATH": os.environ["PATH"]}
        server = subprocess.Popen(argv, stdout=out, stderr=out, env=env, cwd=folder / "data")
    try:
        health = f"http://127.0.0.1:{port}/api/v2/heartbeat"
        until = time.monotonic() + 60
        while True:
            try:
                urlopen(health, timeout=5).close()
                break
            except URLError:
                assert time.monotonic() < until, log.read_text()
                assert server.poll() is None, log.read_text()
                time.sleep(0.2)
        with fronted(folder, engine_node("chroma"), {7310: port}, {"LLM_CHROMA_API_KEY": KEY}) as front:
            yield Running(front, home / "bin/python", log, port)
    finally:
        server.terminate()
        server.wait()


def asked(running: Running, key: str, authority: Path | None = None) -> subprocess.CompletedProcess[str]:
    argv = [running.python, CLIENT, running.front.url(18444), str(authority or running.front.authority), key]
    return subprocess.run([str(each) for each in argv], capture_output=True, text=True, timeout=120, cwd="/")


def test_its_own_client_stores_and_finds_vectors_over_tls_with_the_key(running: Running) -> None:
    done = asked(running, KEY)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "a 2 ['documents']\n"


@pytest.mark.parametrize("key", ["x" * 40, KEY[:-1], "", "Bearer"])
def test_its_own_client_gets_nowhere_with_another_key(running: Running, key: str) -> None:
    done = asked(running, key)
    assert done.returncode != 0
    assert not done.stdout


@pytest.mark.parametrize(
    "path", ["/api/v2/heartbeat", "/api/v2/version", "/api/v2/tenants/default_tenant/databases/default_database"]
)
def test_without_the_key_not_even_the_version_is_told(running: Running, path: str) -> None:
    front = running.front
    assert front.asked(18444, path, Authorization=f"Bearer {KEY}")[0] == 200
    for headers in (
        {},
        {"Authorization": "Bearer "},
        {"Authorization": "Bearer"},
        {"Authorization": KEY},
        {"Authorization": f"Basic {KEY}"},
        {"Authorization": f"Bearer {KEY} "[:-2]},
        {"Authorization": f"bearer {KEY}"},
        {"X_Chroma_Token": KEY},
    ):
        assert front.asked(18444, path, **headers)[0] == 401, headers


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/v2/reset"),
        ("GET", "/docs"),
        ("GET", "/openapi.json"),
        ("GET", "/api/v1/heartbeat"),
        ("GET", "/"),
        ("POST", "/api/v2/tenants/t/databases/d/collections/c/functions/attach"),
        ("GET", "/api/v2/tenants/../reset"),
        ("GET", "/api/v2//reset"),
        ("GET", "/API/v2/heartbeat"),
    ],
)
def test_what_is_not_for_clients_is_not_there_even_with_the_key(running: Running, method: str, path: str) -> None:
    assert running.front.asked(18444, path, method, Authorization=f"Bearer {KEY}")[0] == 404


def test_it_is_the_server_of_its_rust_code_and_on_loopback(running: Running) -> None:
    """CVE-2026-45829 is of the server in Python (FastAPI), whose interface told itself another way."""
    document = json.loads(urlopen(f"http://127.0.0.1:{running.port}/openapi.json", timeout=10).read())
    assert document["info"]["title"] != "FastAPI"
    assert "rust/frontend" in running.log.read_text()
    listening = subprocess.run(["ss", "-ltn"], capture_output=True, text=True).stdout
    assert f"127.0.0.1:{running.port} " in listening
    assert f"0.0.0.0:{running.port} " not in listening
