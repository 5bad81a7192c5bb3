"""Skips, visibly, where nothing can be booted; one stack for all tests that only look at it."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from llm_boot import support
from llm_boot.world import World
from tests.boot.stack import BootedStack, booted


@pytest.fixture(scope="session", autouse=True)
def _machines_can_be_booted() -> None:
    found = support.problems()
    if found:
        pytest.skip("; ".join(f"[{each.code}] {each.message}" for each in found))


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BootedStack]:
    """aliyun-t4: a GPU host with vLLM and Weaviate, and a proxy on AWS; ready."""
    with booted(tmp_path_factory.mktemp("booted"), "aliyun-t4") as made:
        yield made


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """An empty world, for machines of tests' own."""
    made = World.make(tmp_path_factory.mktemp("world") / "world", owner=os.getpid())
    try:
        yield made
    finally:
        made.destroy()
