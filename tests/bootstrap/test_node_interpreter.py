"""A Python that the system has not: the locked uv, as a node starts it, fetches one from a mirror on this machine."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import unquote
from urllib.request import urlopen

import pytest

from pulumi_llm._nodes import server_node
from pulumi_llm._resolve import resolve_platform
from tests.bootstrap.samples import Node, serve, supplied
from tests.bootstrap.wheel_files import locked, wheel_url
from tests.preflight.test_tpu import SERVER

pytestmark = pytest.mark.artefact

VERSION = "3.12.16"
ASSET = f"cpython-{VERSION}+20261110-x86_64-unknown-linux-gnu-install_only_stripped.tar.gz"
LOCK = Path(__file__).parents[2] / "templates/locks/uv.txt"


class Mirror:
    """What stands at its paths, and what was asked for."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.address = ""


@pytest.fixture
def mirror() -> Iterator[Mirror]:
    made = Mirror()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            name = unquote(self.path).rpartition("/")[2]
            made.asked.append(name)
            body = made.files.get(name)
            self.send_response(200 if body is not None else 404)
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            self.wfile.write(body or b"")

    with serve(Handler) as made.address:
        yield made


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the locked uv, in place of an index."""
    folder, found = tmp_path_factory.mktemp("wheels"), locked("uv", LOCK)
    assert found is not None
    url = wheel_url("uv", *found)
    with urlopen(url, timeout=300) as answer:
        (folder / url.rpartition("/")[2]).write_bytes(answer.read())
    return folder


@pytest.fixture
def node(tmp_path: Path, wheels: Path) -> Node:
    """A machine with a TPU, whose list of packages for vLLM is uv alone: it is the interpreter that is tried here."""
    resolved = resolve_platform({"server": SERVER, "access": {"allowed_cidrs": ["203.0.113.0/24"]}}).server
    node = supplied(tmp_path, server_node("llm", resolved))
    lock, supply = node.path("/opt/llm/locks/vllm-tpu.txt"), node.path("/opt/llm/supply.json")
    lock.write_text(LOCK.read_text())
    document = json.loads(supply.read_text())
    assert document["venvs"]["vllm-tpu"]["python"] == VERSION
    said = node.python(f"from llm_node import wheels; print(wheels.digest(open({str(lock)!r}).read()))")
    document["venvs"]["vllm-tpu"] |= {"digest": said.strip(), "unpacked_bytes": 2**20}
    supply.write_text(json.dumps({**document, "pypi": [str(wheels)], "python": sys.executable}))
    node.impatient()
    node.seconds = 600
    return node


def of_this_machine() -> bytes:
    """This interpreter as python-build-standalone packs one: a whole Python that runs wherever it is unpacked."""
    home, name = Path(sys.base_prefix), f"python{sys.version_info.major}.{sys.version_info.minor}"
    packed = io.BytesIO()
    left = {"test", "idlelib", "tkinter", "turtledemo", "__pycache__", "site-packages", "lib2to3", "pydoc_data"}
    with tarfile.open(fileobj=packed, mode="w:gz", compresslevel=1) as tar:
        tar.add(Path(sys._base_executable).resolve(), f"python/bin/{name}")  # type: ignore[attr-defined]
        link = tarfile.TarInfo("python/bin/python3")
        link.type, link.linkname = tarfile.SYMTYPE, name
        tar.addfile(link)
        keep: Callable[[tarfile.TarInfo], tarfile.TarInfo | None] = lambda each: (
            None if left & set(Path(each.name).parts) else each
        )
        tar.add(home / "lib" / name, f"python/lib/{name}", filter=keep)
        for each in home.glob(f"lib/lib{name}*.so*"):
            tar.add(each, f"python/lib/{each.name}")
    return packed.getvalue()


def listed(mirror: Mirror, data: bytes, digest: str = "") -> dict[str, str]:
    """The mirror's file, and a list for uv in which it stands with its SHA-256."""
    mirror.files[ASSET] = data
    row = {
        **{"name": "cpython", "arch": {"family": "x86_64", "variant": None}, "os": "linux", "libc": "gnu"},
        **{"major": 3, "minor": 12, "patch": 16, "prerelease": "", "variant": None, "build": "20261110"},
        "url": f"{mirror.address}/{ASSET}",
        "sha256": digest or hashlib.sha256(data).hexdigest(),
    }
    mirror.files["list.json"] = json.dumps({f"cpython-{VERSION}-linux-x86_64-gnu": row}).encode()
    return {"UV_PYTHON_DOWNLOADS_JSON_URL": f"{mirror.address}/list.json"}


def test_vllm_gets_an_environment_of_the_python_that_was_fetched(node: Node, mirror: Mirror) -> None:
    env = listed(mirror, of_this_machine())
    half = node.path(f"/opt/llm/python/{VERSION}/cpython-{VERSION}-linux-x86_64-gnu/bin/python3")
    half.parent.mkdir(parents=True)
    half.write_text("what a kill left")
    done = node.run("run", "python", **env)
    assert done.returncode == 0, node.stage("python")
    python = node.path("/opt/llm/venv/vllm-tpu-0.32.0/bin/python")
    home = node.path(f"/opt/llm/python/{VERSION}")
    said = subprocess.run([python, "-c", "import sys; print(sys.base_prefix)"], capture_output=True, text=True)
    assert Path(said.stdout.strip()).resolve().is_relative_to(home), said
    assert not node.path("/opt/llm/python/uv").exists()
    assert mirror.asked.count(ASSET) == 1
    # What is there is not fetched again, whatever becomes of the environment.
    mirror.files.clear()
    node.path("/opt/llm/venv/vllm-tpu-0.32.0/complete").unlink()
    assert node.run("run", "python").returncode == 0
    assert mirror.asked.count(ASSET) == 1


def test_a_python_with_another_digest_than_uv_brings_is_not_taken(node: Node, mirror: Mirror) -> None:
    mirror.files[ASSET] = of_this_machine()
    env = {"UV_PYTHON_INSTALL_MIRROR": mirror.address}  # uv's own list, with the digest of the real file
    assert node.run("run", "python", **env).returncode == 1
    stage = node.stage("python")
    assert stage["code"] == "python.interpreter"
    assert "ash mismatch" in stage["message"]
    assert set(mirror.asked) == {ASSET}
    assert not node.path(f"/opt/llm/python/{VERSION}/complete").exists()
    assert not node.path("/opt/llm/venv/vllm-tpu-0.32.0").exists()


def test_without_a_route_to_it_the_stage_says_which_python_it_wanted(node: Node, mirror: Mirror) -> None:
    assert node.run("run", "python", UV_PYTHON_INSTALL_MIRROR=mirror.address).returncode == 1
    stage = node.stage("python")
    assert stage["code"] == "python.interpreter"
    assert f"Python {VERSION}" in stage["message"]
    assert "404" in stage["message"]
