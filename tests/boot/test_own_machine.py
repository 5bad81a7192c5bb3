"""A machine that exists, which nothing of ours has set up: it is taken over SSH, and left as it was."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from llm_boot.machine import MachineSpec
from llm_boot.world import World
from pulumi_llm import _bootstrap as bootstrap
from pulumi_llm.clouds.ssh.adapter import LEAVE, LOGIN, RUN
from pulumi_llm.clouds.ssh.program import program
from tests.boot.node import ADDRESS, Node, key, of_booted_machines, quiet_node

pytestmark = [pytest.mark.boot, pytest.mark.boot_all]

PLAIN = "#cloud-config\n{}\n"
TOKEN = f"own@{ADDRESS}"
STANDS_IN = {"systems": {"debian 13": "ubuntu-24.04"}}
"""The image that stands in for Ubuntu: docs/boot-tests.md."""
DIGEST = (
    "find / -xdev \\( -path /proc -o -path /sys -o -path /dev -o -path /run -o -path /tmp -o -path /var/log "
    "-o -path /var/lib/dpkg -o -path /var/lib/apt -o -path /var/cache -o -path /var/lib/cloud -o -path /var/tmp "
    "-o -path /var/lib/systemd -o -path /usr/lib/llm-boot \\) -prune -o -type f ! -name '*-' ! -name '*.cache' -print0 "
    "| sort -z | xargs -0 sha256sum; find / -xdev \\( -path /proc -o -path /sys -o -path /dev -o -path /run "
    "-o -path /tmp -o -path /var \\) -prune -o -type l -printf '%p -> %l\\n' | sort; "
    "find / -xdev -name '*llm*' ! -path '/proc/*' ! -path '/usr/lib/llm-boot*' ! -path '/usr/include/*' | sort"
)
"""Every file's digest, every link, and whatever is called after us; without logs, caches, and the records of apt, dpkg,
cloud-init and systemd."""


class Own(Node):
    """A machine whose user data says nothing."""

    def __init__(
        self,
        world: World,
        folder: Path,
        request: bootstrap.NodeRequest | None = None,
        rendered: AbstractContextManager[None] | None = None,
        **spec: Any,
    ) -> None:
        """``rendered``: with which templates; by default those that booted machines get."""
        self.world, self.folder, self.request = world, folder, request or quiet_node(data_disk_gib=0)
        with rendered or of_booted_machines(folder / "templates", world.parts):
            self.settings = bootstrap.settings(self.request)
            self.first = bootstrap.first_boot(self.request)
        private, public = key()
        self.key = folder / "key"
        self.key.touch(mode=0o600)
        self.key.write_text(private)
        user = self.request.login_user
        self.machine = world.machine(
            MachineSpec(name="own", user_data=PLAIN, login_user=user, public_key=public, **spec)
        )
        self.machine.give_address(ADDRESS)
        self.machine.start()

    def take(self, **changes: Any) -> Any:
        told = {
            "program": program(),
            "token": TOKEN,
            "name": self.request.name,
            "mode": "systemd",
            "folder": "/data/llm",
            "gpu": {},
            "disk_gib": 1,
            "system_gib": 1,
            "memory_gib": None,
            **self.first,
            **({} if self.machine.spec.plain else STANDS_IN),
            "fence": [{"port": port, "cidrs": ["0.0.0.0/0"]} for port in self.first["ports"][:1]],
        }
        return self.over_ssh(LOGIN + RUN, json.dumps(told | changes))

    def files(self) -> set[str]:
        return set(self.machine.inside("sh", "-c", DIGEST, check=False).splitlines())


def test_a_machine_that_exists_is_taken_serves_reboots_and_is_left_as_it_was(world: World, tmp_path: Path) -> None:
    own = Own(world, tmp_path)
    assert own.over_ssh("sudo -n true").code == 0  # at the first time sudo leaves a mark of its own in the user's home
    own.machine.inside("systemctl", "is-system-running", "--wait", check=False)
    before = own.files()

    refused = own.take(systems={"ubuntu 24.04": "ubuntu-24.04"}, disk_gib=10**6)
    assert refused.code == 1
    assert "[ssh.old-system]" in refused.said
    assert "[ssh.disk-full]" in refused.said
    assert own.files() == before, "a machine that is refused was touched"

    taken = own.take()
    assert taken.code == 0, taken.said
    assert own.take().said == taken.said, "the second time tells something else"
    stopped = own.machine.inside("systemctl", "show", "--value", "-p", "InactiveEnterTimestampMonotonic", "llm-fence")
    assert stopped.strip() == "0", "the ports were open for a moment when the machine was taken again"
    fenced = [line for line in own.machine.inside("iptables", "-S", "INPUT").splitlines() if "LLM-FENCE" in line]
    assert fenced == ["-A INPUT -j LLM-FENCE"]
    applied = own.apply()
    assert applied.code == 0, f"{applied.said}\n{own.story()}"
    assert own.machine.inside("readlink", "/srv/llm").strip() == "/data/llm"

    other = own.take(name="another")
    assert "[ssh.other-owner]" in other.said
    own.machine.inside("systemctl", "reboot", check=False)
    own.wait(lambda: own.stage("serve").get("state") == "done", "it serves after the reboot")

    assert own.over_ssh(f"{LEAVE} somebody-else@{ADDRESS}").code == 0
    assert own.machine.path("/opt/llm").exists(), "another token took it away"
    left = own.over_ssh(f"{LEAVE} {TOKEN}")
    assert left.code == 0, left.said
    after = own.files()
    assert {"gone": sorted(before - after)[:20], "left": sorted(after - before)[:20]} == {"gone": [], "left": []}
    assert own.over_ssh(f"{LEAVE} {TOKEN}").code == 0, "there is nothing to leave any more"
