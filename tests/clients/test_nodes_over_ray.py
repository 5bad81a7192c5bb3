"""One model on two machines over Ray, with the command lines that nodes have: a real Ray each and a real vLLM.

Each machine is a network of its own, so that both have the ports that nodes have. vLLM for the CPU knows no name by
which Ray would count processors (`ray_device_key` of its platform is empty, 0.32.0), and refuses Ray for that: here a
plugin, which vLLM takes platforms from, has it count one as a GPU. All else is vLLM's own.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pulumi_llm.roles import rayed, tied
from pulumi_llm.roles.requests import Among, VllmRole
from pulumi_llm.roles.vllm_flags import command_line, model_path
from tests.clients.engine import PACKAGES, PATIENCE, can_start, python_313
from tests.clients.installed import TOOLS
from tests.clients.test_nodes_on_vllm import CPU, two_layers
from tests.test_nodes import UNIT, files
from tests.test_nodes_over_ray import over

pytestmark = [pytest.mark.clients, pytest.mark.on_vllm, pytest.mark.xdist_group("vllm")]

ADDRESSES = ("10.117.0.1", "10.117.0.2")
PROGRAMS = Path(__file__).parents[2] / "templates" / "vllm"
RAY = TOOLS / "ray"
PLUGIN = """
def register():
    return "counted.Counted"

def __getattr__(name):
    from vllm.platforms.cpu import CpuPlatform
    class Counted(CpuPlatform):
        ray_device_key = "GPU"
    return Counted
"""
ASKS = "import ray, sys; ray.init(address=sys.argv[1], log_to_driver=False); print(len(ray.nodes()), 'nodes')"
CALLS = """
import json, sys, urllib.request
question = {"model": "tiny", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 16}
request = urllib.request.Request("http://127.0.0.1:8000/v1/chat/completions", json.dumps(question).encode(),
                                 {"Content-Type": "application/json"})
print(json.loads(urllib.request.urlopen(request, timeout=120).read())["choices"][0]["message"]["content"])
"""


def of(rank: int) -> VllmRole:
    among = Among(rank=rank, count=2, addresses=ADDRESSES, ray=True)
    return VllmRole(model_id="acme/tiny", served_name="tiny", dtype="bfloat16", max_model_len=4096, among=among)


class Machines:
    """Two, each with its unit's command line and variables."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.running = folder, dict[int, subprocess.Popen[bytes]]()
        python = python_313()
        assert python is not None
        (folder / "model").mkdir()
        for name, data in two_layers().items():
            (folder / "model" / name).write_bytes(data)
        for name, where in (("ray", "ray.scripts.scripts"), ("vllm", "vllm.entrypoints.cli.main")):
            file = folder / "bin" / name
            file.parent.mkdir(exist_ok=True)
            file.write_text(f"#!{python}\nfrom {where} import main\nif __name__ == '__main__':\n    main()\n")
            file.chmod(0o755)
        (folder / "bin" / "python").symlink_to(python)
        about = folder / "plugin" / "counted-1.dist-info"
        about.mkdir(parents=True)
        (folder / "plugin" / "counted.py").write_text(PLUGIN)
        (about / "METADATA").write_text("Metadata-Version: 2.1\nName: counted\nVersion: 1\n")
        (about / "entry_points.txt").write_text("[vllm.platform_plugins]\ncounted = counted:register\n")
        self.token = folder / "token"
        self.token.write_text(secrets.token_hex(20))

    def environment(self, rank: int) -> dict[str, str]:
        """What the unit says of Ray, and what the test's engine needs."""
        home = self.folder / f"home-{rank}"
        home.mkdir(exist_ok=True)
        lines = re.findall(r"(?m)^Environment=(.*RAY_.*|.*METRIC.*)$", files(over(), rank)[UNIT])
        unit = dict(each.split("=", 1) for line in lines for each in line.split())
        assert unit.pop("RAY_AUTH_TOKEN_PATH") == rayed.TOKEN_FILE
        return {
            **unit, "RAY_AUTH_TOKEN_PATH": str(self.token), "PATH": os.environ["PATH"], "HOME": str(home),
            "PYTHONPATH": f"{self.folder / 'plugin'}:{RAY}:{PACKAGES}", "HF_HUB_OFFLINE": "1",
            "VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_NO_USAGE_STATS": "1", "VLLM_ENGINE_READY_TIMEOUT_S": "3600",
            "LLM_TIE_STATE": str(self.folder / f"{rank}.json"), "LLM_TIE_PAUSE": "1",
        }  # fmt: skip

    def start(self, rank: int) -> None:
        """What systemd would: its paths are this machine's, and its ports those of nodes."""
        role, tmp = of(rank), self.folder / f"ray-{rank}"
        line = shlex.split(command_line(role, str(self.folder / "bin")).replace("\\\n", " "))
        here = {
            "/usr/bin/python3": sys.executable,
            tied.TIE: str(PROGRAMS / "tie"),
            rayed.OVER_RAY: str(PROGRAMS / "over-ray"),
            model_path(role): str(self.folder / "model"),
            f"--temp-dir={rayed.FOLDER}": f"--temp-dir={tmp}",
        }
        told = [here.pop(each, each) for each in line]
        assert set(here) <= {model_path(role)}  # only the first machine has vLLM's own command
        log = (self.folder / f"{rank}.log").open("ab")
        self.running[rank] = subprocess.Popen(
            ["ip", "netns", "exec", f"llm-ray-{rank}", *told, *(CPU if rank == 0 else ())],
            stdout=log, stderr=log, env=self.environment(rank), cwd=self.folder, start_new_session=True,
        )  # fmt: skip

    def code(self, rank: int) -> str | None:
        file = self.folder / f"{rank}.json"
        return str(json.loads(file.read_text())["code"]) if file.exists() else None

    def log(self) -> str:
        return "\n".join((self.folder / f"{rank}.log").read_text(errors="replace")[-3000:] for rank in range(2))

    def until(self, *codes: str) -> None:
        deadline = time.monotonic() + 2 * PATIENCE
        while not all(self.code(rank) in codes for rank in self.running):
            assert time.monotonic() < deadline, self.log()
            assert all(each.poll() is None for each in self.running.values()), self.log()
            time.sleep(0.5)

    def run(self, rank: int, code: str, *told: str, **more: str) -> subprocess.CompletedProcess[str]:
        """A program on a machine."""
        return subprocess.run(
            ["ip", "netns", "exec", f"llm-ray-{rank}", str(self.folder / "bin" / "python"), "-c", code, *told],
            capture_output=True, text=True, timeout=240, env={**self.environment(rank), **more}, cwd=self.folder,
        )  # fmt: skip

    def says(self) -> str:
        return self.run(0, CALLS).stdout.strip()

    def below(self, rank: int) -> list[int]:
        """All processes of a machine but `tie`."""
        group = subprocess.run(["ip", "netns", "pids", f"llm-ray-{rank}"], capture_output=True, text=True, check=True)
        return [each for each in map(int, group.stdout.split()) if each != self.running[rank].pid]

    def listening(self, rank: int) -> dict[int, set[str]]:
        """The ports that are listened on, with the addresses."""
        rows = subprocess.run(
            ["ip", "netns", "exec", f"llm-ray-{rank}", "ss", "-ltnH"], capture_output=True, text=True, check=True
        ).stdout.splitlines()
        found: dict[int, set[str]] = {}
        for row in rows:
            address, __, port = row.split()[3].rpartition(":")
            found.setdefault(int(port), set()).add(address.replace("[::ffff:", "").strip("[]"))
        return found

    def cut_off(self, rank: int) -> None:
        """As a machine goes that loses its power."""
        for each in [self.running[rank].pid, *self.below(rank)]:
            os.kill(each, signal.SIGKILL)
        self.running.pop(rank).wait()

    def end(self) -> None:
        for each in self.running.values():
            each.terminate()
        for each in self.running.values():
            each.wait(90)


@pytest.fixture
def machines() -> Iterator[Machines]:
    if not can_start() or not RAY.exists():
        pytest.skip("vLLM for the CPU, Python 3.13 or Ray is not there: tools/fetch boot ray")
    if os.geteuid() != 0 or not shutil.which("ip") or not shutil.which("ss"):
        pytest.skip("networks of their own for two machines: root and iproute2 are needed")

    def ip(*told: str, check: bool = True) -> None:
        subprocess.run(["ip", *told], check=check, capture_output=True)

    # Short: the path of a socket of Ray's has 107 characters at most.
    with tempfile.TemporaryDirectory(prefix="llm-ray-") as folder:
        names = ["llm-ray-0", "llm-ray-1"]
        try:
            for name in names:
                ip("netns", "add", name)
            ip("link", "add", "llm0", "netns", names[0], "type", "veth", "peer", "name", "llm1", "netns", names[1])
            for rank, name in enumerate(names):
                ip("-n", name, "addr", "add", f"{ADDRESSES[rank]}/24", "dev", f"llm{rank}")
                ip("-n", name, "link", "set", "lo", "up")
                ip("-n", name, "link", "set", f"llm{rank}", "up")
            made = Machines(Path(folder))
            yield made
            made.end()
        finally:
            for name in names:
                ip("netns", "del", name, check=False)


def test_two_machines_answer_over_ray_and_do_so_again_after_one_was_lost(machines: Machines) -> None:
    for rank in (1, 0):
        machines.start(rank)
    machines.until("")
    answer = machines.says()
    assert answer == "Hello there, how are you?"  # what the model says on one machine
    # Ports: those that nodes open to each other, or not open to them, and loopback's.
    for rank in range(2):
        found = machines.listening(rank)
        own = {rayed.CLIENT_PORT, rayed.SCALER_PORT} if rank == 0 else set[int]()
        low, high = tied.PORTS_OVER_RAY
        for port, where in found.items():
            assert low <= port <= high or port in own or where == {"127.0.0.1"}, (rank, port, where)
        assert rayed.NODE_PORTS["--node-manager-port"] in found
        assert any(rayed.WORKER_PORTS[0] <= port <= rayed.WORKER_PORTS[1] for port in found)
        assert rayed.DASHBOARD_PORT not in found
    # Whoever has no token, or another one, is not let in; nor is Ray's own client.
    first = f"{ADDRESSES[0]}:{rayed.GCS_PORT}"
    assert machines.run(1, ASKS, first).stdout.strip().endswith("2 nodes")
    (machines.folder / "other").write_text(secrets.token_hex(20))
    for wrong in ({"RAY_AUTH_MODE": "disabled"}, {"RAY_AUTH_TOKEN_PATH": str(machines.folder / "other")}):
        refused = machines.run(1, ASKS, first, **wrong)
        assert refused.returncode != 0, refused.stdout
        assert "Connect" in refused.stderr
    lost: list[Any] = machines.below(0)
    machines.cut_off(1)
    machines.until("node-lost")
    until = time.monotonic() + 60
    while any(Path(f"/proc/{each}/fd").exists() and any(Path(f"/proc/{each}/fd").iterdir()) for each in lost):
        assert time.monotonic() < until, "Ray or an engine that lost a machine lives on"
        time.sleep(0.5)
    assert machines.says() == ""
    machines.start(1)
    machines.until("")
    assert machines.says() == answer
