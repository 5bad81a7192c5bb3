"""What the tests of the simulated clouds share: small clouds in memory, and a project that the real engine runs."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from pulumi_llm import _simcloud as simcloud
from pulumi_llm._simcloud import faults as failing
from pulumi_llm._simcloud.rules.base import CloudError
from pulumi_llm._simcloud.simulator import Difference, Failure, Simulator
from pulumi_llm._simcloud.store import Record, Store

REGIONS = {"aws": "us-east-1", "alicloud": "cn-shanghai", "tencentcloud": "ap-guangzhou", "volcengine": "cn-beijing"}


def urn(token: str, name: str) -> str:
    return f"urn:pulumi:dev::project::{token}::{name}"


@dataclass
class Made:
    """A resource that a test made."""

    token: str
    name: str
    id: str
    inputs: dict[str, Any]
    outputs: dict[str, Any]


@dataclass
class Cloud:
    """One simulated package, driven as the engine drives it: check, then create, diff, update, delete."""

    simulator: Simulator

    @property
    def store(self) -> Store:
        return self.simulator.store

    def check(self, token: str, name: str = "it", olds: dict[str, Any] | None = None, /, **news: Any) -> list[Failure]:
        return self.simulator.check(token, urn(token, name), olds or {}, news, b"seed")[1]

    def make(self, token: str, name: str = "it", /, **news: Any) -> Made:
        inputs, failures = self.simulator.check(token, urn(token, name), {}, news, b"seed")
        assert not failures, failures
        id_, outputs = self.simulator.create(token, urn(token, name), inputs)
        return Made(token, name, id_, inputs, outputs)

    def diff(self, made: Made, ignore: list[str] | None = None, **news: Any) -> Difference:
        inputs, failures = self.simulator.check(made.token, urn(made.token, made.name), made.inputs, news, b"seed")
        assert not failures, failures
        return self.simulator.diff(made.token, made.outputs, made.inputs, inputs, ignore)

    def change(self, made: Made, **news: Any) -> Made:
        inputs, failures = self.simulator.check(made.token, urn(made.token, made.name), made.inputs, news, b"seed")
        assert not failures, failures
        outputs = self.simulator.update(
            made.token, urn(made.token, made.name), made.id, made.outputs, made.inputs, inputs
        )
        return Made(made.token, made.name, made.id, inputs, outputs)

    def delete(self, made: Made) -> None:
        self.simulator.delete(made.token, urn(made.token, made.name), made.id, made.outputs)

    def refuses(self, token: str, name: str = "it", /, **news: Any) -> str:
        """The words in which the cloud refuses to make this."""
        with pytest.raises(CloudError) as refused:
            self.make(token, name, **news)
        return str(refused.value)

    def ask(self, token: str, **args: Any) -> dict[str, Any]:
        return self.simulator.invoke(token, args)


def cloud(package: str, store: Store | None = None, *, region: str = "", faults: str = "") -> Cloud:
    simulator = Simulator(package, store or Store(None), failing.parse(faults))
    if place := region or REGIONS.get(package, ""):
        simulator.configure({"region": place})
    return Cloud(simulator)


@pytest.fixture
def make_cloud() -> Callable[..., Cloud]:
    return cloud


@pytest.fixture
def aws() -> Cloud:
    return cloud("aws")


@pytest.fixture
def alicloud() -> Cloud:
    return cloud("alicloud")


@pytest.fixture
def digitalocean() -> Cloud:
    """Its provider is for no region."""
    return cloud("digitalocean")


@pytest.fixture
def tencentcloud() -> Cloud:
    return cloud("tencentcloud")


@pytest.fixture
def volcengine() -> Cloud:
    return cloud("volcengine")


# -- the real engine


@dataclass
class Run:
    """What one run of the engine did."""

    code: int
    text: str
    operations: dict[str, str] = field(default_factory=dict)


@dataclass
class Project:
    """A Pulumi project in a temporary folder, run by the real engine against the simulated clouds."""

    folder: Path
    home: Path
    program: Path
    faults: str = ""

    def run(self, *arguments: str, timeout: float = 300) -> subprocess.CompletedProcess[str]:
        from pulumi_llm._simcloud import engine, invocation

        found = engine.find_engine()
        environment = invocation.prepare(self.home, found, self.faults)
        environment |= {"PULUMI_SKIP_CONFIRMATIONS": "true", "PULUMI_DEBUG_COMMANDS": "true"}
        return subprocess.run(
            [str(found.pulumi), "--non-interactive", "--color", "never", *arguments],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def configure(self, **values: str) -> None:
        for key, value in values.items():
            done = self.run("config", "set", key, value, "-s", "dev")
            assert done.returncode == 0, done.stdout + done.stderr

    def preview(self) -> Run:
        """What a preview says: name -> operation, without what stays the same."""
        done = self.run("preview", "--json", "-s", "dev")
        text = done.stdout + done.stderr
        if done.returncode:
            return Run(done.returncode, text)
        steps = json.loads(done.stdout[done.stdout.index("{") :]).get("steps", [])
        return Run(0, text, _operations([(each["urn"], each["op"]) for each in steps]))

    def up(self) -> Run:
        """What an update did: name -> operation, without what stayed the same."""
        log = self.folder / "events.json"
        log.unlink(missing_ok=True)
        done = self.run("up", "--skip-preview", "--event-log", str(log), "-s", "dev")
        events = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
        found = [each["resourcePreEvent"]["metadata"] for each in events if "resourcePreEvent" in each]
        return Run(done.returncode, done.stdout + done.stderr, _operations([(e["urn"], e["op"]) for e in found]))

    def destroy(self) -> Run:
        done = self.run("destroy", "-s", "dev")
        return Run(done.returncode, done.stdout + done.stderr)

    def outputs(self) -> dict[str, Any]:
        done = self.run("stack", "output", "--json", "-s", "dev")
        assert done.returncode == 0, done.stdout + done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def left_over(self) -> list[Record]:
        return simcloud.left_over(self.home)


ORDER = ("same", "read", "create", "update", "create-replacement", "delete-replaced", "replace", "delete")


def _operations(steps: list[tuple[str, str]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for where, operation in steps:
        name = where.rsplit("::", 1)[-1]
        if operation in ("same", "read") or "pulumi:pulumi:Stack" in where or "pulumi:providers" in where:
            continue
        shown = "replace" if operation in ("create-replacement", "delete-replaced") else operation
        if ORDER.index(shown) >= ORDER.index(found.get(name, "same")):
            found[name] = shown
    return found


@pytest.fixture
def project(tmp_path: Path) -> Callable[[str], Project]:
    """Makes a project of one program with the stack ``dev``."""

    def make(program: str) -> Project:
        folder = tmp_path / "project"
        folder.mkdir()
        (folder / "Pulumi.yaml").write_text("name: project\nruntime:\n  name: python\n")
        (folder / "__main__.py").write_text(program)
        made = Project(folder, tmp_path / "home", folder / "__main__.py")
        done = made.run("stack", "init", "dev")
        assert done.returncode == 0, done.stdout + done.stderr
        return made

    return make
