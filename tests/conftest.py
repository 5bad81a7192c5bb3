"""What all tests share: golden files."""

from __future__ import annotations

import difflib
import gc
import os
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.a_day import stand_on_it

# Where this is set, each process compiles the SDKs anew: a quarter of a minute before the first test.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# Whoever runs the tests, they are about the English texts where they say nothing else.
os.environ["PULUMI_LLM_LANG"] = "en"

# What a cloud sells ends on a day: the tests are about what it sold on one of theirs.
stand_on_it()

# A busy machine is no reason to fail. Where CI runs, examples are the same each time: a failure is the change's.
# `make test` gives a seed for the same reason.
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
    "tests/power/test_gcp",
    "tests/power/test_tencent",
    "tests/refresh",
    "tests/simcloud",
    "tests/review",
    "tests/test_sparse_sdk",
    "tests/bootstrap/test_node",
    "tests/bootstrap/test_several_models",
    "tests/gateway/beside",
    "tests/gateway/content/test_configured",
    "tests/gateway/content/test_documentation",
    "tests/gateway/content/test_harmless",
    "tests/gateway/content/test_streams",
    "tests/gateway/test_any_order",
    "tests/gateway/test_blame",
    "tests/gateway/test_charged",
    "tests/gateway/test_checked",
    "tests/gateway/test_counting",
    "tests/gateway/test_door",
    "tests/gateway/test_edges",
    "tests/gateway/test_vectorizer_apart_over_caddy",
    "tests/gateway/test_endpoints",
    "tests/gateway/test_every_field",
    "tests/gateway/test_http",
    "tests/gateway/test_last_event",
    "tests/gateway/test_numbers",
    "tests/gateway/test_odd_upstreams",
    "tests/gateway/test_reload",
    "tests/gateway/test_restart",
    "tests/gateway/test_routing",
    "tests/gateway/test_serving",
    "tests/gateway/test_token_promise",
    "tests/gateway/test_turns",
    "tests/gateway/test_under_load",
    "tests/gateway/test_unseen",
    "tests/bootstrap/test_tie",
    "tests/bootstrap/test_over_ray",
    "tests/ssh/test_supervisor",
    "tests/test_plan_order",
    # Parts that a change elsewhere does not reach: whoever works on one names its folder.
    "tests/apps",
    "tests/bundle",
    "tests/cluster/test_component",
    "tests/commands/test_compare",
    "tests/commands/test_keys",
    "tests/commands/test_outlook",
    "tests/bootstrap/test_adapters",
    "tests/gateway/test_money",
    "tests/gateway/test_monitoring",
    "tests/gateway/test_replicas",
    "tests/gateway/test_started_by_request",
    "tests/gateway/test_store",
    "tests/gateway/test_tokenizer",
    "tests/gateway/test_traces",
    "tests/gateway/test_turns",
    "tests/leave",
    "tests/rehearsal",
    "tests/roles/test_third_party",
    "tests/snapshots",
    "tests/test_dataclasses",
    "tests/test_dead_code",
    "tests/test_domain",
    "tests/test_kept",
    "tests/test_notebook",
    "tests/test_protect",
    "tests/test_replicas",
    "tests/test_nodes",
    "tests/texts",
    "tests/wake",
    "tests/worker",
    # Each of these starts processes of its own, which import the SDKs.
    "tests/commands/test_bill.py::test_against_a_revision",
    "tests/commands/test_bill.py::test_a_revision_that_cannot_be_planned",
    "tests/test_component_host.py::test_a_",
    "tests/test_component_host.py::test_an_argument",
    "tests/test_component_host.py::test_an_image",
    "tests/test_component_host.py::test_an_output",
    "tests/test_component_host.py::test_the_value_of_a_secret",
    "tests/test_generated.py::test_a_",
    "tests/test_outdated.py::test_a_place_that_lost",
    "tests/test_outdated.py::test_the_command",
    "tests/test_outdated.py::test_without_a_network",
    "tests/test_sparse_sdk.py::test_every_way",
    "tests/test_testing.py",
    # Each of these goes through the whole tree, every price or every letter.
    "tests/gateway/content/test_linear.py::test_letters_of_all_of_unicode",
    "tests/test_models_page.py::test_a_price",
    "tests/test_other_software.py",
    "tests/test_outdated.py::test_every_pin",
    "tests/test_spec.py::test_every_kind_of_error",
)
"""Tests that take long and that only a change in their own corner can break: `pytest` leaves them to `make test`."""

ONE_ROW = (
    "tests/gateway/content/test_linear.py",
    "tests/test_outdated.py::test_a_pin_that_appears",
    "tests/test_outdated.py::test_a_dependency_that_is_not_locked",
    "tests/test_plan_loop.py::test_what_comes_late",
    "tests/test_stacks.py::test_a_planted_secret",
)
"""Tests of which each row takes a second or more: `pytest` runs the first, and leaves the others to `make test`."""

ROWS = 2
"""Rows of any other test that `pytest` runs, from all over its list: `make test` runs all of them, and so does a
`pytest` that names the file."""


ALONE = (
    "tests/bootstrap/test_node_stages.py::test_a_wheel_with_another_digest",
    "tests/gateway/beside",
    "tests/gateway/test_under_load.py",
    "tests/test_outdated.py::test_an_index_that_fails",
)
"""Tests of what several processes do within some seconds: beside three other tests on two processors they fail for want
of time. `make test` runs them one after the other."""

FIRST = ("aliyun", "aws", "tencent")
"""The clouds of the stacks that are shipped: each runs its T4's, and one of them its A100's."""

EVERY_ROW = (
    "tests/engine/test_failures.py::test_bad_input",
    *(f"tests/engine/test_stacks.py::test_preview_up_and_destroy_of_a_shipped_stack[{cloud}-t4" for cloud in FIRST),
    "tests/engine/test_steps.py",
    "tests/engine/test_yaml.py",
    "tests/rehearsal/test_credentials.py",
    "tests/rehearsal/test_fetch.py",
    "tests/rehearsal/test_records.py::test_the_simulated_plugins_do_what_the_official_ones_did[tencent-t4",
)
"""Tests of the real engine of which `make test` runs each row: they are quick, or what the project is for. A row's own
name keeps that one beside another."""

ENGINE_ROWS = 1
"""Rows of any other test of the real engine that `make test` runs, mostly a cloud each: `make test-engine-all` runs the
rest. Which one is another for each test, so that every cloud is among them."""

ROOT = Path(__file__).parents[1]


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """One process for what is named on the command line, a few for all the quick tests: each imports the SDKs."""
    return 0 if _named(config) else min(os.cpu_count() or 1, 4)


def _named(config: pytest.Config) -> bool:
    """Whether the command line names files, or picks tests by their names."""
    named = config.args_source is pytest.Config.ArgsSource.ARGS
    # A worker is told by xdist what its controller was told.
    return (named and not hasattr(config, "workerinput")) or bool(config.getoption("keyword"))


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave whole files of thorough tests unread where all the quick tests are run: their imports take their time."""
    if "not thorough" not in config.getoption("markexpr") or _named(config) or not collection_path.is_file():
        return None
    name = collection_path.relative_to(ROOT).as_posix()
    if collection_path.suffix == ".py" and name.startswith(tuple(each for each in THOROUGH if "::" not in each)):
        return True
    return None


def pytest_collection_finish() -> None:
    """Let the collector leave alone what is there for the whole run: looking at it takes an eighth of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Tell what a run of the quick tests leaves out: workers do not tell what they deselected, nor what is unread."""
    if (left := config.getoption("markexpr")) and not _named(config):
        terminalreporter.write_line(f"left to `make test`: all that is not `{left}`")


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
        if item.nodeid.startswith(ALONE):
            item.add_marker(pytest.mark.alone)
    for item in left_out_clouds(items):
        item.add_marker(pytest.mark.engine_all)
    if items and not _named(items[0].config):
        for item in left_out_rows(items):
            item.add_marker(pytest.mark.thorough)


def left_out_rows(items: Iterable[pytest.Item]) -> Iterator[pytest.Item]:
    """The rows of tests with many that the quick tier does without; the first row always stays."""
    tests: dict[str, list[pytest.Item]] = {}
    for item in items:
        tests.setdefault(item.nodeid.partition("[")[0], []).append(item)
    for name, rows in tests.items():
        most = 1 if name.startswith(ONE_ROW) else ROWS
        kept = {place * len(rows) // most for place in range(most)}
        yield from (row for place, row in enumerate(rows) if len(rows) > most and place not in kept)


def left_out_clouds(items: Iterable[pytest.Item]) -> Iterator[pytest.Item]:
    """The rows of the engine's tests that only `make test-engine-all` runs."""
    tests: dict[str, list[pytest.Item]] = {}
    for item in items:
        if item.get_closest_marker("engine") and not item.nodeid.startswith(EVERY_ROW):
            tests.setdefault(item.nodeid.partition("[")[0], []).append(item)
    for name, rows in tests.items():
        first = zlib.crc32(name.encode())
        kept = {(first + place * len(rows) // ENGINE_ROWS) % len(rows) for place in range(ENGINE_ROWS)}
        yield from (row for place, row in enumerate(rows) if place not in kept)


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
