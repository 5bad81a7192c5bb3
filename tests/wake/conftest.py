"""The node's program that starts machines, a clock that a test moves, and a cloud on loopback."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pulumi_llm._stopping import facts
from tests.leave.conftest import World, world
from tests.node_library import importable, laid_out

MACHINES = {"replica.2": "i-2", "replica.3": "i-3"}

__all__ = ["world"]


@pytest.fixture(scope="session")
def lib(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The node's library as it lies on a node that has the role: with modules of the one that stops."""
    return laid_out(tmp_path_factory.mktemp("lib"), "wake", "leave")


@pytest.fixture
def node(lib: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The modules, on a machine whose root is a folder."""
    importable(lib, monkeypatch)
    from llm_node import leave_clouds, leave_signing, serve_status, system, wake

    monkeypatch.setattr(system, "ROOT", tmp_path)
    for path, document in {
        "opt/llm/hints.json": {"wake.sold-out": "wait"},
        "run/llm/status.json": {"ready": True},
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(json.dumps(document))
    yield SimpleNamespace(
        wake=wake, clouds=leave_clouds, signing=leave_signing, status=serve_status, system=system, root=tmp_path
    )
    for name in [each for each in sys.modules if each.partition(".")[0] == "llm_node"]:
        del sys.modules[name]


class Front:
    """The program on the first machine, and time."""

    def __init__(self, node: Any, world: World, **more: Any) -> None:
        self.node, self.world, self.now = node, world, 1_800_000_000.0
        sold_out = facts(world.cloud)["sold_out"]["pattern"]
        self.config = {"cloud": world.cloud, "machines": MACHINES, "most": 4, "sold_out": sold_out, **more}
        (node.root / "opt/llm/wake.json").write_text(json.dumps(self.config))
        self.again()

    def again(self) -> None:
        """The program is started anew, or the machine is."""
        (self.node.root / "run/llm/wake.json").unlink(missing_ok=True)
        self.program = self.node.wake.Wake(self.config, lambda: self.now)

    def ask(self, *away: str, after: float = 0) -> list[str]:
        """The gateway asks so many seconds later; the machines that the cloud was asked to start."""
        self.now += after
        before = len(self.world.stops)
        self.program.asked(list(away or MACHINES))
        return [started(each) for each in self.world.stops[before:]]

    def told(self) -> dict[str, Any]:
        """What the status document says."""
        return dict(json.loads(self.node.status.document())["wake"])


def started(call: dict[str, Any]) -> str:
    """The machine that a call is about."""
    text = json.dumps([call["query"], call["body"]])
    (found,) = [each for each in MACHINES.values() if f"{each}" in text]
    assert "Start" in text or "Start" in str({key.lower(): value for key, value in call["headers"].items()})
    return found


@pytest.fixture
def front(node: Any, world: World) -> Iterator[Front]:
    return Front(node, world)
