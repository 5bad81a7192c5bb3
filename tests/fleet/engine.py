"""`pulumi` itself on a fleet: the real engine, the real plugin for Kubernetes, and a program of three lines.

``random`` and ``tls`` are the simulation's plugins: what they make is text to Kubernetes. State is in a folder, and
its secrets are encrypted by a passphrase. The engine finds the plugin on PATH, where there is no choice of versions:
it warns that the plugin is older than the one that the SDK asks for, and goes on. Nothing leads out of the machine:
what would be fetched, as a chart is, goes to a proxy that is not there.
"""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from pulumi_llm._simcloud.engine import find_engine
from pulumi_llm._simcloud.invocation import prepare
from tests.engine.sim import Preview, said
from tests.fleet.cluster import PROGRAMS, Cluster

PLUGIN = PROGRAMS / "pulumi-resource-kubernetes"
STACK = "lab"
DISCARD = 9
"""A port that nobody answers on. What is asked of this machine itself goes by no proxy."""
PROGRAM = """\
import json, pathlib
import pulumi, pulumi_llm as llm

args = json.loads(pathlib.Path("fleet.json").read_text())
secrets = {key: pulumi.Output.secret(args[key]) for key in ("kubeconfig", "carried_keys") if key in args}
fleet = llm.Fleet("fleet", {**args, **secrets})
pulumi.export("endpoint", fleet.endpoint)
pulumi.export("keys", fleet.api_keys)
"""


@dataclass
class Stack:
    """A stack with one fleet, in a folder of its own."""

    folder: Path
    cluster: Cluster
    args: dict[str, Any]

    def __post_init__(self) -> None:
        self._engine = find_engine()
        home = self.folder / "home"
        self._environment = prepare(home, self._engine)
        (home / "bin" / PLUGIN.name).symlink_to(PLUGIN)
        # Neither the user's cluster nor the user's Helm is any of a test's business.
        none = str(self.folder / "none")
        self._environment |= {"KUBECONFIG": none, "HELM_PLUGINS": none, "HTTPS_PROXY": f"http://127.0.0.1:{DISCARD}"}
        project = {"name": "fleet", "runtime": {"name": "python", "options": {"toolchain": "pip"}}}
        (self.folder / "Pulumi.yaml").write_text(yaml.safe_dump(project))
        (self.folder / "__main__.py").write_text(PROGRAM)
        self.run("stack", "init", STACK)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """The engine at work, in a session of its own with its plugins."""
        text = json.dumps({**self.args, "kubeconfig": kubeconfig(self.cluster)})
        (self.folder / "fleet.json").write_text(text)
        return subprocess.Popen(
            [str(self._engine.pulumi), "--non-interactive", *arguments],
            cwd=self.folder, env=self._environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip

    def finished(self, process: subprocess.Popen[str], seconds: float = 300) -> subprocess.CompletedProcess[str]:
        """Wait for an engine's end; one that takes longer is ended with its plugins, and none of those stays."""
        try:
            out, err = process.communicate(timeout=seconds)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            for each in of_session(process.pid):
                with suppress(ProcessLookupError):
                    os.kill(each, signal.SIGKILL)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def run(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        done = self.finished(self.start(*arguments))
        if check:
            assert done.returncode == 0, f"{arguments} ended with {done.returncode}\n{said(done)}"
        return done

    def up(self, *, check: bool = True) -> subprocess.CompletedProcess[str]:
        return self.run("up", "-s", STACK, "--yes", "--skip-preview", check=check)

    def preview(self, *, refresh: bool = False) -> Preview:
        more = ["--refresh"] if refresh else []
        return Preview(json.loads(self.run("preview", "-s", STACK, "--json", *more).stdout))

    def destroy(self, *, check: bool = True) -> subprocess.CompletedProcess[str]:
        return self.run("destroy", "-s", STACK, "--yes", "--skip-preview", check=check)

    def cancel(self) -> None:
        """What the engine asks for after one that was killed: its lock is taken away."""
        self.run("cancel", STACK, "--yes")

    def output(self, name: str) -> Any:
        return json.loads(self.run("stack", "output", name, "-s", STACK, "--json", "--show-secrets").stdout)

    def written(self) -> str:
        """All that the engine has written down of the stack: state, its history, and copies of both."""
        files = (self.folder / "home" / "state").rglob("*")
        return "\n".join(each.read_text(errors="replace") for each in files if each.is_file())

    def resources(self) -> set[str]:
        """Names of what the state holds."""
        return {each["urn"].rsplit("::", 1)[-1] for each in self._state()}

    def kinds(self) -> set[str]:
        """Types of what the state holds."""
        return {each["type"] for each in self._state()}

    def _state(self) -> list[dict[str, Any]]:
        exported = json.loads(self.run("stack", "export", "-s", STACK).stdout)
        return exported["deployment"].get("resources") or []


def of_session(leader: int) -> list[int]:
    """The processes of a session: the engine gives each plugin a group of its own, which outlives a killed engine."""
    found = []
    for each in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            # After the name, which may hold anything: state, parent, group, session.
            if int((each / "stat").read_text().rpartition(")")[2].split()[3]) == leader:
                found.append(int(each.name))
    return found


def kubeconfig(cluster: Cluster) -> str:
    """The administrator's kubeconfig with the authority in it, as `kubectl config view --raw --flatten` prints it."""
    document = json.loads(cluster.kubeconfig.read_text())
    inside = document["clusters"][0]["cluster"]
    authority = Path(inside.pop("certificate-authority")).read_bytes()
    inside["certificate-authority-data"] = base64.b64encode(authority).decode()
    return json.dumps(document)
