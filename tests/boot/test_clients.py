"""The clients that people use, before a booted node: Caddy, gateway and vLLM as aliyun-t4 has them.

Its model calls no tools and has room for 4,096 tokens, of which a text has one for each byte here. So of coding agents
it is seen how they take that; what they do with a model that serves them is in tests/clients/test_on_vllm.py.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from tests.boot.stack import BootedStack
from tests.clients.installed import CLIENTS
from tests.clients.scenarios import Scenario
from tests.clients.scenarios_on_vllm import ENDLESS, SAID, SCENARIOS
from tests.clients.verbs import BOOTED
from tests.gateway.fake import ANSWER

pytestmark = pytest.mark.boot

ALL = {(each.client, each.name): each for each in SCENARIOS}
BY_THEMSELVES = {("llm", "cancel"), ("claude-code", "count")}
"""Those with a test of their own below."""
SERVED = [each for each in BOOTED if each not in BY_THEMSELVES]
WITHOUT_TOOLS = [("openai", "tools"), ("anthropic", "tools"), ("llm", "tools"), ("claude-code", "chat"),
                 ("opencode", "chat"), ("qwen-code", "chat")]  # fmt: skip
NO_TOOLS = "this model calls no tools here"


def for_the_node(scenario: Scenario, model: str) -> Scenario:
    """A row of the table with the name of the node's own model."""

    def named(text: str) -> str:
        return text if text.startswith("--no-") else text.replace("plain", model)

    return dataclasses.replace(
        scenario,
        arguments=tuple(map(named, scenario.arguments)),
        says=tuple(map(named, scenario.says)),
        environment={name: named(value) for name, value in scenario.environment.items()},
        files={name: named(text) for name, text in scenario.files.items()},
    )


@pytest.fixture(scope="module")
def key(stack: BootedStack) -> str:
    asked = ("keys", "add", "people", "-s", "aliyun-t4", "--sim", "--requests-per-minute", "500")
    return stack.command(*asked).strip()


def run(stack: BootedStack, folder: Path, key: str, client: str, name: str, *more: str, hang_up_after: str = "") -> str:
    if CLIENTS[client].argv() is None:
        pytest.skip(f"{CLIENTS[client].title} is not installed: make test-clients")
    scenario = for_the_node(ALL[client, name], stack.outputs["model"])
    scenario = dataclasses.replace(scenario, arguments=(*scenario.arguments, *more))
    said = stack.program(scenario, folder, key, hang_up_after=hang_up_after)
    if not more and not hang_up_after and (client, name) in SERVED:
        for each in scenario.says:
            assert each in said, said[-3000:]
    return said


@pytest.mark.parametrize(("client", "name"), SERVED)
def test_a_client_is_served_by_a_booted_node(
    stack: BootedStack, key: str, tmp_path: Path, client: str, name: str
) -> None:
    run(stack, tmp_path, key, client, name)


@pytest.mark.parametrize(("client", "name"), WITHOUT_TOOLS)
def test_a_client_shows_that_the_model_calls_no_tools(
    stack: BootedStack, key: str, tmp_path: Path, client: str, name: str
) -> None:
    assert NO_TOOLS in run(stack, tmp_path, key, client, name)


def test_codex_knows_a_prompt_that_does_not_fit_for_what_it_is(stack: BootedStack, key: str, tmp_path: Path) -> None:
    assert "ran out of room in the model's context window" in run(stack, tmp_path, key, "codex", "chat")


def test_claude_code_knows_a_prompt_that_does_not_fit_for_what_it_is(
    stack: BootedStack, key: str, tmp_path: Path
) -> None:
    assert "Prompt is too long" in run(stack, tmp_path, key, "claude-code", "chat", "--tools", "")


def test_claude_code_counts_with_the_models_own_tokeniser(stack: BootedStack, key: str, tmp_path: Path) -> None:
    assert "Estimated usage by category" in run(stack, tmp_path, key, "claude-code", "count")


def test_whoever_hangs_up_leaves_no_work_and_no_place_taken_and_pays_for_what_was_made(
    stack: BootedStack, tmp_path: Path
) -> None:
    asked = ("keys", "add", "hasty", "-s", "aliyun-t4", "--sim", "--max-concurrency", "1")
    key = stack.command(*asked).strip()
    before = made(stack)
    said = run(stack, tmp_path, key, "llm", "cancel", hang_up_after=f"{SAID}, and so on")
    assert SAID in said
    (tmp_path / "next").mkdir()
    # Its only place is free at once.
    assert ANSWER in run(stack, tmp_path / "next", key, "llm", "stream")
    assert running(stack) == 0
    told = json.loads(stack.command("usage", "-s", "aliyun-t4", "--sim", "--json"))
    row = next(each for each in told["rows"] if each["key"] == "hasty")
    assert (row["requests"], row["reserved"]) == (2, 0)
    out = made(stack) - before
    assert out < 4096 - len(ENDLESS), "it was heard to its end"
    # vLLM never told the tokens of what was cut off, so its bytes count: never less than was made.
    assert out <= row["tokens_out"] <= out * LONGEST, (out, row)


LONGEST = 8
"""Bytes of the longest token of the model's answer."""


def made(stack: BootedStack) -> int:
    """Tokens of answers that vLLM itself has counted since it began."""
    return told_by_vllm(stack, "generation_tokens_total")


def running(stack: BootedStack) -> int:
    return told_by_vllm(stack, "num_requests_running")


def told_by_vllm(stack: BootedStack, name: str) -> int:
    text = stack.machine("server").inside("curl", "-s", "http://127.0.0.1:8000/metrics")
    return round(sum(float(row.rpartition(" ")[2]) for row in text.splitlines() if row.startswith(f"vllm:{name}{{")))
