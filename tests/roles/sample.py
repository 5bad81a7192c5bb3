"""A package that brings a role, as somebody else would write it: a role.yaml, a compose file, and an entry point."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pulumi_llm.roles import NodeRequest, ServiceRole, registry
from tests.bootstrap.samples import gpu_node

ROLE = """\
title: Ledger
needs:
  roles: [gateway, docker]
  memory_gib: 3
  disk_gib: 25
loopback: [7300, 7301]

install:
  images:
    ledger:
      image: registry.example.com/acme/ledger:2.4.1
      source: the makers' own registry
      source_date: "2026-11-28"

users:
  llm-ledger: {id: 490, title: Ledger, home: /srv/llm/ledger}
folders:
  ledger: {owner: llm-ledger}

service: {name: ledger}
compose: {keeps: books}
health: {url: "http://127.0.0.1:7300/healthz"}

secrets:
  ledger_password: {title: the ledger's password, generate: true, file: ledger.env, variable: LEDGER_PASSWORD}

listeners:
  api: {title: Ledger, port: 18500, to: "127.0.0.1:7300", key: gate, paths: "^/api/"}
  stream: {title: Ledger stream, port: 18501, to: "127.0.0.1:7301", protocol: grpc, key: own}

outputs:
  endpoint: {url: api}
  stream: {authority: stream}
  password: {secret: ledger_password}

hints:
  ledger.crashes: is its database whole? docker logs llm-ledger-ledger-1
"""
COMPOSE = """\
services:
  ledger:
    image: {{ image.ledger }}
    pull_policy: never
    restart: unless-stopped
    user: "{{ users['llm-ledger'] }}"
    ports: ["127.0.0.1:7300:7300", "127.0.0.1:7301:7301"]
    volumes: ["{{ data }}:/var/lib/ledger"]
    env_file: ["{{ secrets }}/ledger.env"]
    mem_limit: {{ memory_gib }}g
"""


def package(site: Path, role: str = ROLE, compose: str = COMPOSE, name: str = "ledger") -> Path:
    """The package as it lies in site-packages once it is installed."""
    code = site / f"acme_{name}"
    code.mkdir(parents=True)
    (code / "__init__.py").write_text("")
    (code / "role.yaml").write_text(role)
    if compose:
        (code / "compose.yaml.j2").write_text(compose)
    info = site / f"acme_{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: acme-{name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[pulumi_llm.roles]\n{name} = acme_{name}\n")
    return code


@contextmanager
def installed(folder: Path, **changes: Any) -> Iterator[Path]:
    """The package, found by Python as an installed one is."""
    try:
        with pytest.MonkeyPatch.context() as patch:
            made = package(folder, **changes)
            patch.syspath_prepend(str(folder))
            registry.forget()
            yield made
    finally:
        for name in [each for each in sys.modules if each.startswith("acme_")]:
            del sys.modules[name]  # the next test's package is another one
        registry.forget()


def node_with_ledger(**options: Any) -> NodeRequest:
    """A GPU host with the role on it."""
    return gpu_node().having(ServiceRole(role="ledger", **options))
