"""Recipes that are a folder: a role, which here is a container service, and a cloud."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from tests.recipes.checkout import Checkout

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
    read_only: true
    tmpfs: ["/tmp:size=256m,mode=1777"]
    dns: [127.0.0.1]
    cap_drop: [ALL]
    security_opt: ["no-new-privileges:true"]
networks:
  default:
    driver_opts: {com.docker.network.bridge.enable_ip_masquerade: "false"}
"""


def add_a_role(tree: Checkout) -> None:
    folder = tree.path / "templates/notes"
    folder.mkdir()
    (folder / "role.yaml").write_text(ROLE, encoding="utf-8")
    (folder / "compose.yaml.j2").write_text(COMPOSE, encoding="utf-8")


def the_role_is_asked_for_in_a_stack(tree: Checkout) -> None:
    plan = json.dumps(tree.plan("aliyun-t4", gpu_count="1\n      services: {notes: {}}"))
    assert "18500" in plan
    assert "18500" not in json.dumps(tree.plan("aliyun-t4"))
    tree.tests("tests/roles", "tests/test_docs.py", only="role or code or manifest")


SAMPLE = Path(__file__).parents[1] / "clouds/sample/mars_for_llm"


def add_a_cloud(tree: Checkout) -> None:
    folder = tree.path / "components/pulumi_llm/clouds/mars"
    shutil.copytree(SAMPLE, folder, ignore=shutil.ignore_patterns("__pycache__"))
    for file in [each for each in folder.rglob("*") if each.suffix in (".py", ".json")]:
        text = file.read_text(encoding="utf-8")
        file.write_text(text.replace("mars_for_llm", "pulumi_llm.clouds.mars"), encoding="utf-8")
    tree.after("pyproject.toml", 'aws = "pulumi_llm.clouds.aws:CLOUD"\n', 'mars = "pulumi_llm.clouds.mars:CLOUD"\n')


def the_cloud_is_offered_and_its_machine_checked(tree: Checkout) -> None:
    assert "olympus" in tree.command("offers", "--cloud", "mars", "--gpu", "T4")
    place = ("--cloud", "mars", "--region", "olympus")
    assert "works" in tree.command("check", "01-ai/Yi-6B-Chat", "--gpu", "T4", "--max-model-len", "4096", *place)
    tree.tests("tests/clouds/test_registry.py", only="sdk")
