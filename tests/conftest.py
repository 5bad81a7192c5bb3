"""What all tests share: golden files."""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# Where this is set, each process compiles the SDKs anew: a quarter of a minute before the first test.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# Whoever runs the tests, they are about the English texts where they say nothing else.
os.environ["PULUMI_LLM_LANG"] = "en"

# A busy machine is no reason to fail. Where CI runs, examples are the same each time: a failure is the change's.
settings.register_profile(
    "steady", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize="CI" in os.environ
)
settings.register_profile("brief", settings.get_profile("steady"), max_examples=20)
settings.load_profile("steady")

GOLDEN = Path(__file__).parent / "golden"

THOROUGH = (
    "tests/catalog/test_catalog_data",
    "tests/clouds",
    "tests/policy/test_mutations",
    "tests/policy/test_pack",
    "tests/policy/test_post_comment",
    "tests/policy/test_table",
    "tests/power/test_aliyun",
    "tests/power/test_aws",
    "tests/power/test_tencent",
    "tests/refresh",
    "tests/simcloud",
    "tests/review",
    "tests/test_sparse_sdk",
    "tests/bootstrap/test_node",
    "tests/gateway/content/test_documentation",
    "tests/gateway/content/test_harmless",
    "tests/gateway/content/test_streams",
    "tests/gateway/test_checked",
    "tests/gateway/test_counting",
    "tests/gateway/test_edges",
    "tests/gateway/test_http",
    "tests/gateway/test_reload",
    "tests/gateway/test_routing",
    # Each of these starts processes of its own, which import the SDKs.
    "tests/commands/test_bill.py::test_against_a_revision",
    "tests/commands/test_bill.py::test_a_revision_that_cannot_be_planned",
    "tests/test_component_host.py::test_a_",
    "tests/test_generated.py::test_a_",
    "tests/test_sparse_sdk.py::test_every_way",
    "tests/test_testing.py",
)
"""Tests that take long and that only a change in their own corner can break: `pytest` leaves them to `make test`."""


def pytest_configure(config: pytest.Config) -> None:
    """Take fewer examples of each property where the thorough tests are left out: see docs/decisions/test-tiers.md."""
    if "not thorough" in config.getoption("markexpr"):
        settings.load_profile("brief")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the thorough tests, by where they are."""
    for item in items:
        if item.nodeid.startswith(THOROUGH):
            item.add_marker(pytest.mark.thorough)


@pytest.fixture
def golden() -> Callable[[Path, str], None]:
    """Compare a text with the golden file of that name; UPDATE_GOLDEN=1 writes it instead."""

    def compare(name: Path, text: str) -> None:
        path = GOLDEN / name
        if os.environ.get("UPDATE_GOLDEN"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        assert path.is_file(), f"there is no golden file {path}; make it with UPDATE_GOLDEN=1 and read it"
        expected = path.read_text(encoding="utf-8")
        diff = "".join(difflib.unified_diff(expected.splitlines(True), text.splitlines(True), "golden", "now", n=2))
        assert text == expected, f"{path} differs (UPDATE_GOLDEN=1 writes it):\n{diff[:4000]}"

    return compare
