"""Moderators as a stack configures them: from the specification to the real gateway in the node's environment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

import pytest

from pulumi_llm import spec
from pulumi_llm._bootstrap import GatewayRole
from pulumi_llm._gateway import content_role
from pulumi_llm.roles import gateway
from tests.gateway.content.fakes import BAD, vendors
from tests.gateway.content.test_moderators import LABELS, OPTIONS
from tests.gateway.fake import Fake
from tests.gateway.harness import Home, chat, client_of

CHECKOUT = Path(__file__).parents[3]
KINDS = tuple(OPTIONS)


def written(root: Path, kind: str, fake: Fake, url: str, key: str = "the-secret-key") -> Home:
    """The node's files for a stack with one moderator, but for its address."""
    options = {name: value.format(url=url) for name, value in OPTIONS[kind].items()}
    rows = {"mod": {"kind": kind, "action": "block", "on_error": "block", "options": options}}
    role = GatewayRole(https_port=443, content=content_role(spec.parse(spec.ContentSpec, {"moderators": rows}), []))
    content = json.loads(gateway.policy(role))["content"]
    home = Home(root).key().policy(content).routes(fake.url)
    moderator_keys(home, role, key)
    return home


def moderator_keys(home: Home, role: GatewayRole, key: str) -> None:
    """Add the moderator's secrets as the node writes them."""
    values = {each: key if each.endswith("_key") else "the-key-id" for each in gateway.moderator_secrets(role)}
    path = home.root / "secrets" / "upstream.env"
    kept = [line for line in path.read_text().splitlines() if line.startswith("UPSTREAM_")]
    new = path.with_suffix(".new")
    new.write_text("\n".join([*kept, *(f"{name.upper()}={value}" for name, value in values.items())]) + "\n")
    new.replace(path)


async def judged(home: Home, kind: str, python: str = sys.executable) -> list[dict[str, Any]]:
    """What a gateway answers to a harmless and to a bad request, and no secret in what it writes."""
    answers = []
    async with home.running(python=python) as gate, client_of(gate) as client:
        for text in ("今天天气不错", f"这是{BAD}"):
            body = chat(messages=[{"role": "user", "content": text}])
            async with client.post("/v1/chat/completions", json=body) as reply:
                answers.append({"status": reply.status, **(await reply.json())})
        verdicts = await gate.settled("verdict")
        log = await gate.logged()
    assert verdicts == [("",), (f"input:mod:block:{LABELS[kind]}",)]
    for planted in ("the-secret-key", "the-key-id", BAD):
        assert planted not in log
    return answers


@pytest.mark.parametrize("kind", KINDS)
async def test_a_moderator_of_the_specification_judges_what_is_asked(kind: str, tmp_path: Path) -> None:
    async with Fake() as fake, vendors() as vendor:
        harmless, bad = await judged(written(tmp_path, kind, fake, vendor.url), kind)
        assert (harmless["status"], bad["status"]) == (200, 400)
        assert bad["error"]["code"] == "content_policy_violation"
        assert len(fake.seen) == 1


HOOK = """
from llm_gate.content.moderators import Verdict


class Mine:
    limit = 1000

    def __init__(self, refuses, key):
        self.refuses, self.key = refuses, key

    async def judge(self, text, direction):
        return Verdict("block" if self.refuses in text and self.key == "the-secret-key" else "pass", ("mine",))

    async def close(self):
        pass


def make(options, secret):
    return Mine(options["refuses"], secret("moderation_hook_key"))
"""


async def test_a_moderator_of_ones_own_judges_what_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(HOOK)
    row = {"kind": "hook", "file": "mine.py", "action": "block", "on_error": "block", "secret": "moderation_hook_key"}
    rows = {"mod": {**row, "options": {"entry": "mine:make", "refuses": BAD}}}
    role = GatewayRole(https_port=443, content=content_role(spec.parse(spec.ContentSpec, {"moderators": rows}), []))
    async with Fake() as fake:
        home = Home(tmp_path / "node").key().policy(json.loads(gateway.policy(role))["content"]).routes(fake.url)
        moderator_keys(home, role, "the-secret-key")
        for name, source in gateway.hooks(role).items():
            (home.root / "settings" / name).parent.mkdir()
            (home.root / "settings" / name).write_text(source)
        async with home.running() as gate, client_of(gate) as client:
            statuses = []
            for text in ("今天天气不错", f"这是{BAD}"):
                async with client.post(
                    "/v1/chat/completions", json=chat(messages=[{"role": "user", "content": text}])
                ) as reply:
                    statuses.append(reply.status)
            assert statuses == [200, 400]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The Python of an environment that holds what the lock of the clouds' SDKs has, and nothing else."""
    if sys.version_info[:2] != (3, 12) or os.uname().machine != "x86_64":
        pytest.skip("the node's wheels are for Python 3.12 on x86_64")
    home = tmp_path_factory.mktemp("venv")
    venv.create(home, with_pip=True, symlinks=True)
    python = home / "bin/python"
    lock = CHECKOUT / "templates/locks/gate-sdks.txt"
    argv = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-deps", "--require-hashes"]
    subprocess.run([*argv, "--only-binary", ":all:", "-r", lock], check=True)
    return str(python)


@pytest.mark.artefact
@pytest.mark.parametrize("kind", KINDS)
async def test_the_locked_wheels_are_all_that_a_moderator_needs(kind: str, tmp_path: Path, environment: str) -> None:
    async with Fake() as fake, vendors() as vendor:
        harmless, bad = await judged(written(tmp_path, kind, fake, vendor.url), kind, environment)
        assert (harmless["status"], bad["status"]) == (200, 400)


@pytest.mark.artefact
def test_without_the_sdks_the_gateway_runs_and_installs_none_of_them() -> None:
    lock = (CHECKOUT / "templates/locks/gate.txt").read_text()
    assert not [name for name in ("alibabacloud", "tencentcloud", "requests") if name in lock]
