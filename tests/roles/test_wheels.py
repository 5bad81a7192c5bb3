"""A service that is Python wheels and a unit needs no Python of its own: a stage installs what its lock lists."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from pulumi_llm import _bootstrap as bootstrap
from pulumi_llm.roles import ServiceRole
from tests.bootstrap.samples import proxy_node, supplied
from tests.roles.sample import installed

LOCK = f"teller==2.0 --hash=sha256:{'a' * 64}\n"
DIGEST = hashlib.sha256(f"teller 2.0 {'a' * 64}".encode()).hexdigest()
ROLE = f"""\
title: Teller
needs: {{roles: [caddy, wheels]}}
loopback: [7400]
install:
  environments:
    teller:
      version: "2.0"
      requirement: teller==2.0
      source: the makers' own index
      source_date: "2026-11-28"
      wheels: {{digest: {DIGEST}, count: 1, download_bytes: 100, unpacked_bytes: 400,
               source: tools/lock, source_date: "2026-11-28"}}
users:
  llm-teller: {{id: 491, title: Teller, home: /srv/llm/teller}}
service: {{name: teller}}
listeners:
  api: {{title: Teller, port: 18600, to: "127.0.0.1:7400", key: own}}
"""
UNIT = """\
[Service]
User=llm-teller
ExecStart={{ venv.teller }}/bin/teller --port 7400
"""
NODE = proxy_node().having(ServiceRole(role="teller"))


@pytest.fixture(autouse=True)
def _package(tmp_path: Path) -> Iterator[None]:
    with installed(tmp_path / "site", name="teller", role=ROLE, compose="") as code:
        (code / "llm-teller.service.j2").write_text(UNIT)
        (code / "locks").mkdir()
        (code / "locks/teller.txt").write_text(LOCK)
        yield


def test_its_lock_its_unit_and_its_stage_are_on_the_node() -> None:
    document = bootstrap.settings(NODE)
    files = {each["path"]: each["content"] for each in document["files"]}
    assert files["/opt/llm/locks/teller.txt"] == LOCK
    assert "ExecStart=/opt/llm/venv/teller-2.0/bin/teller" in files["/etc/systemd/system/llm-teller.service"]
    assert "environments" in document["stages"]
    assert "ExecStart=/opt/llm/bin/llm-node run environments" in files["/etc/systemd/system/llm-environments.service"]
    supply = json.loads(files["/opt/llm/supply.json"])
    assert supply["environments"] == ["teller"]
    assert supply["venvs"]["teller"]["digest"] == DIGEST


def test_its_stage_installs_what_its_lock_lists(tmp_path: Path) -> None:
    node = supplied(tmp_path / "node", NODE)
    code = (
        "from llm_node import environments, wheels; wheels.first = lambda code, sources, attempt: print(code); "
        "wheels.must = lambda *argv: print(argv[-1]); environments.main()"
    )
    printed = node.python(code).splitlines()
    assert printed[0].endswith("/opt/llm/venv/teller-2.0")
    assert printed[1] == "python.index-unreachable"
    assert node.path("/opt/llm/venv/teller-2.0/complete").read_text() == DIGEST


def test_a_stack_without_such_a_service_has_no_such_stage() -> None:
    assert "environments" not in bootstrap.settings(proxy_node())["stages"]
