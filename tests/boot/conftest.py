"""Skips, visibly, where nothing can be booted; one stack for all tests that only look at it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pulumi_llm.simcloud.boot import support
from tests.boot.stack import BootedStack


@pytest.fixture(scope="session", autouse=True)
def _machines_can_be_booted() -> None:
    found = support.problems()
    if found:
        pytest.skip("; ".join(f"[{each.code}] {each.message}" for each in found))


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BootedStack]:
    """aliyun-t4: a GPU host with vLLM and Weaviate, and a proxy on AWS; ready."""
    booted = BootedStack.up(tmp_path_factory.mktemp("booted"), "aliyun-t4")
    try:
        yield booted
    finally:
        if booted.world.folder.exists():
            booted.world.destroy()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path
