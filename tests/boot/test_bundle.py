"""A machine that exists and reaches nobody: it installs all from a bundle, by real apt, uv and Docker, and serves."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from llm_boot.edge import table
from llm_boot.world import World
from pulumi_llm._bootstrap import NodeRequest
from pulumi_llm._commands._bundle import nodes
from pulumi_llm.roles import files as templates
from pulumi_llm.roles import registry
from tests.boot.node import ADDRESS, of_booted_machines
from tests.boot.test_own_machine import Own
from tests.ssh.samples import HOST_KEY

pytestmark = [pytest.mark.boot, pytest.mark.boot_all]

ROOT = Path(__file__).parents[2]
BUNDLE = "/mnt/bundle"
PLATFORM = {
    "server": {
        "cloud": "ssh",
        "region": "us",
        "gpu": "RTX 4090",
        "model": "01-ai/Yi-6B-Chat",
        "context_length": 256,
        "host": {"address": ADDRESS, "user": "ubuntu", "host_key": HOST_KEY, "folder": "/data/llm", "bundle": BUNDLE},
    },
    "vectors": {},
    "access": {"allowed_cidrs": ["203.0.113.0/24"]},
}
DRIVER = ("nvidia-headless-no-dkms-580-server", "nvidia-utils-580-server")
"""The owner's own, which no bundle brings: here the stand-ins, so that there is one."""


@contextmanager
def booted_templates(folder: Path, parts: Path) -> Iterator[Path]:
    """Those of booted machines, with the name of the release that stands in for Ubuntu's."""
    with of_booted_machines(folder, parts):
        file = folder / "node/role.yaml"
        role = yaml.safe_load(file.read_text(encoding="utf-8"))
        role["facts"]["ubuntu"]["codename"] = "trixie"
        file.write_text(json.dumps(role), encoding="utf-8")
        for each in (templates.text, templates.data):
            each.cache_clear()
        registry.forget()
        yield folder


def project(folder: Path) -> Path:
    """A stack with such a machine."""
    folder.mkdir()
    (folder / "Pulumi.yaml").write_text("name: own\nruntime: {name: python}\n", encoding="utf-8")
    shutil.copy(ROOT / "stacks/__main__.py", folder)
    (folder / "Pulumi.box.yaml").write_text(yaml.safe_dump({"config": {"own:platform": PLATFORM}}), encoding="utf-8")
    return folder


def collected(world: World, home: Path, made: Path, target: Path) -> subprocess.CompletedProcess[str]:
    """`pulumi-llm bundle`, run where the mirrors are: in the world of the machines."""
    resolver = made.parent / "resolv.conf"
    resolver.write_text(f"nameserver {table()['resolver']}\n", encoding="utf-8")
    line = f'mount --bind "{resolver}" /etc/resolv.conf && exec "$@"'
    command = [
        sys.executable,
        "-m",
        "pulumi_llm.cli",
        "bundle",
        "-s",
        "box",
        "--project",
        str(home),
        "--to",
        str(target),
    ]
    authority = str(world.parts / "signing/ca.crt")
    env = {**os.environ, templates.VARIABLE: str(made), "SSL_CERT_FILE": authority, "LLM_BUNDLE_PAUSE": "0.1"}
    argv = ["ip", "netns", "exec", world.name, "sh", "-c", line, "sh", *command]
    return subprocess.run(argv, env=env, cwd=ROOT, capture_output=True, text=True, check=False, timeout=500)


def test_a_machine_that_reaches_nobody_serves_from_a_bundle(world: World, tmp_path: Path) -> None:
    home, made, bundle = project(tmp_path / "own"), tmp_path / "made", tmp_path / "bundle"
    with booted_templates(made, world.parts):
        (request,), others, __ = nodes(home, "box")
        assert others == []
        done = collected(world, home, made, bundle)
        assert done.returncode == 0, f"{done.stdout}{done.stderr}"
        manifest = json.loads((bundle / "manifest.json").read_text(encoding="utf-8"))
        assert {each["kind"] for each in manifest["files"]} == {"packages", "wheels", "images", "weights"}
        assert manifest["missing"] == []
        serve(world, tmp_path, request, bundle)


def serve(world: World, folder: Path, request: NodeRequest, bundle: Path) -> None:
    own = Own(world, folder, replace(request, login_user="ubuntu"), gpus=1)
    own.machine.inside("sh", "-c", f"apt-get update -q && apt-get install -qy {' '.join(DRIVER)}")
    own.first["bundle"] = BUNDLE
    assert "[ssh.no-bundle]" in own.take().said
    shutil.copytree(bundle, own.machine.path(BUNDLE))
    # Whatever calls out is refused at once, and what a container sends is lost; SSH comes in.
    for each in (("-p", "tcp", "--syn"), ("-p", "udp")):
        own.machine.inside("iptables", "-I", "OUTPUT", "-o", "eth0", *each, "-j", "REJECT")
        own.machine.inside("iptables", "-t", "mangle", "-I", "POSTROUTING", "-o", "eth0", *each, "-j", "DROP")
    world.forget_requests()
    taken = own.take()
    assert taken.code == 0, taken.said
    applied = own.apply(minutes=5)
    assert applied.code == 0, f"{applied.said}\n{own.story()}"
    assert own.status["ready"]
    assert world.requests() == []
    # The disk that it came on is taken out, and the machine starts again.
    shutil.rmtree(own.machine.path(BUNDLE))
    own.machine.inside("systemctl", "reboot", check=False)
    for stage in ("bundle", "base", "python", "images"):
        own.until(stage, "done")
