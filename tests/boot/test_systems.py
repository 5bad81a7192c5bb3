"""Machines of one's own with other systems than a cloud's: plain Debian and Ubuntu, which nothing of ours has set up.

The distribution is as debootstrap makes it. Its archive's indexes and signatures are the real ones, and the wheels are
those that the locks for its Python name.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from llm_boot.world import World
from pulumi_llm._bootstrap import Sources
from pulumi_llm.catalog import systems
from pulumi_llm.clouds.ssh.adapter import LEAVE
from pulumi_llm.roles.requests import GatewayRole
from tests.boot.node import ADDRESS
from tests.boot.test_own_machine import TOKEN, Own
from tests.bootstrap.samples import proxy_node

pytestmark = [pytest.mark.boot, pytest.mark.boot_all]

TOOLS = Path(__file__).parents[2] / ".tools/boot/systems"
USERS = {"debian-13": "debian", "debian-12": "debian", "ubuntu-22.04": "ubuntu"}
MIRRORS = {"apt": "http://archive.ubuntu.com/ubuntu/", "debian-apt": "http://deb.debian.org/"}


@pytest.fixture(params=USERS)
def own(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Own]:
    """A machine with that system, in a world of its own."""
    name = request.param
    if not (TOOLS / name / "stamp").is_file():
        pytest.skip(f"{name} was not made: tools/fetch systems")
    sources = Sources(pypi=("https://pypi.org/simple",), apt=(MIRRORS[systems.system(name).mirrors],))
    node = proxy_node(data_disk_gib=0, login_user=USERS[name], system=name, sources=sources)
    world = World.make(tmp_path / "world", owner=os.getpid(), system=name)
    try:
        yield Own(world, tmp_path, node, rendered=nullcontext(), plain=True)
    finally:
        world.destroy()


def answers(own: Own, key: str) -> str:
    """What a caller with a key is answered when he asks for a completion, from the world outside: the status code."""
    gateway = own.request.of(GatewayRole)
    assert gateway is not None
    asked = json.dumps({"model": "gpt-6-luna", "max_tokens": 5, "messages": [{"role": "user", "content": "hello"}]})
    asking = ["curl", "-sk", "-o", "/dev/null", "-w", "%{http_code}", "-H", f"Authorization: Bearer {key}"]
    asking += ["-H", "Content-Type: application/json", "-d", asked]
    words = ["ip", "netns", "exec", own.world.name, *asking]
    words.append(f"https://{ADDRESS}:{gateway.https_port}/v1/chat/completions")
    return subprocess.run(words, capture_output=True, text=True, check=False).stdout


def test_another_system_is_taken_serves_changes_reboots_and_is_left_as_it_was(own: Own) -> None:
    told = systems.system(own.request.system)
    assert own.over_ssh("sudo -n true").code == 0
    own.machine.inside("systemctl", "is-system-running", "--wait", check=False)
    before = own.files()

    other = own.take(system="ubuntu-24.04")
    assert f"[ssh.other-system] the machine runs {told.told}, and ubuntu-24.04 is told" in other.said
    assert f"host.system: {told.name}" in other.said
    unknown = own.take(systems={"ubuntu 24.04": "ubuntu-24.04"})
    assert "[ssh.old-system]" in unknown.said
    assert own.files() == before, "a machine that is refused was touched"

    taken = own.take()
    assert taken.code == 0, taken.said
    assert own.take().said == taken.said, "the second time tells something else"
    assert_fenced(own)
    name = key_of(own)
    applied = own.apply(10, **{name: "sk-first-key-of-a-caller"})
    assert applied.code == 0, f"{applied.said}\n{own.story()}"
    ours = own.machine.inside("sh", "-c", "for each in /opt/llm/venv/*/bin/python; do readlink -f $each; done")
    assert {*ours.split()} == {f"/usr/bin/python{told.python}"}
    assert answers(own, "sk-first-key-of-a-caller") == "200"
    assert complaints(own) == [], "its systemd does not know what a unit asks for"

    rotated = own.apply(10, **{name: "sk-other-key-of-a-caller"})
    assert rotated.code == 0, rotated.said
    assert answers(own, "sk-other-key-of-a-caller") == "200"
    assert answers(own, "sk-nobodys-key") == "401"

    first = own.machine.leader
    own.machine.inside("systemctl", "reboot", check=False)
    own.wait(lambda: own.machine.leader not in (first, None), "it is up again")
    own.wait(lambda: own.stage("serve").get("state") == "done", "it serves after the reboot")
    assert answers(own, "sk-other-key-of-a-caller") == "200"
    assert_fenced(own)

    left = own.over_ssh(f"{LEAVE} {TOKEN}")
    assert left.code == 0, left.said
    after = own.files()
    assert {"gone": sorted(before - after)[:20], "left": sorted(after - before)[:20]} == {"gone": [], "left": []}


def assert_fenced(own: Own) -> None:
    """The ports are closed by a table of our own."""
    rules = own.machine.inside("nft", "list", "table", "inet", "llm_fence")
    port = own.first["ports"][0]
    assert f"tcp dport {port} ip saddr 0.0.0.0/0 accept" in rules or f"tcp dport {port} accept" in rules, rules
    assert f"tcp dport {port} drop" in rules


def key_of(own: Own) -> str:
    """The secret with the key of the first caller."""
    return next(str(each) for each in own.settings["secrets"]["required"] if each.startswith("gateway_key_"))


def complaints(own: Own) -> list[str]:
    """What systemd says of units of ours that it does not understand."""
    said: Any = own.machine.inside("journalctl", "-b", "--no-pager", "-o", "cat", "_PID=1")
    signs = ("Unknown key name", "Unknown section", "Failed to parse", "Invalid ")
    return [line for line in said.splitlines() if "llm" in line and any(sign in line for sign in signs)]
