"""A small node that stops by itself, booted: what its cloud tells and lends it, and short times."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

from llm_boot.compute import Row
from llm_boot.world import World
from pulumi_llm._bootstrap import GatewayKey, LeaveRole, NodeRequest
from tests.boot.node import ADDRESS, Node
from tests.bootstrap.samples import gateway_of, proxy_node

IDLE = 9.0
"""Seconds without a call: far fewer than anybody would ask for, so that a test ends."""

PLACES = {"aliyun": "cn-hangzhou", "tencent": "ap-guangzhou", "aws": "us-east-1", "gcp": "us-central1"}
IDS = {"aliyun": "i-bp1booted", "tencent": "ins-booted", "aws": "i-0123456789abcdef0", "gcp": "4711"}
OTHERS = {"aliyun": "i-bp1other", "tencent": "ins-other", "aws": "i-0fedcba9876543210", "gcp": "4712"}
MODEL = "gpt-6-luna"
KEY = "sk-made-up-gateway_key_{}"
SPENT = {"daily_tokens": 150}

FAST = """\
import json, sys, time
sys.path.insert(0, "/opt/llm/lib")
from llm_node import leave
start, rate = float(sys.argv[1]), float(sys.argv[2])
begun = time.time()
with open("/run/llm/fast.json", "w") as file:
    json.dump({"begun": begun, "start": start, "rate": rate}, file)
gone = lambda: rate * (time.time() - begun)
fast = leave.Clock(wall=lambda: start + gone(), steady=gone, pause=lambda _: time.sleep(0.05), up=lambda: 60 + gone())
leave.Clock = lambda: fast
leave.TAKEN *= rate
leave.main()
"""
"""The node's own program by a clock that runs so many times as fast from a moment on; what it is told is real."""


def policy_of(cloud: str, machine: str) -> dict[str, Any]:
    """What the program gives the role of a machine."""
    adapter: Any = import_module(f"pulumi_llm.clouds.{cloud}.adapter")
    arn = f"arn:aws:ec2:{PLACES['aws']}:123456789012:instance/{machine}"
    given = [arn] if cloud == "aws" else [PLACES[cloud], machine]
    return dict(json.loads(adapter.stop_policy(*given)))


def row_of(cloud: str, **changes: Any) -> Row:
    """The machine as its cloud knows it, with a role that may stop it."""
    row = Row(cloud=cloud, region=PLACES[cloud], id=IDS[cloud], machine="node")
    if cloud != "gcp":
        key = (f"AKID{cloud}", "secret/+=Example", "token/+==")
        row = replace(row, role="llm-node-stop", policies=(policy_of(cloud, row.id),), key=key)
    return replace(row, **changes)


def leaving_node() -> NodeRequest:
    """A gateway in front of a vendor, with a data disk; two keys, of which one is soon used up."""
    node = proxy_node()
    keys = (GatewayKey(name="home"), GatewayKey(name="spent", limits=SPENT))
    return replace(node, roles=(replace(gateway_of(node), keys=keys), LeaveRole(idle_minutes=1, spot=True)))


class Leaving(Node):
    """That node, in a world where its cloud answers."""

    def told(self) -> dict[str, Any]:
        """What the status says of stopping by itself."""
        asked = [
            "curl",
            "-sk",
            "--max-time",
            "20",
            f"https://{ADDRESS}/status",
            "-H",
            f"Authorization: Bearer {KEY.format('home')}",
        ]
        done = subprocess.run(
            ["ip", "netns", "exec", self.world.name, *asked], capture_output=True, text=True, check=True
        )
        return dict(json.loads(done.stdout)["leave"])

    def state(self) -> dict[str, Any]:
        """What the program has noted."""
        leader = self.machine.leader
        try:
            return dict(json.loads(Path(f"/proc/{leader}/root/run/llm/leave.json").read_text()))
        except (OSError, ValueError):
            return {}

    def configure(self, row: Row, **config: Any) -> None:
        """Let it be a machine of a cloud, with short times, from the program's next start on."""
        self.world.tell(self.machine, row)
        given = {"cloud": row.cloud, "spot": True, "ports": [22], **config}
        self.machine.path("/opt/llm/leave.json").write_text(json.dumps(given))
        if self.machine.is_running:
            self.machine.inside("systemctl", "restart", "llm-leave")
            self.wait(lambda: self.state().get("state") == "watching", "the program")

    def ask(self, key: str = "home", *, stream: bool = False) -> tuple[int, dict[str, str], str]:
        """A completion, asked for from outside: status, headers, body."""
        done = self.asking(key, stream=stream)
        said, __ = done.communicate(timeout=120)
        head, __, body = said.replace("\r\n", "\n").partition("\n\n")
        first, *rows = head.splitlines() or [""]
        headers = {name.lower(): value.strip() for name, __, value in (each.partition(":") for each in rows)}
        return int((first.split() or ["", "0"])[1]), headers, body

    def asking(self, key: str = "home", *, stream: bool = False) -> subprocess.Popen[str]:
        """The same, under way."""
        body = {"model": MODEL, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 4, "stream": stream}
        line = ["curl", "-sk", "--http1.1", "-N", "-i", "--max-time", "100", f"https://{ADDRESS}/v1/chat/completions"]
        line += ["-H", f"Authorization: Bearer {KEY.format(key)}", "-H", "Content-Type: application/json"]
        argv = ["ip", "netns", "exec", self.world.name, *line, "-d", json.dumps(body)]
        return subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)

    def until_ready(self) -> float:
        """Wait until it serves; when that was."""
        self.wait(lambda: self.stage("serve").get("state") == "done" and self.is_ready(), "ready")
        return time.time()

    def is_ready(self) -> bool:
        leader = self.machine.leader
        try:
            return bool(json.loads(Path(f"/proc/{leader}/root/run/llm/status.json").read_text())["ready"])
        except (OSError, ValueError, KeyError):
            return False

    def until_ordered(self, count: int, seconds: float = 60) -> dict[str, Any]:
        """Wait until the cloud was asked so often; the last call."""
        self.wait(lambda: len(self.world.orders()) >= count, f"call {count} of the cloud", seconds)
        return self.world.orders()[-1]

    def until_off(self) -> None:
        """Wait until it is off."""
        deadline = time.monotonic() + 120
        while self.machine.is_running:
            assert time.monotonic() < deadline, self.story()
            time.sleep(0.1)

    def fast(self, start: float, rate: float) -> None:
        """Let the program go by a clock that starts at that time and runs so much faster, at its next start."""
        self.machine.path("/opt/llm/fast.py").write_text(FAST)
        unit = self.machine.path("/etc/systemd/system/llm-leave.service.d/fast.conf")
        unit.parent.mkdir(parents=True, exist_ok=True)
        unit.write_text(f"[Service]\nExecStart=\nExecStart=/usr/bin/python3 -I /opt/llm/fast.py {start} {rate}\n")
        self.machine.inside("systemctl", "daemon-reload")

    def fast_time(self, at: float) -> float:
        """What that clock showed at a moment."""
        told = json.loads(Path(f"/proc/{self.machine.leader}/root/run/llm/fast.json").read_text())
        return float(told["start"] + told["rate"] * (at - told["begun"]))


@contextmanager
def leaving(world: World, folder: Path) -> Iterator[Leaving]:
    """The node, ready."""
    folder.mkdir(parents=True, exist_ok=True)
    node = Leaving(world, folder, leaving_node())
    try:
        world.tell(node.machine, row_of("aws"))
        node.boot()
        done = node.apply()
        assert done.code == 0, f"{done.said}\n{node.story()}"
        yield node
    finally:
        node.machine.destroy()
