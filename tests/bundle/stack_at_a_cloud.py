"""A stack whose machine takes its bundle from a bucket, and what stands on loopback for the sources of that bundle.

The command and all it does are the product's own. The environments' lists alone are short ones, as the real ones are
gigabytes.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from pulumi_llm._bundle import fetch
from pulumi_llm._bundle.wanted import Wanted, of_nodes
from pulumi_llm._commands._bundle import nodes
from pulumi_llm.roles import files as templates
from pulumi_llm.roles import registry
from tests.bootstrap.test_node_weights import Hub, hub_server
from tests.bundle import test_archive, test_images
from tests.bundle.server import Files, served

ROOT = Path(__file__).parents[2]
STACK, MACHINE = "prod", "llm-server"


@dataclass
class Stack:
    """A project with one stack at Aliyun; ``files`` and ``hub`` are what a bundle of it is collected from."""

    home: Path
    files: Files
    hub: Hub

    @property
    def folder(self) -> Path:
        """Where the bundle is collected."""
        return self.home / "bundle"

    def write(self, endpoint: str, **weights: Any) -> None:
        """The stack's file."""
        place = {"bucket": "s3://kept/below", "region": "cn-hangzhou", "endpoint": endpoint}
        server = {"cloud": "aliyun", "region": "cn-hangzhou", "gpu": "T4", "model": "01-ai/Yi-6B-Chat"}
        platform = {
            "server": {**server, "context_length": 2048, "weights": {**place, **weights}},
            "vectors": {"placement": "server"},
            "access": {"allowed_cidrs": ["203.0.113.0/24"]},
        }
        file = self.home / f"Pulumi.{STACK}.yaml"
        file.write_text(yaml.safe_dump({"config": {"own:platform": platform}}), encoding="utf-8")

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """`pulumi-llm`, as a process of its own."""
        argv = [sys.executable, "-m", "pulumi_llm.cli", *arguments]
        return subprocess.run(argv, cwd=self.home, capture_output=True, text=True, check=False, timeout=300)

    @property
    def upload(self) -> list[str]:
        """The arguments of `pulumi-llm bundle` that collect from the sources here, and upload."""
        host = self.files.address
        given = [f"apt={host}/u", f"pypi={host}/simple", f"registry={host.removeprefix('http://')}/"]
        sources = [each for one in (*given, f"hub=huggingface={self.hub.address}") for each in ("--from", one)]
        return ["-s", STACK, "--to", str(self.folder), "--upload", *sources]


@contextmanager
def stack(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    """The project, its sources, and templates with short lists: in force for processes too."""
    home.mkdir()
    made = home / "templates"
    shutil.copytree(ROOT / "templates", made)
    for each in (made / "locks").rglob("*.txt"):
        each.write_text(f"{each.stem}==1.0 --hash=sha256:{hashlib.sha256(wheel(each.stem)).hexdigest()}\n")
    (home / "Pulumi.yaml").write_text("name: own\nruntime: python\n", encoding="utf-8")
    shutil.copy(ROOT / "stacks/__main__.py", home)
    monkeypatch.chdir(home)
    monkeypatch.setattr(fetch, "PAUSE", 0.01)
    for name, value in {templates.VARIABLE: str(made), "LLM_POLL_SECONDS": "0.05", "LLM_PROBE_SECONDS": "0"}.items():
        monkeypatch.setenv(name, value)
    with served(Files()) as files, hub_server(Hub()) as hub:
        forget()
        try:
            found = Stack(home, files, hub)
            found.write("http://127.0.0.1:9")
            (node,), *__ = nodes(home, STACK)
            files.files |= served_for(of_nodes([node]))
            yield found
        finally:
            monkeypatch.undo()
            forget()


def forget() -> None:
    """What was read of other templates."""
    for each in (templates.templates, templates.text, templates.data, templates._compiled):
        each.cache_clear()
    registry.forget()


def wheel(name: str) -> bytes:
    """What stands for the wheel of a short list."""
    return f"wheel of {name}\n".encode() * 2000


def served_for(wanted: Wanted) -> dict[str, bytes]:
    """An archive, an index and a registry with just that."""
    names = wanted.packages
    rows = "\n\n".join(test_archive.row(each) for each in names)
    found = {f"/u/pool/{each}_1.deb": test_archive.content(each, "1") for each in names}
    for pocket in ("noble", "noble-updates", "noble-security"):
        found |= test_archive.suite(pocket, {"main": rows if pocket == "noble" else ""})
    for name in (each.name for each in wanted.environments):
        file = f"{name.replace('-', '_')}-1.0-py3-none-any.whl"
        row = {"filename": file, "url": f"/files/{file}", "hashes": {"sha256": hashlib.sha256(wheel(name)).hexdigest()}}
        found[f"/simple/{name}/"] = json.dumps({"meta": {"api-version": "1.0"}, "name": name, "files": [row]}).encode()
        found[f"/files/{file}"] = wheel(name)
    for image in wanted.images:
        repository, _, tag = image.rpartition(":")  # below the prefix it has its own registry's name
        manifests = {tag: test_images.INDEX, test_images.digest(test_images.MANIFEST): test_images.MANIFEST}
        found |= {f"/v2/{repository}/manifests/{each}": text for each, text in manifests.items()}
        found |= {path.replace("/v2/a/b/", f"/v2/{repository}/"): body for path, body in test_images.BLOBS.items()}
    return found
