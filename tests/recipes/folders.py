"""Recipes that are a folder: a role, which here is a container service."""

from __future__ import annotations

import json

from pulumi_llm import spec
from tests.recipes.checkout import Checkout

ROLES = "services" in spec.ServerSpec.model_fields
"""Whether a stack can ask for a role by its name."""

ROLE = """\
title: Notes
needs:
  roles: [gateway, docker]
  memory_gib: 2
  disk_gib: 10
loopback: [7300]

install:
  images:
    notes:
      image: registry.example.com/example/notes:2.4.1
      source: an example
      source_date: "2026-11-28"

users:
  llm-notes: {id: 490, title: Notes, home: /srv/llm/notes}
folders:
  notes: {owner: llm-notes}

service: {name: notes}
compose: {keeps: notes}
health: {url: "http://127.0.0.1:7300/healthz"}

listeners:
  api: {title: Notes, port: 18500, to: "127.0.0.1:7300", key: gate, paths: "^/api/"}

outputs:
  endpoint: {url: api}
"""
COMPOSE = """\
services:
  notes:
    image: {{ image.notes }}
    pull_policy: never
    restart: unless-stopped
    user: "{{ users['llm-notes'] }}"
    ports: ["127.0.0.1:7300:7300"]
    volumes: ["{{ data }}:/var/lib/notes"]
    mem_limit: {{ memory_gib }}g
"""


def add_a_role(tree: Checkout) -> None:
    folder = tree.path / "templates/notes"
    folder.mkdir()
    (folder / "role.yaml").write_text(ROLE, encoding="utf-8")
    (folder / "compose.yaml.j2").write_text(COMPOSE, encoding="utf-8")
    wanted = "import sys; sys.path.insert(0, '.'); import tests.test_docs as docs\n"
    codes = tree.python(f"{wanted}print(*sorted(docs.codes() - set(docs.sections())))").split()
    if codes:
        anchors = "".join(f'<a id="{each.replace(".", "-", 1)}"></a>\n' for each in codes)
        heading = ", ".join(f"`{each}`" for each in codes)
        text = f"{anchors}\n### {heading}\n\nThe container of the example does not run, or does not answer.\n\n"
        tree.before(
            "docs", '<a id="weaviate-crashes"></a>\n', f"{text}**Do**: `sudo docker logs llm-notes-notes-1`.\n\n"
        )


def the_role_is_asked_for_in_a_stack(tree: Checkout) -> None:
    plan = json.dumps(tree.plan("aliyun-t4", gpu_count="1\n      services: {notes: {}}"))
    assert "18500" in plan
    assert "18500" not in json.dumps(tree.plan("aliyun-t4"))
    tree.tests("tests/roles", "tests/test_docs.py", only="role or code or manifest")
