"""llm-gate's own tests, asked of the Worker: the same sentences, with workerd in the gateway's place."""

import asyncio
import importlib
import inspect
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.harness import Home
from tests.worker.harness import worker

MODULES = ("http", "counting", "charged", "edges", "endpoints", "last_event", "money", "odd_upstreams", "numbers", "unseen")

def rules() -> Iterator[Any]:
    """Every test of those modules with each of its parameters."""
    for name in MODULES:
        module = importlib.import_module(f"tests.gateway.test_{name}")
        for rule, test in vars(module).items():
            if rule.startswith("test_") and inspect.iscoroutinefunction(test):
                yield from cases(f"{name}::{rule}", test)


def cases(title: str, test: Any) -> Iterator[Any]:
    marks = [each for each in getattr(test, "pytestmark", ()) if each.name == "parametrize"]
    rows = []
    for mark in marks:
        names = mark.args[0].split(",") if isinstance(mark.args[0], str) else mark.args[0]
        names = [each.strip() for each in names]
        values = [getattr(each, "values", each) if hasattr(each, "values") and not isinstance(each, dict) else each for each in mark.args[1]]
        rows.append([dict(zip(names, each if len(names) > 1 else (each[0] if isinstance(each, tuple) and hasattr(each, "marks") else each,), strict=True)) for each in values])
    for place, chosen in enumerate(itertools.product(*rows)):
        arguments = {name: value for row in chosen for name, value in row.items()}
        yield pytest.param(test, arguments, id=f"{title}[{place}]")


@pytest.mark.parametrize(("rule", "arguments"), rules())
async def test_the_worker_keeps_what_llm_gate_promises(
    rule: Any, arguments: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.setattr(Home, "here", worker)
    more = {"monkeypatch": monkeypatch, "tmp_path": tmp_path}
    wanted = {each: more.get(each) for each in inspect.signature(rule).parameters if each not in arguments}
    await asyncio.wait_for(rule(**wanted, **arguments), 12)
