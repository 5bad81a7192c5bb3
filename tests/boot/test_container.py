"""A container as it is rented out: no systemd, root over SSH, one disk that stays. It is taken, and left as it was."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from llm_boot.machine import MachineSpec
from llm_boot.world import World
from pulumi_llm import _bootstrap as bootstrap
from pulumi_llm import _channel as channel
from pulumi_llm.clouds.ssh.adapter import IN_CONTAINER, LEAVE_CONTAINER, RUN_IN_CONTAINER
from pulumi_llm.clouds.ssh.program import program, supervisor
from pulumi_llm.roles.requests import VllmRole
from tests.boot.node import ADDRESS, Applied, Node, key, of_booted_machines
from tests.bootstrap.samples import gateway_of, gpu_node

pytestmark = [pytest.mark.boot, pytest.mark.boot_all]

FOLDER = "/root/autodl-tmp/llm"
PORT = 6006
TOKEN = f"box@{ADDRESS}"
CALLER = "198.51.100.7"
"""A place that may call; another one may not."""
SKIPPED = ("proc", "sys", "dev", "run", "tmp", "var/log", "var/lib/dpkg", "var/lib/apt", "var/cache", "var/tmp")
PRUNED = " -o ".join(f"-path /{each}" for each in (*SKIPPED, "usr/lib/llm-boot"))
DIGEST = (
    rf'prune() {{ find / /root/autodl-tmp -xdev \( {PRUNED} \) -prune -o "$@"; }}; '
    "prune -type f ! -name '*-' ! -name '*.cache' -print0 | sort -z | xargs -0 sha256sum; "
    "prune ! -type l -printf '%p %y %m %u %g\\n' | grep -v -e '^[^ ]*- f' -e '\\.cache f' | sort; "
    "prune -type l -printf '%p -> %l\\n' | sort; "
    "find / -xdev -name '*llm*' ! -path '/proc/*' ! -path '/usr/lib/llm-boot*' ! -path '/usr/include/*' | sort"
)
"""Digests of all files, and mode and owner of all that is there; without logs, caches, and records of apt and dpkg."""
CONDA = "#!/bin/sh\necho 'this is conda, which is left alone' >&2\nexit 3\n"


class Box(Node):
    """A container with an SSH server, a disk that stays, and a renter's conda in front of everything."""

    def __init__(self, world: World, folder: Path, name: str = "box") -> None:
        self.world, self.folder = world, folder
        self.want()
        private, public = key()
        self.key = folder / "key"
        self.key.touch(mode=0o600)
        self.key.write_text(private)
        self.kept = folder / "autodl-tmp"
        self.kept.mkdir()
        (self.kept / "somebody's.txt").write_text("theirs\n")
        spec = MachineSpec(name=name, user_data="", login_user="root", public_key=public, gpus=1,
                           preinstalled_driver="580.95.05", kept={"/root/autodl-tmp": str(self.kept)})  # fmt: skip
        self.machine = world.machine(spec)
        conda = self.machine.path("/root/miniconda3/bin/python3")
        conda.parent.mkdir(parents=True)
        conda.write_text(CONDA)
        conda.chmod(0o755)
        self.machine.path("/root/.bashrc").write_text("export PATH=/root/miniconda3/bin:$PATH\n")
        self.machine.path("/usr/bin/sudo").unlink()
        self.machine.path("/root").chmod(0o700)
        self.machine.give_address(ADDRESS)
        self.machine.start()

    def want(self, context: int = 4096) -> None:
        """What it shall be from now on."""
        request = gpu_node(login_user="root", data_disk_gib=0, callers=(f"{CALLER}/32",))
        asked = [
            replace(each, max_model_len=context) if isinstance(each, VllmRole) else each
            for each in request.roles
            if each.role != "weaviate"
        ]
        self.request = replace(request, roles=tuple(asked)).having(replace(gateway_of(request), https_port=PORT))
        with of_booted_machines(self.folder / "templates", self.world.parts):
            self.settings = bootstrap.settings(self.request)
            self.first = bootstrap.first_boot(self.request)

    def take(self, **changes: Any) -> Applied:
        told = {
            "program": program(),
            "supervisor": supervisor(),
            "token": TOKEN,
            "name": self.request.name,
            "mode": "container",
            "again": 0,
            "folder": FOLDER,
            "gpu": {},
            "disk_gib": 1,
            "system_gib": 1,
            "memory_gib": None,
            **self.first,
            # the image that stands in for Ubuntu: docs/boot-tests.md
            "systems": {"debian 13": "ubuntu-24.04"},
            "fence": [],
        }
        return self.over_ssh(IN_CONTAINER + RUN_IN_CONTAINER, json.dumps(told | changes))

    def send_settings(self) -> None:
        done = self.over_ssh(bootstrap.stage_command(as_root=True), json.dumps(self.settings))
        assert done.code == 0, f"{done.said}\n{self.story()}"

    def apply(self, minutes: int = 10, **given: str) -> Applied:
        self.send_settings()
        return self.over_ssh(bootstrap.apply_command(minutes, as_root=True), self.secrets(**given))

    def story(self) -> str:
        asked = "cat /run/llm/stages/*.json; tail -n 30 /var/log/llm/*; ps axf"
        inside = self.machine.inside("sh", "-c", asked, check=False) if self.machine.is_running else "it is off"
        return f"{inside[-9000:]}\n{self.machine.console(15)}"

    @property
    def keys(self) -> list[str]:
        """The names of the callers' keys among the secrets."""
        return [each for each in self.settings["secrets"]["required"] if each.startswith("gateway_key_")]

    def processes(self) -> list[str]:
        """What runs: number, user, command line."""
        return [each.strip() for each in self.machine.inside("ps", "-ww", "axo", "pid=,user:16=,args=").splitlines()]

    def runs(self, user: str, word: str) -> bool:
        return any(line.split()[1] == user and word in line for line in self.processes())

    def first_line(self, user: str) -> str:
        return next(line for line in self.processes() if line.split()[1] == user)

    def files(self) -> set[str]:
        return set(self.machine.inside("sh", "-c", DIGEST, check=False).splitlines())

    def ask(self, place: str, key: str) -> str:
        """What somebody at a place is answered, by curl; its HTTP status, or curl's own word."""
        line = (
            f"curl --silent --insecure --max-time 60 --output /dev/null --write-out '%{{http_code}}' "
            f"--header 'Authorization: Bearer {key}' https://{ADDRESS}:{PORT}/v1/models || echo \" $?\""
        )
        done = subprocess.run(
            ["ip", "netns", "exec", place, "sh", "-c", line], capture_output=True, text=True, check=False
        )
        return done.stdout.strip()


def test_a_container_is_taken_serves_changes_stops_and_is_left_as_it_was(world: World, tmp_path: Path) -> None:
    box = Box(world, tmp_path)
    assert box.over_ssh("true").code == 0
    before = box.files()

    for wrong, code in (
        ({"mode": "systemd"}, "ssh.no-systemd"),
        ({"folder": "/root/llm"}, "ssh.folder-not-kept"),
        ({"folder": "/root/autodl-tmp"}, "ssh.in-use"),
        ({"disk_gib": 10**6}, "ssh.disk-full"),
    ):
        refused = box.take(**wrong)
        assert (refused.code, f"[{code}]" in refused.said) == (1, True), refused.said
    assert box.files() == before, "a container that is refused was touched"

    taken = box.take()
    assert taken.code == 0, taken.said
    assert box.take().said == taken.said, "the second time tells something else"
    applied = box.apply()
    assert applied.code == 0, f"{applied.said}\n{box.story()}"
    old = f"sk-made-up-{box.keys[0]}"
    assert box.machine.path("/root").stat().st_mode & 0o777 == 0o711, "services do not get to their data"
    assert box.runs("llm-vllm", "vllm"), box.story()
    assert box.runs("llm-caddy", "caddy"), box.story()
    assert not [line for line in box.processes() if line.split()[1] == "root" and "llm-vllm" in line]

    here, elsewhere = (world.place(name, address) for name, address in (("here", CALLER), ("else", "198.51.100.8")))
    assert box.ask(here, old) == "200"
    assert box.ask(here, "sk-nobody") == "401"
    assert box.ask(elsewhere, old).startswith("000"), "who may not call is answered"

    # A change of the model's settings and of a key: in place, and the key that it replaces stays valid for a while.
    running = box.first_line("llm-caddy")
    box.want(context=1024)
    changed = box.apply(**{box.keys[0]: "sk-another-key"})
    assert changed.code == 0, f"{changed.said}\n{box.story()}"
    assert [box.ask(here, each) for each in ("sk-another-key", old, "sk-nobody")] == ["200", "200", "401"]
    assert "--max-model-len 1024" in "\n".join(box.processes())
    assert box.first_line("llm-caddy") == running, "Caddy was restarted without need"

    # As `pulumi-llm keys list` asks.
    listed = box.over_ssh(f"{channel.IN_CONTAINER} list", "{}")
    assert (listed.code, "app" in listed.said) == (0, True), listed.said

    # What cannot start is taken back, and says why.
    box.edit_settings("--max-model-len", "--max-modelled-len")
    refused = box.apply(**{box.keys[0]: "sk-another-key"})
    assert "[vllm.unknown-flag]" in refused.said, refused.said
    assert "the last good configuration is running again" in refused.said
    box.want(context=1024)

    # What dies starts again.
    box.machine.inside("pkill", "-KILL", "-u", "llm-gateway", "-f", "llm_gate")
    box.wait(lambda: box.ask(here, "sk-another-key") == "200", "the gateway is back")
    said = box.over_ssh("/opt/llm/bin/llm-node logs gate")
    assert "ended with -9, and starts again" in said.said

    # The container is stopped and started: nothing runs, until it is told.
    box.machine.kill()
    box.machine.start()
    assert box.over_ssh("true").code == 0
    assert not [line for line in box.processes() if "/opt/llm" in line]
    assert box.take(again=1).said == taken.said, "all would be sent again"
    box.wait(lambda: box.stage("serve").get("state") == "done", "it serves after the stop")
    assert box.ask(here, "sk-another-key") == "200"

    left = box.over_ssh(f"{LEAVE_CONTAINER} {TOKEN}")
    assert left.code == 0, left.said
    after = box.files()
    assert {"gone": sorted(before - after)[:20], "left": sorted(after - before)[:20]} == {"gone": [], "left": []}
    assert not [line for line in box.processes() if "llm" in line.split(maxsplit=2)[2]]
    assert box.over_ssh(f"{LEAVE_CONTAINER} {TOKEN}").code == 0, "there is nothing to leave any more"


def test_a_container_that_was_made_anew_finds_its_weights_and_keys_again(world: World, tmp_path: Path) -> None:
    box = Box(world, tmp_path, "anew")
    first = box.take()
    assert first.code == 0, first.said
    applied = box.apply()
    assert applied.code == 0, f"{applied.said}\n{box.story()}"
    fetched = {each: each.stat().st_ino for each in box.kept.glob("llm/models/*/*.safetensors")}
    assert fetched
    box.machine.reinstall(box.machine.spec)
    box.machine.start()
    assert "[ssh.in-use]" in box.take(name="another").said, "another node was given the folder"
    again = box.take(again=1)
    assert again.code == 0, again.said
    assert again.said != first.said, "settings and secrets would not be sent again"
    applied = box.apply()
    assert applied.code == 0, f"{applied.said}\n{box.story()}"
    assert {each: each.stat().st_ino for each in fetched} == fetched, "the weights were fetched again"
